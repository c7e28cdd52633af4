/* account: the accounts of this store's partitions and the handles that live here. Now: the first
 * log entry only; the whole log, key versions and the gate's repairs build on the same rows. */
#include "broker/wire/identity.h"
#include "storage/core.h"

#include <stdlib.h>
#include <string.h>

void account_free(struct account *a)
{
    if (!a) return;
    free((void *)(uintptr_t)a->entry.at);
    free(a);
}

void account_want(struct storage *s, struct account_id id)
{
    struct store_key key = key_account(id);
    if (!table_get(s->accounts, id.bytes)) turn_want(&s->turn, SPACE_IDENTITY, &key);
}

/* The table is a cache. What a turn did not load, because it was cached when the turn was planned, must
 * stay to its end: so room is made between turns, some entries at a time. */
void account_trim(struct storage *s)
{
    size_t slot = 0;
    if (table_count(s->accounts) < ACCOUNTS_CACHED_MAX) return;
    for (size_t i = 0; i < ACCOUNTS_TRIMMED; i++) {
        struct account *victim = table_next(s->accounts, &slot);
        if (!victim) return;
        account_free(table_remove(s->accounts, victim->id.bytes));
        slot--;
    }
}

static struct account *account_make(const struct founding *f, struct view entry)
{
    struct account *a = calloc(1, sizeof *a);
    uint8_t *copy = malloc(entry.len);
    ENSURE(a && copy);
    memcpy(copy, entry.at, entry.len);
    *a = (struct account){.id = f->account, .key_version = f->key_version, .head = f->head,
                          .entry = view_of(copy, entry.len), .device_count = 1};
    a->devices[0] = (struct account_device){.id = f->device, .signing = f->record.signing,
                                            .transport = f->record.transport};
    return a;
}

enum status account_find(struct storage *s, struct account_id id, const struct account **out)
{
    *out = table_get(s->accounts, id.bytes);
    if (*out) return STATUS_OK;
    struct store_key key = key_account(id);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct account_row row;
    struct founding founding;
    if (!value.at) return STATUS_NOT_FOUND;
    if (account_row_read(value, &row) != STATUS_OK ||
        founding_check(row.entry, &s->turn.arena, &founding) != STATUS_OK)
        return STATUS_DAMAGED;
    struct account *a = account_make(&founding, row.entry);
    if (table_put(s->accounts, id.bytes, a) != STATUS_OK) {
        account_free(a);
        return STATUS_FULL;
    }
    *out = a;
    return STATUS_OK;
}

bool account_known(struct storage *s, struct account_id id)
{
    struct store_key key = key_account(id);
    return table_get(s->accounts, id.bytes) || turn_get(&s->turn, SPACE_IDENTITY, &key).at;
}

const struct account_device *account_device(const struct account *a, struct device_id id)
{
    for (size_t i = 0; i < a->device_count; i++)
        if (device_equal(a->devices[i].id, id)) return &a->devices[i];
    return NULL;
}

/* ---- REGISTER ---- */

enum status register_plan(struct storage *s, struct request *r)
{
    const struct msg_register *m = r->meta;
    struct founding *f = arena_alloc(&s->turn.arena, sizeof *f);
    enum status status = founding_check(m->entry, &s->turn.arena, f);
    if (status != STATUS_OK) return status;
    if (!core_owns(s, home_of_account(f->account))) return STATUS_WRONG_HOME;
    if (memcmp(f->record.transport.bytes, r->stamp.transport.bytes, 32) != 0)
        return STATUS_UNAUTHENTICATED;
    struct store_key key = key_account(f->account);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    r->plan = f;
    return STATUS_OK;
}

void register_apply(struct storage *s, struct request *r)
{
    const struct msg_register *m = r->meta;
    const struct founding *f = r->plan;
    struct store_key key = key_account(f->account);
    if (!turn_get(&s->turn, SPACE_IDENTITY, &key).at) {
        if (s->state == STORE_READONLY) {
            request_fail(s, r, STATUS_STORE_READONLY, 1000);
            return;
        }
        struct account_row row = {.key_version = f->key_version, .head = f->head,
                                  .entry = m->entry};
        turn_put(&s->turn, SPACE_IDENTITY, &key, account_row_write(&s->turn.arena, &row));
        core_event(s, &(struct event){.kind = EVENT_ACCOUNT_CREATED, .count = 1,
                                      .account = mark_account(&s->config.mark_key, f->account),
                                      .device = mark_device(&s->config.mark_key, f->device)});
    }
    struct msg_registered answer = {.account = f->account, .device = f->device,
                                    .key_version = f->key_version, .head = f->head};
    request_reply(s, r, KIND_REGISTERED, &msg_registered_desc, &answer);
}

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

void claim_handle_apply(struct storage *s, struct request *r)
{
    const struct msg_claim_handle *m = r->meta;
    const struct founding *f = r->plan;
    struct store_key key = key_handle(m->handle);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct account_id owner;
    if (!value.at) {
        if (s->state == STORE_READONLY) {
            request_fail(s, r, STATUS_STORE_READONLY, 1000);
            return;
        }
        turn_put(&s->turn, SPACE_IDENTITY, &key,
                 bytes_row_write(&s->turn.arena, view_of(f->account.bytes, 32)));
        core_event(s, &(struct event){.kind = EVENT_HANDLE_CLAIMED,
                                      .account = mark_account(&s->config.mark_key, f->account)});
    } else if (bytes_row_read(value, owner.bytes, sizeof owner.bytes) != STATUS_OK ||
               memcmp(owner.bytes, f->account.bytes, sizeof owner.bytes) != 0) {
        request_fail(s, r, STATUS_HANDLE_TAKEN, 0);
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
    }
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    return STATUS_OK;
}

static enum status lookup_handle(struct storage *s, struct view handle, struct msg_found *found)
{
    struct store_key key = key_handle(handle);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    if (!value.at) return STATUS_NOT_FOUND;
    return bytes_row_read(value, found->account.bytes, sizeof found->account.bytes);
}

static enum status lookup_account(struct storage *s, struct account_id id, struct msg_found *found)
{
    struct store_key key = key_account(id);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct account_row row;
    if (!value.at) return STATUS_NOT_FOUND;
    enum status status = account_row_read(value, &row);
    if (status != STATUS_OK) return status;
    struct view *entries = arena_array(&s->turn.arena, 1, sizeof *entries);
    entries[0] = row.entry;
    *found = (struct msg_found){.account = id, .key_version = row.key_version, .head = row.head,
                                .entries = entries, .entry_count = 1};
    return STATUS_OK;
}

void lookup_apply(struct storage *s, struct request *r)
{
    const struct msg_lookup *m = r->meta;
    struct msg_found found = {0};
    enum status status = m->handle.len ? lookup_handle(s, m->handle, &found)
                                       : lookup_account(s, m->account, &found);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_FOUND, &msg_found_desc, &found);
    else
        request_fail(s, r, status == STATUS_NOT_FOUND ? status : STATUS_BUSY, 1000);
}
