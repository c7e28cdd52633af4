/* What one device sends is seen by the others of its account, and nowhere else as anything else (PROTOCOL 10.9). */
#include "tests/unit/duet.h"

#include "broker/wire/report.h"
#include "clients/seal/copy.h"

#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

static bool account_equal(struct account_id a, struct account_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* The copy of a message; order 0: there is none. */
static struct outbox_row copy_of(struct duet *d, int who, uint64_t order)
{
    struct outbox_row row;
    ok(state_begin(d->party[who].state, STATE_READ));
    enum status s = state_outbox_copy(d->party[who].state, order, &row);
    ok(state_commit(d->party[who].state));
    cr_assert(s == STATUS_OK || s == STATUS_NOT_FOUND);
    return row;
}

static uint64_t say_to(struct duet *d, int from, const char *handle, const char *words, bool sealed)
{
    struct engine_message m = {.handle = text(handle), .payload = text(words), .sealed = sealed};
    struct outbox_row row;
    ok(engine_send(d->party[from].e, d->now, &m, &row));
    duet_settle(d);
    return row.order;
}

/* The newest row of somebody's inbox. */
static struct inbox_row inbox_last(struct duet *d, int who)
{
    static struct arena arena; /* as long as the process */
    struct inbox_row rows[64];
    struct inbox_scan scan = {.rows = rows, .row_max = 64};
    ok(state_begin(d->party[who].state, STATE_READ));
    ok(state_inbox_scan(d->party[who].state, &scan, &arena));
    ok(state_commit(d->party[who].state));
    cr_assert_gt(scan.row_count, 0);
    return rows[scan.row_count - 1];
}

/* The phone is there, and Alice's device knows it. */
static void two_devices(struct duet *d)
{
    phone_joins(d);
    offline(d, ALICE);
    online(d, ALICE);
    duet_pass(d, 100);
}

static size_t told_of(const struct duet *d, int who, uint64_t order)
{
    size_t count = 0;
    for (size_t i = 0; i < d->party[who].event_count; i++)
        count += d->party[who].events[i].kind == ENGINE_MESSAGE && d->party[who].events[i].order == order;
    return count;
}

DUET_TEST(copies, what_one_device_sends_the_other_one_sees)
{
    two_devices(d);
    uint64_t order = say(d, ALICE, "hello");
    struct outbox_row message = duet_row(d, ALICE, order), copy = copy_of(d, ALICE, order);
    cr_assert_str_eq(read_all(d, BOB), "hello");
    struct inbox_row seen = inbox_last(d, PHONE);
    cr_assert(view_equal(seen.body, text("hello")) && message_equal(seen.id, message.id));
    cr_assert(account_equal(seen.sent_to, d->party[BOB].me.account));
    cr_assert(account_equal(seen.sender_account, d->party[ALICE].me.account));
    cr_assert(device_equal(seen.sender_device, d->party[ALICE].me.device) && seen.counter == 1 && !seen.missing);
    cr_assert(copy.order && message_equal(copy.id, message.id));
    cr_assert_str_eq(copy.key.text, message.key.text);
    cr_assert(copy.state == MESSAGE_SETTLED && message.state == MESSAGE_SETTLED);
    cr_assert(copy.part_count == 1 && device_equal(copy.parts[0].device, d->party[PHONE].me.device));
    cr_assert(message.part_count == 1 && device_equal(message.parts[0].device, d->party[BOB].me.device));
    cr_assert_gt(told_of(d, ALICE, order), 0u);
    cr_assert_eq(told_of(d, ALICE, copy.order), 0u, "its user hears of the message");
    struct inbox_row bobs = inbox_last(d, BOB);
    static const struct account_id nobody;
    cr_assert(account_equal(bobs.sent_to, nobody) && view_equal(bobs.body, text("hello")));
}

DUET_TEST(copies, there_is_none_without_another_device_nor_of_opaque_ones_nor_before_acceptance)
{
    cr_assert_eq(copy_of(d, ALICE, say(d, ALICE, "alone")).order, 0u);
    two_devices(d);
    cr_assert_eq(d->party[PHONE].mail_count, 0u, "nothing of before");
    cr_assert_eq(copy_of(d, ALICE, say_to(d, ALICE, "bob", "opaque", false)).order, 0u);
    cr_assert_eq(copy_of(d, ALICE, say_to(d, ALICE, "nobody", "to nobody", true)).order, 0u, "refused");
    offline(d, ALICE);
    uint64_t order = say(d, ALICE, "later");
    cr_assert_eq(copy_of(d, ALICE, order).order, 0u, "not accepted yet");
    online(d, ALICE);
    cr_assert_eq(copy_of(d, ALICE, order).state, MESSAGE_SETTLED);
    cr_assert_str_eq(read_all(d, PHONE), "later");
}

DUET_TEST(copies, both_ways_and_none_of_what_was_received)
{
    two_devices(d);
    say(d, ALICE, "from the first");
    say_to(d, PHONE, "bob", "from the phone", true);
    say(d, BOB, "to both"); /* after Bob's device has heard of both */
    duet_pass(d, 1000);
    cr_assert_str_eq(read_all(d, BOB), "from the first|from the phone");
    cr_assert_str_eq(read_all(d, ALICE), "from the phone|to both");
    cr_assert_str_eq(read_all(d, PHONE), "from the first|to both");
    cr_assert_eq(d->party[ALICE].mail_count, 2u);
    cr_assert_eq(d->party[PHONE].mail_count, 2u);
}

DUET_TEST(copies, a_note_to_oneself_goes_to_the_others_and_has_no_copy)
{
    two_devices(d);
    uint64_t order = say_to(d, ALICE, "alice", "milk", true);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
    cr_assert_eq(copy_of(d, ALICE, order).order, 0u);
    struct inbox_row seen = inbox_last(d, PHONE);
    cr_assert(view_equal(seen.body, text("milk")) && account_equal(seen.sent_to, d->party[ALICE].me.account));
    cr_assert_eq(d->party[ALICE].mail_count, 0u);
    say(d, ALICE, "a copy");
    cr_assert_eq(inbox_last(d, PHONE).counter, 2u, "notes and copies are counted together");
}

DUET_TEST(copies, one_survives_the_process_that_has_heard_of_the_acceptance)
{
    two_devices(d);
    offline(d, PHONE);
    uint64_t order = say(d, ALICE, "before the end");
    duet_restart(d, ALICE);
    duet_pass(d, 1000);
    cr_assert_eq(copy_of(d, ALICE, order).state, MESSAGE_ACCEPTED);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED, "the message's state is its recipient's");
    online(d, PHONE);
    duet_pass(d, 100);
    cr_assert_str_eq(read_all(d, PHONE), "before the end");
    cr_assert_eq(copy_of(d, ALICE, order).state, MESSAGE_SETTLED);
    cr_assert_eq(d->party[PHONE].mail_count, 1u);
}

/* ---- devices come and go ---- */

DUET_TEST(copies, the_gate_says_which_devices_have_come)
{
    two_devices(d);
    say(d, ALICE, "one");
    phone_leaves(d, ENTRY_SUSPEND);
    uint64_t order = say(d, ALICE, "not for the phone");
    cr_assert_eq(copy_of(d, ALICE, order).order, 0u, "our log says so");
    phone_leaves(d, ENTRY_RESUME);
    order = say(d, ALICE, "for it again");
    cr_assert_eq(copy_of(d, ALICE, order).parts[0].outcome, OUTCOME_SETTLED);
    cr_assert_str_eq(read_all(d, PHONE), "one|for it again");
    phone_leaves(d, ENTRY_REVOKE);
    cr_assert_eq(copy_of(d, ALICE, say(d, ALICE, "never more")).order, 0u);
    cr_assert_eq(d->party[PHONE].mail_count, 2u);
}

DUET_TEST(copies, one_whose_devices_have_gone_ends_without_a_word)
{
    two_devices(d);
    struct party *phone = &d->party[PHONE];
    struct change_wish wish = {.operation = ENTRY_SUSPEND, .subject = phone->me.device};
    enum change_obstacle why;
    ok(engine_change(phone->e, d->now, &wish, &why)); /* it puts itself out, and nobody tells Alice's device */
    duet_settle(d);
    d->party[ALICE].event_count = 0;
    uint64_t order = say(d, ALICE, "too late");
    struct outbox_row copy = copy_of(d, ALICE, order);
    cr_assert(copy.order && copy.state == MESSAGE_REFUSED && copy.reason == STATUS_REFUSED);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
    for (size_t i = 0; i < d->party[ALICE].event_count; i++)
        cr_assert(d->party[ALICE].events[i].kind != ENGINE_MESSAGE || d->party[ALICE].events[i].state != MESSAGE_REFUSED);
    cr_assert_eq(phone->mail_count, 0u);
    cr_assert_eq(copy_of(d, ALICE, say(d, ALICE, "now it knows")).order, 0u);
}

DUET_TEST(copies, one_is_repaired_where_our_own_log_has_gone_on)
{
    two_devices(d);
    say(d, ALICE, "under the old key");
    ok(engine_rotate(d->party[PHONE].e, d->now));
    duet_settle(d);
    uint64_t order = say(d, ALICE, "under the new one");
    duet_pass(d, 1000);
    struct outbox_row copy = copy_of(d, ALICE, order);
    cr_assert(copy.state == MESSAGE_SETTLED && duet_row(d, ALICE, order).state == MESSAGE_SETTLED);
    cr_assert_str_eq(read_all(d, PHONE), "under the old key|under the new one");
}

/* ---- what cannot be read ---- */

static bool spoil_once(struct duet *d, struct parcel *parcel)
{
    if (parcel->item.attempt == 0 && target_equal(parcel->item.target, target_of_account(d->party[ALICE].me.account)))
        parcel->bytes.at[parcel->bytes.len - 1] ^= 1;
    return true;
}

DUET_TEST(copies, a_broken_one_is_sealed_anew_and_its_message_is_not)
{
    two_devices(d);
    say(d, ALICE, "first");
    d->tamper = spoil_once;
    uint64_t order = say(d, ALICE, "again");
    duet_pass(d, 1000);
    struct outbox_row copy = copy_of(d, ALICE, order);
    cr_assert(copy.state == MESSAGE_SETTLED && copy.attempt == 1);
    cr_assert_eq(duet_row(d, ALICE, order).attempt, 0u);
    cr_assert_str_eq(read_all(d, PHONE), "first|again");
    cr_assert_str_eq(read_all(d, BOB), "first|again");
}

/* Alice's device at the content: in a real session, for her phone, with a payload that no client makes. */
static void send_raw(struct duet *d, struct view payload)
{
    struct party *alice = &d->party[ALICE], *phone = &d->party[PHONE];
    struct state_session rows[STATE_SESSIONS_MAX];
    struct session_scan scan = {.peer = phone->me.device, .rows = rows};
    struct content content = {.key_version = 2, .made_ms = 1, .counter = 9, .payload = payload};
    struct buffer padded = {0};
    content_write(&content, &padded);
    struct parcel *parcel = &phone->mailbox[phone->mail_count++];
    *parcel = (struct parcel){.item = {.term = term_make(1000, 1), .seq = phone->mail_count,
                                       .sender_account = alice->me.account, .sender_device = alice->me.device,
                                       .target = target_of_account(alice->me.account), .id = {{7, (uint8_t)phone->mail_count}},
                                       .sealed = true, .commitment = content_commitment(&content)}};
    struct sealed_context context = {.id = parcel->item.id, .target = parcel->item.target,
                                     .sender_account = alice->me.account, .recipient_account = alice->me.account,
                                     .sender_device = alice->me.device, .recipient_device = phone->me.device,
                                     .commitment = parcel->item.commitment};
    ok(state_begin(alice->state, STATE_WRITE));
    ok(state_session_scan(alice->state, &scan));
    cr_assert_gt(scan.count, 0);
    ok(session_seal(&rows[0].session, &context, buffer_view(&padded), &alice->config.random, &parcel->bytes));
    ok(state_session_put(alice->state, &rows[0]));
    ok(state_commit(alice->state));
    buffer_fini(&padded);
    duet_settle(d);
}

DUET_TEST(copies, a_payload_that_does_not_say_to_whom_is_reported_as_no_form)
{
    static const uint8_t nobody[33] = {1}, later[40] = {2, 7}, zero[40] = {0, 7};
    uint8_t good[36] = {1, 7};
    two_devices(d);
    say(d, ALICE, "so that there is a session");
    say_to(d, PHONE, "alice", "and back", true);
    struct parcel *parcel;
    static const struct { const char *what; struct view bytes; enum fail_reason reason; enum report_cause cause; } bad[] = {
        {"nothing", {NULL, 0}, FAIL_BROKEN, CAUSE_FORM},
        {"too short", {nobody, 32}, FAIL_BROKEN, CAUSE_FORM},
        {"to nobody", {nobody, 33}, FAIL_BROKEN, CAUSE_FORM},
        {"version 0", {zero, 40}, FAIL_BROKEN, CAUSE_FORM},
        {"a later version", {later, 40}, FAIL_HELD, CAUSE_VERSION},
    };
    send_raw(d, view_of(good, sizeof good)); /* what breaks the form under a new ratchet key has no session (10.5) */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct msg_report report;
        struct msg_report_body body;
        send_raw(d, bad[i].bytes);
        parcel = parcel_last(d, PHONE);
        cr_assert_eq(parcel->reason, bad[i].reason, "%s", bad[i].what);
        ok(report_open(buffer_view(&parcel->report), &d->arena, &report, &body));
        cr_assert_eq(body.cause, (uint32_t)bad[i].cause, "%s", bad[i].what);
    }
    send_raw(d, view_of(good, sizeof good));
    parcel = parcel_last(d, PHONE);
    cr_assert(parcel->gone && parcel->reason == FAIL_NONE);
    struct inbox_row seen = inbox_last(d, PHONE);
    cr_assert(seen.sent_to.bytes[0] == 7 && seen.body.len == 3);
}

/* ---- what answers are about ---- */

DUET_TEST(copies, answers_are_told_apart_by_their_target)
{
    two_devices(d);
    offline(d, BOB);
    offline(d, PHONE);
    uint64_t order = say(d, ALICE, "words");
    struct outbox_row message = duet_row(d, ALICE, order), copy = copy_of(d, ALICE, order);
    cr_assert(message.state == MESSAGE_ACCEPTED && copy.state == MESSAGE_ACCEPTED);
    online(d, PHONE);
    duet_pass(d, 100);
    cr_assert_eq(copy_of(d, ALICE, order).state, MESSAGE_SETTLED);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_ACCEPTED);
    online(d, BOB);
    duet_pass(d, 100);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
}

DUET_TEST(copies, the_largest_message_has_one_too)
{
    static char words[PAYLOAD_LEN_MAX];
    memset(words, 'x', sizeof words);
    struct engine_message m = {.handle = text("bob"), .payload = view_of(words, sizeof words), .sealed = true};
    struct outbox_row row;
    two_devices(d);
    ok(engine_send(d->party[ALICE].e, d->now, &m, &row));
    duet_settle(d);
    cr_assert_eq(copy_of(d, ALICE, row.order).state, MESSAGE_SETTLED);
    cr_assert_eq(inbox_last(d, PHONE).body.len, sizeof words);
}
