/* restore: an account comes back with nothing but its recovery key (PROTOCOL 6.6): a new device's keys, the account's log
 * from the relay, an entry that the recovery key signs, and a home. A core: asks through a guest, keeps in a state. Nothing is
 * kept before all of it can be; then the engine brings the log to the relay (REGISTER), as often as it takes. */
#ifndef SEALMQ_CLIENTS_RESTORE_H
#define SEALMQ_CLIENTS_RESTORE_H

#include "clients/guest.h"
#include "clients/recovery_key.h"
#include "clients/state/state.h"

struct restore;

struct restore_wish {
    struct view handle;              /* of the account; or empty, and */
    struct account_id account;
    const struct recovery_code *code;
    struct view endpoints;           /* stored as they are */
    struct transport_pk server;
    bool revoke_others;              /* all devices that the account has, in the same breath */
};

/* Why nothing came of it. */
enum restore_obstacle {
    RESTORE_NONE,
    RESTORE_NO_ACCOUNT, /* nobody has the handle */
    RESTORE_KEY,        /* the relay says that this is not the account's recovery key, or the account has none */
    RESTORE_RELAY,      /* what the relay shows does not verify, or ends before what it has shown */
    RESTORE_DEVICES,    /* the account has as many devices as it may */
    RESTORE_LOG_FULL,   /* its log, or the number of devices that it ever had, has come to an end */
    RESTORE_REFUSED,    /* the relay refuses a question for another reason: the status */
    RESTORE_HOME,       /* the home could not keep it: the status */
};

/* restore_new: the wish's views, its code included, are copied. A home whose restoring was begun goes on with the device
 * that it made. OK; STATE: the home has an account of another making, or is done; as state_begin. *out is NULL after a failure. */
enum status restore_new(const struct restore_wish *wish, const struct random_source *random, struct state *state,
                        struct restore **out) MUST_USE;
/* restore_free: NULL-safe, nulls, wipes. The state stays the caller's. */
void restore_free(struct restore **r);

/* The key pair for the connection: the new device's. The secret is good until restore_free. */
struct transport_pk restore_transport(const struct restore *r, const uint8_t **sk);

/* restore_drive: does what is due with the guest's answer, and asks on: after each turn of the guest. BUSY: goes on. OK: the
 * home has the account; engine_new follows. Else it has ended: *why, and the status behind it. */
enum status restore_drive(struct restore *r, struct now now, struct guest *guest, enum restore_obstacle *why) MUST_USE;

#endif
