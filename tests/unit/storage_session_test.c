/* Sessions: binding, superseding on one and on two brokers, adoption after a restart, brokers that
 * vanish, and what is answered while sessions are collected. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct scene two_brokers(void)
{
    struct scene e = {.w = world_new(2)};
    e.ann = person_new(e.w, 1);
    e.bob = person_new(e.w, 2);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    return e;
}

static void list_session(struct world *w, const struct person *p)
{
    struct stamp stamp = person_stamp(p);
    struct msg_session m = {.attached = true, .credit_messages = 100, .credit_bytes = 1 << 20,
                            .client_version = view_of("1.0.0", 5)};
    world_item(w, p->broker, &stamp, KIND_SESSION, 0, &msg_session_desc, &m, view_of(NULL, 0));
}

static void peer(struct world *w, size_t broker)
{
    struct msg_peer m = {.boot = w->boots[broker]};
    world_item(w, broker, &(struct stamp){.origin = ORIGIN_PEER}, KIND_PEER, 0, &msg_peer_desc, &m,
               view_of(NULL, 0));
}

static void sessions_end(struct world *w, size_t broker)
{
    world_item(w, broker, &(struct stamp){.origin = ORIGIN_PEER}, KIND_SESSIONS_END, 0,
               &msg_empty_desc, &(struct msg_empty){0}, view_of(NULL, 0));
}

static uint64_t lookup(struct world *w, const struct person *p)
{
    struct msg_lookup m = {.account = p->account};
    struct stamp stamp = person_stamp(p);
    uint64_t c = world_ask(w, p->broker, &stamp, KIND_LOOKUP, &msg_lookup_desc, &m, view_of(NULL, 0));
    world_run(w);
    return c;
}

Test(session, another_key_or_device_is_not_authenticated)
{
    struct scene e = scene_new(false);
    e.bob->record.transport.bytes[0] ^= 1;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_UNAUTHENTICATED);
    e.bob->record.transport.bytes[0] ^= 1;
    e.bob->device.bytes[0] ^= 1;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_UNAUTHENTICATED);
    e.bob->device.bytes[0] ^= 1;
    e.bob->account.bytes[31] ^= 1;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_NOT_FOUND);
    cr_assert_eq(world_events(e.w, EVENT_AUTH_REFUSED), 3);
    scene_free(&e);
}

Test(session, a_newer_one_supersedes_the_older_on_the_same_broker)
{
    struct scene e = scene_new(true);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    struct person old = *e.bob;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    person_read(e.w, &old);
    cr_assert_eq(old.superseded, 1);
    cr_assert_gt(session_compare(e.bob->session, old.session), 0);
    cr_assert_eq(e.bob->got_count, 1, "offered again");
    cr_assert(e.bob->got[0].item.again);
    cr_assert_eq(e.w->core->counters.attached, 2);
    scene_free(&e);
}

Test(session, a_newer_one_supersedes_the_older_on_another_broker)
{
    struct scene e = two_brokers();
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    struct person old = *e.bob;
    cr_assert_eq(person_hello(e.w, e.bob, 1), STATUS_OK);
    person_read(e.w, &old);
    cr_assert_eq(old.superseded, 1);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 1);
    scene_free(&e);
}

Test(session, an_unattached_one_supersedes_nobody_and_receives_nothing)
{
    struct scene e = scene_new(true);
    struct person quick = *e.bob;
    quick.unattached = true;
    cr_assert_eq(person_hello(e.w, &quick, 0), STATUS_OK);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, &quick);
    person_read(e.w, e.bob);
    cr_assert_eq(quick.got_count, 0);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert_eq(e.bob->superseded, 0);
    scene_free(&e);
}

Test(session, bye_ends_it_at_once_and_a_second_one_is_harmless)
{
    struct scene e = scene_new(true);
    struct stamp stamp = person_stamp(e.bob);
    for (int i = 0; i < 2; i++) {
        uint64_t c = world_ask(e.w, 0, &stamp, KIND_BYE, &msg_empty_desc, &(struct msg_empty){0},
                               view_of(NULL, 0));
        world_run(e.w);
        cr_assert_eq(world_reply(e.w, c)->frame.header.kind, KIND_GOODBYE);
        cr_assert_eq(e.w->core->counters.attached, 1);
    }
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 0);
    scene_free(&e);
}

Test(session, closed_counts_only_for_the_session_it_names)
{
    struct scene e = scene_new(true);
    struct stamp stamp = person_stamp(e.bob);
    stamp.session.number += 5;
    struct msg_closed closed = {0};
    world_item(e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &closed, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(e.w->core->counters.attached, 2);
    stamp.session.number -= 5;
    world_item(e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &closed, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(e.w->core->counters.attached, 1);
    cr_assert_eq(world_events(e.w, EVENT_SESSION_ENDED), 1);
    cr_assert_eq(world_outs(e.w, KIND_ERROR), 0, "nobody is told of it");
    scene_free(&e);
}

Test(session, requests_are_busy_until_every_broker_has_listed_its_sessions)
{
    struct scene e = two_brokers();
    world_crash(e.w);
    storage_tick(e.w->core, e.w->now);
    cr_assert_eq(world_status(e.w, lookup(e.w, e.ann)), STATUS_BUSY);
    peer(e.w, 0);
    sessions_end(e.w, 0);
    world_run(e.w);
    storage_tick(e.w->core, e.w->now);
    cr_assert_eq(world_status(e.w, lookup(e.w, e.ann)), STATUS_BUSY, "one is missing");
    peer(e.w, 1);
    sessions_end(e.w, 1);
    world_run(e.w);
    storage_tick(e.w->core, e.w->now);
    cr_assert_eq(world_status(e.w, lookup(e.w, e.ann)), STATUS_OK);
    scene_free(&e);
}

Test(session, a_broker_that_never_answers_is_waited_for_two_seconds)
{
    struct scene e = two_brokers();
    world_crash(e.w);
    storage_tick(e.w->core, e.w->now);
    for (int i = 0; i < 19; i++) {
        e.w->now.mono_ms += 100;
        e.w->now.wall_ms += 100;
        storage_tick(e.w->core, e.w->now);
    }
    cr_assert_eq(world_status(e.w, lookup(e.w, e.ann)), STATUS_BUSY);
    e.w->now.mono_ms += 200;
    e.w->now.wall_ms += 200;
    storage_tick(e.w->core, e.w->now);
    cr_assert_eq(world_status(e.w, lookup(e.w, e.ann)), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_SESSIONS_COLLECTED), 4);
    scene_free(&e);
}

Test(session, a_listed_session_is_adopted_after_a_restart_and_offered_everything_again)
{
    struct scene e = scene_new(true);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 1);
    world_crash(e.w);
    storage_tick(e.w->core, e.w->now);
    peer(e.w, 0);
    list_session(e.w, e.bob);
    world_run(e.w);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 3, "nothing is pushed while collecting");
    e.bob->got_count = 0;
    e.bob->open_count = 0;
    sessions_end(e.w, 0);
    world_run(e.w);
    storage_tick(e.w->core, e.w->now);
    world_run(e.w);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 2);
    cr_assert(e.bob->got[0].item.again);
    person_ack(e.w, e.bob, 2);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 3);
    scene_free(&e);
}

/* Everything is gone from the disk, while the broker still has Bob's session; Ann has registered again. */
static void lose_disk(struct scene *e)
{
    struct msg_register m = {.entry = buffer_view(&e->ann->entry)};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 8, .transport = e->ann->record.transport};
    world_close(e->w);
    memory_disk_free(&e->w->disk);
    e->w->disk = memory_disk_new();
    world_open(e->w);
    world_serve(e->w);
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    cr_assert_eq(world_status(e->w, c), STATUS_OK);
    e->bob->read_outs = e->w->out_count;
}

static const struct out *last_error(const struct world *w)
{
    const struct out *found = NULL;
    for (size_t i = 0; i < w->out_count; i++)
        if (w->outs[i].frame.header.kind == KIND_ERROR) found = &w->outs[i];
    return found;
}

/* The device that every broker was told to end; asserts that one was named. */
static struct device_id ended(struct scene *e)
{
    struct msg_end_device m = {0};
    for (size_t i = 0; i < e->w->out_count; i++)
        if (e->w->outs[i].frame.header.kind == KIND_END_DEVICE)
            cr_assert_eq(codec_decode(&msg_end_device_desc, e->w->outs[i].frame.meta, &e->w->arena, &m), STATUS_OK);
    cr_assert_gt(world_outs(e->w, KIND_END_DEVICE), 0);
    return m.device;
}

Test(session, a_listed_one_whose_account_is_gone_is_ended_and_told)
{
    struct scene e = scene_new(true);
    lose_disk(&e);
    peer(e.w, 0);
    list_session(e.w, e.bob);
    sessions_end(e.w, 0);
    world_run(e.w);
    cr_assert(device_equal(ended(&e), e.bob->device));
    cr_assert_eq(e.w->core->counters.attached, 0);
    cr_assert_eq(world_event(e.w, EVENT_AUTH_REFUSED)->code, STATUS_NOT_FOUND);
    cr_assert_eq(world_outs(e.w, KIND_SUPERSEDED), 0, "it may attach again by itself");
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_NOT_FOUND, "registering helps");
    scene_free(&e);
}

static void list_again(struct scene *e, bool attached)
{
    struct stamp stamp = person_stamp(e->bob);
    struct msg_session m = {.attached = attached, .credit_messages = 100, .credit_bytes = 1 << 20};
    world_crash(e->w);
    world_serve(e->w);
    world_item(e->w, 0, &stamp, KIND_SESSION, 0, &msg_session_desc, &m, view_of(NULL, 0));
    sessions_end(e->w, 0);
    world_run(e->w);
}

/* The process ended after the entry was on disk, and before any broker heard of it. */
Test(session, a_listed_one_whose_device_was_revoked_is_ended_attached_or_not)
{
    for (int attached = 0; attached < 2; attached++) {
        struct scene e = scene_new(true);
        list_again(&e, attached);
        cr_assert_eq(world_outs(e.w, KIND_END_DEVICE), 0, "all is well with it");
        person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE,
                                                                      .subject = e.bob->device}));
        size_t told = world_outs(e.w, KIND_END_DEVICE);
        cr_assert_gt(told, 0);
        list_again(&e, attached);
        cr_assert_gt(world_outs(e.w, KIND_END_DEVICE), told);
        cr_assert_eq(e.w->core->counters.attached, 0);
        cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_REFUSED);
        scene_free(&e);
    }
}

Test(session, a_listed_one_whose_account_has_come_back_stays)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    struct person *ann = e.ann;
    lose_disk(&e);
    peer(e.w, 0);
    list_session(e.w, ann);
    sessions_end(e.w, 0);
    world_run(e.w);
    cr_assert_null(last_error(e.w));
    cr_assert_eq(e.w->core->counters.attached, 1);
    cr_assert_eq(world_events(e.w, EVENT_AUTH_REFUSED), 0);
    cr_assert_eq(person_send(e.w, ann, ann, 10).status, STATUS_REFUSED, "it is served");
    scene_free(&e);
}

static void two_listed(bool newer_first)
{
    struct scene e = two_brokers();
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    struct person old = *e.bob;
    cr_assert_eq(person_hello(e.w, e.bob, 1), STATUS_OK);
    world_crash(e.w);
    storage_tick(e.w->core, e.w->now);
    old.read_outs = e.bob->read_outs = e.w->out_count;
    for (size_t i = 0; i < 2; i++) {
        const struct person *p = (i == 0) == newer_first ? e.bob : &old;
        peer(e.w, p->broker);
        list_session(e.w, p);
        sessions_end(e.w, p->broker);
        world_run(e.w);
    }
    storage_tick(e.w->core, e.w->now);
    world_run(e.w);
    person_read(e.w, &old);
    person_read(e.w, e.bob);
    cr_assert_eq(old.superseded, 1);
    cr_assert_eq(e.bob->superseded, 0);
    cr_assert_eq(e.w->core->counters.attached, 1);
    scene_free(&e);
}

Test(session, of_two_listed_ones_the_newer_stays_told_first)
{
    two_listed(true);
}

Test(session, of_two_listed_ones_the_newer_stays_told_last)
{
    two_listed(false);
}

Test(session, an_adopted_one_that_closed_before_the_first_turn_leaves_a_wake)
{
    struct scene e = scene_new(true);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    world_pass(e.w, 1500); /* the device row is written */
    world_crash(e.w);
    storage_tick(e.w->core, e.w->now);
    peer(e.w, 0);
    list_session(e.w, e.bob);
    struct stamp stamp = person_stamp(e.bob);
    world_item(e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &(struct msg_closed){0},
               view_of(NULL, 0));
    sessions_end(e.w, 0);
    world_run(e.w);
    storage_tick(e.w->core, e.w->now);
    world_run(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1);
    scene_free(&e);
}

Test(session, a_silent_broker_loses_its_sessions_and_gets_them_back_by_listing)
{
    struct scene e = scene_new(true);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    person_read(e.w, e.bob);
    e.w->now.mono_ms += 2100;
    e.w->now.wall_ms += 2100;
    storage_tick(e.w->core, e.w->now);
    world_run(e.w);
    cr_assert_eq(world_events(e.w, EVENT_BROKER_LOST), 1);
    cr_assert_eq(world_event(e.w, EVENT_BROKER_LOST)->count, 2);
    cr_assert_eq(e.w->core->counters.attached, 0);
    size_t ready = world_outs(e.w, KIND_READY);
    cr_assert_gt(ready, 0);
    e.bob->got_count = e.bob->open_count = 0;
    peer(e.w, 0);
    list_session(e.w, e.bob);
    sessions_end(e.w, 0);
    world_run(e.w);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 1);
    scene_free(&e);
}

Test(session, a_broker_with_a_new_boot_id_has_none_of_the_old_sessions)
{
    struct scene e = scene_new(true);
    e.w->boots[0].bytes[7] = 0xee;
    size_t ready = world_outs(e.w, KIND_READY);
    world_skip(e.w, 100); /* its first slab */
    cr_assert_eq(e.w->core->counters.attached, 0);
    cr_assert_gt(world_outs(e.w, KIND_READY), ready, "READY at once");
    scene_free(&e);
}

static bool ready_said_within(struct scene *e, uint64_t ms)
{
    size_t ready = world_outs(e->w, KIND_READY);
    e->w->now.mono_ms += ms;
    storage_tick(e->w->core, e->w->now);
    return world_outs(e->w, KIND_READY) > ready;
}

Test(session, on_a_new_connection_ready_is_said_at_once_and_once)
{
    struct scene e = scene_new(true);
    uint64_t attached = e.w->core->counters.attached;
    cr_assert_not(ready_said_within(&e, 1));
    storage_broker_reached(e.w->core, 0);
    cr_assert(ready_said_within(&e, 1));
    cr_assert_not(ready_said_within(&e, 1));
    cr_assert_eq(e.w->core->counters.attached, attached, "whose sessions these are, PEER will say");
    scene_free(&e);
}

Test(session, a_store_that_drains_is_not_ready_for_a_new_connection)
{
    struct scene e = scene_new(true);
    storage_drain(e.w->core, e.w->now);
    storage_broker_reached(e.w->core, 0);
    cr_assert_not(ready_said_within(&e, 1));
    scene_free(&e);
}

/* A WELCOME or CLOSED lost with a connection leaves a session here that the broker does not have. */
static size_t attached_after_a_list_without_bob(bool began_before)
{
    struct scene e = scene_new(true);
    struct stamp stamp = {.origin = ORIGIN_PEER, .session = e.bob->session};
    stamp.session.number -= !began_before;
    peer(e.w, 0);
    list_session(e.w, e.ann);
    world_item(e.w, 0, &stamp, KIND_SESSIONS_END, 0, &msg_empty_desc, &(struct msg_empty){0},
               view_of(NULL, 0));
    world_run(e.w);
    size_t attached = e.w->core->counters.attached;
    scene_free(&e);
    return attached;
}

Test(session, one_that_a_later_list_does_not_name_has_ended)
{
    cr_assert_eq(attached_after_a_list_without_bob(true), 1);
}

Test(session, one_that_is_younger_than_what_the_list_answers_stays)
{
    cr_assert_eq(attached_after_a_list_without_bob(false), 2);
}

/* HELLO with Bob's clock so far from the relay's; how many events there are then. */
static size_t hello_at(struct scene *e, int64_t skew_ms)
{
    e->bob->client_ms = e->w->now.wall_ms + (uint64_t)skew_ms;
    cr_assert_eq(person_hello(e->w, e->bob, 0), STATUS_OK, "it is no reason to refuse");
    return world_events(e->w, EVENT_CLIENT_CLOCK_SKEWED);
}

Test(session, a_wrong_clock_of_the_client_is_told_with_its_size_and_direction)
{
    struct scene e = scene_new(false);
    int64_t year_ms = (int64_t)(365 * DAY_MS);
    cr_assert_eq(hello_at(&e, year_ms), 1);
    cr_assert_eq(world_event(e.w, EVENT_CLIENT_CLOCK_SKEWED)->code, CLOCK_AHEAD);
    cr_assert_eq(world_event(e.w, EVENT_CLIENT_CLOCK_SKEWED)->value, 365 * DAY_MS);
    struct mark bob = mark_device(&e.w->config.mark_key, e.bob->device);
    cr_assert_eq(memcmp(&world_event(e.w, EVENT_CLIENT_CLOCK_SKEWED)->device, &bob, sizeof bob), 0);
    cr_assert_eq(hello_at(&e, -year_ms), 2);
    cr_assert_eq(world_event(e.w, EVENT_CLIENT_CLOCK_SKEWED)->code, CLOCK_BEHIND);
    cr_assert_eq(world_event(e.w, EVENT_CLIENT_CLOCK_SKEWED)->value, 365 * DAY_MS);
    cr_assert_eq(e.w->core->counters.skewed, 2);
    e.bob->client_ms = UINT64_MAX;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.w->core->counters.skewed, 2, "that is no time");
    scene_free(&e);
}

Test(session, a_clock_within_ten_minutes_or_untold_is_none)
{
    struct scene e = scene_new(true);
    int64_t limit_ms = (int64_t)ID_AHEAD_MAX_MS;
    cr_assert_eq(world_events(e.w, EVENT_CLIENT_CLOCK_SKEWED), 0, "not told");
    cr_assert_eq(hello_at(&e, limit_ms), 0);
    cr_assert_eq(hello_at(&e, -limit_ms), 0);
    cr_assert_eq(e.w->core->counters.skewed, 0);
    cr_assert_eq(hello_at(&e, limit_ms + 1), 1);
    cr_assert_eq(hello_at(&e, -limit_ms - 1), 2);
    cr_assert_eq(e.w->core->counters.skewed, 2);
    scene_free(&e);
}

Test(session, a_clock_that_stays_wrong_is_counted_each_time_and_told_once)
{
    struct scene e = scene_new(false);
    int64_t day_ms = (int64_t)DAY_MS;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(hello_at(&e, day_ms + i * 60000), 1);
    cr_assert_eq(e.w->core->counters.skewed, 5);
    cr_assert_eq(hello_at(&e, 0), 1, "set right");
    cr_assert_eq(e.w->core->counters.skewed, 5);
    cr_assert_eq(hello_at(&e, day_ms), 2, "wrong again");
    scene_free(&e);
}

Test(session, a_version_range_we_do_not_speak_is_unsupported)
{
    struct scene e = scene_new(false);
    struct msg_hello hello = {.device = e.bob->device, .account = e.bob->account,
                              .protocol_min = 2, .protocol_max = 9, .attach = true};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 77, .transport = e.bob->record.transport};
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_UNSUPPORTED);
    scene_free(&e);
}

Test(session, an_account_is_told_once_with_its_device)
{
    struct scene e = scene_new(true);
    struct msg_register m = {.entry = buffer_view(&e.bob->entry)};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 9, .transport = e.bob->record.transport};
    cr_assert_eq(world_events(e.w, EVENT_ACCOUNT_CREATED), 2);
    cr_assert_eq(world_event(e.w, EVENT_ACCOUNT_CREATED)->count, 1);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_ACCOUNT_CREATED), 2, "it was there");
    scene_free(&e);
}

Test(session, accounts_and_handles_are_idempotent_and_taken_once)
{
    struct scene e = scene_new(false);
    struct person *people[3] = {e.ann, e.ann, e.bob};
    enum status expected[3] = {STATUS_OK, STATUS_OK, STATUS_HANDLE_TAKEN};
    for (size_t i = 0; i < 3; i++) {
        const struct person *p = people[i];
        struct msg_claim_handle m = {.handle = view_of("ann", 3), .entry = buffer_view(&p->entry)};
        struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 9, .transport = p->record.transport};
        handle_sign(p->account, m.handle, p->signing_sk, &m.signature);
        uint64_t c = world_ask(e.w, 0, &stamp, KIND_CLAIM_HANDLE, &msg_claim_handle_desc, &m,
                               view_of(NULL, 0));
        world_run(e.w);
        cr_assert_eq(world_status(e.w, c), expected[i]);
    }
    struct msg_lookup by_name = {.handle = view_of("ann", 3)};
    struct msg_found found;
    struct stamp stamp = person_stamp(e.bob);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_LOOKUP, &msg_lookup_desc, &by_name, view_of(NULL, 0));
    world_run(e.w);
    world_decode(e.w, c, KIND_FOUND, &msg_found_desc, &found);
    cr_assert_eq(memcmp(found.account.bytes, e.ann->account.bytes, 32), 0);
    c = lookup(e.w, e.ann);
    world_decode(e.w, c, KIND_FOUND, &msg_found_desc, &found);
    cr_assert(view_equal(found.entries[0], buffer_view(&e.ann->entry)));
    scene_free(&e);
}
