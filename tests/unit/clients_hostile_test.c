/* What a hostile relay or contact can do to a client's sessions and look-ups, and what two processes of one home, or one that
 * finds it locked, do to each other. */
#include "clients/core.h"
#include "tests/unit/clients_fixture.h"
#include "tests/unit/duet.h"

#include <stdio.h>
#include <string.h>

static void reads(struct duet *d, int who, const char *words)
{
    const char *got = read_all(d, who);
    cr_assert_str_eq(got, words, "\"%s\" is not \"%s\"", got, words);
}

static void talk(struct duet *d)
{
    (void)say(d, ALICE, "hello");
    reads(d, BOB, "hello");
    (void)say(d, BOB, "hello, too");
    reads(d, ALICE, "hello, too");
}

/* ---- the relay ---- */

static const struct parcel *withheld;

static bool party_has(const struct party *p, const struct parcel *parcel)
{
    return parcel >= p->mailbox && parcel < p->mailbox + p->mail_count;
}

static bool withhold(struct duet *d, struct parcel *parcel)
{
    (void)d;
    if (!withheld) withheld = parcel;
    return parcel != withheld;
}

/* Altered on its way to Alice, once. */
static bool withhold_and_flip(struct duet *d, struct parcel *parcel)
{
    bool first = parcel->item.attempt == 0 && party_has(&d->party[ALICE], parcel);
    if (first) parcel->bytes.at[200] ^= 1;
    return parcel != withheld;
}

DUET_TEST(hostile, bundles_that_nobody_asked_for_push_out_no_session)
{
    talk(d);
    withheld = NULL;
    d->tamper = withhold;
    (void)say(d, ALICE, "late");
    d->tamper = withhold_and_flip;
    d->bundle_again = 5;
    (void)say(d, BOB, "altered");
    duet_pass(d, 2000);
    reads(d, ALICE, "altered");
    size_t sends = d->sends;
    d->tamper = NULL;
    duet_pass(d, 2000);
    reads(d, BOB, "late");
    cr_assert_eq(d->sends, sends, "it opened as it was");
}

/* A log that is now this long and then that long, and what is handed over is always taken. */
ENGINE_TEST(hostile, a_relay_whose_log_comes_and_goes_is_not_asked_at_its_own_pace)
{
    struct sent s;
    struct identity_log logs[3];
    unsigned rounds = 0;
    for (uint8_t i = 0; i < 3; i++) {
        logs[i] = f->bob_log;
        (void)bob_adds(f, (uint8_t)(i + 1));
    }
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct msg_stale stale = {.log = identity_log_state(&logs[0])};
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_RELAY_BEHIND, .stale = &stale, .stale_count = 1});
    while (said_count(f, KIND_APPEND) + said_count(f, KIND_LOOKUP)) {
        cr_assert_lt(++rounds, 50u, "without a moment between");
        while (said_count(f, KIND_APPEND)) {
            struct frame append = said(f, KIND_APPEND, NULL, NULL);
            struct msg_appended done = {.log = identity_log_state(&logs[2])};
            answer(f, &append, KIND_APPENDED, &msg_appended_desc, &done);
        }
        while (said_count(f, KIND_LOOKUP)) {
            struct frame lookup = said(f, KIND_LOOKUP, NULL, NULL);
            struct msg_found found = {.account = f->bob.account, .log = identity_log_state(&logs[rounds % 2])};
            answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
        }
    }
}

/* ---- two processes of one home ---- */

static bool flip_first_only(struct duet *d, struct parcel *parcel)
{
    struct party *bob = &d->party[BOB];
    if (!party_has(bob, parcel)) return true;
    if (parcel == &bob->mailbox[0]) {
        if (!parcel->offered) parcel->bytes.at[200] ^= 1;
        return true;
    }
    bob->online = false; /* the first one is kept, and its sender's look-up has no answer */
    return false;
}

/* The process that receives has kept a message closed; another one learns the sender's log first, and the message does not
 * open: its sender hears of it all the same. */
DUET_TEST(hostile, what_another_process_could_not_open_is_not_settled)
{
    struct party *bob = &d->party[BOB];
    struct engine *first = bob->e, *second;
    struct engine_config config = bob->config;
    offline(d, BOB);
    (void)say(d, ALICE, "one");
    (void)say(d, ALICE, "two");
    d->tamper = flip_first_only;
    online(d, BOB);
    struct session_id session = bob->session;
    d->tamper = withhold;
    withheld = &bob->mailbox[1];
    config.attach = false;
    cr_assert_eq(engine_new(&config, bob->state, &second), STATUS_OK);
    bob->e = second;
    online(d, BOB);
    (void)say(d, BOB, "who are you?");
    duet_pass(d, 1000);
    bob->e = first;
    bob->session = session;
    bob->attached = bob->mailbox[0].offered = true;
    duet_pass(d, 20000);
    cr_assert(bob->mailbox[0].gone);
    cr_assert_eq(bob->mailbox[0].reason, FAIL_BROKEN);
    cr_assert_gt(bob->mailbox[0].report.len, 0u);
    d->tamper = NULL;
    duet_pass(d, 20000);
    reads(d, BOB, "one|two");
    engine_free(&second);
}

/* Whichever transaction finds the home locked: nothing is lost, told twice, or waits for ever. */
DUET_TEST(hostile, a_home_that_is_locked_for_a_moment_loses_nothing)
{
    talk(d);
    for (uint64_t n = 1; n < 60; n++) {
        int victim = n % 2 ? BOB : ALICE;
        char words[16];
        struct engine_message m = {.handle = view_of("bob", 3), .sealed = true, .key = words};
        struct outbox_row row;
        snprintf(words, sizeof words, "message %u", (unsigned)n);
        m.payload = view_of(words, strlen(words));
        memory_state_lock(d->party[victim].state, 1 + n / 2);
        if (n % 3 == 0) duet_restart(d, victim);
        enum status s = engine_send(d->party[ALICE].e, d->now, &m, &row);
        if (s == STATUS_LOCKED) s = engine_send(d->party[ALICE].e, d->now, &m, &row);
        cr_assert_eq(s, STATUS_OK);
        duet_pass(d, 30000);
        memory_state_lock(d->party[victim].state, 0);
        reads(d, BOB, words);
        duet_pass(d, 1000);
        cr_assert_eq(duet_state(d, ALICE, row.order), MESSAGE_SETTLED);
    }
}

DUET_TEST(hostile, a_copy_that_is_locked_for_a_moment_comes_to_rest)
{
    talk(d);
    for (uint64_t nth = 1; nth < 14; nth++) {
        struct party *p = &d->party[BOB];
        struct state *newer = p->state, *older = memory_state_copy(newer);
        duet_restart(d, BOB);
        duet_pass(d, 10000);
        p->online = false;
        duet_swap(d, BOB, older);
        memory_state_lock(older, nth);
        online(d, BOB);
        duet_pass(d, 60000);
        memory_state_lock(older, 0);
        size_t publishes = d->publishes;
        duet_pass(d, 60000);
        cr_assert_eq(d->publishes, publishes, "writer %lu", (unsigned long)nth);
        state_close(&newer);
    }
}

/* All that waits is sealed anew in one transaction, but not held in memory at once. */
DUET_TEST(hostile, what_waits_is_unsealed_one_by_one)
{
    static char words[100000];
    struct engine *e = d->party[ALICE].e;
    struct engine_message m = {.handle = view_of("bob", 3), .sealed = true, .payload = view_of(words, sizeof words)};
    struct outbox_row row;
    talk(d);
    offline(d, ALICE);
    for (size_t i = 0; i < 40; i++)
        cr_assert_eq(engine_send(e, d->now, &m, &row), STATUS_OK);
    cr_assert_eq(row.state, MESSAGE_ENCRYPTED);
    arena_reset(&e->arena);
    cr_assert_eq(tx_begin(e, STATE_WRITE), STATUS_OK);
    cr_assert_eq(tx_end(e, outbox_unseal_in(e, d->now)), STATUS_OK);
    cr_assert_eq(duet_state(d, ALICE, row.order), MESSAGE_DRAFTED);
    cr_assert_lt(e->arena.used, 10 * sizeof words);
    online(d, ALICE);
    duet_pass(d, 1000);
    cr_assert_eq(duet_state(d, ALICE, row.order), MESSAGE_SETTLED);
}

/* A first message waits for its sender's log; the home is locked when that comes. The session goes on. */
DUET_TEST(hostile, a_home_that_is_locked_when_a_log_comes_opens_the_message_a_little_later)
{
    for (uint64_t nth = 1; nth < 8; nth++) {
        struct state *fresh = memory_state_copy(d->party[BOB].state), *used;
        memory_state_lock(d->party[BOB].state, nth);
        uint64_t order = say(d, ALICE, "hello");
        duet_pass(d, 20000);
        memory_state_lock(d->party[BOB].state, 0);
        reads(d, BOB, "hello");
        duet_pass(d, 1000);
        cr_assert_eq(duet_state(d, ALICE, order), MESSAGE_SETTLED, "writer %lu", (unsigned long)nth);
        used = d->party[BOB].state;
        duet_swap(d, BOB, fresh); /* who does not know her */
        duet_pass(d, 10000);
        state_close(&used);
    }
}
