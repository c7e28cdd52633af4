/* pace: when the broker may look at its edge again. A frame by itself wakes the broker, its backend thread,
 * storage's I/O thread, storage and the committer on its way to the disk, so after a look that found little the
 * next one waits a moment, and what comes meanwhile goes on as one slab (ARCHITECTURE, Decisions). The first frame
 * after a silence never waits, nor does what comes from a worker. */
#ifndef SEALMQ_BROKER_PACE_H
#define SEALMQ_BROKER_PACE_H

#include <stddef.h>
#include <stdint.h>

#define PACE_US     500u
#define PACE_FRAMES 8u /* a look that found so many was worth its price */

/* pace_until_us: after a look that began at start_us and found so many frames; 0 = look again at once. */
uint64_t pace_until_us(size_t frames, uint64_t start_us);

#endif
