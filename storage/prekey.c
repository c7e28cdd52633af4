/* prekey: PUBLISH fills a device's row of prekeys, CLAIM_PREKEYS empties it (PROTOCOL 6.4). A one-time
 * prekey leaves the row in the group that rests under the answer with it, so it is handed out once or,
 * where the answer is lost, not at all. What is signed was verified here and is verified again by who
 * claims it; the relay vouches for nothing.
 * Invariant: of what a row ever took no id comes back: one-time ids lie above the highest, signed ones
 * grow. */
#include "storage/core.h"

#include "broker/wire/prekey.h"

#include <string.h>

/* ---- the row ---- */

void prekeys_want(struct storage *s, uint16_t home, struct device_id device)
{
    struct store_key key = key_device(ROW_PREKEYS, home, device);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
}

/* OK, also with *row all zero where there is none; DAMAGED. */
static enum status row_find(struct storage *s, uint16_t home, struct device_id device,
                            struct prekey_row *row)
{
    struct store_key key = key_device(ROW_PREKEYS, home, device);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    memset(row, 0, sizeof *row);
    if (!value.at) return STATUS_OK;
    enum status status = prekey_row_read(value, row);
    if (status != STATUS_OK && value.len)
        s->turn.damage_count++; /* an empty one was counted when it was loaded */
    return status;
}

static void row_put(struct storage *s, uint16_t home, struct device_id device,
                    const struct prekey_row *row)
{
    struct store_key key = key_device(ROW_PREKEYS, home, device);
    turn_put(&s->turn, SPACE_IDENTITY, &key, prekey_row_write(&s->turn.arena, row));
}

static struct msg_prekey_state state_of(const struct prekey_row *row)
{
    return (struct msg_prekey_state){.signed_id = row->signed_id,
                                     .last_resort_id = row->last_resort_id,
                                     .one_time_highest = row->one_time_highest,
                                     .one_time_count = (uint32_t)row->one_time_count};
}

struct msg_prekey_state prekeys_state(struct storage *s, uint16_t home, struct device_id device)
{
    struct prekey_row row;
    enum status status = row_find(s, home, device, &row);
    return status == STATUS_OK ? state_of(&row) : (struct msg_prekey_state){0};
}

/* ---- PUBLISH ---- */

/* A signed prekey of the request; all zero = none. */
struct given {
    struct view bytes;
    struct msg_signed_prekey prekey;
    struct msg_prekey_body body;
};

struct publishing {
    struct given current, last_resort;
};

/* Somebody with a session brings keys that are not its device's to give: on record. */
static enum status note_refusal(struct storage *s, const struct request *r, enum status status)
{
    if (status == STATUS_BAD_ENTRY || status == STATUS_REFUSED)
        core_event(s,
                   &(struct event){.kind = EVENT_PREKEYS_REFUSED,
                                   .code = (uint32_t)status,
                                   .account = mark_account(&s->config.mark_key, r->stamp.account),
                                   .device = mark_device(&s->config.mark_key, r->stamp.device)});
    return status;
}

static enum status given_open(struct storage *s, const struct request *r, struct view bytes,
                              bool last_resort, struct given *g)
{
    if (!bytes.len) return STATUS_OK;
    enum status status = prekey_open(bytes, &s->turn.arena, &g->prekey, &g->body);
    if (status != STATUS_OK) return status;
    g->bytes = bytes;
    bool own = device_equal(g->body.device, r->stamp.device) && g->body.last_resort == last_resort;
    return own ? STATUS_OK : STATUS_BAD_ENTRY;
}

static bool ids_grow(const struct msg_one_time_prekey *list, size_t count)
{
    uint64_t before = 0;
    for (size_t i = 0; i < count; before = list[i++].id)
        if (list[i].id <= before) return false;
    return true;
}

enum status publish_plan(struct storage *s, struct request *r)
{
    const struct msg_publish *m = r->meta;
    struct publishing *plan = arena_alloc(&s->turn.arena, sizeof *plan);
    uint16_t home = home_of_account(r->stamp.account);
    if (!core_owns(s, home)) return STATUS_WRONG_HOME;
    if (!ids_grow(m->one_time, m->one_time_count)) return STATUS_MALFORMED;
    enum status status = given_open(s, r, m->current, false, &plan->current);
    if (status == STATUS_OK) status = given_open(s, r, m->last_resort, true, &plan->last_resort);
    account_want(s, r->stamp.account);
    prekeys_want(s, home, r->stamp.device);
    if (m->keep_from) core_mailbox_want(s, home, r->stamp.device);
    r->plan = plan;
    return note_refusal(s, r, status);
}

static bool given_signed(const struct given *g, struct account_id account,
                         const struct signing_pk *pk)
{
    return !g->bytes.len || prekey_signed_by(account, &g->prekey, pk);
}

/* The device is of its account, and signed what it brings. */
static enum status publisher_check(struct storage *s, const struct request *r)
{
    const struct publishing *plan = r->plan;
    const struct account *a;
    const struct log_device *d;
    enum status status = account_asker(s, r, &a, &d);
    if (status != STATUS_OK) return status;
    bool own = given_signed(&plan->current, a->id, &d->record.signing) &&
               given_signed(&plan->last_resort, a->id, &d->record.signing);
    return own ? STATUS_OK : STATUS_BAD_ENTRY;
}

static bool take_signed(const struct given *g, uint64_t *id, struct view *bytes)
{
    if (g->body.id <= *id) return false;
    *id = g->body.id;
    *bytes = g->bytes;
    return true;
}

/* A home that was copied or set back has no use for these, or is not alone with it. The number that left. */
static size_t row_leave(struct prekey_row *row, uint64_t keep_from)
{
    size_t left = 0;
    while (left < row->one_time_count && row->one_time[left].id < keep_from)
        left++;
    row->one_time_count -= left;
    memmove(row->one_time, row->one_time + left, row->one_time_count * sizeof row->one_time[0]);
    return left;
}

/* What the row does not know yet, as far as there is room: of two processes of a device that fill it at once, the second
 * brings more than that. True: there was something. */
static bool row_take(const struct request *r, struct prekey_row *row)
{
    const struct msg_publish *m = r->meta;
    const struct publishing *plan = r->plan;
    size_t before = row->one_time_count;
    bool current = take_signed(&plan->current, &row->signed_id, &row->current);
    bool last_resort = take_signed(&plan->last_resort, &row->last_resort_id, &row->last_resort);
    for (size_t i = 0; i < m->one_time_count && row->one_time_count < ONE_TIME_PREKEYS_MAX; i++) {
        if (m->one_time[i].id <= row->one_time_highest) continue;
        row->one_time[row->one_time_count++] = m->one_time[i];
        row->one_time_highest = m->one_time[i].id;
    }
    return current || last_resort || row->one_time_count > before;
}

/* The device's own word: nobody else can tell. What is told again, as its answer was lost, counts once. */
static void note_copy(struct storage *s, const struct request *r, size_t left, bool again)
{
    struct mailbox *m;
    if (core_mailbox(s, home_of_account(r->stamp.account), r->stamp.device, &m) != STATUS_OK) m = NULL;
    if (m && !again) {
        m->row.copied++;
        m->row.copied_ms = s->turn.now_ms;
        m->row_dirty = m->row_promised = true;
        core_hot(s, m);
    }
    core_event(s, &(struct event){.kind = EVENT_DEVICE_COPIED, .count = left,
                                  .value = m ? m->session.client_version : 0,
                                  .account = mark_account(&s->config.mark_key, r->stamp.account),
                                  .device = mark_device(&s->config.mark_key, r->stamp.device)});
}

/* A damaged row was read as none, so what comes takes its place. */
static enum status publish(struct storage *s, const struct request *r, struct msg_published *answer)
{
    const struct publishing *plan = r->plan;
    const struct msg_publish *m = r->meta;
    uint16_t home = home_of_account(r->stamp.account);
    struct prekey_row row;
    *answer = (struct msg_published){0};
    enum status status = publisher_check(s, r);
    if (status != STATUS_OK) return note_refusal(s, r, status);
    status = row_find(s, home, r->stamp.device, &row);
    if (status != STATUS_OK && !plan->current.bytes.len) return STATUS_BUSY;
    size_t left = row_leave(&row, m->keep_from);
    bool changed = row_take(r, &row) || left;
    if (changed && s->state == STORE_READONLY) return STATUS_STORE_READONLY;
    if (changed) row_put(s, home, r->stamp.device, &row);
    if (m->keep_from) note_copy(s, r, left, !changed);
    answer->prekeys = state_of(&row);
    return STATUS_OK;
}

void publish_apply(struct storage *s, struct request *r)
{
    struct msg_published answer;
    enum status status = publish(s, r, &answer);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_PUBLISHED, &msg_published_desc, &answer);
    else
        request_fail(s, r, status, status_client_action(status) == ACTION_RETRY ? 1000 : 0);
}

/* ---- CLAIM_PREKEYS ---- */

static bool named_twice(const struct msg_claim_prekeys *m)
{
    for (size_t i = 0; i < m->device_count; i++)
        for (size_t k = 0; k < i; k++)
            if (device_equal(m->devices[i].device, m->devices[k].device)) return true;
    return false;
}

enum status claim_prekeys_plan(struct storage *s, struct request *r)
{
    const struct msg_claim_prekeys *m = r->meta;
    uint16_t home = home_of_account(m->account);
    if (!m->device_count || named_twice(m)) return STATUS_MALFORMED;
    if (!core_owns(s, home)) return STATUS_WRONG_HOME;
    account_want(s, m->account);
    policy_want(s, &(struct contact_pair){.account = m->account, .other = r->stamp.account});
    for (size_t i = 0; i < m->device_count; i++)
        prekeys_want(s, home, m->devices[i].device);
    return STATUS_OK;
}

static void push_low(struct storage *s, struct device_id device, const struct prekey_row *row)
{
    const struct mailbox *m = core_mailbox_peek(s, device);
    struct msg_prekeys_low meta = {.prekeys = state_of(row)};
    struct buffer *out;
    if (!m || !mailbox_attached(m)) return; /* WELCOME will say it */
    size_t start = push_begin(s, &m->session, device, &out);
    frame_write(out, &(struct frame_header){.kind = KIND_PREKEYS_LOW, .home = m->home},
                &msg_prekeys_low_desc, &meta);
    push_end(out, start);
}

/* Claims take one at a time, so each of the two marks is met once until the device publishes more. */
static void tell_low(struct storage *s, struct device_id device, const struct prekey_row *row)
{
    struct event e = {.kind = EVENT_PREKEYS_LOW,
                      .count = row->one_time_count,
                      .device = mark_device(&s->config.mark_key, device)};
    if (row->one_time_count != ONE_TIME_PREKEYS_LOW && row->one_time_count != 0) return;
    if (row->one_time_count == 0) {
        e.kind = EVENT_PREKEYS_DRAINED;
        e.code = row->last_resort.len != 0;
    }
    core_event(s, &e);
    push_low(s, device, row);
}

/* The oldest one, which is in the row no more. */
static void one_time_take(struct storage *s, uint16_t home, struct prekey_row *row,
                          struct msg_prekey_bundle *out)
{
    out->one_time = arena_array(&s->turn.arena, 1, sizeof *out->one_time);
    out->one_time[0] = row->one_time[0];
    out->one_time_count = 1;
    row->one_time_count--;
    memmove(row->one_time, row->one_time + 1, row->one_time_count * sizeof row->one_time[0]);
    row_put(s, home, out->device, row);
    tell_low(s, out->device, row);
}

static void bundle_make(struct storage *s, const struct request *r, const struct account *a,
                        struct msg_prekey_bundle *out)
{
    uint16_t home = home_of_account(a->id);
    const struct log_device *d = account_device(a, out->device);
    struct prekey_row row;
    out->status = STATUS_NOT_FOUND;
    if (!d || d->standing != STANDING_ACTIVE) return;
    if (row_find(s, home, out->device, &row) != STATUS_OK) {
        out->status = STATUS_BUSY;
        out->retry_after_ms = 1000;
        return;
    }
    if (!row.current.len) return;
    out->status = prekey_meter_take(s->prekey_meter, r->stamp.account, out->device, s->mono_ms,
                                    &out->retry_after_ms);
    if (out->status != STATUS_OK) return;
    out->current = row.current;
    struct contact_pair pair = {.account = a->id, .other = r->stamp.account};
    if (row.one_time_count && policy_gives(s, &pair, out->device))
        one_time_take(s, home, &row, out);
    else
        out->last_resort = row.last_resort;
}

/* Devices can be drained faster than they should be: the relay has more askers than the meter can tell apart. */
static void tell_meter(struct storage *s)
{
    uint64_t count = prekey_meter_tell(s->prekey_meter, s->mono_ms);
    if (count) core_event(s, &(struct event){.kind = EVENT_PREKEY_METER_FULL, .count = count});
}

void claim_prekeys_apply(struct storage *s, struct request *r)
{
    const struct msg_claim_prekeys *m = r->meta;
    const struct account *a;
    enum status status = account_find(s, m->account, &a);
    if (status != STATUS_OK) {
        request_fail(s, r, status, status > STATUS_WIRE_MAX ? 1000 : 0);
        return;
    }
    struct msg_prekeys answer = {.log = a->log, .bundle_count = m->device_count};
    answer.bundles = arena_array(&s->turn.arena, m->device_count, sizeof *answer.bundles);
    for (size_t i = 0; i < m->device_count; i++) {
        answer.bundles[i].device = m->devices[i].device;
        bundle_make(s, r, a, &answer.bundles[i]);
    }
    tell_meter(s);
    request_reply(s, r, KIND_PREKEYS, &msg_prekeys_desc, &answer);
}
