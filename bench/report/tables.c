/* tables: groups into cells. A figure that was not measured is "-", never 0. Every line says how
 * durable the messages were: without it a rate means nothing. */
#include "bench/report/tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES_MAX   64u
#define TEXT_CAP      512u
#define KEPT_SHARE    0.97 /* the end of a short run is not full */
#define P99_DRIFT_MIN 60.0 /* seconds of series that a drift needs */

/* Three figures that count. */
static void figure_print(double v, char *out, size_t cap)
{
    double size = fabs(v);
    int digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 || v == 0 ? 2 : 3;
    snprintf(out, cap, "%.*f", digits, v);
}

/* "12.3", with more than one round "12.3 (11.8–12.9)", without any "-". */
static void spread_print(struct spread s, bool range, char *out, size_t cap)
{
    char median[40], min[40], max[40];
    figure_print(s.median, median, sizeof median);
    figure_print(s.min, min, sizeof min);
    figure_print(s.max, max, sizeof max);
    if (!s.count)
        snprintf(out, cap, "-");
    else if (range && s.count > 1)
        snprintf(out, cap, "%s (%s–%s)", median, min, max);
    else
        snprintf(out, cap, "%s", median);
}

static void spread_cell(struct table_row *row, size_t column, struct spread s, bool range)
{
    char text[160];
    spread_print(s, range, text, sizeof text);
    cell_print(row, column, "%s", text);
}

/* The first three cells of every line. */
static struct table_row *row_start(struct table *t, const struct group *g)
{
    char load[GROUP_NAME_CAP], system[GROUP_NAME_CAP];
    struct table_row *row = table_row(t);
    load_name(g->rounds[0], load);
    system_name(g->rounds[0], system);
    cell_print(row, 0, "%s", load);
    cell_print(row, 1, "%s", system);
    cell_print(row, 2, "%s", g->rounds[0]->durability);
    row->bad = !group_clean(g);
    return row;
}
#define START_COLUMNS "load|", "system|", "durability|"

/* ---- throughput ---- */

static void safety_cell(struct table_row *row, size_t column, const struct group *g)
{
    if (group_clean(g))
        cell_print(row, column, "0 / 0 / 0 / 0");
    else
        cell_print(row, column,
                   "LOST %" PRIu64 " DUPLICATED %" PRIu64 " CORRUPTED %" PRIu64 " REFUSED %" PRIu64,
                   g->lost, g->duplicated, g->corrupted, g->refused);
}

/* An open loop that the server could not follow; the latencies then are those of a queue that grows. */
static bool rate_kept(const struct group *g)
{
    return g->metrics[METRIC_RATE].median >= KEPT_SHARE * g->rounds[0]->offered_rate;
}

static void throughput_row(const struct groups *all, const struct group *g, struct table *t)
{
    if (!group_loaded(g)) return;
    struct table_row *row = row_start(t, g);
    const struct group *base = group_base(all, g);
    uint64_t messages = 0;
    char rate[160];
    for (size_t i = 0; i < g->count; i++)
        messages += g->rounds[i]->messages;
    spread_print(g->metrics[METRIC_RATE], true, rate, sizeof rate);
    cell_print(row, 3, "%s%s", rate, rate_kept(g) ? "" : ", not kept");
    if (base)
        cell_print(row, 4, "%.2f",
                   g->metrics[METRIC_RATE].median / base->metrics[METRIC_RATE].median);
    else
        cell_print(row, 4, "-");
    cell_print(row, 5, "%zu", g->count);
    cell_print(row, 6, "%" PRIu64, messages);
    safety_cell(row, 7, g);
}

static const struct table throughput_table = {
    .title = "throughput (accepted, delivered and acknowledged): median (lowest–highest round)",
    .columns = {START_COLUMNS, "msg/s", "x redis", "rounds", "messages",
                "lost / dup / corrupt / refused"},
    .column_count = 8};

/* ---- latency ---- */

static void latency_row(const struct groups *all, const struct group *g, struct table *t)
{
    (void)all;
    bool measured = g->metrics[METRIC_ACCEPT_P50].count || g->metrics[METRIC_END_P50].count;
    if (!measured || !group_loaded(g)) return;
    struct table_row *row = row_start(t, g);
    for (size_t m = METRIC_ACCEPT_P50; m <= METRIC_END_MAX; m++)
        spread_cell(row, 3 + m - METRIC_ACCEPT_P50, g->metrics[m],
                    m == METRIC_ACCEPT_P99 || m == METRIC_END_P99);
}

static const struct table latency_table = {
    .title = "latency in ms: median of the rounds (for p99 also lowest–highest)",
    .columns = {START_COLUMNS, "accept p50", "p99", "p99.9", "max", "end to end p50", "p99",
                "p99.9", "max"},
    .column_count = 11};

/* ---- cost ---- */

/* "broker 4.1, storage 8.0" */
static void processes_cell(struct table_row *row, size_t column, const struct group *g, bool rss)
{
    char text[TEXT_CAP] = "-";
    size_t len = 0;
    for (size_t i = 0; i < g->process_count && len < sizeof text; i++) {
        const struct group_process *p = &g->processes[i];
        char figure[40];
        figure_print(rss ? p->rss_kib.median / 1024 : p->cpu.median, figure, sizeof figure);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %s", i ? ", " : "", p->name,
                                figure);
    }
    cell_print(row, column, "%s", text);
}

static void cost_row(const struct groups *all, const struct group *g, struct table *t)
{
    (void)all;
    if (!group_loaded(g)) return;
    struct table_row *row = row_start(t, g);
    spread_cell(row, 3, g->metrics[METRIC_CPU], true);
    processes_cell(row, 4, g, false);
    spread_cell(row, 5, g->metrics[METRIC_GENERATOR_CPU], false);
    spread_cell(row, 6, g->metrics[METRIC_RSS], false);
    spread_cell(row, 7, g->metrics[METRIC_RSS_PEAK], false);
    processes_cell(row, 8, g, true);
    spread_cell(row, 9, g->metrics[METRIC_WRITTEN], false);
    spread_cell(row, 10, g->metrics[METRIC_DISK_BYTES], false);
    spread_cell(row, 11, g->metrics[METRIC_FLUSHES], false);
}

static const struct table cost_table = {
    .title = "cost: CPU in µs per message, RSS in MiB, bytes and device flushes per message "
             "(the disk's: everybody who uses it, an upper bound)",
    .columns = {START_COLUMNS, "server CPU", "by process|", "generator or clients", "RSS", "peak",
                "by process|", "written", "disk bytes", "flushes"},
    .column_count = 12};

/* ---- threads ---- */

/* "ZMQbg/IO/0 2.10, sealmq-broker 3.05": of the round in the middle of the file, as thread names are too many to
 * be matched over rounds. */
static void threads_row(const struct groups *all, const struct group *g, struct table *t)
{
    const struct result *r = g->rounds[g->count / 2];
    (void)all;
    for (size_t i = 0; i < r->process_count; i++) {
        const struct result_process *p = &r->processes[i];
        char text[TEXT_CAP] = "";
        size_t len = 0;
        for (size_t k = 0; k < p->thread_count && len < sizeof text; k++) {
            double cpu = p->threads[k].cpu_us_per_message;
            if (cpu < 0.01) continue;
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %.2f", len ? ", " : "",
                                    p->threads[k].name, cpu);
        }
        if (!len) continue;
        struct table_row *row = row_start(t, g);
        cell_print(row, 3, "%s", p->name);
        cell_print(row, 4, "%s", text);
    }
}

static const struct table threads_table = {
    .title = "where the CPU goes: µs per message by thread, of one round",
    .columns = {START_COLUMNS, "process|", "threads|"},
    .column_count = 5};

/* ---- limits ---- */

/* The highest rate of SealMQ by this edge, over all closed loops with this size; 0 = none. */
static double best_rate(const struct groups *all, uint64_t size, const char *edge)
{
    double best = 0;
    for (size_t i = 0; i < all->count; i++) {
        const struct result *r = all->list[i].rounds[0];
        bool ours = strcmp(r->system, "sealmq") == 0 && strcmp(r->edge, edge) == 0;
        if (ours && r->window && r->size == size && !*r->sizes)
            best = fmax(best, all->list[i].metrics[METRIC_RATE].median);
    }
    return best;
}

static void share_cell(struct table_row *row, size_t column, double rate, double limit)
{
    char share[40];
    figure_print(limit > 0 ? 100 * rate / limit : 0, share, sizeof share);
    cell_print(row, column, rate > 0 ? "%s %%" : "-", share);
}

static void limit_row(const struct groups *all, const struct group *g, struct table *t)
{
    const struct result *r = g->rounds[0];
    const char *unit = json_string_value(json_object_get(r->extra, "unit"));
    double limit = g->metrics[METRIC_RATE].median;
    bool messages = unit && strcmp(unit, "msg") == 0;
    char each_us[40];
    if (group_loaded(g)) return;
    struct table_row *row = row_start(t, g);
    spread_cell(row, 3, g->metrics[METRIC_RATE], true);
    cell_print(row, 4, "%s/s", unit ? unit : "msg");
    figure_print(limit > 0 ? 1e6 / limit : 0, each_us, sizeof each_us);
    cell_print(row, 5, "%s", each_us);
    spread_cell(row, 6, g->metrics[METRIC_GENERATOR_CPU], false);
    spread_cell(row, 7, g->metrics[METRIC_ACCEPT_P50], false);
    spread_cell(row, 8, g->metrics[METRIC_ACCEPT_P99], false);
    share_cell(row, 9, messages ? best_rate(all, r->size, "plain") : 0, limit);
    share_cell(row, 10, messages ? best_rate(all, r->size, "curve") : 0, limit);
}

static const struct table limits_table = {
    .title =
        "each part alone, on this machine; and SealMQ's highest rate with this size as a share "
        "of it",
    .columns = {"size|", "limit|", "durability|", "rate", "", "µs", "CPU µs", "step p50 ms",
                "p99 ms", "plain", "curve"},
    .column_count = 11};

/* ---- figures ---- */

static bool name_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static size_t figure_names(const struct group *g, const char *names[FIGURES_MAX])
{
    const char *name;
    json_t *value;
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++)
        json_object_foreach(g->rounds[i]->extra, name,
                            value) if (n < FIGURES_MAX && !name_listed(names, n, name)) names[n++] =
            name;
    return n;
}

/* How a system does its work is the same under every load: told once per scenario. */
static bool text_told(const struct groups *all, const struct group *g, const char *name,
                      const char *text)
{
    const struct result *r = g->rounds[0];
    for (const struct group *other = all->list; other < g; other++) {
        const struct result *o = other->rounds[0];
        const char *said = json_string_value(json_object_get(o->extra, name));
        bool same = strcmp(o->scenario, r->scenario) == 0 && strcmp(o->system, r->system) == 0;
        if (same && said && strcmp(said, text) == 0) return true;
    }
    return false;
}

static void figure_row(const struct groups *all, const struct group *g, const char *name,
                       struct table *t)
{
    double values[RESULTS_MAX];
    const char *text = NULL;
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++) {
        const json_t *value = json_object_get(g->rounds[i]->extra, name);
        if (json_is_number(value)) values[n++] = json_number_value(value);
        if (json_is_string(value)) text = json_string_value(value);
    }
    if (text && text_told(all, g, name, text)) return;
    struct table_row *row = row_start(t, g);
    cell_print(row, 3, "%s", name);
    if (n)
        spread_cell(row, 4, spread_of(values, n), true);
    else
        cell_print(row, 4, "%s", text ? text : "-");
}

/* Milliseconds that the intervals' accept p99 gains in an hour, by least squares. */
static double p99_drift(const struct result *r)
{
    double *t = calloc(r->series_count, sizeof *t), *p99 = calloc(r->series_count, sizeof *p99);
    ENSURE(t && p99);
    for (size_t i = 0; i < r->series_count; i++) {
        t[i] = r->series[i].t / 3600;
        p99[i] = (double)r->series[i].p99_us / 1000;
    }
    double drift = slope_of(t, p99, r->series_count);
    free(t);
    free(p99);
    return drift;
}

static void drift_row(const struct group *g, struct table *t)
{
    double slopes[RESULTS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < g->count; i++) {
        const struct result *r = g->rounds[i];
        if (r->series_count < 2) continue;
        if (r->series[r->series_count - 1].t - r->series[0].t < P99_DRIFT_MIN) continue;
        slopes[n++] = p99_drift(r);
    }
    if (!n) return;
    struct table_row *row = row_start(t, g);
    cell_print(row, 3, "accept_p99_drift_ms_per_hour");
    spread_cell(row, 4, spread_of(slopes, n), true);
}

static void figures_row(const struct groups *all, const struct group *g, struct table *t)
{
    const char *names[FIGURES_MAX];
    size_t count = group_loaded(g) ? figure_names(g, names) : 0;
    for (size_t i = 0; i < count; i++)
        figure_row(all, g, names[i], t);
    drift_row(g, t);
}

static const struct table figures_table = {
    .title = "figures of this scenario: median (lowest–highest round)",
    .columns = {START_COLUMNS, "figure|", "value|"},
    .column_count = 5};

/* ---- all of them ---- */

static const struct {
    const struct table *start;
    void (*row)(const struct groups *all, const struct group *g, struct table *t);
} makers[TABLE_COUNT] = {
    [TABLE_THROUGHPUT] = {&throughput_table, throughput_row},
    [TABLE_LATENCY] = {&latency_table, latency_row},
    [TABLE_COST] = {&cost_table, cost_row},
    [TABLE_THREADS] = {&threads_table, threads_row},
    [TABLE_LIMITS] = {&limits_table, limit_row},
    [TABLE_FIGURES] = {&figures_table, figures_row},
};

void table_make(const struct groups *all, const char *scenario, enum scenario_table which,
                struct table *out)
{
    *out = *makers[which].start;
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->list[i].rounds[0]->scenario, scenario) == 0)
            makers[which].row(all, &all->list[i], out);
}
