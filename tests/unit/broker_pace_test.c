/* The moment that the edge waits: after a look that found little, and only then. */
#include "broker/pace.h"

#include <criterion/criterion.h>

Test(broker_pace, a_look_that_found_nothing_is_followed_by_the_next_frame)
{
    cr_assert_eq(pace_until_us(0, 1000), 0);
}

Test(broker_pace, a_look_that_found_little_is_followed_by_a_moment_from_its_beginning)
{
    cr_assert_eq(pace_until_us(1, 1000), 1000 + PACE_US);
    cr_assert_eq(pace_until_us(PACE_FRAMES - 1, 7), 7 + PACE_US);
}

Test(broker_pace, a_look_that_found_much_is_followed_by_another)
{
    cr_assert_eq(pace_until_us(PACE_FRAMES, 1000), 0);
    cr_assert_eq(pace_until_us(512, 1000), 0);
}
