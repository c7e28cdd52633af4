/* receipt: the relay's MAC over an acceptance (PROTOCOL 7.3). Only storage makes and checks it. */
#ifndef SEALMQ_WIRE_RECEIPT_H
#define SEALMQ_WIRE_RECEIPT_H

#include "broker/wire/messages.h"

/* The first key of a list signs; all of them verify. */
struct receipt_key {
    uint32_t id;
    uint8_t bytes[32];
};

/* receipt_sign: fills key_id and mac of a receipt whose other fields are set. */
void receipt_sign(const struct receipt_key *key, struct msg_receipt *receipt,
                  const struct message_ref *ref, const struct hash256 *digest);
/* receipt_verify: OK, or REFUSED (unknown key or wrong MAC). */
enum status receipt_verify(const struct receipt_key *keys, size_t count,
                           const struct msg_receipt *receipt, const struct message_ref *ref,
                           const struct hash256 *digest) MUST_USE;

#endif
