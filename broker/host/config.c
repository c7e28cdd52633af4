/* config: reads sealmq.zpl with czmq's zconfig and holds it against the table in config_value.c:
 * every entry known and given once, every value possible, every folder private. What is not here:
 * defaults and limits (the table), and making the file (config_make.c).
 * zconfig keeps no line numbers, so errors name "section.key"; of a file that is not ZPL at all
 * czmq itself prints the line on standard error. */
#include "broker/host/config.h"

#include "broker/host/config_value.h"
#include "broker/host/file.h"

#include <czmq.h>
#include <sodium.h>

#define CONFIG_FILE_LEN_MAX 65536

/* One load under way; config is copied to the caller's only when everything held. */
struct loading {
    struct config config;
    char folder[CONFIG_PATH_MAX];
    const char *values[CONFIG_RULES_MAX]; /* borrowed from the zconfig tree; NULL = absent */
    char *error;
    size_t error_cap;
};

#define REFUSE(l, ...) fault((l)->error, (l)->error_cap, STATUS_CONFIG, __VA_ARGS__)

/* zconfig gives NULL or "" for an entry without a value. */
static const char *value_of(zconfig_t *entry)
{
    const char *value = zconfig_value(entry);
    return value ? value : "";
}

/* What somebody may look for, and must not believe to have. */
static const struct {
    const char *section, *key, *why;
} absent_entries[] = {
    {"storage", "sync",
     "rocksdb is always synced before it answers; whoever wants no durability says "
     "storage.backend = memory"},
};

static enum status entry_unknown(struct loading *l, const char *section, const char *key)
{
    for (size_t i = 0; i < sizeof absent_entries / sizeof absent_entries[0]; i++)
        if (streq(absent_entries[i].section, section) && streq(absent_entries[i].key, key))
            return REFUSE(l, "%s.%s: there is no such choice: %s: remove it from %s", section, key,
                          absent_entries[i].why, l->config.file);
    return REFUSE(l, "%s.%s: unknown entry: remove it from %s, or correct its name", section, key,
                  l->config.file);
}

static enum status entry_take(struct loading *l, const char *section, zconfig_t *entry)
{
    const char *key = zconfig_name(entry);
    size_t at = config_rule_find(section, key);
    if (at == config_rule_count) return entry_unknown(l, section, key);
    if (l->values[at])
        return REFUSE(l, "%s.%s: given twice: keep one of them in %s", section, key,
                      l->config.file);
    if (zconfig_child(entry))
        return REFUSE(l, "%s.%s: has entries below it: correct the indentation in %s", section, key,
                      l->config.file);
    l->values[at] = value_of(entry);
    return STATUS_OK;
}

static enum status section_take(struct loading *l, zconfig_t *section)
{
    const char *name = zconfig_name(section);
    if (!config_section_known(name))
        return REFUSE(l, "%s: unknown section: remove it from %s, or correct its name", name,
                      l->config.file);
    if (*value_of(section))
        return REFUSE(l, "%s: is a section and takes no value: indent its entries by four spaces "
                      "below it in %s", name, l->config.file);
    for (zconfig_t *entry = zconfig_child(section); entry; entry = zconfig_next(entry)) {
        enum status status = entry_take(l, name, entry);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status tree_take(struct loading *l, zconfig_t *root)
{
    for (zconfig_t *section = zconfig_child(root); section; section = zconfig_next(section)) {
        for (zconfig_t *other = zconfig_next(section); other; other = zconfig_next(other))
            if (streq(zconfig_name(other), zconfig_name(section)))
                return REFUSE(l, "%s: section given twice: make it one in %s",
                              zconfig_name(section), l->config.file);
        enum status status = section_take(l, section);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

static enum status rule_read(struct loading *l, size_t at)
{
    const struct config_rule *r = &config_rules[at];
    const char *given = l->values[at], *text = given ? given : r->fallback;
    const char *base = given ? l->folder : (const char *)&l->config + r->fallback_base;
    char expected[160];
    config_expected(r, expected, sizeof expected);
    if (!text)
        return REFUSE(l, "%s.%s: missing: add it to %s: %s", r->section, r->key, l->config.file,
                      expected);
    if (r->set(r, text, base, &l->config)) return STATUS_OK;
    if (!given)
        return REFUSE(l, "%s.%s: its default %s below %s does not do: give %s in %s", r->section,
                      r->key, text, base, expected, l->config.file);
    return REFUSE(l, "%s.%s: \"%.80s\" does not do: give %s in %s", r->section, r->key, text,
                  expected, l->config.file);
}

static enum status values_read(struct loading *l)
{
    for (size_t at = 0; at < config_rule_count; at++) {
        enum status status = rule_read(l, at);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* The key is put before what file.c said about the path. */
static enum status path_check(struct loading *l, const char *key, const char *path,
                              enum status (*check)(const char *, char *, size_t))
{
    char why[CONFIG_PATH_MAX * 2 + 128];
    enum status status = check(path, why, sizeof why);
    return status == STATUS_OK ? status : fault(l->error, l->error_cap, status, "%s: %s", key, why);
}

static enum status private_check(const char *path, char *error, size_t error_cap)
{
    enum status status = folder_check(path, error, error_cap);
    return status == STATUS_OK ? parents_check(path, error, error_cap) : status;
}

static enum status data_check(const char *path, char *error, size_t error_cap)
{
    if (access(path, F_OK) != 0)
        return parents_check(path, error, error_cap); /* the backend makes it */
    return private_check(path, error, error_cap);
}

/* Others may read where the log is, but not put anything there, not even where it is sticky. A
 * folder that is gone costs the log, not the service. */
static enum status log_check(const char *path, char *error, size_t error_cap)
{
    char folder[CONFIG_PATH_MAX];
    if (strcmp(path, "-") == 0) return STATUS_OK;
    if (!path_folder(folder, path))
        return fault(error, error_cap, STATUS_CONFIG, "the path is too long: shorten it");
    if (access(folder, F_OK) != 0) return STATUS_OK;
    enum status status = privacy_check(folder, FILE_READABLE, error, error_cap);
    return status == STATUS_OK ? parents_check(path, error, error_cap) : status;
}

static enum status socket_check(const char *endpoint, char *error, size_t error_cap)
{
    char folder[CONFIG_PATH_MAX];
    if (!path_folder(folder, endpoint + strlen("ipc://")))
        return fault(error, error_cap, STATUS_CONFIG, "the path is too long: shorten it");
    return private_check(folder, error, error_cap);
}

static enum status paths_check(struct loading *l)
{
    const struct {
        const char *key, *path;
        enum status (*check)(const char *, char *, size_t);
    } checks[] = {
        {"relay.dir", l->config.dir, private_check},
        {"relay.run", l->config.run_dir, private_check},
        {"relay.keys", l->config.keys_dir, private_check},
        {"relay.log", l->config.log_file, log_check},
        {"storage.data", l->config.data_dir, data_check},
        {"broker.backend", l->config.backend_endpoint, socket_check},
        {"broker.admin", l->config.admin_endpoint, socket_check},
        {"--config", l->config.file, parents_check},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        enum status status = path_check(l, checks[i].key, checks[i].path, checks[i].check);
        if (status != STATUS_OK) return status;
    }
    if (streq(l->config.backend_endpoint, l->config.admin_endpoint))
        return REFUSE(l, "broker.admin: the same socket as broker.backend: name another one in %s",
                      l->config.file);
    return STATUS_OK;
}

/* *root is owned by the caller. */
static enum status tree_load(struct loading *l, zconfig_t **root)
{
    char *text;
    size_t len;
    *root = NULL;
    if (access(l->config.file, F_OK) != 0 && errno == ENOENT)
        return REFUSE(l, "no config file %s: make one with sealmqd --init DIR", l->config.file);
    char why[CONFIG_PATH_MAX * 2 + 128];
    enum status status =
        file_read(l->config.file, FILE_READABLE, CONFIG_FILE_LEN_MAX, &text, &len, why, sizeof why);
    if (status != STATUS_OK) return fault(l->error, l->error_cap, status, "--config: %s", why);
    if (strlen(text) == len) *root = zconfig_str_load(text);
    sodium_free(text);
    if (*root) return STATUS_OK;
    return REFUSE(l, "%s: not a ZPL file: entries are \"key = value\", indented by four spaces "
                  "below their section's name", l->config.file);
}

static enum status config_read(struct loading *l)
{
    zconfig_t *root;
    enum status status = tree_load(l, &root);
    if (status == STATUS_OK) status = tree_take(l, root);
    if (status == STATUS_OK) status = values_read(l);
    zconfig_destroy(&root);
    if (status == STATUS_OK) status = paths_check(l);
    return status;
}

enum status config_load(const char *file, struct config *out, char *error, size_t error_cap)
{
    struct loading l = {.error = error, .error_cap = error_cap};
    memset(out, 0, sizeof *out);
    if (error_cap) *error = '\0';
    if (!path_folder(l.folder, file) ||
        !path_join(l.config.file, l.folder, strrchr(file, '/') ? strrchr(file, '/') + 1 : file))
        return fault(error, error_cap, STATUS_CONFIG, "the config file's path is too long");
    enum status status = config_read(&l);
    if (status == STATUS_OK) *out = l.config;
    return status;
}
