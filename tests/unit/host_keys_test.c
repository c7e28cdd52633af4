/* keys: made once, loaded into locked memory, refused when loose, torn or not a pair. */
#include "broker/host/keys.h"
#include "tests/unit/host_fixture.h"

#include <sodium.h>

static char error[2048];
static struct config config;

static void keys_start(void)
{
    fixture_start();
    cr_assert_eq(config_make(fixture_dir, 7400, error, sizeof error), STATUS_OK);
    cr_assert_eq(config_load(fixture_path("sealmq.zpl"), &config, error, sizeof error), STATUS_OK);
}

TestSuite(keys, .init = keys_start, .fini = fixture_end);

Test(keys, made_keys_load)
{
    struct curve_server_keys server;
    struct receipt_keys receipt;
    struct stamp_keys stamp;
    struct webhook_key webhook;
    struct mark_key mark;
    uint8_t public_key[32];
    cr_assert_eq(curve_server_keys_load(&config, &server, error, sizeof error), STATUS_OK);
    crypto_scalarmult_base(public_key, server.secret_key);
    cr_assert_eq(memcmp(public_key, server.public_key, 32), 0);
    cr_assert_eq(receipt_keys_load(&config, &receipt, error, sizeof error), STATUS_OK);
    cr_assert(receipt.count == 1 && receipt.keys[0].id == 1);
    cr_assert_eq(stamp_keys_load(&config, &stamp, error, sizeof error), STATUS_OK);
    cr_assert(stamp.count == 1 && stamp.keys[0].id == 1);
    cr_assert_neq(memcmp(stamp.keys[0].bytes, receipt.keys[0].bytes, 32), 0, "a key of its own");
    cr_assert_eq(webhook_key_load(&config, &webhook, error, sizeof error), STATUS_OK);
    cr_assert_eq(mark_key_load(&config, &mark, error, sizeof error), STATUS_OK);
    cr_assert_neq(memcmp(mark.bytes, webhook.bytes, 32), 0);
    curve_server_keys_fini(&server);
    receipt_keys_fini(&receipt);
    stamp_keys_fini(&stamp);
    webhook_key_fini(&webhook);
    cr_assert(!server.secret_key && !receipt.keys && !stamp.keys && !webhook.bytes);
}

Test(keys, a_key_that_others_may_read_is_refused)
{
    struct curve_server_keys server;
    struct mark_key mark;
    cr_assert_eq(chmod(fixture_path("keys/server.key"), 0640), 0);
    cr_assert_eq(curve_server_keys_load(&config, &server, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "chmod") && !server.secret_key);
    cr_assert_eq(chmod(fixture_path("keys/mark.key"), 0604), 0);
    cr_assert_eq(mark_key_load(&config, &mark, error, sizeof error), STATUS_CONFIG);
    cr_assert(mark.bytes[0] == 0 && sodium_is_zero(mark.bytes, sizeof mark.bytes));
}

Test(keys, another_relays_public_key_is_refused)
{
    struct curve_server_keys server;
    fixture_write("server.pub", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\n", 0644);
    cr_assert_eq(curve_server_keys_load(&config, &server, error, sizeof error), STATUS_CONFIG);
    cr_assert(strstr(error, "server.pub is not the public half") && !server.secret_key);
}

Test(keys, what_is_no_key_is_refused)
{
    struct curve_server_keys server;
    struct webhook_key webhook;
    fixture_write("keys/server.key", "short\n", 0600);
    cr_assert_eq(curve_server_keys_load(&config, &server, error, sizeof error), STATUS_CONFIG);
    fixture_write("keys/webhook.key", "00ff\n", 0600);
    cr_assert_eq(webhook_key_load(&config, &webhook, error, sizeof error), STATUS_CONFIG);
    cr_assert_eq(unlink(fixture_path("keys/webhook.key")), 0);
    cr_assert_eq(webhook_key_load(&config, &webhook, error, sizeof error), STATUS_CONFIG);
    cr_assert_null(webhook.bytes);
}

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

Test(keys, the_first_receipt_key_signs_and_older_ones_stay)
{
    struct receipt_keys keys;
    fixture_write("keys/receipt.key", "7 " HEX64 "\n1 " HEX64 "\n", 0600);
    cr_assert_eq(receipt_keys_load(&config, &keys, error, sizeof error), STATUS_OK);
    cr_assert(keys.count == 2 && keys.keys[0].id == 7 && keys.keys[1].id == 1);
    cr_assert(keys.keys[1].bytes[1] == 0x11);
    receipt_keys_fini(&keys);
}

Test(keys, the_first_stamp_key_stamps_and_older_ones_stay)
{
    struct stamp_keys keys;
    fixture_write("keys/stamp.key", "7 " HEX64 "\n1 " HEX64 "\n", 0600);
    cr_assert_eq(stamp_keys_load(&config, &keys, error, sizeof error), STATUS_OK);
    cr_assert(keys.count == 2 && keys.keys[0].id == 7 && keys.keys[1].id == 1);
    cr_assert(keys.keys[1].bytes[1] == 0x11);
    stamp_keys_fini(&keys);
    fixture_write("keys/stamp.key", "7 " HEX64 "\n7 " HEX64 "\n", 0600);
    cr_assert_eq(stamp_keys_load(&config, &keys, error, sizeof error), STATUS_CONFIG);
    cr_assert(!keys.keys && keys.count == 0);
    cr_assert_eq(unlink(fixture_path("keys/stamp.key")), 0);
    cr_assert_eq(stamp_keys_load(&config, &keys, error, sizeof error), STATUS_CONFIG, "and not made by itself");
}

Test(keys, receipt_lines_that_are_torn_twice_or_too_many_are_refused)
{
    static const char *const bad[] = {"", "\n", "1\n", "0 " HEX64 "\n", "-1 " HEX64 "\n",
                                      "1 " HEX64 "0\n", "1 " HEX64 "\n1 " HEX64 "\n",
                                      "4294967296 " HEX64 "\n", "x " HEX64 "\n"};
    struct receipt_keys keys;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture_write("keys/receipt.key", bad[i], 0600);
        cr_assert(receipt_keys_load(&config, &keys, error, sizeof error) == STATUS_CONFIG, "%zu", i);
        cr_assert(!keys.keys && keys.count == 0);
    }
    char many[1024] = "";
    for (int i = 1; i <= LISTED_KEYS_MAX + 1; i++)
        sprintf(many + strlen(many), "%d %s\n", i, HEX64);
    fixture_write("keys/receipt.key", many, 0600);
    cr_assert_eq(receipt_keys_load(&config, &keys, error, sizeof error), STATUS_CONFIG);
}
