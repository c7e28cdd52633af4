/* peer: the contract of a driver: how another system does the work that sealmq-bench has SealMQ do.
 *
 * The work: messages with a unique id each go from `senders` connections to `queues` recipient queues;
 * the server has them safe (as its durability says) before it tells the sender so; they are received
 * whole, checked, acknowledged and then gone from the server. A driver moves bytes and reports; what is
 * sent when, what is checked and what is counted is flow's, the same for every system.
 *
 * One thread, one poll: a driver never blocks but in open and close. */
#ifndef SEALMQ_PEERS_PEER_H
#define SEALMQ_PEERS_PEER_H

#include "bench/peers/flow.h"
#include "broker/wire/bytes.h"

#include <poll.h>

#define PEER_QUEUES_MAX    1024u
#define PEER_SENDERS_MAX   16u
#define PEER_CONSUMERS_MAX 64u
#define PEER_POLLS_MAX     (PEER_SENDERS_MAX + PEER_CONSUMERS_MAX)

struct peer_config {
    char host[64];
    uint16_t port;
    unsigned queues, senders;
    unsigned consumers; /* connections that receive, at most one per queue: i, i + consumers, ... */
    size_t size;       /* of a body */
    struct flow *flow; /* where accepts and deliveries are reported; outlives the peer */
};

struct peer;

struct peer_ops {
    const char *system; /* "redis", "redis-nodedup" */
    const char
        *durability; /* what the server has done before it accepts: "synced" or "not synced" */
    const char *how; /* one line: by which means of the system the work is done */
    bool queue_consumers; /* a connection per queue, whatever --consumers says */
    /* open: connects all senders and consumers, makes empty queues; may block for up to 30 s. The text of
     * a failure goes to error. OK, GONE, STATE (the server is not what the work needs). */
    enum status (*open)(const struct peer_ops *ops, const struct peer_config *config,
                        struct peer **out, char *error, size_t error_cap);
    /* submit: takes a batch of one sender; the bytes are the caller's and gone after the call. OK, GONE. */
    enum status (*submit)(struct peer *p, unsigned sender, const struct flow_message *messages,
                          size_t count);
    /* polls: what to wait for, at most PEER_POLLS_MAX; also the last moment to write what was submitted.
     * *timeout_us may be made smaller: 0 where something is already there to be read. */
    size_t (*polls)(struct peer *p, struct pollfd *out, uint64_t *timeout_us);
    /* turn: reads and writes what poll found, in the order of polls; reports by flow_accepted,
     * flow_refused, flow_delivered; sends acknowledgements. OK, GONE: the server ended or answered with
     * an error (the text by `error`). */
    enum status (*turn)(struct peer *p, const struct pollfd *polls, size_t count);
    /* left: how many messages the server still has, after everything was acknowledged; may block. GONE. */
    enum status (*left)(struct peer *p, uint64_t *count);
    /* error: one line about what made submit or turn fail; "" where nothing did. */
    const char *(*error)(const struct peer *p);
    /* close: NULL-safe; frees. */
    void (*close)(struct peer *p);
};

/* Every driver's struct starts with this. */
struct peer {
    const struct peer_ops *ops;
};

/* peer_find: the ops of a system by name; NULL: none, or not built in (peer_known tells). */
const struct peer_ops *peer_find(const char *system);
/* peer_known: a driver for it exists, even if its library was not there when this was built. */
bool peer_known(const char *system);
/* peer_list: all names that peer_find would find, separated by spaces, into out. */
void peer_list(char *out, size_t cap);

/* Each driver's file; the list ends with an entry whose system is NULL. */
extern const struct peer_ops peer_redis[], peer_postgres[], peer_rabbitmq[], peer_nats[];

#endif
