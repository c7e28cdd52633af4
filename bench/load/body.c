/* body: writing and complete checking of payloads. The number stands twice, once disguised, so that
 * a body which names another message's number is told apart from that message. */
#include "bench/load/body.h"

#include <string.h>

#define DISGUISE 0x5ea15ea15ea15ea1u

static const uint8_t *slice(const struct pool *p, uint64_t number)
{
    return p->bytes + number * 0x9e3779b97f4a7c15u % POOL_PLACES;
}

void body_write(const struct pool *p, uint64_t number, uint8_t *at, size_t len)
{
    ENSURE(len >= BODY_LEN_MIN && len <= PAYLOAD_LEN_MAX);
    put_u64(at, number);
    put_u64(at + 8, number ^ DISGUISE);
    memcpy(at + BODY_LEN_MIN, slice(p, number), len - BODY_LEN_MIN);
}

bool body_number(struct view body, uint64_t *number)
{
    *number = 0;
    if (body.len < BODY_LEN_MIN || get_u64(body.at + 8) != (get_u64(body.at) ^ DISGUISE))
        return false;
    *number = get_u64(body.at);
    return true;
}

bool body_check(const struct pool *p, uint64_t number, size_t len, struct view body)
{
    uint64_t said;
    return body.len == len && body_number(body, &said) && said == number &&
           memcmp(body.at + BODY_LEN_MIN, slice(p, number), len - BODY_LEN_MIN) == 0;
}
