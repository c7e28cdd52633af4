/* hub: glue; one ROUTER socket that connects, with ZMQ_CONNECT_ROUTING_ID naming each connection and
 * the mechanism's options set anew before each connect (libzmq copies them into the session). One
 * signal, one queue and one wake-up serve all connections, where a socket per device costs a poll, an
 * eventfd and a wake-up each. Not a client: it reconnects because libzmq does, and tells only that a
 * connection was lost. */
#include "bench/load/hub.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define PEER_LEN    5 /* not a zero byte first: those are libzmq's own */
#define PEER_MARK   0x01
#define QUEUE_MAX   4096
#define FREE_AT_END (64 * 1024 * 1024)

struct hub {
    const struct hub_config *config;
    void *socket, *monitor;
    enum hub_reach reach;
    bool lost;
    zmq_msg_t in, out;
};

void *hub_context_new(void)
{
    void *context = zmq_ctx_new();
    /* Frames come and go by the thousand: give nothing back to the kernel in between. */
    mallopt(M_MMAP_THRESHOLD, FREE_AT_END);
    mallopt(M_TRIM_THRESHOLD, FREE_AT_END);
    if (context && zmq_ctx_set(context, ZMQ_MAX_SOCKETS, 65535) == 0) return context;
    hub_context_free(&context);
    return NULL;
}

void hub_context_free(void **context)
{
    if (*context) zmq_ctx_term(*context);
    *context = NULL;
}

static bool number_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

/* What tells "nobody there" from "wrong key", and what a client is to notice. */
static void *monitor_new(struct hub *h)
{
    char name[64];
    snprintf(name, sizeof name, "inproc://hub-%p", (void *)h);
    int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(h->socket, name, events) != 0) return NULL;
    void *monitor = zmq_socket(h->config->context, ZMQ_PAIR);
    if (monitor && (!number_set(monitor, ZMQ_LINGER, 0) || zmq_connect(monitor, name) != 0)) {
        zmq_close(monitor);
        return NULL;
    }
    return monitor;
}

struct hub *hub_new(const struct hub_config *config)
{
    struct hub *h = calloc(1, sizeof *h);
    ENSURE(h != NULL);
    h->config = config;
    zmq_msg_init(&h->in);
    zmq_msg_init(&h->out);
    h->socket = zmq_socket(config->context, ZMQ_ROUTER);
    if (!h->socket || !number_set(h->socket, ZMQ_LINGER, 0) ||
        !number_set(h->socket, ZMQ_SNDHWM, QUEUE_MAX) ||
        !number_set(h->socket, ZMQ_RCVHWM, QUEUE_MAX) || !number_set(h->socket, ZMQ_IPV6, 1) ||
        !number_set(h->socket, ZMQ_RECONNECT_IVL, 100) ||
        !number_set(h->socket, ZMQ_ROUTER_MANDATORY, 1))
        hub_free(&h);
    return h;
}

static void monitor_end(struct hub *h)
{
    if (!h->monitor) return;
    zmq_socket_monitor(h->socket, NULL, 0);
    zmq_close(h->monitor);
    h->monitor = NULL;
}

void hub_free(struct hub **h)
{
    if (!*h) return;
    monitor_end(*h);
    if ((*h)->socket) zmq_close((*h)->socket);
    zmq_msg_close(&(*h)->in);
    zmq_msg_close(&(*h)->out);
    free(*h);
    *h = NULL;
}

static void peer_name(uint32_t peer, uint8_t out[PEER_LEN])
{
    out[0] = PEER_MARK;
    put_u32(out + 1, peer);
}

static bool mechanism_set(struct hub *h, const struct transport_pk *pk, const uint8_t sk[32])
{
    char public_text[41], secret_text[41];
    if (!zmq_z85_encode(public_text, pk->bytes, 32) || !zmq_z85_encode(secret_text, sk, 32))
        return false;
    if (h->config->plain)
        return zmq_setsockopt(h->socket, ZMQ_PLAIN_USERNAME, public_text, 40) == 0 &&
               zmq_setsockopt(h->socket, ZMQ_PLAIN_PASSWORD, "-", 1) == 0;
    return zmq_setsockopt(h->socket, ZMQ_CURVE_SERVERKEY, h->config->server_key, 41) == 0 &&
           zmq_setsockopt(h->socket, ZMQ_CURVE_PUBLICKEY, public_text, 41) == 0 &&
           zmq_setsockopt(h->socket, ZMQ_CURVE_SECRETKEY, secret_text, 41) == 0;
}

enum status hub_connect(struct hub *h, uint32_t peer, const struct transport_pk *pk,
                        const uint8_t sk[32])
{
    uint8_t name[PEER_LEN];
    peer_name(peer, name);
    if (!mechanism_set(h, pk, sk) ||
        zmq_setsockopt(h->socket, ZMQ_CONNECT_ROUTING_ID, name, sizeof name) != 0 ||
        zmq_connect(h->socket, h->config->endpoint) != 0)
        return STATUS_IO;
    return STATUS_OK;
}

uint8_t *hub_frame(struct hub *h, size_t len)
{
    zmq_msg_close(&h->out);
    ENSURE(zmq_msg_init_size(&h->out, len) == 0);
    return zmq_msg_data(&h->out);
}

enum status hub_send(struct hub *h, uint32_t peer)
{
    uint8_t name[PEER_LEN];
    peer_name(peer, name);
    if (zmq_send(h->socket, name, sizeof name, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return STATUS_GONE;
    return zmq_msg_send(&h->out, h->socket, ZMQ_DONTWAIT) < 0 ? STATUS_GONE : STATUS_OK;
}

bool hub_take(struct hub *h, uint32_t *peer, struct view *frame)
{
    while (zmq_msg_recv(&h->in, h->socket, ZMQ_DONTWAIT) >= 0) {
        uint8_t name[PEER_LEN] = {0};
        if (zmq_msg_size(&h->in) == PEER_LEN) memcpy(name, zmq_msg_data(&h->in), PEER_LEN);
        if (!zmq_msg_more(&h->in) || zmq_msg_recv(&h->in, h->socket, ZMQ_DONTWAIT) < 0) continue;
        bool single = !zmq_msg_more(&h->in);
        while (zmq_msg_more(&h->in) && zmq_msg_recv(&h->in, h->socket, ZMQ_DONTWAIT) >= 0)
            ;
        if (name[0] != PEER_MARK || !single) continue;
        *peer = get_u32(name + 1);
        *frame = view_of(zmq_msg_data(&h->in), zmq_msg_size(&h->in));
        return true;
    }
    return false;
}

int hub_fd(struct hub *h)
{
    int fd = -1;
    size_t len = sizeof fd;
    ENSURE(zmq_getsockopt(h->socket, ZMQ_FD, &fd, &len) == 0);
    return fd;
}

static void events_take(struct hub *h)
{
    uint8_t event[6];
    char address[256];
    if (!h->monitor) h->monitor = monitor_new(h);
    while (h->monitor && zmq_recv(h->monitor, event, sizeof event, ZMQ_DONTWAIT) >= 2) {
        uint16_t what;
        memcpy(&what, event, sizeof what);
        (void)zmq_recv(h->monitor, address, sizeof address, ZMQ_DONTWAIT);
        if (what == ZMQ_EVENT_CONNECTED && h->reach < HUB_CONNECTED) h->reach = HUB_CONNECTED;
        if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) h->reach = HUB_ADMITTED;
        if (what == ZMQ_EVENT_DISCONNECTED) h->lost = true;
    }
}

enum hub_reach hub_reach(struct hub *h)
{
    events_take(h);
    return h->reach;
}

bool hub_lost(struct hub *h)
{
    events_take(h);
    bool lost = h->lost;
    h->lost = false;
    return lost;
}
