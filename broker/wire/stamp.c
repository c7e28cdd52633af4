/* stamp: HMAC-SHA-256 over the fields in the order of PROTOCOL 10.6. */
#include "broker/wire/stamp.h"

#include <nettle/hmac.h>
#include <sodium.h>

#define HOUR_MS (3600u * 1000u)

static const char label[] = "sealmq stamp 1";

void stamp_make(const struct stamp_key *key, const struct hash256 *commitment, const struct message_ref *ref,
                uint64_t accepted_ms, struct mac256 *out)
{
    uint8_t id[4], hour[8];
    struct hmac_sha256_ctx state;
    put_u32(id, key->id);
    put_u64(hour, accepted_ms / HOUR_MS);
    hmac_sha256_set_key(&state, sizeof key->bytes, key->bytes);
    hmac_sha256_update(&state, sizeof label, (const uint8_t *)label);
    hmac_sha256_update(&state, sizeof id, id);
    hmac_sha256_update(&state, sizeof commitment->bytes, commitment->bytes);
    hmac_sha256_update(&state, sizeof ref->sender.bytes, ref->sender.bytes);
    hmac_sha256_update(&state, sizeof ref->target.bytes, ref->target.bytes);
    hmac_sha256_update(&state, sizeof ref->id.bytes, ref->id.bytes);
    hmac_sha256_update(&state, sizeof hour, hour);
    hmac_sha256_digest(&state, sizeof out->bytes, out->bytes);
    sodium_memzero(&state, sizeof state);
}
