/* sizes: the distribution of payload sizes, "256:50,1024:40,16384:10" (size:weight). Which size a
 * message has follows from its number, so that the receiving side knows it too. */
#ifndef SEALMQ_LOAD_SIZES_H
#define SEALMQ_LOAD_SIZES_H

#include "broker/wire/bytes.h"

#define SIZES_MAX 16u

struct sizes {
    uint32_t len[SIZES_MAX];
    uint32_t below[SIZES_MAX]; /* cumulative weights */
    size_t count;
};

/* sizes_one: every message has len bytes. */
struct sizes sizes_one(uint32_t len);
/* sizes_parse: OK; MALFORMED (not of that form, a weight of 0, weights above a million together);
 * TOO_LARGE (more than SIZES_MAX, or a size outside min..max). *out is zero after a failure. */
enum status sizes_parse(const char *text, uint32_t min, uint32_t max, struct sizes *out) MUST_USE;
/* sizes_pick: which of the sizes message `number` has; an index into len. */
size_t sizes_pick(const struct sizes *s, uint64_t number);
uint32_t sizes_largest(const struct sizes *s);
/* sizes_mean: the weighted mean, rounded. */
uint32_t sizes_mean(const struct sizes *s);

/* number_mix: spreads consecutive numbers over 64 bits. */
uint64_t number_mix(uint64_t number);

#endif
