/* twin: one end of a session that exists twice, as the model and as the clients' own code (clients/seal). Whatever is
 * done is done to both, with the same randomness; where they differ in a result, a byte or a state the program ends and
 * says where. What clients/seal leaves to its caller (which kept key is for a place, how many are kept) the twin does
 * for it, as PROTOCOL 10.4 says. */
#ifndef SEALMQ_TESTS_MODEL_TWIN_H
#define SEALMQ_TESTS_MODEL_TWIN_H

#include "clients/seal/content.h"
#include "clients/seal/session.h"
#include "tests/model/model.h"

/* A stream that follows from its seed (splitmix64). */
struct dice {
    uint64_t state;
};
uint64_t dice_next(struct dice *d);
void dice_fill(void *dice, void *out, size_t len);
/* below: evenly enough, from 0 to below n. */
static inline size_t dice_below(struct dice *d, size_t n)
{
    return (size_t)(dice_next(d) % n);
}

/* Where the run is, for the words of a failure. */
struct place {
    uint64_t seed;
    unsigned step;
};
extern struct place now;
_Noreturn void differ(const char *what, uint64_t model, uint64_t real);
/* same: the two are equal, or the program ends. */
static inline void same(const char *what, uint64_t model, uint64_t real)
{
    if (model != real) differ(what, model, real);
}

struct device {
    struct model_device model;
    struct x3dh_side real;
    uint8_t identity_sk[32], prekey_sk[32], extra_sk[32];
    struct model_prekeys prekeys; /* the bundle; its kind is set for each session */
};
void device_make(struct device *d, struct dice *dice);

struct twin {
    bool exists;
    struct model_session model;
    struct session real;
    size_t kept_count;
    struct skipped kept[SKIPPED_PER_SESSION_MAX]; /* the clients' keys; last: see twin_copy */
};
void twin_copy(struct twin *to, const struct twin *from);
/* twin_compare: every key, number and kept key of the two. */
void twin_compare(const struct twin *t);

/* twin_begin: as the initiator, with this kind of prekey. */
void twin_begin(struct twin *t, const struct device *from, const struct device *to, uint8_t kind, struct dice seed);
/* twin_can_send: false for a responder to whom nothing was sent yet. */
bool twin_can_send(const struct twin *t);
void twin_seal(struct twin *t, const struct model_context *c, const struct model_bytes *padded, struct dice seed,
               struct model_bytes *out);
/* twin_pass: the keys of the next `count` messages are made, and the messages are not. */
void twin_pass(struct twin *t, size_t count);
/* twin_open: at the device `own`, of a message that `peer` is said to have sent; begins the session where the message
 * does and it is not the one at hand. Returns the cause on which both agree; on MODEL_GOOD `padded` has the content. */
enum model_cause twin_open(struct twin *t, const struct device *own, const struct device *peer,
                           const struct model_context *c, const struct model_bytes *ciphertext, struct dice seed,
                           struct model_bytes *padded);
/* twin_reload: the clients' state goes to bytes and comes back. */
void twin_reload(struct twin *t);
/* content_twice: a content's padded bytes and its commitment. */
void content_twice(const struct model_content *c, struct model_bytes *padded, uint8_t commitment[32]);

#endif
