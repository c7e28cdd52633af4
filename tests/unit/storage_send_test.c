/* Sending: home, gate, room; several items; what a refusal leaves behind: nothing. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct msg_send_item item_to(struct scene *e, struct msg_part *part)
{
    *part = (struct msg_part){e->bob->device, 3};
    return (struct msg_send_item){.id = world_id(e->w), .target = target_of_account(e->bob->account),
                                  .key_version = 1, .head = e->bob->head, .parts = part,
                                  .part_count = 1};
}

static void expect_nothing_stored(struct scene *e)
{
    cr_assert_eq(world_claims(e->w), 0);
    cr_assert_eq(world_rows(e->w, SPACE_PAYLOAD, ROW_ENVELOPE), 0);
}

Test(send, a_stale_list_is_answered_with_what_repairs_it)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    part.device.bytes[0] ^= 1;
    struct sending s = send_item(&e, &item, view_of("abc", 3));
    cr_assert_eq(s.status, STATUS_STALE_DEVICES);
    cr_assert_eq(s.item.stale_count, 1);
    const struct msg_stale *stale = s.item.stale;
    cr_assert_eq(stale->log.key_version, 1);
    cr_assert_eq(memcmp(stale->log.head.bytes, e.bob->head.bytes, 32), 0);
    cr_assert_eq(stale->missing_count, 1);
    cr_assert(device_equal(stale->missing[0].device, e.bob->device));
    cr_assert_eq(stale->extra_count, 1);
    cr_assert(device_equal(stale->extra[0].device, part.device));
    cr_assert_eq(stale->entry_count, 0, "it has them all");
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, who_knows_nothing_gets_the_whole_log)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.key_version = 0;
    struct sending s = send_item(&e, &item, view_of("abc", 3));
    cr_assert_eq(s.status, STATUS_STALE_DEVICES, "although the devices are right");
    cr_assert_eq(s.item.stale->missing_count + s.item.stale->extra_count, 0);
    cr_assert_eq(s.item.stale->entry_count, 1);
    cr_assert(view_equal(s.item.stale->entries[0], buffer_view(&e.bob->entry)));
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, another_head_of_the_same_version_is_stale)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.head.bytes[31] ^= 1;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_STALE_DEVICES);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, a_sender_that_knows_a_later_version_is_told_so)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.key_version = 2;
    struct sending s = send_item(&e, &item, view_of("abc", 3));
    cr_assert_eq(s.status, STATUS_RELAY_BEHIND);
    cr_assert_eq(s.item.stale_count, 1);
    cr_assert_eq(s.item.stale->log.length, 1);
    cr_assert_eq(memcmp(&s.item.stale->log.head, &e.bob->head, 32), 0);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, an_unknown_account_is_not_found)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.target.bytes[31] ^= 1;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_NOT_FOUND);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, an_item_of_another_store_is_told_so)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    uint16_t ann = home_of_account(e.ann->account), bob = home_of_account(e.bob->account);
    cr_assert_neq(ann, bob);
    world_close(e.w);
    e.w->config.partition_first = e.w->config.partition_last = ann;
    world_open(e.w);
    world_serve(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_WRONG_HOME);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_WRONG_HOME);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, to_oneself_with_no_other_device_is_refused)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.target = target_of_account(e.ann->account);
    part.device = e.ann->device;
    item.head = e.ann->head;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_REFUSED);
    scene_free(&e);
}

Test(send, resends_are_refused_until_there_is_sealing)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    item.attempt = 1;
    cr_assert_eq(send_item(&e, &item, view_of("abc", 3)).status, STATUS_REFUSED);
    scene_free(&e);
}

Test(send, lengths_that_do_not_add_up_spoil_the_frame)
{
    struct scene e = scene_new(false);
    struct msg_part part;
    struct msg_send_item item = item_to(&e, &part);
    cr_assert_eq(send_item(&e, &item, view_of("ab", 2)).status, STATUS_MALFORMED);
    item.id = world_id(e.w);
    cr_assert_eq(send_item(&e, &item, view_of("abcd", 4)).status, STATUS_MALFORMED);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, a_device_named_twice_or_an_empty_part_is_malformed)
{
    struct scene e = scene_new(false);
    struct msg_part parts[2], part;
    struct msg_send_item item = item_to(&e, &parts[0]);
    parts[1] = parts[0];
    item.parts = parts;
    item.part_count = 2;
    cr_assert_eq(send_item(&e, &item, view_of("abcabc", 6)).status, STATUS_MALFORMED);
    item = item_to(&e, &part);
    part.len = 0;
    cr_assert_eq(send_item(&e, &item, view_of(NULL, 0)).status, STATUS_MALFORMED);
    expect_nothing_stored(&e);
    scene_free(&e);
}

Test(send, every_item_of_a_frame_is_decided_on_its_own)
{
    struct scene e = scene_new(false);
    struct msg_part parts[3];
    struct view raws[3];
    struct stamp stamp = person_stamp(e.ann);
    for (size_t i = 0; i < 3; i++) {
        struct msg_send_item item = item_to(&e, &parts[i]);
        struct buffer encoded = {0};
        if (i == 1) item.target.bytes[5] ^= 1;
        codec_encode(&msg_send_item_desc, &item, &encoded);
        raws[i] = arena_copy(&e.w->arena, buffer_view(&encoded));
        buffer_fini(&encoded);
    }
    struct msg_send send = {.items = raws, .item_count = 3};
    struct msg_sent sent;
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_SEND, &msg_send_desc, &send, view_of("aaabbbccc", 9));
    world_run(e.w);
    world_decode(e.w, c, KIND_SENT, &msg_sent_desc, &sent);
    cr_assert_eq(sent.item_count, 3);
    cr_assert_eq(sent.items[0].status, STATUS_OK);
    cr_assert_eq(sent.items[1].status, STATUS_NOT_FOUND);
    cr_assert_eq(sent.items[2].status, STATUS_OK);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 2);
    cr_assert(view_equal(e.bob->got[0].body, view_of("aaa", 3)));
    cr_assert(view_equal(e.bob->got[1].body, view_of("ccc", 3)));
    scene_free(&e);
}

Test(send, a_full_mailbox_of_the_only_device_is_mailbox_full)
{
    struct scene e = scene_new(false);
    world_close(e.w);
    e.w->config.mailbox_messages = 3;
    world_open(e.w);
    world_serve(e.w);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct sending full = person_send(e.w, e.ann, e.bob, 10);
    cr_assert_eq(full.status, STATUS_MAILBOX_FULL);
    cr_assert_gt(full.item.retry_after_ms, 0);
    cr_assert_eq(world_claims(e.w), 3);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->gap_count, 0, "nothing was accepted, so nothing is missing");
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    scene_free(&e);
}

Test(send, a_mailbox_is_full_by_bytes_too)
{
    struct scene e = scene_new(false);
    world_close(e.w);
    e.w->config.mailbox_bytes = 1000;
    world_open(e.w);
    world_serve(e.w);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 600).status, STATUS_OK);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 600).status, STATUS_MAILBOX_FULL);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 400).status, STATUS_OK);
    scene_free(&e);
}

static struct device_id add_device(struct scene *e)
{
    person_append(e->w, e->bob, entry_added(e->bob, 300));
    return e->bob->log.devices[1].id;
}

static struct sending send_to_both(struct scene *e, struct device_id second)
{
    struct msg_part part, parts[2];
    struct msg_send_item item = item_to(e, &part);
    parts[0] = part;
    parts[1] = (struct msg_part){second, 3};
    item.parts = parts;
    item.part_count = 2;
    item.key_version = e->bob->log.key_version;
    item.head = e->bob->log.version_head;
    return send_item(e, &item, view_of("one2nd", 6));
}

Test(send, a_part_over_quota_is_an_outcome_of_its_own_and_a_gap_until_it_is_seen)
{
    struct scene e = scene_new(false);
    world_close(e.w);
    e.w->config.mailbox_messages = 1;
    world_open(e.w);
    world_serve(e.w);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    struct device_id second = add_device(&e);
    struct sending s = send_to_both(&e, second);
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(s.accepted.part_count, 2);
    cr_assert_eq(s.accepted.parts[0].outcome, OUTCOME_OVER_QUOTA);
    cr_assert_eq(s.accepted.parts[0].seq, 0);
    cr_assert_eq(s.accepted.parts[1].outcome, OUTCOME_OPEN);
    cr_assert_eq(world_events(e.w, EVENT_MAILBOX_OVER_QUOTA), 1);
    world_restart(e.w); /* the gap is in the same group as the answer */
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->gap_count, 1);
    cr_assert_eq(e.bob->gaps[0].reason, GAP_QUOTA);
    cr_assert_eq(e.bob->gaps[0].count, 1);
    world_pass(e.w, 3000);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->gap_count, 1, "told once to a session");
    e.bob->gap_number = 0;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->gap_count, 2, "and again to the next one");
    person_ack(e.w, e.bob, 1); /* repeats the gap number */
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->gap_count, 2, "seen is seen, also after a crash");
    scene_free(&e);
}
