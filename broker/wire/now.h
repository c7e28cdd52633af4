/* now: time as every core gets it, an argument that the caller read once per turn (host_now in
 * production, the simulator's clock in tests). */
#ifndef SEALMQ_WIRE_NOW_H
#define SEALMQ_WIRE_NOW_H

#include <stdint.h>

/* wall for ids and expiry (Unix ms), mono for timers (ms, never back). */
struct now {
    uint64_t wall_ms;
    uint64_t mono_ms;
};

#endif
