/* The contract of clients/state/state.h, third part: copies for our other devices, and what they become there; each run on
 * every backend. */
#include "tests/contract/state_fixture.h"

static struct outbox_row copy_row(uint64_t message, const char *key, uint64_t id)
{
    struct outbox_row row = row_of(key, id);
    row.copy_of = message;
    row.target = account_of(1);
    return row;
}

CONTRACT_TEST(copy_stands_beside_its_message_under_the_same_key_and_id)
{
    struct outbox_row row, rows[4];
    writing(f);
    uint64_t message = put_row(f, row_of("k", 5));
    cr_assert_eq(state_outbox_copy(f->s, message, &row), STATUS_NOT_FOUND);
    uint64_t copy = put_row(f, copy_row(message, "k", 5));
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_outbox_find_key(f->s, &(struct message_key){"k"}, &row));
    cr_assert(row.order == message && row.copy_of == 0);
    ok(state_outbox_find_id(f->s, id_of(5), &row));
    cr_assert_eq(row.order, message);
    ok(state_outbox_copy(f->s, message, &row));
    cr_assert(row.order == copy && row.copy_of == message && message_equal(row.id, id_of(5)));
    cr_assert_str_eq(row.key.text, "k");
    ok(state_outbox_find_copy(f->s, id_of(5), &row));
    cr_assert_eq(row.order, copy);
    cr_assert_eq(state_outbox_find_copy(f->s, id_of(6), &row), STATUS_NOT_FOUND);
    cr_assert_eq(row.order, 0u);
    cr_assert_eq(state_outbox_copy(f->s, copy, &row), STATUS_NOT_FOUND, "none of a copy");
    cr_assert_eq(scan(f, CLASS_WORK, 0, 0, rows, 4), 2u, "both are to be sent");
    commit(f);
}

CONTRACT_TEST(copy_is_one_of_its_message_and_of_its_id)
{
    struct outbox_row row;
    writing(f);
    uint64_t first = put_row(f, row_of("a", 1)), second = put_row(f, row_of("b", 2));
    put_row(f, copy_row(first, "a", 1));
    row = copy_row(first, "c", 3);
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE, "a second one of it");
    row = copy_row(second, "b", 1);
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE, "another one's id");
    row = copy_row(second, "a", 2);
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE, "another one's key");
    put_row(f, copy_row(second, "b", 2));
    commit(f);
}

CONTRACT_TEST(copy_changes_as_any_row_does_and_its_message_may_take_another_id)
{
    struct outbox_row row;
    struct outbox_body body = {.payload = text("words")};
    writing(f);
    uint64_t message = put_row(f, row_of("k", 5));
    uint64_t copy = put_row(f, copy_row(message, "k", 5));
    ok(state_body_put(f->s, copy, &body));
    row = row_of("k", 6);
    row.order = message;
    ok(state_outbox_put(f->s, &row));
    ok(state_outbox_find_copy(f->s, id_of(5), &row));
    row.state = MESSAGE_REFUSED;
    row.ended_ms = 7;
    ok(state_outbox_put(f->s, &row));
    ok(state_outbox_copy(f->s, message, &row));
    cr_assert(row.state == MESSAGE_REFUSED && row.ended_ms == 7 && message_equal(row.id, id_of(5)));
    ok(state_body_get(f->s, copy, &f->arena, &body));
    cr_assert(view_equal(body.payload, text("words")));
    ok(state_body_get(f->s, message, &f->arena, &body));
    cr_assert_eq(body.payload.len, 0u);
    commit(f);
}

CONTRACT_TEST(prune_takes_a_copy_with_its_message_and_never_alone)
{
    struct outbox_row row, rows[4];
    struct state_prune limits = {.outbox_ended_before_ms = 30, .row_max = 4};
    bool more;
    writing(f);
    uint64_t message = put_row(f, row_of("k", 5));
    row = copy_row(message, "k", 5);
    row.state = MESSAGE_SETTLED;
    row.ended_ms = 10;
    uint64_t copy = put_row(f, row);
    ok(state_prune(f->s, &limits, &more));
    cr_assert(!more && scan(f, 0, 0, 0, rows, 4) == 2);
    row = row_of("k", 5);
    row.order = message;
    row.state = MESSAGE_SETTLED;
    row.ended_ms = 20;
    ok(state_outbox_put(f->s, &row));
    ok(state_prune(f->s, &limits, &more));
    cr_assert(!more && scan(f, 0, 0, 0, rows, 4) == 0);
    cr_assert_eq(state_outbox_find_copy(f->s, id_of(5), &row), STATUS_NOT_FOUND);
    struct outbox_body body;
    cr_assert_eq(state_body_get(f->s, copy, &f->arena, &body), STATUS_NOT_FOUND);
    uint64_t next = put_row(f, row_of("k", 5));
    put_row(f, copy_row(next, "k", 5));
    commit(f);
}

CONTRACT_TEST(prune_takes_an_open_copy_with_its_message_too)
{
    struct outbox_row row = row_of("k", 5), rows[4];
    struct state_prune limits = {.outbox_ended_before_ms = 30, .row_max = 1};
    bool more;
    row.state = MESSAGE_REFUSED;
    row.ended_ms = 1;
    writing(f);
    uint64_t message = put_row(f, row);
    row = copy_row(message, "k", 5);
    row.state = MESSAGE_ACCEPTED;
    row.receipt.store = store_one;
    put_row(f, row);
    ok(state_prune(f->s, &limits, &more));
    cr_assert(!more && scan(f, 0, 0, 0, rows, 4) == 0);
    cr_assert_eq(state_outbox_receipt(f->s, store_one, term_of(0), 0, 0, &row), STATUS_NOT_FOUND);
    commit(f);
}

CONTRACT_TEST(inbox_row_says_to_whom_our_other_device_sent_it)
{
    struct inbox_row in = {.sender_account = account_of(1), .sender_device = {{2}}, .id = id_of(3), .body = text("a"),
                           .sealed = true, .sent_to = account_of(9)};
    struct inbox_row closed = {.sender_account = account_of(1), .sender_device = {{2}}, .id = id_of(4), .body = text("c"),
                               .sealed = true, .closed = true};
    static const struct account_id nobody;
    struct inbox_row rows[4], found;
    struct inbox_scan all = {.rows = rows, .row_max = 4};
    bool added;
    writing(f);
    ok(state_inbox_put(f->s, &in, &added));
    ok(state_inbox_put(f->s, &closed, &added));
    put_inbox(f, 9, 9, "b", 8);
    ok(state_inbox_find(f->s, closed.sender_device, closed.id, &found));
    cr_assert(memcmp(&found.sent_to, &nobody, 32) == 0);
    uint8_t head[CONTENT_HEAD_LEN] = {1};
    closed.body = text("opened");
    closed.head = view_of(head, sizeof head);
    closed.sent_to = account_of(8);
    ok(state_inbox_open(f->s, &closed));
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_inbox_scan(f->s, &all, &f->arena));
    cr_assert_eq(all.row_count, 3u);
    cr_assert(memcmp(&rows[0].sent_to, &in.sent_to, 32) == 0);
    cr_assert(memcmp(&rows[1].sent_to, &closed.sent_to, 32) == 0);
    cr_assert(memcmp(&rows[2].sent_to, &nobody, 32) == 0);
    ok(state_inbox_find(f->s, in.sender_device, in.id, &found));
    cr_assert(memcmp(&found.sent_to, &in.sent_to, 32) == 0);
    commit(f);
}
