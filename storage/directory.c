/* directory: who is who. CLAIM_HANDLE points a handle to an account, LOOKUP tells the account of a handle, with the
 * claim that proves it, or an account's signed entries (PROTOCOL 6): the former to anybody. */
#include "storage/core.h"

#include <string.h>

/* ---- CLAIM_HANDLE ---- */

enum status claim_handle_plan(struct storage *s, struct request *r)
{
    const struct msg_claim_handle *m = r->meta;
    struct founding *f = arena_alloc(&s->turn.arena, sizeof *f);
    enum status status = handle_check(m->handle);
    if (status == STATUS_OK && !core_owns(s, home_of_handle(m->handle))) return STATUS_WRONG_HOME;
    if (status == STATUS_OK) status = founding_check(m->entry, &s->turn.arena, f);
    if (status == STATUS_OK)
        status = handle_verify(f->account, m->handle, &f->record.signing, &m->signature);
    if (status != STATUS_OK) return status;
    struct store_key key = key_handle(m->handle);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    r->plan = f;
    return STATUS_OK;
}

/* A token that came later takes its place beside the claim: so handles from the days without tokens get theirs. */
static void handle_vouch(struct storage *s, const struct msg_claim_handle *m, const struct store_key *key,
                         struct handle_row *row)
{
    if (!m->token.len || view_equal(row->token, m->token)) return;
    if (s->state == STORE_READONLY || admission_token(s, row->account, m->handle, m->token) != TOKEN_NONE) return;
    row->token = m->token;
    turn_put(&s->turn, SPACE_IDENTITY, key, handle_row_write(&s->turn.arena, row));
}

static enum status handle_claim(struct storage *s, const struct msg_claim_handle *m, const struct founding *f,
                                const struct store_key *key)
{
    struct handle_row row = {.account = f->account, .signature = m->signature, .entry = m->entry};
    bool vouched;
    if (s->state == STORE_READONLY) return STATUS_STORE_READONLY;
    enum status status = admission_check(s, f->account, m->handle, m->token, &vouched);
    if (status != STATUS_OK) return status;
    if (vouched) row.token = m->token;
    turn_put(&s->turn, SPACE_IDENTITY, key, handle_row_write(&s->turn.arena, &row));
    core_event(s, &(struct event){.kind = EVENT_HANDLE_CLAIMED,
                                  .account = mark_account(&s->config.mark_key, f->account)});
    return STATUS_OK;
}

void claim_handle_apply(struct storage *s, struct request *r)
{
    const struct msg_claim_handle *m = r->meta;
    const struct founding *f = r->plan;
    struct store_key key = key_handle(m->handle);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct handle_row row;
    enum status status = STATUS_OK;
    if (!value.at)
        status = handle_claim(s, m, f, &key);
    else if (handle_row_read(value, &row) != STATUS_OK || memcmp(&row.account, &f->account, sizeof row.account) != 0)
        status = STATUS_HANDLE_TAKEN;
    else
        handle_vouch(s, m, &key, &row);
    if (status != STATUS_OK) {
        request_fail(s, r, status, status == STATUS_STORE_READONLY ? 1000 : 0);
        return;
    }
    struct msg_handle_claimed answer = {.account = f->account};
    request_reply(s, r, KIND_HANDLE_CLAIMED, &msg_handle_claimed_desc, &answer);
}

/* ---- LOOKUP ---- */

enum status lookup_plan(struct storage *s, struct request *r)
{
    const struct msg_lookup *m = r->meta;
    struct store_key key;
    if (m->handle.len) {
        if (handle_check(m->handle) != STATUS_OK) return STATUS_MALFORMED;
        if (!core_owns(s, home_of_handle(m->handle))) return STATUS_WRONG_HOME;
        key = key_handle(m->handle);
    } else {
        if (!core_owns(s, home_of_account(m->account))) return STATUS_WRONG_HOME;
        key = key_account(m->account);
        bool shown = !request_is_guest(r) || m->recovery_count; /* else it is refused in any case */
        if (shown) r->plan = entries_scan(s, m->account, m->first, ENTRIES_PER_FRAME, ENTRIES_PER_FRAME * ENTRY_LEN_MAX);
    }
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    return STATUS_OK;
}

struct store_scan *entries_scan(struct storage *s, struct account_id id, uint64_t first, size_t row_max,
                                size_t byte_max)
{
    struct store_key from = key_entry(id, first), to = key_entry(id, UINT64_MAX);
    return turn_scan(&s->turn, SPACE_IDENTITY, &from, &to, row_max, byte_max);
}

size_t entries_read(struct storage *s, const struct store_scan *scan, struct view **out)
{
    *out = arena_array(&s->turn.arena, scan->row_count, sizeof **out);
    for (size_t i = 0; i < scan->row_count; i++)
        if (entry_row_read(scan->rows[i].value, &(*out)[i]) != STATUS_OK) return i;
    return scan->row_count;
}

static enum status lookup_handle(struct storage *s, struct view handle, struct msg_found *found)
{
    struct store_key key = key_handle(handle);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct handle_row row;
    if (!value.at) return STATUS_NOT_FOUND;
    enum status status = handle_row_read(value, &row);
    if (status != STATUS_OK) return status;
    found->account = row.account;
    found->proof = arena_array(&s->turn.arena, 1, sizeof *found->proof);
    found->proof[0] = (struct msg_handle_proof){.entry = row.entry, .signature = row.signature,
                                                .token = row.token};
    found->proof_count = 1;
    return STATUS_OK;
}

static enum status lookup_account(struct storage *s, const struct request *r, struct msg_found *found,
                                  uint32_t *retry_after_ms)
{
    const struct msg_lookup *m = r->meta;
    const struct store_scan *scan = r->plan;
    struct store_key key = key_account(m->account);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct identity_log log;
    enum status status = value.at ? account_row_read(value, &log) : STATUS_NOT_FOUND;
    if (request_is_guest(r) && (status == STATUS_OK || status == STATUS_NOT_FOUND))
        status = recovery_admit(s, r, status == STATUS_OK ? &log : NULL, retry_after_ms);
    if (status != STATUS_OK) return status;
    found->account = m->account;
    found->log = identity_log_state(&log);
    found->entry_count = entries_read(s, scan, &found->entries);
    bool whole = found->entry_count == scan->row_count && !scan->damaged;
    bool some = m->first >= log.length || found->entry_count > 0;
    return whole && some ? STATUS_OK : STATUS_DAMAGED;
}

void lookup_apply(struct storage *s, struct request *r)
{
    const struct msg_lookup *m = r->meta;
    struct msg_found found = {0};
    uint32_t retry_after_ms = 1000;
    enum status status = m->handle.len ? lookup_handle(s, m->handle, &found)
                                       : lookup_account(s, r, &found, &retry_after_ms);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_FOUND, &msg_found_desc, &found);
    else
        request_fail(s, r, status > STATUS_WIRE_MAX ? STATUS_BUSY : status, retry_after_ms);
}
