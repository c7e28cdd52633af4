/* account: what the logs of this store's accounts say, as the gate and HELLO need it: a cache before the account
 * rows. Who changes a log is register.c. Invariant: what stands here is what the newest row says, written or in
 * the turn under way. */
#include "storage/core.h"

#include <stdlib.h>
#include <string.h>

void account_want(struct storage *s, struct account_id id)
{
    struct store_key key = key_account(id), hold = key_hold(id), policy = key_policy(id);
    if (table_get(s->accounts, id.bytes)) return;
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    turn_want(&s->turn, SPACE_IDENTITY, &hold);
    turn_want(&s->turn, SPACE_IDENTITY, &policy);
}

const struct account *account_peek(const struct storage *s, struct account_id id)
{
    return table_get(s->accounts, id.bytes);
}

void account_free(struct account *a)
{
    if (a) free(a->holds);
    if (a) free(a->policy);
    free(a);
}

static void holds_set(struct account *a, const struct hold *holds, size_t count)
{
    struct hold *copy = count ? malloc(count * sizeof *copy) : NULL;
    ENSURE(copy || !count);
    if (count) memcpy(copy, holds, count * sizeof *copy);
    free(a->holds);
    a->holds = copy;
    a->hold_count = count;
}

void account_holds_set(struct storage *s, struct account_id id, const struct hold_row *row)
{
    struct account *a = table_get(s->accounts, id.bytes);
    ENSURE(a);
    holds_set(a, row->holds, row->count);
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

/* In the place of what was cached; what the account says of others stays. */
static enum status cache(struct storage *s, const struct identity_log *log, const struct hold_row *row,
                         struct account **out)
{
    size_t devices_len = log->device_count * sizeof log->devices[0];
    struct account *a = calloc(1, sizeof *a + devices_len);
    ENSURE(a);
    *a = (struct account){.id = log->account, .log = identity_log_state(log), .has_recovery = log->has_recovery,
                          .recovery = log->recovery, .device_count = log->device_count};
    memcpy(a->devices, log->devices, devices_len);
    holds_set(a, row->holds, row->count);
    struct account *was = table_remove(s->accounts, a->id.bytes);
    a->policy = was ? was->policy : policy_load(s, a->id);
    if (was) was->policy = NULL;
    account_free(was);
    *out = a;
    if (table_put(s->accounts, a->id.bytes, a) == STATUS_OK) return STATUS_OK;
    account_free(a);
    *out = NULL;
    return STATUS_FULL;
}

enum status account_find(struct storage *s, struct account_id id, const struct account **out)
{
    struct account *a = table_get(s->accounts, id.bytes);
    struct identity_log log;
    struct hold_row holds;
    *out = a;
    if (a) return STATUS_OK;
    struct store_key key = key_account(id);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    if (!value.at) return STATUS_NOT_FOUND;
    if (account_row_read(value, &log) != STATUS_OK || memcmp(&log.account, &id, sizeof id) != 0)
        return STATUS_DAMAGED;
    holds_read(s, id, &holds);
    enum status status = cache(s, &log, &holds, &a);
    *out = a;
    return status;
}

const struct log_device *account_device(const struct account *a, struct device_id id)
{
    for (size_t i = 0; i < a->device_count; i++)
        if (device_equal(a->devices[i].id, id)) return &a->devices[i];
    return NULL;
}

enum status account_asker(struct storage *s, const struct request *r, const struct account **a, const struct log_device **d)
{
    enum status status = account_find(s, r->stamp.account, a);
    if (status != STATUS_OK) return status > STATUS_WIRE_MAX ? STATUS_BUSY : status;
    *d = account_device(*a, r->stamp.device);
    if (!*d || (*d)->standing != STANDING_ACTIVE) return STATUS_REFUSED;
    return account_held(*a, (*d)->id) ? STATUS_ON_HOLD : STATUS_OK;
}

void account_log(const struct account *a, struct identity_log *log)
{
    memset(log, 0, sizeof *log);
    log->account = a->id;
    log->head = a->log.head;
    log->length = a->log.length;
    log->key_version = a->log.key_version;
    log->version_head = a->log.version_head;
    log->has_recovery = a->has_recovery;
    log->recovery = a->recovery;
    log->device_count = a->device_count;
    memcpy(log->devices, a->devices, a->device_count * sizeof a->devices[0]);
}

enum status account_put(struct storage *s, const struct identity_log *log)
{
    struct store_key key = key_account(log->account);
    struct account *a = table_get(s->accounts, log->account.bytes);
    struct hold_row holds = {.count = 0};
    if (!a) holds_read(s, log->account, &holds);
    if (a && a->hold_count) memcpy(holds.holds, a->holds, a->hold_count * sizeof *a->holds);
    if (a) holds.count = a->hold_count;
    enum status status = cache(s, log, &holds, &a);
    if (status == STATUS_OK)
        turn_put(&s->turn, SPACE_IDENTITY, &key, account_row_write(&s->turn.arena, log));
    return status;
}
