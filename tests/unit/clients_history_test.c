/* What a home holds of its conversations, and how it goes into a backup and comes back (PROTOCOL 6.7). */
#include "clients/backup_content.h"
#include "clients/history.h"
#include "tests/unit/clients_backup_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

/* ---- a conversation ---- */

static uint64_t sends(struct fixture *f, const char *words, uint64_t ttl_ms, uint64_t accepted_ms)
{
    struct sent s;
    struct outbox_row row;
    ok(engine_send(f->e, f->now, &(struct engine_message){.handle = text("bob"), .payload = text(words), .ttl_ms = ttl_ms}, &row));
    turn(f);
    said_send(f, &s);
    accept_all(f, &s);
    row = row_at(f, row.order);
    cr_assert_eq(row.state, MESSAGE_ACCEPTED);
    row.receipt.accepted_ms = accepted_ms;
    row.expires_ms = accepted_ms + ttl_ms;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_outbox_put(f->state, &row));
    ok(state_commit(f->state));
    return row.order;
}

static void settles(struct fixture *f, uint64_t order)
{
    hint(f, row_at(f, order).id, part_of(f, 0, OUTCOME_SETTLED, 1));
    cr_assert_eq(state_of(f, order), MESSAGE_SETTLED);
}

static void receives(struct fixture *f, uint64_t seq, uint64_t accepted_ms, uint64_t expires_ms)
{
    struct incoming in = deliveries(f, seq, 1);
    in.items[0].accepted_ms = accepted_ms;
    in.items[0].expires_ms = expires_ms;
    deliver_only(f, &in);
}

/* "m@5 bob<hello@7": the words of each, those of our own behind a '<', with their times. */
static const char *told(struct fixture *f, struct state *state)
{
    static char out[400];
    struct buffer places = {0};
    struct history_item m;
    struct state_identity me;
    size_t len = 0;
    out[0] = '\0';
    ok(state_begin(state, STATE_READ));
    ok(history_list_in(state, &places));
    ok(state_identity_get(state, &f->arena, &me));
    const struct history_owner owner = {me.account, me.device};
    for (size_t i = 0; i < places.len / sizeof(struct history_place); i++) {
        enum status s = history_get_in(state, &f->arena, &owner, (struct history_place *)(void *)places.at + i, &m);
        if (s == STATUS_NOT_FOUND) continue;
        ok(s);
        bool own = memcmp(&m.sender, &f->me.account, sizeof m.sender) == 0;
        if (own) cr_assert_eq(memcmp(&m.to, &f->bob.account, sizeof m.to), 0);
        len += (size_t)snprintf(out + len, sizeof out - len, "%s%s%.*s@%u", len ? " " : "", own ? "<" : "", (int)m.payload.len,
                                (const char *)m.payload.at, (unsigned)m.accepted_ms);
    }
    state_rollback(state);
    buffer_fini(&places);
    return out;
}

ENGINE_TEST(history, both_sides_are_told_in_the_order_of_their_acceptance)
{
    bob_and_session(f);
    receives(f, 1, 50, 0);
    uint64_t settled = sends(f, "one", 0, 30);
    (void)sends(f, "two", 0, 70);
    cr_assert_str_eq(told(f, f->state), "<one@30 m@50 <two@70");
    take_all(f);
    settles(f, settled);
    cr_assert_str_eq(told(f, f->state), "<one@30 m@50 <two@70", "words outlive their settling");
    ok(engine_contact_set(f->e, f->now, f->bob.account, CONTACT_BLOCKED));
    receives(f, 2, 90, 0);
    cr_assert_str_eq(told(f, f->state), "<one@30 m@50 <two@70", "what is withheld is not told");
    ok(engine_contact_set(f->e, f->now, f->bob.account, CONTACT_NONE));
    cr_assert_str_eq(told(f, f->state), "<one@30 m@50 <two@70 m@90");
}

ENGINE_TEST(history, what_was_to_live_for_a_time_loses_its_words_when_it_is_settled)
{
    bob_and_session(f);
    uint64_t order = sends(f, "soon gone", 60000, 30);
    cr_assert_str_eq(told(f, f->state), "<soon gone@30");
    settles(f, order);
    cr_assert_str_eq(told(f, f->state), "");
}

ENGINE_TEST(history, what_was_not_accepted_is_none)
{
    bob_and_session(f);
    (void)write_to(f, "bob", "waits", NULL);
    cr_assert_str_eq(told(f, f->state), "");
}

/* ---- in a backup ---- */

/* Another home of the same account. */
static struct state *home_of(struct fixture *f)
{
    struct state_identity me = f->me;
    me.device.bytes[0] ^= 1;
    return backup_home_of(f, &me);
}

static struct buffer written(struct fixture *f, size_t len_max, struct backup_summary *summary)
{
    struct buffer out = {0};
    ok(state_begin(f->state, STATE_READ));
    ok(backup_write_in(f->state, 77, len_max, true, &out, summary));
    ok(state_commit(f->state));
    return out;
}

static void converse(struct fixture *f)
{
    bob_and_session(f);
    receives(f, 1, 50, 0);
    receives(f, 2, 60, 61); /* was to live for a time */
    (void)sends(f, "one", 0, 30);
    (void)sends(f, "a secret", 60000, 40);
    (void)sends(f, "two", 0, 70);
}

ENGINE_TEST(history, a_backup_brings_back_both_sides_but_what_was_to_live_for_a_time)
{
    struct backup_summary summary;
    converse(f);
    struct buffer content = written(f, SIZE_MAX, &summary);
    cr_assert(summary.messages == 3 && summary.messages_left == 0);
    struct state *home = home_of(f);
    ok(backup_taken(home, buffer_view(&content), &summary));
    cr_assert(summary.messages == 3 && summary.messages_known == 0 && summary.contacts == 1);
    cr_assert_str_eq(told(f, home), "<one@30 m@50 <two@70");
    struct inbox_row row;
    struct inbox_scan unshown = {.which = INBOX_UNSHOWN, .rows = &row, .row_max = 1};
    ok(state_begin(home, STATE_READ));
    ok(state_inbox_scan(home, &unshown, &f->arena));
    cr_assert_eq(unshown.row_count, 0u, "they are old news");
    ok(state_commit(home));
    ok(backup_taken(home, buffer_view(&content), &summary));
    cr_assert(summary.messages == 3 && summary.messages_known == 3);
    cr_assert_str_eq(told(f, home), "<one@30 m@50 <two@70");
    buffer_fini(&content);
    state_close(&home);
}

ENGINE_TEST(history, what_a_home_has_sent_does_not_stand_twice_in_it)
{
    struct backup_summary summary;
    converse(f);
    struct buffer content = written(f, SIZE_MAX, &summary);
    ok(backup_taken(f->state, buffer_view(&content), &summary));
    cr_assert(summary.messages == 3 && summary.messages_known == 3);
    cr_assert_str_eq(told(f, f->state), "<one@30 <a secret@40 m@50 m@60 <two@70");
    buffer_fini(&content);
}

ENGINE_TEST(history, where_there_is_no_room_the_oldest_stay_behind)
{
    struct backup_summary summary, less;
    converse(f);
    struct buffer whole = written(f, SIZE_MAX, &summary), out = written(f, whole.len - 1, &less);
    cr_assert(less.messages == 2 && less.messages_left == 1 && out.len < whole.len);
    struct state *home = home_of(f);
    ok(backup_taken(home, buffer_view(&out), &less));
    cr_assert_str_eq(told(f, home), "m@50 <two@70");
    for (size_t len = 0; len < whole.len; len += 7) {
        buffer_fini(&out);
        out = written(f, len, &less);
        cr_assert(out.len <= len || less.contacts + less.messages == 0, "%zu %zu", out.len, len);
        cr_assert_eq(less.messages + less.messages_left, 3u);
    }
    buffer_fini(&whole);
    buffer_fini(&out);
    state_close(&home);
}

ENGINE_TEST(history, messages_that_cannot_be_are_taken_nowhere)
{
    struct backup_summary summary;
    converse(f);
    struct buffer content = written(f, SIZE_MAX, &summary);
    struct state *home = home_of(f);
    for (size_t len = 0; len < content.len; len++)
        cr_assert_neq(backup_taken(home, view_of(content.at, len), &summary), STATUS_OK, "%zu", len);
    cr_assert_str_eq(told(f, home), "");
    /* The last one is "one" of ours: sender, device, id, time, flags, to, length, words. */
    size_t words = content.len - 3, to = words - 4 - 32, flags = to - 1, time = flags - 8;
    const struct { size_t at; uint8_t flip; } bad[] = {
        {flags, 2}, {flags, 4}, {time, 0x80}, {words - 1, 1}, {words - 4, 0x80}, {time - 64, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        content.at[bad[i].at] ^= bad[i].flip;
        cr_assert_eq(backup_taken(home, buffer_view(&content), &summary), STATUS_MALFORMED, "%zu", i);
        content.at[bad[i].at] ^= bad[i].flip;
    }
    cr_assert_str_eq(told(f, home), "");
    content.at[to] ^= 1;
    ok(backup_taken(home, buffer_view(&content), &summary));
    buffer_fini(&content);
    state_close(&home);
}

ENGINE_TEST(history, what_a_joining_device_is_offered_has_no_messages)
{
    struct backup_summary summary;
    converse(f);
    struct buffer content = written(f, SIZE_MAX, &summary);
    struct state *home = home_of(f);
    ok(state_begin(home, STATE_WRITE));
    ok(backup_take_offered_in(home, buffer_view(&content), &summary));
    ok(state_commit(home));
    cr_assert(summary.contacts == 0 && summary.messages == 0);
    cr_assert_str_eq(told(f, home), "");
    buffer_fini(&content);
    state_close(&home);
}
