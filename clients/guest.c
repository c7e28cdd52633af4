/* guest: one request without a session, repeated until it is answered. Invariant: a correlation id is never used twice, so
 * an answer that comes late is nobody's. */
#include "clients/guest.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS     10000u
#define RETRY_MIN_MS   250u
#define RETRY_MAX_MS   5000u
#define SILENT_MAX     2u /* time-outs in a row, then another endpoint */
#define CORRELATION_AT 8u /* in the header (PROTOCOL 3) */
#define NEVER          UINT64_MAX

struct guest {
    struct random_source random;
    bool up, asking, sent, ended, move;
    uint64_t correlation;
    uint64_t at_ms;      /* mono: when to send; once sent, when to give up waiting */
    unsigned tries;      /* without a definite answer */
    unsigned silent;
    struct buffer ask;   /* the frame */
    struct buffer reply; /* a copy of what answered it */
    struct frame answer; /* in it */
    enum status how;
};

void guest_new(const struct random_source *random, struct guest **out)
{
    struct guest *g = calloc(1, sizeof *g);
    ENSURE(g);
    g->random = *random;
    *out = g;
}

void guest_free(struct guest **at)
{
    struct guest *g = *at;
    if (!g) return;
    buffer_fini(&g->ask);
    buffer_fini(&g->reply);
    free(g);
    *at = NULL;
}

enum status guest_ask(struct guest *g, struct now now, enum frame_kind kind, uint16_t home,
                      const struct codec_desc *desc, const void *message)
{
    if (g->asking || g->ended) return STATUS_BUSY;
    buffer_clear(&g->ask);
    frame_write(&g->ask, &(struct frame_header){.kind = (uint8_t)kind, .correlation = 1, .home = home}, desc, message);
    g->asking = true;
    g->sent = false;
    g->tries = 0;
    g->at_ms = now.mono_ms;
    return STATUS_OK;
}

bool guest_answer(struct guest *g, enum status *how, struct frame *reply)
{
    if (!g->ended) return false;
    *how = g->how;
    *reply = g->answer;
    g->ended = false;
    return true;
}

void guest_drop(struct guest *g)
{
    g->asking = g->sent = g->ended = false;
}

/* ---- what happened ---- */

static void again_later(struct guest *g, struct now now, uint64_t at_least_ms)
{
    uint8_t bytes[8];
    uint64_t full = g->tries < 5 ? (uint64_t)RETRY_MIN_MS << g->tries : RETRY_MAX_MS;
    if (full > RETRY_MAX_MS) full = RETRY_MAX_MS;
    g->random.fill(g->random.self, bytes, sizeof bytes);
    uint64_t delay = full / 2 + get_u64(bytes) % (full / 2 + 1);
    g->tries++;
    g->sent = false;
    g->at_ms = now.mono_ms + (delay > at_least_ms ? delay : at_least_ms);
}

static void end(struct guest *g, enum status how)
{
    g->asking = g->sent = false;
    g->ended = true;
    g->how = how;
}

void guest_up(struct guest *g, struct now now)
{
    g->up = true;
    g->move = false;
    g->silent = 0;
    if (g->asking && !g->at_ms) g->at_ms = now.mono_ms;
}

void guest_down(struct guest *g)
{
    if (g->sent) g->at_ms = 0;
    g->up = g->sent = false;
}

/* The relay's word against the request. */
static void refused(struct guest *g, struct now now, const struct frame *f)
{
    struct arena a = {0};
    struct msg_error m;
    enum status s = STATUS_MALFORMED;
    if (codec_decode(&msg_error_desc, f->meta, &a, &m) == STATUS_OK) s = status_from_wire(m.status);
    uint32_t wait_ms = s == STATUS_MALFORMED ? 0 : m.retry_after_ms;
    arena_fini(&a);
    if (s == STATUS_DRAINING) g->move = true;
    if (s == STATUS_OK) s = STATUS_MALFORMED; /* an error that is none */
    if (status_client_action(s) == ACTION_RETRY)
        again_later(g, now, wait_ms);
    else
        end(g, s);
}

void guest_frame(struct guest *g, struct now now, struct view bytes)
{
    struct frame f;
    if (!g->sent || frame_check(bytes, FROM_RELAY, &f) != STATUS_OK || f.header.correlation != g->correlation) return;
    buffer_clear(&g->reply);
    write_view(&g->reply, bytes);
    if (frame_check(buffer_view(&g->reply), FROM_RELAY, &g->answer) != STATUS_OK) return;
    g->silent = 0;
    if (g->answer.header.kind == KIND_ERROR)
        refused(g, now, &g->answer);
    else if (g->answer.header.kind == kind_rule_of(g->ask.at[3])->reply)
        end(g, STATUS_OK);
    else
        again_later(g, now, 0); /* a relay that answers something else is asked again, ever slower */
}

void guest_tick(struct guest *g, struct now now)
{
    if (!g->sent || now.mono_ms < g->at_ms) return;
    again_later(g, now, 0);
    g->move = ++g->silent >= SILENT_MAX;
}

uint64_t guest_deadline_ms(const struct guest *g)
{
    return g->up && g->asking ? g->at_ms : NEVER;
}

bool guest_next_frame(struct guest *g, struct now now, struct view *out)
{
    *out = view_of(NULL, 0);
    if (!g->up || !g->asking || g->sent || now.mono_ms < g->at_ms) return false;
    put_u64(g->ask.at + CORRELATION_AT, ++g->correlation);
    g->sent = true;
    g->at_ms = now.mono_ms + TIMEOUT_MS;
    *out = buffer_view(&g->ask);
    return true;
}

void guest_keep_frame(struct guest *g)
{
    g->sent = false;
    g->at_ms = 0;
}

bool guest_wants_move(const struct guest *g)
{
    return g->move;
}
