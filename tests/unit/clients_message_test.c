#include "clients/message.h"
#include "clients/wrap.h"

#include <criterion/criterion.h>
#include <string.h>

static enum message_state step(enum message_state from, enum message_event event)
{
    enum message_state to;
    return message_step(from, event, &to) == STATUS_OK ? to : MESSAGE_NONE;
}

Test(message, way_of_a_message_that_arrives)
{
    cr_assert_eq(step(MESSAGE_DRAFTED, MESSAGE_EVENT_SEAL), MESSAGE_ENCRYPTED);
    cr_assert_eq(step(MESSAGE_ENCRYPTED, MESSAGE_EVENT_SUBMIT), MESSAGE_QUEUED);
    cr_assert_eq(step(MESSAGE_QUEUED, MESSAGE_EVENT_SUBMIT), MESSAGE_QUEUED);
    cr_assert_eq(step(MESSAGE_QUEUED, MESSAGE_EVENT_ACCEPT), MESSAGE_ACCEPTED);
    cr_assert_eq(step(MESSAGE_ACCEPTED, MESSAGE_EVENT_END), MESSAGE_SETTLED);
}

Test(message, nothing_is_accepted_that_was_not_queued)
{
    cr_assert_eq(step(MESSAGE_DRAFTED, MESSAGE_EVENT_ACCEPT), MESSAGE_NONE);
    cr_assert_eq(step(MESSAGE_ENCRYPTED, MESSAGE_EVENT_ACCEPT), MESSAGE_NONE);
    cr_assert_eq(step(MESSAGE_DRAFTED, MESSAGE_EVENT_SUBMIT), MESSAGE_NONE);
}

Test(message, settled_and_refused_are_the_end)
{
    for (unsigned e = 0; e < MESSAGE_EVENT_COUNT; e++) {
        cr_assert_eq(step(MESSAGE_SETTLED, (enum message_event)e), MESSAGE_NONE);
        cr_assert_eq(step(MESSAGE_REFUSED, (enum message_event)e), MESSAGE_NONE);
    }
}

Test(message, a_refused_step_leaves_the_state)
{
    enum message_state to;
    cr_assert_eq(message_step(MESSAGE_SETTLED, MESSAGE_EVENT_LOSE, &to), STATUS_STATE);
    cr_assert_eq(to, MESSAGE_SETTLED);
    cr_assert_eq(message_step(MESSAGE_NONE, MESSAGE_EVENT_SEAL, &to), STATUS_STATE);
    cr_assert_eq(message_step(MESSAGE_STATE_END, MESSAGE_EVENT_SEAL, &to), STATUS_STATE);
    cr_assert_eq(message_step(MESSAGE_DRAFTED, MESSAGE_EVENT_COUNT, &to), STATUS_STATE);
}

Test(message, only_the_user_moves_unknown_and_held)
{
    for (unsigned e = 0; e < MESSAGE_EVENT_COUNT; e++) {
        bool known = e == MESSAGE_EVENT_RELEASE || e == MESSAGE_EVENT_ACCEPT;
        cr_assert_eq(step(MESSAGE_UNKNOWN, (enum message_event)e) != MESSAGE_NONE, known);
        known = e == MESSAGE_EVENT_RELEASE || e == MESSAGE_EVENT_REFUSE;
        cr_assert_eq(step(MESSAGE_HELD, (enum message_event)e) != MESSAGE_NONE, known);
    }
}

Test(message, every_state_has_a_class_and_a_name)
{
    for (unsigned s = 1; s < MESSAGE_STATE_END; s++) {
        enum message_class class = message_class_of((enum message_state)s);
        cr_assert(class >= CLASS_WORK && class <= CLASS_ENDED);
        cr_assert_str_neq(message_state_name(s), "?");
    }
    cr_assert_str_eq(message_state_name(0), "?");
    cr_assert_str_eq(message_state_name(99), "?");
    cr_assert_str_eq(message_event_name(MESSAGE_EVENT_LOSE), "lose");
    cr_assert_str_eq(message_event_name(MESSAGE_EVENT_COUNT), "?");
}

Test(wrap, opaque_payload_comes_back)
{
    struct buffer b = {0};
    wrap_opaque(&b, view_of("text", 4));
    cr_assert_eq(b.len, 4 + WRAP_OVERHEAD_LEN);
    cr_assert_eq(wrap_check(buffer_view(&b), false), FAIL_NONE);
    cr_assert(view_equal(wrap_opaque_payload(buffer_view(&b)), view_of("text", 4)));
    buffer_clear(&b);
    wrap_opaque(&b, view_of(NULL, 0));
    cr_assert_eq(wrap_check(buffer_view(&b), false), FAIL_NONE);
    cr_assert_eq(wrap_opaque_payload(buffer_view(&b)).len, 0u);
    buffer_fini(&b);
}

Test(wrap, other_kinds_wait_and_nothing_is_broken)
{
    cr_assert_eq(wrap_check(view_of("\x02text", 5), true), FAIL_NONE);
    cr_assert_eq(wrap_check(view_of("\x02text", 5), false), FAIL_HELD);
    cr_assert_eq(wrap_check(view_of("\x01text", 5), true), FAIL_HELD);
    cr_assert_eq(wrap_check(view_of("\x03text", 5), false), FAIL_HELD);
    cr_assert_eq(wrap_check(view_of(NULL, 0), false), FAIL_BROKEN);
}
