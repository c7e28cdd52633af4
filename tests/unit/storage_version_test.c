/* Which list of devices a send is judged by: the log's as of the entry before it, in the same turn too, as the one cache is
 * changed where the entry is taken. And support sees which one it was. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

/* One message to each of Bob's devices that are active in the log. */
static struct sending send_begin(struct scene *e, const struct identity_log *log)
{
    struct msg_part parts[DEVICES_PER_ACCOUNT];
    struct msg_send_item item = {.id = world_id(e->w), .target = target_of_account(e->bob->account),
                                 .key_version = log->key_version, .head = log->version_head, .parts = parts};
    for (size_t i = 0; i < log->device_count; i++)
        if (log->devices[i].standing == STANDING_ACTIVE) parts[item.part_count++] = (struct msg_part){log->devices[i].id, 1};
    struct buffer encoded = {0};
    codec_encode(&msg_send_item_desc, &item, &encoded);
    struct view raw = arena_copy(&e->w->arena, buffer_view(&encoded));
    struct msg_send send = {.items = &raw, .item_count = 1};
    struct stamp stamp = person_stamp(e->ann);
    buffer_fini(&encoded);
    return (struct sending){.id = item.id, .correlation = world_ask(e->w, 0, &stamp, KIND_SEND, &msg_send_desc, &send,
                                                                    view_of("abcdef", item.part_count))};
}

static void append_begin(struct scene *e, struct buffer *entry)
{
    struct view view = buffer_view(entry);
    struct msg_append m = {.account = e->bob->account, .entries = &view, .entry_count = 1};
    struct stamp stamp = person_stamp(e->bob);
    (void)world_ask(e->w, 0, &stamp, KIND_APPEND, &msg_append_desc, &m, view_of(NULL, 0));
}

/* In one turn: a send, the entry, two sends behind it of which one knows it. */
static void beside(struct scene *e, struct buffer entry)
{
    struct identity_log before = e->bob->log, *after = &e->bob->log;
    cr_assert_eq(identity_log_append(after, buffer_view(&entry), &e->w->arena), STATUS_OK);
    struct sending first = send_begin(e, &before);
    append_begin(e, &entry);
    struct sending late = send_begin(e, &before), knows = send_begin(e, after);
    world_run(e->w);
    person_send_end(e->w, &first);
    person_send_end(e->w, &late);
    person_send_end(e->w, &knows);
    cr_assert_eq(first.item.status, (uint32_t)STATUS_OK);
    cr_assert_eq(first.accepted.key_version, before.key_version);
    cr_assert_eq(late.item.status, (uint32_t)STATUS_STALE_DEVICES);
    cr_assert_eq(late.item.stale->log.key_version, after->key_version, "a lag of none");
    cr_assert_eq(knows.item.status, (uint32_t)STATUS_OK);
    cr_assert_eq(knows.accepted.key_version, after->key_version);
    cr_assert_eq(first.accepted.receipt.commit, knows.accepted.receipt.commit, "it was one turn");
    struct msg_explained told = world_explained(e->w, e->ann, e->bob, first.id);
    cr_assert_eq(told.key_version, before.key_version, "support sees which list it was accepted for");
    cr_assert_eq(told.key_version_present, after->key_version);
    cr_assert_eq(world_explained(e->w, e->ann, e->bob, knows.id).key_version, after->key_version);
    buffer_fini(&entry);
}

Test(version, a_send_beside_an_entry_is_judged_by_the_list_as_of_then)
{
    struct scene e = scene_new(true);
    uint8_t sk[64];
    beside(&e, entry_added(e.bob, 300));
    struct device_id second = e.bob->log.devices[1].id;
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = e.bob->device, .record = e.bob->log.devices[0].record};
    plan.record.identity = keys_make(301, sk).identity;
    beside(&e, entry_of(e.bob, plan));
    beside(&e, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_SUSPEND, .subject = second}));
    beside(&e, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_RESUME, .subject = second}));
    beside(&e, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = second}));
    scene_free(&e);
}

Test(version, what_was_used_is_kept_over_a_crash)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    struct sending sent = send_begin(&e, &e.bob->log);
    world_run(e.w);
    person_send_end(e.w, &sent);
    world_restart(e.w);
    struct msg_explained told = world_explained(e.w, e.ann, e.bob, sent.id);
    cr_assert(told.key_version == 2 && told.key_version_present == 2);
    told = world_explained(e.w, e.ann, e.bob, world_id(e.w));
    cr_assert_eq(told.key_version, 0u, "never accepted");
    scene_free(&e);
}
