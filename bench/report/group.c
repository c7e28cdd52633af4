/* group: which results belong together, and what they say together. No output here.
 * Invariant: every result is in exactly one group. */
#include "bench/report/group.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- figures ---- */

static double of_rate(const struct result *r)
{
    return r->rate;
}

static double latency_ms(const struct histogram *h, double percentile)
{
    if (!h->count) return NAN;
    uint64_t us = percentile < 100 ? histogram_percentile(h, percentile) : h->max_us;
    return (double)us / 1000;
}
#define LATENCY(name, histogram, percentile)          \
    static double of_##name(const struct result *r)   \
    {                                                 \
        return latency_ms(&r->histogram, percentile); \
    }
LATENCY(accept_p50, accept, 50)
LATENCY(accept_p99, accept, 99)
LATENCY(accept_p999, accept, 99.9)
LATENCY(accept_max, accept, 100)
LATENCY(end_p50, end_to_end, 50)
LATENCY(end_p99, end_to_end, 99)
LATENCY(end_p999, end_to_end, 99.9)
LATENCY(end_max, end_to_end, 100)

static double of_cpu(const struct result *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->process_count; i++)
        sum += r->processes[i].cpu_us_per_message;
    return r->process_count ? sum : NAN;
}

static double of_generator_cpu(const struct result *r)
{
    return r->generator_cpu_us_per_message;
}

/* Full clients are measured themselves; what else a generator spends says nothing of SealMQ. */
static double of_client_cpu(const struct result *r)
{
    bool clients = strcmp(r->system, "sealed") == 0 || strcmp(r->system, "opaque") == 0;
    return clients ? r->generator_cpu_us_per_message : NAN;
}

static double of_rss(const struct result *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->process_count; i++)
        sum += (double)r->processes[i].rss_kib / 1024;
    return r->process_count ? sum : NAN;
}

static double of_rss_peak(const struct result *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->process_count; i++)
        sum += (double)r->processes[i].rss_peak_kib / 1024;
    return r->process_count ? sum : NAN;
}

/* Known only when every process's is. */
static double of_written(const struct result *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->process_count; i++) {
        if (r->processes[i].write_bytes_per_message < 0) return NAN;
        sum += r->processes[i].write_bytes_per_message;
    }
    return r->process_count ? sum : NAN;
}

static double of_disk_bytes(const struct result *r)
{
    return *r->disk_device ? r->disk_bytes_per_message : NAN;
}

static double of_flushes(const struct result *r)
{
    return *r->disk_device ? r->device_flushes_per_message : NAN;
}

const struct metric_rule metric_rules[METRIC_COUNT] = {
    [METRIC_RATE] = {"throughput", "msg/s", "slower", "faster", true, of_rate},
    [METRIC_ACCEPT_P50] = {"accept p50", "ms", "faster", "slower", true, of_accept_p50},
    [METRIC_ACCEPT_P99] = {"accept p99", "ms", "faster", "slower", true, of_accept_p99},
    [METRIC_ACCEPT_P999] = {"accept p99.9", "ms", "faster", "slower", true, of_accept_p999},
    [METRIC_ACCEPT_MAX] = {"accept max", "ms", "faster", "slower", false, of_accept_max},
    [METRIC_END_P50] = {"end to end p50", "ms", "faster", "slower", true, of_end_p50},
    [METRIC_END_P99] = {"end to end p99", "ms", "faster", "slower", true, of_end_p99},
    [METRIC_END_P999] = {"end to end p99.9", "ms", "faster", "slower", true, of_end_p999},
    [METRIC_END_MAX] = {"end to end max", "ms", "faster", "slower", false, of_end_max},
    [METRIC_CPU] = {"server CPU", "us/msg", "cheaper", "dearer", true, of_cpu},
    [METRIC_GENERATOR_CPU] = {"generator CPU", "us/msg", "cheaper", "dearer", false,
                              of_generator_cpu},
    [METRIC_CLIENT_CPU] = {"client CPU", "us/msg", "cheaper", "dearer", true, of_client_cpu},
    [METRIC_RSS] = {"RSS", "MiB", "smaller", "larger", true, of_rss},
    [METRIC_RSS_PEAK] = {"RSS peak", "MiB", "smaller", "larger", false, of_rss_peak},
    [METRIC_WRITTEN] = {"written by the server", "B/msg", "less", "more", true, of_written},
    [METRIC_DISK_BYTES] = {"disk bytes", "B/msg", "less", "more", false, of_disk_bytes},
    [METRIC_FLUSHES] = {"disk flushes", "/msg", "fewer", "more", true, of_flushes},
};

/* ---- what belongs together ---- */

bool load_matches(const struct result *a, const struct result *b)
{
    return strcmp(a->scenario, b->scenario) == 0 && a->size == b->size &&
           strcmp(a->sizes, b->sizes) == 0 && a->window == b->window &&
           fabs(a->offered_rate - b->offered_rate) < 1e-6 && a->mailboxes == b->mailboxes &&
           a->senders == b->senders;
}

bool group_matches_unlabelled(const struct result *a, const struct result *b)
{
    return load_matches(a, b) && strcmp(a->system, b->system) == 0 &&
           strcmp(a->edge, b->edge) == 0 && strcmp(a->durability, b->durability) == 0;
}

bool group_matches(const struct result *a, const struct result *b)
{
    return group_matches_unlabelled(a, b) && strcmp(a->label, b->label) == 0;
}

static struct spread spread_over(const struct group *g, double (*of)(const struct result *))
{
    double *values = calloc(g->count, sizeof *values);
    size_t n = 0;
    ENSURE(values);
    for (size_t i = 0; i < g->count; i++) {
        double v = of(g->rounds[i]);
        if (isfinite(v)) values[n++] = v;
    }
    struct spread s = spread_of(values, n);
    free(values);
    return s;
}

static bool process_known(const struct group *g, const char *name)
{
    for (size_t i = 0; i < g->process_count; i++)
        if (strcmp(g->processes[i].name, name) == 0) return true;
    return false;
}

/* Over the rounds; processes of one name (a server's many workers) count as one. */
static void process_fill(const struct group *g, struct group_process *p)
{
    double *cpu = calloc(g->count, sizeof *cpu), *rss = calloc(g->count, sizeof *rss);
    size_t n = 0;
    ENSURE(cpu && rss);
    for (size_t i = 0; i < g->count; i++) {
        const struct result *r = g->rounds[i];
        bool found = false;
        for (size_t j = 0; j < r->process_count; j++) {
            if (strcmp(r->processes[j].name, p->name) != 0) continue;
            cpu[n] += r->processes[j].cpu_us_per_message;
            rss[n] += (double)r->processes[j].rss_kib;
            found = true;
        }
        n += found;
    }
    p->cpu = spread_of(cpu, n);
    p->rss_kib = spread_of(rss, n);
    free(cpu);
    free(rss);
}

static void group_fill(struct group *g)
{
    for (size_t m = 0; m < METRIC_COUNT; m++)
        g->metrics[m] = spread_over(g, metric_rules[m].of);
    for (size_t i = 0; i < g->count; i++) {
        const struct result *r = g->rounds[i];
        g->lost += r->lost;
        g->duplicated += r->duplicated;
        g->corrupted += r->corrupted;
        g->refused += r->refused;
        for (size_t j = 0; j < r->process_count; j++) {
            const char *name = r->processes[j].name;
            if (g->process_count == RESULT_PROCESSES_MAX || process_known(g, name)) continue;
            g->processes[g->process_count] = (struct group_process){.name = name};
            process_fill(g, &g->processes[g->process_count++]);
        }
    }
}

/* Takes every result from `first` on that matches it and is in no group yet. */
static void group_gather(const struct results *all, size_t first, bool *taken, struct group *g)
{
    *g = (struct group){.rounds = calloc(all->count - first, sizeof *g->rounds)};
    ENSURE(g->rounds);
    for (size_t i = first; i < all->count; i++) {
        if (taken[i] || !group_matches(all->list[first], all->list[i])) continue;
        g->rounds[g->count++] = all->list[i];
        taken[i] = true;
    }
    group_fill(g);
}

void groups_make(const struct results *results, struct groups *out)
{
    bool *taken = calloc(results->count + 1, sizeof *taken);
    *out = (struct groups){.list = calloc(results->count + 1, sizeof *out->list)};
    ENSURE(taken && out->list);
    for (size_t s = 0; s < results->count; s++) { /* a scenario where it first appears, ... */
        if (taken[s]) continue;
        for (size_t l = s; l < results->count; l++) { /* ... its loads, ... */
            bool here = strcmp(results->list[l]->scenario, results->list[s]->scenario) == 0;
            if (taken[l] || !here) continue;
            for (size_t i = l; i < results->count; i++) /* ... and who did each */
                if (!taken[i] && load_matches(results->list[l], results->list[i]))
                    group_gather(results, i, taken, &out->list[out->count++]);
        }
    }
    free(taken);
}

void groups_fini(struct groups *g)
{
    for (size_t i = 0; i < g->count; i++)
        free(g->list[i].rounds);
    free(g->list);
    *g = (struct groups){0};
}

static bool is_base(const struct result *r)
{
    return strcmp(r->system, "redis") == 0;
}

const struct group *group_base(const struct groups *all, const struct group *g)
{
    if (!g->rounds[0]->window) return NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct group *other = &all->list[i];
        if (is_base(other->rounds[0]) && load_matches(other->rounds[0], g->rounds[0]) &&
            other->metrics[METRIC_RATE].median > 0)
            return other;
    }
    return NULL;
}

bool group_clean(const struct group *g)
{
    return !g->lost && !g->duplicated && !g->corrupted && !g->refused;
}

static bool is_loaded(const struct result *r)
{
    return r->window || r->offered_rate > 0;
}

bool group_loaded(const struct group *g)
{
    return is_loaded(g->rounds[0]);
}

void group_latency(const struct group *g, bool end_to_end, struct histogram *out)
{
    histogram_reset(out);
    for (size_t i = 0; i < g->count; i++)
        histogram_merge(out, end_to_end ? &g->rounds[i]->end_to_end : &g->rounds[i]->accept);
}

/* ---- names ---- */

void system_name(const struct result *r, char out[GROUP_NAME_CAP])
{
    if (!is_loaded(r) && strcmp(r->system, r->scenario) == 0) /* a limit: the label says it all */
        snprintf(out, GROUP_NAME_CAP, "%s", r->label);
    else if (*r->label && strcmp(r->label, r->system) != 0)
        snprintf(out, GROUP_NAME_CAP, "%s (%s), %s", r->system, r->label, r->edge);
    else
        snprintf(out, GROUP_NAME_CAP, "%s, %s", r->system, r->edge);
}

static void size_name(const struct result *r, char *out, size_t cap)
{
    if (*r->sizes)
        snprintf(out, cap, "sizes %s", r->sizes);
    else if (r->size >= 1024 && r->size % 1024 == 0)
        snprintf(out, cap, "%" PRIu64 " KiB", r->size / 1024);
    else
        snprintf(out, cap, "%" PRIu64 " B", r->size);
}

void load_name(const struct result *r, char out[GROUP_NAME_CAP])
{
    char size[RESULT_TEXT_LEN_MAX + 16];
    size_name(r, size, sizeof size);
    if (r->window)
        snprintf(out, GROUP_NAME_CAP, "%s, W=%" PRIu64 ", %" PRIu64 " mailboxes", size, r->window,
                 r->mailboxes);
    else if (!(r->offered_rate > 0))
        snprintf(out, GROUP_NAME_CAP, "%s", size);
    else
        snprintf(out, GROUP_NAME_CAP, "%s, %.0f/s, %" PRIu64 " mailboxes", size, r->offered_rate,
                 r->mailboxes);
}
