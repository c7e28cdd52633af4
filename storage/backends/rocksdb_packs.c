/* rocksdb_packs: keys of large packs and their places, in the order in which they came; the oldest goes first, nearly always. */
#include "storage/backends/rocksdb_packs.h"
#include "storage/backends/rocksdb_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_LEN 8u /* a pack's number */

struct large {
    uint8_t key[KEY_LEN];
    struct value_place place;
    bool gone; /* with the write under way */
};

struct large_packs {
    struct value_log *log;
    int dir;
    struct buffer held; /* of struct large */
    bool any_gone;
};

static struct large *held_at(const struct large_packs *p)
{
    return (struct large *)(void *)p->held.at;
}

static size_t held_count(const struct large_packs *p)
{
    return p->held.len / sizeof(struct large);
}

struct large_packs *large_packs_open(const char *dir, uint32_t file_bytes)
{
    struct large_packs *p = calloc(1, sizeof *p);
    ENSURE(p != NULL);
    p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir >= 0) p->log = value_log_open(dir, file_bytes ? file_bytes : VALUE_FILE_BYTES);
    if (p->log) return p;
    int error = errno;
    large_packs_close(&p);
    errno = error;
    return NULL;
}

void large_packs_close(struct large_packs **p)
{
    if (!*p) return;
    value_log_close(&(*p)->log);
    buffer_fini(&(*p)->held);
    if ((*p)->dir >= 0) close((*p)->dir);
    free(*p);
    *p = NULL;
}

static void hold(struct large_packs *p, struct view key, const struct value_place *place)
{
    struct large large = {.place = *place};
    memcpy(large.key, key.at, KEY_LEN);
    write_bytes(&p->held, &large, sizeof large);
}

enum status large_packs_found(struct large_packs *p, struct view key, struct view value)
{
    struct value_place place;
    if (key.len != KEY_LEN || value_place_read(value, &place) != STATUS_OK) return STATUS_OK;
    enum status s = value_log_hold(p->log, &place);
    if (s == STATUS_OK) hold(p, key, &place);
    return s == STATUS_DAMAGED ? STATUS_OK : s;
}

enum status large_packs_begin(struct large_packs *p)
{
    return value_log_begin(p->log);
}

/* ---- one write ---- */

enum status large_packs_put(struct large_packs *p, struct view key, struct view value, uint64_t oldest,
                            uint8_t place[VALUE_PLACE_LEN], struct view *below)
{
    struct value_place at;
    *below = value;
    large_packs_delete(p, key);
    if (key.len != KEY_LEN || value.len < LARGE_PACK_BYTES) return STATUS_OK;
    enum status s = value_log_append(p->log, value, oldest, &at);
    if (s != STATUS_OK) return s == STATUS_FULL ? STATUS_OK : s;
    hold(p, key, &at);
    value_place_write(&at, place);
    *below = view_of(place, VALUE_PLACE_LEN);
    return STATUS_OK;
}

void large_packs_delete(struct large_packs *p, struct view key)
{
    struct large *held = held_at(p);
    for (size_t i = 0, count = held_count(p); i < count; i++) {
        if (key.len != KEY_LEN || memcmp(held[i].key, key.at, KEY_LEN) != 0) continue;
        held[i].gone = p->any_gone = true;
    }
}

enum status large_packs_sync(struct large_packs *p)
{
    return value_log_sync(p->log);
}

static void wal_see(void *self, const char *name)
{
    uint64_t *newest = self;
    char *end;
    unsigned long long number = strtoull(name, &end, 10);
    if (end != name && strcmp(end, ".log") == 0 && number > *newest) *newest = number;
}

/* The number of RocksDB's newest WAL: the one that has the last write, or a later one. Where that cannot be told, one that is never
 * gone: the file waits until the next open. */
static uint64_t newest_wal(const struct large_packs *p)
{
    uint64_t newest = 0;
    return directory_each(p->dir, wal_see, &newest) == 0 && newest ? newest : UINT64_MAX;
}

void large_packs_done(struct large_packs *p)
{
    struct large *held = held_at(p);
    size_t kept = 0, count = held_count(p);
    if (!p->any_gone) return;
    for (size_t i = 0; i < count; i++) {
        if (!held[i].gone)
            held[kept++] = held[i];
        else if (value_log_release(p->log, &held[i].place))
            value_log_until(p->log, held[i].place.file, newest_wal(p));
    }
    p->held.len = kept * sizeof *held;
    p->any_gone = false;
}

void large_packs_rest(struct large_packs *p, uint64_t oldest)
{
    value_log_rest(p->log, oldest);
}

/* ---- reading ---- */

size_t large_pack_len(struct view value)
{
    struct value_place place;
    return value_place_read(value, &place) == STATUS_OK ? place.len : value.len;
}

enum status large_packs_read(struct large_packs *p, struct store_row *rows, size_t count, struct arena *a)
{
    enum status s = STATUS_OK;
    for (size_t i = 0; i < count && s == STATUS_OK; i++) {
        struct value_place place;
        if (value_place_read(rows[i].value, &place) != STATUS_OK) continue;
        s = p ? value_log_read(p->log, &place, a, &rows[i].value) : STATUS_DAMAGED;
    }
    return s;
}
