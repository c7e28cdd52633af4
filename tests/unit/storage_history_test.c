/* What clients hold of a log against what the relay has: two histories are an alarm, where signatures show them; entries that
 * the relay had lost are told. Each beside what is neither. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct buffer named(const struct person *p, const char *name)
{
    return entry_of(p, (struct entry_plan){.operation = ENTRY_DESCRIBE, .data = view_of(name, strlen(name))});
}

/* Somebody brings entries of Bob's log. */
static enum status brings(struct scene *e, const struct person *by, const struct buffer *entries, size_t count, bool held)
{
    struct view views[4];
    struct stamp stamp = person_stamp(by);
    struct msg_append m = {.account = e->bob->account, .entries = views, .entry_count = count, .held = held};
    for (size_t i = 0; i < count; i++)
        views[i] = buffer_view(&entries[i]);
    uint64_t c = world_ask(e->w, by->broker, &stamp, KIND_APPEND, &msg_append_desc, &m, view_of(NULL, 0));
    world_run(e->w);
    return world_status(e->w, c);
}

/* Bob's log and another one, which part behind `common` entries that both have; the relay has the first. */
struct parted {
    struct scene e;
    struct buffer common, ours, other, other_next;
};

static struct parted parted_new(void)
{
    struct parted p = {.e = scene_new(true)};
    p.common = named(p.e.bob, "common");
    cr_assert_eq(identity_log_append(&p.e.bob->log, buffer_view(&p.common), &p.e.w->arena), STATUS_OK);
    struct identity_log here = p.e.bob->log;
    p.ours = entry_added(p.e.bob, 300);
    p.other = entry_added(p.e.bob, 301);
    cr_assert_eq(identity_log_append(&p.e.bob->log, buffer_view(&p.other), &p.e.w->arena), STATUS_OK);
    p.other_next = named(p.e.bob, "next");
    p.e.bob->log = here;
    cr_assert_eq(identity_log_append(&p.e.bob->log, buffer_view(&p.ours), &p.e.w->arena), STATUS_OK);
    struct buffer all[2] = {p.common, p.ours};
    cr_assert_eq(brings(&p.e, p.e.bob, all, 2, false), STATUS_OK);
    return p;
}

static void parted_free(struct parted *p)
{
    buffer_fini(&p->common);
    buffer_fini(&p->ours);
    buffer_fini(&p->other);
    buffer_fini(&p->other_next);
    scene_free(&p->e);
}

static size_t alarms(const struct parted *p)
{
    return world_events(p->e.w, EVENT_SPLIT_VIEW);
}

Test(history, another_entry_in_its_place_is_an_alarm)
{
    struct parted p = parted_new();
    struct buffer held[3] = {p.common, p.other, p.other_next};
    const struct mark_key *key = &p.e.w->config.mark_key;
    cr_assert_eq(brings(&p.e, p.e.ann, held, 3, true), STATUS_STALE_HEAD, "and it is refused as ever");
    cr_assert_eq(alarms(&p), 1u);
    struct event told = *world_event(p.e.w, EVENT_SPLIT_VIEW);
    struct mark account = mark_account(key, p.e.bob->account), device = mark_device(key, p.e.ann->device);
    cr_assert_eq(event_level(told.kind), LEVEL_ALARM);
    cr_assert_eq(told.code, (uint32_t)ENTRY_ADD);
    cr_assert_eq(told.count, 2u, "the entry's number");
    cr_assert_eq(told.value, 2u, "the key version here");
    cr_assert_eq(memcmp(&told.account, &account, sizeof account), 0);
    cr_assert_eq(memcmp(&told.device, &device, sizeof device), 0);
    struct msg_devices_are are = world_devices(p.e.w, p.e.bob->account);
    cr_assert(are.split_number == 2 && are.split_ms == told.at_ms && !are.restored);
    cr_assert_eq(world_devices(p.e.w, p.e.ann->account).split_ms, 0u);
    parted_free(&p);
}

Test(history, the_alarm_is_told_once_a_day_for_a_place)
{
    struct parted p = parted_new();
    struct buffer held[2] = {p.common, p.other};
    (void)brings(&p.e, p.e.ann, held, 2, true);
    (void)brings(&p.e, p.e.bob, held, 2, true);
    cr_assert_eq(alarms(&p), 1u, "of many who see it the first is heard");
    person_append(p.e.w, p.e.bob, entry_of(p.e.bob, (struct entry_plan){.operation = ENTRY_SUSPEND,
                                                                      .subject = p.e.bob->log.devices[1].id}));
    world_restart(p.e.w);
    cr_assert_eq(person_hello(p.e.w, p.e.ann, 0), STATUS_OK);
    (void)brings(&p.e, p.e.ann, held, 2, true);
    cr_assert_eq(alarms(&p), 1u, "over a change and a restart");
    world_skip(p.e.w, DAY_MS);
    cr_assert_eq(person_hello(p.e.w, p.e.ann, 0), STATUS_OK);
    (void)brings(&p.e, p.e.ann, held, 2, true);
    cr_assert_eq(alarms(&p), 2u);
    parted_free(&p);
}

Test(history, what_shows_nothing_is_no_alarm)
{
    struct parted p = parted_new();
    struct buffer held[2] = {p.common, p.other}, alone[2] = {p.other, p.other_next}, same[2] = {p.common, p.ours};
    cr_assert_eq(brings(&p.e, p.e.bob, &p.other, 1, false), STATUS_STALE_HEAD, "of two changes one is second");
    cr_assert_eq(brings(&p.e, p.e.ann, held, 2, false), STATUS_STALE_HEAD);
    cr_assert_eq(brings(&p.e, p.e.ann, alone, 2, true), STATUS_STALE_HEAD, "where they part is not shown");
    cr_assert_eq(brings(&p.e, p.e.ann, &p.other_next, 1, true), STATUS_STALE_HEAD);
    cr_assert_eq(brings(&p.e, p.e.ann, same, 2, true), STATUS_OK, "it is what we have");
    p.other.at[p.other.len - 1] ^= 1; /* its signature's last byte */
    held[1] = p.other;
    cr_assert_eq(brings(&p.e, p.e.ann, held, 2, true), STATUS_STALE_HEAD, "nobody has signed it");
    cr_assert_eq(alarms(&p), 0u);
    cr_assert_eq(world_events(p.e.w, EVENT_LOG_RESTORED), 0u);
    cr_assert_eq(world_devices(p.e.w, p.e.bob->account).split_ms, 0u);
    parted_free(&p);
}

Test(history, a_fork_behind_the_first_entry_is_seen_too)
{
    struct scene e = scene_new(true);
    struct buffer other = named(e.bob, "other");
    person_append(e.w, e.bob, named(e.bob, "ours"));
    cr_assert_eq(brings(&e, e.ann, &other, 1, true), STATUS_STALE_HEAD);
    cr_assert_eq(world_event(e.w, EVENT_SPLIT_VIEW)->count, 1u);
    buffer_fini(&other);
    scene_free(&e);
}

Test(history, entries_that_come_back_are_told)
{
    struct parted p = parted_new();
    struct buffer more[2] = {named(p.e.bob, "a"), {0}};
    cr_assert_eq(identity_log_append(&p.e.bob->log, buffer_view(&more[0]), &p.e.w->arena), STATUS_OK);
    more[1] = named(p.e.bob, "b");
    cr_assert_eq(brings(&p.e, p.e.ann, more, 2, true), STATUS_OK);
    cr_assert_eq(world_events(p.e.w, EVENT_LOG_RESTORED), 1u);
    cr_assert_eq(world_event(p.e.w, EVENT_LOG_RESTORED)->count, 2u);
    cr_assert_eq(brings(&p.e, p.e.ann, more, 2, true), STATUS_OK);
    cr_assert_eq(world_events(p.e.w, EVENT_LOG_RESTORED), 1u, "they are here");
    world_restart(p.e.w);
    struct msg_devices_are are = world_devices(p.e.w, p.e.bob->account);
    cr_assert(are.restored == 2 && are.restored_ms && !are.split_ms);
    buffer_fini(&more[0]);
    buffer_fini(&more[1]);
    parted_free(&p);
}
