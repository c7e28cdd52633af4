/* stats: what several rounds of one measurement say together. Pure. */
#ifndef SEALMQ_BENCH_STATS_H
#define SEALMQ_BENCH_STATS_H

#include <stddef.h>

struct spread {
    double median, min, max; /* all 0 when count is 0 */
    size_t count;
};

enum verdict {
    VERDICT_UNKNOWN, /* a single round on either side, or nothing to divide by: no noise known */
    VERDICT_SAME,    /* no difference beyond the noise */
    VERDICT_LESS,
    VERDICT_MORE,
};

/* spread_of: sorts values in place. The median of an even count is the mean of the middle two. */
struct spread spread_of(double *values, size_t count);

/* spread_half: half the range over the median: 0.05 = the rounds lie within about 5 % of it. */
double spread_half(struct spread s);

/* spread_noise: how far apart two medians may be by chance alone: the half ranges of both, added, and
 * never less than NOISE_MIN: three rounds that happen to agree do not make a clock of a shared machine. */
#define NOISE_MIN 0.01
double spread_noise(struct spread a, struct spread b);

/* spread_compare: b against a. Two measurements whose rounds overlap are never told apart. */
enum verdict spread_compare(struct spread a, struct spread b);

/* slope_of: of y over x by least squares; 0 with fewer than two different x. */
double slope_of(const double *x, const double *y, size_t count);

#endif
