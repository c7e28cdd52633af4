/* transport: one CURVE connection to one relay endpoint at a time, out of a list. Moves whole
 * frames and says when the connection comes and goes; knows nothing of what is in them. */
#ifndef SEALMQ_CLIENTS_TRANSPORT_H
#define SEALMQ_CLIENTS_TRANSPORT_H

#include "broker/wire/ids.h"

#define TRANSPORT_ENDPOINTS_MAX    8u
#define TRANSPORT_ENDPOINT_LEN_MAX 255u
#define TRANSPORT_LIST_LEN_MAX     2048u

struct transport;

struct transport_options {
    const char *endpoints;      /* "tcp://HOST:PORT[,tcp://HOST:PORT...]" */
    struct transport_pk server; /* the relay's public key */
    struct transport_pk device; /* this device's transport key */
    const uint8_t *device_sk;   /* its 32-byte secret; used during the call, copied by libzmq */
    int poll_fd;                /* an epoll descriptor of the caller's, which gets the sockets'; -1 = none */
};

enum transport_event_kind {
    TRANSPORT_UP,    /* the handshake succeeded: a new connection without a session */
    TRANSPORT_DOWN,  /* the connection is gone; another one is being tried */
    TRANSPORT_FRAME, /* `frame` is good until the next call on this transport */
};

struct transport_event {
    enum transport_event_kind kind;
    struct view frame;
};

/* Why there is no connection, for a person. */
enum transport_trouble {
    TROUBLE_NONE,      /* connected, or nothing has failed yet */
    TROUBLE_CONNECT,   /* nobody answers there */
    TROUBLE_HANDSHAKE, /* somebody does, but the handshake fails: wrong server key, or no relay */
    TROUBLE_LOST,      /* a connection broke */
};

/* transport_endpoints_check: OK for a list as transport_open takes it, else CONFIG with one line in
 * error (what is wrong, what to do). */
enum status transport_endpoints_check(const char *endpoints, char *error, size_t cap) MUST_USE;

/* transport_server_key_parse: a public key from its 40 characters of Z85. OK; MALFORMED with *out zero. */
enum status transport_server_key_parse(const char *text, struct transport_pk *out) MUST_USE;
/* transport_server_key_load: reads server.pub (Z85 text, one line). OK; IO (no such file),
 * CONFIG (not a key), with one line in error. *out is zero after a failure. */
enum status transport_server_key_load(const char *path, struct transport_pk *out, char *error,
                                      size_t cap) MUST_USE;

/* transport_open: starts connecting, does not wait. OK, CONFIG (endpoints), IO; with one line in
 * error and *out NULL. host_start() comes first. Free with transport_close. */
enum status transport_open(const struct transport_options *options, struct transport **out,
                           char *error, size_t cap) MUST_USE;
/* transport_close: gives what was sent at most half a second to leave; NULL-safe, nulls. */
void transport_close(struct transport **t);

/* transport_wait: until something may be there for transport_next, extra_fd (-1 = none) is
 * readable, or timeout_ms have passed. true = extra_fd is readable. */
bool transport_wait(struct transport *t, uint64_t timeout_ms, int extra_fd);
/* transport_next: the next event; false = nothing more now. Call until false before waiting. */
bool transport_next(struct transport *t, struct transport_event *out);
/* transport_send: takes a copy. OK; GONE (not connected); FULL (the relay does not read; try again
 * after the next wait). */
enum status transport_send(struct transport *t, struct view frame) MUST_USE;
/* transport_move: leaves this connection and tries the next endpoint (the same one again, if it
 * is the only one). Gives no DOWN for what it leaves. */
void transport_move(struct transport *t);
/* transport_stop: no connection any more, and no other one is tried; gives no DOWN. */
void transport_stop(struct transport *t);

/* For who waits on poll_fd instead of in transport_wait. transport_ready: something is there, or a frame that found no
 * room has some now: libzmq's descriptors tell an edge, which sending and receiving may have used up, so ask right
 * before waiting. transport_wait_max_ms: how long to wait at most; UINT64_MAX = any time. */
bool transport_ready(struct transport *t);
uint64_t transport_wait_max_ms(const struct transport *t);

bool transport_is_up(const struct transport *t);
enum transport_trouble transport_trouble(const struct transport *t);
/* transport_endpoint: the one in use; good until the next call on this transport. */
const char *transport_endpoint(const struct transport *t);

#endif
