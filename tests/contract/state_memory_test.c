/* What only the memory backend can do: fail when told to, and forget on purpose. */
#include "clients/state/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct outbox_row drafted(void)
{
    return (struct outbox_row){.key = {"k"}, .state = MESSAGE_DRAFTED};
}

static enum status put_one(struct state *s)
{
    struct outbox_row row = drafted();
    enum status got = state_begin(s, STATE_WRITE);
    if (got != STATUS_OK) return got;
    got = state_outbox_put(s, &row);
    if (got == STATUS_OK) return state_commit(s);
    state_rollback(s);
    return got;
}

static bool has_one(struct state *s)
{
    struct outbox_row row;
    cr_assert_eq(state_begin(s, STATE_READ), STATUS_OK);
    enum status got = state_outbox_find_key(s, &(struct message_key){"k"}, &row);
    cr_assert_eq(state_commit(s), STATUS_OK);
    return got == STATUS_OK;
}

Test(state_memory_only, crash_forgets_what_is_not_committed)
{
    struct state *s = memory_state_new();
    struct outbox_row row = drafted();
    cr_assert_eq(state_begin(s, STATE_WRITE), STATUS_OK);
    cr_assert_eq(state_outbox_put(s, &row), STATUS_OK);
    memory_state_crash(s);
    cr_assert_not(has_one(s));
    cr_assert_eq(put_one(s), STATUS_OK);
    memory_state_crash(s);
    cr_assert(has_one(s));
    state_close(&s);
}

Test(state_memory_only, failed_commit_keeps_or_loses_as_told)
{
    for (int kept = 0; kept < 2; kept++) {
        struct state *s = memory_state_new();
        memory_state_fail(s, 3, kept == 1);
        cr_assert_eq(put_one(s), STATUS_IO);
        cr_assert_eq(has_one(s), kept == 1);
        state_close(&s);
    }
}

Test(state_memory_only, each_call_can_fail_and_changes_nothing)
{
    struct state *s = memory_state_new();
    for (uint64_t nth = 1; nth <= 3; nth++) {
        memory_state_fail(s, nth, false);
        cr_assert_eq(put_one(s), STATUS_IO, "call %d", (int)nth);
        cr_assert_not(has_one(s));
    }
    uint64_t calls = memory_state_calls(s);
    memory_state_fail(s, 0, false);
    cr_assert_eq(put_one(s), STATUS_OK);
    cr_assert_eq(memory_state_calls(s), calls + 3);
    state_close(&s);
}

Test(state_memory_only, large_outbox_is_not_quadratic)
{
    struct state *s = memory_state_new();
    struct outbox_row *rows = calloc(64, sizeof *rows);
    uint64_t after = 0, seen = 0;
    cr_assert_eq(state_begin(s, STATE_WRITE), STATUS_OK);
    for (unsigned i = 0; i < 20000; i++) {
        struct outbox_row row = drafted();
        snprintf(row.key.text, sizeof row.key.text, "%u", i);
        cr_assert_eq(state_outbox_put(s, &row), STATUS_OK);
    }
    cr_assert_eq(state_commit(s), STATUS_OK);
    uint64_t calls = memory_state_calls(s);
    cr_assert_eq(state_begin(s, STATE_READ), STATUS_OK);
    for (;;) {
        struct outbox_scan scan = {.class = CLASS_WORK, .after = after, .rows = rows,
                                   .row_max = 64};
        cr_assert_eq(state_outbox_scan(s, &scan), STATUS_OK);
        if (!scan.row_count) break;
        after = rows[scan.row_count - 1].order;
        seen += scan.row_count;
    }
    cr_assert_eq(state_commit(s), STATUS_OK);
    cr_assert_eq(seen, 20000u);
    cr_assert_leq(memory_state_calls(s) - calls, 20000u / 64 + 4);
    free(rows);
    state_close(&s);
}
