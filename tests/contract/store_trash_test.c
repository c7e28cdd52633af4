/* Which files lose their content, and which never do, whatever RocksDB is about: here the files are made by
 * hand. Each wait ends when what it waits for is there; a test that fails waits until its time is up. */
#include "storage/backends/rocksdb_trash.h"
#include "tests/contract/store_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LEN (3 * 1024 * 1024 + 5)
#define WAITS    20000 /* of a millisecond: rule 33 aside, a thread is what is tested */

static char dir[DIR_LEN_MAX];

static const char *path_of(const char *name)
{
    static char paths[4][DIR_LEN_MAX + 64];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void make(const char *name)
{
    int fd = open(path_of(name), O_CREAT | O_EXCL | O_WRONLY, 0600);
    cr_assert_geq(fd, 0, "%s", name);
    cr_assert_eq(ftruncate(fd, FILE_LEN), 0);
    close(fd);
}

static long len_of(const char *name)
{
    struct stat file;
    return stat(path_of(name), &file) == 0 ? (long)file.st_size : -1;
}

static void wait_for(const char *name, bool there)
{
    for (int i = 0; i < WAITS && (len_of(name) >= 0) != there; i++)
        usleep(1000);
    cr_assert_eq(len_of(name) >= 0, there, "%s", name);
}

static struct trash *begin(void)
{
    snprintf(dir, sizeof dir, "/tmp/sealmq-trash-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    make("CURRENT");
    make("000001.log");
    return trash_open(dir);
}

static void end(struct trash **t)
{
    trash_close(t);
    dir_remove(dir);
}

/* The file's length, seen by a descriptor of our own, after its name has gone and nothing is to be done any more. */
static long len_after_unlink(const char *name, const char *second)
{
    struct stat file;
    int fd = open(path_of(name), O_RDONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(unlink(path_of(name)), 0);
    wait_for(second, false);
    cr_assert_eq(fstat(fd, &file), 0);
    close(fd);
    return (long)file.st_size;
}

Test(store_trash, a_file_that_was_deleted_is_cut_and_others_stay)
{
    struct trash *t = begin();
    cr_assert_not_null(t);
    make("000002.sst");
    make("words.log"); /* not RocksDB's */
    wait_for("000001.log.trash", true);
    wait_for("000002.sst.trash", true);
    cr_assert_eq(len_after_unlink("000001.log", "000001.log.trash"), 0);
    cr_assert_eq(len_of("000002.sst"), FILE_LEN);
    cr_assert_eq(len_of("CURRENT"), FILE_LEN);
    cr_assert_eq(len_of("CURRENT.trash"), -1);
    cr_assert_eq(len_of("words.log.trash"), -1);
    end(&t);
}

Test(store_trash, a_file_with_a_third_name_keeps_its_content)
{
    struct trash *t = begin();
    wait_for("000001.log.trash", true);
    cr_assert_eq(link(path_of("000001.log"), path_of("copy")), 0); /* a backup's */
    cr_assert_eq(len_after_unlink("000001.log", "000001.log.trash"), FILE_LEN);
    cr_assert_eq(len_of("copy"), FILE_LEN);
    end(&t);
}

/* RocksDB does this whenever somebody opens the folder, before it looks for the lock. */
Test(store_trash, a_second_name_that_somebody_took_comes_back)
{
    struct trash *t = begin();
    wait_for("000001.log.trash", true);
    cr_assert_eq(unlink(path_of("000001.log.trash")), 0);
    wait_for("000001.log.trash", true);
    cr_assert_eq(len_after_unlink("000001.log", "000001.log.trash"), 0);
    end(&t);
}

/* Whether the new file comes before or after the thread has looked: it is never the one that is cut. */
Test(store_trash, a_new_file_of_an_old_name_keeps_its_content)
{
    struct trash *t = begin();
    wait_for("000001.log.trash", true);
    cr_assert_eq(unlink(path_of("000001.log")), 0);
    make("000001.log");
    make("000003.log"); /* seen after the others */
    wait_for("000003.log.trash", true);
    cr_assert_eq(len_of("000001.log"), FILE_LEN);
    end(&t);
}

Test(store_trash, second_names_end_with_it_and_old_ones_when_it_begins)
{
    struct trash *t = begin();
    wait_for("000001.log.trash", true);
    trash_close(&t);
    cr_assert_eq(len_of("000001.log.trash"), -1);
    cr_assert_eq(len_of("000001.log"), FILE_LEN);
    make("000009.sst.trash");
    t = trash_open(dir);
    cr_assert_eq(len_of("000009.sst.trash"), -1);
    end(&t);
}

Test(store_trash, without_a_folder_there_is_none)
{
    struct trash *t = trash_open("/nonexistent/sealmq");
    cr_assert_null(t);
    trash_close(&t);
}
