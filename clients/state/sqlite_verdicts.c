/* sqlite_verdicts: what is said of other accounts, in SQLite.
 * Invariant: outputs are set only by a row that followed its format whole. */
#include "clients/state/sqlite_call.h"

#include <string.h>

static enum contact_verdict column_verdict(struct call *c)
{
    uint64_t v = column_u64(c);
    if (v >= CONTACT_VERDICTS) call_damaged(c);
    return v < CONTACT_VERDICTS ? (enum contact_verdict)v : CONTACT_NONE;
}

static void row_read(struct call *c, struct state_verdict *out)
{
    column_bytes(c, out->account.bytes, sizeof out->account.bytes);
    out->held = column_verdict(c);
    out->wished = column_bool(c);
    out->wish = column_verdict(c);
    out->asked_ms = column_u64(c);
}

enum status sqlite_verdict_get(struct state *s, struct account_id account, struct state_verdict *out)
{
    struct call c = call_begin(s, STATEMENT_VERDICT_GET);
    bind_bytes(&c, account.bytes, sizeof account.bytes);
    bool found = call_step(&c);
    if (found) row_read(&c, out);
    return take_end(&c, found, out, sizeof *out);
}

enum status sqlite_verdict_put(struct state *s, const struct state_verdict *in)
{
    bool kept = in->held != CONTACT_NONE || in->wished || in->asked_ms;
    struct call c = call_begin(s, kept ? STATEMENT_VERDICT_PUT : STATEMENT_VERDICT_DROP);
    bind_bytes(&c, in->account.bytes, sizeof in->account.bytes);
    if (!kept) return call_run(&c, NULL);
    bind_u64(&c, in->held);
    bind_u64(&c, in->wished);
    bind_u64(&c, in->wish);
    bind_u64(&c, in->asked_ms);
    bind_u64(&c, verdict_now(in));
    return call_run(&c, NULL);
}

enum status sqlite_verdict_scan(struct state *s, struct verdict_scan *scan)
{
    static const enum statement which[] = {
        [0] = STATEMENT_VERDICT_SCAN, [VERDICT_SAID] = STATEMENT_VERDICT_SCAN_SAID,
        [VERDICT_WISHED] = STATEMENT_VERDICT_SCAN_WISHED, [VERDICT_ASKED] = STATEMENT_VERDICT_SCAN_ASKED};
    struct call c = call_begin(s, which[scan->which]);
    bind_bytes(&c, scan->after.bytes, sizeof scan->after.bytes);
    bind_u64(&c, scan->row_max);
    while (scan->row_count < scan->row_max && call_step(&c)) {
        struct state_verdict *row = &scan->rows[scan->row_count++];
        memset(row, 0, sizeof *row);
        row_read(&c, row);
    }
    enum status status = call_end(&c);
    if (status != STATUS_OK) scan->row_count = 0;
    return status;
}

enum status sqlite_verdict_count(struct state *s, enum verdict_which which, uint64_t *out)
{
    static const enum statement counts[] = {
        [0] = STATEMENT_VERDICT_COUNT, [VERDICT_SAID] = STATEMENT_VERDICT_COUNT_SAID,
        [VERDICT_WISHED] = STATEMENT_VERDICT_COUNT_WISHED, [VERDICT_ASKED] = STATEMENT_VERDICT_COUNT_ASKED};
    struct call c = call_begin(s, counts[which]);
    bool found = call_step(&c);
    if (found) *out = column_u64(&c);
    return take_end(&c, found, out, sizeof *out);
}
