/* sealed: the bytes of a sealed message: header, nonce, box (PROTOCOL 10.5). The key comes from the ratchet. */
#ifndef SEALMQ_CLIENTS_SEAL_SEALED_H
#define SEALMQ_CLIENTS_SEAL_SEALED_H

#include "clients/seal/ratchet.h"

#define SEALED_MARK           0x02u
#define SEALED_HEADER_LEN     42u  /* without a start */
#define SEALED_START_LEN      81u
#define SEALED_HEADER_LEN_MAX (SEALED_HEADER_LEN + SEALED_START_LEN)
#define SEALED_NONCE_LEN      24u
#define SEALED_OVERHEAD_MAX   (SEALED_HEADER_LEN_MAX + SEALED_NONCE_LEN + 16u)

/* Who reads this can begin the session. */
struct sealed_start {
    struct prekey_pk ephemeral;
    struct identity_pk initiator;
    uint64_t prekey_id;
    enum extra_kind extra_kind;
    uint64_t extra_id;
};

struct sealed_header {
    struct ratchet_place place;
    bool starts;
    struct sealed_start start; /* where it starts; else all zero */
};

/* What is authenticated besides the header. */
struct sealed_context {
    struct message_id id;
    struct target_id target;
    struct account_id sender_account, recipient_account;
    struct device_id sender_device, recipient_device;
    struct hash256 commitment;
};

/* sealed_header_read: *body is what follows the header. CAUSE_NONE; CAUSE_FORM (too short, not sealed, an unknown
 * kind of prekey), CAUSE_VERSION (flags of a later version); outputs are zero then. */
enum report_cause sealed_header_read(struct view ciphertext, struct sealed_header *out, struct view *body) MUST_USE;

/* sealed_write: appends the whole ciphertext of these padded content bytes; the nonce is random. */
void sealed_write(struct buffer *out, const struct sealed_header *header, const struct sealed_context *context,
                  const struct message_sk *key, const struct random_source *random, struct view padded);

/* sealed_open: appends the padded content, for the caller to wipe. CAUSE_NONE; CAUSE_FORM (too short),
 * CAUSE_AUTHENTICATION: nothing is appended. */
enum report_cause sealed_open(struct view ciphertext, const struct sealed_context *context,
                              const struct message_sk *key, struct buffer *padded) MUST_USE;

#endif
