/* state_everything: a home with a secret in each of its sealed columns, and the search for them in its files. */
#ifndef SEALMQ_TESTS_STATE_EVERYTHING_H
#define SEALMQ_TESTS_STATE_EVERYTHING_H

#include "tests/contract/state_place.h"

#include <dirent.h>

#define SIGNING   "SECRETsigningSECRETsigningSECRETsigningSECRETsigningSECRETsignin" /* 64 */
#define AGREEMENT "SECRETagreementSECRETagreementSE"                                 /* 32 */
#define TRANSPORT "SECRETtransportSECRETtransportSE"
#define NEXT      "SECRETnextnextSECRETnextnextSECR"
#define PREKEY    "SECRETprekeySECRETprekeySECRETpr"
#define ROOT      "SECRETrootSECRETrootSECRETrootSE"
#define SKIPPED   "SECRETskippedSECRETskippedSECRET"
/* CONTENT_HEAD_LEN */
#define HEAD "SECRET head of a content SECRET head of a content SECRET head of a content SECRET head of a c"
#define CONTENT   "SECRETcontentSECRETcontentSECRET"
#define PAYLOAD   "SECRET text that was sent"
#define BODY      "SECRET text that was received"
#define NEEDLE    "SECRET"
#define HANDLE    "a-handle-in-clear"

static inline void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static inline struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

/* ---- what is on the disk ---- */

static inline uint8_t *file_bytes(const char *path, size_t *len)
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
static inline bool files_have(const struct place *p, const char *needle)
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

static inline void file_write(const char *path, const char *what, mode_t mode)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(what, f), 0);
    cr_assert_eq(fclose(f), 0);
    cr_assert_eq(chmod(path, mode), 0);
}

static inline struct place place_with_passphrase(const char *phrase)
{
    struct place p = place_make();
    p.has_passphrase = true;
    file_write(p.phrase, phrase, 0600);
    return p;
}

/* ---- something of everything ---- */

static inline struct state_prekey prekey_of(uint64_t id)
{
    struct state_prekey prekey = {.kind = PREKEY_ONE_TIME, .id = id};
    memcpy(prekey.sk, PREKEY, sizeof prekey.sk);
    return prekey;
}

static inline struct state_session session_of(void)
{
    struct state_session row = {.peer = {{1}}, .rank = 1};
    memcpy(row.session.ratchet.root, ROOT, sizeof row.session.ratchet.root);
    return row;
}

static inline struct skipped skipped_of(uint32_t number)
{
    struct skipped row = {.key = {{7}}, .number = number};
    memcpy(row.sk.bytes, SKIPPED, sizeof row.sk.bytes);
    return row;
}

static inline void put_messages(struct state *s)
{
    static const char *const keys[] = {"one", "two"};
    for (uint8_t i = 0; i < 2; i++) {
        struct outbox_row row = {.state = MESSAGE_DRAFTED};
        struct outbox_body body = {.payload = text(PAYLOAD), .head = text(HEAD)};
        struct inbox_row in = {.sender_device = {{i}}, .id = {{9, i}}, .body = text(BODY), .head = text(HEAD)};
        struct state_prekey prekey = prekey_of(i + 1u);
        struct state_session session = session_of();
        struct skipped skipped = skipped_of(i + 1u);
        bool added;
        snprintf(row.key.text, sizeof row.key.text, "%s", keys[i]);
        memcpy(row.content.bytes, CONTENT, sizeof row.content.bytes);
        ok(state_outbox_put(s, &row));
        ok(state_body_put(s, row.order, &body));
        ok(state_inbox_put(s, &in, &added));
        ok(state_prekey_put(s, &prekey));
        ok(state_session_put(s, &session));
        ok(state_skipped_put(s, 1, &skipped));
    }
}

static inline void put_everything(struct state *s)
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

/* What get_everything has read. */
struct everything {
    struct device_secrets secrets;
    struct state_prekey prekey;
    struct outbox_row row;
    struct outbox_body body;
    struct message_sk skipped;
    struct inbox_row rows[3];
    struct state_session sessions[STATE_SESSIONS_MAX];
};

static inline enum status get_pair(struct state *s, uint64_t i, struct arena *a, struct everything *e)
{
    struct ratchet_place place = {.key = {{7}}, .number = (uint32_t)i};
    enum status status = state_prekey_get(s, PREKEY_ONE_TIME, i, &e->prekey);
    if (status == STATUS_OK) status = state_outbox_get(s, i, &e->row);
    if (status == STATUS_OK) status = state_body_get(s, i, a, &e->body);
    if (status == STATUS_OK) status = state_skipped_get(s, 1, &place, &e->skipped);
    if (status != STATUS_OK) return status;
    cr_assert_eq(memcmp(e->prekey.sk, PREKEY, 32), 0);
    cr_assert_eq(memcmp(e->row.content.bytes, CONTENT, 32), 0);
    cr_assert(view_equal(e->body.payload, text(PAYLOAD)) && view_equal(e->body.head, text(HEAD)));
    cr_assert_eq(memcmp(e->skipped.bytes, SKIPPED, 32), 0);
    return STATUS_OK;
}

static inline enum status get_lists(struct state *s, struct arena *a, struct everything *e)
{
    struct inbox_scan scan = {.rows = e->rows, .row_max = 3};
    struct session_scan sessions = {.peer = {{1}}, .rows = e->sessions};
    enum status status = state_inbox_scan(s, &scan, a);
    if (status == STATUS_OK) status = state_session_scan(s, &sessions);
    if (status != STATUS_OK) return status;
    cr_assert(scan.row_count == 2 && sessions.count == 2);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(view_equal(e->rows[i].body, text(BODY)) && view_equal(e->rows[i].head, text(HEAD)));
        cr_assert_eq(memcmp(e->sessions[i].session.ratchet.root, ROOT, 32), 0);
    }
    return STATUS_OK;
}

/* The first failure of reading all of it back; OK when it is what put_everything put. */
static inline enum status get_everything(struct state *s)
{
    struct everything *e = calloc(1, sizeof *e);
    struct arena a = {0};
    ok(state_begin(s, STATE_READ));
    enum status status = state_secrets_get(s, &e->secrets);
    if (status == STATUS_OK) {
        cr_assert_eq(memcmp(e->secrets.signing_sk, SIGNING, 64), 0);
        cr_assert_eq(memcmp(e->secrets.identity_sk, AGREEMENT, 32), 0);
        cr_assert_eq(memcmp(e->secrets.transport_sk, TRANSPORT, 32), 0);
        cr_assert_eq(memcmp(e->secrets.next_identity_sk, NEXT, 32), 0);
    }
    for (uint64_t i = 1; i <= 2 && status == STATUS_OK; i++)
        status = get_pair(s, i, &a, e);
    if (status == STATUS_OK) status = get_lists(s, &a, e);
    state_rollback(s);
    arena_fini(&a);
    free(e);
    return status;
}

static inline void must_have_everything(struct place *p)
{
    struct state *s = must_open(p);
    ok(get_everything(s));
    state_close(&s);
}

/* A home with all of it, closed. */
static inline void place_fill(struct place *p)
{
    struct state *s = must_open(p);
    put_everything(s);
    state_close(&s);
}

/* Of a file: room for what SQLite shares between processes, and not for a commit that makes tables. */
#define ROOM_WITHOUT_COMMIT (36u * 1024)

#endif
