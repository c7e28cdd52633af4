/* Requests are turned on: whoever the account has written to is no stranger, whichever of its devices it was, and wherever this
 * home has it from. */
#include "clients/history.h"
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>

static struct account_id other(uint8_t n)
{
    return (struct account_id){{n, 9}};
}

static void turn_on(struct fixture *f)
{
    cr_assert_eq(engine_mode_set(f->e, f->now, CONTACT_MODE_REQUESTS), STATUS_OK);
    turn(f);
}

static enum contact_verdict verdict(struct fixture *f, struct account_id account)
{
    struct state_verdict v;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    enum status s = state_verdict_get(f->state, account, &v);
    cr_assert(s == STATUS_OK || s == STATUS_NOT_FOUND);
    state_rollback(f->state);
    return verdict_now(&v);
}

/* As a copy, or a backup, brings it. */
static void written(struct fixture *f, uint8_t id, struct account_id sender, struct account_id to)
{
    struct history_item in = {.sender = sender, .id = {{id}}, .to = to, .accepted_ms = 1000, .payload = view_of("hello", 5)};
    bool added;
    cr_assert_eq(state_begin(f->state, STATE_WRITE), STATUS_OK);
    cr_assert_eq(history_put_in(f->state, &(struct history_owner){f->me.account, f->me.device}, &in, 2000, &added), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
    cr_assert(added);
}

ENGINE_TEST(policy_mode, whom_another_device_or_a_backup_has_written_to_is_no_stranger)
{
    session_only(f);
    for (uint8_t i = 0; i < 40; i++) /* more than are read at once */
        written(f, i, f->me.account, other(i));
    turn_on(f);
    for (uint8_t i = 0; i < 40; i++)
        cr_assert_eq(verdict(f, other(i)), CONTACT_ALLOWED, "%u", i);
}

ENGINE_TEST(policy_mode, who_has_only_written_to_us_is_one)
{
    static const struct account_id nobody;
    session_only(f);
    written(f, 1, other(1), nobody);
    written(f, 2, f->me.account, f->me.account); /* a note */
    written(f, 3, other(3), other(4));           /* what another says of its receivers is nothing to us */
    turn_on(f);
    cr_assert_eq(verdict(f, other(1)), CONTACT_NONE);
    cr_assert_eq(verdict(f, f->me.account), CONTACT_NONE);
    cr_assert_eq(verdict(f, other(3)), CONTACT_NONE);
    cr_assert_eq(verdict(f, other(4)), CONTACT_NONE);
    cr_assert_eq(verdict(f, nobody), CONTACT_NONE);
}

ENGINE_TEST(policy_mode, who_was_blocked_stays_so)
{
    session_only(f);
    written(f, 1, f->me.account, other(1));
    cr_assert_eq(engine_contact_set(f->e, f->now, other(1), CONTACT_BLOCKED), STATUS_OK);
    turn_on(f);
    cr_assert_eq(verdict(f, other(1)), CONTACT_BLOCKED);
}
