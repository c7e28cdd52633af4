/* sealmq_copies: what the other devices of this account get of a message that this one sends, a part of sealmq.h, whose
 * rules hold here. A sealed message that the relay has accepted goes to them too, by itself; there it is in the inbox, as
 * `own`. Opaque ones do not, and neither does what a device sent before another one joined. */
#ifndef SEALMQ_COPIES_H
#define SEALMQ_COPIES_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The copy of one message. It says nothing of the message itself, which has arrived or not whatever becomes of this. No
 * event tells of it. */
struct sealmq_copy {
    size_t size;
    struct sealmq_message_id id;     /* the message's when it was made; with this account as target: what support asks for */
    enum sealmq_message_state state; /* SETTLED: every other device has an outcome, at least one has taken it */
    enum sealmq_stage stage;
    enum sealmq_status reason;       /* why it is refused, or the last obstacle while it waits; REFUSED: there is no other
                                      * device any more. OK = none */
    uint32_t attempt;                /* above 0: sealed anew for devices that could not open it */
    const struct sealmq_part *parts; /* this account's other devices, part_count of them; good until the next call that gives
                                      * a sealmq_copy */
    size_t part_count;
};

/* sealmq_copy_get: of the message with this order number. Uses the disk. OK; NOT_FOUND: it has none, or not yet: it was not
 * accepted, is opaque or a note, or there was no other device. */
SEALMQ_API enum sealmq_status sealmq_copy_get(struct sealmq_client *client, uint64_t order,
                                              struct sealmq_copy *out) SEALMQ_MUST_USE;
/* sealmq_copies_wait: *out: some copy is still to be sent. A program that ends soon may give it a moment; the next one that
 * connects sends it else. Uses the disk. OK. */
SEALMQ_API enum sealmq_status sealmq_copies_wait(struct sealmq_client *client, bool *out) SEALMQ_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
