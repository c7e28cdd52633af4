/* hub: many connections to the relay on one ROUTER socket, each with its device's own credentials: to
 * the relay every one is a client's connection of its own (the relay does not see which socket type is
 * on the other side), while the generator waits at one place and wakes up once for many of them.
 * Everything of ZeroMQ's stays in hub.c. */
#ifndef SEALMQ_LOAD_HUB_H
#define SEALMQ_LOAD_HUB_H

#include "broker/wire/ids.h"

struct hub;

struct hub_config {
    void *context; /* from hub_context_new */
    const char *endpoint;
    bool plain;          /* else CURVE */
    char server_key[41]; /* Z85; CURVE only */
};

/* hub_context_new: NULL when it cannot be made; _free waits until all sockets are closed. */
void *hub_context_new(void);
void hub_context_free(void **context);

/* hub_new: no connection yet; config is borrowed. NULL when it cannot be made. hub_free: NULL-safe, nulls;
 * closes all its connections at once. */
struct hub *hub_new(const struct hub_config *config);
void hub_free(struct hub **h);

/* hub_connect: a further connection, from now on called `peer` (any number, once per hub). OK; IO: the
 * endpoint is not one, or too many sockets are open. */
enum status hub_connect(struct hub *h, uint32_t peer, const struct transport_pk *pk,
                        const uint8_t sk[32]) MUST_USE;

/* hub_frame: room for one frame of exactly len bytes, to be filled before hub_send, which takes it;
 * only one at a time. */
uint8_t *hub_frame(struct hub *h, size_t len);
/* hub_send: OK; GONE: no such peer, or its queue is full; the frame is dropped. */
enum status hub_send(struct hub *h, uint32_t peer) MUST_USE;

/* hub_take: the next frame, good until the next hub_take; false: none waits. */
bool hub_take(struct hub *h, uint32_t *peer, struct view *frame) MUST_USE;
/* hub_fd: becomes readable when hub_take, having said false, may say true again. After a hub_send ask
 * hub_take first: sending may use up the signal. */
int hub_fd(struct hub *h);

/* Watching a hub's connections begins with the first call of one of these, before the first hub_connect, and must
 * go on, a few times a second, until hub_free.
 * hub_reach: how far any of them has come, for telling people what is wrong.
 * hub_lost: whether one has ended since this was last asked; it is made again, and what was on it is gone. */
enum hub_reach { HUB_NOWHERE, HUB_CONNECTED, HUB_ADMITTED };
enum hub_reach hub_reach(struct hub *h);
bool hub_lost(struct hub *h);

#endif
