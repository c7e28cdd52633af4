/* history: see history.h. What was told lies in the account's watch row, so that of many clients who bring the same entry
 * the first one is heard, over restarts too. Invariant: nobody but the account's own keys can raise the alarm: what it rests on
 * is a signed entry at the place of another signed one. */
#include "storage/history.h"

#include <sodium.h>
#include <string.h>

#define TOLD_AGAIN_MS (24ull * 3600 * 1000)

void history_want(struct storage *s, struct account_id account)
{
    struct store_key key = key_watch(account);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
}

struct watch_row watch_get(struct storage *s, struct account_id account)
{
    struct store_key key = key_watch(account);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    struct watch_row watch = {.split_ms = 0};
    if (value.at && watch_row_read(value, &watch) != STATUS_OK) watch = (struct watch_row){.split_ms = 0};
    return watch;
}

void watch_put(struct storage *s, struct account_id account, const struct watch_row *watch)
{
    struct store_key key = key_watch(account);
    turn_put(&s->turn, SPACE_IDENTITY, &key, watch_row_write(&s->turn.arena, watch));
}

/* Whether a key of the account has signed it, behind this head. No device ever leaves a log, and none changes its signing key. */
static bool is_signed(struct storage *s, const struct identity_log *log, struct view entry, const struct hash256 *before,
                      struct msg_entry_body *body)
{
    struct msg_entry e;
    if (entry_open(entry, &s->turn.arena, &e, body) != STATUS_OK) return false;
    if (memcmp(&body->previous, before, sizeof *before) != 0) return false;
    if (sodium_is_zero(body->signer.bytes, sizeof body->signer.bytes) == 1)
        return log->has_recovery && entry_signed_by(&e, &log->recovery);
    const struct log_device *signer = identity_log_device(log, body->signer);
    return signer && entry_signed_by(&e, &signer->record.signing);
}

void history_split(struct storage *s, const struct request *r, const struct identity_log *log, struct view entry,
                   const struct hash256 *before)
{
    struct msg_entry_body body;
    struct watch_row watch = watch_get(s, log->account);
    if (!is_signed(s, log, entry, before, &body)) return;
    if (watch.split_ms && watch.split_number == body.number && s->turn.now_ms - watch.split_ms < TOLD_AGAIN_MS) return;
    watch.split_ms = s->turn.now_ms;
    watch.split_number = body.number;
    if (s->state != STORE_READONLY) watch_put(s, log->account, &watch);
    core_event(s, &(struct event){.kind = EVENT_SPLIT_VIEW, .code = body.operation, .count = body.number,
                                  .value = log->key_version,
                                  .account = mark_account(&s->config.mark_key, log->account),
                                  .device = mark_device(&s->config.mark_key, r->stamp.device)});
}

void history_restored(struct storage *s, const struct request *r, const struct identity_log *log, uint64_t entries)
{
    struct watch_row watch = watch_get(s, log->account);
    watch.restored_ms = s->turn.now_ms;
    watch.restored += entries;
    if (s->state != STORE_READONLY) watch_put(s, log->account, &watch);
    core_event(s, &(struct event){.kind = EVENT_LOG_RESTORED, .count = entries, .value = log->key_version,
                                  .account = mark_account(&s->config.mark_key, log->account),
                                  .device = mark_device(&s->config.mark_key, r->stamp.device)});
}

void history_show(struct storage *s, struct account_id account, struct msg_devices_are *out)
{
    struct watch_row watch = watch_get(s, account);
    out->split_ms = watch.split_ms;
    out->split_number = watch.split_number;
    out->restored_ms = watch.restored_ms;
    out->restored = watch.restored;
}
