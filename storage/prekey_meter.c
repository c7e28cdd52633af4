/* prekey_meter: one number per pair: when its burst is whole again. A claim moves it on by the time of
 * one; it may not lie further ahead than the whole burst. A pair may stand in WAYS places, so that finding
 * and replacing it look at those and nothing else: one size for ever, nothing to sweep. Invariant: a pair
 * stands in one place at most. */
#include "storage/prekey_meter.h"

#include "broker/wire/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BURST_MS ((uint64_t)PREKEY_CLAIMS_BURST * PREKEY_CLAIM_EVERY_MS)
#define WAYS     PREKEY_METER_WAYS
#define TELL_MS  60000u

struct pair_key {
    struct account_id asker;
    struct device_id device;
};

_Static_assert(sizeof(struct pair_key) == sizeof(struct account_id) + sizeof(struct device_id),
               "compared and hashed as bytes");

struct pair {
    struct pair_key key;
    uint64_t whole_ms; /* 0 = a free place: whole since ever */
};

struct prekey_meter {
    struct pair *pairs;
    uint64_t set_mask;
    uint8_t seed[crypto_shorthash_KEYBYTES];
    uint64_t untold;  /* pairs that gave way before they were whole */
    uint64_t tell_ms; /* not before */
};

struct prekey_meter *prekey_meter_new(size_t pair_max, const uint8_t seed[16])
{
    size_t sets = 1;
    struct prekey_meter *m = calloc(1, sizeof *m);
    ENSURE(m && pair_max > 0 && pair_max <= 1u << 24);
    while (sets * WAYS < pair_max)
        sets *= 2;
    m->set_mask = sets - 1;
    memcpy(m->seed, seed, sizeof m->seed);
    m->pairs = calloc(sets * WAYS, sizeof *m->pairs);
    ENSURE(m->pairs);
    return m;
}

void prekey_meter_free(struct prekey_meter **m)
{
    if (!*m) return;
    free((*m)->pairs);
    free(*m);
    *m = NULL;
}

static struct pair *set_of(const struct prekey_meter *m, const struct pair_key *key)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, (const uint8_t *)key, sizeof *key, m->seed);
    return &m->pairs[(get_u64(hash) & m->set_mask) * WAYS];
}

/* The pair's place; where it has none, that of the one that is whole soonest. */
static struct pair *pair_of(struct prekey_meter *m, const struct pair_key *key, uint64_t now_ms)
{
    struct pair *set = set_of(m, key), *soonest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].whole_ms && memcmp(&set[i].key, key, sizeof *key) == 0) return &set[i];
        if (set[i].whole_ms < soonest->whole_ms) soonest = &set[i];
    }
    m->untold += soonest->whole_ms > now_ms;
    *soonest = (struct pair){.key = *key};
    return soonest;
}

enum status prekey_meter_take(struct prekey_meter *m, struct account_id asker,
                              struct device_id device, uint64_t now_ms, uint32_t *retry_after_ms)
{
    struct pair_key key = {asker, device};
    struct pair *p = pair_of(m, &key, now_ms);
    uint64_t from_ms = p->whole_ms > now_ms ? p->whole_ms : now_ms;
    uint64_t then_ms = from_ms + PREKEY_CLAIM_EVERY_MS;
    *retry_after_ms = 0;
    if (then_ms > now_ms + BURST_MS) {
        *retry_after_ms = (uint32_t)(then_ms - now_ms - BURST_MS);
        return STATUS_RATE_LIMITED;
    }
    p->whole_ms = then_ms;
    return STATUS_OK;
}

uint64_t prekey_meter_tell(struct prekey_meter *m, uint64_t now_ms)
{
    uint64_t count = m->untold;
    if (!count || now_ms < m->tell_ms) return 0;
    m->untold = 0;
    m->tell_ms = now_ms + TELL_MS;
    return count;
}
