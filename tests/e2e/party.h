/* party: a raw client over tcp and CURVE for end-to-end tests of what no honest client says: keys, a socket, requests made
 * by hand, and answers that must come. Whatever does not hold ends the program with one line. */
#ifndef SEALMQ_TESTS_E2E_PARTY_H
#define SEALMQ_TESTS_E2E_PARTY_H

#include "broker/wire/identity.h"
#include "broker/wire/messages.h"

#include <zmq.h>

#define ANSWER_MS  10000 /* an answer that must come */
#define SILENCE_MS 700   /* one that must not */
#define RETRY_MS   100

/* The relay under test; one in a program. */
extern struct relay_peer {
    const char *program;
    void *context;
    const char *endpoint;
    char server_key[64];
    uint64_t ahead_ms;
    struct arena arena;
} relay;

void relay_begin(const char *program, const char *endpoint, const char *server_key_file);
void relay_end(void);

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) party_fail(__VA_ARGS__);                                                 \
    } while (0)
_Noreturn void party_fail(const char *what);

struct party {
    void *socket;
    struct msg_device_record record;
    uint8_t signing_sk[64], identity_sk[32], transport_sk[32];
    struct buffer entry;
    struct founding founding;
    struct session_id session;
    uint64_t correlation;
    zmq_msg_t message; /* what the frames below are views of */
    struct frame reply, delivery;
};

void party_make(struct party *p);
void party_end(struct party *p);
void party_leave(struct party *p);
/* party_connect: id empty = libzmq's own choice. */
void party_connect(struct party *p, struct view id);
/* party_says: body: the bytes behind meta. The request is for `account`'s home. */
void party_says(struct party *p, enum frame_kind kind, struct account_id account,
                const struct codec_desc *desc, const void *meta, struct view body);
bool party_hears(struct party *p, long wait_ms, struct frame *out);
/* party_awaits: the next frame that is no hint, and no word of a log that has grown. */
bool party_awaits(struct party *p, long wait_ms, struct frame *out);
void party_is_answered(struct party *p, enum frame_kind kind, const char *what);
void party_is_refused(struct party *p, enum status s, const char *what);
void party_hears_nothing(struct party *p, const char *what);
void party_says_bare(struct party *p, enum frame_kind kind, struct account_id account);
void party_says_register(struct party *p, const struct party *whom);
void party_says_hello(struct party *p, const struct party *whom);
/* party_says_ack: settles all that whom's session was offered, if it counts. */
void party_says_ack(struct party *p, const struct party *whom);
void party_says_send(struct party *p, const struct party *to, const char *text);
void party_attaches(struct party *p);
void party_registers(struct party *p);
void party_sends(struct party *p, const struct party *to, const char *text);
void party_is_delivered(struct party *p, const char *text);

#endif
