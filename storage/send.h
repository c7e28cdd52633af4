/* send: what send.c and resend.c share of one SEND request. Private to them. */
#ifndef SEALMQ_STORAGE_SEND_H
#define SEALMQ_STORAGE_SEND_H

#include "storage/claim.h"
#include "storage/delivery.h"

/* A later attempt: what has become of the message so far, from the state before the turn. */
struct resend {
    struct claim_look first; /* at the first attempt's claim */
    bool looked;             /* else nothing of this message was ever accepted before this turn */
    enum status status;
    uint64_t expires_ms;       /* the first attempt's: the message ends once */
    struct delivery_ask *asks; /* as the item's parts; with OK */
};

struct send_item {
    struct msg_send_item item;
    struct view *ciphertexts; /* as the item's parts */
    struct hash256 *hashes;
    struct hash256 digest;
    struct message_ref ref;
    struct claim_look claim;
    struct resend *resend; /* NULL: a first attempt */
    const struct msg_lost_item *lost;
    struct store_scan *since; /* entries for the gate's answer, perhaps */
    enum status early; /* decided before anything was loaded */
};

struct send_plan {
    struct send_item *items;
    size_t count;
};

/* resend_want: plans the look at the first attempt of an item that is a later one. */
void resend_want(struct storage *s, struct send_item *it);
/* resend_check: whether each part's newest attempt has failed, with nothing of it changed in this turn. OK; REFUSED;
 * BUSY: not now. */
enum status resend_check(struct storage *s, const struct send_item *it) MUST_USE;
/* resend_replace: the part's newest attempt ends as superseded by the one at this place. */
void resend_replace(struct storage *s, const struct send_item *it, size_t part, struct mailbox *m, struct position at);

#endif
