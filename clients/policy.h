/* policy: whom this account lets write to it (PROTOCOL 7.6), as this home has it. policy.c is what it means here,
 * policy_sync.c how the relay is told of it, and asked. Only for the files of the engine; core.h includes it. */
#ifndef SEALMQ_CLIENTS_POLICY_H
#define SEALMQ_CLIENTS_POLICY_H

#include "clients/engine.h"

/* What the engine is doing about it. */
struct policy_sync {
    bool under_way;
    uint64_t at_ms;   /* mono: when to look what is to be said or read */
    uint64_t said;    /* the relay's version, by its last word */
    struct term term; /* of the store that said it; all zero = none yet */
    bool doubt;       /* it may have lost some since: it is asked, once */
    uint64_t hold_ms; /* mono: until then nobody is allowed by the way: the relay has no room for it */
    unsigned tries;
    /* The CONTACTS_SET under way. */
    enum contact_mode mode;
    struct msg_contact asked[CONTACTS_PER_SET];
    size_t asked_count;
    /* The reading under way. */
    struct account_id after;
    uint64_t page_version;
    unsigned pages; /* read so far */
};

/* ---- policy.c; in a transaction ---- */

enum status policy_put_in(struct engine *e, const struct state_policy *in) MUST_USE;
/* policy_turned_in: the mode has become another one: in mode requests those to whom something was sent are allowed, by whichever of our
 * devices, and as far as this home knows of it. */
enum status policy_turned_in(struct engine *e) MUST_USE;
/* policy_judge_in: after any verdict: what waits here of who is blocked is kept from the user, and counts as taken; what was kept from him
 * of who is not blocked any more has come now. */
enum status policy_judge_in(struct engine *e) MUST_USE;
/* policy_received_in: a row of the inbox is there, and open: *hidden: its sender is blocked, so it is withheld.
 * A stranger's is noted as a request. */
enum status policy_received_in(struct engine *e, struct now now, const struct inbox_row *row, bool *hidden) MUST_USE;
/* policy_sending_in: the user writes to this account: *wait: it is being allowed to answer, and the relay has yet to hear it. */
enum status policy_sending_in(struct engine *e, struct now now, struct account_id target, bool *wait) MUST_USE;

/* ---- policy_sync.c ---- */

/* policy_welcome: what WELCOME says there is. */
void policy_welcome(struct engine *e, struct now now, uint64_t version);
/* policy_map: a map has come: where our home's store was opened anew it may have lost something. */
void policy_map(struct engine *e, struct now now);
void policy_push(struct engine *e, struct now now, const struct frame *f);
void policy_drive(struct engine *e, struct now now);
uint64_t policy_deadline_ms(const struct engine *e);

#endif
