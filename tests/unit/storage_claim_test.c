/* Claims: the same answer byte for byte, whenever it is asked again; ids in time; refusals leave none. */
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>
#include <string.h>

static void expect_again(struct world *w, const struct sending *first, const struct sending *again)
{
    (void)w;
    cr_assert_eq(again->status, STATUS_OK);
    cr_assert(view_equal(first->answer, again->answer), "the same answer, byte for byte");
}

Test(claim, a_retry_in_the_same_turn_gets_the_same_answer)
{
    struct scene e = scene_new(true);
    struct message_id id = world_id(e.w);
    struct view text = world_text(e.w, id, 100);
    struct sending a = person_send_begin(e.w, e.ann, e.bob, id, text, 0, NULL);
    struct sending b = person_send_begin(e.w, e.ann, e.bob, id, text, 0, NULL);
    world_run(e.w);
    person_send_end(e.w, &a);
    person_send_end(e.w, &b);
    cr_assert_eq(a.status, STATUS_OK);
    expect_again(e.w, &a, &b);
    person_read(e.w, e.bob);
    cr_assert_eq(e.bob->got_count, 1, "one message");
    scene_free(&e);
}

Test(claim, a_retry_gets_the_same_answer_later_after_a_restart_and_after_delivery)
{
    struct scene e = scene_new(true);
    struct message_id id = world_id(e.w);
    struct sending first = person_send_id(e.w, e.ann, e.bob, id, "once");
    struct sending again = person_send_id(e.w, e.ann, e.bob, id, "once");
    cr_assert_eq(first.status, STATUS_OK);
    expect_again(e.w, &first, &again);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 1);
    again = person_send_id(e.w, e.ann, e.bob, id, "once");
    expect_again(e.w, &first, &again);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    again = person_send_id(e.w, e.ann, e.bob, id, "once");
    expect_again(e.w, &first, &again);
    world_skip(e.w, 7 * DAY_MS + HOUR_MS); /* too old for a first attempt, known all the same */
    again = person_send_id(e.w, e.ann, e.bob, id, "once");
    expect_again(e.w, &first, &again);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 0);
    scene_free(&e);
}

Test(claim, another_content_under_the_id_is_told_with_the_first_digest_and_answer)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct sending first = person_send_id(e.w, e.ann, e.bob, id, "one");
    struct sending other = person_send_id(e.w, e.ann, e.bob, id, "two");
    cr_assert_eq(other.status, STATUS_ID_REUSED);
    cr_assert(view_equal(first.answer, other.answer));
    cr_assert_eq(other.item.digest.len, 32);
    struct sending third = person_send_id(e.w, e.ann, e.bob, id, "three");
    cr_assert(view_equal(other.item.digest, third.item.digest), "the first one's, always");
    cr_assert_eq(world_events(e.w, EVENT_ID_REUSED), 2);
    cr_assert_eq(world_rows(e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    scene_free(&e);
}

Test(claim, the_same_id_to_another_target_or_from_another_device_is_another_message)
{
    struct scene e = scene_new(true);
    struct message_id id = world_id(e.w);
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "x").status, STATUS_OK);
    cr_assert_eq(person_send_id(e.w, e.bob, e.ann, id, "y").status, STATUS_OK);
    cr_assert_eq(world_claims(e.w), 2);
    scene_free(&e);
}

Test(claim, claims_of_one_turn_are_a_page_and_each_is_found_in_it)
{
    struct scene e = scene_new(true);
    struct sending sent[100];
    struct view text = view_of("text", 4);
    for (size_t i = 0; i < 100; i++)
        sent[i] = person_send_begin(e.w, e.ann, e.bob, world_id(e.w), text, 0, NULL);
    world_run(e.w);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_CLAIM), 0);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_PAGE), 2);
    cr_assert_eq(world_claims(e.w), 100);
    for (size_t i = 0; i < 100; i++) {
        person_send_end(e.w, &sent[i]);
        cr_assert_eq(sent[i].status, STATUS_OK);
        struct sending again = person_send_id(e.w, e.ann, e.bob, sent[i].id, "text");
        expect_again(e.w, &sent[i], &again);
    }
    cr_assert_eq(world_claims(e.w), 100);
    scene_free(&e);
}

Test(claim, an_id_that_does_not_grow_has_a_row_of_its_own_and_is_found)
{
    struct scene e = scene_new(true);
    struct message_id old = world_id(e.w), new = world_id(e.w);
    struct sending second = person_send_id(e.w, e.ann, e.bob, new, "new");
    struct sending first = person_send_id(e.w, e.ann, e.bob, old, "old");
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_CLAIM), 1);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_PAGE), 1);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct sending again = person_send_id(e.w, e.ann, e.bob, old, "old");
    expect_again(e.w, &first, &again);
    again = person_send_id(e.w, e.ann, e.bob, new, "new");
    expect_again(e.w, &second, &again);
    cr_assert_eq(world_claims(e.w), 2);
    scene_free(&e);
}

Test(claim, one_id_for_more_targets_than_a_page_holds_is_found_for_each)
{
    enum { COUNT = PAGE_CLAIMS_MAX + 20 };
    struct scene e = scene_new(false);
    struct person **to = calloc(COUNT, sizeof *to);
    struct sending *sent = calloc(COUNT, sizeof *sent);
    struct message_id first = world_id(e.w), id = world_id(e.w);
    for (unsigned i = 0; i < COUNT; i++)
        to[i] = person_new(e.w, 100 + i);
    struct sending before = person_send_begin(e.w, e.ann, e.bob, first, view_of("x", 1), 0, NULL);
    for (size_t i = 0; i < COUNT; i++)
        sent[i] = person_send_begin(e.w, e.ann, to[i], id, view_of("x", 1), 0, NULL);
    world_run(e.w);
    person_send_end(e.w, &before);
    cr_assert_eq(world_rows(e.w, SPACE_ROUTING, ROW_PAGE), 1);
    cr_assert_eq(world_claims(e.w), COUNT + 1);
    for (size_t i = 0; i < COUNT; i++) {
        person_send_end(e.w, &sent[i]);
        struct sending again = person_send_id(e.w, e.ann, to[i], id, "x");
        expect_again(e.w, &sent[i], &again);
        person_free(to[i]);
    }
    cr_assert_eq(world_claims(e.w), COUNT + 1);
    free(to);
    free(sent);
    scene_free(&e);
}

Test(claim, an_id_used_for_a_second_target_later_is_another_claim)
{
    struct scene e = scene_new(true);
    struct message_id id = world_id(e.w);
    struct person *cid = person_new(e.w, 77);
    struct sending one = person_send_id(e.w, e.ann, e.bob, id, "x");
    struct sending two = person_send_id(e.w, e.ann, cid, id, "x");
    cr_assert_eq(two.status, STATUS_OK);
    struct sending again = person_send_id(e.w, e.ann, e.bob, id, "x");
    expect_again(e.w, &one, &again);
    again = person_send_id(e.w, e.ann, cid, id, "x");
    expect_again(e.w, &two, &again);
    cr_assert_eq(world_claims(e.w), 2);
    person_free(cid);
    scene_free(&e);
}

static enum status send_made_at(struct scene *e, uint64_t ms)
{
    uint8_t random[10] = {4, 2};
    struct message_id id = message_id_make(ms, random);
    return person_send_id(e->w, e->ann, e->bob, id, "t").status;
}

Test(claim, an_id_just_inside_the_bounds_of_time_is_taken)
{
    struct scene e = scene_new(false);
    cr_assert_eq(send_made_at(&e, e.w->now.wall_ms - ID_AGE_MAX_MS), STATUS_OK);
    cr_assert_eq(send_made_at(&e, e.w->now.wall_ms + ID_AHEAD_MAX_MS), STATUS_OK);
    scene_free(&e);
}

Test(claim, an_id_just_outside_is_refused_and_leaves_no_claim)
{
    struct scene e = scene_new(false);
    cr_assert_eq(send_made_at(&e, e.w->now.wall_ms - ID_AGE_MAX_MS - 1), STATUS_ID_TIME);
    cr_assert_eq(send_made_at(&e, e.w->now.wall_ms + ID_AHEAD_MAX_MS + 1), STATUS_ID_TIME);
    cr_assert_eq(world_claims(e.w), 0);
    scene_free(&e);
}

Test(claim, an_id_that_is_not_v7_is_malformed)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0xf));
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "t").status, STATUS_MALFORMED);
    cr_assert_eq(world_claims(e.w), 0);
    scene_free(&e);
}

Test(claim, a_refused_id_may_be_sent_again_repaired)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct hash256 right = e.bob->head;
    e.bob->head.bytes[0] ^= 1;
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "t").status, STATUS_STALE_DEVICES);
    cr_assert_eq(world_claims(e.w), 0);
    e.bob->head = right;
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "t").status, STATUS_OK);
    scene_free(&e);
}

Test(claim, the_receipt_verifies_and_names_this_commit)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 50);
    struct message_ref ref = {e.ann->device, target_of_account(e.bob->account), s.id};
    struct msg_receipt *r = &s.accepted.receipt;
    struct sending other = person_send_id(e.w, e.ann, e.bob, s.id, "not that");
    struct hash256 digest;
    memcpy(digest.bytes, other.item.digest.at, sizeof digest.bytes);
    cr_assert_eq(receipt_verify(&e.w->key, 1, r, &ref, &digest), STATUS_OK);
    cr_assert(term_equal(r->term, storage_term(e.w->core)));
    cr_assert_leq(r->commit, e.w->core->synced);
    r->commit++;
    cr_assert_eq(receipt_verify(&e.w->key, 1, r, &ref, &digest), STATUS_REFUSED);
    scene_free(&e);
}
