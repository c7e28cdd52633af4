/* pin: what we hold of an account's identity log, our own included: entries that the relay tells are verified here, one
 * by one, and kept; what we hold is never given up for less or for something else (PROTOCOL 6.3). Nothing here asks or
 * sends. Invariants: a pinned length never shrinks; every entry up to it is kept and hashes to the pinned head, so that a
 * relay that has lost some gets them back. */
#include "broker/wire/identity_log.h"
#include "clients/drift.h"
#include "clients/recovery_core.h"

#include <string.h>

static bool head_equal(const struct hash256 *a, const struct hash256 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Whether this is the entry that we hold at its number. */
static enum status pinned_compare_in(struct engine *e, const struct contact *c, uint64_t number, struct view entry,
                                     bool *same)
{
    struct entry_scan scan = {.account = c->log.account, .first = number, .max = 1};
    enum status s = state_entry_scan(e->state, &e->arena, &scan);
    *same = s == STATUS_OK && scan.count == 1 && view_equal(scan.entries[0], entry);
    return s;
}

/* The log takes the entry, or is as it was: OK; BAD_ENTRY; STATE = it does not follow ours. */
static enum status log_take(struct engine *e, struct account_id account, struct view entry, struct identity_log *log)
{
    if (log->length) return identity_log_append(log, entry, &e->arena);
    struct identity_log first;
    if (identity_log_open(entry, &e->arena, &first) != STATUS_OK) return STATUS_BAD_ENTRY;
    if (memcmp(&first.account, &account, sizeof account) != 0) return STATUS_BAD_ENTRY;
    *log = first;
    return STATUS_OK;
}

/* Entries that were verified, to be kept once the whole answer is believed: `first` is the first one's number. */
struct taken {
    uint64_t first;
    struct view entries[ENTRIES_PER_FRAME];
    size_t count;
    struct engine_event news[ENTRIES_PER_FRAME]; /* what each of them is to the user */
    const struct engine_event *founding; /* of them: the recovery key brings in a device */
    struct hash256 founding_head;
    bool news_due; /* we have had this log as it was before */
    bool settles;  /* its first look-up ends with this answer */
    struct signing_pk recovery; /* set by one of them; all zero = by none */
};

static struct engine_event news_of(struct account_id account, const struct msg_entry_body *body)
{
    struct engine_event news = {.kind = ENGINE_CONTACT, .sender_account = account, .sender_device = body->signer,
                                .operation = body->operation, .subject = body->subject};
    if (body->operation == ENTRY_ADD) news.subject = device_id_of(account, &body->device->signing);
    return news;
}

static enum status entry_take_in(struct engine *e, struct account_id account, struct view entry, struct contact *c,
                                 struct taken *taken, enum pin_verdict *verdict)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    bool same;
    if (entry_open(entry, &e->arena, &signed_entry, &body) != STATUS_OK) {
        *verdict = PIN_FORKED;
        return STATUS_OK;
    }
    if (body.number > c->log.length) return STATUS_OK; /* the ones between come first: PIN_MORE */
    if (body.number < taken->first) {
        enum status s = pinned_compare_in(e, c, body.number, entry, &same);
        if (s == STATUS_OK && !same) *verdict = PIN_FORKED;
        return s;
    }
    if (body.number < c->log.length || log_take(e, account, entry, &c->log) != STATUS_OK) {
        *verdict = PIN_FORKED;
        return STATUS_OK;
    }
    taken->news[taken->count] = news_of(account, &body);
    if (safety_ends(&body)) {
        taken->founding = &taken->news[taken->count];
        taken->founding_head = entry_head_of(entry, body.number);
    }
    if (body.operation == ENTRY_SET_RECOVERY) taken->recovery = body.recovery;
    taken->entries[taken->count++] = entry;
    return STATUS_OK;
}

/* What a change of our own has done, change.c tells; an entry that this device has signed, and has not on its way, is told as
 * anybody's: a copy of it may be at work. */
static enum status news_tell_in(struct engine *e, const struct taken *taken)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < taken->count && s == STATUS_OK; i++) {
        bool own = false;
        if (!entry_is_version(taken->news[i].operation)) continue;
        if (device_equal(taken->news[i].sender_device, e->identity.device)) s = change_is_in(e, taken->entries[i], &own);
        if (s == STATUS_OK && !own) event_put(e, &taken->news[i]);
    }
    return s;
}

/* What the new entries mean for the messages to it; *held: they wait from now on. */
static enum status judge_in(struct engine *e, struct now now, struct contact *c, const struct taken *taken, bool *held)
{
    *held = false;
    if (!taken->count) return STATUS_OK;
    enum status s = taken->news_due ? news_tell_in(e, taken) : STATUS_OK;
    if (s != STATUS_OK) return s;
    if (taken->news_due && taken->founding) *held = hold_begin(e, now, c, LOSS_RECOVERY, &taken->founding_head);
    return statement_reached_in(e, now, c, held);
}

/* Of our own account the user hears what was done with its recovery key. */
static enum status own_news_in(struct engine *e, const struct contact *c, const struct taken *taken)
{
    static const struct signing_pk none;
    bool set = memcmp(&taken->recovery, &none, sizeof none) != 0;
    if (memcmp(&c->log.account, &e->identity.account, sizeof c->log.account) != 0) return STATUS_OK;
    return recovery_noticed_in(e, taken->founding ? &taken->founding->subject : NULL, set ? &taken->recovery : NULL);
}

static enum status keep_in(struct engine *e, struct now now, struct contact *c, const struct taken *taken)
{
    bool held;
    enum status s = STATUS_OK;
    for (size_t i = 0; i < taken->count && s == STATUS_OK; i++)
        s = state_entry_put(e->state, c->log.account, taken->first + i, taken->entries[i]);
    if (s != STATUS_OK || (!taken->count && !taken->settles && c->checked_ms == now.wall_ms)) return s;
    c->checked_ms = now.wall_ms;
    s = judge_in(e, now, c, taken, &held);
    if (s == STATUS_OK) s = own_news_in(e, c, taken);
    if (s == STATUS_OK) s = state_contact_put(e->state, c);
    return s == STATUS_OK && held ? hold_rows_in(e, now, c) : s;
}

/* What the relay says of the log's end, held against what we hold now. */
static enum pin_verdict end_compare(const struct identity_log *log, const struct msg_log_state *said)
{
    if (said->length > log->length) return PIN_MORE;
    if (said->length < log->length) return PIN_BEHIND;
    bool same = head_equal(&said->head, &log->head) && head_equal(&said->version_head, &log->version_head) &&
                said->key_version == log->key_version;
    return same ? PIN_CURRENT : PIN_FORKED;
}

enum status pin_extend_in(struct engine *e, struct now now, struct account_id account,
                          const struct msg_log_state *said, const struct view *entries, size_t count,
                          struct contact *out, enum pin_verdict *verdict)
{
    *verdict = PIN_CURRENT;
    enum status s = state_contact_get(e->state, account, out);
    if (s == STATUS_NOT_FOUND) s = STATUS_OK;
    struct taken taken = {.first = out->log.length, .news_due = out->log.length && !out->incoming};
    ENSURE(count <= ENTRIES_PER_FRAME);
    for (size_t i = 0; i < count && s == STATUS_OK && *verdict != PIN_FORKED; i++)
        s = entry_take_in(e, account, entries[i], out, &taken, verdict);
    if (s != STATUS_OK) return s;
    if (*verdict != PIN_FORKED) *verdict = end_compare(&out->log, said);
    if (*verdict == PIN_FORKED || out->log.length == 0) return STATUS_OK;
    bool incoming = *verdict == PIN_MORE && !taken.news_due;
    taken.settles = out->incoming && !incoming;
    out->incoming = incoming;
    return keep_in(e, now, out, &taken);
}

enum status pin_entries_in(struct engine *e, struct account_id account, uint64_t first, struct view **entries,
                           size_t *count)
{
    struct entry_scan scan = {.account = account, .first = first, .max = ENTRIES_PER_FRAME};
    enum status s = state_entry_scan(e->state, &e->arena, &scan);
    *entries = scan.entries;
    *count = s == STATUS_OK ? scan.count : 0;
    return s;
}

enum status state_handle_pin(struct state *state, struct view handle, struct account_id account)
{
    struct account_id held;
    enum status s = state_handle_get(state, handle, &held);
    if (s == STATUS_NOT_FOUND) return state_handle_put(state, handle, account);
    return s == STATUS_OK && memcmp(&held, &account, sizeof held) != 0 ? STATUS_BAD_ENTRY : s;
}
