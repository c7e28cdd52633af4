/* recovery_meter: per account when its burst is whole again, as in prekey_meter, and how many tries there were. An
 * account may stand in WAYS places; where all are taken, the one that is whole soonest gives way. Invariant: an account
 * stands in one place at most. */
#include "storage/recovery_meter.h"

#include "broker/wire/bytes.h"
#include "broker/wire/limits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS     8u
#define BURST_MS ((uint64_t)RECOVERY_TRIES_BURST * RECOVERY_TRY_EVERY_MS)

struct tried {
    struct account_id account;
    uint64_t whole_ms; /* 0 = a free place */
    uint64_t tries;
};

struct recovery_meter {
    struct tried *places;
    uint64_t set_mask;
    uint8_t seed[crypto_shorthash_KEYBYTES];
};

struct recovery_meter *recovery_meter_new(size_t account_max, const uint8_t seed[16])
{
    size_t sets = 1;
    struct recovery_meter *m = calloc(1, sizeof *m);
    ENSURE(m && account_max > 0 && account_max <= 1u << 20);
    while (sets * WAYS < account_max)
        sets *= 2;
    m->set_mask = sets - 1;
    memcpy(m->seed, seed, sizeof m->seed);
    m->places = calloc(sets * WAYS, sizeof *m->places);
    ENSURE(m->places);
    return m;
}

void recovery_meter_free(struct recovery_meter **m)
{
    if (!*m) return;
    free((*m)->places);
    free(*m);
    *m = NULL;
}

/* *here: it is the account's place; else the one that it would take. */
static struct tried *place_of(struct recovery_meter *m, struct account_id account, bool *here)
{
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, account.bytes, sizeof account.bytes, m->seed);
    struct tried *set = &m->places[(get_u64(hash) & m->set_mask) * WAYS], *soonest = set;
    *here = true;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].whole_ms && memcmp(&set[i].account, &account, sizeof account) == 0) return &set[i];
        if (set[i].whole_ms < soonest->whole_ms) soonest = &set[i];
    }
    *here = false;
    return soonest;
}

enum status recovery_meter_wrong(struct recovery_meter *m, struct account_id account, uint64_t now_ms,
                                 uint32_t *retry_after_ms, uint64_t *tries)
{
    bool here;
    struct tried *t = place_of(m, account, &here);
    if (!here) *t = (struct tried){.account = account};
    uint64_t from_ms = t->whole_ms > now_ms ? t->whole_ms : now_ms;
    uint64_t then_ms = from_ms + RECOVERY_TRY_EVERY_MS;
    bool limited = then_ms > now_ms + BURST_MS;
    *tries = ++t->tries;
    *retry_after_ms = limited ? (uint32_t)(then_ms - now_ms - BURST_MS) : 0;
    if (!limited) t->whole_ms = then_ms;
    return limited ? STATUS_RATE_LIMITED : STATUS_REFUSED;
}

void recovery_meter_right(struct recovery_meter *m, struct account_id account)
{
    bool here;
    struct tried *t = place_of(m, account, &here);
    if (here) *t = (struct tried){.whole_ms = 0};
}
