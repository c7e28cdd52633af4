/* slab: many frames in one message; cut anywhere or miscounted, it never reads as whole. */
#include "broker/wire/slab.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 3u

static struct stamp stamp_make(uint8_t seed)
{
    struct stamp s = {.origin = (enum origin)(seed % 4), .conn = 0x0102030405060708u + seed};
    memset(&s.session.term, seed + 1, sizeof s.session.term);
    s.session.number = seed + 2u;
    memset(&s.account, seed + 3, sizeof s.account);
    memset(&s.device, seed + 4, sizeof s.device);
    memset(&s.transport, seed + 5, sizeof s.transport);
    return s;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->origin == b->origin && a->conn == b->conn &&
           session_compare(a->session, b->session) == 0 &&
           memcmp(&a->account, &b->account, sizeof a->account) == 0 &&
           device_equal(a->device, b->device) &&
           memcmp(&a->transport, &b->transport, sizeof a->transport) == 0;
}

static const struct slab_header header = {
    .role = ROLE_STORAGE, .boot = {"bootbo"}, .term = {"a term of 16 by"}, .commit = 99};

static void slab_make(struct buffer *b)
{
    slab_begin(b);
    for (uint8_t i = 0; i < FRAMES; i++) {
        struct stamp s = stamp_make(i);
        uint8_t frame[FRAMES];
        memset(frame, i, sizeof frame);
        slab_item(b, &s, view_of(frame, i)); /* 0, 1, 2 bytes */
    }
    slab_finish(b, &header);
}

/* Reads all of it; how many items came before the end or the fault. */
static enum status slab_walk(struct view bytes, uint32_t *items)
{
    struct slab_header h;
    struct slab_reader r;
    struct stamp s;
    struct view frame;
    *items = 0;
    enum status status = slab_open(bytes, &h, &r);
    if (status != STATUS_OK) return status;
    while (slab_next(&r, &s, &frame))
        (*items)++;
    return slab_done(&r);
}

Test(slab, comes_apart_as_it_was_made)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    struct stamp s;
    struct view frame;
    slab_make(&b);
    cr_assert_eq(slab_count(&b), FRAMES);
    cr_assert_eq(slab_open(buffer_view(&b), &h, &r), STATUS_OK);
    cr_assert_eq(h.role, ROLE_STORAGE);
    cr_assert_eq(memcmp(&h.boot, &header.boot, sizeof h.boot), 0);
    cr_assert(term_equal(h.term, header.term));
    cr_assert_eq(h.commit, 99u);
    for (uint8_t i = 0; i < FRAMES; i++) {
        struct stamp expected = stamp_make(i);
        cr_assert(slab_next(&r, &s, &frame));
        cr_assert(stamp_equal(&s, &expected));
        cr_assert_eq(frame.len, i);
        if (i) cr_assert_eq(frame.at[i - 1], i);
    }
    cr_assert_not(slab_next(&r, &s, &frame));
    cr_assert_eq(slab_done(&r), STATUS_OK);
    buffer_fini(&b);
}

Test(slab, may_be_empty)
{
    struct buffer b = {0};
    uint32_t items;
    slab_begin(&b);
    cr_assert_eq(slab_count(&b), 0u);
    slab_finish(&b, &header);
    cr_assert_eq(b.len, SLAB_HEADER_LEN);
    cr_assert_eq(slab_walk(buffer_view(&b), &items), STATUS_OK);
    cr_assert_eq(items, 0u);
    buffer_fini(&b);
}

Test(slab, a_frame_may_be_written_in_place)
{
    struct buffer b = {0}, whole = {0};
    struct stamp s = stamp_make(1);
    slab_begin(&b);
    size_t start = slab_item_begin(&b, &s);
    write_bytes(&b, "frame", 5);
    slab_item_end(&b, start);
    slab_finish(&b, &header);
    slab_begin(&whole);
    slab_item(&whole, &s, view_of("frame", 5));
    slab_finish(&whole, &header);
    cr_assert(view_equal(buffer_view(&b), buffer_view(&whole)));
    buffer_fini(&b);
    buffer_fini(&whole);
}

Test(slab, cut_at_any_byte_is_malformed)
{
    struct buffer b = {0};
    slab_make(&b);
    for (size_t len = 0; len < b.len; len++) {
        uint32_t items;
        uint8_t *cut = malloc(len + 1);
        memcpy(cut, b.at, len);
        cr_assert_eq(slab_walk(view_of(cut, len), &items), STATUS_MALFORMED, "%zu", len);
        cr_assert_lt(items, FRAMES);
        free(cut);
    }
    buffer_fini(&b);
}

Test(slab, a_wrong_count_is_malformed)
{
    static const uint32_t counts[] = {0, FRAMES - 1, FRAMES + 1, UINT32_MAX};
    struct buffer b = {0};
    slab_make(&b);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t items;
        put_u32(b.at + 4, counts[i]);
        cr_assert_eq(slab_walk(buffer_view(&b), &items), STATUS_MALFORMED, "%u", counts[i]);
        cr_assert_leq(items, FRAMES);
    }
    buffer_fini(&b);
}

Test(slab, stopping_before_the_last_item_is_not_done)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    struct stamp s;
    struct view frame;
    slab_make(&b);
    cr_assert_eq(slab_open(buffer_view(&b), &h, &r), STATUS_OK);
    cr_assert(slab_next(&r, &s, &frame));
    cr_assert_eq(slab_done(&r), STATUS_MALFORMED);
    buffer_fini(&b);
}

Test(slab, a_count_with_nothing_behind_it_is_not_done)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    slab_begin(&b);
    slab_finish(&b, &header);
    put_u32(b.at + 4, 1);
    cr_assert_eq(slab_open(buffer_view(&b), &h, &r), STATUS_OK);
    cr_assert_eq(slab_done(&r), STATUS_MALFORMED);
    buffer_fini(&b);
}

static enum status open_with(size_t at, uint8_t byte)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    slab_make(&b);
    b.at[at] = byte;
    enum status s = slab_open(buffer_view(&b), &h, &r);
    if (s != STATUS_OK) cr_assert(h.commit == 0 && r.left == 0);
    buffer_fini(&b);
    return s;
}

Test(slab, each_wrong_header_field_has_its_status)
{
    cr_assert_eq(open_with(3, ROLE_OPS), STATUS_OK);
    cr_assert_eq(open_with(0, 'T'), STATUS_MALFORMED);
    cr_assert_eq(open_with(1, 'S'), STATUS_MALFORMED);
    cr_assert_eq(open_with(2, 2), STATUS_UNSUPPORTED);
    cr_assert_eq(open_with(3, 0), STATUS_MALFORMED);
    cr_assert_eq(open_with(3, ROLE_OPS + 1), STATUS_MALFORMED);
}

Test(slab, an_origin_outside_the_list_ends_the_reading_with_zeros)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    struct stamp s = stamp_make(1), zero = {0};
    struct view frame = view_of("x", 1);
    slab_make(&b);
    b.at[SLAB_HEADER_LEN + 4] = 4;
    cr_assert_eq(slab_open(buffer_view(&b), &h, &r), STATUS_OK);
    cr_assert_not(slab_next(&r, &s, &frame));
    cr_assert(stamp_equal(&s, &zero));
    cr_assert_eq(frame.len, 0u);
    cr_assert_eq(slab_done(&r), STATUS_MALFORMED);
    buffer_fini(&b);
}

Test(slab, longer_than_the_limit_is_too_large)
{
    struct buffer b = {0};
    struct slab_header h;
    struct slab_reader r;
    slab_make(&b);
    uint8_t *large = calloc(1, SLAB_LEN_MAX + 1);
    memcpy(large, b.at, b.len);
    cr_assert_eq(slab_open(view_of(large, SLAB_LEN_MAX), &h, &r), STATUS_OK);
    cr_assert_eq(slab_open(view_of(large, SLAB_LEN_MAX + 1), &h, &r), STATUS_TOO_LARGE);
    free(large);
    buffer_fini(&b);
}
