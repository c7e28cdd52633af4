/* state: the store's states (ARCHITECTURE, states). Pairs that change nothing are listed as such; what
 * is not listed is refused. The only file that assigns storage.state. */
#include "storage/core.h"

#define REFUSED 0xff

static const uint8_t steps[STORE_STATES][STORE_EVENTS] = {
    [STORE_COLLECTING] = {[STORE_COLLECTED] = STORE_SERVING, [STORE_DISK_LOW] = STORE_COLLECTING,
                          [STORE_DISK_OK] = STORE_COLLECTING, [STORE_DRAIN] = STORE_DRAINING},
    [STORE_SERVING] = {[STORE_COLLECTED] = REFUSED, [STORE_DISK_LOW] = STORE_READONLY,
                       [STORE_DISK_OK] = STORE_SERVING, [STORE_DRAIN] = STORE_DRAINING},
    [STORE_READONLY] = {[STORE_COLLECTED] = REFUSED, [STORE_DISK_LOW] = STORE_READONLY,
                        [STORE_DISK_OK] = STORE_SERVING, [STORE_DRAIN] = STORE_DRAINING},
    [STORE_DRAINING] = {[STORE_COLLECTED] = REFUSED, [STORE_DISK_LOW] = STORE_DRAINING,
                        [STORE_DISK_OK] = STORE_DRAINING, [STORE_DRAIN] = REFUSED},
};

enum status state_next(enum store_state from, enum store_event event, enum store_state *next)
{
    uint8_t to = steps[from][event];
    *next = to == REFUSED ? from : (enum store_state)to;
    return to == REFUSED ? STATUS_STATE : STATUS_OK;
}

void state_step(struct storage *s, enum store_event event)
{
    enum store_state from = s->state, to;
    struct event e = {.code = (uint32_t)from, .count = event, .store = s->store_id};
    if (state_next(from, event, &to) != STATUS_OK) {
        e.kind = EVENT_TRANSITION_REFUSED;
        core_event(s, &e);
        return;
    }
    s->state = to;
    if (to == from || (to != STORE_READONLY && from != STORE_READONLY) || to == STORE_DRAINING)
        return;
    e = (struct event){.kind = to == STORE_READONLY ? EVENT_STORE_READONLY : EVENT_STORE_WRITABLE,
                       .count = s->disk_free_percent, .store = s->store_id};
    core_event(s, &e);
}
