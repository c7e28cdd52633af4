/* One request without a session: asked until it is answered, over whatever connections, and no answer but its own. */
#include "clients/guest.h"

#include <criterion/criterion.h>
#include <string.h>

struct lone {
    struct guest *guest;
    struct now now;
};

static void fill(void *self, void *out, size_t len)
{
    (void)self;
    memset(out, 0, len);
}

static struct lone lone_new(void)
{
    struct lone l = {.now = {.wall_ms = 1700000000000, .mono_ms = 1000}};
    guest_new(&(struct random_source){.fill = fill}, &l.guest);
    return l;
}

static enum status ask(struct lone *l)
{
    struct msg_lookup m = {.handle = view_of("bob", 3)};
    return guest_ask(l->guest, l->now, KIND_LOOKUP, 7, &msg_lookup_desc, &m);
}

/* The frame that goes now; its correlation id, 0 = none goes. */
static uint64_t goes(struct lone *l)
{
    struct view bytes;
    struct frame f;
    guest_tick(l->guest, l->now);
    if (!guest_next_frame(l->guest, l->now, &bytes)) return 0;
    cr_assert_eq(frame_check(bytes, FROM_CLIENT, &f), STATUS_OK);
    cr_assert_eq(f.header.kind, KIND_LOOKUP);
    cr_assert_eq(f.header.home, 7);
    return f.header.correlation;
}

static void comes(struct lone *l, enum frame_kind kind, uint64_t correlation, const struct codec_desc *desc, const void *m)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = correlation}, desc, m);
    guest_frame(l->guest, l->now, buffer_view(&b));
    buffer_fini(&b);
}

static void found(struct lone *l, uint64_t correlation)
{
    comes(l, KIND_FOUND, correlation, &msg_found_desc, &(struct msg_found){.account = {{9}}});
}

static void error(struct lone *l, uint64_t correlation, enum status s, uint32_t wait_ms)
{
    comes(l, KIND_ERROR, correlation, &msg_error_desc, &(struct msg_error){.status = (uint32_t)s, .retry_after_ms = wait_ms});
}

static bool ended(struct lone *l, enum status *how)
{
    struct frame f;
    return guest_answer(l->guest, how, &f);
}

Test(guest, what_is_asked_is_answered_once)
{
    struct lone l = lone_new();
    struct frame f;
    enum status how;
    cr_assert_eq(ask(&l), STATUS_OK);
    cr_assert_eq(ask(&l), STATUS_BUSY);
    cr_assert_eq(goes(&l), 0, "there is no connection yet");
    guest_up(l.guest, l.now);
    uint64_t id = goes(&l);
    cr_assert_neq(id, 0);
    cr_assert_eq(goes(&l), 0);
    found(&l, id + 1);
    cr_assert_not(ended(&l, &how), "nobody has asked that");
    found(&l, id);
    cr_assert_eq(ask(&l), STATUS_BUSY, "the answer was not fetched");
    cr_assert(guest_answer(l.guest, &how, &f));
    cr_assert_eq(how, STATUS_OK);
    cr_assert_eq(f.header.kind, KIND_FOUND);
    cr_assert_not(ended(&l, &how));
    found(&l, id);
    cr_assert_not(ended(&l, &how), "the same answer again");
    cr_assert_eq(ask(&l), STATUS_OK);
    cr_assert_neq(goes(&l), id);
    guest_free(&l.guest);
}

Test(guest, a_refusal_ends_it_and_overload_does_not)
{
    struct lone l = lone_new();
    enum status how;
    cr_assert_eq(ask(&l), STATUS_OK);
    guest_up(l.guest, l.now);
    error(&l, goes(&l), STATUS_BUSY, 3000);
    cr_assert_not(ended(&l, &how));
    cr_assert_eq(goes(&l), 0);
    l.now.mono_ms = guest_deadline_ms(l.guest);
    cr_assert_geq(l.now.mono_ms, 4000);
    error(&l, goes(&l), STATUS_RATE_LIMITED, 0);
    cr_assert_not(ended(&l, &how));
    l.now.mono_ms = guest_deadline_ms(l.guest);
    error(&l, goes(&l), STATUS_NOT_FOUND, 0);
    cr_assert(ended(&l, &how));
    cr_assert_eq(how, STATUS_NOT_FOUND);
    guest_free(&l.guest);
}

Test(guest, a_broken_connection_asks_again_under_another_id)
{
    struct lone l = lone_new();
    enum status how;
    cr_assert_eq(ask(&l), STATUS_OK);
    guest_up(l.guest, l.now);
    uint64_t id = goes(&l);
    guest_down(l.guest);
    cr_assert_eq(guest_deadline_ms(l.guest), UINT64_MAX);
    found(&l, id);
    cr_assert_not(ended(&l, &how));
    guest_up(l.guest, l.now);
    uint64_t other = goes(&l);
    cr_assert_neq(other, 0);
    cr_assert_neq(other, id);
    found(&l, other);
    cr_assert(ended(&l, &how));
    guest_free(&l.guest);
}

Test(guest, a_silent_relay_is_left_and_what_it_cannot_take_comes_again)
{
    struct lone l = lone_new();
    cr_assert_eq(ask(&l), STATUS_OK);
    guest_up(l.guest, l.now);
    cr_assert_neq(goes(&l), 0);
    guest_keep_frame(l.guest);
    cr_assert_neq(goes(&l), 0, "it was not taken");
    for (int i = 0; i < 4; i++) {
        l.now.mono_ms = guest_deadline_ms(l.guest);
        (void)goes(&l);
    }
    cr_assert(guest_wants_move(l.guest));
    guest_down(l.guest);
    guest_up(l.guest, l.now);
    cr_assert_not(guest_wants_move(l.guest));
    error(&l, goes(&l), STATUS_DRAINING, 0);
    cr_assert(guest_wants_move(l.guest));
    guest_free(&l.guest);
}

Test(guest, an_answer_of_another_kind_and_an_error_that_is_none_give_nothing)
{
    struct lone l = lone_new();
    enum status how;
    cr_assert_eq(ask(&l), STATUS_OK);
    guest_up(l.guest, l.now);
    comes(&l, KIND_APPENDED, goes(&l), &msg_appended_desc, &(struct msg_appended){{0}});
    cr_assert_not(ended(&l, &how));
    l.now.mono_ms = guest_deadline_ms(l.guest);
    error(&l, goes(&l), STATUS_OK, 0);
    cr_assert(ended(&l, &how));
    cr_assert_eq(how, STATUS_MALFORMED);
    guest_free(&l.guest);
}
