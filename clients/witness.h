/* witness: what we hold of an account's log, which the relay is shown where it shows another history of it (PROTOCOL 6.3).
 * Private to the engine; a part of core.h, which includes it, as the engine has the witnesses. */
#ifndef SEALMQ_CLIENTS_WITNESS_H
#define SEALMQ_CLIENTS_WITNESS_H

#include "broker/wire/ids.h"
#include "broker/wire/now.h"
#include "broker/wire/status.h"

struct engine;
struct request;

enum witness_stage { WITNESS_FREE, WITNESS_DUE, WITNESS_ASKED, WITNESS_SAID };

struct witness {
    enum witness_stage stage;
    struct account_id account;
    uint64_t first, last; /* numbers of the entries that are shown at a time */
    uint64_t ask_ms;      /* mono */
    unsigned tries;
};
#define WITNESSES_MAX   8u
#define WITNESS_REQUEST (LOOKUPS_MAX + 1u) /* request.lookup of an APPEND that shows: above it the witness's index */

/* witness_want: the relay shows another history of the account than the one that we hold. */
void witness_want(struct engine *e, struct now now, struct account_id account);
void witness_drive(struct engine *e, struct now now);
uint64_t witness_deadline_ms(const struct engine *e);
/* witness_reply, witness_failed: the ends of such an APPEND. */
void witness_reply(struct engine *e, struct now now, const struct request *r);
void witness_failed(struct engine *e, struct now now, const struct request *r, enum status s, uint32_t retry_after_ms);

#endif
