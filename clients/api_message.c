/* api_message: messages of ours as rows: keeping one, finding one, what became of it, the user's decision. The engine
 * does all of it; here an outbox row becomes what the application sees. */
#include "clients/api.h"

#include "broker/host/host.h"

#include <string.h>

#define PAGE_ROWS 32u

/* ---- a row, as the application sees it ---- */

void parts_copy(const struct outbox_row *row, struct sealmq_part out[SEALMQ_PARTS_MAX])
{
    _Static_assert(SEALMQ_PARTS_MAX == DEVICES_PER_ACCOUNT, "one part a device");
    memset(out, 0, SEALMQ_PARTS_MAX * sizeof out[0]);
    for (size_t i = 0; i < row->part_count; i++) {
        struct sealmq_part *part = &out[i];
        memcpy(part->device.bytes, row->parts[i].device.bytes, sizeof part->device.bytes);
        part->state = (enum sealmq_delivery_state)row->parts[i].state;
        part->outcome = (enum sealmq_outcome)row->parts[i].outcome;
        part->reason = (enum sealmq_fail_reason)row->parts[i].reason;
        part->at_ms = row->parts[i].at_ms;
    }
}

static void receipt_copy(const struct outbox_row *row, struct sealmq_receipt *out)
{
    const struct msg_receipt *r = &row->receipt;
    *out = (struct sealmq_receipt){.commit = r->commit, .accepted_ms = r->accepted_ms, .key_id = r->key_id,
                                   .synced = row->level == LEVEL_SYNCED};
    memcpy(out->store, r->store.bytes, sizeof out->store);
    memcpy(out->term, r->term.bytes, sizeof out->term);
    memcpy(out->mac, r->mac.bytes, sizeof out->mac);
}

static void message_give(struct sealmq_client *c, const struct outbox_row *row, struct sealmq_message *out)
{
    bool sealed = row->sealed;
    enum status reason = reason_of_message(row->state, row->reason);
    struct sealmq_message full = {.order = row->order,
                                  .kind = sealed ? SEALMQ_SEALED : SEALMQ_OPAQUE,
                                  .state = (enum sealmq_message_state)row->state,
                                  .stage = (enum sealmq_stage)message_class_of(row->state),
                                  .reason = (enum sealmq_status)reason,
                                  .prompt = prompt_of_message(row->state, reason, sealed),
                                  .created_ms = row->created_ms, .ttl_ms = row->ttl_ms, .attempt = row->attempt,
                                  .expires_ms = row->expires_ms, .accepted = row->level != 0,
                                  .fresh = row->fresh, .parts = c->parts, .part_count = row->part_count};
    memcpy(full.key, row->key.text, sizeof full.key);
    memcpy(full.id.bytes, row->id.bytes, sizeof full.id.bytes);
    memcpy(full.account.bytes, row->target.bytes, sizeof full.account.bytes);
    api_text_copy(full.handle, sizeof full.handle, view_of(row->handle, row->handle_len));
    if (full.accepted) receipt_copy(row, &full.receipt);
    parts_copy(row, c->parts);
    api_give(out, &full, sizeof full);
}

/* ---- sending ---- */

static enum sealmq_status send_explain(struct sealmq_client *c, enum status s)
{
    if (s == STATUS_ID_REUSED) return api_fail(c, s, "this key belongs to another message: take a new one");
    if (s == STATUS_TOO_LARGE)
        return api_fail(c, s, "the payload is longer than %u bytes: send it in parts", SEALMQ_PAYLOAD_MAX);
    if (s == STATUS_MALFORMED)
        return api_fail(c, s, "the handle or the key cannot be used: " HANDLE_RULE ", a key 1 to %u printable characters",
                        SEALMQ_KEY_MAX);
    return api_result(c, s);
}

static enum status message_send(struct sealmq_client *c, const struct sealmq_send_options *o, struct outbox_row *row)
{
    ENSURE(o->payload != NULL || o->payload_len == 0);
    if (o->kind != SEALMQ_SEALED && o->kind != SEALMQ_OPAQUE) return STATUS_MALFORMED;
    struct account_id account;
    memcpy(account.bytes, o->account.bytes, sizeof account.bytes);
    struct engine_message message = {.account = o->handle == NULL ? &account : NULL,
                                     .payload = view_of(o->payload, o->payload_len),
                                     .key = o->key, .ttl_ms = o->ttl_ms, .sealed = o->kind == SEALMQ_SEALED,
                                     .fresh = o->fresh};
    if (o->handle != NULL) message.handle = view_of(o->handle, strlen(o->handle));
    return engine_send(c->engine, host_now(), &message, row);
}

static void not_sealed_tell(struct sealmq_client *c, const struct outbox_row *row)
{
    if (!row->sealed) prompt_push_once(c, SEALMQ_PROMPT_NOT_SEALED, row->order);
}

enum sealmq_status sealmq_send(struct sealmq_client *c, const struct sealmq_send_options *options,
                               struct sealmq_message *out)
{
    struct sealmq_send_options o;
    struct outbox_row row;
    enum status s = out != NULL ? api_out(out) : STATUS_OK;
    if (s == STATUS_OK) s = api_take(options, &o, sizeof o);
    if (s != STATUS_OK) return api_result(c, s);
    s = message_send(c, &o, &row);
    api_changed(c);
    if (out != NULL && (s == STATUS_OK || s == STATUS_ID_REUSED)) message_give(c, &row, out);
    if (s != STATUS_OK) return send_explain(c, s);
    not_sealed_tell(c, &row);
    return SEALMQ_OK;
}

/* ---- reading ---- */

/* A copy is no message of its own: sealmq_copies.h. */
static enum status message_in(struct state *state, uint64_t order, struct outbox_row *out)
{
    enum status s = state_outbox_get(state, order, out);
    return s == STATUS_OK && out->copy_of ? STATUS_NOT_FOUND : s;
}

enum sealmq_status sealmq_message_get(struct sealmq_client *c, uint64_t order, struct sealmq_message *out)
{
    struct outbox_row row;
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = message_in(c->state, order, &row);
    state_rollback(c->state);
    if (s == STATUS_OK) message_give(c, &row, out);
    return api_result(c, s);
}

static enum status row_find_in(struct state *state, const char *name, struct outbox_row *out)
{
    struct message_key key = {{0}};
    struct message_ref reference;
    struct message_id id;
    enum status s = STATUS_NOT_FOUND;
    if (message_id_parse(name, &id) == STATUS_OK) s = state_outbox_find_id(state, id, out);
    if (s == STATUS_NOT_FOUND && reference_parse(name, &reference) == STATUS_OK)
        s = state_outbox_find_id(state, reference.id, out);
    size_t len = strlen(name);
    if (s != STATUS_NOT_FOUND || len == 0 || len > STATE_KEY_LEN_MAX) return s;
    memcpy(key.text, name, len);
    return state_outbox_find_key(state, &key, out);
}

enum sealmq_status sealmq_message_find(struct sealmq_client *c, const char *name, struct sealmq_message *out)
{
    struct outbox_row row;
    enum status s = api_out(out);
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = row_find_in(c->state, name, &row);
    state_rollback(c->state);
    if (s == STATUS_OK) message_give(c, &row, out);
    return api_result(c, s);
}

static enum status next_in(struct state *state, struct outbox_scan *scan)
{
    enum status s;
    do {
        s = state_outbox_scan(state, scan);
        scan->after = scan->rows[0].order;
    } while (s == STATUS_OK && scan->row_count > 0 && scan->rows[0].copy_of > 0);
    return s == STATUS_OK && scan->row_count == 0 ? STATUS_NOT_FOUND : s;
}

enum sealmq_status sealmq_outbox_next(struct sealmq_client *c, enum sealmq_stage stage, uint64_t after,
                                      struct sealmq_message *out)
{
    struct outbox_row row;
    struct outbox_scan scan = {.class = (enum message_class)stage, .after = after, .rows = &row, .row_max = 1};
    enum status s = api_out(out);
    if (s == STATUS_OK && (unsigned)stage > SEALMQ_STAGE_ENDED) s = STATUS_MALFORMED;
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = next_in(c->state, &scan);
    state_rollback(c->state);
    if (s == STATUS_OK) message_give(c, &row, out);
    return api_result(c, s);
}

static bool is_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != 0) return false;
    return true;
}

enum sealmq_status sealmq_message_reference(struct sealmq_client *c, const struct sealmq_message *message,
                                            struct sealmq_reference *out)
{
    struct sealmq_identity me = SEALMQ_INIT(struct sealmq_identity);
    struct sealmq_message m;
    memset(out, 0, sizeof *out);
    enum status s = api_take(message, &m, sizeof m);
    if (s != STATUS_OK) return api_result(c, s);
    if (is_zero(m.id.bytes, sizeof m.id.bytes) || is_zero(m.account.bytes, sizeof m.account.bytes))
        return api_fail(c, STATUS_STATE, "the message has no id or no recipient yet");
    enum sealmq_status result = sealmq_identity_get(c, &me);
    if (result != SEALMQ_OK) return result;
    *out = (struct sealmq_reference){.sender = me.device, .target = m.account, .id = m.id};
    return SEALMQ_OK;
}

/* ---- the user's wishes ---- */

enum sealmq_status sealmq_release(struct sealmq_client *c, uint64_t order)
{
    struct outbox_row row;
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = message_in(c->state, order, &row);
    state_rollback(c->state);
    if (s == STATUS_OK) s = engine_release(c->engine, host_now(), &row.key);
    api_changed(c);
    return s == STATUS_STATE ? api_fail(c, s, "the message does not wait for you: it is %s",
                                        message_state_name(row.state))
                             : api_result(c, s);
}

/* What is under way just now, by another process, is left alone. */
static enum status work_hasten_in(struct state *state)
{
    struct outbox_row rows[PAGE_ROWS];
    struct outbox_scan scan = {.class = CLASS_WORK, .rows = rows, .row_max = PAGE_ROWS};
    do {
        enum status s = state_outbox_scan(state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (rows[i].submitted) continue;
            rows[i].due_ms = host_now().wall_ms;
            s = state_outbox_put(state, &rows[i]);
        }
        if (s != STATUS_OK) return s;
    } while (scan.row_count == PAGE_ROWS);
    return STATUS_OK;
}

enum sealmq_status sealmq_hasten(struct sealmq_client *c)
{
    enum status s = state_begin(c->state, STATE_WRITE);
    if (s != STATUS_OK) return api_result(c, s);
    s = work_hasten_in(c->state);
    if (s == STATUS_OK)
        s = state_commit(c->state);
    else
        state_rollback(c->state);
    api_changed(c);
    return api_result(c, s);
}
