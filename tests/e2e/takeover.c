/* takeover: raw clients over tcp and CURVE against a real relay, where one chooses the routing id of
 * another (libzmq 4.3.4 lets it). Mallory knows everything of Alice but her key: her routing id, her
 * session, her ids. What must hold: nothing of Mallory is handled as Alice's, nothing for Alice is sent
 * to Mallory.
 *
 *     takeover ENDPOINT SERVER-KEY-FILE FIRST-ID COUNT-COMMAND speaking | silent
 *
 * Routing ids begin at FIRST-ID, and COUNT-COMMAND prints how many connections the broker has accepted, each of
 * which got the next one: so Alice's is found among few. speaking: Mallory says something under it, while Alice
 * is connected and after she vanished. silent: Mallory only waits there. Exit 0: all held; 1: something did not,
 * named on standard error. */
#include "broker/host/host.h"
#include "broker/wire/identity.h"
#include "broker/wire/messages.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ANSWER_MS  10000 /* an answer that must come */
#define SILENCE_MS 700   /* one that must not */
#define RETRY_MS   100

struct party {
    void *socket;
    struct msg_device_record record;
    uint8_t signing_sk[64], transport_sk[32];
    struct buffer entry;
    struct founding founding;
    struct session_id session;
    uint64_t correlation;
    zmq_msg_t message; /* what the frames below are views of */
    struct frame reply, delivery;
};

static struct {
    void *context;
    const char *endpoint;
    char server_key[64];
    uint64_t relay_ahead_ms;
    uint32_t first_id;
    const char *count_command;
    struct arena arena;
} test;

/* As libzmq makes them: a zero byte and four more. */
static uint8_t taken[5];
static const struct view taken_id = {taken, sizeof taken};

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) fail(__VA_ARGS__);                                                       \
    } while (0)

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "takeover: %s\n", what);
    exit(1);
}

/* --- one party ------------------------------------------------------------------------------ */

static void party_make(struct party *p)
{
    uint8_t salt[16];
    *p = (struct party){.socket = NULL};
    zmq_msg_init(&p->message);
    crypto_sign_keypair(p->record.signing.bytes, p->signing_sk);
    host_random(p->record.identity.bytes, 32);
    crypto_box_keypair(p->record.transport.bytes, p->transport_sk);
    host_random(salt, sizeof salt);
    founding_make(&p->record, p->signing_sk, host_now().wall_ms, salt, &p->entry);
    CHECK(founding_check(buffer_view(&p->entry), &test.arena, &p->founding) == STATUS_OK, "entry");
}

static void party_leave(struct party *p)
{
    if (p->socket) zmq_close(p->socket);
    p->socket = NULL;
}

/* id empty = libzmq's own choice. */
static void party_connect(struct party *p, struct view id)
{
    int linger = 0;
    party_leave(p);
    p->socket = zmq_socket(test.context, ZMQ_DEALER);
    CHECK(p->socket && zmq_setsockopt(p->socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_SERVERKEY, test.server_key, 41) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_PUBLICKEY, p->record.transport.bytes, 32) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_SECRETKEY, p->transport_sk, 32) == 0 &&
              (!id.len || zmq_setsockopt(p->socket, ZMQ_ROUTING_ID, id.at, id.len) == 0) &&
              zmq_connect(p->socket, test.endpoint) == 0,
          "a socket cannot be opened");
}

/* body: the bytes behind meta. The request is for `account`'s home. */
static void party_says(struct party *p, enum frame_kind kind, struct account_id account,
                       const struct codec_desc *desc, const void *meta, struct view body)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = ++p->correlation,
                                           .home = home_of_account(account)}, desc, meta);
    write_view(&b, body);
    CHECK(zmq_send(p->socket, b.at, b.len, 0) >= 0, "a frame cannot be sent");
    buffer_fini(&b);
}

static bool party_hears(struct party *p, long wait_ms, struct frame *out)
{
    zmq_pollitem_t item = {.socket = p->socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, wait_ms) != 1) return false;
    CHECK(zmq_msg_recv(&p->message, p->socket, 0) >= 0, "a frame cannot be taken");
    struct view bytes = view_of(zmq_msg_data(&p->message), zmq_msg_size(&p->message));
    CHECK(frame_check(bytes, FROM_RELAY, out) == STATUS_OK, "the relay sent a broken frame");
    return true;
}

/* The next frame that is no hint. */
static bool party_awaits(struct party *p, long wait_ms, struct frame *out)
{
    while (party_hears(p, wait_ms, out))
        if (out->header.kind != KIND_HINT) return true;
    return false;
}

static void is_answered(struct party *p, enum frame_kind kind, const char *what)
{
    CHECK(party_awaits(p, ANSWER_MS, &p->reply), what);
    CHECK(p->reply.header.kind == kind && p->reply.header.correlation == p->correlation, what);
}

static void is_refused(struct party *p, enum status s, const char *what)
{
    struct msg_error error;
    is_answered(p, KIND_ERROR, what);
    CHECK(codec_decode(&msg_error_desc, p->reply.meta, &test.arena, &error) == STATUS_OK, what);
    CHECK(error.status == (uint32_t)s, what);
}

static void hears_nothing(struct party *p, const char *what)
{
    struct frame frame;
    CHECK(!party_hears(p, SILENCE_MS, &frame), what);
}

/* --- what they say --------------------------------------------------------------------------- */

static void say_bare(struct party *p, enum frame_kind kind, struct account_id account)
{
    party_says(p, kind, account, &msg_empty_desc, &(struct msg_empty){0}, view_of(NULL, 0));
}

static void say_register(struct party *p, const struct party *whom)
{
    party_says(p, KIND_REGISTER, whom->founding.account, &msg_register_desc,
               &(struct msg_register){.entry = buffer_view(&whom->entry)}, view_of(NULL, 0));
}

static void say_hello(struct party *p, const struct party *whom)
{
    struct msg_hello hello = {.device = whom->founding.device, .account = whom->founding.account,
                              .client_version = view_of("1.0.0", 5), .protocol_min = 1,
                              .protocol_max = 1, .attach = true, .credit_messages = 16,
                              .credit_bytes = 1 << 20};
    party_says(p, KIND_HELLO, whom->founding.account, &msg_hello_desc, &hello, view_of(NULL, 0));
}

/* Settles all that whom's session was offered, if it counts. */
static void say_ack(struct party *p, const struct party *whom)
{
    struct msg_ack ack = {.session = whom->session, .settled_term = whom->session.term,
                          .settled_seq = 1000, .delivered_term = whom->session.term,
                          .delivered_seq = 1000};
    party_says(p, KIND_ACK, whom->founding.account, &msg_ack_desc, &ack, view_of(NULL, 0));
}

static void say_send(struct party *p, const struct party *to, const char *text)
{
    uint8_t random[10];
    struct msg_part part = {.device = to->founding.device, .len = (uint32_t)strlen(text)};
    struct msg_send_item item = {.target = target_of_account(to->founding.account),
                                 .key_version = 1,
                                 .head = to->founding.head, .parts = &part, .part_count = 1};
    struct buffer bytes = {0};
    host_random(random, sizeof random);
    item.id = message_id_make(host_now().wall_ms + test.relay_ahead_ms, random);
    codec_encode(&msg_send_item_desc, &item, &bytes);
    struct view view = buffer_view(&bytes);
    party_says(p, KIND_SEND, to->founding.account, &msg_send_desc,
               &(struct msg_send){.items = &view, .item_count = 1}, view_of(text, strlen(text)));
    buffer_fini(&bytes);
}

static void attaches(struct party *p)
{
    struct msg_welcome welcome;
    say_hello(p, p);
    is_answered(p, KIND_WELCOME, "HELLO of a device is not welcome");
    CHECK(codec_decode(&msg_welcome_desc, p->reply.meta, &test.arena, &welcome) == STATUS_OK,
          "WELCOME is broken");
    p->session = welcome.session;
    test.relay_ahead_ms = welcome.relay_ms - host_now().wall_ms;
}

static void registers(struct party *p)
{
    say_register(p, p);
    is_answered(p, KIND_REGISTERED, "an account is not registered");
}

static void sends(struct party *p, const struct party *to, const char *text)
{
    struct msg_sent sent;
    say_send(p, to, text);
    is_answered(p, KIND_SENT, "a send is not answered");
    CHECK(codec_decode(&msg_sent_desc, p->reply.meta, &test.arena, &sent) == STATUS_OK &&
              sent.item_count == 1 && sent.items[0].status == STATUS_OK,
          "a send is not accepted");
}

static void is_delivered(struct party *p, const char *text)
{
    CHECK(party_awaits(p, ANSWER_MS, &p->delivery) && p->delivery.header.kind == KIND_DELIVER,
          "a delivery does not come");
    CHECK(view_equal(p->delivery.body, view_of(text, strlen(text))), "a delivery is another one");
}

/* --- the cases ------------------------------------------------------------------------------- */

/* Ids that libzmq would never make, and one that it would not yet: nothing that comes under them is heard. */
static void foreign_forms(struct party *mallory)
{
    static const struct view ids[] = {{(const uint8_t *)"dev-a", 5}, {(const uint8_t *)"\0dev", 4},
                                      {(const uint8_t *)"\0dev-a", 6},
                                      {(const uint8_t *)"\0deva", 5}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        party_connect(mallory, ids[i]);
        say_bare(mallory, KIND_PING, mallory->founding.account);
        hears_nothing(mallory, "a chosen routing id of a foreign form is answered");
    }
    party_connect(mallory, view_of(NULL, 0));
    say_bare(mallory, KIND_PING, mallory->founding.account);
    is_answered(mallory, KIND_PONG, "PING is not answered");
}

static uint32_t connections_so_far(void)
{
    unsigned count;
    FILE *f = popen(test.count_command, "r");
    CHECK(f && fscanf(f, "%u", &count) == 1, "the broker's connections cannot be counted");
    pclose(f);
    return count;
}

/* Alice's is one of those that were given between the counts: the one under which another is not heard. */
static void find_id(struct party *mallory, uint32_t before, uint32_t after)
{
    struct frame frame;
    for (uint32_t n = before; n <= after; n++) {
        put_u32(taken + 1, test.first_id + n);
        party_connect(mallory, taken_id);
        say_bare(mallory, KIND_PING, mallory->founding.account);
        if (!party_hears(mallory, SILENCE_MS, &frame)) return;
    }
    fail("the first client's routing id is not found");
}

static void while_connected(struct party *alice, struct party *mallory, struct party *carol)
{
    party_connect(mallory, taken_id);
    say_ack(mallory, alice);
    say_send(mallory, carol, "in whose name");
    sends(carol, alice, "one");
    is_delivered(alice, "one");
    hears_nothing(mallory, "a second connection under a connected client's routing id is heard");
    say_bare(alice, KIND_STATUS, alice->founding.account);
    is_answered(alice, KIND_STATUS_IS, "the first connection lost its session to the second");
    say_ack(alice, alice);
    is_answered(alice, KIND_ACKED, "its ack is not echoed");
    party_leave(mallory);
}

/* The broker has not heard that Alice is gone: the first frame under her routing id is Mallory's. libzmq
 * ignores whoever comes before it has seen Alice go, so she comes again. */
static void takes_over(struct party *alice, struct party *mallory)
{
    party_leave(alice);
    for (int tries = 0; tries < ANSWER_MS / RETRY_MS; tries++) {
        party_connect(mallory, taken_id);
        say_ack(mallory, alice);
        zmq_pollitem_t item = {.socket = mallory->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, RETRY_MS) != 1) continue;
        is_refused(mallory, STATUS_NO_SESSION, "an ack under a taken routing id is not refused");
        return;
    }
    fail("the routing id cannot be taken: nothing was tried");
}

static void after_vanished(struct party *alice, struct party *mallory, struct party *carol)
{
    static const enum frame_kind bare[] = {KIND_LOOKUP, KIND_STATUS, KIND_TERMS, KIND_BYE};
    takes_over(alice, mallory);
    sends(carol, alice, "two");
    hears_nothing(mallory, "something for another is sent to a taken routing id");
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        say_bare(mallory, bare[i], alice->founding.account);
        is_refused(mallory, STATUS_NO_SESSION, "a request is handled in another's name");
    }
    say_send(mallory, carol, "in whose name");
    is_refused(mallory, STATUS_NO_SESSION, "a send is handled in another's name");
    say_ack(mallory, alice);
    is_refused(mallory, STATUS_NO_SESSION, "an ack is handled in another's name");
    say_hello(mallory, alice);
    is_refused(mallory, STATUS_UNAUTHENTICATED, "HELLO of another's device is not refused");
    say_register(mallory, alice);
    is_refused(mallory, STATUS_UNAUTHENTICATED, "REGISTER of another's entry is not refused");
    party_connect(alice, view_of(NULL, 0));
    attaches(alice);
    is_delivered(alice, "two");
    hears_nothing(mallory, "something for another is sent to a taken routing id");
    hears_nothing(carol, "something was sent in another's name");
}

/* true: what was for Alice did not come to Mallory, who only waits under her routing id. */
static bool silent_hears_nothing(struct party *alice, struct party *mallory, struct party *carol)
{
    bool nothing = true;
    struct frame frame;
    party_leave(alice);
    for (int tries = 0; nothing && tries < 5; tries++) {
        party_connect(mallory, taken_id);
        nothing = !party_hears(mallory, SILENCE_MS, &frame);
        sends(carol, alice, "three");
        nothing = nothing && !party_hears(mallory, SILENCE_MS, &frame);
    }
    party_connect(alice, view_of(NULL, 0));
    attaches(alice);
    CHECK(party_awaits(alice, ANSWER_MS, &frame) && frame.header.kind == KIND_DELIVER,
          "what another had been sent is not delivered any more");
    return nothing;
}

static void set_up(char **argv)
{
    FILE *f = fopen(argv[2], "r");
    CHECK(f && fscanf(f, "%40s", test.server_key) == 1, "the server key cannot be read");
    fclose(f);
    test.endpoint = argv[1];
    test.first_id = (uint32_t)strtoul(argv[3], NULL, 10);
    test.count_command = argv[4];
    test.context = zmq_ctx_new();
    CHECK(test.context && host_start() == STATUS_OK, "the host cannot be used");
}

int main(int argc, char **argv)
{
    struct party parties[3], *alice = &parties[0], *mallory = &parties[1], *carol = &parties[2];
    CHECK(argc == 6, "needs ENDPOINT SERVER-KEY-FILE FIRST-ID COUNT-COMMAND speaking | silent");
    set_up(argv);
    bool held = true;
    uint32_t before = connections_so_far(), after = before;
    for (int i = 0; i < 3; i++) {
        party_make(&parties[i]);
        party_connect(&parties[i], view_of(NULL, 0));
        registers(&parties[i]);
        if (&parties[i] == alice) after = connections_so_far();
    }
    attaches(alice);
    attaches(carol);
    find_id(mallory, before, after);
    foreign_forms(mallory);
    if (strcmp(argv[5], "speaking") == 0) {
        while_connected(alice, mallory, carol);
        after_vanished(alice, mallory, carol);
    } else {
        held = silent_hears_nothing(alice, mallory, carol);
    }
    for (int i = 0; i < 3; i++) {
        party_leave(&parties[i]);
        zmq_msg_close(&parties[i].message);
        buffer_fini(&parties[i].entry);
    }
    arena_fini(&test.arena);
    zmq_ctx_term(test.context);
    return held ? 0 : 1;
}
