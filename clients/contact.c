/* contact: from a handle to the devices to encrypt for (PROTOCOL 6, LOOKUP; 7.2, the gate), and back: a relay that has
 * lost entries of a log gets them from us. A look-up goes through stages: handle -> account, account -> entries, entries
 * handed over, prekeys claimed (claim.c). Messages that wait for one are remembered in a bounded table; those that find no
 * place there come again by their due time. What is believed of a log is decided in pin.c. */
#include "broker/wire/identity.h"
#include "clients/lookup.h"
#include "clients/linking_core.h"

#include <string.h>

/* ---- what we know ---- */

static bool has_target(const struct outbox_row *row)
{
    static const struct account_id none;
    return memcmp(&row->target, &none, sizeof none) != 0;
}

static struct view row_handle(const struct outbox_row *row)
{
    return view_of(row->handle, row->handle_len);
}

enum status contact_find_in(struct engine *e, struct outbox_row *row, struct contact *out,
                            bool *known)
{
    enum status s = STATUS_OK;
    *known = false;
    if (!has_target(row)) s = state_handle_get(e->state, row_handle(row), &row->target);
    if (s == STATUS_OK) s = state_contact_get(e->state, row->target, out);
    *known = s == STATUS_OK;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* ---- waiting for what we do not know ---- */

/* Of a handle; or without one of an account. NULL: the table is full. */
static struct lookup *lookup_of(struct engine *e, struct view handle, const struct account_id *account)
{
    struct lookup *free_slot = NULL;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *l = &e->lookups[i];
        bool same = view_equal(view_of(l->handle, l->handle_len), handle) &&
                    (handle.len || memcmp(&l->account, account, sizeof *account) == 0);
        if (l->stage == LOOKUP_FREE)
            free_slot = l;
        else if (same)
            return l;
    }
    return free_slot;
}

static void lookup_begin(struct lookup *l, struct now now, const struct outbox_row *row, uint64_t length)
{
    *l = (struct lookup){.stage = has_target(row) ? LOOKUP_ACCOUNT : LOOKUP_HANDLE,
                         .handle_len = row->handle_len, .account = row->target, .first = length, .length = length,
                         .ask_ms = now.mono_ms};
    memcpy(l->handle, row->handle, row->handle_len);
}

static bool waiting_add(struct engine *e, uint64_t order, size_t lookup)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (e->waiting[i].order) continue;
        e->waiting[i] = (struct waiting){.order = order, .lookup = lookup};
        return true;
    }
    return false;
}

static enum status wait_in(struct engine *e, struct now now, struct outbox_row *row, struct lookup *l)
{
    uint64_t delay = RETRY_MIN_MS * 4; /* no place in a table */
    if (l && waiting_add(e, row->order, (size_t)(l - e->lookups))) delay = LOOKUP_LEASE_MS;
    return outbox_later_in(e, now, row, row->reason, delay);
}

enum status contact_wait_in(struct engine *e, struct now now, struct outbox_row *row)
{
    struct lookup *l = lookup_of(e, row_handle(row), &row->target);
    struct contact held;
    enum status s = state_contact_get(e->state, row->target, &held);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    if (l && l->stage == LOOKUP_FREE) lookup_begin(l, now, row, held.log.length);
    return wait_in(e, now, row, l);
}

enum status contact_hand_over_in(struct engine *e, struct now now, struct outbox_row *row, uint64_t first)
{
    struct lookup *l = lookup_of(e, row_handle(row), &row->target);
    if (l && l->stage == LOOKUP_FREE) {
        lookup_begin(l, now, row, 0);
        l->stage = LOOKUP_HAND_OVER;
        l->first = first;
    }
    return wait_in(e, now, row, l);
}

enum status contact_claim_in(struct engine *e, struct now now, struct outbox_row *row)
{
    struct lookup *l = lookup_of(e, row_handle(row), &row->target);
    if (l && l->stage == LOOKUP_FREE) {
        lookup_begin(l, now, row, 0);
        l->stage = LOOKUP_PREKEYS;
    }
    return wait_in(e, now, row, l);
}

/* A message that wants the log as it is now wants it asked for since, and seen to its end. */
static void waiting_mark(struct engine *e, size_t lookup, bool asks)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        struct waiting *w = &e->waiting[i];
        if (!w->order || w->lookup != lookup) continue;
        w->looked = !asks && w->asked;
        w->asked = asks || w->asked;
    }
}

/* ---- asking ---- */

/* Where there is nothing to give, the relay claims to have as much as we and yet to be behind: it shows what it has. */
static struct request *hand_over(struct engine *e, struct now now, struct lookup *l)
{
    struct msg_append m = {.account = l->account, .held = true};
    struct msg_lookup ask = {.account = l->account};
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, pin_entries_in(e, l->account, l->first, &m.entries, &m.entry_count));
    if (!engine_fault(e, s)) return NULL;
    if (m.entry_count == 0) {
        l->stage = LOOKUP_ACCOUNT;
        return request_make(e, now, KIND_LOOKUP, home_of_account(l->account), &msg_lookup_desc, &ask);
    }
    return request_make(e, now, KIND_APPEND, home_of_account(l->account), &msg_append_desc, &m);
}

static void lookup_ask(struct engine *e, struct now now, struct lookup *l)
{
    struct msg_lookup m = {0};
    struct request *r;
    uint16_t home = home_of_account(l->account);
    if (l->stage == LOOKUP_HANDLE) {
        m.handle = view_of(l->handle, l->handle_len);
        home = home_of_handle(m.handle);
    } else {
        m.account = l->account;
        m.first = l->first;
        l->closed = e->closed_last;
        if (l->stage == LOOKUP_ACCOUNT) waiting_mark(e, (size_t)(l - e->lookups), true);
    }
    if (l->stage == LOOKUP_HAND_OVER)
        r = hand_over(e, now, l);
    else if (l->stage == LOOKUP_PREKEYS)
        r = claim_prekeys_ask(e, now, l);
    else
        r = request_make(e, now, KIND_LOOKUP, home, &msg_lookup_desc, &m);
    l->ask_ms = now.mono_ms + RETRY_MIN_MS;
    if (!r) return;
    r->lookup = (size_t)(l - e->lookups);
    l->asked = true;
}

void contact_drive(struct engine *e, struct now now)
{
    if (!may_ask(e)) return;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *l = &e->lookups[i];
        if (l->stage != LOOKUP_FREE && !l->asked && l->ask_ms <= now.mono_ms)
            lookup_ask(e, now, l);
    }
}

uint64_t contact_deadline_ms(const struct engine *e)
{
    uint64_t deadline = NEVER;
    for (size_t i = 0; i < LOOKUPS_MAX; i++)
        if (e->lookups[i].stage != LOOKUP_FREE && !e->lookups[i].asked)
            earlier(&deadline, e->lookups[i].ask_ms);
    return deadline;
}

void lookup_later(struct engine *e, struct now now, struct lookup *l, uint64_t min_ms)
{
    uint64_t delay = backoff_ms(e, l->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    l->asked = false;
    l->ask_ms = now.mono_ms + (delay > min_ms ? delay : min_ms);
}

void lookup_go_on(struct lookup *l, struct now now, enum lookup_stage stage, uint64_t first)
{
    l->stage = stage;
    l->first = first;
    l->asked = false;
    l->ask_ms = now.mono_ms;
}

/* ---- its end ---- */

/* How a look-up ends for the messages that wait for it. */
struct lookup_end {
    enum message_event event; /* HOLD or REFUSE, where status is not OK */
    enum status status;       /* OK: they are due now */
};

static const struct lookup_end at_last = {.status = STATUS_OK};
/* The relay shows another history of these keys than the one that we hold, or one that nobody signed. Nothing is
 * sent until the user says so. */
static const struct lookup_end forked = {.event = MESSAGE_EVENT_HOLD, .status = STATUS_BAD_ENTRY};

static enum status row_tell_in(struct engine *e, struct now now, struct outbox_row *row, const struct lookup_end *end)
{
    if (row->state != MESSAGE_DRAFTED && row->state != MESSAGE_QUEUED) return STATUS_OK; /* decided meanwhile */
    if (row->submitted) return STATUS_OK; /* its time to wait was over, and it went: its answer says what became of it */
    uint64_t delay = row->tries > 1 ? backoff_ms(e, row->tries, RETRY_MIN_MS, RETRY_MAX_MS) : 0;
    if (end->status == STATUS_OK) return outbox_later_in(e, now, row, STATUS_OK, delay);
    bool keeps = row->attempt > 0; /* what was accepted is not held, nor are its resends */
    if (keeps || end->event == MESSAGE_EVENT_REFUSE) return outbox_refuse_in(e, now, row, end->status);
    return outbox_step_in(e, now, row, end->event, has_target(row) ? hold_fork_reason(e, row->target) : end->status);
}

static enum status lookup_tell_in(struct engine *e, struct now now, size_t lookup, const struct lookup_end *end)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < WAITING_MAX && s == STATUS_OK; i++) {
        struct outbox_row row;
        if (!e->waiting[i].order || e->waiting[i].lookup != lookup) continue;
        s = state_outbox_get(e->state, e->waiting[i].order, &row);
        if (s == STATUS_OK && e->waiting[i].looked) row.fresh = false;
        s = s == STATUS_OK ? row_tell_in(e, now, &row, end) : s == STATUS_NOT_FOUND ? STATUS_OK : s;
    }
    return s;
}

static void lookup_free(struct engine *e, size_t lookup)
{
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (e->waiting[i].lookup == lookup) e->waiting[i] = (struct waiting){0};
    e->lookups[lookup] = (struct lookup){0};
}

static void end_with(struct engine *e, struct now now, size_t lookup, const struct lookup_end *end)
{
    const struct lookup l = e->lookups[lookup];
    bool left = false;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        if (end == &forked) s = hold_contact_in(e, now, l.account, LOSS_FORK, &l.said);
        if (s == STATUS_OK) s = lookup_tell_in(e, now, lookup, end);
        s = tx_end(e, s);
    }
    if (!engine_fault(e, s) || !opening_retry(e, now, l.account, l.closed, &left)) {
        lookup_later(e, now, &e->lookups[lookup], 0);
        return;
    }
    lookup_free(e, lookup);
    if (left) contact_learn(e, now, l.account);
    if (e->learn_left) opening_sweep(e, now);
}

static bool is_own(const struct engine *e, struct account_id account)
{
    return memcmp(&account, &e->identity.account, sizeof account) == 0;
}

void lookup_forked(struct engine *e, struct now now, size_t lookup)
{
    e->counts.forks++;
    witness_want(e, now, e->lookups[lookup].account);
    if (is_own(e, e->lookups[lookup].account))
        event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
    end_with(e, now, lookup, &forked);
}

void lookup_done(struct engine *e, struct now now, size_t lookup)
{
    end_with(e, now, lookup, &at_last);
}

/* ---- handle -> account ---- */

/* Not proven: a lie. Proven, but not by our product's word: it may be somebody else's account, so it is no answer to
 * the question who that is, and the message goes to nobody. */
static void unvouched_tell(struct engine *e, struct now now, size_t lookup, enum status s)
{
    if (s == STATUS_BAD_ENTRY)
        lookup_forked(e, now, lookup);
    else
        end_with(e, now, lookup, &(struct lookup_end){.event = MESSAGE_EVENT_REFUSE, .status = s});
}

/* The handle's account is known now, for good; its devices perhaps too, from another handle. */
static void found_handle(struct engine *e, struct now now, size_t lookup,
                         const struct msg_found *m)
{
    struct lookup *l = &e->lookups[lookup];
    struct contact known = {0};
    bool done = false, another = false;
    enum status s = handle_vouched(e, m, view_of(l->handle, l->handle_len));
    if (s == STATUS_BAD_ENTRY || s == STATUS_TOKEN_REFUSED) {
        unvouched_tell(e, now, lookup, s);
        return;
    }
    if (s == STATUS_OK) s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        s = state_handle_pin(e->state, view_of(l->handle, l->handle_len), m->account);
        another = s == STATUS_BAD_ENTRY;
        if (another) s = STATUS_OK;
        if (s == STATUS_OK) s = state_contact_get(e->state, m->account, &known);
        done = s == STATUS_OK;
        if (done) s = lookup_tell_in(e, now, lookup, &at_last);
        s = tx_end(e, s == STATUS_NOT_FOUND ? STATUS_OK : s);
    }
    if (!engine_fault(e, s)) {
        lookup_later(e, now, l, 0);
    } else if (another) {
        lookup_forked(e, now, lookup);
    } else if (done) {
        lookup_free(e, lookup);
    } else {
        l->account = m->account;
        lookup_go_on(l, now, LOOKUP_ACCOUNT, 0);
    }
}

/* ---- account -> entries ---- */

/* An account all of whose devices have gone cannot be sent to. */
static struct lookup_end end_of(const struct engine *e, const struct contact *c)
{
    bool someone = identity_log_active(&c->log) > 0 || is_own(e, c->log.account);
    return someone ? at_last : (struct lookup_end){.event = MESSAGE_EVENT_REFUSE, .status = STATUS_REFUSED};
}

/* The relay's log ends where it did, or before, though it was handed the rest, or one of the account's devices has named
 * more: it may have lost that anew. Of our own log the user hears it, as no message waits for that. */
static void behind_tell(struct engine *e, struct now now, struct lookup *l, const struct hash256 *seen)
{
    if (++l->unmended < UNMENDED_MAX) return;
    if (is_own(e, l->account)) {
        if (l->unmended == UNMENDED_MAX) event_put(e, &(struct engine_event){.kind = ENGINE_IDENTITY, .status = STATUS_BAD_ENTRY});
        return;
    }
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, hold_contact_in(e, now, l->account, LOSS_ROLLBACK, seen));
    (void)engine_fault(e, s);
}

static void found_account(struct engine *e, struct now now, size_t lookup,
                          const struct msg_found *m)
{
    struct lookup *l = &e->lookups[lookup];
    struct contact c = {.hold = LOSS_NONE};
    enum pin_verdict verdict;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK)
        s = tx_end(e, pin_extend_in(e, now, l->account, &m->log, m->entries, m->entry_count, &c, &verdict));
    if (!engine_fault(e, s)) {
        lookup_later(e, now, l, 0);
        return;
    }
    bool further = c.log.length > l->length, less = c.stated_version > c.log.key_version;
    l->length = c.log.length;
    l->said = m->log.head;
    if (verdict == PIN_FORKED || (verdict == PIN_MORE && !further)) {
        lookup_forked(e, now, lookup); /* says that there is more, and does not give it */
    } else if (verdict == PIN_MORE) {
        lookup_go_on(l, now, LOOKUP_ACCOUNT, c.log.length);
    } else if (verdict == PIN_BEHIND) {
        bool again = m->log.length < l->handed;
        if (again)
            behind_tell(e, now, l, &l->said);
        else
            l->handed = m->log.length + 1;
        lookup_go_on(l, now, LOOKUP_HAND_OVER, m->log.length);
        if (again) lookup_later(e, now, l, 0); /* it was handed over once, and is not there */
    } else if (less && l->unmended < UNMENDED_MAX) {
        behind_tell(e, now, l, &c.stated_head);
        lookup_later(e, now, l, 0);
    } else {
        struct lookup_end end = end_of(e, &c);
        waiting_mark(e, lookup, false);
        if (is_own(e, l->account)) {
            change_seen(e, now);
            joining_seen(e, now);
        }
        if (l->claimed && end.status == STATUS_OK)
            lookup_go_on(l, now, LOOKUP_PREKEYS, 0);
        else
            end_with(e, now, lookup, &end);
    }
}

void found_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_found m;
    struct lookup *l = &e->lookups[r->lookup];
    if (l->stage == LOOKUP_FREE) return;
    if (codec_decode(&msg_found_desc, f->meta, &e->arena, &m) != STATUS_OK ||
        (l->stage == LOOKUP_ACCOUNT && memcmp(&m.account, &l->account, sizeof m.account) != 0)) {
        e->counts.frames_bad++;
        lookup_later(e, now, l, 0);
    } else if (l->stage == LOOKUP_HANDLE) {
        found_handle(e, now, r->lookup, &m);
    } else {
        found_account(e, now, r->lookup, &m);
    }
}

void lookup_failed(struct engine *e, struct now now, struct request *r, enum status s,
                   uint32_t retry_after_ms)
{
    struct lookup *l = &e->lookups[r->lookup];
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED) {
        end_with(e, now, r->lookup, &(struct lookup_end){.event = MESSAGE_EVENT_REFUSE, .status = s});
    } else if (s == STATUS_GONE || s == STATUS_NO_SESSION) {
        l->asked = false;
        l->ask_ms = now.mono_ms;
    } else {
        lookup_later(e, now, l, retry_after_ms);
    }
}

/* ---- entries -> the relay ---- */

void appended_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_appended m;
    if (r->lookup == LOOKUPS_MAX) change_reply(e, now, f);
    if (r->lookup > LOOKUPS_MAX) witness_reply(e, now, r);
    if (r->lookup >= LOOKUPS_MAX) return;
    struct lookup *l = &e->lookups[r->lookup];
    if (l->stage != LOOKUP_HAND_OVER) return;
    if (codec_decode(&msg_appended_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        lookup_later(e, now, l, 0);
        return;
    }
    uint64_t first = l->first;
    l->length = 0;
    lookup_go_on(l, now, LOOKUP_ACCOUNT, m.log.length); /* how the two compare now; a longer log goes over in pieces */
    if (m.log.length <= first) lookup_later(e, now, l, 0); /* it has taken nothing, and says it has */
}

void append_failed(struct engine *e, struct now now, struct request *r, enum status s,
                   uint32_t retry_after_ms)
{
    if (r->lookup == LOOKUPS_MAX) change_failed(e, now, s, retry_after_ms);
    if (r->lookup > LOOKUPS_MAX) witness_failed(e, now, r, s, retry_after_ms);
    if (r->lookup >= LOOKUPS_MAX) return;
    struct lookup *l = &e->lookups[r->lookup];
    if (l->stage != LOOKUP_HAND_OVER) return;
    if (s == STATUS_STALE_HEAD || s == STATUS_BAD_ENTRY || s == STATUS_REFUSED) {
        lookup_forked(e, now, r->lookup); /* its log is not the beginning of ours */
    } else if (s == STATUS_ON_HOLD) { /* for as long as its operator says so it takes nothing of theirs */
        lookup_later(e, now, l, RETRY_MAX_MS);
    } else if (s == STATUS_RELAY_BEHIND) { /* it has even less: how much? */
        lookup_go_on(l, now, LOOKUP_ACCOUNT, l->first);
        lookup_later(e, now, l, retry_after_ms);
    } else {
        lookup_failed(e, now, r, s, retry_after_ms);
    }
}

/* ---- logs without a handle ---- */

void contact_ask(struct engine *e, struct now now, struct account_id account, uint64_t length)
{
    struct lookup *l = lookup_of(e, view_of(NULL, 0), &account);
    e->learn_left = e->learn_left || !l; /* when a place is free again */
    if (l && l->stage == LOOKUP_PREKEYS && !l->asked) { /* some device may never leave any: the log is read first */
        l->claimed = l->length = length;
        l->claimed++;
        lookup_go_on(l, now, LOOKUP_ACCOUNT, length);
    }
    if (!l || l->stage != LOOKUP_FREE) return;
    *l = (struct lookup){.stage = LOOKUP_ACCOUNT, .account = account, .first = length, .length = length,
                         .ask_ms = now.mono_ms};
}

void contact_own(struct engine *e, struct now now, const struct msg_log_state *said)
{
    struct contact own;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, e->identity.account, &own));
    if (!engine_fault(e, s == STATUS_NOT_FOUND ? STATUS_OK : s)) return;
    bool same = said->length == own.log.length && memcmp(&said->head, &own.log.head, sizeof said->head) == 0;
    if (!same) contact_ask(e, now, e->identity.account, own.log.length);
    if (same) joining_seen(e, now); /* an earlier process has read it, and come no further */
}

void contact_learn(struct engine *e, struct now now, struct account_id account)
{
    struct contact held;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, account, &held));
    if (engine_fault(e, s == STATUS_NOT_FOUND ? STATUS_OK : s)) contact_ask(e, now, account, held.log.length);
}

void engine_learn(struct engine *e, struct now now, struct account_id account)
{
    struct contact held;
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_contact_get(e->state, account, &held));
    if (s == STATUS_NOT_FOUND) contact_ask(e, now, account, 0);
    (void)engine_fault(e, s);
}
