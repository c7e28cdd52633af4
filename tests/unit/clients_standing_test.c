/* What a client does about devices that are suspended or revoked while something of theirs waits: of a contact, and of its
 * own account where another process of the home has begun it. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static void write_sealed(struct fixture *f)
{
    struct engine_message m = {.handle = text("bob"), .payload = text("x"), .sealed = true};
    struct outbox_row row;
    ok(engine_send(f->e, f->now, &m, &row));
    turn(f);
}

/* None of them has any, says the relay, and how far bob's log has come. */
static void answer_claim(struct fixture *f, const struct frame *frame, const struct msg_claim_prekeys *claim)
{
    struct msg_prekey_bundle bundles[DEVICES_PER_ACCOUNT];
    struct msg_prekeys none = {.log = identity_log_state(&f->bob_log), .bundles = bundles, .bundle_count = claim->device_count};
    for (size_t i = 0; i < claim->device_count; i++)
        bundles[i] = (struct msg_prekey_bundle){.device = claim->devices[i].device, .status = STATUS_NOT_FOUND};
    answer(f, frame, KIND_PREKEYS, &msg_prekeys_desc, &none);
}

/* Nothing was ever sent to it, so no answer of the gate has told. */
ENGINE_TEST(standing, a_device_that_was_revoked_unnoticed_holds_no_message_back)
{
    struct msg_claim_prekeys claim;
    struct msg_lookup ask;
    struct device_id phone = bob_adds(f, 1);
    bob_and_session(f);
    write_sealed(f);
    struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
    cr_assert_eq(claim.device_count, 2u);
    bob_does(f, (struct entry_plan){.operation = ENTRY_REVOKE, .subject = phone});
    answer_claim(f, &frame, &claim);
    frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    cr_assert_eq(ask.first, 2u);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
    frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
    cr_assert(claim.device_count == 1 && device_equal(claim.devices[0].device, f->bob.device));
    answer_claim(f, &frame, &claim);
    cr_assert_eq(said_count(f, KIND_LOOKUP) + said_count(f, KIND_CLAIM_PREKEYS), 0u, "now there is nothing but to wait");
}

ENGINE_TEST(standing, who_has_left_no_prekeys_is_only_asked_again)
{
    struct msg_claim_prekeys claim;
    (void)bob_adds(f, 1);
    bob_and_session(f);
    write_sealed(f);
    struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
    answer_claim(f, &frame, &claim);
    cr_assert_eq(said_count(f, KIND_LOOKUP) + said_count(f, KIND_CLAIM_PREKEYS), 0u);
    pass(f, 11000);
    cr_assert_eq(said_count(f, KIND_CLAIM_PREKEYS), 1u);
}

/* It says that there is more, and does not give it: one look, and another one much later. */
ENGINE_TEST(standing, a_relay_that_only_says_that_the_log_goes_on_is_believed_once_in_a_while)
{
    struct msg_claim_prekeys claim;
    struct msg_lookup ask;
    bob_and_session(f);
    write_sealed(f);
    for (unsigned n = 0; n < 3; n++) {
        struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
        f->bob_log.length += 5;
        answer_claim(f, &frame, &claim);
        f->bob_log.length -= 5;
        cr_assert_eq(said_count(f, KIND_LOOKUP), n == 0, "%u", n);
        if (n == 0) {
            frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
            struct msg_found found = bob_found(f, ask.first);
            answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
        } else {
            pass(f, 11000);
        }
    }
}

/* The device without prekeys is in the history that we were shown, and not in the relay's, which is as long. */
ENGINE_TEST(standing, another_head_beside_prekeys_that_are_missing_is_looked_at)
{
    struct msg_claim_prekeys claim;
    struct msg_lookup ask;
    struct outbox_row row;
    struct outbox_scan scan = {.class = 0, .held = true, .rows = &row, .row_max = 1};
    (void)bob_adds(f, 1);
    bob_and_session(f);
    write_sealed(f);
    struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
    bob_forgets(f, 1);
    bob_rotates(f, 9);
    answer_claim(f, &frame, &claim);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
    frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
    cr_assert_gt(engine_counts(f->e).forks, 0u);
    ok(state_begin(f->state, STATE_READ));
    ok(state_outbox_scan(f->state, &scan));
    ok(state_commit(f->state));
    cr_assert_eq(scan.row_count, 1u, "it waits for its user");
}

/* What asks for the log does not wait for who may never leave any. */
ENGINE_TEST(standing, the_log_is_read_while_prekeys_are_waited_for)
{
    struct msg_claim_prekeys claim;
    struct msg_lookup ask;
    struct safety_pair held, shown;
    struct safety_result result;
    struct outbox_row row;
    bob_and_session(f);
    struct engine_message m = {.account = &f->bob.account, .payload = text("x"), .sealed = true};
    ok(engine_send(f->e, f->now, &m, &row));
    turn(f);
    struct frame frame = said(f, KIND_CLAIM_PREKEYS, &msg_claim_prekeys_desc, &claim);
    answer_claim(f, &frame, &claim);
    ok(engine_safety(f->e, f->bob.account, &held));
    shown = (struct safety_pair){.own = held.contact, .contact = held.own};
    shown.own.length++;
    ok(engine_compare(f->e, f->now, f->bob.account, &shown, &result));
    cr_assert_eq(result.verdict, SAFETY_NEWER);
    turn(f);
    cr_assert_eq(said_count(f, KIND_LOOKUP), 1u);
    frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
    cr_assert_eq(said_count(f, KIND_CLAIM_PREKEYS), 1u, "and then they are waited for again");
}

/* ---- what a device could not open ---- */

static void damaged(struct fixture *f, struct message_id id, struct device_id device, uint64_t at_ms)
{
    struct msg_part_state part = part_of(f, DELIVERY_FAILED, OUTCOME_OPEN, at_ms);
    part.reason = FAIL_DAMAGED;
    part.device = device;
    hint(f, id, part);
}

ENGINE_TEST(standing, what_a_suspended_device_has_failed_waits_for_it)
{
    struct sent s;
    struct msg_lookup ask;
    struct device_id phone = bob_adds(f, 1);
    bob_and_session(f);
    struct outbox_row row = write_to(f, "bob", "x", NULL);
    said_send(f, &s);
    accept_all(f, &s);
    (void)write_to(f, "bob", "y", NULL);
    said_send(f, &s);
    bob_does(f, (struct entry_plan){.operation = ENTRY_SUSPEND, .subject = phone});
    struct msg_stale stale = stale_since(f, 2);
    answer_stale(f, &s, &stale);
    said_send(f, &s);
    accept_all(f, &s);
    for (unsigned n = 1; n < 10; n++) {
        damaged(f, row.id, phone, n);
        cr_assert_eq(said_count(f, KIND_SEND), 0u);
        answer_lookups(f);
    }
    cr_assert_eq(row_at(f, row.order).attempt, 0u, "no attempt was used up");
    bob_does(f, (struct entry_plan){.operation = ENTRY_RESUME, .subject = phone});
    damaged(f, row.id, phone, 20);
    struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
    cr_assert_eq(ask.first, 3u);
    struct msg_found found = bob_found(f, ask.first);
    answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
    damaged(f, row.id, phone, 30);
    said_send(f, &s);
    cr_assert(s.items[0].attempt == 1 && s.items[0].part_count == 1 && device_equal(s.items[0].parts[0].device, phone));
}

/* ---- what another process has left ---- */

ENGINE_TEST(standing, a_change_that_another_process_has_left_goes_with_the_next_look)
{
    struct engine *other;
    struct msg_append append;
    enum change_obstacle why;
    struct change_wish wish = {.operation = ENTRY_DESCRIBE, .subject = f->me.device, .name = text("laptop")};
    session_only(f);
    ok(engine_new(&f->config, f->state, &other));
    ok(engine_change(other, f->now, &wish, &why));
    engine_free(&other);
    pass(f, 1500);
    (void)said(f, KIND_APPEND, &msg_append_desc, &append);
    cr_assert_eq(append.entry_count, 1u);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u, "once");
}

ENGINE_TEST(standing, without_one_nothing_is_said)
{
    session_only(f);
    pass(f, 5000);
    cr_assert_eq(said_count(f, KIND_APPEND), 0u);
}

/* ---- what an earlier process has read, and come no further ---- */

static void joins_again(struct fixture *f, struct hash256 head)
{
    struct msg_link_offer offer = {.log = f->my_log, .device = f->me.device};
    offer.log.head = head;
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_joining_put(f->state, &offer, view_of(NULL, 0), UINT64_MAX));
    ok(state_commit(f->state));
    restart(f);
    bind_session(f);
}

ENGINE_TEST(standing, a_device_that_has_read_the_log_and_died_is_in_with_its_next_session)
{
    joins_again(f, f->my_log.head);
    cr_assert(has_happened(f, ENGINE_LINKED));
    cr_assert_eq(said_count(f, KIND_LOOKUP), 0u);
}

ENGINE_TEST(standing, but_not_into_another_history_than_it_was_offered)
{
    joins_again(f, (struct hash256){{9}});
    cr_assert_not(has_happened(f, ENGINE_LINKED));
    cr_assert_eq(happened(f, ENGINE_IDENTITY).status, STATUS_BAD_ENTRY);
}
