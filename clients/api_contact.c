/* api_contact: what this home knows of accounts, its own included, without asking: handles, and identity logs, of which
 * every entry was verified when it came. */
#include "clients/api.h"

#include <string.h>

enum sealmq_status sealmq_contact_account(struct sealmq_client *c, const char *handle, struct sealmq_account *out)
{
    struct account_id account;
    memset(out, 0, sizeof *out);
    if (strlen(handle) > HANDLE_LEN_MAX) return api_result(c, STATUS_NOT_FOUND);
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_handle_get(c->state, view_of(handle, strlen(handle)), &account);
    state_rollback(c->state);
    if (s == STATUS_OK) memcpy(out->bytes, account.bytes, sizeof out->bytes);
    return api_result(c, s);
}

enum sealmq_status sealmq_contact_handle(struct sealmq_client *c, struct sealmq_account account,
                                         char out[SEALMQ_HANDLE_MAX + 1])
{
    struct account_id id;
    struct view handle;
    out[0] = '\0';
    arena_reset(&c->arena);
    memcpy(id.bytes, account.bytes, sizeof id.bytes);
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_contact_handle(c->state, id, &c->arena, &handle);
    state_rollback(c->state);
    if (s == STATUS_OK) api_text_copy(out, SEALMQ_HANDLE_MAX + 1, handle);
    return api_result(c, s);
}

/* ---- changes ---- */

static enum status event_names_in(struct sealmq_client *c, const struct engine_event *e, struct view *handle, struct view *name)
{
    struct contact contact;
    struct device_facts *facts = arena_array(&c->arena, DEVICES_EVER_MAX, sizeof *facts);
    enum status s = state_contact_handle(c->state, e->sender_account, &c->arena, handle);
    if (s == STATUS_OK || s == STATUS_NOT_FOUND) s = state_contact_get(c->state, e->sender_account, &contact);
    if (s == STATUS_OK) s = state_device_facts(c->state, &c->arena, &contact.log, facts);
    const struct log_device *d = s == STATUS_OK ? identity_log_device(&contact.log, e->subject) : NULL;
    if (d) *name = view_of(facts[d - contact.log.devices].name, facts[d - contact.log.devices].name_len);
    return s;
}

void contact_event_fill(struct sealmq_client *c, const struct engine_event *e, struct sealmq_event *out)
{
    struct view handle = {0}, name = {0};
    arena_reset(&c->arena);
    memcpy(out->signer.bytes, e->sender_device.bytes, sizeof out->signer.bytes);
    if (state_begin(c->state, STATE_READ) != STATUS_OK) return;
    bool good = event_names_in(c, e, &handle, &name) == STATUS_OK;
    state_rollback(c->state);
    if (!good) return;
    api_text_copy(out->handle, sizeof out->handle, handle);
    api_text_copy(out->device_name, sizeof out->device_name, name);
}

/* ---- logs ---- */

static enum status contact_read_in(struct sealmq_client *c, const char *handle, struct contact *out)
{
    struct state_identity me;
    struct account_id account;
    enum status s;
    if (handle != NULL) {
        s = state_handle_get(c->state, view_of(handle, strlen(handle)), &account);
    } else {
        s = state_identity_get(c->state, &c->arena, &me);
        account = me.account;
    }
    return s == STATUS_OK ? state_contact_get(c->state, account, out) : s;
}

static void log_give(const struct contact *contact, struct sealmq_log *out)
{
    const struct identity_log *log = &contact->log;
    struct sealmq_log full = {.length = log->length, .key_version = log->key_version,
                              .device_count = log->device_count, .device_active = identity_log_active(log),
                              .checked_ms = contact->checked_ms};
    memcpy(full.account.bytes, log->account.bytes, sizeof full.account.bytes);
    memcpy(full.head.bytes, log->head.bytes, sizeof full.head.bytes);
    api_give(out, &full, sizeof full);
}

enum sealmq_status sealmq_log_get(struct sealmq_client *c, const char *handle, struct sealmq_log *out)
{
    struct contact contact;
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK && handle != NULL) s = handle_check(view_of(handle, strlen(handle)));
    if (s == STATUS_MALFORMED) return api_fail(c, s, HANDLE_RULE);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = contact_read_in(c, handle, &contact);
    state_rollback(c->state);
    if (s == STATUS_OK) log_give(&contact, out);
    return api_result(c, s);
}

/* Who signed; for the first entry the device that it brings. */
static void entry_give(const struct contact *contact, const struct msg_entry_body *body, struct sealmq_log_entry *out)
{
    static const struct device_id none;
    struct device_id signer = body->operation == ENTRY_CREATE ? contact->log.devices[0].id : body->signer;
    struct sealmq_log_entry full = {.number = body->number, .made_ms = body->made_ms,
                                    .operation = (enum sealmq_operation)body->operation,
                                    .by_recovery = device_equal(signer, none)};
    memcpy(full.signer.bytes, signer.bytes, sizeof full.signer.bytes);
    api_give(out, &full, sizeof full);
}

static enum status entry_read_in(struct sealmq_client *c, struct entry_scan *scan, struct contact *contact)
{
    enum status s = state_contact_get(c->state, scan->account, contact);
    if (s == STATUS_OK) s = state_entry_scan(c->state, &c->arena, scan);
    return s == STATUS_OK && scan->count == 0 ? STATUS_NOT_FOUND : s;
}

enum sealmq_status sealmq_log_entry_get(struct sealmq_client *c, struct sealmq_account account, uint64_t number,
                                        struct sealmq_log_entry *out)
{
    struct contact contact;
    struct msg_entry entry;
    struct msg_entry_body body;
    struct entry_scan scan = {.first = number, .max = 1};
    memcpy(scan.account.bytes, account.bytes, sizeof scan.account.bytes);
    arena_reset(&c->arena);
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = entry_read_in(c, &scan, &contact);
    state_rollback(c->state);
    if (s == STATUS_OK && entry_open(scan.entries[0], &c->arena, &entry, &body) != STATUS_OK) s = STATUS_DAMAGED;
    if (s == STATUS_OK) entry_give(&contact, &body, out);
    return api_result(c, s);
}
