/* frame: one wrong header field at a time, each with the status that PROTOCOL 5 gives it. */
#include "broker/wire/messages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct frame_header header = {.kind = KIND_SEND, .item_count = 3,
                                           .correlation = 0x1122334455667788u, .home = 4095};

/* A SEND with five bytes of meta and four of body. */
static void frame_make(struct buffer *b)
{
    size_t start = frame_begin(b, &header);
    write_bytes(b, "meta!", 5);
    frame_meta_end(b, start);
    write_bytes(b, "body", 4);
}

static enum status check(const struct buffer *b, enum frame_from from, struct frame *out)
{
    return frame_check(buffer_view(b), from, out);
}

static bool is_empty(const struct frame *f, uint64_t correlation)
{
    return f->header.kind == 0 && f->header.item_count == 0 && f->header.home == 0 &&
           f->header.correlation == correlation && !f->meta.at && !f->meta.len && !f->body.at &&
           !f->body.len;
}

/* The frame with the byte at `at` set to `byte` is refused so, and still names its request or not. */
static void refuses(size_t at, uint8_t byte, enum status expected, bool answerable)
{
    struct buffer b = {0};
    struct frame f;
    frame_make(&b);
    b.at[at] = byte;
    enum status s = check(&b, FROM_CLIENT, &f);
    cr_assert_eq(s, expected, "byte %zu = %u: %s", at, byte, status_name(s));
    cr_assert(is_empty(&f, answerable ? header.correlation : 0), "byte %zu = %u", at, byte);
    buffer_fini(&b);
}

Test(frame, comes_apart_as_it_was_made)
{
    struct buffer b = {0};
    struct frame f;
    write_u8(&b, 0xff); /* frames may be appended to something */
    frame_make(&b);
    cr_assert_eq(frame_check(view_of(b.at + 1, b.len - 1), FROM_CLIENT, &f), STATUS_OK);
    cr_assert_eq(f.header.kind, KIND_SEND);
    cr_assert_eq(f.header.item_count, 3);
    cr_assert_eq(f.header.correlation, header.correlation);
    cr_assert_eq(f.header.home, 4095);
    cr_assert(view_equal(f.meta, view_of("meta!", 5)));
    cr_assert(view_equal(f.body, view_of("body", 4)));
    buffer_fini(&b);
}

Test(frame, each_wrong_header_field_has_its_status)
{
    refuses(0, 0x52, STATUS_MALFORMED, false); /* magic */
    refuses(1, 0x00, STATUS_MALFORMED, false);
    refuses(2, 0, STATUS_UNSUPPORTED, true); /* version */
    refuses(2, 2, STATUS_UNSUPPORTED, true);
    refuses(3, 0, STATUS_UNSUPPORTED, true);            /* no such kind */
    refuses(3, 255, STATUS_UNSUPPORTED, true);
    refuses(3, KIND_DELIVER, STATUS_UNSUPPORTED, true); /* not a client's to send */
    refuses(3, KIND_OVERVIEW, STATUS_UNSUPPORTED, true);
    refuses(3, KIND_READY, STATUS_UNSUPPORTED, true);
    refuses(4, 0x80, STATUS_MALFORMED, true); /* flags */
    refuses(5, 0x01, STATUS_MALFORMED, true);
    refuses(16, 0x10, STATUS_MALFORMED, true); /* home 4096 and more */
    refuses(18, 0x01, STATUS_MALFORMED, true); /* reserved */
    refuses(19, 0x01, STATUS_MALFORMED, true);
    refuses(20, 0xff, STATUS_TOO_LARGE, true); /* meta longer than the kind's bound */
    refuses(23, 10, STATUS_MALFORMED, true);   /* meta longer than what is there */
}

Test(frame, cut_at_any_byte_before_the_body_is_malformed)
{
    struct buffer b = {0};
    frame_make(&b);
    for (size_t len = 0; len < FRAME_HEADER_LEN + 5; len++) {
        struct frame f;
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, b.at, len);
        cr_assert_eq(frame_check(view_of(cut, len), FROM_CLIENT, &f), STATUS_MALFORMED, "%zu", len);
        cr_assert(is_empty(&f, len >= FRAME_HEADER_LEN ? header.correlation : 0), "%zu", len);
        free(cut);
    }
    buffer_fini(&b);
}

Test(frame, a_meta_at_its_kinds_bound_passes_and_one_more_byte_does_not)
{
    for (size_t over = 0; over < 2; over++) {
        struct buffer b = {0};
        struct frame f;
        size_t start = frame_begin(&b, &(struct frame_header){.kind = KIND_HELLO, .correlation = 1});
        memset(buffer_extend(&b, 1024 + over), 0, 1024 + over);
        frame_meta_end(&b, start);
        cr_assert_eq(check(&b, FROM_CLIENT, &f), over ? STATUS_TOO_LARGE : STATUS_OK);
        buffer_fini(&b);
    }
}

Test(frame, a_frame_at_the_limit_passes_and_one_more_byte_does_not)
{
    for (size_t over = 0; over < 2; over++) {
        struct buffer b = {0};
        struct frame f;
        frame_make(&b);
        size_t more = FRAME_LEN_MAX - b.len + over;
        memset(buffer_extend(&b, more), 0, more);
        cr_assert_eq(check(&b, FROM_CLIENT, &f), over ? STATUS_TOO_LARGE : STATUS_OK);
        buffer_fini(&b);
    }
}

Test(frame, a_body_stands_only_behind_send_and_deliver)
{
    for (unsigned kind = 1; kind < 256; kind++) {
        const struct kind_rule *rule = kind_rule_of(kind);
        struct buffer b = {0};
        struct frame f;
        if (!rule) continue;
        size_t start = frame_begin(&b, &(struct frame_header){.kind = (uint8_t)kind});
        frame_meta_end(&b, start);
        enum frame_from from = (enum frame_from)(rule->from & ~(rule->from - 1));
        cr_assert_eq(check(&b, from, &f), STATUS_OK, "%s", rule->name);
        write_u8(&b, 0);
        bool has_body = kind == KIND_SEND || kind == KIND_DELIVER;
        cr_assert_eq(check(&b, from, &f), has_body ? STATUS_OK : STATUS_MALFORMED, "%s", rule->name);
        buffer_fini(&b);
    }
}

Test(frame, only_the_named_speakers_may_send_a_kind)
{
    static const enum frame_from speakers[] = {FROM_CLIENT, FROM_RELAY, FROM_ADMIN, FROM_WORKER};
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct kind_rule *rule = kind_rule_of(kind);
        struct buffer b = {0};
        struct frame f;
        size_t start = frame_begin(&b, &(struct frame_header){.kind = (uint8_t)kind});
        frame_meta_end(&b, start);
        for (size_t i = 0; i < 4; i++) {
            bool may = rule && (rule->from & (unsigned)speakers[i]);
            cr_assert_eq(check(&b, speakers[i], &f), may ? STATUS_OK : STATUS_UNSUPPORTED);
        }
        buffer_fini(&b);
    }
}

Test(frame, every_request_names_a_reply_that_the_relay_may_send)
{
    for (unsigned kind = 0; kind < 256; kind++) {
        const struct kind_rule *rule = kind_rule_of(kind);
        if (!rule) continue;
        cr_assert_eq(rule->kind, kind);
        cr_assert_str_eq(kind_name(kind), rule->name);
        cr_assert_leq(rule->meta_len_max, FRAME_META_LEN_MAX);
        if (rule->from & (FROM_CLIENT | FROM_ADMIN)) cr_assert_neq(rule->reply, KIND_NONE);
        if (rule->reply == KIND_NONE) continue;
        cr_assert_not_null(kind_rule_of((unsigned)rule->reply));
        cr_assert(kind_rule_of((unsigned)rule->reply)->from & FROM_RELAY);
    }
    cr_assert_null(kind_rule_of(0));
    cr_assert_str_eq(kind_name(200), "?");
}

/* The longest encoding of a message: every number at ten or five bytes, every array full. */
static size_t longest(const struct codec_desc *desc)
{
    size_t total = 0;
    for (size_t i = 0; i < desc->field_count; i++) {
        const struct codec_field *f = &desc->fields[i];
        const size_t prefix = 2 + 3; /* tag, length */
        if (f->type == CODEC_U64) total += 2 + 10;
        if (f->type == CODEC_U32) total += 2 + 5;
        if (f->type == CODEC_BOOL) total += 2 + 1;
        if (f->type == CODEC_FIXED || f->type == CODEC_MAYBE || f->type == CODEC_BYTES)
            total += prefix + f->max;
        if (f->type == CODEC_ONE) total += prefix + longest(f->sub);
        if (f->type == CODEC_MANY) total += f->max * (prefix + longest(f->sub));
        if (f->type == CODEC_VIEWS) total += f->max * (prefix + ENTRY_LEN_MAX); /* or a SendItem */
    }
    return total;
}

/* What the tables allow, the kind's bound lets through: no message can be legal and too large.
 * SENT (64 stale answers with 64 entries each) and STATUS_IS (1024 reports) alone can: storage bounds them by what
 * they have room for. */
Test(frame, the_longest_meta_of_each_kind_is_within_its_bound)
{
    static const struct { enum frame_kind kind; const struct codec_desc *desc; } metas[] = {
        {KIND_HELLO, &msg_hello_desc}, {KIND_WELCOME, &msg_welcome_desc},
        {KIND_REGISTER, &msg_register_desc}, {KIND_REGISTERED, &msg_registered_desc},
        {KIND_CLAIM_HANDLE, &msg_claim_handle_desc}, {KIND_LOOKUP, &msg_lookup_desc},
        {KIND_HANDLE_CLAIMED, &msg_handle_claimed_desc}, {KIND_FOUND, &msg_found_desc},
        {KIND_SEND, &msg_send_desc}, {KIND_ACK, &msg_ack_desc}, {KIND_ACKED, &msg_acked_desc},
        {KIND_STATUS, &msg_status_desc},
        {KIND_CONTACTS_SET, &msg_contacts_set_desc}, {KIND_CONTACTS_KEPT, &msg_contacts_kept_desc},
        {KIND_CONTACTS_GET, &msg_contacts_get_desc}, {KIND_CONTACTS_ARE, &msg_contacts_are_desc},
        {KIND_CONTACTS_CHANGED, &msg_contacts_changed_desc},
        {KIND_TERMS, &msg_terms_desc}, {KIND_TERMS_ARE, &msg_terms_are_desc},
        {KIND_PING, &msg_empty_desc}, {KIND_PONG, &msg_pong_desc}, {KIND_BYE, &msg_empty_desc},
        {KIND_GOODBYE, &msg_empty_desc}, {KIND_DELIVER, &msg_deliver_desc},
        {KIND_HINT, &msg_hint_desc}, {KIND_SUPERSEDED, &msg_superseded_desc},
        {KIND_DRAIN, &msg_drain_desc}, {KIND_ERROR, &msg_error_desc},
        {KIND_OVERVIEW, &msg_empty_desc}, {KIND_OVERVIEW_IS, &msg_overview_desc},
        {KIND_EVENTS, &msg_events_desc}, {KIND_EVENTS_ARE, &msg_events_are_desc},
        {KIND_EXPLAIN, &msg_explain_desc}, {KIND_EXPLAINED, &msg_explained_desc},
        {KIND_HOLD, &msg_hold_desc}, {KIND_HOLDS_ARE, &msg_holds_are_desc},
        {KIND_DEVICES, &msg_devices_desc}, {KIND_DEVICES_ARE, &msg_devices_are_desc},
        {KIND_LOG_GREW, &msg_log_grew_desc}, {KIND_DRIFT, &msg_empty_desc}, {KIND_DRIFT_IS, &msg_drift_is_desc},
        {KIND_READY, &msg_ready_desc}, {KIND_PEER, &msg_peer_desc},
        {KIND_HEARTBEAT, &msg_heartbeat_desc}, {KIND_SESSION, &msg_session_desc},
        {KIND_CLOSED, &msg_closed_desc}, {KIND_UNDELIVERED, &msg_undelivered_desc},
        {KIND_LEASE, &msg_lease_desc}, {KIND_LEASED, &msg_leased_desc},
        {KIND_WOKEN, &msg_woken_desc}, {KIND_RECORD, &msg_record_desc}};
    for (size_t i = 0; i < sizeof metas / sizeof metas[0]; i++) {
        const struct kind_rule *rule = kind_rule_of((unsigned)metas[i].kind);
        size_t len = longest(metas[i].desc);
        cr_assert_leq(len, rule->meta_len_max, "%s: %zu > %zu", rule->name, len, rule->meta_len_max);
    }
}

Test(frame, an_error_reply_carries_status_and_correlation)
{
    struct buffer b = {0};
    struct frame f;
    struct arena a = {0};
    struct msg_error e;
    frame_write_error(&b, 77, 5, STATUS_BUSY, 250);
    cr_assert_eq(check(&b, FROM_RELAY, &f), STATUS_OK);
    cr_assert_eq(f.header.kind, KIND_ERROR);
    cr_assert_eq(f.header.correlation, 77u);
    cr_assert_eq(f.header.home, 5);
    cr_assert_eq(codec_decode(&msg_error_desc, f.meta, &a, &e), STATUS_OK);
    cr_assert_eq(e.status, (uint32_t)STATUS_BUSY);
    cr_assert_eq(e.retry_after_ms, 250u);
    cr_assert_eq(e.protocol_max, 0u);
    buffer_fini(&b);
    arena_fini(&a);
}

Test(frame, unsupported_names_the_range_spoken)
{
    struct buffer b = {0};
    struct frame f;
    struct arena a = {0};
    struct msg_error e;
    frame_write_error(&b, 1, 0, STATUS_UNSUPPORTED, 0);
    cr_assert_eq(check(&b, FROM_RELAY, &f), STATUS_OK);
    cr_assert_eq(codec_decode(&msg_error_desc, f.meta, &a, &e), STATUS_OK);
    cr_assert_eq(e.protocol_min, 1u);
    cr_assert_eq(e.protocol_max, 1u);
    buffer_fini(&b);
    arena_fini(&a);
}
