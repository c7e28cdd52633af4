/* recovery: who may see an account's log without a session: whoever proves to have its recovery key (PROTOCOL 6.6). What
 * is done with the key is register.c's, as with any key. Invariants: whether there is such an account, or such a key, a
 * stranger is not told; who has the right one is never held up by those who have tried wrong ones. */
#include "broker/wire/recovery.h"
#include "storage/core.h"

#include <string.h>

#define ALARM_EVERY 100u /* tries, after the first alarm */

bool request_is_guest(const struct request *r)
{
    static const struct session_id none;
    return memcmp(&r->stamp.session, &none, sizeof none) == 0;
}

static bool is_timely(const struct storage *s, uint64_t made_ms)
{
    uint64_t off = made_ms > s->store_ms ? made_ms - s->store_ms : s->store_ms - made_ms;
    return off <= RECOVERY_PROOF_AGE_MAX_MS;
}

/* log: NULL = there is no such account. */
static bool is_refused(const struct storage *s, const struct request *r, const struct identity_log *log,
                       enum event_recovery *why)
{
    const struct msg_lookup *m = r->meta;
    *why = RECOVERY_NO_ACCOUNT;
    if (!log) return true;
    *why = RECOVERY_NO_PROOF;
    if (!m->recovery_count) return true;
    *why = RECOVERY_NO_KEY;
    if (!log->has_recovery) return true;
    *why = RECOVERY_WRONG_KEY;
    if (!recovery_proven(m->account, &r->stamp.transport, m->recovery, &log->recovery)) return true;
    *why = RECOVERY_CLOCK;
    return !is_timely(s, m->recovery->made_ms);
}

static enum status refuse(struct storage *s, struct event e, struct account_id account, uint32_t *retry_after_ms)
{
    enum status status = STATUS_REFUSED;
    bool counts = e.code == RECOVERY_WRONG_KEY || e.code == RECOVERY_NO_KEY;
    if (counts) status = recovery_meter_wrong(s->recovery_meter, account, s->mono_ms, retry_after_ms, &e.count);
    if (status == STATUS_REFUSED) core_event(s, &e);
    if (e.count > RECOVERY_TRIES_BURST && (e.count == RECOVERY_TRIES_BURST + 1 || e.count % ALARM_EVERY == 0))
        core_event(s, &(struct event){.kind = EVENT_RECOVERY_GUESSED, .count = e.count, .value = *retry_after_ms,
                                      .account = e.account});
    return status;
}

enum status recovery_admit(struct storage *s, const struct request *r, const struct identity_log *log,
                           uint32_t *retry_after_ms)
{
    const struct msg_lookup *m = r->meta;
    struct event e = {.kind = EVENT_RECOVERY_REFUSED, .account = mark_account(&s->config.mark_key, m->account)};
    enum event_recovery why;
    *retry_after_ms = 0;
    if (is_refused(s, r, log, &why)) {
        e.code = why;
        return refuse(s, e, m->account, retry_after_ms);
    }
    recovery_meter_right(s->recovery_meter, m->account);
    e.kind = EVENT_RECOVERY_STARTED;
    e.count = identity_log_active(log);
    if (!m->first) core_event(s, &e); /* the rest of a long log is the same one's */
    return STATUS_OK;
}
