/* Sessions and accounts: HELLO, REGISTER, CLAIM_HANDLE, PING, SUPERSEDED, DRAIN, BYE. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

/* A bound session that has lasted long enough for the next HELLO to be said at once. */
static void bind_long(struct fixture *f)
{
    bind_session(f);
    pass(f, 6000);
    struct frame ping = said(f, KIND_PING, NULL, NULL);
    struct msg_pong pong = {.relay_ms = f->now.wall_ms, .map = f->map};
    answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
    said_forget(f);
    events_forget(f);
}

static struct state_identity identity_now(struct fixture *f)
{
    struct state_identity identity;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_identity_get(f->state, &f->arena, &identity), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
    return identity;
}

ENGINE_TEST(session, registers_greets_and_claims)
{
    struct msg_register reg;
    struct msg_hello hello;
    struct msg_claim_handle claim;
    cr_assert_eq(engine_deadline_ms(f->e), UINT64_MAX);
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, &msg_register_desc, &reg);
    cr_assert(view_equal(reg.entry, f->me.entry));
    cr_assert_eq(frame.header.home, home_of_account(f->me.account));
    cr_assert_eq(f->said_count, 0u, "nothing else before the account exists");
    struct msg_registered registered = {.account = f->me.account, .device = f->me.device};
    answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &registered);
    cr_assert(identity_now(f).registered);
    cr_assert_eq(said_count(f, KIND_HELLO), 1u);
    struct buffer copy = {0};
    write_view(&copy, buffer_view(&f->said[0]));
    greet(f);
    cr_assert(happened(f, ENGINE_CONNECTED).attached);
    cr_assert(engine_is_bound(f->e));
    cr_assert_eq(codec_decode(&msg_hello_desc, view_of(copy.at + 24, get_u32(copy.at + 20)),
                              &f->arena, &hello), STATUS_OK);
    cr_assert(device_equal(hello.device, f->me.device) && hello.attach);
    cr_assert_eq(hello.client_ms, f->now.wall_ms);
    buffer_fini(&copy);
    frame = said(f, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &claim);
    cr_assert_eq(frame.header.home, home_of_handle(text("me")));
    cr_assert_eq(handle_verify(f->me.account, claim.handle, &f->me.record.signing,
                               &claim.signature), STATUS_OK);
    struct msg_handle_claimed claimed = {.account = f->me.account};
    answer(f, &frame, KIND_HANDLE_CLAIMED, &msg_handle_claimed_desc, &claimed);
    cr_assert(identity_now(f).claimed);
    happened(f, ENGINE_REGISTERED);
    cr_assert_eq(engine_relay_ms(f->e, f->now), f->now.wall_ms + 1234);

    restart(f);
    engine_up(f->e, f->now);
    turn(f);
    cr_assert_eq(said_count(f, KIND_REGISTER), 0u, "once is enough");
    greet(f);
    cr_assert_eq(said_count(f, KIND_CLAIM_HANDLE), 0u);
}

ENGINE_TEST(session, account_is_made_once)
{
    struct account_wish wish = {.handle = text("other")};
    cr_assert_eq(account_create(f->state, &f->config.random, f->now, &wish), STATUS_STATE);
    wish.handle = text("no good");
    cr_assert_eq(account_create(f->state, &f->config.random, f->now, &wish), STATUS_MALFORMED);
    cr_assert(view_equal(identity_now(f).handle, text("me")));
    struct state *empty = memory_state_new();
    struct engine *e;
    cr_assert_eq(engine_new(&f->config, empty, &e), STATUS_NOT_FOUND);
    cr_assert_null(e);
    state_close(&empty);
}

ENGINE_TEST(session, registered_reply_for_another_account_is_no_reply)
{
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, NULL, NULL);
    struct msg_registered registered = {.account = f->bob.account, .device = f->me.device};
    answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &registered);
    cr_assert_not(identity_now(f).registered);
    cr_assert_eq(said_count(f, KIND_HELLO), 0u);
    pass(f, 1000);
    cr_assert_eq(said_count(f, KIND_REGISTER), 1u, "asked again");
}

ENGINE_TEST(session, handle_taken_is_told_and_another_one_can_be_wanted)
{
    struct msg_claim_handle claim;
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, NULL, NULL);
    struct msg_registered registered = {.account = f->me.account, .device = f->me.device};
    answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &registered);
    greet(f);
    frame = said(f, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &claim);
    refuse(f, &frame, STATUS_HANDLE_TAKEN, 0);
    cr_assert_eq(happened(f, ENGINE_HANDLE_REFUSED).status, STATUS_HANDLE_TAKEN);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_CLAIM_HANDLE), 0u, "not again by itself");
    cr_assert_eq(engine_register(f->e, f->now, text("a/b")), STATUS_MALFORMED);
    cr_assert_eq(engine_register(f->e, f->now, text("me2")), STATUS_OK);
    turn(f);
    frame = said(f, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &claim);
    cr_assert(view_equal(claim.handle, text("me2")));
}

ENGINE_TEST(session, busy_hello_is_said_again_after_the_time_given)
{
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, NULL, NULL);
    refuse(f, &frame, STATUS_BUSY, 3000);
    pass(f, 2990);
    cr_assert_eq(said_count(f, KIND_REGISTER), 0u);
    pass(f, 20);
    cr_assert_eq(said_count(f, KIND_REGISTER), 1u);
}

ENGINE_TEST(session, what_asks_too_often_waits_as_long_as_it_is_told_and_then_goes_on)
{
    static const struct {
        enum frame_kind kind;
        uint32_t after_ms;
    } asked[] = {{KIND_REGISTER, 7000}, {KIND_HELLO, 8000}, {KIND_CLAIM_HANDLE, 9000}};
    struct msg_registered registered = {.account = f->me.account, .device = f->me.device};
    engine_up(f->e, f->now);
    turn(f);
    for (size_t i = 0; i < 3; i++) {
        struct frame frame = said(f, asked[i].kind, NULL, NULL);
        refuse(f, &frame, STATUS_RATE_LIMITED, asked[i].after_ms);
        pass(f, asked[i].after_ms - 10);
        cr_assert_eq(said_count(f, asked[i].kind), 0u, "%zu", i);
        pass(f, 20);
        cr_assert_eq(said_count(f, asked[i].kind), 1u, "%zu", i);
        if (asked[i].kind == KIND_HELLO) greet(f);
        if (asked[i].kind != KIND_REGISTER) continue;
        frame = said(f, KIND_REGISTER, NULL, NULL);
        answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &registered);
    }
    cr_assert_not(has_happened(f, ENGINE_STOPPED));
    cr_assert_not(has_happened(f, ENGINE_HANDLE_REFUSED));
    cr_assert(engine_is_bound(f->e));
}

ENGINE_TEST(session, hello_without_an_answer_is_said_again_and_then_elsewhere)
{
    bind_session(f);
    lose_connection(f);
    events_forget(f);
    engine_up(f->e, f->now);
    turn(f);
    pass(f, 11000);
    cr_assert_eq(said_count(f, KIND_HELLO), 2u);
    cr_assert_not(has_happened(f, ENGINE_MOVE));
    pass(f, 30000);
    happened(f, ENGINE_MOVE);
}

ENGINE_TEST(session, key_that_is_not_the_devices_stops)
{
    engine_up(f->e, f->now);
    turn(f);
    struct frame frame = said(f, KIND_REGISTER, NULL, NULL);
    refuse(f, &frame, STATUS_UNAUTHENTICATED, 0);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_UNAUTHENTICATED);
    engine_down(f->e, f->now);
    engine_up(f->e, f->now);
    pass(f, 100000);
    cr_assert_eq(f->said_count, 0u);
}

ENGINE_TEST(session, relay_that_forgets_the_account_is_told_a_few_times)
{
    bind_session(f);
    lose_connection(f);
    engine_up(f->e, f->now);
    turn(f);
    struct msg_registered registered = {.account = f->me.account, .device = f->me.device};
    struct frame frame;
    for (unsigned i = 0; i < 3; i++) {
        frame = said(f, KIND_HELLO, NULL, NULL);
        refuse(f, &frame, STATUS_NOT_FOUND, 0);
        cr_assert_not(has_happened(f, ENGINE_STOPPED));
        frame = said(f, KIND_REGISTER, NULL, NULL);
        answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &registered);
    }
    frame = said(f, KIND_HELLO, NULL, NULL);
    refuse(f, &frame, STATUS_NOT_FOUND, 0);
    cr_assert_eq(happened(f, ENGINE_STOPPED).status, STATUS_NOT_FOUND);
}

ENGINE_TEST(session, no_session_leads_to_one_hello)
{
    know_bob(f);
    bind_long(f);
    write_to(f, "bob", "a", NULL);
    write_to(f, "bob", "b", NULL);
    struct frame first = said(f, KIND_SEND, NULL, NULL), second = said(f, KIND_SEND, NULL, NULL);
    refuse(f, &first, STATUS_NO_SESSION, 0);
    refuse(f, &second, STATUS_NO_SESSION, 0);
    cr_assert_eq(said_count(f, KIND_HELLO), 1u);
    happened(f, ENGINE_DISCONNECTED);
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
    greet(f);
    struct sent s;
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 2u, "the same messages, in one frame now");
}

ENGINE_TEST(session, sessions_that_do_not_last_are_not_begun_in_a_loop)
{
    bind_long(f);
    for (unsigned i = 0; i < 20; i++) {
        pass(f, 5100); /* a ping goes */
        if (!said_count(f, KIND_PING)) break;
        struct frame ping = said(f, KIND_PING, NULL, NULL);
        said_forget(f);
        refuse(f, &ping, STATUS_NO_SESSION, 0);
        if (!said_count(f, KIND_HELLO)) pass(f, 40000);
        greet(f);
    }
    struct msg_superseded m = {.by = {.term = f->range.term, .number = 9999}};
    push(f, KIND_SUPERSEDED, &msg_superseded_desc, &m, view_of(NULL, 0));
    cr_assert_eq(said_count(f, KIND_HELLO), 0u, "right after WELCOME: not at once");
    pass(f, 300);
    cr_assert_eq(said_count(f, KIND_HELLO), 1u);
}

ENGINE_TEST(session, no_session_that_answers_nothing_is_followed_by_hello)
{
    struct msg_hello hello;
    struct msg_error other = {.status = STATUS_BUSY}, over = {.status = STATUS_NO_SESSION};
    bind_long(f);
    push(f, KIND_ERROR, &msg_error_desc, &other, view_of(NULL, 0));
    cr_assert(engine_is_bound(f->e), "of no other status");
    push(f, KIND_ERROR, &msg_error_desc, &over, view_of(NULL, 0));
    happened(f, ENGINE_DISCONNECTED);
    struct frame frame = said(f, KIND_HELLO, &msg_hello_desc, &hello);
    cr_assert(hello.attach, "unlike after SUPERSEDED");
    push(f, KIND_ERROR, &msg_error_desc, &over, view_of(NULL, 0));
    cr_assert_eq(said_count(f, KIND_HELLO), 0u, "one is under way");
    refuse(f, &frame, STATUS_NOT_FOUND, 0);
    cr_assert_eq(said_count(f, KIND_REGISTER), 1u, "the relay has lost the account");
}

ENGINE_TEST(session, superseded_does_not_attach_again_until_told)
{
    struct msg_hello hello;
    bind_long(f);
    struct msg_superseded old = {.by = {.term = f->range.term, .number = f->session_number}};
    push(f, KIND_SUPERSEDED, &msg_superseded_desc, &old, view_of(NULL, 0));
    cr_assert_not(has_happened(f, ENGINE_SUPERSEDED), "by ourselves");
    struct msg_superseded m = {.by = {.term = f->range.term, .number = f->session_number + 1}};
    push(f, KIND_SUPERSEDED, &msg_superseded_desc, &m, view_of(NULL, 0));
    happened(f, ENGINE_SUPERSEDED);
    struct buffer *b = &f->said[0];
    cr_assert_eq(codec_decode(&msg_hello_desc, view_of(b->at + 24, get_u32(b->at + 20)), &f->arena,
                              &hello), STATUS_OK);
    cr_assert_not(hello.attach);
    f->session_number++;
    greet(f);
    cr_assert_not(happened(f, ENGINE_CONNECTED).attached);
    lose_connection(f);
    engine_up(f->e, f->now);
    turn(f);
    said(f, KIND_HELLO, &msg_hello_desc, &hello);
    cr_assert_not(hello.attach, "nor on the next connection");
    lose_connection(f);
    engine_attach(f->e, f->now);
    engine_up(f->e, f->now);
    turn(f);
    said(f, KIND_HELLO, &msg_hello_desc, &hello);
    cr_assert(hello.attach);
}

ENGINE_TEST(session, says_something_every_half_ping_time)
{
    bind_session(f);
    said_forget(f);
    pass(f, 4990);
    cr_assert_eq(said_count(f, KIND_PING), 0u);
    pass(f, 20);
    struct frame ping = said(f, KIND_PING, NULL, NULL);
    struct msg_pong pong = {.relay_ms = f->now.wall_ms + 9, .map = f->map};
    answer(f, &ping, KIND_PONG, &msg_pong_desc, &pong);
    cr_assert_eq(engine_relay_ms(f->e, f->now), f->now.wall_ms + 9);
    cr_assert_not(has_happened(f, ENGINE_MOVE));
    pass(f, 100000);
    happened(f, ENGINE_MOVE); /* nobody answered */
}

ENGINE_TEST(session, drain_finishes_what_is_pending_and_moves)
{
    know_bob(f);
    bind_long(f);
    write_to(f, "bob", "a", NULL);
    struct msg_drain drain = {.deadline_ms = 2000};
    push(f, KIND_DRAIN, &msg_drain_desc, &drain, view_of(NULL, 0));
    cr_assert_not(has_happened(f, ENGINE_MOVE));
    write_to(f, "bob", "b", NULL);
    cr_assert_eq(said_count(f, KIND_SEND), 1u, "nothing new is begun");
    struct sent s;
    said_send(f, &s);
    accept_all(f, &s);
    happened(f, ENGINE_MOVE);
    cr_assert_not(has_happened(f, ENGINE_MOVE), "told once");
    lose_connection(f);
    bind_session(f);
    said_send(f, &s);
    cr_assert_eq(s.send.item_count, 1u);
}

ENGINE_TEST(session, drain_does_not_wait_beyond_its_deadline)
{
    know_bob(f);
    bind_long(f);
    write_to(f, "bob", "a", NULL);
    struct msg_drain drain = {.deadline_ms = 2000};
    push(f, KIND_DRAIN, &msg_drain_desc, &drain, view_of(NULL, 0));
    pass(f, 1990);
    cr_assert_not(has_happened(f, ENGINE_MOVE));
    pass(f, 20);
    happened(f, ENGINE_MOVE);
}

ENGINE_TEST(session, leaves_with_bye_when_nothing_is_pending)
{
    know_bob(f);
    bind_long(f);
    write_to(f, "bob", "a", NULL);
    engine_leave(f->e, f->now);
    turn(f);
    cr_assert_eq(said_count(f, KIND_BYE), 0u);
    struct sent s;
    said_send(f, &s);
    accept_all(f, &s);
    struct frame bye = said(f, KIND_BYE, NULL, NULL);
    struct msg_empty empty = {0};
    answer(f, &bye, KIND_GOODBYE, &msg_empty_desc, &empty);
    happened(f, ENGINE_LEFT);
    pass(f, 100000);
    cr_assert_eq(f->said_count, 0u);
}

ENGINE_TEST(session, frames_that_do_not_follow_the_protocol_are_counted_and_dropped)
{
    bind_long(f);
    uint64_t bad = engine_counts(f->e).frames_bad;
    engine_frame(f->e, f->now, text("not a frame at all, but long enough"));
    engine_frame(f->e, f->now, view_of(NULL, 0));
    push(f, KIND_DELIVER, &msg_empty_desc, &(struct msg_empty){.unused = 1}, view_of(NULL, 0));
    push(f, KIND_HINT, &msg_empty_desc, &(struct msg_empty){.unused = 1}, view_of(NULL, 0));
    cr_assert_eq(engine_counts(f->e).frames_bad, bad + 4);
    struct frame nobody = {.header = {.correlation = 424242}};
    refuse(f, &nobody, STATUS_UNAUTHENTICATED, 0);
    cr_assert_eq(engine_counts(f->e).replies_late, 1u);
    cr_assert(engine_is_bound(f->e));
}
