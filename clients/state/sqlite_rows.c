/* sqlite_rows: identity, settings, handles, pending acknowledgements, terms and pruning in SQLite; outbox, inbox,
 * sessions, and logs and prekeys (sqlite_keys.c) have their own files. Each function is one statement, or a few in the caller's
 * transaction.
 * Invariant: outputs are set only by a row that followed its format whole. */
#include "clients/state/sqlite_call.h"

#include <string.h>

enum status take_end(struct call *c, bool found, void *out, size_t len)
{
    enum status s = call_end(c);
    if (s == STATUS_OK && !found) s = STATUS_NOT_FOUND;
    if (s != STATUS_OK) memset(out, 0, len);
    return s;
}

/* ---- identity ---- */

enum status sqlite_identity_get(struct state *s, struct arena *a, struct state_identity *out)
{
    struct call c = call_begin(s, STATEMENT_IDENTITY_GET);
    bool found = call_step(&c);
    if (found) {
        column_bytes(&c, out->account.bytes, sizeof out->account.bytes);
        column_bytes(&c, out->device.bytes, sizeof out->device.bytes);
        column_bytes(&c, out->record.signing.bytes, sizeof out->record.signing.bytes);
        column_bytes(&c, out->record.identity.bytes, sizeof out->record.identity.bytes);
        column_bytes(&c, out->record.transport.bytes, sizeof out->record.transport.bytes);
        out->entry = column_copy(&c, a, ENTRY_LEN_MAX);
        out->handle = column_copy(&c, a, HANDLE_LEN_MAX);
        out->endpoints = column_copy(&c, a, STATE_ENDPOINTS_LEN_MAX);
        column_bytes(&c, out->server.bytes, sizeof out->server.bytes);
        out->registered = column_bool(&c);
        out->claimed = column_bool(&c);
    }
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_identity_put(struct state *s, const struct state_identity *in)
{
    struct call c = call_begin(s, STATEMENT_IDENTITY_PUT);
    bind_bytes(&c, in->account.bytes, sizeof in->account.bytes);
    bind_bytes(&c, in->device.bytes, sizeof in->device.bytes);
    bind_bytes(&c, in->record.signing.bytes, sizeof in->record.signing.bytes);
    bind_bytes(&c, in->record.identity.bytes, sizeof in->record.identity.bytes);
    bind_bytes(&c, in->record.transport.bytes, sizeof in->record.transport.bytes);
    bind_view(&c, in->entry);
    bind_view(&c, in->handle);
    bind_view(&c, in->endpoints);
    bind_bytes(&c, in->server.bytes, sizeof in->server.bytes);
    bind_u64(&c, in->registered);
    bind_u64(&c, in->claimed);
    return call_run(&c, NULL);
}

static const struct view NO_KEY = {NULL, 0}; /* of a table with one row */

enum status sqlite_secrets_get(struct state *s, struct device_secrets *out)
{
    struct call c = call_begin(s, STATEMENT_SECRETS_GET);
    bool found = call_step(&c);
    if (found) {
        column_sealed(&c, "secrets.signing", NO_KEY, out->signing_sk, sizeof out->signing_sk);
        column_sealed(&c, "secrets.agreement", NO_KEY, out->identity_sk, sizeof out->identity_sk);
        column_sealed(&c, "secrets.transport", NO_KEY, out->transport_sk, sizeof out->transport_sk);
        column_sealed(&c, "secrets.next_agreement", NO_KEY, out->next_identity_sk, sizeof out->next_identity_sk);
    }
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_secrets_put(struct state *s, const struct device_secrets *in)
{
    struct call c = call_begin(s, STATEMENT_SECRETS_PUT);
    bind_sealed(&c, "secrets.signing", NO_KEY, view_of(in->signing_sk, sizeof in->signing_sk));
    bind_sealed(&c, "secrets.agreement", NO_KEY, view_of(in->identity_sk, sizeof in->identity_sk));
    bind_sealed(&c, "secrets.transport", NO_KEY, view_of(in->transport_sk, sizeof in->transport_sk));
    bind_sealed(&c, "secrets.next_agreement", NO_KEY, view_of(in->next_identity_sk, sizeof in->next_identity_sk));
    return call_run(&c, NULL);
}

enum status sqlite_setting_get(struct state *s, const char *name, struct arena *a, struct view *out)
{
    struct call c = call_begin(s, STATEMENT_SETTING_GET);
    bind_bytes(&c, name, strlen(name));
    bool found = call_step(&c);
    if (found) *out = column_copy(&c, a, STATE_SETTING_VALUE_MAX);
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_setting_put(struct state *s, const char *name, struct view value)
{
    struct call c = call_begin(s, value.len > 0 ? STATEMENT_SETTING_PUT : STATEMENT_SETTING_DROP);
    bind_bytes(&c, name, strlen(name));
    if (value.len > 0) bind_view(&c, value);
    return call_run(&c, NULL);
}

/* ---- handles ---- */

enum status sqlite_handle_get(struct state *s, struct view handle, struct account_id *out)
{
    struct call c = call_begin(s, STATEMENT_HANDLE_GET);
    bind_view(&c, handle);
    bool found = call_step(&c);
    if (found) column_bytes(&c, out->bytes, sizeof out->bytes);
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_handle_put(struct state *s, struct view handle, struct account_id account)
{
    struct call c = call_begin(s, STATEMENT_HANDLE_PUT);
    bind_view(&c, handle);
    bind_bytes(&c, account.bytes, sizeof account.bytes);
    return call_run(&c, NULL);
}

enum status sqlite_contact_handle(struct state *s, struct account_id account, struct arena *a,
                                  struct view *out)
{
    struct call c = call_begin(s, STATEMENT_CONTACT_HANDLE);
    bind_bytes(&c, account.bytes, sizeof account.bytes);
    bool found = call_step(&c);
    if (found) *out = column_copy(&c, a, HANDLE_LEN_MAX);
    return take_end(&c, found, out, sizeof *out);
}

/* ---- acknowledgements, terms ---- */

enum status sqlite_ack_put(struct state *s, const struct pending_ack *in)
{
    struct call c = call_begin(s, STATEMENT_ACK_PUT);
    bind_bytes(&c, in->position.term.bytes, sizeof in->position.term.bytes);
    bind_ordered(&c, in->position.seq);
    bind_u64(&c, in->reason);
    return call_run(&c, NULL);
}

enum status sqlite_ack_scan(struct state *s, struct pending_ack *out, size_t max, size_t *count)
{
    struct call c = call_begin(s, STATEMENT_ACK_SCAN);
    bind_u64(&c, max);
    *count = 0;
    while (*count < max && call_step(&c)) {
        struct pending_ack *ack = &out[(*count)++];
        memset(ack, 0, sizeof *ack);
        column_bytes(&c, ack->position.term.bytes, sizeof ack->position.term.bytes);
        ack->position.seq = column_ordered(&c);
        uint32_t reason = column_u32(&c);
        if (reason > FAIL_DAMAGED) call_damaged(&c);
        ack->reason = (enum fail_reason)reason;
    }
    enum status status = call_end(&c);
    if (status != STATUS_OK) *count = 0;
    return status;
}

enum status sqlite_ack_drop(struct state *s, struct position up_to)
{
    struct call c = call_begin(s, STATEMENT_ACK_DROP);
    bind_bytes(&c, up_to.term.bytes, sizeof up_to.term.bytes);
    bind_ordered(&c, up_to.seq);
    return call_run(&c, NULL);
}

enum status sqlite_term_get(struct state *s, struct store_id store, struct term *out)
{
    struct call c = call_begin(s, STATEMENT_TERM_GET);
    bind_bytes(&c, store.bytes, sizeof store.bytes);
    bool found = call_step(&c);
    if (found) column_bytes(&c, out->bytes, sizeof out->bytes);
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_term_put(struct state *s, struct store_id store, struct term term)
{
    struct call c = call_begin(s, STATEMENT_TERM_PUT);
    bind_bytes(&c, store.bytes, sizeof store.bytes);
    bind_bytes(&c, term.bytes, sizeof term.bytes);
    return call_run(&c, NULL);
}

/* ---- housekeeping ---- */

/* One kind: at most max rows before the limit; *more becomes true when there are others. */
static enum status prune_kind(struct state *s, enum statement prune, enum statement rest,
                              uint64_t before_ms, size_t max, bool *more)
{
    if (before_ms == 0) return STATUS_OK;
    struct call c = call_begin(s, prune);
    bind_ordered(&c, before_ms);
    bind_u64(&c, max);
    enum status status = call_run(&c, NULL);
    if (status != STATUS_OK) return status;
    c = call_begin(s, rest);
    bind_ordered(&c, before_ms);
    if (call_step(&c)) *more = true;
    return call_end(&c);
}

enum status sqlite_prune(struct state *s, const struct state_prune *limits, bool *more)
{
    size_t max = limits->row_max;
    enum status status = prune_kind(s, STATEMENT_PRUNE_OUTBOX, STATEMENT_PRUNE_OUTBOX_MORE,
                                    limits->outbox_ended_before_ms, max, more);
    if (status == STATUS_OK)
        status = prune_kind(s, STATEMENT_PRUNE_BODY, STATEMENT_PRUNE_BODY_MORE,
                            limits->inbox_body_before_ms, max, more);
    if (status == STATUS_OK)
        status = prune_kind(s, STATEMENT_PRUNE_INBOX, STATEMENT_PRUNE_INBOX_MORE,
                            limits->inbox_before_ms, max, more);
    return status;
}
