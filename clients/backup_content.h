/* backup_content: what is in a backup (PROTOCOL 6.7): the contacts that a home holds: their accounts, what they are called, the signed
 * histories of their keys, the user's marks; and the messages that it holds, where its user wants that, but for those whose senders gave
 * them a time to live. No key of this device, no session. One encoding, with a version. */
#ifndef SEALMQ_CLIENTS_BACKUP_CONTENT_H
#define SEALMQ_CLIENTS_BACKUP_CONTENT_H

#include "clients/state/state.h"

#define BACKUP_HISTORY_LEN_MAX 32768u /* of one contact's entries; beyond it goes by name only */

struct backup_summary {
    uint64_t made_ms;  /* by the clock of the device that made it */
    size_t contacts;   /* in it */
    size_t named;      /* of them those without their history, and so without a mark: it was too long, or had no room */
    size_t known;      /* taken: of them those that were here already, which stay as they are */
    size_t left;       /* written: contacts for which there was no room */
    size_t messages;   /* in it */
    size_t messages_known; /* taken: of them those that were here already */
    size_t messages_left;  /* written: those for which there was no room, the oldest first */
};

/* backup_write_in: appends what this home has; within a transaction. `out` is of len_max bytes at most: beyond them contacts go by
 * name only, and then not at all: summary->left. Those who have only written to us, as anybody can, get the room that the others leave.
 * history: messages, too, as far as there is room after the contacts: the newest first.
 * OK; NOT_FOUND (no account here). */
enum status backup_write_in(struct state *state, uint64_t made_ms, size_t len_max, bool history, struct buffer *out,
                            struct backup_summary *summary) MUST_USE;

/* backup_take_in: puts what is not here into this home; within a transaction, which is to be rolled back after a failure. Every
 * log is verified; messages come as if they had been received and taken now_ms. OK; BAD_ENTRY (another account's, or a history that does not verify); RELAY_BEHIND: it was made when our own log was longer
 * than the one here, or another: the relay that showed us that log hides something; MALFORMED. */
enum status backup_take_in(struct state *state, struct view content, uint64_t now_ms, struct backup_summary *summary) MUST_USE;
/* backup_take_offered_in: the same of what a device is offered that joins the account (PROTOCOL 6.5): it does not hold the account's
 * log yet, which is compared later (joining.c). One with messages, or of a later version, is passed over: OK, nothing taken. */
enum status backup_take_offered_in(struct state *state, struct view content, struct backup_summary *summary) MUST_USE;

#endif
