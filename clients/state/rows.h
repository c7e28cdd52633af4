/* rows: ordered byte keys with byte values in memory, with one transaction that can be undone. What
 * the memory backend stands on; no meaning of its own. Out of memory ends the process. */
#ifndef SEALMQ_CLIENTS_STATE_ROWS_H
#define SEALMQ_CLIENTS_STATE_ROWS_H

#include "broker/wire/bytes.h"

#define ROWS_KEY_LEN_MAX 128u

struct rows;

struct rows *rows_new(void);
/* rows_free: NULL-safe, nulls. */
void rows_free(struct rows **r);

/* Views that come out are good until the next write. rows_get: false, and an empty value, when there is
 * no such row. */
bool rows_get(const struct rows *r, struct view key, struct view *value);
/* rows_seek: the first row with key >= from, in memcmp order (a prefix before what it begins). */
bool rows_seek(const struct rows *r, struct view from, struct view *key, struct view *value);
/* rows_put: inserts or replaces. rows_delete: nothing happens when there is no such row. Both copy. */
void rows_put(struct rows *r, struct view key, struct view value);
void rows_delete(struct rows *r, struct view key);

/* rows_keep: forgets how to undo. rows_undo: back to the last rows_keep. */
void rows_keep(struct rows *r);
void rows_undo(struct rows *r);

#endif
