/* Reports: a device's signed word about its own failure is kept and given to the sender; any other is dropped, and the
 * failure stays. */
#include "broker/wire/report.h"
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct sending send_sealed(struct scene *e)
{
    struct msg_part part = {e->bob->device, 3};
    struct msg_send_item item = {.id = world_id(e->w), .target = target_of_account(e->bob->account),
                                 .key_version = 1, .head = e->bob->head, .parts = &part, .part_count = 1,
                                 .sealed = true, .commitment = {{7}}};
    struct sending s = send_item(e, &item, view_of("abc", 3));
    cr_assert_eq(s.status, STATUS_OK);
    s.id = item.id;
    person_read(e->w, e->bob);
    return s;
}

/* Bob has one message, and has failed none. */
static struct scene report_scene(struct sending *s)
{
    struct scene e = scene_new(true);
    *s = send_sealed(&e);
    cr_assert_eq(e.bob->got_count, 1);
    return e;
}

/* What Bob says of his n-th. */
static struct msg_report_body body_of(const struct scene *e, size_t n, uint32_t cause)
{
    const struct msg_delivery *d = &e->bob->got[n].item;
    return (struct msg_report_body){.device = e->bob->device, .account = e->bob->account, .sender = d->sender_device,
                                    .target = d->target, .id = d->id, .attempt = d->attempt, .cause = cause,
                                    .made_ms = e->w->now.wall_ms};
}

static struct view signed_by(struct scene *e, const struct msg_report_body *body, const struct person *signer)
{
    struct buffer bytes = {0};
    report_make(body, signer->signing_sk, &bytes);
    struct view v = arena_copy(&e->w->arena, buffer_view(&bytes));
    buffer_fini(&bytes);
    return v;
}

static void fail(struct scene *e, size_t n, uint32_t reason, struct view report)
{
    struct position at = person_at(e->bob, n);
    struct msg_failure failed = {at.term, at.seq, reason, report};
    struct msg_acked acked;
    uint64_t c = person_ack_begin(e->w, e->bob, at, at, &failed, 1);
    world_run(e->w);
    world_decode(e->w, c, KIND_ACKED, &msg_acked_desc, &acked);
    cr_assert_eq(acked.settled_seq, at.seq);
}

static struct msg_part_state state(struct scene *e, const struct sending *s)
{
    return person_state(e->w, e->ann, e->bob, s->id);
}

/* The last hint's only part. */
static struct msg_part_state hinted(struct scene *e)
{
    struct msg_hint_device to;
    struct msg_hint hint;
    const struct out *o = NULL;
    for (size_t i = 0; i < e->w->out_count; i++)
        if (e->w->outs[i].frame.header.kind == KIND_HINT_DEVICE) o = &e->w->outs[i];
    cr_assert_not_null(o);
    cr_assert_eq(codec_decode(&msg_hint_device_desc, o->frame.meta, &e->w->arena, &to), STATUS_OK);
    cr_assert_eq(codec_decode(&msg_hint_desc, to.hint, &e->w->arena, &hint), STATUS_OK);
    cr_assert_eq(hint.item_count, 1);
    return hint.items[0].part;
}

static struct msg_explained_part explained(struct scene *e, const struct sending *s)
{
    struct msg_explain m = {.sender = e->ann->device, .target = target_of_account(e->bob->account), .id = s->id};
    struct msg_explained x;
    uint64_t c = world_ask(e->w, 0, &(struct stamp){.origin = ORIGIN_ADMIN, .conn = 3}, KIND_EXPLAIN,
                           &msg_explain_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_EXPLAINED, &msg_explained_desc, &x);
    cr_assert_eq(x.part_count, 1);
    return x.parts[0];
}

Test(report, is_given_to_the_sender_to_support_and_to_engineering)
{
    struct sending s;
    struct scene e = report_scene(&s);
    struct msg_report_body body = body_of(&e, 0, CAUSE_PREKEY);
    struct view report = signed_by(&e, &body, e.bob);
    fail(&e, 0, FAIL_BROKEN, report);
    struct msg_part_state hint = hinted(&e);
    cr_assert(hint.state == DELIVERY_FAILED && hint.reason == FAIL_BROKEN && view_equal(hint.report, report));
    cr_assert(view_equal(state(&e, &s).report, report));
    const struct event *event = world_event(e.w, EVENT_DECRYPT_FAILED);
    cr_assert_eq(event->code, CAUSE_PREKEY);
    cr_assert_eq(event->count, 1, "the key version");
    cr_assert_eq(event->value, version_number(view_of("1.0.0", 5)));
    cr_assert_eq(world_events(e.w, EVENT_DELIVERY_FAILED), 1);
    cr_assert_eq(world_events(e.w, EVENT_REPORT_REFUSED), 0);
    struct msg_explained_part part = explained(&e, &s);
    cr_assert(part.code == EXPLAIN_FAILED_BROKEN && part.cause == CAUSE_PREKEY && part.attempt == 0);
    cr_assert_eq(part.client_version, version_number(view_of("1.0.0", 5)));
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert(view_equal(state(&e, &s).report, report), "also after a restart");
    scene_free(&e);
}

Test(report, tells_support_and_engineering_every_cause)
{
    for (uint32_t cause = CAUSE_VERSION; cause <= CAUSE_COMMITMENT; cause++) {
        struct sending s;
        struct scene e = report_scene(&s);
        struct msg_report_body body = body_of(&e, 0, cause);
        uint32_t reason = report_reason(cause);
        fail(&e, 0, reason, signed_by(&e, &body, e.bob));
        struct msg_explained_part part = explained(&e, &s);
        cr_assert_eq(part.cause, cause);
        cr_assert_eq(part.code, reason == FAIL_HELD ? EXPLAIN_FAILED_HELD : EXPLAIN_FAILED_BROKEN);
        cr_assert(report_cause_meaning(part.cause)[0] != '\0');
        cr_assert_eq(world_events(e.w, EVENT_DECRYPT_FAILED), 1);
        cr_assert_eq(world_event(e.w, EVENT_DECRYPT_FAILED)->code, cause);
        cr_assert_eq(world_event(e.w, EVENT_DELIVERY_FAILED)->code, reason);
        cr_assert_eq(e.w->core->counters.parked, 1);
        scene_free(&e);
    }
}

Test(report, may_be_absent)
{
    struct sending s;
    struct scene e = report_scene(&s);
    fail(&e, 0, FAIL_BROKEN, view_of(NULL, 0));
    cr_assert(state(&e, &s).state == DELIVERY_FAILED && state(&e, &s).report.len == 0);
    cr_assert_eq(world_events(e.w, EVENT_DECRYPT_FAILED) + world_events(e.w, EVENT_REPORT_REFUSED), 0);
    cr_assert_eq(explained(&e, &s).cause, CAUSE_NONE);
    scene_free(&e);
}

/* The failure counts, the report does not. */
static void expect_dropped(struct scene *e, const struct sending *s, uint32_t reason, enum status why)
{
    struct msg_part_state is = state(e, s);
    cr_assert(is.state == DELIVERY_FAILED && is.reason == reason && is.report.len == 0);
    cr_assert_eq(world_events(e->w, EVENT_DECRYPT_FAILED), 0);
    cr_assert_eq(world_events(e->w, EVENT_REPORT_REFUSED), 1);
    cr_assert_eq(world_event(e->w, EVENT_REPORT_REFUSED)->code, why);
    cr_assert_eq(hinted(e).report.len, 0);
}

enum { OF_DEVICE, OF_ACCOUNT, OF_SENDER, OF_TARGET, OF_ID, OF_ATTEMPT, FIELDS };

Test(report, about_anything_else_is_dropped)
{
    for (int field = 0; field < FIELDS; field++) {
        struct sending s;
        struct scene e = report_scene(&s);
        struct msg_report_body body = body_of(&e, 0, CAUSE_SESSION);
        if (field == OF_DEVICE) body.device = e.ann->device;
        if (field == OF_ACCOUNT) body.account = e.ann->account;
        if (field == OF_SENDER) body.sender = e.bob->device;
        if (field == OF_TARGET) body.target = target_of_account(e.ann->account);
        if (field == OF_ID) body.id.bytes[15] ^= 1;
        if (field == OF_ATTEMPT) body.attempt = 1;
        fail(&e, 0, FAIL_BROKEN, signed_by(&e, &body, e.bob));
        expect_dropped(&e, &s, FAIL_BROKEN, STATUS_REFUSED);
        scene_free(&e);
    }
}

Test(report, of_another_message_at_this_place_is_dropped)
{
    struct sending s, other;
    struct scene e = report_scene(&s);
    struct msg_report_body body = body_of(&e, 0, CAUSE_SESSION);
    other = send_sealed(&e);
    person_ack(e.w, e.bob, 1);
    fail(&e, 1, FAIL_BROKEN, signed_by(&e, &body, e.bob));
    expect_dropped(&e, &other, FAIL_BROKEN, STATUS_REFUSED);
    scene_free(&e);
}

Test(report, signed_by_another_or_altered_is_dropped)
{
    for (int altered = 0; altered < 2; altered++) {
        struct sending s;
        struct scene e = report_scene(&s);
        struct msg_report_body body = body_of(&e, 0, CAUSE_SESSION);
        struct view report = signed_by(&e, &body, altered ? e.bob : e.ann);
        if (altered) ((uint8_t *)(uintptr_t)report.at)[report.len - 1] ^= 1; /* of the signature */
        fail(&e, 0, FAIL_BROKEN, report);
        expect_dropped(&e, &s, FAIL_BROKEN, STATUS_UNAUTHENTICATED);
        scene_free(&e);
    }
}

Test(report, whose_cause_is_none_or_another_reason_s_is_dropped)
{
    static const struct { uint32_t reason, cause; enum status why; } wrong[] = {
        {FAIL_HELD, CAUSE_SESSION, STATUS_REFUSED},
        {FAIL_BROKEN, CAUSE_LOCKED, STATUS_REFUSED},
        {FAIL_BROKEN, CAUSE_NONE, STATUS_BAD_ENTRY},
        {FAIL_BROKEN, CAUSE_COMMITMENT + 1, STATUS_BAD_ENTRY}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sending s;
        struct scene e = report_scene(&s);
        struct msg_report_body body = body_of(&e, 0, wrong[i].cause);
        fail(&e, 0, wrong[i].reason, signed_by(&e, &body, e.bob));
        expect_dropped(&e, &s, wrong[i].reason, wrong[i].why);
        scene_free(&e);
    }
}

Test(report, that_is_none_is_dropped)
{
    struct sending s;
    struct scene e = report_scene(&s);
    fail(&e, 0, FAIL_BROKEN, view_of("no report", 9));
    expect_dropped(&e, &s, FAIL_BROKEN, STATUS_MALFORMED);
    scene_free(&e);
}

Test(report, of_a_key_that_was_replaced_since_is_still_the_device_s)
{
    struct sending s;
    struct scene e = report_scene(&s);
    uint8_t sk[64];
    struct msg_device_record record = keys_make(90, sk);
    record.signing = e.bob->record.signing;
    record.transport = e.bob->record.transport;
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REPLACE,
                                                                  .subject = e.bob->device, .record = record}));
    struct msg_report_body body = body_of(&e, 0, CAUSE_SESSION);
    struct view report = signed_by(&e, &body, e.bob);
    fail(&e, 0, FAIL_BROKEN, report);
    cr_assert(view_equal(state(&e, &s).report, report));
    cr_assert_eq(world_event(e.w, EVENT_DECRYPT_FAILED)->count, 2, "the key version of now");
    scene_free(&e);
}

Test(report, goes_with_its_attempt)
{
    struct sending s;
    struct scene e = report_scene(&s);
    struct msg_report_body body = body_of(&e, 0, CAUSE_SESSION);
    struct msg_part part = {e.bob->device, 3};
    struct msg_send_item item = {.id = s.id, .target = target_of_account(e.bob->account), .key_version = 1,
                                 .head = e.bob->head, .attempt = 1, .parts = &part, .part_count = 1, .sealed = true,
                                 .commitment = {{7}}};
    fail(&e, 0, FAIL_BROKEN, signed_by(&e, &body, e.bob));
    cr_assert_eq(send_item(&e, &item, view_of("new", 3)).status, STATUS_OK);
    cr_assert_eq(state(&e, &s).report.len, 0, "the new one has not failed");
    person_read(e.w, e.bob);
    body = body_of(&e, 1, CAUSE_FAR);
    cr_assert_eq(body.attempt, 1);
    fail(&e, 1, FAIL_BROKEN, signed_by(&e, &body, e.bob));
    cr_assert_eq(hinted(&e).attempt, 1);
    struct msg_explained_part x = explained(&e, &s);
    cr_assert(x.cause == CAUSE_FAR && x.attempt == 1);
    scene_free(&e);
}

Test(report, costs_a_turn_what_its_signature_costs)
{
    struct sending s;
    struct scene e = report_scene(&s);
    struct msg_failure failed[2] = {{.reason = FAIL_BROKEN, .seq = 1, .report = {(const uint8_t *)"x", 1}},
                                    {.reason = FAIL_BROKEN, .seq = 2}};
    uint64_t before = e.w->core->counters.items;
    person_ack_begin(e.w, e.bob, (struct position){.seq = 0}, (struct position){.seq = 0}, failed, 2);
    world_run(e.w);
    cr_assert_eq(e.w->core->counters.items, before + 1 + SIGNATURE_WEIGHT);
    scene_free(&e);
}

/* ---- many of them in one answer ---- */

/* Ann's last 64 messages to Bob's 16 devices have all failed; a report is as long as one can be. */
Test(report, of_more_than_a_frame_has_room_for_the_first_are_given)
{
    static const uint8_t longest[REPORT_LEN_MAX];
    struct scene e = scene_new(false);
    struct msg_status_ask asks[STATUS_PER_FRAME];
    struct msg_part parts[DEVICES_PER_ACCOUNT];
    struct msg_status m = {.items = asks, .item_count = STATUS_PER_FRAME};
    struct msg_status_is is;
    struct store_batch batch = {0};
    struct stamp stamp = person_stamp(e.ann);
    uint8_t text[DEVICES_PER_ACCOUNT] = {0};
    for (unsigned i = 1; i < DEVICES_PER_ACCOUNT; i++)
        person_append(e.w, e.bob, entry_added(e.bob, 60 + i));
    for (size_t i = 0; i < DEVICES_PER_ACCOUNT; i++)
        parts[i] = (struct msg_part){e.bob->log.devices[i].id, 1};
    struct msg_log_state log = identity_log_state(&e.bob->log);
    for (size_t i = 0; i < STATUS_PER_FRAME; i++) {
        struct msg_send_item item = {.id = world_id(e.w), .target = target_of_account(e.bob->account),
                                     .key_version = log.key_version, .head = log.version_head, .parts = parts,
                                     .part_count = DEVICES_PER_ACCOUNT};
        struct sending s = send_item(&e, &item, view_of(text, sizeof text));
        cr_assert_eq(s.status, STATUS_OK);
        asks[i] = (struct msg_status_ask){item.target, item.id};
        for (size_t k = 0; k < DEVICES_PER_ACCOUNT; k++) {
            struct position at = {s.accepted.parts[k].term, s.accepted.parts[k].seq};
            struct outcome_row row = {.state = DELIVERY_FAILED, .reason = FAIL_BROKEN, .at_ms = UINT64_MAX,
                                      .report = view_of(longest, sizeof longest)};
            struct store_key key = key_position(ROW_OUTCOME, home_of_account(e.bob->account), parts[k].device, at);
            store_batch_put(&batch, &e.w->arena, SPACE_ROUTING, arena_copy(&e.w->arena, key_view(&key)),
                            outcome_row_write(&e.w->arena, &row), view_of(NULL, 0));
        }
    }
    cr_assert_eq(store_write(e.w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_STATUS, &msg_status_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    world_decode(e.w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_leq(world_reply(e.w, c)->frame.meta.len, FRAME_META_LEN_MAX);
    size_t given = 0;
    bool ended = false;
    for (size_t i = 0; i < STATUS_PER_FRAME; i++)
        for (size_t k = 0; k < DEVICES_PER_ACCOUNT; k++) {
            bool there = is.items[i].parts[k].report.len != 0;
            cr_assert_eq(is.items[i].parts[k].state, DELIVERY_FAILED);
            cr_assert(!there || !ended, "the first ones");
            ended = !there;
            given += there;
        }
    cr_assert_gt(given, 700u);
    cr_assert_lt(given, STATUS_PER_FRAME * DEVICES_PER_ACCOUNT);
    scene_free(&e);
}
