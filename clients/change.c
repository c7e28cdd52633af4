/* change: an entry of ours on its way into our own log (PROTOCOL 6.3): made and kept, with the secrets that it stands
 * for, before it is sent; sent until the relay has it; only then believed. One at a time. Where another entry was first it
 * is made anew behind that one. Invariants: a secret is in use only when the log has its public key; a change that is
 * not settled survives every end of the process. */
#include "clients/core.h"

#include <sodium.h>
#include <string.h>

#define CHANGE_SETTING "identity.change"

struct change {
    struct state_identity identity;
    struct device_secrets *secrets; /* sodium_malloc */
    struct contact own;
    struct view entry; /* on its way; empty = none */
    struct msg_entry_body body;
    struct msg_log_state said; /* in taken_in: what APPENDED says */
};

static enum status change_load_in(struct engine *e, struct change *c)
{
    struct msg_entry signed_entry;
    enum status s = state_identity_get(e->state, &e->arena, &c->identity);
    if (s == STATUS_OK) s = state_secrets_get(e->state, c->secrets);
    if (s == STATUS_OK) s = state_contact_get(e->state, c->identity.account, &c->own);
    if (s == STATUS_OK) s = state_setting_get(e->state, CHANGE_SETTING, &e->arena, &c->entry);
    if (s == STATUS_NOT_FOUND && c->own.log.length) return STATUS_OK;
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_DAMAGED : s;
    return entry_open(c->entry, &e->arena, &signed_entry, &c->body) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

/* With these keys, behind what the log has now. */
static enum status change_make_in(struct engine *e, struct now now, const struct change *c,
                                  const struct msg_device_record *record)
{
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .made_ms = now.wall_ms, .signer = c->identity.device,
                              .subject = c->identity.device, .record = *record};
    identity_log_make(&c->own.log, &plan, c->secrets->signing_sk, &entry);
    enum status s = state_setting_put(e->state, CHANGE_SETTING, buffer_view(&entry));
    buffer_fini(&entry);
    return s;
}

/* ---- begun ---- */

static enum status rotate_in(struct engine *e, struct now now, struct change *c)
{
    struct msg_device_record record;
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK) return s;
    if (c->entry.len) return STATUS_STATE;
    record = c->identity.record;
    random_fill(e, c->secrets->next_identity_sk, sizeof c->secrets->next_identity_sk);
    ENSURE(crypto_scalarmult_base(record.identity.bytes, c->secrets->next_identity_sk) == 0);
    s = state_secrets_put(e->state, c->secrets);
    return s == STATUS_OK ? change_make_in(e, now, c, &record) : s;
}

typedef enum status change_fn(struct engine *e, struct now now, struct change *c);

/* One transaction around fn, with secrets that are wiped behind it. */
static enum status change_do(struct engine *e, struct now now, struct change *c, change_fn *fn)
{
    c->secrets = secrets_new();
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, fn(e, now, c));
    sodium_free(c->secrets);
    c->secrets = NULL;
    return s;
}

enum status engine_rotate(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    arena_reset(&e->arena);
    enum status s = change_do(e, now, &c, rotate_in);
    if (s == STATUS_OK) s = identity_load(e);
    e->change_ms = now.mono_ms;
    (void)engine_fault(e, s);
    return s;
}

enum status change_pending_in(struct engine *e, bool *pending)
{
    struct view entry;
    enum status s = state_setting_get(e->state, CHANGE_SETTING, &e->arena, &entry);
    *pending = s == STATUS_OK;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* ---- on its way ---- */

static enum status send_in(struct engine *e, struct now now, struct change *c)
{
    struct msg_append m = {.account = e->identity.account, .entries = &c->entry, .entry_count = 1};
    enum status s = change_load_in(e, c);
    if (s == STATUS_OK && !c->entry.len) e->change_pending = false; /* another process has settled it */
    if (s != STATUS_OK || !c->entry.len) return s;
    struct request *r = request_make(e, now, KIND_APPEND, home_of_account(m.account), &msg_append_desc, &m);
    if (r) r->lookup = LOOKUPS_MAX;
    e->change_under_way = r != NULL;
    return STATUS_OK;
}

void change_drive(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    if (!may_ask(e) || change_deadline_ms(e) > now.mono_ms) return;
    e->change_ms = now.mono_ms + RETRY_MIN_MS;
    (void)engine_fault(e, change_do(e, now, &c, send_in));
}

uint64_t change_deadline_ms(const struct engine *e)
{
    return e->change_pending && !e->change_under_way ? e->change_ms : NEVER;
}

/* ---- settled ---- */

static enum status change_end_in(struct engine *e, struct change *c, enum status how)
{
    sodium_memzero(c->secrets->next_identity_sk, sizeof c->secrets->next_identity_sk);
    enum status s = state_secrets_put(e->state, c->secrets);
    if (s == STATUS_OK) s = state_setting_put(e->state, CHANGE_SETTING, view_of(NULL, 0));
    event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = how});
    return s;
}

static enum status change_adopt_in(struct engine *e, struct change *c)
{
    c->identity.record = *c->body.device;
    memcpy(c->secrets->identity_sk, c->secrets->next_identity_sk, sizeof c->secrets->identity_sk);
    enum status s = state_identity_put(e->state, &c->identity);
    return s == STATUS_OK ? change_end_in(e, c, STATUS_OK) : s;
}

/* Our log has gone on: with our entry, with another in its place, or neither. */
static enum status settle_in(struct engine *e, struct now now, struct change *c)
{
    struct view *held;
    size_t count;
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK || !c->entry.len) return s;
    if (c->body.number == c->own.log.length)
        return e->change_refusal == STATUS_OK ? STATUS_OK : change_end_in(e, c, e->change_refusal);
    s = pin_entries_in(e, c->identity.account, c->body.number, &held, &count);
    if (s != STATUS_OK) return s;
    if (count && view_equal(held[0], c->entry)) return change_adopt_in(e, c);
    e->change_ms = now.mono_ms;
    return change_make_in(e, now, c, c->body.device);
}

void change_seen(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    if (!e->change_pending) return;
    if (engine_fault(e, change_do(e, now, &c, settle_in))) (void)engine_fault(e, identity_load(e));
    e->change_refusal = STATUS_OK;
}

static enum status taken_in(struct engine *e, struct now now, struct change *c)
{
    enum pin_verdict verdict;
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK || !c->entry.len) return s;
    struct view entry = c->entry;
    s = pin_extend_in(e, now, c->identity.account, &c->said, &entry, 1, &c->own, &verdict);
    if (s == STATUS_OK && verdict == PIN_FORKED)
        event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
    return s == STATUS_OK && verdict != PIN_FORKED ? settle_in(e, now, c) : s;
}

void change_reply(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_appended m;
    e->change_under_way = false;
    e->change_ms = now.mono_ms + RETRY_MAX_MS; /* where this does not settle it */
    if (codec_decode(&msg_appended_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    struct change c = {.said = m.log};
    if (engine_fault(e, change_do(e, now, &c, taken_in))) (void)engine_fault(e, identity_load(e));
    contact_own(e, now, &m.log);
}

void change_failed(struct engine *e, struct now now, enum status s, uint32_t retry_after_ms)
{
    struct msg_log_state unknown = {0};
    uint64_t delay = backoff_ms(e, 1, RETRY_MIN_MS, RETRY_MAX_MS);
    e->change_under_way = false;
    e->change_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
    if (s == STATUS_GONE || s == STATUS_NO_SESSION) e->change_ms = now.mono_ms;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (s == STATUS_STALE_HEAD || s == STATUS_RELAY_BEHIND) contact_own(e, now, &unknown);
    if (s == STATUS_NOT_FOUND) session_lost(e, now); /* it has lost the account: HELLO finds out, and brings it back */
    if (status_client_action(s) != ACTION_GIVE_UP || s == STATUS_SUPERSEDED || s == STATUS_NOT_FOUND) return;
    /* An earlier try may be in the log, though its answer was lost: the key goes only when the log is seen without it. */
    e->change_refusal = s;
    e->change_ms = now.mono_ms + RETRY_MAX_MS;
    contact_own(e, now, &unknown);
}
