/* ledger, body, sizes: who is lost, who came twice, which bytes are not what was sent. */
#include "bench/load/body.h"
#include "bench/load/ledger.h"
#include "bench/load/sizes.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct ledger l;
static struct pool *pool;

static void setup(void)
{
    ledger_init(&l, 16);
    pool = malloc(sizeof *pool);
    for (size_t i = 0; i < sizeof pool->bytes; i++)
        pool->bytes[i] = (uint8_t)(number_mix(i) >> 32);
}

static void teardown(void)
{
    ledger_fini(&l);
    free(pool);
}

TestSuite(ledger, .init = setup, .fini = teardown);
TestSuite(body, .init = setup, .fini = teardown);

Test(ledger, a_message_is_done_when_it_is_accepted_and_delivered)
{
    uint64_t one = ledger_issue(&l, 10), other = ledger_issue(&l, 11);
    cr_assert(ledger_accept(&l, one, false));
    cr_assert_eq(l.done, 0);
    cr_assert(ledger_deliver(&l, one, false, false));
    cr_assert_eq(l.done, 1);
    cr_assert(ledger_deliver(&l, other, false, false));
    cr_assert_eq(ledger_open(&l), 1);
    cr_assert(ledger_accept(&l, other, false));
    cr_assert_eq(ledger_open(&l), 0);
    cr_assert_eq(l.duplicated + l.corrupted + l.redelivered, 0);
}

Test(ledger, a_second_delivery_is_a_duplicate_unless_it_is_offered_again)
{
    uint64_t number = ledger_issue(&l, 10);
    cr_assert(ledger_deliver(&l, number, false, false));
    cr_assert_not(ledger_deliver(&l, number, false, true));
    cr_assert_eq(l.redelivered, 1);
    cr_assert_eq(l.duplicated, 0);
    cr_assert_not(ledger_deliver(&l, number, false, false));
    cr_assert_eq(l.duplicated, 1);
    cr_assert_eq(l.delivered, 1);
}

Test(ledger, an_acceptance_counts_once)
{
    uint64_t number = ledger_issue(&l, 10);
    cr_assert(ledger_accept(&l, number, false));
    cr_assert_not(ledger_accept(&l, number, false));
    cr_assert_eq(l.accepted, 1);
}

Test(ledger, what_was_never_sent_is_corrupted)
{
    cr_assert_not(ledger_deliver(&l, 0, false, false));
    cr_assert_not(ledger_accept(&l, 0, false));
    cr_assert_eq(l.corrupted, 1);
}

Test(ledger, what_is_accepted_for_an_absent_device_is_done_and_waits)
{
    uint64_t number = ledger_issue(&l, 10);
    cr_assert(ledger_accept(&l, number, true));
    cr_assert_eq(ledger_open(&l), 0);
    cr_assert_eq(ledger_waiting(&l), 1);
    cr_assert(ledger_deliver(&l, number, true, false));
    cr_assert_eq(ledger_waiting(&l), 0);
    cr_assert_eq(l.done, 1);
}

Test(ledger, a_refused_message_is_done_and_may_not_come)
{
    uint64_t number = ledger_issue(&l, 10);
    ledger_refuse(&l, number);
    ledger_refuse(&l, number);
    cr_assert_eq(l.refused, 1);
    cr_assert_eq(ledger_open(&l), 0);
    cr_assert_not(ledger_deliver(&l, number, false, false));
    cr_assert_eq(l.duplicated, 1);
}

Test(ledger, only_recent_times_are_kept_and_all_bits)
{
    uint64_t at_us;
    for (uint64_t i = 0; i < 100000; i++)
        ledger_issue(&l, 1000 + i);
    cr_assert(ledger_time_us(&l, 99999, &at_us));
    cr_assert_eq(at_us, 100999);
    cr_assert_not(ledger_time_us(&l, 0, &at_us));
    cr_assert_not(ledger_time_us(&l, 100000, &at_us));
    for (uint64_t i = 0; i < 100000; i += 3)
        cr_assert(ledger_deliver(&l, i, false, false));
    cr_assert_eq(l.duplicated, 0);
    cr_assert_not(ledger_deliver(&l, 3, false, false));
}

Test(body, every_byte_is_checked)
{
    uint8_t bytes[1024];
    uint64_t number;
    body_write(pool, 7, bytes, sizeof bytes);
    cr_assert(body_number(view_of(bytes, sizeof bytes), &number));
    cr_assert_eq(number, 7);
    cr_assert(body_check(pool, 7, sizeof bytes, view_of(bytes, sizeof bytes)));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        cr_assert_not(body_check(pool, 7, sizeof bytes, view_of(bytes, sizeof bytes)));
        bytes[i] ^= 1;
    }
}

Test(body, another_number_or_length_is_not_it)
{
    uint8_t bytes[64];
    uint64_t number;
    body_write(pool, 7, bytes, sizeof bytes);
    cr_assert_not(body_check(pool, 8, sizeof bytes, view_of(bytes, sizeof bytes)));
    cr_assert_not(body_check(pool, 7, sizeof bytes, view_of(bytes, sizeof bytes - 1)));
    cr_assert_not(body_check(pool, 7, sizeof bytes - 1, view_of(bytes, sizeof bytes)));
    cr_assert_not(body_number(view_of(bytes, 15), &number));
    cr_assert_not(body_number(view_of(NULL, 0), &number));
    cr_assert(body_check(pool, 7, 16, view_of(bytes, 16)));
}

Test(body, the_largest_one_at_the_last_place_is_within_the_pool)
{
    uint8_t *bytes = malloc(PAYLOAD_LEN_MAX);
    for (uint64_t number = 0; number < 2000; number += 37) {
        body_write(pool, number, bytes, PAYLOAD_LEN_MAX);
        cr_assert(body_check(pool, number, PAYLOAD_LEN_MAX, view_of(bytes, PAYLOAD_LEN_MAX)));
    }
    free(bytes);
}

Test(sizes, a_distribution_is_picked_by_its_weights)
{
    struct sizes s;
    size_t counts[3] = {0};
    cr_assert_eq(sizes_parse("256:50,1024:40,16384:10", 16, 262144, &s), STATUS_OK);
    cr_assert_eq(s.count, 3);
    cr_assert_eq(sizes_largest(&s), 16384);
    cr_assert_eq(sizes_mean(&s), 2176);
    for (uint64_t i = 0; i < 100000; i++)
        counts[sizes_pick(&s, i)]++;
    cr_assert(counts[0] > 49000 && counts[0] < 51000);
    cr_assert(counts[2] > 9000 && counts[2] < 11000);
}

Test(sizes, what_is_no_distribution_is_refused)
{
    static const char *const malformed[] = {"",        "256",      "256:",    "256:0",       ":5",
                                            "256:5,",  "256:5;1:1", "256:-1",  "256:5 ",      "+256:5",
                                            "256:1000001", "a:1",   "99999999999:1", "256:999999,256:2"};
    struct sizes s;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        cr_assert_eq(sizes_parse(malformed[i], 16, 262144, &s), STATUS_MALFORMED, "%s", malformed[i]);
    cr_assert_eq(sizes_parse("15:1", 16, 262144, &s), STATUS_TOO_LARGE);
    cr_assert_eq(sizes_parse("262145:1", 16, 262144, &s), STATUS_TOO_LARGE);
    cr_assert_eq(sizes_parse("16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,16:1,"
                             "16:1,16:1,16:1",
                             16, 262144, &s),
                 STATUS_TOO_LARGE);
    cr_assert_eq(s.count, 0);
}
