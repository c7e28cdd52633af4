/* group: the rounds of one system under one load, seen together: every figure as median, lowest and
 * highest round. Which figures there are, and which way is better, is one table. */
#ifndef SEALMQ_BENCH_GROUP_H
#define SEALMQ_BENCH_GROUP_H

#include "bench/report/results.h"
#include "bench/report/stats.h"

enum metric {
    METRIC_RATE,
    METRIC_ACCEPT_P50,
    METRIC_ACCEPT_P99,
    METRIC_ACCEPT_P999,
    METRIC_ACCEPT_MAX,
    METRIC_END_P50,
    METRIC_END_P99,
    METRIC_END_P999,
    METRIC_END_MAX,
    METRIC_CPU,
    METRIC_GENERATOR_CPU,
    METRIC_CLIENT_CPU,
    METRIC_RSS,
    METRIC_RSS_PEAK,
    METRIC_WRITTEN,
    METRIC_DISK_BYTES,
    METRIC_FLUSHES,
    METRIC_COUNT
};

struct metric_rule {
    const char *name, *unit;
    const char *less, *more; /* what a change is called: "slower", "faster" */
    bool compared;
    double (*of)(const struct result *r); /* NAN = not measured */
};
extern const struct metric_rule metric_rules[METRIC_COUNT];

/* One process of the server; matched over rounds by name. */
struct group_process {
    const char *name; /* borrowed from a result */
    struct spread cpu, rss_kib;
};

struct group {
    const struct result **rounds; /* borrowed results; heap array */
    size_t count;
    struct spread metrics[METRIC_COUNT]; /* count 0 = in no round */
    struct group_process processes[RESULT_PROCESSES_MAX];
    size_t process_count;
    uint64_t lost, duplicated, corrupted, refused; /* over all rounds */
};

struct groups {
    struct group *list; /* heap; in order of first appearance, scenarios kept together */
    size_t count;
};

/* groups_make: out is filled from results, which must outlive it. */
void groups_make(const struct results *results, struct groups *out);
void groups_fini(struct groups *g);

/* group_matches: the same work by the same system: everything that tells one measurement from
 * another, except the round. group_matches_unlabelled: and except the label. */
bool group_matches(const struct result *a, const struct result *b);
bool group_matches_unlabelled(const struct result *a, const struct result *b);
/* load_matches: the same work, whoever does it: scenario, sizes, window or rate, mailboxes. */
bool load_matches(const struct result *a, const struct result *b);
/* group_base: what throughput is compared with: Redis with deduplication under the same load; NULL =
 * there is none, or the load offers a rate (then all that keep up have the same). */
const struct group *group_base(const struct groups *all, const struct group *g);
bool group_clean(const struct group *g);
/* group_loaded: messages went through a system; else it is a limit, one step repeated. */
bool group_loaded(const struct group *g);
/* group_latency: the histograms of all rounds, added up. */
void group_latency(const struct group *g, bool end_to_end, struct histogram *out);

/* Names for a person; all fit in GROUP_NAME_CAP. */
#define GROUP_NAME_CAP 512
void system_name(const struct result *r, char out[GROUP_NAME_CAP]); /* "redis (label), clear" */
void load_name(const struct result *r, char out[GROUP_NAME_CAP]);   /* "1 KiB, W=1024" */

#endif
