/* pair: sessions with one other device (PROTOCOL 10.5), and what is sealed and opened in them. Only for the files of the engine; core.h
 * includes it. */
#ifndef SEALMQ_CLIENTS_PAIR_H
#define SEALMQ_CLIENTS_PAIR_H

#include "clients/engine.h"
#include "clients/seal/content.h"
#include "clients/seal/sealed.h"

#define PREKEY_ID_NOBODYS UINT64_MAX /* no device gives a prekey this id: what names it does not open */

/* A device of a contact with which we speak. */
struct peer {
    struct account_id account;
    const struct log_device *device;
};
/* pair_ready_in: there is a session in which something can be sealed for it. */
enum status pair_ready_in(struct engine *e, const struct peer *p, bool *ready) MUST_USE;
/* pair_begin_in: one more session, from a claimed bundle. BAD_ENTRY: the bundle is not this device's, or no good. */
enum status pair_begin_in(struct engine *e, struct now now, const struct peer *p,
                          const struct msg_prekey_bundle *bundle) MUST_USE;
/* pair_seal_in: appends the ciphertext. NOT_FOUND: there is no session. pair_blank_in: of so many bytes, for a device that has left no
 * prekeys: nobody can open it, and the device asks to have it again. */
enum status pair_seal_in(struct engine *e, const struct peer *p, const struct sealed_context *context,
                         struct view padded, struct buffer *out) MUST_USE;
enum status pair_blank_in(struct engine *e, const struct peer *p, const struct sealed_context *context, size_t padded_len,
                          struct buffer *out) MUST_USE;
/* pair_open_in: opens, checks content and commitment, and moves the session on; *content borrows from e->plain, until
 * pair_forget. Else *cause says why not, and nothing has changed. */
enum status pair_open_in(struct engine *e, struct now now, const struct peer *p, const struct sealed_context *context,
                         struct view ciphertext, struct content *content, enum report_cause *cause) MUST_USE;
/* pair_retire_in: nothing more is sealed in the sessions with it that there are. */
enum status pair_retire_in(struct engine *e, struct device_id device) MUST_USE;
/* pair_forget: wipes what an opening, or sealing, has left in memory. */
void pair_forget(struct engine *e);

#endif
