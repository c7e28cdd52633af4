/* contact: from a handle to the devices to encrypt for (PROTOCOL 6, LOOKUP; 7.2, the gate). Two
 * look-ups, handle -> account and account -> entries, verified here and then kept. Messages that wait
 * for one are remembered in a bounded table; those that find no place there come again by their due
 * time. Invariants: a contact's key version never goes back; its first entry hashes to its account. */
#include "broker/wire/identity.h"
#include "clients/core.h"

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

static struct lookup *lookup_of(struct engine *e, const struct outbox_row *row)
{
    struct lookup *free_slot = NULL;
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *l = &e->lookups[i];
        if (l->stage == LOOKUP_FREE)
            free_slot = l;
        else if (view_equal(view_of(l->handle, l->handle_len), row_handle(row)))
            return l;
    }
    return free_slot;
}

static void lookup_begin(struct lookup *l, struct now now, const struct outbox_row *row)
{
    *l = (struct lookup){.stage = has_target(row) ? LOOKUP_ACCOUNT : LOOKUP_HANDLE,
                         .handle_len = row->handle_len, .account = row->target,
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

enum status contact_wait_in(struct engine *e, struct now now, struct outbox_row *row)
{
    struct lookup *l = lookup_of(e, row);
    uint64_t delay = RETRY_MIN_MS * 4; /* no place in a table */
    if (l && l->stage == LOOKUP_FREE) lookup_begin(l, now, row);
    if (l && waiting_add(e, row->order, (size_t)(l - e->lookups))) delay = LOOKUP_LEASE_MS;
    return outbox_later_in(e, now, row, row->reason, delay);
}

/* ---- asking ---- */

static void lookup_ask(struct engine *e, struct now now, struct lookup *l)
{
    struct msg_lookup m = {0};
    uint16_t home;
    if (l->stage == LOOKUP_HANDLE) {
        m.handle = view_of(l->handle, l->handle_len);
        home = home_of_handle(m.handle);
    } else {
        m.account = l->account;
        home = home_of_account(l->account);
    }
    struct request *r = request_make(e, now, KIND_LOOKUP, home, &msg_lookup_desc, &m);
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

static void lookup_later(struct engine *e, struct now now, struct lookup *l, uint64_t min_ms)
{
    uint64_t delay = backoff_ms(e, l->tries++, RETRY_MIN_MS, RETRY_MAX_MS);
    l->asked = false;
    l->ask_ms = now.mono_ms + (delay > min_ms ? delay : min_ms);
}

/* ---- its end ---- */

/* Every draft that waits is due now, or refused for good. */
static enum status lookup_tell_in(struct engine *e, struct now now, size_t lookup, enum status end)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < WAITING_MAX && s == STATUS_OK; i++) {
        struct outbox_row row;
        if (!e->waiting[i].order || e->waiting[i].lookup != lookup) continue;
        s = state_outbox_get(e->state, e->waiting[i].order, &row);
        if (s == STATUS_NOT_FOUND || (s == STATUS_OK && row.state != MESSAGE_DRAFTED))
            s = STATUS_OK;
        else if (s == STATUS_OK && end == STATUS_OK)
            s = outbox_later_in(e, now, &row, STATUS_OK, 0);
        else if (s == STATUS_OK)
            s = outbox_step_in(e, now, &row, MESSAGE_EVENT_REFUSE, end);
    }
    return s;
}

static void lookup_free(struct engine *e, size_t lookup)
{
    for (size_t i = 0; i < WAITING_MAX; i++)
        if (e->waiting[i].lookup == lookup) e->waiting[i] = (struct waiting){0};
    e->lookups[lookup] = (struct lookup){0};
}

static void lookup_refuse(struct engine *e, struct now now, size_t lookup, enum status why)
{
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, lookup_tell_in(e, now, lookup, why));
    if (engine_fault(e, s))
        lookup_free(e, lookup);
    else
        lookup_later(e, now, &e->lookups[lookup], 0);
}

/* The devices that the signed entries name. Only the first entry is known to this version. */
static enum status contact_verify(struct engine *e, struct now now, struct account_id account,
                                  const struct msg_found *m, struct contact *out)
{
    struct founding f;
    *out = (struct contact){0};
    if (m->entry_count == 0) return STATUS_BAD_ENTRY;
    enum status s = founding_check(m->entries[0], &e->arena, &f);
    if (s != STATUS_OK) return STATUS_BAD_ENTRY;
    if (memcmp(&f.account, &account, sizeof account) != 0) return STATUS_BAD_ENTRY;
    if (m->entry_count > 1 || m->key_version > f.key_version) return STATUS_UNSUPPORTED;
    if (m->key_version != f.key_version || memcmp(&m->head, &f.head, sizeof f.head) != 0)
        return STATUS_BAD_ENTRY;
    *out = (struct contact){.account = account, .key_version = f.key_version, .head = f.head,
                            .device_count = 1, .checked_ms = now.wall_ms};
    out->devices[0] = (struct contact_device){.device = f.device, .identity = f.record.identity};
    return STATUS_OK;
}

/* The handle's account is known now; its devices perhaps too, from another handle. */
static void found_handle(struct engine *e, struct now now, size_t lookup,
                         const struct msg_found *m)
{
    struct lookup *l = &e->lookups[lookup];
    struct contact known;
    bool done = false;
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        s = state_handle_put(e->state, view_of(l->handle, l->handle_len), m->account);
        if (s == STATUS_OK) s = state_contact_get(e->state, m->account, &known);
        done = s == STATUS_OK;
        if (done) s = lookup_tell_in(e, now, lookup, STATUS_OK);
        s = tx_end(e, s == STATUS_NOT_FOUND ? STATUS_OK : s);
    }
    if (!engine_fault(e, s)) {
        lookup_later(e, now, l, 0);
    } else if (done) {
        lookup_free(e, lookup);
    } else {
        l->stage = LOOKUP_ACCOUNT;
        l->account = m->account;
        l->asked = false;
        l->ask_ms = now.mono_ms;
    }
}

static void found_account(struct engine *e, struct now now, size_t lookup,
                          const struct msg_found *m)
{
    struct contact contact;
    enum status s = contact_verify(e, now, e->lookups[lookup].account, m, &contact);
    if (s != STATUS_OK) {
        lookup_refuse(e, now, lookup, s);
        return;
    }
    s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) {
        s = state_contact_put(e->state, &contact);
        if (s == STATUS_OK) s = lookup_tell_in(e, now, lookup, STATUS_OK);
        s = tx_end(e, s);
    }
    if (engine_fault(e, s))
        lookup_free(e, lookup);
    else
        lookup_later(e, now, &e->lookups[lookup], 0);
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
        lookup_refuse(e, now, r->lookup, s);
    } else if (s == STATUS_GONE || s == STATUS_NO_SESSION) {
        l->asked = false;
        l->ask_ms = now.mono_ms;
    } else {
        lookup_later(e, now, l, retry_after_ms);
    }
}

/* ---- repair ---- */

static void device_drop(struct contact *c, struct device_id device)
{
    for (size_t i = 0; i < c->device_count; i++)
        if (device_equal(c->devices[i].device, device))
            c->devices[i--] = c->devices[--c->device_count];
}

static enum status device_add(struct contact *c, struct device_id device)
{
    device_drop(c, device);
    if (c->device_count == DEVICES_PER_ACCOUNT) return STATUS_BAD_ENTRY;
    c->devices[c->device_count++] = (struct contact_device){.device = device};
    return STATUS_OK;
}

/* Entries that this version can read are held against the account; that only an authorised entry may
 * add a device comes with the whole log. Until then payloads are opaque, and nothing is sealed. */
static enum status entries_check(struct engine *e, struct account_id account,
                                 const struct msg_stale *stale)
{
    for (size_t i = 0; i < stale->entry_count; i++) {
        struct founding f;
        if (founding_check(stale->entries[i], &e->arena, &f) == STATUS_OK &&
            memcmp(&f.account, &account, sizeof account) != 0)
            return STATUS_BAD_ENTRY;
    }
    return STATUS_OK;
}

enum status contact_repair_in(struct engine *e, struct now now, struct account_id account,
                              const struct msg_stale *stale)
{
    struct contact c;
    enum status s = state_contact_get(e->state, account, &c);
    if (s == STATUS_NOT_FOUND) c.account = account;
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    if (stale->key_version < c.key_version) return STATUS_BAD_ENTRY;
    s = entries_check(e, account, stale);
    for (size_t i = 0; i < stale->extra_count; i++)
        device_drop(&c, stale->extra[i].device);
    for (size_t i = 0; i < stale->missing_count && s == STATUS_OK; i++)
        s = device_add(&c, stale->missing[i].device);
    if (s == STATUS_OK && c.device_count == 0) s = STATUS_BAD_ENTRY;
    if (s != STATUS_OK) return s;
    c.key_version = stale->key_version;
    c.head = stale->head;
    c.checked_ms = now.wall_ms;
    return state_contact_put(e->state, &c);
}
