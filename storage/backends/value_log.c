/* value_log: a few files, each one being written, full, waiting, or free.
 * Invariants: what a file held is whole until its last value was released and the log of keys that says so is gone; a page of the disk
 * has bytes of one value only, so that writing one tears no other. */
#include "storage/backends/value_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define SUFFIX     ".values"
#define PAGE_BYTES 4096u
#define FREE_KEPT  4u /* files without values that an open leaves */

struct file {
    uint32_t number; /* 0 = no file in this slot */
    int fd;
    size_t held;     /* values */
    uint64_t until;  /* without values: free when the oldest log of keys is above this */
};

struct value_log {
    int dir;
    uint32_t file_bytes;
    struct file files[VALUE_LOG_FILES_MAX];
    struct file *now; /* being written; NULL = none */
    uint32_t offset;  /* in it */
    bool dirty;
    uint32_t number;  /* the highest there ever was here */
};

/* ---- places ---- */

static const uint8_t place_mark[4] = {0xff, 'V', 'L', '1'};

void value_place_write(const struct value_place *p, uint8_t out[VALUE_PLACE_LEN])
{
    memcpy(out, place_mark, sizeof place_mark);
    put_u32(out + 4, p->file);
    put_u32(out + 8, p->offset);
    put_u32(out + 12, p->len);
    put_u64(out + 16, p->hash);
}

enum status value_place_read(struct view bytes, struct value_place *out)
{
    memset(out, 0, sizeof *out);
    if (bytes.len != VALUE_PLACE_LEN || memcmp(bytes.at, place_mark, sizeof place_mark) != 0) return STATUS_DAMAGED;
    *out = (struct value_place){get_u32(bytes.at + 4), get_u32(bytes.at + 8), get_u32(bytes.at + 12), get_u64(bytes.at + 16)};
    return STATUS_OK;
}

/* ---- files ---- */

struct file_name {
    char text[32];
};

static struct file_name name_of(uint32_t number)
{
    struct file_name name;
    snprintf(name.text, sizeof name.text, "%06u" SUFFIX, (unsigned)number);
    return name;
}

static struct file *file_find(struct value_log *v, uint32_t number)
{
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++)
        if (number && v->files[i].number == number) return &v->files[i];
    return NULL;
}

static void file_forget(struct value_log *v, struct file *f)
{
    struct file_name name = name_of(f->number);
    close(f->fd);
    (void)unlinkat(v->dir, name.text, 0);
    *f = (struct file){.fd = -1};
}

static void file_take(struct value_log *v, const char *name)
{
    unsigned long number = strtoul(name, NULL, 10);
    if (!number || number > UINT32_MAX || strcmp(name_of((uint32_t)number).text, name) != 0) return;
    if (number > v->number) v->number = (uint32_t)number;
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++) {
        struct file *f = &v->files[i];
        if (f->number) continue;
        f->fd = openat(v->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        f->number = f->fd >= 0 ? (uint32_t)number : 0;
        return;
    }
}

struct value_log *value_log_open(const char *dir, uint32_t file_bytes)
{
    struct value_log *v = calloc(1, sizeof *v);
    ENSURE(v != NULL && file_bytes);
    v->file_bytes = file_bytes;
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++)
        v->files[i].fd = -1;
    v->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = v->dir >= 0 ? opendir(dir) : NULL;
    for (struct dirent *e; entries && (e = readdir(entries)) != NULL;)
        file_take(v, e->d_name);
    if (entries) {
        closedir(entries);
        return v;
    }
    value_log_close(&v);
    return NULL;
}

void value_log_close(struct value_log **v)
{
    if (!*v) return;
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++)
        if ((*v)->files[i].fd >= 0) close((*v)->files[i].fd);
    if ((*v)->dir >= 0) close((*v)->dir);
    free(*v);
    *v = NULL;
}

void value_log_hold(struct value_log *v, const struct value_place *p)
{
    struct file *f = file_find(v, p->file);
    if (f) f->held++; /* else it does not read: whoever wants it will see */
}

void value_log_begin(struct value_log *v)
{
    size_t kept = 0;
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++) {
        struct file *f = &v->files[i];
        if (!f->number || f->held) continue;
        f->until = 0; /* what there was before this open is read, and gone */
        if (++kept > FREE_KEPT) file_forget(v, f);
    }
}

/* ---- writing ---- */

static bool is_free(const struct value_log *v, const struct file *f, uint64_t oldest)
{
    return f->number && f != v->now && !f->held && f->until < oldest;
}

/* Its name must outlive a power cut as well as what is in it. */
static struct file *file_make(struct value_log *v, struct file *f)
{
    struct file_name name = name_of(v->number + 1);
    int fd = openat(v->dir, name.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return NULL;
    *f = (struct file){.number = ++v->number, .fd = fd};
    if (posix_fallocate(fd, 0, v->file_bytes) == 0 && fsync(v->dir) == 0) return f;
    file_forget(v, f);
    return NULL;
}

/* One that is free; else a new one, where there may be more. */
static struct file *file_next(struct value_log *v, uint64_t oldest)
{
    struct file *empty = NULL;
    for (size_t i = 0; i < VALUE_LOG_FILES_MAX; i++) {
        if (is_free(v, &v->files[i], oldest)) return &v->files[i];
        if (!empty && !v->files[i].number) empty = &v->files[i];
    }
    return empty ? file_make(v, empty) : NULL;
}

static bool write_all(int fd, struct view bytes, off_t at)
{
    for (size_t done = 0; done < bytes.len;) {
        ssize_t n = pwrite(fd, bytes.at + done, bytes.len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

enum status value_log_append(struct value_log *v, struct view value, uint64_t oldest, struct value_place *out)
{
    ENSURE(value.len > 0 && value.len <= UINT32_MAX / 2);
    if (!v->now || v->offset >= v->file_bytes) {
        if (value_log_sync(v) != STATUS_OK) return STATUS_IO;
        struct file *next = file_next(v, oldest);
        if (!next) return STATUS_FULL;
        v->now = next;
        v->offset = 0;
    }
    *out = (struct value_place){v->now->number, v->offset, (uint32_t)value.len, XXH3_64bits(value.at, value.len)};
    v->dirty = true;
    if (!write_all(v->now->fd, value, v->offset)) return STATUS_IO;
    v->offset += (uint32_t)((value.len + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    v->now->held++;
    return STATUS_OK;
}

enum status value_log_sync(struct value_log *v)
{
    if (!v->dirty) return STATUS_OK;
    if (fdatasync(v->now->fd) != 0) return STATUS_IO;
    v->dirty = false;
    return STATUS_OK;
}

bool value_log_release(struct value_log *v, const struct value_place *p)
{
    struct file *f = file_find(v, p->file);
    if (!f) return false;
    ENSURE(f->held > 0);
    f->until = UINT64_MAX;
    return --f->held == 0;
}

void value_log_until(struct value_log *v, uint32_t file, uint64_t newest)
{
    struct file *f = file_find(v, file);
    if (f) f->until = newest;
}

/* ---- reading ---- */

enum status value_log_read(struct value_log *v, const struct value_place *p, struct arena *a, struct view *out)
{
    struct file *f = file_find(v, p->file);
    *out = view_of(NULL, 0);
    if (!f || !p->len) return STATUS_DAMAGED;
    uint8_t *bytes = arena_alloc_raw(a, p->len);
    for (size_t done = 0; done < p->len;) {
        ssize_t n = pread(f->fd, bytes + done, p->len - done, (off_t)p->offset + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return STATUS_IO;
        if (n == 0) return STATUS_DAMAGED;
        done += (size_t)n;
    }
    if (XXH3_64bits(bytes, p->len) != p->hash) return STATUS_DAMAGED;
    *out = view_of(bytes, p->len);
    return STATUS_OK;
}
