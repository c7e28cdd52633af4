/* api_copy: what this account's other devices get of a message of ours. Copies are rows of the outbox like others; an
 * application sees them through their message. */
#include "clients/api.h"

#include <string.h>

enum sealmq_status sealmq_copy_get(struct sealmq_client *c, uint64_t order, struct sealmq_copy *out)
{
    struct outbox_row row;
    enum status s = api_out(out);
    if (s == STATUS_OK && order == 0) s = STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = state_outbox_copy(c->state, order, &row);
    state_rollback(c->state);
    if (s != STATUS_OK) return api_result(c, s);
    struct sealmq_copy full = {.state = (enum sealmq_message_state)row.state,
                               .stage = (enum sealmq_stage)message_class_of(row.state),
                               .reason = (enum sealmq_status)row.reason, .attempt = row.attempt,
                               .parts = c->copy_parts, .part_count = row.part_count};
    memcpy(full.id.bytes, row.id.bytes, sizeof full.id.bytes);
    parts_copy(&row, c->copy_parts);
    api_give(out, &full, sizeof full);
    return SEALMQ_OK;
}

/* Messages may wait in between. */
static enum status wait_in(struct state *state, bool *out)
{
    struct outbox_row row;
    struct outbox_scan scan = {.class = CLASS_WORK, .rows = &row, .row_max = 1};
    enum status s;
    do {
        s = state_outbox_scan(state, &scan);
        scan.after = row.order;
        *out = s == STATUS_OK && scan.row_count > 0 && row.copy_of > 0;
    } while (s == STATUS_OK && scan.row_count > 0 && !*out);
    return s;
}

enum sealmq_status sealmq_copies_wait(struct sealmq_client *c, bool *out)
{
    *out = false;
    enum status s = state_begin(c->state, STATE_READ);
    if (s != STATUS_OK) return api_result(c, s);
    s = wait_in(c->state, out);
    state_rollback(c->state);
    return api_result(c, s);
}
