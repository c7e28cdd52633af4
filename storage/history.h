/* history: what clients hold of an account's log, where the relay has something else or less (PROTOCOL 6.1, `held`): for
 * operators, who hear of a store that was set back, or of two that disagree, from nobody else. Decides nothing: the entries
 * were taken or refused by then. */
#ifndef SEALMQ_STORAGE_HISTORY_H
#define SEALMQ_STORAGE_HISTORY_H

#include "storage/core.h"

/* history_want: plans what the others need. watch_get: what is watched of the account (risk.h has its other part); all zero where there is
 * none, or none that can be read. watch_put: keeps it. */
void history_want(struct storage *s, struct account_id account);
struct watch_row watch_get(struct storage *s, struct account_id account);
void watch_put(struct storage *s, struct account_id account, const struct watch_row *watch);

/* history_split: this entry was brought as one that the log had, and the log has another one in its place. `before` is the
 * head that both follow. Told as an alarm where the entry's signature shows that there are two histories, once for each
 * place and day. */
void history_split(struct storage *s, const struct request *r, const struct identity_log *log, struct view entry,
                   const struct hash256 *before);

/* history_restored: so many entries were brought as ones that the log had, and it had them not; it has now. */
void history_restored(struct storage *s, const struct request *r, const struct identity_log *log, uint64_t entries);

/* history_show: what support sees of it. */
void history_show(struct storage *s, struct account_id account, struct msg_devices_are *out);

#endif
