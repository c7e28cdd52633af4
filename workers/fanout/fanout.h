/* fanout: the core of the fan-out worker (PROTOCOL, appendix A 1, 3, 7, 8). It leases coalesced
 * wake-ups from the stores, hands them to a poster one by one, and tells the stores what came of
 * each. No socket, clock or randomness: the caller brings slabs, answers and the time, and takes
 * slabs, posts and events. Nothing durable: what a dead worker held is leased again when its
 * leases end (30 s), so a wake-up may be posted twice and is never lost.
 *
 * Bounds: WAKES_MAX wake-ups held, of them at most as many posted at once as the caller takes; one
 * LEASE per store outstanding; FANOUT_SLAB_MAX bytes waiting for each broker (what would be more
 * waits). */
#ifndef SEALMQ_FANOUT_FANOUT_H
#define SEALMQ_FANOUT_FANOUT_H

#include "broker/wire/event.h"
#include "broker/wire/ids.h"
#include "broker/wire/now.h"

#define FANOUT_BROKERS_MAX  16u
#define FANOUT_BEAT_MS      250u  /* heartbeat; also the grain of all timers here */
#define FANOUT_READY_MS     1000u /* READY again until PEER */
#define FANOUT_SILENCE_MS   2000u /* a broker silent for so long is lost */
#define FANOUT_POLL_MS      2000u /* a store is asked at least this often: a retry's grain */
#define FANOUT_LEASE_MS     30000u
#define FANOUT_ANSWER_MS    3000u   /* a LEASE or WOKEN unanswered for so long is repeated */
#define FANOUT_RETRY_MAX_MS 600000u /* the back-off's cap */
#define FANOUT_DRAIN_MS     8000u   /* after fanout_leave: longer than one post */
#define FANOUT_SLAB_MAX     (256u * 1024u)

struct fanout_config {
    struct boot_id boot;      /* random, new in each process */
    size_t broker_count;      /* 1..FANOUT_BROKERS_MAX */
    bool webhook;             /* false: a wake-up becomes a WAKE_SKIPPED event and counts as sent */
    uint32_t wake_retry_ms;   /* first back-off; doubles with each failure */
    uint32_t wake_attempts;   /* posts of one wake-up, all in all; > 0 */
    struct mark_key mark_key; /* for the ids in events */
};

/* One wake-up to post. Valid until answered by its token. */
struct fanout_post {
    uint64_t token;
    struct device_id device;
    struct account_id account;
};

struct fanout;

/* fanout_new: owned by the caller, end with fanout_free (NULL-safe, nulls). */
struct fanout *fanout_new(const struct fanout_config *config, struct now now);
void fanout_free(struct fanout **f);

/* fanout_receive: one slab from a broker; borrows it for the call. Whatever is wrong with it is
 * dropped and recorded. */
void fanout_receive(struct fanout *f, struct now now, size_t broker, struct view slab);

/* fanout_post_next: the next wake-up that should be posted now. Call while the poster has room;
 * each one must be answered by fanout_posted, once. false = none waits. */
bool fanout_post_next(struct fanout *f, struct fanout_post *out);

/* fanout_posted: what came of a post: the HTTP status, 0 when there was no answer. 2xx is sent, 410
 * gives the wake-up up, everything else is tried again later by whoever leases it then. */
void fanout_posted(struct fanout *f, struct now now, uint64_t token, unsigned http_status,
                   uint64_t latency_ms);

/* fanout_step: lets time pass and writes what is due; call after all inputs of a turn, and no later
 * than fanout_deadline_ms (mono). */
void fanout_step(struct fanout *f, struct now now);
uint64_t fanout_deadline_ms(const struct fanout *f);

/* fanout_outgoing: the slab that waits for a broker; false = none. Try to send it, then say how it
 * went with fanout_sent: OK; FULL keeps it for later; GONE drops it and the broker counts as lost.
 */
bool fanout_outgoing(struct fanout *f, size_t broker, struct view *slab);
void fanout_sent(struct fanout *f, struct now now, size_t broker, enum status s);

/* fanout_event: the next event for the journal; false = none. */
bool fanout_event(struct fanout *f, struct event *out);

/* fanout_leave: LEAVING to the brokers, no more leases, what is held is finished. fanout_left: all
 * done and sent, or FANOUT_DRAIN_MS passed: the process may end. */
void fanout_leave(struct fanout *f, struct now now);
bool fanout_left(const struct fanout *f, struct now now);

#endif
