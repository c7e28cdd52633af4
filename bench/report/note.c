/* note: figures that a script has measured beside a load generator (memory of idle sessions, time to the first
 * accept, a slope) go into that generator's result line. The file is replaced whole: a reader sees it with the
 * note or without. */
#include "bench/report/report.h"

#include "bench/report/results.h"
#include "bench/report/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_MAX  100000u
#define PATH_LEN_MAX 4096u
#define NAME_LEN_MAX 64u
#define ERROR_CAP    1024u

const struct option_rule note_options[NOTE_OPTION_COUNT] = {
    {"slope", "NAME=FILE", "the rise per hour of FILE's lines \"SECONDS VALUE\", as NAME", false},
};

/* Splits "NAME=VALUE"; false = no name that a figure may have, or no value. */
static bool note_split(const char *text, char name[NAME_LEN_MAX], const char **value)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (!len || len >= NAME_LEN_MAX || text[len] != '=' || !text[len + 1]) return false;
    memcpy(name, text, len);
    name[len] = '\0';
    *value = text + len + 1;
    return true;
}

static bool number_of(const char *text, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

/* false = the file cannot be read, or has a line that is not two numbers. */
static bool slope_read(const char *path, double *out)
{
    double *x = calloc(SAMPLES_MAX, sizeof *x), *y = calloc(SAMPLES_MAX, sizeof *y);
    size_t n = 0;
    int got = 0;
    FILE *f = fopen(path, "re");
    ENSURE(x && y);
    while (f && n < SAMPLES_MAX && (got = fscanf(f, "%lf %lf", &x[n], &y[n])) == 2)
        n++;
    bool whole = got == EOF && n >= 2;
    *out = whole ? slope_of(x, y, n) * 3600 : 0;
    if (f) fclose(f);
    free(x);
    free(y);
    return whole && isfinite(*out);
}

static int notes_add(const struct command *c, struct result *r)
{
    char name[NAME_LEN_MAX];
    const char *value, *slope = command_option(c, "slope");
    double number;
    for (int i = 1; i < c->argument_count; i++) {
        if (!note_split(c->arguments[i], name, &value))
            return command_fail(c, EXIT_USAGE, "\"%s\" is no NAME=VALUE", c->arguments[i]);
        if (number_of(value, &number))
            result_extra_number(r, name, number);
        else
            result_extra_text(r, name, value);
    }
    if (!slope) return EXIT_OK;
    if (!note_split(slope, name, &value))
        return command_fail(c, EXIT_USAGE, "--slope is \"%s\": give NAME=FILE", slope);
    if (!slope_read(value, &number))
        return command_fail(c, EXIT_USAGE, "%s does not hold two or more lines of two numbers",
                            value);
    result_extra_number(r, name, number);
    return EXIT_OK;
}

static enum status results_replace(const struct results *results, const char *path)
{
    char aside[PATH_LEN_MAX];
    enum status status = STATUS_OK;
    if ((size_t)snprintf(aside, sizeof aside, "%s.new", path) >= sizeof aside) {
        errno = ENAMETOOLONG;
        return STATUS_IO;
    }
    if (unlink(aside) != 0 && errno != ENOENT) return STATUS_IO;
    for (size_t i = 0; i < results->count && status == STATUS_OK; i++)
        status = result_append(results->list[i], aside);
    if (status == STATUS_OK && rename(aside, path) != 0) status = STATUS_IO;
    return status;
}

int note_command(struct command *c)
{
    struct results results = {0};
    char error[ERROR_CAP];
    int failed = EXIT_OK;
    if (results_read(&results, c->arguments[0], error, sizeof error) != STATUS_OK)
        failed = command_fail(c, EXIT_USAGE, "%s", error);
    if (!failed) failed = notes_add(c, results.list[results.count - 1]);
    if (!failed && results_replace(&results, c->arguments[0]) != STATUS_OK)
        failed = command_fail(c, EXIT_FAILED, "%s cannot be written: %s", c->arguments[0],
                              strerror(errno));
    results_fini(&results);
    return failed;
}
