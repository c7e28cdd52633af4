/* Identity logs at the relay: REGISTER, APPEND, LOOKUP, and what the gate says of a log that has gone on. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static enum status append_status(struct scene *e, const struct person *by, const struct person *of,
                                 struct buffer entry)
{
    struct view view = buffer_view(&entry);
    enum status s = world_status(e->w, append(e->w, by, of->account, &view, 1));
    buffer_fini(&entry);
    return s;
}

static struct buffer rotated(const struct person *p, unsigned keys)
{
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = p->device, .record = p->log.devices[0].record};
    plan.record.identity = keys_make(keys, sk).identity;
    return entry_of(p, plan);
}

static struct buffer described(const struct person *p)
{
    return entry_of(p, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = view_of("name", 4)});
}

static struct msg_found look_up(struct scene *e, const struct person *by, struct account_id account, uint64_t first)
{
    struct stamp stamp = person_stamp(by);
    struct msg_lookup m = {.account = account, .first = first};
    struct msg_found found;
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_LOOKUP, &msg_lookup_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_FOUND, &msg_found_desc, &found);
    return found;
}

/* ---- APPEND ---- */

Test(log, an_entry_is_kept_and_told_also_after_a_crash)
{
    struct scene e = scene_new(true);
    struct buffer entry = rotated(e.bob, 300);
    struct view view = buffer_view(&entry);
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, &view, 1)), STATUS_OK);
    cr_assert_eq(identity_log_append(&e.bob->log, view, &e.w->arena), STATUS_OK);
    cr_assert_eq(world_event(e.w, EVENT_LOG_APPENDED)->code, ENTRY_REPLACE);
    for (int i = 0; i < 2; i++) {
        struct msg_found found = look_up(&e, e.ann, e.bob->account, 0);
        struct msg_log_state state = identity_log_state(&e.bob->log);
        cr_assert_eq(found.entry_count, 2);
        cr_assert(view_equal(found.entries[0], buffer_view(&e.bob->entry)));
        cr_assert(view_equal(found.entries[1], view));
        cr_assert_eq(memcmp(&found.log, &state, sizeof state), 0);
        world_restart(e.w);
        cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    }
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 1).entry_count, 1);
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 2).entry_count, 0);
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 900).entry_count, 0);
    buffer_fini(&entry);
    scene_free(&e);
}

Test(log, the_same_entry_again_is_answered_the_same_and_another_in_its_place_is_stale)
{
    struct scene e = scene_new(true);
    struct buffer first = rotated(e.bob, 300);
    cr_assert_eq(append_status(&e, e.bob, e.bob, rotated(e.bob, 300)), STATUS_OK);
    cr_assert_eq(append_status(&e, e.bob, e.bob, rotated(e.bob, 300)), STATUS_OK, "the same bytes");
    cr_assert_eq(append_status(&e, e.bob, e.bob, rotated(e.bob, 301)), STATUS_STALE_HEAD);
    cr_assert_eq(world_event(e.w, EVENT_LOG_REFUSED)->code, STATUS_STALE_HEAD);
    cr_assert_eq(identity_log_append(&e.bob->log, buffer_view(&first), &e.w->arena), STATUS_OK);
    cr_assert_eq(append_status(&e, e.bob, e.bob, rotated(e.bob, 301)), STATUS_OK, "made anew");
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 0).log.length, 3);
    buffer_fini(&first);
    scene_free(&e);
}

Test(log, two_entries_of_one_turn_for_one_place_are_one_and_a_refusal)
{
    struct scene e = scene_new(true);
    struct stamp stamp = person_stamp(e.bob);
    struct buffer entries[2] = {rotated(e.bob, 300), rotated(e.bob, 301)};
    uint64_t c[2];
    for (size_t i = 0; i < 2; i++) {
        struct view view = buffer_view(&entries[i]);
        struct msg_append m = {.account = e.bob->account, .entries = &view, .entry_count = 1};
        c[i] = world_ask(e.w, 0, &stamp, KIND_APPEND, &msg_append_desc, &m, view_of(NULL, 0));
    }
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c[0]), STATUS_OK);
    cr_assert_eq(world_status(e.w, c[1]), STATUS_STALE_HEAD);
    buffer_fini(&entries[0]);
    buffer_fini(&entries[1]);
    scene_free(&e);
}

/* Whoever carries an entry, its signature is what counts. */
Test(log, anybody_may_hand_over_what_was_signed_and_nobody_what_was_not)
{
    struct scene e = scene_new(true);
    struct buffer forged = rotated(e.bob, 300);
    forged.at[forged.len - 1] ^= 1;
    cr_assert_eq(append_status(&e, e.ann, e.bob, forged), STATUS_BAD_ENTRY);
    cr_assert_eq(append_status(&e, e.ann, e.ann, rotated(e.bob, 300)), STATUS_STALE_HEAD, "into another's log");
    struct person mallory = *e.ann;
    mallory.log = e.bob->log;
    cr_assert_eq(append_status(&e, e.ann, e.bob, rotated(&mallory, 300)), STATUS_REFUSED, "by a stranger's device");
    mallory.device = e.bob->device;
    cr_assert_eq(append_status(&e, e.ann, e.bob, rotated(&mallory, 300)), STATUS_BAD_ENTRY, "in his name");
    cr_assert_eq(world_events(e.w, EVENT_LOG_REFUSED), 4);
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 0).log.length, 1);
    cr_assert_eq(append_status(&e, e.ann, e.bob, rotated(e.bob, 300)), STATUS_OK);
    scene_free(&e);
}

Test(log, entries_are_taken_all_or_none)
{
    struct scene e = scene_new(true);
    struct buffer first = rotated(e.bob, 300);
    struct person ahead = *e.bob;
    cr_assert_eq(identity_log_append(&ahead.log, buffer_view(&first), &e.w->arena), STATUS_OK);
    struct buffer second = rotated(&ahead, 301);
    struct view both[2] = {buffer_view(&first), buffer_view(&second)}, swapped[2] = {both[1], both[0]};
    second.at[second.len - 1] ^= 1;
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, both, 2)), STATUS_BAD_ENTRY);
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 0).log.length, 1);
    second.at[second.len - 1] ^= 1;
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, swapped, 2)), STATUS_BAD_ENTRY, "order");
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, both + 1, 1)), STATUS_RELAY_BEHIND);
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, both, 0)), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, both, 2)), STATUS_OK);
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, e.bob->account, both, 2)), STATUS_OK, "again");
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, 0).log.length, 3);
    buffer_fini(&first);
    buffer_fini(&second);
    scene_free(&e);
}

Test(log, an_account_that_is_not_here_takes_nothing)
{
    struct scene e = scene_new(true);
    struct account_id other = e.bob->account;
    other.bytes[31] ^= 1;
    struct buffer entry = rotated(e.bob, 300);
    struct view view = buffer_view(&entry);
    cr_assert_eq(world_status(e.w, append(e.w, e.bob, other, &view, 1)), STATUS_NOT_FOUND);
    buffer_fini(&entry);
    scene_free(&e);
}

Test(log, a_long_log_is_told_in_pieces)
{
    struct scene e = scene_new(true);
    for (unsigned i = 0; i < 70; i++)
        person_append(e.w, e.bob, rotated(e.bob, 300 + i));
    struct msg_found found = look_up(&e, e.ann, e.bob->account, 0);
    cr_assert_eq(found.entry_count, ENTRIES_PER_FRAME);
    cr_assert_eq(found.log.length, 71);
    cr_assert_eq(look_up(&e, e.ann, e.bob->account, found.entry_count).entry_count, 7);
    scene_free(&e);
}

/* ---- who may have a session ---- */

/* What brokers measure against: by the machine's clock. */
static uint64_t decided_ms(const struct world *w)
{
    struct msg_end_device end = {.decided_ms = 0};
    struct arena arena = {0};
    for (size_t i = 0; i < w->out_count; i++)
        if (w->outs[i].frame.header.kind == KIND_END_DEVICE)
            cr_assert_eq(codec_decode(&msg_end_device_desc, w->outs[i].frame.meta, &arena, &end), STATUS_OK);
    arena_fini(&arena);
    return end.decided_ms;
}

Test(log, a_revoked_device_loses_its_session_and_gets_no_other)
{
    struct scene e = scene_new(true);
    cr_assert_eq(e.w->core->counters.attached, 2);
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE,
                                                                  .subject = e.bob->device}));
    cr_assert_eq(e.w->core->counters.attached, 1);
    cr_assert_eq(world_outs(e.w, KIND_END_DEVICE), 1);
    cr_assert_eq(decided_ms(e.w), e.w->now.mono_ms, "brokers can tell how soon they have cut it");
    cr_assert_eq(world_events(e.w, EVENT_DEVICE_ENDED), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_REFUSED);
    scene_free(&e);
}

Test(log, another_transport_key_ends_the_session_and_another_identity_key_does_not)
{
    struct scene e = scene_new(true);
    uint8_t sk[64];
    person_append(e.w, e.bob, rotated(e.bob, 300));
    cr_assert_eq(world_outs(e.w, KIND_END_DEVICE), 0);
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = e.bob->device,
                              .record = e.bob->log.devices[0].record};
    plan.record.transport = keys_make(301, sk).transport;
    person_append(e.w, e.bob, entry_of(e.bob, plan));
    cr_assert_eq(world_outs(e.w, KIND_END_DEVICE), 1);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_UNAUTHENTICATED, "with the old key");
    e.bob->record.transport = plan.record.transport;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    scene_free(&e);
}

Test(log, welcome_says_how_far_the_log_has_come)
{
    struct scene e = scene_new(true);
    struct msg_welcome welcome;
    person_append(e.w, e.bob, described(e.bob));
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    for (size_t i = 0; i < e.w->out_count; i++)
        if (e.w->outs[i].frame.header.kind == KIND_WELCOME)
            cr_assert_eq(codec_decode(&msg_welcome_desc, e.w->outs[i].frame.meta, &e.w->arena, &welcome), STATUS_OK);
    struct msg_log_state state = identity_log_state(&e.bob->log);
    cr_assert_eq(memcmp(&welcome.log, &state, sizeof state), 0);
    cr_assert_eq(welcome.log.key_version, 1, "a name is no new version");
    scene_free(&e);
}

/* ---- REGISTER ---- */

static enum status register_log(struct scene *e, const struct person *p, const struct view *entries, size_t count,
                                const struct transport_pk *key, struct msg_registered *out)
{
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 99, .transport = *key};
    struct msg_register m = {.entry = buffer_view(&p->entry), .entries = (struct view *)(uintptr_t)entries,
                             .entry_count = count};
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    enum status s = world_status(e->w, c);
    if (s == STATUS_OK) world_decode(e->w, c, KIND_REGISTERED, &msg_registered_desc, out);
    return s;
}

Test(log, a_store_that_lost_the_account_gets_its_whole_log_back)
{
    struct scene e = scene_new(true);
    struct msg_registered done;
    struct buffer added = entry_added(e.bob, 300);
    struct view entry = buffer_view(&added);
    struct transport_pk first = e.bob->record.transport, second, stranger = {{9}};
    cr_assert_eq(identity_log_append(&e.bob->log, entry, &e.w->arena), STATUS_OK);
    second = e.bob->log.devices[1].record.transport;
    cr_assert_eq(register_log(&e, e.bob, NULL, 0, &second, &done), STATUS_UNAUTHENTICATED, "not its device yet");
    cr_assert_eq(register_log(&e, e.bob, &entry, 1, &stranger, &done), STATUS_UNAUTHENTICATED);
    cr_assert_eq(register_log(&e, e.bob, &entry, 1, &second, &done), STATUS_OK);
    cr_assert_eq(done.log.length, 2);
    cr_assert_eq(register_log(&e, e.bob, NULL, 0, &first, &done), STATUS_OK, "what it has it keeps");
    cr_assert_eq(done.log.length, 2);
    cr_assert(device_equal(done.device, e.bob->device));
    buffer_fini(&added);
    scene_free(&e);
}

Test(log, keys_that_are_none_found_no_account)
{
    struct scene e = scene_new(false);
    struct person p = *e.bob;
    struct msg_registered done;
    p.entry = (struct buffer){0};
    memset(p.record.identity.bytes, 0, 32);
    founding_make(&p.record, p.signing_sk, 1, e.bob->record.signing.bytes, &p.entry);
    cr_assert_eq(register_log(&e, &p, NULL, 0, &p.record.transport, &done), STATUS_BAD_ENTRY);
    buffer_fini(&p.entry);
    scene_free(&e);
}

/* ---- the gate ---- */

static struct sending send_as_known(struct scene *e, const struct identity_log *known)
{
    struct msg_part parts[DEVICES_PER_ACCOUNT];
    struct msg_send_item item = {.id = world_id(e->w), .target = target_of_account(known->account),
                                 .key_version = known->key_version, .head = known->version_head, .parts = parts};
    for (size_t i = 0; i < known->device_count; i++)
        if (known->devices[i].standing == STANDING_ACTIVE)
            parts[item.part_count++] = (struct msg_part){known->devices[i].id, 1};
    return send_item(e, &item, view_of("aaaaaaaaaaaaaaaa", item.part_count));
}

Test(gate, says_who_is_missing_extra_changed_and_revoked_and_proves_it)
{
    struct scene e = scene_new(true);
    struct identity_log known;
    person_append(e.w, e.bob, entry_added(e.bob, 301));
    person_append(e.w, e.bob, entry_added(e.bob, 302));
    known = e.bob->log;
    person_append(e.w, e.bob, rotated(e.bob, 300));
    person_append(e.w, e.bob, described(e.bob));
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE,
                                                                  .subject = known.devices[1].id}));
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_SUSPEND,
                                                                  .subject = known.devices[2].id}));
    person_append(e.w, e.bob, entry_added(e.bob, 303));
    struct sending s = send_as_known(&e, &known);
    cr_assert_eq(s.status, STATUS_STALE_DEVICES);
    const struct msg_stale *stale = s.item.stale;
    cr_assert(stale->missing_count == 1 && device_equal(stale->missing[0].device, e.bob->log.devices[3].id));
    cr_assert(stale->extra_count == 1 && device_equal(stale->extra[0].device, known.devices[2].id));
    cr_assert(stale->changed_count == 1 && device_equal(stale->changed[0].device, known.devices[0].id));
    cr_assert(stale->revoked_count == 1 && device_equal(stale->revoked[0].device, known.devices[1].id));
    cr_assert_eq(stale->entry_count, 5);
    for (size_t i = 0; i < stale->entry_count; i++)
        cr_assert_eq(identity_log_append(&known, stale->entries[i], &e.w->arena), STATUS_OK);
    struct msg_log_state state = identity_log_state(&known);
    cr_assert_eq(memcmp(&stale->log, &state, sizeof state), 0);
    cr_assert_eq(send_as_known(&e, &known).status, STATUS_OK);
    scene_free(&e);
}

Test(gate, a_name_makes_no_send_stale)
{
    struct scene e = scene_new(true);
    struct identity_log known = e.bob->log;
    person_append(e.w, e.bob, described(e.bob));
    cr_assert_eq(send_as_known(&e, &known).status, STATUS_OK);
    scene_free(&e);
}

Test(gate, the_answer_proves_it_also_where_the_account_was_not_in_memory)
{
    struct scene e = scene_new(true);
    struct identity_log known = e.bob->log;
    person_append(e.w, e.bob, rotated(e.bob, 300));
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    struct sending s = send_as_known(&e, &known);
    cr_assert_eq(s.status, STATUS_STALE_DEVICES);
    cr_assert_eq(s.item.stale->entry_count, 1);
    scene_free(&e);
}

Test(gate, an_account_without_devices_is_no_target)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE,
                                                                  .subject = e.bob->device}));
    cr_assert_eq(send_as_known(&e, &e.bob->log).status, STATUS_REFUSED);
    scene_free(&e);
}

/* Sixty-four stale sends of a frame: the answer fits it, with fewer entries. */
Test(gate, an_answer_never_outgrows_its_frame)
{
    struct scene e = scene_new(true);
    struct stamp stamp = person_stamp(e.ann);
    struct msg_part part = {e.bob->device, 1};
    struct buffer bytes[SENDS_PER_FRAME] = {0};
    struct view items[SENDS_PER_FRAME];
    struct msg_sent sent;
    char body[SENDS_PER_FRAME];
    memset(body, 'x', sizeof body);
    for (unsigned i = 0; i < 63; i++)
        person_append(e.w, e.bob, rotated(e.bob, 300 + i));
    for (size_t i = 0; i < SENDS_PER_FRAME; i++) {
        struct msg_send_item item = {.id = world_id(e.w), .target = target_of_account(e.bob->account), .parts = &part,
                                     .part_count = 1};
        codec_encode(&msg_send_item_desc, &item, &bytes[i]);
        items[i] = buffer_view(&bytes[i]);
    }
    struct msg_send m = {.items = items, .item_count = SENDS_PER_FRAME};
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_SEND, &msg_send_desc, &m, view_of(body, sizeof body));
    world_run(e.w);
    world_decode(e.w, c, KIND_SENT, &msg_sent_desc, &sent);
    for (size_t i = 0; i < SENDS_PER_FRAME; i++) {
        cr_assert_eq(sent.items[i].status, STATUS_STALE_DEVICES);
        cr_assert_eq(sent.items[i].stale->log.length, 64, "the rest can be looked up");
        buffer_fini(&bytes[i]);
    }
    cr_assert_gt(sent.items[0].stale->entry_count, 30);
    scene_free(&e);
}
