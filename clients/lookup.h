/* lookup: what contact.c and claim.c call of each other about a look-up that is under way. Private to the engine. */
#ifndef SEALMQ_CLIENTS_LOOKUP_H
#define SEALMQ_CLIENTS_LOOKUP_H

#include "clients/drift.h"

/* lookup_later: the same question again, min_ms from now at least. lookup_go_on: another one, at once. lookup_done: it has all
 * that it was for: who waits goes on. lookup_forked: the relay shows another history: who waits is held. */
void lookup_later(struct engine *e, struct now now, struct lookup *l, uint64_t min_ms);
void lookup_go_on(struct lookup *l, struct now now, enum lookup_stage stage, uint64_t first);
void lookup_done(struct engine *e, struct now now, size_t lookup);
void lookup_forked(struct engine *e, struct now now, size_t lookup);

/* claim_prekeys_ask: the request of LOOKUP_PREKEYS; NULL: not now. */
struct request *claim_prekeys_ask(struct engine *e, struct now now, struct lookup *l);

#endif
