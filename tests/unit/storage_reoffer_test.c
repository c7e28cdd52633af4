/* Parked deliveries: `held` ones come back with another client version or on request, all of them and
 * each once; broken ones stay; STATUS follows the moves. */
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>

/* Parks everything that Bob got, for one reason. */
static void park_all(struct scene *e, uint32_t reason)
{
    while (e->bob->open_count) {
        struct msg_failure failed[FAILURES_PER_ACK];
        size_t n = 0, first = e->bob->got_count - e->bob->open_count;
        for (; n < e->bob->open_count && n < FAILURES_PER_ACK; n++)
            failed[n] = (struct msg_failure){e->bob->got[first + n].item.term,
                                             e->bob->got[first + n].item.seq, reason, {0}};
        struct position at = person_at(e->bob, first + n - 1);
        person_ack_begin(e->w, e->bob, at, at, failed, n);
        world_run(e->w);
        person_read(e->w, e->bob);
    }
}

static struct scene parked_scene(size_t n, uint32_t reason)
{
    struct scene e = scene_new(true);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    park_all(&e, reason);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), n);
    return e;
}

Test(reoffer, held_ones_stay_parked_for_the_same_version)
{
    struct scene e = parked_scene(2, FAIL_HELD);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 0);
    scene_free(&e);
}

Test(reoffer, held_ones_come_back_with_another_version_and_status_follows)
{
    struct scene e = parked_scene(2, FAIL_HELD);
    struct message_id id = e.bob->got[0].item.id;
    e.bob->version = "1.1.0";
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 2);
    cr_assert(message_equal(e.bob->got[0].item.id, id));
    cr_assert_eq(e.bob->got[0].item.seq, 3, "a new place");
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_OFFERED);
    park_all(&e, FAIL_HELD);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_FAILED);
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    person_ack(e.w, e.bob, 2);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).outcome, OUTCOME_SETTLED);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(e.w->core->counters.parked, 0);
    cr_assert_eq(e.w->core->counters.queued_messages, 0);
    scene_free(&e);
}

/* The version that is noted of an unattached session must not make one that receives look like one that has had its turn. */
Test(reoffer, held_ones_come_back_when_the_other_version_has_only_sent_before)
{
    struct scene e = parked_scene(2, FAIL_HELD);
    e.bob->version = "1.1.0";
    e.bob->unattached = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 0);
    e.bob->unattached = false;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 2);
    scene_free(&e);
}

Test(reoffer, held_ones_of_a_session_come_back_when_the_other_version_has_sent_beside_it)
{
    struct scene e = scene_new(true);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    struct person *other = calloc(1, sizeof *other);
    *other = *e.bob;
    other->version = e.bob->version = "1.1.0"; /* another process of the device */
    other->unattached = true;
    cr_assert_eq(person_hello(e.w, other, 0), STATUS_OK);
    free(other);
    park_all(&e, FAIL_HELD);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    scene_free(&e);
}

Test(reoffer, one_that_came_back_a_hundred_times_is_still_found)
{
    struct scene e = parked_scene(1, FAIL_HELD);
    struct message_id id = e.bob->got[0].item.id;
    struct view text = world_text(e.w, id, 10);
    e.bob->reoffer_held = true;
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
        cr_assert_eq(e.bob->got_count, 1);
        cr_assert(view_equal(e.bob->got[0].body, text));
        cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_OFFERED);
        park_all(&e, FAIL_HELD);
        cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_FAILED_HELD);
        cr_assert_leq(world_rows(e.w, SPACE_ROUTING, ROW_OUTCOME), 2, "the first place, the last");
    }
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_FAILED);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).outcome, OUTCOME_SETTLED);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_SETTLED);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_OUTCOME), 1);
    scene_free(&e);
}

Test(reoffer, one_that_expires_parked_at_its_last_place_is_found_as_that)
{
    struct scene e = parked_scene(1, FAIL_HELD);
    struct message_id id = e.bob->got[0].item.id;
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    park_all(&e, FAIL_HELD);
    world_skip(e.w, PAYLOAD_KEEP_MS);
    world_pass(e.w, HOUR_MS + 60000);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_EXPIRED);
    scene_free(&e);
}

/* Two outcome rows that name each other: no sweep or re-offer writes that, a damaged disk may hold it. */
Test(reoffer, a_ring_of_moves_is_damage_and_no_endless_search)
{
    struct scene e = parked_scene(2, FAIL_HELD);
    struct message_id id = e.bob->got[0].item.id;
    struct position at[2] = {person_at(e.bob, 0), person_at(e.bob, 1)};
    struct store_batch batch = {0};
    for (int i = 0; i < 2; i++) {
        struct outcome_row row = {.at_ms = 1, .moved_to = at[1 - i]};
        struct store_key key = key_position(ROW_OUTCOME, home_of_account(e.bob->account),
                                            e.bob->device, at[i]);
        store_batch_put(&batch, &e.w->arena, SPACE_ROUTING,
                        arena_copy(&e.w->arena, key_view(&key)),
                        outcome_row_write(&e.w->arena, &row), view_of(NULL, 0));
    }
    cr_assert_eq(store_write(e.w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, id).state, DELIVERY_FAILED);
    cr_assert_eq(world_explain(e.w, e.ann, e.bob, id), EXPLAIN_FAILED_DAMAGED);
    scene_free(&e);
}

Test(reoffer, broken_ones_do_not_come_back)
{
    struct scene e = parked_scene(2, FAIL_BROKEN);
    e.bob->version = "1.1.0";
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 0);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 2);
    scene_free(&e);
}

Test(reoffer, more_than_one_piece_comes_back_completely)
{
    struct scene e = parked_scene(150, FAIL_HELD);
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 150);
    person_ack(e.w, e.bob, 150);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    scene_free(&e);
}

Test(reoffer, two_hellos_in_one_turn_bring_each_back_once)
{
    struct scene e = parked_scene(3, FAIL_HELD);
    struct msg_hello hello = {.device = e.bob->device, .account = e.bob->account,
                              .protocol_min = 1, .protocol_max = 1, .attach = true,
                              .reoffer_held = true, .client_version = view_of("1.0.0", 5)};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 71, .transport = e.bob->record.transport};
    for (int i = 0; i < 2; i++)
        world_ask(e.w, 0, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 3);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    scene_free(&e);
}

Test(reoffer, starts_again_after_a_crash_that_cut_it_short)
{
    struct scene e = parked_scene(100, FAIL_HELD);
    world_pass(e.w, 1500);
    e.bob->version = "3.0.0";
    struct msg_hello hello = {.device = e.bob->device, .account = e.bob->account,
                              .protocol_min = 1, .protocol_max = 1, .attach = true,
                              .client_version = view_of("3.0.0", 5)};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 71, .transport = e.bob->record.transport};
    world_ask(e.w, 0, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_give(e.w);
    world_turn(e.w); /* the session */
    world_turn(e.w); /* the first piece */
    cr_assert_lt(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 100);
    cr_assert_gt(world_rows(e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 100);
    scene_free(&e);
}
