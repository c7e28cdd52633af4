/* results: files of result lines, all or nothing per line: a report over half-understood numbers
 * would be believed. What a line means is result.h's. */
#include "bench/report/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum status result_keep(struct results *r, struct result *result)
{
    if (r->count == RESULTS_MAX) {
        result_free(&result);
        return STATUS_TOO_LARGE;
    }
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 16;
        r->list = realloc(r->list, r->capacity * sizeof(struct result *));
        ENSURE(r->list);
    }
    r->list[r->count++] = result;
    return STATUS_OK;
}

static enum status line_take(struct results *r, const char *path, size_t number, char *line,
                             size_t len, char *error, size_t error_cap)
{
    char why[160];
    struct result *result;
    while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
        line[--len] = '\0';
    if (!len) return STATUS_OK;
    if (len > RESULT_LINE_LEN_MAX || strlen(line) != len) {
        snprintf(error, error_cap, "%s:%zu: not a result line: %s", path, number,
                 len > RESULT_LINE_LEN_MAX ? "it is too long" : "it has a zero byte");
        return len > RESULT_LINE_LEN_MAX ? STATUS_TOO_LARGE : STATUS_MALFORMED;
    }
    enum status status = result_decode(line, &result, why, sizeof why);
    if (status != STATUS_OK) {
        snprintf(error, error_cap, "%s:%zu: not a result line: %s", path, number, why);
        return status;
    }
    status = result_keep(r, result);
    if (status != STATUS_OK)
        snprintf(error, error_cap, "%s:%zu: more than %u results: give fewer files", path, number,
                 RESULTS_MAX);
    return status;
}

enum status results_read(struct results *r, const char *path, char *error, size_t error_cap)
{
    enum status status = STATUS_OK;
    size_t number = 0, cap = 0, before = r->count;
    char *line = NULL;
    FILE *f = fopen(path, "re");
    errno = f ? 0 : errno;
    for (ssize_t len; f && status == STATUS_OK && (len = getline(&line, &cap, f)) >= 0;)
        status = line_take(r, path, ++number, line, (size_t)len, error, error_cap);
    if (status == STATUS_OK && (!f || ferror(f))) {
        snprintf(error, error_cap, "%s cannot be read: %s", path, strerror(errno));
        status = STATUS_IO;
    } else if (status == STATUS_OK && r->count == before) {
        snprintf(error, error_cap, "%s holds no result line", path);
        status = STATUS_MALFORMED;
    }
    free(line);
    if (f) fclose(f);
    return status;
}

void results_fini(struct results *r)
{
    for (size_t i = 0; i < r->count; i++)
        result_free(&r->list[i]);
    free(r->list);
    *r = (struct results){0};
}
