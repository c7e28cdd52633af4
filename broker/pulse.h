/* pulse: whether anybody could get in: our own probe makes a fresh handshake every PULSE_MS, and when none
 * has succeeded for PULSE_LOST_MS that is told once, and so is its return. No socket, no clock. */
#ifndef SEALMQ_BROKER_PULSE_H
#define SEALMQ_BROKER_PULSE_H

#include "broker/wire/event.h"

#define PULSE_MS      1000u
#define PULSE_LOST_MS 2000u

struct pulse {
    uint64_t asked_ms, heard_ms;
    bool lost;
};

void pulse_init(struct pulse *p, uint64_t now_ms);
/* pulse_due: a probe is to be made now; it is taken as made. */
bool pulse_due(struct pulse *p, uint64_t now_ms);
/* pulse_heard: a probe got in. pulse_step: call it several times a second. true = *out is to be told. */
bool pulse_heard(struct pulse *p, uint64_t now_ms, struct event *out);
bool pulse_step(struct pulse *p, uint64_t now_ms, struct event *out);

#endif
