/* result: one run of one system under one load, as one line of JSON: what every generator of the
 * suite writes and the report reads. A line that differs from this schema is refused, not guessed at.
 *
 * {"schema":1, "system":"sealmq", "label":"…", "scenario":"steady", "round":1,
 *  "edge":"curve"|"plain"|"clear", "durability":"synced"|"memory"|"not synced",
 *  "size":1024, "sizes":"256:50,1024:50" (only with a distribution; size is then the mean),
 *  "window":1024 | "offered_rate":20000, "mailboxes":64, "senders":4,
 *  "messages":…, "seconds":…, "rate":…,
 *  "accept_us":{"p50","p99","p999","max","mean","count","histogram"} | null, "end_to_end_us": the same,
 *  "processes":[{"name","cpu_us_per_message","rss_kib","rss_peak_kib","write_bytes_per_message"|null,
 *                "threads":{"NAME":us per message,…}}],
 *  "generator_cpu_us_per_message":…,
 *  "disk_device":"vda", "disk_bytes_per_message":…, "device_flushes_per_message":…, (the whole device:
 *   an upper bound; "" and 0 where it is not known)
 *  "lost":0,"duplicated":0,"corrupted":0,"refused":0,
 *  "series":[{"t":seconds,"rate":…,"p50":us,"p99":us},…], (p50, p99: accept, of that interval)
 *  "extra":{…}}  scenario figures by name: numbers or strings */
#ifndef SEALMQ_MEASURE_RESULT_H
#define SEALMQ_MEASURE_RESULT_H

#include "bench/measure/histogram.h"
#include "bench/measure/process.h"

#include <jansson.h>

#define RESULT_SCHEMA          1
#define RESULT_TEXT_LEN_MAX    127u
#define RESULT_PROCESSES_MAX   16u
#define RESULT_SERIES_MAX      36000u

struct result_thread {
    char name[16];
    double cpu_us_per_message;
};

struct result_process {
    char name[PROCESS_NAME_LEN_MAX + 1];
    double cpu_us_per_message;
    uint64_t rss_kib, rss_peak_kib;
    double write_bytes_per_message; /* < 0: not known */
    struct result_thread threads[THREADS_MAX];
    size_t thread_count;
};

struct result_point {
    double t, rate;
    uint64_t p50_us, p99_us;
};

struct result {
    char system[RESULT_TEXT_LEN_MAX + 1], label[RESULT_TEXT_LEN_MAX + 1];
    char scenario[RESULT_TEXT_LEN_MAX + 1];
    char edge[RESULT_TEXT_LEN_MAX + 1], durability[RESULT_TEXT_LEN_MAX + 1];
    char sizes[RESULT_TEXT_LEN_MAX + 1]; /* "" = all have `size` */
    uint64_t round, size;
    uint64_t window;      /* 0 with an offered rate */
    double offered_rate;  /* 0 with a window */
    uint64_t mailboxes, senders;
    uint64_t messages; /* accepted and delivered */
    double seconds, rate;
    struct histogram accept, end_to_end; /* empty = not measured, null in the line */
    struct result_process processes[RESULT_PROCESSES_MAX];
    size_t process_count;
    double generator_cpu_us_per_message;
    char disk_device[RESULT_TEXT_LEN_MAX + 1]; /* "" = not known */
    double disk_bytes_per_message, device_flushes_per_message;
    uint64_t lost, duplicated, corrupted, refused;
    struct result_point *series; /* heap; grows by result_point_add */
    size_t series_count, series_cap;
    json_t *extra; /* an object of numbers and strings; never NULL */
};

/* result_new: all zero, extra empty. result_free: NULL-safe, nulls. */
struct result *result_new(void);
void result_free(struct result **r);

/* result_point_add: a further point; false (nothing added) beyond RESULT_SERIES_MAX. */
bool result_point_add(struct result *r, struct result_point p);
/* result_extra_number / _text: a figure of the scenario; a later one of the same name replaces it. */
void result_extra_number(struct result *r, const char *name, double value);
void result_extra_text(struct result *r, const char *name, const char *value);

/* result_clean: nothing was lost, duplicated, corrupted or refused. */
bool result_clean(const struct result *r);

/* result_encode: the line without its newline; heap, for free(). Numbers that are not finite are our
 * fault. */
char *result_encode(const struct result *r);
/* result_decode: a line of result_encode; *out gets a new result, or NULL with one line in error that
 * names the field. OK, MALFORMED. */
enum status result_decode(const char *line, struct result **out, char *error,
                          size_t error_cap) MUST_USE;
/* result_append: the line at the end of the file, made when it is not there, in one write. OK, IO
 * (errno says why). */
enum status result_append(const struct result *r, const char *path) MUST_USE;

#endif
