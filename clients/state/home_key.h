/* home_key: the key under which a home's secrets are sealed, and the two ways of keeping it: in a file of the
 * home, or wrapped under a passphrase. */
#ifndef SEALMQ_CLIENTS_STATE_HOME_KEY_H
#define SEALMQ_CLIENTS_STATE_HOME_KEY_H

#include "clients/state/vault.h"

#define PASSPHRASE_SALT_LEN 16u

/* How a home is opened. All is borrowed. */
struct home_lock {
    const char *key_file;        /* its path, used by a home without a passphrase */
    const char *passphrase_file; /* the passphrase is its first line; NULL = the home has none */
    bool make;                   /* a home that is not there yet may be made */
};

/* What the passphrase's key depends on besides the passphrase: kept with the home, in clear. */
struct passphrase_terms {
    uint8_t salt[PASSPHRASE_SALT_LEN];
    uint64_t operations; /* Argon2id's passes */
    uint64_t memory;     /* bytes */
};

/* vault_random: a new home's, under a random key. */
struct vault *vault_random(void);

/* key_file_make: a new random key in a new file (0600), synced with its folder; one that is there stays.
 * key_file_open: the vault of the key in it. OK; CONFIG (missing, open to others, not a key file), IO; with one
 * line in error, and *out NULL. */
enum status key_file_make(const char *path, char *error, size_t cap) MUST_USE;
enum status key_file_open(const char *path, struct vault **out, char *error, size_t cap) MUST_USE;

/* passphrase_terms_new: a random salt, and the limits that new homes get (about a second, 256 MiB).
 * passphrase_terms_check: DAMAGED for limits that no home was made with. */
struct passphrase_terms passphrase_terms_new(void);
enum status passphrase_terms_check(const struct passphrase_terms *terms) MUST_USE;
/* passphrase_open: a vault under Argon2id of the file's first line, for wrapping the home's key. OK; CONFIG
 * (the file is missing, open to others, empty, too long), IO (also: too little memory); with one line in
 * error, and *out NULL. terms are good (passphrase_terms_check). */
enum status passphrase_open(const char *path, const struct passphrase_terms *terms, struct vault **out,
                            char *error, size_t cap) MUST_USE;

#endif
