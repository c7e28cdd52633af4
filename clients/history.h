/* history: the messages that a home still holds, its own ones too, in the order of their acceptance. A home holds them for 30 days, in
 * its vault; who wants them longer keeps them himself. What the application has not taken yet is among them; what is withheld from it, or closed, is not.
 * All functions work within a transaction. */
#ifndef SEALMQ_CLIENTS_HISTORY_H
#define SEALMQ_CLIENTS_HISTORY_H

#include "clients/state/state.h"

#define HISTORY_TIME_MAX 253402300799999ull /* ms; the last of the year 9999 */

/* Whose home it is. */
struct history_owner {
    struct account_id account;
    struct device_id device;
};

/* Where one is. */
struct history_place {
    uint64_t accepted_ms; /* relay time */
    uint64_t order;       /* of its row: in the outbox if sent, else in the inbox */
    bool sent;
};

struct history_item {
    struct account_id sender;
    struct device_id device;
    struct message_id id;
    struct account_id to;  /* of our own account's: to whom; else all zero */
    uint64_t accepted_ms;  /* at most HISTORY_TIME_MAX */
    bool sealed;
    bool timed;            /* its sender gave it a time to live, */
    uint64_t expires_ms;   /* which ends then, by the relay's time */
    struct view payload;   /* 1..PAYLOAD_LEN_MAX bytes */
};

/* history_list_in: appends the struct history_place of each, the oldest first. OK; as state_inbox_scan. */
enum status history_list_in(struct state *state, struct buffer *out) MUST_USE;
/* history_get_in: the payload in the arena. OK; NOT_FOUND: it is not there any more. */
enum status history_get_in(struct state *state, struct arena *a, const struct history_owner *me, const struct history_place *place,
                           struct history_item *out) MUST_USE;
/* history_put_in: one that this home does not hold, as if it had been received, and shown, now; *added: it was not known. */
enum status history_put_in(struct state *state, const struct history_owner *me, const struct history_item *in, uint64_t now_ms,
                           bool *added) MUST_USE;

#endif
