/* Whom an account lets write to it: each answer of the table, what a stranger may, and that a block holds from its commit on. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static enum status set(struct world *w, const struct person *by, enum contact_mode mode, const struct person *other,
                       enum contact_verdict verdict)
{
    struct msg_contact item = {.verdict = (uint32_t)verdict};
    if (other) item.account = other->account;
    struct msg_contacts_set m = {.mode = (uint32_t)mode, .items = &item, .item_count = other != NULL};
    struct stamp stamp = person_stamp(by);
    uint64_t c = world_ask(w, by->broker, &stamp, KIND_CONTACTS_SET, &msg_contacts_set_desc, &m, view_of(NULL, 0));
    world_run(w);
    return world_status(w, c);
}

static void say(struct scene *e, enum contact_verdict verdict)
{
    cr_assert_eq(set(e->w, e->bob, CONTACT_MODE_UNCHANGED, e->ann, verdict), STATUS_OK);
}

static void requests_on(struct scene *e)
{
    cr_assert_eq(set(e->w, e->bob, CONTACT_MODE_REQUESTS, NULL, CONTACT_NONE), STATUS_OK);
}

static enum status sent(struct scene *e)
{
    return person_send(e->w, e->ann, e->bob, 10).status;
}

Test(policy, each_mode_and_verdict_has_its_answer)
{
    static const struct { enum contact_mode mode; enum contact_verdict verdict; enum status first, second; } cases[] = {
        {CONTACT_MODE_OPEN, CONTACT_NONE, STATUS_OK, STATUS_OK},
        {CONTACT_MODE_OPEN, CONTACT_ALLOWED, STATUS_OK, STATUS_OK},
        {CONTACT_MODE_OPEN, CONTACT_BLOCKED, STATUS_NOT_ACCEPTED, STATUS_NOT_ACCEPTED},
        {CONTACT_MODE_REQUESTS, CONTACT_NONE, STATUS_OK, STATUS_NOT_ACCEPTED},
        {CONTACT_MODE_REQUESTS, CONTACT_ALLOWED, STATUS_OK, STATUS_OK},
        {CONTACT_MODE_REQUESTS, CONTACT_BLOCKED, STATUS_NOT_ACCEPTED, STATUS_NOT_ACCEPTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int restart = 0; restart < 2; restart++) {
            struct scene e = scene_new(true);
            cr_assert_eq(set(e.w, e.bob, cases[i].mode, e.ann, cases[i].verdict), STATUS_OK);
            if (restart) {
                world_restart(e.w);
                cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
            }
            cr_assert_eq(sent(&e), cases[i].first, "case %zu, first", i);
            cr_assert_eq(sent(&e), cases[i].second, "case %zu, second", i);
            scene_free(&e);
        }
    }
}

Test(policy, nobody_who_has_set_nothing_has_a_row_or_a_load)
{
    struct scene e = scene_new(true);
    cr_assert_eq(sent(&e), STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_POLICY) + world_rows(e.w, SPACE_IDENTITY, ROW_CONTACT), 0);
    struct message_id id = world_id(e.w);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, world_text(e.w, id, 10), 0, NULL);
    world_give(e.w);
    storage_begin(e.w->core, e.w->now);
    cr_assert_not(storage_needs_store(e.w->core), "a known pair, and nothing to be read");
    cr_assert_eq(storage_apply(e.w->core), STATUS_OK);
    storage_seal(e.w->core);
    cr_assert_eq(storage_commit(e.w->core), STATUS_OK);
    storage_finish(e.w->core, e.w->now);
    person_send_end(e.w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    scene_free(&e);
}

Test(policy, what_was_said_is_read_once)
{
    struct scene e = scene_new(true);
    requests_on(&e);
    say(&e, CONTACT_ALLOWED);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK);
    struct message_id id = world_id(e.w);
    struct sending s = person_send_begin(e.w, e.ann, e.bob, id, world_text(e.w, id, 10), 0, NULL);
    world_give(e.w);
    storage_begin(e.w->core, e.w->now);
    cr_assert_not(storage_needs_store(e.w->core));
    cr_assert_eq(storage_apply(e.w->core), STATUS_OK);
    storage_seal(e.w->core);
    cr_assert_eq(storage_commit(e.w->core), STATUS_OK);
    storage_finish(e.w->core, e.w->now);
    person_send_end(e.w, &s);
    cr_assert_eq(s.status, STATUS_OK);
    scene_free(&e);
}

Test(policy, a_block_keeps_what_was_accepted_and_refuses_what_comes)
{
    struct scene e = scene_new(false);
    struct sending before = person_send_id(e.w, e.ann, e.bob, world_id(e.w), "before");
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    say(&e, CONTACT_BLOCKED);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    cr_assert_eq(world_event(e.w, EVENT_REQUEST_REFUSED)->code, STRANGER_BLOCKED);
    cr_assert_eq(world_claims(e.w), 1, "a refusal writes no claim");
    cr_assert_eq(e.bob->got_count, 1);
    struct sending again = person_send_id(e.w, e.ann, e.bob, before.id, "before");
    cr_assert_eq(again.status, STATUS_OK);
    cr_assert(view_equal(again.answer, before.answer), "what was accepted stays so");
    say(&e, CONTACT_NONE);
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}

/* In one turn, in either order: who comes first is first. */
Test(policy, a_block_and_a_send_of_one_turn_are_in_order)
{
    for (int block_first = 0; block_first < 2; block_first++) {
        struct scene e = scene_new(true);
        struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_BLOCKED};
        struct msg_contacts_set m = {.items = &item, .item_count = 1};
        struct stamp stamp = person_stamp(e.bob);
        struct message_id id = world_id(e.w);
        struct sending s = {.id = id};
        if (!block_first) s = person_send_begin(e.w, e.ann, e.bob, id, world_text(e.w, id, 10), 0, NULL);
        world_ask(e.w, 0, &stamp, KIND_CONTACTS_SET, &msg_contacts_set_desc, &m, view_of(NULL, 0));
        if (block_first) s = person_send_begin(e.w, e.ann, e.bob, id, world_text(e.w, id, 10), 0, NULL);
        world_give(e.w);
        world_turn(e.w);
        world_run(e.w);
        person_send_end(e.w, &s);
        cr_assert_eq(s.status, block_first ? STATUS_NOT_ACCEPTED : STATUS_OK);
        cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
        scene_free(&e);
    }
}

Test(policy, a_block_that_was_not_synced_is_none)
{
    struct scene e = scene_new(true);
    struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_BLOCKED};
    struct msg_contacts_set m = {.items = &item, .item_count = 1};
    struct stamp stamp = person_stamp(e.bob);
    memory_disk_fail_write(e.w->disk, 1, false);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_CONTACTS_SET, &msg_contacts_set_desc, &m, view_of(NULL, 0));
    world_give(e.w);
    cr_assert_eq(storage_turn(e.w->core, e.w->now), STATUS_OK);
    cr_assert_neq(storage_commit(e.w->core), STATUS_OK);
    cr_assert_null(world_reply(e.w, c));
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}

Test(policy, a_request_waits_for_a_decision)
{
    struct scene e = scene_new(true);
    requests_on(&e);
    cr_assert_eq(sent(&e), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    cr_assert_eq(world_event(e.w, EVENT_REQUEST_REFUSED)->code, STRANGER_ASKED);
    person_read(e.w, e.bob);
    person_ack(e.w, e.bob, 1);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED, "that it was taken is no decision");
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    say(&e, CONTACT_ALLOWED);
    cr_assert_eq(sent(&e), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK);
    say(&e, CONTACT_NONE);
    cr_assert_eq(sent(&e), STATUS_OK, "withdrawn: a stranger again, with one request");
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    cr_assert_eq(set(e.w, e.bob, CONTACT_MODE_OPEN, NULL, CONTACT_NONE), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}

Test(policy, a_message_that_found_no_room_was_no_request)
{
    struct scene e = scene_new(true);
    requests_on(&e);
    e.w->core->config.mailbox_messages = 0;
    cr_assert_eq(sent(&e), STATUS_MAILBOX_FULL);
    e.w->core->config.mailbox_messages = 100;
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}

Test(policy, strangers_have_so_many_places_and_lose_them_in_time)
{
    struct scene e = scene_new(true);
    struct person *crowd[REQUEST_SENDERS_MAX];
    requests_on(&e);
    for (unsigned i = 0; i < REQUEST_SENDERS_MAX; i++) {
        crowd[i] = person_new(e.w, 100 + i);
        cr_assert_eq(person_hello(e.w, crowd[i], 0), STATUS_OK);
        cr_assert_eq(person_send(e.w, crowd[i], e.bob, 5).status, STATUS_OK);
        cr_assert_eq(person_send(e.w, crowd[i], e.bob, 5).status, STATUS_NOT_ACCEPTED);
    }
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    cr_assert_eq(world_event(e.w, EVENT_REQUEST_REFUSED)->code, STRANGER_TOO_MANY);
    cr_assert_eq(set(e.w, e.bob, CONTACT_MODE_UNCHANGED, crowd[7], CONTACT_BLOCKED), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK, "one was decided");
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    world_skip(e.w, REQUEST_KEEP_MS);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_hello(e.w, crowd[7], 0), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK, "all places are free again");
    cr_assert_eq(person_send(e.w, crowd[7], e.bob, 5).status, STATUS_NOT_ACCEPTED, "a block does not end");
    for (unsigned i = 0; i < REQUEST_SENDERS_MAX; i++)
        person_free(crowd[i]);
    scene_free(&e);
}

/* The other devices of the account are no strangers, whatever it says. */
Test(policy, own_devices_are_never_strangers)
{
    struct scene e = scene_new(true);
    struct person *phone = person_new(e.w, 9);
    uint8_t sk[64];
    requests_on(&e);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    phone->record = keys_make(300, sk);
    phone->account = e.bob->account;
    phone->device = e.bob->log.devices[1].id;
    cr_assert_eq(person_hello(e.w, phone, 0), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        struct msg_part part = {.device = e.bob->device, .len = 2};
        struct msg_log_state log = identity_log_state(&e.bob->log);
        struct msg_send_item item = {.id = world_id(e.w), .target = target_of_account(e.bob->account), .parts = &part,
                                     .part_count = 1, .key_version = log.key_version, .head = log.version_head};
        struct scene own = {e.w, phone, e.bob};
        cr_assert_eq(send_item(&own, &item, view_of("me", 2)).status, STATUS_OK);
    }
    person_free(phone);
    scene_free(&e);
}

/* ---- resends ---- */

static const struct hash256 commitment = {{7}};

static struct sending attempt(struct scene *e, struct message_id id, uint32_t n)
{
    struct msg_part part = {.device = e->bob->device, .len = 4};
    struct msg_send_item item = {.id = id, .target = target_of_account(e->bob->account), .parts = &part, .part_count = 1,
                                 .key_version = 1, .head = e->bob->head, .attempt = n, .sealed = true,
                                 .commitment = commitment};
    return send_item(e, &item, view_of("text", 4));
}

static struct message_id failed_message(struct scene *e)
{
    struct message_id id = world_id(e->w);
    cr_assert_eq(attempt(e, id, 0).status, STATUS_OK);
    person_read(e->w, e->bob);
    struct position at = person_at(e->bob, e->bob->got_count - 1);
    struct msg_failure failed = {at.term, at.seq, FAIL_BROKEN, {0}};
    person_ack_begin(e->w, e->bob, at, at, &failed, 1);
    world_run(e->w);
    return id;
}

Test(policy, a_request_may_be_made_good)
{
    struct scene e = scene_new(true);
    requests_on(&e);
    struct message_id id = failed_message(&e);
    cr_assert_eq(attempt(&e, id, 1).status, STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    scene_free(&e);
}

Test(policy, who_is_blocked_makes_nothing_good)
{
    struct scene e = scene_new(true);
    struct message_id id = failed_message(&e);
    say(&e, CONTACT_BLOCKED);
    cr_assert_eq(attempt(&e, id, 1).status, STATUS_NOT_ACCEPTED);
    say(&e, CONTACT_NONE);
    cr_assert_eq(attempt(&e, id, 1).status, STATUS_OK);
    scene_free(&e);
}

/* ---- what cannot be read ---- */

static void damage(struct scene *e, struct store_key key)
{
    world_damage(e->w, SPACE_IDENTITY, key);
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
    cr_assert_eq(person_hello(e->w, e->bob, 0), STATUS_OK);
}

Test(policy, a_damaged_policy_takes_requests_until_it_is_said_anew)
{
    struct scene e = scene_new(true);
    cr_assert_eq(set(e.w, e.bob, CONTACT_MODE_OPEN, e.ann, CONTACT_BLOCKED), STATUS_OK);
    damage(&e, key_policy(e.bob->account));
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED, "what was said of one is a row of its own");
    cr_assert_geq(world_events(e.w, EVENT_STORE_DAMAGED), 1);
    say(&e, CONTACT_NONE);
    cr_assert_eq(sent(&e), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_NOT_ACCEPTED);
    cr_assert_eq(set(e.w, e.bob, CONTACT_MODE_OPEN, NULL, CONTACT_NONE), STATUS_OK);
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}

Test(policy, a_damaged_word_about_one_is_busy_until_it_is_said_anew)
{
    struct scene e = scene_new(true);
    say(&e, CONTACT_ALLOWED);
    damage(&e, key_contact(e.bob->account, e.ann->account));
    cr_assert_eq(sent(&e), STATUS_BUSY);
    say(&e, CONTACT_ALLOWED);
    cr_assert_eq(sent(&e), STATUS_OK);
    scene_free(&e);
}
