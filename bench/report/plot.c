/* plot: axes, curves and bars as SVG. Sizes are user units of a viewBox: the page scales them.
 * Invariants: every text goes through html_text; no number that is not finite is ever written. */
#include "bench/report/plot.h"

#include <math.h>
#include <string.h>

#define WIDTH      720.0
#define HEIGHT     320.0
#define LEFT       62.0
#define RIGHT      30.0
#define TOP        14.0
#define BOTTOM     44.0
#define BAR        16.0
#define BAR_LEFT   200.0
#define BAR_RIGHT  70.0
#define TICKS      6
#define TICKS_MAX  40
#define NINES_LAST 99.999

/* A value's place: scale and range in value space, ends in drawing space. */
struct ruler {
    enum axis_scale scale;
    double min, max, from, to;
};

void html_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '&')
            fputs("&amp;", out);
        else if (*at == '<')
            fputs("&lt;", out);
        else if (*at == '>')
            fputs("&gt;", out);
        else if (*at == '"')
            fputs("&quot;", out);
        else if (*at == '\'')
            fputs("&#39;", out);
        else
            fputc(*at < 0x20 || *at == 0x7f ? '?' : *at, out);
    }
}

void number_short(double value, char *out, size_t cap)
{
    static const struct {
        double from;
        const char *unit;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e4, "k"}, {0, ""}};
    size_t u = 0;
    while (fabs(value) < units[u].from)
        u++;
    double divisor = *units[u].unit == 'k' ? 1e3 : units[u].from > 0 ? units[u].from : 1;
    double v = value / divisor, size = fabs(v);
    int digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
    snprintf(out, cap, "%.*f", digits, v);
    if (strchr(out, '.')) { /* 2.50 and 2.00 are said shorter */
        size_t len = strlen(out);
        while (out[len - 1] == '0')
            out[--len] = '\0';
        if (out[len - 1] == '.') out[len - 1] = '\0';
    }
    snprintf(out + strlen(out), cap - strlen(out), "%s", units[u].unit);
}

/* ---- rulers and their ticks ---- */

static double scaled(enum axis_scale scale, double v)
{
    if (scale == SCALE_LOG) return log10(v);
    if (scale == SCALE_NINES) return -log10(1 - fmin(v, NINES_LAST) / 100);
    return v;
}

static double place(const struct ruler *r, double v)
{
    double low = scaled(r->scale, r->min), high = scaled(r->scale, r->max);
    double share = (scaled(r->scale, fmax(r->min, fmin(r->max, v))) - low) / (high - low);
    return r->from + share * (r->to - r->from);
}

static double step_nice(double range)
{
    double raw = range / TICKS, size = pow(10, floor(log10(raw))), lead = raw / size;
    return size * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

/* Fits the range to what is shown, so that the ends fall on ticks. */
static void ruler_fit(struct ruler *r, double min, double max)
{
    if (r->scale == SCALE_NINES) {
        r->min = 0;
        r->max = NINES_LAST;
    } else if (r->scale == SCALE_LOG) {
        r->min = pow(10, floor(log10(min)));
        r->max = pow(10, ceil(log10(max)));
        if (r->max / r->min < 10) r->max = r->min * 10;
    } else {
        double step = step_nice(max > 0 ? max : 1);
        r->min = 0;
        r->max = step * ceil((max > 0 ? max : 1) / step);
    }
}

/* How many ticks; out in value space. */
static size_t ruler_ticks(const struct ruler *r, double out[TICKS_MAX])
{
    static const double nines[] = {0, 50, 90, 99, 99.9, 99.99, NINES_LAST};
    size_t n = 0;
    if (r->scale == SCALE_NINES) {
        memcpy(out, nines, sizeof nines);
        return sizeof nines / sizeof nines[0];
    }
    if (r->scale == SCALE_LOG) {
        bool fine = r->max / r->min < 1e3 * 1.5;
        for (double d = r->min; d < r->max * 1.001 && n + 3 < TICKS_MAX; d *= 10)
            for (int lead = 1; lead <= (fine ? 5 : 1); lead += lead == 1 ? 1 : 3)
                if (d * lead < r->max * 1.001) out[n++] = d * lead;
        return n;
    }
    double step = step_nice(r->max);
    for (double v = 0; v < r->max + step / 2 && n < TICKS_MAX; v += step)
        out[n++] = v;
    return n;
}

static void tick_text(FILE *out, const struct ruler *r, double v)
{
    char text[32];
    if (r->scale == SCALE_NINES)
        snprintf(text, sizeof text, "%g%%", v);
    else if (fabs(v) > 0 && fabs(v) < 0.01)
        snprintf(text, sizeof text, "%g", v);
    else
        number_short(v, text, sizeof text);
    html_text(out, text);
}

static void axis_x(FILE *out, const struct ruler *x, const char *label, double top, double bottom)
{
    double ticks[TICKS_MAX];
    size_t count = ruler_ticks(x, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(x, ticks[i]);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/>", at, top, bottom);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at, bottom + 16);
        tick_text(out, x, ticks[i]);
        fputs("</text>\n", out);
    }
    fprintf(out, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
            (x->from + x->to) / 2, bottom + 36);
    html_text(out, label);
    fputs("</text>\n", out);
}

static void axis_y(FILE *out, const struct ruler *y, const char *label)
{
    double ticks[TICKS_MAX], middle = (y->from + y->to) / 2;
    size_t count = ruler_ticks(y, ticks);
    for (size_t i = 0; i < count; i++) {
        double at = place(y, ticks[i]);
        fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", LEFT, at, WIDTH - RIGHT);
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, at + 4);
        tick_text(out, y, ticks[i]);
        fputs("</text>\n", out);
    }
    fprintf(out,
            "<text class=\"axis\" transform=\"translate(14 %.1f) rotate(-90)\" "
            "text-anchor=\"middle\">",
            middle);
    html_text(out, label);
    fputs("</text>\n", out);
}

/* ---- curves ---- */

static void figure_open(FILE *out, const char *title, double height)
{
    fputs("<figure><figcaption>", out);
    html_text(out, title);
    fprintf(out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH,
            height);
    html_text(out, title);
    fputs("\">\n", out);
}

static void legend_entry(FILE *out, const char *name, unsigned color, bool dashed)
{
    fprintf(out,
            "<span><svg class=\"key\" viewBox=\"0 0 24 10\"><path class=\"line s%u%s\" "
            "d=\"M1 5H23\"/></svg>",
            color % PLOT_COLORS, dashed ? " dashed" : "");
    html_text(out, name);
    fputs("</span>\n", out);
}

static bool shown(const struct plot *p, struct point at)
{
    return isfinite(at.x) && isfinite(at.y) && (p->y.scale != SCALE_LOG || at.y > 0);
}

/* The ends of what is shown; false = nothing is. */
static bool bounds_find(const struct plot *p, struct point *min, struct point *max)
{
    bool any = false;
    for (size_t c = 0; c < p->count; c++)
        for (size_t i = 0; i < p->curves[c].count; i++) {
            struct point at = p->curves[c].points[i];
            if (!shown(p, at)) continue;
            if (!any) *min = *max = at;
            any = true;
            min->y = fmin(min->y, at.y);
            max->x = fmax(max->x, at.x);
            max->y = fmax(max->y, at.y);
        }
    return any;
}

static void curve_draw(FILE *out, const struct plot *p, const struct curve *c,
                       const struct ruler *x, const struct ruler *y)
{
    char pen = 'M';
    fprintf(out, "<path class=\"line s%u%s\" d=\"", c->color % PLOT_COLORS,
            c->dashed ? " dashed" : "");
    for (size_t i = 0; i < c->count; i++) {
        struct point at = c->points[i];
        bool beyond = p->x.scale == SCALE_NINES && at.x > NINES_LAST;
        if (!shown(p, at) || beyond) continue;
        fprintf(out, "%c%.1f %.1f", pen, place(x, at.x), place(y, at.y));
        pen = 'L';
    }
    fputs("\"><title>", out);
    html_text(out, c->name);
    fputs("</title></path>\n", out);
}

void plot_curves(FILE *out, const struct plot *p)
{
    struct point min, max;
    if (!bounds_find(p, &min, &max)) return;
    struct ruler x = {.scale = p->x.scale, .from = LEFT, .to = WIDTH - RIGHT};
    struct ruler y = {.scale = p->y.scale, .from = HEIGHT - BOTTOM, .to = TOP};
    ruler_fit(&x, min.x, max.x);
    ruler_fit(&y, min.y, max.y);
    figure_open(out, p->title, HEIGHT);
    axis_x(out, &x, p->x.label, TOP, HEIGHT - BOTTOM);
    axis_y(out, &y, p->y.label);
    for (size_t i = 0; i < p->count; i++)
        curve_draw(out, p, &p->curves[i], &x, &y);
    fputs("</svg>\n<div class=\"legend\">\n", out);
    for (size_t i = 0; i < p->count; i++)
        legend_entry(out, p->curves[i].name, p->curves[i].color, p->curves[i].dashed);
    fputs("</div></figure>\n", out);
}

/* ---- bars ---- */

static bool group_starts(const struct bar_plot *p, size_t i)
{
    return i == 0 || strcmp(p->bars[i].group, p->bars[i - 1].group) != 0;
}

static void bar_draw(FILE *out, const struct bar *b, const struct ruler *x, double y)
{
    char text[32];
    double middle = y + BAR / 2, end = place(x, b->value);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", BAR_LEFT - 6, middle + 4);
    html_text(out, b->name);
    fprintf(out,
            "</text><rect class=\"bar s%u\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
            b->color % PLOT_COLORS, BAR_LEFT, y + 1, end - BAR_LEFT, BAR - 2);
    if (b->max > b->min)
        fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6\"/>",
                place(x, b->min), middle, place(x, b->max), place(x, b->min), middle - 3,
                place(x, b->max), middle - 3);
    number_short(b->value, text, sizeof text);
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\">", fmax(end, place(x, b->max)) + 6, middle + 4);
    html_text(out, text);
    fputs("</text>\n", out);
}

static double bars_height(const struct bar_plot *p)
{
    double height = TOP + BOTTOM;
    for (size_t i = 0; i < p->count; i++)
        height += BAR + (group_starts(p, i) ? BAR + 8 : 0);
    return height;
}

static void bars_legend(FILE *out, const struct bar_plot *p)
{
    unsigned drawn = 0; /* a bit per colour */
    fputs("<div class=\"legend\">\n", out);
    for (size_t i = 0; i < p->count; i++) {
        unsigned bit = 1u << p->bars[i].color % PLOT_COLORS;
        if (!(drawn & bit)) legend_entry(out, p->bars[i].name, p->bars[i].color, false);
        drawn |= bit;
    }
    fputs("<span>whiskers: lowest and highest round</span></div>\n", out);
}

void plot_bars(FILE *out, const struct bar_plot *p)
{
    double max = 0, y = TOP, height = bars_height(p);
    struct ruler x = {.scale = SCALE_LINEAR, .from = BAR_LEFT, .to = WIDTH - BAR_RIGHT};
    for (size_t i = 0; i < p->count; i++)
        max = fmax(max, fmax(p->bars[i].value, p->bars[i].max));
    if (!p->count || !isfinite(max)) return;
    ruler_fit(&x, 0, max);
    figure_open(out, p->title, height);
    axis_x(out, &x, p->label, TOP, height - BOTTOM);
    for (size_t i = 0; i < p->count; i++) {
        if (group_starts(p, i)) {
            fprintf(out, "<text class=\"group\" x=\"8\" y=\"%.1f\">", y + BAR + 2);
            html_text(out, p->bars[i].group);
            fputs("</text>\n", out);
            y += BAR + 8;
        }
        bar_draw(out, &p->bars[i], &x, y);
        y += BAR;
    }
    fputs("</svg>\n", out);
    bars_legend(out, p);
    fputs("</figure>\n", out);
}
