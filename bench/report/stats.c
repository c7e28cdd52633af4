/* stats: medians, ranges, and when two of them differ. Robust on purpose: with three to five rounds a
 * standard deviation says little, the range of the rounds says what was really seen. */
#include "bench/report/stats.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread spread_of(double *values, size_t count)
{
    struct spread s = {.count = count};
    if (!count) return s;
    qsort(values, count, sizeof *values, ascending);
    s.min = values[0];
    s.max = values[count - 1];
    s.median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    return s;
}

double spread_half(struct spread s)
{
    return s.median > 0 ? (s.max - s.min) / 2 / s.median : 0;
}

double spread_noise(struct spread a, struct spread b)
{
    return fmax(spread_half(a) + spread_half(b), NOISE_MIN);
}

enum verdict spread_compare(struct spread a, struct spread b)
{
    if (a.count < 2 || b.count < 2 || !(a.median > 0)) return VERDICT_UNKNOWN;
    double change = b.median / a.median - 1;
    if (fabs(change) <= spread_noise(a, b) || (a.min <= b.max && b.min <= a.max))
        return VERDICT_SAME;
    return change < 0 ? VERDICT_LESS : VERDICT_MORE;
}

double slope_of(const double *x, const double *y, size_t count)
{
    double mean_x = 0, mean_y = 0, above = 0, below = 0;
    for (size_t i = 0; i < count; i++) {
        mean_x += x[i] / (double)count;
        mean_y += y[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        above += (x[i] - mean_x) * (y[i] - mean_y);
        below += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return below > 0 ? above / below : 0;
}
