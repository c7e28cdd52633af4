/* content: PROTOCOL 10.1 and 10.2. Invariant: what content_read takes, content_write makes again byte for byte. */
#include "clients/seal/content.h"

#include <sodium.h>
#include <string.h>

#ifndef CONTENT_VERSION /* a test builds an app of later years */
#define CONTENT_VERSION 1u
#endif

static const char commitment_label[] = "sealmq commitment 1";

static unsigned log2_floor(uint64_t n)
{
    return 63u - (unsigned)__builtin_clzll(n);
}

size_t content_padded_len(size_t len)
{
    if (len < CONTENT_PADDED_MIN) len = CONTENT_PADDED_MIN;
    unsigned e = log2_floor(len), s = log2_floor(e) + 1;
    size_t mask = ((size_t)1 << (e - s)) - 1;
    return (len + mask) & ~mask;
}

void content_head_write(const struct content *c, uint8_t out[CONTENT_HEAD_LEN])
{
    out[0] = CONTENT_VERSION;
    memcpy(out + 1, c->franking.bytes, 32);
    put_u64(out + 33, c->key_version);
    memcpy(out + 41, c->head.bytes, 32);
    put_u64(out + 73, c->made_ms);
    put_u64(out + 81, c->counter);
    put_u32(out + 89, (uint32_t)c->payload.len);
}

enum status content_head_read(struct view head, struct content *out, size_t *payload_len)
{
    struct reader r = reader_of(head);
    struct content c = {.payload = view_of(NULL, 0)};
    uint8_t version = read_u8(&r);
    read_bytes(&r, c.franking.bytes, sizeof c.franking.bytes);
    c.key_version = read_u64(&r);
    read_bytes(&r, c.head.bytes, sizeof c.head.bytes);
    c.made_ms = read_u64(&r);
    c.counter = read_u64(&r);
    *payload_len = read_u32(&r);
    *out = (struct content){.counter = 0};
    bool good = reader_done(&r) == STATUS_OK && version == CONTENT_VERSION && *payload_len <= CONTENT_PAYLOAD_MAX;
    if (good) *out = c;
    sodium_memzero(&c, sizeof c);
    return good ? STATUS_OK : STATUS_DAMAGED;
}

void content_write(const struct content *c, struct buffer *out)
{
    ENSURE(c->payload.len <= CONTENT_PAYLOAD_MAX);
    size_t len = CONTENT_HEAD_LEN + c->payload.len, padded = content_padded_len(len);
    uint8_t *at = buffer_extend(out, padded);
    content_head_write(c, at);
    if (c->payload.len) memcpy(at + CONTENT_HEAD_LEN, c->payload.at, c->payload.len);
    memset(at + len, 0, padded - len);
}

/* In a time that the bytes do not decide. */
static bool all_zero(struct view v)
{
    return v.len == 0 || sodium_is_zero(v.at, v.len);
}

enum report_cause content_read(struct view padded, struct content *out)
{
    struct content c;
    size_t payload_len;
    *out = (struct content){.counter = 0};
    if (padded.len && padded.at[0] > CONTENT_VERSION) return CAUSE_VERSION;
    if (padded.len < CONTENT_PADDED_MIN ||
        content_head_read(view_of(padded.at, CONTENT_HEAD_LEN), &c, &payload_len) != STATUS_OK)
        return CAUSE_FORM;
    size_t len = CONTENT_HEAD_LEN + payload_len;
    bool good = c.counter && padded.len == content_padded_len(len) &&
                all_zero(view_of(padded.at + len, padded.len - len));
    if (good) {
        *out = c;
        out->payload = view_of(padded.at + CONTENT_HEAD_LEN, payload_len);
    }
    sodium_memzero(&c, sizeof c);
    return good ? CAUSE_NONE : CAUSE_FORM;
}

struct hash256 content_commitment(const struct content *c)
{
    struct hash256 out;
    uint8_t head[CONTENT_HEAD_LEN];
    crypto_auth_hmacsha256_state state;
    content_head_write(c, head);
    crypto_auth_hmacsha256_init(&state, c->franking.bytes, sizeof c->franking.bytes);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)commitment_label, sizeof commitment_label);
    crypto_auth_hmacsha256_update(&state, head, 1);
    crypto_auth_hmacsha256_update(&state, head + 33, sizeof head - 33);
    if (c->payload.len) crypto_auth_hmacsha256_update(&state, c->payload.at, c->payload.len);
    crypto_auth_hmacsha256_final(&state, out.bytes);
    sodium_memzero(&state, sizeof state);
    sodium_memzero(head, sizeof head);
    return out;
}
