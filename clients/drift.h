/* drift: what the parts of the engine call of each other where a contact's keys have changed, or are in doubt: news of a log
 * (pin.c), messages that wait for their user (hold.c), what devices say of their own log (statement.c). A part of core.h,
 * whose rules hold here; for the files of the engine only. */
#ifndef SEALMQ_CLIENTS_DRIFT_H
#define SEALMQ_CLIENTS_DRIFT_H

#include "clients/core.h"

/* ---- hold.c ---- */

/* hold_begin: the contact's messages wait from now on, and it is not verified any more; `seen` is what says so: a head, or
 * what stands for it. False: `seen` has done so before, and the user has let them go; or it is our own account. The caller
 * writes the contact, and then, where it was true, calls hold_rows_in. */
bool hold_begin(struct engine *e, struct now now, struct contact *c, enum loss why, const struct hash256 *seen) MUST_USE;
enum status hold_rows_in(struct engine *e, struct now now, const struct contact *c) MUST_USE;
/* hold_contact_in: all of that for an account, where we hold something of it. */
enum status hold_contact_in(struct engine *e, struct now now, struct account_id account, enum loss why,
                            const struct hash256 *seen) MUST_USE;
/* hold_lift: the user's word: they go, and the same `seen` does not hold them again; the caller writes the contact.
 * hold_lift_in: the same, written, with the messages that wait. */
void hold_lift(struct contact *c);
enum status hold_lift_in(struct engine *e, struct now now, struct account_id account) MUST_USE;
/* hold_reason: of a message that is held for it. */
enum status hold_reason(enum loss why);
/* hold_fork_reason: of one whose target is seen to have another history: BAD_ENTRY where that is our own account, no contact. */
enum status hold_fork_reason(const struct engine *e, struct account_id account);

/* ---- outbox.c ---- */

/* outbox_hold_in: all messages to the account that were surely not accepted, and are not on their way. outbox_free_in: those
 * that are held. */
enum status outbox_hold_in(struct engine *e, struct now now, struct account_id account, enum status reason) MUST_USE;
/* outbox_unready_in: drafts to the account say that a device of it has left no keys to seal for. */
enum status outbox_unready_in(struct engine *e, struct account_id account) MUST_USE;
enum status outbox_free_in(struct engine *e, struct now now, struct account_id account) MUST_USE;

/* ---- statement.c ---- */

/* What a device says of its own account's log. */
struct statement {
    uint64_t key_version;
    struct hash256 head; /* of the entry that made it */
    uint64_t made_ms;    /* as it says */
};
/* statement_in: held against the log that we hold, *c: another history is a fork, a later version is looked up. */
enum status statement_in(struct engine *e, struct now now, const struct contact *c, const struct statement *said) MUST_USE;
/* statement_reached_in: the log has gone on, in *c: does it have what was said of it? *held: hold_begin has said so. */
enum status statement_reached_in(struct engine *e, struct now now, struct contact *c, bool *held) MUST_USE;
/* statement_age_in: something is sealed for it: where its devices have not spoken for long the user is told. */
enum status statement_age_in(struct engine *e, struct now now, const struct contact *c) MUST_USE;

/* ---- change.c ---- */

/* change_is_in: whether this is the entry of ours that is on its way. */
enum status change_is_in(struct engine *e, struct view entry, bool *is) MUST_USE;

/* ---- account.c ---- */

/* log_grew_push: our own log is looked up where we have not all of it. */
void log_grew_push(struct engine *e, struct now now, const struct frame *f);

#endif
