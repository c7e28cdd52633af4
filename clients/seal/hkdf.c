/* hkdf: RFC 5869, section 2. */
#include "clients/seal/hkdf.h"

#include "broker/wire/bytes.h"

#include <sodium.h>
#include <string.h>

#define HASH_LEN crypto_auth_hmacsha256_BYTES

void hkdf(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len, const char *info,
          size_t info_len, uint8_t *out, size_t out_len)
{
    crypto_auth_hmacsha256_state state;
    uint8_t prk[HASH_LEN], block[HASH_LEN];
    ENSURE(out_len <= HKDF_OUT_MAX);
    crypto_auth_hmacsha256_init(&state, salt, salt_len);
    crypto_auth_hmacsha256_update(&state, ikm, ikm_len);
    crypto_auth_hmacsha256_final(&state, prk);
    uint8_t counter = 1;
    for (size_t done = 0; done < out_len; done += HASH_LEN, counter++) {
        size_t len = out_len - done < HASH_LEN ? out_len - done : HASH_LEN;
        crypto_auth_hmacsha256_init(&state, prk, sizeof prk);
        if (done) crypto_auth_hmacsha256_update(&state, block, sizeof block);
        crypto_auth_hmacsha256_update(&state, (const uint8_t *)info, info_len);
        crypto_auth_hmacsha256_update(&state, &counter, 1);
        crypto_auth_hmacsha256_final(&state, block);
        memcpy(out + done, block, len);
    }
    sodium_memzero(&state, sizeof state);
    sodium_memzero(prk, sizeof prk);
    sodium_memzero(block, sizeof block);
}
