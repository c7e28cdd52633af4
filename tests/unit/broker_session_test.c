/* The table of connections and bound sessions. */
#include "broker/session.h"

#include <criterion/criterion.h>

static const struct transport_pk key = {{1}};

static struct connection *bound(struct sessions *s, uint32_t routing, uint8_t device,
                                uint64_t number)
{
    struct connection *c = session_connect(s, routing, &key, 0);
    struct stamp stamp = {.session = {.number = number}, .device = {{device}}};
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = true}), STATUS_OK);
    session_bind(s, c, &stamp, &(struct msg_welcome){.credit_messages = 4});
    return c;
}

Test(session, is_found_by_routing_and_by_handle)
{
    struct sessions s;
    sessions_init(&s, 4, 1);
    struct connection *c = session_connect(&s, 77, &key, 0);
    cr_assert_eq(session_by_routing(&s, 77), c);
    cr_assert_eq(session_by_handle(&s, session_handle(&s, c)), c);
    cr_assert_null(session_by_routing(&s, 77 + 4)); /* same bucket */
    cr_assert_null(session_by_handle(&s, 99));
    sessions_fini(&s);
}

Test(session, handle_of_a_removed_connection_names_nothing)
{
    struct sessions s;
    sessions_init(&s, 1, 1);
    struct connection *c = session_connect(&s, 5, &key, 0);
    uint64_t handle = session_handle(&s, c);
    session_remove(&s, c);
    cr_assert_null(session_by_handle(&s, handle));
    cr_assert_null(session_by_routing(&s, 5));
    cr_assert_eq(session_connect(&s, 6, &key, 0), c, "the slot is free again");
    cr_assert_null(session_by_handle(&s, handle));
    sessions_fini(&s);
}

Test(session, full_table_refuses)
{
    struct sessions s;
    sessions_init(&s, 2, 1);
    cr_assert_not_null(session_connect(&s, 1, &key, 0));
    cr_assert_not_null(session_connect(&s, 2, &key, 0));
    cr_assert_null(session_connect(&s, 3, &key, 0));
    cr_assert_eq(s.count, 2);
    sessions_fini(&s);
}

Test(session, devices_sessions_are_all_found)
{
    struct sessions s;
    sessions_init(&s, 8, 3);
    bound(&s, 1, 10, 1);
    bound(&s, 2, 10, 2);
    bound(&s, 3, 11, 3);
    session_connect(&s, 4, &key, 0);
    unsigned found = 0;
    for (const struct connection *c = session_by_device(&s, (struct device_id){{10}}); c;
         c = session_next(&s, c))
        found |= 1u << c->routing;
    cr_assert_eq(found, 1u << 1 | 1u << 2);
    cr_assert_null(session_by_device(&s, (struct device_id){{12}}));
    cr_assert_null(session_by_device(&s, (struct device_id){{0}}), "unbound ones are not listed");
    sessions_fini(&s);
}

Test(session, unbinding_clears_the_stamp)
{
    struct sessions s;
    sessions_init(&s, 2, 1);
    struct connection *c = bound(&s, 1, 10, 6);
    cr_assert_eq(session_stamp(&s, c).session.number, 6);
    cr_assert(session_is(c, (struct session_id){.number = 6}));
    cr_assert_not(session_is(c, (struct session_id){.number = 5}));
    session_unbind(&s, c);
    struct stamp stamp = session_stamp(&s, c);
    cr_assert_eq(stamp.session.number, 0);
    cr_assert_eq(stamp.device.bytes[0], 0);
    cr_assert_eq(stamp.transport.bytes[0], 1, "the key stays: it is the connection's");
    cr_assert_not(session_bound(c));
    cr_assert_not(session_is(c, (struct session_id){.number = 0}));
    sessions_fini(&s);
}

Test(session, second_hello_waits_for_the_first)
{
    struct sessions s;
    sessions_init(&s, 2, 1);
    struct connection *c = session_connect(&s, 1, &key, 0);
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = true}), STATUS_OK);
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = false}), STATUS_STATE);
    cr_assert(c->offered.attach);
    session_declined(c);
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = false}), STATUS_OK);
    sessions_fini(&s);
}

Test(session, declined_hello_leaves_the_earlier_session)
{
    struct sessions s;
    sessions_init(&s, 2, 1);
    struct connection *c = bound(&s, 1, 10, 6);
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = false}), STATUS_OK);
    session_declined(c);
    cr_assert(session_is(c, (struct session_id){.number = 6}));
    cr_assert(c->greeting.attach);
    sessions_fini(&s);
}

Test(session, superseded_while_greeting_again_can_still_be_welcomed)
{
    struct sessions s;
    sessions_init(&s, 2, 1);
    struct connection *c = bound(&s, 1, 10, 6);
    cr_assert_eq(session_greet(c, &(struct msg_hello){.attach = true}), STATUS_OK);
    session_unbind(&s, c);
    struct stamp stamp = {.session = {.number = 7}, .device = {{10}}};
    session_bind(&s, c, &stamp, &(struct msg_welcome){.credit_messages = 4});
    cr_assert(session_is(c, stamp.session));
    cr_assert_eq(s.bound, 1);
    sessions_fini(&s);
}
