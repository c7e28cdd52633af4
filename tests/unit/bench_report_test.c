/* report, compare and note through their command lines, over canned result lines. */
#include "bench/report/group.h"
#include "bench/report/plot.h"
#include "bench/report/report.h"
#include "tests/unit/bench_fixture.h"

#include <criterion/redirect.h>
#include <unistd.h>

static const struct command_rule rules[] = {REPORT_COMMANDS};
static const struct program_rule program = {"bench", "x",   NULL,
                                            0,       rules, sizeof rules / sizeof rules[0]};

static int call(const char *const *words)
{
    static char name[] = "bench";
    char *argv[16] = {name};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    return command_main(&program, argc, argv);
}
#define CALL(...) call((const char *const[]){__VA_ARGS__, NULL})

/* Standard output of the call, for free(). */
static char *said(int wanted, const char *const *words)
{
    struct scratch out;
    scratch_make(&out);
    int saved = dup(1);
    cr_assert(saved >= 0 && freopen(out.path, "w", stdout));
    int status = call(words);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    cr_assert_eq(status, wanted, "exit %d", status);
    char *text = scratch_read(out.path);
    unlink(out.path);
    return text;
}
#define SAID(wanted, ...) said(wanted, (const char *const[]){__VA_ARGS__, NULL})

static void has(const char *text, const char *what)
{
    cr_assert(strstr(text, what), "lacks \"%s\":\n%s", what, text);
}
static void lacks(const char *text, const char *what)
{
    cr_assert(!strstr(text, what), "has \"%s\":\n%s", what, text);
}

/* Three rounds of ours around 100k and of Redis around 50k. */
static void rounds_add(const struct scratch *s)
{
    for (unsigned i = 0; i < 3; i++) {
        struct result *ours = result_canned("sealmq", "plain", 100000 + 1000 * i);
        struct result *redis = result_canned("redis", "clear", 50000 + 500 * i);
        ours->round = redis->round = i + 1;
        scratch_add(s, ours);
        scratch_add(s, redis);
    }
}

/* ---- report ---- */

Test(report, shows_medians_ranges_ratio_and_durability)
{
    struct scratch s;
    scratch_make(&s);
    rounds_add(&s);
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "steady\n");
    has(text, "1 KiB, W=1024, 64 mailboxes");
    has(text, "101000 (100000–102000)");
    has(text, "  2.00 ");
    has(text, "synced");
    has(text, "0 / 0 / 0 / 0");
    has(text, "broker 4.00, storage 8.00");
    has(text, "broker 10.0, storage 20.0");
    lacks(text, "!!");
    free(text);
    unlink(s.path);
}

Test(report, says_a_dash_for_what_was_not_measured)
{
    struct scratch s;
    struct result *r = result_canned("nats", "clear", 1000);
    scratch_make(&s);
    histogram_reset(&r->accept);
    r->processes[1].write_bytes_per_message = -1;
    r->disk_device[0] = '\0';
    r->disk_bytes_per_message = r->device_flushes_per_message = 0;
    scratch_add(&s, r);
    struct results results = {0};
    struct groups g;
    char error[256];
    cr_assert_eq(results_read(&results, s.path, error, sizeof error), STATUS_OK);
    groups_make(&results, &g);
    cr_assert_eq(g.list[0].metrics[METRIC_ACCEPT_P50].count, 0);
    cr_assert_eq(g.list[0].metrics[METRIC_WRITTEN].count, 0);
    cr_assert_eq(g.list[0].metrics[METRIC_FLUSHES].count, 0);
    cr_assert_eq(g.list[0].metrics[METRIC_END_P50].count, 1);
    cr_assert_null(group_base(&g, &g.list[0]));
    groups_fini(&g);
    results_fini(&results);
    unlink(s.path);
}

/* A limit is named by its label; a system is named also where the scenario has its name. */
Test(report, a_system_has_its_name_in_a_scenario_of_that_name)
{
    char name[GROUP_NAME_CAP];
    struct result *r = result_canned("sealed", "curve", 1000);
    strcpy(r->scenario, "sealed");
    system_name(r, name);
    cr_assert_str_eq(name, "sealed, curve");
    strcpy(r->label, "sync rate");
    r->window = 0;
    system_name(r, name);
    cr_assert_str_eq(name, "sync rate");
    result_free(&r);
}

Test(report, shouts_when_a_message_was_lost)
{
    struct scratch s;
    struct result *r = result_canned("sealmq", "curve", 1000);
    scratch_make(&s);
    cr_redirect_stderr();
    r->lost = 3;
    scratch_add(&s, r);
    char *text = SAID(EXIT_FAILED, "report", s.path);
    has(text, " !! ");
    has(text, "LOST 3 DUPLICATED 0 CORRUPTED 0 REFUSED 0");
    free(text);
    unlink(s.path);
}

static struct result *limit_canned(const char *unit)
{
    struct result *r = result_canned("limits", "clear", 200000);
    strcpy(r->label, "zmq round trip");
    strcpy(r->scenario, "limits");
    r->window = r->mailboxes = r->senders = r->process_count = 0;
    result_extra_text(r, "unit", unit);
    return r;
}

Test(report, says_how_much_of_a_limit_is_reached)
{
    struct scratch s;
    scratch_make(&s);
    rounds_add(&s);
    scratch_add(&s, limit_canned("msg"));
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "each part alone");
    has(text, "50.5 %");
    lacks(text, "limits (zmq");
    free(text);
    unlink(s.path);
}

Test(report, has_no_share_of_a_limit_of_another_unit)
{
    struct scratch s;
    scratch_make(&s);
    rounds_add(&s);
    scratch_add(&s, limit_canned("sync"));
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "each part alone");
    has(text, "sync/s");
    lacks(text, "50.5 %");
    free(text);
    unlink(s.path);
}

Test(report, shows_where_in_a_process_the_cpu_goes)
{
    struct scratch s;
    struct result *r = result_canned("sealmq", "plain", 1000);
    scratch_make(&s);
    strcpy(r->processes[0].threads[0].name, "ZMQbg/IO/0");
    r->processes[0].threads[0].cpu_us_per_message = 2.25;
    r->processes[0].thread_count = 1;
    scratch_add(&s, r);
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "ZMQbg/IO/0 2.25");
    free(text);
    unlink(s.path);
}

static void offer(const struct scratch *s, double rate)
{
    struct result *r = result_canned("sealmq", "plain", rate);
    r->window = 0;
    r->offered_rate = 20000;
    scratch_add(s, r);
}

Test(report, says_when_an_offered_rate_was_not_kept)
{
    struct scratch s;
    scratch_make(&s);
    offer(&s, 15000);
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "15000, not kept");
    free(text);
    unlink(s.path);
}

Test(report, says_nothing_when_an_offered_rate_was_kept)
{
    struct scratch s;
    scratch_make(&s);
    offer(&s, 19990);
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "19990");
    lacks(text, "not kept");
    free(text);
    unlink(s.path);
}

Test(report, keeps_other_loads_and_other_durability_apart)
{
    struct scratch s;
    struct result *small = result_canned("sealmq", "plain", 5),
                  *loose = result_canned("sealmq", "plain", 7);
    scratch_make(&s);
    small->size = 256;
    strcpy(loose->durability, "memory");
    scratch_add(&s, result_canned("sealmq", "plain", 9));
    scratch_add(&s, small);
    scratch_add(&s, loose);
    struct results results = {0};
    struct groups g;
    char error[256];
    cr_assert_eq(results_read(&results, s.path, error, sizeof error), STATUS_OK);
    groups_make(&results, &g);
    cr_assert_eq(g.count, 3);
    cr_assert_eq(g.list[1].rounds[0]->size, 1024, "one load stays together");
    groups_fini(&g);
    results_fini(&results);
    unlink(s.path);
}

Test(report, shows_the_figures_of_a_scenario_and_the_drift)
{
    struct scratch s;
    struct result *r = result_canned("sealmq", "plain", 1000);
    scratch_make(&s);
    strcpy(r->scenario, "soak");
    result_extra_number(r, "rss_kib_per_hour", 12.5);
    result_extra_text(r, "note", "none\x1b[2J");
    for (unsigned t = 0; t <= 120; t += 10)
        cr_assert(result_point_add(
            r, (struct result_point){.t = t, .rate = 1000, .p50_us = 1, .p99_us = 1000 + 10 * t}));
    scratch_add(&s, r);
    char *text = SAID(EXIT_OK, "report", s.path);
    has(text, "rss_kib_per_hour");
    has(text, "12.5");
    has(text, "none?[2J");
    has(text, "accept_p99_drift_ms_per_hour");
    has(text, "36.0");
    free(text);
    unlink(s.path);
}

static void refused(const char *line, const char *says)
{
    struct scratch s;
    char expected[512];
    scratch_make(&s);
    scratch_text(&s, line);
    cr_redirect_stderr();
    cr_redirect_stdout();
    cr_assert_eq(CALL("report", s.path), EXIT_USAGE);
    fflush(stdout);
    fflush(stderr);
    snprintf(expected, sizeof expected, says, s.path);
    cr_assert_stderr_eq_str(expected);
    cr_assert_stdout_eq_str("");
    unlink(s.path);
}

Test(report, an_empty_file_is_refused)
{
    refused("\n", "bench: %s holds no result line\n");
}

Test(report, a_missing_file_is_refused)
{
    cr_redirect_stderr();
    cr_assert_eq(CALL("report", "/nowhere/results.jsonl"), EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str(
        "bench: /nowhere/results.jsonl cannot be read: No such file or directory\n");
}

/* What the line of a broken file says beyond its place is result_decode's. */
static void refused_line(const char *from, const char *to, const char *says)
{
    struct scratch s, out;
    struct result *r = result_canned("sealmq", "plain", 1000);
    char *line = result_encode(r), *at = strstr(line, from), *text = NULL;
    result_free(&r);
    scratch_make(&s);
    scratch_make(&out);
    cr_assert(at, "%s", from);
    cr_assert(asprintf(&text, "%.*s%s%s\n", (int)(at - line), line, to, at + strlen(from)) > 0);
    scratch_text(&s, text);
    cr_assert(freopen(out.path, "w", stderr));
    cr_assert_eq(CALL("report", s.path), EXIT_USAGE);
    fflush(stderr);
    char *error = scratch_read(out.path);
    has(error, ":1: not a result line: ");
    has(error, says);
    cr_assert_eq(strchr(error, '\n'), error + strlen(error) - 1, "one line");
    unlink(s.path);
    unlink(out.path);
    free(error);
    free(text);
    free(line);
}

Test(report, broken_json_is_refused)
{
    refused_line("\"edge\"", "\"edge", "");
}

Test(report, another_schema_is_refused)
{
    refused_line("\"schema\":1", "\"schema\":2", "schema");
}

Test(report, a_missing_field_is_refused)
{
    refused_line("\"durability\":\"synced\",", "", "durability");
}

/* ---- the page ---- */

Test(page, is_complete_in_itself_and_escapes_every_text)
{
    struct scratch s, html;
    struct result *r = result_canned("sealmq", "plain", 1000);
    scratch_make(&s);
    scratch_make(&html);
    strcpy(r->scenario, "soak");
    strcpy(r->label, "<script>alert('x')</script>&\"");
    result_extra_text(r, "note", "<img src=x>");
    for (unsigned t = 0; t < 100; t += 10)
        cr_assert(result_point_add(
            r, (struct result_point){.t = t, .rate = 1000, .p50_us = 100, .p99_us = 1000}));
    scratch_add(&s, r);
    char *text = SAID(EXIT_OK, "report", s.path, "--html", html.path);
    char *page = scratch_read(html.path);
    has(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;");
    has(page, "&lt;img src=x&gt;");
    has(page, "Throughput");
    has(page, "Accept latency by percentile");
    has(page, "End to end latency by percentile");
    has(page, "Accept p99 over time");
    has(page, "messages per second");
    has(page, "latency, ms");
    has(page, "prefers-color-scheme:dark");
    lacks(page, "<script");
    lacks(page, "<img");
    lacks(page, "http");
    lacks(page, "url(");
    lacks(page, "src=\"");
    lacks(page, "href");
    lacks(page, "nan");
    lacks(page, "inf,");
    free(page);
    free(text);
    unlink(s.path);
    unlink(html.path);
}

Test(page, a_place_that_cannot_be_written_is_said)
{
    struct scratch s;
    scratch_make(&s);
    rounds_add(&s);
    cr_redirect_stderr();
    cr_redirect_stdout();
    cr_assert_eq(CALL("report", s.path, "--html", "/nowhere/x.html"), EXIT_USAGE);
    fflush(stderr);
    cr_assert_stderr_eq_str(
        "bench: /nowhere/x.html cannot be written: No such file or directory\n");
    unlink(s.path);
}

Test(hgrm, a_file_per_latency_holds_all_rounds)
{
    struct scratch s;
    char path[160];
    scratch_make(&s);
    rounds_add(&s);
    char *text = SAID(EXIT_OK, "report", s.path, "--hgrm", s.path);
    snprintf(path, sizeof path, "%s-steady-sealmq-plain-1-KiB-W-1024-64-mailboxes-accept.hgrm",
             s.path);
    char *hgrm = scratch_read(path);
    has(hgrm, "Percentile");
    has(hgrm, "Total count    =         3000");
    unlink(path);
    free(hgrm);
    free(text);
    static const char *const others[] = {"sealmq-plain-1-KiB-W-1024-64-mailboxes-end-to-end",
                                         "redis-clear-1-KiB-W-1024-64-mailboxes-accept",
                                         "redis-clear-1-KiB-W-1024-64-mailboxes-end-to-end"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s-steady-%s.hgrm", s.path, others[i]);
        cr_assert_eq(unlink(path), 0, "%s", path);
    }
    unlink(s.path);
}

Test(numbers, are_short)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},         {0.25, "0.25"},     {950, "950"},
                 {9999, "9999"},   {12300, "12.3k"},   {20000, "20k"},
                 {104512, "105k"}, {1250000, "1.25M"}, {2e9, "2G"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        number_short(cases[i].value, text, sizeof text);
        cr_assert_str_eq(text, cases[i].text);
    }
}

/* ---- compare ---- */

Test(compare, tells_faster_from_noise)
{
    struct scratch a, b;
    scratch_make(&a);
    scratch_make(&b);
    rounds_add(&a);
    for (unsigned i = 0; i < 3; i++) {
        scratch_add(&b, result_canned("sealmq", "plain", 130000 + 1000 * i));
        scratch_add(&b, result_canned("redis", "clear", 50200 + 500 * i));
    }
    char *text = SAID(EXIT_OK, "compare", a.path, b.path);
    has(text, "+29.7 %");
    has(text, "faster");
    has(text, "no difference beyond noise");
    lacks(text, "slower");
    free(text);
    text = SAID(EXIT_OK, "compare", b.path, a.path);
    has(text, "slower");
    free(text);
    unlink(a.path);
    unlink(b.path);
}

Test(compare, one_round_each_has_no_known_noise)
{
    struct scratch a, b;
    scratch_make(&a);
    scratch_make(&b);
    scratch_add(&a, result_canned("sealmq", "plain", 1000));
    scratch_add(&b, result_canned("sealmq", "plain", 2000));
    char *text = SAID(EXIT_OK, "--json", "compare", a.path, b.path);
    has(text, "\"verdict\":\"noise unknown\"");
    lacks(text, "\"noise\":");
    free(text);
    unlink(a.path);
    unlink(b.path);
}

/* A generator's own CPU says nothing of SealMQ; a full client's does. */
Test(compare, full_clients_are_measured_themselves)
{
    struct scratch a, b;
    static const char *const systems[] = {"sealmq", "sealed", "opaque"};
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        struct result *before = result_canned(systems[i], "curve", 1000), *after = result_canned(systems[i], "curve", 1000);
        before->generator_cpu_us_per_message = 1000;
        after->generator_cpu_us_per_message = 2000;
        scratch_make(&a);
        scratch_make(&b);
        scratch_add(&a, before);
        scratch_add(&b, after);
        char *text = SAID(EXIT_OK, "compare", a.path, b.path);
        if (i) has(text, "client CPU");
        else lacks(text, "client CPU");
        free(text);
        unlink(a.path);
        unlink(b.path);
    }
}

Test(compare, a_build_may_have_another_label)
{
    struct scratch a, b;
    struct result *r = result_canned("sealmq", "plain", 2000);
    scratch_make(&a);
    scratch_make(&b);
    strcpy(r->label, "after");
    scratch_add(&a, result_canned("sealmq", "plain", 1000));
    scratch_add(&b, r);
    char *text = SAID(EXIT_OK, "compare", a.path, b.path);
    has(text, "+100.0 %");
    free(text);
    unlink(a.path);
    unlink(b.path);
}

Test(compare, files_without_a_common_measurement_are_refused)
{
    struct scratch a, b;
    char expected[400];
    scratch_make(&a);
    scratch_make(&b);
    scratch_add(&a, result_canned("sealmq", "plain", 1000));
    scratch_add(&b, result_canned("sealmq", "curve", 1000));
    cr_redirect_stderr();
    cr_assert_eq(CALL("compare", a.path, b.path), EXIT_USAGE);
    fflush(stderr);
    snprintf(expected, sizeof expected,
             "bench: %s and %s have no measurement in common (same scenario, load, system, edge "
             "and durability)\n",
             a.path, b.path);
    cr_assert_stderr_eq_str(expected);
    unlink(a.path);
    unlink(b.path);
}

Test(compare, a_broken_file_is_refused)
{
    struct scratch a, b;
    scratch_make(&a);
    scratch_make(&b);
    rounds_add(&a);
    scratch_text(&b, "{}\n");
    cr_redirect_stderr();
    cr_redirect_stdout();
    cr_assert_eq(CALL("compare", a.path, b.path), EXIT_USAGE);
    fflush(stdout);
    cr_assert_stdout_eq_str("");
    unlink(a.path);
    unlink(b.path);
}

/* ---- note ---- */

Test(note, figures_go_into_the_last_line)
{
    struct scratch s, samples;
    char slope[128];
    scratch_make(&s);
    scratch_make(&samples);
    rounds_add(&s);
    scratch_text(&samples, "0 1000\n1800 1050\n3600 1100\n");
    snprintf(slope, sizeof slope, "rss_kib_per_hour=%s", samples.path);
    cr_assert_eq(CALL("note", s.path, "first_accept_ms=412.5", "disk=vda x", "--slope", slope),
                 EXIT_OK);
    struct results results = {0};
    char error[256];
    cr_assert_eq(results_read(&results, s.path, error, sizeof error), STATUS_OK);
    cr_assert_eq(results.count, 6);
    const json_t *extra = results.list[5]->extra;
    cr_assert_eq(json_number_value(json_object_get(extra, "first_accept_ms")), 412.5);
    cr_assert_eq(json_number_value(json_object_get(extra, "rss_kib_per_hour")), 100);
    cr_assert_str_eq(json_string_value(json_object_get(extra, "disk")), "vda x");
    cr_assert_eq(json_object_size(results.list[4]->extra), 0);
    results_fini(&results);
    unlink(s.path);
    unlink(samples.path);
}

Test(note, what_is_no_figure_changes_nothing)
{
    struct scratch s, samples;
    char slope[128];
    scratch_make(&s);
    scratch_make(&samples);
    rounds_add(&s);
    scratch_text(&samples, "0 1000\n1800\n");
    char *before = scratch_read(s.path);
    snprintf(slope, sizeof slope, "x=%s", samples.path);
    cr_redirect_stderr();
    cr_assert_eq(CALL("note", s.path, "first accept=1"), EXIT_USAGE);
    cr_assert_eq(CALL("note", s.path, "first="), EXIT_USAGE);
    cr_assert_eq(CALL("note", s.path, "x=1", "--slope", slope), EXIT_USAGE);
    cr_assert_eq(CALL("note", s.path, "--slope", "x=/nowhere/samples"), EXIT_USAGE);
    char *after = scratch_read(s.path);
    cr_assert_str_eq(before, after);
    free(before);
    free(after);
    unlink(s.path);
    unlink(samples.path);
}
