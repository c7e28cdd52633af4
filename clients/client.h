/* client: one device of one account at one home directory: state, engine and transport tied
 * together, with loops that run until something is true or a time has come. Calls from one
 * thread at a time; several processes may use one home. What `sealmq` stands on. */
#ifndef SEALMQ_CLIENTS_CLIENT_H
#define SEALMQ_CLIENTS_CLIENT_H

#include "clients/engine.h"

#define CLIENT_ERROR_MAX 512

struct client;

struct client_options {
    const char *passphrase_file; /* its first line opens the home; NULL = the home's key file does */
    bool attach;              /* take deliveries */
    uint32_t credit_messages; /* 0 = as many as allowed */
    uint32_t status_every_ms; /* as in engine_config */
};

/* How a client_run ended. */
enum client_end {
    CLIENT_DONE,    /* watch->done said so */
    CLIENT_TIMEOUT, /* the deadline came first */
    CLIENT_SIGNAL,  /* SIGINT or SIGTERM; it is not taken a second time */
    CLIENT_STOPPED, /* the relay will not have this device; client_error says why */
    CLIENT_FAILED, /* the home cannot be used any more; client_error says why: only close is left */
};

/* What a run calls; self is the first argument. event and tick may be NULL. None of them may call
 * client_run. */
struct client_watch {
    void *self;
    void (*event)(void *self, const struct engine_event *event); /* each one, in order */
    bool (*done)(void *self);                                    /* after each turn */
    void (*tick)(void *self, uint64_t mono_ms); /* each turn, at least twice a second */
};

/* client_create: makes the home directory (0700) and in it a new identity, unless there is one,
 * which stays as it is. Does not connect. OK; MALFORMED (the handle), CONFIG (the home is open to
 * others, not ours, or locked otherwise), DAMAGED, LOCKED, IO; with one line in error. */
enum status client_create(const char *home, const struct client_options *options, const struct account_wish *wish,
                          char *error, size_t cap) MUST_USE;

/* client_open: opens a home that has an identity; does not connect. OK; NOT_FOUND (no home, or no
 * identity in it), CONFIG, DAMAGED, LOCKED, IO; with one line in error and *out NULL. Free with
 * client_close (NULL-safe, nulls). */
enum status client_open(const char *home, const struct client_options *options, struct client **out,
                        char *error, size_t cap) MUST_USE;
void client_close(struct client **c);

/* client_state, client_engine: borrowed; good until client_close. client_identity: as it was at
 * client_open or the last client_identity_load. */
struct state *client_state(struct client *c);
struct engine *client_engine(struct client *c);
const struct state_identity *client_identity(const struct client *c);
enum status client_identity_load(struct client *c) MUST_USE;
/* client_relay_set: other endpoints or another server key for this home; before client_connect. */
enum status client_relay_set(struct client *c, struct view endpoints,
                             struct transport_pk server) MUST_USE;

/* client_connect: starts connecting (the relay named in the home); does not wait. OK; CONFIG,
 * IO; as state_begin; with client_error. Once. */
enum status client_connect(struct client *c) MUST_USE;

/* client_now: the clock that runs use. */
struct now client_now(void);
/* client_run: turns until one of enum client_end; deadline_ms is mono_ms. After client_connect. */
enum client_end client_run(struct client *c, const struct client_watch *watch,
                           uint64_t deadline_ms);
/* client_ack: engine_ack of one message; LOCKED only after some waiting. Call it when the message has been
 * used: shown, written elsewhere. Delivery is at least once towards the caller, who may die before. */
enum status client_ack(struct client *c, uint64_t order) MUST_USE;
/* client_flush: where the relay has not heard of all acknowledgements, tries to tell it, for at most
 * wait_ms; says nothing when that fails, the next attached session does it. After client_connect. */
void client_flush(struct client *c, const struct client_watch *watch, uint64_t wait_ms);
/* client_leave: takes leave of the relay, pending acknowledgements first; for at most wait_ms,
 * and not at all without a session. */
void client_leave(struct client *c, const struct client_watch *watch, uint64_t wait_ms);
/* client_lookup: asks the relay which account a handle points to. A run with an end of its own:
 * done is not asked. OK, NOT_FOUND, TIMEOUT (also without a session until then), GONE (the run
 * ended otherwise: run again to learn how), or the relay's status. *out is zero unless OK. */
enum status client_lookup(struct client *c, const struct client_watch *watch, struct view handle,
                          uint64_t deadline_ms, struct account_id *out) MUST_USE;

/* client_forked: the relay has shown another history of this account's keys than the home holds. */
bool client_forked(const struct client *c);

/* client_error: one line about the last CLIENT_STOPPED, CLIENT_FAILED or failed call. */
const char *client_error(const struct client *c);
/* client_trouble: one line about why there is no session now: what is wrong, what to do. */
void client_trouble(const struct client *c, char *out, size_t cap);

#endif
