/* table: rows of text cells, printed for a terminal or as HTML; both show the same. */
#ifndef SEALMQ_BENCH_TABLE_H
#define SEALMQ_BENCH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16u

struct table_row {
    char *cells[TABLE_COLUMNS_MAX]; /* heap */
    bool bad;                       /* shown so that nobody overlooks it */
};

/* Zero-initialise, then name columns; a name ending in '|' is aligned left (and shown without it). */
struct table {
    const char *title;
    const char *columns[TABLE_COLUMNS_MAX];
    size_t column_count;
    struct table_row *rows; /* heap */
    size_t row_count, capacity;
};

/* table_row: a further row of empty cells. The pointer is good until the next call. */
struct table_row *table_row(struct table *t);
/* cell_print: sets a cell, formatted. */
void cell_print(struct table_row *r, size_t column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* table_text, table_html: nothing when there is no row. */
void table_text(const struct table *t, FILE *out);
void table_html(const struct table *t, FILE *out);
void table_fini(struct table *t);

#endif
