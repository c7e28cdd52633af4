/* statement: what a contact's devices say of their own account's log, in contents (PROTOCOL 10.1) and signed prekeys (6.4),
 * held against what the relay has shown us of it (6.10). A ghost device needs a history of its own, and a withheld revocation
 * a shorter one: neither is what the contact's devices name. Invariants: one row a contact, whatever is said; a version that
 * is named and not shown is kept until it is, or the user knows. */
#include "clients/drift.h"

#include <string.h>

#define STATEMENT_STEP_MS 3600000u                 /* what is newer by less is not written */
#define STATEMENT_OLD_MS  (14ull * 24 * 3600 * 1000)

static bool head_equal(const struct hash256 *a, const struct hash256 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- the head of a version ---- */

/* A walk along a log that is held. */
struct walk {
    uint64_t version;
    struct hash256 head;
};

static enum status step(struct walk *w, struct view entry, uint64_t number, struct arena *a)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    if (entry_open(entry, a, &signed_entry, &body) != STATUS_OK) return STATUS_DAMAGED;
    if (number && !entry_is_version(body.operation)) return STATUS_OK;
    w->version++;
    w->head = entry_head_of(entry, number);
    return STATUS_OK;
}

static enum status walk_to_in(struct engine *e, const struct identity_log *log, uint64_t version, struct hash256 *out)
{
    struct arena arena = {0};
    struct entry_scan scan = {.account = log->account, .max = ENTRIES_PER_FRAME};
    struct walk w = {.version = 0};
    enum status s = STATUS_OK;
    while (s == STATUS_OK && w.version < version) {
        s = state_entry_scan(e->state, &arena, &scan);
        if (s == STATUS_OK && !scan.count) s = STATUS_DAMAGED;
        for (size_t i = 0; i < scan.count && s == STATUS_OK && w.version < version; i++)
            s = step(&w, scan.entries[i], scan.first + i, &arena);
        scan.first += scan.count;
    }
    arena_fini(&arena);
    *out = w.head;
    return s;
}

/* version: 1 up to the log's. */
static enum status head_of_in(struct engine *e, const struct identity_log *log, uint64_t version, struct hash256 *out)
{
    if (version < log->key_version) return walk_to_in(e, log, version, out);
    *out = log->version_head;
    return STATUS_OK;
}

/* ---- one statement ---- */

static enum status fork_in(struct engine *e, struct now now, struct account_id account, const struct hash256 *seen)
{
    e->counts.forks++;
    event_put(e, &(struct engine_event){.kind = ENGINE_FORKED, .sender_account = account});
    return hold_contact_in(e, now, account, LOSS_FORK, seen);
}

static enum status ahead_in(struct engine *e, struct now now, const struct contact *c, const struct statement *said)
{
    struct contact next = *c;
    contact_ask(e, now, c->log.account, c->log.length);
    if (said->key_version < c->stated_version) return STATUS_OK;
    if (said->key_version == c->stated_version)
        return head_equal(&said->head, &c->stated_head) ? STATUS_OK : fork_in(e, now, c->log.account, &said->head);
    next.stated_version = said->key_version;
    next.stated_head = said->head;
    return state_contact_put(e->state, &next);
}

/* A device that knows less than we may not have heard yet: it confirms nothing of what it does not know. */
static enum status confirm_in(struct engine *e, struct now now, const struct contact *c, const struct statement *said)
{
    struct contact next = *c;
    uint64_t relay_ms = engine_relay_ms(e, now);
    uint64_t made_ms = said->made_ms < relay_ms ? said->made_ms : relay_ms;
    if (said->key_version < c->log.key_version) return STATUS_OK;
    if (made_ms < STATEMENT_STEP_MS || made_ms - STATEMENT_STEP_MS < c->stated_ms) return STATUS_OK;
    next.stated_ms = made_ms;
    return state_contact_put(e->state, &next);
}

enum status statement_in(struct engine *e, struct now now, const struct contact *c, const struct statement *said)
{
    struct hash256 head;
    if (said->key_version == 0 || said->key_version > LOG_LENGTH_MAX) return STATUS_OK; /* no log has it */
    if (said->key_version > c->log.key_version) return ahead_in(e, now, c, said);
    enum status s = head_of_in(e, &c->log, said->key_version, &head);
    if (s != STATUS_OK) return s;
    return head_equal(&head, &said->head) ? confirm_in(e, now, c, said) : fork_in(e, now, c->log.account, &said->head);
}

enum status statement_reached_in(struct engine *e, struct now now, struct contact *c, bool *held)
{
    struct hash256 head;
    if (!c->stated_version || c->stated_version > c->log.key_version) return STATUS_OK;
    enum status s = head_of_in(e, &c->log, c->stated_version, &head);
    if (s != STATUS_OK) return s;
    c->stated_version = 0;
    if (head_equal(&head, &c->stated_head)) return STATUS_OK;
    e->counts.forks++;
    event_put(e, &(struct engine_event){.kind = ENGINE_FORKED, .sender_account = c->log.account});
    *held = hold_begin(e, now, c, LOSS_FORK, &c->stated_head) || *held;
    return STATUS_OK;
}

/* ---- silence ---- */

bool engine_is_silent(const struct engine *e, struct now now, const struct contact *c)
{
    return c->stated_ms && c->stated_ms + STATEMENT_OLD_MS <= engine_relay_ms(e, now);
}

enum status statement_age_in(struct engine *e, struct now now, const struct contact *c)
{
    struct contact next = *c;
    if (!e->relay_known || c->stated_warned_ms == c->stated_ms || !engine_is_silent(e, now, c)) return STATUS_OK;
    event_put(e, &(struct engine_event){.kind = ENGINE_SILENT, .sender_account = c->log.account, .count = c->stated_ms});
    next.stated_warned_ms = c->stated_ms;
    return state_contact_put(e->state, &next);
}
