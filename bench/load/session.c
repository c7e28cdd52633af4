/* session: what a device hears, and what it answers at once (PROTOCOL 4, 5, 8). Deliveries are checked
 * byte by byte here and acknowledged at the end of the turn, cumulatively. */
#include "bench/load/load.h"

#include "broker/host/host.h"

#include <string.h>

#define REFUSED_US   10000u /* at least so long after a refusal the same is asked again */
#define GREET_ALL_US 1000000u
#define ACK_PACE_US  20000u
_Static_assert(ACK_PACE_US / 1000 < DUE_SLOTS, "a slot is one millisecond");

static struct sender *sender_of(struct load *l, const struct device *d)
{
    return d->number < l->options->senders ? &l->senders[d->number] : NULL;
}

static void trouble(struct load *l, enum status s)
{
    if (l->trouble == STATUS_OK) l->trouble = s;
}

/* ---- deliveries ---- */

/* At once, or so long after the last one as a client waits (PROTOCOL 8). */
static void due_add(struct load *l, struct device *d, uint64_t now_us)
{
    uint64_t at_us = d->acked_us + ACK_PACE_US > now_us ? d->acked_us + ACK_PACE_US : now_us;
    struct device **slot = &l->due[at_us / 1000 % DUE_SLOTS];
    d->ack_due = true;
    if (d->listed) return;
    d->listed = true;
    d->next_due = *slot;
    *slot = d;
    l->due_count++;
}

/* Everything that can be wrong: whose it is, its id, its length, and every byte. */
static void deliver_one(struct load *l, const struct device *d, const struct msg_delivery *m,
                        struct view body, uint64_t now_us)
{
    struct traffic *t = &l->traffic;
    uint64_t number, at_us;
    if (!body_number(body, &number) || number >= t->ledger.issued ||
        traffic_mailbox(t, number) != d ||
        !message_equal(m->id, traffic_id(t, number, message_id_time_ms(m->id))) ||
        !body_check(t->pool, number, t->sizes.len[sizes_pick(&t->sizes, number)], body)) {
        ledger_corrupt(&t->ledger);
        return;
    }
    if (!ledger_deliver(&t->ledger, number, d->away, m->again)) return;
    if (!l->first_delivery_us) l->first_delivery_us = now_us;
    if (!d->away && ledger_time_us(&t->ledger, number, &at_us))
        histogram_record(&t->end_to_end, now_us - at_us);
}

static void on_deliver(struct load *l, struct device *d, const struct frame *f, uint64_t now_us)
{
    struct msg_deliver m;
    struct reader body = reader_of(f->body);
    if (codec_decode(&msg_deliver_desc, f->meta, &l->arena, &m) != STATUS_OK) {
        trouble(l, STATUS_MALFORMED);
        return;
    }
    if (session_compare(m.session, d->session) != 0) return; /* it is offered to the new one again */
    for (size_t i = 0; i < m.item_count; i++) {
        deliver_one(l, d, &m.items[i], read_view(&body, m.items[i].len), now_us);
        d->taken = (struct position){m.items[i].term, m.items[i].seq};
    }
    if (reader_done(&body) != STATUS_OK) ledger_corrupt(&l->traffic.ledger);
    for (size_t i = 0; i < m.gap_count; i++)
        l->gaps += m.gaps[i].count;
    if (m.gap_number) d->gap_seen = m.gap_number;
    due_add(l, d, now_us);
    d->since_count += m.item_count;
    d->since_bytes += f->body.len;
    if (2 * d->since_count >= CREDIT_MESSAGES_MAX || 2 * d->since_bytes >= CREDIT_BYTES_MAX)
        device_acknowledge(d, now_us); /* half of the credit is used */
}

/* ---- replies ---- */

static uint64_t store_of(const struct msg_map *map, uint16_t home)
{
    for (size_t i = 0; i < map->range_count; i++)
        if (home >= map->ranges[i].first && home <= map->ranges[i].last)
            return get_u64(map->ranges[i].store.bytes);
    return 0;
}

static void stores_learn(struct load *l, const struct msg_map *map)
{
    l->stores_known = true;
    for (size_t i = 0; i < l->device_count; i++)
        l->devices[i].store = store_of(map, home_of_account(l->devices[i].founding.account));
}

static void on_welcome(struct load *l, struct device *d, const struct frame *f, uint64_t now_us)
{
    struct msg_welcome m;
    if (codec_decode(&msg_welcome_desc, f->meta, &l->arena, &m) != STATUS_OK) {
        trouble(l, STATUS_MALFORMED);
        return;
    }
    if (d->state != DEVICE_GREETING || f->header.correlation != d->asked) return;
    d->state = DEVICE_READY;
    d->session = m.session;
    d->taken = d->settled = (struct position){.seq = 0};
    d->ping_us = (uint64_t)m.ping_ms * 1000 * 2 / 3; /* of what the relay asks for */
    l->traffic.relay_ahead_ms = m.relay_ms - now_us / 1000;
    l->ready_count++;
    l->pending_count--;
    if (!l->stores_known) stores_learn(l, &m.map);
    if (sender_of(l, d)) sender_again(sender_of(l, d), now_us);
}

static void on_registered(struct load *l, struct device *d, uint64_t now_us)
{
    if (d->state != DEVICE_REGISTERING) return;
    buffer_fini(&d->entry);
    if (!d->away) {
        device_hello(d, now_us);
        return;
    }
    d->state = DEVICE_REGISTERED;
    l->ready_count++;
    l->pending_count--;
}

static void on_acked(struct load *l, struct device *d, const struct frame *f)
{
    struct msg_acked m;
    if (codec_decode(&msg_acked_desc, f->meta, &l->arena, &m) != STATUS_OK)
        trouble(l, STATUS_MALFORMED);
    else if (session_compare(m.session, d->session) == 0)
        d->settled = (struct position){m.settled_term, m.settled_seq};
}

static bool asks(const struct device *d)
{
    return d->state == DEVICE_REGISTERING || d->state == DEVICE_GREETING;
}

/* Busy, unknown and the like are asked again by session_scan; no session means hello. */
static void on_error(struct load *l, struct device *d, const struct frame *f, uint64_t now_us)
{
    struct msg_error m;
    if (codec_decode(&msg_error_desc, f->meta, &l->arena, &m) != STATUS_OK) {
        trouble(l, STATUS_MALFORMED);
        return;
    }
    enum status s = status_from_wire(m.status);
    struct sender *sender = sender_of(l, d);
    bool sends = sender && sender_error(sender, &l->traffic, &f->header, &m, now_us);
    if (s == STATUS_NO_SESSION && d->state == DEVICE_READY)
        (void)session_greet_all(l, now_us);
    else if (!sends && status_client_action(s) == ACTION_GIVE_UP)
        trouble(l, s);
    else if (asks(d) && f->header.correlation == d->asked)
        d->again_us = now_us + REFUSED_US + 1000u * m.retry_after_ms;
    else if (!sends && d->state == DEVICE_READY && d->attaches && d->taken.seq)
        due_add(l, d, now_us); /* an ack that was not done */
}

void session_frame(struct load *l, struct device *d, struct view bytes, uint64_t now_us)
{
    struct frame f;
    struct sender *sender = sender_of(l, d);
    if (frame_check(bytes, FROM_RELAY, &f) != STATUS_OK) {
        trouble(l, STATUS_MALFORMED);
        return;
    }
    if (f.header.kind == KIND_DELIVER) {
        on_deliver(l, d, &f, now_us);
    } else if (f.header.kind == KIND_SENT && sender) {
        enum status s = sender_answer(sender, &l->traffic, &f, &l->arena, now_us);
        if (s != STATUS_OK) trouble(l, s);
    } else if (f.header.kind == KIND_ACKED) {
        on_acked(l, d, &f);
    } else if (f.header.kind == KIND_WELCOME) {
        on_welcome(l, d, &f, now_us);
    } else if (f.header.kind == KIND_REGISTERED) {
        on_registered(l, d, now_us);
    } else if (f.header.kind == KIND_ERROR) {
        on_error(l, d, &f, now_us);
    } else if (f.header.kind == KIND_SUPERSEDED) {
        trouble(l, STATUS_SUPERSEDED);
    }
}

/* ---- connections ---- */

enum status session_open(struct load *l, struct device *d, uint64_t now_us)
{
    if (hub_connect(*d->hub, d->number, &d->transport, d->transport_sk) != STATUS_OK)
        return STATUS_IO;
    l->pending_count++;
    if (d->state == DEVICE_NEW) {
        device_register(d, now_us);
        return STATUS_OK;
    }
    if (d->state == DEVICE_REGISTERED) l->ready_count--;
    device_hello(d, now_us);
    return STATUS_OK;
}

/* A device that has a session, or hopes for one, begins again. */
static void greet(struct load *l, struct device *d, uint64_t now_us)
{
    if (d->state != DEVICE_READY) return;
    l->ready_count--;
    l->pending_count++;
    device_hello(d, now_us);
}

bool session_greet_all(struct load *l, uint64_t now_us)
{
    if (now_us - l->greeted_us < GREET_ALL_US) return false;
    l->greeted_us = now_us;
    for (size_t i = 0; i < l->device_count; i++)
        greet(l, &l->devices[i], now_us);
    return true;
}

enum status session_drop(struct load *l, struct device *d, uint64_t now_us)
{
    if (d->state != DEVICE_READY) return STATUS_OK;
    hub_free(d->hub);
    *d->hub = hub_new(&l->hub_config);
    if (!*d->hub || hub_connect(*d->hub, d->number, &d->transport, d->transport_sk) != STATUS_OK)
        return STATUS_IO;
    greet(l, d, now_us);
    l->dropped++;
    return STATUS_OK;
}

void session_scan(struct load *l, uint64_t now_us)
{
    for (size_t i = 0; i < l->device_count; i++) {
        struct device *d = &l->devices[i];
        if (asks(d) && now_us >= d->again_us) {
            if (d->state == DEVICE_REGISTERING)
                device_register(d, now_us);
            else
                device_hello(d, now_us);
        } else if (d->state == DEVICE_READY && now_us - d->said_us > d->ping_us) {
            device_ping(d, now_us);
        }
    }
}
