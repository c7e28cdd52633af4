/* copy: PROTOCOL 10.9. Invariant: what copy_read takes, copy_write makes again byte for byte. */
#include "clients/seal/copy.h"

#include <string.h>

#define COPY_VERSION 1u

_Static_assert(CONTENT_PREFIX_LEN == 1 + sizeof(struct account_id), "version and account");

static bool account_equal(const struct account_id *a, const struct account_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void copy_write(struct account_id to, struct view payload, struct buffer *out)
{
    buffer_reserve(out, CONTENT_PREFIX_LEN + payload.len); /* it shall not move and leave a copy */
    write_u8(out, COPY_VERSION);
    write_bytes(out, to.bytes, sizeof to.bytes);
    write_view(out, payload);
}

enum report_cause copy_read(struct view framed, struct account_id *to, struct view *payload)
{
    static const struct account_id nobody;
    struct reader r = reader_of(framed);
    struct account_id account = {{0}};
    *to = nobody;
    *payload = view_of(NULL, 0);
    uint8_t version = read_u8(&r);
    if (!r.failed && version > COPY_VERSION) return CAUSE_VERSION;
    read_bytes(&r, account.bytes, sizeof account.bytes);
    if (r.failed || version != COPY_VERSION || account_equal(&account, &nobody)) return CAUSE_FORM;
    *to = account;
    *payload = view_of(framed.at + CONTENT_PREFIX_LEN, framed.len - CONTENT_PREFIX_LEN);
    return CAUSE_NONE;
}

enum report_cause copy_check(const struct sealed_context *context, const struct content *content)
{
    struct account_id to;
    struct view payload;
    bool own = account_equal(&context->sender_account, &context->recipient_account);
    if (own != target_equal(context->target, target_of_account(context->sender_account))) return CAUSE_FORM;
    if (own) return copy_read(content->payload, &to, &payload);
    return content->payload.len <= PAYLOAD_LEN_MAX ? CAUSE_NONE : CAUSE_FORM;
}
