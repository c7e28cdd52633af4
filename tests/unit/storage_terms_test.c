/* Terms: each opening is one; ends are recorded; what a damaged disk lost is named, and comes back with
 * its receipt. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct msg_terms_are ask_terms(struct scene *e, struct term since)
{
    struct msg_terms m = {.since = since};
    struct msg_terms_are are;
    struct stamp stamp = person_stamp(e->ann);
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_TERMS, &msg_terms_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_TERMS_ARE, &msg_terms_are_desc, &are);
    return are;
}

Test(terms, an_ended_term_keeps_its_last_commit)
{
    struct scene e = scene_new(false);
    struct sending s = person_send(e.w, e.ann, e.bob, 10);
    struct term first = storage_term(e.w->core);
    uint64_t end = e.w->core->synced;
    cr_assert_eq(s.accepted.receipt.commit, end);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct msg_terms_are are = ask_terms(&e, first);
    cr_assert_eq(are.term_count, 2);
    cr_assert(are.complete);
    cr_assert(term_equal(are.terms[0].term, first));
    cr_assert_eq(are.terms[0].end, end);
    cr_assert(!are.terms[0].open);
    cr_assert(are.terms[1].open);
    cr_assert_gt(term_compare(are.terms[1].term, first), 0);
    scene_free(&e);
}

Test(terms, an_opening_tells_what_it_took_and_where_it_goes_on)
{
    struct scene e = scene_new(false);
    cr_assert_eq(world_event(e.w, EVENT_STORE_OPENED)->value, 0, "nobody has measured it");
    uint64_t end = e.w->core->synced;
    e.w->config.recovery_ms = 4711;
    world_restart(e.w);
    cr_assert_eq(world_event(e.w, EVENT_STORE_OPENED)->value, 4711);
    cr_assert_eq(world_event(e.w, EVENT_STORE_OPENED)->count, end);
    scene_free(&e);
}

Test(terms, are_above_the_last_one_although_the_clock_went_back)
{
    struct scene e = scene_new(false);
    struct term first = storage_term(e.w->core);
    world_pass(e.w, 1000);
    uint64_t store_ms = e.w->core->store_ms;
    e.w->now.wall_ms -= 365 * DAY_MS;
    world_restart(e.w);
    cr_assert_gt(term_compare(storage_term(e.w->core), first), 0);
    cr_assert_geq(e.w->core->store_ms, store_ms - 500, "store time does not run back");
    world_pass(e.w, 5000);
    cr_assert_geq(e.w->core->store_ms, store_ms + 4000, "nor stand still");
    cr_assert_eq(world_events(e.w, EVENT_CLOCK_JUMPED), 1);
    scene_free(&e);
}

Test(terms, more_than_an_answer_holds_are_answered_as_incomplete)
{
    struct scene e = scene_new(false);
    struct term first = storage_term(e.w->core), zero = {{0}};
    for (int i = 0; i < 80; i++) {
        e.w->now.wall_ms += 10;
        e.w->now.mono_ms += 10;
        world_crash(e.w);
    }
    world_serve(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct msg_terms_are are = ask_terms(&e, zero);
    cr_assert_eq(are.term_count, TERMS_PER_FRAME);
    cr_assert(!are.complete);
    cr_assert(!ask_terms(&e, first).complete, "its end is forgotten");
    are = ask_terms(&e, are.terms[5].term);
    cr_assert(are.complete);
    cr_assert_eq(are.term_count, TERMS_PER_FRAME - 5);
    scene_free(&e);
}

static void tell_witness(struct scene *e, struct term term, uint64_t commit)
{
    struct msg_peer m = {.boot = {{0xaa, (uint8_t)++e->w->correlation}}, .witness_term = term,
                         .witness_commit = commit};
    e->w->boots[0] = m.boot;
    world_item(e->w, 0, &(struct stamp){.origin = ORIGIN_PEER}, KIND_PEER, 0, &msg_peer_desc, &m,
               view_of(NULL, 0));
    world_run(e->w);
}

Test(terms, a_witness_above_the_end_is_acknowledged_loss_named_as_a_range)
{
    struct scene e = scene_new(false);
    struct term first = storage_term(e.w->core);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    uint64_t known = e.w->core->synced;
    world_close(e.w);
    memory_disk_cut(e.w->disk, 1);
    world_open(e.w);
    world_serve(e.w);
    cr_assert_eq(world_events(e.w, EVENT_STORE_RECOVERED_TAIL), 1);
    tell_witness(&e, first, known);
    cr_assert_eq(world_events(e.w, EVENT_STORE_LOSS), 1);
    cr_assert_eq(world_event(e.w, EVENT_STORE_LOSS)->count, 1);
    cr_assert_eq(world_event(e.w, EVENT_STORE_LOSS)->value, known);
    scene_free(&e);
}

Test(terms, a_witness_at_the_end_or_of_the_present_term_is_no_loss)
{
    struct scene e = scene_new(false);
    struct term first = storage_term(e.w->core);
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 10).status, STATUS_OK);
    uint64_t known = e.w->core->synced;
    world_restart(e.w);
    tell_witness(&e, first, known);
    tell_witness(&e, storage_term(e.w->core), 0);
    cr_assert_eq(world_events(e.w, EVENT_STORE_LOSS), 0);
    scene_free(&e);
}

/* Sends, loses it by cutting the tail, and comes back 8 days later. */
static struct sending lose_one(struct scene *e, struct message_id id, struct view text)
{
    struct sending s = person_send_begin(e->w, e->ann, e->bob, id, text, 0, NULL);
    world_run(e->w);
    person_send_end(e->w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    world_close(e->w);
    memory_disk_cut(e->w->disk, 1);
    e->w->now.wall_ms += 8 * DAY_MS;
    world_open(e->w);
    world_serve(e->w);
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    return s;
}

Test(terms, a_lost_message_sent_again_with_its_receipt_is_exempt_from_time)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct view text = view_of("precious", 8);
    struct sending s = lose_one(&e, id, text);
    struct msg_terms_are are = ask_terms(&e, s.accepted.receipt.term);
    cr_assert_gt(s.accepted.receipt.commit, are.terms[0].end);
    struct sending again = person_send_begin(e.w, e.ann, e.bob, id, text, 0, &s.accepted.receipt);
    world_run(e.w);
    person_send_end(e.w, &again);
    cr_assert_eq(again.status, STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_RESENT_AFTER_LOSS), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    scene_free(&e);
}

Test(terms, without_or_with_a_forged_receipt_it_is_refused)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct view text = view_of("precious", 8);
    struct sending s = lose_one(&e, id, text);
    cr_assert_eq(person_send_id(e.w, e.ann, e.bob, id, "precious").status, STATUS_ID_TIME);
    struct msg_receipt forged = s.accepted.receipt;
    forged.mac.bytes[0] ^= 1;
    struct sending again = person_send_begin(e.w, e.ann, e.bob, id, text, 0, &forged);
    struct sending other = person_send_begin(e.w, e.ann, e.bob, id, view_of("another", 7), 0,
                                             &s.accepted.receipt);
    world_run(e.w);
    person_send_end(e.w, &again);
    person_send_end(e.w, &other);
    cr_assert_eq(again.status, STATUS_ID_TIME);
    cr_assert_eq(other.status, STATUS_ID_TIME, "a receipt is for its bytes");
    cr_assert_eq(world_claims(e.w), 0);
    scene_free(&e);
}

/* Sent 8 days ago to a store of this relay that is no more; this one has the people and an empty disk. */
Test(terms, a_receipt_of_a_store_that_is_no_more_exempts_like_one_of_a_lost_commit)
{
    struct scene gone = scene_new(false);
    struct message_id id = world_id(gone.w);
    struct view text = view_of("precious", 8);
    struct sending s = person_send_begin(gone.w, gone.ann, gone.bob, id, text, 0, NULL);
    world_run(gone.w);
    person_send_end(gone.w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    struct msg_receipt receipt = s.accepted.receipt, forged = receipt;
    scene_free(&gone);
    struct scene e = scene_new(false);
    world_skip(e.w, 8 * DAY_MS);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    e.w->core->store_id.bytes[0] ^= 0xff; /* every world's store is called the same */
    forged.store.bytes[0] ^= 1;
    struct sending bad = person_send_begin(e.w, e.ann, e.bob, id, text, 0, &forged);
    world_run(e.w);
    person_send_end(e.w, &bad);
    cr_assert_eq(bad.status, STATUS_ID_TIME);
    struct sending again = person_send_begin(e.w, e.ann, e.bob, id, text, 0, &receipt);
    world_run(e.w);
    person_send_end(e.w, &again);
    cr_assert_eq(again.status, STATUS_OK);
    scene_free(&e);
}

Test(terms, a_receipt_of_what_was_not_lost_exempts_from_nothing)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct view text = view_of("precious", 8);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, text, 0, NULL);
    world_run(e.w);
    person_send_end(e.w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    struct msg_receipt receipt = s.accepted.receipt;
    cr_assert_not(terms_lost(e.w->core, &receipt));
    world_restart(e.w);
    cr_assert_not(terms_lost(e.w->core, &receipt), "nor after its term has ended");
    receipt.commit += 1000;
    cr_assert(terms_lost(e.w->core, &receipt));
    scene_free(&e);
}

Test(terms, a_receipt_older_than_what_recipients_remember_exempts_from_nothing)
{
    struct scene e = scene_new(false);
    struct message_id id = world_id(e.w);
    struct view text = view_of("precious", 8);
    struct sending s = lose_one(&e, id, text);
    world_skip(e.w, 40 * DAY_MS);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct sending again = person_send_begin(e.w, e.ann, e.bob, id, text, 0, &s.accepted.receipt);
    world_run(e.w);
    person_send_end(e.w, &again);
    cr_assert_eq(again.status, STATUS_ID_TIME);
    scene_free(&e);
}

/* Not even an answer that needs no row: a successor may know better. */
Test(terms, a_store_that_has_begun_another_term_is_served_no_more)
{
    struct scene e = scene_new(false);
    struct commit_row row = {.term = term_make(term_opened_ms(storage_term(e.w->core)) + 1, 1)};
    struct store_key key = key_single(ROW_COMMIT);
    struct store_batch batch = {0};
    struct stamp stamp = person_stamp(e.ann);
    struct msg_lookup ask = {.account = e.bob->account};
    world_ask(e.w, 0, &stamp, KIND_LOOKUP, &msg_lookup_desc, &ask, view_of(NULL, 0));
    world_give(e.w);
    store_batch_put(&batch, &e.w->arena, SPACE_IDENTITY, key_view(&key),
                    commit_row_write(&e.w->arena, &row), view_of(NULL, 0));
    cr_assert_eq(store_write(e.w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    cr_assert_eq(storage_turn(e.w->core, e.w->now), STATUS_OK);
    cr_assert_eq(storage_commit(e.w->core), STATUS_LOCKED);
    scene_free(&e);
}
