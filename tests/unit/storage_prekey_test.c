/* Prekeys at the relay: what a device may publish, what a claim takes, who hears that few are left, and
 * how often one account may ask. */
#include "broker/wire/prekey.h"
#include "tests/unit/storage_fixture.h"

#include <string.h>

/* What a device publishes: ids, 0 = absent; one-time ids first .. first + count - 1. */
struct supply {
    uint64_t current, last_resort, first;
    size_t count;
};

static struct buffer signed_of(const struct person *p, uint64_t id, bool last_resort)
{
    struct buffer out = {0};
    struct msg_prekey_body body = {.device = p->device,
                                   .id = id,
                                   .last_resort = last_resort,
                                   .made_ms = WORLD_START_MS,
                                   .key_version = p->log.key_version,
                                   .head = p->log.version_head};
    memcpy(body.key.bytes, p->record.identity.bytes, sizeof body.key.bytes);
    prekey_make(p->account, &body, p->signing_sk, &out);
    return out;
}

static struct prekey_pk one_time_key(uint64_t id)
{
    return (struct prekey_pk){{0x55, (uint8_t)id, (uint8_t)(id >> 8)}};
}

static uint64_t publish_message(struct world *w, const struct person *p,
                                const struct msg_publish *m)
{
    struct stamp stamp = person_stamp(p);
    uint64_t c =
        world_ask(w, p->broker, &stamp, KIND_PUBLISH, &msg_publish_desc, m, view_of(NULL, 0));
    world_run(w);
    return c;
}

static uint64_t publish(struct world *w, const struct person *p, struct supply o)
{
    struct buffer current = signed_of(p, o.current, false),
                  last_resort = signed_of(p, o.last_resort, true);
    struct msg_one_time_prekey list[ONE_TIME_PREKEYS_MAX];
    struct msg_publish m = {.one_time = list, .one_time_count = o.count};
    if (o.current) m.current = buffer_view(&current);
    if (o.last_resort) m.last_resort = buffer_view(&last_resort);
    for (size_t i = 0; i < o.count; i++)
        list[i] = (struct msg_one_time_prekey){o.first + i, one_time_key(o.first + i)};
    uint64_t c = publish_message(w, p, &m);
    buffer_fini(&current);
    buffer_fini(&last_resort);
    return c;
}

static struct msg_prekey_state published(struct world *w, const struct person *p, struct supply o)
{
    struct msg_published m;
    world_decode(w, publish(w, p, o), KIND_PUBLISHED, &msg_published_desc, &m);
    return m.prekeys;
}

/* PUBLISH of these bytes as the current one. */
static enum status publish_bytes(struct world *w, const struct person *p, struct buffer bytes,
                                 bool as_last_resort)
{
    struct msg_publish m = {0};
    if (as_last_resort)
        m.last_resort = buffer_view(&bytes);
    else
        m.current = buffer_view(&bytes);
    uint64_t c = publish_message(w, p, &m);
    buffer_fini(&bytes);
    return world_status(w, c);
}

static uint64_t claim_begin(struct world *w, const struct person *by, struct account_id account,
                            const struct device_id *devices, size_t count)
{
    struct stamp stamp = person_stamp(by);
    struct device_id_list list[DEVICES_PER_ACCOUNT];
    for (size_t i = 0; i < count; i++)
        list[i].device = devices[i];
    struct msg_claim_prekeys m = {.account = account, .devices = list, .device_count = count};
    return world_ask(w, by->broker, &stamp, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &m,
                     view_of(NULL, 0));
}

static struct msg_prekey_bundle claim_end(struct world *w, uint64_t c)
{
    struct msg_prekeys m;
    world_decode(w, c, KIND_PREKEYS, &msg_prekeys_desc, &m);
    cr_assert_eq(m.bundle_count, 1);
    return m.bundles[0];
}

static struct msg_prekey_bundle claim(struct world *w, const struct person *by,
                                      const struct person *of)
{
    uint64_t c = claim_begin(w, by, of->account, &of->device, 1);
    world_run(w);
    struct msg_prekey_bundle b = claim_end(w, c);
    cr_assert(device_equal(b.device, of->device));
    return b;
}

/* The id of the one-time prekey that was handed out, with its key; 0 = none. */
static uint64_t id_of(const struct msg_prekey_bundle *b)
{
    if (!b->one_time_count) return 0;
    struct prekey_pk key = one_time_key(b->one_time[0].id);
    cr_assert_eq(memcmp(&key, &b->one_time[0].key, sizeof key), 0);
    return b->one_time[0].id;
}

static uint64_t claimed_id(struct world *w, const struct person *by, const struct person *of)
{
    struct msg_prekey_bundle b = claim(w, by, of);
    cr_assert_eq(b.status, STATUS_OK);
    return id_of(&b);
}

/* The signed prekey in these bytes, which must be this device's. */
static struct msg_prekey_body opened(struct world *w, const struct person *p, struct view bytes)
{
    struct msg_signed_prekey prekey;
    struct msg_prekey_body body;
    cr_assert_eq(prekey_open(bytes, &w->arena, &prekey, &body), STATUS_OK);
    cr_assert(prekey_signed_by(p->account, &prekey, &p->record.signing));
    cr_assert(device_equal(body.device, p->device));
    return body;
}

static void meter_renew(struct world *w, size_t pair_max)
{
    prekey_meter_free(&w->core->prekey_meter);
    w->core->prekey_meter = prekey_meter_new(pair_max, (const uint8_t *)"sixteen of seeds");
}

static struct msg_prekey_state welcomed(struct world *w, struct person *p)
{
    struct msg_welcome welcome = {0};
    cr_assert_eq(person_hello(w, p, 0), STATUS_OK);
    for (size_t i = 0; i < w->out_count; i++)
        if (w->outs[i].frame.header.kind == KIND_WELCOME)
            cr_assert_eq(
                codec_decode(&msg_welcome_desc, w->outs[i].frame.meta, &w->arena, &welcome),
                STATUS_OK);
    return welcome.prekeys;
}

/* ---- one-time prekeys ---- */

Test(prekeys, the_oldest_comes_first_and_each_once_also_after_a_crash)
{
    struct scene e = scene_new(true);
    struct msg_prekey_state state = published(e.w, e.bob, (struct supply){7, 3, 5, 4});
    cr_assert(state.signed_id == 7 && state.last_resort_id == 3);
    cr_assert(state.one_time_highest == 8 && state.one_time_count == 4);
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert_eq(b.status, STATUS_OK);
    cr_assert_eq(id_of(&b), 5);
    cr_assert_eq(b.last_resort.len, 0, "only where no other is left");
    struct msg_prekey_body body = opened(e.w, e.bob, b.current);
    cr_assert(body.id == 7 && !body.last_resort);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 6);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 7);
    scene_free(&e);
}

Test(prekeys, two_claims_of_one_turn_get_different_ones)
{
    struct scene e = scene_new(true);
    uint64_t c[3];
    published(e.w, e.bob, (struct supply){7, 3, 1, 2});
    for (size_t i = 0; i < 3; i++)
        c[i] = claim_begin(e.w, e.ann, e.bob->account, &e.bob->device, 1);
    size_t turns = e.w->core->counters.turns;
    world_run(e.w);
    cr_assert_eq(e.w->core->counters.turns, turns + 1);
    struct msg_prekey_bundle first = claim_end(e.w, c[0]), second = claim_end(e.w, c[1]),
                             third = claim_end(e.w, c[2]);
    cr_assert(id_of(&first) == 1 && id_of(&second) == 2 && id_of(&third) == 0);
    cr_assert(first.last_resort.len == 0 && second.last_resort.len == 0 &&
              third.last_resort.len > 0);
    scene_free(&e);
}

Test(prekeys, the_last_resort_is_flagged_and_comes_again_and_where_there_is_none_none_comes)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){.current = 7});
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert_eq(b.status, STATUS_OK);
    cr_assert(b.current.len && !b.last_resort.len && !b.one_time_count);
    published(e.w, e.bob, (struct supply){.last_resort = 3});
    for (int i = 0; i < 2; i++) {
        b = claim(e.w, e.ann, e.bob);
        cr_assert_eq(id_of(&b), 0);
        cr_assert_eq(opened(e.w, e.bob, b.current).id, 7);
        struct msg_prekey_body body = opened(e.w, e.bob, b.last_resort);
        cr_assert(body.id == 3 && body.last_resort);
    }
    scene_free(&e);
}

Test(prekeys, without_a_current_one_nothing_is_handed_out)
{
    struct scene e = scene_new(true);
    cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_NOT_FOUND, "nothing published");
    published(e.w, e.bob, (struct supply){.last_resort = 3, .first = 1, .count = 2});
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert_eq(b.status, STATUS_NOT_FOUND);
    cr_assert(!b.one_time_count && !b.last_resort.len);
    published(e.w, e.bob, (struct supply){.current = 7});
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    scene_free(&e);
}

/* ---- what is taken ---- */

Test(prekeys, the_same_request_again_changes_nothing_and_what_was_claimed_does_not_come_back)
{
    struct scene e = scene_new(true);
    struct supply o = {7, 3, 1, 3};
    struct msg_prekey_state first = published(e.w, e.bob, o), again = published(e.w, e.bob, o);
    cr_assert_eq(memcmp(&first, &again, sizeof first), 0);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    cr_assert_eq(published(e.w, e.bob, o).one_time_count, 2);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 2);
    struct msg_prekey_state more = published(e.w, e.bob, (struct supply){.first = 2, .count = 4});
    cr_assert(more.one_time_count == 3 && more.one_time_highest == 5, "3, 4 and 5");
    cr_assert(more.signed_id == 7 && more.last_resort_id == 3, "what is absent stays");
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 3);
    scene_free(&e);
}

Test(prekeys, signed_ones_do_not_go_back)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){.current = 7, .last_resort = 7});
    struct msg_prekey_state state =
        published(e.w, e.bob, (struct supply){.current = 6, .last_resort = 5});
    cr_assert(state.signed_id == 7 && state.last_resort_id == 7);
    cr_assert_eq(opened(e.w, e.bob, claim(e.w, e.ann, e.bob).current).id, 7);
    state = published(e.w, e.bob, (struct supply){.current = 8, .last_resort = 9});
    cr_assert(state.signed_id == 8 && state.last_resort_id == 9);
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert(opened(e.w, e.bob, b.current).id == 8 && opened(e.w, e.bob, b.last_resort).id == 9);
    scene_free(&e);
}

Test(prekeys, more_than_a_device_may_keep_is_taken_as_far_as_there_is_room)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){7, 3, 1, ONE_TIME_PREKEYS_MAX});
    struct supply more = {8, 4, ONE_TIME_PREKEYS_MAX + 1, 1};
    struct msg_prekey_state state = published(e.w, e.bob, more);
    cr_assert(state.signed_id == 8 && state.last_resort_id == 4);
    cr_assert(state.one_time_count == ONE_TIME_PREKEYS_MAX &&
              state.one_time_highest == ONE_TIME_PREKEYS_MAX);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    state = published(e.w, e.bob, more);
    cr_assert(state.one_time_count == ONE_TIME_PREKEYS_MAX && state.one_time_highest == ONE_TIME_PREKEYS_MAX + 1);
    scene_free(&e);
}

Test(prekeys, one_time_ids_grow_from_one)
{
    struct scene e = scene_new(true);
    struct msg_one_time_prekey list[3] = {{0, {{1}}}, {4, {{1}}}, {4, {{1}}}};
    struct msg_publish m = {.one_time = list, .one_time_count = 2};
    cr_assert_eq(world_status(e.w, publish_message(e.w, e.bob, &m)), STATUS_MALFORMED);
    m.one_time = list + 1;
    cr_assert_eq(world_status(e.w, publish_message(e.w, e.bob, &m)), STATUS_MALFORMED);
    list[1].id = 3;
    cr_assert_eq(world_status(e.w, publish_message(e.w, e.bob, &m)), STATUS_OK);
    scene_free(&e);
}

/* ---- what is refused ---- */

Test(prekeys, what_the_device_has_not_signed_for_itself_is_no_prekey_of_it)
{
    struct scene e = scene_new(true);
    struct buffer forged = signed_of(e.bob, 7, false);
    struct person other = *e.bob;
    forged.at[forged.len - 1] ^= 1;
    cr_assert_eq(publish_bytes(e.w, e.bob, forged, false), STATUS_BAD_ENTRY);
    cr_assert_eq(world_event(e.w, EVENT_PREKEYS_REFUSED)->code, STATUS_BAD_ENTRY);
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(e.ann, 7, false), false), STATUS_BAD_ENTRY,
                 "another's");
    other.device = e.ann->device;
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(&other, 7, false), false), STATUS_BAD_ENTRY,
                 "for another");
    other = *e.bob;
    other.account = e.ann->account;
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(&other, 7, false), false), STATUS_BAD_ENTRY,
                 "of another account");
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(e.bob, 7, true), false), STATUS_BAD_ENTRY,
                 "a last resort");
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(e.bob, 7, false), true), STATUS_BAD_ENTRY,
                 "no last resort");
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(e.bob, 0, false), false), STATUS_BAD_ENTRY,
                 "without an id");
    cr_assert_eq(world_events(e.w, EVENT_PREKEYS_REFUSED), 7);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_PREKEYS), 0);
    cr_assert_eq(publish_bytes(e.w, e.bob, signed_of(e.bob, 7, false), false), STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_PREKEYS), 1);
    scene_free(&e);
}

Test(prekeys, a_device_that_is_not_active_publishes_nothing_and_has_nothing)
{
    struct scene e = scene_new(true);
    struct device_id bob = e.bob->device;
    published(e.w, e.bob, (struct supply){7, 3, 1, 5});
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    struct buffer suspended =
        entry_of(e.bob, (struct entry_plan){.operation = ENTRY_SUSPEND, .subject = bob});
    person_append(e.w, e.bob, suspended);
    cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_NOT_FOUND);
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){.current = 8})),
                 STATUS_REFUSED);
    cr_assert_eq(world_event(e.w, EVENT_PREKEYS_REFUSED)->code, STATUS_REFUSED);
    scene_free(&e);
}

Test(prekeys, of_a_revoked_device_none_is_handed_out)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){7, 3, 1, 5});
    person_append(
        e.w, e.bob,
        entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = e.bob->device}));
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert_eq(b.status, STATUS_NOT_FOUND);
    cr_assert(!b.current.len && !b.one_time_count && !b.last_resort.len);
    scene_free(&e);
}

Test(prekeys, a_claim_names_an_account_and_each_device_once)
{
    struct scene e = scene_new(true);
    struct device_id both[3] = {{{9, 9}}, e.bob->device, e.bob->device};
    struct account_id nobody = e.bob->account;
    struct msg_prekeys m;
    uint64_t c[4];
    nobody.bytes[31] ^= 1;
    published(e.w, e.bob, (struct supply){7, 3, 1, 5});
    c[0] = claim_begin(e.w, e.ann, e.bob->account, both, 0);
    c[1] = claim_begin(e.w, e.ann, e.bob->account, both, 3);
    c[2] = claim_begin(e.w, e.ann, nobody, both, 2);
    c[3] = claim_begin(e.w, e.ann, e.bob->account, both, 2);
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c[0]), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, c[1]), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, c[2]), STATUS_NOT_FOUND);
    world_decode(e.w, c[3], KIND_PREKEYS, &msg_prekeys_desc, &m);
    struct msg_log_state state = identity_log_state(&e.bob->log);
    cr_assert_eq(memcmp(&m.log, &state, sizeof state), 0);
    cr_assert_eq(m.bundle_count, 2);
    cr_assert(device_equal(m.bundles[0].device, both[0]) &&
              m.bundles[0].status == STATUS_NOT_FOUND);
    cr_assert(device_equal(m.bundles[1].device, both[1]) && m.bundles[1].status == STATUS_OK);
    cr_assert_eq(id_of(&m.bundles[1]), 1, "none was lost to the refused ones");
    scene_free(&e);
}

Test(prekeys, belong_to_the_home_of_their_account)
{
    struct scene e = scene_new(true);
    uint16_t home = home_of_account(e.bob->account);
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){.current = 7})), STATUS_OK);
    e.w->core->config.partition_first = home + 1;
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){.current = 8})),
                 STATUS_WRONG_HOME);
    uint64_t c = claim_begin(e.w, e.ann, e.bob->account, &e.bob->device, 1);
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_WRONG_HOME);
    scene_free(&e);
}

Test(prekeys, a_full_disk_takes_no_more_but_goes_on_handing_out)
{
    struct scene e = scene_new(true);
    struct supply o = {7, 3, 1, 5};
    published(e.w, e.bob, o);
    e.w->core->state = STORE_READONLY;
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){.current = 8})),
                 STATUS_STORE_READONLY);
    cr_assert_eq(published(e.w, e.bob, o).signed_id, 7, "what it has it has");
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    scene_free(&e);
}

/* ---- few are left ---- */

static const struct out *last_low(const struct world *w)
{
    const struct out *found = NULL;
    for (size_t i = 0; i < w->out_count; i++)
        if (w->outs[i].frame.header.kind == KIND_PREKEYS_LOW) found = &w->outs[i];
    return found;
}

/* Claims until so many are left, by somebody who may. */
static void claim_down(struct scene *e, size_t from, size_t to)
{
    for (; from > to; from--) {
        meter_renew(e->w, 8);
        cr_assert_neq(claimed_id(e->w, e->ann, e->bob), 0);
    }
}

Test(prekeys, low_and_drained_are_told_once_each_until_there_are_more)
{
    struct scene e = scene_new(true);
    struct msg_prekeys_low low;
    published(e.w, e.bob, (struct supply){7, 3, 1, 23});
    claim_down(&e, 23, ONE_TIME_PREKEYS_LOW + 1);
    cr_assert_eq(world_outs(e.w, KIND_PREKEYS_LOW) + world_events(e.w, EVENT_PREKEYS_LOW), 0);
    claim_down(&e, ONE_TIME_PREKEYS_LOW + 1, ONE_TIME_PREKEYS_LOW);
    const struct out *o = last_low(e.w);
    cr_assert_eq(codec_decode(&msg_prekeys_low_desc, o->frame.meta, &e.w->arena, &low), STATUS_OK);
    cr_assert_eq(low.prekeys.one_time_count, ONE_TIME_PREKEYS_LOW);
    cr_assert(o->broker == e.bob->broker && o->stamp.conn == e.bob->conn &&
              o->frame.header.correlation == 0);
    cr_assert_eq(session_compare(o->stamp.session, e.bob->session), 0);
    claim_down(&e, ONE_TIME_PREKEYS_LOW, 1);
    cr_assert_eq(world_outs(e.w, KIND_PREKEYS_LOW), 1);
    cr_assert_eq(world_events(e.w, EVENT_PREKEYS_LOW), 1);
    cr_assert_eq(world_events(e.w, EVENT_PREKEYS_DRAINED), 0);
    claim_down(&e, 1, 0);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 0);
    cr_assert_eq(world_outs(e.w, KIND_PREKEYS_LOW), 2);
    cr_assert_eq(world_events(e.w, EVENT_PREKEYS_DRAINED), 1);
    cr_assert_eq(world_event(e.w, EVENT_PREKEYS_DRAINED)->code, 1, "there is a last resort");
    published(e.w, e.bob, (struct supply){.first = 24, .count = ONE_TIME_PREKEYS_LOW + 1});
    claim_down(&e, ONE_TIME_PREKEYS_LOW + 1, ONE_TIME_PREKEYS_LOW - 1);
    cr_assert_eq(world_outs(e.w, KIND_PREKEYS_LOW), 3);
    cr_assert_eq(world_events(e.w, EVENT_PREKEYS_LOW), 2);
    scene_free(&e);
}

Test(prekeys, who_is_away_hears_of_it_with_welcome)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){.current = 7, .first = 1, .count = 1});
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.ann, 0), STATUS_OK);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    cr_assert_eq(world_outs(e.w, KIND_PREKEYS_LOW), 0);
    cr_assert_eq(world_event(e.w, EVENT_PREKEYS_DRAINED)->code, 0, "and there is no last resort");
    struct msg_prekey_state state = welcomed(e.w, e.bob);
    cr_assert(state.signed_id == 7 && state.one_time_highest == 1 && state.one_time_count == 0);
    state = welcomed(e.w, e.ann);
    cr_assert(!state.signed_id && !state.last_resort_id && !state.one_time_highest &&
              !state.one_time_count);
    scene_free(&e);
}

/* ---- how often ---- */

Test(prekeys, one_account_may_ask_for_a_device_so_often_and_another_for_itself)
{
    struct scene e = scene_new(true);
    struct person *cid = person_new(e.w, 77);
    cr_assert_eq(person_hello(e.w, cid, 0), STATUS_OK);
    published(e.w, e.bob, (struct supply){7, 3, 1, 30});
    for (uint64_t i = 1; i <= PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(claimed_id(e.w, e.ann, e.bob), i);
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert_eq(b.status, STATUS_RATE_LIMITED);
    cr_assert_eq(b.retry_after_ms, PREKEY_CLAIM_EVERY_MS);
    cr_assert(!b.current.len && !b.one_time_count && !b.last_resort.len);
    cr_assert_eq(claimed_id(e.w, cid, e.bob), PREKEY_CLAIMS_BURST + 1, "the refused one took none");
    world_skip(e.w, PREKEY_CLAIM_EVERY_MS - 1);
    b = claim(e.w, e.ann, e.bob);
    cr_assert(b.status == STATUS_RATE_LIMITED && b.retry_after_ms == 1);
    world_skip(e.w, 1);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), PREKEY_CLAIMS_BURST + 2);
    cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_RATE_LIMITED);
    person_free(cid);
    scene_free(&e);
}

Test(prekeys, a_claim_that_finds_no_one_time_prekey_counts_and_one_that_finds_no_device_does_not)
{
    struct scene e = scene_new(true);
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_NOT_FOUND);
    published(e.w, e.bob, (struct supply){.current = 7});
    for (unsigned i = 0; i < PREKEY_CLAIMS_BURST; i++)
        cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_OK);
    cr_assert_eq(claim(e.w, e.ann, e.bob).status, STATUS_RATE_LIMITED);
    scene_free(&e);
}

Test(prekeys, when_every_place_of_the_meter_is_taken_a_new_pair_gets_one_and_that_is_told)
{
    struct scene e = scene_new(true);
    uint32_t retry_ms;
    meter_renew(e.w, 1);
    published(e.w, e.bob, (struct supply){7, 3, 1, 5});
    for (uint8_t i = 1; i <= PREKEY_METER_WAYS; i++)
        cr_assert_eq(prekey_meter_take(e.w->core->prekey_meter, (struct account_id){{i}},
                                       e.bob->device, e.w->core->mono_ms, &retry_ms),
                     STATUS_OK);
    cr_assert_eq(world_events(e.w, EVENT_PREKEY_METER_FULL), 0);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 1);
    cr_assert_eq(world_events(e.w, EVENT_PREKEY_METER_FULL), 1);
    cr_assert_eq(world_event(e.w, EVENT_PREKEY_METER_FULL)->count, 1);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 2);
    cr_assert_eq(world_events(e.w, EVENT_PREKEY_METER_FULL), 1, "who has a place takes nobody's");
    scene_free(&e);
}

/* ---- damage ---- */

static void row_spoil(struct world *w, const struct person *p)
{
    struct arena a = {0};
    struct store_batch batch = {0};
    struct store_key key = key_device(ROW_PREKEYS, home_of_account(p->account), p->device);
    store_batch_put(&batch, &a, SPACE_IDENTITY, key_view(&key), view_of("no row", 6),
                    view_of(NULL, 0));
    cr_assert_eq(store_write(w->store, &batch, DURABILITY_SYNCED), STATUS_OK);
    arena_fini(&a);
}

Test(prekeys, a_damaged_row_is_busy_until_a_current_one_takes_its_place)
{
    struct scene e = scene_new(true);
    published(e.w, e.bob, (struct supply){7, 3, 1, 5});
    row_spoil(e.w, e.bob);
    struct msg_prekey_bundle b = claim(e.w, e.ann, e.bob);
    cr_assert(b.status == STATUS_BUSY && b.retry_after_ms == 1000 && !b.current.len);
    cr_assert_eq(world_events(e.w, EVENT_STORE_DAMAGED), 1);
    cr_assert_eq(welcomed(e.w, e.bob).signed_id, 0);
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){.first = 6, .count = 1})),
                 STATUS_BUSY);
    cr_assert_eq(world_status(e.w, publish(e.w, e.bob, (struct supply){8, 4, 6, 1})), STATUS_OK);
    cr_assert_eq(claimed_id(e.w, e.ann, e.bob), 6);
    scene_free(&e);
}
