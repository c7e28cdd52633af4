/* edge: glue; libzmq's monitor in, shutdown() out. What libzmq 4.3.4 does, and this file rests on:
 * a connection's DISCONNECTED is queued before its descriptor is closed and before its pipe to the router
 * ends; all of the edge is in one I/O thread, so that events of one descriptor are in order; a monitor
 * that is full blocks that thread, so it is emptied each turn and before it is stopped. A descriptor is
 * libzmq's own: it is never closed here, and only touched through a copy whose peer was looked at. */
#include "broker/edge.h"

#include "broker/happening.h"
#include "broker/host/host.h"
#include "broker/probe.h"
#include "broker/pulse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define MONITOR       "inproc://edge-monitor"
#define MONITOR_QUEUE 16384
#define EVENTS_MAX    (2 * MONITOR_QUEUE) /* at once; more than can wait */
#define EVENTS_WANTED (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED)
#define FDS_MAX       (CONNECTIONS_MAX + 4096u)
#define IDS_AHEAD     1024u /* more than are given in one step */
#define TEST_MS       5000
#define ENDPOINT_MAX  640

struct edge {
    const struct config *config;
    void *router, *monitor;
    struct guard *guard;
    struct happenings happenings;
    struct pulse pulse;
    struct probe probe;
    char public_endpoint[ENDPOINT_MAX]; /* as the probe reaches it */
    uint32_t first_routing;
    uint64_t step_ms;
    struct broker *broker; /* of the present turn */
    struct now now;
};

/* --- out: what guard wants ------------------------------------------------------------------- */

static bool peer_read(int fd, struct edge_peer *out)
{
    struct sockaddr_storage any;
    socklen_t len = sizeof any;
    memset(out, 0, sizeof *out);
    if (getpeername(fd, (struct sockaddr *)&any, &len) != 0) return false;
    if (any.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &any, sizeof v4);
        uint8_t bytes[4];
        memcpy(bytes, &v4.sin_addr, sizeof bytes);
        out->host = peer_address_ipv4(bytes);
        out->port = ntohs(v4.sin_port);
        return true;
    }
    if (any.ss_family != AF_INET6) return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, &any, sizeof v6);
    memcpy(out->host.bytes, &v6.sin6_addr, 16);
    out->port = ntohs(v6.sin6_port);
    return true;
}

/* On a copy: whatever libzmq does meanwhile, the descriptor that was looked at is the one that is shut. Nothing but a
 * connection is copied: to close a copy of the store's lock would let that go. */
static void on_cut(void *context, int fd, const struct edge_peer *peer)
{
    struct edge_peer there;
    (void)context;
    if (!peer_read(fd, &there)) return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return; /* gone, or no descriptor is left: guard asks again */
    if (peer_read(copy, &there) && there.port == peer->port &&
        memcmp(&there.host, &peer->host, sizeof there.host) == 0)
        (void)shutdown(copy, SHUT_RDWR);
    close(copy);
}

static void on_gone(void *context, uint32_t routing)
{
    struct edge *e = context;
    if (e->broker) broker_client_gone(e->broker, e->now, routing);
}

static void on_event(void *context, const struct event *event)
{
    struct edge *e = context;
    if (e->broker) broker_tell(e->broker, e->now, event);
}

/* --- in: the monitor ------------------------------------------------------------------------- */

struct monitored {
    uint16_t event;
    uint32_t value; /* a descriptor, or an errno */
};

/* false = nothing is waiting. */
static bool monitor_read(void *monitor, struct monitored *out)
{
    uint8_t head[6], address[ENDPOINT_MAX];
    int len = zmq_recv(monitor, head, sizeof head, ZMQ_DONTWAIT);
    if (len < 0) return false;
    memset(out, 0, sizeof *out);
    if (len == sizeof head) {
        memcpy(&out->event, head, sizeof out->event);
        memcpy(&out->value, head + sizeof out->event, sizeof out->value);
    }
    (void)zmq_recv(monitor, address, sizeof address, ZMQ_DONTWAIT); /* the edge's own */
    return true;
}

/* All that waits. Each peer is read while the rest is still read: an end that was told by then was told before the
 * descriptor could be another's, so who has none in the batch is who was read. */
static void happenings_read(struct edge *e)
{
    struct monitored m;
    struct edge_peer peer;
    e->happenings.count = 0;
    while (e->happenings.count < EVENTS_MAX && monitor_read(e->monitor, &m)) {
        switch (m.event) {
        case ZMQ_EVENT_ACCEPTED:
            (void)peer_read((int)m.value, &peer);
            happenings_accepted(&e->happenings, (int)m.value, &peer);
            break;
        case ZMQ_EVENT_DISCONNECTED: happenings_ended(&e->happenings, (int)m.value); break;
        case ZMQ_EVENT_ACCEPT_FAILED: happenings_accept_failed(&e->happenings, m.value); break;
        default: break;
        }
    }
}

void edge_catch_up(struct edge *e)
{
    uint64_t now_ms = e->now.mono_ms;
    happenings_read(e);
    for (uint32_t i = 0; i < e->happenings.count; i++) {
        const struct happening *h = &e->happenings.all[i];
        switch (h->kind) {
        case HAPPENING_ACCEPTED: guard_accepted(e->guard, now_ms, (int)h->value, &h->peer); break;
        case HAPPENING_ENDED: guard_ended(e->guard, now_ms, (int)h->value); break;
        case HAPPENING_ACCEPT_FAILED: guard_accept_failed(e->guard, h->value); break;
        }
    }
}

static bool traffic_read(int fd, bool all_heard, struct edge_traffic *out)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return false;
    *out = (struct edge_traffic){.received = info.tcpi_bytes_received,
                                 .acked = info.tcpi_bytes_acked,
                                 .unacked = info.tcpi_unacked || info.tcpi_notsent_bytes,
                                 .behind = !all_heard};
    return len >= offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof info.tcpi_notsent_bytes;
}

/* libzmq says EHOSTUNREACH of an id that nobody has. */
static bool id_taken(struct edge *e, uint32_t number)
{
    uint8_t id[5] = {0};
    put_u32(id + 1, number);
    if (zmq_send(e->router, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EAGAIN;
    (void)zmq_send(e->router, "", 0, ZMQ_DONTWAIT); /* the message that was begun */
    return true;
}

static void squatters_seek(struct edge *e)
{
    uint32_t next = guard_ids_next(e->guard);
    bool taken = false;
    for (uint32_t i = 0; i < IDS_AHEAD; i++)
        taken = id_taken(e, next + i) || taken;
    if (!taken) return;
    edge_catch_up(e); /* its arrival was told before it was admitted, maybe since the last look */
    guard_squatted(e->guard, e->now.mono_ms);
}

void edge_step(struct edge *e, bool all_heard)
{
    struct edge_traffic traffic;
    struct event event;
    uint64_t now_ms = e->now.mono_ms;
    e->step_ms = now_ms + GUARD_STEP_MS;
    guard_step(e->guard, now_ms);
    for (int fd = guard_look_next(e->guard); fd >= 0; fd = guard_look_next(e->guard))
        guard_look(e->guard, now_ms, fd, traffic_read(fd, all_heard, &traffic) ? &traffic : NULL);
    squatters_seek(e);
    if (pulse_due(&e->pulse, now_ms) &&
        probe_send(&e->probe, PROBE_RIGHT, e->public_endpoint) != STATUS_OK)
        probe_end(&e->probe); /* the pulse tells, if it goes on */
    if (pulse_step(&e->pulse, now_ms, &event)) on_event(e, &event);
}

void edge_turn(struct edge *e, struct broker *b, struct now now, bool away)
{
    guard_excuse(e->guard, away);
    e->broker = b;
    e->now = now;
}

uint64_t edge_deadline_ms(const struct edge *e)
{
    return e->step_ms;
}

/* --- frames ----------------------------------------------------------------------------------- */

enum edge_answer edge_knows(struct edge *e, int fd, uint32_t routing)
{
    if (guard_heard(e->guard, fd, routing)) return EDGE_KNOWN;
    edge_catch_up(e);
    return guard_speaks(e->guard, e->now.mono_ms, fd, routing) ? EDGE_FIRST : EDGE_DROP;
}

bool edge_is_probe(struct edge *e, int fd, const struct transport_pk *key)
{
    struct event event;
    if (memcmp(key, &e->probe.key, sizeof *key) != 0) return false;
    guard_own(e->guard, fd);
    if (pulse_heard(&e->pulse, e->now.mono_ms, &event)) on_event(e, &event);
    probe_end(&e->probe);
    return true;
}

void edge_offence(struct edge *e, int fd, enum cut_reason reason)
{
    edge_catch_up(e); /* it may be a first frame */
    guard_offence(e->guard, e->now.mono_ms, fd, reason);
}

void edge_cut(struct edge *e, uint32_t routing)
{
    guard_cut(e->guard, e->now.mono_ms, routing);
}

bool edge_hopeless(const struct edge *e)
{
    return guard_hopeless(e->guard);
}

void edge_counts_read(const struct edge *e, struct edge_counts *out)
{
    guard_counts(e->guard, out);
}

/* --- life ------------------------------------------------------------------------------------- */

enum status edge_open(void *context, void *router, const struct config *config,
                      const struct curve_server_keys *keys, struct edge **out)
{
    int queue = MONITOR_QUEUE, linger = 0;
    *out = NULL;
    struct edge *e = calloc(1, sizeof *e);
    ENSURE(e != NULL);
    *e = (struct edge){.config = config, .router = router};
    happenings_init(&e->happenings, EVENTS_MAX, FDS_MAX);
    if (zmq_socket_monitor(router, MONITOR, EVENTS_WANTED) == 0)
        e->monitor = zmq_socket(context, ZMQ_PAIR);
    if (e->monitor && zmq_setsockopt(e->monitor, ZMQ_RCVHWM, &queue, sizeof queue) == 0 &&
        zmq_setsockopt(e->monitor, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
        zmq_connect(e->monitor, MONITOR) == 0 &&
        probe_init(&e->probe, context, config->plain, keys->public_key) == STATUS_OK) {
        *out = e;
        return STATUS_OK;
    }
    edge_close(&e);
    return STATUS_IO;
}

void edge_close(struct edge **e)
{
    struct monitored m;
    if (!*e) return;
    probe_fini(&(*e)->probe);
    for (int i = 0; (*e)->monitor && i < EVENTS_MAX && monitor_read((*e)->monitor, &m); i++)
        ;
    (void)zmq_socket_monitor((*e)->router, NULL, 0);
    if ((*e)->monitor) zmq_close((*e)->monitor);
    guard_free(&(*e)->guard);
    happenings_fini(&(*e)->happenings);
    free(*e);
    *e = NULL;
}

/* The probe is on the same host: an edge that listens on every address is reached over loopback. */
static void public_endpoint_read(struct edge *e)
{
    static const char *const wild[] = {"tcp://0.0.0.0:", "tcp://[::]:"};
    char *text = e->public_endpoint;
    size_t len = sizeof e->public_endpoint;
    if (zmq_getsockopt(e->router, ZMQ_LAST_ENDPOINT, text, &len) != 0) text[0] = '\0';
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++)
        if (strncmp(text, wild[i], strlen(wild[i])) == 0) {
            char port[8];
            snprintf(port, sizeof port, "%.7s", text + strlen(wild[i]));
            snprintf(text, sizeof e->public_endpoint, "tcp://127.0.0.1:%s", port);
            return;
        }
}

void edge_start(struct edge *e, struct now now, uint32_t files)
{
    struct rlimit limit = {0};
    struct guard_config config = {
        .connections_max = e->config->connections_max,
        .address_connections_max = e->config->address_connections_max,
        .first_routing = e->first_routing,
        .out = {.context = e, .cut = on_cut, .gone = on_gone, .event = on_event}};
    ENSURE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    config.descriptors_max = limit.rlim_cur < INT32_MAX ? (uint32_t)limit.rlim_cur : INT32_MAX;
    config.descriptors_max -= files < config.descriptors_max ? files : 0;
    host_random(config.seed, sizeof config.seed);
    e->guard = guard_new(&config);
    e->now = now;
    e->step_ms = now.mono_ms;
    pulse_init(&e->pulse, now.mono_ms);
    public_endpoint_read(e);
}

/* --- the test before clients may come ------------------------------------------------------------ */

struct trial {
    struct edge *edge;
    struct zap *zap;
    uint64_t until_us;
    size_t frames, ended;
    bool right; /* the last frame was ours, under our key and an id of libzmq's form */
};

/* One frame, of whatever form, from whomever. */
static void trial_frame(struct trial *t)
{
    uint8_t id[6];
    struct transport_pk key;
    zmq_msg_t message;
    int id_len = zmq_recv(t->edge->router, id, sizeof id, ZMQ_DONTWAIT);
    if (id_len < 0) return;
    zmq_msg_init(&message);
    if (zmq_msg_recv(&message, t->edge->router, ZMQ_DONTWAIT) >= 0) {
        const char *user = zmq_msg_gets(&message, "User-Id");
        t->frames++;
        t->right = id_len == 5 && id[0] == 0 && !zmq_msg_more(&message) && user &&
                   strlen(user) == 40 && zmq_z85_decode(key.bytes, user) &&
                   memcmp(&key, &t->edge->probe.key, sizeof key) == 0;
        t->edge->first_routing = get_u32(id + 1);
    }
    zmq_msg_close(&message);
}

/* Serves until so many frames or ends of connections have come; false = time is over. */
static bool trial_run(struct trial *t, size_t frames, size_t ended)
{
    zmq_pollitem_t items[] = {{t->edge->router, 0, ZMQ_POLLIN, 0},
                              {t->edge->monitor, 0, ZMQ_POLLIN, 0},
                              {zap_socket(t->zap), 0, ZMQ_POLLIN, 0}};
    struct monitored m;
    while (t->frames < frames && t->ended < ended) {
        uint64_t now_us = host_mono_us();
        if (now_us >= t->until_us) return false;
        if (zmq_poll(items, 3, (long)((t->until_us - now_us) / 1000 + 1)) < 0) continue;
        zap_serve(t->zap);
        if (items[0].revents) trial_frame(t);
        while (monitor_read(t->edge->monitor, &m))
            t->ended += m.event == ZMQ_EVENT_DISCONNECTED;
    }
    return true;
}

/* NULL = all held; else what did not. */
static const char *trials(struct trial *t, const char *endpoint)
{
    struct probe *p = &t->edge->probe;
    static const enum probe_kind wrong[] = {PROBE_BARE, PROBE_WRONG_SERVER};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t ended = t->ended;
        t->until_us = host_mono_us() + TEST_MS / 2 * 1000;
        if (probe_send(p, wrong[i], endpoint) != STATUS_OK) return "a test client cannot be made";
        if (!trial_run(t, 1, ended + 1)) return "a client without the right keys is not turned away";
        if (t->frames) return "a client without the right keys gets in";
    }
    t->until_us = host_mono_us() + TEST_MS * 1000;
    if (probe_send(p, PROBE_RIGHT, endpoint) != STATUS_OK) return "a test client cannot be made";
    if (!trial_run(t, 1, SIZE_MAX)) return "a client with the right keys does not get in";
    return t->right ? NULL : "a client with the right keys comes in under another one";
}

enum status edge_test(struct edge *e, struct zap *zap, char *error, size_t error_cap)
{
    char endpoint[ENDPOINT_MAX];
    struct trial t = {.edge = e, .zap = zap};
    snprintf(endpoint, sizeof endpoint, "ipc://%s/edge.ipc", e->config->run_dir);
    const char *fault = "it cannot be bound in the run directory";
    if (zmq_bind(e->router, endpoint) == 0) {
        fault = trials(&t, endpoint);
        probe_end(&e->probe);
        if (zmq_unbind(e->router, endpoint) != 0 && !fault)
            fault = "it cannot be unbound from the run directory";
    }
    if (!fault) return STATUS_OK;
    snprintf(error, error_cap, "the edge does not keep strangers out: %s", fault);
    return STATUS_IO;
}
