/* route: which workers there are, which store owns which partition, and who may be asked right now.
 * Also the two memories that outlive a worker: each store's highest term, and its witness, the
 * highest (term, commit) that anybody may have been told of. Decides; sends nothing (worker.c
 * does). */
#ifndef SEALMQ_BROKER_ROUTE_H
#define SEALMQ_BROKER_ROUTE_H

#include "broker/pending.h"
#include "broker/wire/messages.h"
#include "broker/wire/now.h"

#define WORKERS_MAX 64u
#define STORES_MAX  64u

#define WORKER_STALE_MS 1000u /* not heard for this long: nothing is forwarded (PROTOCOL A.3) */
#define WORKER_LOST_MS  2000u

enum worker_state {
    WORKER_FREE,    /* no worker in this slot */
    WORKER_LIVE,    /* answers requests */
    WORKER_LEAVING, /* finishes what is pending */
    WORKER_FENCED,  /* another process has its store at a higher term; ignored */
    WORKER_STATES
};

enum worker_event {
    WORKER_READIES,   /* READY was accepted */
    WORKER_LEAVES,    /* LEAVING came */
    WORKER_OUTRANKED, /* a higher term took its store */
    WORKER_VANISHES,  /* silent, or unreachable */
    WORKER_EVENTS
};

struct store_owner;

struct worker {
    enum worker_state state;
    uint32_t generation;
    uint64_t peer; /* its routing number on the backend, or PEER_INSIDE */
    enum slab_role role;
    struct boot_id boot;
    uint64_t heard_ms;
    uint32_t credit;
    bool stale_told; /* one STALE_TERM_REFUSED per fencing */
    struct store_owner *store; /* storage only */
    struct store_id store_id;  /* of that store, also once it is fenced */
    struct term term;
    struct msg_worker_row row;     /* what its last heartbeat said */
    struct pending_list assigned;  /* requests it owes an answer */
    struct pending_list asked;     /* its own requests to other workers */
    struct buffer slab;            /* frames waiting for the next flush */
};

struct witness {
    struct term term;
    uint64_t commit;
};

struct store_owner {
    bool used;
    struct store_id id;
    struct term term;       /* the highest known */
    struct worker *worker;  /* NULL: none now */
    struct witness witness; /* the highest (term, commit) seen */
    struct witness before;  /* as it was when this term began: no owner may be below it */
    uint64_t relay_ms;      /* its clock, as it said last */
    uint64_t relay_at_ms;   /* mono: when; 0 = never */
};

struct route {
    struct worker workers[WORKERS_MAX];
    struct store_owner stores[STORES_MAX];
    uint8_t owner[PARTITION_COUNT]; /* store + 1; 0 = none */
    struct msg_range ranges[MAP_RANGES_MAX];
    struct msg_map map;
};

void route_init(struct route *r, uint64_t map_version);
void route_fini(struct route *r);

/* route_by_peer, route_by_handle: NULL when there is none. */
struct worker *route_by_peer(struct route *r, uint64_t peer);
struct worker *route_by_handle(struct route *r, uint64_t handle);
uint64_t route_handle(const struct route *r, const struct worker *w);

/* route_ready: a READY came from `peer`. OK with *out the worker, live now (also when it repeats
 * itself), and *displaced the one that lost its place to it, or NULL: fenced (another process
 * had the store) or to be dropped (the same process on an older connection); the caller answers
 * for its pending requests, then calls route_drop unless it is fenced.
 * REFUSED: an older term of the store, or its partitions belong to another store that is alive.
 * MALFORMED: impossible content. FULL. After an error nothing has changed. */
enum status route_ready(struct route *r, struct now now, uint64_t peer,
                        const struct msg_ready *ready, struct worker **out,
                        struct worker **displaced) MUST_USE;
/* route_heard: a slab with this header came from w. OK: w is alive, the witness raised. REFUSED: it
 * speaks for an older term or is fenced, or its header is not the one it announced. */
enum status route_heard(struct worker *w, struct now now,
                        const struct slab_header *header) MUST_USE;
void route_leaving(struct worker *w);
/* route_drop: forgets the worker; its store keeps its term and its partitions. The worker's pending
 * lists must be empty. */
void route_drop(struct worker *w);

/* route_owner: the worker that may be asked for this home now: live and heard within a second; else
 * NULL. route_notified: the one that has to learn of sessions there: any that holds the store. */
struct worker *route_owner(struct route *r, uint16_t home, struct now now);
struct worker *route_notified(struct route *r, uint16_t home);
/* route_relay_ms: the clock by which stores judge message ids; our wall clock before any has spoken. */
uint64_t route_relay_ms(const struct route *r, struct now now);
/* route_any_store: some live storage worker, NULL when there is none. */
struct worker *route_any_store(struct route *r, struct now now);
bool route_owns(const struct route *r, const struct worker *w, uint16_t home);

#endif
