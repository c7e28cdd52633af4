/* report: a device's own word about a message that it cannot open (PROTOCOL 10.7). It is kept with the failed delivery and
 * given to the sender if it is signed by the device of this session and about this very delivery; another one is dropped
 * and told, and the failure stays what it is without it. */
#include "broker/wire/report.h"
#include "storage/core.h"

#include <string.h>

void report_want(struct storage *s, const struct request *r)
{
    const struct msg_ack *m = r->meta;
    for (size_t i = 0; i < m->failed_count; i++)
        if (m->failed[i].report.len) account_want(s, r->stamp.account);
}

static bool is_about(const struct msg_report_body *body, const struct request *r, const struct offer *o)
{
    return device_equal(body->device, r->stamp.device) &&
           memcmp(&body->account, &r->stamp.account, sizeof body->account) == 0 &&
           device_equal(body->sender, o->sender) && target_equal(body->target, o->target) &&
           message_equal(body->id, o->id) && body->attempt == o->attempt;
}

/* What costs little is looked at first. BUSY: the account's log cannot be read. */
static enum status check(struct storage *s, const struct request *r, const struct offer *o,
                         const struct msg_failure *failure, struct msg_report_body *body, uint64_t *key_version)
{
    const struct account *a;
    struct msg_report report;
    *key_version = 0;
    enum status status = report_open(failure->report, &s->turn.arena, &report, body);
    if (status != STATUS_OK) return status;
    if (!is_about(body, r, o) || report_reason(body->cause) != failure->reason) return STATUS_REFUSED;
    if (account_find(s, r->stamp.account, &a) != STATUS_OK) return STATUS_BUSY;
    const struct log_device *d = account_device(a, r->stamp.device);
    if (!d || !report_signed_by(&report, &d->record.signing)) return STATUS_UNAUTHENTICATED;
    *key_version = a->log.key_version;
    return STATUS_OK;
}

struct view report_take(struct storage *s, const struct request *r, const struct mailbox *m, const struct offer *o,
                        const struct msg_failure *failure)
{
    struct msg_report_body body;
    uint64_t key_version;
    if (!failure->report.len) return failure->report;
    enum status status = check(s, r, o, failure, &body, &key_version);
    struct event e = {.kind = EVENT_DECRYPT_FAILED, .code = body.cause, .count = key_version,
                      .value = m->session.client_version,
                      .device = mark_device(&s->config.mark_key, m->device),
                      .message = mark_message(&s->config.mark_key, o->id)};
    if (status != STATUS_OK) {
        e.kind = EVENT_REPORT_REFUSED;
        e.code = (uint32_t)status;
    }
    core_event(s, &e);
    return status == STATUS_OK ? failure->report : view_of(NULL, 0);
}
