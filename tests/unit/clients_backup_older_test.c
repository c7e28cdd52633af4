/* The backup before the newest (PROTOCOL 6.7): taken where the newest does not open, which a device of the account may have put there. */
#include "clients/backup.h"
#include "clients/seal/backup.h"
#include "tests/unit/clients_backup_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

/* One backup of one part; two of them as the relay has them. */
struct kept {
    struct msg_backup_has has;
    struct buffer newest, older;
};

static void relay_put(struct fixture *f, struct kept *k)
{
    struct msg_backup_put m;
    struct frame frame = said(f, KIND_BACKUP_PUT, &msg_backup_put_desc, &m);
    cr_assert(m.previous == k->has.version && m.of == 1);
    struct msg_backup_has was = k->has;
    buffer_clear(&k->older);
    write_view(&k->older, buffer_view(&k->newest));
    buffer_clear(&k->newest);
    write_view(&k->newest, m.bytes);
    k->has = (struct msg_backup_has){.version = m.version, .id = m.id, .parts = 1, .older_version = was.version, .older_id = was.id,
                                     .older_parts = was.parts};
    answer(f, &frame, KIND_BACKUP_HAS, &msg_backup_has_desc, &k->has);
}

static void relay_get(struct fixture *f, struct kept *k)
{
    struct msg_backup_get m;
    struct frame frame = said(f, KIND_BACKUP_GET, &msg_backup_get_desc, &m);
    struct msg_backup_is is = {.has = k->has};
    if (m.version && m.version == k->has.version) is.bytes = buffer_view(&k->newest);
    if (m.version && m.version == k->has.older_version) is.bytes = buffer_view(&k->older);
    answer(f, &frame, KIND_BACKUP_IS, &msg_backup_is_desc, &is);
}

static struct backup_view goes(struct fixture *f, struct kept *k, bool take)
{
    struct backup_view v;
    ok(engine_backup(f->e, f->now, take, NULL));
    turn(f);
    for (unsigned n = 0; engine_backup_view(f->e, &v), v.stage == BACKUP_UNDER_WAY; n++) {
        cr_assert_lt(n, 100u, "it does not end");
        if (said_count(f, KIND_BACKUP_PUT)) relay_put(f, k);
        if (said_count(f, KIND_BACKUP_GET)) relay_get(f, k);
        pass(f, 300);
    }
    return v;
}

/* Two backups of this home. */
static void kept_init(struct fixture *f, struct kept *k)
{
    *k = (struct kept){.has = {.version = 0}};
    know_bob(f);
    bind_session(f);
    answer_lookups(f);
    said_forget(f);
    backup_recovery_set(f);
    cr_assert_eq(goes(f, k, false).stage, BACKUP_DONE);
    cr_assert_eq(goes(f, k, false).stage, BACKUP_DONE);
    cr_assert(k->has.version == 2 && k->has.older_version == 1);
}

static void kept_fini(struct kept *k)
{
    buffer_fini(&k->newest);
    buffer_fini(&k->older);
}

#define OLDER_TEST(name)                                                                           \
    static void name##_body(struct fixture *f, struct kept *k);                                    \
    ENGINE_TEST(backup_older, name)                                                                \
    {                                                                                              \
        struct kept k;                                                                             \
        kept_init(f, &k);                                                                          \
        name##_body(f, &k);                                                                        \
        kept_fini(&k);                                                                             \
    }                                                                                              \
    static void name##_body(struct fixture *f, struct kept *k)

OLDER_TEST(the_newest_is_taken_where_it_opens)
{
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_DONE && v.version == 2 && !v.fallback);
}

OLDER_TEST(the_one_before_is_taken_where_it_does_not)
{
    k->newest.at[70] ^= 1;
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_DONE && v.version == 1 && v.fallback && v.summary.contacts == 1, "%s", status_name(v.status));
    v = goes(f, k, false);
    cr_assert(v.stage == BACKUP_DONE && v.version == 3 && !v.fallback, "the next one is behind both");
}

/* Sealed under the right key, as a device of the account can. */
static void newest_says(struct fixture *f, struct kept *k, size_t len)
{
    static uint8_t plain[4096];
    const struct backup_place place = {.account = f->me.account, .version = k->has.version, .id = k->has.id, .of = 1};
    memset(plain, 0x5c, sizeof plain);
    put_u32(plain, (uint32_t)len);
    buffer_clear(&k->newest);
    backup_seal(backup_key, &place, view_of(plain, sizeof plain), (uint8_t[24]){1}, &k->newest);
}

OLDER_TEST(so_it_is_where_what_opens_is_no_backup)
{
    newest_says(f, k, 100);
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_DONE && v.version == 1 && v.fallback);
    newest_says(f, k, 5000);
    v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_DONE && v.version == 1 && v.fallback);
}

OLDER_TEST(where_neither_opens_it_fails_and_is_not_tried_for_ever)
{
    k->newest.at[70] ^= 1;
    k->older.at[70] ^= 1;
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_BAD_ENTRY);
}

OLDER_TEST(where_there_is_none_before_it_fails)
{
    k->newest.at[70] ^= 1;
    k->has.older_version = 0;
    k->has.older_parts = 0;
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_BAD_ENTRY && !v.fallback);
}

OLDER_TEST(one_before_that_cannot_be_is_not_asked_for)
{
    k->newest.at[70] ^= 1;
    k->has.older_parts = BACKUP_PARTS_MAX + 1;
    struct backup_view v = goes(f, k, true);
    cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_BAD_ENTRY);
}

OLDER_TEST(a_newer_one_that_comes_meanwhile_is_looked_at_first)
{
    struct buffer good = {0};
    write_view(&good, buffer_view(&k->newest));
    k->newest.at[70] ^= 1;
    ok(engine_backup(f->e, f->now, true, NULL));
    turn(f);
    relay_get(f, k); /* what there is */
    pass(f, 300);
    relay_get(f, k); /* and its part, which does not open */
    k->has.older_id.bytes[0] ^= 1; /* another device has made some */
    buffer_clear(&k->newest);
    write_view(&k->newest, buffer_view(&good));
    struct backup_view v;
    for (unsigned n = 0; engine_backup_view(f->e, &v), v.stage == BACKUP_UNDER_WAY; n++) {
        cr_assert_lt(n, 100u, "it does not end");
        if (said_count(f, KIND_BACKUP_GET)) relay_get(f, k);
        pass(f, 300);
    }
    cr_assert(v.stage == BACKUP_DONE && v.version == 2 && !v.fallback);
    buffer_fini(&good);
}
