/* Who pays for what: addresses without a session, devices with one, and what becomes of a flood. */
#include "tests/unit/broker_fixture.h"

#include "broker/core.h"

#include <criterion/criterion.h>
#include <string.h>

#define CLIENT 5u
#define STORE  1u

/* What may be asked in a second; METER_BURST_S of it at once. */
#define RELAY_ADDRESS_RATE 50u
#define RELAY_DEVICE_RATE  20u
#define RELAY_DEVICE_BYTES 100000u

#define ADDRESS_BURST (RELAY_ADDRESS_RATE * METER_BURST_S)
#define DEVICE_BURST  (RELAY_DEVICE_RATE * METER_BURST_S)
#define FLOOD_BURST \
    (RELAY_DEVICE_RATE * METER_FLOOD * METER_FLOOD_S) /* more than METER_FLOOD_WINDOWS */

static struct relay *metered(void)
{
    return relay_metered_new(
        64, (struct meter_rates){RELAY_ADDRESS_RATE, RELAY_DEVICE_RATE, RELAY_DEVICE_BYTES});
}

static struct relay *with_store(struct slab_header *h)
{
    struct relay *r = metered();
    *h = storage_header(1, 1000, 1);
    storage_readies(r, STORE, 1, h, 0, 4095, 60000);
    return r;
}

/* Nothing of it is looked at but its kind: what passes the meter is then answered something else.
 */
static void says(struct relay *r, uint32_t routing, uint8_t kind, uint16_t home)
{
    static uint64_t correlation = 1000;
    client_says(r, routing,
                (struct frame_header){.kind = kind, .correlation = ++correlation, .home = home},
                &msg_empty_desc, &(struct msg_empty){0});
}

/* How many of so many frames are not refused by the meter. Answers are taken, and the pending table
 * stays small: BYE and REGISTER at the wrong home, HELLO without content, SEND without a body, all
 * are answered at once. */
static size_t passing(struct relay *r, uint32_t routing, uint8_t kind, size_t count)
{
    size_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        relay_clear(r);
        says(r, routing, kind, home_n(9));
        const struct output *o = client_takes(r, routing, KIND_NONE);
        cr_assert(o != NULL);
        passed += o->frame.header.kind != KIND_ERROR || error_status(o) != STATUS_RATE_LIMITED;
    }
    return passed;
}

static void comes_from(struct relay *r, uint8_t n)
{
    r->from = (struct peer_address){{n}};
}

Test(meter, hello_of_an_address_is_limited_and_told_when)
{
    struct relay *r = metered();
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, ADDRESS_BURST), ADDRESS_BURST);
    says(r, CLIENT, KIND_HELLO, 0);
    const struct output *o = client_takes(r, CLIENT, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_RATE_LIMITED);
    cr_assert_eq(error_retry_ms(o), 1000 / RELAY_ADDRESS_RATE);
    r->now.mono_ms += 1000 / RELAY_ADDRESS_RATE;
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, 10), 1);
    relay_free(r);
}

Test(meter, all_connections_of_an_address_pay_together_and_others_notice_nothing)
{
    struct relay *r = metered();
    comes_from(r, 1);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, ADDRESS_BURST), ADDRESS_BURST);
    cr_assert_eq(passing(r, CLIENT + 1, KIND_HELLO, 10), 0);
    comes_from(r, 2);
    cr_assert_eq(passing(r, CLIENT + 2, KIND_HELLO, 10), 10);
    relay_free(r);
}

Test(meter, register_hello_and_claim_come_out_of_one_bucket)
{
    static const uint8_t kinds[] = {KIND_HELLO, KIND_REGISTER, KIND_CLAIM_HANDLE};
    struct relay *r = metered();
    for (size_t i = 0; i < ADDRESS_BURST; i++)
        cr_assert_eq(passing(r, CLIENT, kinds[i % 3], 1), 1);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(passing(r, CLIENT, kinds[i], 1), 0);
    relay_free(r);
}

Test(meter, ping_and_whatever_else_has_no_session_is_limited_loosely)
{
    struct relay *r = metered();
    size_t most = (size_t)ADDRESS_BURST * METER_LOOSE;
    cr_assert_eq(passing(r, CLIENT, KIND_PING, most - 2), most - 2);
    cr_assert_eq(passing(r, CLIENT, KIND_SEND, 1), 1);
    cr_assert_eq(passing(r, CLIENT, 200, 1), 1, "unsupported, but paid");
    cr_assert_eq(passing(r, CLIENT, KIND_PING, 5), 0);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, 5), 5, "of another bucket");
    relay_free(r);
}

Test(meter, a_device_is_limited_and_its_connections_pay_together)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    client_binds(r, CLIENT + 1, 3, STORE, &h, 43);
    client_binds(r, CLIENT + 2, 4, STORE, &h, 44);
    cr_assert_eq(passing(r, CLIENT, 200, DEVICE_BURST - 10), DEVICE_BURST - 10);
    cr_assert_eq(passing(r, CLIENT + 1, 200, 20), 10);
    relay_clear(r);
    says(r, CLIENT, KIND_STATUS, home_n(3));
    const struct output *o = client_takes(r, CLIENT, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_RATE_LIMITED);
    cr_assert_eq(error_retry_ms(o), 11 * 1000 / RELAY_DEVICE_RATE, "behind the ten before it");
    cr_assert_eq(passing(r, CLIENT + 2, 200, 20), 20, "another device notices nothing");
    r->now.mono_ms += 1000 / RELAY_DEVICE_RATE * 3;
    cr_assert_eq(passing(r, CLIENT, 200, 10), 3);
    relay_free(r);
}

static void sends_bytes(struct relay *r, uint32_t routing, size_t len)
{
    struct buffer b = {0};
    struct transport_pk key = {{(uint8_t)routing, 7}};
    uint8_t zeros[1000] = {0};
    frame_write(&b, &(struct frame_header){.kind = KIND_SEND, .correlation = 9, .home = home_n(3)},
                &msg_empty_desc, &(struct msg_empty){0});
    while (b.len < len)
        write_view(&b, view_of(zeros, len - b.len < sizeof zeros ? len - b.len : sizeof zeros));
    relay_clear(r);
    broker_client_frame(r->broker, r->now, routing, &key, &r->from, buffer_view(&b));
    buffer_fini(&b);
}

Test(meter, a_device_is_limited_by_bytes)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    sends_bytes(r, CLIENT, RELAY_DEVICE_BYTES * METER_BURST_S);
    cr_assert(client_takes(r, CLIENT, KIND_NONE) == NULL, "forwarded");
    sends_bytes(r, CLIENT, RELAY_DEVICE_BYTES / 2);
    const struct output *o = client_takes(r, CLIENT, KIND_NONE);
    cr_assert_eq(error_status(o), STATUS_RATE_LIMITED);
    cr_assert_eq(error_retry_ms(o), 500);
    cr_assert_eq(r->events[r->event_count - 1].code, METER_DEVICE_BYTES);
    r->now.mono_ms += 500;
    sends_bytes(r, CLIENT, RELAY_DEVICE_BYTES / 2);
    o = client_takes(r, CLIENT, KIND_NONE);
    cr_assert(!o || error_status(o) != STATUS_RATE_LIMITED);
    relay_free(r);
}

Test(meter, what_ends_work_is_free)
{
    static const uint8_t kinds[] = {KIND_ACK, KIND_PING, KIND_BYE};
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(passing(r, CLIENT, kinds[i], DEVICE_BURST / 2), DEVICE_BURST / 2);
    cr_assert_eq(passing(r, CLIENT, 200, DEVICE_BURST), DEVICE_BURST,
                 "of what costs, nothing was spent");
    cr_assert_eq(passing(r, CLIENT, 200, 1), 0);
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(passing(r, CLIENT, kinds[i], 1), 1, "an ack passes also when all is spent");
    relay_free(r);
}

Test(meter, hello_on_a_session_is_its_addresss_affair)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, ADDRESS_BURST - 1), ADDRESS_BURST - 1);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, 1), 0);
    cr_assert_eq(passing(r, CLIENT, 200, 1), 1);
    relay_free(r);
}

Test(meter, lookup_without_a_session_is_limited_as_hello_is)
{
    struct relay *r = metered();
    cr_assert_eq(passing(r, CLIENT, KIND_LOOKUP, ADDRESS_BURST), ADDRESS_BURST);
    cr_assert_eq(passing(r, CLIENT, KIND_LOOKUP, 1), 0);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, 1), 0, "out of one purse");
    cr_assert_eq(passing(r, CLIENT, KIND_PING, 1), 1);
    relay_free(r);
}

Test(meter, lookup_in_a_session_is_its_devices_affair)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    relay_clear(r);
    for (size_t i = 0; i < DEVICE_BURST; i++)
        says(r, CLIENT, KIND_LOOKUP, home_n(9));
    cr_assert_eq(relay_events(r, EVENT_RATE_LIMITED), 0);
    says(r, CLIENT, KIND_LOOKUP, home_n(9));
    cr_assert_eq(relay_events(r, EVENT_RATE_LIMITED), 1);
    cr_assert_eq(relay_events(r, EVENT_ADDRESS_LIMITED), 0);
    relay_free(r);
}

/* ---- what is told ---- */

Test(meter, a_flood_is_one_event_a_minute_with_its_number)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    cr_assert_eq(passing(r, CLIENT, 200, DEVICE_BURST + 100), DEVICE_BURST);
    cr_assert_eq(relay_events(r, EVENT_RATE_LIMITED), 1);
    const struct event *e = &r->events[r->event_count - 1];
    cr_assert_eq(e->code, METER_DEVICE_REQUESTS);
    cr_assert_eq(e->count, 1);
    cr_assert_eq(e->value, 1000 / RELAY_DEVICE_RATE);
    struct mark marked = mark_device(&(struct mark_key){{0}}, device_n(3));
    cr_assert_eq(memcmp(&e->device, &marked, sizeof marked), 0);
    cr_assert_eq(r->broker->counts.limited, 100);
    r->now.mono_ms += METER_TELL_MS;
    cr_assert_eq(passing(r, CLIENT, 200, DEVICE_BURST + 1), DEVICE_BURST);
    cr_assert_eq(relay_events(r, EVENT_RATE_LIMITED), 2);
    cr_assert_eq(r->events[r->event_count - 1].count, 100);
    relay_free(r);
}

Test(meter, an_address_is_counted_but_not_named)
{
    struct relay *r = metered();
    (void)passing(r, CLIENT, KIND_HELLO, ADDRESS_BURST + 1);
    cr_assert_eq(relay_events(r, EVENT_ADDRESS_LIMITED), 1);
    const struct event *e = &r->events[r->event_count - 1];
    struct mark none = {{0}};
    cr_assert_eq(e->code, METER_ADDRESS);
    cr_assert_eq(memcmp(&e->device, &none, sizeof none), 0);
    cr_assert_eq(memcmp(&e->account, &none, sizeof none), 0);
    relay_free(r);
}

/* ---- cut ---- */

Test(meter, ten_times_too_much_for_seconds_cuts_the_connection)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    (void)passing(r, CLIENT, 200, FLOOD_BURST);
    cr_assert_eq(r->cut_count, 0);
    cr_assert(relay_knows(r, CLIENT));
    relay_clear(r);
    says(r, CLIENT, 200, 0);
    cr_assert_eq(r->cut_count, 1);
    cr_assert_eq(r->cut, CLIENT);
    cr_assert_not(relay_knows(r, CLIENT));
    relay_flush(r);
    cr_assert(worker_takes(r, STORE, KIND_CLOSED) != NULL, "its session has ended");
    cr_assert_eq(relay_events(r, EVENT_FLOOD_CUT), 1);
    cr_assert_eq(r->events[r->event_count - 1].count, FLOOD_BURST - DEVICE_BURST + 1);
    cr_assert_eq(r->broker->counts.cut, 1);
    relay_free(r);
}

Test(meter, ten_times_too_much_for_a_moment_does_not)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    for (int minute = 0; minute < 5; minute++) {
        (void)passing(r, CLIENT, 200, FLOOD_BURST);
        r->now.mono_ms += METER_FLOOD_S * 1000;
    }
    cr_assert_eq(r->cut_count, 0);
    relay_free(r);
}

/* 64 pending, each refused and asked again when it was told, for ever: that is what PROTOCOL 5
 * wants. */
Test(meter, whoever_comes_when_told_is_never_cut)
{
    struct slab_header h;
    uint64_t due_ms[PENDING_REQUESTS_MAX];
    size_t passed = 0;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    for (size_t i = 0; i < PENDING_REQUESTS_MAX; i++)
        due_ms[i] = r->now.mono_ms;
    for (int ms = 0; ms < 60000; ms++, r->now.mono_ms++)
        for (size_t i = 0; i < PENDING_REQUESTS_MAX; i++) {
            if (due_ms[i] > r->now.mono_ms) continue;
            relay_clear(r);
            says(r, CLIENT, 200, 0);
            const struct output *o = client_takes(r, CLIENT, KIND_NONE);
            bool limited = error_status(o) == STATUS_RATE_LIMITED;
            due_ms[i] += limited ? error_retry_ms(o) : 0;
            passed += !limited;
        }
    cr_assert_eq(r->cut_count, 0);
    cr_assert_geq(passed, DEVICE_BURST + RELAY_DEVICE_RATE * 59);
    relay_free(r);
}

Test(meter, a_full_window_or_two_is_no_flood_however_low_the_rate)
{
    struct slab_header h = storage_header(1, 1000, 1);
    struct relay *r = relay_metered_new(64, (struct meter_rates){50, 1, 1 << 16});
    storage_readies(r, STORE, 1, &h, 0, 4095, 60000);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    (void)passing(r, CLIENT, 200, METER_FLOOD_WINDOWS * PENDING_REQUESTS_MAX);
    cr_assert_eq(r->cut_count, 0);
    says(r, CLIENT, 200, 0);
    cr_assert_eq(r->cut_count, 1);
    relay_free(r);
}

Test(meter, what_is_free_is_cut_all_the_same_in_masses)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    (void)passing(r, CLIENT, KIND_ACK, FLOOD_BURST);
    says(r, CLIENT, KIND_ACK, home_n(3));
    cr_assert_eq(r->cut_count, 1);
    cr_assert_eq(relay_events(r, EVENT_RATE_LIMITED), 0);
    relay_free(r);
}

Test(meter, a_stranger_who_goes_on_all_the_same_is_cut_and_one_who_waits_is_not)
{
    struct relay *r = metered();
    (void)passing(r, CLIENT, KIND_HELLO, ADDRESS_BURST);
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, METER_STRANGER_MAX), 0);
    r->now.mono_ms += 1000 / RELAY_ADDRESS_RATE;
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, 1), 1, "from the beginning");
    cr_assert_eq(passing(r, CLIENT, KIND_HELLO, METER_STRANGER_MAX), 0);
    cr_assert_eq(r->cut_count, 0);
    says(r, CLIENT, KIND_HELLO, 0);
    cr_assert_eq(r->cut_count, 1);
    cr_assert_eq(r->cut, CLIENT);
    cr_assert_not(relay_knows(r, CLIENT));
    cr_assert_eq(relay_events(r, EVENT_FLOOD_CUT), 1);
    relay_free(r);
}

Test(meter, without_anybody_to_cut_it_the_connection_has_no_session)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    r->broker->config.out.cut = NULL;
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    (void)passing(r, CLIENT, 200, FLOOD_BURST);
    says(r, CLIENT, 200, 0);
    cr_assert_not(relay_knows(r, CLIENT));
    relay_clear(r);
    says(r, CLIENT, KIND_SEND, home_n(3));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_NO_SESSION);
    relay_free(r);
}

Test(meter, a_device_that_was_cut_still_owes_when_it_comes_back)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    (void)passing(r, CLIENT, 200, FLOOD_BURST);
    says(r, CLIENT, 200, 0);
    r->now.mono_ms += 1000;
    worker_beats(r, STORE, &h);
    relay_clear(r);
    client_binds(r, CLIENT + 1, 3, STORE, &h, 43);
    cr_assert_eq(passing(r, CLIENT + 1, 200, 100), RELAY_DEVICE_RATE);
    cr_assert_eq(r->cut_count, 1);
    relay_free(r);
}

Test(meter, draining_does_not_change_what_is_paid)
{
    struct slab_header h;
    struct relay *r = with_store(&h);
    client_binds(r, CLIENT, 3, STORE, &h, 42);
    broker_drain(r->broker, r->now);
    relay_clear(r);
    says(r, CLIENT, KIND_SEND, home_n(3));
    cr_assert_eq(error_status(client_takes(r, CLIENT, KIND_NONE)), STATUS_DRAINING);
    relay_free(r);
}
