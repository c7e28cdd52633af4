/* edge: glue around guard: tells it what libzmq's monitor says of the edge socket's connections and what
 * the kernel counts on them, and ends those that it wants ended. Also has the probe that keeps trying the
 * edge from outside.
 *
 *     edge_open; bind privately; edge_test; bind publicly; edge_start
 *     per turn: edge_turn; for each frame edge_knows; when it is time edge_step; before anything is pushed edge_catch_up
 *
 * Decides nothing: guard.c and pulse.c do. */
#ifndef SEALMQ_BROKER_EDGE_H
#define SEALMQ_BROKER_EDGE_H

#include "broker/broker.h"
#include "broker/guard.h"
#include "broker/host/config.h"
#include "broker/host/keys.h"
#include "broker/zap.h"

struct edge;

enum edge_answer {
    EDGE_DROP,  /* the frame is not to be handled */
    EDGE_KNOWN, /* of a connection that spoke before */
    EDGE_FIRST, /* the first frame of a connection */
};

/* edge_open: begins to watch this ROUTER, which is not bound yet. router is borrowed until edge_close, which
 * must come before the router's; keys for the call. OK, IO. */
enum status edge_open(void *context, void *router, const struct config *config,
                      const struct curve_server_keys *keys, struct edge **out) MUST_USE;
void edge_close(struct edge **e);

/* edge_test: through the router, bound to a private socket in the run directory for as long: who has no key,
 * or another server in mind, must get nothing through; who is right must come in under its own key. Blocks
 * for at most 10 s. OK, IO with one line in error: then the router must not be bound for clients. */
enum status edge_test(struct edge *e, struct zap *zap, char *error, size_t error_cap) MUST_USE;
/* edge_start: the router is bound to where clients come; from now on connections are guarded. files: descriptors that
 * are kept for the rest of the process. */
void edge_start(struct edge *e, struct now now, uint32_t files);

/* edge_deadline_ms: when edge_step is due. */
uint64_t edge_deadline_ms(const struct edge *e);
/* edge_turn: whom to tell, and when it is; away: nobody was let in for a while. edge_catch_up: all that has happened to connections. */
void edge_turn(struct edge *e, struct broker *b, struct now now, bool away);
void edge_catch_up(struct edge *e);
/* edge_step: what is due by time. all_heard: whatever whole message had come was handed over since the last step
 * of which that was true: only then a message without an end can be told from whole ones that wait. */
void edge_step(struct edge *e, bool all_heard);

/* edge_knows: whose frame this is, that came from descriptor fd (-1 = libzmq does not say). */
enum edge_answer edge_knows(struct edge *e, int fd, uint32_t routing);
/* edge_is_probe: a first frame under this key from fd is our own probe's: it is taken care of, and not
 * for the core. */
bool edge_is_probe(struct edge *e, int fd, const struct transport_pk *key);
/* edge_offence, edge_cut: guard_offence, guard_cut. edge_counts: for broker_out. */
void edge_offence(struct edge *e, int fd, enum cut_reason reason);
void edge_cut(struct edge *e, uint32_t routing);
/* edge_hopeless: guard_hopeless: the process should leave, and another one begin. */
bool edge_hopeless(const struct edge *e);
void edge_counts_read(const struct edge *e, struct edge_counts *out);

#endif
