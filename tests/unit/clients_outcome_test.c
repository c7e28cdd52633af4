/* After SEND: contacts that change, what becomes of a message, and two processes on one outbox. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* ---- contacts ---- */

ENGINE_TEST(outbox, stranger_that_does_not_exist_refuses_all_that_wait)
{
    bind_session(f);
    said_forget(f);
    struct outbox_row a = write_to(f, "nobody", "1", NULL), b = write_to(f, "nobody", "2", NULL);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u, "one look-up for both");
    struct frame lookup = said(f, KIND_LOOKUP, NULL, NULL);
    refuse(f, &lookup, STATUS_NOT_FOUND, 0);
    cr_assert_eq(state_of(f, a.order), MESSAGE_REFUSED);
    cr_assert_eq(row_at(f, b.order).reason, STATUS_NOT_FOUND);
}

ENGINE_TEST(outbox, lookup_is_asked_again_after_busy_and_on_the_next_connection)
{
    bind_session(f);
    said_forget(f);
    write_to(f, "bob", "1", NULL);
    struct frame lookup = said(f, KIND_LOOKUP, NULL, NULL);
    refuse(f, &lookup, STATUS_BUSY, 1000);
    pass(f, 990);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
    pass(f, 300);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
    lose_connection(f);
    bind_session(f);
    answer_lookups(f);
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
}

ENGINE_TEST(outbox, handle_without_a_claim_holds_the_message)
{
    struct msg_lookup ask;
    bind_session(f);
    said_forget(f);
    struct outbox_row row = write_to(f, "bob", "1", NULL);
    struct frame lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = {.account = {{1}}};
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_HELD && row.reason == STATUS_BAD_ENTRY);
}

ENGINE_TEST(outbox, one_unresolved_contact_does_not_hold_up_the_others)
{
    struct sent s;
    know_bob(f);
    for (unsigned i = 0; i < 400; i++)
        write_to(f, "silent", "x", NULL);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    bind_session(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 1u);
    cr_assert(message_equal(s.items[0].id, row.id));
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
}

/* ---- what became of it ---- */

ENGINE_TEST(outbox, status_is_asked_after_welcome_for_what_is_unsettled)
{
    struct sent s;
    struct msg_status ask;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    lose_connection(f);
    bind_session(f);
    struct frame frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
    cr_assert_eq(ask.item_count, 1u);
    cr_assert(message_equal(ask.items[0].id, s.items[0].id));
    struct msg_part_state part = part_of(f, 0, OUTCOME_EXPIRED, 5);
    struct msg_status_item item = {.target = ask.items[0].target, .id = ask.items[0].id,
                                   .parts = &part, .part_count = 1};
    struct msg_status_is is = {.items = &item, .item_count = 1};
    answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &is);
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_REFUSED && row.reason == STATUS_TIMEOUT);
    cr_assert_eq(row.parts[0].outcome, OUTCOME_EXPIRED);
    pass(f, 4000);
    cr_assert_eq(said_count(f, KIND_STATUS), 0u, "nothing is unsettled");
}

ENGINE_TEST(outbox, status_is_asked_page_by_page_and_again_after_the_period)
{
    struct sent s;
    struct msg_status ask;
    know_bob(f);
    for (unsigned i = 0; i < 100; i++)
        write_to(f, "bob", "x", NULL);
    bind_session(f);
    for (unsigned i = 0; i < 2; i++) {
        said_send(f, &s);
        accept_all(f, &s);
    }
    lose_connection(f);
    bind_session(f);
    struct msg_status_is none = {0};
    struct frame frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
    cr_assert_eq(ask.item_count, 64u);
    answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &none);
    frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
    cr_assert_eq(ask.item_count, 36u);
    answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &none);
    cr_assert_eq(said_count(f, KIND_STATUS), 0u);
    pass(f, 30001);
    cr_assert_eq(said_count(f, KIND_STATUS), 1u);
}

ENGINE_TEST(outbox, older_and_foreign_hints_change_nothing)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    hint(f, row.id, part_of(f, DELIVERY_DELIVERED, 0, 9));
    hint(f, row.id, part_of(f, DELIVERY_OFFERED, 0, 5));
    cr_assert_eq(row_at(f, row.order).parts[0].state, DELIVERY_DELIVERED);
    struct msg_part_state other = part_of(f, 0, OUTCOME_SETTLED, 10);
    other.device.bytes[0] ^= 1;
    hint(f, row.id, other);
    hint(f, (struct message_id){{1}}, part_of(f, 0, OUTCOME_SETTLED, 10));
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
    hint(f, row.id, part_of(f, 0, OUTCOME_DEAD, 1));
    cr_assert_eq(state_of(f, row.order), MESSAGE_REFUSED);
    hint(f, row.id, part_of(f, 0, OUTCOME_SETTLED, 99));
    cr_assert_eq(state_of(f, row.order), MESSAGE_REFUSED, "once");
}

ENGINE_TEST(outbox, message_with_two_parts_ends_with_the_last_one)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    struct device_id second = bob_adds(f, 1);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    accept_all(f, &s);
    hint(f, row.id, part_of(f, 0, OUTCOME_EXPIRED, 1));
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
    struct msg_part_state other = part_of(f, 0, OUTCOME_SETTLED, 1);
    other.device = second;
    hint(f, row.id, other);
    cr_assert_eq(state_of(f, row.order), MESSAGE_SETTLED);
}

ENGINE_TEST(outbox, relay_that_has_forgotten_leaves_doubt_only_after_its_promise)
{
    struct sent s;
    struct msg_status ask;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    for (unsigned i = 0; i < 2; i++) {
        lose_connection(f);
        bind_session(f);
        struct frame frame = said(f, KIND_STATUS, &msg_status_desc, &ask);
        struct msg_status_item item = {.status = STATUS_NOT_FOUND, .target = ask.items[0].target,
                                       .id = ask.items[0].id};
        struct msg_status_is is = {.items = &item, .item_count = 1};
        answer(f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &is);
        cr_assert_eq(state_of(f, row.order), i ? MESSAGE_UNKNOWN : MESSAGE_ACCEPTED);
        f->now.wall_ms += LEDGER_KEEP_MS;
        f->now.mono_ms += LEDGER_KEEP_MS;
    }
}

/* ---- two processes ---- */

ENGINE_TEST(outbox, message_of_another_process_is_found_within_the_poll_time)
{
    struct sent s;
    struct outbox_row row;
    struct engine *other;
    bob_and_session(f);
    cr_assert_eq(engine_new(&f->config, f->state, &other), STATUS_OK);
    struct engine_message m = {.handle = text("bob"), .payload = text("x")};
    cr_assert_eq(engine_send(other, f->now, &m, &row), STATUS_OK);
    engine_free(&other);
    pass(f, 1001);
    said_send(f, &s);
    cr_assert(message_equal(s.items[0].id, row.id));
}

/* The relay has the first attempt only, and tells of it. */
ENGINE_TEST(outbox, after_a_resend_that_was_refused_the_first_attempt_has_its_end)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    struct msg_part_state part = part_of(f, DELIVERY_FAILED, OUTCOME_OPEN, 10);
    part.reason = FAIL_DAMAGED;
    hint(f, row.id, part);
    said_send(f, &s);
    cr_assert_eq(s.items[0].attempt, 1u);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_REFUSED});
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
    hint(f, row.id, part_of(f, 0, OUTCOME_EXPIRED, 20));
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_REFUSED && row.reason == STATUS_TIMEOUT, "%s", message_state_name(row.state));
}

/* An accepted message, of which bob's devices want another attempt. */
static struct outbox_row resent(struct fixture *f, struct sent *s)
{
    bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, s);
    accept_all(f, s);
    struct msg_part_state part = part_of(f, DELIVERY_FAILED, OUTCOME_OPEN, 10);
    part.reason = FAIL_DAMAGED;
    hint(f, row.id, part);
    said_send(f, s);
    cr_assert_eq(s->items[0].attempt, 1u);
    return row;
}

/* Its user did not write it anew: released, it would go a second time to those who have it. */
static void is_kept(struct fixture *f, const struct outbox_row *row)
{
    struct engine_event event;
    cr_assert_eq(state_of(f, row->order), MESSAGE_ACCEPTED);
    cr_assert_gt(engine_counts(f->e).forks, 0u);
    while (engine_next_event(f->e, &event))
        cr_assert(event.kind != ENGINE_MESSAGE || event.state != MESSAGE_HELD);
    hint(f, row->id, part_of(f, 0, OUTCOME_EXPIRED, 20));
    cr_assert_eq(state_of(f, row->order), MESSAGE_ACCEPTED, "the other device has not ended");
}

ENGINE_TEST(outbox, a_resend_that_is_shown_another_history_is_not_held)
{
    struct sent s;
    struct outbox_row row = resent(f, &s);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    bob_rotates(f, 8);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    is_kept(f, &row);
}

ENGINE_TEST(outbox, nor_is_one_whose_look_up_is_shown_another_history)
{
    struct sent s;
    struct msg_lookup ask;
    struct outbox_row row = resent(f, &s);
    bob_adds(f, 2);
    bob_adds(f, 3);
    struct msg_stale stale = stale_since(f, 2);
    stale.entry_count = 1;
    answer_stale(f, &s, &stale);
    struct frame lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    struct msg_found found = bob_found(f, 1);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    is_kept(f, &row);
}

/* A message that waited for a look-up too long, and went with what was known: its answer says what became of it. */
static struct outbox_row goes_beside_its_look_up(struct fixture *f, struct sent *s, struct frame *lookup, struct msg_lookup *ask)
{
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, s);
    bob_adds(f, 1);
    bob_adds(f, 2);
    struct msg_stale stale = stale_since(f, 1);
    stale.entry_count = 1;
    answer_stale(f, s, &stale);
    for (unsigned second = 0; !said_count(f, KIND_SEND); second++) {
        cr_assert_lt(second, 30u);
        said_forget(f);
        pass(f, 1000);
    }
    said_send(f, s);
    while (!said_count(f, KIND_LOOKUP))
        pass(f, 1000);
    *lookup = said(f, KIND_LOOKUP, &msg_lookup_desc, ask);
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED);
    return row;
}

ENGINE_TEST(outbox, what_is_on_its_way_does_not_go_again_for_a_look_up)
{
    struct sent s;
    struct frame lookup;
    struct msg_lookup ask;
    struct outbox_row row = goes_beside_its_look_up(f, &s, &lookup, &ask);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    pass(f, 500);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}

ENGINE_TEST(outbox, nor_is_it_held_for_one)
{
    struct sent s;
    struct frame lookup;
    struct msg_lookup ask;
    struct outbox_row row = goes_beside_its_look_up(f, &s, &lookup, &ask);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    bob_rotates(f, 8);
    struct msg_found found = bob_found(f, 1);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    cr_assert_gt(engine_counts(f->e).forks, 0u);
    cr_assert_eq(state_of(f, row.order), MESSAGE_QUEUED, "it may be accepted");
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
}
