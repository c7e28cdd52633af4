/* change: an entry of ours on its way into our own log (PROTOCOL 6.3): made and kept, with the secrets that it stands
 * for, before it is sent; sent until the relay has it; only then believed. One at a time. Where another entry was first it
 * is made anew behind that one, if it still makes sense there (wish.c). Invariants: a secret is in use only when the log has
 * its public key; a change that is not settled survives every end of the process. */
#include "broker/wire/identity.h"
#include "clients/drift.h"
#include "clients/recovery_core.h"

#include <sodium.h>
#include <string.h>

#define CHANGE_SETTING "identity.change"
#define LAST_SETTING   "identity.change_last" /* one byte: it may be of the last active device */

struct change {
    struct state_identity identity;
    struct device_secrets *secrets; /* sodium_malloc */
    struct contact own;
    struct view entry; /* on its way; empty = none */
    struct msg_entry_body body;
    bool even_last;
    struct msg_log_state said;      /* in taken_in: what APPENDED says */
    const struct change_wish *wish; /* in begin_in */
    const struct entry_plan *add;   /* in admit_in */
    enum change_obstacle obstacle;  /* of it */
};

static enum status entry_load_in(struct engine *e, struct change *c)
{
    struct msg_entry signed_entry;
    struct view last;
    enum status s = state_setting_get(e->state, CHANGE_SETTING, &e->arena, &c->entry);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    s = state_setting_get(e->state, LAST_SETTING, &e->arena, &last);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    c->even_last = s == STATUS_OK;
    return entry_open(c->entry, &e->arena, &signed_entry, &c->body) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static enum status change_load_in(struct engine *e, struct change *c)
{
    enum status s = state_identity_get(e->state, &e->arena, &c->identity);
    if (s == STATUS_OK) s = state_secrets_get(e->state, c->secrets);
    if (s == STATUS_OK) s = state_contact_get(e->state, c->identity.account, &c->own);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_DAMAGED : s;
    return entry_load_in(e, c);
}

/* Behind what the log has now. Where that does not take it after all nothing is kept, and *why says so. */
static enum status change_make_in(struct engine *e, struct now now, const struct change *c, struct entry_plan plan,
                                  enum change_obstacle *why)
{
    struct buffer entry = {0};
    struct identity_log after = c->own.log;
    const uint8_t *recovery_sk = c->wish ? c->wish->recovery_sk : NULL;
    plan.made_ms = now.wall_ms;
    if (!recovery_sk) plan.signer = c->identity.device;
    identity_log_make(&c->own.log, &plan, recovery_sk ? recovery_sk : c->secrets->signing_sk, &entry);
    enum status s = identity_log_append(&after, buffer_view(&entry), &e->arena);
    *why = s == STATUS_OK ? CHANGE_NONE : s == STATUS_TOO_LARGE ? CHANGE_LOG_FULL : CHANGE_NOT_ALLOWED;
    s = s == STATUS_OK ? state_setting_put(e->state, CHANGE_SETTING, buffer_view(&entry)) : STATUS_OK;
    buffer_fini(&entry);
    return s;
}

/* ---- begun ---- */

static enum status rotate_in(struct engine *e, struct now now, struct change *c)
{
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK) return s;
    if (c->entry.len) return c->body.operation == ENTRY_REPLACE ? STATUS_STATE : STATUS_FULL;
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = c->identity.device, .record = c->identity.record};
    random_fill(e, c->secrets->next_identity_sk, sizeof c->secrets->next_identity_sk);
    ENSURE(crypto_scalarmult_base(plan.record.identity.bytes, c->secrets->next_identity_sk) == 0);
    s = state_secrets_put(e->state, c->secrets);
    if (s == STATUS_OK) s = change_make_in(e, now, c, plan, &c->obstacle);
    return s == STATUS_OK ? obstacle_status(c->obstacle) : s;
}

static struct view description_of(struct engine *e, const struct change_wish *wish)
{
    struct buffer data = {0};
    codec_encode(&msg_description_desc, &(struct msg_description){.name = wish->name}, &data);
    struct view kept = arena_copy(&e->arena, buffer_view(&data));
    buffer_fini(&data);
    return kept;
}

static bool is_on_its_way(const struct change *c, const struct entry_plan *plan)
{
    return c->body.operation == (uint32_t)plan->operation && device_equal(c->body.subject, plan->subject) &&
           view_equal(c->body.data, plan->data) &&
           memcmp(&c->body.recovery, &plan->recovery, sizeof plan->recovery) == 0;
}

static enum status begin_in(struct engine *e, struct now now, struct change *c)
{
    const struct change_wish *wish = c->wish;
    struct entry_plan plan = {.operation = wish->operation, .subject = wish->subject, .recovery = wish->recovery};
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK) return s;
    if (wish->operation == ENTRY_DESCRIBE) plan.data = description_of(e, wish);
    if (c->entry.len && is_on_its_way(c, &plan)) return STATUS_OK;
    c->obstacle = c->entry.len ? CHANGE_UNDER_WAY : wish_obstacle(&c->own.log, c->identity.device, wish);
    if (c->obstacle == CHANGE_NONE) s = change_make_in(e, now, c, plan, &c->obstacle);
    if (s == STATUS_OK && c->obstacle == CHANGE_NONE)
        s = state_setting_put(e->state, LAST_SETTING, view_of("1", wish->even_last ? 1 : 0));
    if (s == STATUS_OK && c->obstacle == CHANGE_NONE && wish->operation == ENTRY_SET_RECOVERY)
        s = recovery_begun_in(e, wish);
    return s == STATUS_OK ? obstacle_status(c->obstacle) : s;
}

/* Whom an entry is about; of one that adds, which device it makes. */
static struct device_id subject_of(const struct change *c)
{
    bool adds = c->body.operation == ENTRY_ADD && c->body.device_count;
    return adds ? device_id_of(c->identity.account, &c->body.device->signing) : c->body.subject;
}

static enum status admit_in(struct engine *e, struct now now, struct change *c)
{
    struct change_wish wish = {.operation = ENTRY_ADD};
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK) return s;
    wish.subject = device_id_of(c->identity.account, &c->add->record.signing);
    if (c->entry.len && c->body.operation == ENTRY_ADD && device_equal(subject_of(c), wish.subject)) return STATUS_OK;
    c->obstacle = c->entry.len ? CHANGE_UNDER_WAY : wish_obstacle(&c->own.log, c->identity.device, &wish);
    if (c->obstacle == CHANGE_NONE) s = change_make_in(e, now, c, *c->add, &c->obstacle);
    return s == STATUS_OK ? obstacle_status(c->obstacle) : s;
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

static enum status change_begin(struct engine *e, struct now now, struct change *c, change_fn *fn)
{
    arena_reset(&e->arena);
    enum status s = change_do(e, now, c, fn);
    if (s == STATUS_OK) s = identity_load(e);
    e->change_ms = now.mono_ms;
    (void)engine_fault(e, s);
    return s;
}

enum status engine_rotate(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    return change_begin(e, now, &c, rotate_in);
}

static bool is_wish(const struct change_wish *wish)
{
    if (wish->operation == ENTRY_SET_RECOVERY) return crypto_core_ed25519_is_valid_point(wish->recovery.bytes) == 1;
    bool name = wish->operation == ENTRY_DESCRIBE;
    if (wish->name.len && (!name || device_name_check(wish->name) != STATUS_OK)) return false;
    return name || wish->operation == ENTRY_SUSPEND || wish->operation == ENTRY_RESUME || wish->operation == ENTRY_REVOKE;
}

enum status engine_change(struct engine *e, struct now now, const struct change_wish *wish, enum change_obstacle *why)
{
    struct change c = {.wish = wish};
    *why = CHANGE_NONE;
    if (!is_wish(wish)) return STATUS_MALFORMED;
    enum status s = change_begin(e, now, &c, begin_in);
    if (s != STATUS_OK && s == obstacle_status(c.obstacle)) *why = c.obstacle;
    return s;
}

enum status change_admit(struct engine *e, struct now now, const struct entry_plan *add, enum change_obstacle *why)
{
    struct change c = {.add = add};
    *why = CHANGE_NONE;
    enum status s = change_begin(e, now, &c, admit_in);
    if (s != STATUS_OK && s == obstacle_status(c.obstacle)) *why = c.obstacle;
    return s;
}

enum status change_pending_in(struct engine *e, bool *pending)
{
    struct view entry;
    enum status s = state_setting_get(e->state, CHANGE_SETTING, &e->arena, &entry);
    *pending = s == STATUS_OK;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status change_is_in(struct engine *e, struct view entry, bool *is)
{
    struct view kept;
    enum status s = state_setting_get(e->state, CHANGE_SETTING, &e->arena, &kept);
    *is = s == STATUS_OK && view_equal(kept, entry);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* ---- on its way ---- */

/* Whether it is this entry that this engine has sent last: another process of the home may have settled that one since, and
 * begun another. What the relay says of one says nothing of the other. */
static bool is_sent(const struct engine *e, const struct change *c)
{
    struct hash256 head = entry_head_of(c->entry, c->body.number);
    return memcmp(&head, &e->change_sent, sizeof head) == 0;
}

static enum status send_in(struct engine *e, struct now now, struct change *c)
{
    struct msg_append m = {.account = e->identity.account, .entries = &c->entry, .entry_count = 1};
    enum status s = change_load_in(e, c);
    if (s == STATUS_OK && !c->entry.len) e->change_pending = false; /* another process has settled it */
    if (s != STATUS_OK || !c->entry.len) return s;
    struct request *r = request_make(e, now, KIND_APPEND, home_of_account(m.account), &msg_append_desc, &m);
    if (r) r->lookup = LOOKUPS_MAX;
    if (r) e->change_sent = entry_head_of(c->entry, c->body.number);
    e->change_under_way = r != NULL;
    return STATUS_OK;
}

/* What another process of this home has begun, and has not settled before it ended. */
static void change_look(struct engine *e, struct now now)
{
    e->change_ms = now.mono_ms + e->config.poll_ms;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, change_pending_in(e, &e->change_pending));
    (void)engine_fault(e, s);
}

void change_drive(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    if (!may_ask(e) || change_deadline_ms(e) > now.mono_ms) return;
    if (!e->change_pending) change_look(e, now);
    if (!e->change_pending) return;
    e->change_ms = now.mono_ms + RETRY_MIN_MS;
    (void)engine_fault(e, change_do(e, now, &c, send_in));
}

uint64_t change_deadline_ms(const struct engine *e)
{
    return e->change_under_way ? NEVER : e->change_ms;
}

/* ---- settled ---- */

static enum status change_end_in(struct engine *e, struct change *c, enum status how, enum change_obstacle why)
{
    sodium_memzero(c->secrets->next_identity_sk, sizeof c->secrets->next_identity_sk);
    enum status s = state_secrets_put(e->state, c->secrets);
    if (s == STATUS_OK) s = state_setting_put(e->state, CHANGE_SETTING, view_of(NULL, 0));
    if (s == STATUS_OK) s = state_setting_put(e->state, LAST_SETTING, view_of(NULL, 0));
    if (s == STATUS_OK && c->body.operation == ENTRY_SET_RECOVERY) s = recovery_settled_in(e, &c->own.log);
    event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = how, .operation = c->body.operation,
                                        .subject = subject_of(c), .obstacle = why});
    return s;
}

static enum status change_adopt_in(struct engine *e, struct change *c)
{
    enum status s = STATUS_OK;
    if (c->body.operation == ENTRY_REPLACE) {
        c->identity.record = *c->body.device;
        memcpy(c->secrets->identity_sk, c->secrets->next_identity_sk, sizeof c->secrets->identity_sk);
        s = state_identity_put(e->state, &c->identity);
    }
    return s == STATUS_OK ? change_end_in(e, c, STATUS_OK, CHANGE_NONE) : s;
}

/* Behind the entry that was first, if it still makes sense there, and if it was ours to sign: the recovery key's secret
 * is not kept. */
static enum status change_again_in(struct engine *e, struct now now, struct change *c)
{
    struct change_wish wish = {.operation = (enum entry_operation)c->body.operation, .subject = subject_of(c),
                               .even_last = c->even_last, .recovery = c->body.recovery};
    struct entry_plan plan = {.operation = wish.operation, .subject = c->body.subject, .data = c->body.data,
                              .proof = c->body.proof, .recovery = c->body.recovery};
    enum change_obstacle why = wish_obstacle(&c->own.log, c->identity.device, &wish);
    enum status s = STATUS_OK;
    if (!device_equal(c->body.signer, c->identity.device) && why != CHANGE_DONE)
        return change_end_in(e, c, STATUS_STALE_HEAD, CHANGE_NONE);
    if (c->body.device_count) plan.record = *c->body.device;
    if (why == CHANGE_NONE) s = change_make_in(e, now, c, plan, &why);
    e->change_ms = now.mono_ms;
    if (s != STATUS_OK || why == CHANGE_NONE) return s;
    return change_end_in(e, c, why == CHANGE_DONE ? STATUS_OK : obstacle_status(why), why);
}

/* Our log has gone on: with our entry, with another in its place, or neither. */
static enum status settle_in(struct engine *e, struct now now, struct change *c)
{
    struct view *held;
    size_t count;
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK || !c->entry.len) return s;
    if (c->body.number == c->own.log.length)
        return e->change_refusal == STATUS_OK || !is_sent(e, c) ? STATUS_OK : change_end_in(e, c, e->change_refusal, CHANGE_NONE);
    s = pin_entries_in(e, c->identity.account, c->body.number, &held, &count);
    if (s != STATUS_OK) return s;
    return count && view_equal(held[0], c->entry) ? change_adopt_in(e, c) : change_again_in(e, now, c);
}

void change_seen(struct engine *e, struct now now)
{
    struct change c = {.said = {0}};
    if (!e->change_pending) return;
    if (engine_fault(e, change_do(e, now, &c, settle_in))) (void)engine_fault(e, identity_load(e));
    e->change_refusal = STATUS_OK;
}

/* A device that puts itself out loses its session with that entry, and the answer to it. Should it be resumed, or should
 * another's entry have been first, the change goes on: it is kept. */
static enum status stopped_in(struct engine *e, struct now now, struct change *c)
{
    (void)now;
    enum status s = change_load_in(e, c);
    bool leaves = c->body.operation == ENTRY_SUSPEND || c->body.operation == ENTRY_REVOKE;
    if (s == STATUS_OK && leaves && device_equal(c->body.subject, c->identity.device))
        event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_OK, .subject = c->body.subject,
                                            .operation = c->body.operation});
    return s;
}

void change_stopped(struct engine *e, struct now now, enum status s)
{
    struct change c = {.said = {0}};
    if (e->change_pending && s == STATUS_REFUSED) (void)engine_fault(e, change_do(e, now, &c, stopped_in));
}

static enum status taken_in(struct engine *e, struct now now, struct change *c)
{
    enum pin_verdict verdict;
    enum status s = change_load_in(e, c);
    if (s != STATUS_OK || !c->entry.len) return s;
    if (!is_sent(e, c)) e->change_ms = now.mono_ms;
    if (!is_sent(e, c)) return STATUS_OK;
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
