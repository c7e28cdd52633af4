/* config_make: a relay's folder from nothing: config, keys, public key. Each file appears whole or
 * not at all, and what exists is left alone, so a call that was cut short is finished by the next.
 * The config holds no path of the machine: the folder can be moved. */
#include "broker/host/config.h"

#include "broker/host/config_value.h"
#include "broker/host/file.h"
#include "broker/host/keys_make.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_TEXT_CAP 4096

/* What a new relay says itself; every other entry stands below as a comment with its default. */
static bool entry_text(const struct config_rule *r, uint16_t port, char *out, size_t cap)
{
    const char *key = r->key;
    int len;
    if (!r->fallback && strcmp(key, "dir") == 0)
        len = snprintf(out, cap, "    dir = \".\"\n");
    else if (!r->fallback)
        len = snprintf(out, cap, "    %s = \"tcp://127.0.0.1:%u\"\n", key, (unsigned)port);
    else if (r->fallback_base == offsetof(struct config, run_dir))
        len = snprintf(out, cap, "#    %s = \"ipc://run/%s\"\n", key,
                       r->fallback + strlen("ipc://"));
    else
        len = snprintf(out, cap, "#    %s = \"%s\"\n", key, r->fallback);
    return len > 0 && (size_t)len < cap;
}

static void config_text(uint16_t port, char out[CONFIG_TEXT_CAP])
{
    size_t len = (size_t)snprintf(out, CONFIG_TEXT_CAP,
                                  "#   One SealMQ relay. Relative paths lie below this file's "
                                  "folder.\n#   Lines behind a # show what holds without them.\n");
    const char *section = "";
    for (size_t i = 0; i < config_rule_count; i++) {
        const struct config_rule *r = &config_rules[i];
        if (strcmp(section, r->section) != 0)
            len += (size_t)snprintf(out + len, CONFIG_TEXT_CAP - len, "%s\n", r->section);
        section = r->section;
        ENSURE(len < CONFIG_TEXT_CAP && entry_text(r, port, out + len, CONFIG_TEXT_CAP - len));
        len += strlen(out + len);
    }
}

static enum status folders_make(const char *dir, char *error, size_t error_cap)
{
    static const char *const below[] = {".", "run", "keys"};
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        char path[CONFIG_PATH_MAX];
        if (!path_join(path, dir, below[i]))
            return fault(error, error_cap, STATUS_CONFIG, "%s: the path is too long", dir);
        enum status status = folder_make(path, error, error_cap);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status config_make(const char *dir, uint16_t port, char *error, size_t error_cap)
{
    char path[CONFIG_PATH_MAX], text[CONFIG_TEXT_CAP];
    struct config config;
    bool made;
    if (sodium_init() < 0) return fault(error, error_cap, STATUS_IO, "libsodium does not start");
    enum status status = folders_make(dir, error, error_cap);
    if (status != STATUS_OK) return status;
    if (!path_join(path, dir, "sealmq.zpl"))
        return fault(error, error_cap, STATUS_CONFIG, "%s: the path is too long", dir);
    config_text(port, text);
    status = file_make(path, FILE_SECRET, text, &made, error, error_cap);
    if (status == STATUS_OK) status = config_load(path, &config, error, error_cap);
    if (status == STATUS_OK) status = keys_make(&config, error, error_cap);
    return status;
}
