/* page: the whole report as one HTML page that refers to nothing outside itself: no script, no font,
 * no image. Readable in light and dark. */
#ifndef SEALMQ_BENCH_PAGE_H
#define SEALMQ_BENCH_PAGE_H

#include "bench/report/group.h"

/* page_write: IO when out reports an error, else OK. */
enum status page_write(const struct groups *all, FILE *out) MUST_USE;

#endif
