/* flow: which message is due when, what is in it, and what became of each.
 *
 * A body is its number, the number mixed with the run, then bytes from a random pool at a place that the
 * number gives: made by one copy, checked by one comparison, and no two neighbours are alike.
 * Invariants: messages below tail have come to their end; those from tail to sent have a place each
 * in the ring; a message is counted as accepted and as delivered at most once. */
#include "bench/peers/flow.h"

#include "broker/host/host.h"

#include <stdlib.h>
#include <string.h>

#define POOL_LEN  (1u << 20)
#define POOL_STEP 1021u /* a prime: consecutive bodies start at different places */

enum { FLIGHT_ACCEPTED = 1, FLIGHT_DELIVERED = 2, FLIGHT_ENDED = 3 };

struct flight {
    uint64_t due_us;
    uint8_t state;
};

struct flow {
    struct flow_config config;
    struct flow_counts counts;
    uint64_t start_us, last_us;
    uint64_t tail;
    uint64_t end; /* no message from here on */
    unsigned next_sender;
    struct flight *ring;
    size_t batch; /* the most for one sender at once; in the closed loop also the least */
    uint8_t *pool, *bodies;
    struct flow_message messages[FLOW_BATCH_MAX];
    struct histogram accept, end_to_end, interval;
};

static size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

struct flow *flow_new(const struct flow_config *config)
{
    struct flow *f = calloc(1, sizeof *f);
    ENSURE(f && config->size >= FLOW_SIZE_MIN && config->size <= FLOW_SIZE_MAX);
    f->config = *config;
    f->end = config->count ? config->count : UINT64_MAX;
    f->ring = calloc(FLOW_FLIGHT_MAX, sizeof *f->ring);
    f->pool = malloc(POOL_LEN + config->size);
    f->bodies = malloc(FLOW_BATCH_BYTES + FLOW_BATCH_MAX * FLOW_SIZE_MIN);
    ENSURE(f->ring && f->pool && f->bodies);
    host_random(f->pool, POOL_LEN + config->size);
    /* As the generator for SealMQ does it: half of the window can be on its way to the server. */
    f->batch = FLOW_BATCH_MAX;
    if (config->window)
        f->batch = at_most((size_t)config->window / (2 * config->senders), FLOW_BATCH_MAX);
    if (f->batch * config->size > FLOW_BATCH_BYTES) f->batch = FLOW_BATCH_BYTES / config->size;
    if (f->batch < 1) f->batch = 1;
    return f;
}

void flow_free(struct flow **f)
{
    if (!*f) return;
    free((*f)->ring);
    free((*f)->pool);
    free((*f)->bodies);
    free(*f);
    *f = NULL;
}

void flow_start(struct flow *f, uint64_t now_us)
{
    f->start_us = f->last_us = now_us;
}

void flow_end(struct flow *f)
{
    f->end = f->counts.sent;
}

/* ---- what is due ---- */

static uint64_t due_us(const struct flow *f, uint64_t number)
{
    return f->start_us + (uint64_t)((double)number * 1e6 / f->config.rate);
}

static bool over(const struct flow *f, uint64_t now_us)
{
    return f->config.duration_us && now_us >= f->start_us + f->config.duration_us;
}

/* How many messages may go now, before all limits but the batch's. */
static uint64_t due_count(const struct flow *f, uint64_t now_us)
{
    uint64_t open = f->counts.sent - f->tail, due = 0;
    if (f->config.window) {
        uint64_t done =
            f->counts.accepted < f->counts.delivered ? f->counts.accepted : f->counts.delivered;
        open = f->counts.sent - done - f->counts.refused;
        due = over(f, now_us) || open >= f->config.window ? 0 : f->config.window - open;
        if (due < f->batch && due < f->end - f->counts.sent) due = 0;
    } else {
        while (due < FLOW_BATCH_MAX && due_us(f, f->counts.sent + due) <= now_us)
            due++;
        if (f->config.duration_us) { /* the schedule ends there, however late we are */
            uint64_t all = (uint64_t)(f->config.rate * (double)f->config.duration_us / 1e6);
            if (due > all - f->counts.sent) due = all - f->counts.sent;
        }
    }
    if (due > f->end - f->counts.sent) due = f->end - f->counts.sent;
    if (due > FLOW_FLIGHT_MAX - (f->counts.sent - f->tail))
        due = FLOW_FLIGHT_MAX - (f->counts.sent - f->tail);
    return due;
}

static const uint8_t *pool_at(const struct flow *f, uint64_t number)
{
    return f->pool + number * POOL_STEP % POOL_LEN;
}

static void message_make(struct flow *f, uint64_t number, uint8_t *body, struct flow_message *out)
{
    size_t size = f->config.size;
    out->number = number;
    out->queue = (unsigned)(number % f->config.queues);
    memcpy(out->id, f->config.run, 8);
    put_u64(out->id + 8, number);
    put_u64(body, number);
    put_u64(body + 8, number ^ get_u64(f->config.run));
    memcpy(body + 16, pool_at(f, number), size - 16);
    out->body = view_of(body, size);
}

size_t flow_take(struct flow *f, uint64_t now_us, struct flow_message **messages, unsigned *sender)
{
    size_t count = at_most((size_t)due_count(f, now_us), f->batch);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = f->counts.sent++;
        struct flight *flight = &f->ring[number % FLOW_FLIGHT_MAX];
        message_make(f, number, f->bodies + i * f->config.size, &f->messages[i]);
        flight->due_us = f->config.window ? now_us : due_us(f, number);
        flight->state = 0;
    }
    *messages = f->messages;
    *sender = f->next_sender;
    if (count) f->next_sender = (f->next_sender + 1) % f->config.senders;
    return count;
}

uint64_t flow_wait_us(const struct flow *f, uint64_t now_us)
{
    uint64_t due;
    if (f->config.window || flow_sent_all(f, now_us)) return UINT64_MAX;
    due = due_us(f, f->counts.sent);
    return due > now_us ? due - now_us : 0;
}

bool flow_sent_all(const struct flow *f, uint64_t now_us)
{
    if (f->counts.sent >= f->end) return true;
    if (f->config.window || !f->config.duration_us) return over(f, now_us);
    return f->counts.sent >= (uint64_t)(f->config.rate * (double)f->config.duration_us / 1e6);
}

bool flow_done(const struct flow *f, uint64_t now_us)
{
    return flow_sent_all(f, now_us) && f->tail == f->counts.sent;
}

/* ---- what came of it ---- */

/* NULL: not one that is under way. */
static struct flight *flight_of(struct flow *f, uint64_t number)
{
    if (number < f->tail || number >= f->counts.sent) return NULL;
    return &f->ring[number % FLOW_FLIGHT_MAX];
}

static void flight_move(struct flow *f, struct flight *flight, unsigned state)
{
    flight->state = (uint8_t)(flight->state | state);
    while (f->tail < f->counts.sent && f->ring[f->tail % FLOW_FLIGHT_MAX].state == FLIGHT_ENDED)
        f->tail++;
}

static uint64_t latency(struct flow *f, const struct flight *flight)
{
    f->last_us = host_mono_us();
    return f->last_us > flight->due_us ? f->last_us - flight->due_us : 0;
}

void flow_accepted(struct flow *f, uint64_t number)
{
    struct flight *flight = flight_of(f, number);
    if (!flight || flight->state & FLIGHT_ACCEPTED) return;
    uint64_t us = latency(f, flight);
    histogram_record(&f->accept, us);
    histogram_record(&f->interval, us);
    f->counts.accepted++;
    flight_move(f, flight, FLIGHT_ACCEPTED);
}

void flow_refused(struct flow *f, uint64_t number)
{
    struct flight *flight = flight_of(f, number);
    if (!flight || flight->state) return;
    f->counts.refused++;
    flight_move(f, flight, FLIGHT_ENDED);
}

static bool body_right(const struct flow *f, unsigned queue, struct view body, uint64_t *number)
{
    if (body.len != f->config.size) return false;
    *number = get_u64(body.at);
    return *number < f->counts.sent && queue == *number % f->config.queues &&
           get_u64(body.at + 8) == (*number ^ get_u64(f->config.run)) &&
           memcmp(body.at + 16, pool_at(f, *number), body.len - 16) == 0;
}

void flow_delivered(struct flow *f, unsigned queue, struct view body)
{
    uint64_t number = 0;
    if (!body_right(f, queue, body, &number)) {
        f->counts.corrupted++;
        return;
    }
    struct flight *flight = flight_of(f, number);
    if (!flight || flight->state & FLIGHT_DELIVERED) {
        f->counts.duplicated++;
        return;
    }
    histogram_record(&f->end_to_end, latency(f, flight));
    f->counts.delivered++;
    flight_move(f, flight, FLIGHT_DELIVERED);
}

/* ---- figures ---- */

const struct flow_counts *flow_counts(const struct flow *f)
{
    return &f->counts;
}

const struct histogram *flow_accept(const struct flow *f)
{
    return &f->accept;
}

const struct histogram *flow_end_to_end(const struct flow *f)
{
    return &f->end_to_end;
}

const struct histogram *flow_interval(const struct flow *f)
{
    return &f->interval;
}

void flow_interval_reset(struct flow *f)
{
    histogram_reset(&f->interval);
}

uint64_t flow_last_us(const struct flow *f)
{
    return f->last_us;
}
