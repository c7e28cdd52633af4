/* value_log: a few files, each one being written, full, waiting, or free.
 * Invariants: what a file held is whole until its last value was released and the log of keys that says so is gone; a page of the disk
 * has bytes of one value only, so that writing one tears no other. */
#include "storage/backends/value_log.h"
#include "storage/backends/rocksdb_directory.h"

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
#define FREE_KEPT  4u   /* files without values that an open, or a rest, leaves */
#define SLOTS      256u /* files that can be held: more than we make, where another build did */
#define PAUSE      64u  /* after a file could not be made: so many values go without one before the next try */

struct file {
    uint32_t number; /* 0 = no file in this slot */
    int fd;
    size_t held;     /* values */
    uint64_t until;  /* without values: free when the oldest log of keys is above this */
    bool bare;       /* nothing was written since its bytes were given back */
};

struct value_log {
    int dir;
    uint32_t file_bytes;
    struct file files[SLOTS];
    struct file *now; /* being written; NULL = none */
    uint32_t offset;  /* in it */
    bool dirty;
    uint32_t number;  /* the highest there ever was here */
    unsigned pause;
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
    for (size_t i = 0; i < SLOTS; i++)
        if (v->files[i].number == number) return &v->files[i];
    return NULL;
}

static void file_forget(struct value_log *v, struct file *f)
{
    struct file_name name = name_of(f->number);
    close(f->fd);
    (void)unlinkat(v->dir, name.text, 0); /* what stays is found by the next open: no number comes twice */
    *f = (struct file){.fd = -1};
}

/* NULL: errno. */
static struct file *file_open(struct value_log *v, uint32_t number)
{
    struct file_name name = name_of(number);
    struct file *f = file_find(v, 0);
    if (!f) errno = EMFILE;
    int fd = f ? openat(v->dir, name.text, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) return NULL;
    *f = (struct file){.number = number, .fd = fd};
    return f;
}

/* 0 = it is none of ours. */
static uint32_t number_of(const char *name)
{
    unsigned long number = strtoul(name, NULL, 10);
    return number && number <= UINT32_MAX && strcmp(name_of((uint32_t)number).text, name) == 0 ? (uint32_t)number : 0;
}

static void note(struct value_log *v, uint32_t number)
{
    if (number > v->number) v->number = number;
}

static void find(void *self, const char *name)
{
    note(self, number_of(name));
}

struct value_log *value_log_open(const char *dir, uint32_t file_bytes)
{
    struct value_log *v = calloc(1, sizeof *v);
    ENSURE(v != NULL && file_bytes && file_bytes <= 1u << 30);
    v->file_bytes = file_bytes;
    for (size_t i = 0; i < SLOTS; i++)
        v->files[i].fd = -1;
    v->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = v->dir >= 0 ? directory_each(v->dir, find, v) : errno;
    if (error) value_log_close(&v);
    errno = error;
    return v;
}

void value_log_close(struct value_log **v)
{
    if (!*v) return;
    for (size_t i = 0; i < SLOTS; i++)
        if ((*v)->files[i].fd >= 0) close((*v)->files[i].fd);
    if ((*v)->dir >= 0) close((*v)->dir);
    free(*v);
    *v = NULL;
}

enum status value_log_hold(struct value_log *v, const struct value_place *p)
{
    note(v, p->file);
    struct file *f = p->file ? file_find(v, p->file) : NULL;
    if (!f && p->file) f = file_open(v, p->file);
    if (!f) return !p->file || errno == ENOENT ? STATUS_DAMAGED : STATUS_IO;
    f->held++;
    return STATUS_OK;
}

/* What there was before this open is read, and gone. */
static void spare(void *self, const char *file)
{
    struct value_log *v = self;
    uint32_t number = number_of(file);
    size_t kept = 0;
    if (!number || file_find(v, number)) return;
    for (size_t i = 0; i < SLOTS; i++)
        kept += v->files[i].number && !v->files[i].held;
    if (kept == FREE_KEPT || !file_open(v, number)) (void)unlinkat(v->dir, file, 0);
}

enum status value_log_begin(struct value_log *v)
{
    return directory_each(v->dir, spare, v) == 0 && fsync(v->dir) == 0 ? STATUS_OK : STATUS_IO;
}

/* ---- writing ---- */

static bool is_free(const struct value_log *v, const struct file *f, uint64_t oldest)
{
    return f->number && f != v->now && !f->held && f->until < oldest;
}

/* Its name must outlive a power cut as well as what is in it. */
static struct file *file_make(struct value_log *v, struct file *f)
{
    if (v->pause && v->pause--) return NULL;
    v->pause = PAUSE;
    if (v->number == UINT32_MAX) return NULL;
    struct file_name name = name_of(++v->number);
    int fd = openat(v->dir, name.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return NULL;
    *f = (struct file){.number = v->number, .fd = fd};
    if (posix_fallocate(fd, 0, v->file_bytes) != 0 || fsync(v->dir) != 0) {
        file_forget(v, f);
        return NULL;
    }
    v->pause = 0;
    return f;
}

/* One that is free; else a new one, where there may be more. */
static struct file *file_next(struct value_log *v, uint64_t oldest)
{
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (is_free(v, &v->files[i], oldest)) return &v->files[i];
        count += v->files[i].number != 0;
    }
    return count < VALUE_LOG_FILES_MAX ? file_make(v, file_find(v, 0)) : NULL;
}

static bool write_all(int fd, struct view bytes, off_t at)
{
    for (size_t done = 0; done < bytes.len;) {
        ssize_t n = pwrite(fd, bytes.at + done, bytes.len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO;
        if (n <= 0) return false;
        done += (size_t)n;
    }
    return true;
}

static bool has_room(const struct value_log *v, size_t len)
{
    return v->now && (v->offset == 0 || v->offset + len <= v->file_bytes);
}

enum status value_log_append(struct value_log *v, struct view value, uint64_t oldest, struct value_place *out)
{
    ENSURE(value.len > 0 && value.len <= UINT32_MAX / 4);
    if (!has_room(v, value.len)) {
        if (value_log_sync(v) != STATUS_OK) return STATUS_IO;
        struct file *next = file_next(v, oldest);
        if (!next) return STATUS_FULL;
        v->now = next;
        v->offset = 0;
    }
    *out = (struct value_place){v->now->number, v->offset, (uint32_t)value.len, XXH3_64bits(value.at, value.len)};
    v->dirty = true;
    v->now->bare = false;
    if (!write_all(v->now->fd, value, v->offset)) return errno == ENOSPC || errno == EDQUOT ? STATUS_FULL : STATUS_IO;
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
    struct file *f = p->file ? file_find(v, p->file) : NULL;
    if (!f || !f->held) return false;
    f->until = UINT64_MAX;
    return --f->held == 0;
}

void value_log_until(struct value_log *v, uint32_t file, uint64_t newest)
{
    struct file *f = file_find(v, file);
    if (f) f->until = newest;
}

void value_log_rest(struct value_log *v, uint64_t oldest)
{
    size_t kept = 0;
    if (v->now && !v->now->held && !v->dirty) v->now = NULL;
    for (size_t i = 0; i < SLOTS; i++) {
        struct file *f = &v->files[i];
        if (!is_free(v, f, oldest)) continue;
        if (++kept > FREE_KEPT)
            file_forget(v, f);
        else if (!f->bare)
            f->bare = fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, v->file_bytes) == 0;
    }
}

/* ---- reading ---- */

enum status value_log_read(struct value_log *v, const struct value_place *p, struct arena *a, struct view *out)
{
    struct file *f = p->file ? file_find(v, p->file) : NULL;
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
