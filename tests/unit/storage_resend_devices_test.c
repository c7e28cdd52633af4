/* Resends to an account with two devices: each has its own state, the attempts are the message's. */
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    struct scene e;
    struct person *two; /* Bob's second device; e.bob is his first */
    struct message_id id;
};

/* An attempt for the first (1), the second (2), or both (3). */
static struct sending send_to(struct pair *p, uint32_t attempt, unsigned which)
{
    struct msg_part parts[2];
    struct msg_log_state log = identity_log_state(&p->e.bob->log);
    struct msg_send_item item = {.id = p->id, .target = target_of_account(p->e.bob->account),
                                 .key_version = log.key_version, .head = log.version_head, .attempt = attempt,
                                 .sealed = true, .parts = parts, .commitment = {{7}}};
    if (which & 1) parts[item.part_count++] = (struct msg_part){p->e.bob->device, 3};
    if (which & 2) parts[item.part_count++] = (struct msg_part){p->two->device, 3};
    return send_item(&p->e, &item, view_of("abcabc", 3 * item.part_count));
}

static struct pair pair_new(void)
{
    struct pair p = {.e = scene_new(true), .two = calloc(1, sizeof *p.two)};
    person_append(p.e.w, p.e.bob, entry_added(p.e.bob, 44));
    p.two->record = keys_make(44, p.two->signing_sk);
    p.two->account = p.e.bob->account;
    p.two->device = p.e.bob->log.devices[1].id;
    cr_assert_eq(person_hello(p.e.w, p.two, 0), STATUS_OK);
    p.id = world_id(p.e.w);
    cr_assert_eq(send_to(&p, 0, 3).status, STATUS_OK);
    return p;
}

static void pair_free(struct pair *p)
{
    free(p->two);
    scene_free(&p->e);
}

static void fail(struct pair *p, struct person *who)
{
    person_read(p->e.w, who);
    struct position at = person_at(who, who->got_count - 1);
    struct msg_failure failed = {at.term, at.seq, FAIL_BROKEN, {0}};
    person_ack_begin(p->e.w, who, at, at, &failed, 1);
    world_run(p->e.w);
}

static void settle(struct pair *p, struct person *who)
{
    person_read(p->e.w, who);
    person_ack(p->e.w, who, who->got_count);
}

/* What STATUS says of the two. */
static void states(struct pair *p, struct msg_part_state out[2])
{
    struct msg_status_ask ask = {target_of_account(p->e.bob->account), p->id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    struct stamp stamp = person_stamp(p->e.ann);
    uint64_t c = world_ask(p->e.w, 0, &stamp, KIND_STATUS, &msg_status_desc, &m, view_of(NULL, 0));
    world_run(p->e.w);
    world_decode(p->e.w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.items[0].part_count, 2);
    memcpy(out, is.items[0].parts, 2 * sizeof *out);
    cr_assert(device_equal(out[0].device, p->e.bob->device) && device_equal(out[1].device, p->two->device));
}

Test(resend, goes_to_the_device_that_failed_and_to_no_other)
{
    struct pair p = pair_new();
    struct msg_part_state is[2];
    fail(&p, p.e.bob);
    settle(&p, p.two);
    cr_assert_eq(send_to(&p, 1, 3).status, STATUS_REFUSED, "the second has it");
    cr_assert_eq(send_to(&p, 1, 2).status, STATUS_REFUSED);
    states(&p, is);
    cr_assert(is[0].state == DELIVERY_FAILED && is[0].attempt == 0, "and the first was left as it is");
    cr_assert_eq(send_to(&p, 1, 1).status, STATUS_OK);
    settle(&p, p.e.bob);
    person_read(p.e.w, p.two);
    cr_assert_eq(p.two->got_count, 1);
    states(&p, is);
    cr_assert(is[0].outcome == OUTCOME_SETTLED && is[0].attempt == 1);
    cr_assert(is[1].outcome == OUTCOME_SETTLED && is[1].attempt == 0);
    pair_free(&p);
}

Test(resend, of_a_device_that_fails_later_is_the_next_attempt)
{
    struct pair p = pair_new();
    struct msg_part_state is[2];
    fail(&p, p.e.bob);
    cr_assert_eq(send_to(&p, 1, 1).status, STATUS_OK);
    fail(&p, p.two);
    cr_assert_eq(send_to(&p, 1, 2).status, STATUS_ID_REUSED);
    cr_assert_eq(send_to(&p, 2, 2).status, STATUS_OK);
    fail(&p, p.e.bob);
    fail(&p, p.two);
    states(&p, is);
    cr_assert(is[0].attempt == 1 && is[1].attempt == 2);
    cr_assert_eq(send_to(&p, 3, 3).status, STATUS_OK, "both at once, above both");
    settle(&p, p.e.bob);
    settle(&p, p.two);
    states(&p, is);
    cr_assert(is[0].outcome == OUTCOME_SETTLED && is[0].attempt == 3);
    cr_assert(is[1].outcome == OUTCOME_SETTLED && is[1].attempt == 3);
    cr_assert_eq(p.e.w->core->counters.parked + p.e.w->core->counters.queued_messages, 0);
    pair_free(&p);
}

Test(resend, waits_until_all_its_devices_have_room)
{
    struct pair p = pair_new();
    struct msg_part_state is[2];
    fail(&p, p.e.bob);
    fail(&p, p.two);
    struct mailbox *m = core_mailbox_peek(p.e.w->core, p.two->device);
    uint64_t bytes = m->row.bytes;
    m->row.bytes = p.e.w->config.mailbox_bytes;
    cr_assert_eq(send_to(&p, 1, 3).status, STATUS_MAILBOX_FULL);
    states(&p, is);
    cr_assert(is[0].state == DELIVERY_FAILED && is[1].state == DELIVERY_FAILED && is[0].attempt == 0);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_PARKED), 2);
    m->row.bytes = bytes;
    cr_assert_eq(send_to(&p, 1, 3).status, STATUS_OK);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    pair_free(&p);
}

/* A device that was full at the first attempt has an outcome: nothing of it can be resent. */
Test(resend, of_a_device_that_was_over_quota_is_refused)
{
    struct pair p = pair_new();
    settle(&p, p.e.bob);
    settle(&p, p.two);
    struct mailbox *m = core_mailbox_peek(p.e.w->core, p.two->device);
    uint64_t bytes = m->row.bytes;
    m->row.bytes = p.e.w->config.mailbox_bytes;
    p.id = world_id(p.e.w);
    cr_assert_eq(send_to(&p, 0, 3).status, STATUS_OK);
    m->row.bytes = bytes;
    fail(&p, p.e.bob);
    cr_assert_eq(send_to(&p, 1, 2).status, STATUS_REFUSED);
    cr_assert_eq(send_to(&p, 1, 3).status, STATUS_REFUSED);
    cr_assert_eq(send_to(&p, 1, 1).status, STATUS_OK);
    pair_free(&p);
}
