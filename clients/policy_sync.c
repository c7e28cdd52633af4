/* policy_sync: the relay is told what the user has said of others, until it has it, and asked for what other devices of
 * the account have said (PROTOCOL 7.6). Wishes go first, so that what is read has them. One request at a time.
 * Invariants: a wish is dropped only when the relay has it or will never have it; a version is believed when all that it stands
 * for was read, or was said here. */
#include "clients/core.h"

#include <string.h>

#define LOOK_MS   10000u   /* for what another process on this home has said */
#define REFUSED_MS 3600000u /* until the relay is asked again for what it refused */
#define PAGES_MAX (CONTACTS_MAX / CONTACTS_PER_PAGE + 1u)

/* ---- asking ---- */

static enum status wishes_in(struct engine *e, struct state_policy *p, struct verdict_scan *scan)
{
    enum status s = state_policy_get(e->state, &e->arena, p);
    return s == STATUS_OK ? state_verdict_scan(e->state, scan) : s;
}

static void set_send(struct engine *e, struct now now, const struct state_policy *p, const struct verdict_scan *wishes)
{
    struct policy_sync *y = &e->policy;
    y->mode = p->wish;
    y->asked_count = wishes->row_count;
    for (size_t i = 0; i < wishes->row_count; i++)
        y->asked[i] = (struct msg_contact){wishes->rows[i].account, (uint32_t)wishes->rows[i].wish};
    const struct msg_contacts_set m = {.mode = (uint32_t)y->mode, .items = y->asked, .item_count = y->asked_count};
    y->under_way = request_make(e, now, KIND_CONTACTS_SET, home_of_account(e->identity.account), &msg_contacts_set_desc,
                                &m) != NULL;
}

static void get_send(struct engine *e, struct now now)
{
    const struct msg_contacts_get m = {.after = e->policy.after};
    e->policy.under_way = request_make(e, now, KIND_CONTACTS_GET, home_of_account(e->identity.account),
                                       &msg_contacts_get_desc, &m) != NULL;
}

void policy_drive(struct engine *e, struct now now)
{
    struct policy_sync *y = &e->policy;
    struct state_policy p;
    struct state_verdict rows[CONTACTS_PER_SET];
    struct verdict_scan wishes = {.which = VERDICT_WISHED, .rows = rows, .row_max = CONTACTS_PER_SET};
    if (!may_ask(e) || policy_deadline_ms(e) > now.mono_ms) return;
    y->at_ms = now.mono_ms + RETRY_MIN_MS;
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, wishes_in(e, &p, &wishes));
    if (!engine_fault(e, s)) return;
    if (p.wish != CONTACT_MODE_UNCHANGED || wishes.row_count)
        set_send(e, now, &p, &wishes);
    else if (p.version != y->said || (y->doubt && p.version))
        get_send(e, now);
    else
        y->at_ms = now.mono_ms + LOOK_MS;
}

uint64_t policy_deadline_ms(const struct engine *e)
{
    return e->policy.under_way ? NEVER : e->policy.at_ms;
}

static void read_anew(struct policy_sync *y)
{
    y->after = (struct account_id){{0}};
    y->pages = 0;
}

/* ---- what the relay says there is ---- */

/* It has lost something: all that this home has of it is said again, and then all read, as what was taken back may be there
 * again, or another device have said something new. */
static enum status say_all_in(struct engine *e, struct state_policy *p)
{
    struct state_verdict rows[CONTACTS_PER_SET];
    struct verdict_scan scan = {.which = VERDICT_SAID, .rows = rows, .row_max = CONTACTS_PER_SET};
    enum status s;
    p->version = 0;
    p->wish = policy_mode(p);
    do {
        s = state_verdict_scan(e->state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].account;
            rows[i].wish = verdict_now(&rows[i]);
            rows[i].wished = true;
            s = state_verdict_put(e->state, &rows[i]);
        }
    } while (s == STATUS_OK && scan.row_count == CONTACTS_PER_SET);
    return s == STATUS_OK ? policy_put_in(e, p) : s;
}

static enum status compare_in(struct engine *e)
{
    struct state_policy p;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    return s == STATUS_OK && e->policy.said < p.version ? say_all_in(e, &p) : s;
}

void policy_welcome(struct engine *e, struct now now, uint64_t version)
{
    struct state_policy p;
    e->policy.said = version;
    e->policy.doubt = false; /* it has just looked */
    e->policy.at_ms = now.mono_ms;
    e->policy.tries = 0;
    read_anew(&e->policy);
    enum status s = tx_begin(e, STATE_READ);
    if (s == STATUS_OK) s = tx_end(e, state_policy_get(e->state, &e->arena, &p));
    if (!engine_fault(e, s) || version >= p.version) return;
    s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, compare_in(e));
    (void)engine_fault(e, s);
}

void policy_map(struct engine *e, struct now now)
{
    uint16_t home = home_of_account(e->identity.account);
    for (size_t i = 0; i < e->map.range_count; i++) {
        const struct msg_range *range = &e->map.ranges[i];
        if (home < range->first || home > range->last || term_equal(range->term, e->policy.term)) continue;
        e->policy.doubt = true;
        e->policy.term = range->term;
        earlier(&e->policy.at_ms, now.mono_ms);
    }
}

void policy_push(struct engine *e, struct now now, const struct frame *f)
{
    struct msg_contacts_changed m;
    if (codec_decode(&msg_contacts_changed_desc, f->meta, &e->arena, &m) != STATUS_OK) {
        e->counts.frames_bad++;
        return;
    }
    if (e->session_state != SESSION_BOUND || m.version <= e->policy.said) return;
    e->policy.said = m.version;
    earlier(&e->policy.at_ms, now.mono_ms);
}

/* ---- what it was told ---- */

static enum status told_in(struct engine *e, const struct msg_contact *item)
{
    struct state_verdict v;
    enum status s = state_verdict_get(e->state, item->account, &v);
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    v.held = (enum contact_verdict)item->verdict;
    if (v.wished && v.wish == v.held) {
        v.wished = false;
        v.wish = CONTACT_NONE;
    }
    return state_verdict_put(e->state, &v);
}

static enum status kept_in(struct engine *e, const struct msg_contacts_kept *m)
{
    const struct policy_sync *y = &e->policy;
    struct state_policy p;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    for (size_t i = 0; i < y->asked_count && s == STATUS_OK; i++)
        s = told_in(e, &y->asked[i]);
    if (s != STATUS_OK) return s;
    if (y->mode != CONTACT_MODE_UNCHANGED) p.mode = y->mode;
    if (p.wish == y->mode) p.wish = CONTACT_MODE_UNCHANGED;
    event_put(e, &(struct engine_event){.kind = ENGINE_CONTACTS});
    if (m->before < p.version) return say_all_in(e, &p);
    if (m->before == p.version) p.version = m->version;
    return policy_put_in(e, &p);
}

void contacts_kept_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct msg_contacts_kept m;
    if (codec_decode(&msg_contacts_kept_desc, f->meta, &e->arena, &m) != STATUS_OK || m.before > m.version) {
        e->counts.frames_bad++;
        contacts_set_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    e->policy.under_way = false;
    e->policy.at_ms = now.mono_ms;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, kept_in(e, &m));
    if (engine_fault(e, s)) {
        e->policy.said = m.version;
        e->policy.tries = 0;
    } else {
        e->policy.at_ms = now.mono_ms + RETRY_MIN_MS; /* it is told again */
    }
}

/* No room for it, or not one of its devices' to say: what was asked is no wish any more, and the user told. */
static enum status dropped_in(struct engine *e, enum status why)
{
    const struct policy_sync *y = &e->policy;
    enum status s = STATUS_OK;
    for (size_t i = 0; i < y->asked_count && s == STATUS_OK; i++) {
        struct state_verdict v;
        s = state_verdict_get(e->state, y->asked[i].account, &v);
        if (s == STATUS_NOT_FOUND) s = STATUS_OK;
        v.wished = false;
        v.wish = CONTACT_NONE;
        if (s == STATUS_OK) s = state_verdict_put(e->state, &v);
    }
    event_put(e, &(struct engine_event){.kind = ENGINE_CONTACTS, .status = why});
    return s == STATUS_OK ? policy_judge_in(e) : s;
}

static void set_refused(struct engine *e, struct now now, enum status why)
{
    bool never = e->policy.asked_count && (why == STATUS_TOO_LARGE || why == STATUS_MALFORMED);
    e->policy.hold_ms = now.mono_ms + REFUSED_MS;
    e->policy.at_ms = never ? now.mono_ms : e->policy.hold_ms;
    if (!never) {
        event_put(e, &(struct engine_event){.kind = ENGINE_CONTACTS, .status = why});
        return;
    }
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, dropped_in(e, why));
    if (!engine_fault(e, s)) e->policy.at_ms = now.mono_ms + RETRY_MIN_MS;
}

/* Not now: as with any request. */
static void later(struct engine *e, struct now now, enum status s, uint32_t retry_after_ms)
{
    uint64_t delay = backoff_ms(e, e->policy.tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    e->policy.under_way = false;
    e->policy.at_ms = now.mono_ms + (delay > retry_after_ms ? delay : retry_after_ms);
    if (s == STATUS_GONE || s == STATUS_NO_SESSION) e->policy.at_ms = now.mono_ms;
    if (s == STATUS_WRONG_HOME) e->ping_wanted = true;
    if (s == STATUS_NOT_FOUND) session_lost(e, now); /* it has lost the account: HELLO finds out */
}

static bool is_refusal(enum status s)
{
    return status_client_action(s) == ACTION_GIVE_UP && s != STATUS_SUPERSEDED && s != STATUS_NOT_FOUND;
}

void contacts_set_failed(struct engine *e, struct now now, struct request *r, enum status s, uint32_t retry_after_ms)
{
    (void)r;
    later(e, now, s, retry_after_ms);
    if (is_refusal(s)) set_refused(e, now, s);
}

/* ---- what it has ---- */

static bool page_is_good(const struct engine *e, const struct msg_contacts_are *m)
{
    struct account_id before = e->policy.after;
    if (m->mode == CONTACT_MODE_UNCHANGED || m->mode >= CONTACT_MODES) return false;
    if (m->more && (!m->item_count || e->policy.pages + 1 >= PAGES_MAX)) return false;
    for (size_t i = 0; i < m->item_count; before = m->items[i++].account) {
        bool said = m->items[i].verdict == CONTACT_ALLOWED || m->items[i].verdict == CONTACT_BLOCKED;
        bool own = memcmp(&m->items[i].account, &e->identity.account, sizeof before) == 0;
        if (!said || own || memcmp(&before, &m->items[i].account, sizeof before) >= 0) return false;
    }
    return true;
}

static enum contact_verdict verdict_of(const struct msg_contacts_are *m, struct account_id account)
{
    for (size_t i = 0; i < m->item_count; i++)
        if (memcmp(&m->items[i].account, &account, sizeof account) == 0) return (enum contact_verdict)m->items[i].verdict;
    return CONTACT_NONE;
}

/* Those of ours that the page does not have, up to its end. */
static enum status absent_in(struct engine *e, const struct msg_contacts_are *m)
{
    struct state_verdict rows[CONTACTS_PER_SET];
    struct verdict_scan scan = {.after = e->policy.after, .rows = rows, .row_max = CONTACTS_PER_SET};
    const struct account_id *end = m->more ? &m->items[m->item_count - 1].account : NULL;
    enum status s;
    bool passed = false;
    do {
        s = state_verdict_scan(e->state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK && !passed; i++) {
            scan.after = rows[i].account;
            passed = end && memcmp(&rows[i].account, end, sizeof *end) > 0;
            if (passed || verdict_of(m, rows[i].account) != CONTACT_NONE || rows[i].held == CONTACT_NONE) continue;
            rows[i].held = CONTACT_NONE;
            s = state_verdict_put(e->state, &rows[i]);
        }
    } while (s == STATUS_OK && scan.row_count == CONTACTS_PER_SET && !passed);
    return s;
}

/* *more: the next page is wanted. */
static enum status read_in(struct engine *e, const struct msg_contacts_are *m, bool *more)
{
    struct state_policy p;
    enum status s = state_policy_get(e->state, &e->arena, &p);
    enum contact_mode was = policy_mode(&p);
    *more = false;
    if (s == STATUS_OK && m->version < p.version) return say_all_in(e, &p);
    if (s == STATUS_OK && m->version == p.version) return s; /* it has lost nothing */
    if (s == STATUS_OK) s = absent_in(e, m);
    for (size_t i = 0; i < m->item_count && s == STATUS_OK; i++)
        s = told_in(e, &m->items[i]);
    if (s == STATUS_OK) s = policy_judge_in(e);
    *more = m->more;
    if (s != STATUS_OK || m->more) return s;
    p.version = m->version;
    p.mode = (enum contact_mode)m->mode;
    event_put(e, &(struct engine_event){.kind = ENGINE_CONTACTS});
    s = policy_put_in(e, &p);
    return s == STATUS_OK && policy_mode(&p) != was ? policy_turned_in(e) : s;
}

void contacts_are_reply(struct engine *e, struct now now, struct request *r, const struct frame *f)
{
    struct policy_sync *y = &e->policy;
    struct msg_contacts_are m;
    bool more = false;
    if (codec_decode(&msg_contacts_are_desc, f->meta, &e->arena, &m) != STATUS_OK || !page_is_good(e, &m)) {
        e->counts.frames_bad++;
        contacts_get_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    if (y->pages && m.version != y->page_version) { /* it has changed meanwhile */
        contacts_get_failed(e, now, r, STATUS_UNKNOWN, 0);
        return;
    }
    y->under_way = false;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, read_in(e, &m, &more));
    y->at_ms = now.mono_ms + RETRY_MIN_MS;
    if (!engine_fault(e, s)) return;
    y->at_ms = now.mono_ms;
    earlier(&e->acks.poll_ms, now.mono_ms);
    y->page_version = m.version;
    if (more) {
        y->pages++;
        y->after = m.items[m.item_count - 1].account;
        return;
    }
    y->said = m.version;
    y->doubt = false;
    y->tries = 0;
    read_anew(y);
}

void contacts_get_failed(struct engine *e, struct now now, struct request *r, enum status s, uint32_t retry_after_ms)
{
    (void)r;
    later(e, now, s, retry_after_ms);
    read_anew(&e->policy);
    if (is_refusal(s)) e->policy.at_ms = now.mono_ms + REFUSED_MS;
}
