/* The operators' socket: the overview, and questions that a store answers. */
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>

#define CLIENT 5u
#define STORE  1u

Test(admin, overview_tells_workers_and_explain_goes_to_the_owner)
{
    struct slab_header h;
    struct relay *r = relay_new(64);
    h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    worker_beats(r, STORE, &h);
    admin_says(r, 3, (struct frame_header){.kind = KIND_OVERVIEW, .correlation = 1},
               &msg_empty_desc, &(struct msg_empty){0});
    struct output *o = admin_takes(r, 3, KIND_OVERVIEW_IS);
    struct arena a = {0};
    struct msg_overview overview;
    cr_assert(o != NULL);
    cr_assert_eq(codec_decode(&msg_overview_desc, o->frame.meta, &a, &overview), STATUS_OK);
    cr_assert_eq(overview.worker_count, 1);
    cr_assert_eq(overview.workers[0].queued_messages, 77);
    cr_assert_eq(overview.sessions, 1);
    cr_assert_eq(overview.attached, 1);
    cr_assert_eq(overview.accepted, 9);
    cr_assert_eq(overview.failed, 3);
    cr_assert_eq(overview.half_open, 2);
    cr_assert_eq(overview.stuck, 1);
    cr_assert_eq(overview.cut_count, 2, "reasons that never were have no row");
    cr_assert_eq(overview.cuts[0].reason, CUT_SILENT);
    cr_assert_eq(overview.cuts[0].connections, 4);
    cr_assert_eq(overview.cuts[1].reason, CUT_SESSION);
    arena_fini(&a);
    static const uint8_t forwarded[][2] = {{KIND_EXPLAIN, KIND_EXPLAINED}, {KIND_EVENTS, KIND_EVENTS_ARE},
                                           {KIND_HOLD, KIND_HOLDS_ARE}, {KIND_DEVICES, KIND_DEVICES_ARE}};
    for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++) {
        admin_says(r, 3, (struct frame_header){.kind = forwarded[i][0], .correlation = 2 + i, .home = 4},
                   &msg_empty_desc, &(struct msg_empty){0});
        relay_flush(r);
        struct output *asked = worker_takes(r, STORE, (enum frame_kind)forwarded[i][0]);
        cr_assert(asked != NULL);
        cr_assert_eq(asked->stamp.origin, ORIGIN_ADMIN);
        enum frame_kind reply = (enum frame_kind)forwarded[i][1];
        worker_answers(r, STORE, &h, asked, reply, &msg_empty_desc, &(struct msg_empty){0});
        cr_assert_eq(admin_takes(r, 3, reply)->frame.header.correlation, 2 + i);
    }
    relay_free(r);
}

static struct msg_overview overview_ask(struct relay *r, struct arena *a)
{
    struct msg_overview overview;
    admin_says(r, 3, (struct frame_header){.kind = KIND_OVERVIEW, .correlation = 1}, &msg_empty_desc, &(struct msg_empty){0});
    struct output *o = admin_takes(r, 3, KIND_OVERVIEW_IS);
    cr_assert_eq(codec_decode(&msg_overview_desc, o->frame.meta, a, &overview), STATUS_OK);
    return overview;
}

Test(admin, overview_tells_how_soon_sessions_were_ended)
{
    struct relay *r = relay_new(64);
    struct slab_header h = storage_header(1, 1000, 1);
    struct arena a = {0};
    storage_readies(r, STORE, 1, &h, 0, 4095, 100);
    for (uint8_t n = 3; n < 6; n++) {
        struct msg_end_device end = {.device = device_n(n), .decided_ms = r->now.mono_ms - (n == 4 ? 90u : 20u)};
        client_binds(r, CLIENT, n, STORE, &h, n);
        worker_says(r, STORE, &h, &(struct stamp){.origin = ORIGIN_PEER}, (struct frame_header){.kind = KIND_END_DEVICE},
                    &msg_end_device_desc, &end);
    }
    struct msg_overview overview = overview_ask(r, &a);
    cr_assert_eq(overview.ended, 3u);
    cr_assert_eq(overview.ended_ms_max, 90u, "the slowest");
    arena_fini(&a);
    relay_free(r);
}

Test(admin, admin_socket_takes_operators_requests_only)
{
    struct relay *r = relay_new(4);
    admin_says(r, 3, (struct frame_header){.kind = KIND_SEND, .correlation = 1}, &msg_empty_desc,
               &(struct msg_empty){0});
    cr_assert_eq(error_status(admin_takes(r, 3, KIND_NONE)), STATUS_UNSUPPORTED);
    admin_says(r, 3, (struct frame_header){.kind = KIND_EVENTS, .correlation = 2}, &msg_empty_desc,
               &(struct msg_empty){0});
    cr_assert_eq(error_status(admin_takes(r, 3, KIND_NONE)), STATUS_BUSY);
    relay_free(r);
}
