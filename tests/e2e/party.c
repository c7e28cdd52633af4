#include "tests/e2e/party.h"

#include "broker/host/host.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct relay_peer relay;

_Noreturn void party_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", relay.program, what);
    exit(1);
}

void relay_begin(const char *program, const char *endpoint, const char *server_key_file)
{
    relay.program = program;
    FILE *f = fopen(server_key_file, "r");
    CHECK(f && fscanf(f, "%40s", relay.server_key) == 1, "the server key cannot be read");
    fclose(f);
    relay.endpoint = endpoint;
    relay.context = zmq_ctx_new();
    CHECK(relay.context && host_start() == STATUS_OK, "the host cannot be used");
}

void relay_end(void)
{
    arena_fini(&relay.arena);
    zmq_ctx_term(relay.context);
}

void party_make(struct party *p)
{
    uint8_t salt[16];
    *p = (struct party){.socket = NULL};
    zmq_msg_init(&p->message);
    crypto_sign_keypair(p->record.signing.bytes, p->signing_sk);
    crypto_box_keypair(p->record.identity.bytes, p->identity_sk);
    crypto_box_keypair(p->record.transport.bytes, p->transport_sk);
    host_random(salt, sizeof salt);
    founding_make(&p->record, p->signing_sk, host_now().wall_ms, salt, &p->entry);
    CHECK(founding_check(buffer_view(&p->entry), &relay.arena, &p->founding) == STATUS_OK, "entry");
}

void party_leave(struct party *p)
{
    if (p->socket) zmq_close(p->socket);
    p->socket = NULL;
}

/* id empty = libzmq's own choice. */
void party_connect(struct party *p, struct view id)
{
    int linger = 0;
    party_leave(p);
    p->socket = zmq_socket(relay.context, ZMQ_DEALER);
    CHECK(p->socket && zmq_setsockopt(p->socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_SERVERKEY, relay.server_key, 41) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_PUBLICKEY, p->record.transport.bytes, 32) == 0 &&
              zmq_setsockopt(p->socket, ZMQ_CURVE_SECRETKEY, p->transport_sk, 32) == 0 &&
              (!id.len || zmq_setsockopt(p->socket, ZMQ_ROUTING_ID, id.at, id.len) == 0) &&
              zmq_connect(p->socket, relay.endpoint) == 0,
          "a socket cannot be opened");
}

/* body: the bytes behind meta. The request is for `account`'s home. */
void party_says(struct party *p, enum frame_kind kind, struct account_id account,
                       const struct codec_desc *desc, const void *meta, struct view body)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = ++p->correlation,
                                           .home = home_of_account(account)}, desc, meta);
    write_view(&b, body);
    CHECK(zmq_send(p->socket, b.at, b.len, 0) >= 0, "a frame cannot be sent");
    buffer_fini(&b);
}

bool party_hears(struct party *p, long wait_ms, struct frame *out)
{
    zmq_pollitem_t item = {.socket = p->socket, .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, wait_ms) != 1) return false;
    CHECK(zmq_msg_recv(&p->message, p->socket, 0) >= 0, "a frame cannot be taken");
    struct view bytes = view_of(zmq_msg_data(&p->message), zmq_msg_size(&p->message));
    CHECK(frame_check(bytes, FROM_RELAY, out) == STATUS_OK, "the relay sent a broken frame");
    return true;
}

/* The next frame that is no hint. */
bool party_awaits(struct party *p, long wait_ms, struct frame *out)
{
    while (party_hears(p, wait_ms, out))
        if (out->header.kind != KIND_HINT && out->header.kind != KIND_LOG_GREW) return true;
    return false;
}

void party_is_answered(struct party *p, enum frame_kind kind, const char *what)
{
    CHECK(party_awaits(p, ANSWER_MS, &p->reply), what);
    CHECK(p->reply.header.kind == kind && p->reply.header.correlation == p->correlation, what);
}

void party_is_refused(struct party *p, enum status s, const char *what)
{
    struct msg_error error;
    party_is_answered(p, KIND_ERROR, what);
    CHECK(codec_decode(&msg_error_desc, p->reply.meta, &relay.arena, &error) == STATUS_OK, what);
    CHECK(error.status == (uint32_t)s, what);
}

void party_hears_nothing(struct party *p, const char *what)
{
    struct frame frame;
    do {
        if (!party_hears(p, SILENCE_MS, &frame)) return;
    } while (frame.header.kind == KIND_LOG_GREW);
    CHECK(false, what);
}

/* --- what they say --------------------------------------------------------------------------- */

void party_says_bare(struct party *p, enum frame_kind kind, struct account_id account)
{
    party_says(p, kind, account, &msg_empty_desc, &(struct msg_empty){0}, view_of(NULL, 0));
}

void party_says_register(struct party *p, const struct party *whom)
{
    party_says(p, KIND_REGISTER, whom->founding.account, &msg_register_desc,
               &(struct msg_register){.entry = buffer_view(&whom->entry)}, view_of(NULL, 0));
}

void party_says_hello(struct party *p, const struct party *whom)
{
    struct msg_hello hello = {.device = whom->founding.device, .account = whom->founding.account,
                              .client_version = view_of("1.0.0", 5), .protocol_min = 1,
                              .protocol_max = 1, .attach = true, .credit_messages = 16,
                              .credit_bytes = 1 << 20};
    party_says(p, KIND_HELLO, whom->founding.account, &msg_hello_desc, &hello, view_of(NULL, 0));
}

/* Settles all that whom's session was offered, if it counts. */
void party_says_ack(struct party *p, const struct party *whom)
{
    struct msg_ack ack = {.session = whom->session, .settled_term = whom->session.term,
                          .settled_seq = 1000, .delivered_term = whom->session.term,
                          .delivered_seq = 1000};
    party_says(p, KIND_ACK, whom->founding.account, &msg_ack_desc, &ack, view_of(NULL, 0));
}

void party_says_send(struct party *p, const struct party *to, const char *text)
{
    uint8_t random[10];
    struct msg_part part = {.device = to->founding.device, .len = (uint32_t)strlen(text)};
    struct msg_send_item item = {.target = target_of_account(to->founding.account),
                                 .key_version = 1,
                                 .head = to->founding.head, .parts = &part, .part_count = 1};
    struct buffer bytes = {0};
    host_random(random, sizeof random);
    item.id = message_id_make(host_now().wall_ms + relay.ahead_ms, random);
    codec_encode(&msg_send_item_desc, &item, &bytes);
    struct view view = buffer_view(&bytes);
    party_says(p, KIND_SEND, to->founding.account, &msg_send_desc,
               &(struct msg_send){.items = &view, .item_count = 1}, view_of(text, strlen(text)));
    buffer_fini(&bytes);
}

void party_attaches(struct party *p)
{
    struct msg_welcome welcome;
    party_says_hello(p, p);
    party_is_answered(p, KIND_WELCOME, "HELLO of a device is not welcome");
    CHECK(codec_decode(&msg_welcome_desc, p->reply.meta, &relay.arena, &welcome) == STATUS_OK,
          "WELCOME is broken");
    p->session = welcome.session;
    relay.ahead_ms = welcome.relay_ms - host_now().wall_ms;
}

void party_registers(struct party *p)
{
    party_says_register(p, p);
    party_is_answered(p, KIND_REGISTERED, "an account is not registered");
}

void party_sends(struct party *p, const struct party *to, const char *text)
{
    struct msg_sent sent;
    party_says_send(p, to, text);
    party_is_answered(p, KIND_SENT, "a send is not answered");
    CHECK(codec_decode(&msg_sent_desc, p->reply.meta, &relay.arena, &sent) == STATUS_OK &&
              sent.item_count == 1 && sent.items[0].status == STATUS_OK,
          "a send is not accepted");
}

void party_is_delivered(struct party *p, const char *text)
{
    CHECK(party_awaits(p, ANSWER_MS, &p->delivery) && p->delivery.header.kind == KIND_DELIVER,
          "a delivery does not come");
    CHECK(view_equal(p->delivery.body, view_of(text, strlen(text))), "a delivery is another one");
}

void party_end(struct party *p)
{
    party_leave(p);
    zmq_msg_close(&p->message);
    buffer_fini(&p->entry);
}
