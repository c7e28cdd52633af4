/* page: one section per scenario: bars, latency curves, what happened over time, the tables. Every text
 * of a result file passes html_text. A system has the same colour in the whole page.
 * What it is not: the figures themselves (group.c) and how a chart is drawn (plot.c). */
#include "bench/report/page.h"

#include "bench/report/plot.h"
#include "bench/report/tables.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMS_MAX 64u
#define STEPS_MAX   160u /* points of a percentile curve */
#define CURVES_MAX  32u

static const char style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1b1f24;--dim:#59636e;--grid:#e3e6ea;--bad:#b3001b;"
    "--c0:#0b62c4;--c1:#d1600a;--c2:#12855a;--c3:#b02a7a;--c4:#7a5cc9;--c5:#8a6d00;--c6:#00808f;"
    "--c7:#707070}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171b;--fg:#e6e9ed;--dim:#9aa4ae;--grid:#"
    "2c3239;"
    "--bad:#ff6b7d;--c0:#62a8ff;--c1:#ff9d52;--c2:#4cc795;--c3:#ef7fc0;--c4:#b39bff;--c5:#e0be45;"
    "--c6:#45c8d6;--c7:#a8a8a8}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:1180px;"
    "margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;margin:2.5rem 0 .5rem;border-bottom:1px solid "
    "var(--grid)}\n"
    ".dim{color:var(--dim)}.bad,.bad td{color:var(--bad);font-weight:700}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));"
    "gap:1rem}\n"
    "figure{margin:1rem 0;min-width:0}figcaption{font-weight:600}svg{width:100%;height:auto}\n"
    "svg text{fill:var(--dim);font-size:12px}svg .axis,svg .group{fill:var(--fg)}"
    "svg .group{font-weight:600}\n"
    ".grid{stroke:var(--grid);fill:none}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".dashed{stroke-dasharray:5 4}.whisker{stroke:var(--fg);stroke-width:1.5;fill:none}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.85rem;color:var(--dim)}"
    "svg.key{width:24px;height:10px;margin-right:.35rem;vertical-align:middle}\n"
    ".scroll{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;font-size:.85rem;"
    "font-variant-numeric:tabular-nums}caption{text-align:left;font-weight:600;padding:.3rem 0}\n"
    "th,td{padding:.2rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid "
    "var(--grid)}th{color:var(--dim);font-weight:500}.left{text-align:left}\n";

/* ---- colours ---- */

struct palette {
    char names[SYSTEMS_MAX][GROUP_NAME_CAP];
    size_t count;
};

static unsigned color_of(struct palette *p, const struct result *r)
{
    char name[GROUP_NAME_CAP];
    size_t i = 0;
    system_name(r, name);
    while (i < p->count && strcmp(p->names[i], name) != 0)
        i++;
    if (i == SYSTEMS_MAX) return SYSTEMS_MAX;
    if (i == p->count) memcpy(p->names[p->count++], name, sizeof name);
    return (unsigned)i;
}

static void style_write(FILE *out)
{
    fputs(style, out);
    for (unsigned i = 0; i < PLOT_COLORS; i++)
        fprintf(out, ".line.s%u{stroke:var(--c%u)}.bar.s%u{fill:var(--c%u)}\n", i, i, i, i);
}

/* ---- throughput ---- */

static void bars_write(const struct groups *all, const char *scenario, struct palette *palette,
                       FILE *out)
{
    struct bar *bars = calloc(all->count + 1, sizeof *bars);
    char(*names)[2][GROUP_NAME_CAP] = calloc(all->count + 1, sizeof *names);
    struct bar_plot plot = {.title = "Throughput, complete messages: median of the rounds",
                            .label = "messages per second",
                            .bars = bars};
    ENSURE(bars && names);
    for (size_t i = 0; i < all->count; i++) {
        const struct group *g = &all->list[i];
        struct spread rate = g->metrics[METRIC_RATE];
        bool here = strcmp(g->rounds[0]->scenario, scenario) == 0;
        if (!here || !rate.count || !group_loaded(g)) continue;
        load_name(g->rounds[0], names[plot.count][0]);
        system_name(g->rounds[0], names[plot.count][1]);
        bars[plot.count] = (struct bar){.group = names[plot.count][0],
                                        .name = names[plot.count][1],
                                        .color = color_of(palette, g->rounds[0]),
                                        .value = rate.median,
                                        .min = rate.min,
                                        .max = rate.max};
        plot.count++;
    }
    plot_bars(out, &plot);
    free(bars);
    free(names);
}

/* ---- latency ---- */

/* The percentiles between two nines are as dense as between the next two. */
static size_t percentile_points(const struct histogram *h, struct point out[STEPS_MAX])
{
    size_t n = 0;
    double rest = 100;
    for (; n < STEPS_MAX && h->count && rest >= 0.001; rest *= 0.92) {
        if (rest / 100 * (double)h->count < 1) break; /* no message lies beyond */
        out[n] = (struct point){100 - rest, (double)histogram_percentile(h, 100 - rest) / 1000};
        n++;
    }
    return n;
}

struct latency_curve {
    char name[GROUP_NAME_CAP];
    struct point points[STEPS_MAX];
};

/* All rounds of the group together, which is what merging histograms is for. */
static bool latency_add(const struct group *g, bool end_to_end, unsigned color,
                        struct latency_curve *memory, struct curve *out)
{
    struct histogram *sum = calloc(1, sizeof *sum);
    ENSURE(sum);
    group_latency(g, end_to_end, sum);
    system_name(g->rounds[0], memory->name);
    *out = (struct curve){.name = memory->name,
                          .color = color,
                          .dashed = color >= PLOT_COLORS,
                          .points = memory->points,
                          .count = percentile_points(sum, memory->points)};
    free(sum);
    return out->count > 0;
}

/* All systems under one load, that of the group `of`. */
static void latency_write(const struct groups *all, const struct group *of, bool end_to_end,
                          struct palette *palette, FILE *out)
{
    struct latency_curve *memory = calloc(CURVES_MAX, sizeof *memory);
    struct curve curves[CURVES_MAX];
    char load[GROUP_NAME_CAP], title[GROUP_NAME_CAP + 64];
    size_t count = 0;
    ENSURE(memory);
    for (size_t i = 0; i < all->count && count < CURVES_MAX; i++) {
        const struct group *g = &all->list[i];
        if (load_matches(g->rounds[0], of->rounds[0]))
            count += latency_add(g, end_to_end, color_of(palette, g->rounds[0]), &memory[count],
                                 &curves[count]);
    }
    load_name(of->rounds[0], load);
    snprintf(title, sizeof title, "%s latency by percentile: %s",
             end_to_end ? "End to end" : "Accept", load);
    plot_curves(out, &(struct plot){.title = title,
                                    .x = {"percentile", SCALE_NINES},
                                    .y = {"latency, ms", SCALE_LOG},
                                    .curves = curves,
                                    .count = count});
    free(memory);
}

/* ---- over time ---- */

static const char *const over_time[] = {"soak", "restart", "backlog", "connections", "crash"};

static bool is_over_time(const char *scenario)
{
    for (size_t i = 0; i < sizeof over_time / sizeof over_time[0]; i++)
        if (strcmp(over_time[i], scenario) == 0) return true;
    return false;
}

/* An interval in which nothing was accepted, as in a catch-up, has no latency. */
static struct point *series_points(const struct result *r, bool rate, size_t *count)
{
    struct point *points = calloc(r->series_count + 1, sizeof *points);
    ENSURE(points);
    *count = 0;
    for (size_t i = 0; i < r->series_count; i++) {
        const struct result_point *p = &r->series[i];
        if (rate || p->p99_us)
            points[(*count)++] = (struct point){p->t, rate ? p->rate : (double)p->p99_us / 1000};
    }
    return points;
}

/* One figure for a group: a curve per round. */
static void series_plot(const struct group *g, bool rate, unsigned color, FILE *out)
{
    char names[CURVES_MAX][32], load[GROUP_NAME_CAP], system[GROUP_NAME_CAP];
    char title[2 * GROUP_NAME_CAP + 64];
    struct curve curves[CURVES_MAX];
    struct point *points[CURVES_MAX];
    size_t count = 0;
    for (; count < g->count && count < CURVES_MAX; count++) {
        const struct result *r = g->rounds[count];
        size_t point_count;
        points[count] = series_points(r, rate, &point_count);
        snprintf(names[count], sizeof names[count], "round %" PRIu64, r->round);
        curves[count] = (struct curve){.name = names[count],
                                       .color = color + (unsigned)count,
                                       .points = points[count],
                                       .count = point_count};
    }
    load_name(g->rounds[0], load);
    system_name(g->rounds[0], system);
    snprintf(title, sizeof title, "%s over time: %s, %s", rate ? "Rate" : "Accept p99", system,
             load);
    plot_curves(out, &(struct plot){.title = title,
                                    .x = {"time, s", SCALE_LINEAR},
                                    .y = {rate ? "messages per second" : "accept p99, ms",
                                          rate ? SCALE_LINEAR : SCALE_LOG},
                                    .curves = curves,
                                    .count = count});
    while (count--)
        free(points[count]);
}

/* ---- the page ---- */

static bool first_of_load(const struct groups *all, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (load_matches(all->list[i].rounds[0], all->list[at].rounds[0])) return false;
    return true;
}

static void plots_write(const struct groups *all, const char *scenario, struct palette *palette,
                        FILE *out)
{
    fputs("<div class=\"plots\">\n", out);
    bars_write(all, scenario, palette, out);
    for (size_t i = 0; i < all->count; i++) {
        const struct group *g = &all->list[i];
        if (strcmp(g->rounds[0]->scenario, scenario) != 0 || !group_loaded(g)) continue;
        for (int end_to_end = 0; end_to_end < 2 && first_of_load(all, i); end_to_end++)
            latency_write(all, g, end_to_end, palette, out);
        if (!is_over_time(scenario)) continue;
        series_plot(g, true, color_of(palette, g->rounds[0]), out);
        series_plot(g, false, color_of(palette, g->rounds[0]), out);
    }
    fputs("</div>\n", out);
}

static void section_write(const struct groups *all, const char *scenario, struct palette *palette,
                          FILE *out)
{
    fputs("<section><h2>", out);
    html_text(out, scenario);
    fputs("</h2>\n", out);
    plots_write(all, scenario, palette, out);
    for (enum scenario_table which = 0; which < TABLE_COUNT; which++) {
        struct table t;
        table_make(all, scenario, which, &t);
        table_html(&t, out);
        table_fini(&t);
    }
    fputs("</section>\n", out);
}

static void verdict_write(const struct groups *all, FILE *out)
{
    size_t bad = 0;
    for (size_t i = 0; i < all->count; i++)
        bad += !group_clean(&all->list[i]);
    if (bad)
        fprintf(out,
                "<p class=\"bad\">%zu of %zu measurements lost, duplicated, corrupted or refused "
                "messages. Their figures say nothing.</p>\n",
                bad, all->count);
    else
        fputs("<p>Every message was checked: nothing was lost, duplicated, corrupted or "
              "refused.</p>\n",
              out);
}

enum status page_write(const struct groups *all, FILE *out)
{
    struct palette *palette = calloc(1, sizeof *palette);
    ENSURE(palette);
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<title>sealmq-bench</title>\n<style>\n",
          out);
    style_write(out);
    fputs("</style></head><body>\n<h1>sealmq-bench</h1>\n", out);
    verdict_write(all, out);
    fputs(
        "<p class=\"dim\">Systems are comparable within a load, and where their durability is the "
        "same. Latencies at an offered rate count from the scheduled time. Percentile curves "
        "hold all rounds together and end where no message lies beyond. bench/README.md has the "
        "method.</p>\n",
        out);
    for (size_t i = 0; i < all->count; i++) {
        const char *scenario = all->list[i].rounds[0]->scenario;
        bool first = i == 0 || strcmp(all->list[i - 1].rounds[0]->scenario, scenario) != 0;
        if (first) section_write(all, scenario, palette, out);
    }
    fputs("</body></html>\n", out);
    free(palette);
    return fflush(out) != 0 || ferror(out) ? STATUS_IO : STATUS_OK;
}
