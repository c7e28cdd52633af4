/* zmq: a round trip client -> ROUTER | DEALER -> worker and back, over tcp and then ipc, as a message takes
 * it through the relay, with nothing done to it: what libzmq alone costs. Three threads with a context
 * each stand for the three processes; CPU is that of all, I/O threads too. With CURVE on the client's
 * side; with one or 64 messages in a frame. */
#include "bench/limits/limit.h"

#include "broker/host/host.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define WINDOW       256u /* messages under way */
#define ENDPOINT_MAX 256u

enum { PLAIN, CURVE };

struct hop {
    void *context, *front, *back; /* the broker's; the worker has only `back` */
    pthread_t thread;
    bool running;
};

struct trip {
    struct hop broker, worker;
    void *context, *client;
    char edge[ENDPOINT_MAX], inside[ENDPOINT_MAX];
    char server_pk[41], server_sk[41], client_pk[41], client_sk[41];
};

/* Both end when their context is shut down. */
static void *broker_main(void *at)
{
    struct hop *h = at;
    zmq_proxy(h->front, h->back, NULL);
    return NULL;
}

static void *worker_main(void *at)
{
    struct hop *h = at;
    zmq_msg_t m;
    int more = 0;
    zmq_msg_init(&m);
    while (zmq_msg_recv(&m, h->back, 0) >= 0) {
        more = zmq_msg_more(&m);
        if (zmq_msg_send(&m, h->back, more ? ZMQ_SNDMORE : 0) < 0) break;
    }
    zmq_msg_close(&m);
    return NULL;
}

static void *socket_of(void *context, int type)
{
    int zero = 0, queue = 100000;
    void *s = zmq_socket(context, type);
    if (s && zmq_setsockopt(s, ZMQ_LINGER, &zero, sizeof zero) == 0 &&
        zmq_setsockopt(s, ZMQ_SNDHWM, &queue, sizeof queue) == 0 &&
        zmq_setsockopt(s, ZMQ_RCVHWM, &queue, sizeof queue) == 0)
        return s;
    if (s) zmq_close(s);
    return NULL;
}

static bool curve_set(const struct trip *t)
{
    int yes = 1;
    return zmq_setsockopt(t->broker.front, ZMQ_CURVE_SERVER, &yes, sizeof yes) == 0 &&
           zmq_setsockopt(t->broker.front, ZMQ_CURVE_SECRETKEY, t->server_sk, 41) == 0 &&
           zmq_setsockopt(t->client, ZMQ_CURVE_SERVERKEY, t->server_pk, 41) == 0 &&
           zmq_setsockopt(t->client, ZMQ_CURVE_PUBLICKEY, t->client_pk, 41) == 0 &&
           zmq_setsockopt(t->client, ZMQ_CURVE_SECRETKEY, t->client_sk, 41) == 0;
}

static bool connect_all(struct trip *t, int variant)
{
    size_t len = sizeof t->edge;
    if (variant == CURVE && (zmq_curve_keypair(t->server_pk, t->server_sk) != 0 ||
                             zmq_curve_keypair(t->client_pk, t->client_sk) != 0 || !curve_set(t)))
        return false;
    return zmq_bind(t->broker.front, "tcp://127.0.0.1:*") == 0 &&
           zmq_getsockopt(t->broker.front, ZMQ_LAST_ENDPOINT, t->edge, &len) == 0 &&
           zmq_bind(t->broker.back, t->inside) == 0 &&
           zmq_connect(t->worker.back, t->inside) == 0 && zmq_connect(t->client, t->edge) == 0;
}

static bool trip_open(struct trip *t, const char *dir, int variant)
{
    if ((size_t)snprintf(t->inside, sizeof t->inside, "ipc://%s/s", dir) >= sizeof t->inside)
        return false;
    t->broker.context = zmq_ctx_new();
    t->worker.context = zmq_ctx_new();
    t->context = zmq_ctx_new();
    t->broker.front = socket_of(t->broker.context, ZMQ_ROUTER);
    t->broker.back = socket_of(t->broker.context, ZMQ_DEALER);
    t->worker.back = socket_of(t->worker.context, ZMQ_DEALER);
    t->client = socket_of(t->context, ZMQ_DEALER);
    if (!t->broker.front || !t->broker.back || !t->worker.back || !t->client ||
        !connect_all(t, variant))
        return false;
    t->broker.running = pthread_create(&t->broker.thread, NULL, broker_main, &t->broker) == 0;
    t->worker.running = pthread_create(&t->worker.thread, NULL, worker_main, &t->worker) == 0;
    return t->broker.running && t->worker.running;
}

static void hop_end(struct hop *h)
{
    if (h->context) zmq_ctx_shutdown(h->context);
    if (h->running) pthread_join(h->thread, NULL);
    if (h->front) zmq_close(h->front);
    if (h->back) zmq_close(h->back);
    if (h->context) zmq_ctx_term(h->context);
}

static void trip_close(struct trip *t)
{
    if (t->client) zmq_close(t->client);
    if (t->context) zmq_ctx_term(t->context);
    hop_end(&t->broker);
    hop_end(&t->worker);
}

/* Keeps the window full; every frame that comes back is one step of the stopwatch. */
static enum status trips(const struct limit *l, struct trip *t, struct figure *out)
{
    struct stopwatch watch;
    size_t len = l->size * l->batch, under_way = 0, most = WINDOW / l->batch;
    uint8_t *body = malloc(len);
    bool more = true;
    int wait = 5000;
    enum status s = STATUS_OK;
    zmq_msg_t m;
    ENSURE(body != NULL);
    host_random(body, len);
    zmq_msg_init(&m);
    zmq_setsockopt(t->client, ZMQ_RCVTIMEO, &wait, sizeof wait);
    stopwatch_start(&watch);
    while (s == STATUS_OK && (more || under_way)) {
        for (; more && under_way < most; under_way++)
            if (zmq_send(t->client, body, len, 0) < 0)
                s = limit_fail(out, "send", zmq_strerror(errno));
        if (s == STATUS_OK && zmq_msg_recv(&m, t->client, 0) != (int)len)
            s = limit_fail(out, "receive", zmq_strerror(errno));
        under_way--;
        if (!stopwatch_tick(&watch, out, l->batch)) more = false;
    }
    stopwatch_end(&watch, out);
    histogram_reset(&out->each); /* gaps between arrivals, not round trips */
    zmq_msg_close(&m);
    free(body);
    return s;
}

static enum status trip_run(const struct limit *l, const char *dir, struct figure *out)
{
    struct trip t = {0};
    enum status s = trip_open(&t, dir, l->variant)
                        ? trips(l, &t, out)
                        : limit_fail(out, "cannot open the sockets", zmq_strerror(errno));
    trip_close(&t);
    return s;
}

#define TRIP(what, kind, count)                                                                    \
    {                                                                                              \
        .name = "zmq round trip " what ", " #count " in a frame", .unit = "msg",                   \
        .durability = "memory", .edge = what, .size = LIMIT_BODY, .run = trip_run, .batch = count, \
        .variant = kind                                                                            \
    }

const struct limit limits_zmq[] = {
    TRIP("plain", PLAIN, 1),  TRIP("plain", PLAIN, 64), TRIP("curve", CURVE, 1),
    TRIP("curve", CURVE, 64), {.name = NULL},
};
