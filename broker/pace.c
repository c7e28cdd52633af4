/* pace: one rule, for net.c: no clock, no timer. */
#include "broker/pace.h"

uint64_t pace_until_us(size_t frames, uint64_t start_us)
{
    return frames > 0 && frames < PACE_FRAMES ? start_us + PACE_US : 0;
}
