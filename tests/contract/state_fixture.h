/* state_fixture: a home on either backend, and rows to put into it, for the contract of client state. */
#ifndef SEALMQ_TESTS_STATE_FIXTURE_H
#define SEALMQ_TESTS_STATE_FIXTURE_H

#include "clients/state/memory.h"
#include "clients/state/sqlite.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum backend { BACKEND_MEMORY, BACKEND_SQLITE };

struct fixture {
    enum backend backend;
    struct state *s;
    struct arena arena;
    char dir[64];
    char path[96];
    char key[96];
};

static inline void fixture_open(struct fixture *f)
{
    char error[512] = "";
    struct home_lock lock = {.key_file = f->key, .make = true};
    if (f->backend == BACKEND_MEMORY)
        f->s = memory_state_new();
    else
        cr_assert_eq(sqlite_state_open(f->path, &lock, &f->s, error, sizeof error), STATUS_OK, "%s",
                     error);
}

/* The process dies and another one opens the same home. */
static inline void fixture_restart(struct fixture *f)
{
    if (f->backend == BACKEND_MEMORY) {
        memory_state_crash(f->s);
        return;
    }
    state_close(&f->s);
    fixture_open(f);
}

static inline void fixture_run(enum backend backend, void (*body)(struct fixture *f))
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct fixture f = {.backend = backend, .dir = "/tmp/state_contract_XXXXXX"};
    char path[112];
    cr_assert_not_null(mkdtemp(f.dir));
    snprintf(f.path, sizeof f.path, "%s/state.db", f.dir);
    snprintf(f.key, sizeof f.key, "%s/key", f.dir);
    fixture_open(&f);
    body(&f);
    state_close(&f.s);
    cr_assert_null(f.s);
    arena_fini(&f.arena);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", f.path, suffixes[i]);
        (void)unlink(path);
    }
    (void)unlink(f.key);
    cr_assert_eq(rmdir(f.dir), 0);
}

#define CONTRACT_TEST(name)                                                                        \
    static void name(struct fixture *f);                                                           \
    Test(state_memory, name)                                                                       \
    {                                                                                              \
        fixture_run(BACKEND_MEMORY, name);                                                         \
    }                                                                                              \
    Test(state_sqlite, name)                                                                       \
    {                                                                                              \
        fixture_run(BACKEND_SQLITE, name);                                                         \
    }                                                                                              \
    static void name(struct fixture *f)

static inline void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static inline void writing(struct fixture *f)
{
    ok(state_begin(f->s, STATE_WRITE));
}

static inline void reading(struct fixture *f)
{
    ok(state_begin(f->s, STATE_READ));
}

static inline void commit(struct fixture *f)
{
    ok(state_commit(f->s));
}

static inline struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

static inline struct account_id account_of(uint8_t n)
{
    struct account_id id = {{n, 1}};
    return id;
}

/* As state keeps it; nothing in it would verify. */
static inline struct contact contact_of(uint8_t n, size_t devices)
{
    struct contact c = {.log = {.account = account_of(n), .length = 1, .key_version = 1, .device_count = devices}};
    for (size_t i = 0; i < devices; i++) {
        struct log_device *d = &c.log.devices[i];
        memset(d->id.bytes, (int)i, sizeof d->id);
        memset(&d->record, (int)i + 1, sizeof d->record);
        d->standing = i % 2 ? STANDING_REVOKED : STANDING_ACTIVE;
        d->version = i;
    }
    return c;
}

static inline struct term term_of(uint8_t n)
{
    struct term t = {{n}};
    return t;
}

static const struct store_id store_one = {{1}}, store_two = {{2}};

static inline struct message_id id_of(uint64_t n)
{
    struct message_id id = {{0x01, 0x90}};
    put_u64(id.bytes + 8, n);
    return id;
}

static inline struct outbox_row row_of(const char *key, uint64_t id)
{
    struct outbox_row row = {.state = MESSAGE_DRAFTED, .target = account_of(7), .due_ms = 100};
    snprintf(row.key.text, sizeof row.key.text, "%s", key);
    if (id) row.id = id_of(id);
    return row;
}

/* Within a transaction. */
static inline uint64_t put_row(struct fixture *f, struct outbox_row row)
{
    ok(state_outbox_put(f->s, &row));
    cr_assert_neq(row.order, 0u);
    return row.order;
}

static inline uint64_t put_open(struct fixture *f, const char *key, struct store_id store,
                         struct term term, uint64_t commit_number)
{
    struct outbox_row row = row_of(key, 0);
    row.state = MESSAGE_ACCEPTED;
    row.receipt.store = store;
    row.receipt.term = term;
    row.receipt.commit = commit_number;
    return put_row(f, row);
}

static inline uint64_t put_inbox(struct fixture *f, uint8_t device, uint64_t id, const char *body,
                          uint64_t received_ms)
{
    struct inbox_row row = {.sender_device = {{device}}, .id = id_of(id),
                            .received_ms = received_ms, .body = text(body)};
    bool added;
    ok(state_inbox_put(f->s, &row, &added));
    return added ? row.order : 0;
}

static inline size_t scan(struct fixture *f, enum message_class class, uint64_t after, uint64_t due_ms,
                   struct outbox_row *rows, size_t max)
{
    struct outbox_scan s = {.class = class, .after = after, .due_ms = due_ms, .rows = rows,
                            .row_max = max};
    ok(state_outbox_scan(f->s, &s));
    for (size_t i = 1; i < s.row_count; i++)
        cr_assert_lt(rows[i - 1].order, rows[i].order);
    return s.row_count;
}

#endif
