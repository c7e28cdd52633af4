/* Damage on the disk: one unreadable block costs what is in it, and nothing else; and the bounds that
 * keep one turn's output within one slab. */
#include "tests/unit/storage_fixture.h"

/* A store over another one in which every row whose key starts with `prefix` is unreadable. */
struct bad_store {
    struct store store;
    struct store *inner;
    enum store_space space;
    struct store_key prefix;
    size_t hits;
};

static bool is_bad(const struct bad_store *b, enum store_space space, struct view key)
{
    return space == b->space && b->prefix.len && key.len >= b->prefix.len &&
           memcmp(key.at, b->prefix.bytes, b->prefix.len) == 0;
}

static enum status bad_load(struct store *s, struct store_read *reads, size_t count, struct arena *a)
{
    struct bad_store *b = (struct bad_store *)(void *)s;
    for (size_t i = 0; i < count; i++)
        if (is_bad(b, reads[i].space, reads[i].key)) {
            b->hits++;
            return STATUS_DAMAGED;
        }
    return store_load(b->inner, reads, count, a);
}

static enum status bad_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    struct bad_store *b = (struct bad_store *)(void *)s;
    enum status status = store_scan(b->inner, scan, a);
    for (size_t i = 0; status == STATUS_OK && i < scan->row_count; i++)
        if (is_bad(b, scan->space, scan->rows[i].key)) {
            b->hits++;
            return STATUS_DAMAGED;
        }
    return status;
}

static enum status bad_write(struct store *s, const struct store_batch *batch, enum durability d)
{
    return store_write(((struct bad_store *)(void *)s)->inner, batch, d);
}

static void bad_stats(struct store *s, struct store_stats *out)
{
    store_stats(((struct bad_store *)(void *)s)->inner, out);
}

static void bad_close(struct store *s)
{
    (void)s;
}

static const struct store_ops bad_ops = {"bad", DURABILITY_SYNCED, bad_load, bad_scan, bad_write,
                                         bad_stats, NULL, bad_close};

struct damage {
    struct world *w;
    struct person *ann, *bob, *cid;
    struct bad_store bad;
};

static struct damage damage_new(void)
{
    struct damage d = {.w = world_new(1)};
    d.ann = person_new(d.w, 1);
    d.bob = person_new(d.w, 2);
    d.cid = person_new(d.w, 3);
    cr_assert_eq(person_hello(d.w, d.ann, 0), STATUS_OK);
    return d;
}

/* From now on what starts with this key cannot be read. */
static void damage_put(struct damage *d, enum store_space space, struct store_key prefix)
{
    d->bad = (struct bad_store){.store = {.ops = &bad_ops}, .inner = d->w->store, .space = space,
                                .prefix = prefix};
    d->w->core->store = &d->bad.store;
}

static void damage_free(struct damage *d)
{
    d->w->core->store = d->w->store;
    person_free(d->ann);
    person_free(d->bob);
    person_free(d->cid);
    world_free(d->w);
}

/* The disk does not give one of the two ways to keep a claim. */
static void claim_unreadable(bool page)
{
    struct damage d = damage_new();
    struct message_id old = world_id(d.w), id = world_id(d.w);
    struct sending s = person_send_id(d.w, d.ann, d.bob, id, "one");
    cr_assert_eq(s.status, STATUS_OK);
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, old, "old").status, STATUS_OK);
    struct target_id bob = target_of_account(d.bob->account);
    damage_put(&d, SPACE_ROUTING, page ? key_page(d.ann->device, id)
                                       : key_claim(d.ann->device, bob, old, 0));
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, page ? id : old, "one").status, STATUS_BUSY);
    cr_assert_gt(d.bad.hits, 0);
    cr_assert_gt(world_events(d.w, EVENT_STORE_DAMAGED), 0);
    cr_assert_eq(person_send_id(d.w, d.ann, d.cid, world_id(d.w), "two").status, STATUS_OK);
    damage_free(&d);
}

Test(damage, an_unreadable_claim_is_busy_and_the_others_are_accepted)
{
    claim_unreadable(false);
}

Test(damage, an_unreadable_page_of_claims_is_busy_and_the_others_are_accepted)
{
    claim_unreadable(true);
}

/* The disk does not give a device's prekeys: who claims them waits, and the device itself is let in. */
Test(damage, unreadable_prekeys_are_busy_and_keep_nobody_out)
{
    struct damage d = damage_new();
    struct stamp stamp = person_stamp(d.ann);
    struct device_id_list devices[1] = {{d.bob->device}};
    struct msg_claim_prekeys m = {.account = d.bob->account, .devices = devices, .device_count = 1};
    struct msg_prekeys answer;
    damage_put(&d, SPACE_IDENTITY,
               key_device(ROW_PREKEYS, home_of_account(d.bob->account), d.bob->device));
    uint64_t c = world_ask(d.w, 0, &stamp, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &m,
                           view_of(NULL, 0));
    world_run(d.w);
    world_decode(d.w, c, KIND_PREKEYS, &msg_prekeys_desc, &answer);
    cr_assert_eq(answer.bundles[0].status, STATUS_BUSY);
    cr_assert_eq(answer.bundles[0].retry_after_ms, 1000);
    cr_assert_eq(world_events(d.w, EVENT_STORE_DAMAGED), 1);
    cr_assert_eq(person_hello(d.w, d.bob, 0), STATUS_OK);
    cr_assert_eq(person_hello(d.w, d.cid, 0), STATUS_OK);
    damage_free(&d);
}

Test(damage, an_unreadable_mailbox_is_alarmed_and_the_others_are_served)
{
    struct damage d = damage_new();
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, world_id(d.w), "for bob").status, STATUS_OK);
    cr_assert_eq(person_send_id(d.w, d.ann, d.cid, world_id(d.w), "for cid").status, STATUS_OK);
    damage_put(&d, SPACE_PAYLOAD,
               key_mailbox(ROW_ENVELOPE, home_of_account(d.bob->account), d.bob->device));
    cr_assert_eq(person_hello(d.w, d.bob, 0), STATUS_OK);
    cr_assert_eq(person_hello(d.w, d.cid, 0), STATUS_OK);
    world_pass(d.w, 2000);
    cr_assert_eq(d.bob->got_count, 0);
    cr_assert_eq(d.cid->got_count, 1);
    cr_assert_gt(world_events(d.w, EVENT_PAYLOAD_DAMAGED), 0);
    d.bad.prefix.len = 0; /* the disk reads again */
    world_pass(d.w, 120000);
    cr_assert_eq(person_hello(d.w, d.bob, 0), STATUS_OK);
    cr_assert_eq(d.bob->got_count, 1, "nothing is lost by waiting");
    damage_free(&d);
}

Test(damage, sweeps_step_over_what_they_cannot_read)
{
    struct damage d = damage_new();
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, world_id(d.w), "for bob").status, STATUS_OK);
    damage_put(&d, SPACE_PAYLOAD,
               key_mailbox(ROW_ENVELOPE, home_of_account(d.bob->account), d.bob->device));
    world_pass(d.w, 60000);
    cr_assert_gt(d.bad.hits, 0);
    cr_assert_eq(person_send_id(d.w, d.ann, d.cid, world_id(d.w), "on").status, STATUS_OK);
    damage_free(&d);
}

Test(damage, sweeps_step_over_partition_by_partition_and_never_back)
{
    struct damage d = damage_new();
    const struct store_key *cursor = &d.w->core->sweep_payload;
    uint16_t home = home_of_account(d.bob->account);
    uint8_t block = (uint8_t)(home >> 8); /* the step to it makes the cursor shorter */
    cr_assert_gt(block, 0, "choose another person");
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, world_id(d.w), "for bob").status, STATUS_OK);
    damage_put(&d, SPACE_PAYLOAD, key_mailbox(ROW_ENVELOPE, home, d.bob->device));
    d.w->core->sweep_payload =
        (struct store_key){.bytes = {ROW_ENVELOPE, (uint8_t)(block - 1), 0xfe}, .len = 3};
    for (int i = 0; i < 16; i++) {
        world_pass(d.w, 500);
        cr_assert_geq(cursor->bytes[1], block - 1);
    }
    cr_assert_eq(cursor->bytes[1], block);
    cr_assert_gt(d.bad.hits, 3);
    damage_free(&d);
}

Test(damage, an_unreadable_ledger_is_never_called_lost)
{
    struct damage d = damage_new();
    struct message_id id = world_id(d.w);
    cr_assert_eq(person_send_id(d.w, d.ann, d.bob, id, "one").status, STATUS_OK);
    damage_put(&d, SPACE_PAYLOAD,
               key_mailbox(ROW_ENVELOPE, home_of_account(d.bob->account), d.bob->device));
    cr_assert_eq(person_state(d.w, d.ann, d.bob, id).outcome, OUTCOME_OPEN);
    cr_assert_eq(world_events(d.w, EVENT_DELIVERY_LOST), 0);
    damage_free(&d);
}

Test(damage, one_turn_never_fills_more_than_one_slab)
{
    struct damage d = damage_new();
    struct person *many[40];
    size_t len = 250 * 1024, longest = 0;
    for (unsigned i = 0; i < 40; i++) {
        many[i] = person_new(d.w, 10 + i);
        for (int k = 0; k < 5; k++)
            cr_assert_eq(person_send(d.w, d.ann, many[i], len).status, STATUS_OK);
    }
    for (unsigned i = 0; i < 40; i++) {
        struct stamp stamp = person_stamp(many[i]);
        struct msg_session session = {.attached = true, .credit_messages = CREDIT_MESSAGES_MAX,
                                      .credit_bytes = CREDIT_BYTES_MAX};
        stamp.origin = ORIGIN_EDGE;
        stamp.conn = 100 + i;
        stamp.session = (struct session_id){storage_term(d.w->core), 100 + i};
        world_item(d.w, 0, &stamp, KIND_SESSION, 0, &msg_session_desc, &session, view_of(NULL, 0));
    }
    world_give(d.w);
    for (int turn = 0; turn < 200 && storage_wants_turn(d.w->core, d.w->now); turn++) {
        cr_assert_eq(storage_turn(d.w->core, d.w->now), STATUS_OK);
        if (d.w->core->peers[0].written.len > longest) longest = d.w->core->peers[0].written.len;
        cr_assert_eq(storage_commit(d.w->core), STATUS_OK);
        storage_finish(d.w->core, d.w->now);
    }
    cr_assert_lt(longest, SLAB_LEN_MAX / 2);
    cr_assert_gt(longest, 4u * 1024 * 1024, "the load was one");
    for (unsigned i = 0; i < 40; i++)
        person_free(many[i]);
    damage_free(&d);
}
