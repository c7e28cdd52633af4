/* registration: see registration.h. The keys are public; a file of them may be read by all, but written by nobody else:
 * who adds a key there decides who has which handle. */
#include "broker/host/registration.h"

#include "broker/host/file.h"
#include "broker/host/keys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define KEYS_FILE_LEN_MAX 1024u
#define KEYS_EXPECTED                                                                               \
    "one to four public keys of 64 hexadecimal digits, each once: sealmqctl token --keygen prints one"

static enum status key_file_read(const char *path, char **text, char *error, size_t error_cap)
{
    size_t len;
    enum status s = parents_check(path, error, error_cap);
    if (s == STATUS_OK) s = file_read(path, FILE_READABLE, KEYS_FILE_LEN_MAX, text, &len, error, error_cap);
    return s;
}

static enum status keys_read(const struct config *c, struct product_keys *out, char *error, size_t error_cap)
{
    char why[CONFIG_PATH_MAX * 2 + 128];
    char *text = NULL;
    bool is_file = c->registration_key[0] == '/';
    enum status s = is_file ? key_file_read(c->registration_key, &text, why, sizeof why) : STATUS_OK;
    if (s != STATUS_OK) return fault(error, error_cap, s, "registration.key: %s", why);
    s = product_keys_parse(is_file ? text : c->registration_key, out);
    sodium_free(text);
    if (s == STATUS_OK) return s;
    return fault(error, error_cap, STATUS_CONFIG, "registration.key: %s has not " KEYS_EXPECTED,
                 is_file ? c->registration_key : c->file);
}

enum status registration_load(const struct config *c, struct registration *out, char *error, size_t error_cap)
{
    struct registration r = {.mode = c->registration};
    struct transport_pk server;
    memset(out, 0, sizeof *out);
    if (!c->registration_key[0] && c->registration == REGISTRATION_TOKEN)
        return fault(error, error_cap, STATUS_CONFIG,
                     "registration.key: missing, and registration.mode is token: give in %s " KEYS_EXPECTED, c->file);
    if (c->registration_key[0]) {
        enum status s = keys_read(c, &r.keys, error, error_cap);
        if (s == STATUS_OK) s = server_public_load(c, &server, error, error_cap);
        if (s != STATUS_OK) return s;
        r.relay = relay_id_of(&server);
    }
    *out = r;
    return STATUS_OK;
}
