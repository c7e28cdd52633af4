/* flow: the work itself: which message is due when, what is in it, and what became of each. No socket
 * and no clock: time is an argument. The same for every peer, so that they differ in the server only.
 *
 * Closed loop: at most `window` messages that are not both accepted and delivered. Open loop: message n
 * is due at start + n / rate whatever the server does, and all latencies count from there. */
#ifndef SEALMQ_PEERS_FLOW_H
#define SEALMQ_PEERS_FLOW_H

#include "bench/measure/histogram.h"

#define FLOW_BATCH_MAX   64u        /* messages that one sender gets at once */
#define FLOW_BATCH_BYTES (1u << 20) /* or one message */
#define FLOW_SIZE_MIN    16u
#define FLOW_SIZE_MAX    (1u << 20)
#define FLOW_FLIGHT_MAX  (1u << 20) /* neither accepted nor delivered, also in an open loop */
#define FLOW_ID_LEN      16u

struct flow_config {
    uint64_t count;       /* end after so many; 0 = after duration_us */
    uint64_t duration_us; /* end sending after so long; 0 = after count */
    uint64_t window;      /* closed loop; 0 = open loop */
    double rate;          /* open loop, per second */
    unsigned queues, senders;
    size_t size;
    uint8_t run[8]; /* random: makes ids and bodies of this run its own */
};

struct flow_message {
    uint64_t number;
    unsigned queue;
    uint8_t id[FLOW_ID_LEN]; /* unique, rising */
    struct view body;
};

struct flow_counts {
    uint64_t sent, accepted, delivered, refused, duplicated, corrupted;
};

struct flow;

/* flow_new: free with flow_free (NULL-safe, nulls). */
struct flow *flow_new(const struct flow_config *config);
void flow_free(struct flow **f);

/* flow_start: the clock of the open loop and of the duration starts. flow_end: no message is due any
 * more (interrupted). */
void flow_start(struct flow *f, uint64_t now_us);
void flow_end(struct flow *f);
/* flow_take: the batch that is due now for one sender, 0 = none; *messages and their bytes are good
 * until the next call. They count as sent. */
size_t flow_take(struct flow *f, uint64_t now_us, struct flow_message **messages, unsigned *sender);
/* flow_wait_us: how long nothing will be due unless something is accepted or delivered. */
uint64_t flow_wait_us(const struct flow *f, uint64_t now_us);
/* flow_sent_all: nothing will be due any more. flow_done: and everything sent came to its end. */
bool flow_sent_all(const struct flow *f, uint64_t now_us);
bool flow_done(const struct flow *f, uint64_t now_us);

/* flow_accepted: the server has it. flow_refused: it will not be delivered. flow_delivered: a whole body
 * came out of a queue; every byte is compared. They read the clock themselves: host_mono_us. */
void flow_accepted(struct flow *f, uint64_t number);
void flow_refused(struct flow *f, uint64_t number);
void flow_delivered(struct flow *f, unsigned queue, struct view body);

const struct flow_counts *flow_counts(const struct flow *f);
const struct histogram *flow_accept(const struct flow *f);
const struct histogram *flow_end_to_end(const struct flow *f);
/* flow_interval: the accept latencies since the last flow_interval_reset. */
const struct histogram *flow_interval(const struct flow *f);
void flow_interval_reset(struct flow *f);
/* flow_last_us: when the last message was accepted or delivered. */
uint64_t flow_last_us(const struct flow *f);

#endif
