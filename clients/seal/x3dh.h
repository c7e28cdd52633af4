/* x3dh: the secret with which a session begins (PROTOCOL 10.3; Marlinspike and Perrin, The X3DH Key Agreement
 * Protocol, rev. 1). Both sides give the same public values and each its own secrets. That prekeys are signed is for
 * the caller to verify (broker/wire/prekey.h). */
#ifndef SEALMQ_CLIENTS_SEAL_X3DH_H
#define SEALMQ_CLIENTS_SEAL_X3DH_H

#include "broker/wire/ids.h"
#include "broker/wire/messages.h"

/* The prekey besides the current one. Stored and sent: numbers never change meaning. */
enum extra_kind { EXTRA_NONE = 0, EXTRA_ONE_TIME = 1, EXTRA_LAST_RESORT = 2 };

struct x3dh_side {
    struct account_id account;
    struct device_id device;
    struct identity_pk identity;
};

/* x3dh_side_write: X3DH_SIDE_LEN bytes: account, device, identity key; the place behind them. */
#define X3DH_SIDE_LEN (32u + 16 + 32)
uint8_t *x3dh_side_write(const struct x3dh_side *side, uint8_t *at);

/* What the secret is bound to. */
struct x3dh_public {
    struct x3dh_side initiator, responder;
    struct prekey_pk ephemeral; /* the initiator's, made for this session */
    uint64_t prekey_id;         /* the responder's current prekey */
    struct prekey_pk prekey;
    enum extra_kind extra_kind;
    uint64_t extra_id;          /* with the key all zero for EXTRA_NONE */
    struct prekey_pk extra;
};

struct session_secret { uint8_t bytes[32]; };

/* x3dh_initiate: with the secrets of the initiator's identity key and of `ephemeral`. x3dh_respond: with those of the
 * responder's identity key, of `prekey`, and of `extra` (ignored for EXTRA_NONE). All are X25519 secrets of 32 bytes.
 * false: a public key of the other side is of small order; *out is zero then. */
bool x3dh_initiate(const struct x3dh_public *p, const uint8_t identity_sk[32], const uint8_t ephemeral_sk[32],
                   struct session_secret *out) MUST_USE;
bool x3dh_respond(const struct x3dh_public *p, const uint8_t identity_sk[32], const uint8_t prekey_sk[32],
                  const uint8_t extra_sk[32], struct session_secret *out) MUST_USE;

#endif
