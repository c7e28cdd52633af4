/* identity: signed entries, and the first one, from which account and device ids follow (PROTOCOL 6). What later
 * ones mean is in identity_log.h. */
#ifndef SEALMQ_WIRE_IDENTITY_H
#define SEALMQ_WIRE_IDENTITY_H

#include "broker/wire/messages.h"

#define ENTRY_CREATE 1u

/* What a valid first entry says. */
struct founding {
    struct account_id account;
    struct device_id device;
    struct msg_device_record record;
    struct hash256 head; /* the entry's hash; the account id has the same bytes */
    bool has_recovery;
    struct signing_pk recovery;
};

/* device_id_of: the first 16 bytes of BLAKE2b-256("sealmq device 1", account, signing key). */
struct device_id device_id_of(struct account_id account, const struct signing_pk *signing);

/* entry_open: decodes an encoded msg_entry and its body, which borrow from it and from the arena. Both must be the
 * one encoding of their known fields: what is signed says nothing that its reader does not understand, and nothing
 * unsigned may vary. OK, BAD_ENTRY, MALFORMED, TOO_LARGE; outputs zero after a failure. */
enum status entry_open(struct view entry, struct arena *a, struct msg_entry *e,
                       struct msg_entry_body *body) MUST_USE;
/* entry_signed_by: whether the signature over the body is this key's. */
bool entry_signed_by(const struct msg_entry *e, const struct signing_pk *pk);
/* entry_make: writes the encoded msg_entry of this body, signed. signing_sk: libsodium's 64-byte Ed25519 secret key. */
void entry_make(const struct msg_entry_body *body, const uint8_t signing_sk[64], struct buffer *out);

/* founding_check: decodes an encoded msg_entry, verifies signature and content. The entry must be the
 * one encoding of its two fields: nothing unsigned may vary, for its hash is the account's name.
 * OK, BAD_ENTRY (signature, content or encoding), MALFORMED, TOO_LARGE; *out zero after a failure. */
enum status founding_check(struct view entry, struct arena *a, struct founding *out) MUST_USE;

/* founding_make: writes an encoded msg_entry for a new account with one device. signing_sk is
 * libsodium's 64-byte Ed25519 secret key; salt is 16 random bytes. */
void founding_make(const struct msg_device_record *record, const uint8_t signing_sk[64],
                   uint64_t made_ms, const uint8_t salt[16], struct buffer *out);

/* handle_check: OK for 1..64 bytes of valid UTF-8 without control characters, spaces of any kind,
 * invisible or direction-changing characters, or '/'; else MALFORMED. */
enum status handle_check(struct view handle) MUST_USE;
/* device_name_check: OK for 1..64 bytes of words that could be handles, with one plain space between two; MALFORMED. */
enum status device_name_check(struct view name) MUST_USE;

/* handle_sign / handle_verify: the claim's signature over ("sealmq handle 1" NUL, account, handle). */
void handle_sign(struct account_id account, struct view handle, const uint8_t signing_sk[64],
                 struct signature *out);
enum status handle_verify(struct account_id account, struct view handle,
                          const struct signing_pk *pk, const struct signature *sig) MUST_USE;

/* handle_proven: whether FOUND says with proof that the handle points to its account: the claim is signed by the key
 * that founded the account. */
bool handle_proven(const struct msg_found *found, struct view handle, struct arena *a);

#endif
