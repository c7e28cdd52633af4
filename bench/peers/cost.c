/* cost: a process and all that it has started. The tree is found anew for each sample by /proc: a
 * PostgreSQL connection is a process that did not exist before. Nothing is kept between calls. */
#include "bench/peers/cost.h"

#include "broker/wire/bytes.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cost_root_parse(const char *text, struct cost_root *out)
{
    const char *equals = strchr(text, '=');
    char *end = NULL;
    memset(out, 0, sizeof *out);
    if (!equals || equals == text || (size_t)(equals - text) > PROCESS_NAME_LEN_MAX) return false;
    long pid = strtol(equals + 1, &end, 10);
    if (end == equals + 1 || *end || pid <= 0 || pid > INT32_MAX) return false;
    memcpy(out->name, text, (size_t)(equals - text));
    out->pid = (pid_t)pid;
    return true;
}

/* ---- who belongs to it ---- */

struct process_stat {
    pid_t parent;
    uint64_t children_cpu_ns; /* of those that ended and were waited for */
};

static bool stat_read(pid_t pid, struct process_stat *out)
{
    char path[64], line[1024];
    int parent = 0;
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const char *at = fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    fclose(file);
    if (!at || sscanf(at, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu", &parent,
                      &user, &system) != 3)
        return false;
    out->parent = (pid_t)parent;
    out->children_cpu_ns =
        (uint64_t)(user + system) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

/* All processes and their parents; then whoever's parent is in the tree is in the tree. */
static size_t tree_find(pid_t root, pid_t tree[COST_TREE_MAX])
{
    enum { ALL_MAX = 4096 };
    struct {
        pid_t pid, parent;
    } all[ALL_MAX];
    size_t all_count = 0, count = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc)) != NULL && all_count < ALL_MAX;) {
        struct process_stat stat;
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 0 || !stat_read(pid, &stat)) continue;
        all[all_count].pid = pid;
        all[all_count++].parent = stat.parent;
    }
    if (proc) closedir(proc);
    tree[count++] = root;
    for (size_t at = 0; at < count; at++)
        for (size_t i = 0; i < all_count && count < COST_TREE_MAX; i++)
            if (all[i].parent == tree[at]) tree[count++] = all[i].pid;
    return count;
}

/* ---- samples ---- */

static void threads_add(struct cost_sample *to, const struct thread_sample *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < to->thread_count && strcmp(to->threads[at].name, from[i].name) != 0)
            at++;
        if (at == THREADS_MAX) continue;
        if (at == to->thread_count) to->threads[to->thread_count++] = (struct thread_sample){0};
        memcpy(to->threads[at].name, from[i].name, sizeof to->threads[at].name);
        to->threads[at].cpu_ns += from[i].cpu_ns;
    }
}

static enum status process_add(pid_t pid, struct cost_sample *to)
{
    struct process_sample one;
    struct process_stat stat;
    struct thread_sample threads[THREADS_MAX];
    size_t thread_count = 0;
    enum status s = process_sample(pid, &one);
    if (s != STATUS_OK || !stat_read(pid, &stat)) return STATUS_GONE;
    to->cpu_ns += one.cpu_ns + stat.children_cpu_ns;
    to->rss_kib += one.rss_kib;
    to->rss_peak_kib += one.rss_peak_kib;
    to->written_bytes += one.written_bytes;
    to->written_known = to->written_known && one.written_known;
    to->processes++;
    if (process_threads(pid, threads, &thread_count) == STATUS_OK)
        threads_add(to, threads, thread_count);
    return STATUS_OK;
}

enum status cost_sample(pid_t root, struct cost_sample *out)
{
    pid_t tree[COST_TREE_MAX];
    memset(out, 0, sizeof *out);
    out->written_known = true;
    size_t count = tree_find(root, tree);
    enum status s = process_add(tree[0], out);
    for (size_t i = 1; i < count && s == STATUS_OK; i++)
        if (process_add(tree[i], out) != STATUS_OK)
            continue; /* has just ended: its parent has it */
    if (s != STATUS_OK) memset(out, 0, sizeof *out);
    return s;
}

/* ---- report ---- */

static uint64_t grown(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

static uint64_t thread_cpu(const struct cost_sample *in, const char *name)
{
    for (size_t i = 0; i < in->thread_count; i++)
        if (strcmp(in->threads[i].name, name) == 0) return in->threads[i].cpu_ns;
    return 0;
}

void cost_report(const struct cost_root *root, const struct cost_sample *before,
                 const struct cost_sample *after, uint64_t messages, struct result_process *out)
{
    double n = messages ? (double)messages : 1;
    memset(out, 0, sizeof *out);
    memcpy(out->name, root->name, sizeof out->name);
    out->cpu_us_per_message = (double)grown(before->cpu_ns, after->cpu_ns) / 1e3 / n;
    out->rss_kib = after->rss_kib;
    out->rss_peak_kib = after->rss_peak_kib;
    out->write_bytes_per_message =
        before->written_known && after->written_known
            ? (double)grown(before->written_bytes, after->written_bytes) / n
            : -1;
    for (size_t i = 0; i < after->thread_count; i++) {
        const struct thread_sample *t = &after->threads[i];
        struct result_thread *r = &out->threads[out->thread_count++];
        memcpy(r->name, t->name, sizeof r->name);
        r->cpu_us_per_message = (double)grown(thread_cpu(before, t->name), t->cpu_ns) / 1e3 / n;
    }
}
