/* body: what the messages say. Every body has its number, and behind it a slice of one random pool
 * from a place that follows from the number: so it is written with one copy and compared whole with
 * one memcmp, and any two bodies differ. */
#ifndef SEALMQ_LOAD_BODY_H
#define SEALMQ_LOAD_BODY_H

#include "broker/wire/bytes.h"
#include "broker/wire/limits.h"

#define BODY_LEN_MIN 16u
#define POOL_PLACES  65536u
#define POOL_LEN     (POOL_PLACES + PAYLOAD_LEN_MAX)

/* Filled with random bytes by the caller, once, before anything is written. */
struct pool {
    uint8_t bytes[POOL_LEN];
};

/* body_write: len bytes (BODY_LEN_MIN..PAYLOAD_LEN_MAX) of message `number` to at. */
void body_write(const struct pool *p, uint64_t number, uint8_t *at, size_t len);
/* body_number: the number that a body claims to have. False: too short, or damaged in its first 16
 * bytes. */
bool body_number(struct view body, uint64_t *number) MUST_USE;
/* body_check: every byte is that of message `number`, and there are exactly len. */
bool body_check(const struct pool *p, uint64_t number, size_t len, struct view body) MUST_USE;

#endif
