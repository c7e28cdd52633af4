/* frame: header and kind table. The broker reads no further than this; meta and body belong to
 * whoever handles the kind. */
#include "broker/wire/frame.h"

#include <string.h>

static const struct kind_rule rules[] = {
#define X(NAME, code, text, from, session, reply, max)                                             \
    {KIND_##NAME, text, from, session, KIND_##reply, max},
    KIND_LIST(X)
#undef X
};

const struct kind_rule *kind_rule_of(unsigned kind)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if ((unsigned)rules[i].kind == kind) return &rules[i];
    return NULL;
}

const char *kind_name(unsigned kind)
{
    const struct kind_rule *rule = kind_rule_of(kind);
    return rule ? rule->name : "?";
}

/* Only ciphertexts travel behind meta; anything else there would be forwarded for nothing. */
static bool has_body(uint8_t kind)
{
    return kind == KIND_SEND || kind == KIND_DELIVER;
}

enum status frame_check(struct view bytes, enum frame_from from, struct frame *out)
{
    memset(out, 0, sizeof *out);
    struct reader r = reader_of(bytes);
    uint16_t magic = read_u16(&r);
    uint8_t version = read_u8(&r);
    uint8_t kind = read_u8(&r);
    uint16_t flags = read_u16(&r);
    uint16_t item_count = read_u16(&r);
    uint64_t correlation = read_u64(&r);
    uint16_t home = read_u16(&r);
    uint16_t reserved = read_u16(&r);
    uint32_t meta_len = read_u32(&r);
    if (r.failed || magic != FRAME_MAGIC) return STATUS_MALFORMED;
    out->header.correlation = correlation;
    if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION_MAX) return STATUS_UNSUPPORTED;
    const struct kind_rule *rule = kind_rule_of(kind);
    if (!rule || !(rule->from & (unsigned)from)) return STATUS_UNSUPPORTED;
    if (flags || reserved || home >= PARTITION_COUNT) return STATUS_MALFORMED;
    if (meta_len > rule->meta_len_max || bytes.len > FRAME_LEN_MAX) return STATUS_TOO_LARGE;
    struct view meta = read_view(&r, meta_len);
    struct view body = read_view(&r, reader_left(&r));
    if (reader_done(&r) != STATUS_OK) return STATUS_MALFORMED;
    if (body.len && !has_body(kind)) return STATUS_MALFORMED;
    *out = (struct frame){.header = {kind, item_count, correlation, home},
                          .meta = meta, .body = body};
    return STATUS_OK;
}

size_t frame_begin(struct buffer *b, const struct frame_header *header)
{
    size_t start = b->len;
    write_u16(b, FRAME_MAGIC);
    write_u8(b, PROTOCOL_VERSION_MAX);
    write_u8(b, header->kind);
    write_u16(b, 0);
    write_u16(b, header->item_count);
    write_u64(b, header->correlation);
    write_u16(b, header->home);
    write_u16(b, 0);
    write_u32(b, 0);
    return start;
}

void frame_meta_end(struct buffer *b, size_t start)
{
    size_t meta_len = b->len - start - FRAME_HEADER_LEN;
    ENSURE(meta_len <= UINT32_MAX);
    put_u32(b->at + start + 20, (uint32_t)meta_len);
}
