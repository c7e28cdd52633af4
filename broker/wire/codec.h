/* codec: Protocol Buffers encoding (proto3 wire format) driven by tables that describe our own
 * structs. Decoding borrows from the input and allocates only from an arena; sizes of ids and all
 * bounds are checked here, in one place. broker/wire/sealmq.proto is the public form of the same
 * tables, and a test holds the two together through protobuf-c (why not protobuf-c itself here:
 * ARCHITECTURE, decisions). */
#ifndef SEALMQ_WIRE_CODEC_H
#define SEALMQ_WIRE_CODEC_H

#include "broker/wire/arena.h"
#include "broker/wire/bytes.h"

enum codec_type {
    CODEC_U64,   /* uint64_t; varint */
    CODEC_U32,   /* uint32_t; varint, more than 32 bits refuses */
    CODEC_BOOL,  /* bool; varint 0 or 1 */
    CODEC_FIXED, /* `max` bytes of a nominal struct; required, always written */
    CODEC_MAYBE, /* the same, or absent: all zero */
    CODEC_BYTES, /* struct view, at most `max` */
    CODEC_ONE,   /* struct of `sub` in place; required, always written */
    CODEC_MANY,  /* pointer to array of `sub` structs, count beside it; at most `max` */
    CODEC_VIEWS, /* pointer to array of struct view, count beside it; at most `max` */
};

struct codec_desc;

struct codec_field {
    uint32_t number;
    const char *name;    /* the struct's member and the .proto's field, for people and tests */
    enum codec_type type;
    size_t offset;       /* of the value, or of the array pointer */
    size_t count_offset; /* of a size_t, for MANY and VIEWS */
    size_t max;
    const struct codec_desc *sub;
};

/* Fields in ascending number. */
struct codec_desc {
    const char *name;
    size_t size;
    const struct codec_field *fields;
    size_t field_count;
};

#define CODEC_FIELD_COUNT_MAX 32

/* codec_decode: fills *out (of desc->size) from the whole of `in`. Views in *out borrow `in`, arrays
 * live in the arena. Unknown fields are skipped. OK, MALFORMED, or TOO_LARGE where a bound of the
 * table is crossed; *out is all zero after a failure. */
enum status codec_decode(const struct codec_desc *desc, struct view in, struct arena *a,
                         void *out) MUST_USE;

/* codec_encode: appends the message; fields in ascending order, defaults left out, so that equal
 * structs give equal bytes. Bounds are the caller's duty (ENSUREd). */
void codec_encode(const struct codec_desc *desc, const void *message, struct buffer *b);

/* codec_encodes_to: whether the bytes are the one encoding of the message: known fields, in order, nothing else. */
bool codec_encodes_to(const struct codec_desc *desc, const void *message, struct view bytes);

#endif
