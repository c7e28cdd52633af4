/* stamp: the relay's MAC over a commitment that it has accepted (PROTOCOL 10.6). Only storage makes it; together with
 * a franking key, which the relay does not have, it shows later what was sent, and when. */
#ifndef SEALMQ_WIRE_STAMP_H
#define SEALMQ_WIRE_STAMP_H

#include "broker/wire/ids.h"

/* The first key of a list makes stamps; the others stay for those that they have made. */
struct stamp_key {
    uint32_t id;
    uint8_t bytes[32];
};

/* stamp_make: of a commitment accepted at this time, which counts by its hour. */
void stamp_make(const struct stamp_key *key, const struct hash256 *commitment, const struct message_ref *ref,
                uint64_t accepted_ms, struct mac256 *out);

#endif
