/* pace: how many messages may be sent now. Closed loop: at most `window` of them neither accepted nor
 * delivered. Open loop: a fixed schedule that nothing can move, so that a slow answer makes the
 * latencies of what waits behind it longer instead of making it wait (no coordinated omission). */
#ifndef SEALMQ_LOAD_PACE_H
#define SEALMQ_LOAD_PACE_H

#include "broker/wire/bytes.h"

/* Zero-initialise and set the first block; start_us at the start of the run. */
struct pace {
    uint64_t window; /* closed loop; 0 = open */
    double rate;     /* open loop: messages a second */
    uint64_t count;  /* stop after so many; 0 = no limit */
    uint64_t duration_us; /* stop after so long; 0 = no limit */
    uint64_t batch;  /* closed loop: wait until so many may be sent, but for the last ones */
    uint64_t open_max; /* open loop: at most so many without an answer */
    uint64_t start_us;
    uint64_t held; /* out: how often messages that were due met open_max */
};

/* pace_due: how many more may be sent at now_us, when `issued` were and `open` of these are not done. */
uint64_t pace_due(struct pace *p, uint64_t now_us, uint64_t issued, uint64_t open);
/* pace_time_us: from when message `number`'s latency counts: its place in the schedule, or now. */
uint64_t pace_time_us(const struct pace *p, uint64_t now_us, uint64_t number);
/* pace_next_us: when the next message is due by the schedule; UINT64_MAX in a closed loop. */
uint64_t pace_next_us(const struct pace *p, uint64_t issued);
/* pace_over: nothing more will ever be due. */
bool pace_over(const struct pace *p, uint64_t now_us, uint64_t issued);

#endif
