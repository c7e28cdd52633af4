/* A contact's new device is told of, once, to whoever knew the contact before. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static size_t notices(const struct fixture *f)
{
    size_t count = 0;
    for (size_t i = 0; i < f->event_count; i++)
        count += f->events[i].kind == ENGINE_DEVICES;
    return count;
}

ENGINE_TEST(notice, a_contacts_new_device_is_told_of_once_with_the_message_that_meets_it)
{
    struct sent s;
    bob_and_session(f);
    events_forget(f);
    struct device_id added = bob_adds(f, 1);
    struct outbox_row row = write_to(f, "bob", "hello", NULL);
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    cr_assert_eq(notices(f), 1u);
    struct engine_event event = happened(f, ENGINE_DEVICES);
    cr_assert(memcmp(&event.sender_account, &f->bob.account, sizeof event.sender_account) == 0);
    cr_assert(device_equal(event.sender_device, added));
    said_send(f, &s);
    cr_assert_eq(s.items[0].part_count, 2u);
    accept_all(f, &s);
    cr_assert_eq(state_of(f, row.order), MESSAGE_ACCEPTED);
    write_to(f, "bob", "and more", NULL);
    said_send(f, &s);
    stale = stale_since(f, 0); /* the same entries again are no news */
    answer_stale(f, &s, &stale);
    cr_assert_eq(notices(f), 0u);
}

ENGINE_TEST(notice, devices_that_a_contact_had_before_it_was_known_are_none)
{
    struct sent s;
    bind_session(f);
    said_forget(f);
    bob_adds(f, 1);
    write_to(f, "bob", "hello", NULL);
    answer_lookups(f);
    said_send(f, &s);
    cr_assert_eq(s.items[0].part_count, 2u);
    cr_assert_eq(notices(f), 0u);
}

ENGINE_TEST(notice, other_changes_of_a_contacts_keys_are_none)
{
    struct sent s;
    bob_and_session(f);
    events_forget(f);
    bob_rotates(f, 3);
    write_to(f, "bob", "hello", NULL);
    said_send(f, &s);
    struct msg_stale stale = stale_since(f, 1);
    answer_stale(f, &s, &stale);
    cr_assert_eq(notices(f), 0u);
}
