/* session: one session between two devices, over x3dh, ratchet and sealed (PROTOCOL 10.3 to 10.5): a value that goes
 * in and comes out. Which session of a pair is used, and where they are kept, is clients/pair.c's matter. Secret as a
 * whole: sodium_malloc memory. */
#ifndef SEALMQ_CLIENTS_SEAL_SESSION_H
#define SEALMQ_CLIENTS_SEAL_SESSION_H

#include "clients/seal/sealed.h"

struct session {
    struct ratchet ratchet;
    struct x3dh_side own, theirs;
    bool initiator;           /* we began it */
    bool answered;            /* something was opened in it: no start is sent any more */
    struct sealed_start start; /* with which it began */
};

#define SESSION_LEN (RATCHET_LEN + 2u * X3DH_SIDE_LEN + 1 + SEALED_START_LEN)

/* A bundle of the relay's, whose signatures were verified (PROTOCOL 6.4). */
struct session_bundle {
    uint64_t prekey_id;
    struct prekey_pk prekey;
    enum extra_kind extra_kind;
    uint64_t extra_id;
    struct prekey_pk extra;
};

/* session_begin: as the initiator. false: a key of theirs is of small order; *s is zero then. */
bool session_begin(struct session *s, const struct x3dh_side *own, const uint8_t identity_sk[32],
                   const struct x3dh_side *theirs, const struct session_bundle *bundle,
                   const struct random_source *random) MUST_USE;

/* session_accept: as the responder of the start in a header; `theirs` as the log has it, bundle and secrets as the start
 * names them (extra_sk NULL for EXTRA_NONE). The session is to be kept only if the message opens in it. CAUSE_NONE;
 * CAUSE_SENDER (the start names another identity key than theirs), CAUSE_AUTHENTICATION (a key of small order): *s is
 * zero then. */
enum report_cause session_accept(struct session *s, const struct x3dh_side *own, const uint8_t identity_sk[32],
                                 const struct x3dh_side *theirs, const struct sealed_start *start,
                                 const struct session_bundle *bundle, const uint8_t prekey_sk[32],
                                 const uint8_t extra_sk[32]) MUST_USE;

/* session_seal: appends the ciphertext. STATE as ratchet_send: nothing is appended then, *s is as it was. */
enum status session_seal(struct session *s, const struct sealed_context *context, struct view padded,
                         const struct random_source *random, struct buffer *out) MUST_USE;

/* session_open: `kept` is the key kept for exactly this place (the caller drops it when this succeeds), or NULL. On
 * CAUSE_NONE the padded content is appended (for the caller to wipe), *s has moved on and *fresh has the keys to keep;
 * else nothing has changed: CAUSE_REPLAY, CAUSE_FAR, CAUSE_FORM, CAUSE_AUTHENTICATION. */
enum report_cause session_open(struct session *s, const struct sealed_header *header,
                               const struct sealed_context *context, struct view ciphertext,
                               const struct message_sk *kept, const struct random_source *random,
                               struct skipped_list *fresh, struct buffer *padded) MUST_USE;

/* As bytes, for the local state. session_read: DAMAGED with *out zero. */
void session_write(const struct session *s, uint8_t out[SESSION_LEN]);
enum status session_read(struct view bytes, struct session *out) MUST_USE;

#endif
