/* Whether anybody could get in: told when nobody could, and when somebody can again. */
#include "broker/pulse.h"

#include <criterion/criterion.h>

Test(pulse, probe_is_due_at_once_and_then_every_second)
{
    struct pulse p;
    pulse_init(&p, 5000);
    cr_assert(pulse_due(&p, 5000));
    cr_assert_not(pulse_due(&p, 5000 + PULSE_MS - 1));
    cr_assert(pulse_due(&p, 5000 + PULSE_MS));
    cr_assert_not(pulse_due(&p, 5000 + PULSE_MS), "it is taken as made");
    cr_assert(pulse_due(&p, 5000 + 2 * PULSE_MS));
}

Test(pulse, silence_is_told_once_and_so_is_its_end)
{
    struct pulse p;
    struct event e;
    pulse_init(&p, 5000);
    cr_assert_not(pulse_step(&p, 5000 + PULSE_LOST_MS, &e));
    cr_assert(pulse_step(&p, 5001 + PULSE_LOST_MS, &e));
    cr_assert_eq(e.kind, EVENT_AUTH_UNAVAILABLE);
    cr_assert_eq(e.value, PULSE_LOST_MS + 1);
    cr_assert_not(pulse_step(&p, 9001 + PULSE_LOST_MS, &e));
    cr_assert(pulse_heard(&p, 15000, &e));
    cr_assert_eq(e.kind, EVENT_AUTH_AVAILABLE);
    cr_assert_eq(e.value, 10000);
    cr_assert_not(pulse_heard(&p, 15001, &e));
    cr_assert_not(pulse_step(&p, 15002, &e));
}
