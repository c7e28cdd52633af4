/* Token buckets by a moved clock, and the table of them, full and overfull. */
#include "broker/bucket.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct bucket_rate ten = {.per_s = 10, .burst = 20};

static uint64_t take(struct bucket *b, const struct bucket_rate *rate, uint64_t cost,
                     uint64_t now_ms)
{
    uint64_t wait_ms = bucket_wait_ms(b, rate, cost, now_ms);
    if (!wait_ms) bucket_take(b, rate, cost);
    return wait_ms;
}

Test(bucket, a_burst_goes_at_once_and_one_more_is_told_when)
{
    struct bucket b = {0};
    for (int i = 0; i < 20; i++)
        cr_assert_eq(take(&b, &ten, 1, 1000), 0);
    cr_assert_eq(take(&b, &ten, 1, 1000), 100);
    cr_assert_eq(take(&b, &ten, 1, 1099), 1);
    cr_assert_eq(take(&b, &ten, 1, 1100), 0);
    cr_assert_eq(take(&b, &ten, 1, 1100), 100);
}

Test(bucket, what_is_refused_costs_nothing)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 15, 0), 0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(take(&b, &ten, 10, 0), 500);
    cr_assert_eq(take(&b, &ten, 10, 500), 0);
}

Test(bucket, each_refused_one_is_told_a_time_of_its_own_and_can_keep_it)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 20, 0), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        cr_assert_eq(bucket_wait_ms(&b, &ten, 1, 0), 100);
        cr_assert_eq(bucket_later_ms(&b, &ten, 1), i * 100);
    }
    for (uint64_t i = 1; i <= 5; i++)
        cr_assert_eq(take(&b, &ten, 1, i * 100), 0, "%zu", (size_t)i);
    cr_assert_neq(bucket_wait_ms(&b, &ten, 1, 500), 0);
    cr_assert_eq(bucket_later_ms(&b, &ten, 1), 100, "nobody waits any more");
}

Test(bucket, a_time_told_is_never_later_than_two_buckets_away)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 20, 0), 0);
    for (int i = 0; i < 1000; i++) {
        cr_assert_neq(bucket_wait_ms(&b, &ten, 20, 0), 0);
        cr_assert_leq(bucket_later_ms(&b, &ten, 20), 4000);
    }
}

Test(bucket, in_the_long_run_it_is_the_rate_whatever_the_steps)
{
    static const uint64_t steps[] = {1, 7, 99, 100, 101, 333};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct bucket b = {0};
        uint64_t taken = 0;
        for (uint64_t now_ms = 0; now_ms < 100000; now_ms += steps[i])
            while (take(&b, &ten, 1, now_ms) == 0)
                taken++;
        cr_assert(taken <= 20 + 1000 && taken >= 20 + 1000 - 4, "%zu: %zu", (size_t)steps[i],
                  (size_t)taken);
    }
}

Test(bucket, a_long_silence_fills_it_and_no_more)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 20, 0), 0);
    cr_assert_eq(take(&b, &ten, 20, UINT64_MAX), 0);
    cr_assert_eq(take(&b, &ten, 1, UINT64_MAX), 100);
}

Test(bucket, what_is_larger_than_the_bucket_waits_for_all_of_it)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 1000000, 0), 0, "a full one lets it pass");
    cr_assert_eq(take(&b, &ten, 1000000, 0), 2000);
    cr_assert_eq(take(&b, &ten, UINT64_MAX, 1999), 1);
    cr_assert_eq(take(&b, &ten, UINT64_MAX, 2000), 0);
}

Test(bucket, a_clock_that_goes_back_gives_nothing)
{
    struct bucket b = {0};
    cr_assert_eq(take(&b, &ten, 20, 5000), 0);
    cr_assert_eq(take(&b, &ten, 1, 100), 100);
    cr_assert_eq(take(&b, &ten, 1, 5000), 100, "the same milliseconds do not count twice");
    cr_assert_eq(take(&b, &ten, 1, 5100), 0);
}

Test(bucket, the_largest_rates_do_not_overflow)
{
    struct bucket_rate huge = {BUCKET_RATE_MAX, BUCKET_BURST_MAX};
    struct bucket b = {0};
    cr_assert_eq(take(&b, &huge, UINT64_MAX, 1), 0);
    cr_assert_eq(take(&b, &huge, UINT64_MAX, 1), (BUCKET_BURST_MAX / BUCKET_RATE_MAX) * 1000);
    cr_assert_eq(take(&b, &huge, 1, 2), 0);
    struct bucket_rate slow = {1, BUCKET_BURST_MAX};
    b = (struct bucket){0};
    cr_assert_eq(take(&b, &slow, UINT64_MAX, 1), 0);
    cr_assert_eq(take(&b, &slow, UINT64_MAX, 1), BUCKET_BURST_MAX * 1000);
}

/* ---- the table ---- */

static struct bucket_key key_n(uint32_t n)
{
    struct bucket_key key = {{0}};
    memcpy(key.bytes, &n, sizeof n);
    return key;
}

static void table_start(struct bucket_table *t, uint32_t count_max)
{
    struct bucket_rate rates[BUCKETS_EACH];
    for (size_t i = 0; i < BUCKETS_EACH; i++)
        rates[i] = (struct bucket_rate){.per_s = 10 << i, .burst = 20 << i};
    bucket_table_init(t, count_max, rates, &(struct bucket_seed){{7}});
}

static uint64_t spend(struct bucket_table *t, uint32_t n, size_t bucket, uint64_t cost,
                      uint64_t now_ms)
{
    struct bucket_key key = key_n(n);
    struct bucket_entry *e = bucket_entry_of(t, &key, now_ms);
    return take(&e->buckets[bucket], &t->rates[bucket], cost, now_ms);
}

Test(bucket_table, keys_and_the_buckets_of_a_key_are_apart)
{
    struct bucket_table t;
    table_start(&t, 64);
    cr_assert_eq(spend(&t, 1, 0, 20, 0), 0);
    cr_assert_eq(spend(&t, 1, 0, 1, 0), 100);
    cr_assert_eq(spend(&t, 1, 1, 1, 0), 0);
    cr_assert_eq(spend(&t, 2, 0, 20, 0), 0);
    cr_assert_eq(t.count, 2);
    bucket_table_fini(&t);
}

/* BUCKET_WAYS keys is the smallest table: one set, where what holds for each set is seen at once.
 */
Test(bucket_table, a_full_table_replaces_what_is_full_again_and_forgets_nothing)
{
    struct bucket_table t;
    table_start(&t, BUCKET_WAYS);
    for (uint32_t n = 0; n < BUCKET_WAYS; n++)
        cr_assert_eq(spend(&t, n, 0, n == 3 ? 1 : 20, 0), 0);
    cr_assert_eq(t.count, BUCKET_WAYS);
    cr_assert_eq(spend(&t, 100, 0, 20, 100), 0, "in the place of 3, which is full again");
    cr_assert_eq(t.count, BUCKET_WAYS);
    cr_assert_eq(t.forgotten, 0);
    for (uint32_t n = 0; n < BUCKET_WAYS; n++)
        if (n != 3) cr_assert_eq(spend(&t, n, 0, 20, 100), 1900, "%u is still known", n);
    cr_assert_eq(spend(&t, 100, 0, 1, 100), 100);
    bucket_table_fini(&t);
}

Test(bucket_table, where_all_are_busy_the_least_in_debt_goes)
{
    struct bucket_table t;
    table_start(&t, 1);
    for (uint32_t n = 0; n < BUCKET_WAYS; n++)
        cr_assert_eq(spend(&t, n, 0, n == 5 ? 10 : 20, 0), 0);
    cr_assert_eq(spend(&t, 100, 0, 20, 100), 0);
    cr_assert_eq(t.forgotten, 1);
    cr_assert_eq(t.count, BUCKET_WAYS);
    for (uint32_t n = 0; n < BUCKET_WAYS; n++)
        if (n != 5) cr_assert_eq(spend(&t, n, 0, 20, 100), 1900, "%u is still known", n);
    bucket_table_fini(&t);
}

Test(bucket_table, any_bucket_of_a_key_keeps_it)
{
    struct bucket_table t;
    table_start(&t, BUCKET_WAYS);
    for (uint32_t n = 0; n < BUCKET_WAYS; n++)
        cr_assert_eq(spend(&t, n, n % BUCKETS_EACH, n == 6 ? 1 : 20, 0), 0);
    cr_assert_eq(spend(&t, 100, 0, 1, 30), 0);
    cr_assert_eq(t.forgotten, 0, "6 has spent 1 of 40 a second and is full after 25 ms");
    cr_assert_eq(spend(&t, 3, 3, 160, 30), 0 + (20000 - 30 * 80 + 80 - 1) / 80);
    bucket_table_fini(&t);
}

Test(bucket_table, a_thousand_strangers_do_not_free_whoever_owes_most)
{
    struct bucket_table t;
    table_start(&t, 64);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(spend(&t, 7, 0, 1, 0), 0);
    for (uint32_t n = 1000; n < 2000; n++)
        cr_assert_eq(spend(&t, n, 0, 1, 0), 0);
    cr_assert_eq(t.count, 64);
    cr_assert(t.forgotten >= 1000 - 64);
    cr_assert_eq(spend(&t, 7, 0, 1, 0), 100);
    bucket_table_fini(&t);
}
