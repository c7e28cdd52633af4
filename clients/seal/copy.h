/* copy: what stands before the payload of a content that is for one's own devices: to whom the message went (PROTOCOL
 * 10.9). No keys, no session. */
#ifndef SEALMQ_CLIENTS_SEAL_COPY_H
#define SEALMQ_CLIENTS_SEAL_COPY_H

#include "clients/seal/content.h"
#include "clients/seal/sealed.h"

/* copy_write: appends what a content for the own account has as its payload: a copy of a message to `to`, or with the own
 * account a note to oneself. The caller keeps the buffer as it keeps payloads. */
void copy_write(struct account_id to, struct view payload, struct buffer *out);

/* copy_read: the reverse; *payload borrows. CAUSE_NONE; CAUSE_VERSION (a later one), CAUSE_FORM; *to and *payload are zero
 * then. */
enum report_cause copy_read(struct view framed, struct account_id *to, struct view *payload) MUST_USE;

/* copy_check: whether the payload of a content that was opened is what stands around it: framed, and for the own account,
 * where sender and recipient are one account; else for another one than the sender's, and not longer than a message may
 * be. CAUSE_NONE; as copy_read. */
enum report_cause copy_check(const struct sealed_context *context, const struct content *content) MUST_USE;

#endif
