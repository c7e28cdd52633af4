/* pace: the window is never exceeded, and the schedule is never moved. */
#include "bench/load/pace.h"

#include <criterion/criterion.h>

Test(pace, a_closed_loop_sends_what_the_window_has_room_for)
{
    struct pace p = {.window = 64, .batch = 8};
    cr_assert_eq(pace_due(&p, 0, 0, 0), 64);
    cr_assert_eq(pace_due(&p, 0, 64, 64), 0);
    cr_assert_eq(pace_due(&p, 0, 64, 57), 0); /* less than a batch */
    cr_assert_eq(pace_due(&p, 0, 64, 53), 8); /* whole batches */
    cr_assert_eq(pace_next_us(&p, 64), UINT64_MAX);
    cr_assert_eq(pace_time_us(&p, 77, 3), 77);
}

Test(pace, the_last_messages_need_no_whole_batch)
{
    struct pace p = {.window = 64, .batch = 8, .count = 67};
    cr_assert_eq(pace_due(&p, 0, 64, 60), 3);
    cr_assert_not(pace_over(&p, 0, 66));
    cr_assert(pace_over(&p, 0, 67));
    cr_assert_eq(pace_due(&p, 0, 67, 0), 0);
}

Test(pace, a_closed_loop_ends_with_its_time)
{
    struct pace p = {.window = 4, .batch = 1, .duration_us = 1000, .start_us = 5000};
    cr_assert_eq(pace_due(&p, 5999, 100, 0), 4);
    cr_assert_eq(pace_due(&p, 6000, 100, 0), 0);
    cr_assert(pace_over(&p, 6000, 100));
}

Test(pace, the_schedule_depends_on_the_number_alone)
{
    struct pace p = {.rate = 20000, .open_max = 1000, .start_us = 1000000};
    cr_assert_eq(pace_time_us(&p, 123, 0), 1000000);
    cr_assert_eq(pace_time_us(&p, 456, 20), 1001000);
    cr_assert_eq(pace_next_us(&p, 20), 1001000);
    cr_assert_eq(pace_time_us(&p, 0, 20000ull * 3600), 1000000 + 3600000000ull);
}

Test(pace, an_open_loop_sends_everything_that_is_due)
{
    struct pace p = {.rate = 20000, .open_max = 1000, .start_us = 1000000};
    cr_assert_eq(pace_due(&p, 1000000, 0, 0), 1);
    cr_assert_eq(pace_due(&p, 1000049, 1, 1), 0);
    cr_assert_eq(pace_due(&p, 1000050, 1, 1), 1);
    cr_assert_eq(pace_due(&p, 1001000, 1, 1), 20); /* a slow turn is made good at once */
    cr_assert_eq(p.held, 0);
}

Test(pace, what_meets_the_bound_is_held_and_reported)
{
    struct pace p = {.rate = 20000, .open_max = 10, .start_us = 1000000};
    cr_assert_eq(pace_due(&p, 1001000, 1, 1), 9);
    cr_assert_eq(p.held, 1);
    cr_assert_eq(pace_due(&p, 1001000, 10, 10), 0);
    cr_assert_eq(p.held, 2);
    cr_assert_eq(pace_time_us(&p, 0, 10), 1000500); /* and waits on its own account */
}

Test(pace, an_open_loop_ends_with_its_schedule)
{
    struct pace p = {.rate = 1000, .open_max = 100000, .duration_us = 2000000};
    cr_assert_eq(pace_due(&p, 9000000, 0, 0), 2000);
    cr_assert(pace_over(&p, 100, 2000));
    cr_assert_eq(pace_next_us(&p, 2000), UINT64_MAX);
    p.count = 50;
    cr_assert_eq(pace_due(&p, 9000000, 0, 0), 50);
}
