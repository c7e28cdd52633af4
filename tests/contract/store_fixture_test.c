/* store_fixture: see the header. No test is in this file; its name lets the build's glob take it. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A window so narrow that rows are unfolded all the time. */
static enum status open_pack(struct fixture *f)
{
    struct pack_config config = {.count_max = 5, .byte_max = 20000, .seed = {1}};
    struct store *below;
    f->store = NULL;
    enum status status = memory_open(f->disk, &below);
    if (status != STATUS_OK) return status;
    status = pack_open(below, &config, &f->store);
    if (status != STATUS_OK) store_close(&below);
    return status;
}

enum status fixture_open(struct fixture *f)
{
    if (f->backend == BACKEND_MEMORY) return memory_open(f->disk, &f->store);
    if (f->backend == BACKEND_PACK) return open_pack(f);
    struct rocksdb_config config = {.dir = f->dir,
                                    .write_buffer_bytes = f->write_buffer_bytes,
                                    .value_file_bytes = f->value_file_bytes,
                                    .accept_damaged = f->accept_damaged};
    return rocksdb_store_open(&config, &f->store, f->error_text, sizeof f->error_text);
}

void fixture_prepare(struct fixture *f, enum backend backend)
{
    *f = (struct fixture){.backend = backend, .write_buffer_bytes = 1u << 20};
    if (backend != BACKEND_ROCKSDB) {
        f->disk = memory_disk_new();
    } else {
        snprintf(f->dir, sizeof f->dir, "/tmp/sealmq-store-XXXXXX");
        cr_assert_not_null(mkdtemp(f->dir));
    }
}

void fixture_init(struct fixture *f, enum backend backend)
{
    fixture_prepare(f, backend);
    enum status opened = fixture_open(f);
    cr_assert_eq(opened, STATUS_OK, "%s: %s", status_name(opened), f->error_text);
}

void dir_remove(const char *dir)
{
    DIR *entries = opendir(dir);
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        char path[DIR_LEN_MAX + sizeof e->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.') cr_assert_eq(unlink(path), 0, "%s", path);
    }
    closedir(entries);
    cr_assert_eq(rmdir(dir), 0, "%s", dir);
}

void fixture_fini(struct fixture *f)
{
    store_close(&f->store);
    memory_disk_free(&f->disk);
    if (f->backend == BACKEND_ROCKSDB) dir_remove(f->dir);
    arena_fini(&f->arena);
    arena_fini(&f->batch_arena);
}

void fixture_run(enum backend backend, void (*body)(struct fixture *f))
{
    struct fixture f;
    fixture_init(&f, backend);
    body(&f);
    fixture_fini(&f);
}

void fixture_reopen(struct fixture *f)
{
    store_close(&f->store);
    enum status opened = fixture_open(f);
    cr_assert_eq(opened, STATUS_OK, "%s: %s", status_name(opened), f->error_text);
}

struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

struct view bytes_of(struct fixture *f, size_t len, uint64_t seed)
{
    struct random r = {.state = seed * 2 + 1};
    uint8_t *at = arena_alloc(&f->arena, len);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(random_next(&r) >> 56);
    return view_of(at, len);
}

void add_put(struct fixture *f, enum store_space space, const char *key, const char *value)
{
    store_batch_put(&f->batch, &f->batch_arena, space, text(key), text(value), view_of(NULL, 0));
}

void add_delete(struct fixture *f, enum store_space space, const char *key)
{
    store_batch_delete(&f->batch, &f->batch_arena, space, text(key));
}

/* Whether there is no row under the op's key when it is its turn. */
static bool is_new(struct fixture *f, const struct store_batch *batch, size_t op)
{
    const struct store_op *at = &batch->ops[op];
    while (op-- > 0)
        if (batch->ops[op].space == at->space && view_equal(batch->ops[op].key, at->key))
            return batch->ops[op].kind == STORE_DELETE;
    return !row_value(f, at->space, at->key).at;
}

void make_brief(struct fixture *f, struct store_batch *batch, struct random *r)
{
    for (size_t i = 0; i < batch->op_count; i++)
        if (batch->ops[i].kind == STORE_PUT && is_new(f, batch, i) && (!r || random_below(r, 3)))
            batch->ops[i].kind = STORE_PUT_BRIEF;
}

enum status try_commit(struct fixture *f, enum durability d)
{
    if (f->backend == BACKEND_PACK) make_brief(f, &f->batch, NULL);
    enum status status = store_write(f->store, &f->batch, d);
    f->batch = (struct store_batch){0};
    arena_reset(&f->batch_arena);
    return status;
}

void commit(struct fixture *f)
{
    enum status status = try_commit(f, DURABILITY_SYNCED);
    cr_assert_eq(status, STATUS_OK, "%s", status_name(status));
}

void put_row(struct fixture *f, enum store_space space, const char *key, const char *value)
{
    add_put(f, space, key, value);
    commit(f);
}

struct view row_value(struct fixture *f, enum store_space space, struct view key)
{
    struct store_read read = {.space = space, .key = key};
    enum status status = store_load(f->store, &read, 1, &f->arena);
    cr_assert_eq(status, STATUS_OK, "%s", status_name(status));
    return read.value;
}

bool has_row(struct fixture *f, enum store_space space, const char *key, const char *value)
{
    struct view found = row_value(f, space, text(key));
    return found.at && view_equal(found, text(value));
}

bool lacks_row(struct fixture *f, enum store_space space, const char *key)
{
    struct view found = row_value(f, space, text(key));
    return !found.at && found.len == 0;
}

struct store_scan scan_all(struct fixture *f, enum store_space space)
{
    struct store_scan scan = {.space = space, .row_max = SIZE_MAX, .byte_max = SIZE_MAX};
    enum status status = store_scan(f->store, &scan, &f->arena);
    cr_assert_eq(status, STATUS_OK, "%s", status_name(status));
    cr_assert(!scan.more);
    return scan;
}

bool same_rows(struct fixture *a, struct fixture *b)
{
    for (enum store_space space = 0; space < SPACE_COUNT; space++) {
        struct store_scan in_a = scan_all(a, space);
        struct store_scan in_b = scan_all(b, space);
        if (in_a.row_count != in_b.row_count) return false;
        for (size_t i = 0; i < in_a.row_count; i++)
            if (!view_equal(in_a.rows[i].key, in_b.rows[i].key) ||
                !view_equal(in_a.rows[i].value, in_b.rows[i].value))
                return false;
    }
    return true;
}

uint64_t random_next(struct random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545f4914f6cdd1du;
}

size_t random_below(struct random *r, size_t n)
{
    return (size_t)((random_next(r) >> 16) % n);
}

enum store_space random_space(struct random *r)
{
    return (enum store_space)random_below(r, SPACE_COUNT);
}

/* Keys over few byte values, so that prefixes of one another and 0x00 and 0xff are common. */
/* A third of them are rows of three mailboxes: they share a start and differ behind it. */
struct view random_key(struct fixture *f, struct random *r, size_t key_count)
{
    static const uint8_t letters[] = {0x00, 0x01, 'a', 0x7f, 0x80, 0xff};
    struct random k = {.state = random_below(r, key_count) * 2 + 1};
    size_t len = 1 + random_below(&k, random_below(&k, 20) == 0 ? STORE_KEY_LEN_MAX : 6);
    size_t start = random_below(&k, 3) == 0 ? MAILBOX_LEN : 0;
    if (len + start > STORE_KEY_LEN_MAX) start = 0;
    uint8_t *at = arena_alloc(&f->batch_arena, start + len);
    if (start) memset(at, letters[3 + random_below(&k, 3)], start);
    for (size_t i = start; i < start + len; i++)
        at[i] = letters[random_below(&k, sizeof letters)];
    return view_of(at, start + len);
}

struct view mailbox_end(struct fixture *f, struct view key)
{
    uint8_t *at = arena_alloc(&f->batch_arena, MAILBOX_LEN);
    size_t len = key.len < MAILBOX_LEN ? key.len : MAILBOX_LEN;
    memcpy(at, key.at, len);
    while (len && at[len - 1] == 0xff)
        len--;
    if (len) at[len - 1]++;
    return view_of(at, len);
}

static struct view random_value(struct fixture *f, struct random *r)
{
    static const size_t len_max[] = {1, 8, 200, 200, 2000};
    size_t len = random_below(r, len_max[random_below(r, 5)]);
    uint8_t *at = arena_alloc(&f->batch_arena, len);
    memset(at, (int)random_below(r, 256), len);
    return view_of(at, len);
}

void random_batch(struct fixture *f, struct random *r, size_t op_max, size_t key_count)
{
    for (size_t op_count = 1 + random_below(r, op_max); op_count > 0; op_count--) {
        enum store_space space = random_space(r);
        struct view key = random_key(f, r, key_count);
        if (random_below(r, 3) == 0) {
            store_batch_delete(&f->batch, &f->batch_arena, space, key);
        } else {
            struct view head = random_value(f, r);
            struct view body = random_value(f, r);
            store_batch_put(&f->batch, &f->batch_arena, space, key, head, body);
        }
    }
}
