/* Acknowledged loss: TERMS, and resending with the receipt. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* Bob known, `count` messages accepted in the present term with commits 1.. */
static void accepted_messages(struct fixture *f, unsigned count)
{
    struct sent s;
    know_bob(f);
    for (unsigned i = 0; i < count; i++)
        write_to(f, "bob", "x", NULL);
    bind_session(f);
    said_send(f, &s);
    accept_all(f, &s);
    lose_connection(f);
    events_forget(f);
}

/* The store has a new term now. */
static void new_term(struct fixture *f, uint8_t n)
{
    f->range.term = fixture_term(n);
    f->map.version++;
}

static void answer_terms(struct fixture *f, const struct frame *frame,
                         const struct msg_term_end *terms, size_t count, bool complete)
{
    struct msg_term_end copy[TERMS_PER_FRAME];
    struct msg_terms_are m = {.store = fixture_store, .terms = copy, .term_count = count,
                              .complete = complete};
    memcpy(copy, terms, count * sizeof copy[0]);
    answer(f, frame, KIND_TERMS_ARE, &msg_terms_are_desc, &m);
}

static bool is_lost(struct fixture *f, uint64_t order)
{
    return row_at(f, order).lost;
}

ENGINE_TEST(terms, what_lies_beyond_the_end_is_sent_again_with_its_receipt)
{
    struct msg_terms ask;
    struct sent s;
    accepted_messages(f, 3);
    struct outbox_row before = row_at(f, 3);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, &msg_terms_desc, &ask);
    cr_assert(term_equal(ask.since, fixture_term(1)));
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 2},
                                  {.term = fixture_term(2), .end = 0, .open = true}};
    answer_terms(f, &frame, ends, 2, true);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED);
    cr_assert_eq(row_at(f, 2).state, MESSAGE_ACCEPTED);
    cr_assert(is_lost(f, 3));
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 1u);
    cr_assert(message_equal(s.items[0].id, before.id));
    cr_assert(memcmp(&s.digests[0], &before.digest, 32) == 0, "the same bytes");
    cr_assert(s.send.lost_count == 1 && s.send.lost[0].index == 0);
    cr_assert_eq(s.send.lost[0].receipt.commit, 3u);
    cr_assert(term_equal(s.send.lost[0].receipt.term, fixture_term(1)));
    cr_assert_eq(engine_counts(f->e).resent_lost, 1u);
    accept_all(f, &s);
    struct outbox_row after = row_at(f, 3);
    cr_assert(after.state == MESSAGE_ACCEPTED && !after.lost);
    cr_assert(term_equal(after.receipt.term, fixture_term(2)));
    lose_connection(f);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_TERMS), 0u, "compared up to this term");
}

ENGINE_TEST(terms, nothing_is_asked_without_receipts_or_news)
{
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_TERMS), 0u);
    lose_connection(f);
    new_term(f, 2);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_TERMS), 0u);
}

ENGINE_TEST(terms, term_that_never_was_is_lost_only_where_the_list_is_complete)
{
    struct msg_term_end ends[] = {{.term = fixture_term(2), .end = 9, .open = true}};
    accepted_messages(f, 1);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL);
    answer_terms(f, &frame, ends, 1, false);
    cr_assert_not(is_lost(f, 1));
    lose_connection(f);
    new_term(f, 3);
    bind_session(f);
    frame = said(f, KIND_TERMS, NULL, NULL);
    ends[0].term = fixture_term(3);
    answer_terms(f, &frame, ends, 1, true);
    cr_assert(is_lost(f, 1));
}

ENGINE_TEST(terms, long_list_is_asked_on_from_its_last_term)
{
    struct msg_terms ask;
    struct msg_term_end first[] = {{.term = fixture_term(1), .end = 5},
                                   {.term = fixture_term(2), .end = 5}};
    struct msg_term_end second[] = {{.term = fixture_term(2), .end = 5},
                                    {.term = fixture_term(3), .end = 0, .open = true}};
    accepted_messages(f, 1);
    new_term(f, 3);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, &msg_terms_desc, &ask);
    answer_terms(f, &frame, first, 2, true);
    frame = said(f, KIND_TERMS, &msg_terms_desc, &ask);
    cr_assert(term_equal(ask.since, fixture_term(2)));
    answer_terms(f, &frame, second, 2, true);
    cr_assert_not(is_lost(f, 1), "the second list does not speak of its term");
    pass(f, 2000);
    cr_assert_eq(said_count(f, KIND_TERMS), 0u);
}

ENGINE_TEST(terms, pong_with_a_new_term_is_news)
{
    accepted_messages(f, 1);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL); /* the first one ever of this store */
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 1, .open = true}};
    answer_terms(f, &frame, ends, 1, true);
    new_term(f, 2);
    pass(f, 5100);
    frame = said(f, KIND_PING, NULL, NULL);
    struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
    answer(f, &frame, KIND_PONG, &msg_pong_desc, &pong);
    cr_assert_eq(said_count(f, KIND_TERMS), 1u);
}

ENGINE_TEST(terms, question_is_repeated_and_an_answer_of_another_store_is_none)
{
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 0},
                                  {.term = fixture_term(2), .end = 0, .open = true}};
    accepted_messages(f, 1);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL);
    refuse(f, &frame, STATUS_BUSY, 700);
    pass(f, 1000);
    frame = said(f, KIND_TERMS, NULL, NULL);
    struct msg_terms_are m = {.store = {{1}}, .terms = ends, .term_count = 2, .complete = true};
    answer(f, &frame, KIND_TERMS_ARE, &msg_terms_are_desc, &m);
    cr_assert_not(is_lost(f, 1));
    pass(f, 2000);
    frame = said(f, KIND_TERMS, NULL, NULL);
    answer_terms(f, &frame, ends, 2, true);
    cr_assert(is_lost(f, 1));
}

ENGINE_TEST(terms, lost_message_that_the_relay_will_not_take_is_left_to_the_user)
{
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 0},
                                  {.term = fixture_term(2), .end = 0, .open = true}};
    struct sent s;
    accepted_messages(f, 1);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL);
    answer_terms(f, &frame, ends, 2, true);
    said_send(f, &s);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_ID_TIME});
    cr_assert_eq(row_at(f, 1).state, MESSAGE_UNKNOWN);
}

ENGINE_TEST(terms, many_lost_messages_go_back_in_bounded_steps)
{
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 0},
                                  {.term = fixture_term(2), .end = 0, .open = true}};
    struct sent s;
    know_bob(f);
    for (unsigned i = 0; i < 500; i++)
        write_to(f, "bob", "x", NULL);
    bind_session(f);
    while (said_count(f, KIND_SEND)) {
        said_send(f, &s);
        accept_all(f, &s);
    }
    lose_connection(f);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL);
    answer_terms(f, &frame, ends, 2, true);
    cr_assert(is_lost(f, 1) && is_lost(f, 500));
    unsigned resent = 0;
    while (said_count(f, KIND_SEND)) {
        said_send(f, &s);
        cr_assert_eq(s.send.lost_count, s.send.item_count);
        resent += (unsigned)s.send.item_count;
        accept_all(f, &s);
    }
    cr_assert_eq(resent, 500u);
}

/* ---- a store that is gone ---- */

/* Answers the STATUS that must have been said: no claim. */
static void know_nothing(struct fixture *f)
{
    struct msg_status ask;
    struct frame frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
    cr_assert_eq(ask.item_count, 1u);
    struct msg_status_item item = {.status = STATUS_NOT_FOUND, .target = ask.items[0].target,
                                   .id = ask.items[0].id};
    struct msg_status_is is = {.items = &item, .item_count = 1};
    answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &is);
}

/* Another store stands where the first one stood. */
static void new_store(struct fixture *f)
{
    f->range.store.bytes[0] ^= 0xff;
    new_term(f, 2);
}

ENGINE_TEST(terms, what_a_vanished_store_had_accepted_is_sent_again_with_its_receipt)
{
    struct sent s;
    accepted_messages(f, 1);
    struct outbox_row before = row_at(f, 1);
    new_store(f);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_TERMS), 0u, "nobody knows its terms");
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED, "a new store alone proves nothing");
    know_nothing(f);
    said_send(f, &s);
    cr_assert(message_equal(s.items[0].id, before.id));
    cr_assert(memcmp(&s.digests[0], &before.digest, 32) == 0, "the same bytes");
    cr_assert(s.send.lost_count == 1 && s.send.lost[0].receipt.commit == before.receipt.commit);
    cr_assert_eq(memcmp(&s.send.lost[0].receipt.store, &fixture_store, sizeof fixture_store), 0);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_ID_TIME});
    cr_assert_eq(row_at(f, 1).state, MESSAGE_UNKNOWN, "the user is told");
}

/* Its twin: it is queued there. */
static void know_it(struct fixture *f)
{
    struct msg_status ask;
    struct frame frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
    struct msg_part_state part = part_of(f, DELIVERY_QUEUED, OUTCOME_OPEN, 1);
    struct msg_status_item item = {.target = ask.items[0].target, .id = ask.items[0].id,
                                   .parts = &part, .part_count = 1};
    struct msg_status_is is = {.items = &item, .item_count = 1};
    answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &is);
}

ENGINE_TEST(terms, what_the_new_store_knows_is_not_sent_again)
{
    accepted_messages(f, 1);
    new_store(f);
    bind_session(f);
    know_it(f);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED, "its partition has moved");
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
}

ENGINE_TEST(terms, missing_claim_of_a_store_that_is_still_there_is_no_loss)
{
    struct msg_range ranges[2];
    accepted_messages(f, 1);
    bind_session(f);
    know_nothing(f);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED, "TERMS would tell");
    lose_connection(f);
    ranges[0] = ranges[1] = f->range; /* it has given the recipient's home away */
    uint16_t home = home_of_account(f->bob.account);
    ranges[0].last = home ? home - 1u : 0;
    ranges[1].first = home;
    if (home) ranges[1].store.bytes[0] ^= 0xff;
    f->map = (struct msg_map){.version = 3, .ranges = ranges, .range_count = 2};
    bind_session(f);
    know_nothing(f);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
}

ENGINE_TEST(terms, nothing_is_concluded_from_a_map_without_an_owner)
{
    accepted_messages(f, 1);
    f->map.range_count = 0;
    bind_session(f);
    know_nothing(f);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_ACCEPTED);
}

ENGINE_TEST(terms, message_whose_time_is_over_is_left_to_the_user_when_its_store_is_gone)
{
    accepted_messages(f, 1);
    f->now.wall_ms += 3600 * 1000; /* as long as the fixture's messages live */
    f->now.mono_ms += 3600 * 1000;
    new_store(f);
    bind_session(f);
    know_nothing(f);
    cr_assert_eq(row_at(f, 1).state, MESSAGE_UNKNOWN);
    cr_assert_eq(row_at(f, 1).reason, STATUS_DAMAGED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
}

static void pong(struct fixture *f)
{
    struct frame frame = said(f, KIND_PING, NULL, NULL);
    struct msg_pong m = {.relay_ms = f->now.wall_ms, .map = f->map};
    answer(f, &frame, KIND_PONG, &msg_pong_desc, &m);
}

ENGINE_TEST(terms, store_replaced_under_a_living_session_is_greeted_and_asked_at_once)
{
    accepted_messages(f, 1);
    bind_session(f);
    know_it(f);
    pass(f, 5100);
    pong(f);
    cr_assert_eq(said_count(f, KIND_HELLO), 0u, "the same store");
    cr_assert_eq(said_count(f, KIND_STATUS), 0u);
    pass(f, 5100);
    f->map.range_count = 0; /* it is away, then another one has its place */
    pong(f);
    know_it(f);
    cr_assert_eq(said_count(f, KIND_HELLO), 0u);
    new_store(f);
    f->map.range_count = 1;
    pass(f, 5100);
    pong(f);
    cr_assert_eq(said_count(f, KIND_HELLO), 1u, "it may not know us");
    greet(f);
    know_nothing(f);
    cr_assert(is_lost(f, 1));
}

/* The first attempt was accepted and could not be used, the second was accepted and lost: what the relay still has of the
 * first is ours. */
ENGINE_TEST(terms, a_lost_resend_begins_again_with_the_first_attempt_that_may_stand)
{
    struct sent first, s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    struct view answer = accepted(f, &first.items[0], f->range.term);
    answer_one(f, &first, &(struct msg_sent_item){.status = STATUS_OK, .answer = answer});
    struct msg_part_state failed = part_of(f, DELIVERY_FAILED, OUTCOME_OPEN, 10);
    failed.reason = FAIL_DAMAGED;
    hint(f, row.id, failed);
    said_send(f, &s);
    cr_assert_eq(s.items[0].attempt, 1u);
    bob_rotates(f, 7); /* so that not even opaque bytes are the same again */
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    cr_assert_eq(s.items[0].attempt, 1u);
    accept_all(f, &s);
    cr_assert_eq(row_at(f, row.order).receipt.commit, 2u);
    lose_connection(f);
    new_term(f, 2);
    bind_session(f);
    struct frame frame = said(f, KIND_TERMS, NULL, NULL);
    struct msg_term_end ends[] = {{.term = fixture_term(1), .end = 1}, {.term = fixture_term(2), .open = true}};
    answer_terms(f, &frame, ends, 2, true);
    said_send(f, &s);
    cr_assert_eq(s.items[0].attempt, 0u);
    struct view digest = view_of(first.digests[0].bytes, sizeof first.digests[0]);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_ID_REUSED, .digest = digest, .answer = answer});
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED, "%s", message_state_name(state_of(f, row.order)));
    failed.at_ms += 1000;
    hint(f, row.id, failed);
    said_send(f, &s);
    cr_assert_eq(s.items[0].attempt, 1u, "and is resent again");
}
