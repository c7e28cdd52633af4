/* session: table of connections with two hash chains through it, by routing id and by bound device.
 * Not here: what is sent to whom (client.c, worker.c). Invariants: state changes only in move();
 * a connection is in the device chain exactly while it is bound; free slots keep their
 * generation. */
#include "broker/session.h"

#include <stdlib.h>
#include <string.h>

/* Entries are the next state + 1, so that unlisted pairs (0) are not possible. */
#define TO(state) (CONNECTION_##state + 1)
static const uint8_t moves[CONNECTION_STATES][CONNECTION_EVENTS] = {
    [CONNECTION_FREE] = {[CONNECTION_ARRIVES] = TO(OPEN)},
    [CONNECTION_OPEN] = {[CONNECTION_HELLO] = TO(GREETING), [CONNECTION_LEAVES] = TO(FREE)},
    [CONNECTION_GREETING] = {[CONNECTION_WELCOMED] = TO(BOUND), [CONNECTION_DECLINED] = TO(OPEN),
                             [CONNECTION_LEAVES] = TO(FREE)},
    [CONNECTION_BOUND] = {[CONNECTION_HELLO] = TO(REBINDING), [CONNECTION_UNBINDS] = TO(OPEN),
                          [CONNECTION_LEAVES] = TO(FREE)},
    [CONNECTION_REBINDING] = {[CONNECTION_WELCOMED] = TO(BOUND), [CONNECTION_DECLINED] = TO(BOUND),
                              [CONNECTION_UNBINDS] = TO(GREETING), [CONNECTION_LEAVES] = TO(FREE)},
};

static bool can_move(const struct connection *c, enum connection_event event)
{
    return moves[c->state][event] != 0;
}

static void move(struct connection *c, enum connection_event event)
{
    ENSURE(can_move(c, event));
    c->state = (enum connection_state)(moves[c->state][event] - 1);
}

void sessions_init(struct sessions *s, uint32_t capacity, uint64_t seed)
{
    uint32_t buckets = 1;
    while (buckets < capacity)
        buckets *= 2;
    *s = (struct sessions){.capacity = capacity, .bucket_mask = buckets - 1, .free = 1,
                           .seed = seed};
    s->slots = calloc(capacity, sizeof *s->slots);
    s->by_routing = calloc(buckets, sizeof *s->by_routing);
    s->by_device = calloc(buckets, sizeof *s->by_device);
    ENSURE(capacity > 0 && s->slots && s->by_routing && s->by_device);
    for (uint32_t i = 0; i < capacity; i++) {
        s->slots[i].generation = (uint32_t)seed | 1;
        s->slots[i].routing_next = i + 1 < capacity ? i + 2 : 0; /* also the free list */
    }
}

void sessions_fini(struct sessions *s)
{
    free(s->slots);
    free(s->by_routing);
    free(s->by_device);
    *s = (struct sessions){0};
}

static struct connection *at(const struct sessions *s, uint32_t number)
{
    return number ? &s->slots[number - 1] : NULL;
}

static uint32_t number_of(const struct sessions *s, const struct connection *c)
{
    return (uint32_t)(c - s->slots) + 1;
}

/* libzmq counts routing ids up, but a client may choose its own: an unknown odd factor spreads both. */
static uint32_t *routing_bucket(const struct sessions *s, uint32_t routing)
{
    return &s->by_routing[(uint32_t)(routing * (s->seed | 1) >> 32) & s->bucket_mask];
}

static uint32_t *device_bucket(const struct sessions *s, struct device_id device)
{
    uint64_t h = (get_u64(device.bytes) ^ s->seed) * 0x9e3779b97f4a7c15ull;
    h = (h ^ get_u64(device.bytes + 8)) * 0xd6e8feb86659fd93ull;
    return &s->by_device[(uint32_t)(h >> 32) & s->bucket_mask];
}

static void device_link(struct sessions *s, struct connection *c)
{
    uint32_t *bucket = device_bucket(s, c->device);
    c->device_next = *bucket;
    *bucket = number_of(s, c);
    s->bound++;
}

static void device_unlink(struct sessions *s, struct connection *c)
{
    uint32_t *link = device_bucket(s, c->device), number = number_of(s, c);
    while (*link != number) {
        ENSURE(*link != 0);
        link = &at(s, *link)->device_next;
    }
    *link = c->device_next;
    c->device_next = 0;
    s->bound--;
}

static void routing_unlink(struct sessions *s, struct connection *c)
{
    uint32_t *link = routing_bucket(s, c->routing), number = number_of(s, c);
    while (*link != number) {
        ENSURE(*link != 0);
        link = &at(s, *link)->routing_next;
    }
    *link = c->routing_next;
}

struct connection *session_connect(struct sessions *s, uint32_t routing,
                                   const struct transport_pk *key, uint64_t now_ms)
{
    struct connection *c = at(s, s->free);
    if (!c) return NULL;
    uint32_t *bucket = routing_bucket(s, routing);
    s->free = c->routing_next;
    *c = (struct connection){.generation = c->generation, .routing = routing, .heard_ms = now_ms,
                             .transport = *key, .routing_next = *bucket};
    *bucket = number_of(s, c);
    s->count++;
    move(c, CONNECTION_ARRIVES);
    return c;
}

struct connection *session_by_routing(const struct sessions *s, uint32_t routing)
{
    struct connection *c = at(s, *routing_bucket(s, routing));
    while (c && c->routing != routing)
        c = at(s, c->routing_next);
    return c;
}

uint64_t session_handle(const struct sessions *s, const struct connection *c)
{
    return (uint64_t)c->generation << 32 | (uint32_t)(c - s->slots);
}

struct connection *session_by_handle(const struct sessions *s, uint64_t handle)
{
    uint32_t slot = (uint32_t)handle;
    if (slot >= s->capacity) return NULL;
    struct connection *c = &s->slots[slot];
    return c->state != CONNECTION_FREE && c->generation == handle >> 32 ? c : NULL;
}

bool session_bound(const struct connection *c)
{
    return c->state == CONNECTION_BOUND || c->state == CONNECTION_REBINDING;
}

bool session_is(const struct connection *c, struct session_id id)
{
    return session_bound(c) && session_compare(c->session, id) == 0;
}

static struct connection *of_device(const struct sessions *s, uint32_t number,
                                    struct device_id device)
{
    struct connection *c = at(s, number);
    while (c && !device_equal(c->device, device))
        c = at(s, c->device_next);
    return c;
}

struct connection *session_by_device(const struct sessions *s, struct device_id device)
{
    return of_device(s, *device_bucket(s, device), device);
}

struct connection *session_next(const struct sessions *s, const struct connection *c)
{
    return of_device(s, c->device_next, c->device);
}

enum status session_greet(struct connection *c, const struct msg_hello *hello)
{
    if (!can_move(c, CONNECTION_HELLO)) return STATUS_STATE;
    ENSURE(hello->client_version.len <= CLIENT_VERSION_LEN_MAX);
    c->offered = (struct greeting){.attach = hello->attach,
                                   .version_len = (uint8_t)hello->client_version.len};
    if (hello->client_version.len)
        memcpy(c->offered.version, hello->client_version.at, hello->client_version.len);
    move(c, CONNECTION_HELLO);
    return STATUS_OK;
}

void session_declined(struct connection *c)
{
    move(c, CONNECTION_DECLINED);
}

void session_bind(struct sessions *s, struct connection *c, const struct stamp *stamp,
                  const struct msg_welcome *welcome)
{
    if (session_bound(c)) device_unlink(s, c);
    move(c, CONNECTION_WELCOMED);
    c->session = stamp->session;
    c->account = stamp->account;
    c->device = stamp->device;
    c->greeting = c->offered;
    c->credit_messages = welcome->credit_messages;
    c->credit_bytes = welcome->credit_bytes;
    c->round = 0;
    device_link(s, c);
}

void session_unbind(struct sessions *s, struct connection *c)
{
    device_unlink(s, c);
    move(c, CONNECTION_UNBINDS);
    c->session = (struct session_id){.number = 0};
    c->account = (struct account_id){{0}};
    c->device = (struct device_id){{0}};
    c->round = 0;
}

void session_remove(struct sessions *s, struct connection *c)
{
    ENSURE(c->asked.count == 0);
    if (session_bound(c)) device_unlink(s, c);
    move(c, CONNECTION_LEAVES);
    routing_unlink(s, c);
    c->generation++;
    c->routing_next = s->free;
    s->free = number_of(s, c);
    s->count--;
}

struct stamp session_stamp(const struct sessions *s, const struct connection *c)
{
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = session_handle(s, c),
                          .session = c->session, .account = c->account, .device = c->device,
                          .transport = c->transport, .round = c->round};
}
