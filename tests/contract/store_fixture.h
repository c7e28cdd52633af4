/* store_fixture: an opened store of either backend for the contract suite, and short words for
 * what a test does to it. Assertions are inside: a helper that returns has worked. */
#ifndef SEALMQ_TESTS_STORE_FIXTURE_H
#define SEALMQ_TESTS_STORE_FIXTURE_H

#include "storage/backends/memory.h"
#include "storage/backends/rocksdb.h"
#include "storage/pack.h"
#include "storage/store.h"

enum backend { BACKEND_MEMORY, BACKEND_ROCKSDB, BACKEND_PACK /* over memory */ };

#define DIR_LEN_MAX 64u

struct fixture {
    enum backend backend;
    struct store *store;
    struct arena arena;       /* for what loads and scans return */
    struct arena batch_arena; /* for the batch's ops */
    struct store_batch batch;
    struct memory_disk *disk;    /* memory and pack */
    char dir[DIR_LEN_MAX];       /* rocksdb only: under /tmp, kept when the test fails */
    uint64_t write_buffer_bytes; /* rocksdb only */
    uint32_t value_file_bytes;   /* rocksdb only */
    bool accept_damaged;         /* rocksdb only */
    char error_text[256];        /* rocksdb only: of the last open */
};

/* A test that runs on all backends; body follows, with `struct fixture *f` open and empty. */
#define CONTRACT_TEST(name)                 \
    static void name(struct fixture *f);    \
    Test(store_memory, name)                \
    {                                       \
        fixture_run(BACKEND_MEMORY, name);  \
    }                                       \
    Test(store_rocksdb, name)               \
    {                                       \
        fixture_run(BACKEND_ROCKSDB, name); \
    }                                       \
    Test(store_pack, name)                  \
    {                                       \
        fixture_run(BACKEND_PACK, name);    \
    }                                       \
    static void name(struct fixture *f)

/* fixture_prepare: an empty disk or directory, no store yet; fixture_init also opens it. */
void fixture_prepare(struct fixture *f, enum backend backend);
void fixture_init(struct fixture *f, enum backend backend);
void fixture_fini(struct fixture *f);
void fixture_run(enum backend backend, void (*body)(struct fixture *f));
/* fixture_open: tells the status; fixture_reopen closes first and asserts OK. */
enum status fixture_open(struct fixture *f);
void fixture_reopen(struct fixture *f);

/* dir_remove: the directory and its files (it has no folders). */
void dir_remove(const char *dir);

/* text: a view of a C string. bytes_of: len bytes on f->arena, a pattern grown from `seed`. */
struct view text(const char *s);
struct view bytes_of(struct fixture *f, size_t len, uint64_t seed);

/* random: xorshift64*; below(n) is in 0..n-1. */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *r);
size_t random_below(struct random *r, size_t n);

/* add_put, add_delete: to f->batch. commit: writes it synced, asserts OK, and empties it. */
void add_put(struct fixture *f, enum store_space space, const char *key, const char *value);
void add_delete(struct fixture *f, enum store_space space, const char *key);
void commit(struct fixture *f);
/* make_brief: turns puts of f->batch under which there is no row in f's store into brief ones; all of
 * them, or with a random some. try_commit does so for a pack store. */
void make_brief(struct fixture *f, struct store_batch *batch, struct random *r);
enum status try_commit(struct fixture *f, enum durability d);
/* put_row: one synced write of one row. */
void put_row(struct fixture *f, enum store_space space, const char *key, const char *value);

/* row_value: what one load of the key returns. has_row, lacks_row: exact value, or no row. */
struct view row_value(struct fixture *f, enum store_space space, struct view key);
bool has_row(struct fixture *f, enum store_space space, const char *key, const char *value);
bool lacks_row(struct fixture *f, enum store_space space, const char *key);

/* scan_all: the whole space. same_rows: all rows of all spaces are equal in both stores. */
struct store_scan scan_all(struct fixture *f, enum store_space space);
bool same_rows(struct fixture *a, struct fixture *b);


/* random_batch: fills f->batch with 1..op_max ops on ~key_count keys of all spaces; the same bytes
 * for the same random state. random_key: one of those keys. mailbox_end: the lowest key behind all that
 * share its first MAILBOX_LEN bytes; empty = there is none. All on f->batch_arena. */
#define MAILBOX_LEN 19u
void random_batch(struct fixture *f, struct random *r, size_t op_max, size_t key_count);
struct view random_key(struct fixture *f, struct random *r, size_t key_count);
struct view mailbox_end(struct fixture *f, struct view key);
enum store_space random_space(struct random *r);

#endif
