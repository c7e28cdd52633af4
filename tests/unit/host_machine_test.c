/* machine: what is refused before anything starts, each beside what is not. The machine is made up,
 * the files are real. */
#include "broker/host/machine.h"

#include "broker/host/file.h"
#include "broker/host/keys.h"
#include "broker/host/registration.h"
#include "tests/unit/host_fixture.h"

static char error[2048];

static void relay_start(void)
{
    fixture_start();
    cr_assert_eq(config_make(fixture_dir, 7400, error, sizeof error), STATUS_OK, "%s", error);
}

TestSuite(machine, .init = relay_start, .fini = fixture_end);

static enum status load(void)
{
    struct config config;
    enum status status = config_load(fixture_path("sealmq.zpl"), &config, error, sizeof error);
    if (status == STATUS_OK) status = keys_check(&config, error, sizeof error);
    return status;
}

static void refused(const char *says, const char *advice)
{
    cr_assert_eq(load(), STATUS_CONFIG);
    cr_assert(strncmp(error, says, strlen(says)) == 0, "\"%s\" does not begin with \"%s\"", error,
              says);
    cr_assert(strstr(error, advice) != NULL, "\"%s\" does not say \"%s\"", error, advice);
    cr_assert_null(strchr(error, '\n'));
}

static void mode_set(const char *name, mode_t mode)
{
    cr_assert_eq(chmod(fixture_path(name), mode), 0);
}

/* ---- the machine ---- */

static const struct machine good = {.zmq_version = 40304, .zmq_curve = true, .memory_locks = true};

static enum status machine(struct machine m, bool allow_swap)
{
    struct config config = {.file = "sealmq.zpl", .allow_swap = allow_swap};
    error[0] = '\0';
    return machine_check(&config, &m, error, sizeof error);
}

Test(machine, libzmq_is_new_enough_and_has_curve)
{
    struct machine m = good;
    cr_assert_eq(machine(m, false), STATUS_OK);
    m.zmq_version = 40305;
    cr_assert_eq(machine(m, false), STATUS_OK);
    m.zmq_version = 40303;
    cr_assert_eq(machine(m, false), STATUS_CONFIG);
    cr_assert_str_eq(error, "libzmq: 4.3.3 is too old: install 4.3.4 or later");
    m = good;
    m.zmq_curve = false;
    cr_assert_eq(machine(m, false), STATUS_CONFIG);
    cr_assert(strncmp(error, "libzmq: built without CURVE", 27) == 0);
}

Test(machine, swap_is_refused_only_where_secrets_could_get_there)
{
    struct machine m = good;
    m.swap_on = true;
    cr_assert_eq(machine(m, false), STATUS_OK, "they are locked");
    m.memory_locks = false;
    cr_assert_eq(machine(m, false), STATUS_CONFIG);
    cr_assert(strncmp(error, "relay.allow_swap: ", 18) == 0 && strstr(error, "swapoff"));
    cr_assert_eq(machine(m, true), STATUS_OK, "somebody wants it so");
    m.swap_on = false;
    cr_assert_eq(machine(m, false), STATUS_OK, "there is nowhere to go");
}

Test(machine, swap_is_on_where_a_file_lists_one_or_cannot_be_read)
{
    fixture_write("none", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", 0600);
    fixture_write("one", "Filename\t\t\t\tType\t\tSize\n/dev/sda2 partition 1 0 -2\n", 0600);
    fixture_write("empty", "", 0600);
    cr_assert_not(swap_listed(fixture_path("none")));
    cr_assert(swap_listed(fixture_path("one")));
    cr_assert(swap_listed(fixture_path("empty")));
    cr_assert(swap_listed(fixture_path("missing")));
}

Test(machine, this_machine_can_be_read)
{
    struct machine m;
    machine_read(&m);
    cr_assert(m.zmq_version >= 40304 && m.zmq_curve);
}

/* ---- files ---- */

Test(machine, a_made_relay_is_not_refused)
{
    struct config config;
    cr_assert_eq(load(), STATUS_OK, "%s", error);
    cr_assert_eq(machine_load(fixture_path("sealmq.zpl"), &config, error, sizeof error), STATUS_OK,
                 "%s", error);
    cr_assert_not(config.allow_core || config.allow_swap);
}

Test(machine, a_refused_load_gives_nothing)
{
    struct config config;
    mode_set("keys/mark.key", 0640);
    cr_assert_eq(machine_load(fixture_path("sealmq.zpl"), &config, error, sizeof error),
                 STATUS_CONFIG);
    cr_assert(config.dir[0] == '\0' && config.credit == 0);
}

Test(machine, keys_that_others_may_use_are_refused)
{
    static const char *const keys[] = {"keys/server.key", "keys/receipt.key", "keys/stamp.key",
                                       "keys/webhook.key", "keys/mark.key"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        mode_set(keys[i], 0640);
        refused("relay.keys: others may use", "chmod go-rwx");
        mode_set(keys[i], 0600);
        cr_assert_eq(load(), STATUS_OK);
        mode_set(keys[i], 0400);
        cr_assert_eq(load(), STATUS_OK, "less is no fault");
    }
}

/* Only root can give a file away. */
Test(machine, keys_of_another_user_are_refused)
{
    if (geteuid() != 0) return; /* not cr_skip: that leaves the folder behind */
    cr_assert_eq(chown(fixture_path("keys/server.key"), 4711, 4711), 0);
    refused("relay.keys: ", "chown");
    cr_assert_eq(chown(fixture_path("keys/server.key"), 0, 0), 0);
    cr_assert_eq(load(), STATUS_OK, "%s", error);
}

/* A relay in a folder of a folder: DIR/above/relay. */
static void relay_below(mode_t above)
{
    char path[CONFIG_PATH_MAX];
    snprintf(path, sizeof path, "%s/above", fixture_dir);
    cr_assert(mkdir(path, 0700) == 0 && chmod(path, above) == 0);
    strncat(fixture_dir, "/above", sizeof fixture_dir - strlen(fixture_dir) - 1);
}

Test(machine, a_folder_above_that_others_may_write_is_refused_unless_it_is_sticky)
{
    static const struct {
        mode_t mode;
        bool good;
    } modes[] = {{0755, true}, {0777, false}, {0775, false}, {01777, true}, {0757, false}};
    char path[CONFIG_PATH_MAX];
    relay_below(0755);
    snprintf(path, sizeof path, "%s/relay", fixture_dir);
    cr_assert_eq(config_make(path, 7400, error, sizeof error), STATUS_OK, "%s", error);
    strncat(path, "/sealmq.zpl", sizeof path - strlen(path) - 1);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct config config;
        cr_assert_eq(chmod(fixture_dir, modes[i].mode), 0);
        enum status status = config_load(path, &config, error, sizeof error);
        cr_assert_eq(status, modes[i].good ? STATUS_OK : STATUS_CONFIG, "%o: %s", modes[i].mode,
                     error);
        if (!modes[i].good)
            cr_assert(strstr(error, ": others may replace what is in") &&
                      strstr(error, "chmod go-w"));
    }
    *strrchr(fixture_dir, '/') = '\0';
}

Test(machine, where_a_link_leads_counts_too)
{
    char loose[CONFIG_PATH_MAX], link[CONFIG_PATH_MAX];
    snprintf(loose, sizeof loose, "%s/loose", fixture_dir);
    snprintf(link, sizeof link, "%s/link", fixture_dir);
    cr_assert(mkdir(loose, 0700) == 0 && chmod(loose, 0777) == 0);
    strncat(loose, "/inside", sizeof loose - strlen(loose) - 1);
    cr_assert(mkdir(loose, 0700) == 0 && symlink(loose, link) == 0);
    cr_assert_eq(parents_check(link, error, sizeof error), STATUS_CONFIG);
    mode_set("loose", 0755);
    cr_assert_eq(parents_check(link, error, sizeof error), STATUS_OK, "%s", error);
    cr_assert_eq(parents_check(fixture_path("not/there/at/all"), error, sizeof error), STATUS_OK);
}

#define BASE "relay\n    dir = \".\"\n%sbroker\n    client = \"tcp://127.0.0.1:7400\"\n%s"

static void config_says(const char *relay, const char *rest)
{
    char text[1024];
    snprintf(text, sizeof text, BASE, relay, rest);
    fixture_write("sealmq.zpl", text, 0600);
}

Test(machine, a_log_where_others_may_write_is_refused)
{
    char path[CONFIG_PATH_MAX];
    snprintf(path, sizeof path, "%s/logs", fixture_dir);
    config_says("    log = \"logs/log\"\n", "");
    cr_assert_eq(load(), STATUS_OK, "a folder that is not there costs the log only");
    cr_assert(mkdir(path, 0755) == 0 && chmod(path, 01777) == 0);
    refused("relay.log: others may write", "chmod go-w");
    mode_set("logs", 0755);
    cr_assert_eq(load(), STATUS_OK, "%s", error);
    config_says("    log = \"-\"\n", "");
    cr_assert_eq(load(), STATUS_OK, "%s", error);
}

Test(machine, a_store_that_others_may_use_is_refused_also_one_that_is_not_there_yet)
{
    char path[CONFIG_PATH_MAX];
    snprintf(path, sizeof path, "%s/stores", fixture_dir);
    config_says("", "storage\n    data = \"stores/one\"\n");
    cr_assert_eq(load(), STATUS_OK, "%s", error);
    cr_assert(mkdir(path, 0755) == 0 && chmod(path, 0777) == 0);
    refused("storage.data: others may replace", "chmod go-w");
    mode_set("stores", 0700);
    strncat(path, "/one", sizeof path - strlen(path) - 1);
    cr_assert(mkdir(path, 0755) == 0 && chmod(path, 0755) == 0);
    refused("storage.data: others may use", "chmod go-rwx");
    mode_set("stores/one", 0700);
    cr_assert_eq(load(), STATUS_OK, "%s", error);
}

Test(machine, durability_cannot_be_turned_off_by_a_word_that_does_nothing)
{
    config_says("", "storage\n    sync = no\n");
    refused("storage.sync: there is no such choice", "storage.backend = memory");
    config_says("", "storage\n    sync = yes\n");
    refused("storage.sync: there is no such choice", "always synced");
    config_says("", "storage\n    backend = memory\n");
    cr_assert_eq(load(), STATUS_OK, "%s", error);
}

Test(machine, no_bound_can_be_taken_away)
{
    static const char *const limits[][3] = {{"broker", "connections", "1"},
                                            {"broker", "ping_ms", "100"},
                                            {"broker", "address_requests_per_s", "1"},
                                            {"broker", "device_requests_per_s", "1"},
                                            {"broker", "device_bytes_per_s", "65536"},
                                            {"storage", "mailbox_messages", "1"},
                                            {"storage", "mailbox_bytes", "274432"},
                                            {"storage", "payload_days", "1"},
                                            {"storage", "ledger_days", "8"},
                                            {"storage", "events_days", "1"},
                                            {"storage", "disk_min_percent", "1"},
                                            {"storage", "cache_bytes", "1048576"},
                                            {"storage", "write_buffer_bytes", "4194304"},
                                            {"storage", "credit", "1"},
                                            {"fanout", "retry_ms", "10"},
                                            {"fanout", "attempts", "1"}};
    static const char *const none[] = {"0", "-1", "unlimited", "999999999999999999", "\"\""};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        char text[256], key[64];
        bool broker = strcmp(limits[i][0], "broker") == 0;
        snprintf(key, sizeof key, "%s.%s: ", limits[i][0], limits[i][1]);
        for (size_t n = 0; n < sizeof none / sizeof none[0]; n++) {
            snprintf(text, sizeof text, "%s%s    %s = %s\n", broker ? "" : limits[i][0],
                     broker ? "" : "\n", limits[i][1], none[n]);
            config_says("", text);
            refused(key, "a number from");
        }
        snprintf(text, sizeof text, "%s%s    %s = %s\n", broker ? "" : limits[i][0],
                 broker ? "" : "\n", limits[i][1], limits[i][2]);
        config_says("", text);
        cr_assert_eq(load(), STATUS_OK, "%s", error);
    }
}

/* ---- whose word counts ---- */

#define PRODUCT "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c" /* a point: RFC 8032's second test */

static enum status registers(const char *lines)
{
    char text[8192];
    struct config config;
    struct registration r;
    fixture_read("sealmq.zpl", text, sizeof text);
    char *section = strstr(text, "\nregistration\n");
    cr_assert_not_null(section);
    section[0] = '\0'; /* what follows is all comments */
    strcat(strcat(text, "\nregistration\n"), lines);
    fixture_write("other.zpl", text, 0600);
    cr_assert_eq(config_load(fixture_path("other.zpl"), &config, error, sizeof error), STATUS_OK, "%s", error);
    enum status s = registration_load(&config, &r, error, sizeof error);
    cr_assert(s == STATUS_OK || r.keys.count == 0);
    return s;
}

Test(machine, tokens_are_wanted_only_with_keys_that_are_some)
{
    cr_assert_eq(registers(""), STATUS_OK);
    cr_assert_eq(registers("    mode = \"token\"\n"), STATUS_CONFIG);
    cr_assert(strncmp(error, "registration.key: missing", 25) == 0, "%s", error);
    cr_assert_eq(registers("    mode = \"token\"\n    key = \"" PRODUCT "\"\n"), STATUS_OK, "%s", error);
    cr_assert_eq(registers("    key = \"" PRODUCT "," PRODUCT "\"\n"), STATUS_CONFIG, "twice");
    cr_assert_eq(registers("    key = \"product\"\n"), STATUS_CONFIG, "no such file");
    fixture_write("product", PRODUCT "\n", 0644);
    cr_assert_eq(registers("    key = \"product\"\n"), STATUS_OK, "%s", error);
    fixture_write("product", PRODUCT "\n", 0666);
    cr_assert_eq(registers("    key = \"product\"\n"), STATUS_CONFIG, "others may put a key of their own there");
}
