/* CONTACTS_SET and CONTACTS_GET: who may say what, how much, and that all devices of an account read the same. */
#include "broker/wire/prekey.h"
#include "tests/unit/storage_fixture.h"

#include <string.h>

static uint64_t ask_set(struct world *w, const struct person *by, uint32_t mode, struct msg_contact *items, size_t count)
{
    struct msg_contacts_set m = {.mode = mode, .items = items, .item_count = count};
    struct stamp stamp = person_stamp(by);
    uint64_t c = world_ask(w, by->broker, &stamp, KIND_CONTACTS_SET, &msg_contacts_set_desc, &m, view_of(NULL, 0));
    world_run(w);
    return c;
}

static uint64_t kept(struct world *w, uint64_t c)
{
    struct msg_contacts_kept m;
    world_decode(w, c, KIND_CONTACTS_KEPT, &msg_contacts_kept_desc, &m);
    return m.version;
}

static struct msg_contact contact_n(uint32_t n, enum contact_verdict verdict)
{
    struct msg_contact item = {.verdict = (uint32_t)verdict};
    put_u32(item.account.bytes, n + 1);
    return item;
}

static struct msg_contacts_are page(struct world *w, const struct person *by, const struct account_id *after)
{
    struct msg_contacts_get m = {0};
    struct msg_contacts_are are;
    struct stamp stamp = person_stamp(by);
    if (after) m.after = *after;
    uint64_t c = world_ask(w, by->broker, &stamp, KIND_CONTACTS_GET, &msg_contacts_get_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_CONTACTS_ARE, &msg_contacts_are_desc, &are);
    return are;
}

/* Sets verdicts for accounts from..to - 1. */
static enum status fill(struct world *w, const struct person *by, uint32_t from, uint32_t to, enum contact_verdict verdict)
{
    enum status status = STATUS_OK;
    while (from < to && status == STATUS_OK) {
        struct msg_contact items[CONTACTS_PER_SET];
        size_t count = 0;
        for (; count < CONTACTS_PER_SET && from < to; from++)
            items[count++] = contact_n(from, verdict);
        status = world_status(w, ask_set(w, by, CONTACT_MODE_UNCHANGED, items, count));
    }
    return status;
}

Test(contacts, what_was_set_is_read_page_by_page)
{
    struct scene e = scene_new(true);
    struct msg_contacts_are are = page(e.w, e.bob, NULL);
    cr_assert(are.version == 0 && are.mode == CONTACT_MODE_OPEN && are.item_count == 0 && !are.more);
    cr_assert_eq(fill(e.w, e.bob, 0, 300, CONTACT_BLOCKED), STATUS_OK);
    are = page(e.w, e.bob, NULL);
    cr_assert(are.item_count == CONTACTS_PER_PAGE && are.more && are.version >= WORLD_START_MS);
    struct msg_contacts_are rest = page(e.w, e.bob, &are.items[are.item_count - 1].account);
    cr_assert(rest.item_count == 300 - CONTACTS_PER_PAGE && !rest.more && rest.version == are.version);
    for (uint32_t i = 0; i < 300; i++) {
        const struct msg_contact *got = i < CONTACTS_PER_PAGE ? &are.items[i] : &rest.items[i - CONTACTS_PER_PAGE];
        struct msg_contact wanted = contact_n(i, CONTACT_BLOCKED);
        cr_assert_eq(memcmp(&got->account, &wanted.account, sizeof wanted.account), 0);
        cr_assert_eq(got->verdict, CONTACT_BLOCKED);
    }
    cr_assert_eq(page(e.w, e.ann, NULL).item_count, 0, "another account's are its own");
    cr_assert_eq(fill(e.w, e.bob, 0, 300, CONTACT_NONE), STATUS_OK);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_CONTACT), 0);
    scene_free(&e);
}

Test(contacts, the_same_again_changes_nothing)
{
    struct scene e = scene_new(true);
    struct msg_contact items[] = {contact_n(1, CONTACT_BLOCKED), contact_n(2, CONTACT_ALLOWED)};
    uint64_t version = kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_REQUESTS, items, 2));
    cr_assert_eq(world_event(e.w, EVENT_CONTACT_BLOCKED)->count, 1);
    cr_assert_eq(world_event(e.w, EVENT_CONTACT_ALLOWED)->value, 2);
    size_t events = world_events(e.w, EVENT_CONTACT_BLOCKED);
    cr_assert_eq(kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_REQUESTS, items, 2)), version);
    cr_assert_eq(world_events(e.w, EVENT_CONTACT_BLOCKED), events);
    world_restart(e.w);
    cr_assert_eq(person_hello(e.w, e.bob, 0), STATUS_OK);
    cr_assert_eq(kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_UNCHANGED, items, 2)), version);
    cr_assert_eq(page(e.w, e.bob, NULL).mode, CONTACT_MODE_REQUESTS);
    items[0].verdict = CONTACT_ALLOWED;
    cr_assert_gt(kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_UNCHANGED, items, 2)), version);
    scene_free(&e);
}

Test(contacts, what_does_not_fit_is_refused_as_a_whole)
{
    struct scene e = scene_new(true);
    cr_assert_eq(fill(e.w, e.bob, 0, CONTACTS_MAX, CONTACT_ALLOWED), STATUS_OK);
    struct msg_contact items[] = {contact_n(0, CONTACT_BLOCKED), contact_n(CONTACTS_MAX, CONTACT_BLOCKED)};
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, items, 2)), STATUS_TOO_LARGE);
    cr_assert_eq(world_event(e.w, EVENT_POLICY_FULL)->count, CONTACTS_MAX);
    cr_assert_eq(page(e.w, e.bob, NULL).items[0].verdict, CONTACT_ALLOWED, "none of it was taken");
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, items, 1)), STATUS_OK, "another word about the same");
    items[0].verdict = CONTACT_NONE;
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, items, 2)), STATUS_OK, "one goes, one comes");
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_CONTACT), CONTACTS_MAX);
    scene_free(&e);
}

Test(contacts, malformed_ones_are_refused)
{
    struct scene e = scene_new(true);
    struct msg_contact twice[] = {contact_n(1, CONTACT_BLOCKED), contact_n(1, CONTACT_ALLOWED)};
    struct msg_contact unknown = contact_n(1, (enum contact_verdict)3);
    struct msg_contact own = {.account = e.bob->account, .verdict = CONTACT_BLOCKED};
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, twice, 2)), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, &unknown, 1)), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, &own, 1)), STATUS_MALFORMED);
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 3, twice, 1)), STATUS_MALFORMED);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_POLICY), 0);
    scene_free(&e);
}

Test(contacts, another_store_is_not_their_home)
{
    struct scene e = scene_new(true);
    struct msg_contact item = contact_n(1, CONTACT_BLOCKED);
    struct stamp stamp = person_stamp(e.bob);
    e.w->core->config.partition_first = (uint16_t)(home_of_account(e.bob->account) + 1);
    cr_assert_eq(world_status(e.w, ask_set(e.w, e.bob, 0, &item, 1)), STATUS_WRONG_HOME);
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_CONTACTS_GET, &msg_contacts_get_desc, &(struct msg_contacts_get){0},
                           view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_WRONG_HOME);
    scene_free(&e);
}

/* Bob's second device. */
static struct person *phone_new(struct scene *e)
{
    uint8_t sk[64];
    struct person *phone = person_new(e->w, 9);
    person_append(e->w, e->bob, entry_added(e->bob, 300));
    phone->record = keys_make(300, sk);
    phone->account = e->bob->account;
    phone->device = e->bob->log.devices[1].id;
    cr_assert_eq(person_hello(e->w, phone, 0), STATUS_OK);
    return phone;
}

Test(contacts, the_other_devices_hear_of_it)
{
    struct scene e = scene_new(true);
    struct person *phone = phone_new(&e);
    struct msg_contact item = contact_n(1, CONTACT_BLOCKED);
    uint64_t version = kept(e.w, ask_set(e.w, e.bob, 0, &item, 1));
    cr_assert_eq(world_outs(e.w, KIND_CONTACTS_CHANGED), 1, "and not who said it");
    const struct out *o = &e.w->outs[e.w->out_count - 1];
    while (o->frame.header.kind != KIND_CONTACTS_CHANGED) o--;
    struct msg_contacts_changed changed;
    cr_assert_eq(codec_decode(&msg_contacts_changed_desc, o->frame.meta, &e.w->arena, &changed), STATUS_OK);
    cr_assert_eq(changed.version, version);
    cr_assert_eq(session_compare(o->stamp.session, phone->session), 0);
    cr_assert_eq(page(e.w, phone, NULL).item_count, 1);
    kept(e.w, ask_set(e.w, e.bob, 0, &item, 1));
    cr_assert_eq(world_outs(e.w, KIND_CONTACTS_CHANGED), 1, "nothing has changed");
    person_free(phone);
    scene_free(&e);
}

Test(contacts, who_is_revoked_in_the_same_turn_says_nothing)
{
    struct scene e = scene_new(true);
    struct person *phone = phone_new(&e);
    struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_BLOCKED};
    struct buffer entry = entry_of(e.bob, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = phone->device});
    struct view bytes = buffer_view(&entry);
    struct msg_append append_m = {.account = e.bob->account, .entries = &bytes, .entry_count = 1};
    struct msg_contacts_set m = {.items = &item, .item_count = 1};
    struct stamp bob = person_stamp(e.bob), stamp = person_stamp(phone);
    world_ask(e.w, 0, &bob, KIND_APPEND, &msg_append_desc, &append_m, view_of(NULL, 0));
    uint64_t c = world_ask(e.w, 0, &stamp, KIND_CONTACTS_SET, &msg_contacts_set_desc, &m, view_of(NULL, 0));
    world_run(e.w);
    cr_assert_eq(world_status(e.w, c), STATUS_REFUSED);
    cr_assert_eq(world_rows(e.w, SPACE_IDENTITY, ROW_CONTACT), 0);
    buffer_fini(&entry);
    person_free(phone);
    scene_free(&e);
}

/* An entry replaces what is cached of the account: what it says of others stays. */
Test(contacts, a_new_entry_forgets_nothing)
{
    struct scene e = scene_new(true);
    struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_BLOCKED};
    kept(e.w, ask_set(e.w, e.bob, 0, &item, 1));
    struct person *phone = phone_new(&e);
    cr_assert_eq(page(e.w, phone, NULL).item_count, 1);
    e.bob->head = e.bob->log.version_head;
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 3).status, STATUS_NOT_ACCEPTED);
    person_free(phone);
    scene_free(&e);
}

/* ---- prekeys ---- */

static void publish(struct world *w, const struct person *p)
{
    struct buffer current = {0}, last = {0};
    struct msg_one_time_prekey list[ONE_TIME_PREKEYS_MAX];
    struct msg_prekey_body body = {.device = p->device, .id = 1, .made_ms = 1, .key_version = 1, .head = p->head};
    memcpy(body.key.bytes, p->record.identity.bytes, 32);
    prekey_make(p->account, &body, p->signing_sk, &current);
    body.last_resort = true;
    prekey_make(p->account, &body, p->signing_sk, &last);
    for (size_t i = 0; i < ONE_TIME_PREKEYS_MAX; i++)
        list[i] = (struct msg_one_time_prekey){.id = i + 1, .key = {{5, (uint8_t)i}}};
    struct msg_publish m = {.current = buffer_view(&current), .last_resort = buffer_view(&last), .one_time = list,
                            .one_time_count = ONE_TIME_PREKEYS_MAX};
    struct stamp stamp = person_stamp(p);
    uint64_t c = world_ask(w, 0, &stamp, KIND_PUBLISH, &msg_publish_desc, &m, view_of(NULL, 0));
    world_run(w);
    cr_assert_eq(world_status(w, c), STATUS_OK);
    buffer_fini(&current);
    buffer_fini(&last);
}

/* Whether a claim brings a one-time prekey; there is always something to begin with. */
static bool claims_one(struct world *w, const struct person *by, const struct person *of)
{
    struct device_id_list device = {of->device};
    struct msg_claim_prekeys m = {.account = of->account, .devices = &device, .device_count = 1};
    struct msg_prekeys found;
    struct stamp stamp = person_stamp(by);
    uint64_t c = world_ask(w, 0, &stamp, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_PREKEYS, &msg_prekeys_desc, &found);
    cr_assert_eq(found.bundles[0].status, STATUS_OK);
    cr_assert_gt(found.bundles[0].current.len, 0);
    cr_assert_eq(found.bundles[0].one_time_count == 0, found.bundles[0].last_resort.len > 0);
    return found.bundles[0].one_time_count > 0;
}

Test(contacts, who_is_blocked_finds_what_a_drained_device_leaves)
{
    struct scene e = scene_new(true);
    struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_BLOCKED};
    publish(e.w, e.bob);
    cr_assert(claims_one(e.w, e.ann, e.bob));
    kept(e.w, ask_set(e.w, e.bob, 0, &item, 1));
    cr_assert_not(claims_one(e.w, e.ann, e.bob));
    item.verdict = CONTACT_ALLOWED;
    kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_REQUESTS, &item, 1));
    cr_assert(claims_one(e.w, e.ann, e.bob));
    scene_free(&e);
}

Test(contacts, strangers_together_claim_as_much_as_one)
{
    struct scene e = scene_new(true);
    size_t got = 0;
    publish(e.w, e.bob);
    kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_REQUESTS, NULL, 0));
    for (unsigned i = 0; i < 4 * PREKEY_CLAIMS_BURST; i++) {
        struct person *stranger = person_new(e.w, 100 + i);
        cr_assert_eq(person_hello(e.w, stranger, 0), STATUS_OK);
        got += claims_one(e.w, stranger, e.bob);
        person_free(stranger);
    }
    cr_assert_eq(got, PREKEY_CLAIMS_BURST);
    struct msg_contact item = {.account = e.ann->account, .verdict = CONTACT_ALLOWED};
    kept(e.w, ask_set(e.w, e.bob, 0, &item, 1));
    cr_assert(claims_one(e.w, e.ann, e.bob), "who is allowed has a share of his own");
    scene_free(&e);
}

Test(contacts, who_has_asked_takes_no_more_prekeys)
{
    struct scene e = scene_new(true);
    publish(e.w, e.bob);
    kept(e.w, ask_set(e.w, e.bob, CONTACT_MODE_REQUESTS, NULL, 0));
    cr_assert(claims_one(e.w, e.ann, e.bob));
    cr_assert_eq(person_send(e.w, e.ann, e.bob, 3).status, STATUS_OK);
    cr_assert_not(claims_one(e.w, e.ann, e.bob));
    scene_free(&e);
}
