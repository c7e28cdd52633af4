/* Explain: every code of the list that this version can reach, and STATUS beside it. Not reachable yet:
 * revoked, removed, superseded, dead (they come with the identity log and with resends). */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static uint32_t explain_for(struct scene *e, struct message_id id, struct device_id device)
{
    struct msg_explain m = {.sender = e->ann->device, .target = target_of_account(e->bob->account),
                            .id = id, .device = device};
    struct msg_explained x;
    uint64_t c = world_ask(e->w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_EXPLAIN,
                           &msg_explain_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_EXPLAINED, &msg_explained_desc, &x);
    return x.code;
}

static uint32_t code(struct scene *e, struct message_id id)
{
    return world_explain(e->w, e->ann, e->bob, id);
}

static void park(struct scene *e, uint32_t reason)
{
    struct msg_failure failed = {e->bob->got[0].item.term, e->bob->got[0].item.seq, reason, {0}};
    person_ack_begin(e->w, e->bob, person_at(e->bob, 0), person_at(e->bob, 0), &failed, 1);
    world_run(e->w);
}

Test(explain, never_accepted_and_older_than_retention)
{
    struct scene e = scene_new(false);
    uint8_t random[10] = {1};
    cr_assert_eq(code(&e, world_id(e.w)), EXPLAIN_NEVER_ACCEPTED);
    cr_assert_eq(code(&e, message_id_make(e.w->now.wall_ms - 9 * DAY_MS, random)),
                 EXPLAIN_OLDER_THAN_RETENTION);
    scene_free(&e);
}

Test(explain, follows_a_message_on_its_way)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    cr_assert_eq(code(&e, s.id), EXPLAIN_WAITING_OFFLINE);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(code(&e, s.id), EXPLAIN_OFFERED);
    world_pass(e.w, 6000);
    cr_assert_eq(code(&e, s.id), EXPLAIN_WAITING_SLOW);
    person_ack_begin(e.w, e.bob, (struct position){.seq = 0}, person_at(e.bob, 0), NULL, 0);
    world_run(e.w);
    cr_assert_eq(code(&e, s.id), EXPLAIN_DELIVERED);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(code(&e, s.id), EXPLAIN_SETTLED);
    scene_free(&e);
}

/* "Not online since" is said of nobody whose last seen, in the next line, is later. */
Test(explain, a_device_that_was_there_since_and_did_not_receive_is_away)
{
    struct scene e = scene_new(false);
    e.bob->unattached = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    world_pass(e.w, 1000);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    cr_assert_eq(code(&e, s.id), EXPLAIN_WAITING_OFFLINE, "it was there, but before");
    world_pass(e.w, 1000);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(code(&e, s.id), EXPLAIN_WAITING_AWAY);
    struct msg_explained x = world_explained(e.w, e.ann, e.bob, s.id);
    cr_assert_gt(x.parts[0].last_seen_ms, x.parts[0].at_ms);
    world_pass(e.w, 2000); /* its row is written */
    world_restart(e.w);
    cr_assert_eq(code(&e, s.id), EXPLAIN_WAITING_AWAY);
    e.bob->unattached = false;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(code(&e, s.id), EXPLAIN_OFFERED);
    scene_free(&e);
}

Test(explain, waiting_behind_a_full_credit_is_waiting_slow)
{
    struct scene e = scene_new(false);
    e.bob->credit_messages = 1;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    person_send(e.w, e.ann, e.bob, 10);
    struct sending second = person_send(e.w, e.ann, e.bob, 10);
    cr_assert_eq(code(&e, second.id), EXPLAIN_WAITING_SLOW);
    scene_free(&e);
}

Test(explain, failures_by_their_reason)
{
    uint32_t reasons[] = {FAIL_HELD, FAIL_BROKEN};
    uint32_t codes[] = {EXPLAIN_FAILED_HELD, EXPLAIN_FAILED_BROKEN};
    for (size_t i = 0; i < 2; i++) {
        struct scene e = scene_new(true);
        struct sending s = person_send(e.w, e.ann, e.bob, 10);
        person_read(e.w, e.bob);
        park(&e, reasons[i]);
        cr_assert_eq(code(&e, s.id), codes[i]);
        scene_free(&e);
    }
}

Test(explain, expired)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 1000, NULL);
    world_run(e.w);
    for (int i = 0; i < 6; i++)
        world_skip(e.w, 600);
    cr_assert_eq(code(&e, id), EXPLAIN_EXPIRED);
    scene_free(&e);
}

static void delete_rows(struct world *w, enum store_space space, enum row_kind kind)
{
    struct arena arena = {0};
    uint8_t prefix = (uint8_t)kind, end = (uint8_t)(kind + 1);
    struct store_scan scan = {.space = space, .from = view_of(&prefix, 1), .to = view_of(&end, 1),
                              .row_max = 100, .byte_max = 1 << 20};
    struct store_batch batch = {0};
    cr_assert_eq(store_scan(w->store, &scan, &arena), STATUS_OK);
    for (size_t i = 0; i < scan.row_count; i++)
        store_batch_delete(&batch, &arena, space, scan.rows[i].key);
    cr_assert_eq(store_write(w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    arena_fini(&arena);
}

Test(explain, lost_is_alarmed_and_old_is_not_lost)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    delete_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE);
    cr_assert_eq(code(&e, s.id), EXPLAIN_LOST);
    cr_assert_geq(world_events(e.w, EVENT_DELIVERY_LOST), 1);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).outcome, OUTCOME_LOST);
    e.w->now.wall_ms += 8 * DAY_MS + 1000; /* before a sweep */
    e.w->now.mono_ms += 8 * DAY_MS + 1000;
    cr_assert_eq(code(&e, s.id), EXPLAIN_OLDER_THAN_RETENTION);
    scene_free(&e);
}

Test(explain, a_device_that_was_not_addressed)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    cr_assert_eq(explain_for(&e, s.id, e.ann->device), EXPLAIN_NO_SUCH_DEVICE);
    cr_assert_eq(explain_for(&e, s.id, e.bob->device), EXPLAIN_WAITING_OFFLINE);
    scene_free(&e);
}

Test(explain, names_receipt_place_and_held_bytes)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 1234);
    struct msg_explain m = {.sender = e.ann->device, .target = target_of_account(e.bob->account),
                            .id = s.id};
    struct msg_explained x;
    uint64_t c = world_ask(e.w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_EXPLAIN,
                           &msg_explain_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    world_decode(e.w, c, KIND_EXPLAINED, &msg_explained_desc, &x);
    cr_assert_eq(x.part_count, 1);
    cr_assert_eq(x.parts[0].payload_bytes, 1234);
    cr_assert_eq(x.parts[0].seq, 1);
    cr_assert(x.has_receipt);
    cr_assert_eq(x.receipt.commit, s.accepted.receipt.commit);
    scene_free(&e);
}

Test(status, of_somebody_elses_message_is_not_found)
{
    struct scene e = scene_new(true);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    struct msg_status_ask ask = {target_of_account(e.bob->account), s.id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    struct stamp stamp = person_stamp(e.bob);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_STATUS, &msg_status_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    world_decode(e.w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.items[0].status, STATUS_NOT_FOUND);
    scene_free(&e);
}

Test(status, behind_its_own_send_in_one_slab_knows_of_it)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 0, NULL);
    struct msg_status_ask ask = {target_of_account(e.bob->account), id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    struct stamp stamp = person_stamp(e.ann);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_STATUS, &msg_status_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    person_send_end(e.w, &s);
    world_decode(e.w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.items[0].status, STATUS_OK);
    cr_assert_eq(is.items[0].parts[0].state, DELIVERY_QUEUED);
    scene_free(&e);
}
