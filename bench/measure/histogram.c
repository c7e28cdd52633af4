/* histogram: log-linear buckets of microseconds. Values below 256 have a bucket each; every doubling
 * above has 128 buckets of equal width, so a value is known to 1/128 of itself. What it is not: a
 * recorder that corrects for omissions; whoever records measures from the scheduled time.
 * Invariants: count is the sum of the buckets; min and max are exact, and in the first and the last
 * bucket that is not empty. */
#include "bench/measure/histogram.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define HALF (HISTOGRAM_SUB_BUCKETS / 2)

static size_t bucket_of(uint64_t us)
{
    if (us < HISTOGRAM_SUB_BUCKETS) return (size_t)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - 7u;
    return (size_t)shift * HALF + (size_t)(us >> shift);
}

static uint64_t bucket_low(size_t bucket)
{
    if (bucket < HISTOGRAM_SUB_BUCKETS) return bucket;
    size_t shift = bucket / HALF - 1;
    return (uint64_t)(bucket - shift * HALF) << shift;
}

static uint64_t bucket_high(size_t bucket)
{
    return bucket_low(bucket + 1) - 1;
}

void histogram_reset(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_record(struct histogram *h, uint64_t us)
{
    if (us > HISTOGRAM_LIMIT_US) us = HISTOGRAM_LIMIT_US;
    if (us < h->min_us || !h->count) h->min_us = us;
    if (us > h->max_us) h->max_us = us;
    h->count++;
    h->sum_us += us;
    h->buckets[bucket_of(us)]++;
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
    if (!from->count) return;
    if (from->min_us < h->min_us || !h->count) h->min_us = from->min_us;
    if (from->max_us > h->max_us) h->max_us = from->max_us;
    h->count += from->count;
    h->sum_us += from->sum_us;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        h->buckets[i] += from->buckets[i];
}

static uint64_t value_of(const struct histogram *h, size_t bucket)
{
    uint64_t high = bucket_high(bucket);
    return high < h->max_us ? high : h->max_us;
}

uint64_t histogram_percentile(const struct histogram *h, double percentile)
{
    uint64_t seen = 0;
    if (!h->count) return 0;
    double wanted = ceil(percentile / 100.0 * (double)h->count - 1e-9);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen && (double)seen >= wanted) return value_of(h, i);
    }
    return h->max_us;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? (double)h->sum_us / (double)h->count : 0;
}

double histogram_deviation(const struct histogram *h)
{
    double mean = histogram_mean(h), squares = 0;
    if (!h->count) return 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (!h->buckets[i]) continue;
        double middle = ((double)bucket_low(i) + (double)bucket_high(i)) / 2;
        squares += (middle - mean) * (middle - mean) * (double)h->buckets[i];
    }
    return sqrt(squares / (double)h->count);
}

/* ---- .hgrm ---- */

#define TICKS_PER_HALF 5

static void hgrm_line(FILE *out, uint64_t us, double percentile, uint64_t seen)
{
    fprintf(out, "%12.3f %2.12f %10" PRIu64, (double)us / 1000.0, percentile / 100.0, seen);
    if (percentile < 100.0) fprintf(out, " %14.2f", 1.0 / (1.0 - percentile / 100.0));
    fputc('\n', out);
}

/* The next percentile to print: the nearer to 100, the closer together. */
static double hgrm_next(double percentile)
{
    double halvings = floor(log2(100.0 / (100.0 - percentile))) + 1;
    return percentile + 100.0 / (TICKS_PER_HALF * pow(2, halvings));
}

enum status histogram_write_hgrm(const struct histogram *h, FILE *out)
{
    uint64_t seen = 0;
    double next = 0;
    fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
        if (!h->buckets[i]) continue;
        seen += h->buckets[i];
        double reached = 100.0 * (double)seen / (double)h->count;
        for (; seen < h->count && next <= reached; next = hgrm_next(next))
            hgrm_line(out, value_of(h, i), next, seen);
        if (seen == h->count) {
            if (next < 100.0) hgrm_line(out, value_of(h, i), next, seen);
            break;
        }
    }
    if (h->count) hgrm_line(out, h->max_us, 100.0, h->count);
    fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", histogram_mean(h) / 1000.0,
            histogram_deviation(h) / 1000.0);
    fprintf(out, "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n", (double)h->max_us / 1000.0,
            h->count);
    fprintf(out, "#[Buckets = %12u, SubBuckets     = %12u]\n",
            HISTOGRAM_BUCKETS / HALF - 1, HISTOGRAM_SUB_BUCKETS);
    return ferror(out) ? STATUS_IO : STATUS_OK;
}

/* ---- text ---- */

static const char mark[] = "us1";

static void put_text(struct buffer *out, const char *before, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%s%" PRIu64, before, number);
    write_bytes(out, text, (size_t)len);
}

void histogram_encode(const struct histogram *h, struct buffer *out)
{
    size_t last = 0;
    write_bytes(out, mark, sizeof mark - 1);
    put_text(out, " ", h->count);
    put_text(out, " ", h->sum_us);
    put_text(out, " ", h->min_us);
    put_text(out, " ", h->max_us);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (!h->buckets[i]) continue;
        put_text(out, " ", i - last);
        put_text(out, ":", h->buckets[i]);
        last = i;
    }
}

/* A separator, then a decimal number of at most 19 digits. */
static uint64_t take_number(struct reader *r, char before)
{
    uint64_t number = 0;
    unsigned digits = 0;
    if (read_u8(r) != (uint8_t)before) r->failed = true;
    for (; reader_left(r) && *r->at >= '0' && *r->at <= '9'; digits++)
        number = number * 10 + (uint64_t)(read_u8(r) - '0');
    if (digits == 0 || digits > 19) r->failed = true;
    return r->failed ? 0 : number;
}

static bool take_buckets(struct reader *r, struct histogram *h)
{
    uint64_t at = 0, seen = 0, first = HISTOGRAM_BUCKETS;
    while (reader_left(r)) {
        uint64_t step = take_number(r, ' '), count = take_number(r, ':');
        if (r->failed || step >= HISTOGRAM_BUCKETS - at || !count || (seen && !step)) return false;
        if (count > h->count - seen) return false;
        at += step;
        if (!seen) first = at;
        seen += count;
        h->buckets[at] = count;
    }
    if (seen != h->count) return false;
    if (!seen) return !h->min_us && !h->max_us && !h->sum_us;
    return h->max_us <= HISTOGRAM_LIMIT_US && bucket_of(h->min_us) == first &&
           h->min_us <= h->max_us && bucket_of(h->max_us) == at;
}

enum status histogram_decode(struct view text, struct histogram *out)
{
    struct reader r = reader_of(text);
    histogram_reset(out);
    if (!view_equal(read_view(&r, sizeof mark - 1), view_of(mark, sizeof mark - 1)))
        return STATUS_MALFORMED;
    out->count = take_number(&r, ' ');
    out->sum_us = take_number(&r, ' ');
    out->min_us = take_number(&r, ' ');
    out->max_us = take_number(&r, ' ');
    if (!r.failed && take_buckets(&r, out) && reader_done(&r) == STATUS_OK) return STATUS_OK;
    histogram_reset(out);
    return STATUS_MALFORMED;
}
