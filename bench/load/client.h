/* client: one full client of the load, as a product embeds it: libsealmq through its public header, a home on disk, one
 * descriptor and one deadline. It keeps what it is told and what it gets, seals and opens. What that means for the run
 * is tally's business; which message goes when is clients'. */
#ifndef SEALMQ_LOAD_CLIENT_H
#define SEALMQ_LOAD_CLIENT_H

#include "bench/load/options.h"
#include "bench/load/tally.h"

struct client {
    struct sealmq_client *api; /* NULL = not open */
    bool receives;             /* a mailbox; else a sender */
    size_t number;             /* among its kind */
    char handle[SEALMQ_HANDLE_MAX + 1];
    struct sealmq_account account;
    bool registered, attached;
    uint64_t wake_us;     /* wants a turn then, whatever its descriptor says */
    uint64_t taken;       /* order number of the last message taken */
    uint64_t greeted;     /* greetings that have come */
    uint64_t disconnects;
    uint64_t gaps;        /* messages that will not come */
    char trouble[SEALMQ_ERROR_MAX]; /* why it is of no use any more; "" = it is */
};

/* client_open: makes its home below `folder`, and begins to connect; receives, number and handle stand. False, here
 * and below: trouble says why. */
bool client_open(struct client *c, const char *folder, const struct options *o) MUST_USE;
/* client_close: also where it was never opened; half a second at most. */
void client_close(struct client *c);

/* client_turn: what has come, what is due, and what the application does with it: a mailbox answers a greeting. */
bool client_turn(struct client *c, struct tally *tally) MUST_USE;
/* client_send: keeps message `number` for a recipient of this handle. client_greet: a message outside of the run, so
 * that the two have met before it. */
bool client_send(struct client *c, const struct tally *tally, const char *handle, uint64_t number,
                 struct view body) MUST_USE;
bool client_greet(struct client *c, const struct tally *tally, const char *handle) MUST_USE;

/* client_at_rest: it has a session, nothing is under way, each of its messages has its outcome, and what it took is
 * confirmed. False also where that cannot be read. */
bool client_at_rest(struct client *c);

#endif
