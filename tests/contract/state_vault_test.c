/* The vault of a home in the sqlite backend: nothing secret is in its files, nothing sealed can be moved, a key or
 * passphrase that is not its own opens nothing and changes nothing, and homes of before are sealed. */
#include "tests/contract/state_place.h"

#include "clients/state/sqlite_sql.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SIGNING   "SECRETsigningSECRETsigningSECRETsigningSECRETsigningSECRETsignin" /* 64 */
#define AGREEMENT "SECRETagreementSECRETagreementSE"                                 /* 32 */
#define TRANSPORT "SECRETtransportSECRETtransportSE"
#define NEXT      "SECRETnextnextSECRETnextnextSECR"
#define PREKEY    "SECRETprekeySECRETprekeySECRETpr"
#define CONTENT   "SECRETcontentSECRETcontentSECRET"
#define PAYLOAD   "SECRET text that was sent"
#define BODY      "SECRET text that was received"
#define NEEDLE    "SECRET"
#define HANDLE    "a-handle-in-clear"

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

/* ---- what is on the disk ---- */

static uint8_t *file_bytes(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    cr_assert_eq(fseek(f, 0, SEEK_END), 0);
    *len = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*len + 1);
    cr_assert_not_null(bytes);
    cr_assert_eq(fread(bytes, 1, *len, f), *len);
    cr_assert_eq(fclose(f), 0);
    return bytes;
}

/* Whether any file of the home has these bytes. */
static bool files_have(const struct place *p, const char *needle)
{
    DIR *dir = opendir(p->dir);
    bool found = false;
    cr_assert_not_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[400];
        size_t len;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", p->dir, entry->d_name);
        uint8_t *bytes = file_bytes(path, &len);
        found = found || memmem(bytes, len, needle, strlen(needle)) != NULL;
        free(bytes);
    }
    closedir(dir);
    return found;
}

static void file_write(const char *path, const char *what, mode_t mode)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(what, f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(path, mode), 0);
}

static struct place place_with_passphrase(const char *phrase)
{
    struct place p = place_make();
    p.has_passphrase = true;
    file_write(p.phrase, phrase, 0600);
    return p;
}

/* ---- something of everything ---- */

static struct state_prekey prekey_of(uint64_t id)
{
    struct state_prekey prekey = {.kind = PREKEY_ONE_TIME, .id = id};
    memcpy(prekey.sk, PREKEY, sizeof prekey.sk);
    return prekey;
}

static void put_messages(struct state *s)
{
    static const char *const keys[] = {"one", "two"};
    for (uint8_t i = 0; i < 2; i++) {
        struct outbox_row row = {.state = MESSAGE_DRAFTED};
        struct outbox_body body = {.payload = text(PAYLOAD)};
        struct inbox_row in = {.sender_device = {{i}}, .id = {{9, i}}, .body = text(BODY)};
        struct state_prekey prekey = prekey_of(i + 1u);
        bool added;
        snprintf(row.key.text, sizeof row.key.text, "%s", keys[i]);
        memcpy(row.content.bytes, CONTENT, sizeof row.content.bytes);
        ok(state_outbox_put(s, &row));
        ok(state_body_put(s, row.order, &body));
        ok(state_inbox_put(s, &in, &added));
        ok(state_prekey_put(s, &prekey));
    }
}

static void put_everything(struct state *s)
{
    struct device_secrets secrets;
    memcpy(secrets.signing_sk, SIGNING, sizeof secrets.signing_sk);
    memcpy(secrets.identity_sk, AGREEMENT, sizeof secrets.identity_sk);
    memcpy(secrets.transport_sk, TRANSPORT, sizeof secrets.transport_sk);
    memcpy(secrets.next_identity_sk, NEXT, sizeof secrets.next_identity_sk);
    ok(state_begin(s, STATE_WRITE));
    ok(state_secrets_put(s, &secrets));
    ok(state_handle_put(s, text(HANDLE), (struct account_id){{1}}));
    put_messages(s);
    ok(state_commit(s));
}

/* The first failure of reading all of it back; OK when it is what put_everything put. */
static enum status get_everything(struct state *s)
{
    struct device_secrets secrets;
    struct state_prekey prekey;
    struct outbox_row row = {.order = 0};
    struct outbox_body body = {.payload = text("")};
    struct inbox_row rows[3];
    struct inbox_scan scan = {.rows = rows, .row_max = 3};
    struct arena a = {0};
    ok(state_begin(s, STATE_READ));
    enum status status = state_secrets_get(s, &secrets);
    for (uint64_t i = 1; i <= 2 && status == STATUS_OK; i++) {
        status = state_prekey_get(s, PREKEY_ONE_TIME, i, &prekey);
        if (status == STATUS_OK) status = state_outbox_get(s, i, &row);
        if (status == STATUS_OK) status = state_body_get(s, i, &a, &body);
        if (status != STATUS_OK) break;
        cr_assert_eq(memcmp(prekey.sk, PREKEY, 32), 0);
        cr_assert_eq(memcmp(row.content.bytes, CONTENT, 32), 0);
        cr_assert(view_equal(body.payload, text(PAYLOAD)));
    }
    if (status == STATUS_OK) status = state_inbox_scan(s, &scan, &a);
    state_rollback(s);
    if (status == STATUS_OK) {
        cr_assert_eq(memcmp(secrets.signing_sk, SIGNING, 64), 0);
        cr_assert_eq(memcmp(secrets.identity_sk, AGREEMENT, 32), 0);
        cr_assert_eq(memcmp(secrets.transport_sk, TRANSPORT, 32), 0);
        cr_assert_eq(memcmp(secrets.next_identity_sk, NEXT, 32), 0);
        cr_assert_eq(scan.row_count, 2u);
        cr_assert(view_equal(rows[0].body, text(BODY)) && view_equal(rows[1].body, text(BODY)));
    }
    arena_fini(&a);
    return status;
}

static void must_have_everything(struct place *p)
{
    struct state *s = must_open(p);
    ok(get_everything(s));
    state_close(&s);
}

/* A home with all of it, closed. */
static void place_fill(struct place *p)
{
    struct state *s = must_open(p);
    put_everything(s);
    state_close(&s);
}

/* ---- sealed values ---- */

Test(state_vault, no_secret_is_in_the_files_and_what_is_public_is)
{
    struct place p = place_make();
    struct state *s = must_open(&p);
    put_everything(s);
    cr_assert(files_have(&p, HANDLE), "the search finds what is there");
    cr_assert_not(files_have(&p, NEEDLE));
    ok(get_everything(s));
    state_close(&s);
    cr_assert(files_have(&p, HANDLE));
    cr_assert_not(files_have(&p, NEEDLE));
    must_have_everything(&p);
    place_drop(&p);
}

Test(state_vault, a_value_in_another_place_is_damaged)
{
    static const char *const moves[] = {
        "UPDATE secrets SET agreement = transport",
        "UPDATE secrets SET next_agreement = agreement",
        "UPDATE secrets SET signing = x''",
        "UPDATE prekey SET secret = (SELECT secret FROM prekey WHERE id = 2) WHERE id = 1",
        "UPDATE prekey SET secret = (SELECT agreement FROM secrets) WHERE id = 1",
        "UPDATE prekey SET secret = x'' WHERE id = 1",
        "UPDATE body SET payload = (SELECT payload FROM body WHERE ord = 2) WHERE ord = 1",
        "UPDATE body SET payload = x'00' WHERE ord = 1",
        "UPDATE inbox SET body = (SELECT body FROM inbox WHERE ord = 2) WHERE ord = 1",
        "UPDATE inbox SET body = substr(body, 1, length(body) - 1) WHERE ord = 1",
        "UPDATE inbox SET sender_device = x'77777777777777777777777777777777' WHERE ord = 1",
        "UPDATE outbox SET content = (SELECT content FROM outbox WHERE ord = 2) WHERE ord = 1",
        "UPDATE outbox SET content = x'' WHERE ord = 1",
    };
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        struct place p = place_make();
        place_fill(&p);
        run_sql(&p, "UPDATE handle SET account = account"); /* touching the file is no damage */
        must_have_everything(&p);
        run_sql(&p, moves[i]);
        struct state *s = must_open(&p);
        cr_assert_eq(get_everything(s), STATUS_DAMAGED, "%s", moves[i]);
        state_close(&s);
        place_drop(&p);
    }
}

Test(state_vault, of_a_secret_that_is_damaged_nothing_is_given)
{
    static const struct device_secrets none;
    struct place p = place_make();
    struct device_secrets secrets;
    place_fill(&p);
    run_sql(&p, "UPDATE secrets SET next_agreement = agreement");
    struct state *s = must_open(&p);
    memset(&secrets, 0x55, sizeof secrets);
    ok(state_begin(s, STATE_READ));
    cr_assert_eq(state_secrets_get(s, &secrets), STATUS_DAMAGED);
    cr_assert_eq(memcmp(&secrets, &none, sizeof none), 0);
    state_rollback(s);
    state_close(&s);
    place_drop(&p);
}

/* ---- key file ---- */

Test(state_vault, the_key_file_is_closed_to_others_and_stays_as_it_is)
{
    struct place p = place_make();
    struct stat st;
    size_t len, again;
    place_fill(&p);
    cr_assert_eq(stat(p.key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    uint8_t *first = file_bytes(p.key, &len);
    must_have_everything(&p);
    uint8_t *second = file_bytes(p.key, &again);
    cr_assert(len == again && memcmp(first, second, len) == 0);
    free(first);
    free(second);
    place_drop(&p);
}

/* The home is refused with these words, its database is as before, and with the key put back all is there. */
static void must_refuse_and_recover(struct place *p, const char *words, const uint8_t *key, size_t key_len)
{
    size_t len, again;
    uint8_t *before = file_bytes(p->path, &len);
    must_refuse(p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p->error, words), "%s", p->error);
    uint8_t *after = file_bytes(p->path, &again);
    cr_assert(len == again && memcmp(before, after, len) == 0);
    free(before);
    free(after);
    (void)unlink(p->key);
    FILE *f = fopen(p->key, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(key, 1, key_len, f), key_len);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(p->key, 0600), 0);
    must_have_everything(p);
}

Test(state_vault, a_home_without_its_own_key_is_refused_and_not_changed)
{
    struct place p = place_make(), other = place_make();
    size_t len, other_len;
    place_fill(&p);
    place_fill(&other);
    uint8_t *key = file_bytes(p.key, &len), *another = file_bytes(other.key, &other_len);
    another[other_len] = '\0';

    cr_assert_eq(unlink(p.key), 0);
    must_refuse_and_recover(&p, "is missing", key, len);
    cr_assert_eq(chmod(p.key, 0640), 0);
    must_refuse_and_recover(&p, "others may use", key, len);
    cr_assert_eq(truncate(p.key, (off_t)len - 1), 0);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    cr_assert_eq(truncate(p.key, 0), 0);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    cr_assert_eq(truncate(p.key, (off_t)len + 1), 0);
    must_refuse_and_recover(&p, "is larger than", key, len);
    file_write(p.key, "sealmq home key 2\n0000000000000000000000000000000000000000000000000000000000000000\n", 0600);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    file_write(p.key, "sealmq home key 1\n00000000000000000000000000000000000000000000000000000000000000zz\n", 0600);
    must_refuse_and_recover(&p, "is not a key file", key, len);
    file_write(p.key, (const char *)another, 0600);
    must_refuse_and_recover(&p, "another home", key, len);
    p.has_passphrase = true;
    file_write(p.phrase, "a passphrase\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "leave --passphrase-file out"), "%s", p.error);
    p.has_passphrase = false;
    must_have_everything(&p);
    free(key);
    free(another);
    place_drop(&p);
    place_drop(&other);
}

Test(state_vault, a_vault_row_that_does_not_follow_its_format_is_damaged)
{
    static const char *const damages[] = {
        "DELETE FROM vault", "UPDATE vault SET kind = 0", "UPDATE vault SET kind = 2",
        "UPDATE vault SET salt = x''", "UPDATE vault SET sealed = x'00'", "UPDATE vault SET dirty = 2",
        "UPDATE vault SET kind = 2, sealed = zeroblob(72), operations = 3, memory = 1 << 40",
        "UPDATE vault SET kind = 2, sealed = zeroblob(72), operations = 1 << 40, memory = 1 << 20",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct place p = place_make();
        place_fill(&p);
        run_sql(&p, damages[i]);
        must_refuse(&p, STATUS_DAMAGED);
        place_drop(&p);
    }
}

/* ---- passphrase ---- */

Test(state_vault, a_passphrase_opens_its_home_and_another_one_does_not)
{
    struct place p = place_with_passphrase("correct horse\nnot this line\n");
    place_fill(&p);
    cr_assert_neq(access(p.key, F_OK), 0, "there is no key file");
    cr_assert_not(files_have(&p, NEEDLE));
    file_write(p.phrase, "correct horse", 0600);
    must_have_everything(&p);
    file_write(p.phrase, "correct horse\r\nsomething else\n", 0600);
    must_have_everything(&p);
    file_write(p.phrase, "correct horsf\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "is not the one of this home"), "%s", p.error);
    file_write(p.phrase, "correct horse\n", 0600);
    must_have_everything(&p);
    place_drop(&p);
}

/* Without the time that Argon2id takes: all of them are refused before. */
Test(state_vault, a_passphrase_that_cannot_be_read_is_refused)
{
    struct place p = place_with_passphrase("correct horse\n");
    static char long_line[1100];
    place_fill(&p);
    cr_assert_eq(chmod(p.phrase, 0644), 0);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "others may use"), "%s", p.error);
    file_write(p.phrase, "\ncorrect horse\n", 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "is empty"), "%s", p.error);
    memset(long_line, 'x', sizeof long_line - 1);
    file_write(p.phrase, long_line, 0600);
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_eq(unlink(p.phrase), 0);
    must_refuse(&p, STATUS_CONFIG);
    p.has_passphrase = false;
    must_refuse(&p, STATUS_CONFIG);
    cr_assert_not_null(strstr(p.error, "this home has a passphrase"), "%s", p.error);
    cr_assert_neq(access(p.key, F_OK), 0, "no key file was made");
    place_drop(&p);
}

Test(state_vault, the_passphrases_terms_are_bound_to_the_key)
{
    static const char *const changes[] = {
        "UPDATE vault SET salt = zeroblob(16)",
        "UPDATE vault SET operations = 1",
        "UPDATE vault SET memory = 8192",
    };
    struct place p = place_with_passphrase("correct horse\n");
    place_fill(&p);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        run_sql(&p, "CREATE TABLE before AS SELECT * FROM vault");
        run_sql(&p, changes[i]);
        must_refuse(&p, STATUS_CONFIG);
        run_sql(&p, "DELETE FROM vault; INSERT INTO vault SELECT * FROM before; DROP TABLE before");
    }
    must_have_everything(&p);
    place_drop(&p);
}

/* ---- beginnings that are cut short ---- */

Test(state_vault, where_there_is_no_home_none_is_made_unasked)
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

/* Room for what SQLite shares between processes, and not for a database's first commit. */
#define ROOM_WITHOUT_COMMIT (36u * 1024)

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

Test(state_vault, an_init_killed_between_key_file_and_database_goes_on_with_that_key)
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

Test(state_vault, a_key_file_without_a_database_and_an_empty_database_without_a_key_file_are_beginnings)
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

/* A home as version 2 left it when its process was killed: part of it is in the WAL. */
static struct place old_place(void)
{
    struct place p = place_make();
    char text_of_version[100];
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(p.path, &db), SQLITE_OK);
    snprintf(text_of_version, sizeof text_of_version, "PRAGMA user_version=2; PRAGMA application_id=%d",
             SQLITE_APPLICATION_ID);
    cr_assert_eq(sqlite3_exec(db, SCHEMA_1 SCHEMA_2, NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, text_of_version, NULL, NULL, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, OLD_ROWS, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
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

Test(state_vault, a_home_of_before_is_sealed_and_nothing_of_it_stays_in_clear)
{
    struct place p = old_place();
    must_be_sealed_now(&p);
    cr_assert_eq(access(p.key, F_OK), 0);
    place_drop(&p);
}

Test(state_vault, a_home_of_before_gets_the_passphrase_that_it_is_opened_with)
{
    struct place p = old_place();
    file_write(p.phrase, "correct horse\n", 0600);
    p.has_passphrase = true;
    must_be_sealed_now(&p);
    cr_assert_neq(access(p.key, F_OK), 0);
    p.has_passphrase = false;
    must_refuse(&p, STATUS_CONFIG);
    place_drop(&p);
}

/* A reader needs the old pages: they go when it has gone. */
Test(state_vault, what_could_not_be_cleaned_is_cleaned_at_the_next_opening)
{
    struct place p = old_place();
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
Test(state_vault, an_upgrade_that_fails_leaves_the_home_as_it_was)
{
    struct place p = old_place();
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = ROOM_WITHOUT_COMMIT, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    must_refuse(&p, STATUS_IO);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(access(p.key, F_OK), 0, "it came as far as the key");
    run_sql(&p, "CREATE TEMP TABLE t (x CHECK (x)); INSERT INTO t SELECT user_version = 2 FROM pragma_user_version;"
                "INSERT INTO t SELECT signing = " BLOB(SIGNING) " FROM secrets;"
                "INSERT INTO t SELECT count(*) = 0 FROM sqlite_master WHERE name = 'vault'");
    must_be_sealed_now(&p);
    place_drop(&p);
}
