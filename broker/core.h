/* core: what the files of the broker's core share: its state, and the few moves that more than
 * one of them makes. Who does what: broker.c the turn (flush, tick, drain) · client.c frames
 * from the edge · deliver.c frames to clients · backend.c slabs from workers · worker.c slabs to
 * workers · reply.c answers to forwarded requests · admin.c the operators' socket, overview.c
 * its one own answer · session, pending, route, backlog, meter the tables. */
#ifndef SEALMQ_BROKER_CORE_H
#define SEALMQ_BROKER_CORE_H

#include "broker/backlog.h"
#include "broker/broker.h"
#include "broker/route.h"
#include "broker/session.h"

#define HEARTBEAT_MS        250u
#define PENDING_TOTAL_MAX   32768u
#define PENDING_KEEP_MS     30000u /* then `unknown`: nothing hangs for ever */
#define ADMIN_PENDING_MAX   64u
#define WORKER_PENDING_MAX  64u    /* a worker's own requests */
#define SLAB_SENDS_LEN      (2u * 1024u * 1024u)  /* does not wait for the end of the turn */
#define SLAB_TAKES_MAX      (16u * 1024u * 1024u) /* more waits: requests are `busy` */
#define SLAB_LOSES_LEN      (32u * 1024u * 1024u) /* above this the worker does not read: lost */
#define SLAB_KEEPS_LEN      (8u * 1024u * 1024u)  /* a larger buffer is given back once sent */
#define RETRY_AFTER_MS      100u
#define CUT_LATE_MS         1000u  /* a device that may have no session has none behind that */
#define RECORDS_PER_TICK    4u
#define HINT_SESSIONS_MAX   16u    /* of one device that are told */
#define SWEEP_SLOTS         2048u  /* connections looked at per tick */

struct counts {
    uint64_t frames_in, frames_out;
    uint64_t refused;   /* requests answered with any error but busy and rate_limited */
    uint64_t limited;   /* requests answered rate_limited */
    uint64_t cut;       /* connections that sent far more than they may, and on */
    uint64_t ended;     /* sessions of devices that may have none any more */
    uint64_t ended_ms_max; /* the longest from a store's word to its end here */
    uint64_t busy;      /* requests answered busy */
    uint64_t undelivered; /* pushes that could not be handed over */
    uint64_t busy_told; /* of these, already in an OVERLOAD event */
    uint64_t unmatched; /* replies that nobody waited for */
    uint64_t strays;    /* frames of workers that may not speak, or say what they may not */
};

struct broker {
    struct broker_config config;
    struct now now; /* of the present turn; every public function sets it first */
    struct sessions sessions;
    struct pendings pendings;
    struct route route;
    struct backlog backlog;
    struct meter meter;
    struct pending_list admin_asked;
    struct event_records records;
    struct counts counts;
    struct arena arena;        /* decoded messages; reset by flush */
    struct buffer scratch;     /* one frame being written; dead after the call that wrote it */
    uint64_t started_ms, beat_ms, overload_ms;
    uint64_t backlog_ms;    /* not before: the next pass of backlog_retry */
    uint32_t backlog_round; /* numbers the passes */
    struct worker *eager; /* has a slab too long to wait for the end of the turn */
    uint32_t sweep_at;
    bool draining;
    uint64_t drain_until_ms;
};

/* --- deliver.c: to clients ---------------------------------------------------------------- */

/* client_push: a frame that may be lost. OK; BUSY: its queue is full; GONE: the connection was
 * forgotten, c is dead. */
enum status client_push(struct broker *b, struct connection *c, struct view frame);
/* client_reply: a frame that the client must get while its connection lives: waits in the
 * backlog if it has to. true: c is still there. false: it was forgotten (gone, or too slow for
 * the backlog). Any other connection that has something in the backlog may be forgotten to make
 * room. */
bool client_reply(struct broker *b, struct connection *c, struct view frame);
bool client_reply_error(struct broker *b, struct connection *c, uint64_t correlation,
                        uint16_t home, enum status s);
/* client_reply_limited: the same, `rate_limited`. */
bool client_reply_limited(struct broker *b, struct connection *c,
                          const struct frame_header *request, uint64_t retry_after_ms);
/* client_forget: tells the home's owner CLOSED if c is bound, orphans its requests, frees the
 * slot. */
void client_forget(struct broker *b, struct connection *c);
/* client_cut: ends the connection that speaks under this routing id, which client_forget was called for. */
void client_cut(struct broker *b, uint32_t routing);
void backlog_retry(struct broker *b);

/* --- worker.c: to workers ------------------------------------------------------------------ */

/* worker_add: appends a stamped frame to what leaves for w at the next flush. */
void worker_add(struct worker *w, const struct stamp *stamp, struct view frame);
/* worker_add_message: the same with a frame made of this meta. */
void worker_add_message(struct worker *w, const struct stamp *stamp,
                        const struct frame_header *header, const struct codec_desc *desc,
                        const void *message);
/* worker_forward: sends a request on to the owner of its home, and remembers who asked. OK;
 * BUSY: no owner can take it now, or too many bytes are pending; MALFORMED: its correlation id
 * is pending already. */
enum status worker_forward(struct broker *b, const struct stamp *stamp, struct pending_list *asker,
                           const struct frame_header *header, struct view frame) MUST_USE;
/* worker_lose: answers everything pending at w `unknown`, tells WORKER_LOST, and forgets w
 * unless it is fenced. */
void worker_lose(struct broker *b, struct worker *w);
/* worker_flush: sends what waits for w. A worker that is gone or does not read is lost: w may be
 * dead afterwards, and other connections too. */
void worker_flush(struct broker *b, struct worker *w);
void worker_beat(struct broker *b, struct worker *w);
/* worker_closed: CLOSED for the session in this stamp, to whoever holds its home now. */
void worker_closed(struct broker *b, const struct stamp *stamp);
/* worker_expire: `unknown` for what has been pending too long. */
void worker_expire(struct broker *b, struct worker *w);

/* --- broker.c ------------------------------------------------------------------------------ */

/* broker_event: to the callback and, later, to a store (event_records). at_ms is filled in. */
void broker_event(struct broker *b, struct event e);

/* --- reply.c: answers to forwarded requests ------------------------------------------------- */

/* One frame out of a worker's slab. */
struct item {
    struct worker *w;
    struct stamp stamp;
    struct frame frame;
    struct view bytes; /* of the whole frame */
};

/* reply_take: a reply came; passes it to whoever waits for it, or counts it as unmatched. */
void reply_take(struct broker *b, const struct item *item);
/* reply_error: `s` as the answer to a request, wherever that came from; p is a copy. */
void reply_error(struct broker *b, const struct pending *p, enum status s);
/* reply_fail_oldest: takes the oldest request out of a worker's list and answers it `unknown`; true
 * when somebody was told. The list must not be empty. */
bool reply_fail_oldest(struct broker *b, struct pending_list *assigned);

/* --- overview.c ---------------------------------------------------------------------------- */

/* overview_write: the OVERVIEW_IS frame that answers this request. */
void overview_write(struct broker *b, const struct frame_header *request, struct buffer *out);

#endif
