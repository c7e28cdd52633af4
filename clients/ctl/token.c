/* token: registration tokens, made offline for the product's backend (PROTOCOL 6.8): no relay is asked, and no relay has
 * the key. The key file is a seed that whoever holds it can give anybody's handle away with: 0600, and never replaced. */
#include "broker/host/file.h"
#include "broker/host/host.h"
#include "broker/wire/identity.h"
#include "broker/wire/token.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define FILE_LEN_MAX  256u
#define EXPIRES_MAX_S (3660ull * 24 * 3600)
#define Z85_KEY_LEN   40u

/* The product's key pair, for as long as one is made or used. */
struct product_key {
    uint8_t seed[32];
    uint8_t sk[64];
    struct signing_pk pk;
};

static struct product_key *key_new(void)
{
    struct product_key *key = sodium_malloc(sizeof *key);
    ENSURE(key);
    return key;
}

/* Without its newline; *text is freed with sodium_free. EXIT_OK, or the exit status after one line. */
static int text_read(const struct command *c, const char *option, enum file_privacy privacy, char **text)
{
    char error[2 * CONFIG_PATH_MAX];
    size_t len;
    enum status s = file_read(command_option(c, option), privacy, FILE_LEN_MAX, text, &len, error, sizeof error);
    if (s != STATUS_OK) return command_fail(c, EXIT_FAILED, "--%s: %s", option, error);
    if (len && (*text)[len - 1] == '\n') (*text)[len - 1] = '\0';
    return EXIT_OK;
}

/* ---- making a key ---- */

static int key_write(const struct command *c, const struct product_key *key)
{
    char error[2 * CONFIG_PATH_MAX];
    const char *path = command_option(c, "keygen");
    bool made = false;
    char *text = sodium_malloc(2 * sizeof key->seed + 2);
    ENSURE(text);
    hex_encode(key->seed, sizeof key->seed, text);
    memcpy(text + 2 * sizeof key->seed, "\n", 2);
    enum status s = file_make(path, FILE_SECRET, text, &made, error, sizeof error);
    sodium_free(text);
    if (s != STATUS_OK) return command_fail(c, EXIT_FAILED, "--keygen: %s", error);
    if (made) return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "--keygen: %s is there already, and a key is never replaced: name another file", path);
}

static int keygen(const struct command *c)
{
    struct product_key *key = key_new();
    host_random(key->seed, sizeof key->seed);
    crypto_sign_seed_keypair(key->pk.bytes, key->sk, key->seed);
    int failed = key_write(c, key);
    if (!failed && c->json) {
        json_t *o = json_object();
        show_put_text(o, "key", show_hex(key->pk.bytes, sizeof key->pk.bytes).text);
        show_json(o);
    } else if (!failed) {
        puts(show_hex(key->pk.bytes, sizeof key->pk.bytes).text);
    }
    sodium_free(key);
    return failed;
}

/* ---- making a token ---- */

/* "90s", "30m", "12h", "7d", up to ten years. */
static bool duration_parse(const char *text, uint64_t *out_ms)
{
    static const struct { char unit; uint64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 24 * 3600}};
    uint64_t value = 0;
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 9) return false;
    for (size_t i = 0; i < digits; i++)
        value = 10 * value + (uint64_t)(text[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text[digits] != units[i].unit || text[digits + 1] != '\0') continue;
        *out_ms = value * units[i].seconds * 1000;
        return value > 0 && value * units[i].seconds <= EXPIRES_MAX_S;
    }
    return false;
}

static int key_read(const struct command *c, struct product_key *key)
{
    char *text;
    int failed = text_read(c, "key", FILE_SECRET, &text);
    if (failed) return failed;
    enum status s = hex_decode(text, key->seed, sizeof key->seed);
    sodium_free(text);
    if (s != STATUS_OK)
        return command_fail(c, EXIT_FAILED, "--key: %s is no key of sealmqctl token --keygen", command_option(c, "key"));
    crypto_sign_seed_keypair(key->pk.bytes, key->sk, key->seed);
    return EXIT_OK;
}

static int relay_read(const struct command *c, struct relay_id *out)
{
    char *text;
    struct transport_pk server;
    int failed = text_read(c, "relay-key", FILE_READABLE, &text);
    if (failed) return failed;
    bool good = strlen(text) == Z85_KEY_LEN && zmq_z85_decode(server.bytes, text);
    sodium_free(text);
    if (!good)
        return command_fail(c, EXIT_FAILED, "--relay-key: %s is not the server.pub of a relay", command_option(c, "relay-key"));
    *out = relay_id_of(&server);
    return EXIT_OK;
}

static int body_read(const struct command *c, struct msg_token_body *out)
{
    uint64_t span_ms;
    const char *handle = command_option(c, "handle");
    out->handle = view_of(handle, strlen(handle));
    if (handle_check(out->handle) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "--handle: a handle is 1 to 64 bytes of UTF-8 without spaces, control characters or '/'");
    if (hex_decode(command_option(c, "account"), out->account.bytes, sizeof out->account.bytes) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "--account: give the account id as 64 hexadecimal digits");
    if (!duration_parse(command_option(c, "expires"), &span_ms))
        return command_fail(c, EXIT_USAGE, "--expires: give a time from 1s to 3660d, such as 90s, 30m, 12h or 7d");
    out->expires_ms = host_now().wall_ms + span_ms;
    return relay_read(c, &out->relay);
}

static void token_show(const struct command *c, const struct msg_token_body *body, struct view token)
{
    char text[TOKEN_TEXT_MAX + 1];
    token_text(token, text);
    if (!c->json) {
        puts(text);
        return;
    }
    json_t *o = json_object();
    show_put_text(o, "token", text);
    show_put_time(o, "expires", body->expires_ms);
    show_json(o);
}

static int mint(const struct command *c)
{
    struct msg_token_body body = {.expires_ms = 0};
    struct buffer token = {0};
    struct product_key *key = key_new();
    int failed = body_read(c, &body);
    if (!failed) failed = key_read(c, key);
    if (!failed) {
        token_make(&body, key->sk, &token);
        token_show(c, &body, buffer_view(&token));
    }
    buffer_fini(&token);
    sodium_free(key);
    return failed;
}

int ctl_token(struct command *c)
{
    static const char *const wanted[] = {"key", "handle", "account", "relay-key", "expires"};
    bool generates = command_option(c, "keygen") != NULL;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        bool given = command_option(c, wanted[i]) != NULL;
        if (generates && given) return command_fail(c, EXIT_USAGE, "--keygen makes a key and nothing else: leave out --%s", wanted[i]);
        if (!generates && !given) return command_fail(c, EXIT_USAGE, "an option is missing: add --%s, or make a key with --keygen FILE", wanted[i]);
    }
    if (host_start() != STATUS_OK) return command_fail(c, EXIT_FAILED, "the operating system gives no random numbers");
    return generates ? keygen(c) : mint(c);
}
