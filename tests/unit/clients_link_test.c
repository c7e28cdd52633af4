/* Linking (PROTOCOL 6.5): codes; what opens under which code, and where; the new device against a relay that lies. */
#include "clients/join.h"
#include "broker/wire/identity.h"
#include "clients/engine.h"
#include "clients/state/memory.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static const uint8_t nonce[LINK_NONCE_LEN] = {5};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct link_code code_of(uint8_t n)
{
    uint8_t random[LINK_RANDOM_LEN];
    struct link_code code;
    memset(random, n, sizeof random);
    link_code_make(random, &code);
    return code;
}

/* ---- codes ---- */

Test(link, a_code_is_a_hundred_bits_and_reads_as_people_type_it)
{
    struct link_code made, read;
    char text[LINK_TEXT_LEN + 1], qr[LINK_QR_LEN + 1];
    const uint8_t random[LINK_RANDOM_LEN] = {0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3f};
    link_code_make(random, &made);
    cr_assert_str_eq(made.digits, "0123456789ABCDEFGHJK", "13 bytes, the last four bits unused");
    link_code_text(&made, text);
    cr_assert_str_eq(text, "0123-4567-89AB-CDEF-GHJK");
    link_code_qr(&made, qr);
    cr_assert_str_eq(qr, "sealmq:link:1:0123456789ABCDEFGHJK");
    const char *const ways[] = {text, qr, "0123456789abcdefghjk", " o l2 3-4567-89ab\tcdef ghjk\n", "SEALMQ:LINK:1:OI23456789ABCDEFGHJK",
                                "0L23-4567-89AB-CDEF-GHJK"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        ok(link_code_parse(ways[i], &read));
        cr_assert_str_eq(read.digits, made.digits, "%s", ways[i]);
    }
}

Test(link, what_is_no_code)
{
    static const struct link_code none;
    const char *const bad[] = {"", "0123", "0123-4567-89AB-CDEF-GHJ", "0123-4567-89AB-CDEF-GHJKM", "0123-4567-89AB-CDEF-GHJU",
                               "0123-4567-89AB-CDEF-GHJ!", "sealmq:verify:1:0123456789ABCDEFGHJK", "sealmq:link:",
                               "sealmq:link:x:0123456789ABCDEFGHJK", "0123-4567-89AB-CDEF-GH\xc3\xa4"};
    struct link_code read;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(link_code_parse(bad[i], &read), STATUS_MALFORMED, "%s", bad[i]);
        cr_assert_eq(memcmp(&read, &none, sizeof none), 0);
    }
    cr_assert_eq(link_code_parse("sealmq:link:2:0123456789ABCDEFGHJK", &read), STATUS_UNSUPPORTED);
}

/* Made by another program than this. */
Test(link, the_box_of_a_code_is_frozen)
{
    struct link_code code;
    char hex[65];
    ok(link_code_parse("0123-4567-89AB-CDEF-GHJK", &code));
    struct link_box box = link_box_of(&code);
    hex_encode(box.bytes, sizeof box.bytes, hex);
    cr_assert_str_eq(hex, "81efafc62e4bc79b14d24118df88af1443454bb8a9168941b8c0f8fce75f0a27");
}

Test(link, every_digit_makes_another_box)
{
    struct link_code code = code_of(7), other;
    struct link_box box = link_box_of(&code);
    for (size_t i = 0; i < LINK_CODE_LEN; i++) {
        other = code;
        other.digits[i] = code.digits[i] == '0' ? '1' : '0';
        struct link_box there = link_box_of(&other);
        cr_assert_neq(memcmp(&box, &there, sizeof box), 0);
    }
}

/* ---- messages: a relay, and a device of the account, played by hand ---- */

enum claim { CLAIM_OURS, CLAIM_NONE, CLAIM_FALSE, CLAIM_OTHERS };

struct table {
    struct join *join;
    struct guest *guest;
    struct now now;
    uint64_t seed;
    struct buffer slots[LINK_SLOTS]; /* as the relay has them */
    bool gone;                       /* the relay has lost the box */
    struct arena arena;
    /* the account's device */
    uint8_t ephemeral_sk[32], signing_sk[64];
    struct prekey_pk ephemeral;
    struct link_keys keys;
    struct msg_link_request request;
    struct buffer entry;
    struct founding founding;
    enum claim claimed; /* what the relay says of the handle */
    void (*other)(struct table *t, struct msg_found *found, struct view handle);
};

static void fill(void *self, void *out, size_t len)
{
    uint8_t *bytes = out;
    uint64_t *seed = self;
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((*seed = *seed * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static void account_make(struct table *t)
{
    struct msg_device_record record;
    uint8_t seed[32] = {9}, salt[16] = {1}, sk[32] = {3};
    crypto_sign_seed_keypair(record.signing.bytes, t->signing_sk, seed);
    crypto_scalarmult_base(record.identity.bytes, sk);
    sk[1] = 1;
    crypto_scalarmult_base(record.transport.bytes, sk);
    founding_make(&record, t->signing_sk, 1, salt, &t->entry);
    ok(founding_check(buffer_view(&t->entry), &t->arena, &t->founding));
    memset(t->ephemeral_sk, 8, sizeof t->ephemeral_sk);
    crypto_scalarmult_base(t->ephemeral.bytes, t->ephemeral_sk);
}

static void table_init(struct table *t)
{
    *t = (struct table){.now = {.wall_ms = 1700000000000, .mono_ms = 1000}, .seed = 11};
    struct random_source random = {.fill = fill, .self = &t->seed};
    cr_assert_geq(sodium_init(), 0);
    guest_new(&random, &t->guest);
    join_new(&random, t->now, view_of("phone", 5), &t->join);
    guest_up(t->guest, t->now);
    account_make(t);
}

static void table_fini(struct table *t)
{
    join_free(&t->join);
    guest_free(&t->guest);
    for (size_t i = 0; i < LINK_SLOTS; i++)
        buffer_fini(&t->slots[i]);
    buffer_fini(&t->entry);
    arena_fini(&t->arena);
}

static void reply(struct table *t, uint64_t correlation, enum frame_kind kind, const struct codec_desc *desc, const void *m)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = correlation}, desc, m);
    guest_frame(t->guest, t->now, buffer_view(&b));
    buffer_fini(&b);
}

static void relay_put(struct table *t, const struct frame *f)
{
    struct msg_link_put m;
    ok(codec_decode(&msg_link_put_desc, f->meta, &t->arena, &m));
    if (t->gone && m.slot == 0) t->gone = false;
    if (t->gone) {
        reply(t, f->header.correlation, KIND_ERROR, &msg_error_desc, &(struct msg_error){.status = STATUS_NOT_FOUND});
        return;
    }
    if (!t->slots[m.slot].len) write_view(&t->slots[m.slot], m.bytes);
    reply(t, f->header.correlation, KIND_LINK_HAS, &msg_link_has_desc, &(struct msg_link_has){.slots = 1});
}

static void relay_get(struct table *t, const struct frame *f)
{
    struct msg_link_get m;
    ok(codec_decode(&msg_link_get_desc, f->meta, &t->arena, &m));
    if (t->gone)
        reply(t, f->header.correlation, KIND_ERROR, &msg_error_desc, &(struct msg_error){.status = STATUS_NOT_FOUND});
    else
        reply(t, f->header.correlation, KIND_LINK_IS, &msg_link_is_desc,
              &(struct msg_link_is){.bytes = buffer_view(&t->slots[m.slot])});
}

/* The handle is alice's, or what the test says of it. */
static void relay_lookup(struct table *t, const struct frame *f)
{
    struct msg_lookup m;
    struct msg_handle_proof proof = {.entry = buffer_view(&t->entry)};
    struct msg_found found = {.account = t->founding.account, .proof = &proof, .proof_count = 1};
    ok(codec_decode(&msg_lookup_desc, f->meta, &t->arena, &m));
    handle_sign(t->founding.account, m.handle, t->signing_sk, &proof.signature);
    if (t->claimed == CLAIM_FALSE) proof.signature.bytes[0] ^= 1;
    if (t->claimed == CLAIM_OTHERS) t->other(t, &found, m.handle);
    if (t->claimed == CLAIM_NONE)
        reply(t, f->header.correlation, KIND_ERROR, &msg_error_desc, &(struct msg_error){.status = STATUS_NOT_FOUND});
    else
        reply(t, f->header.correlation, KIND_FOUND, &msg_found_desc, &found);
}

/* The new device and the relay, for so long. */
static void pass(struct table *t, uint64_t ms)
{
    for (uint64_t end = t->now.mono_ms + ms; t->now.mono_ms <= end; t->now.mono_ms += 250, t->now.wall_ms += 250) {
        struct view bytes;
        struct frame f;
        guest_tick(t->guest, t->now);
        join_drive(t->join, t->now, t->guest);
        while (guest_next_frame(t->guest, t->now, &bytes)) {
            ok(frame_check(bytes, FROM_CLIENT, &f));
            (f.header.kind == KIND_LINK_PUT ? relay_put : f.header.kind == KIND_LOOKUP ? relay_lookup : relay_get)(t, &f);
            join_drive(t->join, t->now, t->guest);
        }
    }
}

/* What a device of the account does that was told the code. */
static void request_read(struct table *t)
{
    const struct link_code *code = join_code(t->join);
    ok(link_request_open(code, buffer_view(&t->slots[0]), &t->arena, &t->request));
    struct link_parties p = {.joining = t->request.ephemeral, .offering = t->ephemeral};
    ok(link_agree(code, &p, t->ephemeral_sk, false, buffer_view(&t->slots[0]), &t->keys));
}

static struct msg_link_offer offer_of(struct table *t, uint32_t part, uint32_t parts, const char *data)
{
    return (struct msg_link_offer){.verdict = LINK_APPROVED, .part = part, .parts = parts,
                                   .entry = part ? view_of(NULL, 0) : buffer_view(&t->entry), .handle = view_of("alice", 5),
                                   .log = {.length = 3, .head = {{7}}, .key_version = 1}, .device = t->founding.device,
                                   .data = view_of(data, strlen(data))};
}

static void offer(struct table *t, const struct msg_link_offer *m)
{
    struct buffer *slot = &t->slots[LINK_SLOT_OFFER + m->part];
    buffer_clear(slot);
    link_offer_seal(&t->keys, link_box_of(join_code(t->join)), &t->ephemeral, m, nonce, slot);
}

static struct table *asked(struct table *t)
{
    table_init(t);
    cr_assert_eq(join_stage(t->join), JOIN_ASKING);
    pass(t, 1000);
    cr_assert_eq(join_stage(t->join), JOIN_WAITING);
    request_read(t);
    return t;
}

Test(link, a_device_joins_and_its_consent_is_for_this_account)
{
    struct table t;
    struct msg_link_consent consent;
    asked(&t);
    cr_assert_eq(t.request.name.len, 5u);
    cr_assert_eq(memcmp(&t.request.device, join_record(t.join), sizeof t.request.device), 0);
    struct msg_link_offer first = offer_of(&t, 0, 2, "some"), second = offer_of(&t, 1, 2, " data");
    offer(&t, &first);
    pass(&t, 5000);
    cr_assert_eq(join_stage(t.join), JOIN_WAITING, "a part is missing");
    offer(&t, &second);
    pass(&t, 3000);
    cr_assert_eq(join_stage(t.join), JOIN_OFFERED);
    const struct join_offer *o = join_offer(t.join);
    cr_assert_eq(memcmp(&o->founding.account, &t.founding.account, sizeof o->founding.account), 0);
    cr_assert(view_equal(o->data, view_of("some data", 9)));
    cr_assert_eq(t.slots[LINK_SLOT_CONSENT].len, 0u, "it was not kept yet");
    join_consent(t.join, t.now);
    pass(&t, 1000);
    cr_assert_eq(join_stage(t.join), JOIN_DONE);
    ok(link_consent_open(&t.keys, link_box_of(join_code(t.join)), buffer_view(&t.slots[LINK_SLOT_CONSENT]), &t.arena, &consent));
    struct identity_log log;
    struct buffer add = {0};
    ok(identity_log_open(buffer_view(&t.entry), &t.arena, &log));
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = t.founding.device, .record = t.request.device,
                              .proof = consent.proof};
    identity_log_make(&log, &plan, t.signing_sk, &add);
    ok(identity_log_append(&log, buffer_view(&add), &t.arena));
    buffer_fini(&add);
    table_fini(&t);
}

Test(link, it_may_be_refused_on_either_side)
{
    struct table t;
    struct msg_link_consent consent;
    struct msg_link_offer no = {.verdict = LINK_REJECTED};
    asked(&t);
    offer(&t, &no);
    pass(&t, 3000);
    cr_assert_eq(join_stage(t.join), JOIN_REJECTED);
    table_fini(&t);

    asked(&t);
    struct msg_link_offer yes = offer_of(&t, 0, 1, "");
    offer(&t, &yes);
    pass(&t, 3000);
    join_refuse(t.join, t.now, t.guest);
    pass(&t, 1000);
    cr_assert_eq(join_stage(t.join), JOIN_REJECTED);
    ok(link_consent_open(&t.keys, link_box_of(join_code(t.join)), buffer_view(&t.slots[LINK_SLOT_CONSENT]), &t.arena, &consent));
    cr_assert(consent.cancel);
    table_fini(&t);
}

Test(link, its_user_may_give_up_before_anything_is_offered)
{
    struct table t;
    asked(&t);
    join_refuse(t.join, t.now, t.guest);
    pass(&t, 1000);
    ok(link_withdrawal_open(join_code(t.join), buffer_view(&t.slots[LINK_SLOT_CONSENT]), &t.arena));
    cr_assert_eq(link_withdrawal_open(&(struct link_code){"0"}, buffer_view(&t.slots[LINK_SLOT_CONSENT]), &t.arena), STATUS_BAD_ENTRY);
    table_fini(&t);
}

Test(link, a_relay_that_loses_the_box_gets_it_again)
{
    struct table t;
    asked(&t);
    t.gone = true;
    pass(&t, 3000);
    cr_assert_not(t.gone);
    cr_assert_eq(join_stage(t.join), JOIN_WAITING);
    struct msg_link_offer yes = offer_of(&t, 0, 1, "");
    offer(&t, &yes);
    pass(&t, 3000);
    t.gone = true;
    join_consent(t.join, t.now);
    pass(&t, 5000);
    cr_assert_eq(join_stage(t.join), JOIN_DONE);
    table_fini(&t);
}

Test(link, a_code_ends)
{
    struct table t;
    asked(&t);
    pass(&t, LINK_LIFE_MS + 1000);
    cr_assert_eq(join_stage(t.join), JOIN_EXPIRED);
    table_fini(&t);

    asked(&t);
    struct msg_link_offer yes = offer_of(&t, 0, 1, "");
    offer(&t, &yes);
    pass(&t, 3000);
    cr_assert_eq(join_stage(t.join), JOIN_OFFERED);
    pass(&t, LINK_LIFE_MS);
    cr_assert_eq(join_stage(t.join), JOIN_EXPIRED, "nobody waits for the consent any more");
    table_fini(&t);
}

/* ---- lies ---- */

Test(link, no_bit_of_a_message_may_be_another_one_and_none_may_stand_elsewhere)
{
    struct table t;
    struct msg_link_request request;
    struct msg_link_offer read;
    asked(&t);
    const struct link_code *code = join_code(t.join), other = code_of(1);
    for (size_t i = 0; i < t.slots[0].len; i++) {
        t.slots[0].at[i] ^= 1;
        cr_assert_eq(link_request_open(code, buffer_view(&t.slots[0]), &t.arena, &request), STATUS_BAD_ENTRY);
        t.slots[0].at[i] ^= 1;
    }
    for (size_t len = 0; len < t.slots[0].len; len++)
        cr_assert_eq(link_request_open(code, view_of(t.slots[0].at, len), &t.arena, &request), STATUS_BAD_ENTRY);
    cr_assert_eq(link_request_open(&other, buffer_view(&t.slots[0]), &t.arena, &request), STATUS_BAD_ENTRY);
    struct msg_link_offer first = offer_of(&t, 0, 2, "some");
    struct buffer *slot = &t.slots[2];
    offer(&t, &first);
    struct link_box box = link_box_of(code), there = link_box_of(&other);
    ok(link_offer_open(&t.keys, box, 2, buffer_view(slot), &t.arena, &read));
    cr_assert_eq(link_offer_open(&t.keys, box, 3, buffer_view(slot), &t.arena, &read), STATUS_BAD_ENTRY);
    cr_assert_eq(link_offer_open(&t.keys, there, 2, buffer_view(slot), &t.arena, &read), STATUS_BAD_ENTRY);
    for (size_t i = 0; i < slot->len; i++) {
        slot->at[i] ^= 0x80;
        cr_assert_eq(link_offer_open(&t.keys, box, 2, buffer_view(slot), &t.arena, &read), STATUS_BAD_ENTRY, "byte %zu", i);
        slot->at[i] ^= 0x80;
    }
    table_fini(&t);
}

/* What the relay, or somebody who was not shown the code, may put where the offer should be. */
Test(link, an_offer_that_was_not_made_with_the_code_ends_it)
{
    for (int lie = 0; lie < 5; lie++) {
        struct table t;
        asked(&t);
        struct msg_link_offer first = offer_of(&t, 0, lie == 3 ? 2 : 1, ""), second = offer_of(&t, 1, 3, "");
        if (lie == 0) memset(t.keys.offer, 1, sizeof t.keys.offer);
        if (lie == 1) memset(t.ephemeral.bytes, 0, sizeof t.ephemeral.bytes); /* of small order */
        if (lie == 2) first.entry = view_of("no entry", 8);
        if (lie == 4) first.log.length = 0;
        offer(&t, &first);
        if (lie == 3) offer(&t, &second); /* of another offer of three */
        pass(&t, 5000);
        cr_assert_eq(join_stage(t.join), JOIN_FAILED, "lie %d", lie);
        cr_assert_eq(join_status(t.join), STATUS_BAD_ENTRY);
        cr_assert_eq(t.slots[LINK_SLOT_CONSENT].len, 0u);
        table_fini(&t);
    }
}

Test(link, an_answer_to_another_request_does_not_open)
{
    struct table t;
    asked(&t);
    struct link_parties p = {.joining = t.request.ephemeral, .offering = t.ephemeral};
    ok(link_agree(join_code(t.join), &p, t.ephemeral_sk, false, view_of("another request", 15), &t.keys));
    struct msg_link_offer first = offer_of(&t, 0, 1, "");
    offer(&t, &first);
    pass(&t, 5000);
    cr_assert_eq(join_stage(t.join), JOIN_FAILED);
    table_fini(&t);
}

/* ---- the handle ---- */

static enum join_stage stage_with(struct table *t, enum claim claimed)
{
    asked(t);
    t->claimed = claimed;
    struct msg_link_offer first = offer_of(t, 0, 1, "");
    offer(t, &first);
    pass(t, 5000);
    return join_stage(t->join);
}

Test(link, the_handle_that_comes_with_an_offer_is_the_accounts_own)
{
    struct table t;
    cr_assert_eq(stage_with(&t, CLAIM_OURS), JOIN_OFFERED);
    cr_assert(view_equal(join_offer(t.join)->first.handle, view_of("alice", 5)));
    table_fini(&t);
    cr_assert_eq(stage_with(&t, CLAIM_NONE), JOIN_OFFERED);
    cr_assert_eq(join_offer(t.join)->first.handle.len, 0u, "a name for nobody is none");
    table_fini(&t);
}

/* Alice's account has the handle, and the offer is of somebody's who has seen the code. */
static void alices(struct table *t, struct msg_found *found, struct view handle)
{
    static struct buffer entry;
    struct msg_device_record record = t->founding.record;
    struct founding alice;
    uint8_t seed[32] = {77}, sk[64], salt[16] = {5};
    crypto_sign_seed_keypair(record.signing.bytes, sk, seed);
    buffer_clear(&entry);
    founding_make(&record, sk, 1, salt, &entry);
    ok(founding_check(buffer_view(&entry), &t->arena, &alice));
    found->account = alice.account;
    found->proof->entry = arena_copy(&t->arena, buffer_view(&entry));
    buffer_fini(&entry);
    handle_sign(alice.account, handle, sk, &found->proof->signature);
}

Test(link, an_offer_under_anothers_handle_ends_it)
{
    struct table t;
    cr_assert_eq(stage_with(&t, CLAIM_FALSE), JOIN_FAILED);
    table_fini(&t);
    asked(&t);
    t.other = alices;
    t.claimed = CLAIM_OTHERS;
    struct msg_link_offer first = offer_of(&t, 0, 1, "");
    offer(&t, &first);
    pass(&t, 5000);
    cr_assert_eq(join_stage(t.join), JOIN_FAILED);
    cr_assert_eq(join_status(t.join), STATUS_BAD_ENTRY);
    cr_assert_eq(t.slots[LINK_SLOT_CONSENT].len, 0u);
    table_fini(&t);
}

/* ---- what is kept of an offer ---- */

static struct state_identity me_in(struct state *state, struct arena *a)
{
    struct state_identity me;
    ok(state_begin(state, STATE_READ));
    ok(state_identity_get(state, a, &me));
    state_rollback(state);
    return me;
}

static void offered(struct table *t)
{
    asked(t);
    struct msg_link_offer m = offer_of(t, 0, 1, "");
    offer(t, &m);
    pass(t, 3000);
    cr_assert_eq(join_stage(t->join), JOIN_OFFERED);
}

/* A home that has consented, as it has come to know somebody, and has written to him. */
static struct state *waiting_home(struct table *t, struct device_id *as)
{
    struct state *state = memory_state_new();
    struct joining_home home = {.name = view_of("phone", 5), .now_ms = t->now.wall_ms};
    struct contact other = {.checked_ms = 1, .log = {.account = {{9}}, .length = 1}};
    struct outbox_row row = {.key = {"hello"}, .state = MESSAGE_DRAFTED};
    offered(t);
    ok(state_joining_keep(state, t->join, &home));
    *as = me_in(state, &t->arena).device;
    ok(state_begin(state, STATE_WRITE));
    ok(state_contact_put(state, &other));
    ok(state_handle_put(state, view_of("mallory", 7), other.log.account));
    ok(state_outbox_put(state, &row));
    ok(state_commit(state));
    return state;
}

/* Another linking of that home, with keys of its own. */
static struct table *again(struct table *t)
{
    table_fini(t);
    table_init(t);
    join_free(&t->join);
    t->seed = 99;
    join_new(&(struct random_source){.fill = fill, .self = &t->seed}, t->now, view_of("phone", 5), &t->join);
    pass(t, 1000);
    request_read(t);
    struct msg_link_offer m = offer_of(t, 0, 1, "");
    offer(t, &m);
    pass(t, 3000);
    cr_assert_eq(join_stage(t->join), JOIN_OFFERED);
    return t;
}

Test(link, a_home_knows_how_long_its_consent_can_be_found)
{
    struct table t;
    struct device_id as;
    struct joining_facts facts;
    struct state *state = waiting_home(&t, &as);
    ok(state_begin(state, STATE_READ));
    ok(state_joining(state, &t.arena, &facts));
    state_rollback(state);
    cr_assert(facts.joining);
    cr_assert_eq(facts.until_ms, join_expires_ms(t.join) + LINK_LIFE_MS);
    state_close(&state);
    table_fini(&t);
}

Test(link, what_is_given_up_goes_in_the_commit_that_has_the_next_one)
{
    struct table t;
    struct device_id as;
    struct contact other;
    struct outbox_row row;
    struct account_id account;
    struct device_secrets secrets;
    struct state *state = waiting_home(&t, &as);
    again(&t);
    struct joining_home home = {.name = view_of("phone", 5), .now_ms = t.now.wall_ms, .gives_up = &as};
    for (uint64_t nth = 1;; nth++) { /* whatever fails: it is the one or the other, whole */
        struct state *copy = memory_state_copy(state);
        memory_state_fail(copy, nth, nth % 2);
        enum status s = state_joining_keep(copy, t.join, &home);
        bool failed = s == STATUS_IO;
        memory_state_crash(copy);
        memory_state_fail(copy, 0, false);
        struct state_identity me = me_in(copy, &t.arena);
        ok(state_begin(copy, STATE_READ));
        ok(state_secrets_get(copy, &secrets));
        bool was = device_equal(me.device, as);
        cr_assert_eq(memcmp(secrets.signing_sk + 32, me.record.signing.bytes, 32), 0, "keys of one device");
        cr_assert_eq(state_contact_get(copy, (struct account_id){{9}}, &other), was ? STATUS_OK : STATUS_NOT_FOUND);
        cr_assert_eq(state_handle_get(copy, view_of("mallory", 7), &account), was ? STATUS_OK : STATUS_NOT_FOUND);
        cr_assert_eq(state_outbox_find_key(copy, &(struct message_key){"hello"}, &row), was ? STATUS_OK : STATUS_NOT_FOUND);
        state_rollback(copy);
        state_close(&copy);
        if (failed) continue;
        ok(s);
        cr_assert_not(was);
        break;
    }
    state_close(&state);
    table_fini(&t);
}

Test(link, nothing_else_is_given_up)
{
    struct table t;
    struct device_id as, other = {{0x77}};
    struct state *state = waiting_home(&t, &as);
    again(&t);
    struct joining_home home = {.now_ms = t.now.wall_ms};
    cr_assert_eq(state_joining_keep(state, t.join, &home), STATUS_STATE, "not unless it is said");
    home.gives_up = &other;
    cr_assert_eq(state_joining_keep(state, t.join, &home), STATUS_STATE, "another process has begun anew");
    home.gives_up = &as;
    ok(state_begin(state, STATE_WRITE));
    ok(state_setting_put(state, "link.joining", view_of(NULL, 0)));
    ok(state_commit(state));
    cr_assert_eq(state_joining_keep(state, t.join, &home), STATUS_STATE, "it has joined");
    cr_assert(device_equal(me_in(state, &t.arena).device, as));
    state_close(&state);
    table_fini(&t);
}
