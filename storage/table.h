/* table: a bounded hash table from fixed-size keys to pointers. Keys are copied; values are the
 * caller's. Linear probing with backward shift, so there are no tombstones. Keys here are hashes and
 * random ids, but peers choose some of them, so hashing is keyed (SipHash-2-4, libsodium). */
#ifndef SEALMQ_STORAGE_TABLE_H
#define SEALMQ_STORAGE_TABLE_H

#include "broker/wire/bytes.h"

struct table;

/* table_new: at most count_max entries of key_len-byte keys. seed: 16 random bytes.
 * Free with table_free (NULL-safe, nulls; values are not touched). */
struct table *table_new(size_t key_len, size_t count_max, const uint8_t seed[16]);
void table_free(struct table **t);
/* table_get: the value, NULL when absent. */
void *table_get(const struct table *t, const void *key);
/* table_put: inserts or replaces (value not NULL). OK; FULL at count_max, unchanged. */
enum status table_put(struct table *t, const void *key, void *value) MUST_USE;
/* table_remove: the removed value, NULL when absent. */
void *table_remove(struct table *t, const void *key);
size_t table_count(const struct table *t);
/* table_next: iterates in no order: start with *slot = 0; NULL at the end. Removing the entry just
 * returned is allowed only after subtracting 1 from *slot. */
void *table_next(const struct table *t, size_t *slot);

#endif
