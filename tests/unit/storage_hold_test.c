/* Holds: who is held has no session and signs nothing, on every way in; messages wait; others are not touched; and it is so
 * after a restart. And what operators are told of devices and their changes. */
#include "broker/wire/states.h"
#include "tests/unit/storage_fixture.h"

#include <stdlib.h>
#include <string.h>

static const struct device_id whole;

static struct msg_holds_are ask(struct scene *e, enum hold_action action, struct account_id account,
                                struct device_id device, uint32_t reason)
{
    struct msg_hold m = {.account = account, .device = device, .action = action, .reason = reason};
    struct msg_holds_are are;
    uint64_t c = world_ask(e->w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_HOLD, &msg_hold_desc, &m,
                           view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_HOLDS_ARE, &msg_holds_are_desc, &are);
    return are;
}

static bool hold(struct scene *e, struct device_id device)
{
    return ask(e, HOLD_PLACE, e->bob->account, device, HOLD_TAKEOVER).changed;
}

static bool release(struct scene *e, struct device_id device)
{
    return ask(e, HOLD_RELEASE, e->bob->account, device, 0).changed;
}

static enum status refusal(struct scene *e, const struct msg_hold *m)
{
    uint64_t c = world_ask(e->w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_HOLD, &msg_hold_desc, m,
                           view_of(NULL, 0));
    world_run(e->w);
    return world_status(e->w, c);
}

static enum status registers(struct scene *e, const struct person *p)
{
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 4711, .transport = p->record.transport};
    struct msg_register m = {.entry = buffer_view(&p->entry)};
    uint64_t c = world_ask(e->w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    return world_status(e->w, c);
}

/* A second device of bob's, as a person of its own. */
static struct person *bob_adds(struct scene *e, unsigned keys)
{
    struct person *p = calloc(1, sizeof *p);
    person_append(e->w, e->bob, entry_added(e->bob, keys));
    p->record = keys_make(keys, p->signing_sk);
    p->account = e->bob->account;
    p->log = e->bob->log;
    p->head = e->bob->head;
    p->device = e->bob->log.devices[e->bob->log.device_count - 1].id;
    return p;
}

static enum status appends(struct scene *e, const struct person *by, struct buffer entry)
{
    struct view view = buffer_view(&entry);
    enum status s = world_status(e->w, append(e->w, by, e->bob->account, &view, 1));
    buffer_fini(&entry);
    return s;
}

static struct buffer revoked_by(const struct person *signer, const struct identity_log *log, struct device_id subject)
{
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_REVOKE, .signer = signer->device, .subject = subject};
    identity_log_make(log, &plan, signer->signing_sk, &entry);
    return entry;
}

/* ---- sessions and messages ---- */

Test(hold, a_held_account_is_cut_and_kept_out_and_its_messages_wait)
{
    struct scene e = scene_new(true);
    size_t cut = world_outs(e.w, KIND_END_DEVICE);
    cr_assert(hold(&e, whole));
    cr_assert_gt(world_outs(e.w, KIND_END_DEVICE), cut, "every broker is told");
    cr_assert_eq(world_event(e.w, EVENT_HOLD_PLACED)->code, HOLD_TAKEOVER);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_ON_HOLD);
    struct mark knocks = mark_device(&e.w->config.mark_key, e.bob->device);
    cr_assert_eq(memcmp(&world_event(e.w, EVENT_AUTH_REFUSED)->device, &knocks, sizeof knocks), 0, "operators see who knocks");
    cr_assert_eq(registers(&e, e.bob), STATUS_ON_HOLD);
    struct sending s = person_send_id(e.w, e.ann, e.bob, world_id(e.w), "are you there?");
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(person_state(e.w, e.ann, e.bob, s.id).state, DELIVERY_QUEUED);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_ON_HOLD);
    cr_assert(release(&e, whole));
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(e.bob->got_count, 1);
    cr_assert(view_equal(e.bob->got[0].body, view_of("are you there?", 14)));
    cr_assert_eq(registers(&e, e.bob), STATUS_OK);
    scene_free(&e);
}

Test(hold, support_sees_that_a_message_waits_for_it)
{
    for (int all = 0; all < 2; all++) {
        struct scene e = scene_new(true);
        struct device_id held = all ? whole : e.bob->device;
        cr_assert(hold(&e, held));
        struct sending s = person_send_id(e.w, e.ann, e.bob, world_id(e.w), "are you there?");
        cr_assert_eq(world_explain(e.w, e.ann, e.bob, s.id), EXPLAIN_WAITING_ON_HOLD);
        cr_assert(release(&e, held));
        cr_assert_eq(world_explain(e.w, e.ann, e.bob, s.id), EXPLAIN_WAITING_OFFLINE);
        scene_free(&e);
    }
}

Test(hold, of_one_device_leaves_the_others_alone)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    cr_assert_eq(person_hello(e.w, second, 0), STATUS_OK);
    cr_assert(hold(&e, second->device));
    cr_assert_eq(person_hello(e.w, second, 0), STATUS_ON_HOLD);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(registers(&e, e.bob), STATUS_OK);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, second, 0), STATUS_ON_HOLD);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    free(second);
    scene_free(&e);
}

/* A stranger must not learn who is held. */
Test(hold, is_told_to_nobody_without_the_devices_key)
{
    struct scene e = scene_new(true);
    hold(&e, whole);
    struct transport_pk own = e.bob->record.transport;
    e.bob->record.transport = e.ann->record.transport;
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_UNAUTHENTICATED);
    struct mark nobody = {{0}};
    cr_assert_eq(memcmp(&world_event(e.w, EVENT_AUTH_REFUSED)->device, &nobody, sizeof nobody), 0, "nor accuse anybody");
    cr_assert_eq(registers(&e, e.bob), STATUS_UNAUTHENTICATED);
    e.bob->record.transport = own;
    scene_free(&e);
}

static struct buffer spoilt(struct buffer entry)
{
    struct arena a = {0};
    struct msg_entry e;
    cr_assert_eq(codec_decode(&msg_entry_desc, buffer_view(&entry), &a, &e), STATUS_OK);
    struct buffer out = {0};
    e.signature.bytes[0] ^= 1;
    codec_encode(&msg_entry_desc, &e, &out);
    arena_fini(&a);
    buffer_fini(&entry);
    return out;
}

/* Nor by entries that nobody has signed: they are answered as where nobody is held. */
Test(hold, is_told_to_nobody_who_makes_entries_up)
{
    struct scene e = scene_new(true);
    struct person stranger = {.broker = 0};
    stranger.record = keys_make(800, stranger.signing_sk);
    struct msg_device_record record = stranger.record;
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = e.bob->device, .record = record};
    for (unsigned held = 0; held < 2; held++) {
        struct buffer entry = {0};
        if (held) hold(&e, whole);
        cr_assert_eq(appends(&e, e.ann, spoilt(revoked_by(e.bob, &e.bob->log, e.bob->device))), STATUS_BAD_ENTRY);
        device_prove(e.bob->account, &record, stranger.signing_sk, &plan.proof);
        identity_log_make(&e.bob->log, &plan, stranger.signing_sk, &entry);
        struct view view = buffer_view(&entry);
        struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 4712, .transport = record.transport};
        struct msg_register m = {.entry = buffer_view(&e.bob->entry), .entries = &view, .entry_count = 1};
        uint64_t c = world_ask(e.w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
        world_run(e.w);
        cr_assert_eq(world_status(e.w, c), STATUS_BAD_ENTRY, "held: %u", held);
        buffer_fini(&entry);
    }
    scene_free(&e);
}

/* The worker died between the hold's commit and the broker's hearing of it: the session is listed, and ends. */
Test(hold, a_session_that_a_broker_brings_along_ends)
{
    struct scene e = scene_new(true);
    struct stamp stamp = person_stamp(e.bob);
    hold(&e, whole);
    world_crash(e.w);
    struct stamp peer = {.origin = ORIGIN_PEER};
    struct msg_peer m = {.boot = e.w->boots[0]};
    struct msg_session session = {.attached = true, .credit_messages = 10, .credit_bytes = 100000,
                                  .client_version = view_of("1.0.0", 5)};
    storage_tick(e.w->core, e.w->now);
    world_item(e.w, 0, &peer, KIND_PEER, 0, &msg_peer_desc, &m, view_of(NULL, 0));
    world_item(e.w, 0, &stamp, KIND_SESSION, 0, &msg_session_desc, &session, view_of(NULL, 0));
    world_item(e.w, 0, &peer, KIND_SESSIONS_END, 0, &msg_empty_desc, &(struct msg_empty){0}, view_of(NULL, 0));
    world_give(e.w);
    size_t cut = world_outs(e.w, KIND_END_DEVICE);
    world_pass(e.w, 3000);
    cr_assert_gt(world_outs(e.w, KIND_END_DEVICE), cut);
    scene_free(&e);
}

/* ---- entries ---- */

Test(hold, a_held_device_signs_nothing_and_the_others_still_put_it_out)
{
    struct scene e = scene_new(true);
    struct person *thief = bob_adds(&e, 300);
    hold(&e, thief->device);
    cr_assert_eq(appends(&e, e.ann, revoked_by(thief, &e.bob->log, e.bob->device)), STATUS_ON_HOLD, "whoever carries it");
    cr_assert_eq(world_event(e.w, EVENT_LOG_REFUSED)->code, STATUS_ON_HOLD);
    cr_assert_eq(appends(&e, e.bob, revoked_by(e.bob, &e.bob->log, thief->device)), STATUS_OK);
    cr_assert_eq(person_hello(e.w, thief, 0), STATUS_REFUSED, "what is for ever comes first");
    free(thief);
    scene_free(&e);
}

Test(hold, of_an_account_leaves_entries_to_its_recovery_key)
{
    struct scene e = scene_new(true);
    uint8_t recovery_sk[64];
    struct signing_pk recovery = keys_make(900, recovery_sk).signing;
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_SET_RECOVERY, .recovery = recovery}));
    struct person *second = bob_adds(&e, 300);
    hold(&e, whole);
    cr_assert_eq(appends(&e, e.ann, revoked_by(e.bob, &e.bob->log, second->device)), STATUS_ON_HOLD);
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_REVOKE, .subject = second->device};
    identity_log_make(&e.bob->log, &plan, recovery_sk, &entry);
    cr_assert_eq(appends(&e, e.ann, entry), STATUS_OK);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_ON_HOLD, "and it goes on");
    free(second);
    scene_free(&e);
}

Test(hold, entries_that_the_log_has_are_answered_as_before)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    struct buffer entry = revoked_by(e.bob, &e.bob->log, second->device);
    struct view view = buffer_view(&entry);
    cr_assert_eq(world_status(e.w, append(e.w, e.ann, e.bob->account, &view, 1)), STATUS_OK);
    hold(&e, whole);
    cr_assert_eq(world_status(e.w, append(e.w, e.ann, e.bob->account, &view, 1)), STATUS_OK);
    buffer_fini(&entry);
    free(second);
    scene_free(&e);
}

/* ---- operators ---- */

Test(hold, twice_is_once_and_who_is_not_held_is_not_released)
{
    struct scene e = scene_new(true);
    cr_assert(hold(&e, whole));
    uint64_t since_ms = e.w->now.wall_ms;
    world_pass(e.w, 5000);
    cr_assert_not(hold(&e, whole));
    cr_assert_eq(world_events(e.w, EVENT_HOLD_PLACED), 1);
    struct msg_holds_are are = ask(&e, HOLD_PLACE, e.bob->account, whole, HOLD_LEGAL);
    cr_assert(are.changed);
    cr_assert(are.hold_count == 1 && are.holds[0].reason == HOLD_LEGAL && are.holds[0].since_ms <= since_ms);
    cr_assert(hold(&e, e.bob->device));
    cr_assert(release(&e, whole));
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_ON_HOLD, "the device is held by itself");
    cr_assert_not(release(&e, whole));
    cr_assert(release(&e, e.bob->device));
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_HOLD_RELEASED), 2);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_HOLD), 0);
    scene_free(&e);
}

Test(hold, what_makes_no_sense_is_refused)
{
    struct scene e = scene_new(true);
    cr_assert_eq(refusal(&e, &(struct msg_hold){.account = {{9}}, .action = HOLD_PLACE, .reason = HOLD_ABUSE}),
                 STATUS_NOT_FOUND);
    cr_assert_eq(refusal(&e, &(struct msg_hold){.account = e.bob->account, .device = e.ann->device,
                                                .action = HOLD_PLACE, .reason = HOLD_ABUSE}), STATUS_NOT_FOUND);
    cr_assert_eq(refusal(&e, &(struct msg_hold){.account = e.bob->account, .action = HOLD_PLACE}), STATUS_MALFORMED);
    cr_assert_eq(refusal(&e, &(struct msg_hold){.account = e.bob->account, .action = HOLD_PLACE,
                                                .reason = HOLD_UNREADABLE}), STATUS_MALFORMED);
    cr_assert_eq(refusal(&e, &(struct msg_hold){.account = e.bob->account, .action = 9}), STATUS_MALFORMED);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_HOLD), 0);
    struct stamp edge = person_stamp(e.ann);
    struct msg_hold m = {.account = e.bob->account, .action = HOLD_PLACE, .reason = HOLD_ABUSE};
    uint64_t c = world_ask(e.w, 0, &edge, KIND_HOLD, &msg_hold_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_UNSUPPORTED, "a device is no operator");
    scene_free(&e);
}

Test(hold, all_are_listed_in_pieces)
{
    struct scene e = scene_new(true);
    struct person *more[HOLD_ROWS_PER_FRAME];
    struct msg_hold m = {.action = HOLD_LIST};
    struct msg_holds_are are;
    size_t found = 0;
    hold(&e, whole);
    for (unsigned i = 0; i < HOLD_ROWS_PER_FRAME; i++) {
        more[i] = person_new(e.w, 400 + i);
        cr_assert(ask(&e, HOLD_PLACE, more[i]->account, whole, HOLD_ABUSE).changed);
    }
    for (int frames = 1;; frames++) {
        uint64_t c = world_ask(e.w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_HOLD, &msg_hold_desc, &m,
                               view_of(NULL, 0));
        world_run(e.w);
        world_decode(e.w, c, KIND_HOLDS_ARE, &msg_holds_are_desc, &are);
        found += are.hold_count;
        m.cursor = are.cursor;
        if (!are.more) {
            cr_assert_eq(frames, 2);
            break;
        }
    }
    cr_assert_eq(found, HOLD_ROWS_PER_FRAME + 1);
    for (unsigned i = 0; i < HOLD_ROWS_PER_FRAME; i++)
        person_free(more[i]);
    scene_free(&e);
}

Test(devices, are_shown_with_what_waits_and_what_is_held)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    hold(&e, second->device);
    struct msg_devices_are are = world_devices(e.w, e.bob->account);
    cr_assert_eq(are.device_count, 2);
    cr_assert_eq(are.log.key_version, 2);
    cr_assert(are.devices[0].attached && !are.devices[1].attached);
    cr_assert_eq(are.devices[0].added_number, 0);
    cr_assert_eq(are.devices[0].added_ms, WORLD_START_MS);
    cr_assert_eq(are.devices[1].added_number, 1);
    cr_assert_eq(are.devices[1].hold, HOLD_TAKEOVER);
    cr_assert_eq(are.devices[0].hold, HOLD_NONE);
    cr_assert_eq(are.hold, HOLD_NONE);
    cr_assert_eq(are.devices[0].client_version, version_number(view_of("1.0.0", 5)));
    cr_assert_eq(are.devices[1].last_seen_ms, 0);
    free(second);
    scene_free(&e);
}

static uint64_t version_shown(struct scene *e)
{
    return world_devices(e->w, e->bob->account).devices[0].client_version;
}

Test(devices, of_one_that_only_sends_are_shown_with_the_version_that_it_told)
{
    struct scene e = scene_new(false);
    e.bob->unattached = true;
    e.bob->version = "1.2.0";
    cr_assert_eq(version_shown(&e), 0u);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(version_shown(&e), version_number(view_of("1.2.0", 5)));
    e.bob->version = "1.3.0";
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(version_shown(&e), version_number(view_of("1.3.0", 5)));
    world_pass(e.w, 2000);
    world_restart(e.w);
    cr_assert_eq(version_shown(&e), version_number(view_of("1.3.0", 5)));
    scene_free(&e);
}

static bool is_mark(struct mark shown, struct mark told)
{
    return memcmp(&shown, &told, sizeof told) == 0;
}

Test(devices, are_shown_with_the_marks_that_their_events_have)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    hold(&e, second->device);
    struct msg_devices_are are = world_devices(e.w, e.bob->account);
    const struct event *held = world_event(e.w, EVENT_HOLD_PLACED);
    cr_assert(is_mark(are.mark, held->account));
    cr_assert(is_mark(are.devices[1].mark, held->device));
    cr_assert(is_mark(are.devices[0].mark, mark_device(&e.w->config.mark_key, e.bob->device)));
    cr_assert_not(is_mark(world_devices(e.w, e.ann->account).mark, held->account), "another account has another one");
    free(second);
    scene_free(&e);
}

Test(devices, of_an_account_that_is_not_there_are_not_found)
{
    struct scene e = scene_new(true);
    struct msg_devices m = {.account = {{3}}}, by_handle = {.handle = view_of("nobody", 6)};
    uint64_t c = world_ask(e.w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_DEVICES, &msg_devices_desc, &m,
                           view_of(NULL, 0));
    uint64_t d = world_ask(e.w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_DEVICES, &msg_devices_desc, &by_handle,
                           view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_NOT_FOUND);
    cr_assert_eq(world_status(e.w, d), STATUS_NOT_FOUND);
    scene_free(&e);
}

/* ---- what is told of changes ---- */

static bool mark_equal(struct mark a, struct mark b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

Test(devices, an_enrolment_is_told_with_who_approved_it)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    const struct event *told = world_event(e.w, EVENT_IDENTITY_CHANGED);
    const struct mark_key *key = &e.w->config.mark_key;
    cr_assert_eq(told->code, CHANGED_ENROLLED);
    cr_assert_eq(told->value, 2, "the key version");
    cr_assert(mark_equal(told->account, mark_account(key, e.bob->account)));
    cr_assert(mark_equal(told->device, mark_device(key, second->device)));
    cr_assert(mark_equal(told->actor, mark_device(key, e.bob->device)));
    cr_assert_eq(risk_level(told->count), RISK_LOW);
    cr_assert_eq(world_events(e.w, EVENT_TAKEOVER_SUSPECTED), 0);
    free(second);
    scene_free(&e);
}

/* The thief's device, new, puts the others out; also over a restart, as it is the row that remembers. */
Test(devices, a_takeover_is_suspected)
{
    struct scene e = scene_new(true);
    struct person *thief = bob_adds(&e, 300);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(appends(&e, e.ann, revoked_by(thief, &e.bob->log, e.bob->device)), STATUS_OK);
    const struct event *told = world_event(e.w, EVENT_TAKEOVER_SUSPECTED);
    cr_assert(mark_equal(told->actor, mark_device(&e.w->config.mark_key, thief->device)));
    cr_assert_eq(told->count, 1u << RISK_ENDED_BY_NEW);
    cr_assert_eq(world_event(e.w, EVENT_IDENTITY_CHANGED)->code, CHANGED_REVOKED);
    free(thief);
    scene_free(&e);
}

Test(devices, a_log_that_comes_whole_is_no_change)
{
    struct scene e = scene_new(true);
    struct person *second = bob_adds(&e, 300);
    size_t told = world_events(e.w, EVENT_IDENTITY_CHANGED);
    cr_assert_eq(registers(&e, e.bob), STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_IDENTITY_CHANGED), told, "the relay has it already");
    free(second);
    scene_free(&e);
}
