/* Revocation as its mail sees it: everything open has its outcome in the commit of the entry, in any order of things, and what that
 * leaves on the disk is swept. */
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>
#include <string.h>

struct pair {
    struct scene e;
    struct person *two; /* Bob's second device; e.bob is his first */
};

static struct sending send_both(struct pair *p, struct message_id id)
{
    struct msg_part parts[2] = {{p->e.bob->device, 3}, {p->two->device, 3}};
    struct msg_log_state log = identity_log_state(&p->e.bob->log);
    struct msg_send_item item = {.id = id, .target = target_of_account(p->e.bob->account), .key_version = log.key_version,
                                 .head = log.version_head, .sealed = true, .parts = parts, .part_count = 2,
                                 .commitment = {{7}}};
    return send_item(&p->e, &item, view_of("abcabc", 6));
}

static struct pair pair_new(void)
{
    struct pair p = {.e = scene_new(true), .two = calloc(1, sizeof *p.two)};
    person_append(p.e.w, p.e.bob, entry_added(p.e.bob, 44));
    p.two->record = keys_make(44, p.two->signing_sk);
    p.two->account = p.e.bob->account;
    p.two->device = p.e.bob->log.devices[1].id;
    return p;
}

static void pair_free(struct pair *p)
{
    free(p->two);
    scene_free(&p->e);
}

static void revoke(struct pair *p)
{
    person_append(p->e.w, p->e.bob, entry_of(p->e.bob, (struct entry_plan){.operation = ENTRY_REVOKE,
                                                                          .subject = p->two->device}));
}

static void states(struct pair *p, struct message_id id, struct msg_part_state out[2])
{
    struct stamp stamp = person_stamp(p->e.ann);
    struct msg_status_ask ask = {target_of_account(p->e.bob->account), id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    uint64_t c = world_ask(p->e.w, p->e.ann->broker, &stamp, KIND_STATUS, &msg_status_desc, &m, view_of(NULL, 0));
    world_run(p->e.w);
    world_decode(p->e.w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.items[0].part_count, 2u);
    memcpy(out, is.items[0].parts, 2 * sizeof *out);
}

static void revoked(struct pair *p, struct message_id id, uint64_t at_ms)
{
    struct msg_part_state is[2];
    states(p, id, is);
    cr_assert_eq(is[1].outcome, (uint32_t)OUTCOME_REVOKED, "%u", is[1].outcome);
    cr_assert_eq(is[1].state, (uint32_t)DELIVERY_NONE);
    cr_assert(!at_ms || is[1].at_ms == at_ms, "it stays as it was said first");
}

static void swept(struct pair *p)
{
    for (unsigned i = 0; i < 100 && world_rows(p->e.w, SPACE_ROUTING, ROW_FENCE); i++)
        world_pass(p->e.w, 1000);
    cr_assert_eq(world_rows(p->e.w, SPACE_ROUTING, ROW_FENCE), 0u);
}

Test(fence, what_waits_has_its_outcome_at_once_and_its_bytes_go_later)
{
    struct pair p = pair_new();
    struct message_id ids[20];
    struct msg_part_state is[2];
    for (size_t i = 0; i < 20; i++)
        cr_assert_eq(send_both(&p, ids[i] = world_id(p.e.w)).status, STATUS_OK);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 40u);
    revoke(&p);
    uint64_t at_ms = p.e.w->now.wall_ms;
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 40u, "the fence is one mark");
    cr_assert_eq(world_rows(p.e.w, SPACE_ROUTING, ROW_WAKE), 0u, "nobody wakes it");
    for (size_t i = 0; i < 20; i++) {
        revoked(&p, ids[i], 0);
        states(&p, ids[i], is);
        cr_assert_eq(is[0].outcome, (uint32_t)OUTCOME_OPEN);
        cr_assert_leq(is[1].at_ms, at_ms + 1000);
    }
    states(&p, ids[3], is);
    at_ms = is[1].at_ms;
    size_t hints = world_outs(p.e.w, KIND_HINT_DEVICE);
    swept(&p);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 20u, "the other device's stay");
    cr_assert_gt(world_outs(p.e.w, KIND_HINT_DEVICE), hints);
    cr_assert_eq(world_events(p.e.w, EVENT_DEVICE_SWEPT), 1u);
    cr_assert_eq(world_event(p.e.w, EVENT_DEVICE_SWEPT)->count, 20u);
    for (size_t i = 0; i < 20; i++)
        revoked(&p, ids[i], at_ms);
    world_restart(p.e.w);
    cr_assert_eq(person_hello(p.e.w, p.e.ann, 0), STATUS_OK);
    revoked(&p, ids[7], at_ms);
    pair_free(&p);
}

Test(fence, it_survives_a_crash_before_the_sweep)
{
    struct pair p = pair_new();
    struct message_id id = world_id(p.e.w);
    cr_assert_eq(send_both(&p, id).status, STATUS_OK);
    revoke(&p);
    world_restart(p.e.w);
    cr_assert_eq(person_hello(p.e.w, p.e.ann, 0), STATUS_OK);
    revoked(&p, id, 0);
    swept(&p);
    revoked(&p, id, 0);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1u);
    pair_free(&p);
}

Test(fence, what_was_settled_before_stays_settled_and_what_was_parked_does_not_wait)
{
    struct pair p = pair_new();
    struct message_id settled = world_id(p.e.w), parked = world_id(p.e.w), offered = world_id(p.e.w);
    struct msg_part_state is[2];
    cr_assert_eq(person_hello(p.e.w, p.two, 0), STATUS_OK);
    cr_assert_eq(send_both(&p, settled).status, STATUS_OK);
    person_read(p.e.w, p.two);
    person_ack(p.e.w, p.two, 1);
    cr_assert_eq(send_both(&p, parked).status, STATUS_OK);
    person_read(p.e.w, p.two);
    struct position at = person_at(p.two, p.two->got_count - 1);
    struct msg_failure failed = {at.term, at.seq, FAIL_BROKEN, {0}};
    person_ack_begin(p.e.w, p.two, at, at, &failed, 1);
    world_run(p.e.w);
    cr_assert_eq(send_both(&p, offered).status, STATUS_OK);
    states(&p, parked, is);
    cr_assert_eq(is[1].state, (uint32_t)DELIVERY_FAILED);
    revoke(&p);
    states(&p, settled, is);
    cr_assert_eq(is[1].outcome, (uint32_t)OUTCOME_SETTLED);
    revoked(&p, parked, 0);
    revoked(&p, offered, 0);
    swept(&p);
    states(&p, settled, is);
    cr_assert_eq(is[1].outcome, (uint32_t)OUTCOME_SETTLED);
    revoked(&p, parked, 0);
    revoked(&p, offered, 0);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_PARKED), 0u);
    cr_assert_eq(p.e.w->core->counters.parked, 0u);
    pair_free(&p);
}

/* Past its time it has the outcome that it had. */
Test(fence, an_outcome_is_set_once)
{
    struct pair p = pair_new();
    struct message_id id = world_id(p.e.w);
    cr_assert_eq(send_both(&p, id).status, STATUS_OK);
    revoke(&p);
    world_skip(p.e.w, PAYLOAD_KEEP_MS + DAY_MS);
    world_pass(p.e.w, 20000);
    cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 0u);
    cr_assert_eq(world_events(p.e.w, EVENT_DELIVERY_EXPIRED), 1u, "the other device's");
    pair_free(&p);
}

Test(fence, suspended_is_not_revoked)
{
    struct pair p = pair_new();
    struct message_id id = world_id(p.e.w);
    struct msg_part_state is[2];
    cr_assert_eq(send_both(&p, id).status, STATUS_OK);
    person_append(p.e.w, p.e.bob, entry_of(p.e.bob, (struct entry_plan){.operation = ENTRY_SUSPEND,
                                                                      .subject = p.two->device}));
    world_pass(p.e.w, 10000);
    states(&p, id, is);
    cr_assert_eq(is[1].state, (uint32_t)DELIVERY_QUEUED);
    cr_assert_eq(world_rows(p.e.w, SPACE_ROUTING, ROW_FENCE), 0u);
    pair_free(&p);
}

static uint32_t explained_of_two(struct pair *p, struct message_id id)
{
    struct msg_explained x = world_explained(p->e.w, p->e.ann, p->e.bob, id);
    cr_assert_eq(x.part_count, 2u);
    cr_assert_eq(x.parts[0].code, (uint32_t)EXPLAIN_OFFERED, "the other device is not touched");
    return x.parts[1].code;
}

Test(fence, support_sees_that_it_waits_for_a_device_that_is_suspended)
{
    struct pair p = pair_new();
    struct message_id id = world_id(p.e.w);
    struct entry_plan plan = {.operation = ENTRY_SUSPEND, .subject = p.two->device};
    cr_assert_eq(send_both(&p, id).status, STATUS_OK);
    cr_assert_eq(explained_of_two(&p, id), (uint32_t)EXPLAIN_WAITING_OFFLINE);
    cr_assert_eq(person_hello(p.e.w, p.two, 0), STATUS_OK);
    person_append(p.e.w, p.e.bob, entry_of(p.e.bob, plan));
    cr_assert_eq(explained_of_two(&p, id), (uint32_t)EXPLAIN_WAITING_SUSPENDED);
    plan.operation = ENTRY_RESUME;
    person_append(p.e.w, p.e.bob, entry_of(p.e.bob, plan));
    cr_assert_neq(explained_of_two(&p, id), (uint32_t)EXPLAIN_WAITING_SUSPENDED);
    revoke(&p);
    cr_assert_eq(explained_of_two(&p, id), (uint32_t)EXPLAIN_REVOKED);
    pair_free(&p);
}

/* In one turn, before it and behind it. */
Test(fence, a_send_beside_the_revocation_is_refused_or_ends_with_it)
{
    for (int first = 0; first < 2; first++) {
        struct pair p = pair_new();
        struct buffer entry = entry_of(p.e.bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = p.two->device});
        struct view view = buffer_view(&entry);
        struct msg_append append = {.account = p.e.bob->account, .entries = &view, .entry_count = 1};
        struct msg_part parts[2] = {{p.e.bob->device, 3}, {p.two->device, 3}};
        struct msg_log_state log = identity_log_state(&p.e.bob->log);
        struct message_id id = world_id(p.e.w);
        struct msg_send_item item = {.id = id, .target = target_of_account(p.e.bob->account),
                                     .key_version = log.key_version, .head = log.version_head, .sealed = true,
                                     .parts = parts, .part_count = 2, .commitment = {{7}}};
        struct buffer bytes = {0};
        codec_encode(&msg_send_item_desc, &item, &bytes);
        struct view items = buffer_view(&bytes);
        struct msg_send send = {.items = &items, .item_count = 1};
        struct stamp ann = person_stamp(p.e.ann), bob = person_stamp(p.e.bob);
        struct msg_sent sent;
        uint64_t c = 0;
        for (int i = 0; i < 2; i++) {
            if (i == first)
                c = world_ask(p.e.w, 0, &ann, KIND_SEND, &msg_send_desc, &send, view_of("abcabc", 6));
            else
                (void)world_ask(p.e.w, 0, &bob, KIND_APPEND, &msg_append_desc, &append, view_of(NULL, 0));
        }
        world_run(p.e.w);
        world_decode(p.e.w, c, KIND_SENT, &msg_sent_desc, &sent);
        cr_assert_eq(sent.items[0].status, (uint32_t)(first == 0 ? STATUS_OK : STATUS_STALE_DEVICES));
        if (first == 0) revoked(&p, id, 0);
        swept(&p);
        cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), first == 0 ? 1u : 0u);
        buffer_fini(&entry);
        buffer_fini(&bytes);
        pair_free(&p);
    }
}

/* ---- reconciliation ---- */

/* The fence is gone with its row, and so is what would have swept it. */
static void fence_lose(struct pair *p, bool damaged)
{
    struct world *w = p->e.w;
    uint16_t home = home_of_account(p->e.bob->account);
    struct store_key row = key_device(ROW_DEVICE, home, p->two->device), fence = key_device(ROW_FENCE, home, p->two->device);
    struct store_batch batch = {0};
    struct device_row before = {.account = p->e.bob->account, .count = 1};
    store_batch_put(&batch, &w->arena, SPACE_ROUTING, key_view(&row),
                    damaged ? view_of("damaged", 7) : device_row_write(&w->arena, &before), view_of(NULL, 0));
    store_batch_delete(&batch, &w->arena, SPACE_ROUTING, key_view(&fence));
    world_alter(w, &batch);
    cr_assert_eq(person_hello(w, p->e.ann, 0), STATUS_OK);
}

Test(fence, one_that_was_lost_is_put_up_again)
{
    for (int damaged = 0; damaged < 2; damaged++) {
        struct pair p = pair_new();
        struct message_id id = world_id(p.e.w);
        struct msg_part_state is[2];
        cr_assert_eq(send_both(&p, id).status, STATUS_OK);
        revoke(&p);
        fence_lose(&p, damaged);
        states(&p, id, is);
        cr_assert_eq(is[1].outcome, (uint32_t)OUTCOME_OPEN, "as long as nobody has looked");
        for (int i = 0; i < 60 && !world_events(p.e.w, EVENT_RECONCILED); i++)
            world_pass(p.e.w, 1000);
        cr_assert_eq(world_events(p.e.w, EVENT_RECONCILED), 1u);
        revoked(&p, id, 0);
        swept(&p);
        revoked(&p, id, 0);
        cr_assert_eq(world_rows(p.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1u);
        world_pass(p.e.w, 60000);
        cr_assert_eq(world_events(p.e.w, EVENT_RECONCILED), 1u, "once");
        pair_free(&p);
    }
}
