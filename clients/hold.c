/* hold: messages to a contact whose keys' history is in doubt wait for their user (PROTOCOL 6.10): its log was rolled back
 * and does not mend, there are two of it, or the recovery key has founded it anew. Invariants: a hold begins in the
 * transaction that sees its cause, and ends with the user's word only; what was seen holds once; what the relay has
 * accepted, or may have, is not touched. */
#include "clients/drift.h"

#include <string.h>

static bool is_own(const struct engine *e, struct account_id account)
{
    return memcmp(&account, &e->identity.account, sizeof account) == 0;
}

/* A refusal names no head: the first one stands for all of its kind. */
static struct hash256 cause_of(enum loss why, const struct hash256 *seen)
{
    static const struct hash256 none;
    struct hash256 cause = *seen;
    if (memcmp(seen, &none, sizeof none) == 0) cause.bytes[0] = (uint8_t)why;
    return cause;
}

bool hold_begin(struct engine *e, struct now now, struct contact *c, enum loss why, const struct hash256 *seen)
{
    const struct hash256 cause = cause_of(why, seen);
    if (is_own(e, c->log.account)) return false;
    verify_end(e, now, c, why);
    if (memcmp(&c->hold_head, &cause, sizeof cause) == 0) return false;
    c->hold = why;
    c->hold_ms = now.wall_ms;
    c->hold_head = cause;
    return true;
}

enum status hold_reason(enum loss why)
{
    switch (why) {
    case LOSS_RECOVERY: return STATUS_CONTACT_RECOVERED;
    case LOSS_ROLLBACK: return STATUS_CONTACT_BEHIND;
    case LOSS_NONE:
    case LOSS_FORK: break;
    }
    return STATUS_CONTACT_FORKED;
}

enum status hold_fork_reason(const struct engine *e, struct account_id account)
{
    return is_own(e, account) ? STATUS_BAD_ENTRY : hold_reason(LOSS_FORK);
}

enum status hold_rows_in(struct engine *e, struct now now, const struct contact *c)
{
    return outbox_hold_in(e, now, c->log.account, hold_reason(c->hold));
}

enum status hold_contact_in(struct engine *e, struct now now, struct account_id account, enum loss why,
                            const struct hash256 *seen)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    bool was_verified = c.verified_ms > 0;
    bool begun = hold_begin(e, now, &c, why, seen);
    if (begun || was_verified) s = state_contact_put(e->state, &c);
    return s == STATUS_OK && begun ? hold_rows_in(e, now, &c) : s;
}

/* A version that the relay does not show is not asked for any more, either. */
void hold_lift(struct contact *c)
{
    c->hold = LOSS_NONE;
    c->hold_ms = 0;
    c->stated_version = 0;
}

enum status hold_lift_in(struct engine *e, struct now now, struct account_id account)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s != STATUS_OK || c.hold == LOSS_NONE) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    hold_lift(&c);
    s = state_contact_put(e->state, &c);
    return s == STATUS_OK ? outbox_free_in(e, now, account) : s;
}
