/* The round: nothing leaves before the write, a failed write leaves nothing, the disk, the drain, and
 * slabs that no broker would send. */
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>
#include <string.h>

Test(turn, a_failed_write_lets_nothing_out)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 0, NULL);
    memory_disk_fail_write(e.w->disk, 1, true);
    world_give(e.w);
    size_t slabs = e.w->slab_count;
    cr_assert_eq(storage_turn(e.w->core, e.w->now), STATUS_OK);
    cr_assert_eq(storage_commit(e.w->core), STATUS_IO);
    cr_assert_eq(e.w->slab_count, slabs);
    world_restart(e.w);
    cr_assert_eq(e.w->slab_count > slabs, true);
    cr_assert_null(world_reply(e.w, s.correlation));
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "x").status, STATUS_OK, "the same bytes");
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1, "one message, whichever it was");
    scene_free(&e);
}

/* A store that counts what it is asked and may claim any disk; the rest is the store behind it. */
struct spy {
    struct store base;
    struct store *behind;
    struct store_ops ops;
    uint64_t free_bytes;
    enum status load_status;
};

static enum status spy_load(struct store *s, struct store_read *reads, size_t count, struct arena *a)
{
    struct spy *spy = (struct spy *)s;
    return spy->load_status == STATUS_OK ? store_load(spy->behind, reads, count, a)
                                         : spy->load_status;
}

static enum status spy_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    return store_scan(((struct spy *)s)->behind, scan, a);
}

static enum status spy_write(struct store *s, const struct store_batch *batch, enum durability d)
{
    return store_write(((struct spy *)s)->behind, batch, d);
}

static void spy_stats(struct store *s, struct store_stats *out)
{
    *out = (struct store_stats){.disk_free_bytes = ((struct spy *)s)->free_bytes,
                                .disk_total_bytes = 1000};
}

static void spy_close(struct store *s)
{
    store_close(&((struct spy *)s)->behind);
    free(s);
}

static struct spy *spy_on(struct world *w)
{
    struct spy *spy = calloc(1, sizeof *spy);
    spy->behind = w->store;
    spy->ops = (struct store_ops){.name = "spy", .durability_max = DURABILITY_SYNCED,
                                  .load = spy_load, .scan = spy_scan, .write = spy_write,
                                  .stats = spy_stats, .close = spy_close};
    spy->base.ops = &spy->ops;
    spy->free_bytes = 500;
    w->store = w->core->store = &spy->base;
    return spy;
}

Test(turn, a_store_that_cannot_read_ends_the_turn_without_a_word)
{
    struct scene e = scene_new(false);
    struct spy *spy = spy_on(e.w);
    struct message_id id = world_id(e.w);
    person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 0, NULL);
    world_give(e.w);
    spy->load_status = STATUS_IO;
    e.w->no_output = true;
    cr_assert_eq(storage_turn(e.w->core, e.w->now), STATUS_IO);
    cr_assert_eq(world_events(e.w, EVENT_STORE_FAILED), 1);
    scene_free(&e);
}

Test(disk, nearly_full_refuses_what_is_new_and_goes_on_delivering)
{
    struct scene e = scene_new(false);
    struct spy *spy = spy_on(e.w);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    spy->free_bytes = 99;
    world_pass(e.w, 1200);
    cr_assert_eq(e.w->core->state, STORE_READONLY);
    cr_assert_eq(world_events(e.w, EVENT_STORE_READONLY), 1);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_STORE_READONLY);
    struct sending again = person_send_begin(e.w, e.ann, e.bob, s.id, world_text(e.w, s.id, 10), 0,
                                             NULL);
    world_run(e.w);
    person_send_end(e.w, &again);
    cr_assert_eq(again.status, STATUS_OK, "known claims are answered");
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    spy->free_bytes = 150;
    world_pass(e.w, 1200);
    cr_assert_eq(world_events(e.w, EVENT_STORE_WRITABLE), 1);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    scene_free(&e);
}

Test(state, moves_only_as_the_table_says)
{
    enum store_state next;
    cr_assert_eq(state_next(STORE_COLLECTING, STORE_COLLECTED, &next), STATUS_OK);
    cr_assert_eq(next, STORE_SERVING);
    cr_assert_eq(state_next(STORE_COLLECTING, STORE_DISK_LOW, &next), STATUS_OK);
    cr_assert_eq(next, STORE_COLLECTING);
    cr_assert_eq(state_next(STORE_SERVING, STORE_DISK_LOW, &next), STATUS_OK);
    cr_assert_eq(next, STORE_READONLY);
    cr_assert_eq(state_next(STORE_READONLY, STORE_DISK_OK, &next), STATUS_OK);
    cr_assert_eq(next, STORE_SERVING);
    for (int from = STORE_COLLECTING; from < STORE_DRAINING; from++) {
        cr_assert_eq(state_next((enum store_state)from, STORE_DRAIN, &next), STATUS_OK);
        cr_assert_eq(next, STORE_DRAINING);
    }
}

Test(state, refuses_what_the_table_does_not_list)
{
    enum store_state next = STORE_STATES;
    cr_assert_eq(state_next(STORE_DRAINING, STORE_COLLECTED, &next), STATUS_STATE);
    cr_assert_eq(next, STORE_DRAINING);
    cr_assert_eq(state_next(STORE_SERVING, STORE_COLLECTED, &next), STATUS_STATE);
    cr_assert_eq(state_next(STORE_DRAINING, STORE_DRAIN, &next), STATUS_STATE);
}

Test(drain, finishes_what_is_queued_refuses_the_rest_and_writes_what_is_behind)
{
    struct scene e = scene_new(true);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 1);
    struct message_id id = world_id(e.w);
    struct sending last = person_send_begin(e.w, e.ann, e.bob, id, view_of("x", 1), 0, NULL);
    world_give(e.w);
    storage_drain(e.w->core, e.w->now);
    cr_assert(!storage_drained(e.w->core));
    cr_assert_eq(world_outs(e.w, KIND_LEAVING), 1);
    struct sending late = person_send_begin(e.w, e.ann, e.bob, world_id(e.w), view_of("y", 1), 0,
                                            NULL);
    world_run(e.w);
    person_send_end(e.w, &last);
    person_send_end(e.w, &late);
    cr_assert_eq(last.status, STATUS_OK);
    cr_assert_eq(late.status, STATUS_BUSY);
    cr_assert(storage_drained(e.w->core));
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    person_state(e.w, e.ann, e.bob, id);
    const struct mailbox *m = core_mailbox_peek(e.w->core, e.bob->device);
    cr_assert_eq(m->row.count, 1);
    cr_assert_eq(m->row.head.seq, 1);
    (void)s;
    scene_free(&e);
}

Test(turn, device_rows_are_rewritten_once_a_second_and_only_those_that_changed)
{
    struct scene e = scene_new(true);
    world_pass(e.w, 2500);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    cr_assert_not_null(e.w->core->dirty);
    cr_assert_null(e.w->core->dirty->next_dirty, "listed once");
    world_pass(e.w, 2500);
    cr_assert_null(e.w->core->dirty);
    scene_free(&e);
}

Test(turn, overload_is_busy_and_changes_nothing)
{
    struct scene e = scene_new(false);
    world_close(e.w);
    e.w->config.credit = 5;
    world_open(e.w);
    world_serve(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct sending sends[12];
    size_t ok = 0;
    for (size_t i = 0; i < 12; i++)
        sends[i] = person_send_begin(e.w, e.ann, e.bob, world_id(e.w), view_of("x", 1), 0, NULL);
    world_run(e.w);
    for (size_t i = 0; i < 12; i++) {
        person_send_end(e.w, &sends[i]);
        cr_assert(sends[i].status == STATUS_OK || sends[i].status == STATUS_BUSY);
        ok += sends[i].status == STATUS_OK;
    }
    cr_assert_eq(ok, 10);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 10);
    scene_free(&e);
}

Test(turn, more_than_a_turn_takes_is_done_in_several_in_order)
{
    struct scene e = scene_new(true);
    for (int i = 0; i < 1200; i++) {
        struct message_id id = world_id(e.w);
        person_send_begin(e.w, e.ann, e.bob, id, world_text(e.w, id, 5), 0, NULL);
    }
    world_give(e.w);
    cr_assert(storage_full(e.w->core));
    size_t turns = e.w->core->counters.turns;
    world_run(e.w);
    cr_assert_geq(e.w->core->counters.turns - turns, 3);
    person_read(e.w, e.bob);
    while (e.bob->got_count < 1200)
        person_ack(e.w, e.bob, e.bob->got_count);
    for (uint64_t i = 0; i < 1200; i++)
        cr_assert_eq(e.bob->got[i].item.seq, i + 1);
    scene_free(&e);
}

Test(turn, a_kind_that_is_not_a_client_s_gets_no_service)
{
    struct scene e = scene_new(false);
    struct stamp stamp = person_stamp(e.ann);
    struct msg_lease lease = {.count = 1};
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_LEASE, &msg_lease_desc, &lease, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_UNSUPPORTED);
    scene_free(&e);
}

Test(turn, hints_reach_a_broker_that_hears_nothing_else)
{
    struct world *w = world_new(2);
    struct person *ann = person_new(w, 1), *bob = person_new(w, 2);
    cr_assert_eq(person_hello(w, ann, 1), STATUS_OK);
    cr_assert_eq(person_hello(w, bob, 0), STATUS_OK);
    cr_assert_eq(person_send(w, ann, bob, 10).status, STATUS_OK);
    person_read(w, bob);
    person_ack(w, bob, 1);
    size_t to_ann = 0;
    for (size_t i = 0; i < w->out_count; i++)
        to_ann += w->outs[i].broker == 1 && w->outs[i].frame.header.kind == KIND_HINT_DEVICE;
    cr_assert_eq(to_ann, 1);
    person_free(ann);
    person_free(bob);
    world_free(w);
}

static struct msg_events_are ask_events(struct world *w, struct view cursor, uint32_t limit)
{
    struct msg_events m = {.cursor = cursor, .limit = limit};
    struct msg_events_are are;
    uint64_t c = world_ask(w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_EVENTS,
                           &msg_events_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_EVENTS_ARE, &msg_events_are_desc, &are);
    return are;
}

Test(events, are_kept_and_listed_from_a_cursor_also_after_a_restart)
{
    struct scene e = scene_new(true);
    world_pass(e.w, 1000);
    struct msg_events_are newest = ask_events(e.w, view_of(NULL, 0), 2);
    cr_assert_eq(newest.event_count, 2);
    cr_assert_eq(newest.events[1].kind, EVENT_SESSION_STARTED);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    world_pass(e.w, 1000);
    struct msg_events_are next = ask_events(e.w, newest.cursor, 10);
    cr_assert_eq(next.event_count, 4);
    cr_assert_eq(next.events[0].kind, EVENT_STORE_OPENED);
    cr_assert_eq(next.events[1].kind, EVENT_REGISTRATION_OPEN);
    cr_assert_eq(next.events[3].kind, EVENT_SESSION_STARTED);
    cr_assert_eq(ask_events(e.w, next.cursor, 10).event_count, 0);
    world_skip(e.w, 31 * DAY_MS);
    for (int i = 0; i < 6; i++)
        world_skip(e.w, 600);
    cr_assert_leq(world_rows(e.w, SPACE_EVENTS, ROW_EVENT), 5, "the old ones are gone");
    scene_free(&e);
}

Test(events, of_others_are_recorded_too)
{
    struct scene e = scene_new(false);
    struct msg_event event = {.at_ms = e.w->now.wall_ms, .kind = EVENT_WORKER_LOST, .count = 3};
    struct msg_record m = {.events = &event, .event_count = 1};
    world_item(e.w, 0, &(struct stamp){.origin = ORIGIN_PEER}, KIND_RECORD, 0, &msg_record_desc, &m,
               view_of(NULL, 0));
    world_run(e.w);
    struct msg_events_are are = ask_events(e.w, view_of(NULL, 0), 1);
    cr_assert_eq(are.events[0].kind, EVENT_WORKER_LOST);
    cr_assert_eq(are.events[0].count, 3);
    scene_free(&e);
}

/* A broker's event is older than the store's own when it comes, and may be years off. */
Test(events, of_others_that_come_late_are_among_the_newest_and_after_the_cursor)
{
    struct scene e = scene_new(true);
    world_pass(e.w, 1000);
    struct msg_events_are before = ask_events(e.w, view_of(NULL, 0), 1);
    for (uint64_t i = 0; i < 3; i++) {
        struct msg_event late = {.at_ms = e.w->now.wall_ms - 60000 * (i + 1), .kind = EVENT_WORKER_LOST, .count = i};
        struct msg_record m = {.events = &late, .event_count = 1};
        world_item(e.w, 0, &(struct stamp){.origin = ORIGIN_PEER}, KIND_RECORD, 0, &msg_record_desc, &m,
                   view_of(NULL, 0));
        world_run(e.w);
        world_pass(e.w, 1000);
        struct msg_events_are newest = ask_events(e.w, view_of(NULL, 0), 2);
        cr_assert_eq(newest.events[1].kind, EVENT_WORKER_LOST);
        cr_assert_eq(newest.events[1].count, i);
        cr_assert_eq(newest.events[1].at_ms, late.at_ms);
    }
    cr_assert_eq(ask_events(e.w, before.cursor, 10).event_count, 3);
    scene_free(&e);
}

/* All that are there, from the first. */
static size_t events_kept(struct world *w, enum event_kind kind, uint64_t *counts)
{
    uint8_t first = ROW_EVENT;
    struct msg_events_are are = ask_events(w, view_of(&first, 1), EVENTS_PER_FRAME);
    size_t found = 0;
    *counts = 0;
    for (; are.event_count; are = ask_events(w, are.cursor, EVENTS_PER_FRAME))
        for (size_t i = 0; i < are.event_count; i++) {
            if (are.events[i].kind != kind) continue;
            found++;
            *counts += are.events[i].count;
        }
    return found;
}

Test(events, that_peers_repeat_are_kept_in_part_and_push_out_no_others)
{
    struct scene e = scene_new(false);
    uint64_t counts;
    world_pass(e.w, 2000);
    core_event(e.w->core, &(struct event){.kind = EVENT_STORE_DAMAGED, .code = STATUS_DAMAGED});
    for (int i = 0; i < 3000; i++)
        core_event(e.w->core, &(struct event){.kind = EVENT_LOG_REFUSED, .code = STATUS_REFUSED});
    cr_assert_eq(world_events(e.w, EVENT_LOG_REFUSED), 3000, "the callback gets all");
    world_pass(e.w, 3000);
    cr_assert_eq(events_kept(e.w, EVENT_STORE_DAMAGED, &counts), 1);
    cr_assert_eq(events_kept(e.w, EVENT_LOG_REFUSED, &counts), RECORDS_OF_A_KIND);
    cr_assert_eq(events_kept(e.w, EVENT_EVENTS_DROPPED, &counts), 1);
    cr_assert_eq(counts, 3000 - RECORDS_OF_A_KIND);
    scene_free(&e);
}

/* ---- slabs that no broker would send ---- */

static uint32_t rng;

static uint32_t next_random(void)
{
    rng = rng * 1664525u + 1013904223u;
    return rng >> 8;
}

/* One of everything, valid as it stands. */
static void fill_slab(struct scene *e)
{
    struct world *w = e->w;
    struct stamp ann = person_stamp(e->ann), bob = person_stamp(e->bob);
    struct stamp worker = {.origin = ORIGIN_WORKER, .conn = 3}, admin = {.origin = ORIGIN_ADMIN};
    struct message_id id = world_id(w);
    struct msg_status_ask ask = {target_of_account(e->bob->account), id};
    struct msg_status status = {.items = &ask, .item_count = 1};
    struct msg_failure failed = {storage_term(w->core), 1, FAIL_HELD, {0}};
    struct msg_ack ack = {.session = bob.session, .settled_term = failed.term, .settled_seq = 3,
                          .failed = &failed, .failed_count = 1};
    struct msg_hello hello = {.device = e->bob->device, .account = e->bob->account,
                              .protocol_min = 1, .protocol_max = 1, .attach = true};
    struct msg_lease lease = {.count = 3};
    struct msg_wake_result result = {e->bob->device, e->bob->account, true, 0};
    struct msg_woken woken = {.results = &result, .result_count = 1};
    struct msg_explain explain = {.sender = e->ann->device, .target = ask.target, .id = id};
    struct msg_undelivered undelivered = {.term = failed.term, .seq = 2};
    struct msg_session session = {.attached = true, .credit_messages = 4, .credit_bytes = 4096};
    struct msg_peer peer = {.boot = w->boots[0], .witness_term = failed.term, .witness_commit = 9};
    struct msg_events events = {.limit = 3};
    struct msg_terms terms = {.since = failed.term};
    struct view none = view_of(NULL, 0);
    person_send_begin(w, e->ann, e->bob, id, view_of("text", 4), 0, NULL);
    world_ask(w, 0, &ann, KIND_STATUS, &msg_status_desc, &status, none);
    world_ask(w, 0, &bob, KIND_ACK, &msg_ack_desc, &ack, none);
    world_ask(w, 0, &bob, KIND_HELLO, &msg_hello_desc, &hello, none);
    world_ask(w, 0, &worker, KIND_LEASE, &msg_lease_desc, &lease, none);
    world_ask(w, 0, &worker, KIND_WOKEN, &msg_woken_desc, &woken, none);
    world_ask(w, 0, &admin, KIND_EXPLAIN, &msg_explain_desc, &explain, none);
    world_ask(w, 0, &admin, KIND_EVENTS, &msg_events_desc, &events, none);
    world_ask(w, 0, &ann, KIND_TERMS, &msg_terms_desc, &terms, none);
    world_item(w, 0, &bob, KIND_UNDELIVERED, 0, &msg_undelivered_desc, &undelivered, none);
    world_item(w, 0, &bob, KIND_SESSION, 0, &msg_session_desc, &session, none);
    world_item(w, 0, &(struct stamp){.origin = ORIGIN_PEER}, KIND_PEER, 0, &msg_peer_desc, &peer,
               none);
    if (next_random() % 4 == 0)
        world_ask(w, 0, &bob, KIND_BYE, &msg_empty_desc, &(struct msg_empty){0}, none);
}

static void mutate(struct buffer *slab)
{
    for (uint32_t n = next_random() % 6; n; n--) {
        size_t at = next_random() % slab->len;
        uint32_t value = next_random() % 3 ? slab->at[at] ^ 1u << next_random() % 8 : next_random();
        slab->at[at] = (uint8_t)value;
    }
    if (next_random() % 16 == 0) slab->len = next_random() % slab->len;
}

Test(slab, mutated_in_any_way_never_breaks_the_core)
{
    struct scene e = scene_new(true);
    rng = 20240607;
    for (size_t round = 0; round < 1500; round++) {
        struct slab_header header = {.role = ROLE_BROKER, .boot = e.w->boots[0]};
        fill_slab(&e);
        slab_finish(&e.w->slab[0], &header);
        mutate(&e.w->slab[0]);
        struct view copy = view_of(e.w->slab[0].at, e.w->slab[0].len);
        storage_slab(e.w->core, e.w->now, 0, copy);
        while (storage_wants_turn(e.w->core, e.w->now))
            world_turn(e.w);
        buffer_clear(&e.w->slab[0]);
        e.w->now.mono_ms += 50;
        e.w->now.wall_ms += 50;
        storage_tick(e.w->core, e.w->now);
    }
    for (size_t i = 0; i < e.w->out_count; i++)
        free(e.w->outs[i].bytes);
    e.w->out_count = 0;
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK, "and it still works");
    scene_free(&e);
}
