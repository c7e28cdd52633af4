/* happening: what the edge socket's monitor said in one go, in order, before any of it is acted on: a
 * connection whose end is told in the same batch is one of which nothing is known but that it was. Its
 * descriptor may have been another's already when its peer was looked up. No socket. */
#ifndef SEALMQ_BROKER_HAPPENING_H
#define SEALMQ_BROKER_HAPPENING_H

#include "broker/guard.h"

enum happening_kind { HAPPENING_ACCEPTED, HAPPENING_ENDED, HAPPENING_ACCEPT_FAILED };

struct happening {
    enum happening_kind kind;
    uint32_t value;        /* a descriptor, or an errno */
    struct edge_peer peer; /* of an accepted one; all zero = not known */
};

struct happenings {
    struct happening *all;
    uint32_t count, count_max;
    uint32_t *accepted_at; /* by descriptor: where in all, if it says so there */
    uint32_t fd_max;
};

/* happenings_init: room for so many, of descriptors below fd_max (of others each peer counts as known).
 * happenings_fini: NULL-safe. */
void happenings_init(struct happenings *h, uint32_t count_max, uint32_t fd_max);
void happenings_fini(struct happenings *h);

/* In the order in which they came, while count < count_max. accepted: peer as it was read after this was
 * told; ended: takes the peer from that connection. The caller empties with count = 0. */
void happenings_accepted(struct happenings *h, int fd, const struct edge_peer *peer);
void happenings_ended(struct happenings *h, int fd);
void happenings_accept_failed(struct happenings *h, uint32_t error);

#endif
