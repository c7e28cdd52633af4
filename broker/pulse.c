/* pulse: two numbers and a flag. Invariant: AUTH_UNAVAILABLE and AUTH_AVAILABLE alternate. */
#include "broker/pulse.h"

void pulse_init(struct pulse *p, uint64_t now_ms)
{
    *p = (struct pulse){.asked_ms = now_ms - PULSE_MS, .heard_ms = now_ms}; /* the first one is due */
}

bool pulse_due(struct pulse *p, uint64_t now_ms)
{
    if (now_ms - p->asked_ms < PULSE_MS) return false;
    p->asked_ms = now_ms;
    return true;
}

bool pulse_heard(struct pulse *p, uint64_t now_ms, struct event *out)
{
    bool lost = p->lost;
    *out = (struct event){.kind = EVENT_AUTH_AVAILABLE, .value = now_ms - p->heard_ms};
    p->heard_ms = now_ms;
    p->lost = false;
    return lost;
}

bool pulse_step(struct pulse *p, uint64_t now_ms, struct event *out)
{
    *out = (struct event){.kind = EVENT_AUTH_UNAVAILABLE, .value = now_ms - p->heard_ms};
    if (p->lost || now_ms - p->heard_ms <= PULSE_LOST_MS) return false;
    p->lost = true;
    return true;
}
