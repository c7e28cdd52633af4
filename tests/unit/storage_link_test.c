/* Boxes for linking (PROTOCOL 6.5): the first message in a slot stays, guests get little of it, all of it ends. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct link_box box_of(uint8_t n)
{
    struct link_box box = {{0}};
    box.bytes[0] = n;
    box.bytes[31] = (uint8_t)(n >> 1);
    return box;
}

static struct stamp guest_stamp(void)
{
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 99};
    memset(stamp.transport.bytes, 7, sizeof stamp.transport.bytes);
    return stamp;
}

static uint64_t put(struct scene *e, const struct stamp *stamp, struct link_box box, uint32_t slot, size_t len, uint8_t with)
{
    static uint8_t bytes[LINK_PART_LEN_MAX + 1];
    memset(bytes, with, len);
    struct msg_link_put m = {.box = box, .slot = slot, .bytes = view_of(bytes, len)};
    uint64_t c = world_ask(e->w, 0, stamp, KIND_LINK_PUT, &msg_link_put_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    return c;
}

static enum status put_status(struct scene *e, const struct stamp *stamp, struct link_box box, uint32_t slot, size_t len,
                              uint8_t with)
{
    return world_status(e->w, put(e, stamp, box, slot, len, with));
}

static uint64_t get(struct scene *e, const struct stamp *stamp, struct link_box box, uint32_t slot)
{
    struct msg_link_get m = {.box = box, .slot = slot};
    uint64_t c = world_ask(e->w, 0, stamp, KIND_LINK_GET, &msg_link_get_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    return c;
}

Test(link, operators_hear_that_it_was_rejected)
{
    struct scene e = scene_new(false);
    struct stamp guest = guest_stamp(), ann = person_stamp(e.ann);
    struct msg_link_put no = {.box = box_of(1), .slot = 2, .bytes = view_of("no", 2), .rejected = true};
    struct mark who = mark_account(&e.w->config.mark_key, e.ann->account);
    (void)put(&e, &guest, box_of(1), 0, 100, 'r');
    (void)world_ask(e.w, 0, &ann, KIND_LINK_PUT, &msg_link_put_desc, &no, view_of(NULL, 0));
    world_run(e.w);
    cr_assert(world_events(e.w, EVENT_LINK_REJECTED) == 1 && world_events(e.w, EVENT_LINK_OFFERED) == 0);
    cr_assert_eq(memcmp(&world_event(e.w, EVENT_LINK_REJECTED)->account, &who, sizeof who), 0);
    scene_free(&e);
}

Test(link, what_a_guest_leaves_a_member_finds_and_the_other_way_round)
{
    struct scene e = scene_new(false);
    struct stamp guest = guest_stamp(), ann = person_stamp(e.ann);
    struct msg_link_has has;
    struct msg_link_is is;
    cr_assert_eq(world_status(e.w, get(&e, &ann, box_of(1), 0)), STATUS_NOT_FOUND);
    world_decode(e.w, put(&e, &guest, box_of(1), 0, 100, 'r'), KIND_LINK_HAS, &msg_link_has_desc, &has);
    cr_assert_eq(has.slots, 1);
    cr_assert_eq(world_events(e.w, EVENT_LINK_REQUESTED), 1);
    world_decode(e.w, get(&e, &ann, box_of(1), 0), KIND_LINK_IS, &msg_link_is_desc, &is);
    cr_assert_eq(is.bytes.len, 100);
    cr_assert_eq(is.bytes.at[99], 'r');
    world_decode(e.w, put(&e, &ann, box_of(1), 2, LINK_PART_LEN_MAX, 'o'), KIND_LINK_HAS, &msg_link_has_desc, &has);
    cr_assert_eq(has.slots, 5);
    cr_assert_eq(world_events(e.w, EVENT_LINK_OFFERED), 1);
    world_decode(e.w, get(&e, &guest, box_of(1), 2), KIND_LINK_IS, &msg_link_is_desc, &is);
    cr_assert_eq(is.bytes.len, LINK_PART_LEN_MAX);
    world_decode(e.w, get(&e, &guest, box_of(1), 3), KIND_LINK_IS, &msg_link_is_desc, &is);
    cr_assert_eq(is.bytes.len, 0, "nothing yet");
    cr_assert_eq(is.slots, 5);
    scene_free(&e);
}

Test(link, the_first_message_stays_and_the_same_one_again_is_fine)
{
    struct scene e = scene_new(false);
    struct stamp guest = guest_stamp();
    struct msg_link_is is;
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, 10, 'a'), STATUS_OK);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, 10, 'a'), STATUS_OK);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, 10, 'b'), STATUS_REFUSED);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, 11, 'a'), STATUS_REFUSED);
    world_decode(e.w, get(&e, &guest, box_of(1), 0), KIND_LINK_IS, &msg_link_is_desc, &is);
    cr_assert_eq(is.bytes.at[0], 'a');
    cr_assert_eq(world_events(e.w, EVENT_LINK_REQUESTED), 1);
    scene_free(&e);
}

Test(link, what_a_guest_may_not)
{
    struct scene e = scene_new(false);
    struct stamp guest = guest_stamp(), ann = person_stamp(e.ann);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 1, 10, 'a'), STATUS_NOT_FOUND, "there is no box");
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, LINK_GUEST_LEN_MAX + 1, 'a'), STATUS_TOO_LARGE);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, LINK_GUEST_LEN_MAX, 'a'), STATUS_OK);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 1, LINK_GUEST_LEN_MAX + 1, 'a'), STATUS_TOO_LARGE);
    cr_assert_eq(put_status(&e, &guest, box_of(1), 2, 10, 'a'), STATUS_NO_SESSION);
    cr_assert_eq(put_status(&e, &ann, box_of(1), LINK_SLOTS, 10, 'a'), STATUS_MALFORMED);
    cr_assert_eq(put_status(&e, &ann, box_of(1), 2, 0, 'a'), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, get(&e, &ann, box_of(1), LINK_SLOTS)), STATUS_MALFORMED);
    scene_free(&e);
}

Test(link, a_box_ends_with_its_time_and_with_the_process)
{
    struct scene e = scene_new(false);
    struct stamp guest = guest_stamp();
    cr_assert_eq(put_status(&e, &guest, box_of(1), 0, 10, 'a'), STATUS_OK);
    world_skip(e.w, LINK_LIFE_MS / 2);
    cr_assert_eq(put_status(&e, &guest, box_of(2), 0, 10, 'a'), STATUS_OK);
    world_skip(e.w, LINK_LIFE_MS / 2);
    cr_assert_eq(world_status(e.w, get(&e, &guest, box_of(1), 0)), STATUS_NOT_FOUND);
    cr_assert_eq(world_status(e.w, get(&e, &guest, box_of(2), 0)), STATUS_OK);
    world_restart(e.w);
    cr_assert_eq(world_status(e.w, get(&e, &guest, box_of(2), 0)), STATUS_NOT_FOUND);
    cr_assert_eq(put_status(&e, &guest, box_of(2), 0, 10, 'a'), STATUS_OK, "and is made anew");
    scene_free(&e);
}

Test(link, boxes_are_bounded_in_number_and_bytes)
{
    static uint8_t bytes[LINK_PART_LEN_MAX];
    const uint8_t seed[16] = {1};
    struct boxes *b = boxes_new(seed);
    struct link_box id = {{0}};
    uint32_t slots;
    bool made;
    for (uint32_t i = 0; i < LINK_BOXES_MAX; i++) {
        put_u32(id.bytes, i);
        cr_assert_eq(boxes_put(b, id, 0, view_of(bytes, 1), i, &slots, &made), STATUS_OK);
    }
    put_u32(id.bytes, LINK_BOXES_MAX);
    cr_assert_eq(boxes_put(b, id, 0, view_of(bytes, 1), LINK_BOXES_MAX, &slots, &made), STATUS_FULL);
    cr_assert_eq(boxes_count(b), LINK_BOXES_MAX);
    cr_assert_eq(boxes_put(b, id, 0, view_of(bytes, 1), LINK_LIFE_MS, &slots, &made), STATUS_OK, "the oldest has gone");
    size_t room = LINK_BYTES_MAX - boxes_bytes(b);
    for (uint32_t i = 1; i < LINK_BOXES_MAX && room >= sizeof bytes; i++) {
        put_u32(id.bytes, i);
        for (uint32_t slot = 2; slot < LINK_SLOTS && room >= sizeof bytes; slot++, room -= sizeof bytes)
            cr_assert_eq(boxes_put(b, id, slot, view_of(bytes, sizeof bytes), LINK_LIFE_MS, &slots, &made), STATUS_OK);
    }
    put_u32(id.bytes, LINK_BOXES_MAX - 1);
    cr_assert_eq(boxes_put(b, id, 2, view_of(bytes, sizeof bytes), LINK_LIFE_MS, &slots, &made), STATUS_FULL);
    cr_assert_leq(boxes_bytes(b), LINK_BYTES_MAX);
    boxes_free(&b);
}
