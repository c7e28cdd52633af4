/* Key drift (PROTOCOL 7.2, 6.10): a contact whose devices change while messages go to it. What is sealed anew, what its user
 * is told, and what waits for him. */
#include "tests/unit/clients_fixture.h"

#include "broker/wire/prekey.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct contact bob_held(struct fixture *f)
{
    struct contact c;
    ok(state_begin(f->state, STATE_READ));
    ok(state_contact_get(f->state, f->bob.account, &c));
    ok(state_commit(f->state));
    return c;
}

/* ---- sealing for devices of bob's that the test plays ---- */

static struct outbox_row seal_to(struct fixture *f, bool fresh)
{
    struct engine_message m = {.handle = text("bob"), .payload = text("x"), .sealed = true, .fresh = fresh};
    struct outbox_row row;
    ok(engine_send(f->e, f->now, &m, &row));
    turn(f);
    return row;
}

static struct outbox_row fresh_to(struct fixture *f)
{
    struct engine_message m = {.handle = text("bob"), .payload = text("x"), .fresh = true};
    struct outbox_row row;
    ok(engine_send(f->e, f->now, &m, &row));
    turn(f);
    return row;
}

/* Which of the test's devices this is. */
static uint8_t number_of(struct fixture *f, struct device_id device)
{
    for (uint8_t n = 0; n < 8; n++) {
        uint8_t sk[64];
        struct msg_device_record record = record_of(n, sk);
        if (device_equal(device_id_of(f->bob.account, &record.signing), device)) return n;
    }
    cr_assert_fail("a bundle is asked for of nobody's device");
    return 0;
}

static struct view prekey_of(struct fixture *f, struct device_id device, uint8_t n, const struct hash256 *head)
{
    static const uint8_t scalar[32] = {99};
    uint8_t sk[64];
    struct buffer out = {0};
    struct msg_prekey_body body = {.device = device, .id = 1, .made_ms = f->now.wall_ms, .head = *head,
                                   .key_version = f->bob_log.key_version};
    (void)crypto_scalarmult_base(body.key.bytes, scalar);
    (void)record_of(n, sk);
    prekey_make(f->bob.account, &body, sk, &out);
    struct view kept = arena_copy(&f->arena, buffer_view(&out));
    buffer_fini(&out);
    return kept;
}

/* Answers the claim that must have been said; how many devices it named, and the last one. */
static size_t answer_claim(struct fixture *f, struct device_id *last, const struct hash256 *head)
{
    struct msg_claim_prekeys ask;
    struct msg_prekey_bundle bundles[DEVICES_PER_ACCOUNT];
    memset(bundles, 0, sizeof bundles);
    struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &ask);
    for (size_t i = 0; i < ask.device_count; i++) {
        *last = ask.devices[i].device;
        bundles[i] = (struct msg_prekey_bundle){.device = *last,
                                                .current = prekey_of(f, *last, number_of(f, *last), head)};
    }
    struct msg_prekeys m = {.log = identity_log_state(&f->bob_log), .bundles = bundles, .bundle_count = ask.device_count};
    answer(f, &frame, KIND_PREKEYS, &msg_prekeys_desc, &m);
    return ask.device_count;
}

/* Part i's ciphertext in the SEND that carried it. */
static struct view bytes_of(const struct sent *s, struct device_id device, bool *found)
{
    struct reader r = reader_of(s->frame.body);
    *found = false;
    for (size_t i = 0; i < s->items[0].part_count; i++) {
        struct view part = read_view(&r, s->items[0].parts[i].len);
        if (!device_equal(s->items[0].parts[i].device, device)) continue;
        *found = true;
        return part;
    }
    return view_of(NULL, 0);
}

static bool same_bytes(const struct sent *a, const struct sent *b, struct device_id device)
{
    bool in_a, in_b;
    struct view before = bytes_of(a, device, &in_a), after = bytes_of(b, device, &in_b);
    cr_assert(in_a && in_b);
    return view_equal(before, after);
}

/* Bob has three devices, and a message is on its way to them. */
struct three {
    struct device_id device[4];
    struct outbox_row row;
    struct sent first;
};

static void sent_copy(struct fixture *f, struct sent *s)
{
    said_send(f, s);
    s->frame.body = arena_copy(&f->arena, s->frame.body);
}

static void three_begin(struct fixture *f, struct three *t)
{
    struct device_id last;
    t->device[0] = f->bob.device;
    t->device[1] = bob_adds(f, 1);
    t->device[2] = bob_adds(f, 2);
    bob_and_session(f);
    t->row = seal_to(f, false);
    cr_assert_eq(answer_claim(f, &last, &f->bob_log.version_head), 3u);
    sent_copy(f, &t->first);
    cr_assert_eq(t->first.items[0].part_count, 3u);
    events_forget(f);
}

ENGINE_TEST(drift, one_round_repairs_a_stale_send_for_the_changed_devices_only)
{
    struct three t;
    struct sent second;
    struct device_id asked;
    bool found;
    three_begin(f, &t);
    t.device[3] = bob_adds(f, 3);
    bob_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = t.device[1]});
    struct msg_stale stale = stale_since(f, t.first.items[0].key_version);
    answer_stale(f, &t.first, &stale);
    cr_assert_eq(answer_claim(f, &asked, &f->bob_log.version_head), 1u, "only of the new one");
    cr_assert(device_equal(asked, t.device[3]));
    sent_copy(f, &second);
    cr_assert(same_bytes(&t.first, &second, t.device[0]) && same_bytes(&t.first, &second, t.device[2]));
    cr_assert_eq(second.items[0].part_count, 3u);
    (void)bytes_of(&second, t.device[1], &found);
    cr_assert_not(found, "the revoked one");
    (void)bytes_of(&second, t.device[3], &found);
    cr_assert(found);
    cr_assert(message_equal(t.first.items[0].id, second.items[0].id));
    cr_assert_eq(row_at(f, t.row.order).rounds, 1u);
    accept_all(f, &second);
    cr_assert_eq(state_of(f, t.row.order), MESSAGE_ACCEPTED);
    cr_assert_eq(said_count(f, KIND_SEND) + said_count(f, KIND_LOOKUP) + said_count(f, KIND_CLAIM_PREKEYS), 0u);
}

ENGINE_TEST(drift, a_device_with_another_key_is_sealed_for_anew_and_the_others_are_not)
{
    struct three t;
    struct sent second;
    struct device_id asked;
    three_begin(f, &t);
    bob_rotates(f, 9);
    struct msg_stale stale = stale_since(f, t.first.items[0].key_version);
    answer_stale(f, &t.first, &stale);
    cr_assert_eq(answer_claim(f, &asked, &f->bob_log.version_head), 1u);
    cr_assert(device_equal(asked, t.device[0]));
    sent_copy(f, &second);
    cr_assert_not(same_bytes(&t.first, &second, t.device[0]));
    cr_assert(same_bytes(&t.first, &second, t.device[1]) && same_bytes(&t.first, &second, t.device[2]));
}

/* ---- news ---- */

static void told(struct fixture *f, enum entry_operation operation, struct device_id subject)
{
    struct engine_event e = happened(f, ENGINE_CONTACT);
    cr_assert(e.operation == (unsigned)operation && device_equal(e.subject, subject), "%u", e.operation);
    cr_assert(memcmp(&e.sender_account, &f->bob.account, sizeof f->bob.account) == 0);
    cr_assert(device_equal(e.sender_device, f->bob.device), "who signed it");
}

ENGINE_TEST(drift, what_a_stale_answer_brings_is_told_in_its_order)
{
    struct three t;
    three_begin(f, &t);
    t.device[3] = bob_adds(f, 3);
    bob_does(f, (struct entry_plan){.operation = ENTRY_DESCRIBE, .subject = t.device[3]});
    bob_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = t.device[1]});
    bob_does(f, (struct entry_plan){.operation = ENTRY_SUSPEND, .subject = t.device[2]});
    bob_does(f, (struct entry_plan){.operation = ENTRY_RESUME, .subject = t.device[2]});
    bob_rotates(f, 9);
    struct msg_stale stale = stale_since(f, t.first.items[0].key_version);
    answer_stale(f, &t.first, &stale);
    told(f, ENTRY_ADD, t.device[3]);
    told(f, ENTRY_REVOKE, t.device[1]); /* a name is no news of keys */
    told(f, ENTRY_SUSPEND, t.device[2]);
    told(f, ENTRY_RESUME, t.device[2]);
    told(f, ENTRY_REPLACE, t.device[0]);
    cr_assert_not(has_happened(f, ENGINE_CONTACT));
}

ENGINE_TEST(drift, what_a_look_up_brings_is_told_and_once)
{
    bob_and_session(f);
    struct device_id second = bob_adds(f, 1);
    (void)seal_to(f, true);
    answer_lookups(f);
    told(f, ENTRY_ADD, second);
    (void)seal_to(f, true);
    answer_lookups(f);
    cr_assert_not(has_happened(f, ENGINE_CONTACT));
}

/* Its first look-up is how we come to know it, in however many answers. */
ENGINE_TEST(drift, the_first_look_up_brings_no_news)
{
    session_only(f);
    for (unsigned i = 0; i < ENTRIES_PER_FRAME; i++)
        bob_does(f, (struct entry_plan){.operation = ENTRY_DESCRIBE, .subject = f->bob.device});
    struct device_id second = bob_adds(f, 1);
    (void)write_to(f, "bob", "x", NULL);
    answer_lookups(f);
    cr_assert_eq(bob_held(f).log.length, 2u + ENTRIES_PER_FRAME);
    cr_assert_not(has_happened(f, ENGINE_CONTACT));
    bob_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = second});
    (void)seal_to(f, true);
    answer_lookups(f);
    told(f, ENTRY_REVOKE, second);
}

/* ---- the keys anew, first ---- */

ENGINE_TEST(drift, a_fresh_message_is_sealed_when_the_relay_has_told_the_keys)
{
    bob_and_session(f);
    struct outbox_row row = seal_to(f, true);
    cr_assert(row.fresh && state_of(f, row.order) == MESSAGE_DRAFTED);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
    cr_assert_eq(said_count(f, KIND_SEND) + said_count(f, KIND_CLAIM_PREKEYS), 0u);
    answer_lookups(f);
    cr_assert_eq(said_count(f, KIND_CLAIM_PREKEYS), 1u, "now it is sealed");
    cr_assert_not(row_at(f, row.order).fresh);
}

ENGINE_TEST(drift, one_that_is_not_fresh_asks_for_nothing)
{
    bob_and_session(f);
    (void)write_to(f, "bob", "x", NULL);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
}

ENGINE_TEST(drift, a_fresh_message_waits_for_a_relay_that_is_silent_and_through_a_restart)
{
    bob_and_session(f);
    struct outbox_row row = seal_to(f, true);
    struct frame lookup = said(f, KIND_LOOKUP, NULL, NULL);
    refuse(f, &lookup, STATUS_BUSY, 1000);
    lose_connection(f);
    pass(f, 120000);
    cr_assert(state_of(f, row.order) == MESSAGE_DRAFTED && row_at(f, row.order).fresh);
    restart(f);
    bind_session(f);
    pass(f, 30000);
    cr_assert_eq(said_count(f, KIND_CLAIM_PREKEYS) + said_count(f, KIND_SEND), 0u);
    answer_lookups(f);
    cr_assert_eq(said_count(f, KIND_CLAIM_PREKEYS), 1u);
}

/* An answer that was on its way before it says nothing of now. */
ENGINE_TEST(drift, a_look_up_from_before_does_not_count)
{
    bob_and_session(f);
    (void)fresh_to(f);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
    struct outbox_row later = fresh_to(f);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u, "shared");
    struct frame lookup = said(f, KIND_LOOKUP, NULL, NULL);
    struct msg_found found = bob_found(f, f->bob_log.length);
    answer(f, &lookup, KIND_FOUND, &msg_found_desc, &found);
    cr_assert(row_at(f, later.order).fresh);
    cr_assert_eq(said_count(f, KIND_SEND), 1u, "the first one goes");
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u, "once more, for the second one");
    answer_lookups(f);
    cr_assert_not(row_at(f, later.order).fresh);
}

/* ---- statements in prekeys ---- */

ENGINE_TEST(drift, a_prekey_that_names_another_head_is_a_fork_and_holds)
{
    struct device_id last;
    struct hash256 other = f->bob_log.version_head;
    bob_and_session(f);
    struct outbox_row row = seal_to(f, false);
    other.bytes[5] ^= 1;
    (void)answer_claim(f, &last, &other);
    cr_assert_eq(state_of(f, row.order), MESSAGE_HELD);
    cr_assert(bob_held(f).hold == LOSS_FORK && has_happened(f, ENGINE_FORKED));
    cr_assert_eq(said_count(f, KIND_SEND), 0u);
}

ENGINE_TEST(drift, a_prekey_that_names_ours_confirms_it)
{
    struct device_id last;
    bob_and_session(f);
    (void)seal_to(f, false);
    cr_assert_eq(bob_held(f).stated_ms, 0u);
    (void)answer_claim(f, &last, &f->bob_log.version_head);
    cr_assert(bob_held(f).hold == LOSS_NONE && bob_held(f).stated_ms > 0);
    cr_assert(has_happened(f, ENGINE_WEAK), "and had no one-time prekey beside it");
    cr_assert_eq(said_count(f, KIND_SEND), 1u);
}

/* ---- our own log ---- */

/* Entries of our own account by a second device of ours, which the test plays. */
struct second {
    struct identity_log log;
    struct device_id id;
    uint8_t sk[64];
    struct buffer entries[4];
};

static void second_does(struct fixture *f, struct second *x, const struct entry_plan *plan, const uint8_t sk[64])
{
    struct buffer *entry = &x->entries[x->log.length];
    identity_log_make(&x->log, plan, sk, entry);
    ok(identity_log_append(&x->log, buffer_view(entry), &f->arena));
    f->my_log = identity_log_state(&x->log);
}

static void own_entries_answer(struct fixture *f, struct second *x)
{
    struct msg_lookup ask;
    struct view views[4];
    struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = {.account = f->me.account, .log = f->my_log, .entries = views};
    cr_assert(memcmp(&ask.account, &f->me.account, sizeof ask.account) == 0, "of our own log");
    for (uint64_t i = ask.first; i < x->log.length; i++)
        views[found.entry_count++] = buffer_view(&x->entries[i]);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
}

static void second_begin(struct fixture *f, struct second *x)
{
    static struct device_secrets secrets;
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = f->me.device, .record = record_of(5, x->sk)};
    ok(state_begin(f->state, STATE_READ));
    ok(state_secrets_get(f->state, &secrets));
    state_rollback(f->state);
    ok(identity_log_open(f->me.entry, &f->arena, &x->log));
    device_prove(f->me.account, &plan.record, x->sk, &plan.proof);
    x->id = device_id_of(f->me.account, &plan.record.signing);
    second_does(f, x, &plan, secrets.signing_sk);
    bind_session(f);
    own_entries_answer(f, x);
    struct engine_event e = happened(f, ENGINE_CONTACT);
    cr_assert(e.operation == ENTRY_ADD && device_equal(e.subject, x->id), "this device's key has signed it, and not this device");
    cr_assert(device_equal(e.sender_device, f->me.device));
    said_forget(f);
    events_forget(f);
}

static void second_end(struct second *x)
{
    for (size_t i = 0; i < 4; i++)
        buffer_fini(&x->entries[i]);
}

static void push_grew(struct fixture *f)
{
    struct msg_log_grew m = {.log = f->my_log};
    push(f, KIND_LOG_GREW, &msg_log_grew_desc, &m, view_of(NULL, 0));
}

ENGINE_TEST(drift, a_device_that_another_one_of_ours_adds_is_told_with_who_did_it)
{
    struct second x = {.sk = {0}};
    uint8_t sk[64];
    second_begin(f, &x);
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = x.id, .record = record_of(6, sk)};
    device_prove(f->me.account, &plan.record, sk, &plan.proof);
    second_does(f, &x, &plan, x.sk);
    push_grew(f);
    own_entries_answer(f, &x);
    struct engine_event e = happened(f, ENGINE_CONTACT);
    cr_assert_eq(memcmp(&e.sender_account, &f->me.account, sizeof f->me.account), 0);
    cr_assert(e.operation == ENTRY_ADD && device_equal(e.sender_device, x.id));
    cr_assert(device_equal(e.subject, device_id_of(f->me.account, &plan.record.signing)));
    push_grew(f); /* once more: nothing is new */
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
    second_end(&x);
}

/* The push may be lost: WELCOME says the same. */
ENGINE_TEST(drift, welcome_tells_of_a_change_that_was_not_heard_of)
{
    struct second x = {.sk = {0}};
    second_begin(f, &x);
    lose_connection(f);
    second_does(f, &x, &(struct entry_plan){.operation = ENTRY_SUSPEND, .signer = x.id, .subject = x.id}, x.sk);
    bind_session(f);
    own_entries_answer(f, &x);
    struct engine_event e = happened(f, ENGINE_CONTACT);
    cr_assert(e.operation == ENTRY_SUSPEND && device_equal(e.subject, x.id) && device_equal(e.sender_device, x.id));
    second_end(&x);
}

ENGINE_TEST(drift, a_change_of_this_device_is_no_news)
{
    struct msg_append m;
    struct identity_log log;
    session_only(f);
    ok(engine_rotate(f->e, f->now));
    turn(f);
    struct frame frame = said(f, KIND_APPEND, &msg_append_desc, &m);
    ok(identity_log_open(f->me.entry, &f->arena, &log));
    ok(identity_log_append(&log, m.entries[0], &f->arena));
    f->my_log = identity_log_state(&log);
    struct msg_appended done = {.log = f->my_log};
    answer(f, &frame, KIND_APPENDED, &msg_appended_desc, &done);
    cr_assert_not(has_happened(f, ENGINE_CONTACT));
    cr_assert(has_happened(f, ENGINE_IDENTITY));
}

ENGINE_TEST(drift, a_push_that_cannot_be_read_is_counted_and_asks_nothing)
{
    session_only(f);
    uint64_t bad = engine_counts(f->e).frames_bad;
    push(f, KIND_LOG_GREW, &msg_empty_desc, &(struct msg_empty){0}, view_of(NULL, 0));
    cr_assert_eq(engine_counts(f->e).frames_bad, bad + 1);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
}
