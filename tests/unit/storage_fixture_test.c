/* The fixture itself, and the proof that it can see: the happy path with every state on the way. */
#include "tests/unit/storage_fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- what comes out ---- */

static void take_slab(void *context, size_t broker, struct view slab)
{
    struct world *w = context;
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view bytes;
    cr_assert(!w->no_output, "nothing may leave before the group is written");
    cr_assert_eq(slab_open(slab, &header, &reader), STATUS_OK);
    cr_assert_eq(header.role, ROLE_STORAGE);
    w->slab_count++;
    while (slab_next(&reader, &stamp, &bytes)) {
        if (w->out_count == w->out_cap) {
            w->out_cap = w->out_cap ? w->out_cap * 2 : 256;
            w->outs = realloc(w->outs, w->out_cap * sizeof *w->outs);
        }
        struct out *o = &w->outs[w->out_count++];
        *o = (struct out){.broker = broker, .stamp = stamp, .bytes = malloc(bytes.len)};
        memcpy(o->bytes, bytes.at, bytes.len);
        enum frame_from from = (enum frame_from)(FROM_RELAY | FROM_WORKER);
        cr_assert_eq(frame_check(view_of(o->bytes, bytes.len), from, &o->frame), STATUS_OK,
                     "a frame that the broker would refuse");
    }
    cr_assert_eq(slab_done(&reader), STATUS_OK);
}

static void take_event(void *context, const struct event *e)
{
    struct world *w = context;
    w->events[w->event_count++ % 4096] = *e;
}

/* ---- the world ---- */

struct world *world_new(size_t brokers)
{
    struct world *w = calloc(1, sizeof *w);
    cr_assert_geq(sodium_init(), 0);
    w->key = (struct receipt_key){.id = 7, .bytes = {1, 2, 3}};
    w->stamp_key = (struct stamp_key){.id = 9, .bytes = {4, 5, 6}};
    w->config = (struct storage_config){
        .partition_first = 0, .partition_last = 4095, .broker_count = brokers,
        .mailbox_messages = 10000, .mailbox_bytes = 256u << 20, .payload_keep_ms = PAYLOAD_KEEP_MS,
        .ledger_keep_ms = LEDGER_KEEP_MS, .events_keep_ms = EVENTS_KEEP_MS, .disk_min_percent = 10,
        .credit = 4096, .ping_ms = 10000, .receipt_keys = &w->key, .receipt_key_count = 1,
        .stamp_key = &w->stamp_key};
    w->now = (struct now){.wall_ms = WORLD_START_MS, .mono_ms = 1000000};
    w->disk = memory_disk_new();
    for (size_t i = 0; i < WORLD_BROKERS; i++)
        w->boots[i].bytes[0] = (uint8_t)(i + 1);
    world_open(w);
    world_serve(w);
    return w;
}

void world_open(struct world *w)
{
    struct storage_seed seed = {.boot = {{9, (uint8_t)w->opened}}, .store = {{5, 5, 5}},
                                .term = ++w->opened, .table = {3}};
    struct storage_out out = {.context = w, .slab = take_slab, .event = take_event};
    cr_assert_eq(memory_open(w->disk, &w->store), STATUS_OK);
    cr_assert_eq(storage_open(&w->config, w->store, &out, &seed, w->now, &w->core), STATUS_OK);
}

void world_close(struct world *w)
{
    storage_free(&w->core);
    store_close(&w->store);
}

void world_alter(struct world *w, const struct store_batch *batch)
{
    world_close(w);
    cr_assert_eq(memory_open(w->disk, &w->store), STATUS_OK);
    cr_assert_eq(store_write(w->store, batch, DURABILITY_SYNCED), STATUS_OK);
    store_close(&w->store);
    world_open(w);
    world_serve(w);
}

void world_damage(struct world *w, enum store_space space, struct store_key key)
{
    struct arena a = {0};
    struct store_batch batch = {0};
    store_batch_put(&batch, &a, space, key_view(&key), view_of("\x03?", 2), view_of(NULL, 0));
    world_alter(w, &batch);
    arena_fini(&a);
}

static void forget_outs(struct world *w)
{
    for (size_t i = 0; i < w->out_count; i++)
        free(w->outs[i].bytes);
    free(w->outs);
    w->outs = NULL;
    w->out_count = w->out_cap = 0;
}

void world_free(struct world *w)
{
    world_close(w);
    memory_disk_free(&w->disk);
    forget_outs(w);
    for (size_t i = 0; i < WORLD_BROKERS; i++)
        buffer_fini(&w->slab[i]);
    arena_fini(&w->arena);
    free(w);
}

void world_serve(struct world *w)
{
    struct stamp peer = {.origin = ORIGIN_PEER};
    storage_tick(w->core, w->now);
    for (size_t i = 0; i < w->config.broker_count; i++) {
        struct msg_peer m = {.boot = w->boots[i]};
        world_item(w, i, &peer, KIND_PEER, 0, &msg_peer_desc, &m, view_of(NULL, 0));
        world_item(w, i, &peer, KIND_SESSIONS_END, 0, &msg_empty_desc, &(struct msg_empty){0},
                   view_of(NULL, 0));
    }
    world_give(w);
    storage_tick(w->core, w->now);
    cr_assert_eq(w->core->state, STORE_SERVING);
}

void world_crash(struct world *w)
{
    world_close(w);
    memory_disk_crash(w->disk);
    world_open(w);
}

void world_restart(struct world *w)
{
    world_crash(w);
    world_serve(w);
}

void world_item(struct world *w, size_t broker, const struct stamp *stamp, enum frame_kind kind,
                uint64_t correlation, const struct codec_desc *desc, const void *meta,
                struct view body)
{
    struct buffer *b = &w->slab[broker];
    if (!b->len) slab_begin(b);
    size_t start = slab_item_begin(b, stamp);
    frame_write(b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = correlation}, desc,
                meta);
    write_view(b, body);
    slab_item_end(b, start);
}

uint64_t world_ask(struct world *w, size_t broker, const struct stamp *stamp, enum frame_kind kind,
                   const struct codec_desc *desc, const void *meta, struct view body)
{
    world_item(w, broker, stamp, kind, ++w->correlation, desc, meta, body);
    return w->correlation;
}

/* The slab's bytes live as long as the core borrows them: until world_run has emptied its queue. */
void world_give(struct world *w)
{
    for (size_t i = 0; i < w->config.broker_count; i++) {
        struct slab_header header = {.role = ROLE_BROKER, .boot = w->boots[i]};
        if (!w->slab[i].len) continue;
        slab_finish(&w->slab[i], &header);
        struct view copy = arena_copy(&w->arena, buffer_view(&w->slab[i]));
        buffer_clear(&w->slab[i]);
        storage_slab(w->core, w->now, i, copy);
    }
}

void world_turn(struct world *w)
{
    w->no_output = true;
    cr_assert_eq(storage_turn(w->core, w->now), STATUS_OK);
    cr_assert_eq(storage_commit(w->core), STATUS_OK);
    w->no_output = false;
    storage_finish(w->core, w->now);
}

void world_run(struct world *w)
{
    world_give(w);
    for (size_t i = 0; storage_wants_turn(w->core, w->now); i++) {
        cr_assert_lt(i, 2000, "the core never comes to rest");
        world_turn(w);
    }
}

static void beat(struct world *w)
{
    struct msg_heartbeat m = {.row = {.role = ROLE_BROKER}};
    for (size_t i = 0; i < w->config.broker_count; i++)
        world_item(w, i, &(struct stamp){.origin = ORIGIN_PEER}, KIND_HEARTBEAT, 0,
                   &msg_heartbeat_desc, &m, view_of(NULL, 0));
}

void world_skip(struct world *w, uint64_t ms)
{
    w->now.wall_ms += ms;
    w->now.mono_ms += ms;
    beat(w);
    world_give(w);
    storage_tick(w->core, w->now);
    world_run(w);
}

void world_pass(struct world *w, uint64_t ms)
{
    for (uint64_t step; ms; ms -= step) {
        step = ms < 100 ? ms : 100;
        world_skip(w, step);
    }
}

const struct out *world_reply(const struct world *w, uint64_t correlation)
{
    const struct out *found = NULL;
    for (size_t i = 0; i < w->out_count; i++) {
        if (w->outs[i].frame.header.correlation != correlation) continue;
        cr_assert_null(found, "two replies to one request");
        found = &w->outs[i];
    }
    return found;
}

enum status world_status(struct world *w, uint64_t correlation)
{
    const struct out *o = world_reply(w, correlation);
    struct msg_error error;
    cr_assert_not_null(o, "no reply");
    if (o->frame.header.kind != KIND_ERROR) return STATUS_OK;
    cr_assert_eq(codec_decode(&msg_error_desc, o->frame.meta, &w->arena, &error), STATUS_OK);
    return (enum status)error.status;
}

void world_decode(struct world *w, uint64_t correlation, enum frame_kind kind,
                  const struct codec_desc *desc, void *meta)
{
    const struct out *o = world_reply(w, correlation);
    cr_assert_not_null(o, "no reply");
    cr_assert_eq(o->frame.header.kind, kind, "%s instead of %s", kind_name(o->frame.header.kind),
                 kind_name(kind));
    cr_assert_eq(codec_decode(desc, o->frame.meta, &w->arena, meta), STATUS_OK);
}

size_t world_events(const struct world *w, enum event_kind kind)
{
    size_t count = 0, from = w->event_count > 4096 ? w->event_count - 4096 : 0;
    for (size_t i = from; i < w->event_count; i++)
        count += w->events[i % 4096].kind == kind;
    return count;
}

const struct event *world_event(const struct world *w, enum event_kind kind)
{
    size_t from = w->event_count > 4096 ? w->event_count - 4096 : 0;
    for (size_t i = w->event_count; i > from; i--)
        if (w->events[(i - 1) % 4096].kind == kind) return &w->events[(i - 1) % 4096];
    cr_assert_fail("no such event");
    return NULL;
}

size_t world_outs(const struct world *w, enum frame_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < w->out_count; i++)
        count += w->outs[i].frame.header.kind == kind;
    return count;
}

size_t world_rows(struct world *w, enum store_space space, enum row_kind kind)
{
    struct arena arena = {0};
    uint8_t prefix = (uint8_t)kind;
    struct store_key to = key_end(view_of(&prefix, 1));
    struct store_scan scan = {.space = space, .from = view_of(&prefix, 1), .to = key_view(&to),
                              .row_max = 100000, .byte_max = 1u << 30, .keys_only = true};
    cr_assert_eq(store_scan(w->store, &scan, &arena), STATUS_OK);
    arena_fini(&arena);
    return scan.row_count;
}

size_t world_claims(struct world *w)
{
    struct arena arena = {0};
    uint8_t prefix = ROW_PAGE;
    struct store_key to = key_end(view_of(&prefix, 1));
    struct store_scan scan = {.space = SPACE_ROUTING, .from = view_of(&prefix, 1),
                              .to = key_view(&to), .row_max = 100000, .byte_max = 1u << 30};
    size_t count = world_rows(w, SPACE_ROUTING, ROW_CLAIM);
    cr_assert_eq(store_scan(w->store, &scan, &arena), STATUS_OK);
    for (size_t i = 0; i < scan.row_count; i++) {
        struct page_claim *claims;
        size_t in_page;
        cr_assert_eq(page_row_read(scan.rows[i].value, &arena, &claims, &in_page), STATUS_OK);
        count += in_page;
    }
    arena_fini(&arena);
    return count;
}

Test(storage_fixture, an_envelope_goes_all_its_way)
{
    struct world *w = world_new(1);
    struct person *ann = person_new(w, 1), *bob = person_new(w, 2);
    cr_assert_eq(person_hello(w, ann, 0), STATUS_OK);
    struct sending s = person_send_id(w, ann, bob, world_id(w), "hello bob");
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(s.accepted.level, LEVEL_SYNCED);
    cr_assert_eq(s.accepted.parts[0].seq, 1);
    cr_assert_eq(person_state(w, ann, bob, s.id).state, DELIVERY_QUEUED);
    cr_assert_eq(world_outs(w, KIND_DELIVER), 0);
    cr_assert_eq(person_hello(w, bob, 0), STATUS_OK);
    cr_assert_eq(bob->got_count, 1);
    cr_assert(view_equal(bob->got[0].body, view_of("hello bob", 9)));
    cr_assert_eq(person_state(w, ann, bob, s.id).state, DELIVERY_OFFERED);
    struct position at = person_at(bob, 0);
    person_ack_begin(w, bob, (struct position){.seq = 0}, at, NULL, 0);
    world_run(w);
    cr_assert_eq(person_state(w, ann, bob, s.id).state, DELIVERY_DELIVERED);
    person_ack(w, bob, 1);
    struct msg_part_state state = person_state(w, ann, bob, s.id);
    cr_assert_eq(state.state, DELIVERY_NONE);
    cr_assert_eq(state.outcome, OUTCOME_SETTLED);
    cr_assert_eq(world_rows(w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    cr_assert_eq(world_rows(w, SPACE_ROUTING, ROW_RUN), 1);
    cr_assert_eq(world_outs(w, KIND_HINT_DEVICE), 1);
    person_free(ann);
    person_free(bob);
    world_free(w);
}
