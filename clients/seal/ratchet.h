/* ratchet: the Double Ratchet without header encryption (PROTOCOL 10.4; Perrin and Marlinspike, The Double Ratchet
 * Algorithm, rev. 1): from a session's secret to the key of each message. Encrypts nothing and stores nothing. A struct
 * ratchet is secret as a whole: it lives in sodium_malloc memory, and copies of it do, too. */
#ifndef SEALMQ_CLIENTS_SEAL_RATCHET_H
#define SEALMQ_CLIENTS_SEAL_RATCHET_H

#include "broker/wire/states.h"
#include "clients/random.h"
#include "clients/seal/x3dh.h"

#define SKIPPED_PER_MESSAGE_MAX 1000u
#define SKIPPED_PER_SESSION_MAX 2000u

struct ratchet_pk { uint8_t bytes[32]; };
struct message_sk { uint8_t bytes[32]; };
struct chain_sk { uint8_t bytes[32]; };

struct ratchet {
    uint8_t root[32];
    uint8_t own_sk[32]; /* of `own` */
    struct ratchet_pk own, theirs;
    struct chain_sk sending, receiving;
    bool sends, receives; /* there is such a chain */
    uint32_t sent, received, previous;
};
#define RATCHET_LEN (6u * 32 + 1 + 3u * 4)

/* What a message says of its place. */
struct ratchet_place {
    struct ratchet_pk key;
    uint32_t previous, number;
};

/* A message key kept for a message that may yet come. */
struct skipped {
    struct ratchet_pk key;
    uint32_t number;
    struct message_sk sk;
};

/* Those that one message made, ascending in the order in which they were sent; the caller's sodium_malloc memory. */
struct skipped_list {
    struct skipped at[SKIPPED_PER_MESSAGE_MAX];
    size_t count;
};

/* ratchet_initiate: theirs = the responder's current prekey. false: it is of small order; *r is zero then.
 * ratchet_respond: with the secret of that prekey; nothing can be sent before something was received. */
bool ratchet_initiate(struct ratchet *r, const struct session_secret *secret, const struct prekey_pk *theirs,
                      const struct random_source *random) MUST_USE;
void ratchet_respond(struct ratchet *r, const struct session_secret *secret, const uint8_t prekey_sk[32],
                     const struct prekey_pk *prekey);

/* ratchet_send: the key of the next message, and its place. STATE: nothing was received yet, or the chain is at its end
 * (2^32 - 1 messages without an answer): *r is as it was. */
enum status ratchet_send(struct ratchet *r, struct ratchet_place *place, struct message_sk *out) MUST_USE;

/* ratchet_receive: the key of the message at this place, where no kept one is for it; *fresh gets the keys of those
 * that were passed over. *r is to be kept only if the message opens: give a copy. CAUSE_NONE; CAUSE_REPLAY (a place
 * that was passed, without a key kept for it), CAUSE_FAR, CAUSE_AUTHENTICATION (a ratchet key of small order): *r is
 * as it was. */
enum report_cause ratchet_receive(struct ratchet *r, const struct ratchet_place *place,
                                  const struct random_source *random, struct message_sk *out,
                                  struct skipped_list *fresh) MUST_USE;

/* As bytes, for the local state. ratchet_read: DAMAGED with *out zero. */
void ratchet_write(const struct ratchet *r, uint8_t out[RATCHET_LEN]);
enum status ratchet_read(struct view bytes, struct ratchet *out) MUST_USE;

#endif
