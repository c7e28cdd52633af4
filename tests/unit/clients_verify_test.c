/* Verified contacts (PROTOCOL 10.8): two devices compare what they hold; the mark is the user's alone to set, it stays with
 * what the contact itself signs, and is lost, and told, with what nobody verified vouches for. */
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

/* ---- two that compare ---- */

static struct account_id account_of(const struct duet *d, int who)
{
    return d->party[who].me.account;
}

static struct contact held(struct duet *d, int who)
{
    return held_in(d->party[who].state, account_of(d, !who));
}

static bool is_verified(struct duet *d, int who)
{
    struct contact c = held(d, who);
    cr_assert(c.verified_ms == 0 || c.loss == LOSS_NONE);
    return c.verified_ms > 0;
}

static struct safety_pair shown_by(struct duet *d, int who)
{
    struct safety_pair pair;
    ok(engine_safety(d->party[who].e, account_of(d, !who), &pair));
    return pair;
}

static struct safety_result scans(struct duet *d, int who, const struct safety_pair *shown)
{
    struct safety_result r;
    ok(engine_compare(d->party[who].e, d->now, account_of(d, !who), shown, &r));
    duet_settle(d);
    return r;
}

static enum safety_verdict scan(struct duet *d, int who)
{
    struct safety_pair shown = shown_by(d, !who);
    return scans(d, who, &shown).verdict;
}

static void verify(struct duet *d, int who)
{
    ok(engine_verify(d->party[who].e, d->now, account_of(d, !who), true));
}

/* Each holds the other's log. */
static void talk(struct duet *d)
{
    (void)say(d, ALICE, "one");
    cr_assert_str_eq(read_all(d, BOB), "one");
    (void)say(d, BOB, "two");
    cr_assert_str_eq(read_all(d, ALICE), "two");
}

static void rotates(struct duet *d, int who)
{
    ok(engine_rotate(d->party[who].e, d->now));
    duet_pass(d, 1000);
}

static struct engine_event lost(const struct duet *d, int who)
{
    struct engine_event found = {.status = STATUS_NOT_FOUND};
    for (size_t i = 0; i < d->party[who].event_count; i++)
        if (d->party[who].events[i].kind == ENGINE_UNVERIFIED) found = d->party[who].events[i];
    return found;
}

static void must_have_lost(struct duet *d, int who, enum loss why)
{
    struct contact c = held(d, who);
    struct engine_event event = lost(d, who);
    cr_assert(c.verified_ms == 0 && c.loss == why && c.lost_ms == d->now.wall_ms, "%d", c.loss);
    cr_assert(event.status == STATUS_OK && event.loss == why);
    cr_assert_eq(memcmp(&event.sender_account, &c.log.account, sizeof c.log.account), 0);
}

DUET_TEST(verify, two_that_have_spoken_match_and_are_verified_when_the_user_says_so)
{
    talk(d);
    cr_assert_eq(scan(d, ALICE), SAFETY_MATCH);
    cr_assert_eq(scan(d, BOB), SAFETY_MATCH);
    cr_assert_not(is_verified(d, ALICE), "by the user's word only");
    verify(d, ALICE);
    cr_assert(is_verified(d, ALICE) && !is_verified(d, BOB));
    duet_restart(d, ALICE);
    cr_assert(is_verified(d, ALICE));
    ok(engine_verify(d->party[ALICE].e, d->now, account_of(d, BOB), false));
    cr_assert_not(is_verified(d, ALICE));
    cr_assert_eq(held(d, ALICE).loss, LOSS_NONE);
    cr_assert_not(duet_happened(d, ALICE, ENGINE_UNVERIFIED));
}

DUET_TEST(verify, nobody_verifies_himself_or_whom_he_does_not_know)
{
    struct safety_pair pair;
    struct safety_result r;
    cr_assert_eq(engine_verify(d->party[ALICE].e, d->now, account_of(d, ALICE), true), STATUS_STATE);
    cr_assert_eq(engine_safety(d->party[ALICE].e, account_of(d, ALICE), &pair), STATUS_STATE);
    cr_assert_eq(engine_compare(d->party[ALICE].e, d->now, account_of(d, ALICE), &pair, &r), STATUS_STATE);
    cr_assert_eq(engine_verify(d->party[ALICE].e, d->now, account_of(d, BOB), true), STATUS_NOT_FOUND);
    cr_assert_eq(engine_safety(d->party[ALICE].e, account_of(d, BOB), &pair), STATUS_NOT_FOUND);
    cr_assert_eq(engine_compare(d->party[ALICE].e, d->now, account_of(d, BOB), &pair, &r), STATUS_NOT_FOUND);
    cr_assert_eq(r.verdict, 0);
}

DUET_TEST(verify, another_key_of_the_contact_leaves_the_mark_and_the_match)
{
    talk(d);
    verify(d, ALICE);
    rotates(d, BOB);
    rotates(d, BOB);
    (void)say(d, ALICE, "after");
    cr_assert_str_eq(read_all(d, BOB), "after");
    (void)say(d, BOB, "with the new key");
    duet_pass(d, 5000);
    cr_assert_str_eq(read_all(d, ALICE), "with the new key");
    cr_assert_eq(held(d, ALICE).log.length, 3u);
    cr_assert(is_verified(d, ALICE));
    cr_assert_not(duet_happened(d, ALICE, ENGINE_UNVERIFIED));
    cr_assert_eq(scan(d, ALICE), SAFETY_MATCH);
}

DUET_TEST(verify, a_text_of_before_is_a_beginning_and_one_of_after_is_looked_up)
{
    talk(d);
    struct safety_pair before = shown_by(d, BOB);
    rotates(d, BOB);
    struct safety_pair after = shown_by(d, BOB);
    cr_assert_eq(after.own.length, 2u);
    struct safety_result r = scans(d, ALICE, &after);
    cr_assert(r.verdict == SAFETY_NEWER && r.contact && !r.own);
    cr_assert_eq(scans(d, ALICE, &after).verdict, SAFETY_MATCH, "the rest has come meanwhile");
    cr_assert_eq(scans(d, ALICE, &before).verdict, SAFETY_MATCH);
    cr_assert_eq(scan(d, BOB), SAFETY_MATCH, "the other way round");
    cr_assert_eq(engine_counts(d->party[ALICE].e).forks, 0u);
}

/* What Bob shows of one log is what Alice has not: each byte of the head counts, now and at an earlier length. */
static void forks(struct duet *d, size_t which, uint64_t length)
{
    struct safety_pair shown = shown_by(d, BOB);
    struct safety_side *side = which ? &shown.own : &shown.contact;
    if (length < side->length) {
        side->length = length;
        memcpy(&side->head, &side->account, sizeof side->head); /* of the first entry it is the account */
    }
    cr_assert_eq(scans(d, ALICE, &shown).verdict, SAFETY_MATCH);
    for (size_t i = 0; i < sizeof side->head; i++) {
        verify(d, ALICE);
        d->party[ALICE].event_count = 0;
        side->head.bytes[i] ^= 0x10;
        struct safety_result r = scans(d, ALICE, &shown);
        side->head.bytes[i] ^= 0x10;
        cr_assert(r.verdict == SAFETY_FORK && r.contact == (which == 1) && r.own == (which == 0), "byte %zu", i);
        must_have_lost(d, ALICE, LOSS_FORK);
        cr_assert(duet_happened(d, ALICE, which ? ENGINE_FORKED : ENGINE_IDENTITY));
    }
}

DUET_TEST(verify, a_text_with_another_history_is_a_fork_and_takes_the_mark)
{
    talk(d);
    rotates(d, ALICE);
    rotates(d, BOB);
    for (int who = 0; who < PARTIES; who++) {
        cr_assert_eq(scan(d, who), SAFETY_NEWER);
        cr_assert_eq(scan(d, who), SAFETY_MATCH);
    }
    for (size_t which = 0; which < 2; which++) {
        forks(d, which, 2);
        forks(d, which, 1);
    }
    verify(d, ALICE);
    cr_assert(is_verified(d, ALICE), "again");
}

DUET_TEST(verify, a_text_of_somebody_else_changes_nothing)
{
    talk(d);
    verify(d, ALICE);
    struct safety_pair shown = shown_by(d, BOB);
    shown.own.account.bytes[31] ^= 1;
    cr_assert_eq(scans(d, ALICE, &shown).verdict, SAFETY_OTHER);
    shown = shown_by(d, ALICE);
    cr_assert_eq(scans(d, ALICE, &shown).verdict, SAFETY_OTHER, "one's own screen");
    cr_assert(is_verified(d, ALICE));
}

DUET_TEST(verify, a_message_of_another_history_takes_the_mark)
{
    struct contact c;
    talk(d);
    verify(d, BOB);
    ok(state_begin(d->party[BOB].state, STATE_WRITE));
    ok(state_contact_get(d->party[BOB].state, account_of(d, ALICE), &c));
    c.log.version_head.bytes[0] ^= 1; /* the relay has shown Bob another log of Alice's than she has */
    ok(state_contact_put(d->party[BOB].state, &c));
    ok(state_commit(d->party[BOB].state));
    (void)say(d, ALICE, "three");
    cr_assert(duet_happened(d, BOB, ENGINE_FORKED));
    must_have_lost(d, BOB, LOSS_FORK);
    cr_assert_str_eq(read_all(d, BOB), "three");
}

DUET_TEST(verify, whatever_call_of_the_state_fails_a_fork_takes_the_mark_or_is_said_again)
{
    talk(d);
    struct safety_pair shown = shown_by(d, BOB);
    shown.own.head.bytes[0] ^= 1;
    for (uint64_t nth = 1; nth < 14; nth++) {
        struct safety_result r;
        verify(d, ALICE);
        d->party[ALICE].event_count = 0;
        memory_state_fail(d->party[ALICE].state, nth, false);
        enum status s = engine_compare(d->party[ALICE].e, d->now, account_of(d, BOB), &shown, &r);
        memory_state_fail(d->party[ALICE].state, 0, false);
        cr_assert_eq(r.verdict, s == STATUS_OK ? SAFETY_FORK : 0, "call %lu", (unsigned long)nth);
        cr_assert_eq(is_verified(d, ALICE), s != STATUS_OK, "call %lu", (unsigned long)nth);
        if (s != STATUS_OK) duet_restart(d, ALICE);
    }
}

/* ---- the relay's own doing ---- */

static void bob_is_verified(struct fixture *f)
{
    bob_and_session(f);
    ok(engine_verify(f->e, f->now, f->bob.account, true));
}

static void lost_for(struct fixture *f, enum loss why)
{
    struct contact c = held_in(f->state, f->bob.account);
    cr_assert(c.verified_ms == 0 && c.loss == why && c.lost_ms > 0, "%d", c.loss);
    struct engine_event event = happened(f, ENGINE_UNVERIFIED);
    cr_assert(event.loss == why && memcmp(&event.sender_account, &f->bob.account, 32) == 0);
    cr_assert_not(has_happened(f, ENGINE_UNVERIFIED), "once");
}

static void kept(struct fixture *f)
{
    struct contact c = held_in(f->state, f->bob.account);
    cr_assert(c.verified_ms > 0 && c.loss == LOSS_NONE);
    cr_assert_not(has_happened(f, ENGINE_UNVERIFIED));
}

/* A message finds that the log has gone on, and its entries are taken. */
static void bob_goes_on(struct fixture *f, uint64_t first)
{
    struct sent s;
    (void)write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, first);
    answer_stale(f, &s, &stale);
    cr_assert_eq(held_in(f->state, f->bob.account).log.length, f->bob_log.length);
}

ENGINE_TEST(verify, a_device_that_a_device_adds_leaves_the_mark)
{
    bob_is_verified(f);
    (void)bob_adds(f, 1);
    bob_rotates(f, 9);
    bob_goes_on(f, 1);
    kept(f);
}

/* Bob has a recovery key; then it signs an entry. */
static void recovery_does(struct fixture *f, struct entry_plan plan, uint8_t sk[64])
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

static struct entry_plan device_of_recovery(struct fixture *f)
{
    static const uint8_t seed[32] = {78}, identity[32] = {79}, transport[32] = {80};
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD};
    crypto_sign_seed_keypair(plan.record.signing.bytes, sk, seed);
    (void)crypto_scalarmult_base(plan.record.identity.bytes, identity);
    (void)crypto_scalarmult_base(plan.record.transport.bytes, transport);
    device_prove(f->bob.account, &plan.record, sk, &plan.proof);
    return plan;
}

ENGINE_TEST(verify, a_device_that_the_recovery_key_adds_takes_the_mark)
{
    uint8_t sk[64];
    bob_is_verified(f);
    bob_sets_recovery(f, sk);
    bob_goes_on(f, 1);
    kept(f);
    recovery_does(f, device_of_recovery(f), sk);
    bob_rotates(f, 9); /* also where it is not the last */
    bob_goes_on(f, 2);
    lost_for(f, LOSS_RECOVERY);
}

ENGINE_TEST(verify, a_device_that_the_recovery_key_revokes_leaves_the_mark)
{
    uint8_t sk[64];
    bob_is_verified(f);
    bob_sets_recovery(f, sk);
    struct device_id second = bob_adds(f, 1);
    recovery_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = second}, sk);
    bob_goes_on(f, 1);
    kept(f);
}

ENGINE_TEST(verify, one_who_was_not_verified_has_nothing_to_lose)
{
    uint8_t sk[64];
    bob_and_session(f);
    bob_sets_recovery(f, sk);
    recovery_does(f, device_of_recovery(f), sk);
    bob_goes_on(f, 1);
    struct contact c = held_in(f->state, f->bob.account);
    cr_assert(c.verified_ms == 0 && c.loss == LOSS_NONE && !has_happened(f, ENGINE_UNVERIFIED));
}

ENGINE_TEST(verify, another_history_in_an_answer_takes_the_mark)
{
    struct sent s;
    (void)bob_adds(f, 1);
    bob_is_verified(f);
    (void)write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    bob_rotates(f, 8);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    lost_for(f, LOSS_FORK);
}

/* The relay is behind: it gets the rest and takes it not as a continuation of its own. */
ENGINE_TEST(verify, another_history_found_by_handing_ours_over_takes_the_mark)
{
    struct sent s;
    (void)bob_adds(f, 1);
    bob_is_verified(f);
    (void)write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1});
    kept(f);
    struct frame append = said(f, KIND_APPEND, NULL, NULL);
    refuse(f, &append, STATUS_STALE_HEAD, 0);
    lost_for(f, LOSS_FORK);
}

/* The relay has only the first entry, says that it took the rest, and shows as often as asked that it has it not; the
 * mark after each time. */
static void set_back(struct fixture *f, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        for (unsigned second = 0; second < 60 && !said_count(f, KIND_APPEND); second++)
            pass(f, 1000);
        kept(f);
        struct frame append = said(f, KIND_APPEND, NULL, NULL);
        struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
        answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
        for (unsigned second = 0; second < 60 && !said_count(f, KIND_LOOKUP); second++)
            pass(f, 1000);
        answer_lookups(f);
    }
}

ENGINE_TEST(verify, a_log_that_is_set_back_and_does_not_mend_takes_the_mark)
{
    struct sent s;
    (void)bob_adds(f, 1);
    bob_is_verified(f);
    (void)write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1});
    set_back(f, 4); /* the first answer says how far it is behind */
    lost_for(f, LOSS_ROLLBACK);
}

ENGINE_TEST(verify, a_log_that_was_lost_and_mends_leaves_the_mark)
{
    struct sent s;
    (void)bob_adds(f, 1);
    bob_is_verified(f);
    (void)write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    bob_forgets(f, 1);
    struct msg_stale behind = {.log = identity_log_state(&f->bob_log)};
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &behind, .stale_count = 1});
    set_back(f, 3);
    for (unsigned second = 0; second < 60 && !said_count(f, KIND_APPEND); second++)
        pass(f, 1000);
    struct frame append = said(f, KIND_APPEND, NULL, NULL);
    bob_forgets(f, 2);
    struct msg_appended done = {.log = identity_log_state(&f->bob_log)};
    answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
    answer_lookups(f);
    pass(f, 60000);
    kept(f);
}
