/* digest: SHA-256 by Nettle, which takes the processor's own instructions where there are some. Each
 * use has a label of its own, with its NUL, in front. */
#include "broker/wire/digest.h"

#include <nettle/sha2.h>

_Static_assert(SHA256_DIGEST_SIZE == sizeof(struct hash256), "a digest is a hash256");

static void update(struct sha256_ctx *state, struct view bytes)
{
    sha256_update(state, bytes.len, bytes.at);
}

static struct sha256_ctx begin(struct view label)
{
    struct sha256_ctx state;
    sha256_init(&state);
    update(&state, label);
    return state;
}

static struct hash256 end(struct sha256_ctx *state)
{
    struct hash256 out;
    sha256_digest(state, sizeof out.bytes, out.bytes);
    return out;
}

struct hash256 digest_ciphertext(struct view ciphertext)
{
    static const char label[] = "sealmq ciphertext 1";
    struct sha256_ctx state = begin(view_of(label, sizeof label));
    update(&state, ciphertext);
    return end(&state);
}

struct hash256 digest_claim(struct view item, const struct hash256 *parts, size_t count)
{
    static const char label[] = "sealmq claim 1";
    struct sha256_ctx state = begin(view_of(label, sizeof label));
    update(&state, item);
    for (size_t i = 0; i < count; i++)
        update(&state, view_of(parts[i].bytes, sizeof parts[i].bytes));
    return end(&state);
}
