/* keys_make: draws each key once. A key that exists is never replaced: clients pin server.pub, and
 * receipts of eight days and more rest on receipt.key, and every stamp ever given on stamp.key. */
#include "broker/host/keys_make.h"

#include "broker/host/file.h"
#include "broker/wire/ids.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define TEXT_CAP 128

/* Key text under construction; all of it secret, so all of it in one sodium_malloc block. */
struct scratch {
    uint8_t key[32];
    char text[TEXT_CAP];
};

static enum status secret_make(const struct config *c, const char *name, const char *text,
                               char *error, size_t error_cap)
{
    char path[CONFIG_PATH_MAX];
    bool made;
    if (!path_join(path, c->keys_dir, name))
        return fault(error, error_cap, STATUS_CONFIG, "%s: the path is too long", name);
    return file_make(path, FILE_SECRET, text, &made, error, error_cap);
}

static enum status hex_make(const struct config *c, const char *name, const char *prefix,
                            struct scratch *s, char *error, size_t error_cap)
{
    char hex[65];
    randombytes_buf(s->key, sizeof s->key);
    hex_encode(s->key, sizeof s->key, hex);
    snprintf(s->text, sizeof s->text, "%s%s\n", prefix, hex);
    sodium_memzero(hex, sizeof hex);
    return secret_make(c, name, s->text, error, error_cap);
}

static enum status server_key_make(const struct config *c, struct scratch *s, char *error,
                                   size_t error_cap)
{
    randombytes_buf(s->key, sizeof s->key);
    ENSURE(zmq_z85_encode(s->text, s->key, sizeof s->key));
    memcpy(s->text + Z85_KEY_LEN, "\n", 2);
    return secret_make(c, SERVER_KEY_FILE, s->text, error, error_cap);
}

/* From the file, not from memory: an older server.key, or another process's, may have won. */
static enum status server_pub_make(const struct config *c, struct scratch *s, char *error,
                                   size_t error_cap)
{
    char path[CONFIG_PATH_MAX], *text;
    uint8_t public_key[32];
    size_t len;
    bool made;
    if (!path_join(path, c->keys_dir, SERVER_KEY_FILE))
        return fault(error, error_cap, STATUS_CONFIG, "the path of the keys is too long");
    enum status status = file_read(path, FILE_SECRET, TEXT_CAP, &text, &len, error, error_cap);
    if (status != STATUS_OK) return status;
    text[strcspn(text, "\n")] = '\0';
    bool derived = strlen(text) == Z85_KEY_LEN && zmq_z85_decode(s->key, text) &&
                   crypto_scalarmult_base(public_key, s->key) == 0;
    sodium_free(text);
    if (!derived)
        return fault(error, error_cap, STATUS_CONFIG,
                     "%s is not a Z85 key: restore it from a copy, or move it away", path);
    ENSURE(zmq_z85_encode(s->text, public_key, sizeof public_key));
    memcpy(s->text + Z85_KEY_LEN, "\n", 2);
    if (!path_join(path, c->dir, SERVER_PUB_FILE))
        return fault(error, error_cap, STATUS_CONFIG, "the path of server.pub is too long");
    return file_make(path, FILE_READABLE, s->text, &made, error, error_cap);
}

enum status keys_make(const struct config *c, char *error, size_t error_cap)
{
    struct scratch *s = sodium_malloc(sizeof *s);
    if (!s) return fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    enum status status = server_key_make(c, s, error, error_cap);
    if (status == STATUS_OK) status = server_pub_make(c, s, error, error_cap);
    if (status == STATUS_OK) status = hex_make(c, RECEIPT_KEY_FILE, "1 ", s, error, error_cap);
    if (status == STATUS_OK) status = hex_make(c, STAMP_KEY_FILE, "1 ", s, error, error_cap);
    if (status == STATUS_OK) status = hex_make(c, WEBHOOK_KEY_FILE, "", s, error, error_cap);
    if (status == STATUS_OK) status = hex_make(c, MARK_KEY_FILE, "", s, error, error_cap);
    sodium_free(s);
    return status;
}
