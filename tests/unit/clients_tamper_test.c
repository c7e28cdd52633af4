/* A relay that alters, cuts, repeats and reorders (rows 15 and 19): what the user sees, and the device's signed word with
 * the cause, which support and engineering are told by (storage_report_test). */
#include "broker/wire/report.h"
#include "tests/unit/duet.h"

#include <string.h>

static void said(struct duet *d, int who, const char *words)
{
    const char *got = read_all(d, who);
    cr_assert_str_eq(got, words, "\"%s\" is not \"%s\"", got, words);
}

/* Bob's rows, the oldest first. */
static size_t inbox(struct duet *d, struct inbox_row rows[16])
{
    static struct arena arena;
    struct inbox_scan scan = {.rows = rows, .row_max = 16};
    arena_reset(&arena);
    cr_assert_eq(state_begin(d->party[BOB].state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_inbox_scan(d->party[BOB].state, &scan, &arena), STATUS_OK);
    cr_assert_eq(state_commit(d->party[BOB].state), STATUS_OK);
    return scan.row_count;
}

/* The cause that Bob has signed. */
static uint32_t cause_of(struct duet *d, const struct parcel *parcel)
{
    struct arena arena = {0};
    struct msg_report report;
    struct msg_report_body body;
    const struct party *bob = &d->party[BOB];
    const struct log_device *device = identity_log_device(&bob->log, bob->me.device);
    cr_assert_eq(report_open(buffer_view(&parcel->report), &arena, &report, &body), STATUS_OK);
    cr_assert(report_signed_by(&report, &device->record.signing) && message_equal(body.id, parcel->item.id));
    uint32_t cause = body.cause;
    arena_fini(&arena);
    return cause;
}

/* ---- alter and cut ---- */

static const struct lie {
    const char *what;
    size_t at; /* the byte that is another one; 0 = none */
    size_t cut, keep; /* bytes off the end; or all but so many */
    enum report_cause cause;
} lies[] = {
    {"the ratchet key", 5, 0, 0, CAUSE_SESSION},
    {"the number", 41, 0, 0, CAUSE_REPLAY},
    {"the nonce", 45, 0, 0, CAUSE_AUTHENTICATION},
    {"the ciphertext", 200, 0, 0, CAUSE_AUTHENTICATION},
    {"one byte less", 0, 1, 0, CAUSE_AUTHENTICATION},
    {"half a header", 0, 0, 20, CAUSE_FORM},
};
static const struct lie *lie;

static bool alter(struct duet *d, struct parcel *parcel)
{
    (void)d;
    if (parcel->item.attempt) return true;
    if (lie->at) parcel->bytes.at[lie->at] ^= 1;
    if (lie->keep) parcel->bytes.len = lie->keep;
    parcel->bytes.len -= lie->cut;
    return true;
}

DUET_TEST(tamper, what_is_altered_or_cut_is_named_and_comes_again)
{
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        (void)say(d, ALICE, "hello");
        said(d, BOB, "hello");
        (void)say(d, BOB, "hello, too"); /* both have opened something of the other: no start is sent any more */
        said(d, ALICE, "hello, too");
        (void)say(d, ALICE, "and more"); /* under a key that he knows now */
        said(d, BOB, "and more");
        size_t before = d->party[BOB].mail_count;
        lie = &lies[i];
        d->tamper = alter;
        uint64_t order = say(d, ALICE, "as it was sealed");
        const struct parcel *parcel = &d->party[BOB].mailbox[before];
        cr_assert(parcel->gone && parcel->reason == FAIL_BROKEN, "%s", lie->what);
        cr_expect_eq(cause_of(d, parcel), lie->cause, "%s: %u", lie->what, (unsigned)cause_of(d, parcel));
        duet_pass(d, 60000);
        said(d, BOB, "as it was sealed");
        cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED, "%s", lie->what);
        d->tamper = NULL;
    }
}

/* ---- reorder ---- */

/* Each takes the other's place in the mailbox. */
static void places_swap(struct parcel *a, struct parcel *b)
{
    struct parcel was = *a;
    *a = *b;
    *b = was;
    b->item.seq = a->item.seq;
    a->item.seq = was.item.seq;
}

DUET_TEST(tamper, another_order_is_shown_as_what_is_missing)
{
    struct inbox_row rows[16];
    (void)say(d, ALICE, "one");
    said(d, BOB, "one");
    d->party[BOB].attached = false;
    (void)say(d, ALICE, "two");
    (void)say(d, ALICE, "three");
    struct parcel *last = parcel_last(d, BOB);
    places_swap(last - 1, last);
    d->party[BOB].attached = true;
    duet_settle(d);
    said(d, BOB, "three|two");
    cr_assert_eq(inbox(d, rows), 3);
    cr_assert(rows[1].counter == 3 && rows[1].missing == 1, "one is not here yet");
    cr_assert(rows[2].counter == 2 && rows[2].missing == 0, "here it is");
    cr_assert(last->reason == FAIL_NONE && (last - 1)->reason == FAIL_NONE);
}

/* ---- repeat ---- */

static const struct parcel *repeat(struct duet *d, const struct parcel *which, bool other_id)
{
    struct party *bob = &d->party[BOB];
    struct parcel *again = &bob->mailbox[bob->mail_count++];
    *again = (struct parcel){.item = which->item};
    again->item.seq = bob->mail_count;
    again->item.id.bytes[9] ^= other_id;
    write_view(&again->bytes, buffer_view(&which->bytes));
    duet_settle(d);
    cr_assert(again->gone);
    return again;
}

DUET_TEST(tamper, what_is_repeated_is_shown_once)
{
    (void)say(d, ALICE, "once");
    said(d, BOB, "once");
    const struct parcel *first = parcel_last(d, BOB);
    cr_assert_eq(repeat(d, first, false)->reason, FAIL_NONE);
    cr_assert_eq(engine_counts(d->party[BOB].e).duplicates, 1);
    const struct parcel *other = repeat(d, first, true);
    cr_assert_eq(other->reason, FAIL_BROKEN);
    cr_assert_eq(cause_of(d, other), CAUSE_REPLAY);
    said(d, BOB, "");
}

/* ---- killed between opening and acknowledging ---- */

/* What Bob says after this delivery reaches nobody. */
static bool cut_off(struct duet *d, struct parcel *parcel)
{
    (void)parcel;
    d->party[BOB].online = false;
    return true;
}

DUET_TEST(tamper, who_dies_between_opening_and_acknowledging_has_one_message)
{
    struct inbox_row rows[16];
    (void)say(d, ALICE, "first");
    said(d, BOB, "first");
    d->tamper = cut_off;
    uint64_t order = say(d, ALICE, "second");
    d->tamper = NULL;
    const struct parcel *parcel = parcel_last(d, BOB);
    cr_assert(parcel->offered && !parcel->gone);
    cr_assert_eq(inbox(d, rows), 2, "it was opened");
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_ACCEPTED);
    duet_restart(d, BOB);
    online(d, BOB);
    duet_pass(d, 2000);
    cr_assert_eq(engine_counts(d->party[BOB].e).duplicates, 1);
    cr_assert(parcel->gone && parcel->reason == FAIL_NONE);
    said(d, BOB, "second");
    cr_assert_eq(inbox(d, rows), 2);
    cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED);
}
