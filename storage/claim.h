/* claim: the idempotency record of one send, and where it is kept (STORAGE, claims). What one sender
 * had accepted in one turn is one row, a *page*, under the highest id in it: ids of a sender grow, so its
 * pages follow each other and the first one at or above an id is the only one that can have it. A claim
 * whose id does not grow, or is shared by more than a page holds, has a row of its own. */
#ifndef SEALMQ_STORAGE_CLAIM_H
#define SEALMQ_STORAGE_CLAIM_H

#include "storage/core.h"

/* Where one claim can be. */
struct claim_look {
    struct store_key own;
    bool wanted;                   /* else it is known to be in this turn's changes only, if anywhere */
    const struct store_scan *page; /* NULL: not wanted, or never in a page (a resend's) */
};

/* claim_want: plans the look at what the store has. */
void claim_want(struct storage *s, const struct message_ref *ref, uint32_t attempt,
                struct claim_look *look);
/* claim_get: the claim_row as of this turn's changes; NULL at = none; what cannot be read is no
 * claim_row. Also for a look that was never planned, where newest says that the store has none. */
struct view claim_get(struct storage *s, const struct message_ref *ref, const struct claim_look *look);
/* claim_put: this claim is new; the row's bytes must live as long as the turn's arena. */
void claim_put(struct storage *s, const struct message_ref *ref, const struct claim_look *look,
               struct view row);
/* claim_write: all that were put in this turn, as rows. Once, when nothing is put any more. */
void claim_write(struct storage *s);

#endif
