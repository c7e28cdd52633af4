/* storage: the core of the storage worker: every decision about state is made here. No socket, clock
 * or randomness: slabs and time go in, slabs come out, rows go to the store.
 *
 * One round, as the glue (workers/storage/worker.c) and the simulator drive it:
 *   storage_slab*       what the brokers sent; the bytes are borrowed until the turn that takes them is finished
 *   storage_begin       gather -> plan: what the turn must look up
 *   storage_apply       load -> apply
 *   storage_seal        the group is closed (storage_turn: the three in one)
 *   storage_commit      one synced write; may run in another thread
 *   storage_finish      only now replies, pushes and hints leave
 *
 * While storage_commit runs in another thread, storage_slab and storage_begin may be called, and
 * storage_apply where storage_needs_store is false; then storage_seal waits for storage_finish. Between
 * storage_begin and storage_apply nothing else may be called.
 */
#ifndef SEALMQ_STORAGE_STORAGE_H
#define SEALMQ_STORAGE_STORAGE_H

#include "broker/wire/event.h"
#include "broker/wire/now.h"
#include "broker/wire/receipt.h"
#include "broker/wire/stamp.h"
#include "broker/wire/token.h"
#include "storage/store.h"

#define STORAGE_BROKERS_MAX 16u

struct storage_config {
    uint16_t partition_first, partition_last;
    size_t broker_count;
    uint32_t mailbox_messages;
    uint64_t mailbox_bytes;
    uint64_t payload_keep_ms, ledger_keep_ms, events_keep_ms;
    uint32_t disk_min_percent;
    uint32_t credit;
    uint32_t ping_ms; /* told to clients */
    struct mark_key mark_key;
    const struct receipt_key *receipt_keys; /* borrowed for the core's life */
    size_t receipt_key_count;
    const struct stamp_key *stamp_key; /* borrowed too */
    bool token_wanted;   /* nobody comes in without a token that one of these keys has signed for this relay */
    struct product_keys product_keys;
    struct relay_id relay;
    uint64_t sweep_every_ms; /* expiry sweeps; 0 = 500 */
    uint64_t recovery_ms;    /* what opening the store has taken; told with its opening */
};

struct storage_seed { /* random bytes from the host */
    struct boot_id boot;
    struct store_id store; /* used when the store is new */
    uint64_t term;
    uint8_t table[16];
};

struct storage_out {
    void *context;
    /* A slab for a broker; borrowed during the call. */
    void (*slab)(void *context, size_t broker, struct view slab);
    void (*event)(void *context, const struct event *e);
};

struct storage;

/* storage_open: takes a store (stays the caller's, to close after storage_free), ends its previous
 * term and starts a new one, synced. OK; DAMAGED, IO. */
enum status storage_open(const struct storage_config *config, struct store *store,
                         const struct storage_out *out, const struct storage_seed *seed,
                         struct now now, struct storage **result) MUST_USE;
void storage_free(struct storage **s);

/* storage_slab: takes in what broker number `broker` sent. Malformed slabs are counted and dropped. */
void storage_slab(struct storage *s, struct now now, size_t broker, struct view slab);
/* storage_took_all: the last turn begun has taken every request that waited: what was borrowed before it
 * may go when it is finished. */
bool storage_took_all(const struct storage *s);
/* storage_queue_empty: no request borrows slab bytes any more. */
bool storage_queue_empty(const struct storage *s);
/* storage_full: no more slabs should be given before a turn. */
bool storage_full(const struct storage *s);
/* storage_has_requests: somebody waits for a turn. */
bool storage_has_requests(const struct storage *s);
/* storage_is_ripe: so much waits that a turn is worth while although a group is being written. */
bool storage_is_ripe(const struct storage *s);
/* storage_turn_was_ripe: the last turn begun had as much. storage_writes: the group that was sealed last has rows. */
bool storage_turn_was_ripe(const struct storage *s);
bool storage_writes(const struct storage *s);
/* storage_wants_turn: there is something to do now. */
bool storage_wants_turn(const struct storage *s, struct now now);

/* storage_turn, storage_apply: OK; a store error otherwise: answer nothing, exit (the supervisor restarts). */
enum status storage_turn(struct storage *s, struct now now) MUST_USE;
void storage_begin(struct storage *s, struct now now);
bool storage_needs_store(const struct storage *s);
enum status storage_apply(struct storage *s) MUST_USE;
void storage_seal(struct storage *s);
/* storage_commit: OK; IO: outcome unknown; LOCKED: the store is another's: answer nothing, exit. */
enum status storage_commit(struct storage *s) MUST_USE;
void storage_finish(struct storage *s, struct now now);

/* storage_broker_lost: a slab could not be handed to this broker: what it knew of us is in doubt; its
 * sessions end here and are collected again. */
void storage_broker_lost(struct storage *s, size_t broker);
/* storage_broker_reached: there is a new connection to this broker: the next tick says READY, whenever that
 * was said last. */
void storage_broker_reached(struct storage *s, size_t broker);

/* storage_tick: heartbeats, liveness, disk, timers; call at storage_deadline_ms (mono) or earlier. */
void storage_tick(struct storage *s, struct now now);
uint64_t storage_deadline_ms(const struct storage *s);

/* storage_drain: tell the brokers, take nothing new. storage_drained: all is answered. */
void storage_drain(struct storage *s, struct now now);
bool storage_drained(const struct storage *s);

/* storage_note_lag: how long the last group took, for operators (the core has no clock to measure). */
void storage_note_lag(struct storage *s, uint64_t microseconds);

struct term storage_term(const struct storage *s);

#endif
