/* histogram: counts of microseconds from 0 to one hour in buckets that are at most 1/128 of their
 * value wide (HdrHistogram's log-linear layout with 256 sub-buckets). Recording is a few
 * instructions and never allocates; two histograms of the same work add up exactly. */
#ifndef SEALMQ_MEASURE_HISTOGRAM_H
#define SEALMQ_MEASURE_HISTOGRAM_H

#include "broker/wire/bytes.h"

#include <stdio.h>

#define HISTOGRAM_LIMIT_US     3600000000ull /* one hour; what is longer counts as this */
#define HISTOGRAM_SUB_BUCKETS  256u          /* exact below; then half of it per doubling */
#define HISTOGRAM_BUCKETS      3328u

/* Zero-initialised = empty. Caller's memory, 26 KiB. */
struct histogram {
    uint64_t count;
    uint64_t sum_us;
    uint64_t min_us, max_us; /* exact; 0 while empty */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_reset(struct histogram *h);
/* histogram_record: one value; beyond HISTOGRAM_LIMIT_US it is recorded as that. */
void histogram_record(struct histogram *h, uint64_t us);
/* histogram_merge: adds everything in from to h. */
void histogram_merge(struct histogram *h, const struct histogram *from);
/* histogram_percentile: the highest value of the bucket that holds the percentile (0..100), at most
 * max_us; 0 while empty. */
uint64_t histogram_percentile(const struct histogram *h, double percentile);
/* histogram_mean: of the exact values; 0 while empty. */
double histogram_mean(const struct histogram *h);
/* histogram_deviation: the standard deviation, from the buckets' middles. */
double histogram_deviation(const struct histogram *h);

/* histogram_write_hgrm: HdrHistogram's percentile text (.hgrm) in milliseconds, 5 steps per half
 * distance, as its plotting tools read it. OK, IO. */
enum status histogram_write_hgrm(const struct histogram *h, FILE *out) MUST_USE;

/* histogram_encode: appends "us1 COUNT SUM MIN MAX" and, for every bucket that is not empty, " D:N":
 * D the distance from the bucket before it (from 0 for the first), N its count. No NUL, only
 * printable ASCII. */
void histogram_encode(const struct histogram *h, struct buffer *out);
/* histogram_decode: OK, or MALFORMED with *out empty: another version, a bucket outside, counts that
 * do not add up, or anything left over. */
enum status histogram_decode(struct view text, struct histogram *out) MUST_USE;

#endif
