/* prekey: a device's signed prekeys (PROTOCOL 6.4): made by the device, verified by the relay and by
 * whoever starts a session with it. Knows no store and no session; one-time prekeys are not signed and
 * not its matter. */
#ifndef SEALMQ_WIRE_PREKEY_H
#define SEALMQ_WIRE_PREKEY_H

#include "broker/wire/messages.h"

/* prekey_open: decodes an encoded msg_signed_prekey and its body, which borrow from it and from the
 * arena. Both must be the one encoding of their known fields, the id not 0, the key of no small order;
 * the signature is not looked at. OK, BAD_ENTRY, MALFORMED, TOO_LARGE; outputs zero after a failure. */
enum status prekey_open(struct view prekey, struct arena *a, struct msg_signed_prekey *p,
                        struct msg_prekey_body *body) MUST_USE;

/* prekey_signed_by: whether the signature is this key's: over ("sealmq prekey 1" NUL, account, body). */
bool prekey_signed_by(struct account_id account, const struct msg_signed_prekey *p,
                      const struct signing_pk *pk);

/* prekey_make: writes the encoded msg_signed_prekey of this body. signing_sk: libsodium's 64-byte
 * Ed25519 secret key of body->device. */
void prekey_make(struct account_id account, const struct msg_prekey_body *body,
                 const uint8_t signing_sk[64], struct buffer *out);

#endif
