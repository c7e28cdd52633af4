/* recovery_meter: how often a wrong recovery key was tried for an account: a burst, then one in a time (limits.h). It
 * limits who is wrong, and never who is right: else a stranger could lock an owner out. In memory and bounded; no clock. */
#ifndef SEALMQ_STORAGE_RECOVERY_METER_H
#define SEALMQ_STORAGE_RECOVERY_METER_H

#include "broker/wire/ids.h"
#include "broker/wire/status.h"

struct recovery_meter;

/* recovery_meter_new: counts at least account_max accounts (1..2^20) at once. seed: 16 random bytes. Free with
 * recovery_meter_free (NULL-safe, nulls). */
struct recovery_meter *recovery_meter_new(size_t account_max, const uint8_t seed[16]);
void recovery_meter_free(struct recovery_meter **m);

/* recovery_meter_wrong: a wrong try. now_ms: monotonic, never back. REFUSED; RATE_LIMITED with *retry_after_ms set (else 0).
 * *tries: wrong ones since the last right one, this one included, or since so few that the account was forgotten.
 * recovery_meter_right: a right one: it begins anew. */
enum status recovery_meter_wrong(struct recovery_meter *m, struct account_id account, uint64_t now_ms,
                                 uint32_t *retry_after_ms, uint64_t *tries) MUST_USE;
void recovery_meter_right(struct recovery_meter *m, struct account_id account);

#endif
