/* codec: one decoder and one encoder for all messages, driven by tables. The invariant: what it
 * accepts, it can write again, and every array and byte string is within its table's bound. */
#include "broker/wire/codec.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_I64 = 1, WIRE_LEN = 2, WIRE_I32 = 5 };

#define DEPTH_MAX 6

static bool is_varint(enum codec_type type)
{
    return type == CODEC_U64 || type == CODEC_U32 || type == CODEC_BOOL;
}

static void skip_field(struct reader *r, unsigned wire)
{
    switch (wire) {
    case WIRE_VARINT: read_varint(r); return;
    case WIRE_I64: read_view(r, 8); return;
    case WIRE_LEN: read_view(r, read_varint(r)); return;
    case WIRE_I32: read_view(r, 4); return;
    default: r->failed = true;
    }
}

static enum status store_varint(const struct codec_field *f, uint64_t v, uint8_t *at)
{
    if (f->type == CODEC_U64) {
        memcpy(at, &v, sizeof v);
    } else if (f->type == CODEC_U32) {
        uint32_t v32 = (uint32_t)v;
        if (v != v32) return STATUS_MALFORMED;
        memcpy(at, &v32, sizeof v32);
    } else {
        bool flag = v == 1;
        if (v > 1) return STATUS_MALFORMED;
        memcpy(at, &flag, sizeof flag);
    }
    return STATUS_OK;
}

static enum status decode_at(const struct codec_desc *desc, struct view in, struct arena *a,
                             uint8_t *out, unsigned depth);

static size_t element_size(const struct codec_field *f)
{
    return f->type == CODEC_VIEWS ? sizeof(struct view) : f->sub->size;
}

/* First pass: how often each repeated field occurs, so that its array is allocated once. */
static enum status count_fields(const struct codec_desc *desc, struct view in, size_t *counts)
{
    struct reader r = reader_of(in);
    while (reader_left(&r)) {
        uint64_t tag = read_varint(&r);
        skip_field(&r, (unsigned)(tag & 7));
        if (tag >> 3 == 0 || tag >> 32) return STATUS_MALFORMED;
        for (size_t i = 0; i < desc->field_count; i++)
            if (desc->fields[i].number == tag >> 3) counts[i]++;
    }
    return reader_done(&r);
}

static enum status allocate_arrays(const struct codec_desc *desc, const size_t *counts,
                                   struct arena *a, uint8_t *out)
{
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct codec_field *f = &desc->fields[i];
        if (f->type == CODEC_MANY || f->type == CODEC_VIEWS) {
            if (counts[i] > f->max) return STATUS_TOO_LARGE;
            void *array = counts[i] ? arena_array(a, counts[i], element_size(f)) : NULL;
            memcpy(out + f->offset, &array, sizeof array);
        } else if (counts[i] > 1) {
            return STATUS_MALFORMED; /* one value has one encoding */
        } else if (counts[i] == 0 && (f->type == CODEC_FIXED || f->type == CODEC_ONE)) {
            return STATUS_MALFORMED;
        }
    }
    return STATUS_OK;
}

static enum status decode_bytes(const struct codec_field *f, struct view v, struct arena *a,
                                uint8_t *out, unsigned depth)
{
    uint8_t *at = out + f->offset;
    if (f->type == CODEC_FIXED || f->type == CODEC_MAYBE) {
        if (v.len != f->max) return STATUS_MALFORMED;
        memcpy(at, v.at, v.len);
        return STATUS_OK;
    }
    if (f->type == CODEC_BYTES) {
        if (v.len > f->max) return STATUS_TOO_LARGE;
        memcpy(at, &v, sizeof v);
        return STATUS_OK;
    }
    if (f->type == CODEC_ONE) return decode_at(f->sub, v, a, at, depth + 1);
    size_t count;
    uint8_t *array;
    memcpy(&count, out + f->count_offset, sizeof count);
    memcpy(&array, at, sizeof array);
    uint8_t *element = array + count * element_size(f);
    count++;
    memcpy(out + f->count_offset, &count, sizeof count);
    if (f->type == CODEC_MANY) return decode_at(f->sub, v, a, element, depth + 1);
    memcpy(element, &v, sizeof v);
    return STATUS_OK;
}

static const struct codec_field *field_of(const struct codec_desc *desc, uint64_t number)
{
    for (size_t i = 0; i < desc->field_count; i++)
        if (desc->fields[i].number == number) return &desc->fields[i];
    return NULL;
}

static enum status decode_at(const struct codec_desc *desc, struct view in, struct arena *a,
                             uint8_t *out, unsigned depth)
{
    size_t counts[CODEC_FIELD_COUNT_MAX] = {0};
    ENSURE(depth <= DEPTH_MAX && desc->field_count <= CODEC_FIELD_COUNT_MAX);
    enum status s = count_fields(desc, in, counts);
    if (s == STATUS_OK) s = allocate_arrays(desc, counts, a, out);
    struct reader r = reader_of(in);
    while (s == STATUS_OK && reader_left(&r)) {
        uint64_t tag = read_varint(&r);
        const struct codec_field *f = field_of(desc, tag >> 3);
        if (!f) {
            skip_field(&r, (unsigned)(tag & 7));
        } else if ((tag & 7) != (is_varint(f->type) ? WIRE_VARINT : WIRE_LEN)) {
            s = STATUS_MALFORMED;
        } else if (is_varint(f->type)) {
            s = store_varint(f, read_varint(&r), out + f->offset);
        } else {
            s = decode_bytes(f, read_view(&r, read_varint(&r)), a, out, depth);
        }
    }
    return s;
}

enum status codec_decode(const struct codec_desc *desc, struct view in, struct arena *a, void *out)
{
    memset(out, 0, desc->size);
    enum status s = decode_at(desc, in, a, out, 0);
    if (s != STATUS_OK) memset(out, 0, desc->size);
    return s;
}

static uint64_t load_varint(const struct codec_field *f, const uint8_t *at)
{
    uint64_t v = 0;
    uint32_t v32;
    if (f->type == CODEC_U64) {
        memcpy(&v, at, sizeof v);
    } else if (f->type == CODEC_U32) {
        memcpy(&v32, at, sizeof v32);
        v = v32;
    } else {
        v = *(const bool *)(const void *)at;
    }
    return v;
}

static void write_tag(struct buffer *b, const struct codec_field *f, unsigned wire)
{
    write_varint(b, (uint64_t)f->number << 3 | wire);
}

static void write_len_field(struct buffer *b, const struct codec_field *f, const void *at,
                            size_t len)
{
    write_tag(b, f, WIRE_LEN);
    write_varint(b, len);
    write_bytes(b, at, len);
}

/* Written in place with one byte of length reserved; moved only where the length needs more. */
static void write_sub(struct buffer *b, const struct codec_field *f, const void *message)
{
    write_tag(b, f, WIRE_LEN);
    size_t start = b->len;
    write_u8(b, 0);
    codec_encode(f->sub, message, b);
    size_t len = b->len - start - 1, extra = varint_len(len) - 1;
    if (extra) {
        buffer_extend(b, extra);
        memmove(b->at + start + 1 + extra, b->at + start + 1, len);
    }
    size_t end = b->len;
    b->len = start;
    write_varint(b, len);
    b->len = end;
}

static bool all_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i]) return false;
    return true;
}

static void encode_array(const struct codec_field *f, const uint8_t *message, struct buffer *b)
{
    size_t count;
    const uint8_t *array;
    memcpy(&count, message + f->count_offset, sizeof count);
    memcpy(&array, message + f->offset, sizeof array);
    ENSURE(count <= f->max);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *element = array + i * element_size(f);
        if (f->type == CODEC_MANY) {
            write_sub(b, f, element);
        } else {
            struct view v;
            memcpy(&v, element, sizeof v);
            write_len_field(b, f, v.at, v.len);
        }
    }
}

static void encode_field(const struct codec_field *f, const uint8_t *message, struct buffer *b)
{
    const uint8_t *at = message + f->offset;
    if (is_varint(f->type)) {
        uint64_t v = load_varint(f, at);
        if (!v) return;
        write_tag(b, f, WIRE_VARINT);
        write_varint(b, v);
    } else if (f->type == CODEC_FIXED) {
        write_len_field(b, f, at, f->max);
    } else if (f->type == CODEC_MAYBE) {
        if (!all_zero(at, f->max)) write_len_field(b, f, at, f->max);
    } else if (f->type == CODEC_BYTES) {
        struct view v;
        memcpy(&v, at, sizeof v);
        ENSURE(v.len <= f->max);
        if (v.len) write_len_field(b, f, v.at, v.len);
    } else if (f->type == CODEC_ONE) {
        write_sub(b, f, at);
    } else {
        encode_array(f, message, b);
    }
}

void codec_encode(const struct codec_desc *desc, const void *message, struct buffer *b)
{
    for (size_t i = 0; i < desc->field_count; i++)
        encode_field(&desc->fields[i], message, b);
}

bool codec_encodes_to(const struct codec_desc *desc, const void *message, struct view bytes)
{
    struct buffer again = {0};
    codec_encode(desc, message, &again);
    bool same = view_equal(buffer_view(&again), bytes);
    buffer_fini(&again);
    return same;
}
