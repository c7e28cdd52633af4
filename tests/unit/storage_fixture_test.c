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
    w->config = (struct storage_config){
        .partition_first = 0, .partition_last = 4095, .broker_count = brokers,
        .mailbox_messages = 10000, .mailbox_bytes = 256u << 20, .payload_keep_ms = PAYLOAD_KEEP_MS,
        .ledger_keep_ms = LEDGER_KEEP_MS, .events_keep_ms = EVENTS_KEEP_MS, .disk_min_percent = 10,
        .credit = 4096, .ping_ms = 10000, .receipt_keys = &w->key, .receipt_key_count = 1};
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

/* ---- people ---- */

struct person *person_new(struct world *w, unsigned number)
{
    struct person *p = calloc(1, sizeof *p);
    uint8_t seed[32] = {(uint8_t)number, (uint8_t)(number >> 8), 77};
    struct founding f;
    crypto_sign_seed_keypair(p->record.signing.bytes, p->signing_sk, seed);
    memset(p->record.transport.bytes, (int)(number + 1), 32);
    p->record.transport.bytes[31] = (uint8_t)(number >> 8);
    memset(p->record.identity.bytes, (int)(number + 2), 32);
    founding_make(&p->record, p->signing_sk, WORLD_START_MS, seed, &p->entry);
    cr_assert_eq(founding_check(buffer_view(&p->entry), &w->arena, &f), STATUS_OK);
    p->account = f.account;
    p->device = f.device;
    p->head = f.head;
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 1000000 + number,
                          .transport = p->record.transport};
    struct msg_register m = {.entry = buffer_view(&p->entry)};
    uint64_t c = world_ask(w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(w);
    cr_assert_eq(world_status(w, c), STATUS_OK);
    return p;
}

void person_free(struct person *p)
{
    buffer_fini(&p->entry);
    free(p);
}

struct stamp person_stamp(const struct person *p)
{
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = p->conn, .session = p->session,
                          .account = p->account, .device = p->device,
                          .transport = p->record.transport};
}

enum status person_hello(struct world *w, struct person *p, size_t broker)
{
    const char *version = p->version ? p->version : "1.0.0";
    struct msg_hello hello = {.device = p->device, .account = p->account,
                              .client_version = view_of(version, strlen(version)),
                              .protocol_min = 1, .protocol_max = 1, .attach = !p->unattached,
                              .credit_messages = p->credit_messages,
                              .credit_bytes = p->credit_bytes, .reoffer_held = p->reoffer_held,
                              .client_ms = p->client_ms};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = ++w->id_count + 500,
                          .transport = p->record.transport};
    p->read_outs = w->out_count;
    uint64_t c = world_ask(w, broker, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_run(w);
    enum status status = world_status(w, c);
    if (status != STATUS_OK) return status;
    struct msg_welcome welcome;
    world_decode(w, c, KIND_WELCOME, &msg_welcome_desc, &welcome);
    p->broker = broker;
    p->conn = stamp.conn;
    p->session = welcome.session;
    p->open_count = p->open_bytes = 0;
    p->got_count = 0;
    p->settled = (struct position){.seq = 0};
    person_read(w, p);
    return STATUS_OK;
}

struct message_id world_id(struct world *w)
{
    uint8_t random[10] = {0};
    put_u64(random + 2, ++w->id_count);
    return message_id_make(w->now.wall_ms, random);
}

struct view world_text(struct world *w, struct message_id id, size_t len)
{
    uint8_t *at = arena_alloc(&w->arena, len + 1);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(id.bytes[15] + i);
    return view_of(at, len);
}

struct sending person_send_begin(struct world *w, const struct person *from,
                                 const struct person *to, struct message_id id, struct view text,
                                 uint64_t ttl_ms, const struct msg_receipt *lost)
{
    struct msg_part part = {.device = to->device, .len = (uint32_t)text.len};
    struct msg_send_item item = {.id = id, .target = target_of_account(to->account),
                                 .key_version = 1, .head = to->head, .ttl_ms = ttl_ms,
                                 .parts = &part, .part_count = 1};
    struct buffer encoded = {0};
    codec_encode(&msg_send_item_desc, &item, &encoded);
    struct view raw = arena_copy(&w->arena, buffer_view(&encoded));
    buffer_fini(&encoded);
    struct msg_lost_item lost_item = {.index = 0};
    struct msg_send send = {.items = &raw, .item_count = 1, .lost = &lost_item};
    if (lost) {
        lost_item.receipt = *lost;
        send.lost_count = 1;
    }
    struct stamp stamp = person_stamp(from);
    return (struct sending){
        .id = id, .correlation = world_ask(w, from->broker, &stamp, KIND_SEND, &msg_send_desc,
                                           &send, text)};
}

void person_send_end(struct world *w, struct sending *sending)
{
    struct msg_sent sent;
    sending->status = world_status(w, sending->correlation);
    if (sending->status != STATUS_OK) return;
    world_decode(w, sending->correlation, KIND_SENT, &msg_sent_desc, &sent);
    cr_assert_eq(sent.item_count, 1);
    sending->item = sent.items[0];
    sending->status = (enum status)sent.items[0].status;
    sending->answer = sent.items[0].answer;
    if (sending->answer.len)
        cr_assert_eq(codec_decode(&msg_accepted_desc, sending->answer, &w->arena,
                                  &sending->accepted), STATUS_OK);
}

struct sending person_send(struct world *w, const struct person *from, const struct person *to,
                           size_t len)
{
    struct message_id id = world_id(w);
    struct sending s = person_send_begin(w, from, to, id, world_text(w, id, len), 0, NULL);
    world_run(w);
    person_send_end(w, &s);
    return s;
}

struct sending person_send_id(struct world *w, const struct person *from, const struct person *to,
                              struct message_id id, const char *text)
{
    struct sending s = person_send_begin(w, from, to, id, view_of(text, strlen(text)), 0, NULL);
    world_run(w);
    person_send_end(w, &s);
    return s;
}

static void read_deliver(struct world *w, struct person *p, const struct out *o)
{
    struct msg_deliver deliver;
    struct reader body = reader_of(o->frame.body);
    cr_assert_eq(codec_decode(&msg_deliver_desc, o->frame.meta, &w->arena, &deliver), STATUS_OK);
    cr_assert_eq(session_compare(deliver.session, p->session), 0);
    cr_assert_leq(deliver.item_count, DELIVERIES_PER_FRAME);
    cr_assert(deliver.item_count || deliver.gap_count);
    for (size_t i = 0; i < deliver.item_count; i++) {
        const struct msg_delivery *d = &deliver.items[i];
        struct position at = {d->term, d->seq};
        cr_assert_lt(p->got_count, 4096u);
        if (p->got_count)
            cr_assert_gt(position_compare(at, person_at(p, p->got_count - 1)), 0, "mailbox order");
        p->got[p->got_count++] = (struct got){*d, read_view(&body, d->len)};
        p->open_count++;
        p->open_bytes += d->len;
        if (p->credit_messages) cr_assert_leq(p->open_count, p->credit_messages, "credit");
        if (p->credit_bytes && p->open_count > 1)
            cr_assert_leq(p->open_bytes, p->credit_bytes, "credit in bytes");
    }
    cr_assert_eq(reader_done(&body), STATUS_OK);
    for (size_t i = 0; i < deliver.gap_count; i++)
        p->gaps[p->gap_count++ % 64] = deliver.gaps[i];
    if (deliver.gap_count) p->gap_number = deliver.gap_number;
}

void person_read(struct world *w, struct person *p)
{
    for (; p->read_outs < w->out_count; p->read_outs++) {
        const struct out *o = &w->outs[p->read_outs];
        if (o->broker != p->broker || o->stamp.conn != p->conn) continue;
        if (session_compare(o->stamp.session, p->session) != 0) continue;
        if (o->frame.header.kind == KIND_DELIVER) read_deliver(w, p, o);
        if (o->frame.header.kind == KIND_SUPERSEDED) p->superseded++;
    }
}

struct position person_at(const struct person *p, size_t i)
{
    cr_assert_lt(i, p->got_count);
    return (struct position){p->got[i].item.term, p->got[i].item.seq};
}

uint64_t person_ack_begin(struct world *w, struct person *p, struct position settled,
                          struct position delivered, const struct msg_failure *failed,
                          size_t failed_count)
{
    struct msg_failure copies[FAILURES_PER_ACK];
    if (failed_count) memcpy(copies, failed, failed_count * sizeof *failed);
    struct msg_ack ack = {.session = p->session, .settled_term = settled.term,
                          .settled_seq = settled.seq, .delivered_term = delivered.term,
                          .delivered_seq = delivered.seq, .failed = copies,
                          .failed_count = failed_count, .gap_seen = p->gap_number};
    struct stamp stamp = person_stamp(p);
    for (size_t i = 0; i < p->got_count; i++) {
        struct position at = person_at(p, i);
        if (position_compare(at, p->settled) <= 0 || position_compare(at, settled) > 0) continue;
        p->open_count--;
        p->open_bytes -= p->got[i].item.len;
    }
    if (position_compare(p->settled, settled) < 0) p->settled = settled;
    return world_ask(w, p->broker, &stamp, KIND_ACK, &msg_ack_desc, &ack, view_of(NULL, 0));
}

void person_ack(struct world *w, struct person *p, size_t n)
{
    struct position at = person_at(p, n - 1);
    struct msg_acked acked;
    uint64_t c = person_ack_begin(w, p, at, at, NULL, 0);
    world_run(w);
    world_decode(w, c, KIND_ACKED, &msg_acked_desc, &acked);
    cr_assert_eq(position_compare((struct position){acked.settled_term, acked.settled_seq}, at), 0);
    person_read(w, p);
}

struct msg_part_state person_state(struct world *w, const struct person *from,
                                   const struct person *to, struct message_id id)
{
    struct msg_status_ask ask = {target_of_account(to->account), id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    struct stamp stamp = person_stamp(from);
    uint64_t c = world_ask(w, from->broker, &stamp, KIND_STATUS, &msg_status_desc, &m,
                           view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.item_count, 1);
    cr_assert_eq(is.items[0].status, STATUS_OK);
    cr_assert_eq(is.items[0].part_count, 1);
    return is.items[0].parts[0];
}

uint32_t world_explain(struct world *w, const struct person *from, const struct person *to,
                       struct message_id id)
{
    struct msg_explain m = {.sender = from->device, .target = target_of_account(to->account),
                            .id = id};
    struct msg_explained e;
    uint64_t c = world_ask(w, 0, &(struct stamp){.origin = ORIGIN_ADMIN, .conn = 3}, KIND_EXPLAIN,
                           &msg_explain_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_EXPLAINED, &msg_explained_desc, &e);
    return e.part_count ? e.parts[0].code : e.code;
}

struct scene scene_new(bool bob_too)
{
    struct scene scene = {.w = world_new(1)};
    scene.ann = person_new(scene.w, 1);
    scene.bob = person_new(scene.w, 2);
    cr_assert_eq(person_hello(scene.w, scene.ann, 0), STATUS_OK);
    if (bob_too) cr_assert_eq(person_hello(scene.w, scene.bob, 0), STATUS_OK);
    return scene;
}

void scene_free(struct scene *scene)
{
    person_free(scene->ann);
    person_free(scene->bob);
    world_free(scene->w);
}

/* ---- and that it works ---- */

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
