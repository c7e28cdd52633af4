/* guard: which connections the edge ends, and why: a table of them by descriptor, told what happens to
 * each (accepted, first frame, bytes, ended). It decides; who executes is told through struct guard_out.
 * Sans-I/O. A descriptor is a number that comes back for another connection: an entry lives from
 * guard_accepted to guard_ended, and both come in the order in which it happened.
 *
 * The rules; each is a cut_reason (states.h), and an event says how many it hit:
 *
 *   at accept (the connection is shed)
 *   BANNED          the address offended OFFENCES_MAX times in a minute: for a minute
 *   ADDRESS_FULL    more than address_connections_max open connections of one address
 *   ADDRESS_SILENT  more than ADDRESS_SILENT_MAX of one address have not said anything yet
 *   HALF_OPEN       more than HALF_OPEN_MAX of all have not said anything yet
 *   CONNECTIONS     connections_max are there
 *   DESCRIPTORS     more than 80 % of the process's descriptors are in use
 *   later
 *   SILENT          no frame within FIRST_FRAME_MS of being accepted (a handshake alone is no frame)
 *   UNFINISHED      more than UNFINISHED_MAX bytes came, and no message of them is complete
 *   UNFINISHED_ALL  together such bytes are more than UNFINISHED_ALL_MAX: whoever has most
 *   UNREAD          what was sent is not acknowledged by the peer's system for UNREAD_MS
 *   ROUTING_ID      speaks under a routing id that libzmq cannot have given it
 *   PARTS, NO_KEY   found by who reads the frames
 *   SESSION         found by the core
 *
 * Offences are: to end without a first frame, and SILENT, UNFINISHED, ROUTING_ID, PARTS, NO_KEY. */
#ifndef SEALMQ_BROKER_GUARD_H
#define SEALMQ_BROKER_GUARD_H

#include "broker/addresses.h"
#include "broker/broker.h"
#include "broker/wire/limits.h"

#define ADDRESS_SILENT_MAX  256u
#define HALF_OPEN_MAX       4096u
#define FIRST_FRAME_MS      10000u
#define UNFINISHED_MAX      (FRAME_LEN_MAX + 4u * 1024u * 1024u)
#define UNFINISHED_ALL_MAX  (256u * 1024u * 1024u)
#define UNREAD_MS           30000u
#define STUCK_MS            5000u  /* cut so long ago, and not ended */
#define STUCK_FEWEST        8u     /* of stuck ones, connections_max / 8 are too many, but not fewer than these */
#define LOOKS_PER_STEP      4096u  /* descriptors that guard_look_next passes in one step */
#define GUARD_STEP_MS       100u

/* Who is at the other end of a descriptor; all zero = could not be told any more. */
struct edge_peer {
    struct peer_address host; /* the whole address: IPv4 as ::ffff:a.b.c.d */
    uint16_t port;
};

/* What the kernel counted on a connection since it was accepted. */
struct edge_traffic {
    uint64_t received;
    uint64_t acked; /* sent and acknowledged */
    bool unacked;   /* there is something sent and not acknowledged, or not even sent yet */
    bool behind;    /* the socket was not read to its end: whole messages of it may still wait to be heard */
};

struct guard_out {
    void *context;
    /* End this connection, if the descriptor is still that peer's; asked again where it goes on. */
    void (*cut)(void *context, int fd, const struct edge_peer *peer);
    /* The connection that spoke under this routing id is no more. */
    void (*gone)(void *context, uint32_t routing);
    void (*event)(void *context, const struct event *e);
};

struct guard_config {
    uint32_t connections_max, address_connections_max;
    uint32_t descriptors_max; /* RLIMIT_NOFILE */
    uint32_t first_routing;   /* the number in the first routing id that libzmq gave on this socket */
    uint8_t seed[16];         /* random */
    struct guard_out out;
};

struct guard;

/* guard_new: never NULL. guard_free: NULL-safe, nulls. */
struct guard *guard_new(const struct guard_config *config);
void guard_free(struct guard **g);

/* guard_accepted: a connection has come; may cut it at once. guard_ended: it has ended, by whomever; the
 * descriptor is free. Descriptors that were never accepted are ignored. */
void guard_accepted(struct guard *g, uint64_t now_ms, int fd, const struct edge_peer *peer);
void guard_ended(struct guard *g, uint64_t now_ms, int fd);
void guard_accept_failed(struct guard *g, uint32_t error);

/* guard_heard: a frame came from this descriptor under this routing id, and that is who spoke there
 * before. false = not known so: tell guard_accepted and guard_ended all that has happened, then ask
 * guard_speaks. */
bool guard_heard(struct guard *g, int fd, uint32_t routing);
/* guard_speaks: the same for a first frame. true = it may be handled. false = drop it: its connection is
 * cut (and is, if that was not so before), or it has ended and the frame is late. */
bool guard_speaks(struct guard *g, uint64_t now_ms, int fd, uint32_t routing);
/* guard_own: who spoke last is our own probe, which libzmq numbered itself: the bound of what ids can be
 * there moves on, and its address is never banned or full. */
void guard_own(struct guard *g, int fd);
/* guard_ids_next: the first number that no connection can have been given yet. guard_squatted: some connection has
 * one from there on, and aborts libzmq when its turn comes. It has not spoken, or it would be cut; so all that
 * have not are cut, for ROUTING_ID. */
uint32_t guard_ids_next(const struct guard *g);
void guard_squatted(struct guard *g, uint64_t now_ms);
/* guard_excuse: until it is called with false, who says nothing is no offender: we were not there to let anybody in. */
void guard_excuse(struct guard *g, bool excused);
/* guard_offence: a frame from this descriptor was not to be (PARTS, NO_KEY, ROUTING_ID): cut. */
void guard_offence(struct guard *g, uint64_t now_ms, int fd, enum cut_reason reason);
/* guard_cut: the core does not want this connection any more. */
void guard_cut(struct guard *g, uint64_t now_ms, uint32_t routing);

/* Every GUARD_STEP_MS, after what has come was read: guard_step (events, what waits for time), then for each descriptor that
 * guard_look_next names, until -1, its traffic to guard_look. One that was cut and does not end is cut again now and
 * then: shutting it may have failed for want of a descriptor. */
void guard_step(struct guard *g, uint64_t now_ms);
int guard_look_next(struct guard *g);
void guard_look(struct guard *g, uint64_t now_ms, int fd, const struct edge_traffic *traffic);

/* guard_hopeless: what was cut and does not end holds so many descriptors or bytes that only another process
 * helps. (libzmq 4.3.4 keeps a connection under another's routing id for ever, once its queue is full.) */
bool guard_hopeless(const struct guard *g);

void guard_counts(const struct guard *g, struct edge_counts *out);

#endif
