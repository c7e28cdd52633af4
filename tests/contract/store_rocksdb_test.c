/* What only the rocksdb backend can meet: torn and damaged files, other processes, a full disk.
 * Each damage is made in a copy of one small store, in which write number i put row i into every
 * space, so that "a beginning of the history" is a row count. */
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITE_COUNT    16u
#define VALUE_LEN      3000u /* records span the WAL's 32 KiB blocks */
#define PATH_LEN_MAX   (DIR_LEN_MAX + 64u)
#define FILE_COUNT_MAX 64u

/* --- files --- */

struct file_print {
    char name[48];
    size_t len;
    uint64_t hash;
};

/* The files of a directory by name, without RocksDB's own diary (LOG, LOG.old.*). */
struct dir_print {
    struct file_print files[FILE_COUNT_MAX];
    size_t count;
};

static struct buffer file_read(const char *path)
{
    struct buffer b = {0};
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    for (size_t len = 1; len > 0;) {
        len = fread(buffer_extend(&b, 4096), 1, 4096, file);
        b.len -= 4096 - len;
    }
    fclose(file);
    return b;
}

static void file_write(const char *path, struct view content)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    if (content.len) cr_assert_eq(fwrite(content.at, 1, content.len, file), content.len);
    cr_assert_eq(fclose(file), 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file_print *)a)->name, ((const struct file_print *)b)->name);
}

static struct dir_print dir_print(const char *dir)
{
    struct dir_print print = {0};
    DIR *entries = opendir(dir);
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, "LOG", 3) == 0) continue;
        cr_assert_lt(print.count, FILE_COUNT_MAX);
        struct file_print *file = &print.files[print.count++];
        snprintf(file->name, sizeof file->name, "%.47s", e->d_name);
        char path[PATH_LEN_MAX];
        snprintf(path, sizeof path, "%s/%s", dir, file->name);
        struct buffer content = file_read(path);
        file->len = content.len;
        for (size_t i = 0; i < content.len; i++)
            file->hash = (file->hash ^ content.at[i]) * 0x100000001b3u;
        buffer_fini(&content);
    }
    closedir(entries);
    qsort(print.files, print.count, sizeof print.files[0], by_name);
    return print;
}

static bool same_files(const struct dir_print *a, const struct dir_print *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (by_name(&a->files[i], &b->files[i]) != 0 || a->files[i].len != b->files[i].len ||
            a->files[i].hash != b->files[i].hash)
            return false;
    return true;
}

static void dir_copy(const char *from, const char *to)
{
    struct dir_print print = dir_print(from);
    for (size_t i = 0; i < print.count; i++) {
        char path[PATH_LEN_MAX];
        snprintf(path, sizeof path, "%s/%s", from, print.files[i].name);
        struct buffer content = file_read(path);
        snprintf(path, sizeof path, "%s/%s", to, print.files[i].name);
        file_write(path, buffer_view(&content));
        buffer_fini(&content);
    }
}

/* The path of the last file whose name holds `part`; "" when there is none. */
static void path_of(const char *dir, const char *part, char path[PATH_LEN_MAX])
{
    struct dir_print print = dir_print(dir);
    path[0] = '\0';
    for (size_t i = 0; i < print.count; i++)
        if (strstr(print.files[i].name, part))
            snprintf(path, PATH_LEN_MAX, "%s/%s", dir, print.files[i].name);
}

static size_t size_of(const char *dir, const char *part)
{
    char path[PATH_LEN_MAX];
    struct stat file;
    path_of(dir, part, path);
    cr_assert_eq(stat(path, &file), 0, "%s", path);
    return (size_t)file.st_size;
}

static void truncate_file(const char *dir, const char *part, size_t len)
{
    char path[PATH_LEN_MAX];
    path_of(dir, part, path);
    cr_assert_eq(truncate(path, (off_t)len), 0, "%s", path);
}

static void flip_bit(const char *dir, const char *part, size_t offset, unsigned bit)
{
    char path[PATH_LEN_MAX];
    path_of(dir, part, path);
    struct buffer content = file_read(path);
    cr_assert_lt(offset, content.len);
    content.at[offset] ^= (uint8_t)(1u << bit);
    file_write(path, buffer_view(&content));
    buffer_fini(&content);
}

static void remove_file(const char *dir, const char *part)
{
    char path[PATH_LEN_MAX];
    path_of(dir, part, path);
    cr_assert_eq(unlink(path), 0, "%s", path);
}

/* --- the history --- */

/* A closed store with WRITE_COUNT synced writes, and where each ends in the WAL. */
struct history {
    struct fixture made;
    size_t wal_end[WRITE_COUNT + 1];
};

static void history_write(struct fixture *f, uint8_t number)
{
    uint8_t *key = arena_alloc(&f->batch_arena, 1);
    *key = number;
    for (enum store_space space = 0; space < SPACE_COUNT; space++)
        store_batch_put(&f->batch, &f->batch_arena, space, view_of(key, 1),
                        bytes_of(f, VALUE_LEN, number), view_of(key, 1));
    commit(f);
}

static void history_init(struct history *h)
{
    *h = (struct history){0};
    fixture_init(&h->made, BACKEND_ROCKSDB);
    for (uint8_t i = 0; i < WRITE_COUNT; i++) {
        history_write(&h->made, i);
        h->wal_end[i + 1] = size_of(h->made.dir, ".log");
        cr_assert_gt(h->wal_end[i + 1], h->wal_end[i], "all in one WAL");
    }
    store_close(&h->made.store);
}

static void history_fini(struct history *h)
{
    fixture_fini(&h->made);
}

/* A fixture over a copy of the history's files, not opened. */
static void copy_init(struct fixture *f, const struct history *h)
{
    fixture_prepare(f, BACKEND_ROCKSDB);
    dir_copy(h->made.dir, f->dir);
}

/* How many writes are there: asserts that they are the first ones, whole, in every space. */
static size_t beginning_len(struct fixture *f)
{
    size_t count = scan_all(f, SPACE_PAYLOAD).row_count;
    for (enum store_space space = 0; space < SPACE_COUNT; space++) {
        struct store_scan scan = scan_all(f, space);
        cr_assert_eq(scan.row_count, count, "a write is in some spaces only");
        for (uint8_t i = 0; i < count; i++) {
            cr_assert_eq(scan.rows[i].key.at[0], i, "a hole at %u", i);
            struct view value = scan.rows[i].value;
            cr_assert_eq(value.len, VALUE_LEN + 1u);
            cr_assert(view_equal(view_of(value.at, VALUE_LEN), bytes_of(f, VALUE_LEN, i)));
        }
    }
    return count;
}

static void opens_with(struct fixture *f, enum store_recovery recovery, size_t write_count)
{
    enum status status = fixture_open(f);
    cr_assert_eq(status, STATUS_OK, "%s", f->error_text);
    cr_assert_eq(f->store->recovery, recovery, "with %zu writes", write_count);
    cr_assert_eq(beginning_len(f), write_count);
    cr_assert_eq(f->error_text[0] != '\0', recovery != RECOVERY_CLEAN, "the reason is told");
}

/* The writes that end at or before a place in the WAL. */
static size_t writes_before(const struct history *h, size_t offset)
{
    size_t count = 0;
    while (count < WRITE_COUNT && h->wal_end[count + 1] <= offset)
        count++;
    return count;
}

/* --- torn and damaged WAL --- */

Test(rocksdb_damage, an_intact_copy_opens_clean)
{
    struct history h;
    struct fixture f;
    history_init(&h);
    copy_init(&f, &h);
    opens_with(&f, RECOVERY_CLEAN, WRITE_COUNT);
    fixture_fini(&f);
    history_fini(&h);
}

Test(rocksdb_damage, a_torn_tail_keeps_all_earlier_writes)
{
    struct history h;
    struct fixture f;
    history_init(&h);
    copy_init(&f, &h);
    truncate_file(f.dir, ".log", h.wal_end[WRITE_COUNT] - 3);
    opens_with(&f, RECOVERY_POINT_IN_TIME, WRITE_COUNT - 1);
    history_write(&f, WRITE_COUNT - 1);
    fixture_reopen(&f);
    cr_assert_eq(f.store->recovery, RECOVERY_CLEAN, "the damage was cut off");
    cr_assert_eq(beginning_len(&f), WRITE_COUNT);
    fixture_fini(&f);
    history_fini(&h);
}

/* At a record's end the loss shows nowhere in the files: only the witness can tell (STORAGE). */
Test(rocksdb_damage, a_wal_cut_anywhere_leaves_a_beginning)
{
    struct history h;
    history_init(&h);
    for (size_t step = 0; step < 40; step++) {
        size_t end = h.wal_end[1 + step % WRITE_COUNT];
        size_t cut = step < WRITE_COUNT ? end : (h.wal_end[WRITE_COUNT] - 1) * (step - 15) / 25;
        bool at_end = h.wal_end[writes_before(&h, cut)] == cut;
        struct fixture f;
        copy_init(&f, &h);
        truncate_file(f.dir, ".log", cut);
        opens_with(&f, at_end ? RECOVERY_CLEAN : RECOVERY_POINT_IN_TIME, writes_before(&h, cut));
        fixture_fini(&f);
    }
    history_fini(&h);
}

Test(rocksdb_damage, a_bit_flipped_in_the_wal_leaves_a_beginning)
{
    struct history h;
    history_init(&h);
    struct random r = {.state = 7};
    for (size_t step = 0; step < 40; step++) {
        size_t offset = step < 8 ? step : random_below(&r, h.wal_end[WRITE_COUNT]);
        struct fixture f;
        copy_init(&f, &h);
        flip_bit(f.dir, ".log", offset, (unsigned)random_below(&r, 8));
        opens_with(&f, RECOVERY_POINT_IN_TIME, writes_before(&h, offset));
        fixture_fini(&f);
    }
    history_fini(&h);
}

Test(rocksdb_damage, the_operators_command_opens_what_also_opens_without_it)
{
    struct history h;
    struct fixture f;
    history_init(&h);
    copy_init(&f, &h);
    f.accept_damaged = true;
    opens_with(&f, RECOVERY_CLEAN, WRITE_COUNT);
    fixture_fini(&f);
    copy_init(&f, &h);
    f.accept_damaged = true;
    truncate_file(f.dir, ".log", h.wal_end[5] + 1);
    opens_with(&f, RECOVERY_POINT_IN_TIME, 5);
    fixture_fini(&f);
    history_fini(&h);
}

/* --- damaged names of files: refused, and nothing is touched --- */

static void flip_in_current(struct fixture *f)
{
    flip_bit(f->dir, "CURRENT", 3, 1);
}

static void current_names_no_file(struct fixture *f)
{
    flip_bit(f->dir, "CURRENT", 10, 0);
}

static void cut_current(struct fixture *f)
{
    truncate_file(f->dir, "CURRENT", 0);
}

static void lose_current(struct fixture *f)
{
    remove_file(f->dir, "CURRENT");
}

static void flip_in_manifest(struct fixture *f)
{
    flip_bit(f->dir, "MANIFEST", size_of(f->dir, "MANIFEST") / 2, 4);
}

static void lose_manifest(struct fixture *f)
{
    remove_file(f->dir, "MANIFEST");
}

/* The manifest's tail named the last families: RocksDB alone would drop their rows. */
static void cut_manifest(struct fixture *f)
{
    truncate_file(f->dir, "MANIFEST", size_of(f->dir, "MANIFEST") / 2);
}

static void lose_table(struct fixture *f)
{
    remove_file(f->dir, ".sst");
}

static void (*const damages[])(struct fixture *f) = {
    flip_in_current,  current_names_no_file, cut_current,  lose_current,
    flip_in_manifest, lose_manifest,         cut_manifest, lose_table,
};

/* Refused with and without the operator's command, the files as they were. */
static void refuses_and_keeps_the_files(struct fixture *f, size_t damage)
{
    struct dir_print before = dir_print(f->dir);
    for (size_t i = 0; i < 3; i++) {
        f->accept_damaged = i == 2;
        cr_assert_eq(fixture_open(f), STATUS_DAMAGED, "damage %zu: %s", damage, f->error_text);
        cr_assert_null(f->store);
        cr_assert_neq(f->error_text[0], '\0');
        struct dir_print after = dir_print(f->dir);
        cr_assert(same_files(&before, &after), "damage %zu, attempt %zu", damage, i);
    }
}

Test(rocksdb_damage, damaged_names_are_refused_and_files_kept)
{
    struct history h;
    history_init(&h);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct fixture f;
        copy_init(&f, &h);
        if (damages[i] == lose_table || damages[i] == flip_in_manifest) {
            fixture_reopen(&f); /* recovery writes tables */
            store_close(&f.store);
        }
        damages[i](&f);
        refuses_and_keeps_the_files(&f, i);
        fixture_fini(&f);
    }
    history_fini(&h);
}

Test(rocksdb_damage, a_changed_file_is_noticed_by_this_test)
{
    struct history h;
    history_init(&h);
    struct dir_print before = dir_print(h.made.dir);
    struct dir_print again = dir_print(h.made.dir);
    cr_assert(same_files(&before, &again));
    flip_bit(h.made.dir, ".log", 100, 0);
    again = dir_print(h.made.dir);
    cr_assert(!same_files(&before, &again));
    history_fini(&h);
}

/* A first open that was killed before it named its manifest, or all its families, left no row. */
Test(rocksdb_damage, a_directory_without_rows_becomes_a_new_store)
{
    for (size_t named = 0; named < 4; named++) {
        struct fixture f;
        fixture_init(&f, BACKEND_ROCKSDB);
        store_close(&f.store);
        if (named == 0) {
            remove_file(f.dir, "CURRENT");
            remove_file(f.dir, ".log");
        } else {
            truncate_file(f.dir, "MANIFEST", size_of(f.dir, "MANIFEST") * (named + 1) / 5);
        }
        fixture_reopen(&f);
        cr_assert_eq(f.store->recovery, RECOVERY_CLEAN, "%s", f.error_text);
        put_row(&f, SPACE_IDENTITY, "key", "value");
        fixture_reopen(&f);
        cr_assert(has_row(&f, SPACE_IDENTITY, "key", "value"));
        fixture_fini(&f);
    }
}

/* --- damaged rows --- */

Test(rocksdb_damage, a_damaged_block_is_told_by_load_and_scan)
{
    struct fixture f;
    fixture_init(&f, BACKEND_ROCKSDB);
    for (uint8_t i = 0; i < 40; i++) {
        uint8_t *key = arena_alloc(&f.batch_arena, 1);
        *key = i;
        store_batch_put(&f.batch, &f.batch_arena, SPACE_PAYLOAD, view_of(key, 1),
                        bytes_of(&f, VALUE_LEN, i), view_of(NULL, 0));
    }
    commit(&f);
    fixture_reopen(&f); /* moves the rows into a table */
    store_close(&f.store);
    flip_bit(f.dir, ".sst", 100, 0);
    fixture_reopen(&f);
    uint8_t keys[] = {39, 0};
    struct store_read reads[] = {{SPACE_PAYLOAD, view_of(&keys[0], 1), {0}},
                                 {SPACE_PAYLOAD, view_of(&keys[1], 1), {0}}};
    cr_assert_eq(store_load(f.store, reads, 2, &f.arena), STATUS_DAMAGED);
    cr_assert_null(reads[0].value.at, "after an error the outputs are empty");
    cr_assert_null(reads[1].value.at);
    cr_assert_eq(store_load(f.store, reads, 1, &f.arena), STATUS_OK, "other blocks are not hurt");
    cr_assert(view_equal(reads[0].value, bytes_of(&f, VALUE_LEN, 39)));
    struct store_scan scan = {.space = SPACE_PAYLOAD, .row_max = 100, .byte_max = SIZE_MAX};
    cr_assert_eq(store_scan(f.store, &scan, &f.arena), STATUS_DAMAGED);
    cr_assert_eq(scan.row_count, 0u);
    cr_assert_null(scan.rows);
    scan.from = view_of(&keys[0], 1);
    cr_assert_eq(store_scan(f.store, &scan, &f.arena), STATUS_OK);
    cr_assert_eq(scan.row_count, 1u);
    fixture_fini(&f);
}

/* --- write errors --- */

static void file_size_limit(rlim_t len)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = len;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The limit must hit the WAL before RocksDB's diary: a failed write to the latter trips an assertion
 * inside Debian's library (STORAGE, RocksDB). */
Test(rocksdb_write, after_an_error_every_later_write_is_refused)
{
    signal(SIGXFSZ, SIG_IGN);
    struct fixture f;
    fixture_init(&f, BACKEND_ROCKSDB);
    for (uint8_t i = 0; i < WRITE_COUNT; i++)
        history_write(&f, i);
    file_size_limit(size_of(f.dir, ".log") + 100);
    uint8_t key = WRITE_COUNT;
    store_batch_put(&f.batch, &f.batch_arena, SPACE_PAYLOAD, view_of(&key, 1),
                    bytes_of(&f, VALUE_LEN, key), view_of(NULL, 0));
    cr_assert_eq(try_commit(&f, DURABILITY_SYNCED), STATUS_IO);
    file_size_limit(RLIM_INFINITY);
    add_put(&f, SPACE_EVENTS, "later", "refused");
    cr_assert_eq(try_commit(&f, DURABILITY_SYNCED), STATUS_IO);
    cr_assert_eq(try_commit(&f, DURABILITY_MEMORY), STATUS_IO, "an empty one as well");
    cr_assert_eq(beginning_len(&f), (size_t)WRITE_COUNT, "reading goes on");
    fixture_reopen(&f);
    cr_assert_eq(beginning_len(&f), (size_t)WRITE_COUNT);
    history_write(&f, WRITE_COUNT);
    cr_assert_eq(beginning_len(&f), WRITE_COUNT + 1u);
    fixture_fini(&f);
}

/* --- the directory and other processes --- */

Test(rocksdb_open, a_missing_directory_is_made_for_us_alone)
{
    struct fixture f;
    fixture_prepare(&f, BACKEND_ROCKSDB);
    cr_assert_eq(rmdir(f.dir), 0);
    cr_assert_eq(fixture_open(&f), STATUS_OK);
    struct stat dir;
    cr_assert_eq(stat(f.dir, &dir), 0);
    cr_assert_eq(dir.st_mode & 07777, 0700u);
    fixture_fini(&f);
}

static bool has_second_names(const char *dir)
{
    DIR *entries = opendir(dir);
    bool found = false;
    cr_assert_not_null(entries);
    for (struct dirent *e; (e = readdir(entries)) != NULL;)
        found = found || strstr(e->d_name, ".log.trash");
    closedir(entries);
    return found;
}

/* rocksdb_trash has tests of its own; this one holds that it is there, and waits for its thread. */
Test(rocksdb_open, the_wal_has_a_second_name_while_the_store_is_open)
{
    struct fixture f;
    fixture_init(&f, BACKEND_ROCKSDB);
    for (int i = 0; i < 20000 && !has_second_names(f.dir); i++)
        usleep(1000);
    cr_assert(has_second_names(f.dir));
    store_close(&f.store);
    cr_assert(!has_second_names(f.dir));
    fixture_fini(&f);
}

Test(rocksdb_open, a_directory_that_cannot_be_made_is_io)
{
    struct fixture f = {.backend = BACKEND_ROCKSDB, .dir = "/tmp/sealmq-store-none/of/this"};
    cr_assert_eq(fixture_open(&f), STATUS_IO);
    cr_assert_null(f.store);
    cr_assert_neq(f.error_text[0], '\0');
    cr_assert_eq(rocksdb_store_open(&(struct rocksdb_config){.dir = f.dir}, &f.store, NULL, 0),
                 STATUS_IO, "without room for the reason");
}

Test(rocksdb_open, a_file_in_the_directorys_place_is_io)
{
    struct fixture f;
    fixture_prepare(&f, BACKEND_ROCKSDB);
    cr_assert_eq(rmdir(f.dir), 0);
    file_write(f.dir, text("not a directory"));
    cr_assert_eq(fixture_open(&f), STATUS_IO, "%s", f.error_text);
    cr_assert_eq(unlink(f.dir), 0);
}

/* In the child: opens, writes one row, says so, and waits to be killed. */
static void hold_the_store(struct fixture *f, int ready)
{
    bool held = fixture_open(f) == STATUS_OK;
    add_put(f, SPACE_EVENTS, "from", "the child");
    held = held && try_commit(f, DURABILITY_SYNCED) == STATUS_OK;
    if (held && write(ready, "1", 1) == 1)
        for (;;)
            pause();
    _exit(1);
}

Test(rocksdb_open, another_process_locks_until_it_dies)
{
    struct fixture f;
    fixture_prepare(&f, BACKEND_ROCKSDB); /* no RocksDB thread may be there at the fork */
    int ready[2];
    char byte;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) hold_the_store(&f, ready[1]);
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(fixture_open(&f), STATUS_LOCKED, "%s", f.error_text);
    cr_assert_null(f.store);
    cr_assert_eq(kill(child, SIGKILL), 0);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(fixture_open(&f), STATUS_OK, "%s", f.error_text);
    cr_assert_eq(f.store->recovery, RECOVERY_CLEAN);
    cr_assert(has_row(&f, SPACE_EVENTS, "from", "the child"), "what was synced outlives a kill");
    close(ready[0]);
    close(ready[1]);
    fixture_fini(&f);
}
