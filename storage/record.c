/* record: events kept in the store for operators, in the order in which they were written, so that a cursor
 * passes none that comes late from another process; bounded per second, deleted after their retention. Events
 * never decide anything and never cost a turn its write: they ride along. */
#include "storage/core.h"

#include <string.h>

#define EVENTS_PER_SECOND_MAX 50u /* what strangers can cause must not fill the disk */
#define EVENTS_PER_TURN_MAX   128u
#define EVENT_KEYS            64u

static void write_event(struct storage *s, const struct event *e)
{
    struct msg_event m = msg_event_of(e);
    struct buffer encoded = {0};
    codec_encode(&msg_event_desc, &m, &encoded);
    struct store_key key = key_event(s->store_ms, s->event_number++);
    turn_put_new(&s->turn, SPACE_EVENTS, &key,
                 bytes_row_write(&s->turn.arena, buffer_view(&encoded)), view_of(NULL, 0));
    s->event_keys[s->event_keys_written++ % EVENT_KEYS] = key;
    buffer_fini(&encoded);
}

void record_put(struct storage *s, const struct event *e)
{
    event_records_step(&s->events, s->mono_ms, s->store_ms);
    event_records_put(&s->events, e);
}

void record_flush(struct storage *s)
{
    struct event e;
    event_records_step(&s->events, s->mono_ms, s->store_ms);
    if (s->state == STORE_READONLY) return; /* the last of the disk is for deliveries */
    if (s->event_second != s->mono_ms / 1000) {
        s->event_second = s->mono_ms / 1000;
        s->event_second_count = 0;
    }
    for (size_t i = 0; i < EVENTS_PER_TURN_MAX; i++) {
        if (s->event_second_count >= EVENTS_PER_SECOND_MAX) return; /* they wait */
        if (!event_records_take(&s->events, &e)) return;
        write_event(s, &e);
        s->event_second_count++;
    }
}

/* Remembers all keys from `from` on, bounded pieces at a time; false when the store refuses. */
static bool read_keys(struct storage *s, struct store_key from, size_t *count)
{
    struct arena arena = {0};
    struct store_key all = key_single(ROW_EVENT), to = key_end(view_of(all.bytes, 1));
    struct store_scan scan = {.space = SPACE_EVENTS, .to = key_view(&to), .row_max = 4096,
                              .byte_max = 1 << 20, .keys_only = true};
    enum status status;
    do {
        arena_reset(&arena);
        scan.from = key_view(&from);
        status = store_scan(s->store, &scan, &arena);
        for (size_t i = 0; status == STATUS_OK && i < scan.row_count; i++) {
            struct store_key *slot = &s->event_keys[s->event_keys_written++ % EVENT_KEYS];
            memcpy(slot->bytes, scan.rows[i].key.at, scan.rows[i].key.len);
            slot->len = (uint8_t)scan.rows[i].key.len;
            s->event_number = key_event_number(scan.rows[i].key) + 1;
            *count += 1;
        }
        if (scan.row_count) from = key_after(scan.rows[scan.row_count - 1].key);
    } while (status == STATUS_OK && scan.more);
    arena_fini(&arena);
    return status == STATUS_OK;
}

/* Finds the newest rows once at the start, so that "the last 64 events" needs no backward scan: looks
 * back twice as far until there are enough, and so never reads the whole of a long history. */
void record_open(struct storage *s)
{
    size_t count = 0;
    for (uint64_t back_ms = 60000; count < EVENT_KEYS; back_ms *= 2) {
        bool all = back_ms >= s->store_ms;
        s->event_keys_written = count = 0;
        if (!read_keys(s, key_event(all ? 0 : s->store_ms - back_ms, 0), &count) || all) return;
    }
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
        record_put(s, &e);
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
