/* home_key: reads and makes the key file, and turns a passphrase into a key. Which of the two a home has, and
 * whether the key is the right one, its database knows (sqlite_vault.c).
 * A key file is text: "sealmq home key 1", and 64 hex digits, each with its newline.
 * Invariant: key and passphrase are in sodium_malloc memory only. */
#include "clients/state/home_key.h"

#include "broker/host/file.h"
#include "broker/wire/ids.h"

#include <sodium.h>
#include <string.h>

#define KEY_FILE_HEAD      "sealmq home key 1\n"
#define KEY_FILE_HEAD_LEN  (sizeof KEY_FILE_HEAD - 1)
#define KEY_FILE_LEN       (KEY_FILE_HEAD_LEN + 2 * VAULT_KEY_LEN + 1)
#define PASSPHRASE_LEN_MAX 1024u
#define OPERATIONS_MAX     64u
#define MEMORY_MAX         (4ull << 30)

_Static_assert(PASSPHRASE_SALT_LEN == crypto_pwhash_SALTBYTES, "the salt is of libsodium's length");

/* A key under way. */
static uint8_t *key_new(void)
{
    ENSURE(sodium_init() >= 0);
    uint8_t *key = sodium_malloc(VAULT_KEY_LEN);
    ENSURE(key != NULL);
    return key;
}

struct vault *vault_random(void)
{
    uint8_t *key = key_new();
    randombytes_buf(key, VAULT_KEY_LEN);
    struct vault *v = vault_new(key);
    sodium_free(key);
    return v;
}

/* ---- key file ---- */

enum status key_file_make(const char *path, char *error, size_t cap)
{
    uint8_t *key = key_new();
    char *text = sodium_malloc(KEY_FILE_LEN + 1);
    bool made;
    ENSURE(text != NULL);
    randombytes_buf(key, VAULT_KEY_LEN);
    memcpy(text, KEY_FILE_HEAD, KEY_FILE_HEAD_LEN);
    hex_encode(key, VAULT_KEY_LEN, text + KEY_FILE_HEAD_LEN);
    memcpy(text + KEY_FILE_LEN - 1, "\n", 2);
    enum status s = file_make(path, FILE_SECRET, text, &made, error, cap);
    sodium_free(text);
    sodium_free(key);
    return s;
}

/* Cuts the text's end. */
static enum status key_read(char *text, size_t len, uint8_t *key)
{
    if (len != KEY_FILE_LEN || memcmp(text, KEY_FILE_HEAD, KEY_FILE_HEAD_LEN) != 0 || text[len - 1] != '\n')
        return STATUS_MALFORMED;
    text[len - 1] = '\0';
    return hex_decode(text + KEY_FILE_HEAD_LEN, key, VAULT_KEY_LEN);
}

enum status key_file_open(const char *path, struct vault **out, char *error, size_t cap)
{
    char *text;
    size_t len;
    *out = NULL;
    enum status s = file_read(path, FILE_SECRET, KEY_FILE_LEN, &text, &len, error, cap);
    if (s != STATUS_OK) return s;
    uint8_t *key = key_new();
    if (key_read(text, len, key) == STATUS_OK)
        *out = vault_new(key);
    else
        s = fault(error, cap, STATUS_CONFIG, "%s is not a key file, or not a whole one: restore it from a copy",
                  path);
    sodium_free(key);
    sodium_free(text);
    return s;
}

/* ---- passphrase ---- */

struct passphrase_terms passphrase_terms_new(void)
{
    struct passphrase_terms terms = {.operations = crypto_pwhash_OPSLIMIT_MODERATE,
                                     .memory = crypto_pwhash_MEMLIMIT_MODERATE};
    ENSURE(sodium_init() >= 0);
    randombytes_buf(terms.salt, sizeof terms.salt);
    return terms;
}

enum status passphrase_terms_check(const struct passphrase_terms *terms)
{
    bool good = terms->operations >= crypto_pwhash_OPSLIMIT_MIN && terms->operations <= OPERATIONS_MAX &&
                terms->memory >= crypto_pwhash_MEMLIMIT_MIN && terms->memory <= MEMORY_MAX;
    return good ? STATUS_OK : STATUS_DAMAGED;
}

/* The first line, without its end. */
static enum status passphrase_read(const char *path, char **text, size_t *len, char *error, size_t cap)
{
    enum status s = file_read(path, FILE_SECRET, PASSPHRASE_LEN_MAX, text, len, error, cap);
    if (s != STATUS_OK) return s;
    const char *end = memchr(*text, '\n', *len);
    if (end != NULL) *len = (size_t)(end - *text);
    if (*len > 0 && (*text)[*len - 1] == '\r') (*len)--;
    if (*len > 0) return STATUS_OK;
    sodium_free(*text);
    *text = NULL;
    return fault(error, cap, STATUS_CONFIG, "the first line of %s is empty: put the passphrase there", path);
}

enum status passphrase_open(const char *path, const struct passphrase_terms *terms, struct vault **out,
                            char *error, size_t cap)
{
    char *text;
    size_t len;
    *out = NULL;
    enum status s = passphrase_read(path, &text, &len, error, cap);
    if (s != STATUS_OK) return s;
    uint8_t *key = key_new();
    if (crypto_pwhash(key, VAULT_KEY_LEN, text, len, terms->salt, terms->operations, (size_t)terms->memory,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        *out = vault_new(key);
    else
        s = fault(error, cap, STATUS_IO, "the passphrase needs %llu MiB of memory, and they are not there",
                  (unsigned long long)(terms->memory >> 20));
    sodium_free(key);
    sodium_free(text);
    return s;
}
