/* table: see table.h. Grows by doubling up to its bound; load factor at most 3/4. */
#include "storage/table.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct table {
    size_t key_len;
    size_t count, count_max;
    size_t slot_count; /* power of two */
    uint8_t seed[crypto_shorthash_KEYBYTES];
    uint8_t *keys;
    void **values; /* NULL = free slot */
};

static size_t home_slot(const struct table *t, const void *key)
{
    uint8_t h[crypto_shorthash_BYTES];
    crypto_shorthash(h, key, t->key_len, t->seed);
    return (size_t)get_u64(h) & (t->slot_count - 1);
}

static uint8_t *key_at(const struct table *t, size_t slot)
{
    return t->keys + slot * t->key_len;
}

static void allocate(struct table *t, size_t slot_count)
{
    t->slot_count = slot_count;
    t->keys = malloc(slot_count * t->key_len);
    t->values = calloc(slot_count, sizeof *t->values);
    ENSURE(t->keys && t->values);
}

struct table *table_new(size_t key_len, size_t count_max, const uint8_t seed[16])
{
    struct table *t = calloc(1, sizeof *t);
    ENSURE(t != NULL);
    t->key_len = key_len;
    t->count_max = count_max;
    memcpy(t->seed, seed, sizeof t->seed);
    allocate(t, 64);
    return t;
}

void table_free(struct table **t)
{
    if (!*t) return;
    free((*t)->keys);
    free((*t)->values);
    free(*t);
    *t = NULL;
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find(const struct table *t, const void *key)
{
    size_t slot = home_slot(t, key);
    while (t->values[slot] && memcmp(key_at(t, slot), key, t->key_len) != 0)
        slot = (slot + 1) & (t->slot_count - 1);
    return slot;
}

void *table_get(const struct table *t, const void *key)
{
    return t->values[find(t, key)];
}

static void grow(struct table *t)
{
    struct table old = *t;
    allocate(t, old.slot_count * 2);
    for (size_t i = 0; i < old.slot_count; i++) {
        if (!old.values[i]) continue;
        size_t slot = find(t, key_at(&old, i));
        memcpy(key_at(t, slot), key_at(&old, i), t->key_len);
        t->values[slot] = old.values[i];
    }
    free(old.keys);
    free(old.values);
}

enum status table_put(struct table *t, const void *key, void *value)
{
    ENSURE(value != NULL);
    size_t slot = find(t, key);
    if (!t->values[slot]) {
        if (t->count == t->count_max) return STATUS_FULL;
        if ((t->count + 1) * 4 > t->slot_count * 3) {
            grow(t);
            slot = find(t, key);
        }
        memcpy(key_at(t, slot), key, t->key_len);
        t->count++;
    }
    t->values[slot] = value;
    return STATUS_OK;
}

void *table_remove(struct table *t, const void *key)
{
    size_t hole = find(t, key), mask = t->slot_count - 1;
    void *value = t->values[hole];
    if (!value) return NULL;
    for (size_t next = (hole + 1) & mask; t->values[next]; next = (next + 1) & mask) {
        size_t home = home_slot(t, key_at(t, next));
        if (((next - home) & mask) < ((next - hole) & mask)) continue;
        memcpy(key_at(t, hole), key_at(t, next), t->key_len);
        t->values[hole] = t->values[next];
        hole = next;
    }
    t->values[hole] = NULL;
    t->count--;
    return value;
}

size_t table_count(const struct table *t)
{
    return t->count;
}

void *table_next(const struct table *t, size_t *slot)
{
    while (*slot < t->slot_count) {
        void *value = t->values[(*slot)++];
        if (value) return value;
    }
    return NULL;
}
