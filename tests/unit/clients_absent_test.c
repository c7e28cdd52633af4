/* A device that was added and has not been online: it holds up nobody, and has what it missed once it is there (PROTOCOL 10.5). */
#include "tests/unit/duet.h"

#include <string.h>

static void none_of_the_phone(struct duet *d, struct msg_prekey_bundle *bundle)
{
    if (!device_equal(bundle->device, d->party[PHONE].me.device)) return;
    *bundle = (struct msg_prekey_bundle){.device = bundle->device, .status = STATUS_NOT_FOUND};
}

static void phone_is_absent(struct duet *d)
{
    phone_joins(d);
    offline(d, PHONE);
    offline(d, ALICE);
    online(d, ALICE);
    duet_settle(d);
    d->bundle = none_of_the_phone;
}

static void phone_comes(struct duet *d)
{
    d->bundle = NULL;
    online(d, PHONE);
    duet_settle(d);
    duet_pass(d, 30000);
}

DUET_TEST(absent, one_that_has_left_no_prekeys_holds_up_nobody_and_gets_it_later)
{
    phone_is_absent(d);
    uint64_t order = say(d, BOB, "hello");
    duet_pass(d, 5000);
    cr_assert_str_eq(read_all(d, ALICE), "hello");
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_ACCEPTED);
    phone_comes(d);
    cr_assert_str_eq(read_all(d, PHONE), "hello");
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
    cr_assert_gt(duet_row(d, BOB, order).attempt, 0u, "it was sealed anew");
    order = say(d, BOB, "again");
    duet_pass(d, 5000);
    cr_assert_str_eq(read_all(d, PHONE), "again");
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
    cr_assert_eq(duet_row(d, BOB, order).attempt, 0u);
}

/* Nobody can open it: neither with keys of the phone's nor by what the relay has. */
DUET_TEST(absent, its_part_is_as_long_as_the_others_and_names_a_prekey_of_nobodys)
{
    struct sealed_header header;
    struct view body;
    phone_is_absent(d);
    (void)say(d, BOB, "hello");
    duet_pass(d, 5000);
    struct parcel *blank = parcel_last(d, PHONE), *other = parcel_last(d, ALICE);
    cr_assert(blank && other && blank->bytes.len == other->bytes.len);
    cr_assert_eq(sealed_header_read(buffer_view(&blank->bytes), &header, &body), CAUSE_NONE);
    cr_assert(header.starts && header.start.prekey_id == UINT64_MAX && header.start.extra_kind == EXTRA_NONE);
    d->bundle = NULL;
    online(d, PHONE);
    duet_settle(d);
    cr_assert_eq(blank->reason, FAIL_BROKEN);
    cr_assert_str_eq(read_all(d, PHONE), "hello");
}

/* The relay may say so for ever: what was asked for again waits, and nothing is sent round and round. */
DUET_TEST(absent, what_it_asks_to_have_again_waits_for_its_prekeys)
{
    phone_is_absent(d);
    uint64_t order = say(d, BOB, "hello");
    duet_pass(d, 5000);
    size_t sends = d->sends;
    online(d, PHONE);
    duet_settle(d);
    duet_pass(d, 120000);
    cr_assert_eq(d->sends, sends);
    cr_assert_neq(duet_state(d, BOB, order), MESSAGE_SETTLED);
    d->bundle = NULL;
    duet_pass(d, 60000);
    cr_assert_str_eq(read_all(d, PHONE), "hello");
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
}

/* One's own devices, too: what Alice sends is there for her phone when it comes. */
DUET_TEST(absent, a_copy_waits_for_the_only_other_device)
{
    phone_is_absent(d);
    uint64_t order = say(d, ALICE, "hello");
    duet_pass(d, 5000);
    cr_assert_str_eq(read_all(d, BOB), "hello");
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
    phone_comes(d);
    cr_assert_str_eq(read_all(d, PHONE), "hello");
}
