/* Large packs lie in files of their own: what is in them is there as long as anything can name it, and what is damaged is told. */
#include "storage/backends/value_log.h"
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_BYTES (64u << 10)
#define VALUE_LEN  (20u << 10) /* three of them, of five pages each, fill a file */
#define PER_FILE   3u

/* ---- the files alone ---- */

struct shelf {
    char dir[DIR_LEN_MAX];
    struct value_log *log;
    struct arena arena;
};

static struct shelf shelf_make(void)
{
    struct shelf s = {.log = NULL};
    snprintf(s.dir, sizeof s.dir, "/tmp/sealmq-values-XXXXXX");
    cr_assert_not_null(mkdtemp(s.dir));
    s.log = value_log_open(s.dir, FILE_BYTES);
    cr_assert_not_null(s.log);
    return s;
}

static void shelf_drop(struct shelf *s)
{
    value_log_close(&s->log);
    arena_fini(&s->arena);
    dir_remove(s->dir);
}

static struct view value_of(struct shelf *s, uint8_t seed)
{
    uint8_t *bytes = arena_alloc(&s->arena, VALUE_LEN);
    for (size_t i = 0; i < VALUE_LEN; i++)
        bytes[i] = (uint8_t)(seed + i * 7);
    return view_of(bytes, VALUE_LEN);
}

static struct value_place put(struct shelf *s, uint8_t seed, uint64_t oldest)
{
    struct value_place p;
    cr_assert_eq(value_log_append(s->log, value_of(s, seed), oldest, &p), STATUS_OK);
    cr_assert_eq(value_log_sync(s->log), STATUS_OK);
    return p;
}

static enum status reads(struct shelf *s, const struct value_place *p, uint8_t seed)
{
    struct view out;
    enum status status = value_log_read(s->log, p, &s->arena, &out);
    if (status == STATUS_OK) cr_assert(view_equal(out, value_of(s, seed)));
    return status;
}

static const char *file_path(const struct shelf *s, uint32_t number)
{
    static char path[DIR_LEN_MAX + 32];
    snprintf(path, sizeof path, "%s/%06u.values", s->dir, (unsigned)number);
    return path;
}

static size_t file_count(const char *dir)
{
    size_t count = 0;
    DIR *entries = opendir(dir);
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;)
        count += strstr(e->d_name, ".values") != NULL;
    closedir(entries);
    return count;
}

Test(store_values, a_value_comes_back_also_after_an_open)
{
    struct shelf s = shelf_make();
    struct value_place a = put(&s, 1, 1), b = put(&s, 2, 1);
    cr_assert(a.file == b.file && b.offset == VALUE_LEN);
    cr_assert(reads(&s, &a, 1) == STATUS_OK && reads(&s, &b, 2) == STATUS_OK);
    value_log_close(&s.log);
    s.log = value_log_open(s.dir, FILE_BYTES);
    cr_assert_eq(value_log_hold(s.log, &a), STATUS_OK);
    cr_assert_eq(value_log_begin(s.log), STATUS_OK);
    cr_assert_eq(reads(&s, &a, 1), STATUS_OK);
    struct value_place c = put(&s, 3, 1);
    cr_assert_neq(c.file, a.file, "what an open finds is not written behind");
    cr_assert_eq(reads(&s, &a, 1), STATUS_OK);
    shelf_drop(&s);
}

Test(store_values, what_is_damaged_cut_or_gone_does_not_read)
{
    struct shelf s = shelf_make();
    struct value_place p = put(&s, 1, 1), other = p;
    uint8_t byte = 0;
    int fd = open(file_path(&s, p.file), O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pread(fd, &byte, 1, VALUE_LEN - 1), 1);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, VALUE_LEN - 1), 1);
    cr_assert_eq(reads(&s, &p, 1), STATUS_DAMAGED);
    byte ^= 1;
    cr_assert_eq(pwrite(fd, &byte, 1, VALUE_LEN - 1), 1);
    cr_assert_eq(reads(&s, &p, 1), STATUS_OK);
    cr_assert_eq(ftruncate(fd, VALUE_LEN - 1), 0);
    cr_assert_eq(reads(&s, &p, 1), STATUS_DAMAGED);
    close(fd);
    other.file = 77;
    cr_assert_eq(reads(&s, &other, 1), STATUS_DAMAGED);
    other = p;
    other.len = 0;
    cr_assert_eq(reads(&s, &other, 1), STATUS_DAMAGED);
    shelf_drop(&s);
}

Test(store_values, a_file_is_written_again_only_when_no_log_of_keys_can_bring_back_what_it_held)
{
    struct shelf s = shelf_make();
    struct value_place first[PER_FILE];
    for (uint8_t i = 0; i < PER_FILE; i++)
        first[i] = put(&s, i, 1);
    cr_assert_eq(first[PER_FILE - 1].file, first[0].file);
    struct value_place next = put(&s, 9, 1);
    cr_assert_neq(next.file, first[0].file, "it is full");
    for (size_t i = 0; i < PER_FILE; i++)
        cr_assert_eq(value_log_release(s.log, &first[i]), i == PER_FILE - 1, "%zu", i);
    cr_assert_not(value_log_release(s.log, &first[0]), "once");
    for (uint8_t i = 0; i < 7; i++)
        (void)put(&s, i, 100);
    for (uint8_t i = 0; i < PER_FILE; i++)
        cr_assert_eq(reads(&s, &first[i], i), STATUS_OK, "nobody has said until when");
    value_log_until(s.log, first[0].file, 10);
    for (uint8_t i = 0; i < 4; i++)
        (void)put(&s, i, 10);
    cr_assert_eq(reads(&s, &first[0], 0), STATUS_OK, "log 10 is there still");
    size_t files = file_count(s.dir);
    struct value_place again;
    do
        again = put(&s, 50, 11);
    while (again.file != first[0].file && file_count(s.dir) == files);
    cr_assert_eq(again.file, first[0].file);
    cr_assert_eq(again.offset, 0);
    cr_assert_eq(reads(&s, &first[0], 0), STATUS_DAMAGED);
    shelf_drop(&s);
}

Test(store_values, where_there_is_no_room_nothing_is_written)
{
    struct shelf s = shelf_make();
    struct value_place first = put(&s, 1, 1), p;
    enum status status;
    size_t count = 0;
    while ((status = value_log_append(s.log, value_of(&s, 2), 1, &p)) == STATUS_OK)
        count++;
    cr_assert_eq(status, STATUS_FULL);
    cr_assert_eq(count, PER_FILE * VALUE_LOG_FILES_MAX - 1);
    cr_assert_eq(file_count(s.dir), VALUE_LOG_FILES_MAX);
    cr_assert_eq(reads(&s, &first, 1), STATUS_OK);
    cr_assert_eq(value_log_append(s.log, value_of(&s, 2), 1, &p), STATUS_FULL);
    value_log_close(&s.log);
    s.log = value_log_open(s.dir, FILE_BYTES);
    cr_assert_eq(value_log_hold(s.log, &first), STATUS_OK);
    cr_assert_eq(value_log_begin(s.log), STATUS_OK);
    cr_assert_eq(file_count(s.dir), 5u, "of those without values a few stay");
    cr_assert_eq(reads(&s, &first, 1), STATUS_OK);
    (void)put(&s, 3, 1);
    cr_assert_eq(file_count(s.dir), 5u);
    shelf_drop(&s);
}

/* Another build made more of them, or one could not be taken away. */
Test(store_values, files_with_values_are_found_among_many)
{
    struct shelf s = shelf_make();
    struct value_place p = put(&s, 1, 1);
    value_log_close(&s.log);
    for (uint32_t i = 2; i < 300; i++)
        close(open(file_path(&s, i), O_CREAT | O_EXCL | O_WRONLY, 0600));
    s.log = value_log_open(s.dir, FILE_BYTES);
    cr_assert_eq(value_log_hold(s.log, &p), STATUS_OK);
    struct value_place gone = p;
    gone.file = 1000;
    cr_assert_eq(value_log_hold(s.log, &gone), STATUS_DAMAGED);
    cr_assert_eq(value_log_begin(s.log), STATUS_OK);
    cr_assert_eq(reads(&s, &p, 1), STATUS_OK);
    cr_assert_eq(file_count(s.dir), 5u);
    for (uint8_t i = 0; i < 5 * PER_FILE; i++)
        cr_assert_neq(put(&s, i, 1).file, gone.file, "its number is not given again");
    cr_assert_eq(reads(&s, &p, 1), STATUS_OK);
    shelf_drop(&s);
}

Test(store_values, without_descriptors_it_is_not_damage)
{
    struct shelf s = shelf_make();
    struct value_place p = put(&s, 1, 1);
    struct rlimit before, none;
    value_log_close(&s.log);
    s.log = value_log_open(s.dir, FILE_BYTES);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status held = value_log_hold(s.log, &p);
    struct value_log *second = value_log_open(s.dir, FILE_BYTES);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert(held == STATUS_IO && second == NULL);
    cr_assert_eq(value_log_hold(s.log, &p), STATUS_OK);
    shelf_drop(&s);
}

/* What nobody wants any more is not kept on the disk of a relay that has nothing to do. */
Test(store_values, at_rest_free_files_lose_their_bytes)
{
    struct shelf s = shelf_make();
    struct value_place p[8 * PER_FILE];
    struct stat file;
    for (uint8_t i = 0; i < 8 * PER_FILE; i++)
        p[i] = put(&s, i, 1);
    for (size_t i = 1; i < 8 * PER_FILE; i++)
        if (value_log_release(s.log, &p[i])) value_log_until(s.log, p[i].file, 9);
    value_log_rest(s.log, 9);
    cr_assert_eq(file_count(s.dir), 8u);
    value_log_rest(s.log, 10);
    cr_assert_eq(file_count(s.dir), 5u);
    cr_assert_eq(reads(&s, &p[0], 0), STATUS_OK);
    cr_assert_eq(reads(&s, &p[PER_FILE], PER_FILE), STATUS_DAMAGED);
    cr_assert_eq(stat(file_path(&s, p[PER_FILE].file), &file), 0);
    cr_assert_eq(file.st_blocks, 0, "no byte of it is on the disk");
    struct value_place again = put(&s, 77, 10);
    cr_assert_eq(reads(&s, &again, 77), STATUS_OK);
    shelf_drop(&s);
}

Test(store_values, only_a_place_is_taken_for_one)
{
    struct value_place p = {.file = 3, .offset = 4096, .len = 70000, .hash = 5}, back;
    uint8_t bytes[VALUE_PLACE_LEN + 1] = {0};
    value_place_write(&p, bytes);
    cr_assert_eq(value_place_read(view_of(bytes, VALUE_PLACE_LEN), &back), STATUS_OK);
    cr_assert(back.file == 3 && back.offset == 4096 && back.len == 70000 && back.hash == 5);
    cr_assert_eq(value_place_read(view_of(bytes, sizeof bytes), &back), STATUS_DAMAGED);
    bytes[0] = 1; /* as a pack begins */
    cr_assert_eq(value_place_read(view_of(bytes, VALUE_PLACE_LEN), &back), STATUS_DAMAGED);
}

/* ---- under RocksDB ---- */

#define PACK_LEN (100u << 10)

static struct view number_key(struct fixture *f, uint64_t number)
{
    uint8_t *key = arena_alloc(&f->batch_arena, 8);
    put_u64(key, number);
    return view_of(key, 8);
}

static void pack_put(struct fixture *f, uint64_t number, size_t len)
{
    store_batch_put(&f->batch, &f->batch_arena, SPACE_PACKS, number_key(f, number), bytes_of(f, len, number), view_of(NULL, 0));
}

static void pack_delete(struct fixture *f, uint64_t number)
{
    store_batch_delete(&f->batch, &f->batch_arena, SPACE_PACKS, number_key(f, number));
}

/* Asserts that every pack that is there is whole: the lowest number, and how many follow it. */
static size_t packs_whole(struct fixture *f, uint64_t *first)
{
    struct store_scan scan = {.space = SPACE_PACKS, .row_max = 1000, .byte_max = SIZE_MAX};
    arena_reset(&f->arena);
    cr_assert_eq(store_scan(f->store, &scan, &f->arena), STATUS_OK);
    *first = scan.row_count ? get_u64(scan.rows[0].key.at) : 0;
    for (size_t i = 0; i < scan.row_count; i++) {
        cr_assert_eq(get_u64(scan.rows[i].key.at), *first + i, "a hole");
        struct view value = scan.rows[i].value;
        cr_assert(view_equal(value, bytes_of(f, value.len, *first + i)), "number %llu", (unsigned long long)(*first + i));
        cr_assert_gt(value.len, 24u);
    }
    return scan.row_count;
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    static char bytes[1 << 16];
    cr_assert(in && out, "%s", from);
    for (size_t len; (len = fread(bytes, 1, sizeof bytes, in)) > 0;)
        cr_assert_eq(fwrite(bytes, 1, len, out), len);
    fclose(in);
    cr_assert_eq(fclose(out), 0);
}

/* As a power cut would leave it, with the newest WAL cut to a part of its length. */
static void copy_cut(const struct fixture *f, struct fixture *copy, size_t eighths)
{
    char from[DIR_LEN_MAX + 300], to[DIR_LEN_MAX + 300], newest[DIR_LEN_MAX + 300] = "";
    struct stat wal;
    fixture_prepare(copy, BACKEND_ROCKSDB);
    copy->value_file_bytes = f->value_file_bytes;
    DIR *entries = opendir(f->dir);
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        if (e->d_name[0] == '.' || strstr(e->d_name, ".trash") || strcmp(e->d_name, "LOCK") == 0) continue;
        snprintf(from, sizeof from, "%s/%s", f->dir, e->d_name);
        snprintf(to, sizeof to, "%s/%s", copy->dir, e->d_name);
        copy_file(from, to);
        if (strstr(e->d_name, ".log") && strcmp(to, newest) > 0) snprintf(newest, sizeof newest, "%s", to);
    }
    closedir(entries);
    cr_assert_eq(stat(newest, &wal), 0);
    cr_assert_eq(truncate(newest, wal.st_size * (off_t)eighths / 8), 0);
}

Test(store_values, large_packs_come_back_and_small_ones_stay_rows)
{
    struct fixture f;
    uint64_t first;
    fixture_init(&f, BACKEND_ROCKSDB);
    pack_put(&f, 1, 1000);
    commit(&f);
    cr_assert_eq(file_count(f.dir), 0);
    pack_put(&f, 2, PACK_LEN);
    pack_put(&f, 3, 3 * PACK_LEN);
    commit(&f);
    cr_assert_eq(file_count(f.dir), 1);
    cr_assert_eq(packs_whole(&f, &first), 3);
    fixture_reopen(&f);
    cr_assert_eq(packs_whole(&f, &first), 3);
    pack_delete(&f, 1);
    pack_delete(&f, 2);
    commit(&f);
    fixture_reopen(&f);
    cr_assert(packs_whole(&f, &first) == 1 && first == 3);
    fixture_fini(&f);
}

/* ---- what the kernel is told (the program is linked so that the store's calls come here) ---- */

ssize_t __real_pwrite(int fd, const void *bytes, size_t len, off_t at);
int __real_fdatasync(int fd);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at);
int __wrap_fdatasync(int fd);

static struct {
    const char *dir; /* NULL = nobody looks */
    size_t written, unsynced, syncs;
    off_t wal_len;   /* when the last sync came */
} calls;

static off_t wal_len(const char *dir)
{
    char path[DIR_LEN_MAX + 300];
    struct stat file;
    off_t len = 0;
    DIR *entries = opendir(dir);
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strstr(e->d_name, ".log") && !strstr(e->d_name, ".trash") && stat(path, &file) == 0) len += file.st_size;
    }
    closedir(entries);
    return len;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    calls.written += len;
    calls.unsynced += len;
    return __real_pwrite(fd, bytes, len, at);
}

int __wrap_fdatasync(int fd)
{
    if (calls.dir) calls.wal_len = wal_len(calls.dir);
    calls.unsynced = 0;
    calls.syncs++;
    return __real_fdatasync(fd);
}

Test(store_values, a_pack_is_on_the_disk_before_its_row)
{
    struct fixture f;
    fixture_init(&f, BACKEND_ROCKSDB);
    calls.dir = f.dir;
    for (uint64_t number = 1; number <= 20; number++) {
        off_t before = wal_len(f.dir);
        size_t syncs = calls.syncs;
        pack_put(&f, number, number % 4 ? PACK_LEN : 100);
        commit(&f);
        cr_assert_eq(calls.unsynced, 0);
        cr_assert_gt(wal_len(f.dir), before);
        if (number % 4 == 0) continue;
        cr_assert_eq(calls.syncs, syncs + 1);
        cr_assert_eq(calls.wal_len, before, "the row is written behind it");
    }
    cr_assert_geq(calls.written, 15u * PACK_LEN);
    fixture_fini(&f);
}

/* A scan's bounds are about what it gives. */
Test(store_values, a_scan_counts_the_bytes_of_large_packs)
{
    struct fixture f;
    struct store_scan scan = {.space = SPACE_PACKS, .row_max = 100, .byte_max = 2 * PACK_LEN};
    fixture_init(&f, BACKEND_ROCKSDB);
    for (uint64_t number = 1; number <= 10; number++)
        pack_put(&f, number, PACK_LEN);
    commit(&f);
    cr_assert_eq(store_scan(f.store, &scan, &f.arena), STATUS_OK);
    cr_assert(scan.row_count == 2 && scan.more);
    fixture_fini(&f);
}

/* Packs come and go, tables are made and WALs end, files are written again and again. */
static void packs_come_and_go(struct fixture *f, uint64_t count)
{
    cr_assert_eq(fixture_open(f), STATUS_OK);
    for (uint64_t number = 1; number <= count; number++) {
        char key[32];
        pack_put(f, number, PACK_LEN + number);
        if (number > 5) pack_delete(f, number - 5);
        snprintf(key, sizeof key, "row %llu", (unsigned long long)number);
        add_put(f, SPACE_ROUTING, key, "what fills a memtable, so that WALs come to their end: 1234567890 1234567890 1234567890");
        commit(f);
    }
}

Test(store_values, files_are_written_again_and_again)
{
    struct fixture f;
    uint64_t first;
    fixture_prepare(&f, BACKEND_ROCKSDB);
    f.write_buffer_bytes = 64u << 10;
    f.value_file_bytes = 3 * PACK_LEN;
    calls.written = 0;
    packs_come_and_go(&f, 400);
    cr_assert_gt(calls.written, 300u * PACK_LEN, "few packs were rows");
    cr_assert_leq(file_count(f.dir), VALUE_LOG_FILES_MAX);
    cr_assert(packs_whole(&f, &first) == 5 && first == 396);
    fixture_fini(&f);
}

/* What a process leaves that is killed. Here nobody may have opened a store before: a fork has no threads of RocksDB's. */
static void killed_make(struct fixture *f, uint64_t count)
{
    int status;
    fixture_prepare(f, BACKEND_ROCKSDB);
    f->write_buffer_bytes = 64u << 10;
    f->value_file_bytes = 3 * PACK_LEN;
    pid_t child = fork();
    if (child == 0) {
        packs_come_and_go(f, count);
        _exit(0);
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    cr_assert_leq(file_count(f->dir), VALUE_LOG_FILES_MAX);
}

/* Whatever the newest WAL of a process that was killed is cut to, each pack that is named is whole. */
Test(store_values, a_cut_wal_names_no_pack_that_was_written_over)
{
    static const uint64_t ends[] = {60, 150, 260, 400};
    struct fixture killed[sizeof ends / sizeof ends[0]], copy;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        killed_make(&killed[i], ends[i]);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        for (size_t eighths = 0; eighths <= 8; eighths++) {
            uint64_t first;
            copy_cut(&killed[i], &copy, eighths);
            cr_assert_eq(fixture_open(&copy), STATUS_OK, "%s", copy.error_text);
            size_t count = packs_whole(&copy, &first);
            if (eighths == 8) cr_assert(count == 5 && first == ends[i] - 4);
            fixture_fini(&copy);
        }
        fixture_fini(&killed[i]);
    }
}

Test(store_values, a_damaged_pack_is_told)
{
    struct fixture f;
    char path[DIR_LEN_MAX + 32];
    struct store_scan scan = {.space = SPACE_PACKS, .row_max = 10, .byte_max = SIZE_MAX};
    fixture_init(&f, BACKEND_ROCKSDB);
    pack_put(&f, 1, PACK_LEN);
    commit(&f);
    store_close(&f.store);
    snprintf(path, sizeof path, "%s/000001.values", f.dir);
    int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, "x", 1, 5000), 1);
    close(fd);
    cr_assert_eq(fixture_open(&f), STATUS_OK);
    cr_assert_eq(store_scan(f.store, &scan, &f.arena), STATUS_DAMAGED);
    cr_assert_eq(scan.row_count, 0);
    fixture_fini(&f);
}

Test(store_values, the_packs_of_a_store_of_packs_are_among_them)
{
    struct fixture f;
    struct store *packs;
    const struct pack_config config = {.count_max = 16};
    struct store_read read = {.space = SPACE_PAYLOAD, .key = text("k")};
    fixture_init(&f, BACKEND_ROCKSDB);
    cr_assert_eq(pack_open(f.store, &config, &packs), STATUS_OK);
    store_batch_put_brief(&f.batch, &f.batch_arena, SPACE_PAYLOAD, text("k"), bytes_of(&f, PACK_LEN, 4), view_of(NULL, 0));
    cr_assert_eq(store_write(packs, &f.batch, DURABILITY_SYNCED), STATUS_OK);
    cr_assert_eq(file_count(f.dir), 1);
    store_close(&packs);
    f.store = NULL;
    f.batch = (struct store_batch){0};
    cr_assert_eq(fixture_open(&f), STATUS_OK);
    cr_assert_eq(pack_open(f.store, &config, &packs), STATUS_OK);
    f.store = packs;
    cr_assert_eq(store_load(packs, &read, 1, &f.arena), STATUS_OK);
    cr_assert(view_equal(read.value, bytes_of(&f, PACK_LEN, 4)));
    fixture_fini(&f);
}
