/* device: one device of the load: its keys, its account, its session, and what it has to acknowledge.
 * It writes the frames of its own session; who sends payloads is sender's business. */
#ifndef SEALMQ_LOAD_DEVICE_H
#define SEALMQ_LOAD_DEVICE_H

#include "bench/load/hub.h"
#include "broker/wire/identity.h"

enum device_state {
    DEVICE_NEW,         /* no connection */
    DEVICE_REGISTERING, /* REGISTER is on its way */
    DEVICE_REGISTERED,  /* an account, no session: away */
    DEVICE_GREETING,    /* HELLO is on its way */
    DEVICE_READY,
};

struct device {
    uint32_t number; /* its place in the table, and its name on the hub */
    bool attaches;   /* receives */
    bool away;       /* --offline: registers only */
    enum device_state state;
    struct hub **hub; /* where its connection is; not owned */
    struct transport_pk transport;
    uint8_t transport_sk[32];
    struct buffer entry; /* until registered */
    struct founding founding;
    uint64_t store;    /* which store has its home: equal for equal stores */
    uint64_t serial;   /* of its requests */
    uint64_t asked;    /* correlation of the last REGISTER or HELLO */
    uint64_t again_us; /* when that is sent again, unless it was answered */
    uint64_t said_us;  /* when anything was */
    uint64_t ping_us;
    /* receiving: the last position taken, and whether it is acknowledged */
    struct session_id session;
    struct position taken;
    struct position settled; /* what the relay has confirmed */
    uint64_t gap_seen;
    bool ack_due;        /* there is something to acknowledge */
    size_t since_count;  /* deliveries since it was last acknowledged, */
    uint64_t since_bytes; /* and their ciphertexts */
    uint64_t acked_us;   /* when that was */
    bool listed;         /* in one of the lists of those whose time comes */
    struct device *next_due;
};

/* device_make: new keys and an account's first entry. */
void device_make(struct device *d, struct arena *a, uint64_t wall_ms);
void device_fini(struct device *d);

/* Each sends one frame over *d->hub; what cannot be sent now is made good by the caller's time-out. */
void device_register(struct device *d, uint64_t now_us);
void device_hello(struct device *d, uint64_t now_us);
void device_ping(struct device *d, uint64_t now_us);
/* device_acknowledge: everything taken in this session is settled; clears ack_due. */
void device_acknowledge(struct device *d, uint64_t now_us);

/* device_settled: the relay has confirmed the acknowledgement of everything taken in this session. */
bool device_settled(const struct device *d);

/* device_correlation: the next request's; its lowest 6 bits are `use`, for finding it again. */
uint64_t device_correlation(struct device *d, unsigned use);

#endif
