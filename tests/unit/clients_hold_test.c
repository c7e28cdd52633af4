/* Messages that wait for their user because their contact's keys are in doubt (PROTOCOL 6.10): which ones, for how long, and
 * what lets them go. */
#include "tests/unit/clients_fixture.h"
#include "tests/unit/duet.h"

#include <sodium.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct contact held_in(struct state *s, struct account_id account)
{
    struct contact c;
    ok(state_begin(s, STATE_READ));
    ok(state_contact_get(s, account, &c));
    ok(state_commit(s));
    return c;
}

static void held_set(struct state *s, const struct contact *c)
{
    ok(state_begin(s, STATE_WRITE));
    ok(state_contact_put(s, c));
    ok(state_commit(s));
}

/* ---- founded anew by the recovery key ---- */

static void recovery_does(struct fixture *f, struct entry_plan plan, const uint8_t sk[64])
{
    struct buffer *entry = &f->bob_entries[f->bob_log.length];
    buffer_clear(entry);
    identity_log_make(&f->bob_log, &plan, sk, entry);
    ok(identity_log_append(&f->bob_log, buffer_view(entry), &f->arena));
}

static void bob_sets_recovery(struct fixture *f, uint8_t sk[64])
{
    static const uint8_t seed[32] = {77};
    struct entry_plan plan = {.operation = ENTRY_SET_RECOVERY};
    crypto_sign_seed_keypair(plan.recovery.bytes, sk, seed);
    bob_does(f, plan);
}

static void recovery_adds(struct fixture *f, uint8_t n, const uint8_t sk[64])
{
    uint8_t device_sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = record_of(n, device_sk)};
    device_prove(f->bob.account, &plan.record, device_sk, &plan.proof);
    recovery_does(f, plan, sk);
}

static void held_for(struct fixture *f, uint64_t order, enum status why)
{
    struct outbox_row row = row_at(f, order);
    cr_assert(row.state == MESSAGE_HELD && row.reason == why, "%u %s", row.state, status_name(row.reason));
}

/* Bob, who has a recovery key, is known; a message is on its way to him when that key brings in a device. */
struct anew {
    uint8_t sk[64];
    struct outbox_row accepted, sent, waits;
};

static void anew_begin(struct fixture *f, struct anew *a)
{
    struct sent s;
    bob_sets_recovery(f, a->sk);
    bob_and_session(f);
    a->accepted = write_to(f, "bob", "before", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    a->sent = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    lose_connection(f);
    bind_session(f);
    said_send(f, &s); /* the same bytes: that one may have come */
    recovery_adds(f, 5, a->sk);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    a->waits = write_to(f, "bob", "new", NULL);
}

ENGINE_TEST(hold, a_device_of_the_recovery_key_holds_what_was_not_accepted)
{
    struct anew a;
    anew_begin(f, &a);
    held_for(f, a.sent.order, STATUS_CONTACT_RECOVERED);
    held_for(f, a.waits.order, STATUS_CONTACT_RECOVERED);
    cr_assert_eq(state_of(f, a.accepted.order), MESSAGE_ACCEPTED, "what is at the relay is not touched");
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    restart(f);
    bind_session(f);
    struct outbox_row later = write_to(f, "bob", "later", NULL);
    pass(f, 60000);
    held_for(f, later.order, STATUS_CONTACT_RECOVERED);
    held_for(f, a.sent.order, STATUS_CONTACT_RECOVERED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    cr_assert_eq(held_in(f->state, f->bob.account).hold, LOSS_RECOVERY);
}

ENGINE_TEST(hold, the_release_of_one_lets_all_go_and_does_not_ask_again)
{
    struct anew a;
    struct sent s;
    anew_begin(f, &a);
    ok(engine_release(f->e, f->now, &a.waits.key));
    turn(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 2u);
    accept_all(f, &s);
    cr_assert(state_of(f, a.waits.order) == MESSAGE_ACCEPTED && state_of(f, a.sent.order) == MESSAGE_ACCEPTED);
    restart(f);
    bind_session(f);
    struct outbox_row later = write_to(f, "bob", "later", NULL);
    cr_assert_neq(state_of(f, later.order), MESSAGE_HELD);
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
    said_send(f, &s);
    recovery_adds(f, 6, a.sk); /* another one is another question */
    struct msg_stale stale = stale_since(f, 3);
    answer_stale(f, &s, &stale);
    held_for(f, later.order, STATUS_CONTACT_RECOVERED);
}

ENGINE_TEST(hold, who_is_verified_gets_what_waited)
{
    struct anew a;
    struct sent s;
    anew_begin(f, &a);
    ok(engine_verify(f->e, f->now, f->bob.account, false));
    turn(f);
    held_for(f, a.waits.order, STATUS_CONTACT_RECOVERED);
    ok(engine_verify(f->e, f->now, f->bob.account, true));
    turn(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 2u);
    cr_assert_eq(held_in(f->state, f->bob.account).hold, LOSS_NONE);
}

ENGINE_TEST(hold, a_device_that_the_recovery_key_revokes_holds_nothing)
{
    uint8_t sk[64];
    struct sent s;
    bob_sets_recovery(f, sk);
    struct device_id second = bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    recovery_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = second}, sk);
    struct msg_stale stale = stale_since(f, 2);
    answer_stale(f, &s, &stale);
    cr_assert_neq(state_of(f, row.order), MESSAGE_HELD);
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
}

/* Who is met after it is whom one meets. */
ENGINE_TEST(hold, a_contact_that_was_recovered_before_we_knew_it_holds_nothing)
{
    uint8_t sk[64];
    bob_sets_recovery(f, sk);
    recovery_adds(f, 5, sk);
    session_only(f);
    (void)write_to(f, "bob", "x", NULL);
    answer_lookups(f);
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
    cr_assert_eq(held_in(f->state, f->bob.account).hold, LOSS_NONE);
}

/* ---- rolled back ---- */

/* The relay has only the first entry, takes ours, and shows that it has them not. */
static void set_back(struct fixture *f, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        for (unsigned second = 0; second < 60 && !said_count(f, KIND_APPEND); second++)
            pass(f, 1000);
        struct frame append = said(f, KIND_APPEND, NULL, NULL);
        struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
        answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
        for (unsigned second = 0; second < 60 && !said_count(f, KIND_LOOKUP); second++)
            pass(f, 1000);
        answer_lookups(f);
    }
}

static struct outbox_row behind_begin(struct fixture *f)
{
    struct sent s;
    (void)bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1});
    return row;
}

ENGINE_TEST(hold, a_log_that_is_set_back_and_does_not_mend_holds_the_message)
{
    struct outbox_row row = behind_begin(f);
    set_back(f, 3);
    cr_assert_neq(state_of(f, row.order), MESSAGE_HELD, "it may have lost them more than once");
    set_back(f, 1);
    held_for(f, row.order, STATUS_CONTACT_BEHIND);
    held_for(f, write_to(f, "bob", "y", NULL).order, STATUS_CONTACT_BEHIND);
    cr_assert_eq(held_in(f->state, f->bob.account).hold, LOSS_ROLLBACK);
    ok(engine_release(f->e, f->now, &row.key));
    set_back(f, 6); /* it says the same for ever */
    cr_assert_neq(state_of(f, row.order), MESSAGE_HELD);
    cr_assert_eq(held_in(f->state, f->bob.account).hold, LOSS_NONE);
}

ENGINE_TEST(hold, a_log_that_mends_holds_nothing)
{
    struct outbox_row row = behind_begin(f);
    set_back(f, 2);
    for (unsigned second = 0; second < 60 && !said_count(f, KIND_APPEND); second++)
        pass(f, 1000);
    struct frame append = said(f, KIND_APPEND, NULL, NULL);
    bob_forgets(f, 2);
    struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
    answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
    answer_lookups(f);
    pass(f, 10000);
    cr_assert_neq(state_of(f, row.order), MESSAGE_HELD);
    cr_assert_geq(said_count(f, KIND_SEND), 1u);
}

/* A message in doubt is another question than its contact's keys. */
ENGINE_TEST(hold, the_release_of_a_message_in_doubt_lifts_nothing)
{
    struct anew a;
    anew_begin(f, &a);
    struct outbox_row row = row_at(f, a.sent.order);
    row.state = MESSAGE_UNKNOWN;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_outbox_put(f->state, &row));
    ok(state_commit(f->state));
    ok(engine_release(f->e, f->now, &row.key));
    turn(f);
    held_for(f, row.order, STATUS_CONTACT_RECOVERED);
    held_for(f, a.waits.order, STATUS_CONTACT_RECOVERED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
}

/* ---- what devices say of their log ---- */

static struct account_id account_of(const struct duet *d, int who)
{
    return d->party[who].me.account;
}

static struct contact of_alice(struct duet *d)
{
    return held_in(d->party[BOB].state, account_of(d, ALICE));
}

static void talk(struct duet *d)
{
    (void)say(d, ALICE, "one");
    cr_assert_str_eq(read_all(d, BOB), "one");
    (void)say(d, BOB, "two");
    cr_assert_str_eq(read_all(d, ALICE), "two");
}

/* Alice's own words about her log are these, whatever the relay shows of it. */
static void alice_believes(struct duet *d, uint64_t version, uint8_t mark)
{
    struct contact own = held_in(d->party[ALICE].state, account_of(d, ALICE));
    own.log.key_version = version;
    own.log.version_head.bytes[3] ^= mark;
    held_set(d->party[ALICE].state, &own);
}

static void bob_is_held(struct duet *d, enum loss why, enum status reason)
{
    struct outbox_row row = duet_row(d, BOB, say(d, BOB, "waits"));
    uint64_t order = row.order;
    cr_assert(row.state == MESSAGE_HELD && row.reason == reason, "%u %s", row.state, status_name(row.reason));
    cr_assert_eq(of_alice(d).hold, why);
    duet_restart(d, BOB);
    ok(engine_release(d->party[BOB].e, d->now, &row.key));
    duet_pass(d, 10000);
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED, "%u", duet_state(d, BOB, order));
}

/* A withheld revocation: her device is ahead of what the relay shows. */
DUET_TEST(hold, a_version_that_the_relay_does_not_show_holds)
{
    talk(d);
    alice_believes(d, 2, 1);
    (void)say(d, ALICE, "I have revoked one");
    cr_assert_eq(of_alice(d).stated_version, 2u);
    duet_pass(d, 60000);
    cr_assert_eq(of_alice(d).hold, LOSS_ROLLBACK);
    bob_is_held(d, LOSS_ROLLBACK, STATUS_CONTACT_BEHIND);
    (void)say(d, ALICE, "as I said");
    duet_pass(d, 60000);
    cr_assert_eq(of_alice(d).hold, LOSS_NONE, "the same is not asked again");
}

DUET_TEST(hold, a_version_that_the_relay_shows_holds_nothing)
{
    talk(d);
    ok(engine_rotate(d->party[ALICE].e, d->now));
    duet_pass(d, 1000);
    (void)say(d, ALICE, "with another key");
    duet_pass(d, 60000);
    cr_assert_str_eq(read_all(d, BOB), "with another key");
    cr_assert(of_alice(d).hold == LOSS_NONE && of_alice(d).log.key_version == 2 && of_alice(d).stated_version == 0);
    uint64_t order = say(d, BOB, "goes");
    duet_pass(d, 5000);
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
}

/* Two of her devices, or one twice, name another head of a version that nobody has shown. */
DUET_TEST(hold, two_heads_of_one_version_are_a_fork_before_it_is_shown)
{
    talk(d);
    alice_believes(d, 2, 1);
    (void)say(d, ALICE, "one history");
    alice_believes(d, 2, 2);
    (void)say(d, ALICE, "another one");
    cr_assert(of_alice(d).hold == LOSS_FORK && duet_happened(d, BOB, ENGINE_FORKED));
    bob_is_held(d, LOSS_FORK, STATUS_CONTACT_FORKED);
}

/* A ghost: the relay shows us more than she has, of another history. */
DUET_TEST(hold, an_earlier_version_with_another_head_is_a_fork)
{
    talk(d);
    ok(engine_rotate(d->party[ALICE].e, d->now));
    duet_pass(d, 1000);
    (void)say(d, ALICE, "now");
    duet_pass(d, 5000);
    cr_assert_eq(of_alice(d).log.key_version, 2u);
    alice_believes(d, 1, 1);
    (void)say(d, ALICE, "I have never had another one");
    cr_assert(of_alice(d).hold == LOSS_FORK && duet_happened(d, BOB, ENGINE_FORKED));
    bob_is_held(d, LOSS_FORK, STATUS_CONTACT_FORKED);
}

DUET_TEST(hold, an_earlier_version_with_its_own_head_is_a_device_that_knows_less)
{
    struct contact own;
    talk(d);
    ok(engine_rotate(d->party[ALICE].e, d->now));
    duet_pass(d, 1000);
    (void)say(d, ALICE, "now");
    duet_pass(d, 5000);
    own = held_in(d->party[ALICE].state, account_of(d, ALICE));
    own.log.key_version = 1;
    memcpy(&own.log.version_head, &own.log.account, sizeof own.log.account);
    held_set(d->party[ALICE].state, &own);
    (void)say(d, ALICE, "not heard yet");
    cr_assert_eq(of_alice(d).hold, LOSS_NONE);
    cr_assert_not(duet_happened(d, BOB, ENGINE_FORKED));
}

DUET_TEST(hold, a_version_that_no_log_has_is_no_statement)
{
    talk(d);
    alice_believes(d, LOG_LENGTH_MAX + 1, 1);
    (void)say(d, ALICE, "nonsense");
    duet_pass(d, 60000);
    cr_assert(of_alice(d).hold == LOSS_NONE && of_alice(d).stated_version == 0);
}

/* ---- silence ---- */

#define DAY_MS (24ull * 3600 * 1000)

static void silent_for(struct duet *d, uint64_t ms)
{
    struct contact c = of_alice(d);
    c.stated_ms = d->now.wall_ms - ms;
    held_set(d->party[BOB].state, &c);
    d->party[BOB].event_count = 0;
    (void)say(d, BOB, "anybody there?");
}

DUET_TEST(hold, a_contact_that_has_said_nothing_for_two_weeks_is_told_of_once)
{
    talk(d);
    cr_assert_gt(of_alice(d).stated_ms, 0u);
    silent_for(d, 15 * DAY_MS);
    cr_assert(duet_happened(d, BOB, ENGINE_SILENT));
    struct contact c = of_alice(d);
    cr_assert(engine_is_silent(d->party[BOB].e, d->now, &c));
    d->party[BOB].event_count = 0;
    (void)say(d, BOB, "still nobody?");
    cr_assert_not(duet_happened(d, BOB, ENGINE_SILENT));
    (void)say(d, ALICE, "I am");
    c = of_alice(d);
    cr_assert_not(engine_is_silent(d->party[BOB].e, d->now, &c));
}

DUET_TEST(hold, one_that_has_spoken_within_them_is_not)
{
    talk(d);
    silent_for(d, 13 * DAY_MS);
    cr_assert_not(duet_happened(d, BOB, ENGINE_SILENT));
}

/* ---- a session without a one-time prekey ---- */

DUET_TEST(hold, a_session_without_a_one_time_prekey_is_told)
{
    d->party[BOB].one_time_count = 0;
    (void)say(d, ALICE, "one");
    cr_assert(duet_happened(d, ALICE, ENGINE_WEAK));
}

DUET_TEST(hold, a_session_with_one_is_not)
{
    (void)say(d, ALICE, "one");
    cr_assert_not(duet_happened(d, ALICE, ENGINE_WEAK));
}
