/* A linking that comes to nothing (PROTOCOL 6.5): its home hears it, goes on trying, and is let in late; or takes part in another
 * one, in which nothing of the old is left. */
#include "clients/join.h"
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define UNTIL_MS (30u * 60 * 1000)

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

/* The fixture's device has consented, with UNTIL_MS to go. */
static void joins(struct fixture *f, struct hash256 head)
{
    struct msg_link_offer offer = {.log = f->my_log, .device = f->me.device};
    offer.log.head = head;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_joining_put(f->state, &offer, view_of(NULL, 0), f->now.wall_ms + UNTIL_MS));
    ok(state_commit(f->state));
    restart(f);
    engine_up(f->e, f->now);
    turn(f);
}

static void registered(struct fixture *f)
{
    bind_session(f);
    lose_connection(f);
    said_forget(f);
    events_forget(f);
}

static void hello_refused(struct fixture *f, enum status s)
{
    struct msg_hello hello;
    struct frame frame = said(f, KIND_HELLO, &msg_hello_desc, &hello);
    refuse(f, &frame, s, 0);
}

static struct joining_facts facts(struct fixture *f)
{
    struct joining_facts facts;
    ok(state_begin(f->state, STATE_READ));
    ok(state_joining(f->state, &f->arena, &facts));
    state_rollback(f->state);
    return facts;
}

ENGINE_TEST(joining, a_no_is_written_down_and_is_not_the_end_while_somebody_may_say_yes)
{
    bool over;
    registered(f);
    joins(f, f->my_log.head);
    cr_assert_eq(facts(f).refused_ms, 0u);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert_eq(facts(f).refused_ms, f->now.wall_ms);
    struct joining_facts now = facts(f);
    cr_assert_not(joining_is_over(&now));
    cr_assert_not(has_happened(f, ENGINE_UNLINKED));
    cr_assert(engine_is_joining(f->e, &over) && !over);
}

ENGINE_TEST(joining, a_no_when_nobody_can_say_yes_any_more_is_the_end_and_is_told_once)
{
    bool over;
    registered(f);
    joins(f, f->my_log.head);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    f->now.mono_ms += UNTIL_MS;
    f->now.wall_ms += UNTIL_MS;
    turn(f);
    hello_refused(f, STATUS_NOT_FOUND);
    cr_assert(has_happened(f, ENGINE_UNLINKED));
    struct joining_facts now = facts(f);
    cr_assert(joining_is_over(&now));
    cr_assert(engine_is_joining(f->e, &over) && over);
    events_forget(f);
    pass(f, 120000);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert_not(has_happened(f, ENGINE_UNLINKED));
}

ENGINE_TEST(joining, who_was_put_out_before_it_was_in_is_told_the_same)
{
    registered(f);
    joins(f, f->my_log.head);
    f->now.mono_ms += UNTIL_MS;
    f->now.wall_ms += UNTIL_MS;
    hello_refused(f, STATUS_REFUSED);
    struct joining_facts now = facts(f);
    cr_assert(joining_is_over(&now));
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_REFUSED);
}

ENGINE_TEST(joining, a_no_that_could_not_be_written_down_is_heard_again)
{
    registered(f);
    joins(f, f->my_log.head);
    memory_state_lock(f->state, 1);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert_eq(facts(f).refused_ms, 0u);
    pass(f, 6000);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert_neq(facts(f).refused_ms, 0u);
}

ENGINE_TEST(joining, after_the_end_it_is_tried_on_and_a_late_yes_counts)
{
    registered(f);
    joins(f, f->my_log.head);
    f->now.mono_ms += UNTIL_MS;
    f->now.wall_ms += UNTIL_MS;
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert(has_happened(f, ENGINE_UNLINKED));
    pass(f, 6000);
    greet(f);
    cr_assert(has_happened(f, ENGINE_LINKED));
    bool over;
    cr_assert_not(engine_is_joining(f->e, &over) || over);
    cr_assert_not(facts(f).joining);
}

/* ---- another process of the home has begun anew ---- */

/* Only what counts: the home is another device's, which has consented to what the first one had. */
static void begins_anew(struct fixture *f)
{
    struct msg_link_offer offer = {.log = f->my_log, .device = f->me.device};
    struct state_identity other;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_identity_get(f->state, &f->arena, &other));
    other.device = (struct device_id){{0xab}};
    other.record = record_of(7, (uint8_t[64]){0});
    ok(state_identity_put(f->state, &other));
    ok(state_joining_put(f->state, &offer, view_of(NULL, 0), f->now.wall_ms + UNTIL_MS));
    ok(state_commit(f->state));
}

ENGINE_TEST(joining, a_device_that_its_home_has_given_up_is_not_let_in_by_what_another_one_was_offered)
{
    registered(f);
    joins(f, f->my_log.head);
    begins_anew(f);
    greet(f);
    cr_assert_not(has_happened(f, ENGINE_LINKED));
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_STATE);
    cr_assert(facts(f).joining, "the other one");
}

ENGINE_TEST(joining, a_device_that_its_home_has_given_up_writes_down_no_refusal)
{
    registered(f);
    joins(f, f->my_log.head);
    begins_anew(f);
    hello_refused(f, STATUS_UNAUTHENTICATED);
    cr_assert_eq(facts(f).refused_ms, 0u);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_STATE);
}

ENGINE_TEST(joining, a_process_whose_home_has_become_another_device_connects_no_more)
{
    registered(f);
    joins(f, f->my_log.head);
    lose_connection(f);
    said_forget(f);
    begins_anew(f);
    engine_up(f->e, f->now);
    turn(f);
    cr_assert_eq(said_count(f, KIND_HELLO), 0u);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_STATE);
}
