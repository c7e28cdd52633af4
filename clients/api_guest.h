/* api_guest: a guest (guest.h) on a connection of its own, for the parts of the library that speak to the relay before
 * there is an account in the home: one descriptor, one deadline, one turn, as of a client. */
#ifndef SEALMQ_CLIENTS_API_GUEST_H
#define SEALMQ_CLIENTS_API_GUEST_H

#include "clients/guest.h"
#include "clients/sealmq.h"
#include "clients/transport.h"

struct api_guest {
    struct guest *guest;
    struct transport *transport;
    int poll_fd; /* epoll: the transport's descriptors */
    bool again;  /* something may wait that poll_fd does not tell */
};

struct random_source api_random(void);

/* api_guest_open: begins to connect; options' poll_fd is set here. OK; CONFIG, IO with one line in error. After a failure, too,
 * api_guest_close is for it. */
enum status api_guest_open(struct api_guest *g, struct transport_options *options, char *error, size_t cap) MUST_USE;
/* api_guest_close: on one that is all zero, too. */
void api_guest_close(struct api_guest *g);
/* api_guest_turn: takes what has come, sends what is due; never waits. Then look for guest_answer. */
void api_guest_turn(struct api_guest *g, struct now now);
/* api_guest_deadline_ms: as sealmq_deadline_ms, where the owner wants a turn at until_ms (mono; UINT64_MAX = never). */
int api_guest_deadline_ms(const struct api_guest *g, uint64_t until_ms);
/* api_guest_hint: one line for a person who waits. */
void api_guest_hint(const struct api_guest *g, char *out, size_t cap);

#endif
