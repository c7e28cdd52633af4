/* state: the rules of state.h that hold for every backend, checked in one place, then the backend's
 * op. Not a cache and no logic of its own. */
#include "clients/state/state.h"

#include <string.h>

static void need(const struct state *s, enum state_mode mode)
{
    ENSURE(s->open >= 1 + (unsigned)mode);
}

enum status state_begin(struct state *s, enum state_mode mode)
{
    ENSURE(!s->open);
    enum status got = s->ops->begin(s, mode);
    if (got == STATUS_OK) s->open = 1 + (unsigned)mode;
    return got;
}

enum status state_commit(struct state *s)
{
    need(s, STATE_READ);
    enum status got = s->ops->commit(s);
    s->open = 0;
    return got;
}

void state_rollback(struct state *s)
{
    need(s, STATE_READ);
    s->ops->rollback(s);
    s->open = 0;
}

void state_close(struct state **s)
{
    if (!*s) return;
    (*s)->ops->close(*s);
    *s = NULL;
}

enum status state_identity_get(struct state *s, struct arena *a, struct state_identity *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->identity_get(s, a, out);
}

enum status state_identity_put(struct state *s, const struct state_identity *in)
{
    need(s, STATE_WRITE);
    ENSURE(in->entry.len <= ENTRY_LEN_MAX && in->handle.len <= HANDLE_LEN_MAX &&
           in->endpoints.len <= STATE_ENDPOINTS_LEN_MAX);
    return s->ops->identity_put(s, in);
}

enum status state_secrets_get(struct state *s, struct device_secrets *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->secrets_get(s, out);
}

enum status state_secrets_put(struct state *s, const struct device_secrets *in)
{
    need(s, STATE_WRITE);
    return s->ops->secrets_put(s, in);
}

static bool setting_name_fits(const char *name)
{
    size_t len = strnlen(name, STATE_SETTING_NAME_MAX + 1);
    return len > 0 && len <= STATE_SETTING_NAME_MAX;
}

enum status state_setting_get(struct state *s, const char *name, struct arena *a, struct view *out)
{
    need(s, STATE_READ);
    ENSURE(setting_name_fits(name));
    *out = view_of(NULL, 0);
    return s->ops->setting_get(s, name, a, out);
}

enum status state_setting_put(struct state *s, const char *name, struct view value)
{
    need(s, STATE_WRITE);
    ENSURE(setting_name_fits(name) && value.len <= STATE_SETTING_VALUE_MAX);
    return s->ops->setting_put(s, name, value);
}

enum status state_handle_get(struct state *s, struct view handle, struct account_id *out)
{
    need(s, STATE_READ);
    ENSURE(handle.len <= HANDLE_LEN_MAX);
    memset(out, 0, sizeof *out);
    return s->ops->handle_get(s, handle, out);
}

enum status state_handle_put(struct state *s, struct view handle, struct account_id account)
{
    need(s, STATE_WRITE);
    ENSURE(handle.len > 0 && handle.len <= HANDLE_LEN_MAX);
    return s->ops->handle_put(s, handle, account);
}

enum status state_contact_get(struct state *s, struct account_id account, struct contact *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->contact_get(s, account, out);
}

enum status state_contact_put(struct state *s, const struct contact *in)
{
    need(s, STATE_WRITE);
    ENSURE(in->log.length > 0 && in->log.device_count <= DEVICES_EVER_MAX);
    return s->ops->contact_put(s, in);
}

enum status state_contact_handle(struct state *s, struct account_id account, struct arena *a,
                                 struct view *out)
{
    need(s, STATE_READ);
    *out = view_of(NULL, 0);
    return s->ops->contact_handle(s, account, a, out);
}

enum status state_contact_next(struct state *s, struct account_id after, struct account_id *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->contact_next(s, after, out);
}

enum status state_kept_key_get(struct state *s, enum kept_key which, uint8_t out[32])
{
    need(s, STATE_READ);
    ENSURE(which == KEPT_BACKUP || which == KEPT_BACKUP_NEXT);
    memset(out, 0, 32);
    return s->ops->kept_key_get(s, which, out);
}

enum status state_kept_key_put(struct state *s, enum kept_key which, const uint8_t *key)
{
    need(s, STATE_WRITE);
    ENSURE(which == KEPT_BACKUP || which == KEPT_BACKUP_NEXT);
    return s->ops->kept_key_put(s, which, key);
}

enum status state_entry_put(struct state *s, struct account_id account, uint64_t number, struct view entry)
{
    need(s, STATE_WRITE);
    ENSURE(number < LOG_LENGTH_MAX && entry.len > 0 && entry.len <= ENTRY_LEN_MAX);
    return s->ops->entry_put(s, account, number, entry);
}

enum status state_entry_scan(struct state *s, struct arena *a, struct entry_scan *scan)
{
    need(s, STATE_READ);
    ENSURE(scan->max > 0 && scan->max <= ENTRIES_PER_FRAME);
    scan->count = 0;
    scan->entries = arena_array(a, scan->max, sizeof *scan->entries);
    return s->ops->entry_scan(s, a, scan);
}

enum status state_prekey_put(struct state *s, const struct state_prekey *in)
{
    need(s, STATE_WRITE);
    ENSURE(in->id > 0 && in->kind >= PREKEY_SIGNED && in->kind <= PREKEY_ONE_TIME);
    return s->ops->prekey_put(s, in);
}

enum status state_prekey_get(struct state *s, enum prekey_kind kind, uint64_t id, struct state_prekey *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->prekey_get(s, kind, id, out);
}

enum status state_prekey_last(struct state *s, enum prekey_kind kind, uint64_t *id)
{
    need(s, STATE_READ);
    *id = 0;
    return s->ops->prekey_last(s, kind, id);
}

enum status state_prekey_drop(struct state *s, enum prekey_kind kind, uint64_t id)
{
    need(s, STATE_WRITE);
    return s->ops->prekey_drop(s, kind, id);
}

enum status state_prekey_prune(struct state *s, enum prekey_kind kind, uint64_t before_ms)
{
    need(s, STATE_WRITE);
    return s->ops->prekey_prune(s, kind, before_ms);
}

enum status state_prekey_forget(struct state *s, enum prekey_kind kind, uint64_t keep_from)
{
    need(s, STATE_WRITE);
    return s->ops->prekey_forget(s, kind, keep_from);
}

/* ---- sessions ---- */

enum status state_session_put(struct state *s, struct state_session *in)
{
    need(s, STATE_WRITE);
    return s->ops->session_put(s, in);
}

enum status state_session_scan(struct state *s, struct session_scan *scan)
{
    need(s, STATE_READ);
    scan->count = 0;
    return s->ops->session_scan(s, scan);
}

enum status state_session_drop(struct state *s, uint64_t number)
{
    need(s, STATE_WRITE);
    return s->ops->session_drop(s, number);
}

enum status state_sessions_retire(struct state *s)
{
    need(s, STATE_WRITE);
    return s->ops->sessions_retire(s);
}

enum status state_skipped_put(struct state *s, uint64_t session, const struct skipped *in)
{
    need(s, STATE_WRITE);
    return s->ops->skipped_put(s, session, in);
}

enum status state_skipped_get(struct state *s, uint64_t session, const struct ratchet_place *place,
                              struct message_sk *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->skipped_get(s, session, place, out);
}

enum status state_skipped_drop(struct state *s, uint64_t session, const struct ratchet_place *place)
{
    need(s, STATE_WRITE);
    return s->ops->skipped_drop(s, session, place);
}

enum status state_skipped_trim(struct state *s, uint64_t session, size_t keep)
{
    need(s, STATE_WRITE);
    return s->ops->skipped_trim(s, session, keep);
}

enum status state_start_put(struct state *s, const struct prekey_pk *ephemeral, uint64_t made_ms)
{
    need(s, STATE_WRITE);
    return s->ops->start_put(s, ephemeral, made_ms);
}

enum status state_start_known(struct state *s, const struct prekey_pk *ephemeral, bool *known)
{
    need(s, STATE_READ);
    *known = false;
    return s->ops->start_known(s, ephemeral, known);
}

enum status state_start_prune(struct state *s, uint64_t before_ms)
{
    need(s, STATE_WRITE);
    return s->ops->start_prune(s, before_ms);
}

enum status state_counter_get(struct state *s, enum state_counter kind, struct view key, uint64_t *out)
{
    need(s, STATE_READ);
    ENSURE(key.len > 0 && key.len <= 48);
    *out = 0;
    return s->ops->counter_get(s, kind, key, out);
}

enum status state_counter_put(struct state *s, enum state_counter kind, struct view key, uint64_t value)
{
    need(s, STATE_WRITE);
    ENSURE(key.len > 0 && key.len <= 48);
    return s->ops->counter_put(s, kind, key, value);
}

/* ---- verdicts ---- */

enum status state_verdict_get(struct state *s, struct account_id account, struct state_verdict *out)
{
    need(s, STATE_READ);
    *out = (struct state_verdict){.account = account};
    enum status status = s->ops->verdict_get(s, account, out);
    if (status != STATUS_OK) *out = (struct state_verdict){.account = account};
    return status;
}

enum status state_verdict_put(struct state *s, const struct state_verdict *in)
{
    need(s, STATE_WRITE);
    ENSURE(in->held < CONTACT_VERDICTS && in->wish < CONTACT_VERDICTS && (in->wished || in->wish == CONTACT_NONE));
    return s->ops->verdict_put(s, in);
}

enum status state_verdict_scan(struct state *s, struct verdict_scan *scan)
{
    need(s, STATE_READ);
    ENSURE(scan->row_max > 0 && scan->row_max <= STATE_SCAN_MAX);
    scan->row_count = 0;
    return s->ops->verdict_scan(s, scan);
}

enum status state_verdict_count(struct state *s, enum verdict_which which, uint64_t *out)
{
    need(s, STATE_READ);
    *out = 0;
    return s->ops->verdict_count(s, which, out);
}

/* ---- outbox ---- */

static bool key_fits(const struct message_key *key)
{
    size_t len = strnlen(key->text, sizeof key->text);
    return len > 0 && len < sizeof key->text;
}

enum status state_outbox_put(struct state *s, struct outbox_row *row)
{
    need(s, STATE_WRITE);
    ENSURE(key_fits(&row->key) && row->handle_len <= HANDLE_LEN_MAX &&
           row->attempt_count <= STATE_ATTEMPTS_MAX && row->part_count <= DEVICES_PER_ACCOUNT &&
           row->state > MESSAGE_NONE && row->state < MESSAGE_STATE_END);
    return s->ops->outbox_put(s, row);
}

enum status state_outbox_get(struct state *s, uint64_t order, struct outbox_row *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->outbox_get(s, order, out);
}

enum status state_outbox_find_key(struct state *s, const struct message_key *key,
                                  struct outbox_row *out)
{
    need(s, STATE_READ);
    ENSURE(key_fits(key));
    memset(out, 0, sizeof *out);
    return s->ops->outbox_find_key(s, key, out);
}

enum status state_outbox_find_id(struct state *s, struct message_id id, struct outbox_row *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->outbox_find_id(s, id, out);
}

enum status state_outbox_copy(struct state *s, uint64_t message, struct outbox_row *out)
{
    need(s, STATE_READ);
    ENSURE(message > 0);
    memset(out, 0, sizeof *out);
    return s->ops->outbox_copy(s, message, out);
}

enum status state_outbox_find_copy(struct state *s, struct message_id id, struct outbox_row *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->outbox_find_copy(s, id, out);
}

enum status state_body_get(struct state *s, uint64_t order, struct arena *a,
                           struct outbox_body *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->body_get(s, order, a, out);
}

enum status state_body_put(struct state *s, uint64_t order, const struct outbox_body *in)
{
    need(s, STATE_WRITE);
    ENSURE(in->payload.len <= PAYLOAD_LEN_MAX && in->item.len <= FRAME_META_LEN_MAX &&
           in->ciphertext.len <= DEVICES_PER_ACCOUNT * CIPHERTEXT_LEN_MAX &&
           in->answer.len <= STATE_ANSWER_LEN_MAX && (in->head.len == 0 || in->head.len == CONTENT_HEAD_LEN));
    return s->ops->body_put(s, order, in);
}

enum status state_outbox_scan(struct state *s, struct outbox_scan *scan)
{
    need(s, STATE_READ);
    ENSURE(scan->row_max > 0 && scan->row_max <= STATE_SCAN_MAX);
    ENSURE(!scan->held || (scan->class == 0 && scan->due_ms == 0));
    scan->row_count = 0;
    return s->ops->outbox_scan(s, scan);
}

enum status state_outbox_receipt(struct state *s, struct store_id store, struct term term,
                                 uint64_t commit, uint64_t after, struct outbox_row *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->outbox_receipt(s, store, term, commit, after, out);
}

enum status state_inbox_put(struct state *s, struct inbox_row *row, bool *added)
{
    need(s, STATE_WRITE);
    ENSURE(row->body.len <= CIPHERTEXT_LEN_MAX && (!row->closed || row->sealed));
    *added = false;
    return s->ops->inbox_put(s, row, added);
}

enum status state_inbox_scan(struct state *s, struct inbox_scan *scan, struct arena *a)
{
    need(s, STATE_READ);
    ENSURE(scan->row_max > 0 && scan->row_max <= STATE_SCAN_MAX);
    scan->row_count = 0;
    return s->ops->inbox_scan(s, scan, a);
}

enum status state_inbox_find(struct state *s, struct device_id sender, struct message_id id, struct inbox_row *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->inbox_find(s, sender, id, out);
}

enum status state_inbox_open(struct state *s, const struct inbox_row *row)
{
    need(s, STATE_WRITE);
    ENSURE(row->sealed && row->body.len <= PAYLOAD_LEN_MAX && row->head.len == CONTENT_HEAD_LEN);
    return s->ops->inbox_open(s, row);
}

enum status state_inbox_drop(struct state *s, uint64_t order)
{
    need(s, STATE_WRITE);
    return s->ops->inbox_drop(s, order);
}

enum status state_inbox_show(struct state *s, uint64_t order)
{
    need(s, STATE_WRITE);
    return s->ops->inbox_show(s, order);
}

enum status state_inbox_withhold(struct state *s, uint64_t order)
{
    need(s, STATE_WRITE);
    return s->ops->inbox_withhold(s, order);
}

enum status state_inbox_release(struct state *s, uint64_t order)
{
    need(s, STATE_WRITE);
    return s->ops->inbox_release(s, order);
}

enum status state_ack_put(struct state *s, const struct pending_ack *in)
{
    need(s, STATE_WRITE);
    return s->ops->ack_put(s, in);
}

enum status state_ack_scan(struct state *s, struct pending_ack *out, size_t max, size_t *count)
{
    need(s, STATE_READ);
    ENSURE(max > 0 && max <= STATE_SCAN_MAX);
    *count = 0;
    return s->ops->ack_scan(s, out, max, count);
}

enum status state_ack_drop(struct state *s, struct position up_to)
{
    need(s, STATE_WRITE);
    return s->ops->ack_drop(s, up_to);
}

enum status state_term_get(struct state *s, struct store_id store, struct term *out)
{
    need(s, STATE_READ);
    memset(out, 0, sizeof *out);
    return s->ops->term_get(s, store, out);
}

enum status state_term_put(struct state *s, struct store_id store, struct term term)
{
    need(s, STATE_WRITE);
    return s->ops->term_put(s, store, term);
}

enum status state_clear(struct state *s)
{
    need(s, STATE_WRITE);
    return s->ops->clear(s);
}

enum status state_prune(struct state *s, const struct state_prune *limits, bool *more)
{
    need(s, STATE_WRITE);
    ENSURE(limits->row_max > 0);
    *more = false;
    return s->ops->prune(s, limits, more);
}
