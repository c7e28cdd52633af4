/* probe: glue; one DEALER at a time. libzmq does its handshake in a thread of its own, so that nothing
 * here waits. */
#include "broker/probe.h"

#include "broker/host/host.h"

#include <sodium.h>
#include <string.h>
#include <zmq.h>

#define TRY_MS 2000

static const uint8_t word[] = "probe";

enum status probe_init(struct probe *p, void *context, bool plain, const uint8_t server_key[32])
{
    *p = (struct probe){.context = context, .plain = plain};
    memcpy(p->server_key, server_key, sizeof p->server_key);
    if (zmq_curve_keypair(p->public_text, p->secret_text) != 0) return STATUS_IO;
    return zmq_z85_decode(p->key.bytes, p->public_text) ? STATUS_OK : STATUS_IO;
}

static bool number_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool text_set(void *socket, int option, const char *text)
{
    return zmq_setsockopt(socket, option, text, strlen(text)) == 0;
}

static bool curve_set(const struct probe *p, enum probe_kind kind)
{
    uint8_t server_key[32];
    memcpy(server_key, p->server_key, sizeof server_key);
    if (kind == PROBE_WRONG_SERVER) host_random(server_key, sizeof server_key);
    return zmq_setsockopt(p->socket, ZMQ_CURVE_SERVERKEY, server_key, sizeof server_key) == 0 &&
           zmq_setsockopt(p->socket, ZMQ_CURVE_PUBLICKEY, p->public_text, 41) == 0 &&
           zmq_setsockopt(p->socket, ZMQ_CURVE_SECRETKEY, p->secret_text, 41) == 0;
}

static bool mechanism_set(const struct probe *p, enum probe_kind kind)
{
    if (kind == PROBE_BARE) return true;
    if (!p->plain || kind == PROBE_WRONG_SERVER) return curve_set(p, kind);
    return text_set(p->socket, ZMQ_PLAIN_USERNAME, p->public_text) &&
           text_set(p->socket, ZMQ_PLAIN_PASSWORD, "-");
}

enum status probe_send(struct probe *p, enum probe_kind kind, const char *endpoint)
{
    probe_end(p);
    p->socket = zmq_socket(p->context, ZMQ_DEALER);
    if (p->socket && number_set(p->socket, ZMQ_LINGER, 0) && number_set(p->socket, ZMQ_IPV6, 1) &&
        number_set(p->socket, ZMQ_RECONNECT_IVL, -1) &&
        number_set(p->socket, ZMQ_CONNECT_TIMEOUT, TRY_MS) &&
        number_set(p->socket, ZMQ_HANDSHAKE_IVL, TRY_MS) && mechanism_set(p, kind) &&
        zmq_connect(p->socket, endpoint) == 0) {
        /* EAGAIN where it has been turned away already: then it is not heard, as it should be. */
        (void)zmq_send(p->socket, word, sizeof word - 1, ZMQ_DONTWAIT);
        return STATUS_OK;
    }
    probe_end(p);
    return STATUS_IO;
}

void probe_end(struct probe *p)
{
    if (p->socket) zmq_close(p->socket);
    p->socket = NULL;
}

void probe_fini(struct probe *p)
{
    probe_end(p);
    sodium_memzero(p->secret_text, sizeof p->secret_text);
}
