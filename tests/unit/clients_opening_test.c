/* What a client does about what it does not know (yet): senders whose log it has not seen, bundles and statements that are
 * ahead of its copy of a log. */
#include "broker/wire/report.h"
#include "clients/seal/sealed.h"
#include "tests/unit/clients_fixture.h"
#include "tests/unit/duet.h"

#include <string.h>

/* ---- senders ---- */

/* Sealed deliveries of as many strangers, that nobody can open. */
static struct incoming strangers(struct fixture *f, size_t count)
{
    struct incoming in = deliveries(f, 1, count);
    uint8_t bytes[SEALED_HEADER_LEN + SEALED_NONCE_LEN + 16] = {SEALED_MARK};
    buffer_clear(&in.body);
    for (size_t i = 0; i < count; i++) {
        memset(in.items[i].sender_account.bytes, (int)(100 + i), 32);
        in.items[i].sealed = true;
        in.items[i].len = sizeof bytes;
        write_bytes(&in.body, bytes, sizeof bytes);
    }
    return in;
}

static struct account_id asked_for(struct fixture *f)
{
    struct msg_lookup m;
    struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &m);
    refuse(f, &frame, STATUS_NOT_FOUND, 0);
    return m.account;
}

ENGINE_TEST(opening, more_unknown_senders_than_are_looked_up_at_once_are_all_looked_up)
{
    bool asked[40] = {false};
    session_only(f);
    struct incoming in = strangers(f, 40);
    deliver_only(f, &in);
    for (size_t i = 0; i < 40; i++) {
        if (!said_count(f, KIND_LOOKUP)) pass(f, 1000);
        struct account_id account = asked_for(f);
        cr_assert(account.bytes[0] >= 100 && account.bytes[0] < 140 && !asked[account.bytes[0] - 100]);
        asked[account.bytes[0] - 100] = true;
    }
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u, "each once");
    cr_assert_eq(inbox_count(f), 0u);
    cr_assert_eq(pending_count(f), 40u, "each is reported");
}

ENGINE_TEST(opening, a_sealed_message_under_the_id_of_an_opaque_one_does_not_settle_it)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 1, 1);
    deliver_only(f, &in);
    pass(f, 1000);
    struct frame frame = said_both(f, &ack, 0, 1);
    echo(f, &frame, &ack);
    struct incoming again = strangers(f, 1);
    again.items[0].sender_account = f->bob.account;
    again.items[0].seq = 2;
    lose_connection(f);
    bind_session(f);
    deliver_only(f, &again); /* alone: the relay may have lost the other */
    pass(f, 1000);
    frame = said_both(f, &ack, 0, 2); /* nothing is settled that the application has not taken */
    echo(f, &frame, &ack);
    take_all(f);
    pass(f, 1000);
    (void)said_both(f, &ack, 2, 2);
}

/* The application has not seen it: it cannot have used it. */
ENGINE_TEST(opening, what_is_not_open_yet_cannot_be_acknowledged)
{
    struct msg_ack ack;
    uint64_t order = 1;
    session_only(f);
    struct incoming in = strangers(f, 1);
    deliver_only(f, &in);
    cr_assert_eq(engine_ack(f->e, f->now, &order, 1), STATUS_NOT_FOUND);
    pass(f, 1000);
    (void)said_both(f, &ack, 0, 1);
}

/* The first attempt was failed once, and that word was lost on its way back; what is said now is about the second. */
ENGINE_TEST(opening, a_resend_takes_the_place_of_the_attempt_that_is_closed_still)
{
    struct msg_ack ack;
    struct msg_report report;
    struct msg_report_body body;
    session_only(f);
    struct incoming first = strangers(f, 1), resent = strangers(f, 1);
    deliver_only(f, &first);
    resent.items[0].seq = 2;
    resent.items[0].attempt = 1;
    deliver_only(f, &resent);
    (void)asked_for(f);
    for (int i = 0; i < 8; i++) {
        pass(f, 1000);
        if (said_count(f, KIND_LOOKUP)) (void)asked_for(f);
        if (!said_count(f, KIND_ACK)) continue;
        struct frame frame = said(f, KIND_ACK, &msg_ack_desc, &ack);
        if (ack.failed_count) break;
        echo(f, &frame, &ack);
    }
    cr_assert(ack.settled_seq == 2 && ack.failed_count == 1 && ack.failed[0].seq == 2, "%d failures, up to %d",
              (int)ack.failed_count, (int)ack.settled_seq);
    cr_assert_eq(report_open(ack.failed[0].report, &f->arena, &report, &body), STATUS_OK);
    cr_assert(body.attempt == 1 && body.cause == CAUSE_SENDER);
}

/* ---- bundles ---- */

static void forged(struct duet *d, struct msg_prekey_bundle *bundle)
{
    bundle->current = buffer_view(&d->party[ALICE].current);
}

static void forged_once(struct duet *d, struct msg_prekey_bundle *bundle)
{
    forged(d, bundle);
    d->bundle = NULL;
}

DUET_TEST(opening, a_bundle_that_a_longer_log_may_explain_is_claimed_again_after_a_look)
{
    d->bundle = forged_once;
    d->claims_ahead = 1;
    uint64_t order = say(d, ALICE, "hello");
    cr_assert(d->lookups == 4 && d->claims == 2, "%zu, %zu: handle, account, account again; and Bob's", d->lookups,
              d->claims);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
}

DUET_TEST(opening, one_that_it_does_not_explain_holds_the_message_at_once)
{
    d->bundle = forged;
    d->claims_ahead = 1;
    uint64_t order = say(d, ALICE, "hello");
    cr_assert(d->lookups == 3 && d->claims == 2, "%zu, %zu", d->lookups, d->claims);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_HELD);
}

static void gone(struct duet *d, struct msg_prekey_bundle *bundle)
{
    (void)d;
    *bundle = (struct msg_prekey_bundle){.device = bundle->device, .status = STATUS_GONE};
}

DUET_TEST(opening, an_answer_without_bundles_is_no_reason_to_ask_at_once)
{
    d->bundle = gone;
    uint64_t order = say(d, ALICE, "hello");
    duet_pass(d, 60000);
    cr_assert(d->claims > 2 && d->claims < 30, "%zu", d->claims);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_DRAFTED);
    d->bundle = NULL;
    duet_pass(d, 10000);
    cr_assert_str_eq(read_all(d, BOB), "hello");
}

/* ---- statements ---- */

/* Bob's copy of Alice's log says something else of its version. */
static void copy_is(struct duet *d, uint64_t key_version, uint8_t flip)
{
    struct contact c;
    struct state *s = d->party[BOB].state;
    cr_assert_eq(state_begin(s, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_contact_get(s, d->party[ALICE].me.account, &c), STATUS_OK);
    c.log.key_version = key_version;
    c.log.version_head.bytes[0] ^= flip;
    cr_assert_eq(state_contact_put(s, &c), STATUS_OK);
    cr_assert_eq(state_commit(s), STATUS_OK);
}

DUET_TEST(opening, a_sender_that_knows_its_log_to_be_longer_is_looked_up)
{
    (void)say(d, ALICE, "one");
    size_t lookups = d->lookups;
    (void)say(d, ALICE, "two");
    cr_assert_eq(d->lookups, lookups);
    copy_is(d, 0, 0);
    (void)say(d, ALICE, "three");
    cr_assert_eq(d->lookups, lookups + 1);
    cr_assert_not(duet_happened(d, BOB, ENGINE_FORKED));
    cr_assert_str_eq(read_all(d, BOB), "one|two|three");
}

DUET_TEST(opening, a_sender_that_knows_another_history_of_its_log_is_told_of)
{
    (void)say(d, ALICE, "one");
    cr_assert_not(duet_happened(d, BOB, ENGINE_FORKED));
    copy_is(d, 1, 1);
    (void)say(d, ALICE, "two");
    cr_assert(duet_happened(d, BOB, ENGINE_FORKED));
    cr_assert_eq(engine_counts(d->party[BOB].e).forks, 1);
    cr_assert_str_eq(read_all(d, BOB), "one|two");
}
