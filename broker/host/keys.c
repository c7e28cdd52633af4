/* keys: reads the relay's secret keys. Their text and bytes live in sodium_malloc memory only and
 * are wiped with it. Making them is keys_make.c's. */
#include "broker/host/keys.h"

#include "broker/host/file.h"
#include "broker/host/keys_make.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define KEY_FILE_LEN_MAX 1024

static enum status secret_check(const struct config *c, const char *name, char *error,
                                size_t error_cap)
{
    char path[CONFIG_PATH_MAX];
    struct stat s;
    if (!path_join(path, c->keys_dir, name))
        return fault(error, error_cap, STATUS_CONFIG, "the path of %s is too long: shorten it",
                     name);
    if (stat(path, &s) != 0) return STATUS_OK; /* whoever reads it says so */
    if (s.st_uid != geteuid() && s.st_uid != 0)
        return fault(error, error_cap, STATUS_CONFIG,
                     "%s belongs to another user: run as its owner, or chown it", path);
    enum status status = privacy_check(path, FILE_SECRET, error, error_cap);
    return status == STATUS_OK ? parents_check(path, error, error_cap) : status;
}

enum status keys_check(const struct config *c, char *error, size_t error_cap)
{
    static const char *const names[] = {SERVER_KEY_FILE, RECEIPT_KEY_FILE, STAMP_KEY_FILE,
                                        WEBHOOK_KEY_FILE, MARK_KEY_FILE};
    char why[CONFIG_PATH_MAX * 2 + 128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum status status = secret_check(c, names[i], why, sizeof why);
        if (status != STATUS_OK) return fault(error, error_cap, status, "relay.keys: %s", why);
    }
    return STATUS_OK;
}

/* Text without its last newline; *text is freed with sodium_free. */
static enum status key_text(const char *folder, const char *name, enum file_privacy privacy,
                            char **text, char *error, size_t error_cap)
{
    char path[CONFIG_PATH_MAX];
    size_t len;
    *text = NULL;
    if (!path_join(path, folder, name))
        return fault(error, error_cap, STATUS_CONFIG, "%s: the path is too long", name);
    enum status status = file_read(path, privacy, KEY_FILE_LEN_MAX, text, &len, error, error_cap);
    if (status == STATUS_OK && len && (*text)[len - 1] == '\n') (*text)[len - 1] = '\0';
    return status;
}

static enum status key_bad(const char *folder, const char *name, const char *expected, char *error,
                           size_t error_cap)
{
    return fault(error, error_cap, STATUS_CONFIG,
                 "%s/%s is not %s: restore it from a copy, or move it away and run sealmqd --init",
                 folder, name, expected);
}

static bool z85_decode(const char *text, uint8_t out[32])
{
    return strlen(text) == Z85_KEY_LEN && zmq_z85_decode(out, text);
}

/* Clients that were given another server.pub could never connect: say so at the start. */
static enum status public_check(const struct config *c, const uint8_t public_key[32], char *error,
                                size_t error_cap)
{
    char *text;
    uint8_t published[32];
    enum status status = key_text(c->dir, SERVER_PUB_FILE, FILE_READABLE, &text, error, error_cap);
    if (status != STATUS_OK) return status;
    bool same = z85_decode(text, published) && memcmp(published, public_key, 32) == 0;
    sodium_free(text);
    if (same) return STATUS_OK;
    return key_bad(c->dir, SERVER_PUB_FILE, "the public half of server.key", error, error_cap);
}

enum status curve_server_keys_load(const struct config *c, struct curve_server_keys *out,
                                   char *error, size_t error_cap)
{
    struct curve_server_keys keys = {.secret_key = NULL};
    char *text;
    *out = keys;
    enum status status = key_text(c->keys_dir, SERVER_KEY_FILE, FILE_SECRET, &text, error,
                                  error_cap);
    if (status != STATUS_OK) return status;
    keys.secret_key = sodium_malloc(32);
    if (!keys.secret_key)
        status = fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    else if (!z85_decode(text, keys.secret_key) ||
             crypto_scalarmult_base(keys.public_key, keys.secret_key) != 0)
        status = key_bad(c->keys_dir, SERVER_KEY_FILE, "a Z85 key", error, error_cap);
    else
        status = public_check(c, keys.public_key, error, error_cap);
    sodium_free(text);
    if (status == STATUS_OK)
        *out = keys;
    else
        sodium_free(keys.secret_key);
    return status;
}

enum status server_public_load(const struct config *c, struct transport_pk *out, char *error,
                               size_t error_cap)
{
    char *text;
    memset(out, 0, sizeof *out);
    enum status status = key_text(c->dir, SERVER_PUB_FILE, FILE_READABLE, &text, error, error_cap);
    if (status != STATUS_OK) return status;
    if (!z85_decode(text, out->bytes))
        status = key_bad(c->dir, SERVER_PUB_FILE, "a Z85 key", error, error_cap);
    sodium_free(text);
    return status;
}

void curve_server_keys_fini(struct curve_server_keys *k)
{
    sodium_free(k->secret_key);
    *k = (struct curve_server_keys){.secret_key = NULL};
}

/* The keys of receipt.key or stamp.key, by its lines. */
struct key_list {
    uint32_t ids[LISTED_KEYS_MAX];
    uint8_t bytes[LISTED_KEYS_MAX][32];
    size_t count;
};

/* "<id> <64 hex>", the end of the line already cut. */
static bool list_line(char *line, uint32_t *id, uint8_t bytes[32])
{
    char *space = strchr(line, ' '), *end = NULL;
    if (!space || line[0] < '1' || line[0] > '9' || space - line > 9) return false;
    *id = (uint32_t)strtoul(line, &end, 10);
    return end == space && hex_decode(space + 1, bytes, 32) == STATUS_OK;
}

static bool list_knows(const struct key_list *list, uint32_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == id) return true;
    return false;
}

static bool list_lines(char *text, struct key_list *list)
{
    char *save = NULL;
    list->count = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        uint32_t id;
        if (list->count == LISTED_KEYS_MAX) return false;
        if (!list_line(line, &id, list->bytes[list->count]) || list_knows(list, id)) return false;
        list->ids[list->count++] = id;
    }
    return list->count > 0;
}

/* *out is freed with sodium_free; NULL after a failure. */
static enum status list_load(const struct config *c, const char *name, struct key_list **out, char *error,
                             size_t error_cap)
{
    char *text;
    *out = NULL;
    enum status status = key_text(c->keys_dir, name, FILE_SECRET, &text, error, error_cap);
    if (status != STATUS_OK) return status;
    struct key_list *list = sodium_malloc(sizeof *list);
    if (!list)
        status = fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    else if (!list_lines(text, list))
        status = key_bad(c->keys_dir, name, "one to eight lines of \"<number> <64 hex digits>\"", error, error_cap);
    sodium_free(text);
    if (status == STATUS_OK)
        *out = list;
    else
        sodium_free(list);
    return status;
}

enum status receipt_keys_load(const struct config *c, struct receipt_keys *out, char *error,
                              size_t error_cap)
{
    struct key_list *list;
    *out = (struct receipt_keys){.count = 0};
    enum status status = list_load(c, RECEIPT_KEY_FILE, &list, error, error_cap);
    if (status != STATUS_OK) return status;
    out->keys = sodium_allocarray(list->count, sizeof *out->keys);
    if (!out->keys) status = fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    for (size_t i = 0; out->keys && i < list->count; i++) {
        out->keys[i].id = list->ids[i];
        memcpy(out->keys[i].bytes, list->bytes[i], sizeof list->bytes[i]);
        out->count++;
    }
    sodium_free(list);
    return status;
}

void receipt_keys_fini(struct receipt_keys *k)
{
    sodium_free(k->keys);
    *k = (struct receipt_keys){.count = 0};
}

enum status stamp_keys_load(const struct config *c, struct stamp_keys *out, char *error, size_t error_cap)
{
    struct key_list *list;
    *out = (struct stamp_keys){.count = 0};
    enum status status = list_load(c, STAMP_KEY_FILE, &list, error, error_cap);
    if (status != STATUS_OK) return status;
    out->keys = sodium_allocarray(list->count, sizeof *out->keys);
    if (!out->keys) status = fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    for (size_t i = 0; out->keys && i < list->count; i++) {
        out->keys[i].id = list->ids[i];
        memcpy(out->keys[i].bytes, list->bytes[i], sizeof list->bytes[i]);
        out->count++;
    }
    sodium_free(list);
    return status;
}

void stamp_keys_fini(struct stamp_keys *k)
{
    sodium_free(k->keys);
    *k = (struct stamp_keys){.count = 0};
}

static enum status hex_key_load(const struct config *c, const char *name, uint8_t out[32],
                                char *error, size_t error_cap)
{
    char *text;
    enum status status = key_text(c->keys_dir, name, FILE_SECRET, &text, error, error_cap);
    if (status != STATUS_OK) return status;
    if (hex_decode(text, out, 32) != STATUS_OK)
        status = key_bad(c->keys_dir, name, "64 hex digits", error, error_cap);
    sodium_free(text);
    return status;
}

enum status webhook_key_load(const struct config *c, struct webhook_key *out, char *error,
                             size_t error_cap)
{
    *out = (struct webhook_key){.bytes = NULL};
    uint8_t *bytes = sodium_malloc(32);
    if (!bytes) return fault(error, error_cap, STATUS_IO, "no locked memory for a key");
    enum status status = hex_key_load(c, WEBHOOK_KEY_FILE, bytes, error, error_cap);
    if (status == STATUS_OK)
        out->bytes = bytes;
    else
        sodium_free(bytes);
    return status;
}

void webhook_key_fini(struct webhook_key *k)
{
    sodium_free(k->bytes);
    k->bytes = NULL;
}

enum status mark_key_load(const struct config *c, struct mark_key *out, char *error,
                          size_t error_cap)
{
    memset(out, 0, sizeof *out);
    return hex_key_load(c, MARK_KEY_FILE, out->bytes, error, error_cap);
}
