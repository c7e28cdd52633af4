/* report: making and checking reports. The body is signed as it was encoded and names everything that it is about, so
 * that it is good for one message, one attempt and one device. */
#include "broker/wire/report.h"

#include <sodium.h>
#include <string.h>

static const char report_label[] = "sealmq report 1";

#define REPORT_TEXT_MAX (sizeof report_label + REPORT_BODY_LEN_MAX)

static size_t report_bytes(struct view body, uint8_t out[REPORT_TEXT_MAX])
{
    ENSURE(body.len <= REPORT_BODY_LEN_MAX);
    memcpy(out, report_label, sizeof report_label);
    if (body.len) memcpy(out + sizeof report_label, body.at, body.len);
    return sizeof report_label + body.len;
}

enum fail_reason report_reason(uint32_t cause)
{
    if (cause == CAUSE_VERSION || cause == CAUSE_LOCKED) return FAIL_HELD;
    return cause >= CAUSE_FORM && cause <= CAUSE_COMMITMENT ? FAIL_BROKEN : FAIL_NONE;
}

enum status report_open(struct view report, struct arena *a, struct msg_report *r, struct msg_report_body *body)
{
    memset(body, 0, sizeof *body);
    enum status s = codec_decode(&msg_report_desc, report, a, r);
    if (s == STATUS_OK) s = codec_decode(&msg_report_body_desc, r->body, a, body);
    if (s == STATUS_OK && (!codec_encodes_to(&msg_report_desc, r, report) ||
                           !codec_encodes_to(&msg_report_body_desc, body, r->body) ||
                           report_reason(body->cause) == FAIL_NONE))
        s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK) return STATUS_OK;
    memset(r, 0, sizeof *r);
    memset(body, 0, sizeof *body);
    return s;
}

bool report_signed_by(const struct msg_report *r, const struct signing_pk *pk)
{
    uint8_t text[REPORT_TEXT_MAX];
    size_t len = report_bytes(r->body, text);
    return crypto_sign_verify_detached(r->signature.bytes, text, len, pk->bytes) == 0;
}

void report_make(const struct msg_report_body *body, const uint8_t signing_sk[64], struct buffer *out)
{
    struct buffer encoded = {0};
    struct msg_report r = {0};
    uint8_t text[REPORT_TEXT_MAX];
    codec_encode(&msg_report_body_desc, body, &encoded);
    r.body = buffer_view(&encoded);
    size_t len = report_bytes(r.body, text);
    crypto_sign_detached(r.signature.bytes, NULL, text, len, signing_sk);
    codec_encode(&msg_report_desc, &r, out);
    buffer_fini(&encoded);
}
