/* What only the sqlite backend of the client's state can meet: files of others, damage, a full
 * disk, other processes, a process that dies in a transaction. */
#include "tests/contract/state_place.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct outbox_row row_of(const char *key)
{
    struct outbox_row row = {.state = MESSAGE_DRAFTED};
    snprintf(row.key.text, sizeof row.key.text, "%s", key);
    return row;
}

static void must_put(struct state *s, const char *key)
{
    struct outbox_row row = row_of(key);
    cr_assert_eq(state_begin(s, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_outbox_put(s, &row), STATUS_OK);
    cr_assert_eq(state_commit(s), STATUS_OK);
}

static enum status find(struct state *s, const char *key)
{
    struct outbox_row wanted = row_of(key), found;
    cr_assert_eq(state_begin(s, STATE_READ), STATUS_OK);
    enum status status = state_outbox_find_key(s, &wanted.key, &found);
    state_rollback(s);
    return status;
}

Test(state_sqlite, a_new_file_is_closed_to_others)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    struct stat st;
    cr_assert_eq(stat(p.path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    must_put(s, "one");
    char wal[160];
    snprintf(wal, sizeof wal, "%s-wal", p.path);
    cr_assert_eq(stat(wal, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    state_close(&s);
    place_drop(&p);
}

Test(state_sqlite, a_file_open_to_others_is_refused)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    state_close(&s);
    cr_assert_eq(chmod(p.path, 0640), 0);
    must_refuse(&p, STATUS_CONFIG);
    place_drop(&p);
}

Test(state_sqlite, a_missing_folder_is_io)
{
    struct place p = place_make();
    cr_assert_eq(rmdir(p.dir), 0);
    must_refuse(&p, STATUS_IO);
    cr_assert_eq(mkdir(p.dir, 0700), 0);
    place_drop(&p);
}

Test(state_sqlite, rows_are_there_after_opening_again)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    must_put(s, "one");
    state_close(&s);
    s = must_open(&p);
    cr_assert_eq(find(s, "one"), STATUS_OK);
    cr_assert_eq(find(s, "two"), STATUS_NOT_FOUND);
    state_close(&s);
    place_drop(&p);
}

Test(state_sqlite, another_programs_database_is_refused_and_left_alone)
{
    struct place p = place_make();
    run_sql(&p, "CREATE TABLE theirs (x)");
    must_refuse(&p, STATUS_DAMAGED);
    run_sql(&p, "INSERT INTO theirs VALUES (1)");
    place_drop(&p);
}

Test(state_sqlite, a_file_that_is_no_database_is_damaged)
{
    struct place p = place_make();
    FILE *file = fopen(p.path, "wb");
    cr_assert_not_null(file);
    for (unsigned i = 0; i < 2000; i++)
        fputs("not a database ", file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(p.path, 0600), 0);
    must_refuse(&p, STATUS_DAMAGED);
    place_drop(&p);
}

Test(state_sqlite, a_newer_versions_file_is_refused)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    state_close(&s);
    run_sql(&p, "PRAGMA user_version = 99");
    must_refuse(&p, STATUS_CONFIG);
    place_drop(&p);
}

Test(state_sqlite, a_row_that_does_not_follow_its_format_is_damaged)
{
    static const char *const damages[] = {
        "UPDATE outbox SET content = x'00'",      "UPDATE outbox SET state = 99",
        "UPDATE outbox SET parts = x'0011'",      "UPDATE outbox SET attempts = x'00'",
        "UPDATE outbox SET submitted = 2",        "UPDATE outbox SET tries = 1 << 40",
        "UPDATE outbox SET ttl_ms = 'text'",      "UPDATE outbox SET handle = zeroblob(65)",
        "UPDATE outbox SET receipt_commit = x''", "UPDATE outbox SET reason = 77",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct place p = place_make();
        struct state *s = must_open(&p);
        must_put(s, "one");
        state_close(&s);
        run_sql(&p, damages[i]);
        s = must_open(&p);
        cr_assert_eq(find(s, "one"), STATUS_DAMAGED, "%s", damages[i]);
        must_put(s, "two"); /* the rest is usable */
        cr_assert_eq(find(s, "two"), STATUS_OK);
        state_close(&s);
        place_drop(&p);
    }
}

Test(state_sqlite, others_see_a_transaction_when_it_has_committed_and_not_before)
{
    struct place p = place_make();
    struct state *a = must_open(&p), *b = must_open(&p);
    struct outbox_row row = row_of("one");
    cr_assert_eq(state_begin(a, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_outbox_put(a, &row), STATUS_OK);
    cr_assert_eq(find(b, "one"), STATUS_NOT_FOUND);
    cr_assert_eq(state_commit(a), STATUS_OK);
    cr_assert_eq(find(b, "one"), STATUS_OK);
    state_close(&a);
    state_close(&b);
    place_drop(&p);
}

Test(state_sqlite, a_reader_keeps_the_state_that_it_began_with)
{
    struct place p = place_make();
    struct state *a = must_open(&p), *b = must_open(&p);
    struct outbox_row wanted = row_of("one"), found;
    cr_assert_eq(state_begin(b, STATE_READ), STATUS_OK);
    must_put(a, "one");
    cr_assert_eq(state_outbox_find_key(b, &wanted.key, &found), STATUS_NOT_FOUND);
    state_rollback(b);
    cr_assert_eq(find(b, "one"), STATUS_OK);
    state_close(&a);
    state_close(&b);
    place_drop(&p);
}

/* The child commits `first`, then dies in a transaction that put `second`. */
static void die_in_a_transaction(struct place *p)
{
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        struct outbox_row row = row_of("second");
        struct state *s = must_open(p);
        must_put(s, "first");
        if (state_begin(s, STATE_WRITE) == STATUS_OK && state_outbox_put(s, &row) == STATUS_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

Test(state_sqlite, a_process_that_dies_leaves_what_it_had_committed)
{
    struct place p = place_make();
    die_in_a_transaction(&p);
    struct state *s = must_open(&p);
    cr_assert_eq(find(s, "first"), STATUS_OK);
    cr_assert_eq(find(s, "second"), STATUS_NOT_FOUND);
    must_put(s, "second");
    state_close(&s);
    place_drop(&p);
}

static void file_size_limit(rlim_t max)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = max;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* One row with a big body. */
static enum status put_big(struct state *s, struct outbox_row *row, struct view payload)
{
    struct outbox_body body = {.payload = payload};
    enum status status = state_begin(s, STATE_WRITE);
    cr_assert_eq(status, STATUS_OK);
    status = state_outbox_put(s, row);
    if (status == STATUS_OK) status = state_body_put(s, row->order, &body);
    if (status == STATUS_OK) return state_commit(s);
    state_rollback(s);
    return status;
}

Test(state_sqlite, a_disk_without_room_is_io_and_changes_nothing)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    struct outbox_row row = row_of("big");
    static uint8_t payload[PAYLOAD_LEN_MAX];
    must_put(s, "one");
    signal(SIGXFSZ, SIG_IGN);
    file_size_limit(100 * 1024);
    cr_assert_eq(put_big(s, &row, view_of(payload, sizeof payload)), STATUS_IO);
    cr_assert(strlen(sqlite_state_reason(s)) > 0);
    cr_assert_eq(find(s, "big"), STATUS_NOT_FOUND);
    file_size_limit(RLIM_INFINITY);
    row.order = 0;
    cr_assert_eq(put_big(s, &row, view_of(payload, sizeof payload)), STATUS_OK);
    cr_assert_eq(find(s, "one"), STATUS_OK);
    state_close(&s);
    place_drop(&p);
}
