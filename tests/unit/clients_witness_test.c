/* A relay that shows another history of a contact's keys is shown ours, so that its operators hear of it: once, from the first
 * entry on, and nothing of it changes what waits. What is handed over to a relay that has less says that it is held; an entry
 * of our own does not. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>

/* The relay has other entries of bob behind the first `common` than we hold; a message finds out. */
static struct outbox_row fork_seen(struct fixture *f, uint64_t common)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    uint64_t length = f->bob_log.length;
    bob_forgets(f, common);
    while (f->bob_log.length <= length)
        bob_rotates(f, (uint8_t)(100 + f->bob_log.length));
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, common);
    answer_stale(f, &s, &stale);
    cr_assert_eq(state_of(f, row.order), MESSAGE_HELD);
    return row;
}

/* The relay is there all the while. */
static void lives(struct fixture *f, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        pass(f, 1000);
        while (said_count(f, KIND_PING)) {
            struct frame ping = said(f, KIND_PING, NULL, NULL);
            struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
            answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
        }
    }
}

static struct view kept(struct fixture *f, size_t i)
{
    return arena_copy(&f->arena, buffer_view(&f->bob_entries[i]));
}

ENGINE_TEST(witness, the_relay_is_shown_what_we_hold)
{
    struct msg_append shown;
    bob_adds(f, 1);
    bob_adds(f, 2);
    struct view first = kept(f, 1), second = kept(f, 2);
    struct outbox_row row = fork_seen(f, 2);
    struct frame frame = said(f, KIND_APPEND, &msg_append_desc, &shown);
    cr_assert_eq(frame.header.home, home_of_account(f->bob.account));
    cr_assert_eq(memcmp(&shown.account, &f->bob.account, sizeof shown.account), 0);
    cr_assert(shown.held);
    cr_assert_eq(shown.entry_count, 2u, "from the first one on, also what both have");
    cr_assert(view_equal(shown.entries[0], first) && view_equal(shown.entries[1], second));
    refuse(f, &frame, STATUS_STALE_HEAD, 0);
    lives(f, 600);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "once");
    cr_assert_eq(state_of(f, row.order), MESSAGE_HELD);
}

ENGINE_TEST(witness, it_is_said_again_where_nobody_has_heard_it)
{
    bob_adds(f, 1);
    (void)fork_seen(f, 1);
    struct frame frame = said(f, KIND_APPEND, NULL, NULL);
    refuse(f, &frame, STATUS_BUSY, 5000);
    lives(f, 4);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "when it was told to");
    lives(f, 2);
    frame = said(f, KIND_APPEND, NULL, NULL);
    lose_connection(f);
    bind_session(f);
    lives(f, 1);
    frame = said(f, KIND_APPEND, NULL, NULL);
    refuse(f, &frame, STATUS_RATE_LIMITED, 1000);
    for (unsigned i = 0; i < 2; i++) {
        lives(f, 6);
        frame = said(f, KIND_APPEND, NULL, NULL);
        refuse(f, &frame, STATUS_BUSY, 1000);
    }
    lives(f, 600);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "and not for ever");
}

ENGINE_TEST(witness, a_long_log_is_shown_in_pieces_that_overlap)
{
    struct msg_append shown;
    for (uint8_t i = 0; i < 70; i++)
        bob_rotates(f, (uint8_t)(2 + i));
    struct view at_64 = kept(f, 64), at_70 = kept(f, 70);
    (void)fork_seen(f, 70);
    struct frame frame = said(f, KIND_APPEND, &msg_append_desc, &shown);
    cr_assert_eq(shown.entry_count, ENTRIES_PER_FRAME);
    answer(f, &frame, KIND_APPENDED, &msg_appended_desc, &(struct msg_appended){.log = identity_log_state(&f->bob_log)});
    frame = said(f, KIND_APPEND, &msg_append_desc, &shown);
    cr_assert_eq(shown.entry_count, 7u);
    cr_assert(view_equal(shown.entries[0], at_64), "the last one that it has, so that it sees where they part");
    cr_assert(view_equal(shown.entries[6], at_70));
    answer(f, &frame, KIND_APPENDED, &msg_appended_desc, &(struct msg_appended){.log = identity_log_state(&f->bob_log)});
    lives(f, 60);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "that was all");
}

ENGINE_TEST(witness, nobody_who_sees_one_history_says_anything)
{
    struct sent s;
    bob_and_session(f);
    write_to(f, "bob", "x", NULL);
    bob_adds(f, 1);
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    accept_all(f, &s);
    lives(f, 60);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
}
