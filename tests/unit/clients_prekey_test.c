/* Prekeys at the client: made before they are published, refilled, renewed, and never twice under one id. */
#include "broker/wire/identity_log.h"
#include "broker/wire/prekey.h"
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define WEEK_MS (7ull * 24 * 3600 * 1000)

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

/* An engine that leaves prekeys, with a session. */
static void begin(struct fixture *f)
{
    f->config.prekeys = true;
    restart(f);
    bind_session(f);
}

static struct frame published(struct fixture *f, struct msg_publish *m)
{
    struct frame frame = said(f, KIND_PUBLISH, &msg_publish_desc, m);
    cr_assert_eq(frame.header.home, home_of_account(f->me.account));
    return frame;
}

static struct msg_prekey_body body_of(struct fixture *f, struct view prekey)
{
    struct msg_signed_prekey p;
    struct msg_prekey_body body;
    ok(prekey_open(prekey, &f->arena, &p, &body));
    cr_assert(prekey_signed_by(f->me.account, &p, &f->me.record.signing));
    cr_assert(device_equal(body.device, f->me.device));
    cr_assert_eq(body.key_version, f->my_log.key_version);
    cr_assert_eq(memcmp(&body.head, &f->my_log.version_head, 32), 0);
    return body;
}

/* The secret that belongs to a public key is kept. */
static void kept(struct fixture *f, enum prekey_kind kind, uint64_t id, const struct prekey_pk *pk)
{
    struct state_prekey prekey;
    struct prekey_pk again;
    ok(state_begin(f->state, STATE_READ));
    ok(state_prekey_get(f->state, kind, id, &prekey));
    ok(state_commit(f->state));
    cr_assert_eq(crypto_scalarmult_base(again.bytes, prekey.sk), 0);
    cr_assert_eq(memcmp(&again, pk, sizeof again), 0);
}

/* The relay takes them. */
static void take(struct fixture *f, const struct frame *frame, const struct msg_publish *m)
{
    if (m->current.len) f->prekeys.signed_id = body_of(f, m->current).id;
    if (m->last_resort.len) f->prekeys.last_resort_id = body_of(f, m->last_resort).id;
    f->prekeys.one_time_count += (uint32_t)m->one_time_count;
    if (m->one_time_count) f->prekeys.one_time_highest = m->one_time[m->one_time_count - 1].id;
    struct msg_published reply = {.prekeys = f->prekeys};
    answer(f, frame, KIND_PUBLISHED, &msg_published_desc, &reply);
}

/* In one step; nothing is said meanwhile that a relay would have to answer. */
static void sleep_for(struct fixture *f, uint64_t ms)
{
    f->now.mono_ms += ms;
    f->now.wall_ms += ms;
    turn(f);
}

static void publish_all(struct fixture *f)
{
    struct msg_publish m;
    begin(f);
    struct frame frame = published(f, &m);
    take(f, &frame, &m);
}

ENGINE_TEST(prekey, a_new_device_leaves_all_kinds_and_keeps_their_secrets)
{
    struct msg_publish m;
    begin(f);
    struct frame frame = published(f, &m);
    struct msg_prekey_body current = body_of(f, m.current), last = body_of(f, m.last_resort);
    cr_assert(current.id == 1 && !current.last_resort && current.made_ms == f->now.wall_ms);
    cr_assert(last.id == 1 && last.last_resort);
    kept(f, PREKEY_SIGNED, 1, &current.key);
    kept(f, PREKEY_LAST_RESORT, 1, &last.key);
    cr_assert_eq(m.one_time_count, ONE_TIME_PREKEYS_MAX);
    for (size_t i = 0; i < m.one_time_count; i++) {
        cr_assert_eq(m.one_time[i].id, i + 1);
        kept(f, PREKEY_ONE_TIME, i + 1, &m.one_time[i].key);
    }
    take(f, &frame, &m);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
    lose_connection(f);
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u, "the relay has them");
}

ENGINE_TEST(prekey, nothing_is_left_where_nobody_wants_it)
{
    bind_session(f);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
}

ENGINE_TEST(prekey, without_an_answer_the_same_keys_are_published_again)
{
    struct msg_publish first, again;
    begin(f);
    (void)published(f, &first);
    struct msg_prekey_body a = body_of(f, first.current);
    lose_connection(f);
    restart(f);
    bind_session(f);
    (void)published(f, &again);
    struct msg_prekey_body b = body_of(f, again.current);
    cr_assert(a.id == b.id && memcmp(&a.key, &b.key, 32) == 0);
    cr_assert_eq(again.one_time_count, first.one_time_count);
    for (size_t i = 0; i < again.one_time_count; i++)
        cr_assert_eq(memcmp(&again.one_time[i], &first.one_time[i], sizeof first.one_time[i]), 0);
}

ENGINE_TEST(prekey, few_left_are_filled_up_with_new_ones)
{
    struct msg_publish m;
    publish_all(f);
    struct msg_prekeys_low low = {.prekeys = f->prekeys};
    low.prekeys.one_time_count = f->prekeys.one_time_count = ONE_TIME_PREKEYS_LOW;
    push(f, KIND_PREKEYS_LOW, &msg_prekeys_low_desc, &low, view_of(NULL, 0));
    struct frame frame = published(f, &m);
    cr_assert_eq(m.current.len + m.last_resort.len, 0u, "those are still good");
    cr_assert_eq(m.one_time_count, ONE_TIME_PREKEYS_MAX - ONE_TIME_PREKEYS_LOW);
    cr_assert_eq(m.one_time[0].id, ONE_TIME_PREKEYS_MAX + 1);
    take(f, &frame, &m);
    pass(f, 60000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
}

ENGINE_TEST(prekey, enough_are_enough)
{
    publish_all(f);
    lose_connection(f);
    f->prekeys.one_time_count = 50;
    bind_session(f);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
}

ENGINE_TEST(prekey, signed_ones_are_renewed_after_a_week_and_the_old_secrets_stay)
{
    struct msg_publish m;
    struct state_prekey prekey;
    publish_all(f);
    sleep_for(f, WEEK_MS - 3600 * 1000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
    sleep_for(f, 7 * 3600 * 1000);
    struct frame frame = published(f, &m);
    cr_assert_eq(body_of(f, m.current).id, 2u);
    cr_assert_eq(body_of(f, m.last_resort).id, 2u);
    cr_assert_eq(m.one_time_count, 0u);
    take(f, &frame, &m);
    ok(state_begin(f->state, STATE_READ));
    ok(state_prekey_get(f->state, PREKEY_SIGNED, 1, &prekey));
    ok(state_commit(f->state));
    for (int week = 0; week < 4; week++) {
        sleep_for(f, WEEK_MS);
        frame = published(f, &m);
        take(f, &frame, &m);
    }
    ok(state_begin(f->state, STATE_READ));
    cr_assert_eq(state_prekey_get(f->state, PREKEY_SIGNED, 1, &prekey), STATUS_NOT_FOUND, "but not for ever");
    ok(state_prekey_get(f->state, PREKEY_SIGNED, 3, &prekey));
    ok(state_commit(f->state));
}

/* What it had may have been claimed: no one-time prekey comes twice; signed ones may. */
ENGINE_TEST(prekey, a_relay_that_lost_them_gets_new_one_time_prekeys)
{
    struct msg_publish m;
    publish_all(f);
    lose_connection(f);
    f->prekeys = (struct msg_prekey_state){0};
    bind_session(f);
    (void)published(f, &m);
    cr_assert_eq(body_of(f, m.current).id, 1u);
    cr_assert_eq(body_of(f, m.last_resort).id, 1u);
    cr_assert_eq(m.one_time_count, ONE_TIME_PREKEYS_MAX);
    cr_assert_eq(m.one_time[0].id, ONE_TIME_PREKEYS_MAX + 1);
    lose_connection(f);
    restart(f);
    bind_session(f);
    struct frame frame = published(f, &m);
    cr_assert_eq(m.one_time[0].id, ONE_TIME_PREKEYS_MAX + 1, "also when it was told so before");
    take(f, &frame, &m);
}

ENGINE_TEST(prekey, a_refusal_is_not_repeated_at_once_and_a_busy_relay_is_asked_again)
{
    struct msg_publish m;
    begin(f);
    struct frame frame = published(f, &m);
    refuse(f, &frame, STATUS_BUSY, 500);
    pass(f, 6000);
    frame = published(f, &m);
    refuse(f, &frame, STATUS_REFUSED, 0);
    sleep_for(f, 3600 * 1000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
    cr_assert(engine_is_bound(f->e));
}

/* Numbers that no device has used are a relay's invention. */
ENGINE_TEST(prekey, ids_beyond_all_bounds_are_not_believed)
{
    static const struct msg_prekey_state inventions[] = {
        {UINT64_MAX, 1, 1, 100}, {1, UINT64_MAX, 1, 100}, {1, 1, UINT64_MAX, 0}, {1, 1, 1ull << 40, 0}};
    struct msg_publish m;
    publish_all(f);
    for (size_t i = 0; i < sizeof inventions / sizeof inventions[0]; i++) {
        struct msg_prekeys_low low = {.prekeys = inventions[i]};
        push(f, KIND_PREKEYS_LOW, &msg_prekeys_low_desc, &low, view_of(NULL, 0));
        cr_assert_eq(said_count(f, KIND_PUBLISH), 0u);
        cr_assert_eq(engine_counts(f->e).frames_bad, i + 1);
    }
    lose_connection(f);
    f->prekeys.one_time_count = 0;
    bind_session(f);
    (void)published(f, &m);
    cr_assert_eq(m.one_time[0].id, ONE_TIME_PREKEYS_MAX + 1, "and nothing of them is remembered");
}

ENGINE_TEST(prekey, a_home_set_back_numbers_on_behind_what_the_relay_has)
{
    struct msg_publish m;
    f->prekeys = (struct msg_prekey_state){5, 7, 4000, 0};
    begin(f);
    (void)published(f, &m);
    cr_assert_eq(body_of(f, m.current).id, 6u);
    cr_assert_eq(body_of(f, m.last_resort).id, 8u);
    cr_assert_eq(m.one_time_count, ONE_TIME_PREKEYS_MAX);
    cr_assert_eq(m.one_time[0].id, 4001u);
}

/* ---- others claim them all, again and again ---- */

static size_t secrets_kept(struct fixture *f, uint64_t highest)
{
    struct state_prekey prekey;
    size_t count = 0;
    ok(state_begin(f->state, STATE_READ));
    for (uint64_t id = 1; id <= highest; id++)
        count += state_prekey_get(f->state, PREKEY_ONE_TIME, id, &prekey) == STATUS_OK;
    ok(state_commit(f->state));
    return count;
}

/* The relay has none any more, and says so; true: new ones came. */
static bool drained(struct fixture *f)
{
    struct msg_publish m;
    struct msg_prekeys_low low;
    f->prekeys.one_time_count = 0;
    low.prekeys = f->prekeys;
    push(f, KIND_PREKEYS_LOW, &msg_prekeys_low_desc, &low, view_of(NULL, 0));
    if (!said_count(f, KIND_PUBLISH)) return false;
    struct frame frame = published(f, &m);
    take(f, &frame, &m);
    return true;
}

ENGINE_TEST(prekey, who_claims_them_all_at_once_does_not_set_the_pace)
{
    unsigned fills = 0;
    publish_all(f);
    for (unsigned i = 0; i < 1000; i++)
        fills += drained(f);
    cr_assert(fills > 0 && fills < 50, "%u", fills);
    f->prekeys.one_time_count = 0;
    sleep_for(f, 3600 * 1000);
    cr_assert_eq(said_count(f, KIND_PUBLISH), 1u, "later there are some again");
}

ENGINE_TEST(prekey, secrets_that_nobody_ever_uses_are_not_kept_without_end)
{
    publish_all(f);
    for (unsigned i = 0; i < 200; i++, sleep_for(f, 60000))
        (void)drained(f);
    cr_assert_gt(f->prekeys.one_time_highest, 15000u);
    size_t count = secrets_kept(f, f->prekeys.one_time_highest);
    cr_assert(count > 9000 && count < 11000, "%zu", count);
}

/* While the clock was a year ahead two were made. What began with their secrets is remembered for eight weeks only. */
ENGINE_TEST(prekey, secrets_made_under_a_clock_that_was_ahead_go_as_soon_as_others)
{
    const uint64_t year_ms = 52 * WEEK_MS;
    struct msg_publish m;
    struct state_prekey prekey;
    f->now.wall_ms += year_ms;
    publish_all(f);
    sleep_for(f, WEEK_MS);
    struct frame frame = published(f, &m);
    take(f, &frame, &m);
    f->now.wall_ms -= year_ms;
    for (int week = 0; week < 6; week++) {
        sleep_for(f, WEEK_MS);
        frame = published(f, &m);
        take(f, &frame, &m);
    }
    ok(state_begin(f->state, STATE_READ));
    for (uint64_t id = 1; id <= 2; id++) {
        cr_assert_eq(state_prekey_get(f->state, PREKEY_SIGNED, id, &prekey), STATUS_NOT_FOUND, "%lu", (unsigned long)id);
        cr_assert_eq(state_prekey_get(f->state, PREKEY_LAST_RESORT, id, &prekey), STATUS_NOT_FOUND);
    }
    ok(state_prekey_get(f->state, PREKEY_SIGNED, 8, &prekey));
    ok(state_commit(f->state));
}
