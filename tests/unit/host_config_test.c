/* config: what a fresh relay's config says, and every way of getting it wrong. */
#include "tests/unit/host_fixture.h"

#include "broker/wire/limits.h"

TestSuite(config, .init = fixture_start, .fini = fixture_end);

static char error[2048];

static void config_made(void)
{
    enum status status = config_make(fixture_dir, 7400, error, sizeof error);
    cr_assert(status == STATUS_OK, "%s", error);
}

/* The made folder with another sealmq.zpl. */
static enum status load_text(const char *text, struct config *out)
{
    unlink(fixture_path("sealmq.zpl"));
    config_made();
    fixture_write("sealmq.zpl", text, 0600);
    return config_load(fixture_path("sealmq.zpl"), out, error, sizeof error);
}

#define BASE "relay\n    dir = \".\"\nbroker\n    client = \"tcp://127.0.0.1:7400\"\n"

static void refused(const char *text, const char *says)
{
    struct config config;
    cr_assert_eq(load_text(text, &config), STATUS_CONFIG);
    cr_assert(strncmp(error, says, strlen(says)) == 0, "\"%s\" does not begin with \"%s\"", error,
              says);
    cr_assert_null(strchr(error, '\n'));
    cr_assert(config.dir[0] == '\0' && config.credit == 0, "nothing is given after a failure");
}

Test(config, a_made_config_loads_with_the_defaults)
{
    struct config c;
    config_made();
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &c, error, sizeof error), STATUS_OK);
    cr_assert_str_eq(c.dir, fixture_dir);
    cr_assert_str_eq(c.run_dir, fixture_path("run"));
    cr_assert_str_eq(c.keys_dir, fixture_path("keys"));
    cr_assert_str_eq(c.log_file, fixture_path("log"));
    cr_assert_eq(c.log_len_max, 64u << 20);
    cr_assert_str_eq(c.data_dir, fixture_path("store"));
    cr_assert_str_eq(c.client_endpoint, "tcp://127.0.0.1:7400");
    cr_assert_str_eq(c.backend_endpoint + 6, fixture_path("run/backend.ipc"));
    cr_assert_str_eq(c.admin_endpoint + 6, fixture_path("run/admin.ipc"));
    cr_assert_eq(c.connections_max, CONNECTIONS_MAX);
    cr_assert_eq(c.address_connections_max, 1024);
    cr_assert(c.ping_ms == 10000 && c.drain_ms == 2000 && c.credit == 4096);
    cr_assert(c.address_requests_per_s == 200 && c.device_requests_per_s == 2000);
    cr_assert(c.device_bytes_per_s == 64u << 20 && !c.allow_swap && !c.allow_core && !c.joined);
    cr_assert(c.backend == BACKEND_ROCKSDB && !c.accept_damaged);
    cr_assert(c.partition_first == 0 && c.partition_last == 4095);
    cr_assert(c.mailbox_messages == 10000 && c.mailbox_bytes == 268435456);
    cr_assert(c.payload_keep_ms == PAYLOAD_KEEP_MS && c.ledger_keep_ms == LEDGER_KEEP_MS);
    cr_assert(c.events_keep_ms == EVENTS_KEEP_MS && c.disk_min_percent == 10);
    cr_assert(c.cache_bytes == 8u << 20 && c.write_buffer_bytes == 16u << 20);
    cr_assert(c.webhook_url[0] == '\0' && c.wake_retry_ms == 1000 && c.wake_attempts == 8);
}

Test(config, every_line_that_a_made_config_shows_behind_a_hash_is_true)
{
    struct config before, after;
    char text[8192], shown[8192], *out = shown;
    config_made();
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &before, error, sizeof error), STATUS_OK);
    fixture_read("sealmq.zpl", text, sizeof text);
    for (const char *at = text; *at; at++)
        if (*at != '#' || at[4] != ' ' || at[5] == ' ') *out++ = *at;
    *out = '\0';
    fixture_write("sealmq.zpl", shown, 0600);
    enum status status = config_load(fixture_path("sealmq.zpl"), &after, error, sizeof error);
    cr_assert(status == STATUS_OK, "%s", error);
    cr_assert(strstr(shown, "\n    attempts = ") != NULL);
    cr_assert_eq(memcmp(&before, &after, sizeof before), 0);
}

Test(config, given_values_replace_the_defaults)
{
    struct config c;
    enum status status = load_text(
        "relay\n    dir = \".\"\n    log = \"-\"\n    log_bytes = 1048576\nbroker\n    client = \"tcp://*:9\"\n"
        "    drain_ms = 0\n    address_requests_per_s = 3\n    device_bytes_per_s = 65536\n"
        "storage\n    backend = memory\n    partitions = \"16-31\"\n"
        "    accept_damaged = yes\n    ledger_days = 9\nfanout\n"
        "    webhook = \"https://push.example/wake?x=1\"\n", &c);
    cr_assert(status == STATUS_OK, "%s", error);
    cr_assert_str_eq(c.log_file, "-");
    cr_assert_eq(c.log_len_max, 1u << 20);
    cr_assert_str_eq(c.client_endpoint, "tcp://*:9");
    cr_assert(c.drain_ms == 0 && c.backend == BACKEND_MEMORY && c.accept_damaged);
    cr_assert(c.address_requests_per_s == 3 && c.device_bytes_per_s == 65536);
    cr_assert(c.partition_first == 16 && c.partition_last == 31);
    cr_assert_eq(c.ledger_keep_ms, 9ull * 24 * 3600 * 1000);
    cr_assert_str_eq(c.webhook_url, "https://push.example/wake?x=1");
}

Test(config, plain_edge_is_for_benchmarks_on_loopback)
{
    struct config c;
    cr_assert_eq(load_text(BASE "    plain = bench\n", &c), STATUS_OK, "%s", error);
    cr_assert(c.plain);
}

Test(config, plain_edge_that_others_can_reach_is_refused)
{
    refused("relay\n    dir = \".\"\nbroker\n    client = \"tcp://*:7400\"\n    plain = bench\n",
            "broker.plain:");
}

Test(config, unknown_duplicate_and_missing_entries_are_named)
{
    refused(BASE "    clinet = 3\n", "broker.clinet: unknown entry");
    refused(BASE "brokr\n    client = 3\n", "brokr: unknown section");
    refused(BASE "    client = \"tcp://127.0.0.1:7401\"\n", "broker.client: given twice");
    refused(BASE "relay\n    dir = \".\"\n", "relay: section given twice");
    refused("relay\n    dir = \".\"\n", "broker.client: missing");
    refused("broker\n    client = \"tcp://127.0.0.1:7400\"\n", "relay.dir: missing");
    refused(BASE "        deeper = 3\n", "broker.client: has entries below it");
    refused(BASE "storage = rocksdb\n", "storage: is a section");
    refused("", "relay.dir: missing");
}

Test(config, impossible_values_are_named)
{
    static const char *const bad[][2] = {
        {"client = \"tcp://127.0.0.1\"", "broker.client:"},
        {"client = \"tcp://127.0.0.1:0\"", "broker.client:"},
        {"client = \"tcp://127.0.0.1:65536\"", "broker.client:"},
        {"client = \"tcp://:7400\"", "broker.client:"},
        {"client = \"ipc://client\"", "broker.client:"},
        {"backend = \"tcp://127.0.0.1:7401\"", "broker.backend:"},
        {"backend = \"ipc://@abstract\"", "broker.backend:"},
        {"backend = \"ipc://\"", "broker.backend:"},
        {"admin = \"ipc://run/backend.ipc\"", "broker.admin: the same socket"},
        {"connections = 0", "broker.connections:"},
        {"connections = 16385", "broker.connections:"},
        {"address_connections = 0", "broker.address_connections:"},
        {"ping_ms = \"-1\"", "broker.ping_ms:"},
        {"ping_ms = \"10 s\"", "broker.ping_ms:"},
        {"drain_ms = 99999999999999999999", "broker.drain_ms:"},
        {"drain_ms =", "broker.drain_ms:"},
        {"plain = yes", "broker.plain:"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[512];
        bool client = strncmp(bad[i][0], "client", 6) == 0;
        snprintf(text, sizeof text, "relay\n    dir = \".\"\nbroker\n    %s\n%s", bad[i][0],
                 client ? "" : "    client = \"tcp://127.0.0.1:7400\"\n");
        refused(text, bad[i][1]);
    }
    refused("relay\n    dir = \".\"\n    log_bytes = 1048575\n", "relay.log_bytes:");
    refused(BASE "storage\n    backend = leveldb\n", "storage.backend:");
    refused(BASE "storage\n    partitions = \"9-8\"\n", "storage.partitions:");
    refused(BASE "storage\n    partitions = \"0-4096\"\n", "storage.partitions:");
    refused(BASE "storage\n    partitions = all\n", "storage.partitions:");
    refused(BASE "storage\n    accept_damaged = maybe\n", "storage.accept_damaged:");
    refused(BASE "storage\n    ledger_days = 7\n", "storage.ledger_days:");
    refused(BASE "fanout\n    webhook = \"ftp://x\"\n", "fanout.webhook:");
    refused(BASE "fanout\n    webhook = \"http://x y\"\n", "fanout.webhook:");
}

Test(config, a_file_that_others_may_write_is_refused)
{
    struct config c;
    config_made();
    cr_assert_eq(chmod(fixture_path("sealmq.zpl"), 0606), 0);
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &c, error, sizeof error), STATUS_CONFIG);
    cr_assert(strncmp(error, "--config: others may write", 26) == 0, "%s", error);
    cr_assert(strstr(error, "chmod") != NULL);
    cr_assert_eq(chmod(fixture_path("sealmq.zpl"), 0644), 0);
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &c, error, sizeof error), STATUS_OK);
}

Test(config, folders_that_others_may_use_are_refused_by_key)
{
    static const char *const folders[][2] = {
        {".", "relay.dir:"}, {"run", "relay.run:"}, {"keys", "relay.keys:"}};
    struct config c;
    config_made();
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(chmod(fixture_path(folders[i][0]), 0711), 0);
        cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &c, error, sizeof error), STATUS_CONFIG);
        cr_assert(strncmp(error, folders[i][1], strlen(folders[i][1])) == 0, "%s", error);
        cr_assert_eq(chmod(fixture_path(folders[i][0]), 0700), 0);
    }
}

Test(config, a_missing_folder_and_a_missing_file_say_how_to_make_them)
{
    struct config c;
    config_made();
    cr_assert_eq(rmdir(fixture_path("run")), 0);
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &c, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "relay.run: no folder") && strstr(error, "--init"));
    cr_assert_eq(config_load(fixture_path("other.zpl"), &c, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "no config file") && strstr(error, "--init"));
}

Test(config, what_is_no_zpl_or_no_file_is_refused)
{
    struct config c;
    refused("relay\n  dir = \".\"\n", fixture_path("sealmq.zpl"));
    cr_assert_eq(config_load(fixture_path("run"), &c, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "is not a file") != NULL);
}

Test(config, a_folder_too_deep_for_a_socket_is_refused)
{
    struct config c;
    char deep[CONFIG_PATH_MAX];
    snprintf(deep, sizeof deep, "%s/%080d", fixture_dir, 0);
    cr_assert_eq(config_make(deep, 7400, error, sizeof error), STATUS_CONFIG);
    cr_assert(strncmp(error, "broker.backend:", 15) == 0, "%s", error);
    snprintf(deep, sizeof deep, "%s/%0300d", fixture_dir, 0);
    cr_assert_neq(config_load(deep, &c, error, sizeof error), STATUS_OK);
}

Test(config, making_again_changes_nothing)
{
    static const char *const files[] = {"sealmq.zpl",       "server.pub",       "keys/server.key",
                                        "keys/receipt.key", "keys/stamp.key",
                                        "keys/webhook.key", "keys/mark.key"};
    char before[7][4096], after[4096];
    config_made();
    for (size_t i = 0; i < 7; i++)
        fixture_read(files[i], before[i], sizeof before[i]);
    cr_assert_eq(config_make(fixture_dir, 7401, error, sizeof error), STATUS_OK);
    for (size_t i = 0; i < 7; i++) {
        fixture_read(files[i], after, sizeof after);
        cr_assert_str_eq(after, before[i]);
    }
}

Test(config, making_finishes_what_was_cut_short)
{
    config_made();
    cr_assert_eq(unlink(fixture_path("server.pub")), 0);
    cr_assert_eq(unlink(fixture_path("keys/mark.key")), 0);
    cr_assert_eq(rmdir(fixture_path("run")), 0);
    config_made();
    cr_assert_eq(access(fixture_path("server.pub"), F_OK), 0);
    cr_assert_eq(access(fixture_path("keys/mark.key"), F_OK), 0);
}

Test(config, made_files_are_private)
{
    struct stat s;
    config_made();
    static const char *const secret[] = {"sealmq.zpl", "keys/server.key", "keys/receipt.key",
                                         "keys/stamp.key"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(stat(fixture_path(secret[i]), &s), 0);
        cr_assert_eq(s.st_mode & 07777, 0600);
    }
    cr_assert_eq(stat(fixture_path("keys"), &s), 0);
    cr_assert_eq(s.st_mode & 07777, 0700);
}

Test(config, making_into_a_loose_folder_is_refused)
{
    cr_assert_eq(chmod(fixture_dir, 0755), 0);
    cr_assert_eq(config_make(fixture_dir, 7400, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "chmod") != NULL);
    cr_assert_neq(access(fixture_path("sealmq.zpl"), F_OK), 0);
}
