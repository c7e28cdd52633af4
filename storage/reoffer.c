/* reoffer: parked `held` deliveries go back into the mailbox when the client's version has changed or it
 * asks for them: a bounded piece per turn, until all are through. Each gets a new place, which the row of
 * its first place names (however often it moves, it is found in one step); rows of places between go. Only
 * then is the new version written down, so that a crash starts this again. */
#include "storage/delivery.h"

#define REOFFER_ROWS  64u
#define REOFFER_BOXES 16u

void reoffer_plan(struct storage *s)
{
    size_t planned = 0;
    for (struct mailbox *m = s->hot; m && planned < REOFFER_BOXES; m = m->next_hot) {
        if (!m->reoffering || m->row_unknown) continue;
        struct store_key after = key_position(ROW_PARKED, m->home, m->device, m->reoffer_after);
        struct store_key from = key_after(key_view(&after));
        struct store_key all = key_mailbox(ROW_PARKED, m->home, m->device);
        struct store_key to = key_end(key_view(&all));
        m->reoffer_scan = turn_scan(&s->turn, SPACE_PAYLOAD, &from, &to, REOFFER_ROWS,
                                    REFILL_BYTES_MAX);
        planned++;
    }
}

static struct store_key own_key(const struct mailbox *m, struct position at)
{
    return key_position(ROW_OUTCOME, m->home, m->device, at);
}

/* Whether the delivery is still parked, and as one that another version may open. */
static bool is_held(struct storage *s, const struct mailbox *m, struct position at)
{
    struct store_key own = own_key(m, at);
    struct view value = turn_get(&s->turn, SPACE_ROUTING, &own);
    struct outcome_row row;
    enum delivery_state next;
    if (!value.at || outcome_row_read(value, &row) != STATUS_OK) return false;
    return row.state == DELIVERY_FAILED && row.reason == FAIL_HELD &&
           delivery_step(DELIVERY_FAILED, EVENT_REOFFER, &next) == STATUS_OK;
}

static void reoffer_row(struct storage *s, struct mailbox *m, const struct store_row *row)
{
    struct device_id device;
    struct position old;
    struct envelope_row envelope;
    struct view ciphertext;
    if (key_position_read(row->key, &device, &old) != STATUS_OK || !is_held(s, m, old)) return;
    if (envelope_row_read(row->value, &envelope, &ciphertext) != STATUS_OK) return;
    if (envelope.expires_ms <= s->turn.now_ms) return; /* the sweep ends it */
    struct position at = core_place(s, m, ciphertext.len);
    struct outcome_row moved = {.at_ms = s->turn.now_ms, .moved_to = at};
    struct store_key parked = key_position(ROW_PARKED, m->home, m->device, old);
    struct store_key own = own_key(m, old);
    struct store_key open = key_position(ROW_ENVELOPE, m->home, m->device, at);
    if (!envelope.origin.seq) envelope.origin = old;
    struct store_key first = own_key(m, envelope.origin);
    turn_remove(&s->turn, SPACE_PAYLOAD, &parked);
    turn_remove(&s->turn, SPACE_ROUTING, &own);
    turn_put(&s->turn, SPACE_ROUTING, &first, outcome_row_write(&s->turn.arena, &moved));
    turn_put_new(&s->turn, SPACE_PAYLOAD, &open, envelope_row_write(&s->turn.arena, &envelope),
                 ciphertext);
    core_parked(s, m, false);
    m->scan = NULL; /* it does not know the new rows */
    m->drained = false;
}

static void reoffer_rows(struct storage *s, struct mailbox *m)
{
    const struct store_scan *scan = m->reoffer_scan;
    struct device_id device;
    for (size_t i = 0; i < scan->row_count; i++)
        reoffer_row(s, m, &scan->rows[i]);
    if (scan->row_count && key_position_read(scan->rows[scan->row_count - 1].key, &device,
                                             &m->reoffer_after) != STATUS_OK)
        m->reoffering = false; /* not one of our keys: nothing to go on from */
    if (!scan->more) m->reoffering = false;
    if (m->reoffering) return;
    m->reoffer_after = (struct position){.seq = 0};
    m->row.client_version = m->session.client_version;
    m->row_dirty = true;
}

/* What the scans found is judged by its own rows, which only now can be named: one more load. */
void reoffer_apply(struct storage *s)
{
    size_t found = 0;
    for (struct mailbox *m = s->hot; m; m = m->next_hot)
        for (size_t i = 0; m->reoffer_scan && i < m->reoffer_scan->row_count; i++) {
            struct device_id device;
            struct position at;
            if (key_position_read(m->reoffer_scan->rows[i].key, &device, &at) != STATUS_OK) continue;
            struct store_key own = own_key(m, at);
            turn_want(&s->turn, SPACE_ROUTING, &own);
            found++;
        }
    if (found && turn_load(&s->turn, s->store) != STATUS_OK) return;
    for (struct mailbox *m = s->hot; m; m = m->next_hot) {
        if (m->reoffer_scan) reoffer_rows(s, m);
        m->reoffer_scan = NULL;
    }
}
