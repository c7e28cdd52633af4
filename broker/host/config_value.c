/* config_value: one row per entry of sealmq.zpl. Adding an entry is adding a row here and its
 * sentence in config.h. Values are checked one by one; what concerns several of them or the disk is
 * config.c's. */
#include "broker/host/config_value.h"

#include "broker/host/file.h"
#include "broker/wire/limits.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IPC_PATH_MAX 107 /* sun_path less its NUL */
#define DAY_MS       (24ull * 3600 * 1000)

static void *field_of(const struct config_rule *r, struct config *c)
{
    return (char *)c + r->at;
}

/* Decimal digits only: no sign, no space, no unit. */
static bool number_parse(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 18) return false;
    for (; *text; text++) {
        if (!isdigit((unsigned char)*text)) return false;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return true;
}

static bool number_within(const struct config_rule *r, const char *text, uint64_t *out)
{
    uint64_t value;
    if (!number_parse(text, &value) || value < r->min || value > r->max) return false;
    *out = value * r->factor;
    return true;
}

static bool set_u32(const struct config_rule *r, const char *text, const char *base,
                    struct config *c)
{
    uint64_t value;
    (void)base;
    if (!number_within(r, text, &value)) return false;
    *(uint32_t *)field_of(r, c) = (uint32_t)value;
    return true;
}

static bool set_u64(const struct config_rule *r, const char *text, const char *base,
                    struct config *c)
{
    (void)base;
    return number_within(r, text, field_of(r, c));
}

static bool set_path(const struct config_rule *r, const char *text, const char *base,
                     struct config *c)
{
    char path[CONFIG_PATH_MAX];
    if (!*text || !path_join(path, base, text)) return false;
    memcpy(field_of(r, c), path, strlen(path) + 1);
    return true;
}

static bool set_log(const struct config_rule *r, const char *text, const char *base,
                    struct config *c)
{
    if (strcmp(text, "-") != 0) return set_path(r, text, base, c);
    memcpy(field_of(r, c), "-", 2);
    return true;
}

/* tcp://HOST:PORT; a port that the system chooses would be a port that nobody knows. */
static bool set_tcp(const struct config_rule *r, const char *text, const char *base,
                    struct config *c)
{
    uint64_t port;
    const char *colon = strrchr(text, ':');
    (void)base;
    if (strncmp(text, "tcp://", 6) != 0 || colon <= text + 6 || strpbrk(text, " ;")) return false;
    if (!number_parse(colon + 1, &port) || port == 0 || port > UINT16_MAX) return false;
    if (strlen(text) >= CONFIG_URL_MAX) return false;
    memcpy(field_of(r, c), text, strlen(text) + 1);
    return true;
}

/* ipc://PATH. Not the abstract namespace ("ipc://@…"): it has no owner and no mode. */
static bool set_ipc(const struct config_rule *r, const char *text, const char *base,
                    struct config *c)
{
    char path[CONFIG_PATH_MAX];
    if (strncmp(text, "ipc://", 6) != 0 || text[6] == '\0' || strchr("@*", text[6])) return false;
    if (!path_join(path, base, text + 6) || strlen(path) > IPC_PATH_MAX) return false;
    snprintf(field_of(r, c), CONFIG_URL_MAX, "ipc://%.*s", IPC_PATH_MAX, path);
    return true;
}

static bool set_backend(const struct config_rule *r, const char *text, const char *base,
                        struct config *c)
{
    bool rocksdb = strcmp(text, "rocksdb") == 0;
    (void)base;
    if (!rocksdb && strcmp(text, "memory") != 0) return false;
    *(enum config_backend *)field_of(r, c) = rocksdb ? BACKEND_ROCKSDB : BACKEND_MEMORY;
    return true;
}

static bool set_bool(const struct config_rule *r, const char *text, const char *base,
                     struct config *c)
{
    bool yes = strcmp(text, "yes") == 0;
    (void)base;
    if (!yes && strcmp(text, "no") != 0) return false;
    *(bool *)field_of(r, c) = yes;
    return true;
}

/* Not "yes": nobody turns encryption off by a habit. Loopback only; broker.client stands before it. */
static bool set_plain(const struct config_rule *r, const char *text, const char *base,
                      struct config *c)
{
    static const char *const loopback[] = {"tcp://127.", "tcp://[::1]:", "tcp://localhost:"};
    bool bench = strcmp(text, "bench") == 0, local = false;
    (void)base;
    for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
        local = local || strncmp(c->client_endpoint, loopback[i], strlen(loopback[i])) == 0;
    if (strcmp(text, "no") != 0 && !(bench && local)) return false;
    *(bool *)field_of(r, c) = bench;
    return true;
}

/* "FIRST-LAST" into partition_first and partition_last. */
static bool set_partitions(const struct config_rule *r, const char *text, const char *base,
                           struct config *c)
{
    char first_text[8] = "";
    uint64_t first, last;
    const char *dash = strchr(text, '-');
    (void)base;
    (void)r;
    if (!dash || (size_t)(dash - text) >= sizeof first_text) return false;
    memcpy(first_text, text, (size_t)(dash - text));
    if (!number_parse(first_text, &first) || !number_parse(dash + 1, &last)) return false;
    if (first > last || last >= PARTITION_COUNT) return false;
    c->partition_first = (uint32_t)first;
    c->partition_last = (uint32_t)last;
    return true;
}

static bool set_webhook(const struct config_rule *r, const char *text, const char *base,
                        struct config *c)
{
    bool http = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
    (void)base;
    if ((*text && !http) || strlen(text) >= CONFIG_URL_MAX) return false;
    for (const char *at = text; *at; at++)
        if (!isgraph((unsigned char)*at)) return false;
    memcpy(field_of(r, c), text, strlen(text) + 1);
    return true;
}

static bool set_registration(const struct config_rule *r, const char *text, const char *base,
                             struct config *c)
{
    bool token = strcmp(text, "token") == 0;
    (void)base;
    if (!token && strcmp(text, "open") != 0) return false;
    *(enum registration_mode *)field_of(r, c) = token ? REGISTRATION_TOKEN : REGISTRATION_OPEN;
    return true;
}

/* Keys stand here as they are, or in a file; what they are worth registration.c says. */
static bool set_product_keys(const struct config_rule *r, const char *text, const char *base,
                             struct config *c)
{
    if (strspn(text, "0123456789abcdefABCDEF, ") != strlen(text)) return set_path(r, text, base, c);
    if (strlen(text) >= CONFIG_PATH_MAX) return false;
    memcpy(field_of(r, c), text, strlen(text) + 1);
    return true;
}

#define AT(field) offsetof(struct config, field)
#define PATH      "a path of less than 512 bytes"
#define IPC       "ipc://PATH of a socket in a folder of mode 0700, PATH at most 107 bytes"

const struct config_rule config_rules[] = {
    {"relay", "dir", set_path, AT(dir), NULL, 0, 0, 0, 0, PATH},
    {"relay", "run", set_path, AT(run_dir), "run", AT(dir), 0, 0, 0, PATH},
    {"relay", "keys", set_path, AT(keys_dir), "keys", AT(dir), 0, 0, 0, PATH},
    {"relay", "log", set_log, AT(log_file), "log", AT(dir), 0, 0, 0,
     "a path, or - for standard error"},
    {"relay", "log_bytes", set_u64, AT(log_len_max), "67108864", 0, 1ull << 20, 1ull << 40, 1, NULL},
    {"relay", "allow_swap", set_bool, AT(allow_swap), "no", 0, 0, 0, 0, "yes or no"},
    {"relay", "allow_core", set_bool, AT(allow_core), "no", 0, 0, 0, 0, "yes or no"},
    {"relay", "restart_ms", set_u32, AT(restart_ms), "5000", 0, 10, 600000, 1, NULL},
    {"relay", "joined", set_bool, AT(joined), "no", 0, 0, 0, 0, "yes or no"},
    {"broker", "client", set_tcp, AT(client_endpoint), NULL, 0, 0, 0, 0,
     "tcp://HOST:PORT, e.g. tcp://127.0.0.1:7400"},
    {"broker", "backend", set_ipc, AT(backend_endpoint), "ipc://backend.ipc", AT(run_dir), 0, 0, 0,
     IPC},
    {"broker", "admin", set_ipc, AT(admin_endpoint), "ipc://admin.ipc", AT(run_dir), 0, 0, 0, IPC},
    {"broker", "connections", set_u32, AT(connections_max), "16384", 0, 1, CONNECTIONS_MAX, 1,
     NULL},
    {"broker", "address_connections", set_u32, AT(address_connections_max), "1024", 0, 1,
     CONNECTIONS_MAX, 1, NULL},
    {"broker", "ping_ms", set_u32, AT(ping_ms), "10000", 0, 100, 600000, 1, NULL},
    {"broker", "drain_ms", set_u32, AT(drain_ms), "2000", 0, 0, 60000, 1, NULL},
    {"broker", "address_requests_per_s", set_u32, AT(address_requests_per_s), "200", 0, 1, 1000000,
     1, NULL},
    {"broker", "device_requests_per_s", set_u32, AT(device_requests_per_s), "2000", 0, 1, 1000000,
     1, NULL},
    {"broker", "device_bytes_per_s", set_u64, AT(device_bytes_per_s), "67108864", 0, 1u << 16,
     1ull << 34, 1, NULL},
    {"broker", "plain", set_plain, AT(plain), "no", 0, 0, 0, 0,
     "no, or bench for benchmarks with broker.client on loopback"},
    {"storage", "backend", set_backend, AT(backend), "rocksdb", 0, 0, 0, 0, "rocksdb or memory"},
    {"storage", "data", set_path, AT(data_dir), "store", AT(dir), 0, 0, 0, PATH},
    {"storage", "partitions", set_partitions, AT(partition_first), "0-4095", 0, 0, 0, 0,
     "FIRST-LAST within 0-4095"},
    {"storage", "mailbox_messages", set_u32, AT(mailbox_messages), "10000", 0, 1, 1000000, 1, NULL},
    {"storage", "mailbox_bytes", set_u64, AT(mailbox_bytes), "268435456", 0, CIPHERTEXT_LEN_MAX,
     1ull << 40, 1, NULL},
    {"storage", "payload_days", set_u64, AT(payload_keep_ms), "30", 0, 1, 3650, DAY_MS, NULL},
    {"storage", "ledger_days", set_u64, AT(ledger_keep_ms), "8", 0, LEDGER_KEEP_MS / DAY_MS, 3650,
     DAY_MS, NULL},
    {"storage", "events_days", set_u64, AT(events_keep_ms), "30", 0, 1, 3650, DAY_MS, NULL},
    {"storage", "disk_min_percent", set_u32, AT(disk_min_percent), "10", 0, 1, 50, 1, NULL},
    {"storage", "cache_bytes", set_u64, AT(cache_bytes), "8388608", 0, 1u << 20, 1ull << 40, 1, NULL},
    {"storage", "write_buffer_bytes", set_u64, AT(write_buffer_bytes), "16777216", 0, 4u << 20, 1u << 30,
     1, NULL},
    {"storage", "accept_damaged", set_bool, AT(accept_damaged), "no", 0, 0, 0, 0, "yes or no"},
    {"storage", "credit", set_u32, AT(credit), "4096", 0, 1, 65536, 1, NULL},
    {"registration", "mode", set_registration, AT(registration), "open", 0, 0, 0, 0, "open or token"},
    {"registration", "key", set_product_keys, AT(registration_key), "", 0, 0, 0, 0,
     "the product's public keys, 64 hexadecimal digits each, or the path of a file of them"},
    {"fanout", "webhook", set_webhook, AT(webhook_url), "", 0, 0, 0, 0,
     "http://… or https://…, or nothing"},
    {"fanout", "retry_ms", set_u32, AT(wake_retry_ms), "1000", 0, 10, 3600000, 1, NULL},
    {"fanout", "attempts", set_u32, AT(wake_attempts), "8", 0, 1, 100, 1, NULL},
};
const size_t config_rule_count = sizeof config_rules / sizeof config_rules[0];
_Static_assert(sizeof config_rules / sizeof config_rules[0] <= CONFIG_RULES_MAX, "seen[] is full");

size_t config_rule_find(const char *section, const char *key)
{
    for (size_t i = 0; i < config_rule_count; i++)
        if (strcmp(config_rules[i].section, section) == 0 && strcmp(config_rules[i].key, key) == 0)
            return i;
    return config_rule_count;
}

bool config_section_known(const char *section)
{
    for (size_t i = 0; i < config_rule_count; i++)
        if (strcmp(config_rules[i].section, section) == 0) return true;
    return false;
}

void config_expected(const struct config_rule *r, char *out, size_t cap)
{
    if (r->expected)
        snprintf(out, cap, "%s", r->expected);
    else
        snprintf(out, cap, "a number from %" PRIu64 " to %" PRIu64, r->min, r->max);
}
