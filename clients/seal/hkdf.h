/* hkdf: HKDF-SHA-256 (RFC 5869) over libsodium's streaming HMAC. */
#ifndef SEALMQ_CLIENTS_SEAL_HKDF_H
#define SEALMQ_CLIENTS_SEAL_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define HKDF_OUT_MAX (255u * 32u)

/* hkdf: extract and expand: out_len bytes, at most HKDF_OUT_MAX (ENSURE). out may be salt or ikm; nothing is
 * NULL, also where its length is 0. */
void hkdf(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len, const char *info,
          size_t info_len, uint8_t *out, size_t out_len);

#endif
