/* resend: a message that a device could not open is sealed anew for it, in a new session, under the same id and the next
 * attempt (PROTOCOL 10.7); at most RESENDS_MAX times. Invariant: without the device's own signed word nothing is sealed
 * anew: a relay that says so by itself gets nothing, except for its own damage, where the same bytes go again. */
#include "broker/wire/report.h"
#include "clients/core.h"

#include <string.h>

static bool is_marked(const struct outbox_row *row, const struct msg_part_state *part)
{
    return part->attempt == row->attempt && part->outcome == OUTCOME_OPEN && part->state == DELIVERY_FAILED;
}

void resend_undo(struct outbox_row *row)
{
    for (size_t i = 0; i < row->part_count; i++)
        if (is_marked(row, &row->parts[i])) row->parts[i].attempt = 0;
    if (!row->submitted && !row->doubtful) row->attempt--; /* nobody can have it */
}

bool resend_has(const struct outbox_row *row, struct device_id device)
{
    if (!row->attempt) return true;
    for (size_t i = 0; i < row->part_count; i++)
        if (device_equal(row->parts[i].device, device)) return is_marked(row, &row->parts[i]);
    return false;
}

/* A device that could not be sent to when the others were sealed anew is as it was. */
void resend_left(struct outbox_row *row, const struct msg_accepted *m)
{
    for (size_t i = 0; i < row->part_count; i++) {
        bool named = false;
        for (size_t k = 0; k < m->part_count; k++)
            named = named || device_equal(m->parts[k].device, row->parts[i].device);
        if (!named && is_marked(row, &row->parts[i])) row->parts[i].attempt = 0;
    }
}

bool resend_any(const struct outbox_row *row, const struct contact *contact)
{
    for (size_t i = 0; i < contact->log.device_count; i++)
        if (contact->log.devices[i].standing == STANDING_ACTIVE && resend_has(row, contact->log.devices[i].id))
            return true;
    return false;
}

bool resend_keeps(const struct outbox_row *row, struct device_id device)
{
    for (size_t i = 0; row->attempt && i < row->part_count; i++)
        if (device_equal(row->parts[i].device, device)) return row->parts[i].reason == FAIL_DAMAGED;
    return true;
}

/* The report is this device's, and about this message. */
static bool report_fits(const struct engine *e, const struct outbox_row *row, const struct msg_part_state *news,
                        const struct msg_report_body *body)
{
    return device_equal(body->device, news->device) && memcmp(&body->account, &row->target, sizeof body->account) == 0 &&
           device_equal(body->sender, e->identity.device) && target_equal(body->target, target_of_account(row->target)) &&
           message_equal(body->id, row->id) && body->attempt == news->attempt &&
           report_reason(body->cause) == FAIL_BROKEN;
}

/* A device that is suspended cannot be sent to, and may come back: what it could not open waits, without using up an
 * attempt, until its log says so. */
static bool is_away(struct engine *e, struct now now, const struct contact *c, const struct log_device *d)
{
    bool away = d && d->standing == STANDING_SUSPENDED;
    if (away) contact_ask(e, now, c->log.account, c->log.length);
    return away;
}

/* Whether the device itself says that it could not open it. */
static bool is_reported(struct engine *e, const struct outbox_row *row, const struct msg_part_state *news,
                        const struct log_device *d)
{
    struct msg_report report;
    struct msg_report_body body;
    return d && row->sealed && news->report.len && report_open(news->report, &e->arena, &report, &body) == STATUS_OK &&
           report_fits(e, row, news, &body) && report_signed_by(&report, &d->record.signing);
}

enum status resend_wanted_in(struct engine *e, struct now now, const struct outbox_row *row,
                             const struct msg_part_state *news, bool *wanted)
{
    struct contact c;
    *wanted = false;
    if (news->state != DELIVERY_FAILED || news->outcome != OUTCOME_OPEN || row->attempt >= RESENDS_MAX)
        return STATUS_OK;
    enum status s = state_contact_get(e->state, row->target, &c);
    const struct log_device *d = s == STATUS_OK ? identity_log_device(&c.log, news->device) : NULL;
    *wanted = news->reason == FAIL_DAMAGED || (news->reason == FAIL_BROKEN && is_reported(e, row, news, d));
    *wanted = *wanted && !is_away(e, now, &c, d);
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status resend_in(struct engine *e, struct now now, struct outbox_row *row,
                      const bool wanted[DEVICES_PER_ACCOUNT])
{
    enum status s = STATUS_OK;
    row->attempt++;
    for (size_t i = 0; i < row->part_count && s == STATUS_OK; i++) {
        if (!wanted[i]) continue;
        row->parts[i].attempt = row->attempt;
        absent_forget(&e->absent, row->parts[i].device);
        if (row->parts[i].reason == FAIL_BROKEN) s = pair_retire_in(e, row->parts[i].device);
    }
    pair_forget(e);
    row->rounds = row->tries = 0;
    row->submitted = row->doubtful = row->lost = false;
    outbox_remember(row); /* should the resend be lost, the first attempt may stand all the same */
    row->due_ms = now.wall_ms;
    submit_wake(e, now, 0);
    return s == STATUS_OK ? outbox_step_in(e, now, row, MESSAGE_EVENT_RESEND, STATUS_OK) : s;
}
