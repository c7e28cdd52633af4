/* copy: what we send goes to the other devices of our account, too: a second direct send under the same message id, to
 * our own account, in a row of its own (PROTOCOL 10.9; ARCHITECTURE, steps 1 and 4). It is made in the transaction that
 * keeps the relay's acceptance: what no recipient gets is nowhere shown as sent, and the id is final. From then on it
 * goes the way of every message; outbox, submit, answer and receipt ask here where it does not. Invariants: one copy of a
 * message, none of a copy, of a note or of an opaque message; its user is asked nothing, and told nothing, of it. */
#include "clients/core.h"
#include "clients/seal/copy.h"

#include <string.h>

static bool is_own(const struct engine *e, struct account_id account)
{
    return memcmp(&account, &e->identity.account, sizeof account) == 0;
}

static bool has_other(const struct engine *e, const struct identity_log *own)
{
    for (size_t i = 0; i < own->device_count; i++)
        if (own->devices[i].standing == STANDING_ACTIVE && !device_equal(own->devices[i].id, e->identity.device))
            return true;
    return false;
}

bool copy_is_vain(const struct engine *e, const struct outbox_row *row, const struct identity_log *own)
{
    return row->copy_of && !has_other(e, own);
}

/* By our own log as we hold it; what it lacks, the gate will say of the copy. */
static enum status wanted_in(struct engine *e, const struct outbox_row *row, bool *wanted)
{
    struct contact own;
    struct outbox_row before;
    *wanted = false;
    if (!row->sealed || row->copy_of || row->attempt || is_own(e, row->target)) return STATUS_OK;
    enum status s = state_contact_get(e->state, e->identity.account, &own);
    if (s != STATUS_OK || !has_other(e, &own.log)) return s;
    s = state_outbox_copy(e->state, row->order, &before); /* accepted once more, after a loss or a release */
    *wanted = s == STATUS_NOT_FOUND;
    return *wanted ? STATUS_OK : s;
}

enum status copy_make_in(struct engine *e, struct now now, const struct outbox_row *row, struct view payload)
{
    bool wanted;
    struct outbox_row copy = {.copy_of = row->order, .key = row->key, .id = row->id, .target = e->identity.account,
                              .sealed = true, .state = MESSAGE_DRAFTED, .ttl_ms = row->ttl_ms,
                              .created_ms = now.wall_ms, .due_ms = now.wall_ms};
    const struct outbox_body body = {.payload = payload};
    enum status s = wanted_in(e, row, &wanted);
    if (s != STATUS_OK || !wanted) return s;
    s = state_outbox_put(e->state, &copy);
    return s == STATUS_OK ? state_body_put(e->state, copy.order, &body) : s;
}

enum status copy_find_in(struct engine *e, struct message_id id, struct target_id target, struct outbox_row *out)
{
    enum status s = state_outbox_find_id(e->state, id, out);
    if (s == STATUS_OK && target_equal(target_of_account(out->target), target)) return s;
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    bool own = target_equal(target_of_account(e->identity.account), target);
    return own ? state_outbox_find_copy(e->state, id, out) : STATUS_NOT_FOUND;
}

enum message_event copy_event(const struct outbox_row *row, enum message_event event)
{
    bool asks = event == MESSAGE_EVENT_HOLD || event == MESSAGE_EVENT_DOUBT;
    return row->copy_of && asks ? MESSAGE_EVENT_REFUSE : event;
}

enum status copy_payload_in(struct engine *e, const struct outbox_row *row, struct view payload, struct view *out)
{
    struct outbox_row message = *row;
    struct buffer framed = {0};
    enum status s = STATUS_OK;
    *out = payload;
    if (!is_own(e, row->target)) return s;
    if (row->copy_of) s = state_outbox_get(e->state, row->copy_of, &message);
    if (s != STATUS_OK) return s == STATUS_NOT_FOUND ? STATUS_DAMAGED : s; /* a copy goes with its message */
    copy_write(message.target, payload, &framed);
    *out = arena_copy(&e->arena, buffer_view(&framed));
    buffer_fini(&framed);
    return s;
}
