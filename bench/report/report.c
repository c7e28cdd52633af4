/* report: reads result files, then prints. Nothing is printed before everything is understood. What the tables
 * hold is tables.c's, what the page shows page.c's. */
#include "bench/report/report.h"

#include "bench/report/compare.h"
#include "bench/report/page.h"
#include "bench/report/tables.h"

#include <errno.h>
#include <string.h>

#define ERROR_CAP    1024u
#define PATH_LEN_MAX 4096u

const struct option_rule report_options[REPORT_OPTION_COUNT] = {
    {"html", "FILE", "also write one page with charts, complete in itself", false},
    {"hgrm", "PREFIX", "also write PREFIX-….hgrm for HdrHistogram's plotter, one per latency",
     false},
};

/* ---- text ---- */

static void text_print(const struct groups *all, FILE *out)
{
    for (size_t i = 0; i < all->count; i++) {
        const char *scenario = all->list[i].rounds[0]->scenario;
        if (i && strcmp(all->list[i - 1].rounds[0]->scenario, scenario) == 0) continue;
        fprintf(out, "%s\n", scenario);
        for (enum scenario_table which = 0; which < TABLE_COUNT; which++) {
            struct table t;
            table_make(all, scenario, which, &t);
            table_text(&t, out);
            table_fini(&t);
        }
    }
}

/* ---- JSON: a line per group ---- */

static json_t *spread_json(struct spread s)
{
    return json_pack("{s:f,s:f,s:f}", "median", s.median, "min", s.min, "max", s.max);
}

static void group_json(const struct groups *all, const struct group *g, FILE *out)
{
    const struct result *r = g->rounds[0];
    const struct group *base = group_base(all, g);
    char load[GROUP_NAME_CAP];
    load_name(r, load);
    json_t *line =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:b}", "scenario", r->scenario, "load", load,
                  "system", r->system, "label", r->label, "edge", r->edge, "durability",
                  r->durability, "rounds", (json_int_t)g->count, "clean", group_clean(g));
    ENSURE(line);
    for (size_t m = 0; m < METRIC_COUNT; m++) {
        char name[64];
        snprintf(name, sizeof name, "%s, %s", metric_rules[m].name, metric_rules[m].unit);
        if (g->metrics[m].count)
            ENSURE(json_object_set_new(line, name, spread_json(g->metrics[m])) == 0);
    }
    double ratio = base ? g->metrics[METRIC_RATE].median / base->metrics[METRIC_RATE].median : 0;
    if (base) ENSURE(json_object_set_new(line, "x redis", json_real(ratio)) == 0);
    ENSURE(json_dumpf(line, out, JSON_COMPACT) == 0);
    fputc('\n', out);
    json_decref(line);
}

/* ---- files ---- */

static int page_save(const struct command *c, const struct groups *all, const char *path)
{
    FILE *f = fopen(path, "we");
    enum status status = f ? page_write(all, f) : STATUS_IO;
    int error = errno;
    if (f && fclose(f) != 0) status = STATUS_IO;
    if (status == STATUS_OK) return EXIT_OK;
    return command_fail(c, f ? EXIT_FAILED : EXIT_USAGE, "%s cannot be written: %s", path,
                        strerror(error));
}

/* "PREFIX-steady-1KiB-W-1024-...-accept.hgrm": letters and digits of the names. */
static void hgrm_path(const char *prefix, const struct group *g, const char *which,
                      char out[PATH_LEN_MAX])
{
    char load[GROUP_NAME_CAP], system[GROUP_NAME_CAP], name[2 * GROUP_NAME_CAP + 160];
    size_t n = 0;
    load_name(g->rounds[0], load);
    system_name(g->rounds[0], system);
    snprintf(name, sizeof name, "%s %s %s %s", g->rounds[0]->scenario, system, load, which);
    for (char *at = name; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || *at == '.';
        if (plain)
            name[n++] = *at;
        else if (n && name[n - 1] != '-')
            name[n++] = '-';
    }
    name[n] = '\0';
    snprintf(out, PATH_LEN_MAX, "%s-%s.hgrm", prefix, name);
}

static int hgrm_save(const struct command *c, const struct group *g, bool end_to_end,
                     const char *prefix)
{
    struct histogram sum;
    char path[PATH_LEN_MAX];
    group_latency(g, end_to_end, &sum);
    if (!sum.count) return EXIT_OK;
    hgrm_path(prefix, g, end_to_end ? "end-to-end" : "accept", path);
    FILE *f = fopen(path, "we");
    enum status status = f ? histogram_write_hgrm(&sum, f) : STATUS_IO;
    int error = errno;
    if (f && fclose(f) != 0) status = STATUS_IO;
    if (status == STATUS_OK) return EXIT_OK;
    return command_fail(c, f ? EXIT_FAILED : EXIT_USAGE, "%s cannot be written: %s", path,
                        strerror(error));
}

static int files_save(const struct command *c, const struct groups *all)
{
    const char *html = command_option(c, "html"), *hgrm = command_option(c, "hgrm");
    int failed = html ? page_save(c, all, html) : EXIT_OK;
    for (size_t i = 0; hgrm && i < all->count && !failed; i++) {
        failed = hgrm_save(c, &all->list[i], false, hgrm);
        if (!failed) failed = hgrm_save(c, &all->list[i], true, hgrm);
    }
    return failed;
}

/* ---- the commands ---- */

static int clean_check(const struct command *c, const struct groups *all)
{
    size_t bad = 0;
    for (size_t i = 0; i < all->count; i++)
        bad += !group_clean(&all->list[i]);
    if (!bad) return EXIT_OK;
    return command_fail(c, EXIT_FAILED,
                        "%zu of %zu measurements LOST, DUPLICATED, CORRUPTED or REFUSED messages: "
                        "their figures say nothing",
                        bad, all->count);
}

static int results_load(const struct command *c, int first, int count, struct results *out)
{
    char error[ERROR_CAP];
    for (int i = first; i < first + count; i++)
        if (results_read(out, c->arguments[i], error, sizeof error) != STATUS_OK)
            return command_fail(c, EXIT_USAGE, "%s", error);
    return EXIT_OK;
}

int report_command(struct command *c)
{
    struct results results = {0};
    struct groups all;
    int failed = results_load(c, 0, c->argument_count, &results);
    if (!failed) {
        groups_make(&results, &all);
        failed = files_save(c, &all);
        for (size_t i = 0; c->json && i < all.count; i++)
            group_json(&all, &all.list[i], stdout);
        if (!c->json) text_print(&all, stdout);
        fflush(stdout);
        if (!failed) failed = clean_check(c, &all);
        groups_fini(&all);
    }
    results_fini(&results);
    return failed;
}

int compare_command(struct command *c)
{
    struct results from = {0}, to = {0};
    struct groups a, b;
    int failed = results_load(c, 0, 1, &from);
    if (!failed) failed = results_load(c, 1, 1, &to);
    if (!failed) {
        groups_make(&from, &a);
        groups_make(&to, &b);
        if (!compare_print(&a, &b, c->json, stdout))
            failed = command_fail(c, EXIT_USAGE,
                                  "%s and %s have no measurement in common (same scenario, load, "
                                  "system, edge and durability)",
                                  c->arguments[0], c->arguments[1]);
        groups_fini(&a);
        groups_fini(&b);
    }
    results_fini(&from);
    results_fini(&to);
    return failed;
}
