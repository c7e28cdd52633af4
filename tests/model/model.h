/* model: PROTOCOL 10.1 to 10.6 a second time, written from the text and from the specifications it names (X3DH, Double
 * Ratchet, RFC 2104, 5869, 7748, draft-irtf-cfrg-xchacha), on OpenSSL where the clients use libsodium, and sharing no
 * line with them. For tests only: it wipes nothing and allocates freely. All randomness is an argument. Where the text
 * leaves something open, the reading that was chosen stands beside the code as "Reading:". */
#ifndef SEALMQ_TESTS_MODEL_H
#define SEALMQ_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_NONCE_LEN   24u
#define MODEL_TAG_LEN     16u
#define MODEL_CONTENT_LEN 93u /* a content without its payload */
#define MODEL_HEADER_LEN  42u
#define MODEL_START_LEN   81u
#define MODEL_BINDING_LEN 273u
#define MODEL_FAR         1000u /* keys kept for one message */
#define MODEL_KEPT        2000u /* and in a session */

/* The causes of 10.7, by their numbers; 0 = it is good. */
enum model_cause {
    MODEL_GOOD = 0,
    MODEL_VERSION = 1,
    MODEL_FORM = 3,
    MODEL_SENDER = 4,
    MODEL_SESSION = 5,
    MODEL_PREKEY = 6,
    MODEL_REPLAY = 7,
    MODEL_FAR_AHEAD = 8,
    MODEL_AUTHENTICATION = 9,
    MODEL_COMMITMENT = 10
};

/* Bytes on the heap that grow; zero-initialise, end with model_bytes_free. */
struct model_bytes {
    uint8_t *at;
    size_t len;
    size_t cap;
};
void model_add(struct model_bytes *b, const void *at, size_t len);
void model_add_u(struct model_bytes *b, uint64_t value, size_t len); /* big-endian in len bytes */
void model_add_zeros(struct model_bytes *b, size_t len);
void model_add_label(struct model_bytes *b, const char *label); /* with its zero byte */
void model_bytes_free(struct model_bytes *b);
uint64_t model_u(const uint8_t *at, size_t len);

/* ---- primitives (crypto.c) ---- */
void model_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t out[32]);
void model_hkdf(const uint8_t *salt, size_t salt_len, const uint8_t *material, size_t material_len,
                const uint8_t *info, size_t info_len, uint8_t *out, size_t len);
void model_public(const uint8_t secret[32], uint8_t public[32]);
/* model_dh: false = the result is all zeros. */
bool model_dh(const uint8_t secret[32], const uint8_t public[32], uint8_t out[32]);
void model_hchacha20(const uint8_t key[32], const uint8_t nonce[16], uint8_t out[32]);
/* model_box: XChaCha20-Poly1305, appended to out. model_unbox: false = does not open; out is as it was. */
void model_box(const uint8_t key[32], const uint8_t nonce[24], const struct model_bytes *associated,
               const uint8_t *plain, size_t len, struct model_bytes *out);
bool model_unbox(const uint8_t key[32], const uint8_t nonce[24], const struct model_bytes *associated,
                 const uint8_t *box, size_t len, struct model_bytes *out);

/* ---- content (content.c; 10.1, 10.2, 10.6) ---- */
struct model_content {
    uint8_t franking[32];
    uint64_t key_version;
    uint8_t head[32];
    uint64_t made_ms;
    uint64_t counter;
    const uint8_t *payload; /* borrowed: from the caller, or from what was read */
    uint32_t payload_len;
};
uint64_t model_padme(uint64_t len);
void model_content_write(const struct model_content *c, struct model_bytes *out);
void model_pad(struct model_bytes *content); /* content becomes padded content */
void model_commitment(const uint8_t *content, size_t len, uint8_t out[32]);
/* model_content_read: of a padded content; MODEL_VERSION or MODEL_FORM when it is none. len gets the content's
 * length without its padding. */
enum model_cause model_content_read(const uint8_t *padded, size_t padded_len, struct model_content *out, size_t *len);
/* model_payload_check: what 10.9 asks of the payload of a content with a good commitment; MODEL_VERSION or MODEL_FORM. */
struct model_context;
enum model_cause model_payload_check(const struct model_context *c, const struct model_content *content);
struct model_stamped {
    uint32_t key_id;
    uint8_t commitment[32], sender_device[16], target[32], id[16];
    uint64_t accepted_ms;
};
void model_stamp(const uint8_t key[32], const struct model_stamped *of, uint8_t out[32]);

/* ---- beginning a session (x3dh.c; 10.3) ---- */
struct model_device {
    uint8_t account[32], device[16], identity[32];
};
struct model_prekeys {
    uint64_t signed_id;
    uint8_t signed_key[32];
    uint8_t kind; /* of the other: 0 none, 1 one-time, 2 last resort */
    uint64_t other_id;
    uint8_t other_key[32];
};
void model_binding(const struct model_device *initiator, const struct model_device *responder, const uint8_t e[32],
                   const struct model_prekeys *prekeys, uint8_t out[MODEL_BINDING_LEN]);
/* Both sides: false = a DH result was all zeros. other_secret is NULL where there is no X. */
bool model_secret_initiator(const uint8_t identity_secret[32], const uint8_t e_secret[32],
                            const struct model_device *responder, const struct model_prekeys *prekeys,
                            const uint8_t binding[MODEL_BINDING_LEN], uint8_t out[32]);
bool model_secret_responder(const uint8_t identity_secret[32], const uint8_t signed_secret[32],
                            const uint8_t *other_secret, const struct model_device *initiator, const uint8_t e[32],
                            const uint8_t binding[MODEL_BINDING_LEN], uint8_t out[32]);

/* ---- the ratchet (ratchet.c; 10.4) ---- */
struct model_kept {
    uint8_t ratchet[32];
    uint32_t number;
    uint8_t key[32];
};
struct model_ratchet {
    uint8_t root[32];
    uint8_t own_secret[32], own[32];
    uint8_t peer[32];       /* the ratchet key of the receiving chain; */
    bool has_receiving;     /* false: nothing was received yet, and there is no such chain */
    bool has_sending;
    uint8_t receiving[32], sending[32];
    uint32_t receive_number, send_number, previous;
    size_t kept_count;
    struct model_kept kept[MODEL_KEPT]; /* in the order in which they were kept; last: see model_ratchet_copy */
};
void model_ratchet_copy(struct model_ratchet *to, const struct model_ratchet *from);
bool model_ratchet_equal(const struct model_ratchet *a, const struct model_ratchet *b);
bool model_ratchet_initiate(struct model_ratchet *r, const uint8_t secret[32], const uint8_t a_secret[32],
                            const uint8_t s[32]);
void model_ratchet_respond(struct model_ratchet *r, const uint8_t secret[32], const uint8_t s_secret[32]);
/* model_ratchet_send: the message key of the next message, whose header has (own, previous, *number). */
void model_ratchet_send(struct model_ratchet *r, uint32_t *number, uint8_t message_key[32]);
/* model_ratchet_receive: the message key for such a header. On anything but MODEL_GOOD, and where what follows fails,
 * the caller throws r away. fresh_secret becomes the own ratchet key if one is needed. */
enum model_cause model_ratchet_receive(struct model_ratchet *r, const uint8_t ratchet[32], uint32_t previous,
                                       uint32_t number, const uint8_t fresh_secret[32], uint8_t message_key[32]);

/* ---- sealed messages (sealed.c; 10.5) ---- */
struct model_start {
    uint8_t e[32], identity[32];
    uint64_t signed_id;
    uint8_t kind;
    uint64_t other_id;
};
struct model_header {
    bool begins;
    uint8_t ratchet[32];
    uint32_t previous, number;
    struct model_start start;
};
/* What surrounds a message; the header stands in it as bytes. */
struct model_context {
    uint8_t id[16], target[32];
    struct model_device from, to; /* their identity keys are not in the associated data */
    uint8_t commitment[32];
};
struct model_session {
    bool begins; /* its messages have the start */
    struct model_start start;
    struct model_ratchet ratchet;
};
void model_header_write(const struct model_header *h, struct model_bytes *out);
/* model_header_read: MODEL_FORM, or how long the header was. */
enum model_cause model_header_read(const uint8_t *at, size_t len, struct model_header *out, size_t *header_len);
void model_associated(const struct model_context *c, const uint8_t *header, size_t header_len,
                      struct model_bytes *out);
void model_message_key(const uint8_t ratchet_message_key[32], uint8_t out[32]);

/* model_initiate: a session of ours with the device `to`; false = a DH result was all zeros. */
bool model_initiate(struct model_session *s, const struct model_device *from, const uint8_t identity_secret[32],
                    const struct model_device *to, const struct model_prekeys *prekeys, const uint8_t e_secret[32],
                    const uint8_t a_secret[32]);
/* model_respond: the session that a start begins; other_secret NULL = no X. MODEL_SENDER where the start's identity
 * key is not from's, MODEL_AUTHENTICATION where a DH result is all zeros. */
enum model_cause model_respond(struct model_session *s, const struct model_start *start,
                               const struct model_device *from, const struct model_device *to,
                               const uint8_t identity_secret[32], const uint8_t signed_secret[32],
                               const uint8_t *other_secret);
/* model_seal: appends the ciphertext of a padded content to out. */
void model_seal(struct model_session *s, const struct model_context *context, const struct model_bytes *padded,
                const uint8_t nonce[24], struct model_bytes *out);
/* model_open: appends the padded content to out; on anything but MODEL_GOOD s and out are as they were. The version of
 * the content, its padding and its commitment are part of it. */
enum model_cause model_open(struct model_session *s, const struct model_context *context, const uint8_t *ciphertext,
                            size_t len, const uint8_t fresh_secret[32], struct model_bytes *out);

#endif
