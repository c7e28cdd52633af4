/* sender: the sending half of a device: frames of up to 64 messages, the requests that wait for their
 * answers (within what the relay allows a connection), repeats of what was not answered, and retried
 * ids. Which messages, and when, the loop decides. */
#ifndef SEALMQ_LOAD_SENDER_H
#define SEALMQ_LOAD_SENDER_H

#include "bench/load/body.h"
#include "bench/load/device.h"
#include "bench/load/ledger.h"
#include "bench/load/options.h"
#include "bench/measure/histogram.h"

#define FLIGHTS_MAX     PENDING_REQUESTS_MAX /* 64: the bits of struct sender's open */
#define FRAME_BODY_MAX  (512u * 1024u) /* one message may be longer */
#define REPEATS_MAX     SENDS_PER_FRAME

/* What all senders share. */
struct traffic {
    struct ledger ledger;
    struct pool *pool;
    struct sizes sizes;
    uint64_t repeat_below; /* number_mix(number) below this: sent again with the same id */
    uint64_t relay_ahead_ms; /* the relay's clock minus mono, as two's complement */
    uint16_t run; /* in every message id */
    /* recipients: device and encoded items, by mailbox, in the order of rotation */
    struct device **mailboxes;
    struct view *items; /* mailbox_count * sizes.count; see traffic_items */
    size_t mailbox_count;
    struct buffer item_bytes;
    /* figures */
    struct histogram accept, end_to_end; /* all of the run */
    struct histogram recent;             /* accept, since the last point */
    uint64_t retried;         /* sent again because the relay said so, or said nothing */
    uint64_t repeated;        /* retried ids answered */
    uint64_t answers_changed; /* of these: not the same answer */
    uint32_t level;           /* of the first acceptance: LEVEL_SYNCED, LEVEL_MEMORY */
    enum status first_refusal;
};

struct flight;

struct sender {
    struct device *device;
    struct flight *flights; /* FLIGHTS_MAX */
    uint64_t open;          /* which of them wait for an answer, a bit each */
    size_t open_bytes;
    struct piece *repeats; /* REPEATS_MAX: to be sent again with the same id */
    size_t repeat_count;
};

/* traffic_items: encodes what every message to a mailbox says but for its id, after the mailboxes stand
 * in their order. */
void traffic_items(struct traffic *t);
/* traffic_id: of a message sent at id_ms. */
struct message_id traffic_id(const struct traffic *t, uint64_t number, uint64_t id_ms);
/* traffic_mailbox: who gets it. */
struct device *traffic_mailbox(const struct traffic *t, uint64_t number);

void sender_init(struct sender *s, struct device *d);
void sender_fini(struct sender *s);

/* sender_room: whether another frame may wait for its answer on this connection. */
bool sender_room(const struct sender *s, const struct traffic *t);
/* sender_send: one frame with up to max new messages, as many as fit; their number. Needs sender_room
 * and a ready device. */
size_t sender_send(struct sender *s, struct traffic *t, const struct pace *p, uint64_t now_us,
                   size_t max);
/* sender_answer: SENT; MALFORMED when it is not an answer to what was asked. */
enum status sender_answer(struct sender *s, struct traffic *t, const struct frame *f,
                          struct arena *a, uint64_t now_us) MUST_USE;
/* sender_error: ERROR to one of its requests. False: it was not a sender's request, or an old one. */
bool sender_error(struct sender *s, struct traffic *t, const struct frame_header *h,
                  const struct msg_error *e, uint64_t now_us);
/* sender_again: what was sent on the last connection is sent on the new one, with the same ids. */
void sender_again(struct sender *s, uint64_t now_us);
/* sender_tick: sends what waits for its time again; ready: the device has a session. True when some
 * request has waited longer than patience_us. */
bool sender_tick(struct sender *s, struct traffic *t, bool ready, uint64_t now_us,
                 uint64_t patience_us);
/* sender_idle: nothing waits for an answer or to be sent again. */
bool sender_idle(const struct sender *s);

#endif
