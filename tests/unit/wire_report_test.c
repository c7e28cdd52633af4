/* report: a report is opened as it was made and in no other form, and is good for one key and what it names. */
#include "broker/wire/report.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static uint8_t sk[64], other_sk[64];
static struct signing_pk pk, other_pk;
static struct arena arena;

static void start(void)
{
    static const uint8_t seed[32] = "the seed of a device's own key", other_seed[32] = "and that of another one";
    cr_assert_geq(sodium_init(), 0);
    crypto_sign_seed_keypair(pk.bytes, sk, seed);
    crypto_sign_seed_keypair(other_pk.bytes, other_sk, other_seed);
}

static void end(void)
{
    arena_fini(&arena);
}

TestSuite(report, .init = start, .fini = end);

static struct msg_report_body body_make(void)
{
    return (struct msg_report_body){.device = {{1}}, .account = {{2}}, .sender = {{3}}, .target = {{4}}, .id = {{5}},
                                    .attempt = 2, .cause = CAUSE_SESSION, .made_ms = 1700000000000u};
}

static enum status open_bytes(struct view bytes, struct msg_report *r, struct msg_report_body *body)
{
    memset(r, 1, sizeof *r);
    memset(body, 1, sizeof *body);
    enum status s = report_open(bytes, &arena, r, body);
    if (s != STATUS_OK)
        cr_assert(sodium_is_zero((const uint8_t *)r, sizeof *r) == 1 &&
                  sodium_is_zero((const uint8_t *)body, sizeof *body) == 1);
    return s;
}

Test(report, comes_back_as_it_was_made_and_fits_its_places)
{
    struct msg_report_body body = body_make(), back;
    struct msg_report r;
    struct buffer bytes = {0};
    body.attempt = RESENDS_MAX;
    body.made_ms = UINT64_MAX;
    body.cause = CAUSE_COMMITMENT;
    report_make(&body, sk, &bytes);
    cr_assert_leq(bytes.len, REPORT_LEN_MAX);
    cr_assert_eq(open_bytes(buffer_view(&bytes), &r, &back), STATUS_OK);
    cr_assert_leq(r.body.len, REPORT_BODY_LEN_MAX);
    cr_assert_eq(memcmp(&back, &body, sizeof body), 0);
    cr_assert(report_signed_by(&r, &pk));
    cr_assert_not(report_signed_by(&r, &other_pk));
    buffer_fini(&bytes);
}

/* The bytes that stand in PROTOCOL 10.7, by hand. */
Test(report, signs_label_and_body)
{
    struct msg_report_body body = body_make(), back;
    struct msg_report r;
    struct buffer bytes = {0}, text = {0};
    report_make(&body, sk, &bytes);
    cr_assert_eq(open_bytes(buffer_view(&bytes), &r, &back), STATUS_OK);
    write_bytes(&text, "sealmq report 1", 16);
    write_view(&text, r.body);
    cr_assert_eq(crypto_sign_verify_detached(r.signature.bytes, text.at, text.len, pk.bytes), 0);
    buffer_fini(&bytes);
    buffer_fini(&text);
}

Test(report, with_any_bit_flipped_or_cut_is_refused)
{
    struct msg_report_body body = body_make(), back;
    struct msg_report r;
    struct buffer bytes = {0};
    report_make(&body, sk, &bytes);
    for (size_t i = 0; i < bytes.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes.at[i] ^= (uint8_t)(1u << bit);
            bool taken = open_bytes(buffer_view(&bytes), &r, &back) == STATUS_OK && report_signed_by(&r, &pk);
            cr_assert_not(taken, "byte %zu bit %u", i, bit);
            bytes.at[i] ^= (uint8_t)(1u << bit);
        }
    for (size_t len = 0; len < bytes.len; len++)
        cr_assert_neq(open_bytes(view_of(bytes.at, len), &r, &back), STATUS_OK);
    buffer_fini(&bytes);
}

Test(report, says_nothing_that_its_reader_does_not_know)
{
    struct msg_report_body body = body_make(), back;
    struct msg_report r;
    struct buffer bytes = {0}, longer = {0}, inner = {0};
    report_make(&body, sk, &bytes);
    write_view(&inner, buffer_view(&bytes));
    write_u8(&inner, 0x78);
    write_u8(&inner, 1);
    cr_assert_eq(open_bytes(buffer_view(&inner), &r, &back), STATUS_BAD_ENTRY, "beside the body");
    cr_assert_eq(open_bytes(buffer_view(&bytes), &r, &back), STATUS_OK);
    buffer_clear(&inner);
    write_view(&inner, r.body);
    write_u8(&inner, 0x78);
    write_u8(&inner, 1);
    r.body = buffer_view(&inner);
    codec_encode(&msg_report_desc, &r, &longer);
    cr_assert_eq(open_bytes(buffer_view(&longer), &r, &back), STATUS_BAD_ENTRY, "in the body");
    buffer_fini(&bytes);
    buffer_fini(&longer);
    buffer_fini(&inner);
}

Test(report, has_a_cause_and_each_cause_its_reason)
{
    static const enum fail_reason reasons[] = {
        [CAUSE_NONE] = FAIL_NONE,      [CAUSE_VERSION] = FAIL_HELD,          [CAUSE_LOCKED] = FAIL_HELD,
        [CAUSE_FORM] = FAIL_BROKEN,    [CAUSE_SENDER] = FAIL_BROKEN,         [CAUSE_SESSION] = FAIL_BROKEN,
        [CAUSE_PREKEY] = FAIL_BROKEN,  [CAUSE_REPLAY] = FAIL_BROKEN,         [CAUSE_FAR] = FAIL_BROKEN,
        [CAUSE_AUTHENTICATION] = FAIL_BROKEN, [CAUSE_COMMITMENT] = FAIL_BROKEN, [CAUSE_COMMITMENT + 1] = FAIL_NONE};
    for (uint32_t cause = 0; cause < sizeof reasons / sizeof reasons[0]; cause++) {
        struct msg_report_body body = body_make(), back;
        struct msg_report r;
        struct buffer bytes = {0};
        body.cause = cause;
        report_make(&body, sk, &bytes);
        cr_assert_eq(report_reason(cause), reasons[cause]);
        cr_assert_eq(open_bytes(buffer_view(&bytes), &r, &back),
                     reasons[cause] == FAIL_NONE ? STATUS_BAD_ENTRY : STATUS_OK, "cause %u", cause);
        buffer_fini(&bytes);
    }
}
