/* slab: encode and decode of the batches inside the relay. */
#include "broker/wire/slab.h"

#include <string.h>

#define SLAB_MAGIC   0x534cu
#define SLAB_VERSION 1u

_Static_assert(4 + 1 + 3 + 8 + 24 + 32 + 16 + 32 + 8 + 8 == SLAB_STAMP_LEN, "stamp layout");

void slab_begin(struct buffer *b)
{
    ENSURE(b->len == 0);
    memset(buffer_extend(b, SLAB_HEADER_LEN), 0, SLAB_HEADER_LEN);
}

size_t slab_item_begin(struct buffer *b, const struct stamp *stamp)
{
    size_t start = b->len;
    uint8_t *at = buffer_extend(b, SLAB_STAMP_LEN);
    memset(at, 0, SLAB_STAMP_LEN);
    at[4] = (uint8_t)stamp->origin;
    put_u64(at + 8, stamp->conn);
    memcpy(at + 16, stamp->session.term.bytes, 16);
    put_u64(at + 32, stamp->session.number);
    memcpy(at + 40, stamp->account.bytes, 32);
    memcpy(at + 72, stamp->device.bytes, 16);
    memcpy(at + 88, stamp->transport.bytes, 32);
    put_u64(at + 120, stamp->round);
    return start;
}

void slab_item_end(struct buffer *b, size_t start)
{
    size_t len = b->len - start - SLAB_STAMP_LEN;
    ENSURE(len <= UINT32_MAX);
    put_u32(b->at + start, (uint32_t)len);
    put_u32(b->at + 4, get_u32(b->at + 4) + 1);
}

void slab_item(struct buffer *b, const struct stamp *stamp, struct view frame)
{
    size_t start = slab_item_begin(b, stamp);
    write_view(b, frame);
    slab_item_end(b, start);
}

void slab_finish(struct buffer *b, const struct slab_header *header)
{
    put_u16(b->at, SLAB_MAGIC);
    b->at[2] = SLAB_VERSION;
    b->at[3] = (uint8_t)header->role;
    memcpy(b->at + 8, header->boot.bytes, 8);
    memcpy(b->at + 16, header->term.bytes, 16);
    put_u64(b->at + 32, header->commit);
    put_u64(b->at + 40, header->relay_ms);
}

uint32_t slab_count(const struct buffer *b)
{
    return b->len >= SLAB_HEADER_LEN ? get_u32(b->at + 4) : 0;
}

enum status slab_open(struct view bytes, struct slab_header *header, struct slab_reader *out)
{
    struct reader r = reader_of(bytes);
    memset(header, 0, sizeof *header);
    memset(out, 0, sizeof *out);
    uint16_t magic = read_u16(&r);
    uint8_t version = read_u8(&r), role = read_u8(&r);
    uint32_t count = read_u32(&r);
    struct slab_header h = {.role = (enum slab_role)role};
    read_bytes(&r, h.boot.bytes, sizeof h.boot.bytes);
    read_bytes(&r, h.term.bytes, sizeof h.term.bytes);
    h.commit = read_u64(&r);
    h.relay_ms = read_u64(&r);
    if (bytes.len > SLAB_LEN_MAX) return STATUS_TOO_LARGE;
    if (r.failed || magic != SLAB_MAGIC || role < ROLE_BROKER || role > ROLE_OPS)
        return STATUS_MALFORMED;
    if (version != SLAB_VERSION) return STATUS_UNSUPPORTED;
    *header = h;
    *out = (struct slab_reader){.r = r, .left = count};
    return STATUS_OK;
}

bool slab_next(struct slab_reader *s, struct stamp *stamp, struct view *frame)
{
    struct stamp st;
    memset(stamp, 0, sizeof *stamp);
    *frame = view_of(NULL, 0);
    if (!s->left || s->r.failed) return false;
    s->left--;
    uint32_t len = read_u32(&s->r);
    uint8_t origin = read_u8(&s->r);
    read_view(&s->r, 3);
    st.conn = read_u64(&s->r);
    read_bytes(&s->r, st.session.term.bytes, 16);
    st.session.number = read_u64(&s->r);
    read_bytes(&s->r, st.account.bytes, 32);
    read_bytes(&s->r, st.device.bytes, 16);
    read_bytes(&s->r, st.transport.bytes, 32);
    st.round = read_u64(&s->r);
    read_view(&s->r, 8);
    struct view bytes = read_view(&s->r, len);
    if (origin > ORIGIN_ADMIN) s->r.failed = true;
    if (s->r.failed) return false;
    st.origin = (enum origin)origin;
    *stamp = st;
    *frame = bytes;
    return true;
}

enum status slab_done(const struct slab_reader *s)
{
    return s->left ? STATUS_MALFORMED : reader_done(&s->r);
}
