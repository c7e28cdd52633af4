/* fanout_script: a scripted broker and store around the fan-out core: builds the slabs that a
 * broker would send and takes apart what the core sends. Time is a variable. */
#ifndef SEALMQ_TESTS_FANOUT_SCRIPT_H
#define SEALMQ_TESTS_FANOUT_SCRIPT_H

#include "broker/wire/messages.h"
#include "workers/fanout/fanout.h"
#include "workers/fanout/wakes.h"

#include <criterion/criterion.h>
#include <string.h>

#define SCRIPT_FRAMES_MAX 32u

struct script {
    struct fanout *f;
    struct now now;
    struct fanout_config config;
    struct boot_id broker_boot;
    size_t broker; /* who speaks and is listened to */
    struct arena arena;
    struct frame frames[SCRIPT_FRAMES_MAX]; /* of the last script_run; views live in the arena */
    size_t frame_count;
};

static const struct store_id store_a = {{0xa}}, store_b = {{0xb}};

static inline struct script script_new_of(bool webhook, size_t broker_count)
{
    struct script s = {.now = {.wall_ms = 1700000000000, .mono_ms = 5000}, .broker_boot = {{1}}};
    s.config = (struct fanout_config){.boot = {{0xf}},
                                      .broker_count = broker_count,
                                      .webhook = webhook,
                                      .wake_retry_ms = 1000,
                                      .wake_attempts = 4,
                                      .mark_key = {{7}}};
    s.f = fanout_new(&s.config, s.now);
    return s;
}

static inline void script_end(struct script *s)
{
    fanout_free(&s->f);
    arena_fini(&s->arena);
}

static inline struct script script_new(bool webhook)
{
    return script_new_of(webhook, 1);
}

/* The broker says one frame. */
static inline void script_say(struct script *s, const struct frame_header *h,
                              const struct codec_desc *desc, const void *message)
{
    struct buffer b = {0};
    struct stamp stamp = {0};
    slab_begin(&b);
    size_t item = slab_item_begin(&b, &stamp);
    frame_write(&b, h, desc, message);
    slab_item_end(&b, item);
    slab_finish(&b, &(struct slab_header){.role = ROLE_BROKER, .boot = s->broker_boot});
    fanout_receive(s->f, s->now, s->broker, buffer_view(&b));
    buffer_fini(&b);
}

/* One step of the core `later_ms` later; what it sends to the broker is taken (with `sent`) and
 * parsed. */
static inline void script_run_to(struct script *s, uint64_t later_ms, enum status sent)
{
    struct view slab, bytes;
    struct slab_header header;
    struct slab_reader items;
    struct stamp stamp;
    s->now.mono_ms += later_ms;
    s->now.wall_ms += later_ms;
    s->frame_count = 0;
    fanout_step(s->f, s->now);
    if (!fanout_outgoing(s->f, s->broker, &slab)) return;
    slab = arena_copy(&s->arena, slab);
    fanout_sent(s->f, s->now, s->broker, sent);
    cr_assert_eq(slab_open(slab, &header, &items), STATUS_OK);
    cr_assert_eq(header.role, ROLE_FANOUT);
    while (slab_next(&items, &stamp, &bytes)) {
        cr_assert_lt(s->frame_count, SCRIPT_FRAMES_MAX);
        cr_assert_eq(stamp.origin, ORIGIN_PEER);
        cr_assert_eq(frame_check(bytes, FROM_WORKER, &s->frames[s->frame_count++]), STATUS_OK);
    }
    cr_assert_eq(slab_done(&items), STATUS_OK);
}

static inline void script_run(struct script *s, uint64_t later_ms)
{
    script_run_to(s, later_ms, STATUS_OK);
}

/* The first frame of this kind in the last run, NULL = none. */
static inline const struct frame *script_sent(const struct script *s, enum frame_kind kind)
{
    for (size_t i = 0; i < s->frame_count; i++)
        if (s->frames[i].header.kind == (uint8_t)kind) return &s->frames[i];
    return NULL;
}

static inline void script_decode(struct script *s, const struct frame *frame,
                                 const struct codec_desc *desc, void *out)
{
    cr_assert_not_null(frame);
    cr_assert_eq(codec_decode(desc, frame->meta, &s->arena, out), STATUS_OK);
}

static inline struct msg_map script_map(struct msg_range ranges[2], size_t count)
{
    ranges[0] = (struct msg_range){0, count == 1 ? 4095 : 2047, store_a, {{1}}};
    ranges[1] = (struct msg_range){2048, 4095, store_b, {{1}}};
    return (struct msg_map){.version = 1, .ranges = ranges, .range_count = count};
}

static inline void script_peer(struct script *s, size_t stores)
{
    struct msg_range ranges[2];
    struct msg_peer peer = {.boot = s->broker_boot, .map = script_map(ranges, stores)};
    script_say(s, &(struct frame_header){.kind = KIND_PEER}, &msg_peer_desc, &peer);
}

static inline void script_beat(struct script *s, size_t stores)
{
    struct msg_range ranges[2];
    struct msg_heartbeat beat = {.row.boot = s->broker_boot, .map = script_map(ranges, stores)};
    script_say(s, &(struct frame_header){.kind = KIND_HEARTBEAT}, &msg_heartbeat_desc, &beat);
}

/* Up to the first LEASE, whose frame is returned. */
static inline const struct frame *script_ready(struct script *s)
{
    script_run(s, 0);
    cr_assert_not_null(script_sent(s, KIND_READY));
    script_peer(s, 1);
    script_run(s, 1);
    cr_assert_not_null(script_sent(s, KIND_LEASE));
    return script_sent(s, KIND_LEASE);
}

static inline struct msg_wake script_wake(uint8_t name, uint32_t attempt)
{
    struct msg_wake w = {.device = {{name}}, .account = {{name, 1}}, .attempt = attempt};
    return w;
}

/* The store answers a LEASE with these wake-ups. */
static inline void script_lease(struct script *s, const struct frame *lease, struct msg_wake *wakes,
                                size_t count, bool more)
{
    struct msg_leased leased = {.wakes = wakes, .wake_count = count, .more = more};
    struct frame_header h = {
        .kind = KIND_LEASED, .correlation = lease->header.correlation, .home = lease->header.home};
    script_say(s, &h, &msg_leased_desc, &leased);
}

/* A core that holds one wake-up and has handed it to the poster. */
static inline struct fanout_post script_posting(struct script *s, uint32_t attempt)
{
    struct fanout_post post;
    struct msg_wake wake = script_wake(9, attempt);
    script_lease(s, script_ready(s), &wake, 1, false);
    cr_assert(fanout_post_next(s->f, &post));
    return post;
}

/* The one result of the WOKEN in the last run. */
static inline struct msg_wake_result script_result(struct script *s)
{
    struct msg_woken woken;
    script_decode(s, script_sent(s, KIND_WOKEN), &msg_woken_desc, &woken);
    cr_assert_eq(woken.result_count, 1);
    return woken.results[0];
}

/* The next event of this kind for the journal; other kinds are skipped; kind 0 in the result =
 * none. */
static inline struct event script_event(struct script *s, enum event_kind kind)
{
    struct event e;
    while (fanout_event(s->f, &e))
        if (e.kind == kind) return e;
    return (struct event){0};
}

#endif
