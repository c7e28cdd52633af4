/* The primitives of the model. OpenSSL has X25519, SHA-256 and ChaCha20-Poly1305; HMAC, HKDF and HChaCha20 are written
 * out here from RFC 2104, RFC 5869 and draft-irtf-cfrg-xchacha section 2.2. */
#include "tests/model/model.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A model that cannot go on has nothing to say. */
#define MUST(condition)                                                                            \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "model: %s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* ---- bytes ---- */

void model_add(struct model_bytes *b, const void *at, size_t len)
{
    if (b->len + len > b->cap) {
        b->cap = 2 * (b->len + len);
        b->at = realloc(b->at, b->cap);
        MUST(b->at);
    }
    if (len) memcpy(b->at + b->len, at, len);
    b->len += len;
}

void model_add_u(struct model_bytes *b, uint64_t value, size_t len)
{
    for (size_t i = len; i-- > 0;) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        model_add(b, &byte, 1);
    }
}

void model_add_zeros(struct model_bytes *b, size_t len)
{
    static const uint8_t zeros[256];
    for (; len > sizeof zeros; len -= sizeof zeros)
        model_add(b, zeros, sizeof zeros);
    model_add(b, zeros, len);
}

void model_add_label(struct model_bytes *b, const char *label)
{
    model_add(b, label, strlen(label) + 1);
}

void model_bytes_free(struct model_bytes *b)
{
    free(b->at);
    *b = (struct model_bytes){0};
}

uint64_t model_u(const uint8_t *at, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | at[i];
    return value;
}

/* ---- HMAC, HKDF ---- */

/* SHA-256 of a (64 bytes, a padded key) and b. Looked up once: OpenSSL takes longer to find it than to do it. */
static void hash(const uint8_t a[64], const uint8_t *b, size_t b_len, uint8_t out[32])
{
    static EVP_MD *sha256;
    static EVP_MD_CTX *context;
    if (!sha256) {
        sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        context = EVP_MD_CTX_new();
        MUST(sha256 && context);
    }
    MUST(EVP_DigestInit_ex2(context, sha256, NULL) == 1 && EVP_DigestUpdate(context, a, 64) == 1);
    MUST(EVP_DigestUpdate(context, b, b_len) == 1 && EVP_DigestFinal_ex(context, out, NULL) == 1);
}

void model_hmac(const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t out[32])
{
    uint8_t inner[64] = {0}, outer[64], hashed[32];
    if (key_len > 64)
        MUST(EVP_Digest(key, key_len, inner, NULL, EVP_sha256(), NULL) == 1);
    else if (key_len)
        memcpy(inner, key, key_len);
    for (size_t i = 0; i < 64; i++) {
        outer[i] = inner[i] ^ 0x5c;
        inner[i] ^= 0x36;
    }
    hash(inner, data, len, hashed);
    hash(outer, hashed, 32, out);
}

void model_hkdf(const uint8_t *salt, size_t salt_len, const uint8_t *material, size_t material_len,
                const uint8_t *info, size_t info_len, uint8_t *out, size_t len)
{
    uint8_t extracted[32], block[32];
    model_hmac(salt, salt_len, material, material_len, extracted);
    for (uint8_t i = 1; len > 0; i++) {
        struct model_bytes input = {0};
        size_t take = len < 32 ? len : 32;
        MUST(i < 255);
        if (i > 1) model_add(&input, block, 32);
        model_add(&input, info, info_len);
        model_add_u(&input, i, 1);
        model_hmac(extracted, 32, input.at, input.len, block);
        model_bytes_free(&input);
        memcpy(out, block, take);
        out += take;
        len -= take;
    }
}

/* ---- X25519 ---- */

/* OpenSSL makes the public key with each secret one, so the last few stay. */
static EVP_PKEY *pair_of(const uint8_t secret[32])
{
    static struct {
        uint8_t secret[32];
        EVP_PKEY *key;
    } kept[64];
    size_t at = (secret[1] ^ secret[30]) % 64;
    if (!kept[at].key || memcmp(kept[at].secret, secret, 32) != 0) {
        EVP_PKEY_free(kept[at].key);
        kept[at].key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret, 32);
        memcpy(kept[at].secret, secret, 32);
        MUST(kept[at].key);
    }
    return kept[at].key;
}

void model_public(const uint8_t secret[32], uint8_t public[32])
{
    size_t len = 32;
    MUST(EVP_PKEY_get_raw_public_key(pair_of(secret), public, &len) == 1 && len == 32);
}

bool model_dh(const uint8_t secret[32], const uint8_t public[32], uint8_t out[32])
{
    static const uint8_t zeros[32];
    size_t len = 32;
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, 32);
    EVP_PKEY_CTX *derivation = EVP_PKEY_CTX_new(pair_of(secret), NULL);
    MUST(peer && derivation && EVP_PKEY_derive_init(derivation) == 1);
    MUST(EVP_PKEY_derive_set_peer(derivation, peer) == 1);
    /* OpenSSL refuses the result of all zeros itself. */
    bool good = EVP_PKEY_derive(derivation, out, &len) == 1 && len == 32 && memcmp(out, zeros, 32) != 0;
    EVP_PKEY_CTX_free(derivation);
    EVP_PKEY_free(peer);
    return good;
}

/* ---- XChaCha20-Poly1305 ---- */

static uint32_t rotated(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static void quarter(uint32_t s[16], size_t a, size_t b, size_t c, size_t d)
{
    s[a] += s[b], s[d] = rotated(s[d] ^ s[a], 16);
    s[c] += s[d], s[b] = rotated(s[b] ^ s[c], 12);
    s[a] += s[b], s[d] = rotated(s[d] ^ s[a], 8);
    s[c] += s[d], s[b] = rotated(s[b] ^ s[c], 7);
}

static uint32_t little(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void model_hchacha20(const uint8_t key[32], const uint8_t nonce[16], uint8_t out[32])
{
    uint32_t s[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (size_t i = 0; i < 8; i++)
        s[4 + i] = little(key + 4 * i);
    for (size_t i = 0; i < 4; i++)
        s[12 + i] = little(nonce + 4 * i);
    for (size_t twice = 0; twice < 10; twice++) {
        for (size_t i = 0; i < 4; i++)
            quarter(s, i, 4 + i, 8 + i, 12 + i);
        for (size_t i = 0; i < 4; i++)
            quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
    }
    for (size_t i = 0; i < 8; i++) { /* the first and the last row */
        uint32_t word = s[i < 4 ? i : 8 + i];
        for (size_t j = 0; j < 4; j++)
            out[4 * i + j] = (uint8_t)(word >> (8 * j));
    }
}

static EVP_CIPHER_CTX *box_begin(const uint8_t key[32], const uint8_t nonce[24],
                                 const struct model_bytes *associated, int sealing)
{
    uint8_t subkey[32], short_nonce[12] = {0};
    int len;
    static EVP_CIPHER *cipher;
    if (!cipher) cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    model_hchacha20(key, nonce, subkey);
    memcpy(short_nonce + 4, nonce + 16, 8);
    MUST(c && EVP_CipherInit_ex(c, cipher, NULL, subkey, short_nonce, sealing) == 1);
    if (associated->len) MUST(EVP_CipherUpdate(c, NULL, &len, associated->at, (int)associated->len) == 1);
    return c;
}

void model_box(const uint8_t key[32], const uint8_t nonce[24], const struct model_bytes *associated,
               const uint8_t *plain, size_t len, struct model_bytes *out)
{
    EVP_CIPHER_CTX *c = box_begin(key, nonce, associated, 1);
    size_t start = out->len;
    int done;
    model_add_zeros(out, len + MODEL_TAG_LEN);
    MUST(EVP_CipherUpdate(c, out->at + start, &done, plain, (int)len) == 1 && (size_t)done == len);
    MUST(EVP_CipherFinal_ex(c, out->at + start + len, &done) == 1 && done == 0);
    MUST(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, MODEL_TAG_LEN, out->at + start + len) == 1);
    EVP_CIPHER_CTX_free(c);
}

bool model_unbox(const uint8_t key[32], const uint8_t nonce[24], const struct model_bytes *associated,
                 const uint8_t *box, size_t len, struct model_bytes *out)
{
    if (len < MODEL_TAG_LEN) return false;
    EVP_CIPHER_CTX *c = box_begin(key, nonce, associated, 0);
    size_t start = out->len, plain_len = len - MODEL_TAG_LEN;
    uint8_t tag[MODEL_TAG_LEN];
    int done;
    memcpy(tag, box + plain_len, sizeof tag);
    model_add_zeros(out, plain_len + MODEL_TAG_LEN); /* more than nothing, so that there is a place */
    MUST(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, MODEL_TAG_LEN, tag) == 1);
    MUST(EVP_CipherUpdate(c, out->at + start, &done, box, (int)plain_len) == 1);
    bool good = EVP_CipherFinal_ex(c, out->at + start + plain_len, &done) == 1;
    out->len = good ? start + plain_len : start;
    EVP_CIPHER_CTX_free(c);
    return good;
}
