/* secrets: prints the secret keys of a device's home, one in hex per line, for leaks.sh and canary.sh to look for
 * where they must not be: the home's own files, too. With a peer, also those of its
 * prekeys and of its sessions with that device.
 *
 *   secrets HOME [PEER-DEVICE] */
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

static enum status prekeys_print(struct state *state, enum prekey_kind kind)
{
    struct state_prekey *prekey = sodium_malloc(sizeof *prekey);
    uint64_t last = 0;
    ENSURE(prekey != NULL);
    enum status s = state_prekey_last(state, kind, &last);
    for (uint64_t id = 1; id <= last && s == STATUS_OK; id++) {
        s = state_prekey_get(state, kind, id, prekey);
        if (s == STATUS_OK) secret_print(prekey->sk, sizeof prekey->sk);
        if (s == STATUS_NOT_FOUND) s = STATUS_OK; /* used */
    }
    sodium_free(prekey);
    return s;
}

static enum status sessions_print(struct state *state, struct device_id peer)
{
    struct session_scan scan = {.peer = peer, .rows = sodium_allocarray(STATE_SESSIONS_MAX, sizeof *scan.rows)};
    ENSURE(scan.rows != NULL);
    enum status s = state_session_scan(state, &scan);
    for (size_t i = 0; i < scan.count && s == STATUS_OK; i++) {
        const struct ratchet *r = &scan.rows[i].session.ratchet;
        secret_print(r->root, sizeof r->root);
        secret_print(r->own_sk, sizeof r->own_sk);
        secret_print(r->sending.bytes, sizeof r->sending.bytes);
        secret_print(r->receiving.bytes, sizeof r->receiving.bytes);
    }
    sodium_free(scan.rows);
    return s;
}

static enum status more_print(struct state *state, struct device_id peer)
{
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = prekeys_print(state, PREKEY_SIGNED);
    if (s == STATUS_OK) s = prekeys_print(state, PREKEY_LAST_RESORT);
    if (s == STATUS_OK) s = prekeys_print(state, PREKEY_ONE_TIME);
    if (s == STATUS_OK) s = sessions_print(state, peer);
    state_rollback(state);
    return s;
}

int main(int argc, char **argv)
{
    char path[512], key[512], error[512];
    struct state *state = NULL;
    struct home_lock lock = {.key_file = key};
    struct device_id peer;
    if (argc < 2 || argc > 3) return 2;
    if (argc == 3 && hex_decode(argv[2], peer.bytes, sizeof peer.bytes) != STATUS_OK) return 2;
    snprintf(path, sizeof path, "%s/state.db", argv[1]);
    snprintf(key, sizeof key, "%s/key", argv[1]);
    enum status s = sqlite_state_open(path, &lock, &state, error, sizeof error);
    if (s == STATUS_OK) {
        s = secrets_print(state);
        if (s == STATUS_OK && argc == 3) s = more_print(state, peer);
        snprintf(error, sizeof error, "%s", status_meaning(s));
    }
    if (s != STATUS_OK) fprintf(stderr, "secrets: no secrets found: %s\n", error);
    state_close(&state);
    return s == STATUS_OK ? 0 : 1;
}
