/* second: makes the home of a second device of an account, as linking would: keys of its own, and the entry that adds
 * it, signed by the device of the first home. The relay hears of the entry when the second home first connects.
 * Prints the new device's id.
 *
 *   second HOME NEW-HOME */
#include "broker/host/host.h"
#include "broker/wire/identity_log.h"
#include "clients/engine.h"
#include "clients/state/sqlite.h"

#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            fprintf(stderr, "second: line %d: %s: %s\n", __LINE__, #condition, error);            \
            return 1;                                                                             \
        }                                                                                         \
    } while (0)

struct home {
    char path[512], key[512];
    struct state *state;
};

static enum status home_open(const char *dir, struct home *h, bool make, char *error, size_t cap)
{
    struct home_lock lock = {.key_file = h->key, .make = make};
    snprintf(h->path, sizeof h->path, "%s/state.db", dir);
    snprintf(h->key, sizeof h->key, "%s/key", dir);
    return sqlite_state_open(h->path, &lock, &h->state, error, cap);
}

static enum status first_read(struct home *h, struct arena *a, struct state_identity *me, struct device_secrets *sk,
                              struct contact *own, struct entry_scan *scan)
{
    enum status s = state_begin(h->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_identity_get(h->state, a, me);
    if (s == STATUS_OK) s = state_secrets_get(h->state, sk);
    if (s == STATUS_OK) s = state_contact_get(h->state, me->account, own);
    scan->account = me->account;
    if (s == STATUS_OK) s = state_entry_scan(h->state, a, scan);
    state_rollback(h->state);
    return s == STATUS_OK && scan->count != own->log.length ? STATUS_FULL : s;
}

static void keys_make(struct msg_device_record *record, struct device_secrets *sk)
{
    crypto_sign_keypair(record->signing.bytes, sk->signing_sk);
    crypto_box_keypair(record->identity.bytes, sk->identity_sk);
    crypto_box_keypair(record->transport.bytes, sk->transport_sk);
}

static enum status second_write(struct home *h, const struct state_identity *me, const struct device_secrets *sk,
                                const struct contact *own, const struct entry_scan *scan, struct view added)
{
    enum status s = state_begin(h->state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = state_identity_put(h->state, me);
    if (s == STATUS_OK) s = state_secrets_put(h->state, sk);
    if (s == STATUS_OK) s = state_contact_put(h->state, own);
    for (size_t i = 0; i < scan->count && s == STATUS_OK; i++)
        s = state_entry_put(h->state, me->account, i, scan->entries[i]);
    if (s == STATUS_OK) s = state_entry_put(h->state, me->account, scan->count, added);
    if (s == STATUS_OK) return state_commit(h->state);
    state_rollback(h->state);
    return s;
}

/* What the new home will say, from the first one's; the entry that makes it so. */
static enum status second_make(struct state_identity *me, struct device_secrets *sk, struct contact *own,
                               const struct device_secrets *signer, struct arena *a, struct buffer *entry)
{
    struct entry_plan plan = {.operation = ENTRY_ADD, .made_ms = host_now().wall_ms, .signer = me->device};
    keys_make(&plan.record, sk);
    device_prove(me->account, &plan.record, sk->signing_sk, &plan.proof);
    identity_log_make(&own->log, &plan, signer->signing_sk, entry);
    me->record = plan.record;
    me->device = device_id_of(me->account, &plan.record.signing);
    me->handle = view_of(NULL, 0);
    me->registered = me->claimed = false;
    return identity_log_append(&own->log, buffer_view(entry), a);
}

static int run(const char *from, const char *to, struct device_secrets *signer, struct device_secrets *sk)
{
    char error[512] = "", id[33];
    struct home first = {.state = NULL}, second = {.state = NULL};
    struct arena arena = {0};
    struct buffer entry = {0};
    struct state_identity me;
    struct contact own;
    struct entry_scan scan = {.max = ENTRIES_PER_FRAME};
    CHECK(home_open(from, &first, false, error, sizeof error) == STATUS_OK);
    CHECK(first_read(&first, &arena, &me, signer, &own, &scan) == STATUS_OK);
    CHECK(second_make(&me, sk, &own, signer, &arena, &entry) == STATUS_OK);
    CHECK(mkdir(to, 0700) == 0 && home_open(to, &second, true, error, sizeof error) == STATUS_OK);
    CHECK(second_write(&second, &me, sk, &own, &scan, buffer_view(&entry)) == STATUS_OK);
    hex_encode(me.device.bytes, sizeof me.device.bytes, id);
    printf("%s\n", id);
    state_close(&first.state);
    state_close(&second.state);
    buffer_fini(&entry);
    arena_fini(&arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3 || host_start() != STATUS_OK) return 2;
    struct device_secrets *signer = sodium_malloc(sizeof *signer), *sk = sodium_malloc(sizeof *sk);
    if (!signer || !sk) return 2;
    sodium_memzero(sk, sizeof *sk);
    int failed = run(argv[1], argv[2], signer, sk);
    sodium_free(signer);
    sodium_free(sk);
    return failed;
}
