/* A device's prekeys as support sees them, and what a device whose home was copied or set back says (PROTOCOL 4.1, 6.4): the
 * prekeys that it gives up leave, and support sees when it was. */
#include "broker/wire/prekey.h"
#include "tests/unit/storage_fixture.h"

#include <string.h>

/* One-time prekeys first .. first + count - 1; those below keep_from are given up. */
struct supply {
    uint64_t first;
    size_t count;
    uint64_t keep_from;
    bool last_resort;
};

static struct msg_prekey_state published(struct world *w, const struct person *p, struct supply o)
{
    struct msg_one_time_prekey list[ONE_TIME_PREKEYS_MAX];
    struct buffer current = {0}, last_resort = {0};
    struct msg_prekey_body body = {.device = p->device, .id = 7, .made_ms = WORLD_START_MS,
                                   .key_version = p->log.key_version, .head = p->log.version_head};
    struct msg_publish m = {.one_time = list, .one_time_count = o.count, .keep_from = o.keep_from};
    struct stamp stamp = person_stamp(p);
    struct msg_published answer;
    memcpy(body.key.bytes, p->record.identity.bytes, sizeof body.key.bytes);
    prekey_make(p->account, &body, p->signing_sk, &current);
    body.last_resort = true;
    prekey_make(p->account, &body, p->signing_sk, &last_resort);
    if (!o.keep_from) m.current = buffer_view(&current);
    if (o.last_resort) m.last_resort = buffer_view(&last_resort);
    for (size_t i = 0; i < o.count; i++)
        list[i] = (struct msg_one_time_prekey){o.first + i, {{0x55, (uint8_t)(o.first + i)}}};
    uint64_t c = world_ask(w, p->broker, &stamp, KIND_PUBLISH, &msg_publish_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_PUBLISHED, &msg_published_desc, &answer);
    buffer_fini(&current);
    buffer_fini(&last_resort);
    return answer.prekeys;
}

static struct msg_prekey_state renounced(struct world *w, const struct person *p, uint64_t keep_from, uint64_t first,
                                         size_t count)
{
    return published(w, p, (struct supply){first, count, keep_from, false});
}

/* The id of the one-time prekey that was handed out; 0 = none. */
static uint64_t claimed(struct scene *e)
{
    struct stamp stamp = person_stamp(e->ann);
    struct device_id_list list[1] = {{e->bob->device}};
    struct msg_claim_prekeys m = {.account = e->bob->account, .devices = list, .device_count = 1};
    struct msg_prekeys answer;
    uint64_t c = world_ask(e->w, e->ann->broker, &stamp, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_PREKEYS, &msg_prekeys_desc, &answer);
    cr_assert_eq(answer.bundles[0].status, (uint32_t)STATUS_OK);
    return answer.bundles[0].one_time_count ? answer.bundles[0].one_time[0].id : 0;
}

static struct msg_device_row shown(struct scene *e, const struct person *p)
{
    return world_devices(e->w, p->account).devices[0];
}

Test(copied, those_that_are_given_up_leave_before_new_ones_come)
{
    struct scene e = scene_new(true);
    (void)published(e.w, e.bob, (struct supply){1, ONE_TIME_PREKEYS_MAX, 0, true});
    struct msg_prekey_state state = renounced(e.w, e.bob, 98, 101, 50);
    cr_assert(state.one_time_count == 53 && state.one_time_highest == 150 && state.signed_id == 7);
    cr_assert_eq(claimed(&e), 98);
    state = renounced(e.w, e.bob, 98, 101, 50);
    cr_assert_eq(state.one_time_count, 52, "again it changes nothing");
    state = renounced(e.w, e.bob, UINT64_MAX, 0, 0);
    cr_assert(state.one_time_count == 0 && state.one_time_highest == 150);
    cr_assert_eq(renounced(e.w, e.bob, 1, 149, 3).one_time_count, 1, "no id comes back");
    cr_assert_eq(world_events(e.w, EVENT_DEVICE_COPIED), 4);
    (void)published(e.w, e.bob, (struct supply){.first = 152, .count = 1});
    cr_assert_eq(world_events(e.w, EVENT_DEVICE_COPIED), 4, "nobody has said so");
    scene_free(&e);
}

Test(copied, support_sees_how_many_prekeys_are_left)
{
    struct scene e = scene_new(true);
    struct msg_device_row row = shown(&e, e.bob);
    cr_assert(!row.prekeys && !row.last_resort);
    (void)published(e.w, e.bob, (struct supply){1, 2, 0, true});
    row = shown(&e, e.bob);
    cr_assert(row.prekeys == 2 && row.last_resort);
    cr_assert_eq(claimed(&e), 1);
    cr_assert_eq(shown(&e, e.bob).prekeys, 1u);
    cr_assert_eq(claimed(&e), 2);
    world_restart(e.w);
    row = shown(&e, e.bob);
    cr_assert(!row.prekeys && row.last_resort, "none, and sessions begin with the last resort");
    cr_assert_eq(row.copied, 0u);
    scene_free(&e);
}

Test(copied, support_sees_that_a_device_was_copied_and_when)
{
    struct scene e = scene_new(true);
    (void)published(e.w, e.bob, (struct supply){1, 10, 0, true});
    struct sending sent = person_send(e.w, e.ann, e.bob, 10);
    (void)renounced(e.w, e.bob, 5, 11, 5);
    struct msg_device_row row = shown(&e, e.bob);
    cr_assert_eq(row.copied, 1u);
    cr_assert_eq(row.copied_ms, e.w->core->store_ms);
    (void)renounced(e.w, e.bob, 5, 11, 5);
    cr_assert_eq(shown(&e, e.bob).copied, 1u, "the same again, as its answer was lost");
    world_pass(e.w, 5000);
    (void)renounced(e.w, e.bob, 12, 16, 5);
    world_restart(e.w);
    struct msg_device_row later = shown(&e, e.bob);
    cr_assert(later.copied == 2 && later.copied_ms > row.copied_ms, "kept over a crash");
    cr_assert_eq(world_explained(e.w, e.ann, e.bob, sent.id).parts[0].copied_ms, later.copied_ms,
                 "who asks why it did not open is told");
    cr_assert_eq(shown(&e, e.ann).copied, 0u);
    scene_free(&e);
}
