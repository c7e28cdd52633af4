/* commands: a stranger and a registered device say what they may not, over tcp and CURVE, to a real relay: each gets a
 * status, and nothing of it is done.
 *
 *     commands ENDPOINT SERVER-KEY-FILE CASE
 *
 * Exit 0: all held; 1: something did not, named on standard error. */
#include "tests/e2e/party.h"

#include "broker/wire/identity_log.h"
#include "broker/wire/prekey.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define CLAIMS_BURST 10
#define CLAIMERS     11 /* more claims than a device may leave prekeys, at 10 each */

/* alice is the victim, carol a witness, mallory what her name says; all have accounts, the first two sessions. */
struct scene {
    struct party alice, carol, mallory;
    struct identity_log log; /* alice's, of one entry */
};

/* ---- headers ---- */

static void put_frame(struct party *p, const uint8_t *bytes, size_t len)
{
    CHECK(zmq_send(p->socket, bytes, len, 0) >= 0, "a frame cannot be sent");
}

static void refused_as(struct party *p, uint64_t correlation, enum status s, const char *what)
{
    p->correlation = correlation;
    party_is_refused(p, s, what);
}

static void headers(struct scene *x)
{
    static const struct {
        size_t at;
        uint8_t value;
        enum status status;
        const char *what;
    } bad[] = {
        {2, 9, STATUS_UNSUPPORTED, "another version"}, {2, 0, STATUS_UNSUPPORTED, "version 0"},
        {3, 200, STATUS_UNSUPPORTED, "an unknown kind"}, {3, KIND_READY, STATUS_UNSUPPORTED, "a worker's kind"},
        {3, KIND_EXPLAIN, STATUS_UNSUPPORTED, "an operator's kind"}, {3, KIND_WELCOME, STATUS_UNSUPPORTED, "a reply"},
        {3, KIND_END_DEVICE, STATUS_UNSUPPORTED, "storage's word"}, {4, 1, STATUS_MALFORMED, "flags"},
        {16, 0xff, STATUS_MALFORMED, "no home"}, {18, 1, STATUS_MALFORMED, "the reserved bytes"},
        {23, 9, STATUS_MALFORMED, "a length beyond the end"}, {20, 0xff, STATUS_TOO_LARGE, "a length beyond all bounds"},
    };
    struct party *m = &x->mallory;
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = KIND_PING, .correlation = 77}, &msg_empty_desc, &(struct msg_empty){0});
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[64];
        memcpy(bytes, b.at, b.len);
        bytes[bad[i].at] = bad[i].value;
        put_frame(m, bytes, b.len);
        refused_as(m, 77, bad[i].status, bad[i].what);
    }
    put_frame(m, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18);
    refused_as(m, 0, STATUS_MALFORMED, "another protocol");
    put_frame(m, b.at, 23);
    refused_as(m, 0, STATUS_MALFORMED, "a header cut short");
    buffer_fini(&b);
}

/* ---- before a session ---- */

static void strangers(struct scene *x)
{
    static const enum frame_kind kinds[] = {KIND_SEND, KIND_ACK, KIND_STATUS, KIND_TERMS, KIND_BYE,
                                            KIND_APPEND, KIND_PUBLISH, KIND_CLAIM_PREKEYS, KIND_CONTACTS_SET,
                                            KIND_CONTACTS_GET};
    struct party *m = &x->mallory;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        party_says_bare(m, kinds[i], m->founding.account);
        party_is_refused(m, STATUS_NO_SESSION, kind_name(kinds[i]));
    }
    party_says_bare(m, KIND_LOOKUP, m->founding.account);
    party_is_refused(m, STATUS_REFUSED, "a stranger's look-up of an account");
    party_says_hello(m, &x->alice);
    party_is_refused(m, STATUS_UNAUTHENTICATED, "HELLO as another's device");
    party_says_register(m, &x->alice);
    party_is_refused(m, STATUS_UNAUTHENTICATED, "REGISTER of another's account");
    struct msg_claim_handle claim = {.handle = view_of("alice-is-mine", 13), .entry = buffer_view(&x->alice.entry)};
    handle_sign(x->alice.founding.account, claim.handle, m->signing_sk, &claim.signature);
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = KIND_CLAIM_HANDLE, .correlation = 501,
                                           .home = home_of_handle(claim.handle)}, &msg_claim_handle_desc, &claim);
    put_frame(m, b.at, b.len);
    refused_as(m, 501, STATUS_BAD_ENTRY, "a handle claimed in another's name");
    buffer_fini(&b);
}

/* ---- another's session ---- */

static void acks(struct scene *x)
{
    struct party *m = &x->mallory;
    party_attaches(m);
    party_sends(&x->carol, &x->alice, "not yours");
    party_is_delivered(&x->alice, "not yours");
    party_says_ack(m, &x->alice);
    party_is_refused(m, STATUS_WRONG_HOME, "an ack for another's home");
    struct msg_ack ack = {.session = x->alice.session, .settled_term = x->alice.session.term, .settled_seq = 1000};
    party_says(m, KIND_ACK, m->founding.account, &msg_ack_desc, &ack, view_of(NULL, 0));
    party_is_refused(m, STATUS_NO_SESSION, "an ack that names another's session");
    struct session_id old = m->session;
    party_attaches(m); /* a new session on the same connection */
    ack.session = old;
    party_says(m, KIND_ACK, m->founding.account, &msg_ack_desc, &ack, view_of(NULL, 0));
    party_is_refused(m, STATUS_NO_SESSION, "an ack of an ended session");
    /* Beyond what was offered it covers nothing: the message is still there for who it is for. */
    party_says_ack(m, m);
    party_is_answered(m, KIND_ACKED, "an ack of nothing");
    party_connect(&x->alice, view_of(NULL, 0));
    party_attaches(&x->alice);
    party_is_delivered(&x->alice, "not yours");
}

/* ---- wrong homes ---- */

static void wrong_home(struct party *p, enum frame_kind kind, const struct codec_desc *desc, const void *message)
{
    struct buffer b = {0};
    uint16_t other = (uint16_t)((home_of_account(p->founding.account) + 1) % PARTITION_COUNT);
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = 602, .home = other}, desc, message);
    put_frame(p, b.at, b.len);
    refused_as(p, 602, STATUS_WRONG_HOME, kind_name(kind));
    buffer_fini(&b);
}

/* What an account says of others its own devices say, at its home. */
static void contacts(struct scene *x)
{
    struct party *m = &x->mallory;
    struct msg_contact own = {.account = m->founding.account, .verdict = CONTACT_BLOCKED};
    struct msg_contact of[] = {{x->alice.founding.account, CONTACT_BLOCKED}, {x->alice.founding.account, CONTACT_NONE}};
    const struct msg_contacts_set himself = {.items = &own, .item_count = 1}, twice = {.items = of, .item_count = 2};
    const struct msg_contacts_set good = {.items = of, .item_count = 1}, mode = {.mode = 3};
    struct account_id account = m->founding.account;
    struct msg_sent sent;
    party_attaches(m);
    wrong_home(m, KIND_CONTACTS_SET, &msg_contacts_set_desc, &good);
    wrong_home(m, KIND_CONTACTS_GET, &msg_contacts_get_desc, &(struct msg_contacts_get){0});
    party_says(m, KIND_CONTACTS_SET, account, &msg_contacts_set_desc, &himself, view_of(NULL, 0));
    party_is_refused(m, STATUS_MALFORMED, "an account that blocks itself");
    party_says(m, KIND_CONTACTS_SET, account, &msg_contacts_set_desc, &twice, view_of(NULL, 0));
    party_is_refused(m, STATUS_MALFORMED, "an account that stands twice");
    party_says(m, KIND_CONTACTS_SET, account, &msg_contacts_set_desc, &mode, view_of(NULL, 0));
    party_is_refused(m, STATUS_MALFORMED, "an unknown mode");
    party_says(m, KIND_CONTACTS_SET, account, &msg_contacts_set_desc, &good, view_of(NULL, 0));
    party_is_answered(m, KIND_CONTACTS_KEPT, "a block");
    party_says_send(&x->alice, m, "to who has blocked her");
    party_is_answered(&x->alice, KIND_SENT, "a send");
    CHECK(codec_decode(&msg_sent_desc, x->alice.reply.meta, &relay.arena, &sent) == STATUS_OK &&
              sent.items[0].status == STATUS_NOT_ACCEPTED && !sent.items[0].stale_count,
          "a block is not kept, or says more than that");
    party_hears_nothing(m, "who blocks gets it all the same");
    party_sends(&x->carol, &x->alice, "hers is another list");
    party_is_delivered(&x->alice, "hers is another list");
}

static void homes(struct scene *x)
{
    struct party *m = &x->mallory;
    struct buffer b = {0};
    struct msg_publish publish = {.one_time_count = 0};
    uint16_t other = (uint16_t)((home_of_account(m->founding.account) + 1) % PARTITION_COUNT);
    party_attaches(m);
    frame_write(&b, &(struct frame_header){.kind = KIND_PUBLISH, .correlation = 601, .home = other},
                &msg_publish_desc, &publish);
    put_frame(m, b.at, b.len);
    refused_as(m, 601, STATUS_WRONG_HOME, "PUBLISH for another home");
    buffer_fini(&b);
}

/* ---- entries ---- */

static void append_is(struct party *p, struct account_id account, struct buffer entry, enum status s, const char *what)
{
    struct view view = buffer_view(&entry);
    struct msg_append m = {.account = account, .entries = &view, .entry_count = 1};
    party_says(p, KIND_APPEND, account, &msg_append_desc, &m, view_of(NULL, 0));
    if (s == STATUS_OK)
        party_is_answered(p, KIND_APPENDED, what);
    else
        party_is_refused(p, s, what);
    buffer_fini(&entry);
}

static struct buffer entry_by(const struct scene *x, const struct party *signer, struct device_id named, uint8_t n)
{
    struct buffer entry = {0};
    uint8_t scalar[32] = {8, n};
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .signer = named, .subject = x->alice.founding.device,
                              .record = x->alice.record};
    CHECK(crypto_scalarmult_base(plan.record.identity.bytes, scalar) == 0, "a key");
    identity_log_make(&x->log, &plan, signer->signing_sk, &entry);
    return entry;
}

/* A ghost device, with a proof of its own. */
static struct buffer ghost_by(const struct scene *x, const struct party *signer)
{
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_ADD, .signer = x->alice.founding.device,
                              .record = x->mallory.record};
    device_prove(x->alice.founding.account, &plan.record, x->mallory.signing_sk, &plan.proof);
    identity_log_make(&x->log, &plan, signer->signing_sk, &entry);
    return entry;
}

static void entries(struct scene *x)
{
    struct account_id alice = x->alice.founding.account;
    struct device_id device = x->alice.founding.device;
    struct party *m = &x->mallory;
    party_attaches(m);
    append_is(m, alice, ghost_by(x, m), STATUS_BAD_ENTRY, "a ghost device in her name");
    append_is(m, alice, entry_by(x, m, m->founding.device, 1), STATUS_REFUSED, "an entry by a stranger's device");
    append_is(m, alice, entry_by(x, m, device, 1), STATUS_BAD_ENTRY, "an entry in her name");
    append_is(m, alice, entry_by(x, m, (struct device_id){{0}}, 1), STATUS_REFUSED, "a recovery key that is not set");
    append_is(m, m->founding.account, entry_by(x, &x->alice, device, 1), STATUS_STALE_HEAD, "her entry in another log");
    append_is(m, alice, entry_by(x, &x->alice, device, 1), STATUS_OK, "her own entry, whoever carries it");
    append_is(m, alice, entry_by(x, &x->alice, device, 1), STATUS_OK, "the same again");
    append_is(m, alice, entry_by(x, &x->alice, device, 2), STATUS_STALE_HEAD, "another one in its place");
    struct buffer next = entry_by(x, &x->alice, device, 1);
    CHECK(identity_log_append(&x->log, buffer_view(&next), &relay.arena) == STATUS_OK, "the entry");
    buffer_fini(&next);
    append_is(m, alice, entry_by(x, &x->alice, device, 3), STATUS_OK, "the next one");
    /* Who sends by the old list is told, and nothing is stored. */
    struct msg_sent sent;
    party_says_send(&x->carol, &x->alice, "by an old list");
    party_is_answered(&x->carol, KIND_SENT, "a send");
    CHECK(codec_decode(&msg_sent_desc, x->carol.reply.meta, &relay.arena, &sent) == STATUS_OK &&
              sent.items[0].status == STATUS_STALE_DEVICES && sent.items[0].stale->entry_count == 2,
          "a send by an old list is taken");
    party_hears_nothing(&x->alice, "a send by an old list is delivered");
}

/* ---- prekeys ---- */

static void publishes(struct party *p)
{
    struct msg_one_time_prekey list[ONE_TIME_PREKEYS_MAX];
    struct msg_prekey_body body = {.device = p->founding.device, .id = 1, .made_ms = 1, .key_version = 1,
                                   .head = p->founding.head};
    struct buffer current = {0}, last = {0};
    memcpy(body.key.bytes, p->record.identity.bytes, 32);
    prekey_make(p->founding.account, &body, p->signing_sk, &current);
    body.last_resort = true;
    prekey_make(p->founding.account, &body, p->signing_sk, &last);
    for (size_t i = 0; i < ONE_TIME_PREKEYS_MAX; i++) {
        list[i] = (struct msg_one_time_prekey){.id = i + 1};
        memcpy(list[i].key.bytes, body.key.bytes, 32);
    }
    struct msg_publish m = {.current = buffer_view(&current), .last_resort = buffer_view(&last), .one_time = list,
                            .one_time_count = ONE_TIME_PREKEYS_MAX};
    party_says(p, KIND_PUBLISH, p->founding.account, &msg_publish_desc, &m, view_of(NULL, 0));
    party_is_answered(p, KIND_PUBLISHED, "PUBLISH");
    buffer_fini(&current);
    buffer_fini(&last);
}

static struct msg_prekey_bundle claims(struct party *p, const struct party *of)
{
    struct device_id_list device = {of->founding.device};
    struct msg_claim_prekeys m = {.account = of->founding.account, .devices = &device, .device_count = 1};
    struct msg_prekeys found;
    party_says(p, KIND_CLAIM_PREKEYS, m.account, &msg_claim_prekeys_desc, &m, view_of(NULL, 0));
    party_is_answered(p, KIND_PREKEYS, "CLAIM_PREKEYS");
    CHECK(codec_decode(&msg_prekeys_desc, p->reply.meta, &relay.arena, &found) == STATUS_OK && found.bundle_count == 1,
          "PREKEYS is broken");
    return found.bundles[0];
}

/* One account cannot drain a device; many can, and then who comes gets the last resort, told apart. */
static void drain(struct scene *x)
{
    bool seen[ONE_TIME_PREKEYS_MAX + 1] = {false};
    size_t count = 0;
    publishes(&x->alice);
    for (int n = 0; n < CLAIMERS; n++) {
        struct party thief;
        struct msg_prekey_bundle b;
        party_make(&thief);
        party_connect(&thief, view_of(NULL, 0));
        party_registers(&thief);
        party_attaches(&thief);
        for (int i = 0; i < CLAIMS_BURST; i++) {
            b = claims(&thief, &x->alice);
            CHECK(b.status == STATUS_OK && b.current.len, "a claim within the rate");
            if (!b.one_time_count) continue;
            CHECK(b.one_time[0].id <= ONE_TIME_PREKEYS_MAX && !seen[b.one_time[0].id], "a one-time prekey comes twice");
            seen[b.one_time[0].id] = true;
            count++;
        }
        CHECK(b.one_time_count || b.last_resort.len, "neither a one-time prekey nor the last resort");
        b = claims(&thief, &x->alice);
        CHECK(b.status == STATUS_RATE_LIMITED && b.retry_after_ms && !b.one_time_count, "one account claims on and on");
        party_end(&thief);
    }
    CHECK(count == ONE_TIME_PREKEYS_MAX, "one-time prekeys are lost");
    CHECK(claims(&x->carol, &x->alice).status == STATUS_OK, "who is innocent gets none");
    while (party_hears(&x->alice, SILENCE_MS, &x->alice.delivery))
        if (x->alice.delivery.header.kind == KIND_PREKEYS_LOW) return;
    party_fail("the device does not hear that few are left");
}

/* Takes one-time prekeys of a device, under as many accounts as that needs, until none is left. */
static void empties(const char *account, const char *device)
{
    struct party whom = {.socket = NULL};
    CHECK(hex_decode(account, whom.founding.account.bytes, sizeof whom.founding.account.bytes) == STATUS_OK, "the account");
    CHECK(hex_decode(device, whom.founding.device.bytes, sizeof whom.founding.device.bytes) == STATUS_OK, "the device");
    for (bool left = true; left;) {
        struct party thief;
        party_make(&thief);
        party_connect(&thief, view_of(NULL, 0));
        party_registers(&thief);
        party_attaches(&thief);
        for (int i = 0; i < CLAIMS_BURST && left; i++) {
            struct msg_prekey_bundle b = claims(&thief, &whom);
            CHECK(b.status == STATUS_OK, "a claim within the rate");
            left = b.one_time_count > 0;
        }
        party_end(&thief);
    }
}

static const struct {
    const char *name;
    void (*run)(struct scene *x);
} cases[] = {{"headers", headers}, {"strangers", strangers}, {"acks", acks},
             {"homes", homes},     {"entries", entries},     {"drain", drain},
             {"contacts", contacts}};

static void scene_begin(struct scene *x)
{
    struct party *parties[] = {&x->alice, &x->carol, &x->mallory};
    for (size_t i = 0; i < 3; i++) {
        party_make(parties[i]);
        party_connect(parties[i], view_of(NULL, 0));
        party_registers(parties[i]);
        if (parties[i] != &x->mallory) party_attaches(parties[i]);
    }
    CHECK(identity_log_open(buffer_view(&x->alice.entry), &relay.arena, &x->log) == STATUS_OK, "the log");
}

int main(int argc, char **argv)
{
    static struct scene x;
    size_t run = 0;
    relay.program = "commands";
    bool empty = argc == 6 && strcmp(argv[3], "empty") == 0;
    CHECK(argc == 4 || empty, "needs ENDPOINT SERVER-KEY-FILE CASE, or empty ACCOUNT DEVICE");
    relay_begin("commands", argv[1], argv[2]);
    if (empty) {
        empties(argv[4], argv[5]);
        relay_end();
        return 0;
    }
    scene_begin(&x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, argv[3]) != 0) continue;
        cases[i].run(&x);
        run++;
    }
    CHECK(run == 1, "there is no such case");
    party_end(&x.alice);
    party_end(&x.carol);
    party_end(&x.mallory);
    relay_end();
    return 0;
}
