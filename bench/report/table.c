/* table: columns as wide as their widest cell, counted in characters (UTF-8), not bytes. A control
 * character of a result file never reaches the terminal. */
#include "bench/report/table.h"

#include "bench/report/plot.h"
#include "broker/wire/bytes.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct table_row *table_row(struct table *t)
{
    if (t->row_count == t->capacity) {
        t->capacity = t->capacity ? t->capacity * 2 : 16;
        t->rows = realloc(t->rows, t->capacity * sizeof *t->rows);
        ENSURE(t->rows);
    }
    t->rows[t->row_count] = (struct table_row){.bad = false};
    return &t->rows[t->row_count++];
}

void cell_print(struct table_row *r, size_t column, const char *format, ...)
{
    va_list arguments;
    ENSURE(column < TABLE_COLUMNS_MAX);
    free(r->cells[column]);
    va_start(arguments, format);
    int len = vasprintf(&r->cells[column], format, arguments);
    va_end(arguments);
    ENSURE(len >= 0);
    for (char *at = r->cells[column]; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = '?';
}

static const char *cell(const struct table_row *r, size_t column)
{
    return r->cells[column] ? r->cells[column] : "";
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool column_left(const struct table *t, size_t column)
{
    const char *name = t->columns[column];
    return *name && name[strlen(name) - 1] == '|';
}

static int name_len(const struct table *t, size_t column)
{
    return (int)strlen(t->columns[column]) - column_left(t, column);
}

static void text_pad(FILE *out, const char *text, size_t width, bool left)
{
    int gap = (int)(width - characters(text));
    if (left)
        fprintf(out, "%s%*s", text, gap, "");
    else
        fprintf(out, "%*s%s", gap, "", text);
}

void table_text(const struct table *t, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX];
    char name[64];
    if (!t->row_count) return;
    fprintf(out, "  %s\n   ", t->title);
    for (size_t c = 0; c < t->column_count; c++) {
        snprintf(name, sizeof name, "%.*s", name_len(t, c), t->columns[c]);
        widths[c] = characters(name);
        for (size_t r = 0; r < t->row_count; r++)
            if (characters(cell(&t->rows[r], c)) > widths[c])
                widths[c] = characters(cell(&t->rows[r], c));
        fputc(' ', out);
        text_pad(out, name, widths[c] + (c + 1 < t->column_count), column_left(t, c));
    }
    fputc('\n', out);
    for (size_t r = 0; r < t->row_count; r++) {
        fputs(t->rows[r].bad ? " !!" : "   ", out);
        for (size_t c = 0; c < t->column_count; c++) {
            fputc(' ', out);
            text_pad(out, cell(&t->rows[r], c), widths[c] + (c + 1 < t->column_count),
                     column_left(t, c));
        }
        fputc('\n', out);
    }
    fputc('\n', out);
}

void table_html(const struct table *t, FILE *out)
{
    char name[64];
    if (!t->row_count) return;
    fputs("<div class=\"scroll\"><table><caption>", out);
    html_text(out, t->title);
    fputs("</caption>\n<thead><tr>", out);
    for (size_t c = 0; c < t->column_count; c++) {
        snprintf(name, sizeof name, "%.*s", name_len(t, c), t->columns[c]);
        fprintf(out, "<th%s>", column_left(t, c) ? " class=\"left\"" : "");
        html_text(out, name);
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t r = 0; r < t->row_count; r++) {
        fputs(t->rows[r].bad ? "<tr class=\"bad\">" : "<tr>", out);
        for (size_t c = 0; c < t->column_count; c++) {
            fprintf(out, "<td%s>", column_left(t, c) ? " class=\"left\"" : "");
            html_text(out, cell(&t->rows[r], c));
            fputs("</td>", out);
        }
        fputs("</tr>\n", out);
    }
    fputs("</tbody></table></div>\n", out);
}

void table_fini(struct table *t)
{
    for (size_t r = 0; r < t->row_count; r++)
        for (size_t c = 0; c < TABLE_COLUMNS_MAX; c++)
            free(t->rows[r].cells[c]);
    free(t->rows);
    t->rows = NULL;
    t->row_count = t->capacity = 0;
}
