/* broker_fixture: see the header. No tests here. */
#include "tests/unit/broker_fixture.h"

#include "broker/core.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct output *output_add(struct outputs *o, uint64_t to, struct view frame)
{
    cr_assert(o->count < OUTPUTS_MAX);
    struct output *out = &o->list[o->count++];
    *out = (struct output){.to = to};
    write_view(&out->bytes, frame);
    enum frame_from any = (enum frame_from)(FROM_CLIENT | FROM_RELAY | FROM_ADMIN | FROM_WORKER);
    cr_assert_eq(frame_check(buffer_view(&out->bytes), any, &out->frame), STATUS_OK);
    return out;
}

static enum status to_client(void *context, uint32_t routing, struct view frame)
{
    struct relay *r = context;
    if (r->client_status != STATUS_OK && routing - r->refusing_client <= r->refusing_more)
        return r->client_status;
    output_add(&r->clients, routing, frame);
    return STATUS_OK;
}

static enum status to_worker(void *context, uint64_t peer, struct view slab)
{
    struct relay *r = context;
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view frame;
    if (r->worker_status != STATUS_OK) return r->worker_status;
    cr_assert_eq(slab_open(slab, &header, &reader), STATUS_OK);
    while (slab_next(&reader, &stamp, &frame)) {
        struct output *out = output_add(&r->workers, peer, frame);
        out->stamp = stamp;
        out->slab = header;
    }
    cr_assert_eq(slab_done(&reader), STATUS_OK);
    return STATUS_OK;
}

static enum status to_admin(void *context, uint32_t caller, struct view frame)
{
    output_add(&((struct relay *)context)->admins, caller, frame);
    return STATUS_OK;
}

static void on_event(void *context, const struct event *e)
{
    struct relay *r = context;
    cr_assert(r->event_count < sizeof r->events / sizeof r->events[0]);
    r->events[r->event_count++] = *e;
}

static void on_cut(void *context, uint32_t routing)
{
    struct relay *r = context;
    r->cut = routing;
    r->cut_count++;
}

static void on_edge(void *context, struct edge_counts *out)
{
    (void)context;
    *out = (struct edge_counts){.accepted = 9, .failed = 3, .half_open = 2, .stuck = 1,
                                .cut = {[CUT_SILENT] = 4, [CUT_SESSION] = 1}};
}

struct relay *relay_new(uint32_t connections_max)
{
    return relay_metered_new(connections_max, (struct meter_rates){1000000, 1000000, 1ull << 34});
}

struct relay *relay_metered_new(uint32_t connections_max, struct meter_rates rates)
{
    struct relay *r = calloc(1, sizeof *r);
    cr_assert(r != NULL);
    r->now = (struct now){.wall_ms = 1700000000000, .mono_ms = 5000};
    struct broker_config config = {
        .boot = {{9, 9}}, .connections_max = connections_max, .ping_ms = 10000, .drain_ms = 2000,
        .rates = rates,
        .out = {.context = r, .to_client = to_client, .to_worker = to_worker, .to_admin = to_admin,
                .event = on_event, .cut = on_cut, .edge = on_edge}};
    r->broker = broker_new(&config, r->now);
    return r;
}

static void outputs_free(struct outputs *o)
{
    for (size_t i = 0; i < o->count; i++)
        buffer_fini(&o->list[i].bytes);
    o->count = 0;
}

void relay_clear(struct relay *r)
{
    outputs_free(&r->clients);
    outputs_free(&r->workers);
    outputs_free(&r->admins);
}

void relay_free(struct relay *r)
{
    broker_free(&r->broker);
    relay_clear(r);
    free(r);
}

bool relay_knows(const struct relay *r, uint32_t routing)
{
    return session_by_routing(&r->broker->sessions, routing) != NULL;
}

void relay_flush(struct relay *r)
{
    broker_flush(r->broker, r->now);
}

void relay_pass(struct relay *r, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        r->now.wall_ms += 50;
        r->now.mono_ms += 50;
        broker_tick(r->broker, r->now);
        broker_flush(r->broker, r->now);
    }
}

static struct buffer frame_of(struct frame_header header, const struct codec_desc *desc,
                              const void *message)
{
    struct buffer b = {0};
    frame_write(&b, &header, desc, message);
    return b;
}

void client_says(struct relay *r, uint32_t routing, struct frame_header header,
                 const struct codec_desc *desc, const void *message)
{
    struct buffer b = frame_of(header, desc, message);
    struct transport_pk key = {{(uint8_t)routing, 7}};
    broker_client_frame(r->broker, r->now, routing, &key, &r->from, buffer_view(&b));
    buffer_fini(&b);
}

void worker_says(struct relay *r, uint64_t peer, const struct slab_header *slab,
                 const struct stamp *stamp, struct frame_header header,
                 const struct codec_desc *desc, const void *message)
{
    struct buffer frame = frame_of(header, desc, message), b = {0};
    slab_begin(&b);
    slab_item(&b, stamp, buffer_view(&frame));
    slab_finish(&b, slab);
    broker_worker_slab(r->broker, r->now, peer, buffer_view(&b));
    buffer_fini(&frame);
    buffer_fini(&b);
}

void admin_says(struct relay *r, uint32_t caller, struct frame_header header,
                const struct codec_desc *desc, const void *message)
{
    struct buffer b = frame_of(header, desc, message);
    broker_admin_frame(r->broker, r->now, caller, buffer_view(&b));
    buffer_fini(&b);
}

static struct output *take(struct outputs *o, uint64_t to, enum frame_kind kind)
{
    for (size_t i = 0; i < o->count; i++) {
        struct output *out = &o->list[i];
        if (out->taken || out->to != to) continue;
        if (kind != KIND_NONE && out->frame.header.kind != kind) continue;
        out->taken = true;
        return out;
    }
    return NULL;
}

struct output *client_takes(struct relay *r, uint32_t routing, enum frame_kind kind)
{
    return take(&r->clients, routing, kind);
}

struct output *worker_takes(struct relay *r, uint64_t peer, enum frame_kind kind)
{
    return take(&r->workers, peer, kind);
}

struct output *admin_takes(struct relay *r, uint32_t caller, enum frame_kind kind)
{
    return take(&r->admins, caller, kind);
}

enum status error_status(const struct output *o)
{
    struct arena a = {0};
    struct msg_error error;
    cr_assert(o != NULL && o->frame.header.kind == KIND_ERROR);
    cr_assert_eq(codec_decode(&msg_error_desc, o->frame.meta, &a, &error), STATUS_OK);
    arena_fini(&a);
    return (enum status)error.status;
}

uint32_t error_retry_ms(const struct output *o)
{
    struct arena a = {0};
    struct msg_error error;
    cr_assert(o != NULL && o->frame.header.kind == KIND_ERROR);
    cr_assert_eq(codec_decode(&msg_error_desc, o->frame.meta, &a, &error), STATUS_OK);
    arena_fini(&a);
    return error.retry_after_ms;
}

size_t relay_events(const struct relay *r, enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < r->event_count; i++)
        count += r->events[i].kind == kind;
    return count;
}

struct account_id account_n(uint8_t n)
{
    return (struct account_id){{n}};
}

struct device_id device_n(uint8_t n)
{
    return (struct device_id){{n, 1}};
}

uint16_t home_n(uint8_t n)
{
    return home_of_account(account_n(n));
}

struct slab_header storage_header(uint8_t boot, uint64_t term_ms, uint64_t commit)
{
    return (struct slab_header){.role = ROLE_STORAGE, .boot = {{boot}},
                                .term = term_make(term_ms, boot), .commit = commit};
}

struct slab_header fanout_header(uint8_t boot)
{
    return (struct slab_header){.role = ROLE_FANOUT, .boot = {{boot}}};
}

static void readies(struct relay *r, uint64_t peer, const struct slab_header *h,
                    const struct msg_ready *ready)
{
    worker_says(r, peer, h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_READY}, &msg_ready_desc, ready);
    relay_flush(r);
}

void storage_readies(struct relay *r, uint64_t peer, uint8_t store, const struct slab_header *h,
                     uint32_t first, uint32_t last, uint32_t credit)
{
    struct msg_ready ready = {.role = ROLE_STORAGE, .boot = h->boot, .store = {{store}},
                              .term = h->term, .commit = h->commit, .first = first, .last = last,
                              .credit = credit};
    readies(r, peer, h, &ready);
}

void fanout_readies(struct relay *r, uint64_t peer, uint8_t boot)
{
    struct slab_header h = fanout_header(boot);
    readies(r, peer, &h, &(struct msg_ready){.role = ROLE_FANOUT, .boot = h.boot});
}

void worker_beats(struct relay *r, uint64_t peer, const struct slab_header *h)
{
    struct msg_heartbeat beat = {.row = {.role = h->role, .boot = h->boot, .queued_messages = 77}};
    worker_says(r, peer, h, &(struct stamp){.origin = ORIGIN_PEER},
                (struct frame_header){.kind = KIND_HEARTBEAT}, &msg_heartbeat_desc, &beat);
}

void client_greets(struct relay *r, uint32_t routing, uint8_t n, uint64_t correlation)
{
    struct msg_hello hello = {.device = device_n(n), .account = account_n(n), .attach = true,
                              .client_version = view_of("1.2.3", 5), .protocol_min = 1,
                              .protocol_max = 1};
    client_says(r, routing,
                (struct frame_header){.kind = KIND_HELLO, .correlation = correlation,
                                      .home = home_n(n)},
                &msg_hello_desc, &hello);
}

void worker_answers(struct relay *r, uint64_t peer, const struct slab_header *h,
                    const struct output *request, enum frame_kind kind,
                    const struct codec_desc *desc, const void *message)
{
    cr_assert(request != NULL);
    struct stamp stamp = {.origin = request->stamp.origin, .conn = request->stamp.conn};
    worker_says(r, peer, h, &stamp,
                (struct frame_header){.kind = (uint8_t)kind,
                                      .correlation = request->frame.header.correlation,
                                      .home = request->frame.header.home},
                desc, message);
}

void client_binds(struct relay *r, uint32_t routing, uint8_t n, uint64_t peer,
                  const struct slab_header *h, uint64_t number)
{
    struct msg_welcome welcome = {.session = {h->term, number}, .credit_messages = 10,
                                  .credit_bytes = 1000, .ping_ms = 10000};
    client_greets(r, routing, n, 1);
    relay_flush(r);
    const struct output *hello = worker_takes(r, peer, KIND_HELLO);
    cr_assert(hello != NULL);
    struct stamp stamp = {.origin = hello->stamp.origin, .conn = hello->stamp.conn,
                          .session = welcome.session, .account = account_n(n),
                          .device = device_n(n)};
    worker_says(r, peer, h, &stamp,
                (struct frame_header){.kind = KIND_WELCOME, .correlation = 1, .home = home_n(n)},
                &msg_welcome_desc, &welcome);
    cr_assert(client_takes(r, routing, KIND_WELCOME) != NULL);
}

void client_sends(struct relay *r, uint32_t routing, uint8_t n, uint64_t correlation)
{
    client_says(r, routing,
                (struct frame_header){.kind = KIND_SEND, .correlation = correlation,
                                      .home = home_n(n)},
                &msg_empty_desc, &(struct msg_empty){0});
    relay_flush(r);
}
