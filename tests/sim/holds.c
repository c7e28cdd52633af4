/* holds: what an application is told of its messages, and its user's word for those that wait for it when the lies have ended
 * (PROTOCOL 6.10): they go, but for what is written to an account of which another history than the log is held (forks.c). */
#include "tests/sim/churn.h"

#include <string.h>

void holds_told(struct device *d, const struct engine_event *e)
{
    struct sim *s = d->sim;
    for (size_t n = 0; n < s->message_count; n++)
        if (s->messages[n].from == d->index && s->messages[n].kept && s->messages[n].order == e->order)
            s->messages[n].told = e->state;
}

static void released_note(struct device *d, uint64_t order)
{
    struct sim *s = d->sim;
    for (size_t n = 0; n < s->message_count; n++)
        if (s->messages[n].from == d->index && s->messages[n].kept && s->messages[n].order == order)
            s->messages[n].released = true;
}

/* What is written to an account of which another history than the log is held waits for good. */
static bool is_in_doubt(struct device *d, const struct outbox_row *row)
{
    for (size_t i = 0; i < d->sim->account_count; i++)
        if (memcmp(&d->sim->devices[i].account, &row->target, sizeof row->target) == 0) return forks_on(d, i);
    return false;
}

/* The user's word for one message frees all others to that contact. */
void holds_release(struct device *d, struct session_host *h)
{
    struct outbox_row row;
    struct outbox_scan scan = {.class = CLASS_ENDED, .rows = &row, .row_max = 1};
    do {
        ENSURE(state_begin(d->state, STATE_READ) == STATUS_OK);
        ENSURE(state_outbox_scan(d->state, &scan) == STATUS_OK);
        state_rollback(d->state);
        scan.after = row.order;
        bool goes = scan.row_count && row.state == MESSAGE_HELD && !is_in_doubt(d, &row);
        if (goes && !h) released_note(d, row.order);
        if (goes && h &&
            engine_release(h->engine, sim_device_now(d), &row.key) != STATUS_OK)
            sim_fail(d->sim, "a held message cannot be released");
    } while (scan.row_count);
}
