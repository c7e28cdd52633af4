/* compare: what got faster or slower between two result files, and what only seems so. */
#ifndef SEALMQ_BENCH_COMPARE_H
#define SEALMQ_BENCH_COMPARE_H

#include "bench/report/group.h"

/* compare_match: B's group for the same work as a. The label names a build as often as a variant, so a group
 * that differs in nothing else will do when it is the only one. NULL = none. */
const struct group *compare_match(const struct group *a, const struct groups *b);

/* compare_print: every group of A that B has too, figure by figure; json: one object a line. Returns how many
 * groups matched. */
size_t compare_print(const struct groups *a, const struct groups *b, bool json, FILE *out);

#endif
