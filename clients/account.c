/* account: making an account, registering it and claiming its handle (PROTOCOL 6). Keys are made here
 * and stored before anything of them is sent; secrets are only ever in sodium_malloc memory and in the
 * state. */
#include "broker/wire/identity.h"
#include "clients/drift.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct device_secrets *secrets_new(void)
{
    struct device_secrets *secrets = sodium_malloc(sizeof *secrets);
    if (!secrets) abort();
    sodium_memzero(secrets, sizeof *secrets);
    return secrets;
}

/* ---- making one ---- */

void device_keys_make(const struct random_source *random, struct device_secrets *secrets,
                      struct msg_device_record *out)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    random->fill(random->self, seed, sizeof seed);
    random->fill(random->self, secrets->identity_sk, sizeof secrets->identity_sk);
    random->fill(random->self, secrets->transport_sk, sizeof secrets->transport_sk);
    ENSURE(crypto_sign_seed_keypair(out->signing.bytes, secrets->signing_sk, seed) == 0);
    ENSURE(crypto_scalarmult_base(out->identity.bytes, secrets->identity_sk) == 0);
    ENSURE(crypto_scalarmult_base(out->transport.bytes, secrets->transport_sk) == 0);
    sodium_memzero(seed, sizeof seed);
}

/* As it begins: with the entry that founded the account. */
static enum status own_log_put(struct state *state, struct view entry, const struct contact *own)
{
    enum status s = state_contact_put(state, own);
    return s == STATUS_OK ? state_entry_put(state, own->log.account, 0, entry) : s;
}

static enum status identity_store(struct state *state, const struct state_identity *identity,
                                  const struct device_secrets *secrets, const struct contact *own)
{
    struct arena arena = {0};
    struct state_identity old;
    enum status s = state_begin(state, STATE_WRITE);
    if (s != STATUS_OK) return s;
    s = state_identity_get(state, &arena, &old);
    arena_fini(&arena);
    s = s == STATUS_OK ? STATUS_STATE : s == STATUS_NOT_FOUND ? STATUS_OK : s;
    if (s == STATUS_OK) s = state_identity_put(state, identity);
    if (s == STATUS_OK) s = state_secrets_put(state, secrets);
    if (s == STATUS_OK) s = own_log_put(state, identity->entry, own);
    if (s == STATUS_OK) return state_commit(state);
    state_rollback(state);
    return s;
}

enum status account_create(struct state *state, const struct random_source *random, struct now now,
                           const struct account_wish *wish)
{
    if (wish->handle.len && handle_check(wish->handle) != STATUS_OK) return STATUS_MALFORMED;
    struct state_identity identity = {.handle = wish->handle, .endpoints = wish->endpoints,
                                      .server = wish->server};
    struct device_secrets *secrets = secrets_new();
    struct buffer entry = {0};
    struct arena arena = {0};
    struct contact own = {.checked_ms = now.wall_ms};
    uint8_t salt[16];
    device_keys_make(random, secrets, &identity.record);
    random->fill(random->self, salt, sizeof salt);
    founding_make(&identity.record, secrets->signing_sk, now.wall_ms, salt, &entry);
    identity.entry = buffer_view(&entry);
    ENSURE(identity_log_open(identity.entry, &arena, &own.log) == STATUS_OK);
    identity.account = own.log.account;
    identity.device = own.log.devices[0].id;
    enum status s = identity_store(state, &identity, secrets, &own);
    sodium_free(secrets);
    buffer_fini(&entry);
    arena_fini(&arena);
    return s;
}

/* ---- reading and marking ours ---- */

/* A handle is claimed by the key that founded the account (PROTOCOL 6), which other devices of it do not have. */
static bool is_founder(const struct state_identity *me, struct arena *a)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    return entry_open(me->entry, a, &signed_entry, &body) == STATUS_OK && body.device_count &&
           memcmp(&body.device->signing, &me->record.signing, sizeof me->record.signing) == 0;
}

/* A home in which a linking was given up for another one is another device from then on. */
static bool is_another(const struct engine *e, const struct state_identity *now)
{
    static const struct device_id none;
    return !device_equal(e->identity.device, none) && !device_equal(e->identity.device, now->device);
}

enum status identity_load(struct engine *e)
{
    struct arena arena = {0};
    struct state_identity identity;
    struct joining_facts joining = {.joining = false};
    bool pending = false;
    enum status s = tx_begin(e, STATE_READ);
    if (s != STATUS_OK) return s;
    s = state_identity_get(e->state, &arena, &identity);
    if (s == STATUS_OK && is_another(e, &identity)) s = STATUS_STATE;
    if (s == STATUS_OK) s = gap_seen_load_in(e);
    if (s == STATUS_OK) s = change_pending_in(e, &pending);
    if (s == STATUS_OK) s = state_joining(e->state, &arena, &joining);
    s = tx_end(e, s);
    if (s != STATUS_OK) {
        arena_fini(&arena);
        return s;
    }
    arena_fini(&e->identity_arena);
    e->identity_arena = arena;
    e->identity = identity;
    e->founder = is_founder(&identity, &e->identity_arena);
    e->claim_settled = !identity.handle.len || identity.claimed || !e->founder;
    e->change_pending = pending;
    e->joining = joining.joining;
    e->unlinked = joining_is_over(&joining);
    return STATUS_OK;
}

static enum status own_log_make_in(struct engine *e)
{
    struct state_identity identity;
    struct contact own = {.checked_ms = 0};
    enum status s = state_identity_get(e->state, &e->arena, &identity);
    if (s != STATUS_OK) return s;
    if (identity_log_open(identity.entry, &e->arena, &own.log) != STATUS_OK) return STATUS_DAMAGED;
    identity.device = own.log.devices[0].id;
    s = state_identity_put(e->state, &identity);
    return s == STATUS_OK ? own_log_put(e->state, identity.entry, &own) : s;
}

/* A home from before logs were kept has only the first entry. */
enum status own_log_ensure(struct engine *e)
{
    struct contact own;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (s != STATUS_NOT_FOUND) return s;
    s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, own_log_make_in(e));
    e->identity.device = (struct device_id){{0}}; /* named anew, and no other one */
    return s == STATUS_OK ? identity_load(e) : s;
}

enum identity_flag { FLAG_REGISTERED, FLAG_CLAIMED };

static enum status identity_mark_in(struct engine *e, enum identity_flag flag)
{
    struct state_identity identity;
    enum status s = state_identity_get(e->state, &e->arena, &identity);
    if (s != STATUS_OK) return s;
    if (flag == FLAG_REGISTERED)
        identity.registered = true;
    else if (view_equal(identity.handle, e->identity.handle)) /* another process may want another */
        identity.claimed = true;
    return state_identity_put(e->state, &identity);
}

/* Where another process keeps the state locked the mark is lost; the relay is asked again then. */
static void identity_mark(struct engine *e, enum identity_flag flag)
{
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, identity_mark_in(e, flag));
    if (!engine_fault(e, s) || !engine_fault(e, identity_load(e))) return;
    if (e->identity.registered && e->claim_settled)
        event_put(e, &(struct engine_event){.kind = ENGINE_REGISTERED});
}

/* ---- REGISTER ---- */

static enum status register_in(struct engine *e, struct msg_register *m)
{
    enum status s = pin_entries_in(e, e->identity.account, e->register_first, &m->entries, &m->entry_count);
    return s == STATUS_OK ? own_token_in(e, &m->token) : s;
}

void register_send(struct engine *e, struct now now)
{
    struct msg_register m = {.entry = e->identity.entry};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, register_in(e, &m));
    bool sent = engine_fault(e, s) &&
                request_make(e, now, KIND_REGISTER, home_of_account(e->identity.account),
                             &msg_register_desc, &m) != NULL;
    e->hello_ms = sent ? NEVER : now.mono_ms + RETRY_MIN_MS;
}

/* The relay has not all of a log that one frame has no room for: the next one goes on where it ends. */
static bool register_goes_on(struct engine *e, const struct msg_log_state *said)
{
    struct contact own;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (s == STATUS_NOT_FOUND || !engine_fault(e, s)) return false;
    if (said->length >= own.log.length || said->length <= e->register_first) return false;
    e->register_first = said->length;
    return true;
}

void registered_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_registered m;
    if (codec_decode(&msg_registered_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        sodium_memcmp(&m.account, &e->identity.account, sizeof m.account) != 0) {
        e->counts.frames_bad++;
        hello_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    if (register_goes_on(e, &m.log)) {
        register_send(e, now);
        return;
    }
    if (!e->identity.registered) identity_mark(e, FLAG_REGISTERED);
    if (e->introduced) e->claim_settled = !e->identity.handle.len || !e->founder; /* it may have lost both */
    if (e->broken == STATUS_OK) session_registered(e, now);
}

/* A device that the recovery key has added is in no log yet: where another entry was first there, only that key can add it
 * again (restore.h). */
void register_failed(struct engine *e, struct now now, struct request *r, enum status s,
                     uint32_t retry_after_ms)
{
    e->register_first = 1;
    if (s == STATUS_STALE_HEAD && !e->identity.registered) {
        session_stop(e, now, s);
        return;
    }
    hello_failed(e, now, r, s, retry_after_ms);
}

/* ---- CLAIM_HANDLE ---- */

static enum status claim_in(struct engine *e, struct device_secrets *secrets, struct msg_claim_handle *m)
{
    enum status s = state_secrets_get(e->state, secrets);
    return s == STATUS_OK ? own_token_in(e, &m->token) : s;
}

static enum status claim_sign(struct engine *e, struct msg_claim_handle *m)
{
    struct device_secrets *secrets = secrets_new();
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, claim_in(e, secrets, m));
    if (s == STATUS_OK)
        handle_sign(e->identity.account, m->handle, secrets->signing_sk, &m->signature);
    sodium_free(secrets);
    return s;
}

void claim_drive(struct engine *e, struct now now)
{
    if (!may_ask(e) || claim_deadline_ms(e) > now.mono_ms) return;
    struct msg_claim_handle m = {.handle = e->identity.handle, .entry = e->identity.entry};
    e->claim_ms = now.mono_ms + RETRY_MIN_MS;
    if (!engine_fault(e, claim_sign(e, &m))) return;
    struct request *r = request_make(e, now, KIND_CLAIM_HANDLE, home_of_handle(m.handle),
                                     &msg_claim_handle_desc, &m);
    if (!r) return;
    r->claim = e->claim_count;
    e->claim_under_way = true;
}

uint64_t claim_deadline_ms(const struct engine *e)
{
    return e->claim_settled || e->claim_under_way ? NEVER : e->claim_ms;
}

void claimed_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_handle_claimed m;
    e->claim_under_way = false;
    if (r->claim != e->claim_count) return;
    if (codec_decode(&msg_handle_claimed_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        sodium_memcmp(&m.account, &e->identity.account, sizeof m.account) != 0) {
        e->counts.frames_bad++;
        claim_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    e->claim_settled = true;
    identity_mark(e, FLAG_CLAIMED);
}

void claim_failed(struct engine *e, struct now now, struct request *r, enum status s,
                  uint32_t retry_after_ms)
{
    e->claim_under_way = false;
    if (r->claim != e->claim_count) return;
    if (status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) {
        e->claim_settled = true;
        event_put(e, &(struct engine_event){.kind = ENGINE_HANDLE_REFUSED, .status = s});
        return;
    }
    uint64_t delay = backoff_ms(e, 2, RETRY_MIN_MS, RETRY_MAX_MS);
    e->claim_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
}

static enum status handle_want_in(struct engine *e, struct view handle)
{
    struct state_identity identity;
    enum status s = state_identity_get(e->state, &e->arena, &identity);
    if (s != STATUS_OK) return s;
    identity.claimed = identity.claimed && view_equal(identity.handle, handle);
    identity.handle = handle;
    return state_identity_put(e->state, &identity);
}

enum status engine_register(struct engine *e, struct now now, struct view handle)
{
    if (handle_check(handle) != STATUS_OK) return STATUS_MALFORMED;
    if (!e->founder) return STATUS_REFUSED;
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, handle_want_in(e, handle));
    if (s == STATUS_OK) s = identity_load(e);
    e->claim_count++;
    e->claim_ms = now.mono_ms;
    (void)engine_fault(e, s);
    return s;
}

/* ---- our log ---- */

/* A device of ours, or somebody who has one, has changed it. */
void log_grew_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_log_grew m;
    if (codec_decode(&msg_log_grew_desc, f->meta, &e->arena, &m) != STATUS_OK)
        e->counts.frames_bad++;
    else
        contact_own(e, now, &m.log);
}
