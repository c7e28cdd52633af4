/* Marks of a home at the relay (PROTOCOL 4.1): the last four are given back, whole, and not looked into. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

/* HELLO with `len` bytes of this number as its mark; what WELCOME says were those before. */
static struct msg_welcome hello_mark(struct scene *e, uint8_t number, size_t len, enum status expected)
{
    uint8_t mark[LINEAGE_MARK_LEN];
    struct msg_hello hello = {.device = e->bob->device, .account = e->bob->account, .protocol_min = 1,
                              .protocol_max = 1, .lineage = view_of(mark, len)};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 900, .transport = e->bob->record.transport};
    struct msg_welcome w = {0};
    memset(mark, number, sizeof mark);
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_run(e->w);
    if (expected == STATUS_OK)
        world_decode(e->w, c, KIND_WELCOME, &msg_welcome_desc, &w);
    else
        cr_assert_eq(world_status(e->w, c), expected);
    return w;
}

static void marks_before(struct scene *e, uint8_t number, const char *expected)
{
    struct msg_welcome w = hello_mark(e, number, LINEAGE_MARK_LEN, STATUS_OK);
    cr_assert_eq(w.lineage.len, strlen(expected) * LINEAGE_MARK_LEN, "%u: %zu", number, w.lineage.len);
    for (size_t i = 0; i < w.lineage.len; i++)
        cr_assert_eq(w.lineage.at[i], expected[i / LINEAGE_MARK_LEN] - '0', "%u", number);
}

Test(session, the_last_four_marks_of_a_home_are_given_back)
{
    struct scene e = scene_new(false);
    marks_before(&e, 1, "");
    marks_before(&e, 2, "1");
    marks_before(&e, 2, "12"); /* the same HELLO again */
    marks_before(&e, 3, "12");
    marks_before(&e, 1, "123"); /* whoever says that again */
    marks_before(&e, 4, "123");
    marks_before(&e, 5, "1234");
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK, "one without a mark");
    marks_before(&e, 6, "2345");
    scene_free(&e);
}

Test(session, marks_come_through_a_restart)
{
    struct scene e = scene_new(false);
    marks_before(&e, 1, "");
    marks_before(&e, 2, "1");
    world_pass(e.w, 5000);
    world_restart(e.w);
    marks_before(&e, 3, "12");
    scene_free(&e);
}

Test(session, what_is_no_mark_is_malformed)
{
    struct scene e = scene_new(false);
    (void)hello_mark(&e, 1, 1, STATUS_MALFORMED);
    (void)hello_mark(&e, 1, LINEAGE_MARK_LEN - 1, STATUS_MALFORMED);
    marks_before(&e, 2, "");
    scene_free(&e);
}
