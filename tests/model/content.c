/* PROTOCOL 10.1, 10.2 and 10.6: what is sealed, how it is padded, what it is committed to, and the relay's stamp. */
#include "tests/model/model.h"

#include <string.h>

#define FLOOR       512u
#define PAYLOAD_MAX (256u * 1024u) /* PROTOCOL 9 */
#define PREFIX      33u            /* PROTOCOL 10.9 */

static unsigned floor_log2(uint64_t n)
{
    unsigned log = 0;
    while (n >>= 1)
        log++;
    return log;
}

uint64_t model_padme(uint64_t n)
{
    unsigned e = floor_log2(n), s = floor_log2(e) + 1;
    uint64_t m = (1ull << (e - s)) - 1;
    return (n + m) & ~m;
}

static uint64_t padded_len(uint64_t len)
{
    return model_padme(len > FLOOR ? len : FLOOR);
}

void model_content_write(const struct model_content *c, struct model_bytes *out)
{
    model_add_u(out, 1, 1);
    model_add(out, c->franking, 32);
    model_add_u(out, c->key_version, 8);
    model_add(out, c->head, 32);
    model_add_u(out, c->made_ms, 8);
    model_add_u(out, c->counter, 8);
    model_add_u(out, c->payload_len, 4);
    model_add(out, c->payload, c->payload_len);
}

void model_pad(struct model_bytes *content)
{
    model_add_zeros(content, (size_t)padded_len(content->len) - content->len);
}

void model_commitment(const uint8_t *content, size_t len, uint8_t out[32])
{
    struct model_bytes input = {0};
    model_add_label(&input, "sealmq commitment 1");
    model_add(&input, content, 1);
    model_add(&input, content + 33, len - 33);
    model_hmac(content + 1, 32, input.at, input.len, out);
    model_bytes_free(&input);
}

/* Reading: the version comes first, since a later one may have another form; what else is not a content is MODEL_FORM:
 * version 0, a payload longer than section 9 allows with the prefix of 10.9, a counter of 0. */
enum model_cause model_content_read(const uint8_t *padded, size_t padded_len_, struct model_content *out, size_t *len)
{
    if (padded_len_ < 1) return MODEL_FORM;
    if (padded[0] > 1) return MODEL_VERSION;
    if (padded[0] == 0) return MODEL_FORM;
    if (padded_len_ < MODEL_CONTENT_LEN) return MODEL_FORM;
    struct model_content c = {.key_version = model_u(padded + 33, 8), .made_ms = model_u(padded + 73, 8),
                              .counter = model_u(padded + 81, 8), .payload_len = (uint32_t)model_u(padded + 89, 4),
                              .payload = padded + MODEL_CONTENT_LEN};
    memcpy(c.franking, padded + 1, 32);
    memcpy(c.head, padded + 41, 32);
    if (c.counter == 0 || c.payload_len > PAYLOAD_MAX + PREFIX) return MODEL_FORM;
    *len = MODEL_CONTENT_LEN + c.payload_len;
    if (padded_len_ != padded_len(*len)) return MODEL_FORM;
    for (size_t i = *len; i < padded_len_; i++)
        if (padded[i]) return MODEL_FORM;
    *out = c;
    return MODEL_GOOD;
}

/* Reading: what is between devices of one account has that account as target, and nothing else has its sender's. */
enum model_cause model_payload_check(const struct model_context *c, const struct model_content *content)
{
    static const uint8_t nobody[32];
    bool own = memcmp(c->from.account, c->to.account, 32) == 0, target = memcmp(c->target, c->from.account, 32) == 0;
    if (own != target) return MODEL_FORM;
    if (!own) return content->payload_len > PAYLOAD_MAX ? MODEL_FORM : MODEL_GOOD;
    if (content->payload_len == 0) return MODEL_FORM;
    if (content->payload[0] > 1) return MODEL_VERSION;
    if (content->payload[0] == 0 || content->payload_len < PREFIX) return MODEL_FORM;
    return memcmp(content->payload + 1, nobody, 32) == 0 ? MODEL_FORM : MODEL_GOOD;
}

void model_stamp(const uint8_t key[32], const struct model_stamped *of, uint8_t out[32])
{
    struct model_bytes input = {0};
    model_add_label(&input, "sealmq stamp 1");
    model_add_u(&input, of->key_id, 4);
    model_add(&input, of->commitment, 32);
    model_add(&input, of->sender_device, 16);
    model_add(&input, of->target, 32);
    model_add(&input, of->id, 16);
    model_add_u(&input, of->accepted_ms / 3600000, 8);
    model_hmac(key, 32, input.at, input.len, out);
    model_bytes_free(&input);
}
