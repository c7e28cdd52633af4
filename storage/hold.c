/* hold: what an operator may do to an account or one of its devices: deny it the relay, and give it back (PROTOCOL 6.9).
 * A held one has no session and signs no entry; nothing else of it changes: its log, its keys, what waits for it. A hold is a row beside the account, and
 * stands in the account's cache. Invariant: what is cached is what the newest row says. */
#include "storage/core.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const struct device_id whole; /* all zero: the account with all its devices */

/* count = it is not held by itself. */
static size_t place_of(const struct hold *holds, size_t count, struct device_id device)
{
    size_t i = 0;
    while (i < count && !device_equal(holds[i].device, device))
        i++;
    return i;
}

const struct hold *account_hold(const struct account *a, struct device_id device)
{
    size_t at = place_of(a->holds, a->hold_count, device);
    return at < a->hold_count ? &a->holds[at] : NULL;
}

bool account_held(const struct account *a, struct device_id device)
{
    return a->hold_count && (account_hold(a, whole) || account_hold(a, device));
}

/* A row that cannot be read denies: as if the whole account was held, until an operator releases it. */
void holds_read(struct storage *s, struct account_id id, struct hold_row *out)
{
    struct store_key key = key_hold(id);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    *out = (struct hold_row){.count = 0};
    if (!value.at || hold_row_read(value, out) == STATUS_OK) return;
    *out = (struct hold_row){.holds = {{.device = whole, .reason = HOLD_UNREADABLE}}, .count = 1};
    core_event(s, &(struct event){.kind = EVENT_STORE_DAMAGED, .code = STATUS_DAMAGED,
                                  .account = mark_account(&s->config.mark_key, id)});
}

/* ---- placing and releasing ---- */

enum status hold_plan(struct storage *s, struct request *r)
{
    const struct msg_hold *m = r->meta;
    if (m->action == HOLD_LIST) {
        struct store_key all = key_single(ROW_HOLD), from = all, to = key_end(view_of(all.bytes, 1));
        if (m->cursor.len && m->cursor.at[0] != ROW_HOLD) return STATUS_MALFORMED;
        if (m->cursor.len) from = key_after(m->cursor);
        r->plan = turn_scan(&s->turn, SPACE_IDENTITY, &from, &to, HOLD_ROWS_PER_FRAME, 1 << 20);
        return STATUS_OK;
    }
    if (m->action != HOLD_PLACE && m->action != HOLD_RELEASE) return STATUS_MALFORMED;
    if (m->action == HOLD_PLACE && (m->reason == HOLD_NONE || m->reason >= HOLD_UNREADABLE)) return STATUS_MALFORMED;
    if (!core_owns(s, home_of_account(m->account))) return STATUS_WRONG_HOME;
    account_want(s, m->account);
    return STATUS_OK;
}

/* *changed: the row is another one now. Who is held already keeps the time. */
static void row_place(struct hold_row *row, const struct msg_hold *m, uint64_t now_ms, bool *changed)
{
    size_t at = place_of(row->holds, row->count, m->device);
    bool is_new = at == row->count;
    *changed = is_new || row->holds[at].reason != m->reason;
    if (is_new) {
        ENSURE(row->count < HOLDS_MAX);
        row->holds[row->count++] = (struct hold){.device = m->device, .since_ms = now_ms};
    }
    row->holds[at].reason = m->reason;
}

static void row_release(struct hold_row *row, const struct msg_hold *m, bool *changed)
{
    size_t at = place_of(row->holds, row->count, m->device);
    *changed = at < row->count;
    if (!*changed) return;
    row->count--;
    memmove(&row->holds[at], &row->holds[at + 1], (row->count - at) * sizeof row->holds[0]);
}

/* By the fence of a revocation: no broker lets them speak or receive any more. */
static void sessions_cut(struct storage *s, const struct account *a, struct device_id device)
{
    for (size_t i = 0; i < a->device_count; i++)
        if (account_held(a, a->devices[i].id) && (device_equal(device, whole) || device_equal(device, a->devices[i].id)))
            sessions_revoke(s, a->devices[i].id);
}

static void hold_tell(struct storage *s, const struct msg_hold *m)
{
    struct event e = {.kind = m->action == HOLD_PLACE ? EVENT_HOLD_PLACED : EVENT_HOLD_RELEASED,
                      .code = m->reason, .account = mark_account(&s->config.mark_key, m->account)};
    if (!device_equal(m->device, whole)) e.device = mark_device(&s->config.mark_key, m->device);
    core_event(s, &e);
}

static void row_put(struct storage *s, struct account_id id, const struct hold_row *row)
{
    struct store_key key = key_hold(id);
    account_holds_set(s, id, row);
    if (row->count)
        turn_put(&s->turn, SPACE_IDENTITY, &key, hold_row_write(&s->turn.arena, row));
    else
        turn_remove(&s->turn, SPACE_IDENTITY, &key);
}

static void reply_holds(struct storage *s, const struct request *r, struct account_id id, const struct hold_row *row,
                        bool changed)
{
    struct msg_holds_are reply = {.changed = changed, .hold_count = row->count};
    reply.holds = arena_array(&s->turn.arena, row->count, sizeof *reply.holds);
    for (size_t i = 0; i < row->count; i++)
        reply.holds[i] = (struct msg_hold_row){.account = id, .device = row->holds[i].device,
                                               .reason = row->holds[i].reason, .since_ms = row->holds[i].since_ms};
    request_reply(s, r, KIND_HOLDS_ARE, &msg_holds_are_desc, &reply);
}

static void hold_change(struct storage *s, struct request *r)
{
    const struct msg_hold *m = r->meta;
    struct hold_row row = {.count = 0};
    const struct account *a;
    bool changed;
    enum status status = account_find(s, m->account, &a);
    if (status == STATUS_OK && !device_equal(m->device, whole) && !account_device(a, m->device)) status = STATUS_NOT_FOUND;
    if (status != STATUS_OK) {
        request_fail(s, r, status == STATUS_NOT_FOUND ? status : STATUS_BUSY, 1000);
        return;
    }
    if (a->hold_count) memcpy(row.holds, a->holds, a->hold_count * sizeof *a->holds);
    row.count = a->hold_count;
    if (m->action == HOLD_PLACE)
        row_place(&row, m, s->turn.now_ms, &changed);
    else
        row_release(&row, m, &changed);
    if (changed) {
        row_put(s, m->account, &row);
        hold_tell(s, m);
    }
    if (m->action == HOLD_PLACE) sessions_cut(s, a, m->device);
    reply_holds(s, r, m->account, &row, changed);
}

/* ---- which there are ---- */

static void list_add(struct msg_holds_are *reply, struct account_id id, const struct hold_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        reply->holds[reply->hold_count++] = (struct msg_hold_row){
            .account = id, .device = row->holds[i].device, .reason = row->holds[i].reason,
            .since_ms = row->holds[i].since_ms};
}

static void hold_list(struct storage *s, struct request *r)
{
    const struct store_scan *scan = r->plan;
    struct msg_holds_are reply = {.more = scan->more};
    reply.holds = arena_array(&s->turn.arena, scan->row_count * HOLDS_MAX, sizeof *reply.holds);
    for (size_t i = 0; i < scan->row_count; i++) {
        struct hold_row row;
        struct account_id id;
        if (key_hold_read(scan->rows[i].key, &id) != STATUS_OK) continue;
        if (hold_row_read(scan->rows[i].value, &row) != STATUS_OK)
            row = (struct hold_row){.holds = {{.device = whole, .reason = HOLD_UNREADABLE}}, .count = 1};
        list_add(&reply, id, &row);
        reply.cursor = scan->rows[i].key;
    }
    request_reply(s, r, KIND_HOLDS_ARE, &msg_holds_are_desc, &reply);
}

void hold_apply(struct storage *s, struct request *r)
{
    const struct msg_hold *m = r->meta;
    if (m->action == HOLD_LIST)
        hold_list(s, r);
    else
        hold_change(s, r);
}
