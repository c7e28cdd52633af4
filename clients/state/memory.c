/* memory: the state contract over ordered rows (rows.h): transactions, the small tables, housekeeping
 * and the ops table; outbox and inbox stand beside it. Not a cache: the model that sqlite must equal. */
#include "clients/state/memory_rows.h"

#include <stdlib.h>
#include <string.h>

/* ---- transactions ---- */

static enum status memory_begin(struct state *s, enum state_mode mode)
{
    struct memory *m = memory_of(s);
    if (memory_fails(m)) return STATUS_IO;
    return mode == STATE_WRITE && m->lock_in && --m->lock_in == 0 ? STATUS_LOCKED : STATUS_OK;
}

static enum status memory_commit(struct state *s)
{
    struct memory *m = memory_of(s);
    bool failed = memory_fails(m);
    if (failed && !m->fail_keeps)
        rows_undo(m->rows);
    else
        rows_keep(m->rows);
    return failed ? STATUS_IO : STATUS_OK;
}

static void memory_rollback(struct state *s)
{
    rows_undo(memory_of(s)->rows);
}

static void memory_close(struct state *s)
{
    struct memory *m = memory_of(s);
    rows_free(&m->rows);
    free(m);
}

/* ---- identity, settings ---- */

/* The struct, then entry, handle and endpoints; the views' lengths stand in the struct. */
static enum status memory_identity_put(struct state *s, const struct state_identity *in)
{
    struct memory *m = memory_of(s);
    if (memory_fails(m)) return STATUS_IO;
    struct buffer b = {0};
    struct key k = key_of(T_IDENTITY);
    write_bytes(&b, in, sizeof *in);
    write_view(&b, in->entry);
    write_view(&b, in->handle);
    write_view(&b, in->endpoints);
    memory_put(m, &k, b.at, b.len);
    buffer_fini(&b);
    return STATUS_OK;
}

static enum status memory_identity_get(struct state *s, struct arena *a,
                                       struct state_identity *out)
{
    struct memory *m = memory_of(s);
    struct key k = key_of(T_IDENTITY);
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&k), &v)) return STATUS_NOT_FOUND;
    struct reader r = reader_of(arena_copy(a, v));
    read_bytes(&r, out, sizeof *out);
    out->entry = read_view(&r, out->entry.len);
    out->handle = read_view(&r, out->handle.len);
    out->endpoints = read_view(&r, out->endpoints.len);
    return reader_done(&r) == STATUS_OK ? STATUS_OK : STATUS_DAMAGED;
}

static enum status memory_secrets_get(struct state *s, struct device_secrets *out)
{
    struct key k = key_of(T_SECRETS);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_secrets_put(struct state *s, const struct device_secrets *in)
{
    struct key k = key_of(T_SECRETS);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_setting_get(struct state *s, const char *name, struct arena *a,
                                      struct view *out)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_SETTING, name, strlen(name));
    struct view v;
    if (memory_fails(m)) return STATUS_IO;
    if (!rows_get(m->rows, row_key_view(&k), &v)) return STATUS_NOT_FOUND;
    *out = arena_copy(a, v);
    return STATUS_OK;
}

static enum status memory_setting_put(struct state *s, const char *name, struct view value)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_SETTING, name, strlen(name));
    if (memory_fails(m)) return STATUS_IO;
    if (value.len)
        memory_put(m, &k, value.at, value.len);
    else
        memory_drop(m, &k);
    return STATUS_OK;
}

/* ---- contacts ---- */

static enum status memory_handle_get(struct state *s, struct view handle, struct account_id *out)
{
    struct key k = key_bytes(T_HANDLE, handle.at, handle.len);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static struct key named_key(struct account_id account, struct view handle)
{
    struct key k = key_bytes(T_NAMED, account.bytes, sizeof account.bytes);
    key_add(&k, handle.at, handle.len);
    return k;
}

static enum status memory_handle_put(struct state *s, struct view handle,
                                     struct account_id account)
{
    struct memory *m = memory_of(s);
    struct key k = key_bytes(T_HANDLE, handle.at, handle.len);
    struct account_id old;
    if (memory_fails(m)) return STATUS_IO;
    if (memory_get(m, &k, &old, sizeof old)) {
        struct key named = named_key(old, handle);
        memory_drop(m, &named);
    }
    struct key named = named_key(account, handle);
    memory_put(m, &k, account.bytes, sizeof account.bytes);
    memory_put(m, &named, NULL, 0);
    return STATUS_OK;
}

static enum status memory_contact_get(struct state *s, struct account_id account,
                                      struct contact *out)
{
    struct key k = key_bytes(T_CONTACT, account.bytes, sizeof account.bytes);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_contact_put(struct state *s, const struct contact *in)
{
    struct key k = key_bytes(T_CONTACT, in->log.account.bytes, sizeof in->log.account.bytes);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_contact_handle(struct state *s, struct account_id account,
                                         struct arena *a, struct view *out)
{
    struct memory *m = memory_of(s);
    struct key from = named_key(account, view_of(NULL, 0));
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    if (!memory_seek(m, &from, &key, &value) || memcmp(key.at, from.bytes, from.len) != 0)
        return STATUS_NOT_FOUND;
    *out = arena_copy(a, view_of(key.at + from.len, key.len - from.len));
    return STATUS_OK;
}

/* ---- acknowledgements, terms ---- */

static struct key ack_key(struct position p)
{
    struct key k = key_bytes(T_ACK, p.term.bytes, sizeof p.term.bytes);
    key_add_u64(&k, p.seq);
    return k;
}

static enum status memory_ack_put(struct state *s, const struct pending_ack *in)
{
    struct key k = ack_key(in->position);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, in, sizeof *in);
    return STATUS_OK;
}

static enum status memory_ack_scan(struct state *s, struct pending_ack *out, size_t max,
                                   size_t *count)
{
    struct memory *m = memory_of(s);
    struct key from = key_of(T_ACK);
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (*count < max && memory_seek(m, &from, &key, &value)) {
        memcpy(&out[(*count)++], value.at, sizeof *out);
        from.len = 0;
        key_add(&from, key.at, key.len);
        key_add(&from, "", 1); /* the next key there can be */
    }
    return STATUS_OK;
}

static enum status memory_ack_drop(struct state *s, struct position up_to)
{
    struct memory *m = memory_of(s);
    struct key from = key_of(T_ACK);
    struct view key, value;
    if (memory_fails(m)) return STATUS_IO;
    while (memory_seek(m, &from, &key, &value)) {
        struct pending_ack found;
        memcpy(&found, value.at, sizeof found);
        if (position_compare(found.position, up_to) > 0) break;
        struct key k = ack_key(found.position);
        memory_drop(m, &k);
    }
    return STATUS_OK;
}

static enum status memory_term_get(struct state *s, struct store_id store, struct term *out)
{
    struct key k = key_bytes(T_TERM, store.bytes, sizeof store.bytes);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status memory_term_put(struct state *s, struct store_id store, struct term term)
{
    struct key k = key_bytes(T_TERM, store.bytes, sizeof store.bytes);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    memory_put(memory_of(s), &k, term.bytes, sizeof term.bytes);
    return STATUS_OK;
}

/* ---- housekeeping ---- */

/* Runs `prune` on each row of a timed index before the limit, at most max; true when there are more. */
static bool prune_timed(struct memory *m, enum table table, uint64_t before_ms, size_t max,
                        void (*prune)(struct memory *m, uint64_t order))
{
    struct key from = key_of(table);
    struct view key, value;
    for (size_t i = 0;; i++) {
        if (!before_ms || !memory_seek(m, &from, &key, &value) || get_u64(key.at + 1) >= before_ms)
            return false;
        if (i == max) return true;
        prune(m, key_tail(key));
    }
}

static enum status memory_prune(struct state *s, const struct state_prune *limits, bool *more)
{
    struct memory *m = memory_of(s);
    size_t max = limits->row_max;
    if (memory_fails(m)) return STATUS_IO;
    bool outbox = prune_timed(m, T_ENDED, limits->outbox_ended_before_ms, max, prune_outbox_row);
    bool bodies = prune_timed(m, T_BODIED, limits->inbox_body_before_ms, max, prune_inbox_body);
    bool inbox = prune_timed(m, T_SHOWN, limits->inbox_before_ms, max, prune_inbox_row);
    *more = outbox || bodies || inbox;
    return STATUS_OK;
}

static enum status memory_clear(struct state *s)
{
    struct memory *m = memory_of(s);
    if (memory_fails(m)) return STATUS_IO;
    for (enum table table = T_IDENTITY; table < T_COUNTER; table++) {
        struct key from = key_of(table);
        struct view at, value;
        while (memory_seek(m, &from, &at, &value)) {
            struct key k = {.len = 0};
            key_add(&k, at.at, at.len);
            memory_drop(m, &k);
        }
    }
    return STATUS_OK;
}

/* ---- the backend ---- */

static const struct state_ops memory_ops = {
    .name = "memory",
    .begin = memory_begin,
    .commit = memory_commit,
    .rollback = memory_rollback,
    .close = memory_close,
    .identity_get = memory_identity_get,
    .identity_put = memory_identity_put,
    .secrets_get = memory_secrets_get,
    .secrets_put = memory_secrets_put,
    .setting_get = memory_setting_get,
    .setting_put = memory_setting_put,
    .handle_get = memory_handle_get,
    .handle_put = memory_handle_put,
    .contact_get = memory_contact_get,
    .contact_put = memory_contact_put,
    .contact_handle = memory_contact_handle,
    .contact_next = memory_contact_next,
    .kept_key_get = memory_kept_key_get,
    .kept_key_put = memory_kept_key_put,
    .entry_put = memory_entry_put,
    .entry_scan = memory_entry_scan,
    .prekey_put = memory_prekey_put,
    .prekey_get = memory_prekey_get,
    .prekey_last = memory_prekey_last,
    .prekey_drop = memory_prekey_drop,
    .prekey_prune = memory_prekey_prune,
    .prekey_forget = memory_prekey_forget,
    .session_put = memory_session_put,
    .session_scan = memory_session_scan,
    .session_drop = memory_session_drop,
    .sessions_retire = memory_sessions_retire,
    .skipped_put = memory_skipped_put,
    .skipped_get = memory_skipped_get,
    .skipped_drop = memory_skipped_drop,
    .skipped_trim = memory_skipped_trim,
    .start_put = memory_start_put,
    .start_known = memory_start_known,
    .start_prune = memory_start_prune,
    .counter_get = memory_counter_get,
    .counter_put = memory_counter_put,
    .inbox_find = memory_inbox_find,
    .inbox_open = memory_inbox_open,
    .inbox_drop = memory_inbox_drop,
    .verdict_get = memory_verdict_get,
    .verdict_put = memory_verdict_put,
    .verdict_scan = memory_verdict_scan,
    .verdict_count = memory_verdict_count,
    .outbox_put = memory_outbox_put,
    .outbox_get = memory_outbox_get,
    .outbox_find_key = memory_outbox_find_key,
    .outbox_find_id = memory_outbox_find_id,
    .outbox_copy = memory_outbox_copy,
    .outbox_find_copy = memory_outbox_find_copy,
    .body_get = memory_body_get,
    .body_put = memory_body_put,
    .outbox_scan = memory_outbox_scan,
    .outbox_receipt = memory_outbox_receipt,
    .inbox_put = memory_inbox_put,
    .inbox_scan = memory_inbox_scan,
    .inbox_show = memory_inbox_show,
    .inbox_withhold = memory_inbox_withhold,
    .inbox_release = memory_inbox_release,
    .ack_put = memory_ack_put,
    .ack_scan = memory_ack_scan,
    .ack_drop = memory_ack_drop,
    .term_get = memory_term_get,
    .term_put = memory_term_put,
    .clear = memory_clear,
    .prune = memory_prune,
};

struct state *memory_state_new(void)
{
    struct memory *m = calloc(1, sizeof *m);
    if (!m) abort();
    m->base.ops = &memory_ops;
    m->rows = rows_new();
    return &m->base;
}

struct state *memory_state_copy(const struct state *s)
{
    struct memory *to = memory_of(memory_state_new());
    const struct rows *from = ((const struct memory *)s)->rows;
    uint8_t after[ROWS_KEY_LEN_MAX + 1];
    struct view at = view_of(NULL, 0), key, value;
    for (; rows_seek(from, at, &key, &value); at = view_of(after, key.len + 1)) {
        rows_put(to->rows, key, value);
        memcpy(after, key.at, key.len);
        after[key.len] = 0; /* the next key there can be */
    }
    rows_keep(to->rows);
    return &to->base;
}

void memory_state_crash(struct state *s)
{
    rows_undo(memory_of(s)->rows);
    s->open = 0;
}

void memory_state_fail(struct state *s, uint64_t nth, bool kept)
{
    struct memory *m = memory_of(s);
    m->fail_at = nth ? m->calls + nth : 0;
    m->fail_keeps = kept;
}

void memory_state_lock(struct state *s, uint64_t nth)
{
    memory_of(s)->lock_in = nth;
}

uint64_t memory_state_calls(const struct state *s)
{
    return ((const struct memory *)s)->calls;
}
