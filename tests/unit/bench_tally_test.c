/* tally: what full clients say is booked once, whatever the order, and nothing is believed that is not whole, of the
 * right kind, from the right sender, at the right recipient. */
#include "bench/load/tally.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SENDERS 3
#define BOXES   2
#define LEN     100

static struct traffic traffic;
static struct sealmq_account senders[SENDERS];
static struct tally tally;
static uint8_t body[LEN + 1];

static void setup(void)
{
    traffic = (struct traffic){.sizes = sizes_one(LEN), .mailbox_count = BOXES, .pool = malloc(sizeof *traffic.pool)};
    cr_assert_not_null(traffic.pool);
    for (size_t i = 0; i < sizeof traffic.pool->bytes; i++)
        traffic.pool->bytes[i] = (uint8_t)number_mix(i);
    ledger_init(&traffic.ledger, 64);
    for (size_t i = 0; i < SENDERS; i++)
        memset(&senders[i], (int)i + 1, sizeof senders[i]);
    tally = (struct tally){.traffic = &traffic, .senders = senders, .sender_count = SENDERS, .kind = SEALMQ_SEALED,
                           .begun = true};
}

static void teardown(void)
{
    ledger_fini(&traffic.ledger);
    free(traffic.pool);
}

TestSuite(tally, .init = setup, .fini = teardown);

/* As it comes when all is well. */
static struct sealmq_received arrived(uint64_t number)
{
    struct sealmq_received r = SEALMQ_INIT(struct sealmq_received);
    body_write(traffic.pool, number, body, LEN);
    r.kind = SEALMQ_SEALED;
    r.account = senders[tally_route(&tally, number).sender];
    r.payload = body;
    r.payload_len = LEN;
    return r;
}

static bool sent(const char *key, enum sealmq_message_state state)
{
    return tally_sent(&tally, key, state, SEALMQ_OK, 1500);
}

Test(tally, every_pair_has_its_turn)
{
    bool seen[SENDERS][BOXES] = {{false}};
    for (uint64_t n = 0; n < SENDERS * BOXES; n++) {
        struct route r = tally_route(&tally, n);
        cr_assert(!seen[r.sender][r.mailbox]);
        seen[r.sender][r.mailbox] = true;
        cr_assert_eq(tally_route(&tally, n + SENDERS * BOXES).mailbox, r.mailbox);
    }
}

Test(tally, accepted_and_received_is_done_once_in_either_order)
{
    struct sealmq_received r;
    for (int i = 0; i < 2; i++)
        ledger_issue(&traffic.ledger, 1000);
    cr_assert(sent("0", SEALMQ_MESSAGE_ACCEPTED));
    cr_assert_eq(traffic.ledger.done, 0);
    r = arrived(0);
    tally_received(&tally, 0, &r, 1700);
    cr_assert_eq(traffic.ledger.done, 1);
    r = arrived(1);
    tally_received(&tally, tally_route(&tally, 1).mailbox, &r, 1700);
    cr_assert(sent("1", SEALMQ_MESSAGE_SETTLED));
    cr_assert(!sent("1", SEALMQ_MESSAGE_SETTLED));
    cr_assert_eq(traffic.ledger.done, 2);
    cr_assert_eq(traffic.accept.count, 2);
    cr_assert_eq(traffic.accept.max_us, 500);
    cr_assert_eq(traffic.end_to_end.count, 2);
    cr_assert_eq(traffic.end_to_end.max_us, 700);
}

Test(tally, what_is_on_its_way_is_not_accepted)
{
    ledger_issue(&traffic.ledger, 1000);
    cr_assert(!sent("0", SEALMQ_MESSAGE_DRAFTED));
    cr_assert(!sent("0", SEALMQ_MESSAGE_ENCRYPTED));
    cr_assert(!sent("0", SEALMQ_MESSAGE_QUEUED));
    cr_assert_eq(traffic.ledger.accepted, 0);
    cr_assert_eq(traffic.ledger.refused, 0);
}

Test(tally, what_ends_without_arriving_is_refused_with_its_reason)
{
    for (int i = 0; i < 3; i++)
        ledger_issue(&traffic.ledger, 1000);
    cr_assert(!tally_sent(&tally, "0", SEALMQ_MESSAGE_REFUSED, SEALMQ_MAILBOX_FULL, 1500));
    cr_assert(!sent("1", SEALMQ_MESSAGE_UNKNOWN));
    cr_assert(!sent("2", SEALMQ_MESSAGE_HELD));
    cr_assert_eq(traffic.ledger.refused, 3);
    cr_assert_eq(traffic.first_refusal, STATUS_MAILBOX_FULL);
}

Test(tally, keys_that_are_no_numbers_of_the_run_are_not_booked)
{
    static const char *const others[] = {"", "1", "-0", " 0", "0x", "hello", "18446744073709551616"};
    ledger_issue(&traffic.ledger, 1000);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cr_assert(!sent(others[i], SEALMQ_MESSAGE_ACCEPTED), "%s", others[i]);
    cr_assert_eq(traffic.ledger.accepted, 0);
}

Test(tally, received_twice_is_duplicated)
{
    ledger_issue(&traffic.ledger, 1000);
    struct sealmq_received r = arrived(0);
    tally_received(&tally, 0, &r, 1700);
    tally_received(&tally, 0, &r, 1800);
    cr_assert_eq(traffic.ledger.delivered, 1);
    cr_assert_eq(traffic.ledger.duplicated, 1);
    cr_assert_eq(traffic.end_to_end.count, 1);
}

Test(tally, anything_that_is_not_what_was_sent_is_corrupted)
{
    ledger_issue(&traffic.ledger, 1000);
    struct sealmq_received r = arrived(0);
    tally_received(&tally, 1, &r, 1700); /* another recipient */
    r.account = senders[1];              /* another sender */
    tally_received(&tally, 0, &r, 1700);
    r = arrived(0);
    r.kind = SEALMQ_OPAQUE; /* was not sealed */
    tally_received(&tally, 0, &r, 1700);
    r = arrived(0);
    r.payload_len = LEN - 1;
    tally_received(&tally, 0, &r, 1700);
    r.payload_len = LEN + 1;
    tally_received(&tally, 0, &r, 1700);
    r.payload_len = 5; /* a greeting, too late */
    tally_received(&tally, 0, &r, 1700);
    r = arrived(0);
    body[LEN - 1] ^= 1;
    tally_received(&tally, 0, &r, 1700);
    r = arrived(5); /* never sent */
    tally_received(&tally, tally_route(&tally, 5).mailbox, &r, 1700);
    cr_assert_eq(traffic.ledger.corrupted, 8);
    cr_assert_eq(traffic.ledger.delivered, 0);
    r = arrived(0);
    tally_received(&tally, 0, &r, 1700);
    cr_assert_eq(traffic.ledger.delivered, 1);
}
