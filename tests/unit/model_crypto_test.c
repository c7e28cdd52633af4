/* The model's primitives against what others have published: RFC 4231, RFC 5869, RFC 7748, draft-irtf-cfrg-xchacha. */
#include "tests/model/model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct hex {
    uint8_t at[256];
    size_t len;
};

static struct hex hex(const char *text)
{
    struct hex h = {0};
    for (h.len = 0; text[2 * h.len]; h.len++) {
        unsigned byte;
        cr_assert_eq(sscanf(text + 2 * h.len, "%2x", &byte), 1);
        cr_assert_lt(h.len, sizeof h.at);
        h.at[h.len] = (uint8_t)byte;
    }
    return h;
}

static void is(const uint8_t *got, size_t len, const char *expected)
{
    struct hex h = hex(expected);
    cr_assert_eq(h.len, len);
    cr_assert_arr_eq(got, h.at, len, "%s", expected);
}

Test(model_crypto, hmac_is_as_in_rfc_4231)
{
    uint8_t key[131], out[32];
    memset(key, 0x0b, 20);
    model_hmac(key, 20, (const uint8_t *)"Hi There", 8, out);
    is(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    memset(key, 0xaa, sizeof key); /* case 6: a key longer than a block */
    model_hmac(key, sizeof key, (const uint8_t *)"Test Using Larger Than Block-Size Key - Hash Key First", 54, out);
    is(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hkdf_is(const char *material, const char *salt, const char *info, const char *expected)
{
    struct hex m = hex(material), s = hex(salt), i = hex(info);
    uint8_t out[82];
    size_t len = strlen(expected) / 2;
    model_hkdf(s.at, s.len, m.at, m.len, i.at, i.len, out, len);
    is(out, len, expected);
}

Test(model_crypto, hkdf_is_as_in_rfc_5869)
{
    hkdf_is("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    hkdf_is("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
            "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f"
            "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
            "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    hkdf_is("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void dh_is(const char *secret, const char *public, const char *expected)
{
    struct hex s = hex(secret), p = hex(public);
    uint8_t out[32];
    cr_assert(model_dh(s.at, p.at, out));
    is(out, 32, expected);
}

Test(model_crypto, dh_is_as_in_rfc_7748)
{
    dh_is("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
          "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
          "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    dh_is("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
          "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
          "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    dh_is("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
          "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
          "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
}

Test(model_crypto, public_keys_are_as_in_rfc_7748)
{
    uint8_t out[32];
    model_public(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a").at, out);
    is(out, 32, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    model_public(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb").at, out);
    is(out, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

Test(model_crypto, dh_of_zeros_ends_the_attempt)
{
    static const char *const small[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                        "0100000000000000000000000000000000000000000000000000000000000000",
                                        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                                        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"};
    uint8_t secret[32] = {8}, out[32];
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        cr_assert_not(model_dh(secret, hex(small[i]).at, out), "%s", small[i]);
    cr_assert(model_dh(secret, (uint8_t[32]){9}, out));
}

Test(model_crypto, hchacha20_is_as_in_the_draft)
{
    uint8_t out[32];
    model_hchacha20(hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f").at,
                    hex("000000090000004a0000000031415927").at, out);
    is(out, 32, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
}

Test(model_crypto, the_aead_is_as_in_the_draft_and_opens_nothing_else)
{
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
                                "future, sunscreen would be it.";
    struct hex key = hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    struct hex nonce = hex("404142434445464748494a4b4c4d4e4f5051525354555657");
    struct hex a = hex("50515253c0c1c2c3c4c5c6c7");
    struct model_bytes associated = {a.at, a.len, 0}, box = {0}, back = {0};
    model_box(key.at, nonce.at, &associated, (const uint8_t *)plain, sizeof plain - 1, &box);
    is(box.at, box.len,
       "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
       "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
       "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
    for (size_t i = 0; i < box.len; i++) {
        box.at[i] ^= 1;
        cr_assert_not(model_unbox(key.at, nonce.at, &associated, box.at, box.len, &back), "byte %zu", i);
        cr_assert_eq(back.len, 0);
        box.at[i] ^= 1;
    }
    associated.len--;
    cr_assert_not(model_unbox(key.at, nonce.at, &associated, box.at, box.len, &back));
    associated.len++;
    cr_assert_not(model_unbox(key.at, nonce.at, &associated, box.at, 15, &back));
    cr_assert(model_unbox(key.at, nonce.at, &associated, box.at, box.len, &back));
    cr_assert_eq(back.len, sizeof plain - 1);
    cr_assert_arr_eq(back.at, plain, back.len);
    model_bytes_free(&box);
    model_bytes_free(&back);
}
