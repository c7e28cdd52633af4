/* clients_fixture: an engine on a memory state, a clock that the test moves, and the words in which a
 * test plays the relay: take what the engine said, answer it. Assertions are inside: a helper that
 * returns has worked. */
#ifndef SEALMQ_TESTS_CLIENTS_FIXTURE_H
#define SEALMQ_TESTS_CLIENTS_FIXTURE_H

#include "broker/wire/identity_log.h"
#include "clients/engine.h"
#include "clients/state/memory.h"

#define SAID_MAX   256u
#define BOB_ENTRIES_MAX 100u
#define EVENTS_KEPT 1024u

struct fixture {
    struct engine_config config;
    struct state *state;
    struct engine *e;
    struct now now;
    uint64_t seed;
    struct arena arena;
    struct buffer said[SAID_MAX]; /* frames of the engine, oldest first */
    size_t said_count;
    struct engine_event events[EVENTS_KEPT];
    size_t event_count;
    struct msg_map map;           /* what WELCOME and PONG say */
    struct msg_range range;
    uint64_t session_number;
    struct state_identity me;
    struct msg_prekey_state prekeys; /* what WELCOME says of them */
    struct msg_log_state my_log;  /* of the relay's copy of our log: fixture_init's; the tests' from then on */
    struct founding bob;          /* the contact */
    struct identity_log bob_log;  /* as the relay has it */
    struct buffer bob_entries[BOB_ENTRIES_MAX];
    uint8_t bob_sk[64];
    uint64_t commit;              /* of the last acceptance */
};

extern const struct store_id fixture_store;
struct term fixture_term(uint8_t n);

/* fixture_init: account made, engine new, no connection. */
void fixture_init(struct fixture *f);
void fixture_fini(struct fixture *f);
/* fixture_run: init, body, fini. */
void fixture_run(void (*body)(struct fixture *f));
#define ENGINE_TEST(suite, name)                                                                   \
    static void name(struct fixture *f);                                                           \
    Test(suite, name)                                                                              \
    {                                                                                              \
        fixture_run(name);                                                                         \
    }                                                                                              \
    static void name(struct fixture *f)

/* restart: the process dies and another one starts on the same state, not connected. */
void restart(struct fixture *f);
/* turn: engine_tick, and takes frames and events. pass: moves the clock first, in steps of the engine's
 * deadline. */
void turn(struct fixture *f);
void pass(struct fixture *f, uint64_t ms);

/* said: the oldest frame of this kind, taken out of the list; meta decoded into *message. */
struct frame said(struct fixture *f, enum frame_kind kind, const struct codec_desc *desc,
                  void *message);
size_t said_count(const struct fixture *f, enum frame_kind kind);
void said_forget(struct fixture *f);
/* happened: the oldest event of this kind, taken out with all older ones; asserts that there is one. */
struct engine_event happened(struct fixture *f, enum engine_event_kind kind);
bool has_happened(const struct fixture *f, enum engine_event_kind kind);
void events_forget(struct fixture *f);

/* answer, refuse: the reply to a frame. push: a frame of the relay's own. Each ends with a turn. */
void answer(struct fixture *f, const struct frame *to, enum frame_kind kind,
            const struct codec_desc *desc, const void *message);
void refuse(struct fixture *f, const struct frame *to, enum status s, uint32_t retry_after_ms);
void push(struct fixture *f, enum frame_kind kind, const struct codec_desc *desc,
          const void *message, struct view body);

/* greet: answers the HELLO that must have been said. bind: up, REGISTER if said, HELLO, CLAIM if said. */
void greet(struct fixture *f);
void bind_session(struct fixture *f);
void lose_connection(struct fixture *f);

/* know_bob: as if bob had been looked up before. */
void know_bob(struct fixture *f);
/* bob_does: an entry behind the relay's log of bob's; by his first device unless the plan names a signer.
 * bob_adds: another device, the n-th; bob_rotates: his first device has another identity key. bob_forgets: the relay has
 * only this many entries any more. */
/* record_of: the n-th device's keys; bob's first one is 0. */
struct msg_device_record record_of(uint8_t n, uint8_t sk[64]);
void bob_does(struct fixture *f, struct entry_plan plan);
struct device_id bob_adds(struct fixture *f, uint8_t n);
void bob_rotates(struct fixture *f, uint8_t n);
void bob_forgets(struct fixture *f, uint64_t length);
/* bob_found: what the relay answers to a LOOKUP of his account. */
struct msg_found bob_found(struct fixture *f, uint64_t first);
void answer_lookups(struct fixture *f);

/* write_to: engine_send, asserting OK, and a turn; the row. row_of: as it stands now. */
struct outbox_row write_to(struct fixture *f, const char *handle, const char *payload,
                           const char *key);
struct outbox_row row_at(struct fixture *f, uint64_t order);

/* What a SEND said, item by item. */
struct sent {
    struct frame frame;
    struct msg_send send;
    struct msg_send_item items[SENDS_PER_FRAME];
    struct hash256 digests[SENDS_PER_FRAME];
};
/* said_send: the oldest SEND; asserts that body and parts agree. */
void said_send(struct fixture *f, struct sent *out);
/* accepted: an item's answer, kept on the arena, in the given term with the next commit number. */
struct view accepted(struct fixture *f, const struct msg_send_item *item, struct term term);
/* accept_all: answers a SEND with ok for every item. answer_one: one status for every item. */
void accept_all(struct fixture *f, const struct sent *s);
void answer_one(struct fixture *f, const struct sent *s, const struct msg_sent_item *item);

struct view text(const char *s);

/* bob_and_session: bob is known, a session is bound, and what was said for it is forgotten. */
void bob_and_session(struct fixture *f);
/* part_of: a state of bob's device, at_ms after now. hint: the relay pushes it. */
struct msg_part_state part_of(struct fixture *f, uint32_t state, uint32_t outcome, uint64_t at_ms);
void hint(struct fixture *f, struct message_id id, struct msg_part_state part);
/* stale_since: a stale_devices answer with bob's entries from this number on. answer_stale: for every item. */
struct msg_stale stale_since(struct fixture *f, uint64_t first);
void answer_stale(struct fixture *f, const struct sent *s, struct msg_stale *stale);
enum message_state state_of(struct fixture *f, uint64_t order);
/* has_no_bytes: the row keeps no item and no ciphertext (and no payload). */
bool has_no_bytes(struct fixture *f, uint64_t order, bool payload_too);

/* ---- deliveries ---- */

struct incoming {
    struct msg_delivery items[DELIVERIES_PER_FRAME];
    size_t count;
    struct buffer body;
};

/* deliveries: `count` of them from `seq` on, their ids made of the seq, each "\x01m". */
struct incoming deliveries(struct fixture *f, uint64_t seq, size_t count);
/* deliver_only: the relay pushes them (and frees their bytes); the application does nothing with them.
 * take_all: it takes up to a frame of what it has not taken. deliver: both; deliver_some: made and both. */
void deliver_only(struct fixture *f, struct incoming *in);
void take_all(struct fixture *f);
void deliver(struct fixture *f, struct incoming *in);
void deliver_some(struct fixture *f, uint64_t seq, size_t count);
size_t inbox_count(struct fixture *f);
size_t pending_count(struct fixture *f);
/* said_both: the ACK that must have been said settles up to one seq (0 = nothing) and has up to the other;
 * said_ack: up to the same. echo: the relay answers it. */
struct frame said_both(struct fixture *f, struct msg_ack *ack, uint64_t settled,
                       uint64_t delivered);
struct frame said_ack(struct fixture *f, struct msg_ack *ack, uint64_t seq);
void echo(struct fixture *f, const struct frame *frame, const struct msg_ack *ack);
/* session_only: a session is bound, and what was said and happened is forgotten. */
void session_only(struct fixture *f);

#endif
