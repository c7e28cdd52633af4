/* process: reads /proc and /sys. CPU comes from the process's CPU clock, in nanoseconds; utime and
 * stime of /proc/PID/stat have a resolution of 10 ms only. Nothing is kept between calls. */
#include "bench/measure/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define SECTOR_LEN 512u

/* The number behind `key` in a file of "key: number" lines. */
static bool field_read(pid_t pid, const char *file, const char *key, uint64_t *out)
{
    char path[64], line[256];
    bool found = false;
    size_t len = strlen(key);
    *out = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");
    if (!f) return false;
    while (!found && fgets(line, sizeof line, f)) {
        found = strncmp(line, key, len) == 0 && line[len] == ':';
        if (found) *out = strtoull(line + len + 1, NULL, 10);
    }
    fclose(f);
    return found;
}

enum status process_sample(pid_t pid, struct process_sample *out)
{
    clockid_t clock;
    struct timespec cpu;
    memset(out, 0, sizeof *out);
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &cpu) != 0)
        return STATUS_GONE;
    out->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
    if (!field_read(pid, "status", "VmRSS", &out->rss_kib)) out->rss_kib = 0; /* a zombie has none */
    if (!field_read(pid, "status", "VmHWM", &out->rss_peak_kib)) out->rss_peak_kib = 0;
    out->written_known = field_read(pid, "io", "write_bytes", &out->written_bytes);
    return STATUS_OK;
}

/* ---- threads ---- */

static bool line_read(const char *path, char *out, size_t cap)
{
    FILE *f = fopen(path, "re");
    if (!f) return false;
    bool read = fgets(out, (int)cap, f) != NULL;
    fclose(f);
    return read;
}

static void thread_add(pid_t pid, const char *tid, struct thread_sample *out, size_t *count)
{
    char path[320], name[32], times[128];
    size_t i = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%s/comm", (int)pid, tid);
    if (!line_read(path, name, sizeof name)) return;
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, tid);
    if (!line_read(path, times, sizeof times)) return;
    name[strcspn(name, "\n")] = '\0';
    while (i < *count && strcmp(out[i].name, name) != 0)
        i++;
    if (i == THREADS_MAX) return;
    if (i == *count) {
        out[i].cpu_ns = 0;
        snprintf(out[i].name, sizeof out[i].name, "%.15s", name);
        (*count)++;
    }
    out[i].cpu_ns += strtoull(times, NULL, 10);
}

enum status process_threads(pid_t pid, struct thread_sample out[THREADS_MAX], size_t *count)
{
    char path[64];
    *count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    if (!folder) return STATUS_GONE;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') thread_add(pid, entry->d_name, out, count);
    closedir(folder);
    return STATUS_OK;
}

/* ---- disk ---- */

/* Flushes are counted for the whole disk, in the folder above a partition's. */
static bool device_folder(dev_t device, char *out, size_t cap)
{
    char link[64], real[4096], partition[4160];
    struct stat s;
    snprintf(link, sizeof link, "/sys/dev/block/%u:%u", major(device), minor(device));
    if (!realpath(link, real)) return false;
    snprintf(partition, sizeof partition, "%s/partition", real);
    if (stat(partition, &s) == 0) *strrchr(real, '/') = '\0';
    return (size_t)snprintf(out, cap, "%s", real) < cap;
}

enum status disk_sample(const char *path, struct disk_sample *out)
{
    char folder[4096], file[4160], line[512];
    uint64_t fields[17] = {0};
    size_t count = 0;
    struct stat s;
    memset(out, 0, sizeof *out);
    if (stat(path, &s) != 0 || !device_folder(s.st_dev, folder, sizeof folder)) return STATUS_GONE;
    snprintf(file, sizeof file, "%s/stat", folder);
    if (!line_read(file, line, sizeof line)) return STATUS_GONE;
    for (char *at = line, *end; count < 17; at = end) {
        fields[count] = strtoull(at, &end, 10);
        if (end == at) break;
        count++;
    }
    if (count < 17) return STATUS_GONE; /* flushes since Linux 5.5 */
    snprintf(out->device, sizeof out->device, "%.31s", strrchr(folder, '/') + 1);
    out->written_bytes = fields[6] * SECTOR_LEN;
    out->flushes = fields[15];
    return STATUS_OK;
}

bool process_give_way(void)
{
    struct sched_param none = {0};
    return sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}
