/* Who may claim whose prekeys how often, and who is forgotten when there are too many to count. */
#include "broker/wire/limits.h"
#include "storage/prekey_meter.h"

#include <criterion/criterion.h>

/* A meter of one set of places. */
static struct prekey_meter *narrow_meter(void)
{
    return prekey_meter_new(1, (const uint8_t *)"sixteen of seeds");
}

static enum status asks(struct prekey_meter *m, uint8_t asker, uint64_t now_ms)
{
    uint32_t retry_ms;
    struct account_id a = {{asker}};
    struct device_id d = {{1}};
    return prekey_meter_take(m, a, d, now_ms, &retry_ms);
}

Test(prekey_meter, keeps_who_asked_much_and_gives_up_who_asked_once)
{
    struct prekey_meter *m = narrow_meter();
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(asks(m, 1, 1000), STATUS_OK);
    for (unsigned i = 2; i < 256; i++)
        cr_assert_eq(asks(m, (uint8_t)i, 1000), STATUS_OK, "asker %u", i);
    cr_assert_eq(asks(m, 1, 1000), STATUS_RATE_LIMITED, "it has not bought itself a new burst");
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(asks(m, 2, 1000), STATUS_OK, "forgotten: a whole burst");
    cr_assert_eq(asks(m, 2, 1000), STATUS_RATE_LIMITED);
    prekey_meter_free(&m);
    prekey_meter_free(&m);
}

Test(prekey_meter, gives_up_pairs_that_are_whole_again_first_and_says_nothing_of_them)
{
    struct prekey_meter *m = narrow_meter();
    uint64_t then_ms = 1000 + PREKEY_CLAIM_EVERY_MS;
    for (unsigned i = 1; i <= PREKEY_METER_WAYS; i++)
        cr_assert_eq(asks(m, (uint8_t)i, 1000), STATUS_OK);
    cr_assert_eq(asks(m, 2, 1000), STATUS_OK);
    cr_assert_eq(asks(m, 100, then_ms), STATUS_OK);
    cr_assert_eq(prekey_meter_tell(m, then_ms), 0);
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST - 1; i++)
        cr_assert_eq(asks(m, 2, then_ms), STATUS_OK);
    cr_assert_eq(asks(m, 2, then_ms), STATUS_RATE_LIMITED, "the second was remembered");
    prekey_meter_free(&m);
}

Test(prekey_meter, tells_of_what_it_forgot_once_a_minute)
{
    struct prekey_meter *m = narrow_meter();
    for (unsigned i = 1; i <= PREKEY_METER_WAYS + 1; i++)
        cr_assert_eq(asks(m, (uint8_t)i, 1000), STATUS_OK);
    cr_assert_eq(prekey_meter_tell(m, 1000), 1);
    for (unsigned i = 100; i < 103; i++)
        cr_assert_eq(asks(m, (uint8_t)i, 1000), STATUS_OK);
    cr_assert_eq(prekey_meter_tell(m, 1000 + 59999), 0);
    cr_assert_eq(prekey_meter_tell(m, 1000 + 60000), 3);
    cr_assert_eq(prekey_meter_tell(m, 1000 + 120000), 0);
    prekey_meter_free(&m);
}

Test(prekey_meter, counts_each_device_of_an_account_by_itself)
{
    struct prekey_meter *m = prekey_meter_new(2, (const uint8_t *)"sixteen of seeds");
    struct account_id a = {{1}};
    struct device_id d = {{1}}, other = {{2}};
    uint32_t retry_ms;
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(prekey_meter_take(m, a, d, 1000, &retry_ms), STATUS_OK);
    cr_assert_eq(prekey_meter_take(m, a, d, 1000, &retry_ms), STATUS_RATE_LIMITED);
    cr_assert_eq(prekey_meter_take(m, a, other, 1000, &retry_ms), STATUS_OK);
    prekey_meter_free(&m);
}
