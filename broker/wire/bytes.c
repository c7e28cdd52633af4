/* bytes: the one reading cursor and the one write buffer. No allocation on the reading side; the
 * writing side ends the process when memory is gone, see bytes.h. */
#include "broker/wire/bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "sealmq: internal error: %s (%s:%d)\n", condition, file, line);
    abort();
}

bool view_equal(struct view a, struct view b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static uint64_t hash_step(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

uint64_t view_hash(struct view v, uint64_t seed)
{
    uint64_t h = seed + v.len * 0x9e3779b97f4a7c15u, word = 0;
    size_t whole = v.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, v.at + i, 8);
        h = hash_step(h, word);
    }
    if (whole == v.len) return h;
    word = 0;
    memcpy(&word, v.at + whole, v.len - whole);
    return hash_step(h, word);
}

struct reader reader_of(struct view bytes)
{
    if (!bytes.len) return (struct reader){.at = NULL, .end = NULL, .failed = false};
    return (struct reader){.at = bytes.at, .end = bytes.at + bytes.len, .failed = false};
}

size_t reader_left(const struct reader *r)
{
    return r->failed || !r->at ? 0 : (size_t)(r->end - r->at);
}

static const uint8_t *take(struct reader *r, size_t len)
{
    if (r->failed || len > reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    if (len) r->at += len;
    return at;
}

uint8_t read_u8(struct reader *r)
{
    const uint8_t *at = take(r, 1);
    return at ? *at : 0;
}

uint16_t read_u16(struct reader *r)
{
    const uint8_t *at = take(r, 2);
    return at ? get_u16(at) : 0;
}

uint32_t read_u32(struct reader *r)
{
    const uint8_t *at = take(r, 4);
    return at ? get_u32(at) : 0;
}

uint64_t read_u64(struct reader *r)
{
    const uint8_t *at = take(r, 8);
    return at ? get_u64(at) : 0;
}

uint64_t read_varint(struct reader *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_u8(r);
        if (r->failed) return 0;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            if (byte == 0 && shift > 0) break; /* overlong: one value has one encoding */
            return v;
        }
    }
    r->failed = true;
    return 0;
}

void read_bytes(struct reader *r, void *out, size_t len)
{
    const uint8_t *at = take(r, len);
    if (!len) return;
    if (at)
        memcpy(out, at, len);
    else
        memset(out, 0, len);
}

struct view read_view(struct reader *r, size_t len)
{
    const uint8_t *at = take(r, len);
    return at && len ? view_of(at, len) : view_of(NULL, 0);
}

enum status reader_done(const struct reader *r)
{
    return r->failed || r->at != r->end ? STATUS_MALFORMED : STATUS_OK;
}

void buffer_fini(struct buffer *b)
{
    free(b->at);
    *b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
    b->len = 0;
}

void buffer_reserve(struct buffer *b, size_t len)
{
    ENSURE(len <= SIZE_MAX / 2 - b->len); /* so that doubling cannot wrap either */
    size_t need = b->len + len;
    if (need <= b->cap) return;
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    uint8_t *at = realloc(b->at, cap);
    ENSURE(at != NULL);
    b->at = at;
    b->cap = cap;
}

uint8_t *buffer_extend(struct buffer *b, size_t len)
{
    buffer_reserve(b, len);
    uint8_t *at = b->at ? b->at + b->len : NULL; /* NULL + 0 is undefined */
    b->len += len;
    return at;
}

struct view buffer_view(const struct buffer *b)
{
    return view_of(b->len ? b->at : NULL, b->len);
}

void write_u8(struct buffer *b, uint8_t v)
{
    *buffer_extend(b, 1) = v;
}

void write_u16(struct buffer *b, uint16_t v)
{
    put_u16(buffer_extend(b, 2), v);
}

void write_u32(struct buffer *b, uint32_t v)
{
    put_u32(buffer_extend(b, 4), v);
}

void write_u64(struct buffer *b, uint64_t v)
{
    put_u64(buffer_extend(b, 8), v);
}

size_t varint_len(uint64_t v)
{
    size_t len = 1;
    while (v >>= 7)
        len++;
    return len;
}

void write_varint(struct buffer *b, uint64_t v)
{
    size_t len = varint_len(v);
    uint8_t *at = buffer_extend(b, len);
    for (size_t i = 0; i + 1 < len; i++, v >>= 7)
        at[i] = (uint8_t)(v | 0x80);
    at[len - 1] = (uint8_t)v;
}

void write_bytes(struct buffer *b, const void *at, size_t len)
{
    if (len) memcpy(buffer_extend(b, len), at, len);
}

void write_view(struct buffer *b, struct view v)
{
    write_bytes(b, v.at, v.len);
}

void put_u16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

void put_u32(uint8_t *at, uint32_t v)
{
    put_u16(at, (uint16_t)(v >> 16));
    put_u16(at + 2, (uint16_t)v);
}

void put_u64(uint8_t *at, uint64_t v)
{
    put_u32(at, (uint32_t)(v >> 32));
    put_u32(at + 4, (uint32_t)v);
}

uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}
