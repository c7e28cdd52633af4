/* meter: who may ask how much (PROTOCOL 9): which bucket pays for a frame, by what it asks and by
 * whom. Decides; answers nothing (client.c does). */
#ifndef SEALMQ_BROKER_METER_H
#define SEALMQ_BROKER_METER_H

#include "broker/address.h"
#include "broker/bucket.h"
#include "broker/session.h"
#include "broker/wire/event.h"

/* Each at least 1. What somebody has not used for METER_BURST_S seconds he may use at once. */
struct meter_rates {
    uint32_t address_requests_per_s; /* HELLO, REGISTER, CLAIM_HANDLE, LOOKUP without a session; METER_LOOSE
                                      * times as much of anything else without one */
    uint32_t device_requests_per_s;  /* all of a device's connections together */
    uint64_t device_bytes_per_s;     /* of its frames */
};

struct meter {
    struct bucket_table addresses, devices;
};

/* One frame, before anybody looks at what it wants. */
struct metered {
    const struct connection *c;
    struct peer_address from;
    unsigned kind; /* KIND_NONE: it did not get through frame_check */
    size_t len;
};

/* What there was too much of. */
struct meter_verdict {
    enum event_meter meter; /* of RATE_LIMITED */
    uint64_t retry_after_ms;
    uint64_t untold; /* refusals to be told of now, this one among them; 0 = not now */
};

void meter_init(struct meter *m, const struct meter_rates *rates, uint32_t connections_max,
                const struct bucket_seed *seed);
void meter_fini(struct meter *m);
/* meter_take: OK: paid. RATE_LIMITED: nothing was taken; enough may be there after retry_after_ms.
 * GONE: this device has sent METER_FLOOD times its rate for seconds: it is to be cut. */
enum status meter_take(struct meter *m, uint64_t now_ms, const struct metered *frame,
                       struct meter_verdict *out) MUST_USE;

#endif
