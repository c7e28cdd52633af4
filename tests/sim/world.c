/* world: a world is born, has its faults, becomes calm, and must settle; then it is judged. The loop
 * moves the clock to the earliest moment at which anybody wants to run, and runs all who do. */
#include "tests/sim/churn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIRTH_MS         1000u  /* no monotonic clock reads 0 */
#define STEPS_PER_MS_MAX 10000u /* nobody may want to run for ever at one moment */

static const struct sim *running;

const struct sim *sim_running(void)
{
    return running;
}

void sim_fail(struct sim *s, const char *format, ...)
{
    va_list args;
    if (s->failed) return;
    s->failed = true;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
}

struct now sim_relay_now(const struct sim *s)
{
    return (struct now){.wall_ms = SIM_WALL_MS + s->now_ms + (uint64_t)s->relay_shift_ms,
                        .mono_ms = s->now_ms};
}

/* ---- birth and end ---- */

static void relay_start(struct sim *s)
{
    const struct profile *p = s->profile;
    s->broker_count = rng_between(&s->rng, 1, p->brokers_max);
    s->store_count = rng_between(&s->rng, 1, p->stores_max);
    for (size_t i = 0; i < s->broker_count; i++) {
        s->brokers[i] = (struct broker_host){.sim = s, .index = i};
        broker_host_start(&s->brokers[i]);
    }
    unsigned width = PARTITION_COUNT / (unsigned)s->store_count;
    for (size_t i = 0; i < s->store_count; i++) {
        s->stores[i] = (struct store_host){.sim = s,
                                           .index = i,
                                           .disk = memory_disk_new(),
                                           .first = (uint16_t)(i * width),
                                           .last = (uint16_t)((i + 1) * width - 1)};
        store_host_start(&s->stores[i]);
    }
    fanout_host_start(s);
}

static struct sim *sim_new(const struct profile *p, uint64_t seed, bool trace)
{
    struct sim *s = calloc(1, sizeof *s);
    ENSURE(s != NULL);
    s->seed = seed;
    s->now_ms = BIRTH_MS;
    s->profile = p;
    s->rng.state = seed * 0x2545f4914f6cdd1dull + 1;
    s->trace.print = trace;
    trace_put(s, TRACE_SEED, seed, 0, 0);
    rng_fill(&s->rng, &s->marks, sizeof s->marks);
    s->receipt_key.id = 1;
    rng_fill(&s->rng, s->receipt_key.bytes, sizeof s->receipt_key.bytes);
    s->stamp_key.id = 1;
    memcpy(s->stamp_key.bytes, s->receipt_key.bytes, sizeof s->stamp_key.bytes); /* no draw: seeds stay what they were */
    watch_start(s);
    relay_start(s);
    s->device_count = rng_between(&s->rng, p->devices_min, p->devices_max);
    s->account_count = s->device_count;
    if (p->siblings_max) truth_start(s);
    if (p->siblings_max && p->lie_pm) swaps_start(s);
    if (p->siblings_max && p->lie_pm) forks_start(s);
    evil_start(s);
    for (size_t i = 0; i < s->account_count; i++)
        device_start(s, i);
    for (size_t i = 0; i < s->account_count && p->siblings_max; i++)
        for (uint64_t n = rng_between(&s->rng, i == 0, p->siblings_max); n && s->device_count < SIM_DEVICES_MAX; n--)
            joiner_plan(s, s->device_count++, i);
    if (rng_chance(&s->rng, p->rogue_pm)) rogue_start(s);
    s->fault_ms = BIRTH_MS + 2000;
    return s;
}

static void sim_free(struct sim *s)
{
    for (size_t i = 0; i < s->device_count; i++)
        device_fini(&s->devices[i]);
    rogue_fini(s);
    for (size_t i = 0; i < s->store_count; i++)
        store_host_fini(&s->stores[i]);
    fanout_host_kill(s, SIM_NEVER);
    for (size_t i = 0; i < s->broker_count; i++) {
        broker_host_kill(&s->brokers[i], SIM_NEVER);
        buffer_fini(&s->brokers[i].admin_reply);
    }
    net_free(s);
    watch_fini(s);
    truth_fini(s);
    swaps_fini(s);
    forks_fini(s);
    buffer_fini(&s->link_bytes);
    free(s->messages);
    free(s);
}

/* ---- the loop ---- */

static uint64_t earliest(struct sim *s)
{
    uint64_t due = sim_min(faults_due_ms(s), fanout_host_due_ms(s));
    due = sim_min(due, rogue_due_ms(s));
    for (size_t i = 0; i < s->broker_count; i++)
        due = sim_min(due, broker_host_due_ms(&s->brokers[i]));
    for (size_t i = 0; i < s->store_count; i++)
        due = sim_min(due, store_host_due_ms(&s->stores[i]));
    for (size_t i = 0; i < s->device_count; i++)
        due = sim_min(due, device_due_ms(&s->devices[i]));
    return due;
}

static void run_brokers(struct sim *s)
{
    for (size_t i = 0; i < s->broker_count; i++)
        if (broker_host_due_ms(&s->brokers[i]) <= s->now_ms) broker_host_step(&s->brokers[i]);
}

static void run_stores(struct sim *s)
{
    for (size_t i = 0; i < s->store_count; i++)
        if (store_host_due_ms(&s->stores[i]) <= s->now_ms) store_host_step(&s->stores[i]);
}

static void run_devices(struct sim *s)
{
    size_t start = rng_below(&s->rng, s->device_count);
    for (size_t i = 0; i < s->device_count; i++) {
        struct device *d = &s->devices[(start + i) % s->device_count];
        if (device_due_ms(d) <= s->now_ms) device_step(d);
    }
    if (rogue_due_ms(s) <= s->now_ms) rogue_step(s);
}

static void run_others(struct sim *s)
{
    if (fanout_host_due_ms(s) <= s->now_ms) fanout_host_step(s);
    if (faults_due_ms(s) <= s->now_ms) faults_step(s);
}

static void step(struct sim *s)
{
    static void (*const runs[])(struct sim *) = {run_brokers, run_stores, run_devices, run_others};
    size_t start = rng_below(&s->rng, 4);
    net_step(s);
    for (size_t i = 0; i < 4 && !s->failed; i++)
        runs[(start + i) % 4](s);
}

static void run_until(struct sim *s, uint64_t until_ms, bool settle)
{
    unsigned steps = 0;
    uint64_t look_ms = s->now_ms;
    while (!s->failed) {
        uint64_t due = earliest(s);
        if (due > until_ms) break;
        steps = due > s->now_ms ? 0 : steps + 1;
        if (steps > STEPS_PER_MS_MAX) sim_fail(s, "somebody runs for ever at one moment");
        if (due > s->now_ms) s->now_ms = due;
        step(s);
        if (!settle || s->now_ms < look_ms) continue;
        look_ms = s->now_ms + 100;
        if (verdict_settled(s)) return;
    }
    if (!s->failed && s->now_ms < until_ms) s->now_ms = until_ms;
}

void sim_run_for(struct sim *s, uint64_t ms)
{
    run_until(s, s->now_ms + ms, false);
}

/* Everything heals: from here on only delay is left. */
static void become_calm(struct sim *s)
{
    trace_put(s, TRACE_CALM, s->message_count, 0, 0);
    s->calm = true;
    s->relay_shift_ms = 0;
    net_calm(s);
    for (size_t i = 0; i < s->broker_count; i++)
        s->brokers[i].restart_ms = sim_min(s->brokers[i].restart_ms, s->now_ms + 1000);
    for (size_t i = 0; i < s->store_count; i++) {
        struct store_host *h = &s->stores[i];
        h->restart_ms = sim_min(h->restart_ms, s->now_ms + 1000);
        h->low_until_ms = s->now_ms;
        memory_disk_fail_write(h->disk, 0, false);
        if (h->process) h->process->kill_at = KILL_NONE;
    }
    s->fanout.restart_ms = sim_min(s->fanout.restart_ms, s->now_ms + 1000);
    for (size_t i = 0; i < s->device_count; i++)
        device_calm(&s->devices[i]);
}

static void sim_play(struct sim *s)
{
    const struct profile *p = s->profile;
    run_until(s, BIRTH_MS + p->chaos_ms, false);
    if (!s->failed && s->slept_days) run_until(s, s->now_ms + p->chaos_ms / 2, false);
    if (s->failed) return;
    become_calm(s);
    uint64_t calm_ms = s->now_ms;
    run_until(s, calm_ms + p->settle_ms, true);
    s->settled_ms = s->now_ms - calm_ms;
    trace_put(s, TRACE_SETTLED, s->settled_ms, 0, 0);
    if (!s->failed) verdict_check(s);
}

struct sim_result sim_run(const struct profile *p, uint64_t seed, bool trace)
{
    struct sim *s = sim_new(p, seed, trace);
    running = s;
    sim_play(s);
    if (s->failed) {
        if (!trace) trace_dump(&s->trace);
        fprintf(
            stderr,
            "sim: profile %s, seed %llu, at %llu ms (%zu brokers, %zu stores, %zu devices): %s\n",
            p->name, (unsigned long long)seed, (unsigned long long)s->now_ms, s->broker_count,
            s->store_count, s->device_count, s->why);
    }
    struct sim_result r = {.failed = s->failed,
                           .trace_hash = s->trace.hash,
                           .trace_count = s->trace.count,
                           .settled_ms = s->settled_ms,
                           .messages = s->message_count,
                           .end_ms = s->now_ms};
    memcpy(r.seen, s->seen, sizeof r.seen);
    sim_free(s);
    running = NULL;
    return r;
}
