/* transport: the client's only socket. A DEALER under CURVE and its monitor; libzmq reconnects
 * to the endpoint in use, and this file moves on after FAILURES_TO_MOVE failures in a row.
 *
 * It is not a session: HELLO, requests and retries are the engine's (steps 2 and 6 of the way of
 * an envelope). Invariants: frames are single-part and at most FRAME_LEN_MAX; UP and DOWN
 * alternate, UP first (transport_move aside); after UP a send does not fail for want of a pipe;
 * nothing here blocks but transport_wait and, bounded by LINGER_MS, transport_close. */
#include "clients/transport.h"

#include "broker/wire/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

#define SEND_HWM         256
#define RECEIVE_HWM      256
#define LINGER_MS        500
#define HANDSHAKE_MS     5000
#define RECONNECT_MS     100
#define RECONNECT_MAX_MS 2000
#define HEARTBEAT_MS     5000
#define HEARTBEAT_END_MS 15000
#define FAILURES_TO_MOVE 3u
#define Z85_KEY_LEN      40u

struct endpoint {
    char text[TRANSPORT_ENDPOINT_LEN_MAX + 1];
};

struct transport {
    void *context;
    void *dealer;
    void *monitor;
    zmq_msg_t message; /* of the last FRAME event */
    struct endpoint endpoints[TRANSPORT_ENDPOINTS_MAX];
    unsigned endpoint_count;
    unsigned endpoint_now;
    unsigned failures; /* in a row, at this endpoint */
    unsigned sockets;  /* made so far: monitor addresses differ */
    bool up;
    bool stopped; /* no connection is tried any more */
    bool reached; /* somebody took the present attempt's tcp connection */
    bool blocked; /* the last send found the queue full */
    int poll_fd;  /* -1 = none */
    enum transport_trouble trouble;
    struct transport_pk server;
    struct transport_pk device;
    uint8_t *device_sk; /* sodium_malloc: every socket we make needs it */
};

/* ---- what the user gives ---- */

static enum status endpoint_check(const char *at, size_t len, char *error, size_t cap)
{
    const char *host = at + strlen("tcp://");
    if (len <= strlen("tcp://") || strncmp(at, "tcp://", strlen("tcp://")) != 0 ||
        len > TRANSPORT_ENDPOINT_LEN_MAX) {
        snprintf(error, cap, "the relay address must look like tcp://HOST:PORT");
        return STATUS_CONFIG;
    }
    const char *colon = memrchr(host, ':', len - strlen("tcp://"));
    unsigned long port = 0;
    char *end = NULL;
    if (colon != NULL && colon > host) port = strtoul(colon + 1, &end, 10);
    if (port == 0 || port > 65535 || end != at + len || memchr(host, '*', len - 6) != NULL) {
        snprintf(error, cap, "the relay address needs a host and a port (1 to 65535): %.*s",
                 (int)len, at);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

static enum status endpoints_parse(const char *list, struct endpoint *out, unsigned *count,
                                   char *error, size_t cap)
{
    *count = 0;
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        enum status s = endpoint_check(at, len, error, cap);
        if (s != STATUS_OK) return s;
        if (*count == TRANSPORT_ENDPOINTS_MAX) {
            snprintf(error, cap, "at most %u relay addresses", TRANSPORT_ENDPOINTS_MAX);
            return STATUS_CONFIG;
        }
        memcpy(out[*count].text, at, len);
        out[*count].text[len] = '\0';
        (*count)++;
        at += len;
        if (*at == '\0') return STATUS_OK;
    }
}

enum status transport_endpoints_check(const char *endpoints, char *error, size_t cap)
{
    struct endpoint parsed[TRANSPORT_ENDPOINTS_MAX];
    unsigned count;
    return endpoints_parse(endpoints, parsed, &count, error, cap);
}

enum status transport_server_key_parse(const char *text, struct transport_pk *out)
{
    uint8_t key[32];
    memset(out, 0, sizeof *out);
    if (strlen(text) != Z85_KEY_LEN || zmq_z85_decode(key, text) == NULL) return STATUS_MALFORMED;
    memcpy(out->bytes, key, sizeof key);
    return STATUS_OK;
}

enum status transport_server_key_load(const char *path, struct transport_pk *out, char *error,
                                      size_t cap)
{
    char text[128] = {0};
    memset(out, 0, sizeof *out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int reason = errno;
    if (fd >= 0) close(fd);
    if (len < 0) {
        snprintf(error, cap, "cannot read the server key %s: %s", path, strerror(reason));
        return STATUS_IO;
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (transport_server_key_parse(text, out) != STATUS_OK) {
        snprintf(error, cap,
                 "%s is not a server key (40 characters of Z85): take the relay's server.pub",
                 path);
        return STATUS_CONFIG;
    }
    return STATUS_OK;
}

/* ---- the socket pair ---- */

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool options_set(const struct transport *t, void *dealer)
{
    int64_t frame_max = FRAME_LEN_MAX;
    return set_int(dealer, ZMQ_SNDHWM, SEND_HWM) && set_int(dealer, ZMQ_RCVHWM, RECEIVE_HWM) &&
           set_int(dealer, ZMQ_LINGER, LINGER_MS) && set_int(dealer, ZMQ_IMMEDIATE, 1) &&
           set_int(dealer, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) &&
           set_int(dealer, ZMQ_CONNECT_TIMEOUT, HANDSHAKE_MS) &&
           set_int(dealer, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           set_int(dealer, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           set_int(dealer, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
           set_int(dealer, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_END_MS) &&
           set_int(dealer, ZMQ_IPV6, 1) &&
           zmq_setsockopt(dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, t->server.bytes, 32) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, t->device.bytes, 32) == 0 &&
           zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, t->device_sk, 32) == 0;
}

/* Subscribes before the connection starts, so that no event is missed. */
static void *monitor_open(struct transport *t, void *dealer)
{
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
                       ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                       ZMQ_EVENT_CONNECTED;
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%u", t->sockets++);
    if (zmq_socket_monitor(dealer, address, events) != 0) return NULL;
    void *monitor = zmq_socket(t->context, ZMQ_PAIR);
    if (monitor != NULL && set_int(monitor, ZMQ_LINGER, 0) && zmq_connect(monitor, address) == 0)
        return monitor;
    if (monitor != NULL) zmq_close(monitor);
    return NULL;
}

/* The descriptor belongs to the socket: it goes out of the set before the socket is closed, since libzmq
 * closes it later, in another thread. */
static bool poll_change(const struct transport *t, void *socket, int operation)
{
    int fd;
    size_t len = sizeof fd;
    struct epoll_event event = {.events = EPOLLIN};
    if (t->poll_fd < 0 || socket == NULL) return true;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &len) == 0 && epoll_ctl(t->poll_fd, operation, fd, &event) == 0;
}

static void sockets_close(struct transport *t)
{
    (void)poll_change(t, t->dealer, EPOLL_CTL_DEL); /* not there: it was never added */
    (void)poll_change(t, t->monitor, EPOLL_CTL_DEL);
    if (t->dealer != NULL) zmq_socket_monitor(t->dealer, NULL, 0);
    if (t->monitor != NULL) zmq_close(t->monitor);
    if (t->dealer != NULL) zmq_close(t->dealer);
    t->monitor = NULL;
    t->dealer = NULL;
    t->up = false;
    t->reached = false;
    t->blocked = false;
}

static enum status sockets_open(struct transport *t)
{
    t->failures = 0;
    t->dealer = zmq_socket(t->context, ZMQ_DEALER);
    if (t->dealer != NULL && options_set(t, t->dealer)) t->monitor = monitor_open(t, t->dealer);
    if (t->monitor != NULL && poll_change(t, t->dealer, EPOLL_CTL_ADD) &&
        poll_change(t, t->monitor, EPOLL_CTL_ADD) && zmq_connect(t->dealer, transport_endpoint(t)) == 0)
        return STATUS_OK;
    sockets_close(t);
    return STATUS_IO;
}

enum status transport_open(const struct transport_options *options, struct transport **out,
                           char *error, size_t cap)
{
    *out = NULL;
    struct transport *t = calloc(1, sizeof *t);
    ENSURE(t != NULL);
    zmq_msg_init(&t->message);
    t->server = options->server;
    t->device = options->device;
    t->poll_fd = options->poll_fd;
    t->device_sk = sodium_malloc(32);
    ENSURE(t->device_sk != NULL);
    memcpy(t->device_sk, options->device_sk, 32);
    enum status s =
        endpoints_parse(options->endpoints, t->endpoints, &t->endpoint_count, error, cap);
    if (s != STATUS_OK) goto out;
    s = STATUS_IO;
    t->context = zmq_ctx_new();
    if (t->context != NULL) s = sockets_open(t);
    if (s != STATUS_OK)
        snprintf(error, cap, "cannot open a socket for %s: %s", transport_endpoint(t),
                 zmq_strerror(errno));
out:
    if (s != STATUS_OK) transport_close(&t);
    *out = t;
    return s;
}

void transport_close(struct transport **t)
{
    if (*t == NULL) return;
    sockets_close(*t);
    zmq_msg_close(&(*t)->message);
    if ((*t)->context != NULL)
        zmq_ctx_term((*t)->context); /* waits for what lingers, LINGER_MS at most */
    sodium_free((*t)->device_sk);
    free(*t);
    *t = NULL;
}

/* ---- events ---- */

bool transport_wait(struct transport *t, uint64_t timeout_ms, int extra_fd)
{
    zmq_pollitem_t items[3];
    int count = 0;
    if (t->dealer != NULL) {
        short wanted = t->blocked ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
        items[count++] = (zmq_pollitem_t){.socket = t->dealer, .events = wanted};
        items[count++] = (zmq_pollitem_t){.socket = t->monitor, .events = ZMQ_POLLIN};
    }
    if (extra_fd >= 0) items[count++] = (zmq_pollitem_t){.fd = extra_fd, .events = ZMQ_POLLIN};
    /* Without sockets (after transport_move) transport_next has work to do, soon. */
    uint64_t max_ms = t->dealer != NULL ? 60000 : RECONNECT_MS;
    long timeout = (long)(timeout_ms < max_ms ? timeout_ms : max_ms);
    if (zmq_poll(items, count, timeout) <= 0) return false;
    return extra_fd >= 0 && items[count - 1].revents != 0;
}

static int events_of(void *socket)
{
    int events = 0;
    size_t len = sizeof events;
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &len) == 0 ? events : 0;
}

bool transport_ready(struct transport *t)
{
    if (t->dealer == NULL) return false;
    int wanted = t->blocked ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN;
    return (events_of(t->dealer) & wanted) != 0 || (events_of(t->monitor) & ZMQ_POLLIN) != 0;
}

uint64_t transport_wait_max_ms(const struct transport *t)
{
    return t->dealer != NULL || t->stopped ? UINT64_MAX : RECONNECT_MS;
}

/* The next single-part message, into t->message; anything else is dropped (PROTOCOL 2). */
static bool frame_receive(struct transport *t)
{
    for (;;) {
        if (zmq_msg_recv(&t->message, t->dealer, ZMQ_DONTWAIT) < 0) return false;
        if (!zmq_msg_more(&t->message)) return true;
        while (zmq_msg_more(&t->message) && zmq_msg_recv(&t->message, t->dealer, ZMQ_DONTWAIT) >= 0)
            ;
    }
}

/* What the monitor says next: 0 = nothing. Its second part, the address, is not needed. */
static unsigned monitor_receive(struct transport *t)
{
    uint8_t event[16];
    char address[512];
    int len = zmq_recv(t->monitor, event, sizeof event, ZMQ_DONTWAIT);
    if (len < (int)sizeof(uint16_t)) return 0;
    (void)zmq_recv(t->monitor, address, sizeof address, ZMQ_DONTWAIT);
    uint16_t kind;
    memcpy(&kind, event, sizeof kind); /* libzmq: in host order */
    return kind;
}

/* Makes libzmq take the new pipe from its I/O thread now, so that the first send finds it. */
static void pipe_attach(struct transport *t)
{
    (void)events_of(t->dealer);
}

static void attempt_failed(struct transport *t)
{
    if (!t->reached && t->trouble != TROUBLE_LOST) t->trouble = TROUBLE_CONNECT;
    t->reached = false;
    t->failures++;
}

/* One monitor event; true when it is an event for our caller too. */
static bool connection_step(struct transport *t, unsigned kind, struct transport_event *out)
{
    bool was_up = t->up;
    switch (kind) {
    case ZMQ_EVENT_CONNECTED:
        t->reached = true;
        return false;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        t->up = true;
        t->failures = 0;
        t->trouble = TROUBLE_NONE;
        pipe_attach(t);
        out->kind = TRANSPORT_UP;
        return !was_up;
    case ZMQ_EVENT_CONNECT_RETRIED:
        attempt_failed(t);
        return false;
    default: /* DISCONNECTED, HANDSHAKE_FAILED_* */
        t->up = false;
        t->blocked = false;
        if (was_up || t->reached) t->trouble = was_up ? TROUBLE_LOST : TROUBLE_HANDSHAKE;
        out->kind = TRANSPORT_DOWN;
        return was_up;
    }
}

bool transport_next(struct transport *t, struct transport_event *out)
{
    *out = (struct transport_event){.kind = TRANSPORT_DOWN};
    if (t->stopped) return false;
    if (t->dealer == NULL && sockets_open(t) != STATUS_OK)
        return false; /* no descriptors left: again at the next call */
    /* Frames first: what a connection brought is read before its DOWN. */
    if (frame_receive(t)) {
        out->kind = TRANSPORT_FRAME;
        out->frame = view_of(zmq_msg_data(&t->message), zmq_msg_size(&t->message));
        return true;
    }
    for (unsigned kind; (kind = monitor_receive(t)) != 0;)
        if (connection_step(t, kind, out)) return true;
    if (t->failures >= FAILURES_TO_MOVE && t->endpoint_count > 1) transport_move(t);
    return false;
}

enum status transport_send(struct transport *t, struct view frame)
{
    if (!t->up) return STATUS_GONE;
    if (zmq_send(t->dealer, frame.at, frame.len, ZMQ_DONTWAIT) >= 0) {
        t->blocked = false;
        return STATUS_OK;
    }
    t->blocked = errno == EAGAIN;
    return t->blocked ? STATUS_FULL : STATUS_GONE;
}

void transport_move(struct transport *t)
{
    sockets_close(t);
    t->endpoint_now = (t->endpoint_now + 1) % t->endpoint_count;
    (void)sockets_open(t); /* no descriptors left: transport_next tries again */
}

void transport_stop(struct transport *t)
{
    t->stopped = true;
    sockets_close(t);
}

bool transport_is_up(const struct transport *t)
{
    return t->up;
}

enum transport_trouble transport_trouble(const struct transport *t)
{
    return t->trouble;
}

const char *transport_endpoint(const struct transport *t)
{
    return t->endpoints[t->endpoint_now].text;
}
