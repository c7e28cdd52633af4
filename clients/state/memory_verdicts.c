/* memory_verdicts: what is said of other accounts, in the memory backend. */
#include "clients/state/memory_rows.h"

#include <string.h>

static struct key verdict_key(struct account_id account)
{
    return key_bytes(T_VERDICT, account.bytes, sizeof account.bytes);
}

enum status memory_verdict_get(struct state *s, struct account_id account, struct state_verdict *out)
{
    struct key k = verdict_key(account);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    return memory_get(memory_of(s), &k, out, sizeof *out) ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status memory_verdict_put(struct state *s, const struct state_verdict *in)
{
    struct key k = verdict_key(in->account);
    if (memory_fails(memory_of(s))) return STATUS_IO;
    if (in->held != CONTACT_NONE || in->wished || in->asked_ms)
        memory_put(memory_of(s), &k, in, sizeof *in);
    else
        memory_drop(memory_of(s), &k);
    return STATUS_OK;
}

static bool is_which(const struct state_verdict *v, enum verdict_which which)
{
    bool said = verdict_now(v) != CONTACT_NONE;
    switch (which) {
    case VERDICT_SAID: return said;
    case VERDICT_WISHED: return v->wished;
    case VERDICT_ASKED: return !said && v->asked_ms;
    }
    return true;
}

/* Calls for each row behind `after`: the first row_max of the kind into rows (NULL: only counted). */
static uint64_t walk(struct memory *m, enum verdict_which which, const struct account_id *after, struct state_verdict *rows,
                     size_t row_max)
{
    struct key from = after ? verdict_key(*after) : key_of(T_VERDICT);
    uint8_t zero = 0;
    struct view key, value;
    uint64_t count = 0;
    if (after) key_add(&from, &zero, 1);
    while (count < row_max && memory_seek(m, &from, &key, &value)) {
        struct state_verdict v;
        memcpy(&v, value.at, sizeof v);
        from = verdict_key(v.account);
        key_add(&from, &zero, 1);
        if (!is_which(&v, which)) continue;
        if (rows) rows[count] = v;
        count++;
    }
    return count;
}

enum status memory_verdict_scan(struct state *s, struct verdict_scan *scan)
{
    if (memory_fails(memory_of(s))) return STATUS_IO;
    scan->row_count = walk(memory_of(s), scan->which, &scan->after, scan->rows, scan->row_max);
    return STATUS_OK;
}

enum status memory_verdict_count(struct state *s, enum verdict_which which, uint64_t *out)
{
    if (memory_fails(memory_of(s))) return STATUS_IO;
    *out = walk(memory_of(s), which, NULL, NULL, SIZE_MAX);
    return STATUS_OK;
}
