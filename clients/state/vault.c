/* vault: XChaCha20-Poly1305 with random nonces, under keys that HKDF-SHA-256 derives from the home's key, one
 * for each label. It reads and writes no files.
 * Nonces are random and of 24 bytes, not counted: a home that was copied or set back would count the same
 * again.
 * Invariants: the home's key is in sodium_malloc memory only; a derived key lives for one call. */
#include "clients/state/vault.h"

#include "clients/seal/hkdf.h"

#include <sodium.h>
#include <string.h>

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define LABEL_MAX 64u

_Static_assert(VAULT_OVERHEAD == NONCE_LEN + TAG_LEN, "a sealed value is nonce and box");
_Static_assert(VAULT_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "keys are of the AEAD's length");

struct vault {
    uint8_t key[VAULT_KEY_LEN];
};

struct vault *vault_new(const uint8_t *key)
{
    ENSURE(sodium_init() >= 0);
    struct vault *v = sodium_malloc(sizeof *v);
    ENSURE(v != NULL);
    memcpy(v->key, key, sizeof v->key);
    ENSURE(sodium_mprotect_readonly(v) == 0);
    return v;
}

void vault_free(struct vault **v)
{
    sodium_free(*v);
    *v = NULL;
}

struct view vault_key(const struct vault *v)
{
    return view_of(v->key, sizeof v->key);
}

/* The label's key: info = "sealmq vault 1" ‖ 0 ‖ label. */
static void derive(const struct vault *v, const char *label, uint8_t out[VAULT_KEY_LEN])
{
    static const char prefix[] = "sealmq vault 1";
    char info[sizeof prefix + LABEL_MAX];
    size_t len = strlen(label);
    ENSURE(len <= LABEL_MAX);
    memcpy(info, prefix, sizeof prefix);
    memcpy(info + sizeof prefix, label, len);
    hkdf((const uint8_t *)"", 0, v->key, sizeof v->key, info, sizeof prefix + len, out, VAULT_KEY_LEN);
}

void vault_seal(const struct vault *v, const char *label, struct view associated, struct view plaintext,
                uint8_t *sealed)
{
    uint8_t key[VAULT_KEY_LEN];
    derive(v, label, key);
    randombytes_buf(sealed, NONCE_LEN);
    ENSURE(crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_LEN, NULL, plaintext.at, plaintext.len,
                                                      associated.at, associated.len, NULL, sealed, key) == 0);
    sodium_memzero(key, sizeof key);
}

enum status vault_open(const struct vault *v, const char *label, struct view associated, struct view sealed,
                       uint8_t *plaintext)
{
    uint8_t key[VAULT_KEY_LEN];
    if (sealed.len < VAULT_OVERHEAD) return STATUS_DAMAGED;
    derive(v, label, key);
    int result = crypto_aead_xchacha20poly1305_ietf_decrypt(plaintext, NULL, NULL, sealed.at + NONCE_LEN,
                                                            sealed.len - NONCE_LEN, associated.at,
                                                            associated.len, sealed.at, key);
    sodium_memzero(key, sizeof key);
    return result == 0 ? STATUS_OK : STATUS_DAMAGED;
}
