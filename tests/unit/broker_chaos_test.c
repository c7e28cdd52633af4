/* The broker under a seeded storm: clients that vanish or do not read, workers that answer, lie,
 * leave, come back at higher terms or fall silent, broken frames. What must hold: no request is
 * answered twice, and in the end every request of a client that is still there has been
 * answered. */
#include "broker/broker.h"
#include "broker/wire/messages.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS     12u
#define REQUESTS    4096u
#define WORKERS     3u
#define SEEN_FRAMES 64u

struct request_log {
    uint32_t routing;
    uint8_t replies;
    bool damaged; /* on its way: its correlation id may not have been readable */
};

/* A request that a worker has, to be answered rightly or wrongly. */
struct seen {
    struct stamp stamp;
    struct frame_header header;
};

struct storm {
    struct broker *broker;
    struct now now;
    uint64_t seed;
    uint32_t next_routing, next_correlation;
    uint32_t clients[CLIENTS];
    bool gone[65536];
    struct request_log requests[REQUESTS + 1]; /* by correlation id */
    struct slab_header workers[WORKERS];
    struct seen seen[WORKERS][SEEN_FRAMES];
    uint32_t seen_count[WORKERS];
    bool calm; /* sockets take everything */
};

static uint32_t chance(struct storm *s, uint32_t bound)
{
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return (uint32_t)(s->seed >> 16) % bound;
}

static enum status to_client(void *context, uint32_t routing, struct view bytes)
{
    struct storm *s = context;
    struct frame frame;
    if (s->gone[routing]) return STATUS_GONE;
    if (!s->calm && chance(s, 6) == 0) return STATUS_BUSY;
    cr_assert_eq(frame_check(bytes, FROM_RELAY, &frame), STATUS_OK);
    uint64_t correlation = frame.header.correlation;
    if (correlation == 0 || correlation > REQUESTS) return STATUS_OK;
    cr_assert_eq(s->requests[correlation].routing, routing, "somebody else's reply");
    cr_assert_eq(++s->requests[correlation].replies, 1, "answered twice");
    return STATUS_OK;
}

static enum status to_worker(void *context, uint64_t peer, struct view slab)
{
    struct storm *s = context;
    struct slab_header header;
    struct slab_reader reader;
    struct view bytes;
    struct seen item;
    struct frame frame;
    if (!s->calm && chance(s, 40) == 0) return chance(s, 2) ? STATUS_GONE : STATUS_BUSY;
    cr_assert_eq(slab_open(slab, &header, &reader), STATUS_OK);
    while (slab_next(&reader, &item.stamp, &bytes)) {
        if (frame_check(bytes, FROM_CLIENT, &frame) != STATUS_OK) continue;
        item.header = frame.header;
        s->seen[peer][s->seen_count[peer]++ % SEEN_FRAMES] = item;
    }
    cr_assert_eq(slab_done(&reader), STATUS_OK);
    return STATUS_OK;
}

static enum status to_admin(void *context, uint32_t caller, struct view frame)
{
    (void)context, (void)caller, (void)frame;
    return STATUS_OK;
}

static void on_event(void *context, const struct event *e)
{
    (void)context, (void)e;
}

static void client_frame(struct storm *s, uint32_t routing, const struct frame_header *header,
                         const struct codec_desc *desc, const void *message)
{
    struct buffer b = {0};
    struct transport_pk key = {{1}};
    frame_write(&b, header, desc, message);
    if (!s->calm && chance(s, 20) == 0) {
        b.at[chance(s, 8)] ^= (uint8_t)(1u << chance(s, 8));
        s->requests[header->correlation].damaged = true;
    }
    broker_client_frame(s->broker, s->now, routing, &key,
                        &(struct peer_address){{(uint8_t)chance(s, 3)}}, buffer_view(&b));
    buffer_fini(&b);
}

static void client_acts(struct storm *s)
{
    static const uint8_t kinds[] = {KIND_SEND, KIND_ACK, KIND_STATUS, KIND_REGISTER, KIND_BYE,
                                    KIND_PING};
    uint32_t slot = chance(s, CLIENTS), routing = s->clients[slot];
    struct msg_hello hello = {.account = {{(uint8_t)slot}}, .device = {{(uint8_t)(slot / 2)}},
                              .attach = true};
    struct frame_header header = {.home = home_of_account(hello.account)};
    if (chance(s, 50) == 0) {
        s->gone[routing] = true; /* and is told so at the next send */
        s->clients[slot] = s->next_routing++;
        return;
    }
    if (s->next_correlation > REQUESTS) return;
    header.correlation = s->next_correlation++;
    s->requests[header.correlation].routing = routing;
    header.kind = chance(s, 3) ? kinds[chance(s, sizeof kinds)] : KIND_HELLO;
    if (header.kind == KIND_HELLO)
        client_frame(s, routing, &header, &msg_hello_desc, &hello);
    else
        client_frame(s, routing, &header, &msg_empty_desc, &(struct msg_empty){0});
}

static void worker_frame(struct storm *s, uint32_t peer, const struct stamp *stamp,
                         const struct frame_header *header, const struct codec_desc *desc,
                         const void *message)
{
    struct buffer frame = {0}, slab = {0};
    frame_write(&frame, header, desc, message);
    slab_begin(&slab);
    slab_item(&slab, stamp, buffer_view(&frame));
    slab_finish(&slab, &s->workers[peer]);
    if (!s->calm && chance(s, 50) == 0) slab.at[chance(s, 48)] ^= (uint8_t)(1u << chance(s, 8));
    broker_worker_slab(s->broker, s->now, peer, buffer_view(&slab));
    buffer_fini(&frame);
    buffer_fini(&slab);
}

static void worker_readies(struct storm *s, uint32_t peer)
{
    struct slab_header *h = &s->workers[peer];
    if (chance(s, 3) == 0 || !h->boot.bytes[0])
        *h = (struct slab_header){.role = ROLE_STORAGE, .boot = {{1, (uint8_t)chance(s, 256)}},
                                  .term = term_make(s->now.mono_ms, peer)};
    struct msg_ready ready = {.role = ROLE_STORAGE, .boot = h->boot, .store = {{1}},
                              .term = h->term, .last = 4095, .credit = 40};
    worker_frame(s, peer, &(struct stamp){.origin = ORIGIN_PEER},
                 &(struct frame_header){.kind = KIND_READY}, &msg_ready_desc, &ready);
}

/* Answers something it has seen, sometimes with the wrong kind, sometimes again. */
static void worker_answers(struct storm *s, uint32_t peer)
{
    uint32_t known = s->seen_count[peer] < SEEN_FRAMES ? s->seen_count[peer] : SEEN_FRAMES;
    if (!known) return;
    struct seen item = s->seen[peer][chance(s, known)];
    struct frame_header header = item.header;
    header.kind = (uint8_t)kind_rule_of(header.kind)->reply;
    item.stamp.session = (struct session_id){s->workers[peer].term, 1 + chance(s, 4)};
    if (chance(s, 10) == 0)
        header = (struct frame_header){.kind = chance(s, 2) ? KIND_SUPERSEDED : KIND_DELIVER};
    if (header.kind == KIND_WELCOME) {
        item.stamp.account.bytes[0] = (uint8_t)(header.home >> 4);
        struct msg_welcome welcome = {.session = item.stamp.session};
        worker_frame(s, peer, &item.stamp, &header, &msg_welcome_desc, &welcome);
    } else {
        worker_frame(s, peer, &item.stamp, &header, &msg_empty_desc, &(struct msg_empty){0});
    }
}

static void worker_acts(struct storm *s)
{
    uint32_t peer = chance(s, WORKERS), act = chance(s, 40);
    struct stamp stamp = {.origin = ORIGIN_PEER};
    if (act == 0) {
        worker_readies(s, peer);
    } else if (act == 1 && chance(s, 10) == 0) {
        worker_frame(s, peer, &stamp, &(struct frame_header){.kind = KIND_LEAVING},
                     &msg_empty_desc, &(struct msg_empty){0});
    } else if (act < 4) {
        struct msg_hint_device hint = {.device = {{(uint8_t)chance(s, CLIENTS / 2)}}};
        worker_frame(s, peer, &stamp, &(struct frame_header){.kind = KIND_HINT_DEVICE},
                     &msg_hint_device_desc, &hint);
    } else {
        worker_answers(s, peer);
    }
}

static void pass(struct storm *s, uint32_t ms)
{
    s->now.mono_ms += ms;
    s->now.wall_ms += ms;
    broker_tick(s->broker, s->now);
    broker_flush(s->broker, s->now);
}

/* Counts the requests that are unanswered although their client is still there. */
static size_t unanswered(const struct storm *s)
{
    size_t count = 0;
    for (uint32_t i = 1; i < s->next_correlation; i++)
        count += !s->requests[i].replies && !s->requests[i].damaged &&
                 !s->gone[s->requests[i].routing];
    return count;
}

static void storm_run(uint64_t seed)
{
    struct storm *s = calloc(1, sizeof *s);
    cr_assert(s != NULL);
    s->seed = seed * 0x9e3779b97f4a7c15ull;
    s->now = (struct now){.wall_ms = 1000000, .mono_ms = 1000};
    s->next_routing = s->next_correlation = 1;
    for (uint32_t i = 0; i < CLIENTS; i++)
        s->clients[i] = s->next_routing++;
    struct broker_config config = {
        .boot = {{3}}, .connections_max = CLIENTS + 40, .ping_ms = 10000, .drain_ms = 1000,
        .rates = {200, 200, 1000000},
        .out = {.context = s, .to_client = to_client, .to_worker = to_worker, .to_admin = to_admin,
                .event = on_event}};
    s->broker = broker_new(&config, s->now);
    for (int step = 0; step < 6000; step++) {
        if (chance(s, 3))
            worker_acts(s);
        else
            client_acts(s);
        if (chance(s, 4) == 0) pass(s, chance(s, 30) ? chance(s, 20) : chance(s, 3000));
    }
    s->calm = true;
    for (int i = 0; i < 200; i++)
        pass(s, 250);
    size_t broken = unanswered(s);
    broker_free(&s->broker);
    free(s);
    cr_assert_eq(broken, 0, "seed %llu: %zu unanswered", (unsigned long long)seed, broken);
}

Test(broker, no_request_is_answered_twice_and_none_forgotten)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        storm_run(seed);
}
