/* join: the new device's side of linking (PROTOCOL 6.5), over a guest (guest.h): it leaves its request under a code that it
 * shows, waits for the offer of a device that was given the code, and consents. A core: no socket, no clock, no state on
 * disk; its owner keeps what was offered before it lets it consent. */
#ifndef SEALMQ_CLIENTS_JOIN_H
#define SEALMQ_CLIENTS_JOIN_H

#include "clients/guest.h"
#include "clients/link.h"
#include "clients/state/state.h"

#define JOIN_POLL_MS 1000u

enum join_stage {
    JOIN_ASKING,    /* the request is on its way: the code must not be shown yet */
    JOIN_WAITING,   /* it is there: the code is to be shown */
    JOIN_CHECKING,  /* approved; the relay is asked whose the handle is that came with it */
    JOIN_OFFERED,   /* approved; join_offer says what it is: keep it, then join_consent */
    JOIN_CONSENTING,
    JOIN_DONE,      /* the account's device has the consent */
    JOIN_REJECTED,
    JOIN_EXPIRED,   /* nobody has answered within LINK_LIFE_MS */
    JOIN_FAILED,    /* join_status says why: BAD_ENTRY: an answer that is none, or under another account's handle (somebody else
                     * has the code); or the relay's refusal */
    JOIN_STAGE_COUNT,
};

struct join;

/* What was offered. Everything borrows from the join. handle: empty where it has none, or the relay does not know it. */
struct join_offer {
    struct msg_link_offer first; /* its first part: account, handle, log, offering device */
    struct founding founding;    /* what its entry says */
    struct view data;            /* of all parts */
};

/* join_new: with new keys for this device, of which the secrets are join_secrets' (sodium_malloc memory of the join's). name:
 * device_name_check, or empty. Free with join_free, which wipes, is NULL-safe and nulls. */
void join_new(const struct random_source *random, struct now now, struct view name, struct join **out);
void join_free(struct join **j);
const struct device_secrets *join_secrets(const struct join *j);
const struct msg_device_record *join_record(const struct join *j);

/* join_drive: after each turn of the guest: takes its answer, asks the next thing. */
void join_drive(struct join *j, struct now now, struct guest *g);
uint64_t join_deadline_ms(const struct join *j);
enum join_stage join_stage(const struct join *j);
enum status join_status(const struct join *j);
/* join_expires_ms: wall: when the code is of no use any more. */
uint64_t join_expires_ms(const struct join *j);
const struct link_code *join_code(const struct join *j);
/* join_offer: JOIN_OFFERED and later: what was offered. */
const struct join_offer *join_offer(const struct join *j);
/* join_consent: what was offered is kept. Only in JOIN_OFFERED.
 * join_refuse: the user does not want it; JOIN_REJECTED, once the other side can read so. Only where join_may_refuse: from when the code
 * was shown until the consent; what is being asked is dropped. */
void join_consent(struct join *j, struct now now);
bool join_may_refuse(const struct join *j);
void join_refuse(struct join *j, struct now now, struct guest *g);

#endif
