/* wakes: the wake-ups that this worker holds under lease, each on its way from the store that
 * leased it to the poster and back. A bounded table and a state machine; no clock, no frames.
 *
 *   free → queued → posting → done → reported → free
 * / */
#ifndef SEALMQ_FANOUT_WAKES_H
#define SEALMQ_FANOUT_WAKES_H

#include "broker/wire/ids.h"

#define WAKES_MAX 64u

enum wake_state {
    WAKE_REFUSED = 0, /* no state: what the table says to an event that cannot be */
    WAKE_FREE,
    WAKE_QUEUED,   /* leased, waits for the poster */
    WAKE_POSTING,  /* with the poster */
    WAKE_DONE,     /* has a result, to be reported from due_ms on */
    WAKE_REPORTED, /* its WOKEN is on the way; correlation names it */
};

enum wake_event {
    WAKE_LEASED,
    WAKE_HANDED_OUT,
    WAKE_ANSWERED,
    WAKE_TOLD,
    WAKE_CONFIRMED,
    WAKE_UNHEARD,   /* the report was refused or lost: tell again */
    WAKE_LEASE_OVER /* the store may lease it to another worker from now on */
};

struct wake {
    enum wake_state state;
    uint64_t token; /* names this lease of this wake to the poster; ascending */
    struct device_id device;
    struct account_id account;
    struct store_id store;
    uint16_t home;         /* a partition of the store */
    uint32_t attempt;      /* from 1: how often it has been leased, this time included */
    uint64_t lease_end_ms; /* mono */
    bool sent;             /* the result */
    uint64_t retry_ms;     /* 0 with sent = false: given up */
    uint64_t due_ms;
    uint64_t correlation;
    uint64_t told_ms;
};

struct wakes {
    struct wake table[WAKES_MAX];
    uint64_t last_token;
};

void wakes_init(struct wakes *w);
size_t wakes_used(const struct wakes *w);
/* wake_step: the only place that assigns a state; an event that the table does not list is our
 * bug. */
void wake_step(struct wake *w, enum wake_event event);
/* wakes_lease: a queued wake with a token; the caller fills in the rest. NULL when the table is
 * full or the device is in it already. */
struct wake *wakes_lease(struct wakes *w, struct device_id device);
/* wakes_queued: the one that waits longest; NULL = none. */
struct wake *wakes_queued(struct wakes *w);
/* wakes_posting: the one with this token, NULL when it is not with the poster. */
struct wake *wakes_posting(struct wakes *w, uint64_t token);
/* wake_backoff_ms: how long to wait when this attempt failed: first_ms, doubled with each one
 * before it; 1..max_ms. */
uint64_t wake_backoff_ms(const struct wake *w, uint64_t first_ms, uint64_t max_ms);

#endif
