/* bucket: token buckets, and a bounded table of them by key: how much somebody may still ask for.
 * Who pays for what is meter.c's. Whole numbers only; time is passed in. */
#ifndef SEALMQ_BROKER_BUCKET_H
#define SEALMQ_BROKER_BUCKET_H

#include "broker/wire/bytes.h"

#define BUCKET_RATE_MAX  (1ull << 40) /* tokens per second */
#define BUCKET_BURST_MAX (1ull << 50)
#define BUCKETS_EACH     4u /* that one key has */
#define BUCKET_WAYS      8u /* places where one key may stand */

/* So many tokens come back in a second, up to so many: 1..BUCKET_RATE_MAX, 1..BUCKET_BURST_MAX. */
struct bucket_rate {
    uint64_t per_s, burst;
};

/* All zero = full. In thousandths of a token: a rate per second gives whole ones in a millisecond. */
struct bucket {
    uint64_t missing; /* at at_ms */
    uint64_t waiting; /* of those who were told to come later, and are not due yet */
    uint64_t at_ms;
};

/* bucket_wait_ms: after how many milliseconds cost tokens will be there, if nobody takes any
 * meanwhile; 0 = now. What costs more than a full bucket waits until it is full. A clock that goes
 * back counts as standing still. */
uint64_t bucket_wait_ms(struct bucket *b, const struct bucket_rate *rate, uint64_t cost,
                        uint64_t now_ms);
/* bucket_later_ms: bucket_wait_ms has just said "not now": when to come instead. Whoever is refused
 * is told a time of his own, one after the other, up to a bucketful of them: all at one time would
 * be refused again but for one. Takes nothing. At least bucket_wait_ms, at most what twice a full
 * bucket takes to come. */
uint64_t bucket_later_ms(struct bucket *b, const struct bucket_rate *rate, uint64_t cost);
/* bucket_take: takes cost tokens, at most all: bucket_wait_ms has just said 0. */
void bucket_take(struct bucket *b, const struct bucket_rate *rate, uint64_t cost);

struct bucket_key { uint8_t bytes[16]; };
/* Unpredictable: else a peer finds keys that share their places. */
struct bucket_seed { uint8_t bytes[16]; };

struct bucket_entry {
    bool used;
    bool told;        /* told_ms is one */
    uint64_t told_ms; /* the caller's: when it last told of this key, */
    uint64_t untold;  /* and how much it has not told yet */
    struct bucket_key key;
    struct bucket buckets[BUCKETS_EACH];
};

struct bucket_table {
    struct bucket_entry *entries;
    uint32_t set_mask;
    uint64_t count;     /* entries in use */
    uint64_t forgotten; /* ever: replaced although they were not full again */
    struct bucket_rate rates[BUCKETS_EACH];
    struct bucket_seed seed;
};

/* bucket_table_init: room for at least count_max keys (1..2^24), rounded up to a power of two. */
void bucket_table_init(struct bucket_table *t, uint32_t count_max,
                       const struct bucket_rate rates[BUCKETS_EACH],
                       const struct bucket_seed *seed);
void bucket_table_fini(struct bucket_table *t);
/* bucket_entry_of: the key's entry, a full one where it has none: never NULL, good until the next
 * call. Where all the key's places are taken, one whose buckets are full again is replaced first:
 * nothing is lost with it. Where none is, the one goes that would be full soonest: it gets back
 * what it had spent, the little it was, so that strangers in masses can make the table forget who
 * asked least, and whoever is deepest in debt stays in it. */
struct bucket_entry *bucket_entry_of(struct bucket_table *t, const struct bucket_key *key,
                                     uint64_t now_ms);

#endif
