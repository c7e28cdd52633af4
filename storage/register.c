/* register: identity logs come in and grow (PROTOCOL 6.1): REGISTER brings an account, APPEND what follows. Entries
 * are verified here, in a copy of the log; whoever carries them, their signatures are the authority. All of a request's
 * entries are taken or none. Entries that the log has already are passed over, so a repeated request is answered as
 * the first one was. */
#include "storage/core.h"
#include "storage/history.h"
#include "storage/risk.h"

#include <sodium.h>
#include <string.h>

/* An entry of the request. */
struct given {
    struct view bytes;
    uint64_t number;
    uint32_t operation;
    struct device_id signer; /* all zero: the recovery key */
    struct device_id device; /* that it is about; all zero = none */
};

struct log_plan {
    struct account_id account;
    struct view first; /* REGISTER: the entry that founds the account; else empty */
    struct given *entries;
    size_t count;
    bool brings_key; /* the connection's key stands in one of them */
};

static bool is_key_of(const struct request *r, const struct msg_device_record *record)
{
    return memcmp(&record->transport, &r->stamp.transport, sizeof record->transport) == 0;
}

static struct device_id device_of(struct account_id account, const struct msg_entry_body *body)
{
    return body->operation == ENTRY_ADD && body->device_count ? device_id_of(account, &body->device->signing) : body->subject;
}

/* What an entry says of its place is wanted before it is verified: the log may have one there. And what costs little is
 * looked at first: a signature costs more than all of this. */
static enum status entries_plan(struct storage *s, const struct request *r, const struct view *entries, size_t count,
                                struct log_plan *plan)
{
    struct hash256 head = {{0}};
    plan->entries = arena_array(&s->turn.arena, count, sizeof *plan->entries);
    plan->count = count;
    if (count) history_want(s, plan->account);
    for (size_t i = 0; i < count; i++) {
        struct msg_entry e;
        struct msg_entry_body body;
        enum status status = entry_open(entries[i], &s->turn.arena, &e, &body);
        if (status != STATUS_OK) return status;
        if (body.number == 0 || (i && body.number != plan->entries[i - 1].number + 1)) return STATUS_BAD_ENTRY;
        if (i && memcmp(&body.previous, &head, sizeof head) != 0) return STATUS_BAD_ENTRY;
        head = entry_head_of(entries[i], body.number);
        if (body.operation == ENTRY_REVOKE) core_mailbox_want(s, home_of_account(plan->account), body.subject);
        plan->brings_key = plan->brings_key || (body.device_count && is_key_of(r, body.device));
        plan->entries[i] = (struct given){entries[i], body.number, body.operation, body.signer,
                                          device_of(plan->account, &body)};
        struct store_key key = key_entry(plan->account, body.number);
        turn_want(&s->turn, SPACE_IDENTITY, &key);
    }
    return STATUS_OK;
}

/* Whether the log has this very entry at its place: OK, STALE_HEAD; BUSY where what it has cannot be read, which says
 * nothing against the entry. */
static enum status entry_compare(struct storage *s, struct account_id account, const struct given *g)
{
    struct store_key key = key_entry(account, g->number);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key), entry;
    if (!value.at || entry_row_read(value, &entry) != STATUS_OK) return STATUS_BUSY;
    return view_equal(entry, g->bytes) ? STATUS_OK : STATUS_STALE_HEAD;
}

/* Who is held signs nothing. The recovery key does: it is in no device, so that its owner may put things right. */
static bool signer_held(const struct storage *s, struct account_id account, struct device_id signer)
{
    const struct account *a = account_peek(s, account);
    return a && sodium_is_zero(signer.bytes, sizeof signer.bytes) != 1 && account_held(a, signer);
}

/* *from: the first entry of the plan that is new; of STALE_HEAD the first one that the log has not. */
static enum status log_extend(struct storage *s, const struct log_plan *plan, struct identity_log *log, size_t *from)
{
    *from = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        const struct given *g = &plan->entries[i];
        if (g->number > log->length) return STATUS_RELAY_BEHIND;
        if (g->number < log->length && *from == plan->count) {
            enum status same = entry_compare(s, plan->account, g);
            if (same != STATUS_OK) *from = i;
            if (same != STATUS_OK) return same;
            continue;
        }
        if (*from == plan->count) *from = i;
        enum status status = identity_log_append(log, g->bytes, &s->turn.arena);
        if (status == STATUS_STATE) return STATUS_STALE_HEAD;
        if (status != STATUS_OK) return status;
        if (signer_held(s, plan->account, g->signer)) return STATUS_ON_HOLD; /* said of what is signed only */
    }
    return STATUS_OK;
}

static void entry_put(struct storage *s, struct account_id account, uint64_t number, struct view entry)
{
    struct store_key key = key_entry(account, number);
    turn_put(&s->turn, SPACE_IDENTITY, &key, entry_row_write(&s->turn.arena, entry));
}

/* Who may have no session any more: its place in the account, or the key of its connection, is another. */
static void devices_compare(struct storage *s, const struct identity_log *before, const struct identity_log *log)
{
    for (size_t i = 0; i < before->device_count; i++) {
        const struct log_device *was = &before->devices[i], *is = &log->devices[i];
        bool may = is->standing == STANDING_ACTIVE &&
                   memcmp(&was->record.transport, &is->record.transport, sizeof is->record.transport) == 0;
        if (!may && was->standing == STANDING_ACTIVE) sessions_revoke(s, is->id);
    }
}

/* The account is back with somebody who had no device of it. */
static void recovery_done(struct storage *s, const struct identity_log *log)
{
    core_event(s, &(struct event){.kind = EVENT_RECOVERY_DONE, .count = identity_log_active(log),
                                  .value = log->key_version,
                                  .account = mark_account(&s->config.mark_key, log->account)});
}

static void change_tell(struct storage *s, struct watch_row *watch, const struct identity_log *log,
                        const struct risk_step *step)
{
    static const struct device_id none;
    uint32_t risks = risk_of(watch, step, s->turn.now_ms);
    struct event e = {.kind = EVENT_IDENTITY_CHANGED, .code = step->change, .count = risks, .value = log->key_version,
                      .account = mark_account(&s->config.mark_key, log->account)};
    if (!device_equal(step->device, none)) e.device = mark_device(&s->config.mark_key, step->device);
    if (!device_equal(step->signer, none)) e.actor = mark_device(&s->config.mark_key, step->signer);
    core_event(s, &e);
    if (risk_level(risks) == RISK_HIGH) {
        e.kind = EVENT_TAKEOVER_SUSPECTED;
        e.code = 0;
        core_event(s, &e);
    }
    watch_step(watch, step, s->turn.now_ms);
}

static enum identity_change change_of(uint32_t operation)
{
    static const enum identity_change changes[] = {
        [ENTRY_ADD] = CHANGED_ENROLLED, [ENTRY_REVOKE] = CHANGED_REVOKED, [ENTRY_SUSPEND] = CHANGED_SUSPENDED,
        [ENTRY_RESUME] = CHANGED_RESUMED, [ENTRY_REPLACE] = CHANGED_REPLACED,
        [ENTRY_SET_RECOVERY] = CHANGED_RECOVERY_SET};
    return operation < sizeof changes / sizeof changes[0] ? changes[operation] : CHANGED_NONE;
}

/* Of an account that comes with its whole log nothing is told: when all of that was, only its signers say. */
static void changes_tell(struct storage *s, const struct log_plan *plan, const struct identity_log *before,
                         const struct identity_log *log, size_t from)
{
    if (!before->length || from == plan->count) return;
    struct watch_row watch = watch_get(s, log->account);
    for (size_t i = from; i < plan->count; i++) {
        const struct given *g = &plan->entries[i];
        struct risk_step step = {change_of(g->operation), g->signer, g->device};
        if (step.change != CHANGED_NONE) change_tell(s, &watch, log, &step);
        if (sodium_is_zero(g->signer.bytes, sizeof g->signer.bytes) != 1) continue;
        step.change = CHANGED_RECOVERY_USED;
        change_tell(s, &watch, log, &step);
    }
    watch_put(s, log->account, &watch);
}

/* Who shall look it up: the sessions of its devices, but for the one that brought the entries. May be lost. */
static void log_tell(struct storage *s, const struct request *r, const struct identity_log *log)
{
    const struct msg_log_grew meta = {.log = identity_log_state(log)};
    struct buffer *out;
    for (size_t i = 0; i < log->device_count; i++) {
        const struct log_device *d = &log->devices[i];
        const struct mailbox *m = core_mailbox_peek(s, d->id);
        if (d->standing != STANDING_ACTIVE || !m || !mailbox_attached(m)) continue;
        if (device_equal(d->id, r->stamp.device)) continue;
        size_t start = push_begin(s, &m->session, d->id, &out);
        frame_write(out, &(struct frame_header){.kind = KIND_LOG_GREW, .home = m->home}, &msg_log_grew_desc, &meta);
        push_end(out, start);
    }
}

/* before is all zero for a new account. */
static enum status log_store(struct storage *s, const struct request *r, const struct identity_log *before,
                             const struct identity_log *log, size_t from)
{
    const struct log_plan *plan = r->plan;
    enum status status = fence_check(s, before, log);
    if (status == STATUS_OK) status = account_put(s, log);
    if (status != STATUS_OK) return STATUS_BUSY;
    fences_set(s, before, log);
    if (!before->length) entry_put(s, log->account, 0, plan->first);
    for (size_t i = from; i < plan->count; i++) {
        entry_put(s, log->account, plan->entries[i].number, plan->entries[i].bytes);
        core_event(s, &(struct event){.kind = EVENT_LOG_APPENDED, .code = plan->entries[i].operation,
                                      .count = plan->entries[i].number, .value = log->key_version,
                                      .account = mark_account(&s->config.mark_key, log->account)});
        bool by_recovery = sodium_is_zero(plan->entries[i].signer.bytes, sizeof plan->entries[i].signer.bytes) == 1;
        if (by_recovery && plan->entries[i].operation == ENTRY_ADD) recovery_done(s, log);
    }
    devices_compare(s, before, log);
    changes_tell(s, plan, before, log, from);
    if (before->length) log_tell(s, r, log);
    return STATUS_OK;
}

/* A refusal that says something about an account's keys is on record: also that another was first, as it is not told from a fork. */
static void log_refuse(struct storage *s, struct request *r, struct account_id account, enum status status)
{
    if (status == STATUS_REFUSED || status == STATUS_BAD_ENTRY || status == STATUS_STALE_HEAD || status == STATUS_ON_HOLD)
        core_event(s, &(struct event){.kind = EVENT_LOG_REFUSED, .code = (uint32_t)status,
                                      .account = mark_account(&s->config.mark_key, account)});
    request_fail(s, r, status, status > STATUS_WIRE_MAX || status == STATUS_BUSY ? 1000 : 0);
}

/* ---- REGISTER ---- */

enum status register_plan(struct storage *s, struct request *r)
{
    const struct msg_register *m = r->meta;
    struct log_plan *plan = arena_alloc(&s->turn.arena, sizeof *plan);
    struct identity_log log;
    enum status status = identity_log_open(m->entry, &s->turn.arena, &log);
    if (status != STATUS_OK) return status;
    if (!core_owns(s, home_of_account(log.account))) return STATUS_WRONG_HOME;
    plan->account = log.account;
    plan->first = m->entry;
    plan->brings_key = is_key_of(r, &log.devices[0].record);
    account_want(s, log.account);
    r->plan = plan;
    return entries_plan(s, r, m->entries, m->entry_count, plan);
}

/* Who registers holds the key of a device. Of a log that comes in several frames its device may be in a later one. */
static bool may_register(const struct request *r, const struct identity_log *log)
{
    const struct msg_register *m = r->meta;
    if (m->entry_count == ENTRIES_PER_FRAME) return true;
    for (size_t i = 0; i < log->device_count; i++)
        if (log->devices[i].standing == STANDING_ACTIVE && is_key_of(r, &log->devices[i].record)) return true;
    return false;
}

/* Before a signature is looked at: a stranger's key is in nothing that he brings, nor in what is here. */
static bool may_be_registering(const struct request *r, const struct identity_log *before)
{
    const struct log_plan *plan = r->plan;
    return plan->brings_key || may_register(r, before);
}

static void account_created(struct storage *s, const struct identity_log *log)
{
    core_event(s, &(struct event){.kind = EVENT_ACCOUNT_CREATED, .count = identity_log_active(log),
                                  .account = mark_account(&s->config.mark_key, log->account),
                                  .device = mark_device(&s->config.mark_key, log->devices[0].id)});
}

/* *log: as it is here, or as the first entry alone makes it. */
static enum status log_here(struct storage *s, const struct log_plan *plan, struct identity_log *before,
                            struct identity_log *log)
{
    const struct account *a;
    memset(before, 0, sizeof *before);
    enum status status = account_find(s, plan->account, &a);
    if (status == STATUS_OK) {
        account_log(a, before);
        *log = *before;
    } else if (status == STATUS_NOT_FOUND && plan->first.len) {
        status = s->state == STORE_READONLY ? STATUS_STORE_READONLY
                                            : identity_log_open(plan->first, &s->turn.arena, log);
    }
    return status > STATUS_WIRE_MAX ? STATUS_BUSY : status;
}

/* Whoever has an account may send to everybody: where a handle wants a token, so does it. */
static enum status may_come(struct storage *s, const struct request *r, const struct log_plan *plan)
{
    const struct msg_register *m = r->meta;
    bool vouched;
    return admission_check(s, plan->account, view_of(NULL, 0), m->token, &vouched);
}

/* As the HELLO of the connection's device would be answered. Whose key is in no log is told nothing. */
static enum status is_held(const struct storage *s, const struct request *r, const struct identity_log *log)
{
    const struct account *a = account_peek(s, log->account);
    for (size_t i = 0; a && i < log->device_count; i++)
        if (is_key_of(r, &log->devices[i].record) && account_held(a, log->devices[i].id)) return STATUS_ON_HOLD;
    return STATUS_OK;
}

void register_apply(struct storage *s, struct request *r)
{
    const struct log_plan *plan = r->plan;
    struct identity_log before, log;
    size_t from = 0;
    enum status status = log_here(s, plan, &before, &log);
    if (status == STATUS_OK && !may_be_registering(r, &before)) status = STATUS_UNAUTHENTICATED;
    if (status == STATUS_OK) status = before.length ? is_held(s, r, &before) : may_come(s, r, plan);
    if (status == STATUS_OK) status = log_extend(s, plan, &log, &from);
    if (status == STATUS_OK && !may_register(r, &log)) status = STATUS_UNAUTHENTICATED;
    if (status == STATUS_OK) status = is_held(s, r, &log); /* a device that these entries bring in */
    if (status == STATUS_OK && log.length != before.length) status = log_store(s, r, &before, &log, from);
    if (status != STATUS_OK) {
        log_refuse(s, r, plan->account, status);
        return;
    }
    if (!before.length) account_created(s, &log);
    struct msg_registered answer = {.account = log.account, .device = log.devices[0].id,
                                    .log = identity_log_state(&log)};
    request_reply(s, r, KIND_REGISTERED, &msg_registered_desc, &answer);
}

/* ---- APPEND ---- */

enum status append_plan(struct storage *s, struct request *r)
{
    const struct msg_append *m = r->meta;
    struct log_plan *plan = arena_alloc(&s->turn.arena, sizeof *plan);
    if (m->entry_count == 0) return STATUS_MALFORMED;
    if (!core_owns(s, home_of_account(m->account))) return STATUS_WRONG_HOME;
    plan->account = m->account;
    account_want(s, m->account);
    r->plan = plan;
    return entries_plan(s, r, m->entries, m->entry_count, plan);
}

/* The client had these entries from this log: what does that say of it? Only where both histories part anything is shown by
 * it, so that the entry before that one must be here, and the same. */
static void held_compare(struct storage *s, const struct request *r, enum status status, const struct identity_log *before,
                         const struct identity_log *log, size_t at)
{
    const struct log_plan *plan = r->plan;
    const struct msg_append *m = r->meta;
    struct hash256 head;
    if (!m->held) return;
    if (status == STATUS_OK && log->length > before->length) history_restored(s, r, log, log->length - before->length);
    if (status != STATUS_STALE_HEAD || at >= plan->count) return;
    _Static_assert(sizeof head == sizeof plan->account, "the account id is the first entry's hash");
    if (plan->entries[at].number == 1)
        memcpy(&head, &plan->account, sizeof head);
    else if (at > 0)
        head = entry_head_of(plan->entries[at - 1].bytes, plan->entries[at - 1].number);
    else
        return;
    history_split(s, r, before, plan->entries[at].bytes, &head);
}

void append_apply(struct storage *s, struct request *r)
{
    const struct log_plan *plan = r->plan;
    struct identity_log before, log;
    size_t from = 0;
    enum status status = log_here(s, plan, &before, &log);
    if (status == STATUS_OK) status = log_extend(s, plan, &log, &from);
    if (status == STATUS_OK && log.length != before.length) status = log_store(s, r, &before, &log, from);
    held_compare(s, r, status, &before, &log, from);
    if (status != STATUS_OK) {
        log_refuse(s, r, plan->account, status);
        return;
    }
    struct msg_appended answer = {.log = identity_log_state(&log)};
    request_reply(s, r, KIND_APPENDED, &msg_appended_desc, &answer);
}
