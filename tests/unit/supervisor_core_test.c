/* supervisor: every decision about the children, with the clock in the test's hand. */
#include "broker/wire/slab.h"
#include "workers/supervisor/supervisor.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct supervisor s;
static struct orders orders;

static void step(uint64_t now_ms)
{
    supervisor_step(&s, now_ms, &orders);
}

static bool ordered(enum order_kind kind, enum child_id child)
{
    for (size_t i = 0; i < orders.count; i++)
        if (orders.list[i].kind == kind && orders.list[i].child == child) return true;
    return false;
}

static struct event ended(enum child_id child, int exit_code, int signal, uint64_t now_ms)
{
    struct ending how = {.exit_code = exit_code, .signal = signal};
    return supervisor_ended(&s, child, how, now_ms);
}

static void ordered_start(void)
{
    for (size_t i = 0; i < orders.count; i++)
        supervisor_started(&s, orders.list[i].child, true, 0);
}

static void all_running(void)
{
    supervisor_init(&s, false, 2000, 5000, 0);
    step(0);
    ordered_start();
}

TestSuite(supervisor, .init = all_running);

Test(supervisor, starts_all_three_once)
{
    supervisor_init(&s, false, 2000, 5000, 0);
    step(0);
    cr_assert_eq(orders.count, 3);
    cr_assert(ordered(ORDER_START, CHILD_BROKER) && ordered(ORDER_START, CHILD_FANOUT));
    ordered_start();
    step(1);
    cr_assert_eq(orders.count, 0);
    cr_assert_eq(supervisor_deadline(&s), UINT64_MAX);
}

/* Broker and storage in one process: that and fan-out are all there is, and it drains first. */
Test(supervisor, joined_has_two)
{
    supervisor_init(&s, true, 2000, 5000, 0);
    step(0);
    cr_assert(orders.count == 2 && ordered(ORDER_START, CHILD_RELAY) && ordered(ORDER_START, CHILD_FANOUT));
    ordered_start();
    struct event e = ended(CHILD_RELAY, 0, SIGKILL, 10);
    cr_assert(e.kind == EVENT_PROCESS_DIED && e.code == ROLE_RELAY);
    step(10);
    cr_assert(orders.count == 1 && ordered(ORDER_START, CHILD_RELAY));
    ordered_start();
    supervisor_stop(&s);
    step(20);
    cr_assert(orders.count == 1 && ordered(ORDER_TERM, CHILD_RELAY));
    step(20 + 2000 + 2 * KILL_MARGIN_MS - 1); /* the time of both its halves */
    cr_assert_eq(orders.count, 0);
    ended(CHILD_RELAY, 0, 0, 8000);
    step(8000);
    cr_assert(orders.count == 1 && ordered(ORDER_TERM, CHILD_FANOUT));
    ended(CHILD_FANOUT, 0, 0, 8001);
    step(8001);
    cr_assert(orders.count == 0 && supervisor_done(&s));
}

Test(supervisor, first_restart_is_immediate)
{
    struct event e = ended(CHILD_STORAGE, 0, SIGKILL, 10);
    cr_assert(e.kind == EVENT_PROCESS_DIED && e.code == child_role(CHILD_STORAGE));
    cr_assert(e.count == 1 && e.value == 128 + SIGKILL);
    cr_assert_eq(supervisor_deadline(&s), 10);
    step(10);
    cr_assert(orders.count == 1 && ordered(ORDER_START, CHILD_STORAGE));
}

Test(supervisor, back_off_doubles_to_five_seconds_and_starts_over_after_a_long_life)
{
    static const uint64_t waits[] = {0, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    uint64_t now_ms = 0;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        ended(CHILD_BROKER, 1, 0, now_ms);
        cr_assert_eq(supervisor_deadline(&s), now_ms + waits[i]);
        if (waits[i]) {
            step(now_ms + waits[i] - 1);
            cr_assert_eq(orders.count, 0);
        }
        now_ms += waits[i];
        step(now_ms);
        cr_assert(ordered(ORDER_START, CHILD_BROKER));
        supervisor_started(&s, CHILD_BROKER, true, now_ms);
    }
    now_ms += STEADY_MS;
    ended(CHILD_BROKER, 1, 0, now_ms);
    cr_assert_eq(supervisor_deadline(&s), now_ms);
}

Test(supervisor, a_fork_that_fails_backs_off)
{
    ended(CHILD_FANOUT, 1, 0, 5);
    step(5);
    supervisor_started(&s, CHILD_FANOUT, false, 5);
    cr_assert_eq(supervisor_deadline(&s), 5 + BACKOFF_FIRST_MS);
    step(5 + BACKOFF_FIRST_MS);
    cr_assert(ordered(ORDER_START, CHILD_FANOUT));
}

Test(supervisor, a_clean_end_is_restarted_and_is_no_death)
{
    struct event e = ended(CHILD_BROKER, 0, 0, 5);
    cr_assert_eq(e.kind, EVENT_PROCESS_STOPPED);
    step(5);
    cr_assert(ordered(ORDER_START, CHILD_BROKER));
}

Test(supervisor, stops_broker_then_fanout_then_storage)
{
    supervisor_stop(&s);
    step(100);
    cr_assert(orders.count == 1 && ordered(ORDER_TERM, CHILD_BROKER));
    cr_assert_eq(supervisor_deadline(&s), 100 + 2000 + KILL_MARGIN_MS);
    step(101);
    cr_assert_eq(orders.count, 0, "one SIGTERM is enough");
    ended(CHILD_BROKER, 0, 0, 200);
    step(200);
    cr_assert(orders.count == 1 && ordered(ORDER_TERM, CHILD_FANOUT));
    ended(CHILD_FANOUT, 0, 0, 300);
    step(300);
    cr_assert(orders.count == 1 && ordered(ORDER_TERM, CHILD_STORAGE));
    cr_assert(!supervisor_done(&s));
    ended(CHILD_STORAGE, 0, 0, 400);
    step(400);
    cr_assert(supervisor_done(&s) && orders.count == 0 && !s.overdue && !s.refused);
}

Test(supervisor, kills_only_after_the_bound_and_once)
{
    supervisor_stop(&s);
    step(0);
    step(2000 + KILL_MARGIN_MS - 1);
    cr_assert(orders.count == 0 && !s.overdue);
    step(2000 + KILL_MARGIN_MS);
    cr_assert(orders.count == 1 && ordered(ORDER_KILL, CHILD_BROKER));
    cr_assert(s.overdue && supervisor_deadline(&s) == UINT64_MAX);
    step(99999);
    cr_assert_eq(orders.count, 0);
    struct event e = ended(CHILD_BROKER, 0, SIGKILL, 99999);
    cr_assert(e.kind == EVENT_PROCESS_DIED && e.count == 0);
    step(99999);
    cr_assert(ordered(ORDER_TERM, CHILD_FANOUT));
}

Test(supervisor, storage_is_still_restarted_while_the_broker_drains)
{
    supervisor_stop(&s);
    step(0);
    ended(CHILD_STORAGE, 0, SIGKILL, 10);
    step(10);
    cr_assert(orders.count == 1 && ordered(ORDER_START, CHILD_STORAGE));
}

Test(supervisor, what_is_backing_off_is_not_started_to_be_stopped)
{
    ended(CHILD_BROKER, 1, 0, 0);
    ended(CHILD_FANOUT, 1, 0, 0);
    supervisor_stop(&s);
    step(0);
    cr_assert(ordered(ORDER_TERM, CHILD_STORAGE));
    cr_assert(!ordered(ORDER_START, CHILD_BROKER) && !ordered(ORDER_START, CHILD_FANOUT));
    ended(CHILD_STORAGE, 0, 0, 1);
    cr_assert(supervisor_done(&s));
}

static void refuse(enum child_id child, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        ended(child, 2, 0, i * 1000);
        step(i * 1000 + 999);
        if (ordered(ORDER_START, child)) supervisor_started(&s, child, true, i * 1000 + 999);
    }
}

Test(supervisor, a_child_that_refuses_again_and_again_stops_the_relay)
{
    refuse(CHILD_STORAGE, REFUSALS_MAX);
    cr_assert(s.refused && s.refuser == CHILD_STORAGE);
    cr_assert(ordered(ORDER_TERM, CHILD_BROKER) && !ordered(ORDER_START, CHILD_STORAGE));
    ended(CHILD_BROKER, 0, 0, 9000);
    step(9000);
    ended(CHILD_FANOUT, 0, 0, 9001);
    cr_assert(supervisor_done(&s));
}

Test(supervisor, refusals_with_another_end_between_do_not_add_up)
{
    refuse(CHILD_STORAGE, REFUSALS_MAX - 1);
    ended(CHILD_STORAGE, 1, 0, 4000);
    step(9000);
    supervisor_started(&s, CHILD_STORAGE, true, 9000);
    ended(CHILD_STORAGE, 2, 0, 9000);
    cr_assert(!s.refused && !s.stopping);
}

Test(supervisor, the_table_lists_each_allowed_pair_and_no_other)
{
    static const char *const expected[CHILD_STATE_COUNT] = {
        /* wanted, started, ended, due, unwanted */
        [CHILD_STOPPED] = "1...0", [CHILD_STARTING] = ".23.0", [CHILD_RUNNING] = "..3.4",
        [CHILD_BACKING_OFF] = "...10", [CHILD_STOPPING] = "..0.4"};
    for (size_t state = 0; state < CHILD_STATE_COUNT; state++)
        for (size_t event = 0; event < CHILD_EVENT_COUNT; event++) {
            enum child_state to = CHILD_STOPPED;
            bool allowed = child_next((enum child_state)state, (enum child_event)event, &to);
            char got = allowed ? (char)('0' + (int)to) : '.';
            cr_assert_eq(got, expected[state][event], "state %zu event %zu", state, event);
        }
}
