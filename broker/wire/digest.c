/* digest: SHA-256 by Nettle, which takes the processor's own instructions where there are some. Each
 * use has a label of its own, with its NUL, in front. */
#include "broker/wire/digest.h"

#include <nettle/sha2.h>

_Static_assert(SHA256_DIGEST_SIZE == sizeof(struct hash256), "a digest is a hash256");

struct hash256 digest_ciphertext(struct view ciphertext)
{
    static const uint8_t label[] = "sealmq ciphertext 1";
    struct sha256_ctx state;
    struct hash256 out;
    sha256_init(&state);
    sha256_update(&state, sizeof label, label);
    sha256_update(&state, ciphertext.len, ciphertext.at);
    sha256_digest(&state, sizeof out.bytes, out.bytes);
    return out;
}

struct hash256 digest_claim(struct view item, const struct hash256 *parts, size_t count)
{
    static const uint8_t label[] = "sealmq claim 1";
    struct sha256_ctx state;
    struct hash256 out;
    sha256_init(&state);
    sha256_update(&state, sizeof label, label);
    sha256_update(&state, item.len, item.at);
    for (size_t i = 0; i < count; i++)
        sha256_update(&state, sizeof parts[i].bytes, parts[i].bytes);
    sha256_digest(&state, sizeof out.bytes, out.bytes);
    return out;
}
