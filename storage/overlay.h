/* overlay: the rows that a pack store (pack.h) holds in memory: found by key, walked in key order.
 * It owns the table only; keys and values are borrowed. Bounded by whoever puts rows in. */
#ifndef SEALMQ_STORAGE_OVERLAY_H
#define SEALMQ_STORAGE_OVERLAY_H

#include "storage/store.h"

struct overlay;
struct overlay_group;

struct overlay_row {
    enum store_space space;
    struct view key;   /* borrowed: stays until the row is removed or given another */
    struct view value;
    void *owner;       /* the caller's: where the bytes are */
    uint64_t born;     /* the caller's: since when */
    uint64_t hash;
    struct overlay_group *group;
    size_t place; /* in its group */
};

/* overlay_new: seed: 16 random bytes (peers choose parts of some keys). Free with overlay_free
 * (NULL-safe, nulls). */
struct overlay *overlay_new(const uint8_t seed[16]);
void overlay_free(struct overlay **o);
size_t overlay_count(const struct overlay *o);

/* overlay_find: NULL when absent. overlay_add: a row for a key that has none, as yet without a value. overlay_remove: frees the row.
 * Whoever has a row may give it another value, and the same key in another place. */
struct overlay_row *overlay_find(const struct overlay *o, enum store_space space, struct view key);
struct overlay_row *overlay_add(struct overlay *o, enum store_space space, struct view key);
void overlay_remove(struct overlay *o, struct overlay_row *row);

/* overlay_range: the first rows (max at most) with from <= key < to (empty to = to the end), in key order;
 * the array lives until the next add or remove, or on the arena. Cheap where all these keys start with the
 * same OVERLAY_GROUP_LEN bytes (a mailbox, a sender's claims); else every group of such keys is looked at. */
#define OVERLAY_GROUP_LEN 19u
struct overlay_range {
    struct overlay_row *const *rows;
    size_t count;
};
struct overlay_range overlay_range(struct overlay *o, enum store_space space, struct view from,
                                   struct view to, size_t max, struct arena *a);

/* key_order: the contract's order of keys: memcmp, a prefix before what it begins. */
int key_order(struct view a, struct view b);

#endif
