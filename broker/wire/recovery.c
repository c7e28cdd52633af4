/* recovery: one signature over (label NUL, account, transport, made_ms). The connection's key is in it, so that whoever
 * sees a proof cannot use it: it would take the secret of that connection. */
#include "broker/wire/recovery.h"

#include <sodium.h>
#include <string.h>

static const char label[] = "sealmq recovery lookup 1";

#define TEXT_LEN (sizeof label + 32 + 32 + 8)

static void proof_bytes(struct account_id account, const struct transport_pk *transport, uint64_t made_ms,
                        uint8_t out[TEXT_LEN])
{
    memcpy(out, label, sizeof label);
    memcpy(out + sizeof label, account.bytes, 32);
    memcpy(out + sizeof label + 32, transport->bytes, 32);
    put_u64(out + sizeof label + 64, made_ms);
}

void recovery_prove(struct account_id account, const struct transport_pk *transport, uint64_t made_ms,
                    const uint8_t recovery_sk[64], struct msg_recovery_proof *out)
{
    uint8_t text[TEXT_LEN];
    proof_bytes(account, transport, made_ms, text);
    out->made_ms = made_ms;
    crypto_sign_detached(out->signature.bytes, NULL, text, sizeof text, recovery_sk);
}

bool recovery_proven(struct account_id account, const struct transport_pk *transport,
                     const struct msg_recovery_proof *proof, const struct signing_pk *recovery)
{
    uint8_t text[TEXT_LEN];
    proof_bytes(account, transport, proof->made_ms, text);
    return crypto_sign_verify_detached(proof->signature.bytes, text, sizeof text, recovery->bytes) == 0;
}
