/* prekey: making and checking signed prekeys. The account stands in what is signed, so that a signature
 * is good in one account only, and the body is signed as it was encoded: no field is taken on trust. */
#include "broker/wire/prekey.h"

#include "broker/wire/identity_log.h"

#include <sodium.h>
#include <string.h>

static const char prekey_label[] = "sealmq prekey 1";

#define PREKEY_TEXT_MAX (sizeof prekey_label + sizeof(struct account_id) + PREKEY_BODY_LEN_MAX)

static size_t prekey_bytes(struct account_id account, struct view body,
                           uint8_t out[PREKEY_TEXT_MAX])
{
    uint8_t *at = out + sizeof prekey_label;
    ENSURE(body.len <= PREKEY_BODY_LEN_MAX);
    memcpy(out, prekey_label, sizeof prekey_label);
    memcpy(at, account.bytes, sizeof account.bytes);
    if (body.len) memcpy(at + sizeof account.bytes, body.at, body.len);
    return sizeof prekey_label + sizeof account.bytes + body.len;
}

enum status prekey_open(struct view prekey, struct arena *a, struct msg_signed_prekey *p,
                        struct msg_prekey_body *body)
{
    memset(body, 0, sizeof *body);
    enum status s = codec_decode(&msg_signed_prekey_desc, prekey, a, p);
    if (s == STATUS_OK) s = codec_decode(&msg_prekey_body_desc, p->body, a, body);
    if (s == STATUS_OK && (!codec_encodes_to(&msg_signed_prekey_desc, p, prekey) ||
                           !codec_encodes_to(&msg_prekey_body_desc, body, p->body) ||
                           body->id == 0 || !exchange_key_good(body->key.bytes)))
        s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK) return STATUS_OK;
    memset(p, 0, sizeof *p);
    memset(body, 0, sizeof *body);
    return s;
}

bool prekey_signed_by(struct account_id account, const struct msg_signed_prekey *p,
                      const struct signing_pk *pk)
{
    uint8_t text[PREKEY_TEXT_MAX];
    size_t len = prekey_bytes(account, p->body, text);
    return crypto_sign_verify_detached(p->signature.bytes, text, len, pk->bytes) == 0;
}

void prekey_make(struct account_id account, const struct msg_prekey_body *body,
                 const uint8_t signing_sk[64], struct buffer *out)
{
    struct buffer encoded = {0};
    struct msg_signed_prekey p = {0};
    uint8_t text[PREKEY_TEXT_MAX];
    codec_encode(&msg_prekey_body_desc, body, &encoded);
    p.body = buffer_view(&encoded);
    size_t len = prekey_bytes(account, p.body, text);
    crypto_sign_detached(p.signature.bytes, NULL, text, len, signing_sk);
    codec_encode(&msg_signed_prekey_desc, &p, out);
    buffer_fini(&encoded);
}
