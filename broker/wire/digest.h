/* digest: the hashes that every message passes through (PROTOCOL 7.1, 7.3): SHA-256 (FIPS 180-4), and
 * HMAC (RFC 2104) for receipts. Not BLAKE2b as elsewhere: processors have instructions for SHA-256, so
 * that it costs a third here, and every client platform brings it. */
#ifndef SEALMQ_WIRE_DIGEST_H
#define SEALMQ_WIRE_DIGEST_H

#include "broker/wire/ids.h"

/* digest_ciphertext: of one part, as it stands in the claim digest and beside the stored bytes. */
struct hash256 digest_ciphertext(struct view ciphertext);
/* digest_claim: of everything the sender chose: the item's bytes as sent, and its parts' digests. */
struct hash256 digest_claim(struct view item, const struct hash256 *parts, size_t count);

#endif
