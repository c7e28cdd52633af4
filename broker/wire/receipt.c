/* receipt: keyed BLAKE2b-256 over the fields in the order of PROTOCOL 7.3. */
#include "broker/wire/receipt.h"

#include <sodium.h>
#include <string.h>

static const char label[] = "sealmq receipt 1";

static void receipt_mac(const struct receipt_key *key, const struct msg_receipt *r,
                        const struct message_ref *ref, const struct hash256 *digest,
                        struct mac256 *out)
{
    uint8_t numbers[8 + 4 + 8];
    crypto_generichash_state state;
    put_u64(numbers, r->commit);
    put_u32(numbers + 8, key->id);
    put_u64(numbers + 12, r->accepted_ms);
    crypto_generichash_init(&state, key->bytes, sizeof key->bytes, sizeof out->bytes);
    crypto_generichash_update(&state, (const uint8_t *)label, sizeof label);
    crypto_generichash_update(&state, r->store.bytes, sizeof r->store.bytes);
    crypto_generichash_update(&state, r->term.bytes, sizeof r->term.bytes);
    crypto_generichash_update(&state, numbers, sizeof numbers);
    crypto_generichash_update(&state, ref->sender.bytes, sizeof ref->sender.bytes);
    crypto_generichash_update(&state, ref->target.bytes, sizeof ref->target.bytes);
    crypto_generichash_update(&state, ref->id.bytes, sizeof ref->id.bytes);
    crypto_generichash_update(&state, digest->bytes, sizeof digest->bytes);
    crypto_generichash_final(&state, out->bytes, sizeof out->bytes);
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
