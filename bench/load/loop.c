/* loop: one thread, one arena. A turn takes everything that has come, then acknowledges once per
 * device, then the caller sends; only when nothing came does it wait, on the hubs' descriptors with
 * the kernel's full clock resolution. Order matters: see hub_fd. */
#include "bench/load/load.h"

#include "broker/host/host.h"

#include <poll.h>
#include <time.h>

#define TAKE_MAX      256  /* frames of one hub before the turn goes on */
#define HOUSEKEEP_US  1000u
#define SCAN_US       100000u
#define SCAN_SOON_US  20000u   /* while devices wait for an answer */
#define WAIT_MAX_US   5000u
#define LOSSES_END_US 20000u
#define PATIENCE_US   3000000u /* for the answer to a SEND, before everybody says hello again */

static bool take_all(struct load *l, uint64_t *now_us)
{
    bool any = false;
    for (size_t i = 0; i < l->hub_count; i++) {
        struct view frame;
        uint32_t peer;
        for (int n = 0; l->hubs[i] && n < TAKE_MAX && hub_take(l->hubs[i], &peer, &frame); n++) {
            *now_us = host_mono_us();
            any = true;
            arena_reset(&l->arena);
            if (peer < l->device_count)
                session_frame(l, &l->devices[peer], frame, *now_us);
        }
    }
    return any;
}

/* Of each device one, over everything it has taken meanwhile, when its millisecond has come; none where it had to say
 * so earlier. */
static void acknowledge(struct load *l, uint64_t now_us)
{
    uint64_t now_ms = now_us / 1000;
    if (now_ms - l->due_ms > DUE_SLOTS) l->due_ms = now_ms - DUE_SLOTS;
    for (; l->due_ms <= now_ms; l->due_ms++)
        for (struct device **slot = &l->due[l->due_ms % DUE_SLOTS], *d; (d = *slot);) {
            *slot = d->next_due;
            l->due_count--;
            d->listed = false;
            if (d->state == DEVICE_READY && d->ack_due) device_acknowledge(d, now_us);
            d->ack_due = false;
        }
    l->due_ms = now_ms; /* more may come in this one */
}

static void wait_until(struct load *l, uint64_t now_us, uint64_t wake_us)
{
    nfds_t count = 0;
    uint64_t longest_us = l->due_count ? HOUSEKEEP_US : WAIT_MAX_US;
    if (wake_us > now_us + longest_us) wake_us = now_us + longest_us;
    if (wake_us <= now_us) return;
    for (size_t i = 0; i < l->hub_count; i++)
        if (l->hubs[i]) l->waits[count++] = (struct pollfd){hub_fd(l->hubs[i]), POLLIN, 0};
    l->waits[count++] = (struct pollfd){l->signal_fd, POLLIN, 0};
    struct timespec left = {.tv_nsec = (long)(wake_us - now_us) * 1000};
    ppoll(l->waits, count, &left, NULL); /* whatever it says, the next turn looks */
}

/* Devices that lose their connections by turns: senders and those that receive. */
static void drops_do(struct load *l, uint64_t now_us)
{
    double rate = l->options->reconnects;
    size_t count = l->options->senders + l->options->mailboxes;
    if (rate <= 0 || !l->next_drop_us || now_us < l->next_drop_us) return;
    l->next_drop_us += (uint64_t)(1e6 / rate);
    for (size_t tries = 0; tries < count; tries++) {
        struct device *d = &l->devices[l->next_victim++ % count];
        if (d->away || d->state != DEVICE_READY) continue;
        if (session_drop(l, d, now_us) != STATUS_OK) l->trouble = STATUS_IO;
        return;
    }
}

/* As a client does, without waiting for an answer that cannot come. A relay that ends takes all connections with it:
 * nothing is said on those that are only not yet known to be gone. */
static void losses_follow(struct load *l, uint64_t now_us)
{
    for (size_t i = 0; i < l->hub_count; i++)
        if (l->hubs[i] && hub_lost(l->hubs[i])) l->lost_us = now_us;
    if (!l->lost_us || now_us - l->lost_us < LOSSES_END_US) return;
    if (session_greet_all(l, now_us)) l->lost_us = 0;
}

/* True = it was time for it, and something may have been sent. */
static bool housekeep(struct load *l, uint64_t now_us)
{
    if (now_us - l->housekept_us < HOUSEKEEP_US) return false;
    l->housekept_us = now_us;
    if (host_signal_take(l->signal_fd)) l->interrupted = true;
    for (size_t i = 0; i < l->options->senders; i++) {
        struct sender *s = &l->senders[i];
        bool ready = s->device->state == DEVICE_READY;
        if (sender_tick(s, &l->traffic, ready, now_us, PATIENCE_US))
            (void)session_greet_all(l, now_us);
    }
    losses_follow(l, now_us);
    drops_do(l, now_us);
    if (now_us - l->scanned_us >= (l->pending_count ? SCAN_SOON_US : SCAN_US)) {
        l->scanned_us = now_us;
        session_scan(l, now_us);
    }
    meter_tick(l, now_us);
    return true;
}

bool loop_turn(struct load *l, uint64_t wake_us)
{
    uint64_t now_us = host_mono_us();
    bool any = take_all(l, &now_us);
    acknowledge(l, now_us);
    bool kept = housekeep(l, now_us);
    if (!any && !kept) wait_until(l, now_us, wake_us);
    return any;
}

bool loop_send(struct load *l, uint64_t now_us)
{
    struct traffic *t = &l->traffic;
    size_t count = l->options->senders;
    uint64_t due = pace_due(&l->pace, now_us, t->ledger.issued, ledger_open(&t->ledger)), sent = 0;
    uint64_t share = l->pace.window ? l->pace.batch : SENDS_PER_FRAME;
    for (size_t skipped = 0; sent < due && skipped < count;) {
        struct sender *s = &l->senders[l->next_sender++ % count];
        if (s->device->state != DEVICE_READY || !sender_room(s, t)) {
            skipped++;
            continue;
        }
        skipped = 0;
        uint64_t max = due - sent < share ? due - sent : share;
        sent += sender_send(s, t, &l->pace, now_us, (size_t)max);
    }
    return sent > 0;
}
