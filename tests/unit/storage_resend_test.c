/* Resends: a later attempt takes the place of what has failed, once, and only that; every other one changes nothing. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static const struct hash256 commitment = {{7, 7, 7}};

/* A message of Ann's to Bob, and how it is made again. */
struct message {
    struct scene e;
    struct message_id id;
    uint64_t ttl_ms;
    struct sending first;
};

static struct msg_send_item item_of(const struct message *m, uint32_t attempt, struct msg_part *part, size_t len)
{
    *part = (struct msg_part){m->e.bob->device, (uint32_t)len};
    struct msg_log_state log = identity_log_state(&m->e.bob->log);
    return (struct msg_send_item){.id = m->id, .target = target_of_account(m->e.bob->account),
                                  .key_version = log.key_version, .head = log.version_head, .ttl_ms = m->ttl_ms,
                                  .attempt = attempt, .sealed = true, .parts = part, .part_count = 1,
                                  .commitment = commitment};
}

static struct sending send_attempt(struct message *m, uint32_t attempt, const char *text)
{
    struct msg_part part;
    struct msg_send_item item = item_of(m, attempt, &part, strlen(text));
    return send_item(&m->e, &item, view_of(text, strlen(text)));
}

/* Two attempts in one turn: their answers come in *one and *two. */
static void send_two(struct message *m, uint32_t first, uint32_t second, const char *text, struct sending *one,
                     struct sending *two)
{
    struct sending *both[] = {one, two};
    for (size_t i = 0; i < 2; i++) {
        struct msg_part part;
        struct msg_send_item item = item_of(m, i ? second : first, &part, strlen(text));
        struct buffer encoded = {0};
        struct stamp stamp = person_stamp(m->e.ann);
        codec_encode(&msg_send_item_desc, &item, &encoded);
        struct view raw = arena_copy(&m->e.w->arena, buffer_view(&encoded));
        buffer_fini(&encoded);
        struct msg_send send = {.items = &raw, .item_count = 1};
        *both[i] = (struct sending){.correlation = world_ask(m->e.w, 0, &stamp, KIND_SEND, &msg_send_desc, &send,
                                                             view_of(text, strlen(text)))};
    }
    world_give(m->e.w);
    world_turn(m->e.w);
    world_run(m->e.w);
    person_send_end(m->e.w, one);
    person_send_end(m->e.w, two);
}

/* Bob fails the last one he got. */
static void fail(struct message *m, uint32_t reason)
{
    struct scene *e = &m->e;
    person_read(e->w, e->bob);
    struct position at = person_at(e->bob, e->bob->got_count - 1);
    struct msg_failure failed = {at.term, at.seq, reason, {0}};
    person_ack_begin(e->w, e->bob, at, at, &failed, 1);
    world_run(e->w);
}

static struct message message_new(uint64_t ttl_ms)
{
    struct message m = {.e = scene_new(true), .ttl_ms = ttl_ms};
    m.id = world_id(m.e.w);
    m.first = send_attempt(&m, 0, "zero");
    cr_assert_eq(m.first.status, STATUS_OK);
    return m;
}

static struct message message_failed(uint32_t reason)
{
    struct message m = message_new(0);
    fail(&m, reason);
    cr_assert_eq(world_rows(m.e.w, SPACE_PAYLOAD, ROW_PARKED), 1);
    return m;
}

static struct msg_part_state state(struct message *m)
{
    return person_state(m->e.w, m->e.ann, m->e.bob, m->id);
}

/* Refused, and the failed one is what it was. */
static void expect_refused(struct message *m, uint32_t attempt)
{
    size_t claims = world_claims(m->e.w), rows = world_rows(m->e.w, SPACE_PAYLOAD, ROW_ENVELOPE);
    struct msg_part_state before = state(m);
    cr_assert_eq(send_attempt(m, attempt, "again").status, STATUS_REFUSED);
    struct msg_part_state after = state(m);
    cr_assert(before.state == after.state && before.outcome == after.outcome && before.attempt == after.attempt);
    cr_assert_eq(world_claims(m->e.w), claims);
    cr_assert_eq(world_rows(m->e.w, SPACE_PAYLOAD, ROW_ENVELOPE), rows);
}

static void sweep(struct world *w)
{
    for (int i = 0; i < 12; i++)
        world_skip(w, 600);
}

Test(resend, takes_the_place_of_what_has_failed)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    struct sending s = send_attempt(&m, 1, "one");
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(s.accepted.expires_ms, m.first.accepted.expires_ms, "the message ends once");
    cr_assert_eq(world_rows(e->w, SPACE_PAYLOAD, ROW_PARKED), 0, "the bytes of the first are gone");
    cr_assert_eq(e->w->core->counters.parked, 0);
    person_read(e->w, e->bob);
    const struct got *got = &e->bob->got[1];
    cr_assert_eq(e->bob->got_count, 2);
    cr_assert(message_equal(got->item.id, m.id) && got->item.attempt == 1 && got->item.sealed);
    cr_assert(view_equal(got->body, view_of("one", 3)));
    cr_assert_eq(memcmp(&got->item.commitment, &commitment, sizeof commitment), 0);
    cr_assert_eq(state(&m).state, DELIVERY_OFFERED);
    cr_assert_eq(state(&m).attempt, 1);
    cr_assert_eq(world_explain(e->w, e->ann, e->bob, m.id), EXPLAIN_OFFERED);
    person_ack(e->w, e->bob, 2);
    cr_assert_eq(state(&m).outcome, OUTCOME_SETTLED);
    cr_assert_eq(state(&m).attempt, 1);
    cr_assert_eq(world_event(e->w, EVENT_RESENT)->count, 1);
    scene_free(e);
}

Test(resend, is_done_once_however_often_it_is_sent)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct sending one, two;
    send_two(&m, 1, 1, "one", &one, &two);
    cr_assert(one.status == STATUS_OK && two.status == STATUS_OK);
    cr_assert(view_equal(one.answer, two.answer));
    struct sending later = send_attempt(&m, 1, "one");
    cr_assert(later.status == STATUS_OK && view_equal(later.answer, one.answer));
    person_read(m.e.w, m.e.bob);
    cr_assert_eq(m.e.bob->got_count, 2);
    person_ack(m.e.w, m.e.bob, 2);
    later = send_attempt(&m, 1, "one");
    cr_assert(later.status == STATUS_OK && view_equal(later.answer, one.answer), "also when it is settled");
    world_restart(m.e.w);
    cr_assert_eq(person_hello(m.e.w, m.e.ann, 0), STATUS_OK);
    later = send_attempt(&m, 1, "one");
    cr_assert(later.status == STATUS_OK && view_equal(later.answer, one.answer), "and after a restart");
    later = send_attempt(&m, 0, "zero");
    cr_assert(later.status == STATUS_OK && view_equal(later.answer, m.first.answer), "the first one's is its own");
    scene_free(&m.e);
}

Test(resend, with_other_bytes_under_the_same_attempt_is_told_so)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct sending s = send_attempt(&m, 1, "one"), other = send_attempt(&m, 1, "two");
    cr_assert_eq(other.status, STATUS_ID_REUSED);
    cr_assert(view_equal(other.answer, s.answer));
    cr_assert_eq(world_rows(m.e.w, SPACE_PAYLOAD, ROW_ENVELOPE), 1);
    scene_free(&m.e);
}

Test(resend, of_what_has_not_failed_is_refused)
{
    struct message m = message_new(0);
    expect_refused(&m, 1); /* offered */
    person_read(m.e.w, m.e.bob);
    struct position at = person_at(m.e.bob, 0);
    person_ack_begin(m.e.w, m.e.bob, (struct position){.seq = 0}, at, NULL, 0);
    world_run(m.e.w);
    expect_refused(&m, 1); /* delivered */
    person_ack(m.e.w, m.e.bob, 1);
    expect_refused(&m, 1); /* settled */
    scene_free(&m.e);
}

Test(resend, of_what_was_never_accepted_or_in_the_same_turn_is_refused)
{
    struct message m = {.e = scene_new(false)};
    struct sending one, two;
    m.id = world_id(m.e.w);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_REFUSED);
    send_two(&m, 0, 1, "zero", &one, &two);
    cr_assert_eq(one.status, STATUS_OK);
    cr_assert_eq(two.status, STATUS_REFUSED);
    m.id = world_id(m.e.w);
    world_restart(m.e.w); /* now no id is known to be new without a look */
    cr_assert_eq(person_hello(m.e.w, m.e.ann, 0), STATUS_OK);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_REFUSED);
    cr_assert_eq(world_claims(m.e.w), 1);
    scene_free(&m.e);
}

Test(resend, of_what_is_held_is_refused_since_another_version_may_open_it)
{
    struct message m = message_failed(FAIL_HELD);
    expect_refused(&m, 1);
    cr_assert_eq(world_rows(m.e.w, SPACE_PAYLOAD, ROW_PARKED), 1);
    scene_free(&m.e);
}

Test(resend, by_another_device_is_refused)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct person *eve = person_new(m.e.w, 3), *ann = m.e.ann;
    cr_assert_eq(person_hello(m.e.w, eve, 0), STATUS_OK);
    m.e.ann = eve;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_REFUSED);
    m.e.ann = ann;
    cr_assert_eq(state(&m).state, DELIVERY_FAILED);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    person_free(eve);
    scene_free(&m.e);
}

Test(resend, has_three_attempts_each_above_the_last)
{
    struct message m = message_failed(FAIL_BROKEN);
    for (uint32_t attempt = 1; attempt <= RESENDS_MAX; attempt++) {
        if (attempt > 1) cr_assert_eq(send_attempt(&m, attempt - 1, "other").status, STATUS_ID_REUSED);
        cr_assert_eq(send_attempt(&m, attempt, "again").status, STATUS_OK);
        cr_assert_eq(state(&m).attempt, attempt);
        fail(&m, FAIL_BROKEN);
        cr_assert_eq(state(&m).state, DELIVERY_FAILED);
        cr_assert_eq(state(&m).attempt, attempt);
        cr_assert_eq(world_rows(m.e.w, SPACE_PAYLOAD, ROW_PARKED), 1);
        cr_assert_eq(world_explain(m.e.w, m.e.ann, m.e.bob, m.id), EXPLAIN_FAILED_BROKEN);
    }
    expect_refused(&m, RESENDS_MAX + 1);
    world_restart(m.e.w);
    cr_assert_eq(person_hello(m.e.w, m.e.ann, 0), STATUS_OK);
    cr_assert_eq(state(&m).attempt, RESENDS_MAX);
    world_skip(m.e.w, PAYLOAD_KEEP_MS);
    world_pass(m.e.w, HOUR_MS + 60000);
    cr_assert_eq(world_explain(m.e.w, m.e.ann, m.e.bob, m.id), EXPLAIN_EXPIRED, "it stays failed until then");
    cr_assert_eq(world_rows(m.e.w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(m.e.w->core->counters.parked, 0);
    scene_free(&m.e);
}

Test(resend, may_skip_an_attempt_and_never_go_back)
{
    struct message m = message_failed(FAIL_BROKEN);
    cr_assert_eq(send_attempt(&m, 2, "two").status, STATUS_OK);
    fail(&m, FAIL_BROKEN);
    cr_assert_eq(state(&m).attempt, 2);
    expect_refused(&m, 1);
    cr_assert_eq(send_attempt(&m, 3, "three").status, STATUS_OK);
    scene_free(&m.e);
}

Test(resend, of_two_attempts_in_one_turn_the_second_waits_and_is_refused_then)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct sending one, two;
    send_two(&m, 1, 2, "one", &one, &two);
    cr_assert_eq(one.status, STATUS_OK);
    cr_assert_eq(two.status, STATUS_BUSY);
    expect_refused(&m, 2);
    scene_free(&m.e);
}

Test(resend, ends_with_the_message_and_not_later)
{
    struct message m = message_new(60000);
    fail(&m, FAIL_BROKEN);
    world_skip(m.e.w, 59000);
    struct sending s = send_attempt(&m, 1, "one");
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(s.accepted.expires_ms, m.first.accepted.expires_ms);
    person_hello(m.e.w, m.e.bob, 0);
    struct stamp stamp = person_stamp(m.e.bob);
    world_item(m.e.w, 0, &stamp, KIND_CLOSED, 0, &msg_closed_desc, &(struct msg_closed){0}, view_of(NULL, 0));
    world_skip(m.e.w, 2000);
    sweep(m.e.w);
    cr_assert_eq(state(&m).outcome, OUTCOME_EXPIRED);
    cr_assert_eq(state(&m).attempt, 1);
    expect_refused(&m, 2);
    scene_free(&m.e);
}

Test(resend, of_an_expired_one_is_refused_before_and_after_the_sweep)
{
    struct message m = message_new(60000);
    fail(&m, FAIL_BROKEN);
    m.e.w->now.wall_ms += 61000; /* no sweep in between */
    m.e.w->now.mono_ms += 61000;
    expect_refused(&m, 1);
    world_skip(m.e.w, 1000);
    sweep(m.e.w);
    cr_assert_eq(state(&m).outcome, OUTCOME_EXPIRED);
    expect_refused(&m, 1);
    scene_free(&m.e);
}

Test(resend, is_exempt_from_the_id_s_age_and_a_first_attempt_is_not)
{
    struct message m = message_failed(FAIL_BROKEN);
    world_skip(m.e.w, ID_AGE_MAX_MS + DAY_MS);
    sweep(m.e.w);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    m.id.bytes[15] ^= 0x40;
    cr_assert_eq(send_attempt(&m, 0, "zero").status, STATUS_ID_TIME);
    scene_free(&m.e);
}

Test(resend, passes_the_gate_with_the_present_keys_only)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    struct msg_part part;
    struct msg_send_item stale = item_of(&m, 1, &part, 3);
    person_append(e->w, e->bob, entry_added(e->bob, 44));
    struct sending s = send_item(e, &stale, view_of("one", 3));
    cr_assert_eq(s.status, STATUS_STALE_DEVICES);
    cr_assert_eq(s.item.stale->missing_count, 0, "nobody is missing in a resend");
    cr_assert_eq(s.item.stale->extra_count + s.item.stale->changed_count + s.item.stale->revoked_count, 0);
    cr_assert_eq(s.item.stale->entry_count, 1);
    cr_assert_eq(state(&m).state, DELIVERY_FAILED);
    stale.key_version = 9;
    cr_assert_eq(send_item(e, &stale, view_of("one", 3)).status, STATUS_RELAY_BEHIND);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK, "not to the new device, which has none of it");
    scene_free(e);
}

Test(resend, to_a_device_that_is_revoked_or_was_never_addressed_is_refused)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    person_append(e->w, e->bob, entry_added(e->bob, 44));
    struct device_id other = e->bob->log.devices[1].id, own = e->bob->device;
    e->bob->device = other;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_REFUSED, "it is none of the first attempt's");
    e->bob->device = own;
    person_append(e->w, e->bob, entry_of(e->bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = own}));
    struct sending s = send_attempt(&m, 1, "one");
    cr_assert_eq(s.status, STATUS_STALE_DEVICES);
    cr_assert_eq(s.item.stale->revoked_count, 1);
    scene_free(e);
}

Test(resend, of_another_content_is_refused)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct msg_part part;
    struct msg_send_item item = item_of(&m, 1, &part, 3);
    item.commitment.bytes[31] ^= 1;
    cr_assert_eq(send_item(&m.e, &item, view_of("one", 3)).status, STATUS_REFUSED);
    item.sealed = false;
    memset(&item.commitment, 0, sizeof item.commitment);
    cr_assert_eq(send_item(&m.e, &item, view_of("one", 3)).status, STATUS_REFUSED, "nor as an opaque one");
    item.sealed = true;
    item.commitment = commitment;
    cr_assert_eq(send_item(&m.e, &item, view_of("one", 3)).status, STATUS_OK);
    scene_free(&m.e);
}

Test(resend, to_nobody_is_malformed)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct msg_part part;
    struct msg_send_item item = item_of(&m, 1, &part, 3);
    item.part_count = 0;
    cr_assert_eq(send_item(&m.e, &item, view_of(NULL, 0)).status, STATUS_MALFORMED);
    scene_free(&m.e);
}

Test(resend, survives_a_crash_with_all_that_belongs_to_it)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    world_restart(e->w); /* between the failure and the resend */
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    world_restart(e->w); /* and behind it */
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    cr_assert_eq(state(&m).attempt, 1);
    cr_assert_eq(state(&m).state, DELIVERY_QUEUED);
    cr_assert_eq(world_rows(e->w, SPACE_PAYLOAD, ROW_PARKED), 0);
    cr_assert_eq(person_hello(e->w, e->bob, 0), STATUS_OK);
    cr_assert_eq(e->bob->got_count, 1);
    cr_assert(e->bob->got[0].item.attempt == 1 && view_equal(e->bob->got[0].body, view_of("one", 3)));
    expect_refused(&m, 2);
    person_ack(e->w, e->bob, 1);
    cr_assert_eq(state(&m).outcome, OUTCOME_SETTLED);
    scene_free(e);
}

/* The group of the resend is lost: as if it had never come. */
Test(resend, whose_group_was_never_written_has_changed_nothing)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    struct msg_part part;
    struct msg_send_item item = item_of(&m, 1, &part, 3);
    struct buffer encoded = {0};
    struct stamp stamp = person_stamp(e->ann);
    codec_encode(&msg_send_item_desc, &item, &encoded);
    struct view raw = arena_copy(&e->w->arena, buffer_view(&encoded));
    buffer_fini(&encoded);
    struct msg_send send = {.items = &raw, .item_count = 1};
    world_ask(e->w, 0, &stamp, KIND_SEND, &msg_send_desc, &send, view_of("one", 3));
    world_give(e->w);
    cr_assert_eq(storage_turn(e->w->core, e->w->now), STATUS_OK);
    world_restart(e->w); /* before its commit */
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    cr_assert_eq(state(&m).state, DELIVERY_FAILED);
    cr_assert_eq(state(&m).attempt, 0);
    cr_assert_eq(world_rows(e->w, SPACE_PAYLOAD, ROW_PARKED), 1);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    scene_free(e);
}

/* Each attempt is held, comes back elsewhere, and then fails: the longest way there is. */
Test(resend, is_found_through_all_places_of_all_attempts)
{
    struct message m = message_new(0);
    struct scene *e = &m.e;
    e->bob->reoffer_held = true;
    for (uint32_t attempt = 0; attempt <= RESENDS_MAX; attempt++) {
        if (attempt) cr_assert_eq(send_attempt(&m, attempt, "again").status, STATUS_OK);
        fail(&m, FAIL_HELD);
        cr_assert_eq(person_hello(e->w, e->bob, 0), STATUS_OK);
        cr_assert_eq(state(&m).state, DELIVERY_OFFERED);
        cr_assert_eq(state(&m).attempt, attempt);
        fail(&m, FAIL_BROKEN);
    }
    world_restart(e->w);
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    cr_assert(state(&m).state == DELIVERY_FAILED && state(&m).reason == FAIL_BROKEN);
    cr_assert_eq(state(&m).attempt, RESENDS_MAX);
    scene_free(e);
}

Test(resend, needs_room_and_the_one_it_replaces_makes_some)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    e->w->core->config.mailbox_messages = 2;
    cr_assert_eq(person_send(e->w, e->ann, e->bob, 10).status, STATUS_OK);
    cr_assert_eq(person_send(e->w, e->ann, e->bob, 10).status, STATUS_MAILBOX_FULL);
    e->w->core->config.mailbox_bytes = 11;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_MAILBOX_FULL);
    cr_assert_eq(state(&m).state, DELIVERY_FAILED);
    e->w->core->config.mailbox_bytes = 100;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    cr_assert_eq(e->w->core->counters.queued_messages, 2);
    scene_free(e);
}

Test(resend, waits_while_the_disk_is_nearly_full)
{
    struct message m = message_failed(FAIL_BROKEN);
    m.e.w->core->state = STORE_READONLY;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_STORE_READONLY);
    m.e.w->core->state = STORE_SERVING;
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    scene_free(&m.e);
}

Test(resend, of_what_the_relay_has_damaged_carries_the_old_bytes)
{
    struct message m = {.e = scene_new(false)};
    struct scene *e = &m.e;
    m.id = world_id(e->w);
    m.first = send_attempt(&m, 0, "zero");
    struct position at = {m.first.accepted.parts[0].term, m.first.accepted.parts[0].seq};
    struct store_key key = key_position(ROW_ENVELOPE, home_of_account(e->bob->account), e->bob->device, at);
    struct envelope_row row = {.target = target_of_account(e->bob->account), .id = m.id, .sealed = true,
                               .sender_device = e->ann->device, .expires_ms = UINT64_MAX};
    struct store_batch batch = {0};
    store_batch_put(&batch, &e->w->arena, SPACE_PAYLOAD, arena_copy(&e->w->arena, key_view(&key)),
                    envelope_row_write(&e->w->arena, &row), view_of("zorro", 5));
    cr_assert_eq(store_write(e->w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    cr_assert_eq(person_hello(e->w, e->bob, 0), STATUS_OK);
    cr_assert_eq(e->bob->got_count, 0);
    cr_assert(state(&m).state == DELIVERY_FAILED && state(&m).reason == FAIL_DAMAGED);
    cr_assert_eq(send_attempt(&m, 1, "zero").status, STATUS_OK);
    person_read(e->w, e->bob);
    cr_assert(e->bob->got_count == 1 && view_equal(e->bob->got[0].body, view_of("zero", 4)));
    person_ack(e->w, e->bob, 1);
    cr_assert_eq(state(&m).outcome, OUTCOME_SETTLED);
    scene_free(e);
}

Test(resend, keeps_the_first_claim_until_its_own_outcome_is_old_and_then_all_goes)
{
    struct message m = message_failed(FAIL_BROKEN);
    struct scene *e = &m.e;
    world_skip(e->w, 5 * DAY_MS);
    cr_assert_eq(send_attempt(&m, 1, "one").status, STATUS_OK);
    person_hello(e->w, e->bob, 0);
    world_skip(e->w, 5 * DAY_MS);
    person_ack(e->w, e->bob, 1);
    world_skip(e->w, 7 * DAY_MS);
    sweep(e->w);
    cr_assert_eq(world_claims(e->w), 2);
    cr_assert_eq(state(&m).outcome, OUTCOME_SETTLED);
    world_skip(e->w, 2 * DAY_MS);
    sweep(e->w);
    cr_assert_eq(world_claims(e->w), 0);
    cr_assert_eq(world_rows(e->w, SPACE_ROUTING, ROW_OUTCOME), 1, "which leads from one attempt to the next");
    for (int i = 0; i < 80; i++)
        world_skip(e->w, DAY_MS);
    sweep(e->w);
    cr_assert_eq(world_rows(e->w, SPACE_ROUTING, ROW_OUTCOME), 0);
    scene_free(e);
}
