/* Pending requests are bounded by their frames' bytes as well: per connection and per worker. */
#include "tests/unit/broker_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define CLIENT 5u
#define STORE  1u
#define MIB    (1024u * 1024u)
#define FITS   (PENDING_BYTES_MAX / (4 * MIB)) /* requests of 4 MiB that one connection may have */

static struct relay *with_store(struct slab_header *h)
{
    struct relay *r = relay_new(64);
    *h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, h, 0, 4095, 1000);
    client_binds(r, CLIENT, CLIENT, STORE, h, CLIENT);
    return r;
}

/* A SEND whose whole frame has this length; routing n is bound to device n. */
static void asks(struct relay *r, uint32_t routing, uint64_t correlation, size_t frame_len)
{
    struct transport_pk key = {{(uint8_t)routing, 7}};
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = KIND_SEND, .correlation = correlation,
                                      .home = home_n((uint8_t)routing)},
                &msg_empty_desc, &(struct msg_empty){0});
    uint8_t *zeros = calloc(1, frame_len);
    cr_assert(zeros && frame_len >= b.len);
    write_view(&b, view_of(zeros, frame_len - b.len));
    broker_client_frame(r->broker, r->now, routing, &key, &r->from, buffer_view(&b));
    relay_flush(r);
    buffer_fini(&b);
    free(zeros);
}

static void is_forwarded(struct relay *r, uint32_t routing)
{
    cr_assert(client_takes(r, routing, KIND_NONE) == NULL);
}

/* busy, with a time to come back. */
static void is_busy(struct relay *r, uint32_t routing)
{
    struct arena a = {0};
    struct msg_error error;
    struct output *o = client_takes(r, routing, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_BUSY);
    cr_assert_eq(codec_decode(&msg_error_desc, o->frame.meta, &a, &error), STATUS_OK);
    cr_assert_gt(error.retry_after_ms, 0);
    arena_fini(&a);
}

static struct relay *with_full_connection(struct slab_header *h)
{
    struct relay *r = with_store(h);
    for (uint64_t i = 1; i <= FITS; i++)
        asks(r, CLIENT, i, 4 * MIB);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 100, FRAME_HEADER_LEN);
    is_busy(r, CLIENT);
    return r;
}

static void answer_one(struct relay *r, const struct slab_header *h)
{
    worker_answers(r, STORE, h, worker_takes(r, STORE, KIND_SEND), KIND_SENT, &msg_empty_desc,
                   &(struct msg_empty){0});
}

/* Connections 10, 11, ... take up the worker's share, each with the largest that it may have. */
static struct relay *with_full_worker(struct slab_header *h)
{
    struct relay *r = with_store(h);
    uint32_t next = 10;
    for (uint32_t taken = 0; taken < ASSIGNED_BYTES_MAX; taken += PENDING_BYTES_MAX, next++) {
        client_binds(r, next, (uint8_t)next, STORE, h, next);
        for (uint64_t i = 1; i <= FITS; i++)
            asks(r, next, i, 4 * MIB);
        is_forwarded(r, next);
    }
    asks(r, CLIENT, 1, FRAME_HEADER_LEN);
    is_busy(r, CLIENT);
    return r;
}

Test(bytes, connection_may_fill_its_share_to_the_last_byte_and_no_further)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    asks(r, CLIENT, 1, 4 * MIB);
    asks(r, CLIENT, 2, 4 * MIB - 100);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 3, 101);
    is_busy(r, CLIENT);
    asks(r, CLIENT, 3, 100);
    is_forwarded(r, CLIENT);
    client_binds(r, 6, 6, STORE, &h, 6);
    asks(r, 6, 1, 4 * MIB);
    is_forwarded(r, 6);
    relay_free(r);
}

Test(bytes, largest_frame_fits_when_nothing_else_is_pending_and_a_second_does_not)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    asks(r, CLIENT, 1, FRAME_LEN_MAX);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 2, FRAME_LEN_MAX);
    is_busy(r, CLIENT);
    relay_free(r);
}

Test(bytes, reply_gives_a_connections_bytes_back)
{
    struct slab_header h;
    struct relay *r = with_full_connection(&h);
    answer_one(r, &h);
    cr_assert(client_takes(r, CLIENT, KIND_SENT) != NULL);
    asks(r, CLIENT, 101, 4 * MIB);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 102, 4 * MIB);
    is_busy(r, CLIENT);
    relay_free(r);
}

Test(bytes, loss_of_the_worker_gives_a_connections_bytes_back)
{
    struct slab_header h, h2 = storage_header(2, 2000, 1);
    struct relay *r = with_full_connection(&h);
    storage_readies(r, 7, 1, &h2, 0, 4095, 1000);
    for (uint64_t i = 1; i <= FITS; i++)
        cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    for (uint64_t i = 1; i <= FITS; i++)
        asks(r, CLIENT, i, 4 * MIB);
    is_forwarded(r, CLIENT);
    relay_free(r);
}

Test(bytes, time_out_gives_a_connections_bytes_back)
{
    struct slab_header h;
    struct relay *r = with_full_connection(&h);
    for (uint64_t passed = 0; passed < 31000; passed += 500) {
        worker_beats(r, STORE, &h);
        relay_pass(r, 500);
        client_says(r, CLIENT, (struct frame_header){.kind = KIND_PING, .correlation = 999},
                    &msg_empty_desc, &(struct msg_empty){0});
        cr_assert(client_takes(r, CLIENT, KIND_PONG) != NULL);
    }
    for (uint64_t i = 1; i <= FITS; i++)
        cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_UNKNOWN);
    worker_beats(r, STORE, &h);
    for (uint64_t i = 1; i <= FITS; i++)
        asks(r, CLIENT, i, 4 * MIB);
    is_forwarded(r, CLIENT);
    relay_free(r);
}

Test(bytes, workers_share_is_bounded_across_connections_and_a_reply_makes_room)
{
    struct slab_header h;
    struct relay *r = with_full_worker(&h);
    answer_one(r, &h);
    asks(r, CLIENT, 2, 4 * MIB);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 3, FRAME_HEADER_LEN);
    is_busy(r, CLIENT);
    relay_free(r);
}

/* The worker has them in hand whether or not anybody waits: only its answers make room. */
Test(bytes, lost_connection_keeps_the_workers_bytes_until_it_answers)
{
    struct slab_header h;
    struct relay *r = with_full_worker(&h);
    r->refusing_client = 10;
    r->client_status = STATUS_GONE;
    client_says(r, 10, (struct frame_header){.kind = KIND_PING, .correlation = 999},
                &msg_empty_desc, &(struct msg_empty){0});
    cr_assert_not(relay_knows(r, 10));
    asks(r, CLIENT, 2, FRAME_HEADER_LEN);
    is_busy(r, CLIENT);
    answer_one(r, &h); /* the oldest was of connection 10 */
    asks(r, CLIENT, 3, 4 * MIB);
    is_forwarded(r, CLIENT);
    relay_free(r);
}

Test(bytes, new_connection_under_the_same_routing_id_starts_from_nothing)
{
    struct slab_header h;
    struct relay *r = with_full_connection(&h);
    r->refusing_client = CLIENT;
    r->client_status = STATUS_GONE;
    client_says(r, CLIENT, (struct frame_header){.kind = KIND_PING, .correlation = 999},
                &msg_empty_desc, &(struct msg_empty){0});
    cr_assert_not(relay_knows(r, CLIENT));
    r->client_status = STATUS_OK;
    client_binds(r, CLIENT, CLIENT, STORE, &h, 43);
    for (uint64_t i = 1; i <= FITS; i++)
        asks(r, CLIENT, i, 4 * MIB);
    is_forwarded(r, CLIENT);
    asks(r, CLIENT, 101, FRAME_HEADER_LEN);
    is_busy(r, CLIENT);
    relay_free(r);
}

Test(bytes, loss_of_the_worker_empties_its_share)
{
    struct slab_header h, h2 = storage_header(2, 2000, 1);
    struct relay *r = with_full_worker(&h);
    storage_readies(r, 7, 1, &h2, 0, 4095, 1000);
    asks(r, CLIENT, 2, 4 * MIB);
    is_forwarded(r, CLIENT);
    relay_free(r);
}
