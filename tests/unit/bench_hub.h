/* A hub for tests of the load: it keeps the last frame instead of sending it. One per program: these
 * functions stand for bench/load/hub.c. */
#ifndef SEALMQ_BENCH_HUB_H
#define SEALMQ_BENCH_HUB_H

#include "bench/load/hub.h"
#include "broker/wire/frame.h"

extern struct buffer left_last;   /* the frame that left last */
extern size_t left_count;         /* how many did */

/* left_frame: left_last, checked. */
struct frame left_frame(void);

#endif
