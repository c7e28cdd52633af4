/* broker_fixture: a broker core between scripted clients and workers. Nothing is answered by
 * itself: the test says what each side says, moves the clock, and takes what came out in order. */
#ifndef SEALMQ_TESTS_BROKER_FIXTURE_H
#define SEALMQ_TESTS_BROKER_FIXTURE_H

#include "broker/broker.h"
#include "broker/wire/messages.h"

#define OUTPUTS_MAX 2048u

/* One frame that the broker sent. */
struct output {
    bool taken;
    uint64_t to; /* routing, peer or caller */
    struct stamp stamp; /* to workers */
    struct slab_header slab;
    struct frame frame; /* views into bytes */
    struct buffer bytes;
};

struct outputs {
    struct output list[OUTPUTS_MAX];
    size_t count;
};

struct relay {
    struct broker *broker;
    struct now now;
    struct outputs clients, workers, admins;
    struct event events[256];
    size_t event_count;
    uint32_t cut;     /* the routing id that was cut last, and how often one was */
    size_t cut_count;
    struct peer_address from; /* where clients are from now on */
    /* What the sockets say from now on. */
    uint32_t refusing_client; /* this routing id gets client_status instead of OK, */
    uint32_t refusing_more;   /* and so many after it */
    enum status client_status, worker_status;
};

/* relay_new: a relay that limits nobody's rate; relay_metered_new: by these rates. */
struct relay *relay_new(uint32_t connections_max);
struct relay *relay_metered_new(uint32_t connections_max, struct meter_rates rates);
void relay_free(struct relay *r);
/* relay_knows: whether this routing id has an entry. */
bool relay_knows(const struct relay *r, uint32_t routing);
/* relay_pass: ms milliseconds in steps of 50, with ticks and flushes. */
void relay_pass(struct relay *r, uint64_t ms);
void relay_flush(struct relay *r);
/* relay_clear: forgets what was sent so far, taken or not. */
void relay_clear(struct relay *r);

/* A client, worker or operator says a frame with this meta. */
void client_says(struct relay *r, uint32_t routing, struct frame_header header,
                 const struct codec_desc *desc, const void *message);
void worker_says(struct relay *r, uint64_t peer, const struct slab_header *slab,
                 const struct stamp *stamp, struct frame_header header,
                 const struct codec_desc *desc, const void *message);
void admin_says(struct relay *r, uint32_t caller, struct frame_header header,
                const struct codec_desc *desc, const void *message);

/* The oldest frame of this kind sent there and not taken yet; NULL when there is none. KIND_NONE
 * = of any kind. Good until relay_free. */
struct output *client_takes(struct relay *r, uint32_t routing, enum frame_kind kind);
struct output *worker_takes(struct relay *r, uint64_t peer, enum frame_kind kind);
struct output *admin_takes(struct relay *r, uint32_t caller, enum frame_kind kind);
/* error_status: what an ERROR frame says; fails the test on anything else, or NULL. */
enum status error_status(const struct output *o);
uint32_t error_retry_ms(const struct output *o);
size_t relay_events(const struct relay *r, enum event_kind kind);

/* Account n lives in partition 16 n; its device and key are made of n. */
struct account_id account_n(uint8_t n);
struct device_id device_n(uint8_t n);
uint16_t home_n(uint8_t n);
struct slab_header storage_header(uint8_t boot, uint64_t term_ms, uint64_t commit);
struct slab_header fanout_header(uint8_t boot);

/* A storage worker for all partitions (or first..last) of store `store` announces itself. */
void storage_readies(struct relay *r, uint64_t peer, uint8_t store, const struct slab_header *h,
                     uint32_t first, uint32_t last, uint32_t credit);
void fanout_readies(struct relay *r, uint64_t peer, uint8_t boot);
void worker_beats(struct relay *r, uint64_t peer, const struct slab_header *h);
/* HELLO from the client, WELCOME {number} from the worker, taken by both; device_n(n) is bound. */
void client_binds(struct relay *r, uint32_t routing, uint8_t n, uint64_t peer,
                  const struct slab_header *h, uint64_t number);
void client_greets(struct relay *r, uint32_t routing, uint8_t n, uint64_t correlation);
/* A reply to a request that the worker got: origin and conn repeated. */
void worker_answers(struct relay *r, uint64_t peer, const struct slab_header *h,
                    const struct output *request, enum frame_kind kind,
                    const struct codec_desc *desc, const void *message);
void client_sends(struct relay *r, uint32_t routing, uint8_t n, uint64_t correlation);

#endif
