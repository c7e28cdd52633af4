/* link: a worker's sockets, shared by all roles: one ZeroMQ DEALER per broker, carrying slabs
 * (PROTOCOL, appendix A). Knows nothing of what is in a slab. One thread uses a link.
 *
 * What holds for a connection (libzmq 4.3.4 with ZMQ_IMMEDIATE=1; tests/unit/fanout_link_test.c
 * keeps it true): each DEALER reconnects by itself. When a connection breaks, what was queued for
 * that broker and not yet handed to the kernel is dropped, and so is what it had sent and we had
 * not received: no frame is ever replayed to the broker's next process. While there is no
 * connection nothing is queued: link_send says GONE. Slabs between one broker process and this
 * worker stay in order. So a READY is answered by the process that received it, and whoever sent
 * something learns its loss from the broker's next boot id. (ZMQ_IMMEDIATE=0 would replay
 * thousands of stale slabs: measured.) */
#ifndef SEALMQ_WORKERS_LINK_H
#define SEALMQ_WORKERS_LINK_H

#include "broker/inside.h"
#include "broker/wire/bytes.h"

#define LINK_BROKERS_MAX 16u
#define LINK_EXTRA_MAX   16u
/* Slabs received and not yet released. */
#define LINK_HELD_MAX 1024u
/* Slabs that may wait in each direction for each broker; beyond: FULL here, back-pressure there. */
#define LINK_QUEUE_MAX 4096
/* How long link_close keeps trying to hand over what is queued. */
#define LINK_LINGER_MS 1000

struct link;

/* A descriptor to wait for beside the brokers (signals, an eventfd, an epoll). */
struct link_wait {
    int fd;
    bool ready; /* out of link_poll */
};

/* link_open: one DEALER for each of 1..LINK_BROKERS_MAX endpoints, all connecting in the
 * background; a broker that is not there yet is no error. Index i of the other calls is
 * endpoints[i]. OK; CONFIG (no such endpoint, too many); IO. *out is NULL after a failure. End
 * with link_close. */
enum status link_open(struct link **out, const char *const *endpoints, size_t count) MUST_USE;

/* link_inside: the link of a worker in its one broker's own loop, without sockets (link_poll is not for it). Slabs come by
 * link_give, a copy of each: OK; FULL: LINK_HELD_MAX are here. They leave by the way that is set, which is borrowed until the
 * next is: up while there is one. */
struct link *link_inside(void);
enum status link_give(struct link *l, struct view slab) MUST_USE;
bool link_given(const struct link *l); /* a slab waits for link_receive */
void link_way_set(struct link *l, const struct inside_way *way);

/* link_close: releases what is held, hands over what is queued for at most LINK_LINGER_MS, frees.
 * NULL-safe; nulls. */
void link_close(struct link **l);

/* link_poll: waits until a slab can be received, a connection came or went, one of extra (at most
 * LINK_EXTRA_MAX, may be NULL) is readable, or timeout_ms passed (0 = look only, negative = for
 * ever). Sets extra[i].ready. OK, also at the timeout; IO. */
enum status link_poll(struct link *l, struct link_wait *extra, size_t extra_count,
                      long timeout_ms) MUST_USE;

/* link_receive: the next slab waiting, brokers in turn, without blocking. true: *slab borrows
 * memory that stays good until link_release. false: nothing waits, or LINK_HELD_MAX slabs are
 * held. A message of more than one frame is not a slab: dropped. */
bool link_receive(struct link *l, size_t *broker, struct view *slab);

/* link_mark: stands behind the last slab received. link_release: ends the views received before a mark. */
uint64_t link_mark(const struct link *l);
void link_release(struct link *l, uint64_t mark);

/* link_send: queues a copy of the slab for one broker; never blocks. OK; FULL (LINK_QUEUE_MAX
 * slabs wait: it is slow; later); GONE (no connection: nothing is queued, see above). Nothing is
 * sent unless OK. */
enum status link_send(struct link *l, size_t broker, struct view slab) MUST_USE;

/* link_up: whether there is a connection to this broker, as of the last link_poll; inside, whether a way is set. */
bool link_up(const struct link *l, size_t broker);
size_t link_count(const struct link *l);

#endif
