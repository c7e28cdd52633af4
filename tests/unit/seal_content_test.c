#include "clients/seal/content.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct content sample(const char *text)
{
    struct content c = {.key_version = 3, .made_ms = 1000, .counter = 9, .payload = view_of(text, strlen(text))};
    memset(c.franking.bytes, 0x5a, sizeof c.franking.bytes);
    memset(c.head.bytes, 0x77, sizeof c.head.bytes);
    return c;
}

/* Lengths of Padmé as its paper has them: at most 12 % more, and few different ones. */
Test(content, padding_is_padme_with_a_floor)
{
    static const struct { size_t len, padded; } known[] = {
        {0, 512}, {1, 512}, {511, 512}, {512, 512}, {513, 544}, {1000, 1024}, {1025, 1088}, {9000, 9216},
        {65537, 67584}, {262144, 262144}, {262145, 270336}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        cr_assert_eq(content_padded_len(known[i].len), known[i].padded, "%zu: %zu", known[i].len,
                     content_padded_len(known[i].len));
    for (size_t len = 512; len < 300000; len += 37) {
        size_t padded = content_padded_len(len);
        cr_assert(padded >= len && padded <= len + len / 8);
        cr_assert_eq(content_padded_len(padded), padded);
    }
    cr_assert_leq(content_padded_len(CONTENT_HEAD_LEN + CONTENT_PAYLOAD_MAX), CIPHERTEXT_LEN_MAX - 256);
}

Test(content, what_was_written_is_read)
{
    struct content c = sample("some text"), read;
    struct buffer b = {0};
    content_write(&c, &b);
    cr_assert_eq(b.len, 512);
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_NONE);
    cr_assert(view_equal(read.payload, c.payload));
    cr_assert_eq(read.counter, 9);
    cr_assert_eq(read.key_version, 3);
    cr_assert_eq(memcmp(&read.franking, &c.franking, sizeof c.franking), 0);
    struct hash256 one = content_commitment(&c), two = content_commitment(&read);
    cr_assert_eq(memcmp(&one, &two, sizeof one), 0);
    buffer_fini(&b);
}

Test(content, padding_that_is_not_ours_another_length_and_version_are_refused)
{
    struct content c = sample("some text"), read;
    struct buffer b = {0};
    content_write(&c, &b);
    b.at[511] = 1;
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_FORM);
    b.at[511] = 0;
    cr_assert_eq(content_read(view_of(b.at, 511), &read), CAUSE_FORM);
    (void)memset(buffer_extend(&b, 32), 0, 32);
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_FORM, "longer than it need be");
    b.len = 512;
    b.at[0] = 2;
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_VERSION);
    b.at[0] = 0;
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_FORM);
    b.at[0] = 1;
    b.at[89] = 0xff; /* a payload longer than the message */
    cr_assert_eq(content_read(buffer_view(&b), &read), CAUSE_FORM);
    cr_assert_eq(read.counter, 0);
    buffer_fini(&b);
}

/* Mistake 10: each bit of what is shown, and of the key, makes another commitment. */
Test(content, a_commitment_fits_one_content_only)
{
    struct content c = sample("some text"), other = c;
    struct hash256 one = content_commitment(&c), two;
    uint8_t head[CONTENT_HEAD_LEN];
    size_t len;
    content_head_write(&c, head);
    for (size_t bit = 8; bit < 89 * 8; bit++) {
        head[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_eq(content_head_read(view_of(head, sizeof head), &other, &len), STATUS_OK);
        other.payload = c.payload;
        two = content_commitment(&other);
        cr_assert_neq(memcmp(&one, &two, sizeof one), 0, "bit %zu", bit);
        head[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    other = c;
    other.payload = view_of("some texu", 9);
    two = content_commitment(&other);
    cr_assert_neq(memcmp(&one, &two, sizeof one), 0);
}
