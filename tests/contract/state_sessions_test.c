#include "tests/contract/state_fixture.h"

#include <sodium.h>

/* ---- sessions ---- */

static uint64_t session_add(struct fixture *f, uint8_t peer, uint64_t rank)
{
    struct state_session row = {.peer = {{peer}}, .rank = rank, .made_ms = 5};
    row.session.ratchet.sent = (uint32_t)rank;
    row.session.ratchet.sends = true;
    row.session.start.prekey_id = 9;
    memset(row.session.ratchet.root, peer, 32);
    ok(state_session_put(f->s, &row));
    cr_assert_neq(row.number, 0);
    return row.number;
}

CONTRACT_TEST(all_sessions_retire_at_once)
{
    struct state_session rows[STATE_SESSIONS_MAX];
    writing(f);
    for (uint8_t peer = 1; peer < 4; peer++)
        (void)session_add(f, peer, peer);
    (void)session_add(f, 3, 300);
    ok(state_sessions_retire(f->s));
    (void)session_add(f, 2, 400);
    commit(f);
    writing(f);
    for (uint8_t peer = 1; peer < 4; peer++) {
        struct session_scan scan = {.peer = {{peer}}, .rows = rows};
        ok(state_session_scan(f->s, &scan));
        cr_assert_eq(scan.count, peer == 1 ? 1 : 2);
        for (size_t i = 0; i < scan.count; i++)
            cr_assert(rows[i].retired == (rows[i].rank != 400) && rows[i].session.ratchet.root[0] == peer);
    }
    commit(f);
}

CONTRACT_TEST(sessions_come_back_whole_the_highest_rank_first)
{
    struct state_session rows[STATE_SESSIONS_MAX];
    struct session_scan scan = {.peer = {{1}}, .rows = rows};
    writing(f);
    uint64_t low = session_add(f, 1, 3), high = session_add(f, 1, 300);
    (void)session_add(f, 2, 1000);
    ok(state_session_scan(f->s, &scan));
    cr_assert(scan.count == 2 && rows[0].number == high && rows[1].number == low);
    cr_assert(rows[0].session.ratchet.sent == 300 && rows[0].session.ratchet.sends && !rows[0].retired);
    cr_assert(rows[0].session.ratchet.root[31] == 1 && rows[0].session.start.prekey_id == 9 && rows[0].made_ms == 5);
    rows[1].rank = 301;
    rows[1].retired = true;
    rows[1].session.answered = true;
    ok(state_session_put(f->s, &rows[1]));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_session_scan(f->s, &scan));
    cr_assert(scan.count == 2 && rows[0].number == low && rows[0].retired && rows[0].session.answered);
    ok(state_session_drop(f->s, low));
    ok(state_session_drop(f->s, low));
    ok(state_session_scan(f->s, &scan));
    cr_assert(scan.count == 1 && rows[0].number == high);
    rows[0].number = low;
    cr_assert_eq(state_session_put(f->s, &rows[0]), STATUS_NOT_FOUND);
    commit(f);
}

CONTRACT_TEST(no_more_sessions_are_scanned_than_there_may_be)
{
    struct state_session rows[STATE_SESSIONS_MAX];
    struct session_scan scan = {.peer = {{1}}, .rows = rows};
    writing(f);
    for (uint64_t rank = 1; rank <= STATE_SESSIONS_MAX + 2; rank++)
        (void)session_add(f, 1, rank);
    ok(state_session_scan(f->s, &scan));
    cr_assert(scan.count == STATE_SESSIONS_MAX && rows[0].rank == STATE_SESSIONS_MAX + 2);
    commit(f);
}

/* ---- message keys ---- */

static void skipped_add(struct fixture *f, uint64_t session, uint8_t key, uint32_t number)
{
    struct skipped row = {.key = {{key}}, .number = number, .sk = {{(uint8_t)number, key}}};
    ok(state_skipped_put(f->s, session, &row));
}

static enum status skipped_read(struct fixture *f, uint64_t session, uint8_t key, uint32_t number)
{
    struct ratchet_place place = {.key = {{key}}, .number = number};
    struct message_sk sk = {{0xee}};
    enum status s = state_skipped_get(f->s, session, &place, &sk);
    if (s == STATUS_OK) cr_assert(sk.bytes[0] == number && sk.bytes[1] == key);
    if (s != STATUS_OK) cr_assert(sodium_is_zero(sk.bytes, sizeof sk.bytes));
    return s;
}

CONTRACT_TEST(kept_message_keys_are_found_by_place_and_the_oldest_go_first)
{
    writing(f);
    uint64_t one = session_add(f, 1, 1), two = session_add(f, 1, 2);
    for (uint32_t i = 10; i > 0; i--)
        skipped_add(f, one, 1, i); /* 10 is the oldest */
    skipped_add(f, two, 1, 10);
    ok(skipped_read(f, one, 1, 7));
    cr_assert_eq(skipped_read(f, one, 2, 7), STATUS_NOT_FOUND);
    cr_assert_eq(skipped_read(f, two, 1, 7), STATUS_NOT_FOUND);
    ok(state_skipped_drop(f->s, one, &(struct ratchet_place){.key = {{1}}, .number = 7}));
    cr_assert_eq(skipped_read(f, one, 1, 7), STATUS_NOT_FOUND);
    ok(state_skipped_trim(f->s, one, 4));
    commit(f);
    fixture_restart(f);
    writing(f);
    cr_assert_eq(skipped_read(f, one, 1, 10), STATUS_NOT_FOUND);
    cr_assert_eq(skipped_read(f, one, 1, 5), STATUS_NOT_FOUND);
    ok(skipped_read(f, one, 1, 4));
    ok(skipped_read(f, two, 1, 10));
    ok(state_session_drop(f->s, one));
    cr_assert_eq(skipped_read(f, one, 1, 4), STATUS_NOT_FOUND);
    ok(skipped_read(f, two, 1, 10));
    commit(f);
}

/* ---- starts, counters ---- */

CONTRACT_TEST(an_ephemeral_key_is_remembered_until_it_is_pruned)
{
    struct prekey_pk old = {{1}}, young = {{2}};
    bool known;
    writing(f);
    ok(state_start_put(f->s, &old, 100));
    ok(state_start_put(f->s, &young, 300));
    ok(state_start_known(f->s, &old, &known));
    cr_assert(known);
    ok(state_start_prune(f->s, 300));
    ok(state_start_known(f->s, &old, &known));
    cr_assert_not(known);
    ok(state_start_known(f->s, &young, &known));
    cr_assert(known);
    commit(f);
}

CONTRACT_TEST(counters_are_by_kind_and_key)
{
    uint64_t value;
    writing(f);
    ok(state_counter_get(f->s, COUNTER_SEALED, text("bob"), &value));
    cr_assert_eq(value, 0);
    ok(state_counter_put(f->s, COUNTER_SEALED, text("bob"), 7));
    ok(state_counter_put(f->s, COUNTER_HEARD, text("bob"), 8));
    ok(state_counter_put(f->s, COUNTER_SEALED, text("bob"), 9));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_counter_get(f->s, COUNTER_SEALED, text("bob"), &value));
    cr_assert_eq(value, 9);
    ok(state_counter_get(f->s, COUNTER_HEARD, text("bob"), &value));
    cr_assert_eq(value, 8);
    ok(state_counter_get(f->s, COUNTER_HEARD, text("bo"), &value));
    cr_assert_eq(value, 0);
    commit(f);
}

/* ---- closed rows of the inbox ---- */

static size_t listed(struct fixture *f, enum inbox_which which)
{
    struct inbox_row rows[8];
    struct inbox_scan scan = {.which = which, .rows = rows, .row_max = 8};
    ok(state_inbox_scan(f->s, &scan, &f->arena));
    return scan.row_count;
}

CONTRACT_TEST(a_closed_row_is_not_shown_until_it_is_opened)
{
    uint8_t head[CONTENT_HEAD_LEN] = {1, 2, 3};
    struct inbox_row row = {.sender_device = {{1}}, .id = id_of(2), .sealed = true, .closed = true, .attempt = 2,
                            .target = {{9}}, .commitment = {{8}}, .stamp = {{7}}, .stamp_key = 6,
                            .body = text("ciphertext")};
    struct inbox_row found;
    bool added;
    writing(f);
    ok(state_inbox_put(f->s, &row, &added));
    cr_assert(added && listed(f, INBOX_OPENED) == 0 && listed(f, INBOX_UNSHOWN) == 0);
    cr_assert(listed(f, INBOX_CLOSED) == 1 && listed(f, INBOX_UNSETTLED) == 1);
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_inbox_find(f->s, row.sender_device, row.id, &found));
    cr_assert(found.order == row.order && found.closed && found.sealed && found.attempt == 2);
    cr_assert(found.target.bytes[0] == 9 && found.commitment.bytes[0] == 8 && found.stamp.bytes[0] == 7);
    cr_assert(found.stamp_key == 6 && found.body.len == 0);
    cr_assert_eq(state_inbox_show(f->s, found.order), STATUS_NOT_FOUND, "nobody can have seen it");
    found.body = text("words");
    found.head = view_of(head, sizeof head);
    found.counter = 4;
    found.missing = 3;
    ok(state_inbox_open(f->s, &found));
    cr_assert_eq(state_inbox_open(f->s, &found), STATUS_NOT_FOUND);
    cr_assert(listed(f, INBOX_OPENED) == 1 && listed(f, INBOX_UNSHOWN) == 1);
    cr_assert(listed(f, INBOX_CLOSED) == 0 && listed(f, INBOX_UNSETTLED) == 0, "what was opened is settled");
    ok(state_inbox_drop(f->s, row.order));
    struct inbox_scan scan = {.rows = &found, .row_max = 1};
    ok(state_inbox_scan(f->s, &scan, &f->arena));
    cr_assert_eq(scan.row_count, 1, "an opened row is not dropped");
    cr_assert(view_equal(found.body, text("words")) && found.head.len == sizeof head && found.counter == 4);
    cr_assert(found.missing == 3 && memcmp(found.head.at, head, sizeof head) == 0);
    ok(state_inbox_show(f->s, row.order));
    commit(f);
}

CONTRACT_TEST(a_closed_row_that_does_not_open_goes_and_may_come_again)
{
    struct inbox_row row = {.sender_device = {{1}}, .id = id_of(2), .sealed = true, .closed = true, .body = text("c")};
    struct inbox_row found;
    bool added;
    writing(f);
    ok(state_inbox_put(f->s, &row, &added));
    ok(state_inbox_drop(f->s, row.order));
    ok(state_inbox_drop(f->s, row.order));
    cr_assert_eq(state_inbox_find(f->s, row.sender_device, row.id, &found), STATUS_NOT_FOUND);
    cr_assert_eq(listed(f, INBOX_CLOSED) + listed(f, INBOX_UNSETTLED) + listed(f, INBOX_UNSHOWN), 0);
    ok(state_inbox_put(f->s, &row, &added));
    cr_assert(added);
    commit(f);
}
