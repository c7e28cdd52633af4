/* What is said of other accounts: kept, found by kind, ascending, and gone when nothing is said. */
#include "tests/contract/state_fixture.h"

static struct account_id other(uint8_t n)
{
    return (struct account_id){{n, 7}};
}

static void put(struct fixture *f, uint8_t n, enum contact_verdict held, bool wished, enum contact_verdict wish, uint64_t asked_ms)
{
    struct state_verdict v = {.account = other(n), .held = held, .wished = wished, .wish = wish, .asked_ms = asked_ms};
    ok(state_verdict_put(f->s, &v));
}

static size_t scanned(struct fixture *f, enum verdict_which which, uint8_t after, struct state_verdict *rows, size_t max)
{
    struct verdict_scan scan = {.which = which, .rows = rows, .row_max = max};
    if (after) scan.after = other(after);
    ok(state_verdict_scan(f->s, &scan));
    return scan.row_count;
}

static uint64_t counted(struct fixture *f, enum verdict_which which)
{
    uint64_t count;
    ok(state_verdict_count(f->s, which, &count));
    return count;
}

CONTRACT_TEST(verdicts_come_back_by_kind)
{
    struct state_verdict rows[8], v;
    writing(f);
    put(f, 5, CONTACT_BLOCKED, false, CONTACT_NONE, 0);
    put(f, 2, CONTACT_NONE, true, CONTACT_ALLOWED, 0);
    put(f, 3, CONTACT_BLOCKED, true, CONTACT_NONE, 9);
    put(f, 4, CONTACT_NONE, false, CONTACT_NONE, 77);
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_verdict_get(f->s, other(3), &v));
    cr_assert(v.held == CONTACT_BLOCKED && v.wished && v.wish == CONTACT_NONE && v.asked_ms == 9);
    cr_assert_eq(verdict_now(&v), CONTACT_NONE);
    cr_assert_eq(scanned(f, (enum verdict_which)0, 0, rows, 8), 4);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(rows[i].account.bytes[0], i + 2, "ascending");
    cr_assert_eq(scanned(f, (enum verdict_which)0, 2, rows, 2), 2);
    cr_assert(rows[0].account.bytes[0] == 3 && rows[1].account.bytes[0] == 4);
    cr_assert_eq(scanned(f, VERDICT_SAID, 0, rows, 8), 2);
    cr_assert(rows[0].account.bytes[0] == 2 && rows[1].account.bytes[0] == 5);
    cr_assert_eq(scanned(f, VERDICT_WISHED, 0, rows, 8), 2);
    cr_assert(rows[0].account.bytes[0] == 2 && rows[1].account.bytes[0] == 3);
    cr_assert_eq(scanned(f, VERDICT_ASKED, 0, rows, 8), 2);
    cr_assert(rows[0].account.bytes[0] == 3 && rows[1].asked_ms == 77);
    cr_assert(counted(f, (enum verdict_which)0) == 4 && counted(f, VERDICT_SAID) == 2 && counted(f, VERDICT_WISHED) == 2 &&
              counted(f, VERDICT_ASKED) == 2);
    commit(f);
}

CONTRACT_TEST(of_whom_nothing_is_said_nothing_is_kept)
{
    struct state_verdict v;
    writing(f);
    put(f, 1, CONTACT_BLOCKED, false, CONTACT_NONE, 0);
    put(f, 1, CONTACT_NONE, false, CONTACT_NONE, 0);
    cr_assert_eq(state_verdict_get(f->s, other(1), &v), STATUS_NOT_FOUND);
    cr_assert(v.account.bytes[0] == 1 && v.held == CONTACT_NONE && !v.wished);
    cr_assert_eq(counted(f, (enum verdict_which)0), 0);
    put(f, 1, CONTACT_NONE, false, CONTACT_NONE, 0);
    commit(f);
}
