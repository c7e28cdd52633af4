/* compare: two runs of the suite, matched by system, scenario, load, edge and durability. A difference counts
 * only beyond the noise of the rounds (spread_noise); with one round there is no noise to be known.
 * Whether more is better is the metric table's knowledge. */
#include "bench/report/compare.h"

#include "bench/report/table.h"

static bool label_alone(const struct group *a, const struct groups *b, const struct group **out)
{
    size_t found = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (!group_matches_unlabelled(a->rounds[0], b->list[i].rounds[0])) continue;
        *out = &b->list[i];
        found++;
    }
    return found == 1;
}

const struct group *compare_match(const struct group *a, const struct groups *b)
{
    const struct group *only = NULL;
    for (size_t i = 0; i < b->count; i++)
        if (group_matches(a->rounds[0], b->list[i].rounds[0])) return &b->list[i];
    return label_alone(a, b, &only) ? only : NULL;
}

static const char *verdict_text(enum verdict v, const struct metric_rule *rule)
{
    if (v == VERDICT_UNKNOWN) return "noise unknown";
    if (v == VERDICT_SAME) return "no difference beyond noise";
    return v == VERDICT_LESS ? rule->less : rule->more;
}

static void row_add(const struct group *a, const struct metric_rule *rule, struct spread from,
                    struct spread to, bool bad, struct table *t)
{
    char system[GROUP_NAME_CAP], load[GROUP_NAME_CAP];
    struct table_row *row = table_row(t);
    enum verdict verdict = spread_compare(from, to);
    row->bad = bad;
    system_name(a->rounds[0], system);
    load_name(a->rounds[0], load);
    cell_print(row, 0, "%s: %s", a->rounds[0]->scenario, load);
    cell_print(row, 1, "%s", system);
    cell_print(row, 2, "%s", a->rounds[0]->durability);
    cell_print(row, 3, "%s, %s", rule->name, rule->unit);
    cell_print(row, 4, "%.5g", from.median);
    cell_print(row, 5, "%.5g", to.median);
    if (from.median > 0)
        cell_print(row, 6, "%+.1f %%", 100 * (to.median / from.median - 1));
    else
        cell_print(row, 6, "-");
    if (verdict == VERDICT_UNKNOWN)
        cell_print(row, 7, "?");
    else
        cell_print(row, 7, "%.1f %%", 100 * spread_noise(from, to));
    cell_print(row, 8, "%s", verdict_text(verdict, rule));
}

static void row_json(const struct group *a, const struct metric_rule *rule, struct spread from,
                     struct spread to, FILE *out)
{
    char system[GROUP_NAME_CAP], load[GROUP_NAME_CAP];
    enum verdict verdict = spread_compare(from, to);
    system_name(a->rounds[0], system);
    load_name(a->rounds[0], load);
    json_t *row = json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:s,s:f,s:f,s:s}", "scenario", a->rounds[0]->scenario, "load", load,
        "system", system, "durability", a->rounds[0]->durability, "figure", rule->name, "unit",
        rule->unit, "from", from.median, "to", to.median, "verdict", verdict_text(verdict, rule));
    ENSURE(row);
    if (verdict != VERDICT_UNKNOWN)
        ENSURE(json_object_set_new(row, "noise", json_real(spread_noise(from, to))) == 0);
    ENSURE(json_dumpf(row, out, JSON_COMPACT) == 0);
    fputc('\n', out);
    json_decref(row);
}

/* In an open loop all that keep up have the offered rate: nothing to compare. */
static bool comparable(const struct group *a, const struct group *b, size_t metric)
{
    if (!metric_rules[metric].compared) return false;
    if (metric == METRIC_RATE && !a->rounds[0]->window) return false;
    return a->metrics[metric].count && b->metrics[metric].count;
}

size_t compare_print(const struct groups *a, const struct groups *b, bool json, FILE *out)
{
    struct table t = {.title = "A against B: change of the median, noise of the rounds",
                      .columns = {"load|", "system|", "durability|", "figure|", "A", "B", "change",
                                  "noise", "verdict|"},
                      .column_count = 9};
    size_t matched = 0;
    for (size_t i = 0; i < a->count; i++) {
        const struct group *from = &a->list[i], *to = compare_match(from, b);
        matched += to != NULL;
        for (size_t m = 0; m < METRIC_COUNT && to; m++) {
            if (!comparable(from, to, m)) continue;
            if (json)
                row_json(from, &metric_rules[m], from->metrics[m], to->metrics[m], out);
            else
                row_add(from, &metric_rules[m], from->metrics[m], to->metrics[m],
                        !group_clean(from) || !group_clean(to), &t);
        }
    }
    table_text(&t, out);
    table_fini(&t);
    return matched;
}
