/* bucket: tokens and time, and a set-associative table: a key may stand in BUCKET_WAYS places, so
 * that finding, adding and replacing each look at those and nothing else. No list to keep, nothing
 * to sweep, one size for ever. Invariants: neither missing nor waiting is ever above the burst; a
 * key stands in one place at most. */
#include "broker/bucket.h"

#include "broker/wire/status.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MILLI 1000u

_Static_assert(sizeof(struct bucket_seed) == crypto_shorthash_KEYBYTES, "SipHash's key");

/* ---- one bucket ---- */

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* What is left of so many thousandths once the time up to now_ms has paid for them. */
static uint64_t left_at(const struct bucket *b, const struct bucket_rate *rate, uint64_t milli,
                        uint64_t now_ms)
{
    uint64_t elapsed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    return elapsed > milli / rate->per_s ? 0 : milli - elapsed * rate->per_s;
}

static uint64_t cost_milli(const struct bucket_rate *rate, uint64_t cost)
{
    return (cost < rate->burst ? cost : rate->burst) * MILLI;
}

uint64_t bucket_wait_ms(struct bucket *b, const struct bucket_rate *rate, uint64_t cost,
                        uint64_t now_ms)
{
    b->missing = left_at(b, rate, b->missing, now_ms);
    b->waiting = left_at(b, rate, b->waiting, now_ms);
    if (now_ms > b->at_ms) b->at_ms = now_ms;
    uint64_t wanted = b->missing + cost_milli(rate, cost), all = rate->burst * MILLI;
    return wanted > all ? divide_up(wanted - all, rate->per_s) : 0;
}

uint64_t bucket_later_ms(struct bucket *b, const struct bucket_rate *rate, uint64_t cost)
{
    uint64_t milli = cost_milli(rate, cost), all = rate->burst * MILLI,
             wanted = b->missing + b->waiting + milli;
    ENSURE(b->missing + milli > all);
    b->waiting = b->waiting + milli < all ? b->waiting + milli : all;
    return divide_up(wanted - all, rate->per_s);
}

void bucket_take(struct bucket *b, const struct bucket_rate *rate, uint64_t cost)
{
    b->missing += cost_milli(rate, cost);
    ENSURE(b->missing <= rate->burst * MILLI);
}

/* ---- the table ---- */

void bucket_table_init(struct bucket_table *t, uint32_t count_max,
                       const struct bucket_rate rates[BUCKETS_EACH], const struct bucket_seed *seed)
{
    uint32_t sets = 1;
    ENSURE(count_max > 0 && count_max <= 1u << 24);
    while (sets * BUCKET_WAYS < count_max)
        sets *= 2;
    *t = (struct bucket_table){.set_mask = sets - 1, .seed = *seed};
    for (size_t i = 0; i < BUCKETS_EACH; i++) {
        ENSURE(rates[i].per_s > 0 && rates[i].per_s <= BUCKET_RATE_MAX);
        ENSURE(rates[i].burst > 0 && rates[i].burst <= BUCKET_BURST_MAX);
        t->rates[i] = rates[i];
    }
    t->entries = calloc((size_t)sets * BUCKET_WAYS, sizeof *t->entries);
    ENSURE(t->entries != NULL);
}

void bucket_table_fini(struct bucket_table *t)
{
    free(t->entries);
    *t = (struct bucket_table){0};
}

static struct bucket_entry *set_of(const struct bucket_table *t, const struct bucket_key *key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, key->bytes, sizeof key->bytes, t->seed.bytes);
    return &t->entries[(size_t)(get_u32(hash) & t->set_mask) * BUCKET_WAYS];
}

/* When all its buckets are full again; 0 = they are. */
static uint64_t full_in_ms(const struct bucket_table *t, const struct bucket_entry *e,
                           uint64_t now_ms)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < BUCKETS_EACH; i++) {
        uint64_t ms =
            divide_up(left_at(&e->buckets[i], &t->rates[i], e->buckets[i].missing, now_ms),
                      t->rates[i].per_s);
        if (ms > longest) longest = ms;
    }
    return longest;
}

static struct bucket_entry *soonest_full(struct bucket_table *t, struct bucket_entry *set,
                                         uint64_t now_ms)
{
    struct bucket_entry *found = NULL;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < BUCKET_WAYS; i++) {
        if (!set[i].used) return &set[i];
        uint64_t ms = full_in_ms(t, &set[i], now_ms);
        if (ms >= least) continue;
        least = ms;
        found = &set[i];
    }
    t->forgotten += least > 0;
    return found;
}

struct bucket_entry *bucket_entry_of(struct bucket_table *t, const struct bucket_key *key,
                                     uint64_t now_ms)
{
    struct bucket_entry *set = set_of(t, key);
    for (size_t i = 0; i < BUCKET_WAYS; i++)
        if (set[i].used && memcmp(&set[i].key, key, sizeof *key) == 0) return &set[i];
    struct bucket_entry *e = soonest_full(t, set, now_ms);
    t->count += !e->used;
    *e = (struct bucket_entry){.used = true, .key = *key};
    return e;
}
