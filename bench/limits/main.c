/* sealmq-bench-limits: what this machine and the libraries can do at most, each part of the relay's path
 * alone: sync, RocksDB batches, libzmq round trips, hashes. A table, and a result line for each, so that
 * the report can say how far each part is from its limit. About half a minute altogether.
 *
 *     sealmq-bench-limits [--dir DIR] [--json FILE] [--round N] [WORD...]
 *
 * A WORD picks the limits whose name has it in it. */
#include "bench/limits/limit.h"
#include "bench/measure/result.h"
#include "broker/host/command.h"
#include "broker/host/host.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN_MAX 4096

static const struct limit *const groups[] = {limits_sync, limits_rocksdb, limits_zmq, limits_hash};

static const char usage[] =
    "usage: sealmq-bench-limits [--dir DIR] [--json FILE] [--round N] [WORD...]\n"
    "Measures what this machine and its libraries can do at most, each part alone.\n"
    "  --dir DIR     the folder whose disk is measured (a scratch folder in it, removed): .\n"
    "  --json FILE   append a result line for each\n"
    "  --round N     the round that the lines name: 1\n"
    "  WORD          only limits whose name has it in it: sync, rocksdb, zmq, curve, BLAKE2b, "
    "...\n";

struct options {
    const char *dir, *json_file;
    uint64_t round;
    char **words;
    int word_count;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "sealmq-bench-limits: %s: %s\n", what, why);
    return EXIT_USAGE;
}

/* ---- the scratch folder ---- */

static int entry_remove(const char *path, const struct stat *s, int kind, struct FTW *at)
{
    (void)s, (void)kind, (void)at;
    return remove(path);
}

static void folder_remove(const char *path)
{
    if (nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS) != 0) fail(path, strerror(errno));
}

/* ---- one limit ---- */

static void figure_print(const struct limit *l, const struct figure *f)
{
    double n = f->messages ? (double)f->messages : 1, seconds = (double)f->wall_us / 1e6;
    printf("%-36s %11.0f %s/s %9.2f us %9.2f us CPU", l->name, n / seconds, l->unit,
           (double)f->wall_us / n, (double)f->cpu_ns / 1e3 / n);
    if (f->each.count)
        printf("   step p50 %.3f p99 %.3f ms", (double)histogram_percentile(&f->each, 50) / 1e3,
               (double)histogram_percentile(&f->each, 99) / 1e3);
    putchar('\n');
    fflush(stdout);
}

static enum status figure_keep(const struct options *o, const struct limit *l,
                               const struct figure *f)
{
    struct result *r = result_new();
    double n = f->messages ? (double)f->messages : 1;
    snprintf(r->system, sizeof r->system, "limits");
    snprintf(r->label, sizeof r->label, "%s", l->name);
    snprintf(r->scenario, sizeof r->scenario, "limits");
    snprintf(r->edge, sizeof r->edge, "%s", l->edge);
    snprintf(r->durability, sizeof r->durability, "%s", l->durability);
    r->round = o->round;
    r->size = l->size;
    r->messages = f->messages;
    r->seconds = (double)f->wall_us / 1e6;
    r->rate = n / r->seconds;
    r->accept = f->each;
    r->generator_cpu_us_per_message = (double)f->cpu_ns / 1e3 / n;
    result_extra_text(r, "unit", l->unit);
    result_extra_number(r, "batch", l->batch);
    result_extra_number(r, "us", (double)f->wall_us / n);
    result_extra_number(r, "cpu_us", (double)f->cpu_ns / 1e3 / n);
    enum status s = result_append(r, o->json_file);
    result_free(&r);
    return s;
}

static bool wanted(const struct options *o, const struct limit *l)
{
    for (int i = 0; i < o->word_count; i++)
        if (strcasestr(l->name, o->words[i])) return true;
    return o->word_count == 0;
}

static int limit_run(const struct options *o, const struct limit *l)
{
    char dir[PATH_LEN_MAX];
    static struct figure f; /* 26 KiB */
    memset(&f, 0, sizeof f);
    if ((size_t)snprintf(dir, sizeof dir, "%s/sealmq-limits-XXXXXX", o->dir) >= sizeof dir)
        return fail(o->dir, "the path is too long");
    if (!mkdtemp(dir)) return fail(o->dir, strerror(errno));
    enum status s = l->run(l, dir, &f);
    folder_remove(dir);
    if (s != STATUS_OK) {
        printf("%-36s not measured: %s\n", l->name, f.error);
        return EXIT_FAILED;
    }
    figure_print(l, &f);
    if (o->json_file && figure_keep(o, l, &f) != STATUS_OK)
        return fail(o->json_file, strerror(errno));
    return EXIT_OK;
}

static int run_all(const struct options *o)
{
    int status = EXIT_OK, count = 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups && status != EXIT_USAGE; g++)
        for (const struct limit *l = groups[g]; l->name && status != EXIT_USAGE; l++) {
            if (!wanted(o, l)) continue;
            count++;
            int one = limit_run(o, l);
            if (one != EXIT_OK) status = one;
        }
    return count ? status : fail("no limit has that in its name", o->words[0]);
}

/* EXIT_OK, or EXIT_USAGE after one line; *done: --help was all. */
static int options_read(int argc, char **argv, struct options *o, bool *done)
{
    static const struct option table[] = {{"dir", required_argument, NULL, 'd'},
                                          {"json", required_argument, NULL, 'j'},
                                          {"round", required_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    char *end = NULL;
    int id;
    *o = (struct options){.dir = ".", .round = 1};
    opterr = 0;
    while ((id = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (id == 'h')
            *done = fputs(usage, stdout) >= 0;
        else if (id == 'd')
            o->dir = optarg;
        else if (id == 'j')
            o->json_file = optarg;
        else if (id == ':')
            return fail("no value for", argv[optind - 1]);
        else if (id != 'r')
            return fail("unknown option", argv[optind - 1]);
        else
            o->round = strtoull(optarg, &end, 10);
        if (id == 'r' && (*optarg < '0' || *optarg > '9' || *end))
            return fail("--round takes a number, not", optarg);
    }
    o->words = argv + optind;
    o->word_count = argc - optind;
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    struct options o;
    bool done = false;
    if (host_start() != STATUS_OK) return fail("start", "no randomness");
    int status = options_read(argc, argv, &o, &done);
    return status || done ? status : run_all(&o);
}
