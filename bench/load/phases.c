/* phases: connect everybody, run, catch up. Each ends: by being through, by Ctrl-C, by trouble, or
 * when nothing has happened for the time that --timeout gives. */
#include "bench/load/load.h"

#include "broker/host/host.h"

#include <stdlib.h>

#define PENDING_MAX    64u    /* devices that connect at once: a handshake costs the relay 0.5 ms */
#define TURN_MIN_US    100u   /* open loop: what is due within this is sent together */
#define TICK_US        5000u
#define SETTLE_MAX_US  2000000u

/* Whether to go on: something must have changed within the time allowed. */
struct watch {
    uint64_t mark, changed_us;
};

static bool goes_on(const struct load *l, struct watch *w, uint64_t mark)
{
    uint64_t now_us = host_mono_us();
    if (mark != w->mark || !w->changed_us) *w = (struct watch){mark, now_us};
    return !l->interrupted && l->trouble == STATUS_OK &&
           now_us - w->changed_us < l->options->timeout_us;
}

static bool open_next(struct load *l, size_t *next, size_t end)
{
    while (*next < end && l->pending_count < PENDING_MAX) {
        struct device *d = &l->devices[(*next)++];
        if (d->state != DEVICE_NEW && d->state != DEVICE_REGISTERED) continue;
        if (session_open(l, d, host_mono_us()) == STATUS_OK) continue;
        l->trouble = STATUS_IO;
        return false;
    }
    return true;
}

/* Recipients whose homes are in one store stand together, so that one frame can serve many. */
static int by_store(const void *a, const void *b)
{
    const struct device *one = *(struct device *const *)a, *other = *(struct device *const *)b;
    if (one->store != other->store) return one->store < other->store ? -1 : 1;
    return one->number < other->number ? -1 : 1;
}

bool phase_connect(struct load *l)
{
    struct watch watch = {0};
    struct traffic *t = &l->traffic;
    size_t next = 0;
    meter_connect(l, host_mono_us());
    while (l->ready_count < l->device_count) {
        for (size_t i = 0; i < l->hub_count; i++)
            (void)hub_reach(l->hubs[i]);
        if (!open_next(l, &next, l->device_count)) return false;
        loop_turn(l, host_mono_us() + TICK_US);
        if (!goes_on(l, &watch, l->ready_count)) return false;
    }
    hub_free(&l->hubs[1]);
    qsort(t->mailboxes, t->mailbox_count, sizeof(struct device *), by_store);
    traffic_items(t);
    return true;
}

static bool run_over(const struct load *l, uint64_t now_us)
{
    const struct ledger *ledger = &l->traffic.ledger;
    if (!pace_over(&l->pace, now_us, ledger->issued) || ledger_open(ledger)) return false;
    for (size_t i = 0; i < l->options->senders; i++)
        if (!sender_idle(&l->senders[i])) return false;
    return true;
}

static uint64_t progress(const struct load *l)
{
    const struct ledger *g = &l->traffic.ledger;
    return g->issued + g->accepted + g->delivered + g->refused + l->traffic.repeated;
}

/* A moment for the last acknowledgements, so that their cost is counted and the relay is left empty. */
static void settle(struct load *l)
{
    uint64_t end_us = host_mono_us() + SETTLE_MAX_US;
    for (size_t i = 0; i < l->device_count && !l->interrupted && host_mono_us() < end_us;)
        if (l->devices[i].state != DEVICE_READY || device_settled(&l->devices[i]))
            i++;
        else
            loop_turn(l, host_mono_us() + TICK_US);
}

bool phase_run(struct load *l)
{
    const struct ledger *ledger = &l->traffic.ledger;
    struct watch watch = {0};
    uint64_t now_us = host_mono_us(), done = 0;
    l->pace.start_us = now_us;
    if (l->options->reconnects > 0) l->next_drop_us = now_us;
    meter_start(l, now_us);
    while (!run_over(l, now_us)) {
        bool any = loop_send(l, now_us);
        uint64_t next_us = pace_next_us(&l->pace, ledger->issued), soon_us = now_us + TURN_MIN_US;
        bool came = loop_turn(l, any ? 0 : next_us > soon_us ? next_us : soon_us);
        now_us = host_mono_us();
        if (ledger->done != done) l->meter.done_us = now_us;
        done = ledger->done;
        if (!came && !goes_on(l, &watch, progress(l))) break;
        if (l->interrupted || l->trouble != STATUS_OK) break;
    }
    l->next_drop_us = 0;
    settle(l);
    meter_stop(l);
    return run_over(l, now_us);
}

bool phase_catch_up(struct load *l)
{
    const struct ledger *ledger = &l->traffic.ledger;
    struct watch watch = {0};
    uint64_t start_us = host_mono_us(), before = ledger->delivered;
    size_t next = 0;
    l->first_delivery_us = 0;
    meter_catch_up_start(l, start_us);
    for (size_t i = 0; i < l->traffic.mailbox_count; i++)
        if (l->traffic.mailboxes[i]->away) l->traffic.mailboxes[i]->hub = &l->hubs[0];
    while (ledger_waiting(ledger)) {
        if (!open_next(l, &next, l->device_count)) break;
        loop_turn(l, host_mono_us() + TICK_US);
        if (!goes_on(l, &watch, ledger->delivered)) break;
    }
    l->meter.done_us = host_mono_us();
    settle(l);
    meter_catch_up(l, start_us, before);
    return !ledger_waiting(ledger);
}
