/* How a home begins to be sealed in the sqlite backend: an init that is cut short goes on, and homes of before are
 * sealed, all of them or not at all. */
#include "tests/contract/state_everything.h"

#include "clients/state/sqlite_sql.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- beginnings that are cut short ---- */

Test(state_beginning, where_there_is_no_home_none_is_made_unasked)
{
    struct place p = place_make();
    struct home_lock lock = {.key_file = p.key};
    struct state *s;
    cr_assert_eq(sqlite_state_open(p.path, &lock, &s, p.error, sizeof p.error), STATUS_NOT_FOUND);
    cr_assert_null(s);
    cr_assert_not_null(strstr(p.error, "run init first"));
    cr_assert(access(p.path, F_OK) != 0 && access(p.key, F_OK) != 0);
    file_write(p.path, "", 0600); /* as an init leaves it that was killed at once */
    cr_assert_eq(sqlite_state_open(p.path, &lock, &s, p.error, sizeof p.error), STATUS_NOT_FOUND);
    cr_assert_neq(access(p.key, F_OK), 0);
    place_fill(&p);
    cr_assert_eq(sqlite_state_open(p.path, &lock, &s, p.error, sizeof p.error), STATUS_OK);
    state_close(&s);
    place_drop(&p);
}

/* The system kills the process at the commit; the key file was made before. */
static void die_after_the_key_file(struct place *p)
{
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        struct rlimit limit = {.rlim_cur = ROOM_WITHOUT_COMMIT, .rlim_max = ROOM_WITHOUT_COMMIT};
        struct state *s;
        signal(SIGXFSZ, SIG_DFL);
        if (setrlimit(RLIMIT_FSIZE, &limit) == 0) (void)!open_in(p, &s);
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
}

Test(state_beginning, an_init_killed_between_key_file_and_database_goes_on_with_that_key)
{
    struct place p = place_make();
    size_t len, again;
    die_after_the_key_file(&p);
    uint8_t *first = file_bytes(p.key, &len);
    place_fill(&p);
    uint8_t *second = file_bytes(p.key, &again);
    cr_assert(len == again && memcmp(first, second, len) == 0);
    must_have_everything(&p);
    free(first);
    free(second);
    place_drop(&p);
}

Test(state_beginning, a_key_file_without_a_database_and_an_empty_database_without_a_key_file_are_beginnings)
{
    struct place p = place_make();
    place_fill(&p);
    cr_assert_eq(unlink(p.path), 0);
    place_fill(&p); /* the key is there, the database is not */
    must_have_everything(&p);
    cr_assert(unlink(p.path) == 0 && unlink(p.key) == 0);
    file_write(p.path, "", 0600);
    place_fill(&p);
    must_have_everything(&p);
    cr_assert_eq(unlink(p.key), 0); /* and this is none: it says what to do */
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "restore it from a copy"), "%s", p.error);
    place_drop(&p);
}

/* ---- homes of before ---- */

#define BLOB(s) "CAST('" s "' AS BLOB)"
#define OLD_OUTBOX(ord, key)                                                                       \
    "INSERT INTO outbox VALUES (" #ord ",1," BLOB(key) ",NULL,x'',zeroblob(32),1,0," BLOB(CONTENT) \
    ",0,0,zeroblob(8),zeroblob(8),0,0,0,0,0,zeroblob(32),x'',0,0,zeroblob(8),zeroblob(16),"        \
    "zeroblob(8),0,0,zeroblob(32),x'');"                                                           \
    "INSERT INTO body VALUES (" #ord "," BLOB(PAYLOAD) ",x'',x'',x'');"
#define OLD_INBOX(ord, device)                                                                     \
    "INSERT INTO inbox VALUES (" #ord ",zeroblob(32)," device ",zeroblob(16),zeroblob(16),1,1,"    \
    "zeroblob(8),0," BLOB(BODY) ");"
#define OLD_PREKEY(id) "INSERT INTO prekey VALUES (3," #id ",zeroblob(8),zeroblob(32)," BLOB(PREKEY) ");"

static const char *const OLD_ROWS =
    "PRAGMA secure_delete=OFF; PRAGMA journal_mode=WAL;"
    "INSERT INTO secrets VALUES (1," BLOB(SIGNING) "," BLOB(AGREEMENT) "," BLOB(TRANSPORT) "," BLOB(NEXT) ");"
    "INSERT INTO handle VALUES (" BLOB(HANDLE) ", zeroblob(32));"
    OLD_PREKEY(1) OLD_PREKEY(2) OLD_OUTBOX(1, "one") OLD_OUTBOX(2, "two") OLD_OUTBOX(3, "three")
    OLD_INBOX(1, "x'01010101010101010101010101010101'") OLD_INBOX(2, "zeroblob(16)")
    "UPDATE body SET payload = x'' WHERE ord = 3;"
    /* and what was there once: in free pages, and in the WAL */
    "CREATE TABLE waste (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
    " INSERT INTO waste SELECT " BLOB("SECRET waste") " || randomblob(50) FROM n; DROP TABLE waste;";

/* What version 3 had more, besides the sessions. */
static const char *const OLD_ROWS_3 =
    "UPDATE body SET head = " BLOB(HEAD) " WHERE ord < 3; UPDATE inbox SET head = " BLOB(HEAD) ";"
    "INSERT INTO skipped VALUES (1,1,x'0700000000000000000000000000000000000000000000000000000000000000',1," BLOB(SKIPPED) ");"
    "INSERT INTO skipped VALUES (2,1,x'0700000000000000000000000000000000000000000000000000000000000000',2," BLOB(SKIPPED) ");";

static void old_sessions_put(sqlite3 *db)
{
    uint8_t bytes[SESSION_LEN];
    sqlite3_stmt *insert;
    struct state_session row = session_of();
    session_write(&row.session, bytes);
    cr_assert_eq(sqlite3_prepare_v2(db, "INSERT INTO session VALUES (?1,?2,1,0,0,?3)", -1, &insert, NULL), SQLITE_OK);
    for (int number = 1; number <= 2; number++) {
        (void)sqlite3_bind_int(insert, 1, number);
        (void)sqlite3_bind_blob(insert, 2, row.peer.bytes, sizeof row.peer.bytes, SQLITE_STATIC);
        (void)sqlite3_bind_blob(insert, 3, bytes, sizeof bytes, SQLITE_STATIC);
        cr_assert_eq(sqlite3_step(insert), SQLITE_DONE);
        (void)sqlite3_reset(insert);
    }
    (void)sqlite3_finalize(insert);
}

static void must_run(sqlite3 *db, const char *sql)
{
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
}

/* A home as an earlier version left it when its process was killed: part of it is in the WAL. */
static struct place old_place(unsigned version)
{
    struct place p = place_make();
    char text_of_version[100];
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(p.path, &db), SQLITE_OK);
    snprintf(text_of_version, sizeof text_of_version, "PRAGMA user_version=%u; PRAGMA application_id=%d", version,
             SQLITE_APPLICATION_ID);
    must_run(db, SCHEMA_1 SCHEMA_2);
    must_run(db, text_of_version);
    must_run(db, OLD_ROWS);
    if (version == 3) {
        must_run(db, SCHEMA_3);
        old_sessions_put(db);
        must_run(db, OLD_ROWS_3);
    }
    cr_assert_eq(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
    cr_assert_eq(chmod(p.path, 0600), 0);
    cr_assert(files_have(&p, NEEDLE) && files_have(&p, "SECRET waste") && files_have(&p, PAYLOAD));
    return p;
}

static void must_be_sealed_now(struct place *p)
{
    struct state *s = must_open(p);
    cr_assert_not(files_have(p, NEEDLE), "while it is open");
    cr_assert(files_have(p, HANDLE));
    ok(get_everything(s));
    state_close(&s);
    cr_assert_not(files_have(p, NEEDLE), "after closing");
    must_have_everything(p);
}

Test(state_beginning, a_home_of_before_is_sealed_and_nothing_of_it_stays_in_clear)
{
    struct place p = old_place(3);
    must_be_sealed_now(&p);
    cr_assert_eq(access(p.key, F_OK), 0);
    place_drop(&p);
}

Test(state_beginning, so_is_a_home_of_version_2)
{
    struct place p = old_place(2);
    struct device_secrets secrets;
    struct outbox_body body;
    struct arena a = {0};
    struct state *s = must_open(&p);
    cr_assert_not(files_have(&p, NEEDLE));
    ok(state_begin(s, STATE_READ));
    ok(state_secrets_get(s, &secrets));
    ok(state_body_get(s, 2, &a, &body));
    cr_assert_eq(memcmp(secrets.signing_sk, SIGNING, 64), 0);
    cr_assert(view_equal(body.payload, text(PAYLOAD)) && body.head.len == 0);
    ok(state_body_get(s, 3, &a, &body));
    cr_assert_eq(body.payload.len, 0u, "what was empty is empty");
    state_rollback(s);
    arena_fini(&a);
    state_close(&s);
    place_drop(&p);
}

#define WITHOUT_DRIFT                                                                              \
    "ALTER TABLE contact DROP COLUMN incoming; ALTER TABLE contact DROP COLUMN hold;"              \
    "ALTER TABLE contact DROP COLUMN hold_ms; ALTER TABLE contact DROP COLUMN hold_head;"          \
    "ALTER TABLE contact DROP COLUMN stated_version; ALTER TABLE contact DROP COLUMN stated_head;" \
    "ALTER TABLE contact DROP COLUMN stated_ms; ALTER TABLE contact DROP COLUMN stated_warned_ms;" \
    "ALTER TABLE outbox DROP COLUMN fresh; DROP INDEX outbox_held;"

#define WITHOUT_WITHHELD                                                                           \
    "DROP INDEX inbox_withheld; ALTER TABLE inbox DROP COLUMN withheld; ALTER TABLE inbox DROP COLUMN expires_ms;"

/* A home of version 4 is one of today without what came later. */
Test(state_beginning, so_does_a_home_of_version_4_and_nobody_in_it_is_verified)
{
    struct place p = place_make();
    struct contact in = {.log = {.account = {{1}}, .length = 1, .key_version = 1, .device_count = 1}, .checked_ms = 7};
    struct contact out;
    in.log.devices[0].standing = STANDING_ACTIVE;
    place_fill(&p);
    struct state *s = must_open(&p);
    ok(state_begin(s, STATE_WRITE));
    ok(state_contact_put(s, &in));
    ok(state_commit(s));
    state_close(&s);
    run_sql(&p, "ALTER TABLE contact DROP COLUMN verified_ms; ALTER TABLE contact DROP COLUMN loss;"
                "ALTER TABLE contact DROP COLUMN lost_ms; DROP TABLE verdict; DROP TABLE kept_key; DROP INDEX outbox_copy;"
                "ALTER TABLE outbox DROP COLUMN copy_of; ALTER TABLE inbox DROP COLUMN sent_to;" WITHOUT_DRIFT WITHOUT_WITHHELD
                "PRAGMA user_version = 4");
    must_have_everything(&p);
    s = must_open(&p);
    ok(state_begin(s, STATE_WRITE));
    ok(state_contact_get(s, in.log.account, &out));
    cr_assert(out.checked_ms == 7 && out.verified_ms == 0 && out.loss == LOSS_NONE && out.lost_ms == 0);
    out.verified_ms = 8;
    ok(state_contact_put(s, &out));
    ok(state_contact_get(s, in.log.account, &out));
    cr_assert_eq(out.verified_ms, 8u);
    state_rollback(s);
    state_close(&s);
    run_sql(&p, "UPDATE contact SET loss = 4");
    s = must_open(&p);
    ok(state_begin(s, STATE_READ));
    cr_assert_eq(state_contact_get(s, in.log.account, &out), STATUS_DAMAGED);
    state_rollback(s);
    state_close(&s);
    place_drop(&p);
}

Test(state_beginning, so_does_one_that_has_said_nothing_of_others)
{
    struct place p = place_make();
    struct state_verdict v = {.account = {{3}}, .held = CONTACT_BLOCKED}, out;
    place_fill(&p);
    run_sql(&p, "DROP TABLE verdict; DROP TABLE kept_key;" WITHOUT_WITHHELD "PRAGMA user_version = 7");
    must_have_everything(&p);
    struct state *s = must_open(&p);
    ok(state_begin(s, STATE_WRITE));
    cr_assert_eq(state_verdict_get(s, v.account, &out), STATUS_NOT_FOUND);
    ok(state_verdict_put(s, &v));
    ok(state_commit(s));
    state_close(&s);
    run_sql(&p, "UPDATE verdict SET held = 3");
    s = must_open(&p);
    ok(state_begin(s, STATE_READ));
    cr_assert_eq(state_verdict_get(s, v.account, &out), STATUS_DAMAGED);
    state_rollback(s);
    state_close(&s);
    place_drop(&p);
}

Test(state_beginning, a_home_of_before_gets_the_passphrase_that_it_is_opened_with)
{
    struct place p = old_place(3);
    file_write(p.phrase, "correct horse\n", 0600);
    p.has_passphrase = true;
    must_be_sealed_now(&p);
    cr_assert_neq(access(p.key, F_OK), 0);
    p.has_passphrase = false;
    must_refuse(&p, STATUS_CONFIG);
    place_drop(&p);
}

/* A reader needs the old pages: they go when it has gone. */
Test(state_beginning, what_could_not_be_cleaned_is_cleaned_at_the_next_opening)
{
    struct place p = old_place(3);
    sqlite3 *reader;
    cr_assert_eq(sqlite3_open(p.path, &reader), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM secrets", NULL, NULL, NULL), SQLITE_OK);
    struct state *s = must_open(&p);
    ok(get_everything(s));
    cr_assert(files_have(&p, NEEDLE), "the reader keeps it");
    cr_assert_eq(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_close(reader), SQLITE_OK);
    struct state *second = must_open(&p); /* while the first is open */
    cr_assert_not(files_have(&p, NEEDLE));
    state_close(&s);
    ok(get_everything(second));
    state_close(&second);
    place_drop(&p);
}

/* All of an upgrade, or nothing: the disk has no room for it. */
Test(state_beginning, an_upgrade_that_fails_leaves_the_home_as_it_was)
{
    struct place p = old_place(3);
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = ROOM_WITHOUT_COMMIT, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    must_refuse(&p, STATUS_IO);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(access(p.key, F_OK), 0, "it came as far as the key");
    run_sql(&p, "CREATE TEMP TABLE t (x CHECK (x)); INSERT INTO t SELECT user_version = 3 FROM pragma_user_version;"
                "INSERT INTO t SELECT signing = " BLOB(SIGNING) " FROM secrets;"
                "INSERT INTO t SELECT count(*) = 0 FROM sqlite_master WHERE name = 'vault'");
    must_be_sealed_now(&p);
    place_drop(&p);
}
