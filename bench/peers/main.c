/* sealmq-bench-peers: has another system do the work that sealmq-bench has SealMQ do, and measures it in
 * the same way, with the same result line. One thread and one poll, so that the generator's share of the
 * machine is small and comparable.
 *
 * The loop: submit what is due, poll, let the driver read and report; until everything that was sent has
 * been accepted and delivered, or nothing has moved for STALL_US. Then it looks once more for what
 * comes twice, and asks the server whether anything is left. */
#include "bench/peers/options.h"

#include "broker/host/command.h"
#include "broker/host/host.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STALL_US         20000000u
#define LINGER_US        200000u /* how long doubles are waited for */
#define INTERVAL_US      500000u /* of the series */
#define TURN_US          100000u
#define EXIT_INTERRUPTED 130

struct run {
    struct options options;
    struct flow *flow;
    struct peer *peer;
    struct result *result;
    struct cost_sample before[COST_ROOTS_MAX], after[COST_ROOTS_MAX];
    struct process_sample own_before, own_after;
    struct disk_sample disk_before, disk_after;
    bool disk_known, broken, interrupted, stalled;
    int signal_fd;
    uint64_t start_us, interval_us, interval_count;
};

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "sealmq-bench-peers: %s%s%s\n", what, *why ? ": " : "", why);
    return EXIT_USAGE;
}

/* ---- samples: as close to the first and the last message as can be ---- */

static bool sample(struct run *r, struct cost_sample *costs, struct process_sample *own,
                   struct disk_sample *disk)
{
    bool all = process_sample(getpid(), own) == STATUS_OK;
    for (size_t i = 0; i < r->options.root_count; i++)
        if (cost_sample(r->options.roots[i].pid, &costs[i]) != STATUS_OK) {
            fprintf(stderr, "sealmq-bench-peers: there is no process %d (%s)\n",
                    (int)r->options.roots[i].pid, r->options.roots[i].name);
            all = false;
        }
    r->disk_known = r->options.disk && disk_sample(r->options.disk, disk) == STATUS_OK;
    return all;
}

/* ---- the loop ---- */

static void interval_take(struct run *r, uint64_t now_us)
{
    uint64_t delivered = flow_counts(r->flow)->delivered, us = now_us - r->interval_us;
    const struct histogram *h = flow_interval(r->flow);
    if (us < INTERVAL_US) return;
    result_point_add(
        r->result,
        (struct result_point){.t = (double)(now_us - r->start_us) / 1e6,
                              .rate = (double)(delivered - r->interval_count) * 1e6 / (double)us,
                              .p50_us = histogram_percentile(h, 50),
                              .p99_us = histogram_percentile(h, 99)});
    flow_interval_reset(r->flow);
    r->interval_us = now_us;
    r->interval_count = delivered;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%6.1f s %10.0f msg/s  %llu delivered ",
                r->result->series[r->result->series_count - 1].t,
                r->result->series[r->result->series_count - 1].rate, (unsigned long long)delivered);
}

static enum status submit_due(struct run *r)
{
    struct flow_message *messages;
    unsigned sender;
    size_t count;
    enum status s = STATUS_OK;
    while (s == STATUS_OK && (count = flow_take(r->flow, host_mono_us(), &messages, &sender)) > 0)
        s = r->options.ops->submit(r->peer, sender, messages, count);
    return s;
}

/* turn: one poll of at most limit_us. */
static enum status turn(struct run *r, uint64_t limit_us)
{
    struct pollfd polls[PEER_POLLS_MAX + 1];
    const struct peer_ops *ops = r->options.ops;
    size_t count = ops->polls(r->peer, polls, &limit_us);
    struct timespec wait = {.tv_sec = (time_t)(limit_us / 1000000),
                            .tv_nsec = (long)(limit_us % 1000000 * 1000)};
    ENSURE(count <= PEER_POLLS_MAX);
    polls[count] = (struct pollfd){.fd = r->signal_fd, .events = POLLIN};
    if (ppoll(polls, count + 1, &wait, NULL) < 0 && errno != EINTR) return STATUS_IO;
    if (polls[count].revents && host_signal_take(r->signal_fd)) {
        if (r->interrupted) r->stalled = true; /* the second time: do not wait for the rest */
        r->interrupted = true;
        flow_end(r->flow);
    }
    return ops->turn(r->peer, polls, count);
}

static void loop(struct run *r)
{
    enum status s = STATUS_OK;
    uint64_t now = r->start_us = r->interval_us = host_mono_us();
    flow_start(r->flow, now);
    while (s == STATUS_OK && !flow_done(r->flow, now) && !r->stalled) {
        s = submit_due(r);
        uint64_t wait = flow_wait_us(r->flow, host_mono_us());
        if (s == STATUS_OK) s = turn(r, wait < TURN_US ? wait : TURN_US);
        now = host_mono_us();
        interval_take(r, now);
        if (now > flow_last_us(r->flow) + STALL_US) r->stalled = true;
    }
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    r->broken = s != STATUS_OK;
}

/* Acknowledgements reach the server, and what comes twice comes now. */
static void linger(struct run *r)
{
    uint64_t end = host_mono_us() + LINGER_US, left = 0;
    while (!r->broken && host_mono_us() < end)
        r->broken = turn(r, LINGER_US / 10) != STATUS_OK;
    if (!r->broken && r->options.ops->left(r->peer, &left) == STATUS_OK)
        result_extra_number(r->result, "left_on_server", (double)left);
}

/* ---- the result ---- */

static void result_head(struct result *r, const struct options *o)
{
    snprintf(r->system, sizeof r->system, "%s", o->ops->system);
    snprintf(r->label, sizeof r->label, "%s", *o->label ? o->label : o->ops->system);
    snprintf(r->scenario, sizeof r->scenario, "%s", o->scenario);
    snprintf(r->edge, sizeof r->edge, "clear");
    snprintf(r->durability, sizeof r->durability, "%s", o->ops->durability);
    r->round = o->round;
    r->size = o->flow.size;
    r->window = o->flow.window;
    r->offered_rate = o->flow.window ? 0 : o->flow.rate;
    r->mailboxes = o->flow.queues;
    r->senders = o->flow.senders;
    result_extra_text(r, "how", o->ops->how);
    result_extra_number(r, "consumers", o->peer.consumers);
}

static void result_costs(struct run *r)
{
    struct result *out = r->result;
    double n = out->messages ? (double)out->messages : 1;
    for (size_t i = 0; i < r->options.root_count; i++)
        cost_report(&r->options.roots[i], &r->before[i], &r->after[i], out->messages,
                    &out->processes[out->process_count++]);
    out->generator_cpu_us_per_message =
        (double)(r->own_after.cpu_ns - r->own_before.cpu_ns) / 1e3 / n;
    if (!r->disk_known) return;
    snprintf(out->disk_device, sizeof out->disk_device, "%s", r->disk_after.device);
    out->disk_bytes_per_message =
        (double)(r->disk_after.written_bytes - r->disk_before.written_bytes) / n;
    out->device_flushes_per_message = (double)(r->disk_after.flushes - r->disk_before.flushes) / n;
}

static void result_fill(struct run *r)
{
    const struct flow_counts *c = flow_counts(r->flow);
    struct result *out = r->result;
    out->messages = c->accepted < c->delivered ? c->accepted : c->delivered;
    out->seconds = (double)(flow_last_us(r->flow) - r->start_us) / 1e6;
    out->rate = out->seconds > 0 ? (double)out->messages / out->seconds : 0;
    out->accept = *flow_accept(r->flow);
    out->end_to_end = *flow_end_to_end(r->flow);
    out->lost = c->sent - c->delivered - c->refused;
    out->duplicated = c->duplicated;
    out->corrupted = c->corrupted;
    out->refused = c->refused;
    result_costs(r);
}

static void latency_print(const char *what, const struct histogram *h)
{
    printf("%s p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms\n", what,
           (double)histogram_percentile(h, 50) / 1e3, (double)histogram_percentile(h, 99) / 1e3,
           (double)histogram_percentile(h, 99.9) / 1e3, (double)h->max_us / 1e3);
}

static void result_print(const struct result *r, bool interrupted)
{
    char load[64];
    if (r->window)
        snprintf(load, sizeof load, "window %llu", (unsigned long long)r->window);
    else
        snprintf(load, sizeof load, "%.0f/s offered", r->offered_rate);
    printf("%s, %s: %llu messages of %llu bytes, %s, %llu queues, %.2f s: %.0f msg/s%s\n",
           r->system, r->durability, (unsigned long long)r->messages, (unsigned long long)r->size,
           load, (unsigned long long)r->mailboxes, r->seconds, r->rate,
           interrupted ? " (interrupted)" : "");
    latency_print("accept    ", &r->accept);
    latency_print("end to end", &r->end_to_end);
    for (size_t i = 0; i < r->process_count; i++)
        printf("%s: %.2f us/msg, rss %llu MiB, %.0f bytes written/msg\n", r->processes[i].name,
               r->processes[i].cpu_us_per_message,
               (unsigned long long)r->processes[i].rss_kib / 1024,
               r->processes[i].write_bytes_per_message);
    printf("generator: %.2f us/msg\n", r->generator_cpu_us_per_message);
    if (*r->disk_device)
        printf("disk %s: %.0f bytes, %.4f flushes per message\n", r->disk_device,
               r->disk_bytes_per_message, r->device_flushes_per_message);
    printf("lost %llu, duplicated %llu, corrupted %llu, refused %llu\n",
           (unsigned long long)r->lost, (unsigned long long)r->duplicated,
           (unsigned long long)r->corrupted, (unsigned long long)r->refused);
}

static bool hgrm_write(const char *prefix, const char *name, const struct histogram *h)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s-%s.hgrm", prefix, name) >= sizeof path)
        return false;
    FILE *f = fopen(path, "we");
    bool done = f && histogram_write_hgrm(h, f) == STATUS_OK;
    if (f && fclose(f) != 0) done = false;
    return done;
}

static int result_keep(const struct run *r)
{
    const struct options *o = &r->options;
    if (o->json_file && result_append(r->result, o->json_file) != STATUS_OK)
        return fail(o->json_file, strerror(errno));
    if (o->hgrm_prefix && (!hgrm_write(o->hgrm_prefix, "accept", &r->result->accept) ||
                           !hgrm_write(o->hgrm_prefix, "end-to-end", &r->result->end_to_end)))
        return fail(o->hgrm_prefix, strerror(errno));
    return EXIT_OK;
}

static int measure(struct run *r)
{
    if (!sample(r, r->before, &r->own_before, &r->disk_before)) return EXIT_USAGE;
    loop(r);
    bool all = sample(r, r->after, &r->own_after, &r->disk_after);
    const char *error = r->options.ops->error(r->peer);
    if (!r->stalled) linger(r);
    result_fill(r);
    result_print(r->result, r->interrupted);
    fflush(stdout); /* before what went wrong */
    int status = result_keep(r);
    if (r->broken) fail(r->options.ops->system, error);
    if (r->stalled) fail("nothing was accepted or delivered any more", "");
    if (status) return status;
    if (r->interrupted) return EXIT_INTERRUPTED;
    return all && !r->broken && result_clean(r->result) ? EXIT_OK : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static struct run r;
    char error[256] = "";
    int status = EXIT_USAGE;
    if (host_start() != STATUS_OK) return fail("cannot start", "");
    if (!options_read(argc, argv, &r.options, &status)) return status;
    bool gives_way = r.options.flow.window && process_give_way();
    r.signal_fd = host_signal_fd();
    r.result = result_new();
    r.flow = flow_new(&r.options.flow);
    r.options.peer.flow = r.flow;
    result_head(r.result, &r.options);
    if (gives_way) result_extra_text(r.result, "generator", "gives way");
    if (r.options.ops->open(r.options.ops, &r.options.peer, &r.peer, error, sizeof error) ==
        STATUS_OK)
        status = measure(&r);
    else
        fail(r.options.ops->system, error);
    if (r.peer) r.options.ops->close(r.peer);
    flow_free(&r.flow);
    result_free(&r.result);
    return status;
}
