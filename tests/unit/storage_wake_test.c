/* Wake-ups: one coalesced row per offline device; leases, results, retries; gone when the device comes. */
#include "tests/unit/storage_fixture.h"

static const struct stamp fanout = {.origin = ORIGIN_WORKER, .conn = 4};

static struct msg_leased lease(struct world *w, uint32_t count)
{
    struct msg_lease m = {.count = count, .lease_ms = 30000};
    struct msg_leased leased;
    uint64_t c = world_ask(w, 0, &fanout, KIND_LEASE, &msg_lease_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_LEASED, &msg_leased_desc, &leased);
    return leased;
}

static void woken(struct world *w, const struct msg_wake *wake, bool sent, uint64_t retry_ms)
{
    struct msg_wake_result result = {wake->device, wake->account, sent, retry_ms};
    struct msg_woken m = {.results = &result, .result_count = 1};
    uint64_t c = world_ask(w, 0, &fanout, KIND_WOKEN, &msg_woken_desc, &m, view_of(NULL, 0));
    world_run(w);
    cr_assert_eq(world_reply(w, c)->frame.header.kind, KIND_WOKEN_OK);
}

Test(wake, many_messages_to_an_offline_device_are_one_row)
{
    struct scene e = scene_new(false);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1);
    world_pass(e.w, 200);
    cr_assert_geq(world_outs(e.w, KIND_WAKES_WAITING), 1);
    struct msg_leased l = lease(e.w, 10);
    cr_assert_eq(l.wake_count, 1);
    cr_assert(device_equal(l.wakes[0].device, e.bob->device));
    cr_assert_eq(home_of_account(l.wakes[0].account), home_of_account(e.bob->account),
                 "also of a device that never said HELLO");
    cr_assert_eq(l.wakes[0].attempt, 1);
    scene_free(&e);
}

Test(wake, an_attached_device_needs_none)
{
    struct scene e = scene_new(true);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 0);
    cr_assert_eq(lease(e.w, 10).wake_count, 0);
    scene_free(&e);
}

Test(wake, a_leased_one_is_nobody_elses_until_the_lease_is_over)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct msg_lease m = {.count = 5, .lease_ms = 30000};
    struct msg_leased first, second;
    uint64_t a = world_ask(e.w, 0, &fanout, KIND_LEASE, &msg_lease_desc, &m, view_of(NULL, 0));
    uint64_t b = world_ask(e.w, 0, &fanout, KIND_LEASE, &msg_lease_desc, &m, view_of(NULL, 0));
    world_run(e.w); /* both in one turn */
    world_decode(e.w, a, KIND_LEASED, &msg_leased_desc, &first);
    world_decode(e.w, b, KIND_LEASED, &msg_leased_desc, &second);
    cr_assert_eq(first.wake_count, 1);
    cr_assert_eq(second.wake_count, 0);
    world_skip(e.w, 29000);
    cr_assert_eq(lease(e.w, 5).wake_count, 0);
    world_skip(e.w, 2000);
    struct msg_leased again = lease(e.w, 5);
    cr_assert_eq(again.wake_count, 1);
    cr_assert_eq(again.wakes[0].attempt, 2);
    scene_free(&e);
}

Test(wake, a_sent_one_is_gone_and_the_next_one_waits_a_little)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct msg_leased l = lease(e.w, 5);
    woken(e.w, &l.wakes[0], true, 0);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 0);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1);
    cr_assert_eq(lease(e.w, 5).wake_count, 0);
    world_skip(e.w, 31000);
    cr_assert_eq(lease(e.w, 5).wake_count, 1);
    scene_free(&e);
}

Test(wake, a_failed_one_is_put_off_and_given_up_in_the_end)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct msg_leased l = lease(e.w, 5);
    woken(e.w, &l.wakes[0], false, 5000);
    cr_assert_eq(lease(e.w, 5).wake_count, 0);
    world_skip(e.w, 5100);
    l = lease(e.w, 5);
    cr_assert_eq(l.wake_count, 1);
    cr_assert_eq(l.wakes[0].attempt, 2);
    woken(e.w, &l.wakes[0], false, 0);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 0);
    scene_free(&e);
}

Test(wake, attaching_clears_it_and_a_late_result_does_not_take_the_next_one)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct msg_leased l = lease(e.w, 5);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 0);
    struct stamp stamp = person_stamp(e.bob);
    world_item(e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &(struct msg_closed){0},
               view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1, "it left with something open");
    woken(e.w, &l.wakes[0], true, 0);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 1);
    scene_free(&e);
}

Test(wake, survives_a_restart)
{
    struct scene e = scene_new(false);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    world_restart(e.w);
    cr_assert_eq(lease(e.w, 5).wake_count, 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_WAKE), 0);
    scene_free(&e);
}

/* Rows that are leased or put off stand in front: the others are reached all the same. */
Test(wake, those_that_wait_do_not_hide_those_that_are_due)
{
    struct scene e = scene_new(false);
    struct store_batch batch = {0};
    struct arena arena = {0};
    uint64_t later = e.w->now.wall_ms + DAY_MS;
    for (uint32_t i = 0; i < 3000; i++) {
        struct device_id device = {{0}};
        struct wake_row row = {.due_ms = i == 2999 ? 1 : later};
        put_u32(device.bytes, i);
        struct store_key key = key_device(ROW_WAKE, 1, device);
        store_batch_put(&batch, &arena, SPACE_ROUTING, arena_copy(&arena, key_view(&key)),
                        wake_row_write(&arena, &row), view_of(NULL, 0));
    }
    cr_assert_eq(store_write(e.w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    arena_fini(&arena);
    size_t found = 0, asked = 0;
    for (struct msg_leased l = {.more = true}; l.more; asked++) {
        cr_assert_lt(asked, 10, "a pass ends");
        l = lease(e.w, 64);
        found += l.wake_count;
    }
    cr_assert_eq(found, 1);
    scene_free(&e);
}
