/* The broker: hostile frames of two connections and hostile slabs of a worker, interleaved: a byte says
 * who speaks, a u16 how much. Every answer goes nowhere. */
#include "broker/broker.h"

#include "tests/fuzz/fuzz.h"

static enum status swallow(void *context, uint32_t to, struct view bytes)
{
    (void)context;
    (void)bytes;
    return to % 7 == 3 ? STATUS_GONE : STATUS_OK;
}

static enum status swallow_slab(void *context, uint64_t to, struct view bytes)
{
    return swallow(context, (uint32_t)to, bytes);
}

static void ignore(void *context, const struct event *e)
{
    (void)context;
    (void)e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct broker_config config = {.connections_max = 8, .ping_ms = 1000, .drain_ms = 100,
                                   .rates = {5, 5, 1000},
                                   .out = {NULL, swallow, swallow_slab, swallow, ignore, NULL, NULL}};
    struct peer_address from = {{1}};
    struct now now = {1700000000000, 1000};
    struct broker *b = broker_new(&config, now);
    struct transport_pk key = {{1}};
    for (struct reader r = reader_of(view_of(data, size)); reader_left(&r) > 3;) {
        uint8_t who = read_u8(&r);
        size_t len = read_u16(&r), left = reader_left(&r);
        struct view bytes = read_view(&r, len < left ? len : left);
        if (who < 128) broker_client_frame(b, now, who % 4, &key, &from, bytes);
        else if (who < 240) broker_worker_slab(b, now, who % 4, bytes);
        else broker_admin_frame(b, now, who % 4, bytes);
        now.mono_ms += who;
        broker_tick(b, now);
        broker_flush(b, now);
    }
    broker_free(&b);
    return 0;
}
