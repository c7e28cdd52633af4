/* bytes: views, one reading cursor with sticky failure, and a growing write buffer. The only way
 * in which SealMQ reads bytes that somebody else wrote. All integers are big-endian. */
#ifndef SEALMQ_WIRE_BYTES_H
#define SEALMQ_WIRE_BYTES_H

#include "broker/wire/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Our own fault, checked in every build; a peer's fault is a status, never this. */
#define ENSURE(condition)                                                                          \
    ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))
_Noreturn void ensure_failed(const char *condition, const char *file, int line);

/* A borrowed range of bytes; at may be NULL only when len is 0. */
struct view {
    const uint8_t *at;
    size_t len;
};

static inline struct view view_of(const void *at, size_t len)
{
    return (struct view){.at = at, .len = len};
}
/* view_equal: same length and same bytes (not for secrets: sodium_memcmp). */
bool view_equal(struct view a, struct view b);
/* view_hash: for a table in memory: eight bytes at a time, fast, and no more secret than its seed. Who could choose keys
 * and know the seed could make them meet: then a lookup takes time, and nothing else. */
uint64_t view_hash(struct view v, uint64_t seed);

/* reader: a cursor over a view. After the first read that does not fit, failed stays true and every
 * further read gives zeros, so that one check at the end (reader_done) covers all. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

struct reader reader_of(struct view bytes);
size_t reader_left(const struct reader *r);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* read_varint: protobuf base-128, at most 10 bytes; an overlong or overflowing one fails. */
uint64_t read_varint(struct reader *r);
/* read_bytes: copies len bytes to out; zeros on failure. */
void read_bytes(struct reader *r, void *out, size_t len);
/* read_view: borrows len bytes of the reader's source; empty on failure. */
struct view read_view(struct reader *r, size_t len);
/* reader_done: OK when nothing failed and nothing is left over, else MALFORMED. */
enum status reader_done(const struct reader *r) MUST_USE;

/* buffer: heap bytes that grow by doubling; zero-initialise, end with buffer_fini. Out of memory
 * ends the process (crash-only: as after a kill, nothing accepted is lost). */
struct buffer {
    uint8_t *at;
    size_t len;
    size_t cap;
};

void buffer_fini(struct buffer *b);
void buffer_clear(struct buffer *b);
/* buffer_extend: room for len more bytes, uninitialised; the pointer is good until the next call. */
uint8_t *buffer_extend(struct buffer *b, size_t len);
void buffer_reserve(struct buffer *b, size_t len);
struct view buffer_view(const struct buffer *b);
void write_u8(struct buffer *b, uint8_t v);
void write_u16(struct buffer *b, uint16_t v);
void write_u32(struct buffer *b, uint32_t v);
void write_u64(struct buffer *b, uint64_t v);
/* varint_len: how many bytes write_varint appends, 1..10. */
size_t varint_len(uint64_t v);
void write_varint(struct buffer *b, uint64_t v);
void write_bytes(struct buffer *b, const void *at, size_t len);
void write_view(struct buffer *b, struct view v);

/* put_*: big-endian into fixed memory; get_*: back. */
void put_u16(uint8_t *at, uint16_t v);
void put_u32(uint8_t *at, uint32_t v);
void put_u64(uint8_t *at, uint64_t v);
uint16_t get_u16(const uint8_t *at);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);

#endif
