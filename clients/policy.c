/* policy: whom this account lets write to it (PROTOCOL 7.6), as it counts in this home: the user's word is kept before the
 * relay hears it, and what the relay accepted before is kept from the user all the same. Telling and asking the relay is
 * policy_sync.c. Invariant: a verdict counts here from the transaction that keeps it, either way: a message is withheld as long as its
 * sender is blocked, and no longer: what came before this home heard of an unblocking is not lost. */
#include "clients/core.h"

#include <string.h>

#define POLICY_SETTING "contacts.policy" /* version u64, mode, wish */
#define POLICY_LEN     10u
#define ROWS_AT_ONCE   16u
#define ASKED_MAX      256u /* senders of requests that are remembered; the relay lets through fewer */

/* ---- the mode ---- */

enum status state_policy_get(struct state *state, struct arena *a, struct state_policy *out)
{
    struct view v;
    enum status s = state_setting_get(state, POLICY_SETTING, a, &v);
    *out = (struct state_policy){.mode = CONTACT_MODE_OPEN};
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_OK : s;
    bool good = v.len == POLICY_LEN && v.at[8] != CONTACT_MODE_UNCHANGED && v.at[8] < CONTACT_MODES &&
                v.at[9] < CONTACT_MODES;
    if (!good) return STATUS_DAMAGED;
    *out = (struct state_policy){get_u64(v.at), (enum contact_mode)v.at[8], (enum contact_mode)v.at[9]};
    return STATUS_OK;
}

enum status policy_put_in(struct engine *e, const struct state_policy *in)
{
    uint8_t value[POLICY_LEN];
    put_u64(value, in->version);
    value[8] = (uint8_t)in->mode;
    value[9] = (uint8_t)in->wish;
    return state_setting_put(e->state, POLICY_SETTING, view_of(value, sizeof value));
}

enum contact_mode policy_mode(const struct state_policy *p)
{
    return p->wish == CONTACT_MODE_UNCHANGED ? p->mode : p->wish;
}

/* ---- one account ---- */

static bool same_account(struct account_id a, struct account_id b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static enum status verdict_in(struct state *state, struct account_id account, struct state_verdict *out)
{
    enum status s = state_verdict_get(state, account, out);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

/* Kept, and to be told: also what the relay has already, as another word may be under way to it. */
static enum status wish_in(struct engine *e, struct state_verdict *v, enum contact_verdict wish)
{
    v->wished = true;
    v->wish = wish;
    v->asked_ms = 0;
    return state_verdict_put(e->state, v);
}

enum status state_is_request(struct state *state, struct arena *a, struct account_id own, struct account_id sender, bool *out)
{
    struct state_policy p;
    struct state_verdict v;
    *out = false;
    if (same_account(own, sender)) return STATUS_OK;
    enum status s = state_policy_get(state, a, &p);
    if (s != STATUS_OK || policy_mode(&p) != CONTACT_MODE_REQUESTS) return s;
    s = verdict_in(state, sender, &v);
    *out = s == STATUS_OK && verdict_now(&v) == CONTACT_NONE;
    return s;
}

/* ---- what came ---- */

/* The relay hears of it as of what was taken. */
static enum status withhold_in(struct engine *e, const struct inbox_row *row)
{
    const struct pending_ack ack = {.position = {.term = row->term, .seq = row->seq}};
    enum status s = state_inbox_withhold(e->state, row->order);
    return s == STATUS_OK && !row->sealed ? state_ack_put(e->state, &ack) : s;
}

static enum status release_in(struct engine *e, const struct inbox_row *row)
{
    enum status s = state_inbox_release(e->state, row->order);
    if (s == STATUS_OK) received_tell(e, row);
    return s;
}

/* Those of one list whose sender is blocked, or is not. */
static enum status judge_list_in(struct engine *e, enum inbox_which which, bool blocked,
                                 enum status (*move_in)(struct engine *e, const struct inbox_row *row))
{
    struct arena one = {0}; /* there may be thousands */
    struct inbox_row rows[ROWS_AT_ONCE];
    struct inbox_scan scan = {.which = which, .rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    do {
        arena_reset(&one);
        s = state_inbox_scan(e->state, &scan, &one);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            struct state_verdict v;
            scan.after = rows[i].order;
            s = verdict_in(e->state, rows[i].sender_account, &v);
            if (s == STATUS_OK && (verdict_now(&v) == CONTACT_BLOCKED) == blocked) s = move_in(e, &rows[i]);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    arena_fini(&one);
    return s;
}

enum status policy_judge_in(struct engine *e)
{
    enum status s = judge_list_in(e, INBOX_WITHHELD, false, release_in);
    return s == STATUS_OK ? judge_list_in(e, INBOX_UNSHOWN, true, withhold_in) : s;
}

static enum status ask_note_in(struct engine *e, struct now now, struct state_verdict *v)
{
    uint64_t count;
    enum status s = state_verdict_count(e->state, VERDICT_ASKED, &count);
    if (s != STATUS_OK || count >= ASKED_MAX) return s;
    v->asked_ms = now.wall_ms;
    return state_verdict_put(e->state, v);
}

enum status policy_received_in(struct engine *e, struct now now, const struct inbox_row *row, bool *hidden)
{
    struct state_policy p;
    struct state_verdict v;
    *hidden = false;
    if (same_account(row->sender_account, e->identity.account)) return STATUS_OK;
    enum status s = verdict_in(e->state, row->sender_account, &v);
    if (s != STATUS_OK || verdict_now(&v) == CONTACT_ALLOWED) return s;
    *hidden = verdict_now(&v) == CONTACT_BLOCKED;
    if (*hidden) return state_inbox_withhold(e->state, row->order);
    if (v.asked_ms) return s;
    s = state_policy_get(e->state, &e->arena, &p);
    return s == STATUS_OK && policy_mode(&p) == CONTACT_MODE_REQUESTS ? ask_note_in(e, now, &v) : s;
}

/* ---- what is sent ---- */

/* Whom the user writes to may answer. Nobody who is blocked is allowed so. */
static enum status allow_in(struct engine *e, struct state_verdict *v)
{
    uint64_t count;
    enum status s = state_verdict_count(e->state, VERDICT_SAID, &count);
    return s == STATUS_OK && count < CONTACTS_MAX ? wish_in(e, v, CONTACT_ALLOWED) : s;
}

enum status policy_sending_in(struct engine *e, struct now now, struct account_id target, bool *wait)
{
    struct state_policy p;
    struct state_verdict v;
    *wait = false;
    if (now.mono_ms < e->policy.hold_ms || same_account(target, e->identity.account)) return STATUS_OK;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    if (s != STATUS_OK || policy_mode(&p) != CONTACT_MODE_REQUESTS) return s;
    s = verdict_in(e->state, target, &v);
    if (s == STATUS_OK && verdict_now(&v) == CONTACT_NONE) s = allow_in(e, &v);
    if (s != STATUS_OK) return s;
    *wait = v.wished && v.wish == CONTACT_ALLOWED && v.held != CONTACT_ALLOWED;
    if (*wait) earlier(&e->policy.at_ms, now.mono_ms);
    return STATUS_OK;
}

/* Not nobody, and not this account itself. */
static enum status allow_written_in(struct engine *e, struct account_id target)
{
    static const struct account_id nobody;
    struct state_verdict v;
    if (same_account(target, nobody) || same_account(target, e->identity.account)) return STATUS_OK;
    enum status s = verdict_in(e->state, target, &v);
    return s == STATUS_OK && verdict_now(&v) == CONTACT_NONE ? allow_in(e, &v) : s;
}

static enum status allow_sent_in(struct engine *e)
{
    struct outbox_row *rows = arena_array(&e->arena, ROWS_AT_ONCE, sizeof *rows);
    struct outbox_scan scan = {.rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    do {
        s = state_outbox_scan(e->state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            s = allow_written_in(e, rows[i].target);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    return s;
}

/* What the account's other devices have sent, and what came back with a backup, are rows of the inbox. */
static enum status allow_copied_in(struct engine *e)
{
    struct arena one = {0}; /* there may be thousands */
    struct inbox_row rows[ROWS_AT_ONCE];
    struct inbox_scan scan = {.which = INBOX_OPENED, .rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    do {
        arena_reset(&one);
        s = state_inbox_scan(e->state, &scan, &one);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (same_account(rows[i].sender_account, e->identity.account)) s = allow_written_in(e, rows[i].sent_to);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    arena_fini(&one);
    return s;
}

enum status policy_turned_in(struct engine *e)
{
    struct state_policy p;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    if (s != STATUS_OK || policy_mode(&p) != CONTACT_MODE_REQUESTS) return s;
    s = allow_sent_in(e);
    return s == STATUS_OK ? allow_copied_in(e) : s;
}

/* ---- the user's word ---- */

/* Also what this home has already is said: another device may have said something else that is not known here yet, and this is later. */
static enum status contact_set_in(struct engine *e, struct account_id account, enum contact_verdict verdict)
{
    struct state_verdict v;
    uint64_t count;
    enum status s = verdict_in(e->state, account, &v);
    if (s != STATUS_OK || (v.wished && v.wish == verdict && !v.asked_ms)) return s;
    if (verdict_now(&v) == CONTACT_NONE && verdict != CONTACT_NONE) {
        s = state_verdict_count(e->state, VERDICT_SAID, &count);
        if (s != STATUS_OK || count >= CONTACTS_MAX) return s == STATUS_OK ? STATUS_FULL : s;
    }
    s = wish_in(e, &v, verdict);
    return s == STATUS_OK ? policy_judge_in(e) : s;
}

static enum status mode_set_in(struct engine *e, enum contact_mode mode)
{
    struct state_policy p;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    if (s != STATUS_OK || p.wish == mode) return s;
    bool turned = policy_mode(&p) != mode;
    p.wish = mode;
    s = policy_put_in(e, &p);
    return s == STATUS_OK && turned ? policy_turned_in(e) : s;
}

/* The application, and the relay, hear of it from what is kept. */
static enum status set_end(struct engine *e, struct now now, enum status s)
{
    earlier(&e->policy.at_ms, now.mono_ms);
    earlier(&e->acks.poll_ms, now.mono_ms);
    (void)engine_fault(e, s);
    return s;
}

enum status engine_contact_set(struct engine *e, struct now now, struct account_id account, enum contact_verdict verdict)
{
    arena_reset(&e->arena);
    if (same_account(account, e->identity.account)) return STATUS_STATE;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, contact_set_in(e, account, verdict));
    return set_end(e, now, s);
}

enum status engine_mode_set(struct engine *e, struct now now, enum contact_mode mode)
{
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, mode_set_in(e, mode));
    return set_end(e, now, s);
}
