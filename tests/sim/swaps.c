/* swaps: a relay that exchanges something between two sealed deliveries of one frame: their ids, their bytes, or their senders;
 * or gives the one twice, in the place of the other. None of it opens: nothing is shown under another's name or id, or twice. What comes of
 * it is bounded: a message that came under its own name is sealed anew three times; the report of one under another's name is
 * worth nothing, and it stays failed, as its sender is told; and one whose place was given to what the device had already is
 * passed over, and the device counts it as missing. */
#include "tests/sim/watch.h"

#include "clients/seal/content.h"

#include <stdlib.h>
#include <string.h>

struct swapped {
    struct device_id sender;
    struct message_id id;
    struct target_id target;
    size_t device;    /* whom it was to reach */
    uint64_t counter; /* of its content; 0 = not known */
    uint64_t heard;   /* the highest that the device had heard of that sender then; 0 = none */
};

struct swaps {
    struct swapped *at;
    size_t count, cap;
};

void swaps_start(struct sim *s)
{
    s->swaps = calloc(1, sizeof *s->swaps);
    ENSURE(s->swaps != NULL);
}

void swaps_fini(struct sim *s)
{
    if (s->swaps) free(s->swaps->at);
    free(s->swaps);
    s->swaps = NULL;
}

/* ---- told ---- */

/* As its sender has it: while a part is open the head of the content is kept. */
static uint64_t counter_of(const struct sim *s, const struct msg_delivery *d)
{
    struct arena a = {0};
    struct outbox_row row;
    struct outbox_body body = {0};
    struct content content = {.counter = 0};
    size_t from = device_number(s, d->sender_device), len;
    if (from >= s->device_count) return 0;
    struct state *state = s->devices[from].state;
    if (state_begin(state, STATE_READ) != STATUS_OK) return 0;
    enum status found = state_outbox_find_id(state, d->id, &row);
    if (found != STATUS_OK) found = state_outbox_find_copy(state, d->id, &row);
    if (found == STATUS_OK) found = state_body_get(state, row.order, &a, &body);
    if (found == STATUS_OK && body.head.len && content_head_read(body.head, &content, &len) != STATUS_OK) content.counter = 0;
    bool same = target_equal(target_of_account(row.target), d->target);
    state_rollback(state);
    arena_fini(&a);
    return same ? content.counter : 0;
}

static uint64_t heard_of(struct device *to, const struct msg_delivery *d)
{
    uint8_t key[48];
    uint64_t heard = 0;
    memcpy(key, d->sender_device.bytes, 16);
    memcpy(key + 16, d->target.bytes, 32);
    if (state_begin(to->state, STATE_READ) != STATUS_OK) return 0;
    if (state_counter_get(to->state, COUNTER_HEARD, view_of(key, sizeof key), &heard) != STATUS_OK) heard = 0;
    state_rollback(to->state);
    return heard;
}

static void swapped_note(struct device *to, const struct msg_delivery *d)
{
    struct swaps *w = to->sim->swaps;
    if (w->count == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 32;
        w->at = realloc(w->at, w->cap * sizeof *w->at);
        ENSURE(w->at != NULL);
    }
    w->at[w->count++] = (struct swapped){d->sender_device, d->id, d->target, to->index, counter_of(to->sim, d),
                                        heard_of(to, d)};
}

enum what { IDS, BYTES, SENDERS, REPEAT, WHATS };

static bool exchange(enum what what, struct msg_delivery *a, struct msg_delivery *b, struct view *bytes_a, struct view *bytes_b)
{
    struct msg_delivery kept = *a;
    struct view bytes = *bytes_a;
    if (what == IDS) {
        a->id = b->id;
        b->id = kept.id;
    } else if (what == SENDERS) {
        a->sender_account = b->sender_account;
        a->sender_device = b->sender_device;
        b->sender_account = kept.sender_account;
        b->sender_device = kept.sender_device;
        return !device_equal(a->sender_device, b->sender_device);
    } else if (what == REPEAT) { /* a stands in the place of b as well, which is given nowhere */
        struct msg_delivery place = *b;
        *b = *a;
        b->term = place.term;
        b->seq = place.seq;
        *bytes_b = *bytes_a;
    } else {
        a->len = b->len;
        b->len = kept.len;
        *bytes_a = *bytes_b;
        *bytes_b = bytes;
    }
    return true;
}

static void deliver_write(const struct frame *f, const struct msg_deliver *m, const struct view *bytes, struct buffer *lie)
{
    buffer_clear(lie);
    size_t start = frame_begin(lie, &f->header);
    codec_encode(&msg_deliver_desc, m, lie);
    frame_meta_end(lie, start);
    for (size_t i = 0; i < m->item_count; i++)
        write_view(lie, bytes[i]);
}

/* Two that are sealed, and all bytes in order. */
static bool two_of(struct sim *s, const struct msg_deliver *m, struct reader *body, struct view *bytes, size_t two[2])
{
    size_t sealed = 0;
    for (size_t i = 0; i < m->item_count; i++) {
        bytes[i] = read_view(body, m->items[i].len);
        if (!m->items[i].sealed) continue;
        sealed++;
        if (sealed <= 2 || rng_below(&s->rng, sealed) < 2) two[sealed <= 2 ? sealed - 1 : rng_below(&s->rng, 2)] = i;
    }
    return sealed > 1;
}

bool swaps_deliver(struct device *d, const struct frame *f, struct buffer *lie)
{
    struct sim *s = d->sim;
    struct arena a = {0};
    struct msg_deliver m;
    struct reader body = reader_of(f->body);
    size_t two[2];
    if (codec_decode(&msg_deliver_desc, f->meta, &a, &m) != STATUS_OK) m.item_count = 0;
    struct view *bytes = arena_array(&a, m.item_count, sizeof *bytes);
    bool told = two_of(s, &m, &body, bytes, two);
    if (told) {
        enum what what = (enum what)rng_below(&s->rng, WHATS);
        struct msg_delivery *first = &m.items[two[0]], *second = &m.items[two[1]], was[2] = {*first, *second};
        told = exchange(what, first, second, &bytes[two[0]], &bytes[two[1]]);
        for (size_t i = what == REPEAT; i < 2 && told && what != BYTES; i++)
            swapped_note(d, &was[i]);
    }
    if (told) deliver_write(f, &m, bytes, lie);
    s->seen[SEEN_EXCHANGED] += told;
    arena_fini(&a);
    return told;
}

/* ---- what may have come of it ---- */

static const struct swapped *find(const struct sim *s, struct device_id sender, struct message_id id, size_t device)
{
    for (size_t i = 0; s->swaps && i < s->swaps->count; i++) {
        const struct swapped *w = &s->swaps->at[i];
        if (w->device == device && device_equal(w->sender, sender) && message_equal(w->id, id)) return w;
    }
    return NULL;
}

bool swaps_has(const struct sim *s, struct device_id sender, struct message_id id, struct device_id device)
{
    return find(s, sender, id, device_number(s, device)) != NULL;
}

/* What a device has heard of one that counts. Of what came before the first that it heard it knows nothing. */
struct heard {
    bool behind; /* some content with a higher counter */
    bool missed; /* it was told of the gap */
};

static void heard_note(const struct swapped *w, const struct inbox_row *row, struct heard *h)
{
    if (!row->sealed || !device_equal(row->sender_device, w->sender) || !target_equal(row->target, w->target)) return;
    h->behind = h->behind || row->counter > w->counter;
    h->missed = h->missed || (row->counter > w->counter && row->counter - row->missing <= w->counter);
}

bool swaps_passed_over(const struct sim *s, struct device_id sender, struct message_id id, size_t device)
{
    const struct swapped *w = find(s, sender, id, device);
    struct arena a = {0};
    struct inbox_row rows[32];
    struct inbox_scan scan = {.rows = rows, .row_max = 32};
    struct heard heard = {false};
    if (!w) return false;
    struct state *state = s->devices[device].state;
    ENSURE(state_begin(state, STATE_READ) == STATUS_OK);
    do {
        arena_reset(&a);
        ENSURE(state_inbox_scan(state, &scan, &a) == STATUS_OK);
        for (size_t i = 0; i < scan.row_count; i++)
            heard_note(w, &rows[i], &heard);
        if (scan.row_count) scan.after = rows[scan.row_count - 1].order;
    } while (scan.row_count == scan.row_max);
    state_rollback(state);
    arena_fini(&a);
    bool counts = w->heard && w->heard < w->counter;
    return !counts || !heard.behind || heard.missed;
}
