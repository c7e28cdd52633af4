/* sqlite_keys: identity logs, their entries, and prekeys in SQLite. A log is kept as identity_log_write makes it.
 * Invariant: outputs are set only by a row that followed its format whole. */
#include "clients/state/sqlite_call.h"

#include <string.h>

/* ---- logs ---- */

#define LOG_BYTES_MAX (IDENTITY_LOG_HEAD_LEN + DEVICES_EVER_MAX * IDENTITY_LOG_DEVICE_LEN)

static enum loss column_loss(struct call *c)
{
    uint64_t loss = column_u64(c);
    if (loss > LOSS_ROLLBACK) call_damaged(c);
    return (enum loss)loss;
}

enum status sqlite_contact_get(struct state *s, struct account_id account, struct contact *out)
{
    struct call c = call_begin(s, STATEMENT_CONTACT_GET);
    bind_bytes(&c, account.bytes, sizeof account.bytes);
    bool found = call_step(&c);
    if (found) {
        bool good = identity_log_read(column_view(&c, LOG_BYTES_MAX), &out->log) == STATUS_OK;
        if (!good || memcmp(&out->log.account, &account, sizeof account) != 0) call_damaged(&c);
        out->checked_ms = column_u64(&c);
        out->verified_ms = column_u64(&c);
        out->loss = column_loss(&c);
        out->lost_ms = column_u64(&c);
        out->incoming = column_bool(&c);
        out->hold = column_loss(&c);
        out->hold_ms = column_u64(&c);
        column_maybe(&c, out->hold_head.bytes, sizeof out->hold_head.bytes);
        out->stated_version = column_u64(&c);
        column_maybe(&c, out->stated_head.bytes, sizeof out->stated_head.bytes);
        out->stated_ms = column_u64(&c);
        out->stated_warned_ms = column_u64(&c);
    }
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_contact_put(struct state *s, const struct contact *in)
{
    struct buffer log = {0};
    identity_log_write(&in->log, &log);
    struct call c = call_begin(s, STATEMENT_CONTACT_PUT);
    bind_bytes(&c, in->log.account.bytes, sizeof in->log.account.bytes);
    bind_view(&c, buffer_view(&log));
    bind_u64(&c, in->checked_ms);
    bind_u64(&c, in->verified_ms);
    bind_u64(&c, in->loss);
    bind_u64(&c, in->lost_ms);
    bind_u64(&c, in->incoming);
    bind_u64(&c, in->hold);
    bind_u64(&c, in->hold_ms);
    bind_bytes(&c, in->hold_head.bytes, sizeof in->hold_head.bytes);
    bind_u64(&c, in->stated_version);
    bind_bytes(&c, in->stated_head.bytes, sizeof in->stated_head.bytes);
    bind_u64(&c, in->stated_ms);
    bind_u64(&c, in->stated_warned_ms);
    enum status status = call_run(&c, NULL);
    buffer_fini(&log);
    return status;
}

enum status sqlite_contact_next(struct state *s, struct account_id after, struct account_id *out)
{
    struct call c = call_begin(s, STATEMENT_CONTACT_NEXT);
    bind_bytes(&c, after.bytes, sizeof after.bytes);
    bool found = call_step(&c);
    if (found) column_bytes(&c, out->bytes, sizeof out->bytes);
    return take_end(&c, found, out, sizeof *out);
}

/* ---- keys of no device ---- */

static struct view kept_key_of(enum kept_key which, uint8_t bytes[8])
{
    put_u64(bytes, which);
    return view_of(bytes, 8);
}

enum status sqlite_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32])
{
    uint8_t key[8];
    struct call c = call_begin(s, STATEMENT_KEPT_KEY_GET);
    bind_u64(&c, which);
    bool found = call_step(&c);
    if (found) column_sealed(&c, "kept_key.secret", kept_key_of(which, key), out, 32);
    return take_end(&c, found, out, 32);
}

enum status sqlite_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key)
{
    uint8_t name[8];
    struct call c = call_begin(s, key ? STATEMENT_KEPT_KEY_PUT : STATEMENT_KEPT_KEY_DROP);
    bind_u64(&c, which);
    if (key) bind_sealed(&c, "kept_key.secret", kept_key_of(which, name), view_of(key, 32));
    return call_run(&c, NULL);
}

/* ---- entries ---- */

enum status sqlite_entry_put(struct state *s, struct account_id account, uint64_t number, struct view entry)
{
    struct call c = call_begin(s, STATEMENT_ENTRY_PUT);
    bind_bytes(&c, account.bytes, sizeof account.bytes);
    bind_u64(&c, number);
    bind_view(&c, entry);
    return call_run(&c, NULL);
}

enum status sqlite_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan)
{
    struct call c = call_begin(s, STATEMENT_ENTRY_SCAN);
    bind_bytes(&c, scan->account.bytes, sizeof scan->account.bytes);
    bind_u64(&c, scan->first);
    bind_u64(&c, scan->max);
    while (scan->count < scan->max && call_step(&c)) {
        if (column_u64(&c) != scan->first + scan->count) break;
        scan->entries[scan->count++] = column_copy(&c, a, ENTRY_LEN_MAX);
    }
    return call_end(&c);
}

/* ---- prekeys ---- */

/* The key of a row's sealed columns: kind ‖ id. */
struct prekey_key {
    uint8_t bytes[16];
};

static struct prekey_key prekey_key(enum prekey_kind kind, uint64_t id)
{
    struct prekey_key key;
    put_u64(key.bytes, kind);
    put_u64(key.bytes + 8, id);
    return key;
}

enum status sqlite_prekey_put(struct state *s, const struct state_prekey *in)
{
    struct call note = call_begin(s, STATEMENT_PREKEY_NOTE);
    bind_u64(&note, in->kind);
    bind_u64(&note, in->id);
    enum status status = call_run(&note, NULL);
    if (status != STATUS_OK) return status;
    struct prekey_key key = prekey_key(in->kind, in->id);
    struct call c = call_begin(s, STATEMENT_PREKEY_PUT);
    bind_u64(&c, in->kind);
    bind_u64(&c, in->id);
    bind_ordered(&c, in->made_ms);
    bind_bytes(&c, in->pk.bytes, sizeof in->pk.bytes);
    bind_sealed(&c, "prekey.secret", view_of(key.bytes, sizeof key.bytes), view_of(in->sk, sizeof in->sk));
    return call_run(&c, NULL);
}

enum status sqlite_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out)
{
    struct prekey_key key = prekey_key(kind, id);
    struct call c = call_begin(s, STATEMENT_PREKEY_GET);
    bind_u64(&c, kind);
    bind_u64(&c, id);
    bool found = call_step(&c);
    if (found) {
        out->kind = kind;
        out->id = id;
        out->made_ms = column_ordered(&c);
        column_bytes(&c, out->pk.bytes, sizeof out->pk.bytes);
        column_sealed(&c, "prekey.secret", view_of(key.bytes, sizeof key.bytes), out->sk, sizeof out->sk);
    }
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id)
{
    struct call c = call_begin(s, STATEMENT_PREKEY_LAST);
    bind_u64(&c, kind);
    if (call_step(&c)) *id = column_u64(&c);
    enum status status = call_end(&c);
    if (status != STATUS_OK) *id = 0;
    return status;
}

enum status sqlite_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id)
{
    struct call c = call_begin(s, STATEMENT_PREKEY_DROP);
    bind_u64(&c, kind);
    bind_u64(&c, id);
    return call_run(&c, NULL);
}

enum status sqlite_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms)
{
    struct call c = call_begin(s, STATEMENT_PREKEY_PRUNE);
    bind_u64(&c, kind);
    bind_ordered(&c, before_ms);
    return call_run(&c, NULL);
}

enum status sqlite_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from)
{
    struct call c = call_begin(s, STATEMENT_PREKEY_FORGET);
    bind_u64(&c, kind);
    bind_u64(&c, keep_from);
    return call_run(&c, NULL);
}
