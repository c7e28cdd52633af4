/* ledger: what became of every message: the judge of "lost" and "duplicated". Numbers count from 0;
 * each has two bits for the whole run (accepted, delivered), and its time while it is recent. */
#ifndef SEALMQ_LOAD_LEDGER_H
#define SEALMQ_LOAD_LEDGER_H

#include "broker/wire/bytes.h"

#define LEDGER_NUMBERS_MAX (1ull << 32)

struct ledger_time;

/* Counters may be read; the rest is private. */
struct ledger {
    uint64_t issued;    /* numbers given out */
    uint64_t accepted;  /* told SENT ok, once each */
    uint64_t delivered; /* whole and for the first time */
    uint64_t done;      /* needs nothing more: accepted and delivered, or accepted for a device that is
                         * away, or refused */
    uint64_t away;      /* of these: accepted for a device that was away */
    uint64_t refused;
    uint64_t duplicated;  /* delivered once more, and not marked as an offer made again */
    uint64_t redelivered; /* offered again, as after a reconnect; the client drops these */
    uint64_t corrupted;
    uint64_t *accepted_bits, *delivered_bits;
    size_t word_count;
    struct ledger_time *times;
    size_t time_mask;
};

/* ledger_init: the times of the last `recent` numbers are kept, rounded up to a power of two. */
void ledger_init(struct ledger *l, size_t recent);
void ledger_fini(struct ledger *l);

/* ledger_issue: the next number, with the time from which its latency counts. At most
 * LEDGER_NUMBERS_MAX are given out (ENSUREd). */
uint64_t ledger_issue(struct ledger *l, uint64_t at_us);
/* ledger_time_us: false where the number is no longer recent. */
bool ledger_time_us(const struct ledger *l, uint64_t number, uint64_t *at_us) MUST_USE;

/* ledger_accept: SENT ok came; away: no delivery is expected for now. False: it was accepted before, or
 * the number was never issued. */
bool ledger_accept(struct ledger *l, uint64_t number, bool away) MUST_USE;
/* ledger_refuse: it will be neither accepted nor delivered; a delivery after all is a duplicate. */
void ledger_refuse(struct ledger *l, uint64_t number);
/* ledger_deliver: a whole body came. True = for the first time; else it is counted as redelivered (again)
 * or duplicated; a number that was never issued is corrupted. away: as at its acceptance. */
bool ledger_deliver(struct ledger *l, uint64_t number, bool away, bool again) MUST_USE;
/* ledger_corrupt: a body came that is not what was sent. */
void ledger_corrupt(struct ledger *l);

/* ledger_open: issued and not done. ledger_waiting: accepted and not delivered. */
uint64_t ledger_open(const struct ledger *l);
uint64_t ledger_waiting(const struct ledger *l);

#endif
