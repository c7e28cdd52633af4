/* stores: see stores.h. Invariant: a store stands in the table once; asked is 0 unless correlation
 * is set. */
#include "workers/fanout/stores.h"

#include <string.h>

static bool same_store(struct store_id a, struct store_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static const struct store *store_of_id(const struct stores *t, struct store_id id)
{
    for (size_t i = 0; i < t->count; i++)
        if (same_store(t->table[i].id, id)) return &t->table[i];
    return NULL;
}

void stores_follow(struct stores *t, const struct msg_map *map, uint64_t now_ms)
{
    struct stores next;
    next.count = 0;
    for (size_t i = 0; i < map->range_count; i++) {
        const struct msg_range *r = &map->ranges[i];
        if (r->first > r->last || r->last >= PARTITION_COUNT) continue;
        if (next.count == MAP_RANGES_MAX || store_of_id(&next, r->store)) continue;
        const struct store *old = store_of_id(t, r->store);
        struct store s = {.id = r->store, .term = r->term, .due_ms = now_ms};
        if (old && term_equal(old->term, r->term)) s = *old;
        s.home = (uint16_t)r->first;
        s.last = (uint16_t)r->last;
        next.table[next.count++] = s;
    }
    memcpy(t->table, next.table, next.count * sizeof next.table[0]);
    t->count = next.count;
}

void stores_waiting(struct stores *t, uint16_t partition, uint64_t now_ms)
{
    for (size_t i = 0; i < t->count; i++) {
        struct store *s = &t->table[i];
        if (partition < s->home || partition > s->last) continue;
        s->waiting = true;
        if (s->due_ms > now_ms) s->due_ms = now_ms;
    }
}

struct store *stores_due(struct stores *t, uint64_t now_ms)
{
    struct store *first = NULL;
    for (size_t i = 0; i < t->count; i++) {
        struct store *s = &t->table[i];
        if (s->correlation || s->due_ms > now_ms) continue;
        if (!first || s->due_ms < first->due_ms) first = s;
    }
    return first;
}

struct store *stores_asked(struct stores *t, uint64_t correlation)
{
    for (size_t i = 0; correlation && i < t->count; i++)
        if (t->table[i].correlation == correlation) return &t->table[i];
    return NULL;
}

void store_answered(struct store *s, uint64_t now_ms, uint64_t due_ms)
{
    s->correlation = 0;
    s->asked = 0;
    s->due_ms = s->waiting ? now_ms : due_ms;
}

void stores_age(struct stores *t, uint64_t now_ms, uint64_t answer_ms)
{
    for (size_t i = 0; i < t->count; i++) {
        struct store *s = &t->table[i];
        if (s->correlation && now_ms - s->asked_ms >= answer_ms) store_answered(s, now_ms, now_ms);
    }
}

size_t stores_reserved(const struct stores *t)
{
    size_t reserved = 0;
    for (size_t i = 0; i < t->count; i++)
        reserved += t->table[i].asked;
    return reserved;
}

uint16_t stores_record_home(const struct stores *t)
{
    uint16_t home = t->table[0].home;
    for (size_t i = 1; i < t->count; i++)
        if (t->table[i].home < home) home = t->table[i].home;
    return home;
}
