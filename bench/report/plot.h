/* plot: charts as SVG text, drawn by us, so that a page needs nothing but itself. Colours are CSS
 * classes (s0..s7 by series, defined in page.c), so that light and dark share one drawing. */
#ifndef SEALMQ_BENCH_PLOT_H
#define SEALMQ_BENCH_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define PLOT_COLORS 8u

enum axis_scale {
    SCALE_LINEAR, /* from 0 */
    SCALE_LOG,    /* for latencies: a decade is a decade wherever it lies */
    SCALE_NINES, /* percentiles as HdrHistogram draws them: 0, 90, 99, 99.9 ... equally far apart */
};

struct axis {
    const char *label; /* with its unit: "latency, ms" */
    enum axis_scale scale;
};

struct point {
    double x, y;
};

struct curve {
    const char *name;
    unsigned color;
    bool dashed;
    const struct point *points; /* borrowed; x ascending; on SCALE_NINES a percentile below 100 */
    size_t count;
};

struct plot {
    const char *title;
    struct axis x, y;
    const struct curve *curves;
    size_t count;
};

struct bar {
    const char *group; /* "1 KiB, W=1024"; equal neighbours are drawn together */
    const char *name;
    unsigned color;
    double value, min, max; /* the whisker reaches from min to max */
};

struct bar_plot {
    const char *title, *label;
    const struct bar *bars;
    size_t count;
};

/* html_text: text as character data or within an attribute's quotes; the only way text of a file gets
 * into a page. Control characters become '?'. */
void html_text(FILE *out, const char *text);

/* number_short: at most 7 characters for a person: 950, 12.3, 104k, 1.25M. */
void number_short(double value, char *out, size_t cap);

/* plot_curves, plot_bars: one <figure> with a legend; nothing at all when there is no point. */
void plot_curves(FILE *out, const struct plot *p);
void plot_bars(FILE *out, const struct bar_plot *p);

#endif
