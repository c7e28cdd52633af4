/* record: events kept in the store for operators, in time order; bounded per second, deleted after
 * their retention. Events never decide anything and never cost a turn its write: they ride along. */
#include "storage/core.h"

#include <string.h>

#define EVENTS_PER_SECOND_MAX 1000u
#define EVENTS_PER_TURN_MAX   128u
#define EVENT_KEYS            64u

static void write_event(struct storage *s, const struct event *e)
{
    struct msg_event m = msg_event_of(e);
    struct buffer encoded = {0};
    codec_encode(&msg_event_desc, &m, &encoded);
    struct store_key key = key_event(e->at_ms, s->event_number++);
    turn_put_new(&s->turn, SPACE_EVENTS, &key,
                 bytes_row_write(&s->turn.arena, buffer_view(&encoded)), view_of(NULL, 0));
    s->event_keys[s->event_keys_written++ % EVENT_KEYS] = key;
    buffer_fini(&encoded);
}

void record_flush(struct storage *s)
{
    struct event e;
    if (s->event_second != s->mono_ms / 1000) {
        s->event_second = s->mono_ms / 1000;
        s->event_second_count = 0;
    }
    for (size_t i = 0; i < EVENTS_PER_TURN_MAX; i++) {
        if (s->event_second_count >= EVENTS_PER_SECOND_MAX) return; /* the ring drops and counts */
        if (!event_ring_take(&s->events, &e)) return;
        write_event(s, &e);
        s->event_second_count++;
    }
}

/* Finds the newest rows once at the start, so that "the last 64 events" needs no backward scan. */
void record_open(struct storage *s)
{
    struct store_key from = key_single(ROW_EVENT), to = key_end(view_of(from.bytes, 1));
    struct store_scan scan = {.space = SPACE_EVENTS, .from = view_of(from.bytes, 1),
                              .to = key_view(&to), .row_max = 4096, .byte_max = 1 << 20,
                              .keys_only = true};
    do {
        if (store_scan(s->store, &scan, &s->turn.arena) != STATUS_OK) return;
        for (size_t i = 0; i < scan.row_count; i++) {
            struct view key = scan.rows[i].key;
            if (key.len > STORE_KEY_LEN_MAX) continue;
            struct store_key *slot = &s->event_keys[s->event_keys_written++ % EVENT_KEYS];
            memcpy(slot->bytes, key.at, key.len);
            slot->len = (uint8_t)key.len;
            s->event_number = key_event_number(key) + 1;
        }
        if (scan.row_count) {
            from = key_after(scan.rows[scan.row_count - 1].key);
            scan.from = key_view(&from);
        }
    } while (scan.more);
}

enum status record_plan(struct storage *s, struct request *r)
{
    (void)s;
    (void)r;
    return STATUS_OK;
}

/* RECORD: events of brokers and fan-out workers; no reply. */
void record_apply(struct storage *s, struct request *r)
{
    const struct msg_record *m = r->meta;
    for (size_t i = 0; i < m->event_count; i++) {
        struct event e = event_of_msg(&m->events[i]);
        event_ring_put(&s->events, &e);
    }
}

/* The first key to show: after the cursor, or the oldest of the newest `limit`. */
enum status events_plan(struct storage *s, struct request *r)
{
    const struct msg_events *m = r->meta;
    struct store_key from = key_single(ROW_EVENT), all = from;
    struct store_key to = key_end(view_of(all.bytes, 1));
    size_t limit = m->limit && m->limit < EVENTS_PER_FRAME ? m->limit : EVENTS_PER_FRAME;
    uint64_t written = s->event_keys_written;
    if (m->cursor.len) {
        from = key_after(m->cursor);
    } else if (written) {
        size_t back = written < limit ? (size_t)written : limit;
        from = s->event_keys[(written - back) % EVENT_KEYS];
    }
    r->plan = turn_scan(&s->turn, SPACE_EVENTS, &from, &to, limit, 1 << 20);
    return STATUS_OK;
}

void events_apply(struct storage *s, struct request *r)
{
    const struct msg_events *m = r->meta;
    const struct store_scan *scan = r->plan;
    struct msg_events_are reply = {.cursor = m->cursor};
    reply.events = arena_array(&s->turn.arena, scan->row_count, sizeof *reply.events);
    for (size_t i = 0; i < scan->row_count; i++) {
        struct view value = scan->rows[i].value;
        struct msg_event *out = &reply.events[reply.event_count];
        reply.cursor = scan->rows[i].key;
        if (value.len < 1 || value.at[0] != ROW_VERSION) continue;
        if (codec_decode(&msg_event_desc, view_of(value.at + 1, value.len - 1), &s->turn.arena,
                         out) == STATUS_OK)
            reply.event_count++;
    }
    request_reply(s, r, KIND_EVENTS_ARE, &msg_events_are_desc, &reply);
}
