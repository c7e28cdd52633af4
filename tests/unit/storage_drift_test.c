/* Key drift as the relay sees it: who is told that an account's log has grown, and what operators learn of sends that were
 * stale. */
#include "tests/unit/storage_fixture.h"

#include <string.h>

/* ---- LOG_GREW ---- */

/* A second device of bob's, as a person of its own. */
static struct person *second_of(struct scene *e, unsigned keys)
{
    struct person *p = calloc(1, sizeof *p);
    person_append(e->w, e->bob, entry_added(e->bob, keys));
    p->account = e->bob->account;
    p->record = keys_make(keys, p->signing_sk);
    p->device = device_id_of(p->account, &p->record.signing);
    return p;
}

static const struct out *grew(const struct world *w, struct device_id device)
{
    const struct out *found = NULL;
    for (size_t i = 0; i < w->out_count; i++)
        if (w->outs[i].frame.header.kind == KIND_LOG_GREW && device_equal(w->outs[i].stamp.device, device))
            found = &w->outs[i];
    return found;
}

Test(drift, the_other_devices_of_an_account_hear_that_its_log_has_grown)
{
    struct scene e = scene_new(true);
    struct person *second = second_of(&e, 300);
    struct msg_log_grew m;
    cr_assert_eq(person_hello(e.w, second, 0), STATUS_OK);
    size_t before = world_outs(e.w, KIND_LOG_GREW);
    person_append(e.w, e.bob, entry_added(e.bob, 301));
    cr_assert_eq(world_outs(e.w, KIND_LOG_GREW), before + 1, "not who has brought it");
    const struct out *o = grew(e.w, second->device);
    cr_assert(o && codec_decode(&msg_log_grew_desc, o->frame.meta, &e.w->arena, &m) == STATUS_OK);
    struct msg_log_state state = identity_log_state(&e.bob->log);
    cr_assert_eq(memcmp(&m.log, &state, sizeof state), 0);
    cr_assert_eq(memcmp(&o->stamp.session, &second->session, sizeof second->session), 0);
    person_free(second);
    scene_free(&e);
}

Test(drift, who_is_not_attached_revoked_or_of_another_account_does_not)
{
    struct scene e = scene_new(true);
    struct person *second = second_of(&e, 300), *third = second_of(&e, 301);
    second->unattached = true;
    cr_assert_eq(person_hello(e.w, second, 0), STATUS_OK);
    cr_assert_eq(person_hello(e.w, third, 0), STATUS_OK);
    size_t before = world_outs(e.w, KIND_LOG_GREW);
    person_append(e.w, e.bob, entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = third->device}));
    cr_assert_eq(world_outs(e.w, KIND_LOG_GREW), before);
    cr_assert(!grew(e.w, e.ann->device));
    person_free(third);
    person_free(second);
    scene_free(&e);
}

/* Whoever hands it over: the account's own device that is here has not. */
Test(drift, an_entry_that_a_contact_hands_over_is_told_to_all)
{
    struct scene e = scene_new(true);
    struct buffer entry = entry_added(e.bob, 300);
    struct view view = buffer_view(&entry);
    cr_assert_eq(world_status(e.w, append(e.w, e.ann, e.bob->account, &view, 1)), STATUS_OK);
    cr_assert(grew(e.w, e.bob->device));
    size_t before = world_outs(e.w, KIND_LOG_GREW);
    cr_assert_eq(world_status(e.w, append(e.w, e.ann, e.bob->account, &view, 1)), STATUS_OK, "again");
    cr_assert_eq(world_outs(e.w, KIND_LOG_GREW), before, "it has not grown");
    buffer_fini(&entry);
    scene_free(&e);
}

/* ---- DRIFT ---- */

static struct msg_drift_is drift(struct scene *e)
{
    struct msg_drift_is m;
    uint64_t c = world_ask(e->w, 0, &(struct stamp){.origin = ORIGIN_ADMIN, .conn = 3}, KIND_DRIFT, &msg_empty_desc,
                           &(struct msg_empty){0}, view_of(NULL, 0));
    world_run(e->w);
    world_decode(e->w, c, KIND_DRIFT_IS, &msg_drift_is_desc, &m);
    return m;
}

/* Ann writes to the devices that bob had at his first key version, or to those of now. */
static enum status writes(struct scene *e, bool stale)
{
    struct msg_part parts[2] = {{.device = e->bob->device, .len = 2}};
    struct msg_send_item item = {.id = world_id(e->w), .target = target_of_account(e->bob->account), .parts = parts,
                                 .part_count = 1, .key_version = 1, .head = e->bob->head};
    if (!stale) {
        item.key_version = e->bob->log.key_version;
        item.head = e->bob->log.version_head;
        item.part_count = 2;
        parts[1] = (struct msg_part){.device = e->bob->log.devices[1].id, .len = 2};
    }
    return send_item(e, &item, view_of("\x01m\x01m", stale ? 2 : 4)).status;
}

Test(drift, refusals_rounds_and_latency_are_counted_by_client_version)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    cr_assert(drift(&e).version_count == 0 && drift(&e).pair_count == 0);
    cr_assert_eq(writes(&e, true), STATUS_STALE_DEVICES);
    world_pass(e.w, 1500);
    cr_assert_eq(writes(&e, true), STATUS_STALE_DEVICES);
    world_pass(e.w, 500);
    struct msg_drift_is m = drift(&e);
    cr_assert(m.pair_count == 1 && m.pairs[0].open && m.pairs[0].refused == 2 && m.pairs[0].lag == 1);
    cr_assert(m.pairs[0].client_version == version_number(view_of("1.0.0", 5)));
    struct mark ann = mark_device(&e.w->config.mark_key, e.ann->device);
    struct mark bob = mark_account(&e.w->config.mark_key, e.bob->account);
    cr_assert(memcmp(&m.pairs[0].sender, &ann, 8) == 0 && memcmp(&m.pairs[0].target, &bob, 8) == 0);
    cr_assert_eq(writes(&e, false), STATUS_OK);
    m = drift(&e);
    cr_assert(m.sent == 3 && m.refused == 2 && m.version_count == 1 && !m.pairs[0].open);
    const struct msg_drift_version *v = &m.versions[0];
    cr_assert(v->refused == 2 && v->lag_1 == 2 && v->lag_2 == 0 && v->repaired == 1 && v->rounds == 2);
    cr_assert(v->latency_ms >= 2000 && v->latency_ms == v->latency_ms_max, "%lu", (unsigned long)v->latency_ms);
    scene_free(&e);
}

Test(drift, a_pair_that_is_refused_again_and_again_is_an_alarm_once)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    for (unsigned i = 1; i <= 2 * STALE_STUCK_REFUSALS; i++) {
        cr_assert_eq(writes(&e, true), STATUS_STALE_DEVICES);
        cr_assert_eq(writes(&e, true), STATUS_STALE_DEVICES, "beside it, and no more than it");
        cr_assert_eq(world_events(e.w, EVENT_DRIFT_STUCK), i >= STALE_STUCK_REFUSALS, "%u", i);
        world_pass(e.w, 2000);
    }
    cr_assert_eq(world_event(e.w, EVENT_DRIFT_STUCK)->count, STALE_STUCK_REFUSALS);
    cr_assert(drift(&e).pairs[0].stuck);
    cr_assert_eq(writes(&e, false), STATUS_OK);
    cr_assert(!drift(&e).pairs[0].stuck && !drift(&e).pairs[0].open);
    scene_free(&e);
}

Test(drift, one_that_comes_right_in_between_is_none)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    for (unsigned i = 0; i < 3 * STALE_STUCK_REFUSALS; i++) {
        cr_assert_eq(writes(&e, i % 3 != 2), i % 3 != 2 ? STATUS_STALE_DEVICES : STATUS_OK);
        world_pass(e.w, 2000);
    }
    cr_assert_eq(world_events(e.w, EVENT_DRIFT_STUCK), 0u);
    scene_free(&e);
}

Test(drift, many_refusals_in_a_minute_are_told)
{
    struct scene e = scene_new(true);
    person_append(e.w, e.bob, entry_added(e.bob, 300));
    for (unsigned i = 0; i < STALE_RATE_MIN; i++)
        cr_assert_eq(writes(&e, true), STATUS_STALE_DEVICES);
    world_pass(e.w, STALE_RATE_EVERY_MS + 1000);
    (void)writes(&e, true);
    cr_assert_eq(world_event(e.w, EVENT_DRIFT_RATE)->count, STALE_RATE_MIN);
    world_pass(e.w, 2 * STALE_RATE_EVERY_MS);
    cr_assert_eq(world_events(e.w, EVENT_DRIFT_RATE), 1u, "one is not many");
    scene_free(&e);
}

/* ---- the table ---- */

static struct stale_refusal of(unsigned n)
{
    struct stale_refusal r = {.client_version = n, .lag = n};
    put_u32(r.sender.bytes, n);
    return r;
}

Test(drift, the_table_keeps_who_was_refused_most)
{
    static struct stale_table t;
    uint64_t times;
    memset(&t, 0, sizeof t);
    struct stale_refusal worst = of(1);
    for (unsigned i = 0; i < STALE_STUCK_REFUSALS; i++)
        cr_assert_eq(stale_refused(&t, &worst, 1000 + i * 2000, &times), i + 1 == STALE_STUCK_REFUSALS);
    for (unsigned n = 2; n < 1000; n++) {
        struct stale_refusal r = of(n);
        cr_assert_not(stale_refused(&t, &r, 20000 + n, &times));
    }
    bool kept = false;
    for (size_t i = 0; i < DRIFT_PAIRS_MAX; i++)
        kept = kept || (t.pairs[i].stuck && device_equal(t.pairs[i].sender, worst.sender));
    cr_assert(kept);
    cr_assert_eq(t.open, DRIFT_PAIRS_MAX);
    cr_assert_eq(t.forgotten, 999u - DRIFT_PAIRS_MAX);
    cr_assert_eq(t.versions[DRIFT_VERSIONS_MAX - 1].client_version, 0u, "those that have no place of their own");
    uint64_t all = 0;
    for (size_t i = 0; i < DRIFT_VERSIONS_MAX; i++)
        all += t.versions[i].refused;
    cr_assert_eq(all, t.refused);
    stale_accepted(&t, worst.sender, worst.target, 50000);
    cr_assert_eq(t.open, DRIFT_PAIRS_MAX - 1);
    stale_accepted(&t, worst.sender, worst.target, 50000);
    cr_assert_eq(t.open, DRIFT_PAIRS_MAX - 1);
}
