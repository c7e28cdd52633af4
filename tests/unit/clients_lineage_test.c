/* A home that was set back to an older copy, or is in use in two places (PROTOCOL 4.1): noticed by its owner, with every
 * use, once each; by nothing that an honest home does, and by nothing that a relay makes up. */
#include "tests/unit/duet.h"

#include <sodium.h>
#include <string.h>

static void said(struct duet *d, int who, const char *words)
{
    const char *read = read_all(d, who);
    cr_assert_str_eq(read, words, "%s", read);
}

/* A session began, and the home learned in it that it is not alone; the events are forgotten. */
static bool noticed(struct duet *d, int who)
{
    duet_settle(d);
    cr_assert(duet_happened(d, who, ENGINE_CONNECTED));
    bool copied = duet_happened(d, who, ENGINE_COPIED);
    d->party[who].event_count = 0;
    return copied;
}

static bool noticed_anew(struct duet *d, int who)
{
    duet_restart(d, who);
    return noticed(d, who);
}

static bool to_be_told(struct duet *d, int who)
{
    struct arena a = {0};
    struct view value;
    cr_assert_eq(state_begin(d->party[who].state, STATE_READ), STATUS_OK);
    enum status s = state_setting_get(d->party[who].state, STATE_COPIED_SETTING, &a, &value);
    cr_assert_eq(state_commit(d->party[who].state), STATUS_OK);
    arena_fini(&a);
    return s == STATUS_OK;
}

/* Both have sessions with each other, and have used them. */
static void talk(struct duet *d)
{
    (void)say(d, ALICE, "one");
    said(d, BOB, "one");
    (void)say(d, BOB, "two");
    said(d, ALICE, "two");
    (void)say(d, ALICE, "three");
    said(d, BOB, "three");
}

DUET_TEST(lineage, a_home_that_is_alone_notices_nothing)
{
    talk(d);
    d->party[BOB].event_count = 0;
    for (size_t i = 0; i < 200; i++)
        cr_assert_not(noticed_anew(d, BOB), "%zu", i);
    for (size_t i = 0; i < 10; i++) {
        offline(d, BOB);
        online(d, BOB);
        cr_assert_not(noticed(d, BOB));
    }
    cr_assert_not(to_be_told(d, BOB));
}

DUET_TEST(lineage, two_processes_on_one_home_are_one)
{
    struct engine *first = d->party[BOB].e, *second;
    cr_assert_eq(engine_new(&d->party[BOB].config, d->party[BOB].state, &second), STATUS_OK);
    for (size_t i = 0; i < 20; i++) {
        offline(d, BOB);
        d->party[BOB].e = i % 2 ? first : second;
        d->party[BOB].event_count = 0;
        online(d, BOB);
        cr_assert_not(noticed(d, BOB), "%zu", i);
    }
    d->party[BOB].e = first;
    engine_free(&second);
}

DUET_TEST(lineage, a_home_that_was_set_back_notices_it_once_and_begins_anew)
{
    talk(d);
    struct state *older = memory_state_copy(d->party[BOB].state), *newer = d->party[BOB].state;
    (void)noticed_anew(d, BOB);
    (void)say(d, ALICE, "to the newer one");
    said(d, BOB, "to the newer one");
    (void)say(d, BOB, "from it");
    said(d, ALICE, "from it");
    uint64_t highest = d->party[BOB].prekeys.one_time_highest, signed_id = d->party[BOB].prekeys.signed_id;
    d->party[BOB].event_count = 0;
    duet_swap(d, BOB, older);
    cr_assert(noticed(d, BOB));
    cr_assert(to_be_told(d, BOB));
    duet_pass(d, 10000);
    cr_assert_gt(d->party[BOB].one_time[0].id, highest, "the newer home's secrets are not here");
    cr_assert_eq(d->party[BOB].one_time_count, ONE_TIME_PREKEYS_MAX);
    cr_assert_eq(d->party[BOB].prekeys.signed_id, signed_id + 1, "the other copy has that one's secret");
    size_t claims = d->claims;
    (void)say(d, BOB, "from the older one");
    said(d, ALICE, "from the older one");
    cr_assert_eq(d->claims, claims + 1, "in a session of its own");
    (void)say(d, ALICE, "to it");
    duet_pass(d, 2000);
    said(d, BOB, "to it");
    cr_assert_not(noticed_anew(d, BOB), "once");
    state_close(&newer);
}

DUET_TEST(lineage, what_was_sealed_before_it_was_noticed_is_sealed_anew)
{
    struct state *older, *newer = d->party[BOB].state;
    uint64_t order[40];
    talk(d);
    older = memory_state_copy(newer);
    (void)say(d, BOB, "from the newer one");
    said(d, ALICE, "from the newer one");
    duet_pass(d, 600000);
    (void)say(d, ALICE, "turns the ratchet");
    said(d, BOB, "turns the ratchet");
    (void)say(d, BOB, "and again");
    said(d, ALICE, "and again");
    d->party[BOB].online = false;
    duet_swap(d, BOB, older);
    for (size_t i = 0; i < 40; i++) /* more than a page */
        order[i] = say(d, BOB, "x");
    cr_assert_eq(duet_state(d, BOB, order[0]), MESSAGE_ENCRYPTED);
    online(d, BOB);
    cr_assert(noticed(d, BOB));
    duet_pass(d, 1000);
    cr_assert_eq(strlen(read_all(d, ALICE)), 79u);
    for (size_t i = 0; i < 40; i++) {
        struct outbox_row row = duet_row(d, BOB, order[i]);
        cr_assert(row.state == MESSAGE_SETTLED && row.attempt == 0, "%zu: %u", i, row.attempt);
    }
    state_close(&newer);
}

DUET_TEST(lineage, of_two_homes_in_use_each_notices_the_other_every_time)
{
    talk(d);
    struct state *home[] = {d->party[BOB].state, memory_state_copy(d->party[BOB].state)};
    d->party[BOB].event_count = 0;
    for (size_t i = 1; i < 12; i++) {
        duet_swap(d, BOB, home[i % 2]);
        cr_assert_eq(noticed(d, BOB), i > 1, "%zu", i); /* the first use of the copy looks like any other */
        cr_assert_not(noticed_anew(d, BOB), "%zu: nobody else meanwhile", i);
        (void)say(d, BOB, "still here");
        said(d, ALICE, "still here");
    }
    state_close(&home[0]);
}

/* The one in use has made more marks meanwhile than it keeps. */
DUET_TEST(lineage, a_copy_that_was_used_once_is_noticed_however_old_it_is)
{
    talk(d);
    struct state *newer = d->party[BOB].state, *older = memory_state_copy(newer);
    d->party[BOB].event_count = 0;
    for (size_t i = 0; i < 100; i++)
        cr_assert_not(noticed_anew(d, BOB), "%zu", i);
    duet_swap(d, BOB, older);
    cr_assert(noticed(d, BOB));
    duet_pass(d, 1000);
    duet_swap(d, BOB, newer);
    cr_assert(noticed(d, BOB), "the mail of a whole session went to somebody else");
    duet_pass(d, 1000);
    cr_assert_not(noticed_anew(d, BOB));
    state_close(&older);
}

/* ---- what a relay can do ---- */

static uint8_t lie[LINEAGE_LEN_MAX];
static size_t lie_len;

static void said_lie(struct duet *d, struct view *said)
{
    (void)d;
    *said = view_of(lie, lie_len);
}

/* The marks of somebody, as the relay has them. */
static void lie_take(struct duet *d, int who)
{
    lie_len = d->party[who].lineage_len;
    memcpy(lie, d->party[who].lineage, lie_len);
    d->lineage = said_lie;
}

DUET_TEST(lineage, a_relay_cannot_make_one_up)
{
    lie_take(d, BOB);
    d->party[BOB].event_count = 0;
    for (size_t i = 0; i < LINEAGE_MARK_LEN; i++) {
        lie[i] ^= 1;
        cr_assert_not(noticed_anew(d, BOB), "byte %zu", i);
        lie[i] ^= 1;
    }
    cr_assert_not(noticed_anew(d, BOB));
    lie_len = 87; /* not even one */
    cr_assert_not(noticed_anew(d, BOB));
    lie_take(d, ALICE);
    cr_assert_not(noticed_anew(d, BOB), "another device's");
    cr_assert_not(to_be_told(d, BOB));
}

/* Marks of Bob's own with these counts, as who has his keys may make them. */
static void lie_sign(struct duet *d, uint64_t count)
{
    static const char label[] = "sealmq lineage 1";
    struct device_secrets secrets;
    cr_assert_eq(state_begin(d->party[BOB].state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_secrets_get(d->party[BOB].state, &secrets), STATUS_OK);
    cr_assert_eq(state_commit(d->party[BOB].state), STATUS_OK);
    for (lie_len = 0; lie_len < LINEAGE_LEN_MAX; lie_len += LINEAGE_MARK_LEN, count--) {
        struct buffer text = {0};
        uint8_t *mark = lie + lie_len;
        memset(mark, 7, LINEAGE_MARK_LEN);
        put_u64(mark, count);
        write_bytes(&text, label, sizeof label);
        write_bytes(&text, d->party[BOB].me.account.bytes, 32);
        write_bytes(&text, d->party[BOB].me.device.bytes, 16);
        write_bytes(&text, mark, 24);
        crypto_sign_detached(mark + 24, NULL, text.at, text.len, secrets.signing_sk);
        buffer_fini(&text);
    }
    d->lineage = said_lie;
}

DUET_TEST(lineage, no_count_makes_a_home_a_stranger_to_itself)
{
    for (uint64_t i = 0; i < 10; i++) {
        lie_sign(d, UINT64_MAX - 4 * i);
        (void)noticed_anew(d, BOB);
        duet_pass(d, 10000);
    }
    d->lineage = NULL;
    for (size_t k = 0; k < 40; k++)
        cr_assert_not(noticed_anew(d, BOB), "%zu", k);
}

DUET_TEST(lineage, a_relay_that_was_set_back_itself_is_no_copy)
{
    lie_take(d, BOB);
    d->party[BOB].event_count = 0;
    for (size_t i = 0; i < 100; i++) /* more than a home keeps */
        cr_assert_not(noticed_anew(d, BOB), "%zu", i);
    lie_len = 0; /* it has lost them all */
    cr_assert_not(noticed_anew(d, BOB));
}

DUET_TEST(lineage, whatever_call_of_the_state_fails_the_copy_is_noticed_once)
{
    talk(d);
    for (uint64_t nth = 1; nth < 60; nth++) {
        struct party *p = &d->party[BOB];
        struct state *newer = p->state, *older = memory_state_copy(newer);
        (void)noticed_anew(d, BOB);
        p->online = false;
        duet_swap(d, BOB, older);
        memory_state_fail(older, nth, nth % 2);
        online(d, BOB);
        memory_state_fail(older, 0, false);
        bool before = to_be_told(d, BOB);
        cr_assert_eq(noticed_anew(d, BOB), !before, "call %lu", (unsigned long)nth);
        cr_assert(to_be_told(d, BOB), "call %lu", (unsigned long)nth);
        cr_assert_eq(state_begin(older, STATE_WRITE), STATUS_OK);
        cr_assert_eq(state_setting_put(older, STATE_COPIED_SETTING, view_of(NULL, 0)), STATUS_OK);
        cr_assert_eq(state_commit(older), STATUS_OK);
        state_close(&newer);
    }
}
