/* secrets: prints the secret keys of a device's home, one in hex per line, for leaks.sh to look for
 * where they must not be: the home's own files, too.
 *
 *   secrets HOME [PASSPHRASE-FILE] */
#include "clients/state/sqlite.h"

#include <sodium.h>
#include <stdio.h>

static void secret_print(const uint8_t *at, size_t len)
{
    char hex[2 * 64 + 1];
    hex_encode(at, len, hex);
    printf("%s\n", hex);
    sodium_memzero(hex, sizeof hex);
}

static enum status secrets_print(struct state *state)
{
    struct device_secrets *secrets = sodium_malloc(sizeof *secrets);
    ENSURE(secrets != NULL);
    enum status s = state_begin(state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_secrets_get(state, secrets);
        state_rollback(state);
    }
    if (s == STATUS_OK) {
        secret_print(secrets->signing_sk, sizeof secrets->signing_sk);
        secret_print(secrets->identity_sk, sizeof secrets->identity_sk);
        secret_print(secrets->transport_sk, sizeof secrets->transport_sk);
    }
    sodium_free(secrets);
    return s;
}

int main(int argc, char **argv)
{
    char path[512], key[512], error[512];
    struct state *state = NULL;
    struct home_lock lock = {.key_file = key, .passphrase_file = argc == 3 ? argv[2] : NULL};
    if (argc < 2 || argc > 3) return 2;
    snprintf(path, sizeof path, "%s/state.db", argv[1]);
    snprintf(key, sizeof key, "%s/key", argv[1]);
    enum status s = sqlite_state_open(path, &lock, &state, error, sizeof error);
    if (s == STATUS_OK) {
        s = secrets_print(state);
        snprintf(error, sizeof error, "%s", status_meaning(s));
    }
    if (s != STATUS_OK) fprintf(stderr, "secrets: no secrets found: %s\n", error);
    state_close(&state);
    return s == STATUS_OK ? 0 : 1;
}
