/* The frozen bytes of tests/vectors: this code must make exactly them from the inputs named there,
 * and read them back. They were computed by another implementation; they are never regenerated. */
#include "tests/unit/wire_vectors.h"

#include "broker/wire/digest.h"
#include "broker/wire/identity.h"
#include "broker/wire/prekey.h"
#include "broker/wire/receipt.h"
#include "broker/wire/report.h"
#include "broker/wire/token.h"
#include "broker/wire/stamp.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vectors, .init = vectors_load, .fini = vectors_unload);

static struct hash256 hash(const char *label, struct view a, struct view b)
{
    return hash_bytes(label, a, b, view_of(NULL, 0));
}

/* ---- who and what ---- */

static void check_account(const char *who)
{
    char name[64];
    uint8_t seed[32], sk[64], salt[16];
    struct msg_device_record record;
    struct founding f;
    struct buffer entry = {0};
#define OF(what) (snprintf(name, sizeof name, "%s." what, who), name)
    FIXED(OF("signing_seed"), seed);
    FIXED(OF("identity_pk"), record.identity);
    FIXED(OF("transport_pk"), record.transport);
    FIXED(OF("salt"), salt);
    crypto_sign_seed_keypair(record.signing.bytes, sk, seed);
    IS(record.signing, OF("signing_pk"));
    founding_make(&record, sk, number(OF("made_ms")), salt, &entry);
    is(buffer_view(&entry), OF("entry"));
    cr_assert_eq(founding_check(hex(OF("entry")), &arena, &f), STATUS_OK);
    IS(f.account, OF("account"));
    IS(f.head, OF("account"));
    IS(f.device, OF("device"));
    IS(f.record.transport, OF("transport_pk"));
    cr_assert_eq(home_of_account(f.account), number(OF("home")));
#undef OF
    buffer_fini(&entry);
}

Test(vectors, entries_name_accounts_and_devices)
{
    check_account("alice");
    check_account("bob");
}

Test(vectors, an_entry_is_its_body_and_signature)
{
    struct msg_entry e;
    cr_assert_eq(codec_decode(&msg_entry_desc, hex("alice.entry"), &arena, &e), STATUS_OK);
    is(e.body, "alice.entry_body");
    IS(e.signature, "alice.entry_signature");
}

static struct view handle_text(void)
{
    return view_of(text("handle.text"), strlen(text("handle.text")));
}

Test(vectors, a_handle_has_its_home_and_signature)
{
    struct account_id account;
    struct signature s;
    struct signing_pk pk;
    uint8_t seed[32], sk[64];
    FIXED("alice.account", account);
    FIXED("alice.signing_seed", seed);
    crypto_sign_seed_keypair(pk.bytes, sk, seed);
    struct hash256 h = hash("sealmq handle home 1", handle_text(), view_of(NULL, 0));
    IS(h, "handle.hash");
    cr_assert_eq(home_of_handle(handle_text()), number("handle.home"));
    handle_sign(account, handle_text(), sk, &s);
    IS(s, "handle.signature");
    cr_assert_eq(handle_verify(account, handle_text(), &pk, &s), STATUS_OK);
}

Test(vectors, a_message_id_has_its_time_and_text)
{
    uint8_t random[10];
    FIXED("message.random", random);
    struct message_id id = message_id_make(number("message.time_ms"), random), read;
    char shown[MESSAGE_ID_TEXT_LEN + 1];
    IS(id, "message.id");
    message_id_text(id, shown);
    cr_assert_str_eq(shown, text("message.id_text"));
    cr_assert_eq(message_id_parse(text("message.id_text"), &read), STATUS_OK);
    cr_assert(message_equal(id, read) && message_id_is_v7(read));
}

static struct message_ref reference(void)
{
    struct message_ref ref;
    FIXED("alice.device", ref.sender);
    FIXED("bob.account", ref.target);
    FIXED("message.id", ref.id);
    return ref;
}

Test(vectors, a_reference_has_its_text)
{
    struct message_ref ref = reference(), read;
    char shown[REFERENCE_TEXT_LEN + 1];
    reference_text(&ref, shown);
    cr_assert_str_eq(shown, text("reference.text"));
    cr_assert_eq(reference_parse(text("reference.text"), &read), STATUS_OK);
    cr_assert_eq(memcmp(&ref, &read, sizeof ref), 0);
}

/* ---- frames ---- */

Test(vectors, ping)
{
    struct expected x = {"ping.frame", {KIND_PING, 0, 0x0102030405060708u, 0xabc}, FROM_CLIENT,
                         &msg_empty_desc, view_of(NULL, 0)};
    check_frame(&x, &(struct msg_empty){0});
}

Test(vectors, claim_handle)
{
    struct expected x = {"claim_handle.frame", {KIND_CLAIM_HANDLE, 0, 2, home("handle.home")},
                         FROM_CLIENT, &msg_claim_handle_desc, view_of(NULL, 0)};
    struct msg_claim_handle m = {.handle = handle_text(), .entry = hex("alice.entry")};
    FIXED("handle.signature", m.signature);
    check_frame(&x, &m);
}

/* alice's prekey of these names, made and read back. */
static void check_prekey(const char *id_name, const char *name, bool last_resort)
{
    uint8_t seed[32], sk[64];
    struct signing_pk pk;
    struct account_id account;
    struct msg_prekey_body body = {.id = number(id_name), .made_ms = number("alice.made_ms"),
                                   .key_version = 1, .last_resort = last_resort}, back;
    struct msg_signed_prekey read;
    struct buffer made = {0};
    FIXED("alice.signing_seed", seed);
    FIXED("alice.account", account);
    FIXED("alice.account", body.head);
    FIXED("alice.device", body.device);
    FIXED("prekey.key", body.key);
    crypto_sign_seed_keypair(pk.bytes, sk, seed);
    prekey_make(account, &body, sk, &made);
    is(buffer_view(&made), name);
    cr_assert_eq(prekey_open(hex(name), &arena, &read, &back), STATUS_OK);
    cr_assert(prekey_signed_by(account, &read, &pk));
    cr_assert(back.id == body.id && back.last_resort == last_resort);
    buffer_fini(&made);
}

Test(vectors, a_prekey_is_its_body_and_signature)
{
    struct msg_signed_prekey p;
    check_prekey("prekey.id", "prekey.signed", false);
    check_prekey("prekey.last_resort_id", "prekey.last_resort", true);
    cr_assert_eq(codec_decode(&msg_signed_prekey_desc, hex("prekey.signed"), &arena, &p), STATUS_OK);
    is(p.body, "prekey.body");
    IS(p.signature, "prekey.signature");
}

Test(vectors, publish)
{
    struct expected x = {"publish.frame", {KIND_PUBLISH, 1, 9, home("alice.home")}, FROM_CLIENT,
                         &msg_publish_desc, view_of(NULL, 0)};
    struct msg_one_time_prekey one = {.id = 1};
    struct msg_publish m = {.current = hex("prekey.signed"), .last_resort = hex("prekey.last_resort"),
                            .one_time = &one, .one_time_count = 1};
    FIXED("prekey.key", one.key);
    check_frame(&x, &m);
}

Test(vectors, hello)
{
    struct expected x = {"hello.frame", {KIND_HELLO, 0, 1, home("alice.home")}, FROM_CLIENT,
                         &msg_hello_desc, view_of(NULL, 0)};
    struct msg_hello m = {.client_version = view_of("2.4.1", 5), .protocol_min = 1,
                          .protocol_max = 1, .attach = true, .credit_messages = 256,
                          .credit_bytes = 4194304};
    FIXED("alice.device", m.device);
    FIXED("alice.account", m.account);
    check_frame(&x, &m);
    x.name = "hello_clock.frame";
    m.client_ms = 1700000003000u;
    check_frame(&x, &m);
}

Test(vectors, welcome)
{
    struct expected x = {"welcome.frame", {KIND_WELCOME, 0, 1, home("alice.home")}, FROM_RELAY,
                         &msg_welcome_desc, view_of(NULL, 0)};
    struct msg_range range = {.first = 0, .last = 4095};
    struct msg_welcome m = {.session.number = 7, .relay_ms = 1700000001000u, .ping_ms = 10000,
                            .credit_messages = 256, .credit_bytes = 4194304,
                            .map = {.version = 1, .ranges = &range, .range_count = 1}};
    struct term term = term_make(1700000000500u, 0x1122334455667788u);
    IS(term, "term");
    m.session.term = term;
    range.term = term;
    FIXED("store", range.store);
    check_frame(&x, &m);
}

Test(vectors, send_and_its_digest)
{
    struct view ciphertext = hex("message.ciphertext");
    struct expected x = {"send.frame", {KIND_SEND, 1, 3, home("bob.home")}, FROM_CLIENT,
                         &msg_send_desc, ciphertext};
    struct msg_part part = {.len = (uint32_t)ciphertext.len};
    struct msg_send_item item = {.key_version = 1, .ttl_ms = 86400000, .parts = &part,
                                 .part_count = 1};
    struct buffer encoded = {0};
    FIXED("message.id", item.id);
    FIXED("bob.account", item.target);
    FIXED("bob.account", item.head);
    FIXED("bob.device", part.device);
    codec_encode(&msg_send_item_desc, &item, &encoded);
    struct view bytes = buffer_view(&encoded);
    is(bytes, "send.item");
    check_frame(&x, &(struct msg_send){.items = &bytes, .item_count = 1});
    struct hash256 h1 = digest_ciphertext(ciphertext);
    IS(h1, "send.h1");
    struct hash256 digest = digest_claim(bytes, &h1, 1);
    IS(digest, "send.digest");
    buffer_fini(&encoded);
}

static struct msg_receipt receipt_signed(void)
{
    struct receipt_key key = {.id = (uint32_t)number("receipt.key_id")};
    struct msg_receipt r = {.commit = number("receipt.commit"),
                            .accepted_ms = number("receipt.accepted_ms")};
    struct message_ref ref = reference();
    struct hash256 digest;
    FIXED("receipt.key", key.bytes);
    FIXED("send.digest", digest);
    FIXED("store", r.store);
    FIXED("term", r.term);
    receipt_sign(&key, &r, &ref, &digest);
    cr_assert_eq(receipt_verify(&key, 1, &r, &ref, &digest), STATUS_OK);
    return r;
}

Test(vectors, sent_with_its_receipt)
{
    struct expected x = {"sent.frame", {KIND_SENT, 1, 3, home("bob.home")}, FROM_RELAY,
                         &msg_sent_desc, view_of(NULL, 0)};
    struct msg_accepted_part part = {.seq = 1};
    struct msg_accepted m = {.level = LEVEL_SYNCED, .receipt = receipt_signed(), .parts = &part,
                             .part_count = 1};
    struct buffer encoded = {0};
    IS(m.receipt.mac, "receipt.mac");
    m.expires_ms = m.receipt.accepted_ms + 86400000;
    FIXED("message.id", m.id);
    FIXED("bob.device", part.device);
    FIXED("term", part.term);
    codec_encode(&msg_accepted_desc, &m, &encoded);
    is(buffer_view(&encoded), "accepted");
    struct msg_sent_item item = {.answer = buffer_view(&encoded)};
    check_frame(&x, &(struct msg_sent){.items = &item, .item_count = 1});
    buffer_fini(&encoded);
}

Test(vectors, a_receipt_for_anything_else_is_refused)
{
    struct msg_receipt r = receipt_signed();
    struct receipt_key keys[2] = {{.id = 9}, {.id = (uint32_t)number("receipt.key_id")}};
    struct message_ref ref = reference();
    struct hash256 digest;
    FIXED("receipt.key", keys[1].bytes);
    FIXED("send.digest", digest);
    cr_assert_eq(receipt_verify(keys, 2, &r, &ref, &digest), STATUS_OK, "an older key verifies");
    cr_assert_eq(receipt_verify(keys, 1, &r, &ref, &digest), STATUS_REFUSED, "unknown key");
    cr_assert_eq(receipt_verify(keys, 0, &r, &ref, &digest), STATUS_REFUSED, "no key");
    r.commit++;
    cr_assert_eq(receipt_verify(keys, 2, &r, &ref, &digest), STATUS_REFUSED, "commit");
    r.commit--;
    ref.sender.bytes[0] ^= 1;
    cr_assert_eq(receipt_verify(keys, 2, &r, &ref, &digest), STATUS_REFUSED, "sender");
    ref.sender.bytes[0] ^= 1;
    digest.bytes[31] ^= 1;
    cr_assert_eq(receipt_verify(keys, 2, &r, &ref, &digest), STATUS_REFUSED, "digest");
}

Test(vectors, deliver)
{
    struct view ciphertext = hex("message.ciphertext");
    struct expected x = {"deliver.frame", {KIND_DELIVER, 1, 0, home("bob.home")}, FROM_RELAY,
                         &msg_deliver_desc, ciphertext};
    struct msg_delivery d = {.seq = 1, .accepted_ms = number("receipt.accepted_ms"),
                             .len = (uint32_t)ciphertext.len};
    struct msg_deliver m = {.session.number = 8, .items = &d, .item_count = 1};
    FIXED("term", m.session.term);
    FIXED("term", d.term);
    FIXED("alice.account", d.sender_account);
    FIXED("alice.device", d.sender_device);
    FIXED("bob.account", d.target);
    FIXED("message.id", d.id);
    check_frame(&x, &m);
}

Test(vectors, ack_and_its_echo)
{
    struct expected x = {"ack.frame", {KIND_ACK, 0, 4, home("bob.home")}, FROM_CLIENT,
                         &msg_ack_desc, view_of(NULL, 0)};
    struct expected y = {"acked.frame", {KIND_ACKED, 0, 4, home("bob.home")}, FROM_RELAY,
                         &msg_acked_desc, view_of(NULL, 0)};
    struct msg_ack ack = {.session.number = 8, .settled_seq = 1, .delivered_seq = 1};
    FIXED("term", ack.session.term);
    ack.settled_term = ack.delivered_term = ack.session.term;
    struct msg_acked acked = {.session = ack.session, .settled_term = ack.settled_term,
                              .settled_seq = 1, .delivered_term = ack.delivered_term,
                              .delivered_seq = 1};
    check_frame(&x, &ack);
    check_frame(&y, &acked);
}

Test(vectors, stamp)
{
    struct stamp_key key = {.id = (uint32_t)number("stamp.key_id")};
    struct message_ref ref = reference();
    struct hash256 commitment;
    struct mac256 mac;
    FIXED("stamp.key", key.bytes);
    FIXED("stamp.commitment", commitment);
    stamp_make(&key, &commitment, &ref, number("receipt.accepted_ms"), &mac);
    IS(mac, "stamp.mac");
}

Test(vectors, report)
{
    uint8_t seed[32], sk[64];
    struct msg_report_body body = {.attempt = 1, .cause = CAUSE_PREKEY, .made_ms = number("report.made_ms")}, back;
    struct msg_report r;
    struct signing_pk pk;
    struct buffer bytes = {0};
    FIXED("bob.signing_seed", seed);
    crypto_sign_seed_keypair(pk.bytes, sk, seed);
    FIXED("bob.device", body.device);
    FIXED("bob.account", body.account);
    FIXED("alice.device", body.sender);
    FIXED("bob.account", body.target);
    FIXED("message.id", body.id);
    report_make(&body, sk, &bytes);
    is(buffer_view(&bytes), "report");
    cr_assert_eq(report_open(hex("report"), &arena, &r, &back), STATUS_OK);
    is(r.body, "report.body");
    IS(r.signature, "report.signature");
    cr_assert(report_signed_by(&r, &pk) && memcmp(&back, &body, sizeof body) == 0);
    buffer_fini(&bytes);
}

Test(vectors, error)
{
    struct expected x = {"error.frame", {KIND_ERROR, 0, 3, home("bob.home")}, FROM_RELAY,
                         &msg_error_desc, view_of(NULL, 0)};
    check_frame(&x, &(struct msg_error){.status = STATUS_BUSY, .retry_after_ms = 250});
}

/* "refuse.what[.status]": by frame_check, or, where its header is right, as a HELLO. */
Test(vectors, what_must_be_refused_is)
{
    size_t count = 0;
    struct view value;
    const char *name;
    for (size_t i = 0; vector_at(i, &name, &value); i++) {
        const char *expected = "malformed";
        if (strncmp(name, "refuse.", 7) != 0) continue;
        if (strrchr(name, '.') != name + 6) expected = strrchr(name, '.') + 1;
        struct frame f;
        struct msg_hello hello;
        enum status s = frame_check(value, FROM_CLIENT, &f);
        cr_assert_eq(s == STATUS_OK, strncmp(name + 7, "hello_", 6) == 0, "%s", name);
        if (s == STATUS_OK) s = codec_decode(&msg_hello_desc, f.meta, &arena, &hello);
        cr_assert_str_eq(status_name(s), expected, "%s", name);
        count++;
    }
    cr_assert_gt(count, 10u);
}

Test(vectors, token)
{
    uint8_t seed[32], sk[64], parsed[TOKEN_LEN_MAX];
    char shown[TOKEN_TEXT_MAX + 1];
    size_t len;
    struct transport_pk server;
    struct product_keys keys = {.count = 1};
    struct msg_token t;
    struct msg_token_body body = {.handle = view_of(text("token.handle"), strlen(text("token.handle"))),
                                  .expires_ms = number("token.expires_ms")}, back;
    struct buffer bytes = {0};
    FIXED("token.product_seed", seed);
    crypto_sign_seed_keypair(keys.keys[0].bytes, sk, seed);
    IS(keys.keys[0], "token.product_pk");
    FIXED("token.server_pk", server);
    body.relay = relay_id_of(&server);
    IS(body.relay, "token.relay");
    FIXED("alice.account", body.account);
    token_make(&body, sk, &bytes);
    is(buffer_view(&bytes), "token");
    cr_assert_eq(token_open(hex("token"), &arena, &t, &back), STATUS_OK);
    is(t.body, "token.body");
    IS(t.signature, "token.signature");
    token_text(hex("token"), shown);
    cr_assert_str_eq(shown, text("token.text"));
    cr_assert_eq(token_parse(text("token.text"), parsed, &len), STATUS_OK);
    is(view_of(parsed, len), "token");
    struct token_claim claim = {body.handle, body.account, body.relay, body.expires_ms};
    cr_assert_eq(token_check(hex("token"), &claim, &keys, &arena), TOKEN_NONE);
    buffer_fini(&bytes);
}
