/* risk: each rule beside what it must not fire for, and that what is remembered stays small. */
#include "storage/risk.h"

#include <criterion/criterion.h>

#define T0 1790000000000ull
#define MINUTE_MS 60000ull

static const struct device_id nobody, founder = {{1}}, second = {{2}}, third = {{3}};

static struct watch_row watch;
static uint64_t now_ms;

static void start(void)
{
    watch = (struct watch_row){0};
    now_ms = T0;
}

TestSuite(risk, .init = start);

static uint32_t step(enum identity_change change, struct device_id signer, struct device_id device)
{
    struct risk_step s = {change, signer, device};
    uint32_t risks = risk_of(&watch, &s, now_ms);
    watch_step(&watch, &s, now_ms);
    return risks;
}

#define ONLY(risk) (1u << (risk))

Test(risk, the_first_device_that_another_one_adds_is_low)
{
    cr_assert_eq(step(CHANGED_ENROLLED, founder, second), 0);
    cr_assert_eq(risk_level(0), RISK_LOW);
}

Test(risk, a_signer_of_less_than_an_hour_is_elevated)
{
    step(CHANGED_ENROLLED, founder, second);
    now_ms += RISK_NEW_MS - 1;
    cr_assert_eq(step(CHANGED_ENROLLED, second, third), ONLY(RISK_SIGNER_NEW));
    start();
    step(CHANGED_ENROLLED, founder, second);
    now_ms += RISK_NEW_MS;
    cr_assert_eq(step(CHANGED_ENROLLED, second, third), 0);
}

Test(risk, the_third_change_in_a_day_is_elevated)
{
    step(CHANGED_ENROLLED, founder, second);
    now_ms += RISK_NEW_MS;
    cr_assert_eq(step(CHANGED_REVOKED, founder, second), 0);
    step(CHANGED_REPLACED, founder, founder);
    now_ms += RISK_NEW_MS;
    cr_assert_eq(step(CHANGED_ENROLLED, founder, third), ONLY(RISK_THIRD_CHANGE));
    start();
    step(CHANGED_ENROLLED, founder, second);
    now_ms += RISK_DAY_MS;
    step(CHANGED_REVOKED, founder, second);
    now_ms += RISK_NEW_MS;
    cr_assert_eq(step(CHANGED_ENROLLED, founder, third), 0, "the first is over a day ago");
}

Test(risk, new_keys_of_a_device_are_everyday)
{
    for (int i = 0; i < 5; i++)
        cr_assert_eq(step(CHANGED_REPLACED, founder, founder), 0);
    cr_assert_eq(step(CHANGED_ENROLLED, founder, second), 0);
}

Test(risk, a_device_that_joins_by_recovery_or_soon_after_is_elevated)
{
    cr_assert_eq(step(CHANGED_ENROLLED, nobody, second), ONLY(RISK_AFTER_RECOVERY));
    now_ms += RISK_DAY_MS - 1;
    cr_assert_eq(step(CHANGED_ENROLLED, second, third), ONLY(RISK_AFTER_RECOVERY));
    start();
    step(CHANGED_RECOVERY_USED, nobody, nobody);
    now_ms += RISK_DAY_MS;
    cr_assert_eq(step(CHANGED_ENROLLED, founder, second), 0);
}

Test(risk, a_device_that_joins_within_an_hour_of_anothers_end_is_high)
{
    step(CHANGED_SUSPENDED, founder, second);
    now_ms += RISK_NEW_MS - 1;
    uint32_t risks = step(CHANGED_ENROLLED, founder, third);
    cr_assert_eq(risks, ONLY(RISK_BESIDE_AN_END));
    cr_assert_eq(risk_level(risks), RISK_HIGH);
    start();
    step(CHANGED_REVOKED, founder, second);
    now_ms += RISK_NEW_MS;
    cr_assert_eq(step(CHANGED_ENROLLED, founder, third), 0);
}

Test(risk, a_new_device_that_puts_others_out_is_high_and_one_that_leaves_is_not)
{
    step(CHANGED_ENROLLED, founder, second);
    now_ms += MINUTE_MS;
    cr_assert_eq(step(CHANGED_REVOKED, second, founder), ONLY(RISK_ENDED_BY_NEW));
    start();
    step(CHANGED_ENROLLED, founder, second);
    cr_assert_eq(step(CHANGED_REVOKED, second, second), 0, "it leaves by itself");
    start();
    step(CHANGED_ENROLLED, founder, second);
    cr_assert_eq(step(CHANGED_REVOKED, founder, second), 0, "the other one thinks better of it");
}

Test(risk, a_recovery_key_that_replaces_itself_is_elevated_and_the_first_is_not)
{
    cr_assert_eq(step(CHANGED_RECOVERY_SET, founder, nobody), 0);
    cr_assert_eq(step(CHANGED_RECOVERY_SET, nobody, nobody), ONLY(RISK_RECOVERY_REPLACED));
}

/* A signer must not be able to push out what tells on it: changes of keys leave no trace, and joins stay for their hour. */
Test(risk, nothing_that_is_near_is_pushed_out)
{
    step(CHANGED_REVOKED, founder, second);
    for (int i = 0; i < 1000; i++)
        step(CHANGED_REPLACED, founder, founder);
    cr_assert(step(CHANGED_ENROLLED, founder, third) & ONLY(RISK_BESIDE_AN_END));
    start();
    for (uint8_t i = 0; i < 100; i++) {
        step(CHANGED_ENROLLED, founder, (struct device_id){{9, i}});
        cr_assert_leq(watch.joined_count, DEVICES_EVER_MAX);
    }
    now_ms += RISK_NEW_MS;
    step(CHANGED_REPLACED, founder, founder);
    cr_assert_eq(watch.joined_count, 0);
}

Test(risk, a_clock_that_stands_is_near)
{
    step(CHANGED_REVOKED, founder, second);
    now_ms--;
    cr_assert_eq(step(CHANGED_ENROLLED, founder, third), ONLY(RISK_BESIDE_AN_END));
}

Test(risk, rows_come_back_as_they_were_and_odd_ones_are_damage)
{
    struct arena a = {0};
    struct watch_row back;
    struct hold_row holds = {.holds = {{.reason = HOLD_ABUSE, .since_ms = T0}, {.device = second, .reason = HOLD_LEGAL}},
                             .count = 2}, held;
    step(CHANGED_ENROLLED, nobody, second);
    step(CHANGED_REVOKED, founder, second);
    struct view v = watch_row_write(&a, &watch);
    cr_assert_eq(watch_row_read(v, &back), STATUS_OK);
    cr_assert(view_equal(watch_row_write(&a, &back), v));
    cr_assert_eq(watch_row_read(view_of(v.at, v.len - 1), &back), STATUS_DAMAGED);
    cr_assert_eq(back.split_ms, 0u);
    watch.split_ms = 4, watch.split_number = 5, watch.restored_ms = 6, watch.restored = 7;
    v = watch_row_write(&a, &watch);
    cr_assert_eq(watch_row_read(v, &back), STATUS_OK);
    cr_assert(back.joined_count == 1 && back.split_ms == 4 && back.split_number == 5 && back.restored_ms == 6 && back.restored == 7);
    cr_assert_eq(watch_row_read(view_of(v.at, v.len - 1), &back), STATUS_DAMAGED);
    v = hold_row_write(&a, &holds);
    cr_assert_eq(hold_row_read(v, &held), STATUS_OK);
    cr_assert(view_equal(hold_row_write(&a, &held), v));
    cr_assert_eq(hold_row_read(view_of(v.at, v.len - 1), &held), STATUS_DAMAGED);
    cr_assert_eq(hold_row_read(view_of(v.at, 1), &held), STATUS_DAMAGED, "holds nobody");
    holds.holds[1].device = holds.holds[0].device;
    cr_assert_eq(hold_row_read(hold_row_write(&a, &holds), &held), STATUS_DAMAGED, "twice the same");
    arena_fini(&a);
}
