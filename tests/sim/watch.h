/* watch: what the two halves of the oracle share: watch.c (the clients' side, events) and slabs.c
 * (storage's side). Only for them and the verdict. */
#ifndef SEALMQ_TESTS_SIM_WATCH_H
#define SEALMQ_TESTS_SIM_WATCH_H

#include "tests/sim/churn.h"

/* One content that a client has sent under one id. */
struct sent {
    struct message_ref ref;
    uint32_t attempt;
    struct hash256 digest; /* of the claim */
    struct { struct device_id device; struct hash256 hash; } parts[DEVICES_PER_ACCOUNT]; /* hash: of the ciphertext */
    size_t part_count;
    uint8_t *answer;       /* heap; the acceptance that a client was told; NULL = none */
    size_t answer_len;
};

/* One request without its reply. */
struct asked {
    size_t broker;
    uint32_t number;
    uint64_t correlation, at_ms;
    uint8_t kind;
    size_t count;
    size_t items[SENDS_PER_FRAME]; /* index into sent; SIM_NEVER = not one of ours */
};

#define CREDIT_SESSIONS_MAX 512u
struct offered {
    struct position at;
    uint32_t len;
};

/* What one session was offered and has not acknowledged, as its storage process must see it. */
struct credit {
    struct session_id session;
    struct device_id device;
    uint16_t home;
    uint32_t messages_max;
    uint64_t bytes_max;
    struct offered *offers;
    size_t count, cap;
};

/* What a sender was told of one part (parts.c). */
struct part_end {
    struct message_ref ref;
    struct device_id device;
    uint32_t attempt, outcome;
};

/* Per message: how often it is in the inbox of each device, and under which id. */
struct arrival {
    size_t count[SIM_DEVICES_MAX];
    struct message_id id[SIM_DEVICES_MAX];
};

struct watch {
    struct part_end *ends;
    size_t end_count, end_cap;
    struct arena arena; /* one observation */
    struct sent *sent;
    size_t sent_count, sent_cap;
    struct asked *asked;
    size_t asked_count, asked_cap;
    struct credit credits[CREDIT_SESSIONS_MAX]; /* a ring: the newest sessions */
    size_t credit_count;
};

/* ends.c, where accounts have several devices. ends_check: how a message, and its copy, has come to its end. ends_is_given_up:
 * after three attempts, while the relay lied. ends_explained: what support reads of a part. */
void ends_check(struct sim *s, size_t n, const struct arrival *a, const struct outbox_row *row);
bool ends_is_given_up(struct sim *s, struct device *from, const struct outbox_row *row);
void ends_explained(struct sim *s, const struct message_ref *ref, const struct msg_explained_part *part);

bool watch_has_canary(struct view bytes);
/* watch_unanswered: a request on a living connection that waits for so long; NULL = none. */
const struct asked *watch_unanswered(const struct sim *s, uint64_t older_than_ms);
void credit_fini(struct watch *w);
/* parts_said: a sender hears an outcome, in HINT or STATUS_IS: it is the one that it heard before. parts_find: NULL = none. */
void parts_said(struct sim *s, const struct conn *c, const struct frame *f);
const struct part_end *parts_find(const struct sim *s, const struct message_ref *ref, struct device_id device, uint32_t attempt);

#endif
