/* tables: what is told about a scenario in numbers; the same tables for terminal and page. */
#ifndef SEALMQ_BENCH_TABLES_H
#define SEALMQ_BENCH_TABLES_H

#include "bench/report/group.h"
#include "bench/report/table.h"

enum scenario_table {
    TABLE_THROUGHPUT, /* and what it is worth: durability, and that nothing was lost */
    TABLE_LATENCY,
    TABLE_COST,
    TABLE_THREADS,  /* where within a process the CPU goes */
    TABLE_LIMITS,  /* instead of all others, for what has no load: how much of each is reached */
    TABLE_FIGURES, /* what only this scenario measures */
    TABLE_COUNT
};

/* table_make: the table over the groups of one scenario; rows may be none. For table_fini. */
void table_make(const struct groups *all, const char *scenario, enum scenario_table which,
                struct table *out);

#endif
