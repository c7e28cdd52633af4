/* Commitment and stamp: there together or not at all, given with each delivery, the same after a restart and at another
 * place, and not paid for by who has none. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct msg_send_item item_to(struct scene *e, struct msg_part *part, bool sealed)
{
    *part = (struct msg_part){e->bob->device, 3};
    struct msg_send_item item = {.id = world_id(e->w), .target = target_of_account(e->bob->account),
                                 .key_version = 1, .head = e->bob->head, .parts = part, .part_count = 1,
                                 .sealed = sealed};
    if (sealed) item.commitment = (struct hash256){{7, 7, 7}};
    return item;
}

/* Bob's newest delivery is this item's, stamped at its acceptance. */
static void expect_stamped(struct scene *e, const struct msg_send_item *item, uint64_t accepted_ms)
{
    const struct msg_delivery *d = &e->bob->got[e->bob->got_count - 1].item;
    struct message_ref ref = {e->ann->device, item->target, item->id};
    struct mac256 mac;
    stamp_make(&e->w->stamp_key, &item->commitment, &ref, accepted_ms, &mac);
    cr_assert(message_equal(d->id, item->id) && d->sealed);
    cr_assert_eq(memcmp(&d->commitment, &item->commitment, 32), 0);
    cr_assert_eq(d->stamp_key, e->w->stamp_key.id);
    cr_assert_eq(memcmp(&d->stamp, &mac, 32), 0);
}

Test(stamp, comes_with_the_delivery_at_once_and_after_a_restart)
{
    struct scene e = scene_new(true);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part, true);
    struct sending s = send_item(&e, &item, view_of("abc", 3));
    cr_assert_eq(s.status, STATUS_OK);
    uint64_t accepted_ms = s.accepted.receipt.accepted_ms;
    person_read(e.w, e.bob);
    expect_stamped(&e, &item, accepted_ms);
    e.w->now.wall_ms += 2 * HOUR_MS;
    e.w->now.mono_ms += 2 * HOUR_MS;
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    expect_stamped(&e, &item, accepted_ms);
    scene_free(&e);
}

Test(stamp, comes_with_what_is_offered_again_at_another_place)
{
    struct scene e = scene_new(true);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part, true);
    struct sending s = send_item(&e, &item, view_of("abc", 3));
    person_read(e.w, e.bob);
    struct position at = person_at(e.bob, 0);
    struct msg_failure failed = {at.term, at.seq, FAIL_HELD, {0}};
    person_ack_begin(e.w, e.bob, at, at, &failed, 1);
    world_run(e.w);
    e.bob->reoffer_held = true;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got[0].item.seq, at.seq + 1);
    expect_stamped(&e, &item, s.accepted.receipt.accepted_ms);
    cr_assert(view_equal(e.bob->got[0].body, view_of("abc", 3)));
    scene_free(&e);
}

Test(stamp, an_older_key_s_stamp_stays_what_it_was)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part, true);
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_OK);
    uint32_t before = e.w->stamp_key.id;
    e.w->stamp_key.id++;
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got[0].item.stamp_key, before);
    scene_free(&e);
}

Test(stamp, an_opaque_message_has_none)
{
    static const struct mac256 none;
    struct scene e = scene_new(true);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part, false);
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_OK);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert(!e.bob->got[0].item.sealed && e.bob->got[0].item.stamp_key == 0);
    cr_assert_eq(memcmp(&e.bob->got[0].item.stamp, &none, sizeof none), 0);
    scene_free(&e);
}

Test(stamp, sealed_and_commitment_go_together)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part, true);
    memset(&item.commitment, 0, sizeof item.commitment);
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_MALFORMED);
    item = item_to(&e, &part, true);
    item.sealed = false;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_MALFORMED);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE) + world_claims(e.w), 0);
    item.sealed = true;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_OK, "the same id, made right");
    scene_free(&e);
}
