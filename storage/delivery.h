/* delivery: one envelope for one device: its states as a table, and the one place that says what has
 * become of it (design: "the outcome is the first of: claim, own row, settling run, revocation fence; else open while
 * the envelope row exists; else lost"). */
#ifndef SEALMQ_STORAGE_DELIVERY_H
#define SEALMQ_STORAGE_DELIVERY_H

#include "broker/wire/states.h"
#include "storage/core.h"

enum delivery_event {
    EVENT_OFFER,     /* sent to an attached session */
    EVENT_RETRACT,   /* the session ended or could not take it */
    EVENT_RECEIPT,   /* the device says it has the bytes */
    EVENT_SETTLE,    /* the device says it opened it */
    EVENT_FAIL,      /* the device says it could not */
    EVENT_REOFFER,   /* a parked one goes back into the mailbox */
    EVENT_EXPIRE,
    EVENT_DAMAGE,    /* the relay's copy fails its check */
    EVENT_REPLACE,   /* a resend takes its place */
    DELIVERY_EVENTS
};

/* delivery_step: the state after the event. OK; STATE for a pair that the table does not list, *next
 * is then `from`. DELIVERY_NONE as next means: it has an outcome now. */
enum status delivery_step(enum delivery_state from, enum delivery_event event,
                          enum delivery_state *next) MUST_USE;

/* One question and its answer. */
struct delivery_ask {
    uint16_t home;
    struct device_id device;
    struct position at;
    uint64_t accepted_ms;
    struct msg_part_state answer; /* out: of its newest attempt */
    struct position final;        /* out: where that stands after moves */
    bool old;                     /* out: past retention, nothing is known any more */
    bool parked;                  /* out: failed, by its own row; then also these two of that row */
    struct hash256 commitment;
    uint64_t client_version;
};

/* delivery_resolve: answers all with the store's state before this turn's changes; loads by itself
 * (in bulk). OK, DAMAGED, IO. */
enum status delivery_resolve(struct storage *s, struct delivery_ask *asks, size_t count) MUST_USE;

/* delivery_claim: the claim in this row and its answer; false = no row, or not a readable one. */
bool delivery_claim(struct storage *s, struct view value, struct claim_row *claim,
                    struct msg_accepted *accepted);

/* delivery_part_of: the question about one part of an accepted answer; false when its outcome already
 * stands in the answer (it is then filled in). */
bool delivery_part_of(const struct msg_accepted_part *part, uint16_t home, uint64_t accepted_ms,
                      struct delivery_ask *ask);

#endif
