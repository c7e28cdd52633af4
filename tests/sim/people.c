/* people: what the owners of accounts do with their devices (PROTOCOL 6.2): suspend, resume, revoke and name them, from any of
 * them, at random moments and now and then from two at once. When faults have stopped they resume who is suspended, and put
 * out what nobody has. What an engine says of a change is held against the log (truth.c). */
#include "tests/sim/churn.h"

#include <stdio.h>
#include <string.h>

#define ORDER_MS 700u /* between two looks at what is to be put in order */

static struct device_id any_subject(struct device *d, const struct identity_log *log)
{
    struct sim *s = d->sim;
    return rng_chance(&s->rng, 150) ? d->id : log->devices[rng_below(&s->rng, log->device_count)].id;
}

/* Now and then somebody else of the account has the same moment. */
static void others_wake(struct device *d)
{
    struct sim *s = d->sim;
    if (!rng_chance(&s->rng, 400)) return;
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *other = &s->devices[i];
        if (other != d && other->owner == d->owner && other->change_ms != SIM_NEVER)
            other->change_ms = s->now_ms + rng_below(&s->rng, 3) * 20;
    }
}

/* By what people do often; a device that is revoked is gone for good, so that comes rarely. */
static enum entry_operation any_operation(struct sim *s)
{
    uint64_t at = rng_below(&s->rng, 1000);
    if (at < 100) return ENTRY_REVOKE;
    if (at < 400) return ENTRY_SUSPEND;
    return at < 750 ? ENTRY_RESUME : ENTRY_DESCRIBE;
}

static void change(struct device *d, struct session_host *h, const struct change_wish *wish)
{
    struct sim *s = d->sim;
    enum change_obstacle why;
    enum status status = engine_change(h->engine, sim_device_now(d), wish, &why);
    trace_put(s, TRACE_CHANGE, d->index, wish->operation, device_number(s, wish->subject) << 16 | status);
    bool fine = status == STATUS_OK || status == STATUS_IO || why != CHANGE_NONE;
    if (!fine || why == CHANGE_NO_DEVICE || why == CHANGE_NOT_ALLOWED || why == CHANGE_LOG_FULL)
        sim_fail(s, "engine_change: %s, %s", status_name(status), change_obstacle_name(why));
    h->due_ms = s->now_ms;
}

static void change_any(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    struct identity_log log;
    char name[32];
    device_log(d, &log);
    if (!log.device_count) return;
    struct change_wish wish = {.operation = any_operation(s), .subject = any_subject(d, &log)};
    if (wish.operation == ENTRY_DESCRIBE) {
        snprintf(name, sizeof name, "name %u", (unsigned)rng_below(&s->rng, 1000000));
        wish.name = view_of(name, strlen(name));
    }
    change(d, h, &wish);
    others_wake(d);
}

/* One thing at a time: who is suspended is resumed, who is a stranger put out. */
static void put_in_order(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    struct identity_log log;
    struct change_wish wish = {.operation = ENTRY_REVOKE};
    device_log(d, &log);
    bool stray = truth_stray(s, d->owner, &wish.subject) && identity_log_device(&log, wish.subject);
    for (size_t i = 0; i < log.device_count && !stray; i++) {
        if (log.devices[i].standing != STANDING_SUSPENDED || device_equal(log.devices[i].id, d->id)) continue;
        wish = (struct change_wish){.operation = ENTRY_RESUME, .subject = log.devices[i].id};
        stray = true;
    }
    /* What others have changed a device hears with its next session. */
    bool behind = log.length != truth_log(s, d->owner)->length;
    if (stray && !behind) change(d, h, &wish);
    if (behind && h->conn && rng_chance(&s->rng, 150)) net_break(s, h->conn);
}

uint64_t people_due_ms(const struct device *d)
{
    return d->change_ms;
}

void people_step(struct device *d, struct session_host *h)
{
    struct sim *s = d->sim;
    if (d->change_ms > s->now_ms) return;
    d->change_ms = s->now_ms + (s->calm ? ORDER_MS : 1 + rng_below(&s->rng, 2ull * s->profile->change_every_ms));
    if (s->calm && forks_on(d, d->owner)) return; /* nothing that is done with it gets any further */
    if (!d->registered || truth_standing(s, d->owner, d->id) != STANDING_ACTIVE) return; /* they have seen what the screen says */
    if (s->calm || rng_chance(&s->rng, 200))
        put_in_order(d, h);
    else
        change_any(d, h);
}

void people_calm(struct device *d)
{
    d->change_ms = sim_min(d->change_ms, d->sim->now_ms + rng_below(&d->sim->rng, ORDER_MS));
}

void people_event(struct device *d, const struct engine_event *e)
{
    struct sim *s = d->sim;
    bool pointless = e->status != STATUS_OK && e->obstacle != CHANGE_NONE;
    /* Its signer was put out meanwhile: the relay refuses what it had made. */
    bool out = e->status == STATUS_REFUSED && truth_was_out(s, d->id);
    s->seen[SEEN_CHANGED] += e->status == STATUS_OK;
    s->seen[SEEN_POINTLESS] += pointless;
    s->seen[SEEN_REBUILT] += e->status == STATUS_OK && d->raced;
    d->raced = false;
    /* That it has put itself out a device says when it is turned away, whoever was the first to do so: a change that it goes
     * on with, should it come back. */
    bool itself = device_equal(e->subject, d->id) && (e->operation == ENTRY_SUSPEND || e->operation == ENTRY_REVOKE);
    if (e->status == STATUS_OK && itself) return;
    if (forks_on(d, d->owner)) return; /* in its own history it is as it says */
    if (e->status == STATUS_OK)
        truth_told(s, d->owner, e->operation, e->subject);
    else if (!pointless && !out)
        sim_fail(s, "a change (%s) of device %zu ends as %s", entry_operation_name(e->operation), d->index,
                 status_name(e->status));
}

bool people_have_change(struct device *d)
{
    struct arena a = {0};
    struct view entry;
    enum status s = state_begin(d->state, STATE_READ);
    if (s == STATUS_OK) {
        s = state_setting_get(d->state, "identity.change", &a, &entry);
        state_rollback(d->state);
    }
    arena_fini(&a);
    return s != STATUS_NOT_FOUND;
}
