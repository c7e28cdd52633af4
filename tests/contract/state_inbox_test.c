/* The contract of clients/state/state.h, second part: what was received, acknowledgements, terms,
 * housekeeping; each run on every backend. */
#include "tests/contract/state_fixture.h"

/* ---- inbox ---- */

CONTRACT_TEST(inbox_takes_each_message_once)
{
    writing(f);
    cr_assert_neq(put_inbox(f, 1, 1, "a", 1), 0u);
    cr_assert_eq(put_inbox(f, 1, 1, "a", 2), 0u);
    cr_assert_eq(put_inbox(f, 1, 1, "other", 2), 0u);
    cr_assert_neq(put_inbox(f, 2, 1, "a", 1), 0u, "another sender");
    cr_assert_neq(put_inbox(f, 1, 2, "a", 1), 0u, "another id");
    commit(f);
    fixture_restart(f);
    writing(f);
    cr_assert_eq(put_inbox(f, 1, 1, "a", 3), 0u);
    commit(f);
}

CONTRACT_TEST(known_inbox_row_tells_its_order_and_whether_it_was_shown)
{
    struct inbox_row first = {.sender_device = {{2}}, .id = id_of(3), .body = text("a")};
    struct inbox_row again = first;
    bool added;
    writing(f);
    ok(state_inbox_put(f->s, &first, &added));
    ok(state_inbox_put(f->s, &again, &added));
    cr_assert(!added && again.order == first.order && !again.shown);
    ok(state_inbox_show(f->s, first.order));
    commit(f);
    fixture_restart(f);
    writing(f);
    again.order = 0;
    ok(state_inbox_put(f->s, &again, &added));
    cr_assert(!added && again.order == first.order && again.shown);
    commit(f);
}

CONTRACT_TEST(inbox_row_comes_back_whole_and_unshown_first)
{
    struct inbox_row in = {.sender_account = account_of(1), .sender_device = {{2}}, .id = id_of(3),
                           .term = term_of(4), .seq = 5, .accepted_ms = 6, .received_ms = 7,
                           .body = text("hello"), .expires_ms = 11};
    struct inbox_row rows[4];
    struct inbox_scan all = {.rows = rows, .row_max = 4};
    bool added;
    writing(f);
    ok(state_inbox_put(f->s, &in, &added));
    cr_assert(added);
    uint64_t second = put_inbox(f, 9, 9, "", 8);
    ok(state_inbox_scan(f->s, &all, &f->arena));
    cr_assert_eq(all.row_count, 2u);
    cr_assert(rows[0].order == in.order && rows[1].order == second && in.order < second);
    cr_assert(memcmp(&rows[0].sender_account, &in.sender_account, 32) == 0);
    cr_assert(device_equal(rows[0].sender_device, in.sender_device));
    cr_assert(message_equal(rows[0].id, in.id) && term_equal(rows[0].term, in.term));
    cr_assert(rows[0].seq == 5 && rows[0].accepted_ms == 6 && rows[0].received_ms == 7 && rows[0].expires_ms == 11);
    cr_assert(view_equal(rows[0].body, text("hello")) && !rows[0].shown);
    ok(state_inbox_show(f->s, in.order));
    ok(state_inbox_show(f->s, in.order));
    cr_assert_eq(state_inbox_show(f->s, 999), STATUS_NOT_FOUND);
    struct inbox_scan unshown = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = 4};
    ok(state_inbox_scan(f->s, &unshown, &f->arena));
    cr_assert(unshown.row_count == 1 && rows[0].order == second);
    struct inbox_scan after = {.after = in.order, .rows = rows, .row_max = 1};
    ok(state_inbox_scan(f->s, &after, &f->arena));
    cr_assert(after.row_count == 1 && rows[0].order == second);
    commit(f);
}

/* ---- acknowledgements, terms ---- */

CONTRACT_TEST(pending_acks_are_dropped_up_to_the_echo)
{
    struct pending_ack acks[8];
    size_t count;
    writing(f);
    for (uint64_t seq = 1; seq <= 300; seq += 100) {
        struct pending_ack good = {.position = {.term = term_of(2), .seq = seq}};
        struct pending_ack bad = {.position = {.term = term_of(1), .seq = seq},
                                  .reason = FAIL_BROKEN};
        ok(state_ack_put(f->s, &good));
        ok(state_ack_put(f->s, &bad));
    }
    ok(state_ack_put(f->s, &(struct pending_ack){.position = {.term = term_of(1), .seq = 1},
                                                 .reason = FAIL_HELD}));
    ok(state_ack_scan(f->s, acks, 8, &count));
    cr_assert_eq(count, 6u);
    cr_assert(acks[0].position.seq == 1 && acks[0].reason == FAIL_HELD);
    cr_assert(acks[2].position.seq == 201 && acks[2].reason == FAIL_BROKEN);
    cr_assert(acks[3].position.seq == 1 && acks[3].reason == FAIL_NONE);
    ok(state_ack_scan(f->s, acks, 2, &count));
    cr_assert_eq(count, 2u);
    ok(state_ack_drop(f->s, (struct position){.term = term_of(2), .seq = 101}));
    ok(state_ack_scan(f->s, acks, 8, &count));
    cr_assert(count == 1 && acks[0].position.seq == 201);
    ok(state_ack_drop(f->s, (struct position){.term = term_of(2), .seq = 200}));
    ok(state_ack_scan(f->s, acks, 8, &count));
    cr_assert_eq(count, 1u, "not yet echoed");
    commit(f);
}

CONTRACT_TEST(term_of_a_store_is_replaced)
{
    struct term term;
    writing(f);
    cr_assert_eq(state_term_get(f->s, store_one, &term), STATUS_NOT_FOUND);
    ok(state_term_put(f->s, store_one, term_of(1)));
    ok(state_term_put(f->s, store_one, term_of(2)));
    ok(state_term_get(f->s, store_one, &term));
    cr_assert(term_equal(term, term_of(2)));
    cr_assert_eq(state_term_get(f->s, store_two, &term), STATUS_NOT_FOUND);
    cr_assert(term_equal(term, term_of(0)));
    commit(f);
}

/* ---- housekeeping ---- */

CONTRACT_TEST(prune_takes_ended_outbox_rows_oldest_first)
{
    struct outbox_row rows[8], row;
    bool more;
    struct state_prune limits = {.outbox_ended_before_ms = 30, .row_max = 1};
    writing(f);
    for (uint64_t i = 0; i < 4; i++) {
        row = row_of("", i + 1);
        row.key.text[0] = (char)('a' + i);
        row.state = i == 3 ? MESSAGE_QUEUED : MESSAGE_REFUSED;
        row.ended_ms = 30 - 10 * i;
        put_row(f, row);
    }
    ok(state_prune(f->s, &limits, &more));
    cr_assert(more);
    cr_assert_eq(scan(f, 0, 0, 0, rows, 8), 3u);
    cr_assert_eq(state_outbox_find_id(f->s, id_of(3), &row), STATUS_NOT_FOUND, "ended at 10");
    ok(state_prune(f->s, &limits, &more));
    ok(state_prune(f->s, &limits, &more));
    cr_assert_not(more);
    cr_assert_eq(scan(f, 0, 0, 0, rows, 8), 2u);
    cr_assert_str_eq(rows[0].key.text, "a", "30 is not before 30");
    cr_assert_str_eq(rows[1].key.text, "d", "not ended");
    put_row(f, row_of("b", 2));
    commit(f);
}

static size_t count_of(struct fixture *f, enum inbox_which which)
{
    struct inbox_row rows[8];
    struct inbox_scan scan = {.which = which, .rows = rows, .row_max = 8};
    ok(state_inbox_scan(f->s, &scan, &f->arena));
    return scan.row_count;
}

CONTRACT_TEST(withheld_rows_are_as_shown_until_they_are_released)
{
    struct state_prune bodies = {.inbox_body_before_ms = 50, .row_max = 10};
    bool more;
    writing(f);
    uint64_t one = put_inbox(f, 1, 1, "one", 60), two = put_inbox(f, 1, 2, "two", 10);
    ok(state_inbox_withhold(f->s, one));
    ok(state_inbox_withhold(f->s, two));
    cr_assert_eq(state_inbox_withhold(f->s, two), STATUS_NOT_FOUND, "shown, for the relay");
    cr_assert_eq(state_inbox_withhold(f->s, 999), STATUS_NOT_FOUND);
    cr_assert_eq(state_inbox_release(f->s, 999), STATUS_NOT_FOUND);
    commit(f);
    fixture_restart(f);
    writing(f);
    cr_assert(count_of(f, INBOX_WITHHELD) == 2 && count_of(f, INBOX_UNSHOWN) == 0 && count_of(f, INBOX_UNSETTLED) == 0);
    ok(state_prune(f->s, &bodies, &more));
    cr_assert_eq(count_of(f, INBOX_WITHHELD), 1, "what has no body any more is nothing to be released");
    cr_assert_eq(state_inbox_release(f->s, two), STATUS_NOT_FOUND);
    ok(state_inbox_release(f->s, one));
    cr_assert(count_of(f, INBOX_WITHHELD) == 0 && count_of(f, INBOX_UNSHOWN) == 1 && count_of(f, INBOX_UNSETTLED) == 1);
    bodies.inbox_body_before_ms = 100;
    bodies.inbox_before_ms = 100;
    ok(state_prune(f->s, &bodies, &more));
    cr_assert_eq(count_of(f, INBOX_UNSHOWN), 1, "what was not shown stays");
    ok(state_inbox_withhold(f->s, one));
    ok(state_inbox_show(f->s, one));
    cr_assert_eq(state_inbox_release(f->s, one), STATUS_NOT_FOUND, "it was taken meanwhile");
    ok(state_prune(f->s, &bodies, &more));
    cr_assert_eq(count_of(f, INBOX_OPENED), 0);
    commit(f);
}

CONTRACT_TEST(prune_of_bodies_keeps_the_memory_of_ids)
{
    struct inbox_row rows[8];
    struct inbox_scan all = {.rows = rows, .row_max = 8};
    struct state_prune bodies = {.inbox_body_before_ms = 50, .row_max = 10};
    struct state_prune whole = {.inbox_before_ms = 50, .row_max = 10};
    bool more;
    writing(f);
    uint64_t shown = put_inbox(f, 1, 1, "old", 10);
    put_inbox(f, 1, 2, "unshown", 10);
    uint64_t young = put_inbox(f, 1, 3, "young", 50);
    ok(state_inbox_show(f->s, shown));
    ok(state_inbox_show(f->s, young));
    ok(state_prune(f->s, &bodies, &more));
    cr_assert_not(more);
    ok(state_inbox_scan(f->s, &all, &f->arena));
    cr_assert_eq(all.row_count, 3u);
    cr_assert(rows[0].body.len == 0 && rows[1].body.len == 7 && rows[2].body.len == 5);
    cr_assert_eq(put_inbox(f, 1, 1, "again", 60), 0u, "still known");
    ok(state_prune(f->s, &whole, &more));
    ok(state_inbox_scan(f->s, &all, &f->arena));
    cr_assert_eq(all.row_count, 2u);
    cr_assert_neq(put_inbox(f, 1, 1, "again", 60), 0u, "forgotten");
    commit(f);
}

/* ---- two users of one home ---- */

CONTRACT_TEST(order_numbers_are_not_used_again)
{
    struct state_prune limits = {.outbox_ended_before_ms = 100, .row_max = 10};
    struct outbox_row row = row_of("a", 1);
    bool more;
    row.state = MESSAGE_SETTLED;
    row.ended_ms = 1;
    writing(f);
    uint64_t first = put_row(f, row);
    ok(state_prune(f->s, &limits, &more));
    commit(f);
    fixture_restart(f);
    writing(f);
    cr_assert_gt(put_row(f, row_of("b", 2)), first);
    commit(f);
}
