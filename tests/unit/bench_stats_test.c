/* stats: medians and ranges, and when a difference is one. */
#include "bench/report/stats.h"

#include <criterion/criterion.h>
#include <math.h>

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

static struct spread spread3(double a, double b, double c)
{
    double values[] = {a, b, c};
    return spread_of(values, 3);
}

Test(stats, the_median_needs_no_order)
{
    struct spread s = spread3(30, 10, 20);
    cr_assert(near(s.median, 20) && near(s.min, 10) && near(s.max, 30) && s.count == 3);
}

Test(stats, the_median_of_an_even_count_lies_between)
{
    double values[] = {4, 1, 2, 9};
    cr_assert(near(spread_of(values, 4).median, 3));
}

Test(stats, nothing_has_no_spread)
{
    struct spread s = spread_of(NULL, 0);
    cr_assert(s.count == 0 && near(s.median, 0) && near(spread_half(s), 0));
}

Test(stats, a_change_beyond_the_noise_is_told)
{
    struct spread a = spread3(98, 100, 102), b = spread3(118, 120, 122);
    cr_assert(near(spread_noise(a, b), 0.02 + 2.0 / 120));
    cr_assert_eq(spread_compare(a, b), VERDICT_MORE);
    cr_assert_eq(spread_compare(b, a), VERDICT_LESS);
}

Test(stats, a_change_within_the_noise_is_none)
{
    cr_assert_eq(spread_compare(spread3(80, 100, 120), spread3(95, 115, 135)), VERDICT_SAME);
}

Test(stats, rounds_that_overlap_are_not_told_apart)
{
    /* The half ranges alone (5.0 % + 4.6 %) would let 10 % pass. */
    cr_assert_eq(spread_compare(spread3(99.9, 100, 109.9), spread3(109.8, 110, 119.9)),
                 VERDICT_SAME);
}

Test(stats, rounds_that_agree_too_well_still_have_noise)
{
    cr_assert_eq(spread_compare(spread3(100, 100, 100), spread3(100.5, 100.5, 100.5)),
                 VERDICT_SAME);
}

Test(stats, one_round_has_no_known_noise)
{
    double one[] = {100};
    cr_assert_eq(spread_compare(spread_of(one, 1), spread3(1, 2, 3)), VERDICT_UNKNOWN);
    cr_assert_eq(spread_compare(spread3(1, 2, 3), spread_of(one, 1)), VERDICT_UNKNOWN);
}

Test(stats, nothing_is_compared_with_zero)
{
    cr_assert_eq(spread_compare(spread3(0, 0, 0), spread3(1, 2, 3)), VERDICT_UNKNOWN);
}

Test(stats, a_slope_is_that_of_the_line)
{
    double x[] = {0, 1, 2, 3}, y[] = {5, 7, 9, 11};
    cr_assert(near(slope_of(x, y, 4), 2));
}

Test(stats, a_slope_needs_two_different_x)
{
    double x[] = {3, 3}, y[] = {1, 9};
    cr_assert(near(slope_of(x, y, 2), 0) && near(slope_of(x, y, 1), 0));
}
