/* state_place: a directory with one home's files in it, for what only the sqlite backend can meet. */
#ifndef SEALMQ_TESTS_STATE_PLACE_H
#define SEALMQ_TESTS_STATE_PLACE_H

#include "clients/state/sqlite.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ERROR_MAX 512

/* A directory of its own, and paths in it. */
struct place {
    char dir[64];
    char path[128];
    char key[128];
    char phrase[128];    /* of a file with a passphrase, where a test has one */
    bool has_passphrase; /* the home is opened with it */
    char error[ERROR_MAX];
};

static inline struct place place_make(void)
{
    struct place p = {.dir = "/tmp/state_sqlite_XXXXXX"};
    cr_assert_not_null(mkdtemp(p.dir));
    snprintf(p.path, sizeof p.path, "%s/state.db", p.dir);
    snprintf(p.key, sizeof p.key, "%s/key", p.dir);
    snprintf(p.phrase, sizeof p.phrase, "%s/phrase", p.dir);
    return p;
}

static inline void place_drop(const struct place *p)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    char path[160];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", p->path, suffixes[i]);
        (void)unlink(path);
    }
    (void)unlink(p->key);
    (void)unlink(p->phrase);
    cr_assert_eq(rmdir(p->dir), 0);
}

static inline enum status open_in(struct place *p, struct state **s)
{
    struct home_lock lock = {
        .key_file = p->key, .passphrase_file = p->has_passphrase ? p->phrase : NULL, .make = true};
    return sqlite_state_open(p->path, &lock, s, p->error, sizeof p->error);
}

static inline struct state *must_open(struct place *p)
{
    struct state *s;
    cr_assert_eq(open_in(p, &s), STATUS_OK, "%s", p->error);
    return s;
}

/* Opening gives this status and one line that says why. */
static inline void must_refuse(struct place *p, enum status wanted)
{
    struct state *s;
    cr_assert_eq(open_in(p, &s), wanted, "%s", p->error);
    cr_assert_null(s);
    cr_assert(strlen(p->error) > 0 && strchr(p->error, '\n') == NULL);
}

/* As another program would. */
static inline void run_sql(const struct place *p, const char *text)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(p->path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
    cr_assert_eq(chmod(p->path, 0600), 0);
}

#endif
