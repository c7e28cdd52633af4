/* Backups at the relay (PROTOCOL 6.7): whole or not there, the newest one, and never torn between two devices. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

static struct msg_backup_put part_of(uint64_t previous, uint64_t version, uint8_t id, uint32_t part, uint32_t of)
{
    static uint8_t bytes[BACKUP_PART_LEN_MAX];
    memset(bytes, (int)(version * 16 + part), sizeof bytes);
    return (struct msg_backup_put){.previous = previous, .version = version, .id = {{id}}, .part = part, .of = of,
                                   .bytes = view_of(bytes, 100 + part)};
}

static uint64_t put_begin(struct world *w, const struct person *p, const struct msg_backup_put *m)
{
    struct stamp stamp = person_stamp(p);
    uint64_t c = world_ask(w, p->broker, &stamp, KIND_BACKUP_PUT, &msg_backup_put_desc, m, view_of(NULL, 0));
    world_run(w);
    return c;
}

static enum status put_status(struct world *w, const struct person *p, struct msg_backup_put m)
{
    return world_status(w, put_begin(w, p, &m));
}

static struct msg_backup_has put(struct world *w, const struct person *p, struct msg_backup_put m)
{
    struct msg_backup_has has;
    world_decode(w, put_begin(w, p, &m), KIND_BACKUP_HAS, &msg_backup_has_desc, &has);
    return has;
}

static struct msg_backup_is get(struct world *w, const struct person *p, uint64_t version, uint32_t part)
{
    struct stamp stamp = person_stamp(p);
    struct msg_backup_get m = {version, part};
    struct msg_backup_is is;
    uint64_t c = world_ask(w, p->broker, &stamp, KIND_BACKUP_GET, &msg_backup_get_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_BACKUP_IS, &msg_backup_is_desc, &is);
    return is;
}

static void put_whole(struct world *w, const struct person *p, uint64_t previous, uint64_t version, uint32_t of)
{
    for (uint32_t i = 0; i < of; i++)
        cr_assert_eq(put_status(w, p, part_of(previous, version, 1, i, of)), STATUS_OK);
    cr_assert_eq(get(w, p, 0, 0).has.version, version);
}

static void is_there(struct world *w, const struct person *p, uint64_t version, uint32_t of)
{
    for (uint32_t i = 0; i < of; i++) {
        struct msg_backup_is is = get(w, p, version, i);
        struct msg_backup_put m = part_of(0, version, 1, i, of);
        cr_assert(view_equal(is.bytes, m.bytes), "%u", i);
        cr_assert(is.has.version == version && is.has.parts == of);
    }
    cr_assert_eq(get(w, p, version, of).bytes.len, 0u);
}

Test(backup, whole_when_the_last_part_is_there_and_after_a_crash)
{
    struct scene e = scene_new(false);
    cr_assert_eq(get(e.w, e.ann, 0, 0).has.version, 0u);
    struct msg_backup_has has = put(e.w, e.ann, part_of(0, 1, 1, 0, 3));
    cr_assert(has.version == 0 && has.coming_version == 1 && has.coming_parts == 1);
    has = put(e.w, e.ann, part_of(0, 1, 1, 1, 3));
    cr_assert(has.version == 0 && has.coming_parts == 2);
    cr_assert_eq(get(e.w, e.ann, 1, 0).bytes.len, 0u, "not before it is whole");
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    has = put(e.w, e.ann, part_of(0, 1, 1, 2, 3));
    cr_assert(has.version == 1 && has.parts == 3 && !has.coming_version && has.stored_ms);
    is_there(e.w, e.ann, 1, 3);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    is_there(e.w, e.ann, 1, 3);
    cr_assert_eq(world_events(e.w, EVENT_BACKUP_STORED), 1);
    scene_free(&e);
}

/* Of the account's backup before the newest; version 0: there is none. */
static void older_is(struct world *w, const struct person *p, uint64_t version, uint32_t of)
{
    struct msg_backup_has has = get(w, p, 0, 0).has;
    cr_assert(has.older_version == version && has.older_parts == of, "version %llu", (unsigned long long)has.older_version);
    cr_assert_eq(has.older_stored_ms != 0, version != 0);
    for (uint32_t i = 0; i < of; i++) {
        struct msg_backup_is is = get(w, p, version, i);
        struct msg_backup_put m = part_of(0, version, 1, i, of);
        cr_assert(view_equal(is.bytes, m.bytes), "%u", i);
    }
    if (version) cr_assert_eq(get(w, p, version, of).bytes.len, 0u);
}

static void day_pass(struct world *w)
{
    w->core->store_ms += BACKUP_STANDS_MS;
    world_pass(w, 100);
}

Test(backup, the_next_one_takes_its_place_and_one_is_kept_beside_it)
{
    struct scene e = scene_new(false);
    put_whole(e.w, e.ann, 0, 1, 5);
    older_is(e.w, e.ann, 0, 0);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_BACKUP_PART), 5u);
    cr_assert_eq(put_status(e.w, e.ann, part_of(1, 2, 1, 0, 2)), STATUS_OK);
    is_there(e.w, e.ann, 1, 5);
    cr_assert_eq(put_status(e.w, e.ann, part_of(1, 2, 1, 1, 2)), STATUS_OK);
    is_there(e.w, e.ann, 2, 2);
    older_is(e.w, e.ann, 1, 5);
    day_pass(e.w);
    put_whole(e.w, e.ann, 2, 3, 1);
    is_there(e.w, e.ann, 3, 1);
    older_is(e.w, e.ann, 2, 2);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_BACKUP_PART), 3u);
    cr_assert_eq(get(e.w, e.ann, 1, 0).bytes.len, 0u);
    put_whole(e.w, e.ann, 3, 4, 1);
    older_is(e.w, e.ann, 2, 2); /* it has stood for a day, and number 3 has not */
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    older_is(e.w, e.ann, 2, 2);
    scene_free(&e);
}

/* Another device of ann's, which has a session. Nothing of it is to be freed. */
static struct person phone_of(struct scene *e)
{
    uint8_t sk[64];
    struct person phone = *e->ann;
    person_append(e->w, e->ann, entry_added(e->ann, 7));
    phone.record = keys_make(7, sk);
    phone.device = device_id_of(phone.account, &phone.record.signing);
    cr_assert_eq(person_hello(e->w, &phone, 0), STATUS_OK);
    return phone;
}

Test(backup, a_device_that_puts_many_does_not_push_out_what_another_one_has_made)
{
    struct scene e = scene_new(false);
    struct person phone = phone_of(&e);
    put_whole(e.w, e.ann, 0, 1, 1);
    put_whole(e.w, e.ann, 1, 2, 1);
    put_whole(e.w, e.ann, 2, 3, 3);
    for (uint64_t version = 4; version < 9; version++) {
        put_whole(e.w, &phone, version - 1, version, 2);
        older_is(e.w, e.ann, 3, 3);
        cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_BACKUP_PART), 5u);
    }
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, &phone, 0), STATUS_OK);
    put_whole(e.w, &phone, 8, 9, 2);
    older_is(e.w, &phone, 3, 3);
    (void)put(e.w, &phone, part_of(9, 10, 1, 0, 2));
    older_is(e.w, &phone, 3, 3);
    day_pass(e.w);
    (void)put(e.w, &phone, part_of(9, 10, 1, 1, 2));
    older_is(e.w, &phone, 9, 2); /* after a day, during which it could have been put out */
    scene_free(&e);
}

Test(backup, a_part_again_or_out_of_order_changes_nothing)
{
    struct scene e = scene_new(false);
    (void)put(e.w, e.ann, part_of(0, 1, 1, 0, 3));
    cr_assert_eq(put(e.w, e.ann, part_of(0, 1, 1, 0, 3)).coming_parts, 1u, "an answer was lost");
    cr_assert_eq(put(e.w, e.ann, part_of(0, 1, 1, 2, 3)).coming_parts, 1u);
    cr_assert_eq(put(e.w, e.ann, part_of(0, 1, 1, 1, 4)).coming_parts, 1u, "another number of parts");
    (void)put(e.w, e.ann, part_of(0, 1, 1, 1, 3));
    cr_assert_eq(put(e.w, e.ann, part_of(0, 1, 1, 2, 3)).version, 1u);
    struct msg_backup_has has = put(e.w, e.ann, part_of(0, 1, 1, 2, 3));
    cr_assert(has.version == 1 && has.id.bytes[0] == 1 && !has.coming_version, "the last answer was lost");
    has = put(e.w, e.ann, part_of(0, 1, 1, 0, 3));
    cr_assert(has.version == 1 && !has.coming_version, "an older one does not begin again");
    scene_free(&e);
}

Test(backup, of_two_devices_one_sees_that_the_other_is_at_it)
{
    struct scene e = scene_new(false);
    (void)put(e.w, e.ann, part_of(0, 1, 7, 0, 3));
    (void)put(e.w, e.ann, part_of(0, 1, 7, 1, 3));
    struct msg_backup_has has = put(e.w, e.ann, part_of(0, 1, 8, 0, 2)); /* the other one begins */
    cr_assert(has.coming_id.bytes[0] == 8 && has.coming_parts == 1);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_BACKUP_PART), 1u);
    has = put(e.w, e.ann, part_of(0, 1, 7, 2, 3));
    cr_assert(has.coming_id.bytes[0] == 8 && has.coming_parts == 1, "the first one is told");
    has = put(e.w, e.ann, part_of(0, 1, 8, 1, 2));
    cr_assert(has.version == 1 && has.id.bytes[0] == 8 && has.parts == 2);
    has = put(e.w, e.ann, part_of(0, 2, 7, 0, 1));
    cr_assert(has.version == 1 && !has.coming_version, "it names what it takes the place of");
    scene_free(&e);
}

Test(backup, what_is_no_part_is_refused)
{
    struct scene e = scene_new(false);
    struct msg_backup_put empty = part_of(0, 1, 1, 0, 1);
    empty.bytes = view_of(NULL, 0);
    cr_assert_eq(put_status(e.w, e.ann, empty), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, 0, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(3, 3, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, 1, 1, 1, 1)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, 1, 1, 0, 0)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, 1, 1, 0, BACKUP_PARTS_MAX + 1)), STATUS_TOO_LARGE);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_BACKUP), 0u);
    scene_free(&e);
}

/* Else a device that is revoked afterwards could leave a version that none comes behind. */
Test(backup, no_version_leaves_no_room_behind_it)
{
    struct scene e = scene_new(false);
    const uint64_t far = 1ull << 62, step = 1ull << 32;
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, UINT64_MAX, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, far, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put(e.w, e.ann, part_of(0, far - 1, 1, 0, 1)).version, far - 1);
    cr_assert_eq(put_status(e.w, e.ann, part_of(far - 1, UINT64_MAX, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put_status(e.w, e.ann, part_of(far - 1, far + step, 1, 0, 1)), STATUS_MALFORMED);
    cr_assert_eq(put(e.w, e.ann, part_of(far - 1, far - 1 + step, 1, 0, 1)).version, far - 1 + step);
    scene_free(&e);
}

static void damage(struct scene *e, struct store_key key)
{
    world_damage(e->w, SPACE_IDENTITY, key);
    cr_assert_eq(person_hello(e->w, e->ann, 0), STATUS_OK);
}

/* A client asks what there is before it makes one. */
Test(backup, one_that_cannot_be_read_any_more_is_as_good_as_none)
{
    struct scene e = scene_new(false);
    put_whole(e.w, e.ann, 0, 1, 2);
    damage(&e, key_backup(e.ann->account));
    cr_assert_eq(get(e.w, e.ann, 0, 0).has.version, 0u);
    put_whole(e.w, e.ann, 0, 2, 1);
    is_there(e.w, e.ann, 2, 1);
    scene_free(&e);
}

Test(backup, a_part_that_cannot_be_read_is_given_without_bytes)
{
    struct scene e = scene_new(false);
    struct arena a = {0};
    struct store_batch batch = {0};
    struct store_key key = key_backup_part(e.ann->account, 1, 1);
    put_whole(e.w, e.ann, 0, 1, 2);
    store_batch_put(&batch, &a, SPACE_IDENTITY, key_view(&key), view_of("?", 1), view_of(NULL, 0));
    world_alter(e.w, &batch);
    arena_fini(&a);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_gt(get(e.w, e.ann, 1, 0).bytes.len, 0u);
    struct msg_backup_is is = get(e.w, e.ann, 1, 1);
    cr_assert(is.bytes.len == 0 && is.has.version == 1 && is.has.parts == 2, "so that who takes it goes on to an older one");
    scene_free(&e);
}

/* Its session has not heard of it yet. */
Test(backup, who_is_held_puts_none)
{
    struct scene e = scene_new(false);
    const struct msg_hold hold = {.account = e.ann->account, .action = HOLD_PLACE, .reason = HOLD_TAKEOVER};
    (void)world_ask(e.w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_HOLD, &msg_hold_desc, &hold, view_of(NULL, 0));
    cr_assert_eq(put_status(e.w, e.ann, part_of(0, 1, 1, 0, 1)), STATUS_ON_HOLD);
    cr_assert_eq(world_event(e.w, EVENT_BACKUP_REFUSED)->code, STATUS_ON_HOLD);
    cr_assert_eq(get(e.w, e.ann, 0, 0).has.version, 0u);
    scene_free(&e);
}

Test(backup, it_is_each_accounts_own)
{
    struct scene e = scene_new(true);
    put_whole(e.w, e.ann, 0, 1, 2);
    cr_assert_eq(get(e.w, e.bob, 1, 0).has.version, 0u);
    cr_assert_eq(get(e.w, e.bob, 1, 0).bytes.len, 0u);
    put_whole(e.w, e.bob, 0, 1, 1);
    is_there(e.w, e.ann, 1, 2);
    scene_free(&e);
}

Test(backup, a_full_disk_takes_none_and_gives_what_is_there)
{
    struct scene e = scene_new(false);
    put_whole(e.w, e.ann, 0, 1, 2);
    e.w->core->state = STORE_READONLY;
    cr_assert_eq(put_status(e.w, e.ann, part_of(1, 2, 1, 0, 1)), STATUS_STORE_READONLY);
    is_there(e.w, e.ann, 1, 2);
    scene_free(&e);
}
