/* sender: builds SEND frames straight into the message that leaves, from items encoded once per
 * recipient (only the id differs) and bodies copied once; keeps, per request, what is needed to build
 * the same bytes again. PROTOCOL 3 (pending requests), 5 (what to do about a status), 7.
 * Invariants: a request's slot is in its correlation id; open has a bit per slot in use; open_bytes is
 * the sum of these. */
#include "bench/load/sender.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    uint64_t number;
    uint64_t id_ms;
    uint64_t answer; /* of a repeat: the mark of the first answer */
};

struct flight {
    uint64_t correlation; /* 0 = free */
    uint64_t sent_us;
    uint64_t again_us; /* not 0: waits until then, and is sent again */
    size_t bytes;
    size_t count;
    bool repeat;
    struct piece pieces[SENDS_PER_FRAME];
};

/* ---- items ---- */

/* An item in a frame: tag 1 of msg_send, its length in one or two bytes, then tag 1 of msg_send_item and
 * the length 16 before the id. */
static size_t id_offset(struct view item)
{
    return item.at[1] & 0x80 ? 5 : 4;
}

static void item_encode(const struct device *to, uint32_t len, struct buffer *out)
{
    struct buffer inner = {0};
    struct msg_part part = {.device = to->founding.device, .len = len};
    struct msg_send_item item = {.target = target_of_account(to->founding.account),
                                 .key_version = 1,
                                 .head = to->founding.head, .parts = &part, .part_count = 1};
    codec_encode(&msg_send_item_desc, &item, &inner);
    struct view view = buffer_view(&inner);
    struct msg_send send = {.items = &view, .item_count = 1};
    codec_encode(&msg_send_desc, &send, out);
    buffer_fini(&inner);
}

void traffic_items(struct traffic *t)
{
    size_t count = t->mailbox_count * t->sizes.count;
    size_t *starts = calloc(count + 1, sizeof *starts);
    t->items = calloc(count, sizeof *t->items);
    ENSURE(starts && t->items);
    for (size_t i = 0; i < count; i++) {
        starts[i] = t->item_bytes.len;
        item_encode(t->mailboxes[i / t->sizes.count], t->sizes.len[i % t->sizes.count],
                    &t->item_bytes);
    }
    starts[count] = t->item_bytes.len;
    for (size_t i = 0; i < count; i++) {
        t->items[i] = view_of(t->item_bytes.at + starts[i], starts[i + 1] - starts[i]);
        ENSURE(t->items[i].at[id_offset(t->items[i]) - 1] == sizeof(struct message_id));
    }
    free(starts);
}

struct device *traffic_mailbox(const struct traffic *t, uint64_t number)
{
    return t->mailboxes[number % t->mailbox_count];
}

struct message_id traffic_id(const struct traffic *t, uint64_t number, uint64_t id_ms)
{
    uint8_t random[10];
    put_u64(random, number);
    put_u16(random + 8, t->run);
    return message_id_make(id_ms, random);
}

static struct view item_of(const struct traffic *t, uint64_t number, size_t *len)
{
    size_t size = sizes_pick(&t->sizes, number);
    *len = t->sizes.len[size];
    return t->items[number % t->mailbox_count * t->sizes.count + size];
}

/* ---- frames ---- */

void sender_init(struct sender *s, struct device *d)
{
    *s = (struct sender){.device = d};
    s->flights = calloc(FLIGHTS_MAX, sizeof *s->flights);
    s->repeats = calloc(REPEATS_MAX, sizeof *s->repeats);
    ENSURE(s->flights && s->repeats);
}

void sender_fini(struct sender *s)
{
    free(s->flights);
    free(s->repeats);
    *s = (struct sender){.device = NULL};
}

/* Writes and sends the frame; the flight gets a new correlation id. */
static void launch(struct sender *s, const struct traffic *t, struct flight *f, uint64_t now_us)
{
    size_t len, bytes = FRAME_HEADER_LEN;
    for (size_t i = 0; i < f->count; i++)
        bytes += item_of(t, f->pieces[i].number, &len).len + len;
    f->correlation = device_correlation(s->device, (unsigned)(f - s->flights));
    s->open_bytes = s->open_bytes - f->bytes + bytes;
    f->bytes = bytes;
    f->sent_us = now_us;
    f->again_us = 0;
    struct buffer b = {.at = hub_frame(*s->device->hub, bytes), .cap = bytes};
    struct account_id to = traffic_mailbox(t, f->pieces[0].number)->founding.account;
    size_t start = frame_begin(&b, &(struct frame_header){.kind = KIND_SEND,
                                                          .item_count = (uint16_t)f->count,
                                                          .correlation = f->correlation,
                                                          .home = home_of_account(to)});
    for (size_t i = 0; i < f->count; i++) {
        struct view item = item_of(t, f->pieces[i].number, &len);
        struct message_id id = traffic_id(t, f->pieces[i].number, f->pieces[i].id_ms);
        size_t at = b.len;
        write_view(&b, item);
        memcpy(b.at + at + id_offset(item), id.bytes, sizeof id.bytes);
    }
    frame_meta_end(&b, start);
    for (size_t i = 0; i < f->count; i++) {
        item_of(t, f->pieces[i].number, &len);
        body_write(t->pool, f->pieces[i].number, buffer_extend(&b, len), len);
    }
    ENSURE(b.len == bytes && b.cap == bytes);
    s->device->said_us = now_us;
    if (hub_send(*s->device->hub, s->device->number) != STATUS_OK) f->again_us = now_us + 10000;
}

bool sender_room(const struct sender *s, const struct traffic *t)
{
    size_t largest = sizes_largest(&t->sizes);
    size_t frame = FRAME_BODY_MAX + (largest > FRAME_BODY_MAX ? largest : 0) + 64 * 1024;
    return s->open != UINT64_MAX && s->open_bytes + frame <= PENDING_BYTES_MAX;
}

static struct flight *flight_open(struct sender *s)
{
    ENSURE(s->open != UINT64_MAX);
    size_t i = (size_t)__builtin_ctzll(~s->open);
    s->open |= 1ull << i;
    s->flights[i].count = s->flights[i].bytes = 0;
    s->flights[i].repeat = false;
    return &s->flights[i];
}

static void flight_close(struct sender *s, struct flight *f)
{
    s->open_bytes -= f->bytes;
    s->open &= ~(1ull << (f - s->flights));
    f->correlation = f->again_us = 0;
    f->bytes = 0;
}

/* One frame goes to one store: it ends where the next recipient's home is in another one. */
size_t sender_send(struct sender *s, struct traffic *t, const struct pace *p, uint64_t now_us,
                   size_t max)
{
    struct flight *f = flight_open(s);
    size_t len, bytes = 0;
    uint64_t id_ms = now_us / 1000 + t->relay_ahead_ms;
    const struct device *first = traffic_mailbox(t, t->ledger.issued);
    while (f->count < max && f->count < SENDS_PER_FRAME) {
        uint64_t number = t->ledger.issued;
        item_of(t, number, &len);
        if (f->count && bytes + len > FRAME_BODY_MAX) break;
        if (traffic_mailbox(t, number)->store != first->store) break;
        ledger_issue(&t->ledger, pace_time_us(p, now_us, number));
        f->pieces[f->count++] = (struct piece){.number = number, .id_ms = id_ms};
        bytes += len;
    }
    launch(s, t, f, now_us);
    return f->count;
}

/* ---- answers ---- */

static uint64_t mark_of(struct view answer)
{
    uint64_t mark = 0xcbf29ce484222325u; /* FNV-1a: only to tell two answers apart */
    for (size_t i = 0; i < answer.len; i++)
        mark = (mark ^ answer.at[i]) * 0x100000001b3u;
    return mark;
}

static void level_learn(struct traffic *t, struct view answer, struct arena *a)
{
    struct msg_accepted m;
    if (!t->level && codec_decode(&msg_accepted_desc, answer, a, &m) == STATUS_OK)
        t->level = m.level;
}

static void accepted(struct sender *s, struct traffic *t, const struct flight *f,
                     struct piece piece, struct view answer, uint64_t now_us)
{
    uint64_t at_us;
    if (f->repeat) {
        t->repeated++;
        if (piece.answer != mark_of(answer)) t->answers_changed++;
        return;
    }
    if (!ledger_accept(&t->ledger, piece.number, traffic_mailbox(t, piece.number)->away)) return;
    if (ledger_time_us(&t->ledger, piece.number, &at_us)) {
        histogram_record(&t->accept, now_us - at_us);
        histogram_record(&t->recent, now_us - at_us);
    }
    if (!t->repeat_below || s->repeat_count == REPEATS_MAX) return;
    if (number_mix(piece.number) >= t->repeat_below) return;
    piece.answer = mark_of(answer);
    s->repeats[s->repeat_count++] = piece;
}

/* A full mailbox stays full while we wait; everything else that may be retried is. */
static bool worth_retrying(enum status s)
{
    return status_client_action(s) == ACTION_RETRY && s != STATUS_MAILBOX_FULL &&
           s != STATUS_STORE_READONLY;
}

static void refused(struct traffic *t, const struct flight *f, uint64_t number, enum status s)
{
    if (t->first_refusal == STATUS_OK) t->first_refusal = s;
    if (f->repeat)
        t->answers_changed++; /* it was accepted before */
    else
        ledger_refuse(&t->ledger, number);
}

static struct flight *flight_of(struct sender *s, uint64_t correlation)
{
    struct flight *f = &s->flights[correlation % FLIGHTS_MAX];
    return correlation && f->correlation == correlation ? f : NULL;
}

/* The pieces that stay are sent again after a while; without any the flight is over. */
static void flight_settle(struct sender *s, struct traffic *t, struct flight *f, size_t left,
                          uint32_t retry_after_ms, uint64_t now_us)
{
    f->count = left;
    t->retried += left;
    if (left)
        f->again_us = now_us + 1000u * (retry_after_ms ? retry_after_ms : 10u);
    else
        flight_close(s, f);
}

enum status sender_answer(struct sender *s, struct traffic *t, const struct frame *frame,
                          struct arena *a, uint64_t now_us)
{
    struct msg_sent m;
    size_t left = 0;
    uint32_t after_ms = 0;
    struct flight *f = flight_of(s, frame->header.correlation);
    if (!f) return STATUS_OK; /* answered twice: it was sent again meanwhile */
    if (codec_decode(&msg_sent_desc, frame->meta, a, &m) != STATUS_OK || m.item_count != f->count)
        return STATUS_MALFORMED;
    for (size_t i = 0; i < m.item_count; i++) {
        enum status status = status_from_wire(m.items[i].status);
        if (status == STATUS_OK) {
            level_learn(t, m.items[i].answer, a);
            accepted(s, t, f, f->pieces[i], m.items[i].answer, now_us);
        } else if (worth_retrying(status)) {
            if (m.items[i].retry_after_ms > after_ms) after_ms = m.items[i].retry_after_ms;
            f->pieces[left++] = f->pieces[i];
        } else {
            refused(t, f, f->pieces[i].number, status);
        }
    }
    flight_settle(s, t, f, left, after_ms, now_us);
    return STATUS_OK;
}

bool sender_error(struct sender *s, struct traffic *t, const struct frame_header *h,
                  const struct msg_error *e, uint64_t now_us)
{
    struct flight *f = flight_of(s, h->correlation);
    enum status status = status_from_wire(e->status);
    if (!f) return false;
    if (worth_retrying(status) || status == STATUS_NO_SESSION) {
        flight_settle(s, t, f, f->count, e->retry_after_ms, now_us);
        return true;
    }
    for (size_t i = 0; i < f->count; i++)
        refused(t, f, f->pieces[i].number, status);
    flight_close(s, f);
    return true;
}

/* ---- again ---- */

void sender_again(struct sender *s, uint64_t now_us)
{
    for (uint64_t open = s->open; open; open &= open - 1)
        s->flights[__builtin_ctzll(open)].again_us = now_us;
}

static void repeats_send(struct sender *s, struct traffic *t, uint64_t now_us)
{
    struct flight *f = flight_open(s);
    const struct device *first = traffic_mailbox(t, s->repeats[0].number);
    size_t taken = 0, bytes = 0, len;
    for (; taken < s->repeat_count; taken++) {
        const struct piece *piece = &s->repeats[taken];
        item_of(t, piece->number, &len);
        if (taken && bytes + len > FRAME_BODY_MAX) break;
        if (traffic_mailbox(t, piece->number)->store != first->store) break;
        f->pieces[f->count++] = *piece;
        bytes += len;
    }
    s->repeat_count -= taken;
    memmove(s->repeats, s->repeats + taken, s->repeat_count * sizeof *s->repeats);
    f->repeat = true;
    launch(s, t, f, now_us);
}

bool sender_tick(struct sender *s, struct traffic *t, bool ready, uint64_t now_us,
                 uint64_t patience_us)
{
    bool overdue = false;
    for (uint64_t open = s->open; open; open &= open - 1) {
        struct flight *f = &s->flights[__builtin_ctzll(open)];
        if (f->again_us && f->again_us <= now_us && ready)
            launch(s, t, f, now_us);
        else if (!f->again_us && now_us - f->sent_us > patience_us)
            overdue = true;
    }
    if (ready && s->repeat_count && sender_room(s, t)) repeats_send(s, t, now_us);
    return overdue;
}

bool sender_idle(const struct sender *s)
{
    return !s->open && !s->repeat_count;
}
