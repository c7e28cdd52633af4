/* The outbox: drafts, sealing, SEND, and what each answer does. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- the way of a message ---- */

ENGINE_TEST(outbox, message_to_a_stranger_is_looked_up_sealed_sent_and_settled)
{
    struct sent s;
    bind_session(f);
    said_forget(f);
    struct outbox_row row = write_to(f, "bob", "hello", NULL);
    cr_assert_eq(row.state, MESSAGE_DRAFTED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    answer_lookups(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 1u);
    cr_assert_eq(s.frame.header.home, home_of_account(f->bob.account));
    const struct msg_send_item *item = &s.items[0];
    cr_assert(target_equal(item->target, target_of_account(f->bob.account)));
    cr_assert(item->key_version == 1 && memcmp(&item->head, &f->bob.head, 32) == 0);
    cr_assert(item->part_count == 1 && device_equal(item->parts[0].device, f->bob.device));
    cr_assert(!item->sealed && item->attempt == 0);
    cr_assert(view_equal(s.frame.body, text("\x01hello")));
    row = row_at(f, row.order);
    cr_assert_eq(row.state, MESSAGE_QUEUED);
    cr_assert(row.submitted && memcmp(&row.digest, &s.digests[0], 32) == 0);
    accept_all(f, &s);
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_ACCEPTED && row.level == LEVEL_SYNCED && !row.submitted);
    cr_assert(row.receipt.commit == 1 && row.parts[0].state == DELIVERY_QUEUED);
    hint(f, row.id, part_of(f, DELIVERY_OFFERED, 0, 1));
    cr_assert_eq(row_at(f, row.order).parts[0].state, DELIVERY_OFFERED);
    hint(f, row.id, part_of(f, 0, OUTCOME_SETTLED, 2));
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_SETTLED && row.ended_ms == f->now.wall_ms);
    cr_assert(has_no_bytes(f, row.order, false), "but for its words");
    static const enum message_state way[] = {MESSAGE_DRAFTED, MESSAGE_ENCRYPTED, MESSAGE_QUEUED,
                                             MESSAGE_ACCEPTED, MESSAGE_ACCEPTED, MESSAGE_SETTLED};
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(happened(f, ENGINE_MESSAGE).state, way[i], "event %d", (int)i);
}

ENGINE_TEST(outbox, draft_waits_for_a_connection_and_outlives_the_process)
{
    struct sent s;
    struct outbox_row row = write_to(f, "bob", "later", "my key");
    cr_assert_eq(row.state, MESSAGE_DRAFTED);
    cr_assert_str_eq(row.key.text, "my key");
    restart(f);
    bind_session(f);
    answer_lookups(f);
    said_send(f, &s);
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}

ENGINE_TEST(outbox, message_to_a_known_contact_is_sealed_while_offline)
{
    struct sent s;
    know_bob(f);
    struct outbox_row row = write_to(f, "bob", "a", NULL);
    cr_assert_eq(row.state, MESSAGE_ENCRYPTED);
    bind_session(f);
    said_send(f, &s);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
    cr_assert(memcmp(&row.digest, &s.digests[0], 32) == 0, "the bytes that were kept");
}

ENGINE_TEST(outbox, impossible_messages_are_refused_and_not_kept)
{
    static uint8_t large[PAYLOAD_LEN_MAX + 1];
    struct outbox_row row;
    struct engine_message m = {.handle = text("no good"), .payload = text("x")};
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_MALFORMED);
    m.handle = text("bob");
    m.key = "";
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_MALFORMED);
    m.key = "line\nbreak";
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_MALFORMED);
    m.key = "1234567890123456789012345678901234567890123456789012345678901234x";
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_MALFORMED);
    m.key = NULL;
    m.payload = view_of(large, sizeof large);
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_TOO_LARGE);
    m.payload.len--;
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_OK);
    cr_assert_eq(row.order, 1u);
}

ENGINE_TEST(outbox, message_to_an_account_needs_no_handle_and_both_are_refused)
{
    struct sent s;
    struct outbox_row row;
    struct engine_message m = {.handle = text("bob"), .account = &f->bob.account, .payload = text("answer"), .key = "key"};
    bind_session(f);
    said_forget(f);
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_MALFORMED);
    m.handle = view_of(NULL, 0);
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_OK);
    turn(f);
    cr_assert(row.handle_len == 0 && memcmp(&row.target, &f->bob.account, sizeof row.target) == 0);
    answer_lookups(f); /* of entries only: there is no handle to ask for */
    said_send(f, &s);
    cr_assert(target_equal(s.items[0].target, target_of_account(f->bob.account)));
    struct account_id other = {{1}};
    m.account = &other;
    cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_ID_REUSED, "the recipient is part of a message");
}

/* ---- one message, one key ---- */

ENGINE_TEST(outbox, double_tap_is_one_message_and_other_content_is_refused)
{
    struct outbox_row again;
    struct outbox_row row = write_to(f, "bob", "hello", "key");
    again = write_to(f, "bob", "hello", "key");
    cr_assert_eq(again.order, row.order);
    struct engine_message m = {.handle = text("bob"), .payload = text("other"), .key = "key"};
    cr_assert_eq(engine_send(f->e, f->now, &m, &again), STATUS_ID_REUSED);
    cr_assert_eq(again.order, row.order);
    m.payload = text("hello");
    m.handle = text("bo");
    cr_assert_eq(engine_send(f->e, f->now, &m, &again), STATUS_ID_REUSED);
    cr_assert_neq(write_to(f, "bob", "hello", "key2").order, row.order);
    cr_assert_neq(write_to(f, "bob", "hello", NULL).order, row.order);
}

ENGINE_TEST(outbox, callers_uuid_v7_in_time_is_the_message_id)
{
    static const uint8_t random[10] = {1};
    char key[MESSAGE_ID_TEXT_LEN + 1], upper[MESSAGE_ID_TEXT_LEN + 1];
    struct message_id id = message_id_make(f->now.wall_ms, random);
    message_id_text(id, key);
    for (size_t i = 0; i <= MESSAGE_ID_TEXT_LEN; i++)
        upper[i] = key[i] >= 'a' && key[i] <= 'f' ? (char)(key[i] - 'a' + 'A') : key[i];
    struct outbox_row row = write_to(f, "bob", "x", key);
    cr_assert(message_equal(row.id, id));
    cr_assert_eq(write_to(f, "bob", "x", upper).order, row.order, "one UUID, two spellings");
}

ENGINE_TEST(outbox, callers_id_that_the_relay_would_refuse_stays_only_the_key)
{
    static const uint8_t random[10] = {1};
    uint64_t times[] = {f->now.wall_ms - ID_AGE_MAX_MS, f->now.wall_ms + ID_AHEAD_MAX_MS};
    char key[MESSAGE_ID_TEXT_LEN + 1];
    for (size_t i = 0; i < 2; i++) {
        struct message_id id = message_id_make(times[i], random);
        message_id_text(id, key);
        struct outbox_row row = write_to(f, "bob", "x", key);
        cr_assert_not(message_equal(row.id, id));
        cr_assert(message_id_is_v7(row.id));
        cr_assert_str_eq(row.key.text, key);
    }
    struct outbox_row row = write_to(f, "bob", "x", "6ba7b810-9dad-41d1-80b4-00c04fd430c8");
    cr_assert(message_id_is_v7(row.id));
    cr_assert_str_eq(row.key.text, "6ba7b810-9dad-41d1-80b4-00c04fd430c8");
}

ENGINE_TEST(outbox, id_that_grew_old_unsent_is_renewed_before_it_is_sent)
{
    struct sent s;
    know_bob(f);
    struct outbox_row row = write_to(f, "bob", "x", "k");
    cr_assert_eq(row.state, MESSAGE_ENCRYPTED);
    f->now.wall_ms += ID_AGE_MAX_MS + 1;
    f->now.mono_ms += ID_AGE_MAX_MS + 1;
    bind_session(f);
    said_send(f, &s);
    cr_assert_not(message_equal(s.items[0].id, row.id));
    cr_assert_geq(message_id_time_ms(s.items[0].id), f->now.wall_ms);
    cr_assert_str_eq(row_at(f, row.order).key.text, "k");
}

/* ---- batches ---- */

ENGINE_TEST(outbox, messages_to_one_store_share_frames_in_order)
{
    struct sent s;
    char payload[16];
    know_bob(f);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(payload, sizeof payload, "%02u", i);
        write_to(f, "bob", payload, NULL);
    }
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_SEND), 2u);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, SENDS_PER_FRAME);
    cr_assert_eq(memcmp(s.frame.body.at, "\x01" "00\x01" "01\x01" "02", 9), 0);
    accept_all(f, &s);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 36u);
    accept_all(f, &s);
    cr_assert_eq(state_of(f, 1), MESSAGE_ACCEPTED);
    cr_assert_eq(state_of(f, 100), MESSAGE_ACCEPTED);
}

ENGINE_TEST(outbox, frames_under_way_are_bounded)
{
    struct sent s;
    know_bob(f);
    for (unsigned i = 0; i < 64 * 9; i++)
        write_to(f, "bob", "x", NULL);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_SEND), 8u);
    turn(f);
    cr_assert_eq(said_count(f, KIND_SEND), 8u);
    said_send(f, &s);
    accept_all(f, &s);
    cr_assert_eq(said_count(f, KIND_SEND), 8u, "one answered, one more sent");
}

ENGINE_TEST(outbox, large_messages_do_not_share_a_frame_beyond_the_batch_size)
{
    static uint8_t large[PAYLOAD_LEN_MAX];
    struct engine_message m = {.handle = text("bob"), .payload = view_of(large, sizeof large)};
    struct outbox_row row;
    struct sent s;
    know_bob(f);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(engine_send(f->e, f->now, &m, &row), STATUS_OK);
    bind_session(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 3u);
    cr_assert_leq(s.frame.body.len, 1024u * 1024u);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 2u);
}

ENGINE_TEST(outbox, frame_refused_as_a_whole_is_taken_apart)
{
    struct sent s;
    know_bob(f);
    struct outbox_row a = write_to(f, "bob", "a", NULL), b = write_to(f, "bob", "b", NULL);
    bind_session(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 2u);
    refuse(f, &s.frame, STATUS_MALFORMED, 0);
    pass(f, 2000);
    cr_assert_eq(said_count(f, KIND_SEND), 2u);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 1u);
    refuse(f, &s.frame, STATUS_MALFORMED, 0);
    said_send(f, &s);
    accept_all(f, &s);
    bool first = state_of(f, a.order) == MESSAGE_REFUSED;
    cr_assert_eq(state_of(f, first ? a.order : b.order), MESSAGE_REFUSED);
    cr_assert_eq(state_of(f, first ? b.order : a.order), MESSAGE_ACCEPTED);
}

/* ---- the same bytes again ---- */

static void assert_same_bytes(const struct sent *a, const struct sent *b)
{
    cr_assert_eq(a->send.item_count, b->send.item_count);
    cr_assert(view_equal(a->send.items[0], b->send.items[0]));
    cr_assert(view_equal(a->frame.body, b->frame.body));
    cr_assert_neq(a->frame.header.correlation, b->frame.header.correlation);
}

ENGINE_TEST(outbox, busy_gets_the_same_bytes_after_the_time_given)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    answer_one(f, &first, &(struct msg_sent_item){.status = STATUS_BUSY, .retry_after_ms = 5000});
    cr_assert_not(row_at(f, row.order).submitted, "nothing was done");
    cr_assert_eq(row_at(f, row.order).reason, STATUS_BUSY);
    pass(f, 4990);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    pass(f, 100);
    said_send(f, &second);
    assert_same_bytes(&first, &second);
    accept_all(f, &second);
    cr_assert(row_at(f, row.order).state == MESSAGE_ACCEPTED &&
              row_at(f, row.order).reason == STATUS_OK);
}

ENGINE_TEST(outbox, whoever_sends_too_much_sends_nothing_until_the_time_given)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    refuse(f, &first.frame, STATUS_RATE_LIMITED, 7000);
    cr_assert(row_at(f, row.order).state == MESSAGE_QUEUED && !row_at(f, row.order).submitted);
    (void)write_to(f, "bob", "y", NULL);
    pass(f, 6990);
    cr_assert_eq(said_count(f, KIND_SEND), 0u, "another message would be told the same");
    pass(f, 100);
    said_send(f, &second);
    cr_assert_eq(second.send.item_count, 2u);
    accept_all(f, &second);
    cr_assert_eq(row_at(f, row.order).state, MESSAGE_ACCEPTED);
}

ENGINE_TEST(outbox, each_retried_status_gets_the_same_bytes)
{
    static const enum status again[] = {STATUS_UNKNOWN, STATUS_WRONG_HOME, STATUS_STORE_READONLY};
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    for (size_t i = 0; i < 3; i++) {
        answer_one(f, &first, &(struct msg_sent_item){.status = (uint32_t)again[i]});
        cr_assert_eq(row_at(f, row.order).submitted, again[i] == STATUS_UNKNOWN);
        pass(f, 2500);
        said_send(f, &second);
        assert_same_bytes(&first, &second);
        first = second;
    }
    cr_assert_geq(said_count(f, KIND_PING), 1u, "for the map");
}

ENGINE_TEST(outbox, silence_gets_the_same_bytes_and_a_late_answer_changes_nothing)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    pass(f, 11500);
    said_send(f, &second);
    assert_same_bytes(&first, &second);
    cr_assert(row_at(f, row.order).doubtful);
    accept_all(f, &first);
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED);
    accept_all(f, &second);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}

ENGINE_TEST(outbox, new_connection_gets_the_same_bytes_at_once)
{
    struct sent first, second;
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    lose_connection(f);
    bind_session(f);
    said_send(f, &second);
    assert_same_bytes(&first, &second);
}

ENGINE_TEST(outbox, next_process_gets_the_same_bytes_when_the_lease_ends)
{
    struct sent first, second;
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    restart(f);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_SEND), 0u, "the other process might still be there");
    pass(f, 12000);
    said_send(f, &second);
    assert_same_bytes(&first, &second);
}

ENGINE_TEST(outbox, full_mailbox_is_tried_much_later)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_MAILBOX_FULL});
    cr_assert_eq(row_at(f, row.order).reason, STATUS_MAILBOX_FULL);
    pass(f, 29000);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    for (unsigned i = 0; i < 10 && !said_count(f, KIND_SEND); i++) {
        struct frame ping = said(f, KIND_PING, NULL, NULL);
        struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
        answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
        pass(f, 5000);
    }
    said_send(f, &s);
}

/* ---- accepted before ---- */

ENGINE_TEST(outbox, id_reused_with_foreign_content_is_refused)
{
    struct sent s;
    struct hash256 other = {{9}};
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct msg_sent_item item = {.status = STATUS_ID_REUSED, .digest = view_of(&other, 32),
                                 .answer = accepted(f, &s.items[0], f->range.term)};
    answer_one(f, &s, &item);
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_REFUSED && row.reason == STATUS_ID_REUSED);
    cr_assert(has_no_bytes(f, row.order, false));
    cr_assert_not(has_no_bytes(f, row.order, true), "the user's words stay");
}

ENGINE_TEST(outbox, id_reused_with_an_earlier_attempt_of_ours_is_success)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &first);
    bob_adds(f, 1);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &first, &stale);
    said_send(f, &second);
    cr_assert(message_equal(first.items[0].id, second.items[0].id));
    cr_assert_not(view_equal(first.send.items[0], second.send.items[0]));
    struct msg_sent_item item = {.status = STATUS_ID_REUSED,
                                 .digest = view_of(&first.digests[0], 32),
                                 .answer = accepted(f, &first.items[0], f->range.term)};
    answer_one(f, &second, &item);
    row = row_at(f, row.order);
    cr_assert_eq(row.state, MESSAGE_ACCEPTED);
    cr_assert_eq(row.part_count, 1u, "what was accepted are the first bytes");
}

ENGINE_TEST(outbox, answer_for_another_message_is_no_answer)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct msg_send_item other = s.items[0];
    other.id.bytes[15] ^= 1;
    answer_one(f, &s, &(struct msg_sent_item){.answer = accepted(f, &other, f->range.term)});
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED);
    pass(f, 1000);
    said_send(f, &s);
    struct msg_sent none = {0};
    answer(f, &s.frame, KIND_SENT, &msg_sent_desc, &none);
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED);
    pass(f, 1000);
    said_send(f, &s);
}

/* ---- repaired ---- */

ENGINE_TEST(outbox, id_time_gets_a_new_id_where_nothing_can_have_been_accepted)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", "k");
    said_send(f, &first);
    answer_one(f, &first, &(struct msg_sent_item){.status = STATUS_ID_TIME});
    cr_assert_eq(said_count(f, KIND_SEND), 0u, "first the relay's clock");
    pass(f, 2000);
    said_send(f, &second);
    cr_assert_not(message_equal(first.items[0].id, second.items[0].id));
    accept_all(f, &second);
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_ACCEPTED && message_equal(row.id, second.items[0].id));
    cr_assert_str_eq(row.key.text, "k");
}

ENGINE_TEST(outbox, id_time_after_an_unanswered_send_asks_the_user)
{
    struct sent first, second;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", "k");
    said_send(f, &first);
    answer_one(f, &first, &(struct msg_sent_item){.status = STATUS_UNKNOWN});
    pass(f, 1000);
    said_send(f, &second);
    answer_one(f, &second, &(struct msg_sent_item){.status = STATUS_ID_TIME});
    cr_assert_eq(state_of(f, row.order), MESSAGE_UNKNOWN);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    cr_assert_eq(engine_release(f->e, f->now, &(struct message_key){"nobody"}), STATUS_NOT_FOUND);
    lose_connection(f);
    bind_session(f);
    cr_assert_eq(engine_release(f->e, f->now, &(struct message_key){"k"}), STATUS_OK);
    turn(f);
    said_send(f, &second);
    cr_assert_not(message_equal(first.items[0].id, second.items[0].id));
    cr_assert_eq(engine_release(f->e, f->now, &(struct message_key){"k"}), STATUS_STATE);
}

ENGINE_TEST(outbox, refusals_for_good_are_told_with_their_reason)
{
    static const enum status final[] = {STATUS_NOT_FOUND, STATUS_TOO_LARGE, STATUS_REFUSED,
                                        STATUS_MALFORMED};
    struct sent s;
    bob_and_session(f);
    for (size_t i = 0; i < 4; i++) {
        struct outbox_row row = write_to(f, "bob", "x", NULL);
        said_send(f, &s);
        answer_one(f, &s, &(struct msg_sent_item){.status = (uint32_t)final[i]});
        row = row_at(f, row.order);
        cr_assert(row.state == MESSAGE_REFUSED && row.reason == final[i]);
    }
}
