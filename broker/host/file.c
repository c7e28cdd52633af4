/* file: reads and makes the few small files that the relay is configured by. Nothing is ever
 * overwritten: a second maker finds the first one's file. Contents may be secret, so they pass
 * through sodium_malloc only. */
#include "broker/host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status fault(char *error, size_t error_cap, enum status s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_cap, format, arguments);
    va_end(arguments);
    return s;
}

bool path_join(char out[CONFIG_PATH_MAX], const char *base, const char *name)
{
    int len;
    const char *between = strcmp(base, "/") == 0 ? "" : "/";
    if (name[0] == '\0' || strcmp(name, ".") == 0)
        len = snprintf(out, CONFIG_PATH_MAX, "%s", base);
    else if (name[0] == '/')
        len = snprintf(out, CONFIG_PATH_MAX, "%s", name);
    else
        len = snprintf(out, CONFIG_PATH_MAX, "%s%s%s", base, between, name);
    return len > 0 && len < CONFIG_PATH_MAX;
}

bool path_folder(char out[CONFIG_PATH_MAX], const char *path)
{
    char here[CONFIG_PATH_MAX];
    if (!getcwd(here, sizeof here) || !path_join(out, here, path)) return false;
    char *slash = strrchr(out, '/');
    if (slash == out) slash++;
    *slash = '\0';
    return true;
}

static enum status mode_check(const char *path, const struct stat *s, enum file_privacy privacy,
                              char *error, size_t error_cap)
{
    mode_t loose = s->st_mode & (privacy == FILE_SECRET ? 077 : 022);
    if (loose)
        return fault(error, error_cap, STATUS_CONFIG, "others may %s %s: run chmod go-%s %s",
                     privacy == FILE_SECRET ? "use" : "write", path,
                     privacy == FILE_SECRET ? "rwx" : "w", path);
    if (s->st_uid != geteuid() && s->st_uid != 0 && geteuid() != 0)
        return fault(error, error_cap, STATUS_CONFIG,
                     "%s belongs to another user: run as its owner, or chown it", path);
    return STATUS_OK;
}

static enum status errno_fault(const char *what, const char *path, char *error, size_t error_cap)
{
    return fault(error, error_cap, errno == ENOENT ? STATUS_CONFIG : STATUS_IO, "%s %s: %s", what,
                 path, strerror(errno));
}

enum status privacy_check(const char *path, enum file_privacy privacy, char *error,
                          size_t error_cap)
{
    struct stat s;
    if (stat(path, &s) != 0) return errno_fault("cannot look at", path, error, error_cap);
    return mode_check(path, &s, privacy, error, error_cap);
}

/* A folder above: who may write there may rename what is in it, and put something else in its
 * place. */
static enum status parent_check(const char *path, char *error, size_t error_cap)
{
    struct stat s;
    if (stat(path, &s) != 0)
        return errno == ENOENT ? STATUS_OK : errno_fault("cannot look at", path, error, error_cap);
    if (s.st_mode & 022 && !(s.st_mode & S_ISVTX))
        return fault(
            error, error_cap, STATUS_CONFIG,
            "others may replace what is in %s: run chmod go-w %s, or move the relay elsewhere",
            path, path);
    if (s.st_uid != geteuid() && s.st_uid != 0 && geteuid() != 0)
        return fault(
            error, error_cap, STATUS_CONFIG,
            "%s belongs to another user, who may replace what is in it: move the relay elsewhere",
            path);
    return STATUS_OK;
}

static enum status parents_by_name(const char *path, char *error, size_t error_cap)
{
    char part[CONFIG_PATH_MAX];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        if (len >= sizeof part)
            return fault(error, error_cap, STATUS_CONFIG, "the path is too long: shorten it");
        memcpy(part, path, len);
        part[len] = '\0';
        enum status status = parent_check(part, error, error_cap);
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

enum status parents_check(const char *path, char *error, size_t error_cap)
{
    enum status status = parents_by_name(path, error, error_cap);
    char *resolved = realpath(path, NULL);
    if (status == STATUS_OK && resolved) status = parents_by_name(resolved, error, error_cap);
    free(resolved);
    return status;
}

enum status folder_check(const char *path, char *error, size_t error_cap)
{
    struct stat s;
    if (stat(path, &s) != 0 && errno == ENOENT)
        return fault(error, error_cap, STATUS_CONFIG,
                     "no folder %s: make it with sealmqd --init, or mkdir -m 700", path);
    if (stat(path, &s) != 0) return errno_fault("cannot look at", path, error, error_cap);
    if (!S_ISDIR(s.st_mode))
        return fault(error, error_cap, STATUS_CONFIG, "%s is not a folder: name one", path);
    return mode_check(path, &s, FILE_SECRET, error, error_cap);
}

enum status folder_make(const char *path, char *error, size_t error_cap)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return errno_fault("cannot make folder", path, error, error_cap);
    return folder_check(path, error, error_cap);
}

static bool read_whole(int fd, char *out, size_t max, size_t *len)
{
    *len = 0;
    while (*len <= max) {
        ssize_t got = read(fd, out + *len, max + 1 - *len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (got == 0) break;
        *len += (size_t)got;
    }
    return true;
}

enum status file_read(const char *path, enum file_privacy privacy, size_t max, char **out,
                      size_t *len, char *error, size_t error_cap)
{
    enum status status = STATUS_OK;
    struct stat s;
    char *bytes = NULL;
    size_t got = 0;
    *out = NULL;
    *len = 0;
    if (sodium_init() < 0) return fault(error, error_cap, STATUS_IO, "libsodium does not start");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return errno_fault("cannot read", path, error, error_cap);
    bytes = sodium_malloc(max + 2);
    if (!bytes || fstat(fd, &s) != 0 || (S_ISREG(s.st_mode) && !read_whole(fd, bytes, max, &got)))
        status = errno_fault("cannot read", path, error, error_cap);
    else if (!S_ISREG(s.st_mode))
        status = fault(error, error_cap, STATUS_CONFIG, "%s is not a file: name one", path);
    else if (got > max)
        status = fault(error, error_cap, STATUS_CONFIG, "%s is larger than %zu bytes: shorten it",
                       path, max);
    else
        status = mode_check(path, &s, privacy, error, error_cap);
    close(fd);
    if (status != STATUS_OK) {
        sodium_free(bytes);
        return status;
    }
    bytes[got] = '\0';
    *out = bytes;
    *len = got;
    return STATUS_OK;
}

static bool write_whole(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left) {
        ssize_t put = write(fd, text, left);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        text += put;
        left -= (size_t)put;
    }
    return fsync(fd) == 0;
}

/* The name in its folder is durable only when the folder is synced too. */
static bool folder_sync(const char *path)
{
    char folder[CONFIG_PATH_MAX];
    if (!path_folder(folder, path)) return false;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return synced;
}

enum status file_make(const char *path, enum file_privacy privacy, const char *text, bool *made,
                      char *error, size_t error_cap)
{
    char aside[CONFIG_PATH_MAX + 8];
    *made = false;
    if (access(path, F_OK) == 0) return STATUS_OK;
    snprintf(aside, sizeof aside, "%s.XXXXXX", path);
    int fd = mkostemp(aside, O_CLOEXEC); /* 0600 */
    if (fd < 0) return errno_fault("cannot make", path, error, error_cap);
    bool written = (privacy == FILE_SECRET || fchmod(fd, 0644) == 0) && write_whole(fd, text);
    bool linked = written && link(aside, path) == 0;
    bool lost_race = written && !linked && errno == EEXIST;
    bool done = lost_race || (linked && folder_sync(path));
    enum status status = done ? STATUS_OK : errno_fault("cannot make", path, error, error_cap);
    unlink(aside);
    close(fd);
    *made = linked;
    return status;
}
