/* What stands before the payload of a content for one's own devices (PROTOCOL 10.9). */
#include "clients/seal/copy.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct account_id alice = {{1, 2}}, bob = {{3, 4}}, nobody;

static struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

static bool account_equal(struct account_id a, struct account_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

Test(copy, what_is_written_is_read)
{
    struct buffer b = {0};
    struct account_id to;
    struct view payload;
    copy_write(bob, text("words"), &b);
    cr_assert_eq(b.len, CONTENT_PREFIX_LEN + 5);
    cr_assert_eq(copy_read(buffer_view(&b), &to, &payload), CAUSE_NONE);
    cr_assert(account_equal(to, bob) && view_equal(payload, text("words")));
    cr_assert_eq(copy_read(view_of(b.at, CONTENT_PREFIX_LEN), &to, &payload), CAUSE_NONE, "no words are words");
    cr_assert_eq(payload.len, 0u);
    buffer_fini(&b);
}

Test(copy, anything_else_is_refused_with_nothing_given)
{
    struct buffer b = {0};
    struct account_id to = alice;
    struct view payload = text("x");
    copy_write(bob, text("words"), &b);
    for (size_t len = 0; len < CONTENT_PREFIX_LEN; len++)
        cr_assert_eq(copy_read(view_of(b.at, len), &to, &payload), CAUSE_FORM, "%zu bytes", len);
    cr_assert(account_equal(to, nobody) && payload.len == 0);
    b.at[0] = 0;
    cr_assert_eq(copy_read(buffer_view(&b), &to, &payload), CAUSE_FORM, "version 0");
    b.at[0] = 2;
    cr_assert_eq(copy_read(buffer_view(&b), &to, &payload), CAUSE_VERSION);
    cr_assert_eq(copy_read(view_of(b.at, 1), &to, &payload), CAUSE_VERSION, "whatever follows");
    b.at[0] = 1;
    memset(b.at + 1, 0, 32);
    cr_assert_eq(copy_read(buffer_view(&b), &to, &payload), CAUSE_FORM, "to nobody");
    buffer_fini(&b);
}

static struct sealed_context between(struct account_id sender, struct account_id recipient, struct account_id target)
{
    return (struct sealed_context){.sender_account = sender, .recipient_account = recipient,
                                   .target = target_of_account(target)};
}

Test(copy, only_the_own_account_is_its_own_target)
{
    struct sealed_context own = between(alice, alice, alice), others = between(alice, bob, bob);
    struct sealed_context to_sender = between(bob, alice, bob), elsewhere = between(alice, alice, bob);
    struct content plain = {.payload = text("words")}, framed;
    struct buffer b = {0};
    copy_write(bob, text("words"), &b);
    framed = (struct content){.payload = buffer_view(&b)};
    cr_assert_eq(copy_check(&own, &framed), CAUSE_NONE);
    cr_assert_eq(copy_check(&own, &plain), CAUSE_VERSION, "'w' is a later version");
    cr_assert_eq(copy_check(&others, &plain), CAUSE_NONE);
    cr_assert_eq(copy_check(&others, &framed), CAUSE_NONE, "bytes like any");
    cr_assert_eq(copy_check(&to_sender, &framed), CAUSE_FORM);
    cr_assert_eq(copy_check(&to_sender, &plain), CAUSE_FORM);
    cr_assert_eq(copy_check(&elsewhere, &framed), CAUSE_FORM);
    cr_assert_eq(copy_check(&elsewhere, &plain), CAUSE_FORM);
    buffer_fini(&b);
}

Test(copy, its_prefix_is_no_part_of_the_limit)
{
    static uint8_t large[CONTENT_PAYLOAD_MAX] = {1, 7};
    struct sealed_context own = between(alice, alice, alice), others = between(alice, bob, bob);
    struct content c = {.payload = view_of(large, PAYLOAD_LEN_MAX)};
    cr_assert_eq(copy_check(&others, &c), CAUSE_NONE);
    c.payload.len++;
    cr_assert_eq(copy_check(&others, &c), CAUSE_FORM);
    c.payload.len = sizeof large;
    cr_assert_eq(copy_check(&own, &c), CAUSE_NONE);
    cr_assert_eq(copy_check(&others, &c), CAUSE_FORM);
}
