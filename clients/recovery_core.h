/* recovery_core: what recovery.c and backup.c do for the engine's other parts. Only for the files of the engine, as core.h. */
#ifndef SEALMQ_CLIENTS_RECOVERY_CORE_H
#define SEALMQ_CLIENTS_RECOVERY_CORE_H

#include "clients/core.h"

/* ---- recovery.c ---- */

/* recovery_begun_in: this device is setting the key of this wish, and keeps the backup key that goes with it, beside what it has.
 * recovery_settled_in: that change has ended, with our log as it is now: the new ones take the place of the old ones, or go.
 * recovery_noticed_in: entries of our own log say that a device was
 * added by the recovery key (added: NULL = none), or that this key was set (NULL = none): whoever has done it, the user hears of it. */
enum status recovery_begun_in(struct engine *e, const struct change_wish *wish) MUST_USE;
enum status recovery_settled_in(struct engine *e, const struct identity_log *log) MUST_USE;
enum status recovery_noticed_in(struct engine *e, const struct device_id *added, const struct signing_pk *key) MUST_USE;

/* ---- backup.c ---- */

/* backup_key_next_in: the key that goes with a recovery key which is being set; NULL = none is kept for it. backup_key_settled_in: that one
 * is set, and what was kept for it is the account's; or (counts is false) it is not, and that goes. */
enum status backup_key_next_in(struct engine *e, const struct signing_pk *recovery, const uint8_t *key) MUST_USE;
enum status backup_key_settled_in(struct engine *e, bool counts) MUST_USE;

void backup_drive(struct engine *e, struct now now);
uint64_t backup_deadline_ms(const struct engine *e);
void backup_free(struct engine *e);
reply_fn backup_has_reply, backup_is_reply;
failure_fn backup_failed;

#endif
