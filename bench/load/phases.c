/* phases: connect everybody, run, catch up. Each ends: by being through, by Ctrl-C, by trouble, or
 * when nothing has happened for the time that --timeout gives. */
#include "bench/load/load.h"

#include "broker/host/host.h"

#include <stdlib.h>

#define PENDING_MAX    64u    /* devices that connect at once: a handshake costs the relay 0.5 ms */
#define TURN_MIN_US    100u   /* open loop: what is due within this is sent together */
#define TICK_US        5000u
#define SETTLE_MAX_US  2000000u

bool phase_goes_on(const struct load *l, struct watch *w, uint64_t mark)
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

static bool devices_connect(struct load *l)
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
        if (!phase_goes_on(l, &watch, l->ready_count)) return false;
    }
    hub_free(&l->hubs[1]);
    qsort(t->mailboxes, t->mailbox_count, sizeof(struct device *), by_store);
    traffic_items(t);
    return true;
}

static bool devices_sent(const struct load *l)
{
    for (size_t i = 0; i < l->options->senders; i++)
        if (!sender_idle(&l->senders[i])) return false;
    return true;
}

static bool devices_settled(struct load *l)
{
    for (size_t i = 0; i < l->device_count; i++)
        if (l->devices[i].state == DEVICE_READY && !device_settled(&l->devices[i])) return false;
    return true;
}

const struct carrier devices_carrier = {.connect = devices_connect, .turn = loop_turn, .send = loop_send,
                                        .sent = devices_sent, .settled = devices_settled};

bool phase_connect(struct load *l)
{
    return l->carrier->connect(l);
}

static bool run_over(const struct load *l, uint64_t now_us)
{
    const struct ledger *ledger = &l->traffic.ledger;
    return pace_over(&l->pace, now_us, ledger->issued) && !ledger_open(ledger) && l->carrier->sent(l);
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
    while (!l->interrupted && host_mono_us() < end_us && !l->carrier->settled(l))
        l->carrier->turn(l, host_mono_us() + TICK_US);
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
        bool any = l->carrier->send(l, now_us);
        uint64_t next_us = pace_next_us(&l->pace, ledger->issued), soon_us = now_us + TURN_MIN_US;
        bool came = l->carrier->turn(l, any ? 0 : next_us > soon_us ? next_us : soon_us);
        now_us = host_mono_us();
        if (ledger->done != done) l->meter.done_us = now_us;
        done = ledger->done;
        if (!came && !phase_goes_on(l, &watch, progress(l))) break;
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
        if (!phase_goes_on(l, &watch, ledger->delivered)) break;
    }
    l->meter.done_us = host_mono_us();
    settle(l);
    meter_catch_up(l, start_us, before);
    return !ledger_waiting(ledger);
}
