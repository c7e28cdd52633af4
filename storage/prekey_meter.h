/* prekey_meter: how often one account may claim the prekeys of one device: a burst, then one in a time
 * (limits.h). Who could claim without end would leave a device no one-time prekeys for anybody else. In
 * memory and bounded; no clock. */
#ifndef SEALMQ_STORAGE_PREKEY_METER_H
#define SEALMQ_STORAGE_PREKEY_METER_H

#include "broker/wire/ids.h"

#define PREKEY_METER_WAYS 8u /* places where one pair may stand */

struct prekey_meter;

/* prekey_meter_new: counts at least pair_max pairs (1..2^24) at once, rounded up to a power of two. seed:
 * 16 random bytes. Free with prekey_meter_free (NULL-safe, nulls). */
struct prekey_meter *prekey_meter_new(size_t pair_max, const uint8_t seed[16]);
void prekey_meter_free(struct prekey_meter **m);

/* prekey_meter_take: one claim of this account from this device. now_ms: monotonic, never back. OK;
 * RATE_LIMITED with *retry_after_ms set (else 0): the pair has had its share. Where all the places of a new
 * pair are taken, the one that is whole again soonest is forgotten: strangers in masses make the meter
 * forget who asked once, never refuse who asks for the first time; whoever asked most stays limited. */
enum status prekey_meter_take(struct prekey_meter *m, struct account_id asker,
                              struct device_id device, uint64_t now_ms,
                              uint32_t *retry_after_ms) MUST_USE;
/* prekey_meter_tell: how many pairs were forgotten before they were whole, since this was last told; 0 = none,
 * or told less than a minute ago. */
uint64_t prekey_meter_tell(struct prekey_meter *m, uint64_t now_ms);

#endif
