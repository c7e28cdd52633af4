/* newest: the highest message id that was accepted for each (sender device, target) since the store
 * was opened. An id above it has no claim row, so nothing need be read to know that it is new: dedup
 * without a read (ARCHITECTURE, step 3).
 *
 * It forgets the pairs used longest ago and then knows less, never something wrong: what was forgotten,
 * and all that earlier terms accepted, lies at or below one floor. */
#ifndef SEALMQ_STORAGE_NEWEST_H
#define SEALMQ_STORAGE_NEWEST_H

#include "broker/wire/ids.h"

struct newest;

/* newest_new: floor: no id above it was accepted before now. pair_max: pairs kept at least; at most twice
 * as many are. seed: 16 random bytes. Free with newest_free (NULL-safe, nulls). */
struct newest *newest_new(struct message_id floor, size_t pair_max, const uint8_t seed[16]);
void newest_free(struct newest **n);

/* newest_knows_new: true: the id was never accepted for this pair. false: it may have been. */
bool newest_knows_new(const struct newest *n, struct device_id sender, struct target_id target,
                      struct message_id id);
/* newest_note: the id has been accepted for this pair. */
void newest_note(struct newest *n, struct device_id sender, struct target_id target,
                 struct message_id id);
/* newest_highest: of all that were ever noted, and the first floor. */
struct message_id newest_highest(const struct newest *n);

#endif
