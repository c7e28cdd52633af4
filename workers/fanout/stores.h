/* stores: whom the fan-out worker asks for wake-ups: every store of the broker's map, and the one
 * LEASE that may be out to each. A bounded table; no clock, no frames. */
#ifndef SEALMQ_FANOUT_STORES_H
#define SEALMQ_FANOUT_STORES_H

#include "broker/wire/messages.h"

struct store {
    struct store_id id;
    struct term term;
    uint16_t home, last;  /* its first range; home stands for the store in headers */
    uint64_t due_ms;      /* the next LEASE */
    bool waiting;         /* it said so since the last LEASE */
    uint64_t correlation; /* of the LEASE that is out; 0 = none */
    uint64_t asked_ms;
    uint32_t asked; /* places in the table of wakes kept for its answer */
};

struct stores {
    struct store table[MAP_RANGES_MAX];
    size_t count;
};

/* stores_follow: makes the table name the stores of the map and no others. A new store or a new
 * term is due at once; the rest keeps its place in time. Ranges that cannot be are skipped. */
void stores_follow(struct stores *t, const struct msg_map *map, uint64_t now_ms);
/* stores_waiting: the store of this partition has wake-ups: due at once. */
void stores_waiting(struct stores *t, uint16_t partition, uint64_t now_ms);
/* stores_due: the one that has been due longest and has no LEASE out; NULL = none. */
struct store *stores_due(struct stores *t, uint64_t now_ms);
/* stores_asked: the one whose LEASE this was; NULL = none. */
struct store *stores_asked(struct stores *t, uint64_t correlation);
/* store_answered: its LEASE is no longer out; the next one is due at due_ms, or at once if
 * wake-ups were announced meanwhile. */
void store_answered(struct store *s, uint64_t now_ms, uint64_t due_ms);
/* stores_age: LEASEs out for answer_ms count as lost. stores_age with 0 forgets all. */
void stores_age(struct stores *t, uint64_t now_ms, uint64_t answer_ms);
/* stores_reserved: places kept for answers on the way. */
size_t stores_reserved(const struct stores *t);
/* stores_record_home: where this worker's events go: the store of the lowest partitions, which is
 * the one that sealmqctl reads. */
uint16_t stores_record_home(const struct stores *t);

#endif
