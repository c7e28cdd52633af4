/* prekey_meter: one number per pair: when its burst is whole again. A claim moves it on by the time of
 * one; it may not lie further ahead than the whole burst. A pair whose burst is whole says nothing any
 * more and makes room. */
#include "storage/prekey_meter.h"

#include "broker/wire/limits.h"
#include "storage/table.h"

#include <stdlib.h>
#include <string.h>

#define BURST_MS     ((uint64_t)PREKEY_CLAIMS_BURST * PREKEY_CLAIM_EVERY_MS)
#define PAIR_KEY_LEN (sizeof(struct account_id) + sizeof(struct device_id))
#define ROOM_EVERY_MS \
    1000u /* a full table is searched no more often: a search looks at every place */

struct pair {
    uint8_t key[PAIR_KEY_LEN];
    uint64_t whole_ms;
};

struct prekey_meter {
    struct table *pairs;
    uint64_t room_ms; /* the next search */
};

struct prekey_meter *prekey_meter_new(size_t pair_max, const uint8_t seed[16])
{
    struct prekey_meter *m = calloc(1, sizeof *m);
    ENSURE(m);
    m->pairs = table_new(PAIR_KEY_LEN, pair_max, seed);
    return m;
}

void prekey_meter_free(struct prekey_meter **m)
{
    size_t slot = 0;
    if (!*m) return;
    for (struct pair *p; (p = table_next((*m)->pairs, &slot));)
        free(p);
    table_free(&(*m)->pairs);
    free(*m);
    *m = NULL;
}

static void make_room(struct prekey_meter *m, uint64_t now_ms)
{
    size_t slot = 0;
    if (now_ms < m->room_ms) return;
    m->room_ms = now_ms + ROOM_EVERY_MS;
    for (struct pair *p; (p = table_next(m->pairs, &slot));) {
        if (p->whole_ms > now_ms) continue;
        free(table_remove(m->pairs, p->key));
        slot--;
    }
}

/* NULL: no place is free. */
static struct pair *pair_of(struct prekey_meter *m, struct account_id asker,
                            struct device_id device, uint64_t now_ms)
{
    struct pair fresh = {.whole_ms = now_ms}, *p;
    memcpy(fresh.key, asker.bytes, sizeof asker.bytes);
    memcpy(fresh.key + sizeof asker.bytes, device.bytes, sizeof device.bytes);
    p = table_get(m->pairs, fresh.key);
    if (p) return p;
    p = malloc(sizeof *p);
    ENSURE(p);
    *p = fresh;
    if (table_put(m->pairs, p->key, p) == STATUS_OK) return p;
    make_room(m, now_ms);
    if (table_put(m->pairs, p->key, p) == STATUS_OK) return p;
    free(p);
    return NULL;
}

enum status prekey_meter_take(struct prekey_meter *m, struct account_id asker,
                              struct device_id device, uint64_t now_ms, uint32_t *retry_after_ms)
{
    struct pair *p = pair_of(m, asker, device, now_ms);
    *retry_after_ms = p ? 0 : PREKEY_CLAIM_EVERY_MS;
    if (!p) return STATUS_RATE_LIMITED;
    uint64_t from_ms = p->whole_ms > now_ms ? p->whole_ms : now_ms;
    uint64_t then_ms = from_ms + PREKEY_CLAIM_EVERY_MS;
    if (then_ms > now_ms + BURST_MS) {
        *retry_after_ms = (uint32_t)(then_ms - now_ms - BURST_MS);
        return STATUS_RATE_LIMITED;
    }
    p->whole_ms = then_ms;
    return STATUS_OK;
}
