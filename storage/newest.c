/* newest: two generations of a hash table of pairs. The young one takes what is noted; when it is full
 * it becomes the old one, and what the old one held is summed up in the floor.
 *
 * Invariant: for every id accepted for a pair, either the pair's entry in the young generation, or else
 * in the old one, or else the floor, is at or above it. */
#include "storage/newest.h"

#include "broker/wire/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    struct device_id sender;
    struct target_id target;
};

struct entry {
    struct pair pair;
    struct message_id highest; /* all zero: a free slot (no UUIDv7 is) */
};

struct generation {
    struct entry *slots;
    size_t count;
    struct message_id highest;
};

struct newest {
    uint8_t seed[16];
    size_t pair_max, slot_count;
    struct generation young, old;
    struct message_id floor, highest;
};

static int id_order(struct message_id a, struct message_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes);
}

static void raise(struct message_id *to, struct message_id id)
{
    if (id_order(id, *to) > 0) *to = id;
}

static struct entry *slots_new(size_t count)
{
    struct entry *slots = calloc(count, sizeof *slots);
    ENSURE(slots != NULL);
    return slots;
}

struct newest *newest_new(struct message_id floor, size_t pair_max, const uint8_t seed[16])
{
    struct newest *n = calloc(1, sizeof *n);
    ENSURE(n != NULL && pair_max > 0);
    memcpy(n->seed, seed, sizeof n->seed);
    n->pair_max = pair_max;
    for (n->slot_count = 16; n->slot_count < 2 * pair_max;)
        n->slot_count *= 2;
    n->young.slots = slots_new(n->slot_count);
    n->old.slots = slots_new(n->slot_count);
    n->floor = n->highest = floor;
    return n;
}

void newest_free(struct newest **n)
{
    if (!*n) return;
    free((*n)->young.slots);
    free((*n)->old.slots);
    free(*n);
    *n = NULL;
}

/* The pair's entry, or the free slot where it would be. */
static struct entry *find(const struct newest *n, const struct generation *g,
                          const struct pair *pair)
{
    static const struct message_id none;
    uint8_t hash[8];
    crypto_shorthash(hash, (const uint8_t *)pair, sizeof *pair, n->seed);
    for (size_t i = (size_t)get_u64(hash);; i++) {
        struct entry *e = &g->slots[i & (n->slot_count - 1)];
        if (id_order(e->highest, none) == 0 || memcmp(&e->pair, pair, sizeof *pair) == 0) return e;
    }
}

/* What is known of the pair: all zero when nothing. */
static struct message_id known(const struct newest *n, const struct pair *pair)
{
    static const struct message_id none;
    struct message_id highest = find(n, &n->young, pair)->highest;
    return id_order(highest, none) ? highest : find(n, &n->old, pair)->highest;
}

bool newest_knows_new(const struct newest *n, struct device_id sender, struct target_id target,
                      struct message_id id)
{
    static const struct message_id none;
    struct pair pair = {sender, target};
    struct message_id highest = known(n, &pair);
    return id_order(id, id_order(highest, none) ? highest : n->floor) > 0;
}

static void age(struct newest *n)
{
    struct generation old = n->old;
    raise(&n->floor, old.highest);
    memset(old.slots, 0, n->slot_count * sizeof *old.slots);
    n->old = n->young;
    n->young = (struct generation){.slots = old.slots};
}

void newest_note(struct newest *n, struct device_id sender, struct target_id target,
                 struct message_id id)
{
    static const struct message_id none;
    struct pair pair = {sender, target};
    struct message_id highest = known(n, &pair);
    if (id_order(highest, none) == 0) highest = n->floor;
    raise(&highest, id);
    if (n->young.count == n->pair_max) age(n);
    struct entry *e = find(n, &n->young, &pair);
    n->young.count += id_order(e->highest, none) == 0;
    e->pair = pair;
    raise(&e->highest, highest);
    raise(&n->young.highest, highest);
    raise(&n->highest, id);
}

struct message_id newest_highest(const struct newest *n)
{
    return n->highest;
}
