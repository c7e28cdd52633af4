/* tally: what full clients say became of a message, in the same books as the generator's own devices: the ledger
 * and the histograms of struct traffic. Pure: events and rows of sealmq.h come in as they are.
 * A message's key is its number, so that every event and every row names it. */
#ifndef SEALMQ_LOAD_TALLY_H
#define SEALMQ_LOAD_TALLY_H

#include "bench/load/sender.h"
#include "clients/sealmq.h"

struct tally {
    struct traffic *traffic;
    enum sealmq_payload_kind kind;        /* how every message goes, and has to come */
    const struct sealmq_account *senders; /* not owned */
    size_t sender_count;
    bool begun; /* until then what comes are greetings, which are in no book */
};

/* tally_route: who sends message `number`, and who gets it: every pair in turn. */
struct route {
    size_t sender, mailbox;
};
struct route tally_route(const struct tally *t, uint64_t number);

#define TALLY_KEY_CAP 24u
void tally_key(uint64_t number, char out[TALLY_KEY_CAP]);

/* tally_sent: the message with this key is in this state, also said again. True = it was accepted just now. */
bool tally_sent(struct tally *t, const char *key, enum sealmq_message_state state, enum sealmq_status reason,
                uint64_t now_us);
/* tally_received: a recipient has it: corrupted, unless it is whole, came as it was sent, to the right one, from the
 * one who sent it. */
void tally_received(struct tally *t, size_t mailbox, const struct sealmq_received *r, uint64_t now_us);

#endif
