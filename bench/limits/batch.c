/* batch: see batch.h. Messages go to the devices by turns, each device's positions rise, ids are UUIDv7
 * of one clock: as a relay would write them under steady load. */
#include "bench/limits/batch.h"

#include "bench/limits/limit.h"
#include "broker/host/host.h"

#include <stdlib.h>
#include <string.h>

#define POOL_LEN   (1u << 20)
#define ANSWER_LEN 64u /* of an encoded answer in a claim */

struct batch_maker {
    unsigned messages;
    uint64_t next, deleted;
    struct device_id devices[BATCH_DEVICES], sender;
    struct target_id targets[BATCH_DEVICES];
    struct term term;
    uint8_t pool[POOL_LEN + LIMIT_BODY];
    struct arena arena;
    struct store_batch batch;
};

struct batch_maker *batch_maker_new(unsigned messages)
{
    struct batch_maker *m = calloc(1, sizeof *m);
    ENSURE(m != NULL);
    m->messages = messages;
    host_random(m->devices, sizeof m->devices);
    host_random(m->targets, sizeof m->targets);
    host_random(&m->sender, sizeof m->sender);
    host_random(m->pool, sizeof m->pool);
    m->term = term_make(host_now().wall_ms, 1);
    return m;
}

void batch_maker_free(struct batch_maker **m)
{
    if (!*m) return;
    arena_fini(&(*m)->arena);
    free(*m);
    *m = NULL;
}

static struct view key_keep(struct arena *a, struct store_key key)
{
    return arena_copy(a, key_view(&key));
}

static struct view envelope_key(struct batch_maker *m, uint64_t number)
{
    size_t at = number % BATCH_DEVICES;
    struct position position = {.term = m->term, .seq = number / BATCH_DEVICES + 1};
    return key_keep(&m->arena, key_position(ROW_ENVELOPE, home_of_target(m->targets[at]),
                                            m->devices[at], position));
}

static void message_add(struct batch_maker *m, uint64_t number, uint64_t now_ms)
{
    uint8_t random[10] = {0};
    struct arena *a = &m->arena;
    put_u64(random, number);
    struct message_id id = message_id_make(now_ms, random);
    struct target_id target = m->targets[number % BATCH_DEVICES];
    const uint8_t *body = m->pool + number * 1021u % POOL_LEN;
    struct envelope_row envelope = {.sender_device = m->sender,
                                    .target = target,
                                    .id = id,
                                    .accepted_ms = now_ms,
                                    .expires_ms = now_ms};
    struct claim_row claim = {
        .accepted_ms = now_ms, .expires_ms = now_ms, .answer = view_of(body, ANSWER_LEN)};
    memcpy(claim.digest.bytes, body, sizeof claim.digest.bytes);
    store_batch_put(&m->batch, a, SPACE_PAYLOAD, envelope_key(m, number),
                    envelope_row_write(a, &envelope), view_of(body, LIMIT_BODY));
    store_batch_put(&m->batch, a, SPACE_ROUTING, key_keep(a, key_claim(m->sender, target, id, 0)),
                    claim_row_write(a, &claim), view_of(NULL, 0));
}

const struct store_batch *batch_next(struct batch_maker *m)
{
    uint64_t now_ms = host_now().wall_ms;
    arena_reset(&m->arena);
    m->batch = (struct store_batch){0};
    for (unsigned i = 0; i < m->messages; i++)
        message_add(m, m->next++, now_ms);
    while (m->next - m->deleted > BATCH_BEHIND + m->messages)
        store_batch_delete(&m->batch, &m->arena, SPACE_PAYLOAD, envelope_key(m, m->deleted++));
    return &m->batch;
}
