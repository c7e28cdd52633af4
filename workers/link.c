/* link: see link.h. The only file of the workers that includes zmq.h; a zmq_msg_t never leaves it.
 * It is no protocol: it moves slabs and says which broker they came from.
 *
 * Invariants: the held messages' views are valid; a peer's `up` follows
 * its monitor (one HANDSHAKE_SUCCEEDED, one DISCONNECTED per connection), read in link_poll only,
 * so that it does not change within a turn. Each peer's HWM and the held table bound the memory. */
#include "workers/link.h"
#include "broker/wire/slab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define RECONNECT_MS     50
#define RECONNECT_MAX_MS 500

struct peer {
    void *socket;  /* DEALER; NULL: the broker whose loop we are in */
    void *monitor; /* PAIR: connections made and lost */
    bool up;
};

struct link {
    void *context;
    struct peer peers[LINK_BROKERS_MAX];
    size_t peer_count;
    size_t next; /* whose turn it is in link_receive */
    zmq_msg_t messages[LINK_HELD_MAX]; /* a ring: the oldest held one at first */
    size_t first, held, given; /* behind the held ones those that link_give has brought */
    const struct inside_way *way; /* to the broker whose loop we are in */
    uint64_t released; /* ever */
};

static bool option_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool options_set(void *socket)
{
    int64_t max = (int64_t)SLAB_LEN_MAX;
    return option_set(socket, ZMQ_IMMEDIATE, 1) && option_set(socket, ZMQ_SNDHWM, LINK_QUEUE_MAX) &&
           option_set(socket, ZMQ_RCVHWM, LINK_QUEUE_MAX) &&
           option_set(socket, ZMQ_LINGER, LINK_LINGER_MS) &&
           option_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS) &&
           option_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) == 0;
}

static enum status monitor_open(struct link *l, struct peer *p)
{
    char name[64];
    snprintf(name, sizeof name, "inproc://link-monitor-%p", (void *)p);
    p->monitor = zmq_socket(l->context, ZMQ_PAIR);
    if (!p->monitor || !option_set(p->monitor, ZMQ_LINGER, 0)) return STATUS_IO;
    if (zmq_socket_monitor(p->socket, name,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) ||
        zmq_connect(p->monitor, name))
        return STATUS_IO;
    return STATUS_OK;
}

static enum status peer_open(struct link *l, struct peer *p, const char *endpoint)
{
    p->socket = zmq_socket(l->context, ZMQ_DEALER);
    if (!p->socket || !options_set(p->socket)) return STATUS_IO;
    enum status s = monitor_open(l, p);
    if (s != STATUS_OK) return s;
    return zmq_connect(p->socket, endpoint) == 0 ? STATUS_OK : STATUS_CONFIG;
}

static void peer_close(struct peer *p)
{
    if (p->monitor) {
        zmq_socket_monitor(p->socket, NULL, 0);
        zmq_close(p->monitor);
    }
    if (p->socket) zmq_close(p->socket);
    *p = (struct peer){0};
}

enum status link_open(struct link **out, const char *const *endpoints, size_t count)
{
    *out = NULL;
    if (count < 1 || count > LINK_BROKERS_MAX) return STATUS_CONFIG;
    struct link *l = calloc(1, sizeof *l);
    ENSURE(l != NULL);
    enum status s = STATUS_IO;
    l->context = zmq_ctx_new();
    if (!l->context) goto out;
    for (size_t i = 0; i < count; i++) {
        l->peer_count = i + 1;
        s = peer_open(l, &l->peers[i], endpoints[i]);
        if (s != STATUS_OK) goto out;
    }
    *out = l;
    return STATUS_OK;
out:
    link_close(&l);
    return s;
}

void link_close(struct link **l)
{
    if (!*l) return;
    (*l)->held += (*l)->given;
    link_release(*l, link_mark(*l));
    for (size_t i = 0; i < (*l)->peer_count; i++)
        peer_close(&(*l)->peers[i]);
    if ((*l)->context) zmq_ctx_term((*l)->context);
    free(*l);
    *l = NULL;
}

/* One monitor message: a frame {u16 event, u32 value} in host order, then the address. */
static bool monitor_take(struct peer *p)
{
    uint16_t event = 0;
    zmq_msg_t part;
    zmq_msg_init(&part);
    bool got = zmq_msg_recv(&part, p->monitor, ZMQ_DONTWAIT) >= 0;
    if (got && zmq_msg_size(&part) >= sizeof event)
        memcpy(&event, zmq_msg_data(&part), sizeof event);
    while (got && zmq_msg_more(&part))
        if (zmq_msg_recv(&part, p->monitor, ZMQ_DONTWAIT) < 0) break;
    zmq_msg_close(&part);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) p->up = true;
    if (event == ZMQ_EVENT_DISCONNECTED) p->up = false;
    return got;
}

/* Reading the socket's events makes it take the new connection's pipe in, so that a send in this
 * turn finds it. */
static void connection_follow(struct peer *p)
{
    int events = 0;
    size_t len = sizeof events;
    while (monitor_take(p))
        zmq_getsockopt(p->socket, ZMQ_EVENTS, &events, &len);
}

enum status link_poll(struct link *l, struct link_wait *extra, size_t extra_count, long timeout_ms)
{
    zmq_pollitem_t items[2 * LINK_BROKERS_MAX + LINK_EXTRA_MAX] = {0};
    size_t count = 0;
    ENSURE(l->context && extra_count <= LINK_EXTRA_MAX);
    for (size_t i = 0; i < l->peer_count; i++) {
        items[count++] = (zmq_pollitem_t){.socket = l->peers[i].socket, .events = ZMQ_POLLIN};
        items[count++] = (zmq_pollitem_t){.socket = l->peers[i].monitor, .events = ZMQ_POLLIN};
    }
    size_t first_extra = count;
    for (size_t i = 0; i < extra_count; i++) {
        extra[i].ready = false;
        items[count++] = (zmq_pollitem_t){.fd = extra[i].fd, .events = ZMQ_POLLIN};
    }
    int got = zmq_poll(items, (int)count, timeout_ms < 0 ? -1 : timeout_ms);
    if (got < 0) return zmq_errno() == EINTR ? STATUS_OK : STATUS_IO;
    for (size_t i = 0; i < extra_count; i++)
        extra[i].ready = items[first_extra + i].revents != 0;
    for (size_t i = 0; i < l->peer_count; i++)
        connection_follow(&l->peers[i]);
    return STATUS_OK;
}

/* Reads one message into *m; a multi-part one is read to its end and reported as none. */
static bool message_take(void *socket, zmq_msg_t *m)
{
    for (;;) {
        if (zmq_msg_recv(m, socket, ZMQ_DONTWAIT) < 0) return false;
        if (!zmq_msg_more(m)) return true;
        while (zmq_msg_more(m))
            if (zmq_msg_recv(m, socket, ZMQ_DONTWAIT) < 0) return false;
    }
}

static zmq_msg_t *message_at(struct link *l, size_t place)
{
    return &l->messages[(l->first + place) % LINK_HELD_MAX];
}

/* From one of the sockets, behind what is held. */
static bool sockets_take(struct link *l, size_t *broker)
{
    zmq_msg_t *m = message_at(l, l->held);
    zmq_msg_init(m);
    for (size_t tried = 0; tried < l->peer_count; tried++) {
        size_t i = l->next;
        l->next = (l->next + 1) % l->peer_count;
        if (!message_take(l->peers[i].socket, m)) continue;
        *broker = i;
        return true;
    }
    zmq_msg_close(m);
    return false;
}

bool link_receive(struct link *l, size_t *broker, struct view *slab)
{
    *broker = 0;
    *slab = (struct view){0};
    if (l->held == LINK_HELD_MAX) return false;
    if (l->given)
        l->given--;
    else if (!l->context || !sockets_take(l, broker))
        return false;
    zmq_msg_t *m = message_at(l, l->held++);
    *slab = view_of(zmq_msg_data(m), zmq_msg_size(m));
    return true;
}

struct link *link_inside(void)
{
    struct link *l = calloc(1, sizeof *l);
    ENSURE(l != NULL);
    l->peer_count = 1;
    return l;
}

enum status link_give(struct link *l, struct view slab)
{
    zmq_msg_t *m = message_at(l, l->held + l->given);
    ENSURE(!l->context);
    if (l->held + l->given == LINK_HELD_MAX) return STATUS_FULL;
    ENSURE(zmq_msg_init_size(m, slab.len) == 0);
    memcpy(zmq_msg_data(m), slab.at, slab.len);
    l->given++;
    return STATUS_OK;
}

bool link_given(const struct link *l)
{
    return l->given > 0;
}

void link_way_set(struct link *l, const struct inside_way *way)
{
    l->way = way;
    l->peers[0].up = way != NULL;
}

uint64_t link_mark(const struct link *l)
{
    return l->released + l->held;
}

void link_release(struct link *l, uint64_t mark)
{
    ENSURE(mark <= link_mark(l));
    for (; l->released < mark; l->released++, l->held--) {
        zmq_msg_close(&l->messages[l->first]);
        l->first = (l->first + 1) % LINK_HELD_MAX;
    }
}

enum status link_send(struct link *l, size_t broker, struct view slab)
{
    ENSURE(broker < l->peer_count && slab.len <= SLAB_LEN_MAX);
    struct peer *p = &l->peers[broker];
    if (!p->up) return STATUS_GONE;
    if (l->way) {
        l->way->slab(l->way->context, slab);
        return STATUS_OK;
    }
    if (zmq_send(p->socket, slab.at, slab.len, ZMQ_DONTWAIT) >= 0) return STATUS_OK;
    return zmq_errno() == EAGAIN ? STATUS_FULL : STATUS_GONE;
}

bool link_up(const struct link *l, size_t broker)
{
    ENSURE(broker < l->peer_count);
    return l->peers[broker].up;
}

size_t link_count(const struct link *l)
{
    return l->peer_count;
}
