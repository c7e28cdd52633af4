/* account_devices: what an operator may see of an account: which devices it has, since when, and whether they are there;
 * no key. With each its mark, by which its events are found. DEVICES {handle} at the handle's home says only which account
 * that is. */
#include "storage/core.h"
#include "storage/history.h"

#include <string.h>

enum status devices_plan(struct storage *s, struct request *r)
{
    const struct msg_devices *m = r->meta;
    if (m->handle.len) {
        if (handle_check(m->handle) != STATUS_OK) return STATUS_MALFORMED;
        if (!core_owns(s, home_of_handle(m->handle))) return STATUS_WRONG_HOME;
        struct store_key key = key_handle(m->handle);
        turn_want(&s->turn, SPACE_IDENTITY, &key);
        return STATUS_OK;
    }
    if (!core_owns(s, home_of_account(m->account))) return STATUS_WRONG_HOME;
    account_want(s, m->account);
    history_want(s, m->account);
    r->plan = entries_scan(s, m->account, 0, LOG_LENGTH_MAX, LOG_LENGTH_MAX * ENTRY_LEN_MAX);
    return STATUS_OK;
}

/* The entry that brought the device, by the clock of who signed it. */
static void added_find(struct storage *s, const struct store_scan *scan, struct account_id id,
                       struct msg_device_row *rows, size_t count)
{
    struct view *entries;
    size_t entry_count = entries_read(s, scan, &entries);
    for (size_t i = 0; i < entry_count; i++) {
        struct msg_entry e;
        struct msg_entry_body body;
        if (entry_open(entries[i], &s->turn.arena, &e, &body) != STATUS_OK || !body.device_count) continue;
        if (body.operation != ENTRY_ADD && body.operation != ENTRY_CREATE) continue;
        struct device_id device = body.number ? device_id_of(id, &body.device->signing) : rows[0].device;
        for (size_t k = 0; k < count; k++) {
            if (!device_equal(rows[k].device, device)) continue;
            rows[k].added_number = body.number;
            rows[k].added_ms = body.made_ms;
        }
    }
}

/* How many there are is no secret from who runs the relay; the keys themselves stay where they are. */
static enum status mailboxes_read(struct storage *s, uint16_t home, struct msg_device_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        core_mailbox_want(s, home, rows[i].device);
        prekeys_want(s, home, rows[i].device);
    }
    enum status status = turn_load(&s->turn, s->store);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct msg_prekey_state prekeys = prekeys_state(s, home, rows[i].device);
        struct mailbox *m;
        rows[i].prekeys = prekeys.one_time_count;
        rows[i].last_resort = prekeys.last_resort_id != 0;
        if (core_mailbox(s, home, rows[i].device, &m) != STATUS_OK) continue;
        rows[i].last_seen_ms = mailbox_attached(m) ? s->turn.now_ms : m->row.last_seen_ms;
        rows[i].client_version = mailbox_attached(m) ? m->session.client_version : m->row.client_version;
        rows[i].attached = mailbox_attached(m);
        rows[i].waiting = m->row.count;
        rows[i].waiting_bytes = m->row.bytes;
        rows[i].parked = m->row.parked;
        rows[i].copied = m->row.copied;
        rows[i].copied_ms = m->row.copied_ms;
    }
    return status;
}

static void row_fill(const struct storage *s, const struct account *a, const struct log_device *d, struct msg_device_row *row)
{
    const struct hold *h = account_hold(a, d->id);
    *row = (struct msg_device_row){.device = d->id, .standing = d->standing, .key_version = d->version,
                                   .mark = mark_device(&s->config.mark_key, d->id)};
    if (h) row->hold = h->reason, row->held_ms = h->since_ms;
}

static enum status account_show(struct storage *s, const struct request *r, struct msg_devices_are *reply)
{
    const struct msg_devices *m = r->meta;
    const struct account *a;
    enum status status = account_find(s, m->account, &a);
    if (status != STATUS_OK) return status;
    const struct hold *h = account_hold(a, (struct device_id){{0}});
    reply->account = a->id;
    reply->mark = mark_account(&s->config.mark_key, a->id);
    reply->log = a->log;
    reply->has_recovery = a->has_recovery;
    if (h) reply->hold = h->reason, reply->held_ms = h->since_ms;
    history_show(s, a->id, reply);
    reply->device_count = a->device_count;
    reply->devices = arena_array(&s->turn.arena, a->device_count, sizeof *reply->devices);
    for (size_t i = 0; i < a->device_count; i++)
        row_fill(s, a, &a->devices[i], &reply->devices[i]);
    added_find(s, r->plan, a->id, reply->devices, reply->device_count);
    return mailboxes_read(s, home_of_account(a->id), reply->devices, reply->device_count);
}

static enum status handle_show(struct storage *s, const struct request *r, struct msg_devices_are *reply)
{
    const struct msg_devices *m = r->meta;
    struct store_key key = key_handle(m->handle);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct handle_row row;
    if (!value.at) return STATUS_NOT_FOUND;
    enum status status = handle_row_read(value, &row);
    reply->account = row.account;
    return status;
}

void devices_apply(struct storage *s, struct request *r)
{
    const struct msg_devices *m = r->meta;
    struct msg_devices_are reply = {.hold = HOLD_NONE};
    enum status status = m->handle.len ? handle_show(s, r, &reply) : account_show(s, r, &reply);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_DEVICES_ARE, &msg_devices_are_desc, &reply);
    else
        request_fail(s, r, status == STATUS_NOT_FOUND ? status : STATUS_BUSY, 1000);
}
