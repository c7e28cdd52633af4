/* net: glue; three ROUTER sockets, one loop, no decisions. Invariants: every send is DONTWAIT on a
 * MANDATORY ROUTER (EHOSTUNREACH = gone, EAGAIN = full); a frame from the edge without a verified
 * User-Id never reaches the core; zmq_msg_t does not leave this file. */
#include "broker/net.h"

#include "broker/edge.h"
#include "broker/host/host.h"
#include "broker/pace.h"
#include "broker/wire/slab.h"
#include "broker/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

/* In libzmq 4.3.4, but only declared with its draft interface. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

#define ROUTING_LEN       5   /* libzmq's own routing ids: a zero byte and a counter */
#define FRAMES_PER_TURN   512 /* from each socket, before what came is flushed */
#define POLL_MAX_MS       1000
#define AWAY_MS           500   /* a turn this long was not there for anybody: the disk, by what is inside */
#define EXCUSE_MS         10000 /* no more than once in */
#define EDGE_SEND_QUEUE   PENDING_REQUESTS_MAX /* replies to a full window fit */
#define EDGE_RECV_QUEUE   32
#define BACKEND_QUEUE     4096
#define ADMIN_QUEUE       256
#define EDGE_IO_THREAD    1u /* bits of ZMQ_AFFINITY */
#define BACKEND_IO_THREAD 2u
#define IO_THREADS        2

struct net {
    const struct config *config;
    const struct broker_place *place;
    struct journal *journal;
    void *context;
    struct zap *zap;
    struct edge *guarded; /* what watches the edge socket */
    void *edge, *backend, *admin;
    zmq_msg_t payload; /* reused for every frame that comes in */
    int pace;          /* timerfd: when the edge may be looked at again */
    size_t handed;     /* of the edge's frames, since all were heard */
    struct broker *broker; /* while it runs */
    bool inside_spoke; /* since the last flush */
    uint64_t turn_ms;  /* when it began: the last look at who is there */
    uint64_t excused_ms; /* when away_ms last said so */
};

struct int_option {
    int option, value;
};

static const struct int_option common_options[] = {
    {ZMQ_ROUTER_MANDATORY, 1},
};
static const struct int_option edge_options[] = {
    {ZMQ_SNDHWM, EDGE_SEND_QUEUE}, {ZMQ_RCVHWM, EDGE_RECV_QUEUE}, {ZMQ_LINGER, 1000},
    {ZMQ_HANDSHAKE_IVL, 5000}, {ZMQ_BACKLOG, 1024}, {ZMQ_IPV6, 1}, {ZMQ_ZAP_ENFORCE_DOMAIN, 1},
    /* Not ZMTP heartbeats: each keeps timers, and libzmq ends a timer by walking through all of them. */
    {ZMQ_TCP_KEEPALIVE, 1}, {ZMQ_TCP_KEEPALIVE_IDLE, 30}, {ZMQ_TCP_KEEPALIVE_INTVL, 10},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
};
static const struct int_option backend_options[] = {
    {ZMQ_SNDHWM, BACKEND_QUEUE}, {ZMQ_RCVHWM, BACKEND_QUEUE}, {ZMQ_LINGER, 1000},
};
static const struct int_option admin_options[] = {
    {ZMQ_SNDHWM, ADMIN_QUEUE}, {ZMQ_RCVHWM, ADMIN_QUEUE}, {ZMQ_LINGER, 200},
};

static bool options_set(void *socket, const struct int_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof(int)) != 0)
            return false;
    return true;
}
#define OPTIONS_SET(socket, table) options_set(socket, table, sizeof table / sizeof table[0])

static bool router_prepare(void *socket, int64_t frame_len_max, uint64_t io_thread)
{
    return socket && OPTIONS_SET(socket, common_options) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_len_max, sizeof frame_len_max) == 0 &&
           zmq_setsockopt(socket, ZMQ_AFFINITY, &io_thread, sizeof io_thread) == 0;
}

/* CURVE, or for loopback benchmarks PLAIN: then nothing is encrypted and no key is proved. */
static bool mechanism_set(struct net *n, const struct curve_server_keys *keys)
{
    int one = 1;
    if (n->config->plain)
        return zmq_setsockopt(n->edge, ZMQ_PLAIN_SERVER, &one, sizeof one) == 0;
    return zmq_setsockopt(n->edge, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
           zmq_setsockopt(n->edge, ZMQ_CURVE_SECRETKEY, keys->secret_key, 32) == 0;
}

static bool edge_prepare(struct net *n, const struct curve_server_keys *keys)
{
    n->edge = zmq_socket(n->context, ZMQ_ROUTER);
    return router_prepare(n->edge, FRAME_LEN_MAX, EDGE_IO_THREAD) &&
           OPTIONS_SET(n->edge, edge_options) && mechanism_set(n, keys) &&
           zmq_setsockopt(n->edge, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) == 0 &&
           edge_open(n->context, n->edge, n->config, keys, &n->guarded) == STATUS_OK;
}

static bool edge_publish(struct net *n)
{
    if (zmq_bind(n->edge, n->config->client_endpoint) != 0) return false;
    edge_start(n->guarded, host_now(), n->place->files);
    return true;
}

static bool backend_open(struct net *n)
{
    n->backend = zmq_socket(n->context, ZMQ_ROUTER);
    return router_prepare(n->backend, SLAB_LEN_MAX, BACKEND_IO_THREAD) &&
           OPTIONS_SET(n->backend, backend_options) &&
           zmq_bind(n->backend, n->config->backend_endpoint) == 0;
}

static bool admin_open(struct net *n)
{
    n->admin = zmq_socket(n->context, ZMQ_ROUTER);
    return router_prepare(n->admin, FRAME_LEN_MAX, BACKEND_IO_THREAD) &&
           OPTIONS_SET(n->admin, admin_options) &&
           zmq_bind(n->admin, n->config->admin_endpoint) == 0;
}

static enum status open_failed(struct net *n, const char *what, char *error, size_t error_cap)
{
    snprintf(error, error_cap, "%s cannot be opened: %s", what, zmq_strerror(zmq_errno()));
    net_close(&n);
    return STATUS_IO;
}

static void *context_new(void)
{
    void *context = zmq_ctx_new();
    if (context) zmq_ctx_set(context, ZMQ_IO_THREADS, IO_THREADS);
    return context;
}

enum status net_open(const struct config *config, const struct broker_place *place, const struct curve_server_keys *keys,
                     struct journal *journal, struct net **out, char *error, size_t error_cap)
{
    *out = NULL;
    struct net *n = calloc(1, sizeof *n);
    ENSURE(n != NULL);
    n->config = config;
    n->journal = journal;
    zmq_msg_init(&n->payload);
    n->place = place;
    n->context = context_new();
    n->pace = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (n->pace < 0) return open_failed(n, "a timer", error, error_cap);
    if (!n->context) return open_failed(n, "ZeroMQ", error, error_cap);
    if (zap_open(n->context, config->plain, &n->zap) != STATUS_OK)
        return open_failed(n, "the access check", error, error_cap);
    if (!backend_open(n)) return open_failed(n, config->backend_endpoint, error, error_cap);
    if (!admin_open(n)) return open_failed(n, config->admin_endpoint, error, error_cap);
    if (!edge_prepare(n, keys)) return open_failed(n, "the clients' socket", error, error_cap);
    if (edge_test(n->guarded, n->zap, error, error_cap) != STATUS_OK) {
        net_close(&n);
        return STATUS_IO;
    }
    if (!edge_publish(n)) return open_failed(n, config->client_endpoint, error, error_cap);
    *out = n;
    return STATUS_OK;
}

void net_close(struct net **n)
{
    if (!*n) return;
    edge_close(&(*n)->guarded);
    void *sockets[] = {(*n)->edge, (*n)->backend, (*n)->admin};
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
        if (sockets[i]) zmq_close(sockets[i]);
    zap_close(&(*n)->zap);
    zmq_msg_close(&(*n)->payload);
    if ((*n)->pace >= 0) close((*n)->pace);
    if ((*n)->context) zmq_ctx_term((*n)->context);
    free(*n);
    *n = NULL;
}

/* --- out ----------------------------------------------------------------------------------- */

static enum status transmit(void *socket, uint32_t routing, struct view bytes)
{
    uint8_t id[ROUTING_LEN] = {0};
    put_u32(id + 1, routing);
    if (zmq_send(socket, id, sizeof id, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EHOSTUNREACH ? STATUS_GONE : STATUS_BUSY;
    /* Room was checked with the id; if the peer ends in between, libzmq drops the rest silently. */
    return zmq_send(socket, bytes.at, bytes.len, ZMQ_DONTWAIT) < 0 ? STATUS_GONE : STATUS_OK;
}

static enum status to_client(void *context, uint32_t routing, struct view frame)
{
    return transmit(((struct net *)context)->edge, routing, frame);
}

static enum status to_worker(void *context, uint64_t peer, struct view slab)
{
    struct net *n = context;
    const struct inside *inside = n->place->inside;
    if (peer != PEER_INSIDE) return transmit(n->backend, (uint32_t)peer, slab);
    return inside->give(inside->context, slab) == STATUS_OK ? STATUS_OK : STATUS_BUSY;
}

static enum status to_admin(void *context, uint32_t caller, struct view frame)
{
    return transmit(((struct net *)context)->admin, caller, frame);
}

static void cut(void *context, uint32_t routing)
{
    edge_cut(((struct net *)context)->guarded, routing);
}

static void edge_counts_of(void *context, struct edge_counts *out)
{
    edge_counts_read(((struct net *)context)->guarded, out);
}

static void on_event(void *context, const struct event *e)
{
    journal_write(((struct net *)context)->journal, e);
}

struct broker_out net_out(struct net *n)
{
    return (struct broker_out){.context = n, .to_client = to_client, .to_worker = to_worker,
                               .to_admin = to_admin, .event = on_event, .cut = cut,
                               .edge = edge_counts_of};
}

/* --- in ------------------------------------------------------------------------------------ */

/* One message into n->payload. OK; BUSY: nothing is waiting; REFUSED: its routing id is not of libzmq's form;
 * MALFORMED: it has more than one part, and n->payload is the last. A peer may choose an id of that form. */
static enum status receive(struct net *n, void *socket, uint32_t *routing)
{
    uint8_t id[ROUTING_LEN + 1];
    int len = zmq_recv(socket, id, sizeof id, ZMQ_DONTWAIT);
    if (len < 0) return STATUS_BUSY;
    if (zmq_msg_recv(&n->payload, socket, ZMQ_DONTWAIT) < 0) return STATUS_BUSY;
    bool one = !zmq_msg_more(&n->payload);
    while (zmq_msg_more(&n->payload))
        if (zmq_msg_recv(&n->payload, socket, ZMQ_DONTWAIT) < 0) break;
    *routing = get_u32(id + 1);
    if (len != ROUTING_LEN || id[0] != 0) return STATUS_REFUSED;
    return one ? STATUS_OK : STATUS_MALFORMED;
}

static struct view payload_view(struct net *n)
{
    return view_of(zmq_msg_data(&n->payload), zmq_msg_size(&n->payload));
}

/* The CURVE key that the access check put on the frame; false where there is none. libzmq puts it
 * on every frame of a connection: a routing id alone does not say who speaks. */
static bool payload_key(struct net *n, struct transport_pk *out)
{
    const char *user = zmq_msg_gets(&n->payload, "User-Id");
    return user && strlen(user) == 40 && zmq_z85_decode(out->bytes, user) != NULL;
}

static struct peer_address payload_address(struct net *n)
{
    return peer_address_parse(zmq_msg_gets(&n->payload, "Peer-Address"));
}

/* What receive() took from the edge: to the core, if its connection may say it. */
static void edge_frame(struct net *n, struct broker *b, struct now now, enum status s,
                       uint32_t routing)
{
    struct transport_pk key;
    int fd = zmq_msg_get(&n->payload, ZMQ_SRCFD);
    if (s == STATUS_REFUSED) {
        edge_offence(n->guarded, fd, CUT_ROUTING_ID);
        return;
    }
    enum edge_answer answer = edge_knows(n->guarded, fd, routing);
    if (answer == EDGE_DROP) return;
    bool has_key = payload_key(n, &key);
    if (s != STATUS_OK || !has_key) {
        edge_offence(n->guarded, fd, has_key ? CUT_PARTS : CUT_NO_KEY);
    } else if (answer == EDGE_KNOWN || !edge_is_probe(n->guarded, fd, &key)) {
        struct peer_address from = payload_address(n);
        broker_client_frame(b, now, routing, &key, &from, payload_view(n));
    }
}

/* How many frames there were, dropped ones included. */
static size_t edge_take(struct net *n, struct broker *b, struct now now)
{
    uint32_t routing;
    size_t count = 0;
    for (enum status s; count < FRAMES_PER_TURN; count++) {
        s = receive(n, n->edge, &routing);
        if (s == STATUS_BUSY) break;
        edge_frame(n, b, now, s, routing);
    }
    return count;
}

/* After a look that found so many: either no more were there, or each connection had its turn: a ROUTER takes
 * one message from each that has any, round and round. Else a flood of frames would end the watch over bytes. */
static bool all_heard(struct net *n, size_t count)
{
    bool all = count < FRAMES_PER_TURN || n->handed >= CONNECTIONS_MAX;
    if (all) n->handed = 0;
    return all;
}

/* How long the turn has been, where that is too long for others to be blamed. Who can make turns long does not so switch off
 * what watches him. */
static uint64_t away_ms(const struct net *n, uint64_t now_ms)
{
    uint64_t ms = now_ms - n->turn_ms;
    return ms >= AWAY_MS && now_ms - n->excused_ms >= EXCUSE_MS ? ms : 0;
}

/* A worker's slab by the loop that both live in. */
static void from_inside(void *context, struct view slab)
{
    struct net *n = context;
    struct now now = host_now();
    edge_turn(n->guarded, n->broker, now, away_ms(n, now.mono_ms) > 0);
    edge_catch_up(n->guarded); /* as in net_run: maybe the disk was waited for */
    broker_worker_slab(n->broker, now, PEER_INSIDE, slab);
    n->inside_spoke = true;
}

/* It may change; -1: poll skips it. */
static int inside_fd(const struct net *n)
{
    return n->place->inside ? n->place->inside->fd : -1;
}

static void inside_step(struct net *n)
{
    const struct inside *inside = n->place->inside;
    if (!inside) return;
    n->inside_spoke = false;
    inside->step(inside->context, &(struct inside_way){.context = n, .slab = from_inside});
    if (n->inside_spoke) broker_flush(n->broker, host_now());
}

static void take_slab(struct broker *b, struct now now, uint32_t routing, struct view bytes)
{
    broker_worker_slab(b, now, routing, bytes);
}

typedef void take_frame(struct broker *b, struct now now, uint32_t routing, struct view bytes);

static void socket_take(struct net *n, void *socket, struct broker *b, struct now now,
                        take_frame *take)
{
    uint32_t routing;
    enum status s = STATUS_OK;
    for (int i = 0; i < FRAMES_PER_TURN && s != STATUS_BUSY; i++) {
        s = receive(n, socket, &routing);
        if (s == STATUS_OK) take(b, now, routing, payload_view(n));
    }
}

/* Paced, the edge's step waits, too: it comes after a look. */
static long poll_ms(const struct net *n, const struct broker *b, bool paced)
{
    uint64_t now_ms = host_now().mono_ms, deadline_ms = broker_deadline_ms(b);
    if (!paced && edge_deadline_ms(n->guarded) < deadline_ms)
        deadline_ms = edge_deadline_ms(n->guarded);
    const struct inside *inside = n->place->inside;
    long inside_ms = inside ? inside->wait_ms(inside->context) : POLL_MAX_MS;
    if (deadline_ms <= now_ms) return 0;
    long wait_ms = deadline_ms - now_ms < POLL_MAX_MS ? (long)(deadline_ms - now_ms) : POLL_MAX_MS;
    return inside_ms < wait_ms ? inside_ms : wait_ms;
}

/* The edge stays bound while draining: a listener owns the connections that it accepted, and zmq_unbind would
 * cut those that still wait for answers. */
static void drain(struct net *n, struct broker *b, struct now now)
{
    struct event e = {.at_ms = now.wall_ms, .kind = EVENT_PROCESS_DRAINING, .code = ROLE_BROKER};
    journal_write(n->journal, &e);
    broker_drain(b, now);
}

/* true = leave at once. */
static bool leaving_take(struct net *n, struct broker *b, struct now now, int fd, bool *draining)
{
    bool asked = host_signal_take(fd) != 0;
    if (asked && *draining) return true;
    if (*draining || (!asked && !edge_hopeless(n->guarded))) return false;
    *draining = true;
    drain(n, b, now);
    return false;
}

/* True = the edge is to be left alone until the timer fires. */
static bool pace_begin(struct net *n, uint64_t until_us)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(until_us / 1000000),
                                         .tv_nsec = (long)(until_us % 1000000 * 1000)}};
    return until_us && timerfd_settime(n->pace, TFD_TIMER_ABSTIME, &at, NULL) == 0;
}

static bool pace_over(struct net *n)
{
    uint64_t times;
    return read(n->pace, &times, sizeof times) == sizeof times;
}

enum {
    ITEM_EDGE, ITEM_BACKEND, ITEM_ADMIN, ITEM_ZAP, ITEM_SIGNAL, ITEM_INSIDE, ITEM_PACE, ITEM_COUNT
};

void net_run(struct net *n, struct broker *b, int signal_fd)
{
    zmq_pollitem_t items[ITEM_COUNT] = {
        [ITEM_EDGE] = {n->edge, 0, ZMQ_POLLIN, 0},
        [ITEM_BACKEND] = {n->backend, 0, ZMQ_POLLIN, 0},
        [ITEM_ADMIN] = {n->admin, 0, ZMQ_POLLIN, 0},
        [ITEM_ZAP] = {zap_socket(n->zap), 0, ZMQ_POLLIN, 0},
        [ITEM_SIGNAL] = {NULL, signal_fd, ZMQ_POLLIN, 0},
        [ITEM_INSIDE] = {NULL, -1, ZMQ_POLLIN, 0},
        [ITEM_PACE] = {NULL, n->pace, ZMQ_POLLIN, 0}};
    bool draining = false, leave = false, paced = false;
    struct now now = host_now();
    n->broker = b;
    n->turn_ms = now.mono_ms;
    while (!leave && !broker_drained(b, now)) {
        uint64_t away = away_ms(n, host_now().mono_ms);
        items[ITEM_EDGE].revents = 0;
        items[ITEM_INSIDE].fd = inside_fd(n);
        int ready = zmq_poll(paced ? items + 1 : items, ITEM_COUNT - 1, poll_ms(n, b, paced));
        if (ready < 0 && errno != EINTR) break;
        now = host_now();
        n->turn_ms = now.mono_ms;
        uint64_t start_us = host_mono_us();
        if (away) {
            n->excused_ms = now.mono_ms;
            broker_was_away(b, now, away);
        }
        if (paced && pace_over(n)) paced = false;
        if (items[ITEM_ZAP].revents) zap_serve(n->zap);
        edge_turn(n->guarded, b, now, away > 0);
        bool due = now.mono_ms >= edge_deadline_ms(n->guarded);
        if (!paced && (items[ITEM_EDGE].revents || due)) {
            size_t count = edge_take(n, b, now);
            n->handed += count;
            paced = pace_begin(n, pace_until_us(count, start_us));
            if (due && !away) edge_step(n->guarded, all_heard(n, count));
        }
        /* What has become of connections meanwhile: nothing is pushed under the routing id of one that has ended, as
         * another may have it by now. The monitor is not polled: each socket there is two system calls a turn. */
        edge_catch_up(n->guarded);
        if (items[ITEM_BACKEND].revents) socket_take(n, n->backend, b, now, take_slab);
        if (items[ITEM_ADMIN].revents) socket_take(n, n->admin, b, now, broker_admin_frame);
        if (items[ITEM_SIGNAL].revents || edge_hopeless(n->guarded))
            leave = leaving_take(n, b, now, signal_fd, &draining);
        broker_tick(b, now);
        broker_flush(b, now);
        inside_step(n);
    }
}
