/* prekey_meter: how often one account may claim the prekeys of one device: a burst, then one in a time
 * (limits.h). Who could claim without end would leave a device no one-time prekeys for anybody else. In
 * memory and bounded; no clock. */
#ifndef SEALMQ_STORAGE_PREKEY_METER_H
#define SEALMQ_STORAGE_PREKEY_METER_H

#include "broker/wire/ids.h"

struct prekey_meter;

/* prekey_meter_new: counts pair_max pairs at once. seed: 16 random bytes. Free with prekey_meter_free
 * (NULL-safe, nulls). */
struct prekey_meter *prekey_meter_new(size_t pair_max, const uint8_t seed[16]);
void prekey_meter_free(struct prekey_meter **m);

/* prekey_meter_take: one claim of this account from this device. now_ms: monotonic, never back. OK;
 * RATE_LIMITED with *retry_after_ms set (else 0): the pair has had its share, or every place is taken by
 * a pair that still counts. */
enum status prekey_meter_take(struct prekey_meter *m, struct account_id asker,
                              struct device_id device, uint64_t now_ms,
                              uint32_t *retry_after_ms) MUST_USE;

#endif
