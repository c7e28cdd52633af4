/* bytes: the cursor fails once and for all, the buffer grows, integers are big-endian. */
#include "broker/wire/bytes.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct reader reader_at(const void *at, size_t len)
{
    return reader_of(view_of(at, len));
}

Test(bytes, integers_are_big_endian)
{
    struct buffer b = {0};
    write_u8(&b, 0x01);
    write_u16(&b, 0x0203);
    write_u32(&b, 0x04050607);
    write_u64(&b, 0x08090a0b0c0d0e0fu);
    for (size_t i = 0; i < b.len; i++)
        cr_assert_eq(b.at[i], i + 1);
    struct reader r = reader_of(buffer_view(&b));
    cr_assert_eq(read_u8(&r), 0x01);
    cr_assert_eq(read_u16(&r), 0x0203);
    cr_assert_eq(read_u32(&r), 0x04050607u);
    cr_assert_eq(read_u64(&r), 0x08090a0b0c0d0e0fu);
    cr_assert_eq(reader_done(&r), STATUS_OK);
    buffer_fini(&b);
}

Test(bytes, a_read_that_does_not_fit_fails_for_good)
{
    const uint8_t three[] = {1, 2, 3};
    struct reader r = reader_at(three, sizeof three);
    cr_assert_eq(read_u16(&r), 0x0102);
    cr_assert_eq(read_u32(&r), 0u);
    cr_assert(r.failed);
    cr_assert_eq(read_u8(&r), 0, "one byte was left, but the reader has failed");
    cr_assert_eq(reader_left(&r), 0u);
    cr_assert_eq(reader_done(&r), STATUS_MALFORMED);
}

Test(bytes, leftovers_are_malformed)
{
    struct reader r = reader_at("ab", 2);
    read_u8(&r);
    cr_assert_eq(reader_done(&r), STATUS_MALFORMED);
    read_u8(&r);
    cr_assert_eq(reader_done(&r), STATUS_OK);
}

Test(bytes, an_empty_view_reads_as_nothing)
{
    struct reader r = reader_at(NULL, 0);
    uint8_t none[1];
    read_bytes(&r, none, 0);
    cr_assert_eq(read_view(&r, 0).len, 0u);
    cr_assert_eq(reader_done(&r), STATUS_OK);
    cr_assert_eq(read_u8(&r), 0);
    cr_assert_eq(reader_done(&r), STATUS_MALFORMED);
}

Test(bytes, copies_are_zero_and_views_empty_after_a_failure)
{
    uint8_t out[4] = {9, 9, 9, 9};
    struct reader r = reader_at("abc", 3);
    read_bytes(&r, out, 4);
    cr_assert_eq(memcmp(out, "\0\0\0\0", 4), 0);
    r = reader_at("abc", 3);
    struct view v = read_view(&r, SIZE_MAX);
    cr_assert_null(v.at);
    cr_assert_eq(v.len, 0u);
    cr_assert(r.failed);
}

Test(bytes, varints_of_every_width_come_back)
{
    for (unsigned width = 0; width <= 64; width++) {
        uint64_t v = width == 0 ? 0 : UINT64_MAX >> (64 - width);
        struct buffer b = {0};
        write_varint(&b, v);
        cr_assert_eq(b.len, width == 0 ? 1 : (width + 6) / 7);
        struct reader r = reader_of(buffer_view(&b));
        cr_assert_eq(read_varint(&r), v);
        cr_assert_eq(reader_done(&r), STATUS_OK);
        buffer_fini(&b);
    }
}

static bool varint_refused(const char *bytes, size_t len)
{
    struct reader r = reader_at(bytes, len);
    return read_varint(&r) == 0 && r.failed;
}

Test(bytes, varints_cut_short_overlong_or_too_large_fail)
{
    cr_assert(varint_refused("", 0));
    cr_assert(varint_refused("\x80", 1));
    cr_assert(varint_refused("\x80\x00", 2), "0 in two bytes");
    cr_assert(varint_refused("\xff\x80\x00", 3), "127 in three");
    cr_assert(varint_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10), "65 bits");
    cr_assert(varint_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11), "11 bytes");
    cr_assert(varint_refused("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 10), "0 in ten");
}

Test(bytes, the_largest_varint_is_ten_bytes)
{
    struct reader r = reader_at("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    cr_assert_eq(read_varint(&r), UINT64_MAX);
    cr_assert_eq(reader_done(&r), STATUS_OK);
}

Test(bytes, a_buffer_grows_and_keeps_its_content)
{
    struct buffer b = {0};
    for (uint32_t i = 0; i < 10000; i++)
        write_u32(&b, i);
    cr_assert_eq(b.len, 40000u);
    for (uint32_t i = 0; i < 10000; i++)
        cr_assert_eq(get_u32(b.at + 4 * i), i);
    buffer_clear(&b);
    cr_assert_eq(buffer_view(&b).len, 0u);
    cr_assert_null(buffer_view(&b).at);
    buffer_fini(&b);
}

Test(bytes, extending_an_empty_buffer_by_nothing_is_nothing)
{
    struct buffer b = {0};
    cr_assert_null(buffer_extend(&b, 0));
    write_bytes(&b, NULL, 0);
    cr_assert_eq(b.len, 0u);
}

Test(bytes, a_length_that_would_wrap_ends_the_process, .signal = SIGABRT)
{
    struct buffer b = {0};
    write_u8(&b, 1);
    buffer_reserve(&b, SIZE_MAX);
}

Test(bytes, a_length_past_the_last_doubling_ends_the_process, .signal = SIGABRT)
{
    struct buffer b = {0};
    buffer_reserve(&b, SIZE_MAX / 2 + 2);
}

Test(bytes, views_are_equal_by_content)
{
    cr_assert(view_equal(view_of("abc", 3), view_of("abcd", 3)));
    cr_assert(view_equal(view_of(NULL, 0), view_of("x", 0)));
    cr_assert_not(view_equal(view_of("abc", 3), view_of("abd", 3)));
    cr_assert_not(view_equal(view_of("abc", 3), view_of("abc", 2)));
}
