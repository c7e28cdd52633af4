/* Replies that a client's queue has no room for wait in the backlog: each connection has its share of
 * it, and where all of it is full, whoever has the most waiting is forgotten, not whoever comes last. */
#include "broker/backlog.h"
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define CLIENT 5u   /* reads what it is sent, if sometimes late */
#define SILENT 100u /* the first of those who never read */
#define STORE  1u
#define MANY   (BACKLOG_FRAMES_MAX / BACKLOG_SHARE_FRAMES + 1) /* so many fill it */

static void pings(struct relay *r, uint32_t routing, uint64_t correlation)
{
    client_says(r, routing, (struct frame_header){.kind = KIND_PING, .correlation = correlation},
                &msg_empty_desc, &(struct msg_empty){0});
}

static void pings_often(struct relay *r, uint32_t routing, uint32_t count)
{
    for (uint64_t i = 1; i <= count; i++)
        pings(r, routing, i);
}

static struct relay *with_silent(uint32_t count, uint32_t connections_max)
{
    struct relay *r = relay_new(connections_max);
    r->refusing_client = SILENT;
    r->refusing_more = count - 1;
    r->client_status = STATUS_BUSY;
    return r;
}

static uint32_t known_silent(const struct relay *r, uint32_t count)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < count; i++)
        known += relay_knows(r, SILENT + i);
    return known;
}

/* From now on CLIENT's queue is full as well, or the only one that is not. */
static void client_stalls(struct relay *r, uint32_t silent)
{
    r->refusing_client = CLIENT;
    r->refusing_more = SILENT - CLIENT + silent - 1;
}

static void client_reads(struct relay *r, uint32_t silent)
{
    r->refusing_client = SILENT;
    r->refusing_more = silent - 1;
    relay_pass(r, 50);
}

/* Exactly these, in order. */
static void has_replies(struct relay *r, uint32_t routing, uint32_t count)
{
    for (uint64_t i = 1; i <= count; i++) {
        struct output *o = client_takes(r, routing, KIND_NONE);
        cr_assert(o != NULL, "%u of %u", (unsigned)i, count);
        cr_assert_eq(o->frame.header.correlation, i);
    }
    cr_assert(client_takes(r, routing, KIND_NONE) == NULL);
}

Test(backlog, client_may_fill_its_share_and_gets_all_of_it)
{
    struct relay *r = with_silent(1, 4);
    pings_often(r, SILENT, BACKLOG_SHARE_FRAMES);
    relay_pass(r, 50);
    cr_assert(relay_knows(r, SILENT));
    r->client_status = STATUS_OK;
    relay_pass(r, 50);
    has_replies(r, SILENT, BACKLOG_SHARE_FRAMES);
    cr_assert_eq(relay_events(r, EVENT_SLOW_CONSUMER), 0);
    relay_free(r);
}

Test(backlog, client_that_passes_its_share_is_forgotten_with_all_of_it)
{
    struct relay *r = with_silent(1, 4);
    pings_often(r, SILENT, BACKLOG_SHARE_FRAMES + 1);
    cr_assert_not(relay_knows(r, SILENT));
    cr_assert_eq(relay_events(r, EVENT_SLOW_CONSUMER), 1);
    r->client_status = STATUS_OK;
    relay_pass(r, 50);
    has_replies(r, SILENT, 0);
    relay_free(r);
}

Test(backlog, eight_silent_clients_cost_a_ninth_nothing)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = with_silent(8, 64);
    storage_readies(r, STORE, 1, &h, 0, 4095, 1000);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    for (uint32_t i = 0; i < 8; i++)
        pings_often(r, SILENT + i, BACKLOG_SHARE_FRAMES);
    client_stalls(r, 8);
    for (uint64_t i = 1; i <= PENDING_REQUESTS_MAX; i++) {
        client_sends(r, CLIENT, 3, i);
        worker_answers(r, STORE, &h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                       &(struct msg_empty){0});
    }
    cr_assert(relay_knows(r, CLIENT));
    client_reads(r, 8);
    has_replies(r, CLIENT, PENDING_REQUESTS_MAX);
    cr_assert_eq(known_silent(r, 8), 8, "they have their share");
    relay_free(r);
}

Test(backlog, where_all_is_full_those_with_the_most_waiting_go)
{
    struct relay *r = with_silent(MANY, 64);
    for (uint32_t i = 0; i < MANY; i++)
        pings_often(r, SILENT + i, BACKLOG_SHARE_FRAMES);
    cr_assert_eq(known_silent(r, MANY), MANY - 1, "the whole is bounded too");
    client_stalls(r, MANY);
    pings_often(r, CLIENT, BACKLOG_SHARE_FRAMES);
    cr_assert(relay_knows(r, CLIENT));
    cr_assert_geq(known_silent(r, MANY), MANY - 2, "no more of them than it takes");
    client_reads(r, MANY);
    has_replies(r, CLIENT, BACKLOG_SHARE_FRAMES);
    relay_free(r);
}

Test(backlog, where_all_have_as_little_the_newcomer_goes)
{
    struct relay *r = with_silent(BACKLOG_FRAMES_MAX + 1, BACKLOG_FRAMES_MAX + 1);
    for (uint32_t i = 0; i < BACKLOG_FRAMES_MAX + 1; i++)
        pings(r, SILENT + i, 1);
    cr_assert_eq(known_silent(r, BACKLOG_FRAMES_MAX), BACKLOG_FRAMES_MAX);
    cr_assert_not(relay_knows(r, SILENT + BACKLOG_FRAMES_MAX));
    relay_free(r);
}

#define LARGE   (FRAME_META_LEN_MAX - 64) /* of a reply's meta */
#define FITS    (BACKLOG_SHARE_BYTES / (LARGE + FRAME_HEADER_LEN + 4)) /* of them into a share */
#define HOLDERS (BACKLOG_BYTES_MAX / BACKLOG_SHARE_BYTES + 1)           /* so many fill it */

/* With a store, and CLIENT and so many silent ones bound; those do not read from now on. */
static struct relay *with_bound(uint32_t silent, const struct slab_header *h)
{
    struct relay *r = with_silent(silent, 64);
    r->client_status = STATUS_OK;
    storage_readies(r, STORE, 1, h, 0, 4095, 1000);
    client_binds(r, CLIENT, 1, STORE, h, 1);
    for (uint8_t i = 0; i < silent; i++)
        client_binds(r, SILENT + i, (uint8_t)(2 + i), STORE, h, 2ull + i);
    r->client_status = STATUS_BUSY;
    return r;
}

static void large_replies(struct relay *r, uint32_t routing, const struct slab_header *h,
                          uint32_t count)
{
    static uint8_t zeros[LARGE];
    struct msg_hint_device large = {.hint = view_of(zeros, sizeof zeros)}; /* nobody reads it */
    for (uint64_t i = 1; i <= count; i++) {
        client_sends(r, routing, 1, i);
        worker_answers(r, STORE, h, worker_takes(r, STORE, KIND_SEND), KIND_SENT,
                       &msg_hint_device_desc, &large);
    }
}

Test(backlog, share_is_bounded_in_bytes_as_well)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = with_bound(2, &h);
    large_replies(r, SILENT, &h, FITS);
    large_replies(r, SILENT + 1, &h, FITS + 1);
    cr_assert(relay_knows(r, SILENT));
    cr_assert_not(relay_knows(r, SILENT + 1));
    relay_free(r);
}

Test(backlog, where_all_bytes_are_taken_those_with_the_most_waiting_go)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = with_bound(HOLDERS, &h);
    for (uint32_t i = 0; i < HOLDERS; i++)
        large_replies(r, SILENT + i, &h, FITS);
    cr_assert_eq(known_silent(r, HOLDERS), HOLDERS - 1);
    client_stalls(r, HOLDERS);
    large_replies(r, CLIENT, &h, FITS);
    client_reads(r, HOLDERS);
    has_replies(r, CLIENT, FITS);
    cr_assert_geq(known_silent(r, HOLDERS), HOLDERS - 2);
    relay_free(r);
}

/* Its TCP connection may live on: the next request finds no session, and says so (PROTOCOL 4). */
Test(backlog, client_silent_for_three_pings_is_forgotten_with_what_waits_for_it)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = relay_new(8);
    storage_readies(r, STORE, 1, &h, 0, 4095, 1000);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_BUSY;
    pings_often(r, CLIENT, 3);
    for (uint64_t passed = 0; passed < 32000; passed += 500) {
        worker_beats(r, STORE, &h);
        relay_pass(r, 500);
    }
    cr_assert_not(relay_knows(r, CLIENT));
    r->client_status = STATUS_OK;
    relay_pass(r, 50);
    has_replies(r, CLIENT, 0);
    client_sends(r, CLIENT, 3, 7);
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    relay_free(r);
}

Test(backlog, full_queue_is_tried_again_in_its_time_and_not_at_every_turn)
{
    struct relay *r = with_silent(1, 4);
    pings(r, SILENT, 1);
    relay_flush(r);
    r->client_status = STATUS_OK;
    relay_flush(r);
    cr_assert(client_takes(r, SILENT, KIND_NONE) == NULL);
    cr_assert_eq(broker_deadline_ms(r->broker), r->now.mono_ms + BACKLOG_RETRY_MS);
    r->now.mono_ms += BACKLOG_RETRY_MS;
    relay_flush(r);
    has_replies(r, SILENT, 1);
    relay_free(r);
}
