/* wakes: see wakes.h. Invariant: a device stands in the table at most once; tokens never repeat. */
#include "workers/fanout/wakes.h"

#include <string.h>

static const enum wake_state transitions[WAKE_REPORTED + 1][WAKE_LEASE_OVER + 1] = {
    [WAKE_FREE] = {[WAKE_LEASED] = WAKE_QUEUED},
    [WAKE_QUEUED] = {[WAKE_HANDED_OUT] = WAKE_POSTING, [WAKE_LEASE_OVER] = WAKE_FREE},
    [WAKE_POSTING] = {[WAKE_ANSWERED] = WAKE_DONE,
                      [WAKE_LEASE_OVER] = WAKE_POSTING}, /* its answer is still worth telling */
    [WAKE_DONE] = {[WAKE_TOLD] = WAKE_REPORTED, [WAKE_LEASE_OVER] = WAKE_FREE},
    [WAKE_REPORTED] =
        {[WAKE_CONFIRMED] = WAKE_FREE, [WAKE_UNHEARD] = WAKE_DONE, [WAKE_LEASE_OVER] = WAKE_FREE},
};

void wakes_init(struct wakes *w)
{
    memset(w, 0, sizeof *w);
    for (size_t i = 0; i < WAKES_MAX; i++)
        w->table[i].state = WAKE_FREE;
}

size_t wakes_used(const struct wakes *w)
{
    size_t used = 0;
    for (size_t i = 0; i < WAKES_MAX; i++)
        used += w->table[i].state != WAKE_FREE;
    return used;
}

void wake_step(struct wake *w, enum wake_event event)
{
    enum wake_state next = transitions[w->state][event];
    ENSURE(next != WAKE_REFUSED);
    w->state = next;
}

struct wake *wakes_lease(struct wakes *w, struct device_id device)
{
    struct wake *place = NULL;
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *wake = &w->table[i];
        if (wake->state == WAKE_FREE)
            place = wake;
        else if (device_equal(wake->device, device))
            return NULL;
    }
    if (!place) return NULL;
    *place = (struct wake){.state = WAKE_FREE, .token = ++w->last_token, .device = device};
    wake_step(place, WAKE_LEASED);
    return place;
}

struct wake *wakes_queued(struct wakes *w)
{
    struct wake *first = NULL;
    for (size_t i = 0; i < WAKES_MAX; i++) {
        struct wake *wake = &w->table[i];
        if (wake->state == WAKE_QUEUED && (!first || wake->token < first->token)) first = wake;
    }
    return first;
}

struct wake *wakes_posting(struct wakes *w, uint64_t token)
{
    for (size_t i = 0; i < WAKES_MAX; i++)
        if (w->table[i].state == WAKE_POSTING && w->table[i].token == token) return &w->table[i];
    return NULL;
}

uint64_t wake_backoff_ms(const struct wake *w, uint64_t first_ms, uint64_t max_ms)
{
    uint64_t ms = first_ms ? first_ms : 1;
    for (uint32_t i = 1; i < w->attempt && ms < max_ms; i++)
        ms *= 2;
    return ms < max_ms ? ms : max_ms;
}
