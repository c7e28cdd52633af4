/* codec: every bound and every malformed byte, on a table that has one field of each type. */
#include "broker/wire/codec.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct leaf {
    uint32_t n;
};

struct all {
    uint64_t u64;
    uint32_t u32;
    bool flag;
    uint8_t maybe[4];
    struct view bytes;
    struct leaf one;
    struct leaf *many;
    size_t many_count;
    struct view *views;
    size_t view_count;
    uint8_t fixed[4];
};

static const struct codec_field leaf_fields[] = {
    {1, "n", CODEC_U32, offsetof(struct leaf, n), 0, 0, NULL}};
static const struct codec_desc leaf_desc = {"leaf", sizeof(struct leaf), leaf_fields, 1};

static const struct codec_field all_fields[] = {
    {1, "u64", CODEC_U64, offsetof(struct all, u64), 0, 0, NULL},
    {2, "u32", CODEC_U32, offsetof(struct all, u32), 0, 0, NULL},
    {3, "flag", CODEC_BOOL, offsetof(struct all, flag), 0, 0, NULL},
    {4, "maybe", CODEC_MAYBE, offsetof(struct all, maybe), 0, 4, NULL},
    {5, "bytes", CODEC_BYTES, offsetof(struct all, bytes), 0, 8, NULL},
    {6, "one", CODEC_ONE, offsetof(struct all, one), 0, 0, &leaf_desc},
    {7, "many", CODEC_MANY, offsetof(struct all, many), offsetof(struct all, many_count), 3,
     &leaf_desc},
    {8, "views", CODEC_VIEWS, offsetof(struct all, views), offsetof(struct all, view_count), 3,
     NULL},
    {9, "fixed", CODEC_FIXED, offsetof(struct all, fixed), 0, 4, NULL},
};
static const struct codec_desc all_desc = {"all", sizeof(struct all), all_fields,
                                           sizeof all_fields / sizeof all_fields[0]};

/* One field each, by hand, so that the encoder is not trusted with its own test. */
#define F_U64    "\x08\x96\x01"
#define F_U32    "\x10\xff\xff\xff\xff\x0f"
#define F_FLAG   "\x18\x01"
#define F_MAYBE  "\x22\x04mayb"
#define F_BYTES  "\x2a\x03xyz"
#define F_ONE    "\x32\x02\x08\x07"
#define F_MANY   "\x3a\x02\x08\x01"
#define F_MANY_0 "\x3a\x00"
#define F_VIEWS  "\x42\x02vw"
#define F_FIXED  "\x4a\x04" "fixd"
#define NEEDED   F_ONE F_FIXED
#define WHOLE    F_U64 F_U32 F_FLAG F_MAYBE F_BYTES F_ONE F_MANY F_MANY_0 F_VIEWS F_FIXED

static struct arena arena;

static void arena_end(void)
{
    arena_fini(&arena);
}

TestSuite(codec, .fini = arena_end);

static enum status decode(const char *bytes, size_t len, struct all *out)
{
    return codec_decode(&all_desc, view_of(bytes, len), &arena, out);
}

static bool is_zero(const struct all *m)
{
    struct all zero;
    memset(&zero, 0, sizeof zero);
    return memcmp(m, &zero, sizeof zero) == 0;
}

static void refuses(const char *bytes, size_t len, enum status expected, const char *what)
{
    struct all m;
    memset(&m, 0xee, sizeof m);
    enum status s = decode(bytes, len, &m);
    cr_assert_eq(s, expected, "%s: %s", what, status_name(s));
    cr_assert(is_zero(&m), "%s: the output is not zero", what);
}

#define REFUSES(bytes, status, what) refuses(bytes, sizeof(bytes) - 1, STATUS_##status, what)

static void accepts(const char *bytes, size_t len, const char *what)
{
    struct all m;
    enum status s = decode(bytes, len, &m);
    cr_assert_eq(s, STATUS_OK, "%s: %s", what, status_name(s));
}

#define ACCEPTS(bytes, what) accepts(bytes, sizeof(bytes) - 1, what)

Test(codec, reads_a_field_of_each_type)
{
    struct all m;
    cr_assert_eq(decode(WHOLE, sizeof(WHOLE) - 1, &m), STATUS_OK);
    cr_assert_eq(m.u64, 150u);
    cr_assert_eq(m.u32, UINT32_MAX);
    cr_assert(m.flag);
    cr_assert_eq(memcmp(m.maybe, "mayb", 4), 0);
    cr_assert(view_equal(m.bytes, view_of("xyz", 3)));
    cr_assert_eq(m.one.n, 7u);
    cr_assert_eq(m.many_count, 2u);
    cr_assert_eq(m.many[0].n, 1u);
    cr_assert_eq(m.many[1].n, 0u);
    cr_assert_eq(m.view_count, 1u);
    cr_assert(view_equal(m.views[0], view_of("vw", 2)));
    cr_assert_eq(memcmp(m.fixed, "fixd", 4), 0);
}

Test(codec, writes_the_very_bytes_it_read)
{
    struct all m;
    struct buffer b = {0};
    cr_assert_eq(decode(WHOLE, sizeof(WHOLE) - 1, &m), STATUS_OK);
    codec_encode(&all_desc, &m, &b);
    cr_assert(view_equal(buffer_view(&b), view_of(WHOLE, sizeof(WHOLE) - 1)));
    buffer_fini(&b);
}

Test(codec, leaves_out_what_is_zero_except_required_fields)
{
    struct all m = {0};
    struct buffer b = {0};
    codec_encode(&all_desc, &m, &b);
    cr_assert(view_equal(buffer_view(&b), view_of("\x32\x00\x4a\x04\0\0\0\0", 8)));
    buffer_fini(&b);
}

/* The last field is required and nothing before the end completes it. */
Test(codec, a_message_cut_at_any_byte_is_malformed)
{
    for (size_t len = 0; len < sizeof(WHOLE) - 1; len++) {
        char *cut = malloc(len + 1); /* of that very size, so that ASan sees a read behind it */
        memcpy(cut, WHOLE, len);
        refuses(cut, len, STATUS_MALFORMED, "cut");
        free(cut);
    }
}

Test(codec, fields_may_come_in_any_order)
{
    struct all m;
    static const char bytes[] = F_FIXED F_MANY F_ONE F_VIEWS F_MANY_0 F_U64;
    cr_assert_eq(decode(bytes, sizeof bytes - 1, &m), STATUS_OK);
    cr_assert_eq(m.u64, 150u);
    cr_assert_eq(m.many_count, 2u);
}

Test(codec, a_required_field_that_is_missing_is_malformed)
{
    ACCEPTS(NEEDED, "both");
    REFUSES(F_FIXED, MALFORMED, "no one");
    REFUSES(F_ONE, MALFORMED, "no fixed");
    REFUSES("", MALFORMED, "nothing");
}

Test(codec, a_singular_field_twice_is_malformed)
{
    REFUSES(NEEDED F_U64 F_U64, MALFORMED, "u64");
    REFUSES(NEEDED F_U32 F_U32, MALFORMED, "u32");
    REFUSES(NEEDED F_FLAG F_FLAG, MALFORMED, "bool");
    REFUSES(NEEDED F_MAYBE F_MAYBE, MALFORMED, "maybe");
    REFUSES(NEEDED F_BYTES F_BYTES, MALFORMED, "bytes");
    REFUSES(NEEDED F_ONE, MALFORMED, "one");
    REFUSES(NEEDED F_FIXED, MALFORMED, "fixed");
    ACCEPTS(NEEDED F_MANY F_MANY F_VIEWS F_VIEWS, "repeated ones may");
}

Test(codec, numbers_beyond_their_type_are_malformed)
{
    ACCEPTS(NEEDED "\x10\xff\xff\xff\xff\x0f", "2^32 - 1");
    REFUSES(NEEDED "\x10\x80\x80\x80\x80\x10", MALFORMED, "2^32");
    ACCEPTS(NEEDED "\x18\x00", "false, written");
    REFUSES(NEEDED "\x18\x02", MALFORMED, "a bool of 2");
    ACCEPTS(NEEDED "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "2^64 - 1");
    REFUSES(NEEDED "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", MALFORMED, "2^64 and more");
}

Test(codec, overlong_varints_are_malformed)
{
    REFUSES(NEEDED "\x08\x81\x00", MALFORMED, "value");
    REFUSES(NEEDED "\x88\x00\x01", MALFORMED, "tag");
    REFUSES(NEEDED "\x2a\x81\x00x", MALFORMED, "length");
    REFUSES(NEEDED "\xa0\x06\x81\x00", MALFORMED, "value of an unknown field");
}

Test(codec, sizes_that_are_fixed_are_exact)
{
    REFUSES(F_ONE "\x4a\x03" "fix", MALFORMED, "one short");
    REFUSES(F_ONE "\x4a\x05" "fixed", MALFORMED, "one long");
    REFUSES(F_ONE "\x4a\x00", MALFORMED, "empty");
    REFUSES(NEEDED "\x22\x03may", MALFORMED, "maybe, one short");
    REFUSES(NEEDED "\x22\x00", MALFORMED, "maybe, empty");
}

Test(codec, bounds_of_the_table_are_too_large)
{
    ACCEPTS(NEEDED "\x2a\x08" "12345678", "bytes at the bound");
    REFUSES(NEEDED "\x2a\x09" "123456789", TOO_LARGE, "bytes beyond");
    ACCEPTS(NEEDED F_MANY F_MANY F_MANY, "many at the bound");
    REFUSES(NEEDED F_MANY F_MANY F_MANY F_MANY, TOO_LARGE, "many beyond");
    ACCEPTS(NEEDED F_VIEWS F_VIEWS F_VIEWS, "views at the bound");
    REFUSES(NEEDED F_VIEWS F_VIEWS F_VIEWS F_VIEWS, TOO_LARGE, "views beyond");
}

Test(codec, unknown_fields_of_every_wire_type_are_skipped)
{
    ACCEPTS(NEEDED "\xa0\x06\x05", "varint");
    ACCEPTS(NEEDED "\xa1\x06" "12345678", "64 bits");
    ACCEPTS(NEEDED "\xa2\x06\x03" "abc", "length");
    ACCEPTS(NEEDED "\xa5\x06" "1234", "32 bits");
    ACCEPTS(NEEDED "\xa0\x06\x05\xa0\x06\x05", "twice");
    ACCEPTS(NEEDED "\xf8\xff\xff\xff\x0f\x01", "the largest number");
}

Test(codec, unknown_fields_that_do_not_fit_are_malformed)
{
    REFUSES(NEEDED "\xa0\x06", MALFORMED, "varint without a value");
    REFUSES(NEEDED "\xa1\x06" "1234567", MALFORMED, "64 bits, one short");
    REFUSES(NEEDED "\xa2\x06\x04" "abc", MALFORMED, "length, one short");
    REFUSES(NEEDED "\xa5\x06" "123", MALFORMED, "32 bits, one short");
    REFUSES(NEEDED "\xa3\x06\xa4\x06", MALFORMED, "a group");
    REFUSES(NEEDED "\xa6\x06", MALFORMED, "wire type 6");
    REFUSES(NEEDED "\x00\x01", MALFORMED, "field 0");
    REFUSES(NEEDED "\x80\x80\x80\x80\x10\x01", MALFORMED, "a number above 2^29 - 1");
    REFUSES(NEEDED "\xa2\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", MALFORMED, "2^64 - 1 bytes");
}

Test(codec, a_known_field_of_another_wire_type_is_malformed)
{
    REFUSES(NEEDED "\x0a\x01x", MALFORMED, "u64 as bytes");
    REFUSES(NEEDED "\x09" "12345678", MALFORMED, "u64 as 64 bits");
    REFUSES(NEEDED "\x28\x01", MALFORMED, "bytes as varint");
    REFUSES(NEEDED "\x38\x01", MALFORMED, "many as varint");
}

Test(codec, faults_inside_a_sub_message_are_faults)
{
    REFUSES("\x32\x02\x08\x80" F_FIXED, MALFORMED, "cut");
    REFUSES("\x32\x04\x08\x01\x08\x01" F_FIXED, MALFORMED, "twice");
    REFUSES("\x32\x06\x08\x80\x80\x80\x80\x10" F_FIXED, MALFORMED, "33 bits");
    ACCEPTS("\x32\x03\xa2\x06\x00" F_FIXED, "unknown field inside");
}

/* Lengths of 1, 2 and 3 bytes: the encoder reserves one and moves the content for the others. */
Test(codec, sub_messages_of_any_length_are_written_right)
{
    struct holder { struct all sub; };
    static const struct codec_field views_only[] = {
        {1, "views", CODEC_VIEWS, offsetof(struct all, views), offsetof(struct all, view_count), 3,
         NULL}};
    static const struct codec_desc sub_desc = {"sub", sizeof(struct all), views_only, 1};
    static const struct codec_field holder_fields[] = {
        {1, "sub", CODEC_ONE, offsetof(struct holder, sub), 0, 0, &sub_desc}};
    static const struct codec_desc holder_desc = {"holder", sizeof(struct holder), holder_fields, 1};
    static const size_t lens[] = {0, 1, 100, 123, 124, 125, 126, 127, 128, 129, 255, 256, 300,
                                  16000, 16380, 16381, 16382, 16383, 16384, 16385, 40000};
    static uint8_t content[40000];
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct view view = view_of(content, lens[i]);
        struct holder in = {.sub = {.views = &view, .view_count = 1}}, out;
        struct buffer b = {0};
        write_u8(&b, 0x55);
        codec_encode(&holder_desc, &in, &b);
        struct view bytes = view_of(b.at + 1, b.len - 1);
        cr_assert_eq(b.at[0], 0x55);
        cr_assert_eq(codec_decode(&holder_desc, bytes, &arena, &out), STATUS_OK, "%zu", lens[i]);
        cr_assert_eq(out.sub.view_count, 1u);
        cr_assert(view_equal(out.sub.views[0], view), "%zu", lens[i]);
        buffer_fini(&b);
    }
}

Test(codec, a_decoded_view_borrows_the_input)
{
    struct all m;
    static const char bytes[] = NEEDED F_BYTES;
    cr_assert_eq(decode(bytes, sizeof bytes - 1, &m), STATUS_OK);
    cr_assert_eq((const char *)m.bytes.at, bytes + sizeof bytes - 1 - 3);
}

Test(codec, writing_bytes_beyond_the_bound_is_our_bug, .signal = SIGABRT)
{
    struct buffer b = {0};
    struct all m = {.bytes = view_of("123456789", 9)};
    codec_encode(&all_desc, &m, &b);
}

Test(codec, writing_an_array_beyond_the_bound_is_our_bug, .signal = SIGABRT)
{
    struct buffer b = {0};
    struct leaf leaves[4] = {{0}};
    struct all m = {.many = leaves, .many_count = 4};
    codec_encode(&all_desc, &m, &b);
}

/* No table of ours contains itself; one that did would meet the depth limit, not the stack's end. */
struct endless { struct endless *more; size_t count; };
static const struct codec_desc endless_desc;
static const struct codec_field endless_fields[] = {
    {1, "more", CODEC_MANY, offsetof(struct endless, more), offsetof(struct endless, count), 1,
     &endless_desc}};
static const struct codec_desc endless_desc = {"endless", sizeof(struct endless), endless_fields, 1};

static enum status decode_nested(size_t depth)
{
    uint8_t bytes[64];
    struct endless out;
    for (size_t i = 0; i < depth; i++) {
        bytes[2 * i] = 0x0a;
        bytes[2 * i + 1] = (uint8_t)(2 * (depth - 1 - i));
    }
    return codec_decode(&endless_desc, view_of(bytes, 2 * depth), &arena, &out);
}

Test(codec, six_levels_are_read)
{
    cr_assert_eq(decode_nested(6), STATUS_OK);
}

Test(codec, a_table_deeper_than_that_is_our_bug, .signal = SIGABRT)
{
    cr_assert_neq(decode_nested(7), STATUS_OK);
}
