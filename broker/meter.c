/* meter: the price list. A bound device pays for what it asks; ACK, PING and BYE, which end work,
 * are free. What makes or finds accounts, and whatever comes without a session, is paid by the
 * address it comes from. Everything that a device sends, also what is free or refused, counts
 * towards being cut. Invariant: what is refused takes nothing but that. */
#include "broker/meter.h"

#include <string.h>

/* Of a device's entry, and of an address's. */
enum { REQUESTS, BYTES, FLOOD_REQUESTS, FLOOD_BYTES };
enum { STRICT, LOOSE };

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct bucket_rate rate_of(uint64_t per_s, uint64_t seconds)
{
    return (struct bucket_rate){.per_s = per_s, .burst = per_s * seconds};
}

/* Never so little that a few full windows of an honest client would do it. */
static struct bucket_rate flood_of(uint64_t per_s, uint64_t window)
{
    struct bucket_rate rate = rate_of(per_s * METER_FLOOD, METER_FLOOD_S);
    rate.burst = max_u64(rate.burst, METER_FLOOD_WINDOWS * window);
    return rate;
}

void meter_init(struct meter *m, const struct meter_rates *rates, uint32_t connections_max,
                const struct bucket_seed *seed)
{
    struct bucket_rate device[BUCKETS_EACH] = {
        [REQUESTS] = rate_of(rates->device_requests_per_s, METER_BURST_S),
        [BYTES] = rate_of(rates->device_bytes_per_s, METER_BURST_S),
        [FLOOD_REQUESTS] = flood_of(rates->device_requests_per_s, PENDING_REQUESTS_MAX),
        [FLOOD_BYTES] = flood_of(rates->device_bytes_per_s, PENDING_BYTES_MAX)};
    struct bucket_rate address[BUCKETS_EACH] = {
        [STRICT] = rate_of(rates->address_requests_per_s, METER_BURST_S),
        [LOOSE] = rate_of((uint64_t)rates->address_requests_per_s * METER_LOOSE, METER_BURST_S)};
    for (size_t i = LOOSE + 1; i < BUCKETS_EACH; i++)
        address[i] = rate_of(1, 1); /* always full */
    bucket_table_init(&m->devices, connections_max, device, seed);
    bucket_table_init(&m->addresses, METER_ADDRESSES_MAX, address, seed);
}

void meter_fini(struct meter *m)
{
    bucket_table_fini(&m->devices);
    bucket_table_fini(&m->addresses);
}

static uint64_t wait_ms(const struct bucket_table *t, struct bucket_entry *e, size_t bucket,
                        uint64_t cost, uint64_t now_ms)
{
    return bucket_wait_ms(&e->buckets[bucket], &t->rates[bucket], cost, now_ms);
}

static void take(const struct bucket_table *t, struct bucket_entry *e, size_t bucket, uint64_t cost)
{
    bucket_take(&e->buckets[bucket], &t->rates[bucket], cost);
}

/* A flood of refusals is one event a minute, which says how many there were. */
static uint64_t untold(struct bucket_entry *e, uint64_t now_ms)
{
    uint64_t count = ++e->untold;
    if (e->told && now_ms - e->told_ms < METER_TELL_MS) return 0;
    e->told = true;
    e->told_ms = now_ms;
    e->untold = 0;
    return count;
}

static uint64_t later_ms(const struct bucket_table *t, struct bucket_entry *e, size_t bucket,
                         uint64_t cost)
{
    return bucket_later_ms(&e->buckets[bucket], &t->rates[bucket], cost);
}

static enum status refuse(struct bucket_entry *e, uint64_t now_ms, enum event_meter meter,
                          uint64_t retry_after_ms, struct meter_verdict *out)
{
    *out = (struct meter_verdict){
        .meter = meter, .retry_after_ms = retry_after_ms, .untold = untold(e, now_ms)};
    return STATUS_RATE_LIMITED;
}

static bool needs_no_session(unsigned kind)
{
    return kind == KIND_HELLO || kind == KIND_REGISTER || kind == KIND_CLAIM_HANDLE;
}

/* What a guest may ask costs storage something, and he has nothing to lose. */
static bool is_strict(unsigned kind)
{
    return needs_no_session(kind) || kind == KIND_LOOKUP || kind == KIND_LINK_PUT || kind == KIND_LINK_GET;
}

/* Requests that one counts for. Where signatures are verified, each 256 bytes may hold another entry; who asks for that in
 * a session is known, and may ask ten times as often as an address. */
static uint64_t price_of(const struct metered *frame, const struct bucket_rate *rate)
{
    uint64_t price = 1;
    if (frame->kind == KIND_REGISTER) price = 1 + frame->len / 256;
    if (frame->kind == KIND_APPEND) price = 4 * (1 + frame->len / 256);
    if (frame->kind == KIND_PUBLISH || frame->kind == KIND_LINK_PUT) price = 8;
    if (frame->kind == KIND_CONTACTS_SET || frame->kind == KIND_CONTACTS_GET) price = 8;
    return price < rate->burst ? price : rate->burst;
}

static bool is_free(unsigned kind)
{
    return kind == KIND_ACK || kind == KIND_PING || kind == KIND_BYE;
}

static enum status address_take(struct meter *m, uint64_t now_ms, const struct metered *frame,
                                struct meter_verdict *out)
{
    struct bucket_table *t = &m->addresses;
    struct bucket_key key;
    size_t bucket = is_strict(frame->kind) ? STRICT : LOOSE;
    memcpy(key.bytes, frame->from.bytes, sizeof key.bytes);
    struct bucket_entry *e = bucket_entry_of(t, &key, now_ms);
    uint64_t price = price_of(frame, &t->rates[bucket]);
    if (wait_ms(t, e, bucket, price, now_ms))
        return refuse(e, now_ms, bucket == STRICT ? METER_ADDRESS : METER_ADDRESS_LOOSE,
                      later_ms(t, e, bucket, price), out);
    take(t, e, bucket, price);
    return STATUS_OK;
}

static struct bucket_entry *device_entry(struct meter *m, uint64_t now_ms, struct device_id device)
{
    struct bucket_key key;
    _Static_assert(sizeof key == sizeof device, "a device is its own key");
    memcpy(key.bytes, device.bytes, sizeof key.bytes);
    return bucket_entry_of(&m->devices, &key, now_ms);
}

/* true: it sends ten times what it may, and has for seconds. */
static bool floods(struct meter *m, struct bucket_entry *e, const struct metered *frame,
                   uint64_t now_ms)
{
    struct bucket_table *t = &m->devices;
    if (wait_ms(t, e, FLOOD_REQUESTS, 1, now_ms) || wait_ms(t, e, FLOOD_BYTES, frame->len, now_ms))
        return true;
    take(t, e, FLOOD_REQUESTS, 1);
    take(t, e, FLOOD_BYTES, frame->len);
    return false;
}

static enum status device_take(struct meter *m, struct bucket_entry *e, uint64_t now_ms,
                               const struct metered *frame, struct meter_verdict *out)
{
    struct bucket_table *t = &m->devices;
    uint64_t price = price_of(frame, &t->rates[REQUESTS]);
    uint64_t requests_ms = wait_ms(t, e, REQUESTS, price, now_ms);
    uint64_t bytes_ms = wait_ms(t, e, BYTES, frame->len, now_ms);
    if (requests_ms) requests_ms = later_ms(t, e, REQUESTS, price);
    if (bytes_ms) bytes_ms = later_ms(t, e, BYTES, frame->len);
    if (requests_ms || bytes_ms)
        return refuse(e, now_ms,
                      requests_ms >= bytes_ms ? METER_DEVICE_REQUESTS : METER_DEVICE_BYTES,
                      max_u64(requests_ms, bytes_ms), out);
    take(t, e, REQUESTS, price);
    take(t, e, BYTES, frame->len);
    return STATUS_OK;
}

enum status meter_take(struct meter *m, uint64_t now_ms, const struct metered *frame,
                       struct meter_verdict *out)
{
    *out = (struct meter_verdict){.retry_after_ms = 0};
    if (!session_bound(frame->c)) return address_take(m, now_ms, frame, out);
    struct bucket_entry *e = device_entry(m, now_ms, frame->c->device);
    if (floods(m, e, frame, now_ms)) return STATUS_GONE;
    if (is_free(frame->kind)) return STATUS_OK;
    if (needs_no_session(frame->kind)) return address_take(m, now_ms, frame, out);
    return device_take(m, e, now_ms, frame, out);
}
