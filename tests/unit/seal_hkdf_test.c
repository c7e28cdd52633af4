/* hkdf: the vectors of RFC 5869 for SHA-256 (appendices A.1 to A.3), and its limit. */
#include "clients/seal/hkdf.h"

#include "broker/wire/bytes.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>

/* from, from + step, ...: the RFC's inputs are counted up, or one byte repeated. */
static void fill(uint8_t *out, size_t len, uint8_t from, uint8_t step)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(from + step * i);
}

static void expect(const uint8_t *got, size_t len, const char *wanted)
{
    char text[2 * 82 + 1];
    sodium_bin2hex(text, sizeof text, got, len);
    cr_assert_str_eq(text, wanted);
}

Test(hkdf, rfc5869_a1_basic)
{
    uint8_t ikm[22], salt[13], info[10], out[42];
    fill(ikm, sizeof ikm, 0x0b, 0);
    fill(salt, sizeof salt, 0, 1);
    fill(info, sizeof info, 0xf0, 1);
    hkdf(salt, sizeof salt, ikm, sizeof ikm, (const char *)info, sizeof info, out, sizeof out);
    expect(out, sizeof out,
           "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

Test(hkdf, rfc5869_a2_longer_inputs_and_outputs)
{
    uint8_t ikm[80], salt[80], info[80], out[82];
    fill(ikm, sizeof ikm, 0, 1);
    fill(salt, sizeof salt, 0x60, 1);
    fill(info, sizeof info, 0xb0, 1);
    hkdf(salt, sizeof salt, ikm, sizeof ikm, (const char *)info, sizeof info, out, sizeof out);
    expect(out, sizeof out,
           "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c6"
           "5e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
}

Test(hkdf, rfc5869_a3_no_salt_and_no_info)
{
    uint8_t ikm[22], out[42];
    fill(ikm, sizeof ikm, 0x0b, 0);
    hkdf(ikm, 0, ikm, sizeof ikm, "", 0, out, sizeof out);
    expect(out, sizeof out,
           "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

Test(hkdf, gives_its_longest_output_and_writes_nothing_behind_it)
{
    static uint8_t out[HKDF_OUT_MAX + 1];
    uint8_t ikm[22];
    fill(ikm, sizeof ikm, 0x0b, 0);
    out[HKDF_OUT_MAX] = 0x55;
    hkdf(ikm, 0, ikm, sizeof ikm, "", 0, out, HKDF_OUT_MAX);
    expect(out, 42, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    cr_assert_eq(out[HKDF_OUT_MAX], 0x55);
}

Test(hkdf, refuses_more_than_its_longest_output, .signal = SIGABRT)
{
    static uint8_t out[HKDF_OUT_MAX + 1];
    hkdf(out, 0, out, 1, "", 0, out, sizeof out);
}
