/* broker: the hub's core. It knows connections, workers and pending requests and moves frames
 * between them; it reads headers and session messages, never what clients send each other.
 * Sans-I/O: no socket, clock, randomness or log inside; everything leaves through struct
 * broker_out.
 *
 *     struct broker *b = broker_new(&config, now);
 *     per turn: broker_client_frame, broker_worker_slab, broker_admin_frame; then broker_flush;
 *     whenever broker_deadline_ms has come: broker_tick, then broker_flush.
 *
 * Not thread-safe: one loop owns it. Frames and slabs given in are borrowed for the call only. The
 * callbacks of broker_out are called from inside these functions and must not call back into
 * them. */
#ifndef SEALMQ_BROKER_BROKER_H
#define SEALMQ_BROKER_BROKER_H

#include "broker/address.h"
#include "broker/meter.h"
#include "broker/wire/event.h"
#include "broker/wire/frame.h"
#include "broker/wire/ids.h"
#include "broker/wire/now.h"
#include "broker/wire/states.h"

struct broker;

/* What the edge counted of connections since start (half_open and stuck: at this moment). */
struct edge_counts {
    uint64_t accepted, failed, half_open, stuck;
    uint64_t cut[CUT_REASONS];
};

/* Where the core's bytes go. The views are borrowed for the call. Each returns at once:
 * OK = taken; GONE = there is no such peer any more; BUSY = its queue is full, nothing was
 * taken. */
struct broker_out {
    void *context;
    enum status (*to_client)(void *context, uint32_t routing, struct view frame);
    enum status (*to_worker)(void *context, uint64_t peer, struct view slab);
    enum status (*to_admin)(void *context, uint32_t caller, struct view frame);
    void (*event)(void *context, const struct event *e);
    /* cut: ends the connection that speaks under this routing id, if there is still one; the core has forgotten
     * it. edge: fills in what OVERVIEW says of the edge. Both may be NULL: then there is no edge. */
    void (*cut)(void *context, uint32_t routing);
    void (*edge)(void *context, struct edge_counts *out);
};

struct broker_config {
    struct boot_id boot;      /* random, another one at each start */
    uint32_t connections_max; /* 1..CONNECTIONS_MAX */
    uint32_t ping_ms;         /* a client is silent for at most three times this */
    uint32_t drain_ms;        /* how long broker_drain lets pending requests finish */
    struct mark_key marks;    /* for events that name a device */
    struct meter_rates rates;
    struct broker_out out;
};

/* broker_new: never NULL (out of memory ends the process). broker_free: NULL-safe, nulls; tells
 * nobody. */
struct broker *broker_new(const struct broker_config *config, struct now now);
void broker_free(struct broker **b);

/* broker_client_frame: one frame from the edge, from this address. routing is the number in
 * libzmq's own routing id; a client may choose it, so it may come back for another connection. key
 * is the CURVE key that this very frame came under: another one than the entry's means that the
 * old connection has vanished (its session is CLOSED), and the frame is the first of a new one. */
void broker_client_frame(struct broker *b, struct now now, uint32_t routing,
                         const struct transport_pk *key, const struct peer_address *from,
                         struct view frame);
/* broker_client_gone: the connection that spoke under this routing id has ended: so has its session. No
 * entry = nothing happens. */
void broker_client_gone(struct broker *b, struct now now, uint32_t routing);
/* broker_tell: an event of the glue's, told as the core's own are. at_ms is filled in. */
void broker_tell(struct broker *b, struct now now, const struct event *e);
/* broker_worker_slab: one message from a worker; peer is its routing number on the backend, or PEER_INSIDE. */
void broker_worker_slab(struct broker *b, struct now now, uint64_t peer, struct view slab);
/* broker_admin_frame: one frame from the admin socket. */
void broker_admin_frame(struct broker *b, struct now now, uint32_t caller, struct view frame);

/* broker_flush: end of a loop turn: every worker with something waiting gets one slab. A worker
 * whose queue is full keeps its slab for the next flush. */
void broker_flush(struct broker *b, struct now now);
/* broker_was_away: for so long nobody was heard for want of time here: nobody was silent for it. */
void broker_was_away(struct broker *b, struct now now, uint64_t ms);
/* broker_tick: heartbeats, silence, time-outs. broker_deadline_ms: the mono_ms by which it wants
 * to be called next; calling it earlier or later does no harm. */
void broker_tick(struct broker *b, struct now now);
uint64_t broker_deadline_ms(const struct broker *b);

/* broker_drain: DRAIN to every connection; from now on requests are answered `draining`, pending
 * ones finish. Idempotent. broker_drained: nothing is pending any more, or the deadline has
 * passed. */
void broker_drain(struct broker *b, struct now now);
bool broker_drained(const struct broker *b, struct now now);

#endif
