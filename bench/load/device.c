/* device: a client without an engine and without a disk of its own: it says what the protocol asks
 * for (PROTOCOL 4, 6, 8) and keeps nothing. Requests are fire and forget here: who waits for the
 * answers is the loop, by state and time. */
#include "bench/load/device.h"

#include "broker/host/host.h"

#include <sodium.h>
#include <string.h>

#define SERIAL_SHIFT 6 /* below: which use of the request */
#define ASK_AGAIN_US 2000000u

void device_make(struct device *d, struct arena *a, uint64_t wall_ms)
{
    struct msg_device_record record;
    uint8_t signing_sk[64], salt[16];
    crypto_sign_keypair(record.signing.bytes, signing_sk);
    host_random(record.identity.bytes, sizeof record.identity.bytes);
    crypto_box_keypair(record.transport.bytes, d->transport_sk);
    host_random(salt, sizeof salt);
    founding_make(&record, signing_sk, wall_ms, salt, &d->entry);
    sodium_memzero(signing_sk, sizeof signing_sk);
    ENSURE(founding_check(buffer_view(&d->entry), a, &d->founding) == STATUS_OK);
    d->transport = record.transport;
}

void device_fini(struct device *d)
{
    buffer_fini(&d->entry);
    sodium_memzero(d->transport_sk, sizeof d->transport_sk);
}

uint64_t device_correlation(struct device *d, unsigned use)
{
    return ++d->serial << SERIAL_SHIFT | use;
}

static void request(struct device *d, uint64_t now_us, enum frame_kind kind,
                    const struct codec_desc *desc, const void *meta)
{
    uint8_t bytes[2048];
    struct buffer b = {.at = bytes, .cap = sizeof bytes};
    struct frame_header header = {.kind = (uint8_t)kind, .correlation = device_correlation(d, 0),
                                  .home = home_of_account(d->founding.account)};
    frame_write(&b, &header, desc, meta);
    ENSURE(b.at == bytes);
    memcpy(hub_frame(*d->hub, b.len), b.at, b.len);
    d->said_us = now_us;
    if (hub_send(*d->hub, d->number) != STATUS_OK) return; /* asked again after a while */
}

/* A request that the device waits for. */
static void ask(struct device *d, uint64_t now_us, enum frame_kind kind,
                const struct codec_desc *desc, const void *meta)
{
    request(d, now_us, kind, desc, meta);
    d->asked = d->serial << SERIAL_SHIFT;
    d->again_us = now_us + ASK_AGAIN_US;
}

void device_register(struct device *d, uint64_t now_us)
{
    struct msg_register m = {.entry = buffer_view(&d->entry)};
    d->state = DEVICE_REGISTERING;
    ask(d, now_us, KIND_REGISTER, &msg_register_desc, &m);
}

void device_hello(struct device *d, uint64_t now_us)
{
    struct msg_hello m = {.device = d->founding.device, .account = d->founding.account,
                          .client_version = view_of(SEALMQ_VERSION, sizeof SEALMQ_VERSION - 1),
                          .protocol_min = PROTOCOL_VERSION_MIN,
                          .protocol_max = PROTOCOL_VERSION_MAX, .attach = d->attaches,
                          .credit_messages = CREDIT_MESSAGES_MAX, .credit_bytes = CREDIT_BYTES_MAX};
    d->state = DEVICE_GREETING;
    ask(d, now_us, KIND_HELLO, &msg_hello_desc, &m);
}

void device_ping(struct device *d, uint64_t now_us)
{
    request(d, now_us, KIND_PING, &msg_empty_desc, &(struct msg_empty){.unused = 0});
}

bool device_settled(const struct device *d)
{
    return !d->ack_due && position_compare(d->taken, d->settled) <= 0;
}

void device_acknowledge(struct device *d, uint64_t now_us)
{
    struct msg_ack m = {.session = d->session, .settled_term = d->taken.term,
                        .settled_seq = d->taken.seq, .gap_seen = d->gap_seen};
    d->ack_due = false;
    d->since_count = 0;
    d->since_bytes = 0;
    d->acked_us = now_us;
    request(d, now_us, KIND_ACK, &msg_ack_desc, &m);
}
