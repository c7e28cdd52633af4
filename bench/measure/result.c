/* result: the line of JSON of one run, written and read through one table of its plain fields, so that
 * both sides have the same names and types. Nested things (latencies, processes, series) follow in
 * pairs of a writer and a reader. Refuses what it does not know: a misread figure is worse than none.
 * Invariant: what result_encode writes, result_decode accepts, and gives the same figures back. */
#include "bench/measure/result.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind { TEXT, COUNT, FIGURE };

struct field {
    const char *name;
    enum kind kind;
    size_t at;
    bool optional; /* left out when zero or empty */
};

static const struct field fields[] = {
    {"system", TEXT, offsetof(struct result, system), false},
    {"label", TEXT, offsetof(struct result, label), false},
    {"scenario", TEXT, offsetof(struct result, scenario), false},
    {"round", COUNT, offsetof(struct result, round), false},
    {"edge", TEXT, offsetof(struct result, edge), false},
    {"durability", TEXT, offsetof(struct result, durability), false},
    {"size", COUNT, offsetof(struct result, size), false},
    {"sizes", TEXT, offsetof(struct result, sizes), true},
    {"window", COUNT, offsetof(struct result, window), true},
    {"offered_rate", FIGURE, offsetof(struct result, offered_rate), true},
    {"mailboxes", COUNT, offsetof(struct result, mailboxes), false},
    {"senders", COUNT, offsetof(struct result, senders), false},
    {"messages", COUNT, offsetof(struct result, messages), false},
    {"seconds", FIGURE, offsetof(struct result, seconds), false},
    {"rate", FIGURE, offsetof(struct result, rate), false},
    {"generator_cpu_us_per_message", FIGURE, offsetof(struct result, generator_cpu_us_per_message),
     false},
    {"disk_device", TEXT, offsetof(struct result, disk_device), false},
    {"disk_bytes_per_message", FIGURE, offsetof(struct result, disk_bytes_per_message), false},
    {"device_flushes_per_message", FIGURE, offsetof(struct result, device_flushes_per_message), false},
    {"lost", COUNT, offsetof(struct result, lost), false},
    {"duplicated", COUNT, offsetof(struct result, duplicated), false},
    {"corrupted", COUNT, offsetof(struct result, corrupted), false},
    {"refused", COUNT, offsetof(struct result, refused), false},
};

struct result *result_new(void)
{
    struct result *r = calloc(1, sizeof *r);
    ENSURE(r != NULL);
    r->extra = json_object();
    ENSURE(r->extra != NULL);
    return r;
}

void result_free(struct result **r)
{
    if (!*r) return;
    json_decref((*r)->extra);
    free((*r)->series);
    free(*r);
    *r = NULL;
}

bool result_point_add(struct result *r, struct result_point p)
{
    if (r->series_count == RESULT_SERIES_MAX) return false;
    if (r->series_count == r->series_cap) {
        size_t cap = r->series_cap ? 2 * r->series_cap : 64;
        struct result_point *series = reallocarray(r->series, cap, sizeof *series);
        ENSURE(series != NULL);
        r->series = series;
        r->series_cap = cap;
    }
    r->series[r->series_count++] = p;
    return true;
}

void result_extra_number(struct result *r, const char *name, double value)
{
    ENSURE(isfinite(value) && json_object_set_new(r->extra, name, json_real(value)) == 0);
}

void result_extra_text(struct result *r, const char *name, const char *value)
{
    ENSURE(json_object_set_new(r->extra, name, json_string(value)) == 0);
}

bool result_clean(const struct result *r)
{
    return !r->lost && !r->duplicated && !r->corrupted && !r->refused;
}

/* ---- writing ---- */

static void put(json_t *object, const char *name, json_t *value)
{
    ENSURE(value && json_object_set_new(object, name, value) == 0);
}

static json_t *figure(double value)
{
    ENSURE(isfinite(value));
    return json_real(value);
}

static json_t *count_of(uint64_t value)
{
    ENSURE(value <= INT64_MAX);
    return json_integer((json_int_t)value);
}

static void field_put(json_t *object, const struct field *f, const struct result *r)
{
    const void *at = (const char *)r + f->at;
    if (f->kind == TEXT) {
        const char *text = at;
        if (*text || !f->optional) put(object, f->name, json_string(text));
    } else if (f->kind == COUNT) {
        const uint64_t *count = at;
        if (*count || !f->optional) put(object, f->name, count_of(*count));
    } else {
        const double *value = at;
        if (*value > 0 || !f->optional) put(object, f->name, figure(*value));
    }
}

static json_t *latency_json(const struct histogram *h)
{
    struct buffer text = {0};
    if (!h->count) return json_null();
    json_t *object = json_object();
    put(object, "p50", count_of(histogram_percentile(h, 50)));
    put(object, "p99", count_of(histogram_percentile(h, 99)));
    put(object, "p999", count_of(histogram_percentile(h, 99.9)));
    put(object, "max", count_of(h->max_us));
    put(object, "mean", figure(histogram_mean(h)));
    put(object, "count", count_of(h->count));
    histogram_encode(h, &text);
    put(object, "histogram", json_stringn((const char *)text.at, text.len));
    buffer_fini(&text);
    return object;
}

static json_t *process_json(const struct result_process *p)
{
    json_t *object = json_object(), *threads = json_object();
    put(object, "name", json_string(p->name));
    put(object, "cpu_us_per_message", figure(p->cpu_us_per_message));
    put(object, "rss_kib", count_of(p->rss_kib));
    put(object, "rss_peak_kib", count_of(p->rss_peak_kib));
    put(object, "write_bytes_per_message",
        p->write_bytes_per_message < 0 ? json_null() : figure(p->write_bytes_per_message));
    for (size_t i = 0; i < p->thread_count; i++)
        put(threads, p->threads[i].name, figure(p->threads[i].cpu_us_per_message));
    put(object, "threads", threads);
    return object;
}

static json_t *point_json(const struct result_point *p)
{
    json_t *object = json_object();
    put(object, "t", figure(p->t));
    put(object, "rate", figure(p->rate));
    put(object, "p50", count_of(p->p50_us));
    put(object, "p99", count_of(p->p99_us));
    return object;
}

char *result_encode(const struct result *r)
{
    json_t *object = json_object(), *processes = json_array(), *series = json_array();
    put(object, "schema", json_integer(RESULT_SCHEMA));
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        field_put(object, &fields[i], r);
    put(object, "accept_us", latency_json(&r->accept));
    put(object, "end_to_end_us", latency_json(&r->end_to_end));
    for (size_t i = 0; i < r->process_count; i++)
        ENSURE(json_array_append_new(processes, process_json(&r->processes[i])) == 0);
    put(object, "processes", processes);
    for (size_t i = 0; i < r->series_count; i++)
        ENSURE(json_array_append_new(series, point_json(&r->series[i])) == 0);
    put(object, "series", series);
    put(object, "extra", json_incref(r->extra));
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    ENSURE(line != NULL);
    json_decref(object);
    return line;
}

enum status result_append(const struct result *r, const char *path)
{
    char *line = result_encode(r);
    size_t len = strlen(line);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    line[len] = '\n'; /* in place of the NUL: one write */
    bool whole = fd >= 0 && write(fd, line, len + 1) == (ssize_t)(len + 1);
    int reason = errno;
    free(line);
    if (fd >= 0 && close(fd) != 0 && whole) return STATUS_IO;
    errno = whole ? 0 : reason ? reason : ENOSPC;
    return whole ? STATUS_OK : STATUS_IO;
}

/* ---- reading ---- */

/* What is wrong, once: the first field that does not fit. */
struct fault {
    char *text;
    size_t cap;
    bool set;
};

static bool wrong(struct fault *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(struct fault *e, const char *format, ...)
{
    va_list arguments;
    if (!e->set && e->cap) {
        va_start(arguments, format);
        vsnprintf(e->text, e->cap, format, arguments);
        va_end(arguments);
    }
    e->set = true;
    return false;
}

static bool take_text(json_t *object, const char *name, char *out, size_t cap, struct fault *e)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_string(value)) return wrong(e, "%s: expected a text", name);
    if (json_string_length(value) >= cap || strlen(json_string_value(value)) >= cap)
        return wrong(e, "%s: longer than %zu bytes", name, cap - 1);
    snprintf(out, cap, "%s", json_string_value(value));
    return true;
}

static bool take_count(json_t *object, const char *name, uint64_t *out, struct fault *e)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return wrong(e, "%s: expected a whole number", name);
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool take_figure(json_t *object, const char *name, double *out, struct fault *e)
{
    json_t *value = json_object_get(object, name);
    if (!json_is_number(value) || json_number_value(value) < 0)
        return wrong(e, "%s: expected a number, not negative", name);
    *out = json_number_value(value);
    return true;
}

static bool field_take(json_t *object, const struct field *f, struct result *r, struct fault *e)
{
    void *at = (char *)r + f->at;
    if (f->optional && !json_object_get(object, f->name)) return true;
    if (f->kind == TEXT) return take_text(object, f->name, at, RESULT_TEXT_LEN_MAX + 1, e);
    if (f->kind == COUNT) return take_count(object, f->name, at, e);
    return take_figure(object, f->name, at, e);
}

static bool take_latency(json_t *object, const char *name, struct histogram *out, struct fault *e)
{
    json_t *value = json_object_get(object, name);
    if (json_is_null(value)) return true;
    json_t *text = json_object_get(value, "histogram");
    struct view bytes = view_of(json_string_value(text), json_string_length(text));
    if (!json_is_string(text) || histogram_decode(bytes, out) != STATUS_OK)
        return wrong(e, "%s: no readable histogram", name);
    return true;
}

static bool take_threads(json_t *object, struct result_process *p, struct fault *e)
{
    const char *name;
    json_t *value, *threads = json_object_get(object, "threads");
    if (!json_is_object(threads) || json_object_size(threads) > THREADS_MAX)
        return wrong(e, "threads: expected up to %u", THREADS_MAX);
    json_object_foreach(threads, name, value)
    {
        struct result_thread *t = &p->threads[p->thread_count++];
        if (strlen(name) >= sizeof t->name) return wrong(e, "threads: a name is too long");
        snprintf(t->name, sizeof t->name, "%s", name);
        if (!take_figure(threads, name, &t->cpu_us_per_message, e)) return false;
    }
    return true;
}

static bool take_process(json_t *object, struct result_process *p, struct fault *e)
{
    p->write_bytes_per_message = -1;
    return take_text(object, "name", p->name, sizeof p->name, e) &&
           take_figure(object, "cpu_us_per_message", &p->cpu_us_per_message, e) &&
           take_count(object, "rss_kib", &p->rss_kib, e) &&
           take_count(object, "rss_peak_kib", &p->rss_peak_kib, e) &&
           (json_is_null(json_object_get(object, "write_bytes_per_message")) ||
            take_figure(object, "write_bytes_per_message", &p->write_bytes_per_message, e)) &&
           take_threads(object, p, e);
}

static bool take_processes(json_t *object, struct result *r, struct fault *e)
{
    json_t *list = json_object_get(object, "processes");
    if (!json_is_array(list) || json_array_size(list) > RESULT_PROCESSES_MAX)
        return wrong(e, "processes: expected up to %u", RESULT_PROCESSES_MAX);
    r->process_count = json_array_size(list);
    for (size_t i = 0; i < r->process_count; i++)
        if (!take_process(json_array_get(list, i), &r->processes[i], e)) return false;
    return true;
}

static bool take_series(json_t *object, struct result *r, struct fault *e)
{
    json_t *list = json_object_get(object, "series");
    if (!json_is_array(list) || json_array_size(list) > RESULT_SERIES_MAX)
        return wrong(e, "series: expected up to %u points", RESULT_SERIES_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *value = json_array_get(list, i);
        struct result_point p = {0};
        if (!take_figure(value, "t", &p.t, e) || !take_figure(value, "rate", &p.rate, e) ||
            !take_count(value, "p50", &p.p50_us, e) || !take_count(value, "p99", &p.p99_us, e))
            return false;
        result_point_add(r, p);
    }
    return true;
}

static bool take_extra(json_t *object, struct result *r, struct fault *e)
{
    const char *name;
    json_t *value, *extra = json_object_get(object, "extra");
    if (!json_is_object(extra)) return wrong(e, "extra: expected an object");
    json_object_foreach(extra, name, value)
        if (!json_is_number(value) && !json_is_string(value))
            return wrong(e, "extra.%s: expected a number or a text", name);
    json_decref(r->extra);
    r->extra = json_incref(extra);
    return true;
}

static bool take_result(json_t *object, struct result *r, struct fault *e)
{
    uint64_t schema = 0;
    if (!json_is_object(object)) return wrong(e, "not an object");
    if (!take_count(object, "schema", &schema, e)) return false;
    if (schema != RESULT_SCHEMA)
        return wrong(e, "schema: %llu, this reads %d", (unsigned long long)schema, RESULT_SCHEMA);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (!field_take(object, &fields[i], r, e)) return false;
    if (r->window && r->offered_rate > 0) return wrong(e, "window: not with offered_rate");
    return take_latency(object, "accept_us", &r->accept, e) &&
           take_latency(object, "end_to_end_us", &r->end_to_end, e) &&
           take_processes(object, r, e) && take_series(object, r, e) && take_extra(object, r, e);
}

enum status result_decode(const char *line, struct result **out, char *error, size_t error_cap)
{
    json_error_t where;
    struct fault e = {.text = error, .cap = error_cap};
    *out = NULL;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &where);
    if (!object) {
        wrong(&e, "not JSON: %s", where.text);
        return STATUS_MALFORMED;
    }
    struct result *r = result_new();
    bool whole = take_result(object, r, &e);
    json_decref(object);
    if (!whole) {
        result_free(&r);
        return STATUS_MALFORMED;
    }
    *out = r;
    return STATUS_OK;
}
