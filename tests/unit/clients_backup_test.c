/* Backups on the client (PROTOCOL 6.7): what is in one, how it goes to a relay and comes back, and what is not believed. */
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

/* The relay's backup of our account. */
struct shelf {
    struct fixture *f;
    struct msg_backup_has has;
    uint32_t of;
    struct buffer parts[BACKUP_PARTS_MAX];
    size_t loses; /* answers that do not come */
};

static void relay_put(struct shelf *sh)
{
    struct msg_backup_put m;
    struct frame frame = said(sh->f, KIND_BACKUP_PUT, &msg_backup_put_desc, &m);
    bool again = m.version == sh->has.version && memcmp(&sh->has.id, &m.id, sizeof m.id) == 0;
    cr_assert(again || (m.version > sh->has.version && m.previous == sh->has.version));
    bool coming = sh->has.coming_version == m.version && memcmp(&sh->has.coming_id, &m.id, sizeof m.id) == 0;
    if (m.part == 0 && !coming && !again) {
        sh->has.coming_version = m.version;
        sh->has.coming_id = m.id;
        sh->has.coming_parts = 0;
        sh->of = m.of;
    }
    if (!again && m.part == sh->has.coming_parts) {
        buffer_clear(&sh->parts[m.part]);
        write_view(&sh->parts[m.part], m.bytes);
        if (++sh->has.coming_parts == sh->of)
            sh->has = (struct msg_backup_has){.version = m.version, .id = m.id, .parts = sh->of};
    }
    if (sh->loses && sh->loses--) return;
    answer(sh->f, &frame, KIND_BACKUP_HAS, &msg_backup_has_desc, &sh->has);
}

static void relay_get(struct shelf *sh)
{
    struct msg_backup_get m;
    struct frame frame = said(sh->f, KIND_BACKUP_GET, &msg_backup_get_desc, &m);
    struct msg_backup_is is = {.has = sh->has};
    if (m.version && m.version == sh->has.version) is.bytes = buffer_view(&sh->parts[m.part]);
    answer(sh->f, &frame, KIND_BACKUP_IS, &msg_backup_is_desc, &is);
}

static struct backup_view view(struct shelf *sh)
{
    struct backup_view v;
    engine_backup_view(sh->f->e, &v);
    return v;
}

static struct backup_view acts(struct shelf *sh, enum backup_action action, const uint8_t *key)
{
    ok(engine_backup(sh->f->e, sh->f->now, action, key));
    turn(sh->f);
    for (unsigned n = 0; view(sh).stage == BACKUP_UNDER_WAY; n++) {
        cr_assert_lt(n, 400u, "it does not end");
        if (said_count(sh->f, KIND_BACKUP_PUT)) relay_put(sh);
        if (said_count(sh->f, KIND_BACKUP_GET)) relay_get(sh);
        pass(sh->f, 300);
    }
    return view(sh);
}

static struct backup_view goes(struct shelf *sh, bool take, const uint8_t *key)
{
    return acts(sh, take ? BACKUP_TAKE : BACKUP_MAKE, key);
}

static struct contact bob_as_held(struct fixture *f)
{
    struct contact c;
    ok(state_begin(f->state, STATE_READ));
    ok(state_contact_get(f->state, f->bob.account, &c));
    ok(state_commit(f->state));
    return c;
}

static void shelf_run(struct fixture *f, void (*body)(struct shelf *sh))
{
    static struct shelf shelf;
    shelf = (struct shelf){.f = f};
    know_bob(f);
    bind_session(f);
    answer_lookups(f);
    said_forget(f);
    backup_recovery_set(f);
    body(&shelf);
    for (size_t i = 0; i < BACKUP_PARTS_MAX; i++)
        buffer_fini(&shelf.parts[i]);
}

#define BACKUP_TEST(name)                                                                          \
    static void name##_body(struct shelf *sh);                                                     \
    ENGINE_TEST(backup, name)                                                                      \
    {                                                                                              \
        shelf_run(f, name##_body);                                                                 \
    }                                                                                              \
    static void name##_body(struct shelf *sh)

BACKUP_TEST(it_goes_to_the_relay_and_comes_back)
{
    struct backup_view v = goes(sh, false, NULL);
    cr_assert_eq(v.stage, BACKUP_DONE, "%s", status_name(v.status));
    cr_assert(v.version == 1 && v.summary.contacts == 1 && !v.summary.named && !v.older);
    cr_assert_eq(sh->has.version, 1u);
    v = goes(sh, true, NULL);
    cr_assert_eq(v.stage, BACKUP_DONE, "%s", status_name(v.status));
    cr_assert(v.summary.contacts == 1 && v.summary.known == 1);
    v = goes(sh, false, NULL);
    cr_assert_eq(v.version, 2u);
}

/* Whether messages go along is remembered, also by a home that got some. */
BACKUP_TEST(messages_go_along_where_that_was_said)
{
    static const struct { enum backup_action action; size_t messages; } steps[] = {
        {BACKUP_MAKE, 0}, {BACKUP_MAKE_WITH_HISTORY, 2}, {BACKUP_MAKE, 2}, {BACKUP_MAKE_WITHOUT_HISTORY, 0}, {BACKUP_MAKE, 0},
        {BACKUP_MAKE_WITH_HISTORY, 2}};
    deliver_some(sh->f, 1, 2);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct backup_view v = acts(sh, steps[i].action, NULL);
        cr_assert_eq(v.stage, BACKUP_DONE, "%s", status_name(v.status));
        cr_assert_eq(v.summary.messages, steps[i].messages, "step %zu", i);
    }
    ok(state_begin(sh->f->state, STATE_WRITE));
    ok(state_setting_put(sh->f->state, "backup.history", view_of(NULL, 0)));
    ok(state_commit(sh->f->state));
    struct backup_view v = goes(sh, true, NULL);
    cr_assert(v.stage == BACKUP_DONE && v.summary.messages == 2 && v.summary.messages_known == 2);
    cr_assert_eq(goes(sh, false, NULL).summary.messages, 2u);
}

BACKUP_TEST(a_lost_answer_costs_only_time)
{
    sh->loses = 2;
    struct backup_view v = goes(sh, false, NULL);
    cr_assert_eq(v.stage, BACKUP_DONE, "%s", status_name(v.status));
}

BACKUP_TEST(without_a_key_there_is_none)
{
    ok(state_begin(sh->f->state, STATE_WRITE));
    ok(state_kept_key_put(sh->f->state, KEPT_BACKUP, NULL));
    ok(state_setting_put(sh->f->state, "backup.of", view_of(NULL, 0)));
    ok(state_commit(sh->f->state));
    cr_assert_eq(engine_backup(sh->f->e, sh->f->now, BACKUP_MAKE, NULL), STATUS_NOT_FOUND);
    struct backup_view v = goes(sh, false, backup_key);
    cr_assert_eq(v.stage, BACKUP_DONE);
    v = goes(sh, false, NULL); /* it is kept from then on */
    cr_assert_eq(v.stage, BACKUP_DONE);
}

BACKUP_TEST(another_key_opens_nothing)
{
    static const uint8_t other[32] = {1};
    struct backup_view v = goes(sh, true, NULL);
    cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_NOT_FOUND, "there is none");
    (void)goes(sh, false, NULL);
    v = goes(sh, true, other);
    cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_BAD_ENTRY);
}

BACKUP_TEST(a_relay_with_an_older_one_is_told_of)
{
    (void)goes(sh, false, NULL);
    struct msg_backup_has old = sh->has;
    struct buffer copy = {0};
    write_view(&copy, buffer_view(&sh->parts[0]));
    (void)goes(sh, false, NULL);
    sh->has = old;
    buffer_clear(&sh->parts[0]);
    write_view(&sh->parts[0], buffer_view(&copy));
    struct backup_view v = goes(sh, true, NULL);
    cr_assert(v.stage == BACKUP_DONE && v.older && v.version == 1);
    v = goes(sh, false, NULL);
    cr_assert(v.older && v.version == 3, "no version comes twice");
    buffer_fini(&copy);
}

BACKUP_TEST(what_the_relay_has_changed_does_not_open)
{
    (void)goes(sh, false, NULL);
    for (size_t i = 0; i < sh->parts[0].len; i += 97) {
        sh->parts[0].at[i] ^= 4;
        struct backup_view v = goes(sh, true, NULL);
        cr_assert(v.stage == BACKUP_FAILED && v.status == STATUS_BAD_ENTRY);
        sh->parts[0].at[i] ^= 4;
    }
    sh->has.version++; /* the same bytes as another version, to seem newer */
    cr_assert_eq(goes(sh, true, NULL).status, STATUS_BAD_ENTRY);
    sh->has.version--;
    sh->has.id.bytes[0] ^= 1;
    cr_assert_eq(goes(sh, true, NULL).status, STATUS_BAD_ENTRY);
    sh->has.id.bytes[0] ^= 1;
    sh->has.parts++;
    cr_assert_eq(goes(sh, true, NULL).status, STATUS_BAD_ENTRY);
    sh->has.parts--;
    cr_assert_eq(goes(sh, true, NULL).stage, BACKUP_DONE);
}

/* ---- what is in one ---- */

static struct buffer written(struct fixture *f)
{
    struct buffer out = {0};
    struct backup_summary summary;
    ok(state_begin(f->state, STATE_READ));
    ok(backup_write_in(f->state, 77, SIZE_MAX, false, &out, &summary));
    ok(state_commit(f->state));
    return out;
}

BACKUP_TEST(a_contact_comes_with_its_history_its_name_and_its_mark)
{
    struct fixture *f = sh->f;
    struct contact bob = bob_as_held(f), back;
    struct account_id named;
    struct backup_summary summary;
    bob.verified_ms = 12345;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_contact_put(f->state, &bob));
    ok(state_commit(f->state));
    struct buffer content = written(f), again = written(f);
    cr_assert(view_equal(buffer_view(&content), buffer_view(&again)), "one encoding");
    struct state *home = backup_home_of(f, &f->me);
    ok(backup_taken(home, buffer_view(&content), &summary));
    cr_assert(summary.contacts == 1 && summary.known == 0 && summary.made_ms == 77);
    ok(state_begin(home, STATE_READ));
    ok(state_contact_get(home, f->bob.account, &back));
    ok(state_handle_get(home, text("bob"), &named));
    state_rollback(home);
    cr_assert_eq(memcmp(&back.log, &bob.log, sizeof bob.log), 0);
    cr_assert_eq(back.verified_ms, 12345u);
    cr_assert_eq(memcmp(&named, &f->bob.account, sizeof named), 0);
    ok(backup_taken(home, buffer_view(&content), &summary));
    cr_assert_eq(summary.known, 1u);
    buffer_fini(&content);
    buffer_fini(&again);
    state_close(&home);
}

/* bob as the home holds him, after a backup of him as he is here has been taken there. */
static struct contact back_from(struct fixture *f, const struct contact *bob)
{
    struct contact back;
    struct backup_summary summary;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_contact_put(f->state, bob));
    ok(state_commit(f->state));
    struct buffer content = written(f);
    struct state *home = backup_home_of(f, &f->me);
    ok(backup_taken(home, buffer_view(&content), &summary));
    ok(state_begin(home, STATE_READ));
    ok(state_contact_get(home, bob->log.account, &back));
    state_rollback(home);
    buffer_fini(&content);
    state_close(&home);
    return back;
}

BACKUP_TEST(a_contact_in_doubt_comes_back_in_doubt)
{
    struct contact bob = bob_as_held(sh->f), back;
    bob.hold = LOSS_FORK;
    bob.hold_ms = 4321;
    back = back_from(sh->f, &bob);
    cr_assert(back.hold == LOSS_FORK && back.hold_ms == 4321u, "its messages wait there, too");
    bob.hold = LOSS_NONE;
    bob.loss = LOSS_RECOVERY;
    bob.lost_ms = 55;
    back = back_from(sh->f, &bob);
    cr_assert(back.hold == LOSS_RECOVERY && back.loss == LOSS_RECOVERY && back.lost_ms == 55u);
    bob.loss = LOSS_NONE;
    bob.lost_ms = 0;
    cr_assert_eq(back_from(sh->f, &bob).hold, LOSS_NONE);
    bob.verified_ms = 7;
    cr_assert_eq(back_from(sh->f, &bob).hold, LOSS_NONE);
}

BACKUP_TEST(what_does_not_follow_the_format_is_taken_nowhere)
{
    struct fixture *f = sh->f;
    struct buffer content = written(f);
    struct backup_summary summary;
    struct state *home = backup_home_of(f, &f->me);
    struct contact back;
    for (size_t len = 0; len < content.len; len++)
        cr_assert_neq(backup_taken(home, view_of(content.at, len), &summary), STATUS_OK, "%zu", len);
    for (size_t i = 0; i < content.len; i++) {
        bool harmless = i >= 1 && i < 9; /* when it was made */
        uint8_t was = content.at[i];
        content.at[i] ^= 0x41;
        enum status s = backup_taken(home, buffer_view(&content), &summary);
        content.at[i] = was;
        if (s != STATUS_OK || harmless) continue;
        struct state *fresh = backup_home_of(f, &f->me); /* a mark, a time, a letter of a name: what a key's holder may write */
        state_close(&home);
        home = fresh;
    }
    write_u8(&content, 0);
    cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_MALFORMED, "nothing follows");
    ok(state_begin(home, STATE_READ));
    cr_assert_eq(state_contact_get(home, f->bob.account, &back), STATUS_NOT_FOUND);
    state_rollback(home);
    buffer_fini(&content);
    state_close(&home);
}

BACKUP_TEST(a_log_of_ours_that_is_shorter_than_the_backup_knew_is_told)
{
    struct fixture *f = sh->f;
    struct buffer content = written(f);
    struct backup_summary summary;
    struct state *home = backup_home_of(f, &f->me);
    put_u64(content.at + 1 + 8 + 32, 2);
    cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_RELAY_BEHIND);
    put_u64(content.at + 1 + 8 + 32, 1);
    content.at[1 + 8 + 32 + 8] ^= 1; /* another head at that length */
    cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_RELAY_BEHIND);
    content.at[1 + 8 + 32 + 8] ^= 1;
    content.at[1 + 8] ^= 1; /* another account's */
    cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_BAD_ENTRY);
    content.at[1 + 8] ^= 1;
    ok(backup_taken(home, buffer_view(&content), &summary));
    buffer_fini(&content);
    state_close(&home);
}

/* What a device is offered that joins (PROTOCOL 6.5) has a bound, and comes before the account's log. */
BACKUP_TEST(what_has_no_room_goes_by_name_and_then_not_at_all)
{
    struct fixture *f = sh->f;
    struct buffer whole = written(f), out = {0};
    struct backup_summary summary;
    struct state *home = backup_home_of(f, &f->me);
    ok(state_begin(f->state, STATE_READ));
    ok(backup_write_in(f->state, 77, whole.len - 1, false, &out, &summary));
    cr_assert(summary.contacts == 1 && summary.named == 1 && summary.left == 0);
    cr_assert_lt(out.len, whole.len);
    ok(backup_taken(home, buffer_view(&out), &summary));
    cr_assert(summary.contacts == 1 && summary.named == 1);
    buffer_clear(&out);
    ok(backup_write_in(f->state, 77, 100, false, &out, &summary));
    cr_assert(summary.contacts == 0 && summary.left == 1);
    ok(state_commit(f->state));
    ok(backup_taken(home, buffer_view(&out), &summary));
    cr_assert_eq(summary.contacts, 0u);
    buffer_fini(&whole);
    buffer_fini(&out);
    state_close(&home);
}

/* One account after the other writes to us: anybody can make as many as he likes. */
static void strangers_come(struct fixture *f, unsigned count)
{
    static uint8_t entry[ENTRY_LEN_MAX];
    struct contact c = bob_as_held(f);
    ok(state_begin(f->state, STATE_WRITE));
    for (unsigned i = 0; i < count; i++) {
        memset(&c.log.account, 0, sizeof c.log.account);
        put_u32(c.log.account.bytes, i + 1); /* before all others in the order of a backup */
        c.log.length = 28;
        c.verified_ms = 0;
        ok(state_contact_put(f->state, &c));
        for (uint64_t at = 0; at < c.log.length; at++)
            ok(state_entry_put(f->state, c.log.account, at, view_of(entry, sizeof entry)));
    }
    ok(state_commit(f->state));
}

static bool is_in(struct state *home, struct account_id account)
{
    struct contact c;
    ok(state_begin(home, STATE_READ));
    enum status s = state_contact_get(home, account, &c);
    ok(state_commit(home));
    return s == STATUS_OK;
}

BACKUP_TEST(strangers_do_not_push_out_whom_the_user_knows)
{
    struct fixture *f = sh->f;
    struct buffer alone = written(f), out = {0};
    struct backup_summary summary;
    strangers_come(f, 400);
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_handle_pin(f->state, view_of("bob", 3), f->bob.account));
    ok(backup_write_in(f->state, 77, alone.len + 400, false, &out, &summary));
    ok(state_commit(f->state));
    cr_assert_leq(out.len, alone.len + 400);
    cr_assert(summary.contacts > 1 && summary.contacts + summary.left == 401, "%zu %zu", summary.contacts, summary.left);
    struct state *home = backup_home_of(f, &f->me);
    ok(backup_taken(home, buffer_view(&out), &summary));
    cr_assert(is_in(home, f->bob.account));
    buffer_fini(&alone);
    buffer_fini(&out);
    state_close(&home);
}

BACKUP_TEST(what_strangers_have_written_does_not_end_backups)
{
    strangers_come(sh->f, 200);
    struct backup_view v = goes(sh, false, NULL);
    cr_assert_eq(v.stage, BACKUP_DONE, "%s", status_name(v.status));
    cr_assert(v.summary.named > 0 && v.summary.contacts + v.summary.left == 201, "%zu %zu", v.summary.contacts, v.summary.named);
    cr_assert_eq(sh->has.version, 1u);
}

BACKUP_TEST(what_is_offered_may_know_more_of_our_log_and_be_of_a_later_version)
{
    struct fixture *f = sh->f;
    struct buffer content = written(f);
    struct backup_summary summary;
    struct state *home = backup_home_of(f, &f->me);
    put_u64(content.at + 1 + 8 + 32, 2);
    cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_RELAY_BEHIND);
    ok(state_begin(home, STATE_WRITE));
    ok(backup_take_offered_in(home, buffer_view(&content), &summary));
    cr_assert_eq(summary.contacts, 1u);
    content.at[0]++;
    ok(backup_take_offered_in(home, buffer_view(&content), &summary));
    cr_assert_eq(summary.contacts, 0u);
    content.at[0] = 0;
    cr_assert_eq(backup_take_offered_in(home, buffer_view(&content), &summary), STATUS_MALFORMED);
    state_rollback(home);
    buffer_fini(&content);
    state_close(&home);
}
