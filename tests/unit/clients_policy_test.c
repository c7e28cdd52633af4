/* Whom the account lets write to it, in its home: what the user says counts at once, is told to the relay until it has it, and
 * is read from there where another device has said it. */
#include "tests/unit/clients_fixture.h"
#include "tests/unit/duet.h"

#include <string.h>

static struct account_id other(uint8_t n)
{
    return (struct account_id){{n, 9}};
}

static enum status set_as(struct fixture *f, struct account_id account, enum contact_verdict verdict)
{
    enum status s = engine_contact_set(f->e, f->now, account, verdict);
    turn(f);
    return s;
}

static void set(struct fixture *f, struct account_id account, enum contact_verdict verdict)
{
    cr_assert_eq(set_as(f, account, verdict), STATUS_OK);
}

static void mode(struct fixture *f, enum contact_mode m)
{
    cr_assert_eq(engine_mode_set(f->e, f->now, m), STATUS_OK);
    turn(f);
}

static struct state_verdict verdict(struct fixture *f, struct account_id account)
{
    struct state_verdict v;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    enum status s = state_verdict_get(f->state, account, &v);
    cr_assert(s == STATUS_OK || s == STATUS_NOT_FOUND);
    state_rollback(f->state);
    return v;
}

static struct state_policy policy(struct fixture *f)
{
    struct state_policy p;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_policy_get(f->state, &f->arena, &p), STATUS_OK);
    state_rollback(f->state);
    return p;
}

/* The CONTACTS_SET that must have been said. */
static struct frame told(struct fixture *f, struct msg_contacts_set *m, size_t count)
{
    struct frame frame = said(f, KIND_CONTACTS_SET, &msg_contacts_set_desc, m);
    cr_assert_eq(m->item_count, count);
    return frame;
}

static void kept(struct fixture *f, const struct frame *frame, uint64_t before, uint64_t version)
{
    struct msg_contacts_kept m = {.version = version, .before = before};
    answer(f, frame, KIND_CONTACTS_KEPT, &msg_contacts_kept_desc, &m);
}

static void tell_one(struct fixture *f, uint64_t before, uint64_t version)
{
    struct msg_contacts_set m;
    struct frame frame = told(f, &m, 1);
    kept(f, &frame, before, version);
}

static void changed(struct fixture *f, uint64_t version)
{
    struct msg_contacts_changed m = {.version = version};
    push(f, KIND_CONTACTS_CHANGED, &msg_contacts_changed_desc, &m, view_of(NULL, 0));
}

/* The CONTACTS_GET that must have been said is answered so. */
static void page(struct fixture *f, struct msg_contacts_are are)
{
    struct msg_contacts_get m;
    struct frame frame = said(f, KIND_CONTACTS_GET, &msg_contacts_get_desc, &m);
    if (!are.mode) are.mode = CONTACT_MODE_OPEN;
    answer(f, &frame, KIND_CONTACTS_ARE, &msg_contacts_are_desc, &are);
}

/* ---- the user's word ---- */

ENGINE_TEST(policy, who_has_said_nothing_says_nothing)
{
    session_only(f);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET) + said_count(f, KIND_CONTACTS_GET), 0);
}

ENGINE_TEST(policy, a_word_is_told_until_the_relay_has_it)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    cr_assert(m.mode == CONTACT_MODE_UNCHANGED && m.items[0].verdict == CONTACT_BLOCKED);
    cr_assert(verdict(f, other(1)).wished && verdict_now(&(struct state_verdict){.held = CONTACT_NONE}) == CONTACT_NONE);
    refuse(f, &frame, STATUS_BUSY, 100);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
    pass(f, 1000);
    (void)told(f, &m, 1);
    lose_connection(f);
    restart(f);
    cr_assert_eq(verdict(f, other(1)).wish, CONTACT_BLOCKED);
    bind_session(f);
    events_forget(f);
    tell_one(f, 0, 500);
    struct state_verdict v = verdict(f, other(1));
    cr_assert(v.held == CONTACT_BLOCKED && !v.wished);
    cr_assert_eq(policy(f).version, 500);
    cr_assert_eq(happened(f, ENGINE_CONTACTS).status, STATUS_OK);
}

/* It is so here; what another device has said meanwhile, this home has not heard. */
ENGINE_TEST(policy, a_word_that_changes_nothing_here_is_told_and_is_the_last_one)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    tell_one(f, 0, 500);
    set(f, other(1), CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    cr_assert_eq(m.items[0].verdict, CONTACT_BLOCKED);
    kept(f, &frame, 501, 502); /* the other device had taken it back */
    page(f, (struct msg_contacts_are){.version = 502, .items = &(struct msg_contact){other(1), CONTACT_BLOCKED}, .item_count = 1});
    cr_assert_eq(verdict(f, other(1)).held, CONTACT_BLOCKED);
    mode(f, CONTACT_MODE_OPEN);
    frame = told(f, &m, 0);
    cr_assert_eq(m.mode, CONTACT_MODE_OPEN);
    kept(f, &frame, 502, 502);
    pass(f, 30000);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET) + said_count(f, KIND_CONTACTS_GET), 0, "now it is so at the relay, too");
}

ENGINE_TEST(policy, another_word_meanwhile_is_told_behind_the_first)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    set(f, other(1), CONTACT_NONE);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0, "one at a time");
    kept(f, &frame, 0, 500);
    frame = told(f, &m, 1);
    cr_assert_eq(m.items[0].verdict, CONTACT_NONE);
    kept(f, &frame, 500, 501);
    struct state_verdict v = verdict(f, other(1));
    cr_assert(v.held == CONTACT_NONE && !v.wished);
}

ENGINE_TEST(policy, many_words_go_in_several_requests)
{
    struct msg_contacts_set m;
    session_only(f);
    for (uint8_t i = 0; i < 100; i++)
        cr_assert_eq(engine_contact_set(f->e, f->now, other(i), CONTACT_BLOCKED), STATUS_OK);
    turn(f);
    struct frame frame = told(f, &m, CONTACTS_PER_SET);
    kept(f, &frame, 0, 500);
    frame = told(f, &m, 100 - CONTACTS_PER_SET);
    kept(f, &frame, 500, 501);
    cr_assert_eq(policy(f).version, 501);
    cr_assert_eq(said_count(f, KIND_CONTACTS_GET), 0);
}

ENGINE_TEST(policy, nobody_blocks_himself)
{
    session_only(f);
    cr_assert_eq(set_as(f, f->me.account, CONTACT_BLOCKED), STATUS_STATE);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
}

ENGINE_TEST(policy, what_the_relay_has_no_room_for_is_no_wish_any_more)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    refuse(f, &frame, STATUS_TOO_LARGE, 0);
    cr_assert_eq(happened(f, ENGINE_CONTACTS).status, STATUS_TOO_LARGE);
    cr_assert(!verdict(f, other(1)).wished && verdict(f, other(1)).held == CONTACT_NONE);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
}

ENGINE_TEST(policy, a_relay_that_knows_nothing_of_it_is_told_and_the_wish_stays)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    refuse(f, &frame, STATUS_UNSUPPORTED, 0);
    cr_assert_eq(happened(f, ENGINE_CONTACTS).status, STATUS_UNSUPPORTED);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
    cr_assert(verdict(f, other(1)).wished);
}

/* ---- what others have said ---- */

ENGINE_TEST(policy, what_another_device_has_said_is_read_page_by_page)
{
    struct msg_contact first[] = {{other(2), CONTACT_BLOCKED}, {other(4), CONTACT_ALLOWED}}, last[] = {{other(9), CONTACT_BLOCKED}};
    session_only(f);
    set(f, other(3), CONTACT_BLOCKED);
    tell_one(f, 0, 500);
    set(f, other(8), CONTACT_BLOCKED);
    tell_one(f, 500, 501);
    changed(f, 700);
    page(f, (struct msg_contacts_are){.version = 700, .items = first, .item_count = 2, .more = true});
    cr_assert_eq(policy(f).version, 501, "not all of it is read");
    cr_assert_eq(verdict(f, other(3)).held, CONTACT_NONE, "it is within the page, and not in it");
    cr_assert_eq(verdict(f, other(8)).held, CONTACT_BLOCKED);
    page(f, (struct msg_contacts_are){.version = 700, .mode = CONTACT_MODE_REQUESTS, .items = last, .item_count = 1});
    cr_assert(verdict(f, other(2)).held == CONTACT_BLOCKED && verdict(f, other(4)).held == CONTACT_ALLOWED);
    cr_assert(verdict(f, other(8)).held == CONTACT_NONE && verdict(f, other(9)).held == CONTACT_BLOCKED);
    cr_assert(policy(f).version == 700 && policy(f).mode == CONTACT_MODE_REQUESTS);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET) + said_count(f, KIND_CONTACTS_GET), 0);
}

ENGINE_TEST(policy, a_wish_outlives_what_is_read)
{
    struct msg_contact item = {other(1), CONTACT_ALLOWED};
    struct msg_contacts_set m;
    session_only(f);
    changed(f, 700);
    set(f, other(1), CONTACT_BLOCKED);
    page(f, (struct msg_contacts_are){.version = 700, .items = &item, .item_count = 1});
    struct state_verdict v = verdict(f, other(1));
    cr_assert(v.held == CONTACT_ALLOWED && verdict_now(&v) == CONTACT_BLOCKED);
    struct frame frame = told(f, &m, 1);
    kept(f, &frame, 700, 701);
    cr_assert_eq(verdict(f, other(1)).held, CONTACT_BLOCKED);
}

ENGINE_TEST(policy, what_changed_between_two_words_is_read)
{
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    tell_one(f, 650, 700); /* another device was there before */
    cr_assert_eq(policy(f).version, 0);
    cr_assert_eq(said_count(f, KIND_CONTACTS_GET), 1);
}

ENGINE_TEST(policy, a_list_that_changes_while_it_is_read_is_read_anew)
{
    struct msg_contact item = {other(2), CONTACT_BLOCKED};
    struct msg_contacts_get m;
    session_only(f);
    changed(f, 700);
    page(f, (struct msg_contacts_are){.version = 700, .items = &item, .item_count = 1, .more = true});
    page(f, (struct msg_contacts_are){.version = 701});
    cr_assert_eq(policy(f).version, 0);
    pass(f, 1000);
    struct frame frame = said(f, KIND_CONTACTS_GET, &msg_contacts_get_desc, &m);
    cr_assert_eq(memcmp(&m.after, &(struct account_id){{0}}, sizeof m.after), 0);
    (void)frame;
}

ENGINE_TEST(policy, a_list_that_cannot_be_is_not_believed)
{
    struct msg_contact down[] = {{other(4), CONTACT_BLOCKED}, {other(2), CONTACT_BLOCKED}};
    struct msg_contact none = {other(4), CONTACT_NONE}, own = {f->me.account, CONTACT_BLOCKED};
    const struct msg_contacts_are bad[] = {
        {.version = 700, .items = down, .item_count = 2}, {.version = 700, .items = &none, .item_count = 1},
        {.version = 700, .items = &own, .item_count = 1}, {.version = 700, .more = true},
        {.version = 700, .mode = 3},
    };
    session_only(f);
    changed(f, 700);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t before = engine_counts(f->e).frames_bad;
        page(f, bad[i]);
        cr_assert_gt(engine_counts(f->e).frames_bad, before, "%zu", i);
        cr_assert_eq(verdict(f, other(4)).held, CONTACT_NONE);
        pass(f, 6000);
    }
    cr_assert_eq(policy(f).version, 0);
}

ENGINE_TEST(policy, a_relay_that_has_lost_it_is_told_all_again)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    tell_one(f, 0, 500);
    mode(f, CONTACT_MODE_REQUESTS);
    struct frame frame = told(f, &m, 0);
    kept(f, &frame, 500, 501);
    lose_connection(f);
    bind_session(f); /* WELCOME says 0 */
    frame = told(f, &m, 1);
    cr_assert(m.mode == CONTACT_MODE_REQUESTS && m.items[0].verdict == CONTACT_BLOCKED);
    kept(f, &frame, 400, 900);
    /* What had been taken back is there again: better known than not. */
    struct msg_contact items[] = {{other(1), CONTACT_BLOCKED}, {other(2), CONTACT_ALLOWED}};
    page(f, (struct msg_contacts_are){.version = 900, .mode = CONTACT_MODE_REQUESTS, .items = items, .item_count = 2});
    cr_assert(policy(f).version == 900 && policy(f).mode == CONTACT_MODE_REQUESTS);
    cr_assert(verdict(f, other(1)).held == CONTACT_BLOCKED && verdict(f, other(2)).held == CONTACT_ALLOWED);
}

/* Under a session that lives on. */
ENGINE_TEST(policy, a_store_that_was_opened_anew_is_asked_whether_it_has_lost_it)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    tell_one(f, 0, 500);
    f->range.term = fixture_term(9);
    pass(f, 6000);
    struct frame ping = said(f, KIND_PING, NULL, NULL);
    struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
    answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
    page(f, (struct msg_contacts_are){.version = 500});
    cr_assert_eq(verdict(f, other(1)).held, CONTACT_BLOCKED, "it has it, whatever it shows");
    f->range.term = fixture_term(10);
    pass(f, 6000);
    ping = said(f, KIND_PING, NULL, NULL);
    answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
    page(f, (struct msg_contacts_are){.version = 400});
    (void)told(f, &m, 1);
    cr_assert_eq(m.items[0].verdict, CONTACT_BLOCKED);
}

ENGINE_TEST(policy, so_does_one_whose_answer_shows_that_it_has_lost_it)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, other(1), CONTACT_BLOCKED);
    tell_one(f, 0, 500);
    set(f, other(2), CONTACT_BLOCKED);
    tell_one(f, 0, 600);
    struct frame frame = told(f, &m, 2);
    (void)frame;
}

/* ---- requests ---- */

ENGINE_TEST(policy, who_is_written_to_is_allowed_first)
{
    struct msg_contacts_set m;
    struct sent s;
    bob_and_session(f);
    mode(f, CONTACT_MODE_REQUESTS);
    struct frame frame = told(f, &m, 0);
    kept(f, &frame, 0, 500);
    (void)write_to(f, "bob", "hello", NULL);
    frame = told(f, &m, 1);
    cr_assert(memcmp(&m.items[0].account, &f->bob.account, sizeof f->bob.account) == 0 &&
              m.items[0].verdict == CONTACT_ALLOWED);
    pass(f, 2000);
    cr_assert_eq(said_count(f, KIND_SEND), 0, "not before the relay has it");
    kept(f, &frame, 500, 501);
    pass(f, 1000);
    said_send(f, &s);
    accept_all(f, &s);
    (void)write_to(f, "bob", "again", NULL);
    said_send(f, &s);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
}

ENGINE_TEST(policy, without_room_for_it_the_message_goes_all_the_same)
{
    struct msg_contacts_set m;
    struct sent s;
    bob_and_session(f);
    mode(f, CONTACT_MODE_REQUESTS);
    struct frame frame = told(f, &m, 0);
    kept(f, &frame, 0, 500);
    (void)write_to(f, "bob", "hello", NULL);
    frame = told(f, &m, 1);
    refuse(f, &frame, STATUS_TOO_LARGE, 0);
    pass(f, 2000);
    said_send(f, &s);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
}

ENGINE_TEST(policy, requests_begin_with_those_who_were_written_to)
{
    struct msg_contacts_set m;
    struct sent s;
    bob_and_session(f);
    (void)write_to(f, "bob", "hello", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    cr_assert_eq(said_count(f, KIND_CONTACTS_SET), 0);
    mode(f, CONTACT_MODE_REQUESTS);
    (void)told(f, &m, 1);
    cr_assert(m.mode == CONTACT_MODE_REQUESTS && m.items[0].verdict == CONTACT_ALLOWED);
}

ENGINE_TEST(policy, so_they_do_where_another_device_has_turned_them_on)
{
    struct msg_contacts_set m;
    struct sent s;
    bob_and_session(f);
    (void)write_to(f, "bob", "hello", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    changed(f, 700);
    page(f, (struct msg_contacts_are){.version = 700, .mode = CONTACT_MODE_REQUESTS});
    (void)told(f, &m, 1);
    cr_assert(m.mode == CONTACT_MODE_UNCHANGED && m.items[0].verdict == CONTACT_ALLOWED);
}

ENGINE_TEST(policy, a_message_that_is_not_accepted_is_given_up)
{
    struct sent s;
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "hello", NULL);
    said_send(f, &s);
    answer_one(f, &s, &(struct msg_sent_item){.status = STATUS_NOT_ACCEPTED});
    row = row_at(f, row.order);
    cr_assert(row.state == MESSAGE_REFUSED && row.reason == STATUS_NOT_ACCEPTED);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_SEND), 0);
}

/* ---- what comes ---- */

static size_t unshown_count(struct fixture *f)
{
    struct inbox_row rows[8];
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = 8};
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_inbox_scan(f->state, &scan, &f->arena), STATUS_OK);
    state_rollback(f->state);
    return scan.row_count;
}

ENGINE_TEST(policy, what_came_from_who_is_blocked_is_settled_and_not_shown)
{
    struct msg_ack ack;
    session_only(f);
    set(f, f->bob.account, CONTACT_BLOCKED);
    struct incoming in = deliveries(f, 1, 2);
    deliver_only(f, &in);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
    (void)said_ack(f, &ack, 2);
    in = deliveries(f, 1, 2); /* again, in a later session */
    deliver_only(f, &in);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
}

ENGINE_TEST(policy, what_waits_of_who_is_blocked_is_taken_back)
{
    struct msg_ack ack;
    session_only(f);
    struct incoming in = deliveries(f, 1, 2);
    in.items[0].sender_account = other(5);
    deliver_only(f, &in);
    pass(f, 100);
    struct frame frame = said_both(f, &ack, 0, 2);
    echo(f, &frame, &ack);
    set(f, other(5), CONTACT_BLOCKED);
    pass(f, 1500);
    frame = said_both(f, &ack, 1, 2);
    echo(f, &frame, &ack);
    take_all(f);
    (void)said_ack(f, &ack, 2);
}

ENGINE_TEST(policy, a_strangers_message_is_noted_as_a_request)
{
    bool request;
    struct msg_contacts_set m;
    session_only(f);
    struct incoming in = deliveries(f, 1, 1);
    deliver(f, &in);
    cr_assert_eq(verdict(f, f->bob.account).asked_ms, 0, "requests are off");
    mode(f, CONTACT_MODE_REQUESTS);
    in = deliveries(f, 2, 1);
    deliver(f, &in);
    cr_assert_gt(verdict(f, f->bob.account).asked_ms, 0);
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_is_request(f->state, &f->arena, f->me.account, f->bob.account, &request), STATUS_OK);
    cr_assert(request);
    cr_assert_eq(state_is_request(f->state, &f->arena, f->me.account, f->me.account, &request), STATUS_OK);
    cr_assert_not(request, "the own devices are no strangers");
    state_rollback(f->state);
    (void)told(f, &m, 0);
    set(f, f->bob.account, CONTACT_ALLOWED);
    cr_assert_eq(verdict(f, f->bob.account).asked_ms, 0);
    in = deliveries(f, 3, 1);
    deliver(f, &in);
    cr_assert_eq(verdict(f, f->bob.account).asked_ms, 0);
}

/* His request was noted here, and another device has decided it. */
ENGINE_TEST(policy, a_request_that_another_device_has_refused_hides_what_comes_after)
{
    struct msg_contacts_set m;
    struct msg_contact item = {f->bob.account, CONTACT_BLOCKED};
    session_only(f);
    mode(f, CONTACT_MODE_REQUESTS);
    struct frame frame = told(f, &m, 0);
    kept(f, &frame, 0, 5);
    struct incoming in = deliveries(f, 1, 1);
    deliver(f, &in);
    cr_assert_gt(verdict(f, f->bob.account).asked_ms, 0);
    changed(f, 6);
    turn(f);
    page(f, (struct msg_contacts_are){.version = 6, .mode = CONTACT_MODE_REQUESTS, .items = &item, .item_count = 1});
    cr_assert_eq(verdict(f, f->bob.account).held, CONTACT_BLOCKED);
    events_forget(f);
    in = deliveries(f, 2, 1); /* the relay had accepted it before */
    deliver_only(f, &in);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
}

ENGINE_TEST(policy, a_relay_makes_no_home_remember_strangers_without_end)
{
    uint64_t count;
    session_only(f);
    mode(f, CONTACT_MODE_REQUESTS);
    for (uint64_t i = 0; i < 10; i++) {
        struct incoming in = deliveries(f, 1 + i * DELIVERIES_PER_FRAME, DELIVERIES_PER_FRAME);
        for (size_t k = 0; k < in.count; k++)
            put_u64(in.items[k].sender_account.bytes, 77 + in.items[k].seq);
        deliver(f, &in);
    }
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_verdict_count(f->state, VERDICT_ASKED, &count), STATUS_OK);
    state_rollback(f->state);
    cr_assert_eq(count, 256);
}

/* Another device has unblocked him, and he has written: that may be here before the news of the unblocking. */
ENGINE_TEST(policy, what_comes_before_the_news_that_its_sender_is_not_blocked_any_more_is_shown_after_it)
{
    struct msg_ack ack;
    session_only(f);
    set(f, f->bob.account, CONTACT_BLOCKED);
    tell_one(f, 0, 5);
    struct incoming in = deliveries(f, 1, 2);
    deliver_only(f, &in);
    (void)said_ack(f, &ack, 2);
    cr_assert_not(has_happened(f, ENGINE_RECEIVED));
    changed(f, 6);
    turn(f);
    page(f, (struct msg_contacts_are){.version = 6, .mode = CONTACT_MODE_OPEN});
    cr_assert(has_happened(f, ENGINE_RECEIVED));
    cr_assert_eq(unshown_count(f), 2);
    take_all(f);
    cr_assert_eq(unshown_count(f), 0);
    set(f, f->bob.account, CONTACT_BLOCKED), set(f, f->bob.account, CONTACT_NONE);
    cr_assert_eq(unshown_count(f), 0, "what was taken does not come again");
}

/* The relay has no room for the block: it is no wish any more, and what was withheld for it comes. */
ENGINE_TEST(policy, what_was_withheld_for_a_block_that_could_not_be_is_shown)
{
    struct msg_contacts_set m;
    session_only(f);
    set(f, f->bob.account, CONTACT_BLOCKED);
    struct incoming in = deliveries(f, 1, 1);
    deliver_only(f, &in);
    cr_assert_eq(unshown_count(f), 0);
    struct frame frame = told(f, &m, 1);
    refuse(f, &frame, STATUS_TOO_LARGE, 0);
    cr_assert_eq(verdict(f, f->bob.account).wish, CONTACT_NONE);
    cr_assert_eq(unshown_count(f), 1);
}

/* Sealed, and opened: its session moves on, its sender hears that it was settled; the user sees nothing. */
DUET_TEST(policy, a_sealed_message_of_who_is_blocked_is_opened_and_not_shown)
{
    (void)say(d, BOB, "one");
    duet_settle(d);
    cr_assert_str_eq(read_all(d, ALICE), "one");
    cr_assert_eq(engine_contact_set(d->party[ALICE].e, d->now, d->party[BOB].me.account, CONTACT_BLOCKED), STATUS_OK);
    uint64_t order = say(d, BOB, "two");
    duet_settle(d);
    duet_pass(d, 2000);
    cr_assert_str_eq(read_all(d, ALICE), "");
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
    cr_assert_eq(engine_contact_set(d->party[ALICE].e, d->now, d->party[BOB].me.account, CONTACT_NONE), STATUS_OK);
    cr_assert_str_eq(read_all(d, ALICE), "two", "as soon as he is not blocked any more");
    (void)say(d, BOB, "three");
    duet_settle(d);
    cr_assert_str_eq(read_all(d, ALICE), "three");
}

/* The first one of a stranger is closed until his log is here. */
DUET_TEST(policy, so_is_one_that_was_kept_closed)
{
    cr_assert_eq(engine_contact_set(d->party[ALICE].e, d->now, d->party[BOB].me.account, CONTACT_BLOCKED), STATUS_OK);
    uint64_t order = say(d, BOB, "one");
    duet_settle(d);
    duet_pass(d, 2000);
    cr_assert_gt(d->lookups, 0);
    cr_assert_str_eq(read_all(d, ALICE), "");
    cr_assert_not(duet_happened(d, ALICE, ENGINE_RECEIVED));
    cr_assert_eq(duet_state(d, BOB, order), MESSAGE_SETTLED);
}
