/* The contract of clients/state/state.h, one test per rule, each run on every backend. What only one
 * backend can meet is in state_memory_test.c and state_sqlite_test.c. */
#include "tests/contract/state_fixture.h"

/* ---- transactions ---- */

CONTRACT_TEST(committed_changes_outlive_the_process)
{
    struct outbox_row row;
    writing(f);
    uint64_t order = put_row(f, row_of("a", 1));
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_outbox_get(f->s, order, &row));
    cr_assert_str_eq(row.key.text, "a");
    commit(f);
}

CONTRACT_TEST(uncommitted_changes_do_not)
{
    struct outbox_row row;
    writing(f);
    uint64_t order = put_row(f, row_of("a", 1));
    if (f->backend == BACKEND_SQLITE) state_rollback(f->s); /* its crash: state_sqlite_test.c */
    fixture_restart(f);
    reading(f);
    cr_assert_eq(state_outbox_get(f->s, order, &row), STATUS_NOT_FOUND);
    cr_assert_eq(row.order, 0u);
    commit(f);
}

CONTRACT_TEST(rollback_restores_every_table)
{
    struct account_id account;
    struct outbox_row row;
    struct outbox_body body = {.payload = text("old")};
    struct contact contact = contact_of(1, 1);
    struct pending_ack acks[4];
    struct term term;
    struct view value;
    size_t count;
    writing(f);
    uint64_t order = put_row(f, row_of("kept", 1));
    ok(state_body_put(f->s, order, &body));
    ok(state_setting_put(f->s, "name", text("old")));
    ok(state_contact_put(f->s, &contact));
    commit(f);

    writing(f);
    row = row_of("changed", 2);
    row.order = order;
    ok(state_outbox_put(f->s, &row));
    body.payload = text("new");
    ok(state_body_put(f->s, order, &body));
    ok(state_setting_put(f->s, "name", text("new")));
    contact.log.key_version = contact.log.length = 2;
    ok(state_contact_put(f->s, &contact));
    ok(state_handle_put(f->s, text("bob"), account_of(1)));
    ok(state_ack_put(f->s, &(struct pending_ack){.position = {.term = term_of(1), .seq = 1}}));
    ok(state_term_put(f->s, store_one, term_of(1)));
    cr_assert_neq(put_inbox(f, 1, 1, "x", 1), 0u);
    state_rollback(f->s);

    writing(f);
    ok(state_outbox_get(f->s, order, &row));
    cr_assert_str_eq(row.key.text, "kept");
    cr_assert_eq(state_outbox_find_key(f->s, &(struct message_key){"changed"}, &row),
                 STATUS_NOT_FOUND);
    ok(state_body_get(f->s, order, &f->arena, &body));
    cr_assert(view_equal(body.payload, text("old")));
    ok(state_setting_get(f->s, "name", &f->arena, &value));
    cr_assert(view_equal(value, text("old")));
    ok(state_contact_get(f->s, account_of(1), &contact));
    cr_assert_eq(contact.log.key_version, 1u);
    cr_assert_eq(state_handle_get(f->s, text("bob"), &account), STATUS_NOT_FOUND);
    ok(state_ack_scan(f->s, acks, 4, &count));
    cr_assert_eq(count, 0u);
    cr_assert_eq(state_term_get(f->s, store_one, &term), STATUS_NOT_FOUND);
    cr_assert_neq(put_inbox(f, 1, 1, "x", 1), 0u, "the rolled back one is not known");
    commit(f);
}

/* ---- identity, secrets, settings ---- */

CONTRACT_TEST(identity_is_not_found_before_it_is_put)
{
    struct state_identity identity;
    reading(f);
    cr_assert_eq(state_identity_get(f->s, &f->arena, &identity), STATUS_NOT_FOUND);
    cr_assert_eq(identity.entry.len, 0u);
    commit(f);
}

CONTRACT_TEST(identity_comes_back_whole)
{
    struct state_identity in = {.account = account_of(3), .device = {{4}}, .entry = text("entry"),
                                .handle = text("ann"), .endpoints = text("tcp://a:1,tcp://b:2"),
                                .server = {{5}}, .registered = true};
    struct state_identity out;
    in.record.signing.bytes[0] = 6;
    in.record.identity.bytes[0] = 7;
    in.record.transport.bytes[0] = 8;
    writing(f);
    ok(state_identity_put(f->s, &in));
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_identity_get(f->s, &f->arena, &out));
    commit(f);
    cr_assert(memcmp(&out.account, &in.account, 32) == 0 && device_equal(out.device, in.device));
    cr_assert(memcmp(&out.record, &in.record, sizeof in.record) == 0);
    cr_assert(view_equal(out.entry, in.entry) && view_equal(out.handle, in.handle));
    cr_assert(view_equal(out.endpoints, in.endpoints) && out.server.bytes[0] == 5);
    cr_assert(out.registered && !out.claimed);
    writing(f);
    in.claimed = true;
    in.handle = text("anna");
    ok(state_identity_put(f->s, &in));
    ok(state_identity_get(f->s, &f->arena, &out));
    cr_assert(out.claimed && view_equal(out.handle, text("anna")));
    commit(f);
}

CONTRACT_TEST(secrets_come_back_whole_and_are_not_found_before)
{
    struct device_secrets in, out;
    memset(&in, 0x5a, sizeof in);
    in.transport_sk[31] = 1;
    writing(f);
    cr_assert_eq(state_secrets_get(f->s, &out), STATUS_NOT_FOUND);
    ok(state_secrets_put(f->s, &in));
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_secrets_get(f->s, &out));
    cr_assert(memcmp(&in, &out, sizeof in) == 0);
    commit(f);
}

CONTRACT_TEST(setting_is_replaced_and_removed_by_an_empty_value)
{
    struct view value;
    writing(f);
    cr_assert_eq(state_setting_get(f->s, "a", &f->arena, &value), STATUS_NOT_FOUND);
    ok(state_setting_put(f->s, "a", text("1")));
    ok(state_setting_put(f->s, "a", text("2")));
    ok(state_setting_get(f->s, "a", &f->arena, &value));
    cr_assert(view_equal(value, text("2")));
    ok(state_setting_put(f->s, "a", text("")));
    cr_assert_eq(state_setting_get(f->s, "a", &f->arena, &value), STATUS_NOT_FOUND);
    ok(state_setting_put(f->s, "never", text("")));
    commit(f);
}

/* ---- contacts ---- */

CONTRACT_TEST(handle_leads_to_account_and_back)
{
    struct account_id account;
    struct view handle;
    writing(f);
    ok(state_handle_put(f->s, text("zoe"), account_of(1)));
    ok(state_handle_put(f->s, text("bob"), account_of(1)));
    ok(state_handle_put(f->s, text("ann"), account_of(2)));
    ok(state_handle_get(f->s, text("zoe"), &account));
    cr_assert_eq(account.bytes[0], 1);
    cr_assert_eq(state_handle_get(f->s, text("zo"), &account), STATUS_NOT_FOUND);
    cr_assert_eq(account.bytes[0], 0);
    ok(state_contact_handle(f->s, account_of(1), &f->arena, &handle));
    cr_assert(view_equal(handle, text("bob")));
    cr_assert_eq(state_contact_handle(f->s, account_of(9), &f->arena, &handle), STATUS_NOT_FOUND);
    ok(state_handle_put(f->s, text("bob"), account_of(2)));
    ok(state_contact_handle(f->s, account_of(1), &f->arena, &handle));
    cr_assert(view_equal(handle, text("zoe")), "bob has moved");
    commit(f);
}

CONTRACT_TEST(contact_comes_back_with_its_devices)
{
    struct contact in = contact_of(1, DEVICES_EVER_MAX), out;
    in.checked_ms = 77;
    in.log.has_recovery = true;
    memset(in.log.recovery.bytes, 5, 32);
    writing(f);
    cr_assert_eq(state_contact_get(f->s, account_of(1), &out), STATUS_NOT_FOUND);
    cr_assert_eq(out.log.device_count, 0u);
    ok(state_contact_put(f->s, &in));
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert_eq(out.checked_ms, 77u);
    cr_assert_eq(memcmp(&in.log, &out.log, sizeof in.log), 0);
    in.log.device_count = 1;
    ok(state_contact_put(f->s, &in));
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert_eq(out.log.device_count, 1u);
    commit(f);
}

CONTRACT_TEST(contact_comes_back_with_its_doubts_and_its_devices_words)
{
    struct contact in = contact_of(1, 1), other = contact_of(2, 1), out;
    writing(f);
    ok(state_contact_put(f->s, &other));
    in.incoming = true;
    in.hold = LOSS_ROLLBACK;
    in.hold_ms = 1ull << 60;
    in.hold_head.bytes[31] = 7;
    in.stated_version = 3;
    in.stated_head.bytes[0] = 8;
    in.stated_ms = 1ull << 61;
    in.stated_warned_ms = 9;
    ok(state_contact_put(f->s, &in));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert(out.incoming && out.hold == LOSS_ROLLBACK && out.hold_ms == in.hold_ms);
    cr_assert_eq(memcmp(&out.hold_head, &in.hold_head, sizeof in.hold_head), 0);
    cr_assert_eq(memcmp(&out.stated_head, &in.stated_head, sizeof in.stated_head), 0);
    cr_assert(out.stated_version == 3 && out.stated_ms == in.stated_ms && out.stated_warned_ms == 9);
    ok(state_contact_get(f->s, account_of(2), &out));
    cr_assert(!out.incoming && out.hold == LOSS_NONE && !out.hold_ms && !out.stated_version && !out.stated_ms);
    commit(f);
}

CONTRACT_TEST(contact_comes_back_with_its_mark)
{
    struct contact in = contact_of(1, 1), other = contact_of(2, 1), out;
    writing(f);
    ok(state_contact_put(f->s, &in));
    ok(state_contact_put(f->s, &other));
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert(out.verified_ms == 0 && out.loss == LOSS_NONE && out.lost_ms == 0);
    in.verified_ms = 1ull << 60;
    ok(state_contact_put(f->s, &in));
    commit(f);
    fixture_restart(f);
    writing(f);
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert(out.verified_ms == in.verified_ms && out.loss == LOSS_NONE && out.lost_ms == 0);
    in.verified_ms = 0;
    in.loss = LOSS_ROLLBACK;
    in.lost_ms = 1ull << 61;
    ok(state_contact_put(f->s, &in));
    ok(state_contact_get(f->s, account_of(1), &out));
    cr_assert(out.verified_ms == 0 && out.loss == LOSS_ROLLBACK && out.lost_ms == in.lost_ms);
    ok(state_contact_get(f->s, account_of(2), &out));
    cr_assert(out.verified_ms == 0 && out.loss == LOSS_NONE && out.lost_ms == 0, "another's is its own");
    commit(f);
}

CONTRACT_TEST(entries_come_back_in_order_up_to_the_first_hole)
{
    struct entry_scan scan = {.account = account_of(1), .first = 0, .max = 3};
    writing(f);
    ok(state_entry_scan(f->s, &f->arena, &scan));
    cr_assert_eq(scan.count, 0u);
    for (uint64_t i = 0; i < 6; i++)
        if (i != 4) ok(state_entry_put(f->s, account_of(1), i, i == 2 ? text("two") : text("x")));
    ok(state_entry_put(f->s, account_of(2), 4, text("another's")));
    ok(state_entry_scan(f->s, &f->arena, &scan));
    cr_assert_eq(scan.count, 3u, "as many as asked");
    cr_assert(view_equal(scan.entries[2], text("two")));
    scan.first = 2;
    ok(state_entry_scan(f->s, &f->arena, &scan));
    cr_assert_eq(scan.count, 2u, "up to the hole");
    scan.first = 4;
    ok(state_entry_scan(f->s, &f->arena, &scan));
    cr_assert_eq(scan.count, 0u);
    ok(state_entry_put(f->s, account_of(1), 2, text("again")));
    commit(f);
}

CONTRACT_TEST(prekeys_come_and_go_and_no_id_comes_again)
{
    struct state_prekey in = {.kind = PREKEY_ONE_TIME, .made_ms = 5}, out;
    uint64_t last;
    memset(in.sk, 3, sizeof in.sk);
    memset(in.pk.bytes, 4, sizeof in.pk.bytes);
    writing(f);
    ok(state_prekey_last(f->s, PREKEY_ONE_TIME, &last));
    cr_assert_eq(last, 0u);
    for (in.id = 1; in.id <= 3; in.id++, in.made_ms++)
        ok(state_prekey_put(f->s, &in));
    ok(state_prekey_get(f->s, PREKEY_ONE_TIME, 2, &out));
    cr_assert(out.id == 2 && out.made_ms == 6 && out.kind == PREKEY_ONE_TIME);
    cr_assert(memcmp(out.sk, in.sk, 32) == 0 && memcmp(&out.pk, &in.pk, 32) == 0);
    cr_assert_eq(state_prekey_get(f->s, PREKEY_SIGNED, 2, &out), STATUS_NOT_FOUND);
    cr_assert_eq(out.id, 0u);
    ok(state_prekey_drop(f->s, PREKEY_ONE_TIME, 3));
    ok(state_prekey_drop(f->s, PREKEY_ONE_TIME, 3));
    cr_assert_eq(state_prekey_get(f->s, PREKEY_ONE_TIME, 3, &out), STATUS_NOT_FOUND);
    ok(state_prekey_last(f->s, PREKEY_ONE_TIME, &last));
    cr_assert_eq(last, 3u, "also after it was dropped");
    ok(state_prekey_prune(f->s, PREKEY_ONE_TIME, 6));
    cr_assert_eq(state_prekey_get(f->s, PREKEY_ONE_TIME, 1, &out), STATUS_NOT_FOUND);
    ok(state_prekey_get(f->s, PREKEY_ONE_TIME, 2, &out));
    ok(state_prekey_last(f->s, PREKEY_SIGNED, &last));
    cr_assert_eq(last, 0u);
    in = (struct state_prekey){.kind = PREKEY_SIGNED, .id = 1};
    ok(state_prekey_put(f->s, &in));
    ok(state_prekey_forget(f->s, PREKEY_ONE_TIME, 2));
    ok(state_prekey_get(f->s, PREKEY_ONE_TIME, 2, &out));
    ok(state_prekey_forget(f->s, PREKEY_ONE_TIME, 3));
    cr_assert_eq(state_prekey_get(f->s, PREKEY_ONE_TIME, 2, &out), STATUS_NOT_FOUND);
    ok(state_prekey_get(f->s, PREKEY_SIGNED, 1, &out));
    ok(state_prekey_last(f->s, PREKEY_ONE_TIME, &last));
    cr_assert_eq(last, 3u);
    commit(f);
}

/* ---- outbox ---- */

static void fill_row(struct outbox_row *row)
{
    row->handle_len = 3;
    memcpy(row->handle, "bob", 3);
    row->reason = STATUS_BUSY;
    memset(row->content.bytes, 1, 32);
    memset(row->digest.bytes, 2, 32);
    row->attempt_count = STATE_ATTEMPTS_MAX;
    for (uint8_t i = 0; i < STATE_ATTEMPTS_MAX; i++)
        memset(row->attempts[i].bytes, 3 + i, 32);
    row->ttl_ms = UINT64_MAX >> 1;
    row->created_ms = 4;
    row->ended_ms = 5;
    row->tries = 6;
    row->rounds = 7;
    row->submitted = row->lost = true;
    row->level = LEVEL_SYNCED;
    row->expires_ms = 8;
    row->receipt = (struct msg_receipt){.store = {{1}}, .term = {{2}}, .commit = 9, .key_id = 10,
                                        .accepted_ms = 11, .mac = {{12}}};
    row->part_count = DEVICES_PER_ACCOUNT;
    for (uint8_t i = 0; i < DEVICES_PER_ACCOUNT; i++)
        row->parts[i] = (struct msg_part_state){.device = {{i}}, .state = DELIVERY_OFFERED,
                                                .outcome = OUTCOME_DEAD, .reason = FAIL_HELD,
                                                .at_ms = i};
}

CONTRACT_TEST(outbox_row_comes_back_field_by_field)
{
    struct outbox_row in = row_of("full", 5), out;
    fill_row(&in);
    writing(f);
    in.order = put_row(f, in);
    commit(f);
    fixture_restart(f);
    reading(f);
    ok(state_outbox_get(f->s, in.order, &out));
    commit(f);
    cr_assert(out.order == in.order && message_equal(out.id, in.id) && out.state == in.state);
    cr_assert(memcmp(&out.target, &in.target, 32) == 0 && out.reason == in.reason);
    cr_assert(out.handle_len == 3 && memcmp(out.handle, "bob", 3) == 0);
    cr_assert(memcmp(&out.content, &in.content, 32) == 0);
    cr_assert(memcmp(&out.digest, &in.digest, 32) == 0);
    cr_assert(out.attempt_count == in.attempt_count &&
              memcmp(out.attempts, in.attempts, sizeof in.attempts) == 0);
    cr_assert(out.ttl_ms == in.ttl_ms && out.created_ms == 4 && out.due_ms == 100 &&
              out.ended_ms == 5 && out.tries == 6 && out.rounds == 7);
    cr_assert(out.submitted && !out.doubtful && out.lost);
    cr_assert(out.level == in.level && out.expires_ms == 8);
    cr_assert(memcmp(&out.receipt.mac, &in.receipt.mac, 32) == 0 && out.receipt.commit == 9 &&
              out.receipt.key_id == 10 && out.receipt.accepted_ms == 11 &&
              out.receipt.store.bytes[0] == 1 && term_equal(out.receipt.term, in.receipt.term));
    cr_assert_eq(out.part_count, in.part_count);
    for (size_t i = 0; i < in.part_count; i++)
        cr_assert(device_equal(out.parts[i].device, in.parts[i].device) &&
                  out.parts[i].state == DELIVERY_OFFERED && out.parts[i].at_ms == i &&
                  out.parts[i].outcome == OUTCOME_DEAD && out.parts[i].reason == FAIL_HELD);
}

CONTRACT_TEST(outbox_row_is_found_by_key_and_by_id_and_not_by_others)
{
    struct outbox_row row;
    writing(f);
    uint64_t order = put_row(f, row_of("k", 5));
    put_row(f, row_of("other", 0));
    ok(state_outbox_find_key(f->s, &(struct message_key){"k"}, &row));
    cr_assert_eq(row.order, order);
    ok(state_outbox_find_id(f->s, id_of(5), &row));
    cr_assert_eq(row.order, order);
    cr_assert_eq(state_outbox_find_key(f->s, &(struct message_key){"k2"}, &row), STATUS_NOT_FOUND);
    cr_assert_eq(state_outbox_find_id(f->s, id_of(6), &row), STATUS_NOT_FOUND);
    cr_assert_eq(row.order, 0u);
    commit(f);
}

CONTRACT_TEST(outbox_put_follows_a_changed_id)
{
    struct outbox_row row;
    writing(f);
    uint64_t order = put_row(f, row_of("k", 5));
    row = row_of("k", 6);
    row.order = order;
    ok(state_outbox_put(f->s, &row));
    cr_assert_eq(state_outbox_find_id(f->s, id_of(5), &row), STATUS_NOT_FOUND);
    ok(state_outbox_find_id(f->s, id_of(6), &row));
    cr_assert_eq(put_row(f, row_of("l", 5)), order + 1, "the old id is free");
    commit(f);
}

CONTRACT_TEST(outbox_put_refuses_a_taken_key_or_id)
{
    struct outbox_row row;
    writing(f);
    put_row(f, row_of("a", 1));
    uint64_t second = put_row(f, row_of("b", 2));
    row = row_of("a", 3);
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE);
    row = row_of("c", 1);
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE);
    row = row_of("a", 2);
    row.order = second;
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_STATE);
    ok(state_outbox_get(f->s, second, &row));
    cr_assert_str_eq(row.key.text, "b");
    row = row_of("d", 4);
    row.order = 999;
    cr_assert_eq(state_outbox_put(f->s, &row), STATUS_NOT_FOUND);
    put_row(f, row_of("e", 0));
    put_row(f, row_of("f", 0));
    commit(f);
}

CONTRACT_TEST(body_belongs_to_its_row)
{
    static uint8_t large[CIPHERTEXT_LEN_MAX];
    struct outbox_body body = {.payload = text("p"), .item = text("i"),
                               .ciphertext = view_of(large, sizeof large), .answer = text("a")};
    struct outbox_body out;
    memset(large, 7, sizeof large);
    writing(f);
    cr_assert_eq(state_body_put(f->s, 1, &body), STATUS_NOT_FOUND);
    cr_assert_eq(state_body_get(f->s, 1, &f->arena, &out), STATUS_NOT_FOUND);
    uint64_t order = put_row(f, row_of("a", 1));
    ok(state_body_get(f->s, order, &f->arena, &out));
    cr_assert(!out.payload.len && !out.item.len && !out.ciphertext.len && !out.answer.len);
    ok(state_body_put(f->s, order, &body));
    ok(state_body_get(f->s, order, &f->arena, &out));
    cr_assert(view_equal(out.payload, body.payload) && view_equal(out.item, body.item) &&
              view_equal(out.ciphertext, body.ciphertext) && view_equal(out.answer, body.answer));
    body = (struct outbox_body){.payload = text("only")};
    ok(state_body_put(f->s, order, &body));
    ok(state_body_get(f->s, order, &f->arena, &out));
    cr_assert(view_equal(out.payload, text("only")) && !out.ciphertext.len);
    commit(f);
}

CONTRACT_TEST(outbox_scan_pages_one_class_in_order)
{
    static struct outbox_row rows[64];
    writing(f);
    for (unsigned i = 0; i < 40; i++) {
        struct outbox_row row = row_of("", 0);
        snprintf(row.key.text, sizeof row.key.text, "%u", i);
        row.state = i % 4 == 0 ? MESSAGE_ACCEPTED : i % 4 == 1 ? MESSAGE_SETTLED : MESSAGE_QUEUED;
        put_row(f, row);
    }
    cr_assert_eq(scan(f, 0, 0, 0, rows, 64), 40u);
    cr_assert_eq(scan(f, CLASS_OPEN, 0, 0, rows, 64), 10u);
    cr_assert_eq(scan(f, CLASS_ENDED, 0, 0, rows, 64), 10u);
    cr_assert_eq(scan(f, CLASS_WORK, 0, 0, rows, 15), 15u);
    cr_assert_eq(scan(f, CLASS_WORK, rows[14].order, 0, rows, 15), 5u);
    cr_assert_eq(scan(f, CLASS_WORK, rows[4].order, 0, rows, 15), 0u);
    cr_assert_eq(scan(f, CLASS_WORK, UINT64_MAX >> 1, 0, rows, 15), 0u);
    commit(f);
}

CONTRACT_TEST(outbox_scan_finds_held_ones_among_the_ended_and_fresh_comes_back)
{
    struct outbox_row rows[8];
    writing(f);
    for (unsigned i = 0; i < 6; i++) {
        struct outbox_row row = row_of("", 0);
        row.key.text[0] = (char)('a' + i);
        row.state = i % 2 ? MESSAGE_HELD : i ? MESSAGE_SETTLED : MESSAGE_DRAFTED;
        row.fresh = i == 3;
        put_row(f, row);
    }
    struct outbox_scan held = {.held = true, .rows = rows, .row_max = 2};
    ok(state_outbox_scan(f->s, &held));
    cr_assert(held.row_count == 2 && rows[0].key.text[0] == 'b' && rows[1].key.text[0] == 'd');
    cr_assert(!rows[0].fresh && rows[1].fresh);
    held.after = rows[1].order;
    ok(state_outbox_scan(f->s, &held));
    cr_assert(held.row_count == 1 && rows[0].key.text[0] == 'f');
    held.after = UINT64_MAX >> 1;
    ok(state_outbox_scan(f->s, &held));
    cr_assert_eq(held.row_count, 0u);
    commit(f);
}

CONTRACT_TEST(outbox_scan_takes_only_what_is_due)
{
    struct outbox_row rows[8], row;
    static const uint64_t due[] = {100, 101, 0, 100 + OUTBOX_DUE_AHEAD_MAX_MS,
                                   101 + OUTBOX_DUE_AHEAD_MAX_MS};
    writing(f);
    for (unsigned i = 0; i < 5; i++) {
        row = row_of("", 0);
        row.key.text[0] = (char)('a' + i);
        row.due_ms = due[i];
        put_row(f, row);
    }
    cr_assert_eq(scan(f, CLASS_WORK, 0, 100, rows, 8), 3u);
    cr_assert_str_eq(rows[0].key.text, "a");
    cr_assert_str_eq(rows[1].key.text, "c");
    cr_assert_str_eq(rows[2].key.text, "e", "the clock was set back");
    commit(f);
}

CONTRACT_TEST(outbox_row_changes_its_class)
{
    struct outbox_row rows[8], row = row_of("a", 1);
    writing(f);
    row.order = put_row(f, row);
    row.state = MESSAGE_ACCEPTED;
    ok(state_outbox_put(f->s, &row));
    cr_assert_eq(scan(f, CLASS_WORK, 0, 0, rows, 8), 0u);
    cr_assert_eq(scan(f, CLASS_OPEN, 0, 0, rows, 8), 1u);
    row.state = MESSAGE_QUEUED;
    ok(state_outbox_put(f->s, &row));
    cr_assert_eq(scan(f, CLASS_WORK, 0, 0, rows, 8), 1u);
    cr_assert_eq(scan(f, CLASS_OPEN, 0, 0, rows, 8), 0u);
    commit(f);
}

CONTRACT_TEST(outbox_receipt_walks_in_order_of_term_and_commit)
{
    struct outbox_row row;
    writing(f);
    uint64_t d = put_open(f, "d", store_one, term_of(2), 1);
    uint64_t b = put_open(f, "b", store_one, term_of(1), 300);
    uint64_t c = put_open(f, "c", store_one, term_of(1), 300);
    uint64_t a = put_open(f, "a", store_one, term_of(1), 2);
    uint64_t other = put_open(f, "o", store_two, term_of(1), 1);
    ok(state_outbox_receipt(f->s, store_one, term_of(0), 0, 0, &row));
    cr_assert_eq(row.order, a);
    ok(state_outbox_receipt(f->s, store_one, term_of(1), 2, a, &row));
    cr_assert_eq(row.order, b);
    ok(state_outbox_receipt(f->s, store_one, term_of(1), 300, b, &row));
    cr_assert_eq(row.order, c);
    ok(state_outbox_receipt(f->s, store_one, term_of(1), 300, UINT64_MAX, &row));
    cr_assert_eq(row.order, d);
    ok(state_outbox_receipt(f->s, store_one, term_of(1), UINT64_MAX, UINT64_MAX, &row));
    cr_assert_eq(row.order, d);
    cr_assert_eq(state_outbox_receipt(f->s, store_one, term_of(2), 2, 0, &row), STATUS_NOT_FOUND);
    cr_assert_eq(row.order, 0u);
    ok(state_outbox_receipt(f->s, store_two, term_of(0), 0, 0, &row));
    cr_assert_eq(row.order, other);
    row.state = MESSAGE_SETTLED;
    ok(state_outbox_put(f->s, &row));
    cr_assert_eq(state_outbox_receipt(f->s, store_two, term_of(0), 0, 0, &row), STATUS_NOT_FOUND,
                 "only of open messages");
    commit(f);
}
