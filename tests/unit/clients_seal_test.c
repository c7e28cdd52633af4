/* Sealed messages between two clients: what each side has, shows and keeps. */
#include "tests/unit/duet.h"

#include <sodium.h>
#include <string.h>

static void said(struct duet *d, int who, const char *words)
{
    const char *got = read_all(d, who);
    cr_assert_str_eq(got, words, "\"%s\" is not \"%s\"", got, words);
}

DUET_TEST(seal, a_first_message_arrives_and_is_settled)
{
    uint64_t order = say(d, ALICE, "hello");
    said(d, BOB, "hello");
    duet_pass(d, 1000);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
    cr_assert_eq(d->claims, 1);
    cr_assert_null(memmem(parcel_last(d, BOB)->bytes.at, parcel_last(d, BOB)->bytes.len, "hello", 5));
    cr_assert(parcel_last(d, BOB)->item.sealed);
}

/* Both have opened something of the other. */
static void talk(struct duet *d)
{
    (void)say(d, ALICE, "hello");
    said(d, BOB, "hello");
    (void)say(d, BOB, "hello, too");
    said(d, ALICE, "hello, too");
}

static size_t sessions(struct duet *d, int who)
{
    struct state_session rows[STATE_SESSIONS_MAX];
    struct session_scan scan = {.peer = d->party[!who].me.device, .rows = rows};
    cr_assert_eq(state_begin(d->party[who].state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_session_scan(d->party[who].state, &scan), STATUS_OK);
    cr_assert_eq(state_commit(d->party[who].state), STATUS_OK);
    return scan.count;
}

static struct inbox_row newest(struct duet *d, int who)
{
    static struct arena arena;
    struct inbox_row rows[64];
    struct inbox_scan scan = {.rows = rows, .row_max = 64};
    arena_reset(&arena);
    cr_assert_eq(state_begin(d->party[who].state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_inbox_scan(d->party[who].state, &scan, &arena), STATUS_OK);
    cr_assert_eq(state_commit(d->party[who].state), STATUS_OK);
    cr_assert_gt(scan.row_count, 0);
    return rows[scan.row_count - 1];
}

DUET_TEST(seal, both_go_on_in_one_session)
{
    talk(d);
    for (int i = 0; i < 20; i++) {
        (void)say(d, ALICE, "a");
        (void)say(d, BOB, "b");
        said(d, BOB, "a");
        said(d, ALICE, "b");
    }
    cr_assert(sessions(d, ALICE) == 1 && sessions(d, BOB) == 1 && d->claims == 1);
}

DUET_TEST(seal, both_begin_at_once_and_agree_in_the_end)
{
    d->party[ALICE].attached = d->party[BOB].attached = false; /* nothing is delivered for now */
    (void)say(d, ALICE, "from alice");
    (void)say(d, BOB, "from bob");
    d->party[ALICE].attached = d->party[BOB].attached = true;
    duet_settle(d);
    said(d, ALICE, "from bob");
    said(d, BOB, "from alice");
    cr_assert(sessions(d, ALICE) == 2 && sessions(d, BOB) == 2);
    for (int i = 0; i < 6; i++) {
        (void)say(d, ALICE, "a");
        said(d, BOB, "a");
        (void)say(d, BOB, "b");
        said(d, ALICE, "b");
    }
    cr_assert_eq(d->claims, 2);
}

/* The drill: the sender goes offline after tapping send. With a session the message is sealed at once; without one it
 * stays a draft, and no relay has heard of it. */
DUET_TEST(seal, what_is_written_offline_goes_when_there_is_a_connection)
{
    offline(d, ALICE);
    uint64_t first = say(d, ALICE, "never met");
    cr_assert_eq(duet_state(d, ALICE, first), MESSAGE_DRAFTED);
    online(d, ALICE);
    duet_pass(d, 2000);
    said(d, BOB, "never met");
    offline(d, ALICE);
    uint64_t second = say(d, ALICE, "met");
    cr_assert_eq(duet_state(d, ALICE, second), MESSAGE_ENCRYPTED);
    duet_restart(d, ALICE);
    online(d, ALICE);
    duet_pass(d, 2000);
    said(d, BOB, "met");
    cr_assert_eq(duet_state(d, ALICE, first), MESSAGE_SETTLED);
    cr_assert_eq(duet_state(d, ALICE, second), MESSAGE_SETTLED);
}

DUET_TEST(seal, a_one_time_prekey_is_gone_after_its_first_message)
{
    struct state_prekey prekey;
    (void)say(d, ALICE, "hello");
    cr_assert_eq(state_begin(d->party[BOB].state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_prekey_get(d->party[BOB].state, PREKEY_ONE_TIME, 1, &prekey), STATUS_NOT_FOUND);
    cr_assert_eq(state_prekey_get(d->party[BOB].state, PREKEY_ONE_TIME, 2, &prekey), STATUS_OK);
    cr_assert_eq(state_commit(d->party[BOB].state), STATUS_OK);
}

DUET_TEST(seal, without_one_time_prekeys_the_last_resort_serves)
{
    d->party[BOB].one_time_count = 0;
    (void)say(d, ALICE, "hello");
    said(d, BOB, "hello");
    (void)say(d, BOB, "back");
    said(d, ALICE, "back");
}

/* ---- the relay tampers ---- */

static size_t flip_at;

static bool flip(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->bytes.at[flip_at % parcel->bytes.len] ^= 1;
    return true;
}

/* Mistake 4: what does not open leaves the session as it was: the next message opens. */
DUET_TEST(seal, an_altered_message_fails_and_hurts_no_other)
{
    talk(d);
    for (flip_at = 1; flip_at < 600; flip_at += 29) {
        d->tamper = flip;
        (void)say(d, ALICE, "altered");
        d->tamper = NULL;
        cr_assert(parcel_last(d, BOB)->gone && parcel_last(d, BOB)->reason != FAIL_NONE, "byte %zu", flip_at);
        said(d, BOB, "");
        (void)say(d, ALICE, "next");
        said(d, BOB, "next");
    }
}

static bool wrong_commitment(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->item.commitment.bytes[3] ^= 1;
    return true;
}

static bool wrong_id(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->item.id.bytes[15] ^= 1;
    return true;
}

static bool wrong_target(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->item.target.bytes[0] ^= 1;
    return true;
}

static bool not_sealed(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->item.sealed = false;
    return true;
}

DUET_TEST(seal, what_the_relay_says_beside_it_is_bound_too)
{
    bool (*const lies[])(struct duet *, struct parcel *) = {wrong_commitment, wrong_id, wrong_target, not_sealed};
    talk(d);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        d->tamper = lies[i];
        (void)say(d, ALICE, "lied about");
        d->tamper = NULL;
        cr_assert(parcel_last(d, BOB)->gone);
        cr_assert_eq(parcel_last(d, BOB)->reason, lies[i] == not_sealed ? FAIL_HELD : FAIL_BROKEN);
        said(d, BOB, "");
    }
    (void)say(d, ALICE, "next");
    said(d, BOB, "next");
}

/* Mistake 6: under another id, an old message is not shown again; a first one begins no second session. */
DUET_TEST(seal, an_old_message_is_not_taken_for_a_new_one)
{
    d->party[BOB].one_time_count = 0; /* so that nothing but the memory of it stands against it */
    (void)say(d, ALICE, "first");
    said(d, BOB, "first");
    struct parcel *first = parcel_last(d, BOB), *again = &d->party[BOB].mailbox[d->party[BOB].mail_count++];
    *again = *first;
    again->bytes = (struct buffer){0};
    again->report = (struct buffer){0};
    write_view(&again->bytes, buffer_view(&first->bytes));
    again->gone = again->offered = false;
    again->item.seq = d->party[BOB].mail_count;
    duet_settle(d);
    cr_assert(again->gone && again->reason == FAIL_NONE, "known by its id");
    said(d, BOB, "");
    again->item.id.bytes[9] ^= 1;
    again->item.seq = ++d->party[BOB].mail_count; /* its own place is settled */
    struct parcel *third = &d->party[BOB].mailbox[d->party[BOB].mail_count - 1];
    *third = *again;
    third->bytes = (struct buffer){0};
    write_view(&third->bytes, buffer_view(&first->bytes));
    third->gone = third->offered = false;
    duet_settle(d);
    cr_assert(third->gone && third->reason == FAIL_BROKEN);
    said(d, BOB, "");
    cr_assert_eq(sessions(d, BOB), 1);
}

/* Mistake 3: a bundle that the device did not sign, or another device's, begins nothing. */
static void bundle_forged(struct duet *d, struct msg_prekey_bundle *bundle)
{
    bundle->current = buffer_view(&d->party[ALICE].current);
}

static void bundle_last_as_current(struct duet *d, struct msg_prekey_bundle *bundle)
{
    bundle->current = buffer_view(&d->party[BOB].last_resort);
}

static void bundle_low_order(struct duet *d, struct msg_prekey_bundle *bundle)
{
    (void)d;
    memset(&bundle->one_time[0].key, 0, sizeof bundle->one_time[0].key);
}

static void held_by(struct duet *d, void (*lie)(struct duet *d, struct msg_prekey_bundle *bundle))
{
    d->bundle = lie;
    uint64_t order = say(d, ALICE, "hello");
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_HELD);
    cr_assert_eq(sessions(d, ALICE), 0);
    cr_assert_eq(d->sends, 0);
}

DUET_TEST(seal, a_bundle_of_another_device_holds_the_message)
{
    held_by(d, bundle_forged);
}

DUET_TEST(seal, a_last_resort_in_the_place_of_the_current_one_holds_the_message)
{
    held_by(d, bundle_last_as_current);
}

DUET_TEST(seal, a_one_time_prekey_of_small_order_holds_the_message)
{
    held_by(d, bundle_low_order);
}

static void bundle_none(struct duet *d, struct msg_prekey_bundle *bundle)
{
    (void)d;
    *bundle = (struct msg_prekey_bundle){.device = bundle->device, .status = STATUS_NOT_FOUND};
}

DUET_TEST(seal, who_has_left_no_prekeys_is_asked_again)
{
    d->bundle = bundle_none;
    uint64_t order = say(d, ALICE, "hello");
    duet_pass(d, 60000);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_DRAFTED);
    cr_assert(d->claims > 1 && d->claims < 10, "%zu", d->claims);
    cr_assert_eq(duet_row(d, ALICE, order).reason, STATUS_NO_PREKEYS, "its user can see why");
    d->bundle = NULL;
    duet_pass(d, 30000);
    said(d, BOB, "hello");
    cr_assert_eq(duet_row(d, ALICE, order).reason, STATUS_OK);
}

/* A device without prekeys may be one that is gone: where the relay says that the log has gone on it is read, once. */
DUET_TEST(seal, who_has_no_prekeys_any_more_is_looked_up_where_the_log_has_gone_on)
{
    d->bundle = bundle_none;
    (void)say(d, ALICE, "hello");
    size_t lookups = d->lookups;
    duet_pass(d, 60000);
    cr_assert_eq(d->lookups, lookups, "it has not gone on");
    d->claims_ahead = 1;
    duet_pass(d, 15000);
    cr_assert_eq(d->lookups, lookups + 1);
    duet_pass(d, 60000);
    cr_assert(d->lookups < lookups + 4, "a relay that does not give what it tells of is not asked for ever");
    d->bundle = NULL;
    d->claims_ahead = 0;
    duet_pass(d, 30000);
    said(d, BOB, "hello");
}

/* ---- counters ---- */

static bool lose(struct duet *d, struct parcel *parcel)
{
    (void)d;
    parcel->gone = true;
    return false;
}

DUET_TEST(seal, what_is_missing_is_shown)
{
    talk(d);
    cr_assert(newest(d, BOB).counter == 1 && newest(d, BOB).missing == 0);
    d->tamper = lose;
    (void)say(d, ALICE, "lost");
    (void)say(d, ALICE, "lost, too");
    d->tamper = NULL;
    (void)say(d, ALICE, "four");
    struct inbox_row row = newest(d, BOB);
    cr_assert(row.counter == 4 && row.missing == 2 && row.sealed);
    cr_assert(row.head.len == CONTENT_HEAD_LEN);
    (void)say(d, ALICE, "five");
    cr_assert(newest(d, BOB).counter == 5 && newest(d, BOB).missing == 0);
}

/* ---- identity keys change ---- */

DUET_TEST(seal, after_a_rotation_both_go_on_under_the_new_key)
{
    talk(d);
    cr_assert_eq(engine_rotate(d->party[BOB].e, d->now), STATUS_OK);
    duet_pass(d, 1000);
    cr_assert(duet_happened(d, BOB, ENGINE_IDENTITY));
    (void)say(d, BOB, "from the new key");
    said(d, ALICE, "from the new key");
    (void)say(d, ALICE, "to the new key");
    said(d, BOB, "to the new key");
    cr_assert_geq(d->claims, 2);
}

/* ---- processes die ---- */

/* The state fails at its n-th call, and the commit may or may not have been kept: nothing is lost, nothing is shown
 * twice, and both go on. */
DUET_TEST(seal, whatever_call_of_the_state_fails_nothing_is_lost_or_shown_twice)
{
    talk(d);
    for (uint64_t n = 1; n < 120; n++) {
        int victim = n % 2 ? BOB : ALICE;
        char words[16];
        struct engine_message m = {.handle = view_of("bob", 3), .sealed = true, .key = words};
        struct outbox_row row;
        snprintf(words, sizeof words, "message %u", (unsigned)n);
        m.payload = view_of(words, strlen(words));
        memory_state_fail(d->party[victim].state, 1 + n / 2, n % 4 < 2);
        enum status s = engine_send(d->party[ALICE].e, d->now, &m, &row);
        duet_settle(d);
        memory_state_fail(d->party[victim].state, 0, false);
        duet_restart(d, victim);
        if (s != STATUS_OK) cr_assert_eq(engine_send(d->party[ALICE].e, d->now, &m, &row), STATUS_OK);
        duet_pass(d, 15000);
        said(d, BOB, words);
        cr_assert_eq(duet_state(d, ALICE, row.order), MESSAGE_SETTLED);
    }
    (void)say(d, BOB, "still there");
    said(d, ALICE, "still there");
}

/* ---- failures, and what the sender does about them ---- */

static bool flip_first(struct duet *d, struct parcel *parcel)
{
    return parcel->item.attempt == 0 ? flip(d, parcel) : true;
}

DUET_TEST(resend, what_did_not_open_is_sealed_anew_in_a_new_session)
{
    talk(d);
    flip_at = 200;
    d->tamper = flip_first;
    uint64_t order = say(d, ALICE, "altered on its way");
    duet_pass(d, 2000);
    said(d, BOB, "altered on its way");
    struct outbox_row row = duet_row(d, ALICE, order);
    cr_assert(row.state == MESSAGE_SETTLED && row.attempt == 1);
    cr_assert(d->claims == 2 && sessions(d, ALICE) == 2);
    cr_assert_eq(newest(d, BOB).counter, 2, "the content is the same");
    d->tamper = NULL;
    (void)say(d, BOB, "in the new one");
    said(d, ALICE, "in the new one");
}

DUET_TEST(resend, ends_after_three_attempts)
{
    talk(d);
    size_t before = d->sends;
    flip_at = 200;
    d->tamper = flip;
    uint64_t order = say(d, ALICE, "never arrives");
    duet_pass(d, 300000);
    cr_assert_eq(d->sends - before, 1 + RESENDS_MAX);
    struct outbox_row row = duet_row(d, ALICE, order);
    cr_assert(row.state == MESSAGE_ACCEPTED && row.parts[0].state == DELIVERY_FAILED);
    d->tamper = NULL;
    (void)say(d, ALICE, "next");
    said(d, BOB, "next");
}

/* A device that has lost its sessions, as one set back to an older backup. */
static void forget_sessions(struct duet *d, int who)
{
    struct state_session rows[STATE_SESSIONS_MAX];
    struct session_scan scan = {.peer = d->party[!who].me.device, .rows = rows};
    cr_assert_eq(state_begin(d->party[who].state, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_session_scan(d->party[who].state, &scan), STATUS_OK);
    for (size_t i = 0; i < scan.count; i++)
        cr_assert_eq(state_session_drop(d->party[who].state, rows[i].number), STATUS_OK);
    cr_assert_eq(state_commit(d->party[who].state), STATUS_OK);
}

DUET_TEST(resend, heals_a_device_that_has_lost_its_sessions)
{
    talk(d);
    forget_sessions(d, BOB);
    (void)say(d, ALICE, "to a restored device");
    duet_pass(d, 2000);
    said(d, BOB, "to a restored device");
    (void)say(d, BOB, "from it");
    said(d, ALICE, "from it");
}

static void failed_without_report(struct duet *d, struct msg_part_state *part)
{
    (void)d;
    part->outcome = OUTCOME_OPEN;
    part->state = DELIVERY_FAILED;
    part->reason = FAIL_BROKEN;
    part->report = view_of(NULL, 0);
}

DUET_TEST(resend, a_relay_cannot_ask_for_it_by_itself)
{
    talk(d);
    size_t before = d->sends;
    d->news = failed_without_report;
    (void)say(d, ALICE, "fine");
    duet_pass(d, 60000);
    cr_assert(d->sends - before == 1 && d->claims == 1);
    said(d, BOB, "fine");
}

static struct buffer old_report;

static void failed_with_an_old_report(struct duet *d, struct msg_part_state *part)
{
    failed_without_report(d, part);
    part->report = buffer_view(&old_report);
}

DUET_TEST(resend, nor_with_a_report_of_another_message)
{
    talk(d);
    flip_at = 200;
    d->tamper = flip_first;
    (void)say(d, ALICE, "altered");
    duet_pass(d, 2000);
    said(d, BOB, "altered");
    d->tamper = NULL;
    for (size_t i = 0; i < d->party[BOB].mail_count; i++)
        if (d->party[BOB].mailbox[i].report.len) {
            buffer_clear(&old_report);
            write_view(&old_report, buffer_view(&d->party[BOB].mailbox[i].report));
        }
    cr_assert_gt(old_report.len, 0);
    size_t before = d->sends;
    d->news = failed_with_an_old_report;
    (void)say(d, ALICE, "fine");
    duet_pass(d, 60000);
    cr_assert_eq(d->sends - before, 1);
    buffer_fini(&old_report);
}

static void damaged_once(struct duet *d, struct msg_part_state *part)
{
    (void)d;
    if (part->attempt) return;
    part->outcome = OUTCOME_OPEN;
    part->state = DELIVERY_FAILED;
    part->reason = FAIL_DAMAGED;
}

DUET_TEST(resend, what_the_relay_has_damaged_goes_again_with_the_same_bytes)
{
    talk(d);
    d->news = damaged_once;
    d->tamper = lose;
    (void)say(d, ALICE, "damaged");
    struct parcel *first = parcel_last(d, BOB);
    d->tamper = NULL;
    duet_pass(d, 60000);
    struct parcel *second = parcel_last(d, BOB);
    cr_assert(first != second && second->item.attempt == 1);
    cr_assert(view_equal(buffer_view(&first->bytes), buffer_view(&second->bytes)));
    said(d, BOB, "damaged");
    cr_assert_eq(d->claims, 1);
}

DUET_TEST(resend, whatever_call_of_the_senders_state_fails)
{
    talk(d);
    flip_at = 200;
    d->tamper = flip_first;
    for (uint64_t n = 1; n < 100; n += 3) {
        char words[16];
        uint64_t order = 0;
        struct engine_message m = {.handle = view_of("bob", 3), .sealed = true, .key = words};
        struct outbox_row row;
        snprintf(words, sizeof words, "message %u", (unsigned)n);
        m.payload = view_of(words, strlen(words));
        cr_assert_eq(engine_send(d->party[ALICE].e, d->now, &m, &row), STATUS_OK);
        order = row.order;
        memory_state_fail(d->party[ALICE].state, n, n % 2);
        duet_settle(d);
        memory_state_fail(d->party[ALICE].state, 0, false);
        duet_restart(d, ALICE);
        duet_pass(d, 60000);
        said(d, BOB, words);
        cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
    }
}
