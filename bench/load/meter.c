/* meter: what the run cost and how fast it was: samples of the processes and the disk before and
 * after, a point for every interval, the live line, and the result in JSON and text. Figures per
 * message are per message that is done: accepted, and delivered unless its device is away. */
#include "bench/load/load.h"

#include "broker/host/host.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define POINT_SHORT_US 100000u  /* runs of up to a minute, or of unknown length */
#define POINT_LONG_US  1000000u
#define LONG_RUN_US    60000000u
#define SHOW_US        500000u

static void samples_take(struct load *l, struct process_sample *samples, struct process_sample *own)
{
    for (size_t i = 0; i < l->options->pid_count; i++) {
        struct process_sample now;
        if (process_sample(l->options->pids[i].pid, &now) == STATUS_OK) samples[i] = now;
    }
    ENSURE(process_sample(getpid(), own) == STATUS_OK);
}

static void disk_take(const struct load *l, struct disk_sample *out)
{
    *out = (struct disk_sample){.flushes = 0};
    if (l->options->disk && disk_sample(l->options->disk, out) != STATUS_OK) out->device[0] = '\0';
}

void meter_connect(struct load *l, uint64_t now_us)
{
    samples_take(l, l->meter.before, &l->meter.own_before);
    l->meter.connect_us = now_us;
}

static double per_message(uint64_t after, uint64_t before, double messages)
{
    return after > before ? (double)(after - before) / messages : 0;
}

/* What a device costs: its handshake, its account, its session, and the memory that it keeps. */
static void connect_extra(struct load *l, const struct process_sample *before, uint64_t now_us)
{
    const struct meter *m = &l->meter;
    double cpu_ns = 0, rss_kib = 0, devices = (double)l->device_count;
    for (size_t i = 0; i < l->options->pid_count; i++) {
        cpu_ns += per_message(m->before[i].cpu_ns, before[i].cpu_ns, devices);
        rss_kib += per_message(m->before[i].rss_kib, before[i].rss_kib, devices);
    }
    result_extra_number(m->result, "connect_seconds", (double)(now_us - m->connect_us) / 1e6);
    if (!l->options->pid_count) return;
    result_extra_number(m->result, "connect_cpu_us_per_device", cpu_ns / 1000);
    result_extra_number(m->result, "connect_rss_kib_per_device", rss_kib);
}

void meter_start(struct load *l, uint64_t now_us)
{
    struct meter *m = &l->meter;
    struct process_sample connect[PIDS_MAX];
    memcpy(connect, m->before, sizeof connect);
    samples_take(l, m->before, &m->own_before);
    connect_extra(l, connect, now_us);
    memcpy(m->after, m->before, sizeof m->after);
    for (size_t i = 0; i < l->options->pid_count; i++)
        if (process_threads(l->options->pids[i].pid, m->threads[i], &m->thread_count[i]) != STATUS_OK)
            m->thread_count[i] = 0;
    disk_take(l, &m->disk_before);
    m->start_us = m->point_us = m->shown_us = m->done_us = now_us;
    m->point_every_us = l->pace.duration_us > LONG_RUN_US ? POINT_LONG_US : POINT_SHORT_US;
    m->shows = l->options->progress && isatty(STDERR_FILENO);
}

/* What the rate of the series and of the live line counts: messages that are done; those for devices that were
 * away were so at their acceptance, and count once more when they are delivered after all. */
static uint64_t moved(const struct load *l)
{
    const struct ledger *g = &l->traffic.ledger;
    return g->done + (l->meter.caught_from ? g->delivered + 1 - l->meter.caught_from : 0);
}

static void point_add(struct load *l, uint64_t now_us)
{
    struct meter *m = &l->meter;
    struct traffic *t = &l->traffic;
    double seconds = (double)(now_us - m->point_us) / 1e6;
    struct result_point p = {.t = (double)(now_us - m->start_us) / 1e6,
                             .rate = (double)(moved(l) - m->point_done) / seconds,
                             .p50_us = histogram_percentile(&t->recent, 50),
                             .p99_us = histogram_percentile(&t->recent, 99)};
    (void)result_point_add(m->result, p); /* beyond the limit the series ends */
    histogram_reset(&t->recent);
    m->point_us = now_us;
    m->point_done = moved(l);
}

static void show(struct load *l, uint64_t now_us)
{
    struct meter *m = &l->meter;
    const struct ledger *g = &l->traffic.ledger;
    double rate = (double)(moved(l) - m->shown_done) * 1e6 / (double)(now_us - m->shown_us);
    fprintf(stderr,
            "\r\033[K%6.1f s  %8.0f msg/s  in flight %" PRIu64 "  p99 %.2f ms  done %" PRIu64
            "  errors %" PRIu64,
            (double)(now_us - m->start_us) / 1e6, rate, ledger_open(g),
            (double)histogram_percentile(&l->traffic.accept, 99) / 1000.0, g->done,
            g->corrupted + g->duplicated + g->refused + l->traffic.answers_changed);
    m->shown_us = now_us;
    m->shown_done = moved(l);
}

void meter_tick(struct load *l, uint64_t now_us)
{
    struct meter *m = &l->meter;
    if (!m->start_us || !m->point_every_us) return;
    if (now_us - m->point_us >= m->point_every_us) point_add(l, now_us);
    if (m->shows && now_us - m->shown_us >= SHOW_US) show(l, now_us);
}

/* ---- the result ---- */

static void head_fill(const struct load *l, struct result *r)
{
    const struct options *o = l->options;
    uint32_t level = l->traffic.level;
    static const char *const systems[] = {
        [CLIENT_NONE] = "sealmq", [CLIENT_SEALED] = "sealed", [CLIENT_OPAQUE] = "opaque"};
    snprintf(r->system, sizeof r->system, "%s", systems[o->client]);
    snprintf(r->label, sizeof r->label, "%s", o->label);
    snprintf(r->scenario, sizeof r->scenario, "%s", o->scenario);
    snprintf(r->edge, sizeof r->edge, "%s", o->hub.plain ? "plain" : "curve");
    snprintf(r->durability, sizeof r->durability, "%s",
             level == LEVEL_SYNCED ? "synced" : level == LEVEL_MEMORY ? "memory" : "unknown");
    if (o->sizes_text) snprintf(r->sizes, sizeof r->sizes, "%s", o->sizes_text);
    r->round = o->round;
    r->size = sizes_mean(&o->sizes);
    r->window = o->pace.window;
    r->offered_rate = o->pace.rate;
    r->mailboxes = o->mailboxes;
    r->senders = o->senders;
}

/* A thread that ended or began during the run is not told apart. */
static void threads_fill(struct load *l, size_t i, double messages, struct result_process *p)
{
    struct thread_sample now[THREADS_MAX];
    size_t count;
    if (process_threads(l->options->pids[i].pid, now, &count) != STATUS_OK) return;
    for (size_t k = 0; k < count; k++) {
        uint64_t before = 0;
        for (size_t b = 0; b < l->meter.thread_count[i]; b++)
            if (strcmp(l->meter.threads[i][b].name, now[k].name) == 0)
                before = l->meter.threads[i][b].cpu_ns;
        if (now[k].cpu_ns <= before) continue;
        struct result_thread *t = &p->threads[p->thread_count++];
        memcpy(t->name, now[k].name, sizeof t->name);
        t->cpu_us_per_message = (double)(now[k].cpu_ns - before) / 1000.0 / messages;
    }
}

static void processes_fill(struct load *l, struct result *r, double messages)
{
    struct meter *m = &l->meter;
    samples_take(l, m->after, &m->own_after);
    r->process_count = l->options->pid_count;
    for (size_t i = 0; i < r->process_count; i++) {
        struct result_process *p = &r->processes[i];
        memcpy(p->name, l->options->pids[i].name, sizeof p->name);
        p->cpu_us_per_message = per_message(m->after[i].cpu_ns, m->before[i].cpu_ns, messages * 1000);
        p->rss_kib = m->after[i].rss_kib;
        p->rss_peak_kib = m->after[i].rss_peak_kib;
        p->write_bytes_per_message =
            m->after[i].written_known
                ? per_message(m->after[i].written_bytes, m->before[i].written_bytes, messages)
                : -1;
        threads_fill(l, i, messages, p);
    }
    r->generator_cpu_us_per_message =
        per_message(m->own_after.cpu_ns, m->own_before.cpu_ns, messages * 1000);
    disk_take(l, &m->disk_after);
    if (!m->disk_after.device[0]) return;
    snprintf(r->disk_device, sizeof r->disk_device, "%s", m->disk_after.device);
    r->disk_bytes_per_message =
        per_message(m->disk_after.written_bytes, m->disk_before.written_bytes, messages);
    r->device_flushes_per_message =
        per_message(m->disk_after.flushes, m->disk_before.flushes, messages);
}

static void counts_extra(const struct load *l, struct result *r)
{
    const struct traffic *t = &l->traffic;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {{"retried", t->retried},
                  {"redelivered", t->ledger.redelivered},
                  {"repeated_ids", t->repeated},
                  {"answers_changed", t->answers_changed},
                  {"reconnects", l->dropped},
                  {"gaps", l->gaps},
                  {"accepted_for_absent", t->ledger.away},
                  {"held_by_outstanding", l->pace.held},
                  {"idle_devices", l->options->idle}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i].value) result_extra_number(r, counts[i].name, (double)counts[i].value);
}

void meter_stop(struct load *l)
{
    struct meter *m = &l->meter;
    struct result *r = m->result;
    const struct ledger *g = &l->traffic.ledger;
    double messages;
    if (m->shows) fputs("\r\033[K", stderr);
    head_fill(l, r);
    r->messages = g->done - g->refused;
    messages = r->messages ? (double)r->messages : 1;
    r->seconds = (double)(m->done_us - m->start_us) / 1e6;
    r->rate = r->seconds > 0 ? (double)r->messages / r->seconds : 0;
    processes_fill(l, r, messages);
    histogram_merge(&r->accept, &l->traffic.accept);
    histogram_merge(&r->end_to_end, &l->traffic.end_to_end);
    m->point_every_us = 0; /* the series ends here, or pauses */
}

void meter_catch_up_start(struct load *l, uint64_t now_us)
{
    struct meter *m = &l->meter;
    m->caught_from = l->traffic.ledger.delivered + 1;
    m->point_us = m->shown_us = now_us;
    m->point_done = m->shown_done = moved(l);
    m->point_every_us = POINT_SHORT_US;
}

void meter_catch_up(struct load *l, uint64_t start_us, uint64_t before)
{
    struct meter *m = &l->meter;
    struct process_sample now[PIDS_MAX] = {{0}}, own;
    double cpu_ns = 0, seconds = (double)(m->done_us - start_us) / 1e6;
    uint64_t count = l->traffic.ledger.delivered - before;
    m->point_every_us = 0;
    if (m->shows) fputs("\r\033[K", stderr);
    samples_take(l, now, &own);
    for (size_t i = 0; i < l->options->pid_count; i++)
        cpu_ns += per_message(now[i].cpu_ns, m->after[i].cpu_ns, 1);
    result_extra_number(m->result, "catch_up_messages", (double)count);
    result_extra_number(m->result, "catch_up_seconds", seconds);
    if (!count) return;
    result_extra_number(m->result, "catch_up_rate", (double)count / seconds);
    result_extra_number(m->result, "catch_up_cpu_us_per_message", cpu_ns / 1000 / (double)count);
    result_extra_number(m->result, "first_delivery_ms",
                        (double)(l->first_delivery_us - start_us) / 1000);
}

void meter_judge(struct load *l)
{
    struct result *r = l->meter.result;
    const struct ledger *g = &l->traffic.ledger;
    r->duplicated = g->duplicated;
    r->corrupted = g->corrupted + l->traffic.answers_changed;
    r->refused = g->refused;
    if (!l->interrupted) {
        r->lost = ledger_open(g);
        if (l->options->catch_up) r->lost += ledger_waiting(g);
    }
    counts_extra(l, r);
}

/* ---- text ---- */

static void latency_print(const char *name, const struct histogram *h)
{
    if (!h->count) return;
    printf("%-11s p50 %8.2f   p99 %8.2f   p99.9 %8.2f   max %8.2f ms\n", name,
           (double)histogram_percentile(h, 50) / 1000, (double)histogram_percentile(h, 99) / 1000,
           (double)histogram_percentile(h, 99.9) / 1000, (double)h->max_us / 1000);
}

static void extra_print(const struct result *r)
{
    const char *name;
    json_t *value;
    json_object_foreach(r->extra, name, value)
        if (json_is_string(value))
            printf("%-27s %s\n", name, json_string_value(value));
        else
            printf("%-27s %.10g\n", name, json_number_value(value));
}

void meter_print(const struct load *l)
{
    const struct result *r = l->meter.result;
    printf("%" PRIu64 " messages of %s%" PRIu64 " bytes, ", r->messages, *r->sizes ? "about " : "",
           r->size);
    if (r->window)
        printf("window %" PRIu64, r->window);
    else
        printf("%.0f/s offered", r->offered_rate);
    printf(", %" PRIu64 " mailboxes, %" PRIu64 " senders, %s, %s: %.2f s, %.0f msg/s\n", r->mailboxes,
           r->senders, r->edge, r->durability, r->seconds, r->rate);
    latency_print("accept", &r->accept);
    latency_print("end to end", &r->end_to_end);
    for (size_t i = 0; i < r->process_count; i++) {
        const struct result_process *p = &r->processes[i];
        printf("%-11s %7.2f us/msg   %6.1f MiB", p->name, p->cpu_us_per_message,
               (double)p->rss_kib / 1024);
        if (p->write_bytes_per_message >= 0)
            printf("   %.0f bytes written/msg", p->write_bytes_per_message);
        putchar('\n');
    }
    printf("%-11s %7.2f us/msg\n", l->clients ? "clients" : "generator", r->generator_cpu_us_per_message);
    if (*r->disk_device)
        printf("%-11s %.0f bytes/msg, %.4f flushes/msg (all of the device)\n", r->disk_device,
               r->disk_bytes_per_message, r->device_flushes_per_message);
    extra_print(r);
    printf("lost %" PRIu64 ", duplicated %" PRIu64 ", corrupted %" PRIu64 ", refused %" PRIu64,
           r->lost, r->duplicated, r->corrupted, r->refused);
    if (r->refused) printf(" (first: %s)", status_name(l->traffic.first_refusal));
    putchar('\n');
}
