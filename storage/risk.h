/* risk: what a change of an account's devices looks like beside those that came shortly before it: a table of rules, for
 * operators and for nobody's decision (OPERATIONS, "Changes of devices"). Pure. What it goes by is the relay's own clock, kept in the
 * account's watch row: what an entry says of its time is its signer's word. */
#ifndef SEALMQ_STORAGE_RISK_H
#define SEALMQ_STORAGE_RISK_H

#include "broker/wire/states.h"
#include "storage/rows.h"

#define RISK_NEW_MS (3600ull * 1000)      /* a device is new for so long, and another one's end is near */
#define RISK_DAY_MS (24ull * 3600 * 1000) /* changes count together, and a recovery is near */

/* One entry of a log. */
struct risk_step {
    enum identity_change change;
    struct device_id signer; /* all zero: the recovery key */
    struct device_id device; /* which changes; all zero = none does */
};

/* risk_of: the rules that hold, a bit for each (enum risk). watch_step: the row as it is behind this step; it keeps what a
 * rule may still ask for, and so is bounded. Both: now_ms is store time. */
uint32_t risk_of(const struct watch_row *w, const struct risk_step *step, uint64_t now_ms);
void watch_step(struct watch_row *w, const struct risk_step *step, uint64_t now_ms);

#endif
