/* restore: four steps, one question each: the relay's clock, the handle's account, its log, and then, without a question,
 * the home. The relay is believed in nothing but its clock: the handle's claim is signed by the account's first device, the
 * log's entries verify one by one, and its recovery key must be the one that was typed in. Invariants: the home has all or
 * nothing; the entry that adds the device is kept before anybody is told of it. */
#include "clients/restore.h"

#include "broker/wire/identity.h"
#include "broker/wire/recovery.h"
#include "clients/core.h"
#include "clients/recovery.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BASE_SETTING "recovery.base" /* u64, how long the relay's log was; one byte, whether others were revoked behind it */
#define BASE_LEN     9u

enum step { STEP_CLOCK, STEP_HANDLE, STEP_LOG, STEP_DONE };

/* In sodium_malloc memory. */
struct restore_secrets {
    struct recovery_code code;
    struct recovery_keys keys;
};

struct restore {
    struct arena arena; /* all views */
    struct state *state;
    struct restore_secrets *secret;
    struct device_secrets *device_secrets;
    struct msg_device_record record;
    struct view handle, endpoints;
    struct transport_pk server;
    struct account_id account;
    bool revoke_others;
    bool kept;            /* the home has this device already, of an earlier run, */
    uint64_t kept_length; /* when the relay's log had this length */
    enum step step;
    bool asked;
    uint64_t relay_ms;
    uint64_t relay_length; /* of its log, without what is made here */
    struct identity_log log;
    struct view entries[LOG_LENGTH_MAX];
    enum restore_obstacle why;
};

/* ---- begin and end ---- */

/* A device that an earlier run has kept for this account, and that is at no relay yet, goes on; where that run revoked the
 * others so does this one: what it makes takes the place of all that was made then. */
static enum status kept_read_in(struct restore *r)
{
    struct state_identity me;
    struct view base;
    enum status s = state_identity_get(r->state, &r->arena, &me);
    if (s == STATUS_NOT_FOUND) return STATUS_OK;
    if (s == STATUS_OK && me.registered) s = STATUS_STATE;
    if (s != STATUS_OK) return s;
    s = state_setting_get(r->state, BASE_SETTING, &r->arena, &base);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_STATE : s;
    if (base.len != BASE_LEN) return STATUS_DAMAGED;
    s = state_secrets_get(r->state, r->device_secrets);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_DAMAGED : s;
    r->kept = true;
    r->kept_length = get_u64(base.at);
    r->revoke_others = r->revoke_others || base.at[8] == 1;
    r->record = me.record;
    r->account = me.account;
    return STATUS_OK;
}

static enum status kept_read(struct restore *r)
{
    enum status s = state_begin(r->state, STATE_READ);
    if (s != STATUS_OK) return s;
    s = kept_read_in(r);
    state_rollback(r->state);
    return s;
}

static bool account_equal(struct account_id a, struct account_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

enum status restore_new(const struct restore_wish *wish, const struct random_source *random, struct state *state,
                        struct restore **out)
{
    struct restore *r = calloc(1, sizeof *r);
    ENSURE(r);
    *out = r;
    r->state = state;
    r->secret = sodium_malloc(sizeof *r->secret);
    r->device_secrets = secrets_new();
    ENSURE(r->secret);
    r->secret->code = *wish->code;
    r->endpoints = arena_copy(&r->arena, wish->endpoints);
    r->handle = arena_copy(&r->arena, wish->handle);
    r->server = wish->server;
    r->revoke_others = wish->revoke_others;
    enum status s = kept_read(r);
    if (s == STATUS_OK && r->kept && !wish->handle.len && !account_equal(r->account, wish->account)) s = STATUS_STATE;
    if (s != STATUS_OK) restore_free(out);
    if (s != STATUS_OK) return s;
    if (!r->kept) device_keys_make(random, r->device_secrets, &r->record);
    if (!r->kept) r->account = wish->account;
    return STATUS_OK;
}

void restore_free(struct restore **at)
{
    struct restore *r = *at;
    if (!r) return;
    sodium_free(r->secret);
    sodium_free(r->device_secrets);
    arena_fini(&r->arena);
    free(r);
    *at = NULL;
}

struct transport_pk restore_transport(const struct restore *r, const uint8_t **sk)
{
    *sk = r->device_secrets->transport_sk;
    return r->record.transport;
}

static enum status give_up(struct restore *r, enum restore_obstacle why, enum status s)
{
    r->why = why;
    return s;
}

/* ---- the questions ---- */

static enum status ask_handle(struct restore *r, struct now now, struct guest *guest)
{
    struct msg_lookup m = {.handle = r->handle};
    return guest_ask(guest, now, KIND_LOOKUP, home_of_handle(r->handle), &msg_lookup_desc, &m);
}

static enum status ask_log(struct restore *r, struct now now, struct guest *guest)
{
    struct msg_recovery_proof proof;
    struct msg_lookup m = {.account = r->account, .first = r->log.length, .recovery = &proof, .recovery_count = 1};
    recovery_keys_of(&r->secret->code, r->account, &r->secret->keys);
    recovery_prove(r->account, &r->record.transport, r->relay_ms, r->secret->keys.signing_sk, &proof);
    return guest_ask(guest, now, KIND_LOOKUP, home_of_account(r->account), &msg_lookup_desc, &m);
}

static enum status ask(struct restore *r, struct now now, struct guest *guest)
{
    struct msg_empty empty = {0};
    enum status s = r->step == STEP_CLOCK    ? guest_ask(guest, now, KIND_PING, 0, &msg_empty_desc, &empty)
                    : r->step == STEP_HANDLE ? ask_handle(r, now, guest)
                                             : ask_log(r, now, guest);
    r->asked = s == STATUS_OK;
    return STATUS_BUSY;
}

/* ---- the answers ---- */

static enum status clock_take(struct restore *r, const struct frame *f)
{
    struct msg_pong m;
    if (codec_decode(&msg_pong_desc, f->meta, &r->arena, &m) != STATUS_OK)
        return give_up(r, RESTORE_RELAY, STATUS_MALFORMED);
    r->relay_ms = m.relay_ms;
    r->step = r->handle.len ? STEP_HANDLE : STEP_LOG;
    return STATUS_BUSY;
}

static enum status handle_take(struct restore *r, const struct frame *f)
{
    struct msg_found m;
    if (codec_decode(&msg_found_desc, f->meta, &r->arena, &m) != STATUS_OK || !handle_proven(&m, r->handle, &r->arena))
        return give_up(r, RESTORE_RELAY, STATUS_BAD_ENTRY);
    if (r->kept && !account_equal(r->account, m.account)) return give_up(r, RESTORE_HOME, STATUS_STATE);
    r->account = m.account;
    r->step = STEP_LOG;
    return STATUS_BUSY;
}

static enum status entry_take(struct restore *r, struct view entry)
{
    if (r->log.length == LOG_LENGTH_MAX) return STATUS_TOO_LARGE;
    uint64_t number = r->log.length;
    enum status s = number ? identity_log_append(&r->log, entry, &r->arena)
                           : identity_log_open(entry, &r->arena, &r->log);
    if (s == STATUS_OK && !account_equal(r->log.account, r->account)) s = STATUS_BAD_ENTRY;
    if (s == STATUS_OK) r->entries[number] = arena_copy(&r->arena, entry);
    return s;
}

static enum status home_make(struct restore *r, struct now now);

static bool is_whole(const struct restore *r, const struct msg_log_state *said)
{
    return said->length == r->log.length && memcmp(&said->head, &r->log.head, sizeof said->head) == 0;
}

static enum status log_take(struct restore *r, struct now now, const struct frame *f)
{
    struct msg_found m;
    enum status s = codec_decode(&msg_found_desc, f->meta, &r->arena, &m);
    if (s == STATUS_OK && !m.entry_count) s = STATUS_BAD_ENTRY; /* there is more, and it is not given */
    for (size_t i = 0; s == STATUS_OK && i < m.entry_count; i++)
        s = entry_take(r, m.entries[i]);
    if (s != STATUS_OK) return give_up(r, RESTORE_RELAY, s);
    if (m.log.length > r->log.length) return STATUS_BUSY;
    if (!is_whole(r, &m.log)) return give_up(r, RESTORE_RELAY, STATUS_BAD_ENTRY);
    if (!r->log.has_recovery || memcmp(&r->log.recovery, &r->secret->keys.signing, sizeof r->log.recovery) != 0)
        return give_up(r, RESTORE_KEY, STATUS_REFUSED);
    return home_make(r, now);
}

/* The relay's no. What is not our business (a stranger's refusal says neither why, nor whether there is such an account). */
static enum status refused(struct restore *r, enum status how)
{
    if (r->step == STEP_HANDLE && how == STATUS_NOT_FOUND) return give_up(r, RESTORE_NO_ACCOUNT, how);
    if (r->step == STEP_LOG && how == STATUS_REFUSED) return give_up(r, RESTORE_KEY, how);
    return give_up(r, RESTORE_REFUSED, how);
}

/* ---- the home ---- */

/* Signed by the recovery key, behind what the log has. */
static enum status entry_make_next(struct restore *r, struct entry_plan plan)
{
    struct buffer entry = {0};
    if (r->log.length == LOG_LENGTH_MAX) return STATUS_TOO_LARGE;
    identity_log_make(&r->log, &plan, r->secret->keys.signing_sk, &entry);
    enum status s = entry_take(r, buffer_view(&entry));
    buffer_fini(&entry);
    return s;
}

/* Before the device is added, so that there is room for it. */
static enum status others_revoke(struct restore *r, struct now now, struct device_id own)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < r->log.device_count && s == STATUS_OK; i++) {
        const struct log_device *d = &r->log.devices[i];
        struct entry_plan plan = {.operation = ENTRY_REVOKE, .made_ms = now.wall_ms, .subject = d->id};
        if (d->standing != STANDING_REVOKED && !device_equal(d->id, own)) s = entry_make_next(r, plan);
    }
    return s;
}

static size_t device_count(const struct identity_log *log)
{
    size_t n = 0;
    for (size_t i = 0; i < log->device_count; i++)
        n += log->devices[i].standing != STANDING_REVOKED;
    return n;
}

/* An earlier run's REGISTER may have come through: then the device is there. */
static enum status entries_make(struct restore *r, struct now now)
{
    struct device_id own = device_id_of(r->account, &r->record.signing);
    struct entry_plan plan = {.operation = ENTRY_ADD, .made_ms = now.wall_ms, .record = r->record};
    const struct log_device *there = identity_log_device(&r->log, own);
    enum status s = r->revoke_others ? others_revoke(r, now, own) : STATUS_OK;
    if (s != STATUS_OK) return give_up(r, RESTORE_LOG_FULL, s);
    if (there) return there->standing == STANDING_ACTIVE ? STATUS_OK : give_up(r, RESTORE_HOME, STATUS_STATE);
    if (device_count(&r->log) >= DEVICES_PER_ACCOUNT) return give_up(r, RESTORE_DEVICES, STATUS_TOO_LARGE);
    device_prove(r->account, &r->record, r->device_secrets->signing_sk, &plan.proof);
    s = entry_make_next(r, plan);
    return s == STATUS_OK ? s : give_up(r, RESTORE_LOG_FULL, s);
}

static enum status log_put_in(struct restore *r, struct now now)
{
    struct contact own = {.log = r->log, .checked_ms = now.wall_ms};
    enum status s = state_contact_put(r->state, &own);
    for (uint64_t i = 0; i < r->log.length && s == STATUS_OK; i++)
        s = state_entry_put(r->state, r->account, i, r->entries[i]);
    return s;
}

static enum status base_put_in(struct restore *r)
{
    uint8_t base[BASE_LEN];
    put_u64(base, r->relay_length);
    base[8] = r->revoke_others;
    return state_setting_put(r->state, BASE_SETTING, view_of(base, sizeof base));
}

/* Another process may have been at it meanwhile: what was read in restore_new must still hold. */
static enum status home_put_in(struct restore *r, struct now now)
{
    struct state_identity me = {.account = r->account, .device = device_id_of(r->account, &r->record.signing),
                                .record = r->record, .entry = r->entries[0], .handle = r->handle,
                                .endpoints = r->endpoints, .server = r->server, .claimed = r->handle.len > 0};
    struct state_identity old;
    enum status s = state_identity_get(r->state, &r->arena, &old);
    bool same = s == STATUS_OK && r->kept && !old.registered && device_equal(old.device, me.device);
    if (s == STATUS_OK ? !same : r->kept) return STATUS_STATE;
    if (s == STATUS_NOT_FOUND) s = state_secrets_put(r->state, r->device_secrets);
    if (s == STATUS_OK) s = state_identity_put(r->state, &me);
    if (s == STATUS_OK) s = log_put_in(r, now);
    if (s == STATUS_OK) s = base_put_in(r);
    if (s == STATUS_OK) s = state_setting_put(r->state, RESTORED_SETTING, view_of("1", 1));
    return s == STATUS_OK ? state_recovery_shown(r->state, &r->log.recovery) : s;
}

static enum status home_make(struct restore *r, struct now now)
{
    r->relay_length = r->log.length;
    if (r->kept && r->relay_length < r->kept_length) return give_up(r, RESTORE_RELAY, STATUS_RELAY_BEHIND);
    enum status s = entries_make(r, now);
    if (s != STATUS_OK) return s;
    s = state_begin(r->state, STATE_WRITE);
    if (s != STATUS_OK) return give_up(r, RESTORE_HOME, s);
    s = home_put_in(r, now);
    if (s == STATUS_OK)
        s = state_commit(r->state);
    else
        state_rollback(r->state);
    if (s != STATUS_OK) return give_up(r, RESTORE_HOME, s);
    r->step = STEP_DONE;
    return STATUS_OK;
}

enum status restore_drive(struct restore *r, struct now now, struct guest *guest, enum restore_obstacle *why)
{
    enum status how = STATUS_OK, s = STATUS_BUSY;
    struct frame f;
    *why = RESTORE_NONE;
    if (r->step == STEP_DONE) return STATUS_OK;
    if (!r->asked) return ask(r, now, guest);
    if (!guest_answer(guest, &how, &f)) return STATUS_BUSY;
    r->asked = false;
    if (how != STATUS_OK)
        s = refused(r, how);
    else if (r->step == STEP_CLOCK)
        s = clock_take(r, &f);
    else
        s = r->step == STEP_HANDLE ? handle_take(r, &f) : log_take(r, now, &f);
    *why = r->why;
    return s == STATUS_BUSY ? ask(r, now, guest) : s;
}
