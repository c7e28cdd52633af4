/* receipt: HMAC-SHA-256 over the fields in the order of PROTOCOL 7.3. */
#include "broker/wire/receipt.h"

#include <nettle/hmac.h>
#include <sodium.h>
#include <string.h>

static const char label[] = "sealmq receipt 1";

static void receipt_mac(const struct receipt_key *key, const struct msg_receipt *r,
                        const struct message_ref *ref, const struct hash256 *digest,
                        struct mac256 *out)
{
    uint8_t numbers[8 + 4 + 8];
    struct hmac_sha256_ctx state;
    put_u64(numbers, r->commit);
    put_u32(numbers + 8, key->id);
    put_u64(numbers + 12, r->accepted_ms);
    hmac_sha256_set_key(&state, sizeof key->bytes, key->bytes);
    hmac_sha256_update(&state, sizeof label, (const uint8_t *)label);
    hmac_sha256_update(&state, sizeof r->store.bytes, r->store.bytes);
    hmac_sha256_update(&state, sizeof r->term.bytes, r->term.bytes);
    hmac_sha256_update(&state, sizeof numbers, numbers);
    hmac_sha256_update(&state, sizeof ref->sender.bytes, ref->sender.bytes);
    hmac_sha256_update(&state, sizeof ref->target.bytes, ref->target.bytes);
    hmac_sha256_update(&state, sizeof ref->id.bytes, ref->id.bytes);
    hmac_sha256_update(&state, sizeof digest->bytes, digest->bytes);
    hmac_sha256_digest(&state, sizeof out->bytes, out->bytes);
    sodium_memzero(&state, sizeof state);
}

void receipt_sign(const struct receipt_key *key, struct msg_receipt *receipt,
                  const struct message_ref *ref, const struct hash256 *digest)
{
    receipt->key_id = key->id;
    receipt_mac(key, receipt, ref, digest, &receipt->mac);
}

enum status receipt_verify(const struct receipt_key *keys, size_t count,
                           const struct msg_receipt *receipt, const struct message_ref *ref,
                           const struct hash256 *digest)
{
    for (size_t i = 0; i < count; i++) {
        struct mac256 mac;
        if (keys[i].id != receipt->key_id) continue;
        receipt_mac(&keys[i], receipt, ref, digest, &mac);
        return sodium_memcmp(mac.bytes, receipt->mac.bytes, sizeof mac.bytes) == 0
                   ? STATUS_OK
                   : STATUS_REFUSED;
    }
    return STATUS_REFUSED;
}
