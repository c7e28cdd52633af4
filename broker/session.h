/* session: the broker's connections and the sessions bound to them. An entry is made by the first
 * frame of a connection and forgotten when the connection is gone or silent; after that its number
 * never names anything again (handle = generation and slot). Only a WELCOME binds (PROTOCOL 4). */
#ifndef SEALMQ_BROKER_SESSION_H
#define SEALMQ_BROKER_SESSION_H

#include "broker/backlog.h"
#include "broker/pending.h"
#include "broker/wire/messages.h"

enum connection_state {
    CONNECTION_FREE,      /* no connection in this slot */
    CONNECTION_OPEN,      /* no session */
    CONNECTION_GREETING,  /* no session; a HELLO is pending */
    CONNECTION_BOUND,     /* has a session */
    CONNECTION_REBINDING, /* has a session, and a HELLO for another one is pending */
    CONNECTION_STATES
};

enum connection_event {
    CONNECTION_ARRIVES,  /* first frame of an unknown routing id */
    CONNECTION_HELLO,    /* a HELLO was forwarded */
    CONNECTION_WELCOMED, /* it was answered WELCOME */
    CONNECTION_DECLINED, /* it was answered anything else */
    CONNECTION_UNBINDS,  /* SUPERSEDED or GOODBYE */
    CONNECTION_LEAVES,   /* gone or silent */
    CONNECTION_EVENTS
};

/* What the client said of itself in HELLO. */
struct greeting {
    bool attach;
    uint8_t version_len;
    uint8_t version[CLIENT_VERSION_LEN_MAX];
};

struct connection {
    enum connection_state state;
    uint32_t routing;
    uint32_t generation;
    uint32_t routing_next, device_next; /* slot + 1; 0 = end of the chain */
    uint64_t heard_ms;
    struct transport_pk transport;
    struct pending_list asked;
    struct backlog_share backlogged;
    uint32_t stuck_round; /* the pass of the backlog in which its queue was full */
    bool refusal_told;   /* one FRAME_REFUSED event per connection */
    uint32_t limited;    /* frames in a row that were refused for coming too often */
    struct greeting offered; /* of the pending HELLO */
    /* While bound, else zero: */
    struct session_id session;
    struct account_id account;
    struct device_id device;
    struct greeting greeting;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    uint64_t round; /* of deliveries: another one after each UNDELIVERED and each SESSION */
};

struct sessions {
    struct connection *slots;
    uint32_t *by_routing, *by_device; /* hash buckets: slot + 1 */
    uint32_t capacity, bucket_mask, free, count, bound;
    uint64_t seed;
};

/* sessions_init: seed makes the hashes unpredictable and handles differ from start to
 * start. */
void sessions_init(struct sessions *s, uint32_t capacity, uint64_t seed);
void sessions_fini(struct sessions *s);

/* session_connect: a new entry; the routing id must be unknown. NULL when the table is full. */
struct connection *session_connect(struct sessions *s, uint32_t routing,
                                   const struct transport_pk *key, uint64_t now_ms);
/* session_by_routing, session_by_handle: NULL when there is none. */
struct connection *session_by_routing(const struct sessions *s, uint32_t routing);
struct connection *session_by_handle(const struct sessions *s, uint64_t handle);
uint64_t session_handle(const struct sessions *s, const struct connection *c);
/* session_is: c is bound to this very session. */
bool session_is(const struct connection *c, struct session_id id);
bool session_bound(const struct connection *c);
/* session_by_device / session_next: the connections bound to a device, in no order. NULL = no
 * more. */
struct connection *session_by_device(const struct sessions *s, struct device_id device);
struct connection *session_next(const struct sessions *s, const struct connection *c);

/* session_greet: a HELLO is being forwarded. OK; STATE while another one is pending. */
enum status session_greet(struct connection *c, const struct msg_hello *hello) MUST_USE;
/* session_declined: the pending HELLO got no session; an earlier session stays. */
void session_declined(struct connection *c);
/* session_bind: WELCOME came; the stamp names what is bound. Replaces an earlier session. */
void session_bind(struct sessions *s, struct connection *c, const struct stamp *stamp,
                  const struct msg_welcome *welcome);
void session_unbind(struct sessions *s, struct connection *c);
/* session_remove: forgets the connection. Its asked list must be empty (orphan it first). */
void session_remove(struct sessions *s, struct connection *c);

/* session_stamp: how a frame of this connection is stamped: all of session, account and device are
 * zero while unbound. */
struct stamp session_stamp(const struct sessions *s, const struct connection *c);

#endif
