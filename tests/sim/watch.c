/* watch: the oracle while a world runs. It stands at the client's end of every connection and at the
 * storage worker's end of every slab, decodes what passes, and holds it against what it has seen:
 *   - every request has one reply (PROTOCOL 3); our own client is never told that it is malformed
 *   - one claim has one answer, byte for byte, until its commit is cut off (I3)
 *   - what is delivered was sent, to this account, byte for byte (I2)
 *   - what storage says rests on rows that its disk has (I4), and a zombie says nothing that counts
 *   - no session has more unacknowledged than its credit (I9)
 *   - no event and no frame without a ciphertext has the canary; no event has a raw id (I11) */
#include "broker/wire/digest.h"
#include "tests/sim/watch.h"

#include "broker/host/journal.h"

#include <stdlib.h>
#include <string.h>

void watch_start(struct sim *s)
{
    s->watch = calloc(1, sizeof *s->watch);
    ENSURE(s->watch != NULL);
}

void watch_fini(struct sim *s)
{
    struct watch *w = s->watch;
    for (size_t i = 0; i < w->sent_count; i++)
        free(w->sent[i].answer);
    free(w->sent);
    free(w->asked);
    free(w->ends);
    credit_fini(w);
    arena_fini(&w->arena);
    free(w);
    s->watch = NULL;
}

bool watch_has_canary(struct view bytes)
{
    return bytes.len && memmem(bytes.at, bytes.len, SIM_CANARY, strlen(SIM_CANARY)) != NULL;
}

/* ---- who ---- */

static bool is_rogue(const struct sim *s, const struct conn *c)
{
    return c->device >= s->device_count;
}

static struct device_id device_of(const struct sim *s, const struct conn *c)
{
    struct account_id account;
    struct device_id device;
    if (!is_rogue(s, c)) return s->devices[c->device].id;
    ENSURE(rogue_device(s, &account, &device));
    return device;
}

static struct account_id account_of(const struct sim *s, const struct conn *c)
{
    struct account_id account;
    struct device_id device;
    if (!is_rogue(s, c)) return s->devices[c->device].account;
    ENSURE(rogue_device(s, &account, &device));
    return account;
}

size_t device_number(const struct sim *s, struct device_id id)
{
    struct account_id account;
    struct device_id rogue;
    for (size_t i = 0; i < s->device_count; i++)
        if (s->devices[i].has_id && device_equal(s->devices[i].id, id)) return i;
    if (s->truth && truth_was_left(s, id)) return SIM_DEVICES_MAX + 1;
    return rogue_device(s, &account, &rogue) && device_equal(rogue, id) ? SIM_DEVICES_MAX
                                                                        : SIM_NEVER;
}

/* ---- what was sent ---- */

/* Takes the parts' bytes out of the body. */
static void parts_take(struct sent *sent, struct view raw, const struct msg_send_item *item, struct reader *body)
{
    struct hash256 hashes[DEVICES_PER_ACCOUNT];
    for (size_t i = 0; i < item->part_count; i++) {
        hashes[i] = digest_ciphertext(read_view(body, item->parts[i].len));
        sent->parts[i].device = item->parts[i].device;
        sent->parts[i].hash = hashes[i];
    }
    sent->part_count = item->part_count;
    sent->digest = digest_claim(raw, hashes, item->part_count);
}

static bool same_ref(const struct message_ref *a, const struct message_ref *b)
{
    return message_equal(a->id, b->id) && device_equal(a->sender, b->sender) &&
           target_equal(a->target, b->target);
}

static bool same_claim(const struct sent *a, const struct sent *b)
{
    return same_ref(&a->ref, &b->ref) && a->attempt == b->attempt;
}

static size_t sent_add(struct watch *w, const struct sent *fresh)
{
    for (size_t i = 0; i < w->sent_count; i++)
        if (same_claim(&w->sent[i], fresh) &&
            memcmp(&w->sent[i].digest, &fresh->digest, sizeof fresh->digest) == 0)
            return i;
    if (w->sent_count == w->sent_cap) {
        w->sent_cap = w->sent_cap ? 2 * w->sent_cap : 128;
        w->sent = realloc(w->sent, w->sent_cap * sizeof *w->sent);
        ENSURE(w->sent != NULL);
    }
    w->sent[w->sent_count] = *fresh;
    return w->sent_count++;
}

static bool is_device_of(const struct sim *s, struct target_id target, struct device_id id)
{
    struct account_id account;
    struct device_id rogue;
    for (size_t i = 0; s->truth && i < s->account_count; i++)
        if (target_equal(target_of_account(s->devices[i].account), target)) return truth_standing(s, i, id) != 0;
    for (size_t i = 0; i < s->device_count; i++)
        if (target_equal(target_of_account(s->devices[i].account), target) && device_equal(s->devices[i].id, id))
            return true;
    return rogue_device(s, &account, &rogue) && target_equal(target_of_account(account), target) &&
           device_equal(rogue, id);
}

/* Or in a branch of its log, which the sender cannot tell from it. */
static bool may_be_written(struct sim *s, const struct conn *c, struct target_id target, struct device_id id)
{
    if (is_device_of(s, target, id)) return true;
    for (size_t i = 0; s->forks && i < s->account_count; i++)
        if (target_equal(target_of_account(s->devices[i].account), target)) return forks_has(&s->devices[c->device], i, id);
    return false;
}

/* Every part is for another device that is in the real log, or was. */
static void parts_check(struct sim *s, const struct conn *c, const struct msg_send_item *item)
{
    s->seen[SEEN_MANY] += item->part_count > 1;
    for (size_t i = 0; i < item->part_count; i++)
        if (!may_be_written(s, c, item->target, item->parts[i].device) || device_equal(item->parts[i].device, device_of(s, c)))
            sim_fail(s, "device %zu sends to a device that is not its recipient's", c->device);
}

/* One item of a SEND. To its own account, where nobody else is in it, a device makes none (PROTOCOL 7.2). */
static void send_item_seen(struct sim *s, const struct conn *c, struct view raw,
                           struct reader *body, size_t *index)
{
    struct msg_send_item item;
    struct sent sent = {.ref.sender = device_of(s, c)};
    *index = SIM_NEVER;
    if (codec_decode(&msg_send_item_desc, raw, &s->watch->arena, &item) != STATUS_OK ||
        (!item.part_count && !s->truth) || item.part_count > DEVICES_PER_ACCOUNT) {
        if (!is_rogue(s, c)) sim_fail(s, "a client sends an item that does not decode");
        return;
    }
    if (!is_rogue(s, c)) parts_check(s, c, &item);
    sent.ref.target = item.target;
    sent.ref.id = item.id;
    sent.attempt = item.attempt;
    parts_take(&sent, raw, &item, body);
    *index = sent_add(s->watch, &sent);
}

static void send_seen(struct sim *s, const struct conn *c, const struct frame *f, struct asked *a)
{
    struct msg_send send;
    struct reader body = reader_of(f->body);
    if (codec_decode(&msg_send_desc, f->meta, &s->watch->arena, &send) != STATUS_OK) return;
    for (size_t i = 0; i < send.item_count; i++)
        send_item_seen(s, c, send.items[i], &body, &a->items[i]);
    a->count = send.item_count;
}

static void ack_seen(struct sim *s, const struct conn *c, const struct frame *f)
{
    struct msg_ack ack;
    if (codec_decode(&msg_ack_desc, f->meta, &s->watch->arena, &ack) == STATUS_OK)
        trace_put(s, TRACE_ACK, c->device, ack.settled_seq, ack.failed_count);
}

/* ---- one reply for each request ---- */

static struct asked *asked_find(struct watch *w, const struct conn *c, uint64_t correlation)
{
    for (size_t i = 0; i < w->asked_count; i++) {
        struct asked *a = &w->asked[i];
        if (a->broker == c->broker && a->number == c->number && a->correlation == correlation)
            return a;
    }
    return NULL;
}

static struct asked *asked_add(struct sim *s, const struct conn *c, const struct frame *f)
{
    struct watch *w = s->watch;
    if (asked_find(w, c, f->header.correlation)) sim_fail(s, "a correlation id is used twice");
    if (w->asked_count == w->asked_cap) {
        w->asked_cap = w->asked_cap ? 2 * w->asked_cap : 64;
        w->asked = realloc(w->asked, w->asked_cap * sizeof *w->asked);
        ENSURE(w->asked != NULL);
    }
    struct asked *a = &w->asked[w->asked_count++];
    *a = (struct asked){.broker = c->broker,
                        .number = c->number,
                        .at_ms = s->now_ms,
                        .correlation = f->header.correlation,
                        .kind = f->header.kind};
    return a;
}

void watch_client_closed(struct sim *s, const struct conn *c)
{
    struct watch *w = s->watch;
    for (size_t i = 0; i < w->asked_count;) {
        if (w->asked[i].broker == c->broker && w->asked[i].number == c->number)
            w->asked[i] = w->asked[--w->asked_count];
        else
            i++;
    }
}

const struct asked *watch_unanswered(const struct sim *s, uint64_t older_than_ms)
{
    for (size_t i = 0; i < s->watch->asked_count; i++)
        if (s->watch->asked[i].at_ms + older_than_ms < s->now_ms) return &s->watch->asked[i];
    return NULL;
}

void watch_client_said(struct sim *s, const struct conn *c, struct view frame)
{
    struct frame f;
    arena_reset(&s->watch->arena);
    enum status status = frame_check(frame, FROM_CLIENT, &f);
    trace_put(s, TRACE_TO_BROKER, c->device, f.header.kind, f.header.correlation);
    if (status != STATUS_OK || f.header.correlation == 0) {
        if (!is_rogue(s, c)) sim_fail(s, "a client says a frame that is %s", status_name(status));
        return;
    }
    if (watch_has_canary(f.meta))
        sim_fail(s, "the canary is in a client's %s", kind_name(f.header.kind));
    if (memmem(frame.at, frame.len, SIM_SEALED, strlen(SIM_SEALED)))
        sim_fail(s, "what was to be sealed is in a client's %s", kind_name(f.header.kind));
    struct asked *a = asked_add(s, c, &f);
    if (f.header.kind == KIND_SEND) send_seen(s, c, &f, a);
    if (f.header.kind == KIND_ACK) ack_seen(s, c, &f);
}

/* ---- answers ---- */

static void accepted_seen(struct sim *s, struct sent *sent, struct view answer)
{
    struct msg_accepted m;
    if (codec_decode(&msg_accepted_desc, answer, &s->watch->arena, &m) != STATUS_OK ||
        !message_equal(m.id, sent->ref.id) || m.level != LEVEL_SYNCED) {
        sim_fail(s, "an acceptance does not decode, or is another one's");
        return;
    }
    for (size_t i = 0; i < m.part_count; i++)
        if (!is_device_of(s, sent->ref.target, m.parts[i].device)) sim_fail(s, "a message is accepted for a device that its recipient has not");
    bool same = sent->answer && view_equal(answer, view_of(sent->answer, sent->answer_len));
    if (sent->answer && !same && !s->cuts) sim_fail(s, "one claim has two answers");
    s->seen[SEEN_REPEATED] += same;
    if (same) return;
    for (size_t i = 0; i < s->watch->sent_count && !s->cuts; i++) {
        const struct sent *other = &s->watch->sent[i];
        if (other != sent && other->answer && same_claim(other, sent))
            sim_fail(s, "two contents are accepted under one id");
    }
    free(sent->answer);
    sent->answer = malloc(answer.len);
    ENSURE(sent->answer != NULL);
    memcpy(sent->answer, answer.at, answer.len);
    sent->answer_len = answer.len;
}

/* PROTOCOL 7.1: another content under a known id gets the first one's digest and answer. */
static void reused_seen(struct sim *s, const struct sent *sent, const struct msg_sent_item *item)
{
    s->seen[SEEN_REUSED]++;
    for (size_t i = 0; i < s->watch->sent_count; i++) {
        const struct sent *first = &s->watch->sent[i];
        if (!same_claim(first, sent)) continue;
        if (!view_equal(item->digest, view_of(first->digest.bytes, 32))) continue;
        if (first == sent) break;
        if (!first->answer || view_equal(item->answer, view_of(first->answer, first->answer_len)))
            return;
    }
    if (!s->cuts) sim_fail(s, "id_reused does not give the first digest and answer");
}

static void sent_reply_seen(struct sim *s, const struct frame *f, const struct asked *a)
{
    struct msg_sent sent;
    if (codec_decode(&msg_sent_desc, f->meta, &s->watch->arena, &sent) != STATUS_OK ||
        sent.item_count != a->count) {
        sim_fail(s, "SENT does not decode, or has not one answer per item");
        return;
    }
    for (size_t i = 0; i < sent.item_count; i++) {
        if (a->items[i] == SIM_NEVER) continue;
        struct sent *item = &s->watch->sent[a->items[i]];
        if (sent.items[i].status == STATUS_OK) accepted_seen(s, item, sent.items[i].answer);
        if (sent.items[i].status == STATUS_ID_REUSED) reused_seen(s, item, &sent.items[i]);
    }
}

static void error_seen(struct sim *s, const struct conn *c, const struct frame *f,
                       const struct asked *a)
{
    struct msg_error error;
    if (codec_decode(&msg_error_desc, f->meta, &s->watch->arena, &error) != STATUS_OK) {
        sim_fail(s, "ERROR does not decode");
        return;
    }
    enum status status = status_from_wire(error.status);
    /* A device that is put out is refused, and one that is to be let in not known yet (PROTOCOL 6.5). */
    bool put_out = s->truth && ((status == STATUS_REFUSED && a->kind != KIND_REGISTER) ||
                                (status == STATUS_UNAUTHENTICATED && a->kind == KIND_HELLO));
    bool our_fault = status == STATUS_MALFORMED || status == STATUS_UNSUPPORTED ||
                     status == STATUS_TOO_LARGE || status == STATUS_UNAUTHENTICATED ||
                     status == STATUS_BAD_ENTRY || status == STATUS_REFUSED ||
                     status == STATUS_WRONG_HOME;
    trace_put(s, TRACE_ERROR, c->device, a->kind, error.status);
    if (status == STATUS_STALE_HEAD && a->kind == KIND_APPEND && s->truth) {
        s->seen[SEEN_RACED]++;
        s->devices[c->device].raced = true;
    }
    if (our_fault && !put_out && !is_rogue(s, c))
        sim_fail(s, "device %zu: %s is answered %s", c->device, kind_name(a->kind),
                 status_name(status));
}

/* The only ERROR that answers nothing. */
static bool is_session_over(struct watch *w, const struct frame *f)
{
    struct msg_error error;
    return f->header.kind == KIND_ERROR && !f->header.correlation &&
           codec_decode(&msg_error_desc, f->meta, &w->arena, &error) == STATUS_OK &&
           error.status == STATUS_NO_SESSION;
}

static void reply_seen(struct sim *s, const struct conn *c, const struct frame *f)
{
    struct watch *w = s->watch;
    struct asked *a = asked_find(w, c, f->header.correlation);
    if (!a && is_session_over(w, f)) return;
    if (!a) {
        sim_fail(s, "a %s answers nothing that device %zu has asked on this connection",
                 kind_name(f->header.kind), c->device);
        return;
    }
    if (f->header.kind == KIND_ERROR)
        error_seen(s, c, f, a);
    else if (kind_rule_of(a->kind)->reply != (enum frame_kind)f->header.kind)
        sim_fail(s, "a %s is answered by a %s", kind_name(a->kind), kind_name(f->header.kind));
    else if (f->header.kind == KIND_SENT)
        sent_reply_seen(s, f, a);
    *a = w->asked[--w->asked_count];
}

/* ---- deliveries ---- */

static bool has_part(const struct sent *sent, struct device_id device, const struct hash256 *hash)
{
    for (size_t i = 0; i < sent->part_count; i++)
        if (device_equal(sent->parts[i].device, device) && memcmp(&sent->parts[i].hash, hash, sizeof *hash) == 0) return true;
    return false;
}

static bool was_sent(const struct watch *w, const struct msg_delivery *d, struct device_id to, struct view bytes)
{
    struct hash256 hash = digest_ciphertext(bytes);
    struct message_ref ref = {d->sender_device, d->target, d->id};
    for (size_t i = 0; i < w->sent_count; i++)
        if (same_ref(&w->sent[i].ref, &ref) && has_part(&w->sent[i], to, &hash)) return true;
    return false;
}

static void deliver_seen(struct sim *s, const struct conn *c, const struct frame *f)
{
    struct msg_deliver m;
    struct reader body = reader_of(f->body);
    struct target_id own = target_of_account(account_of(s, c));
    if (codec_decode(&msg_deliver_desc, f->meta, &s->watch->arena, &m) != STATUS_OK) {
        sim_fail(s, "DELIVER does not decode");
        return;
    }
    if (!is_rogue(s, c) && s->devices[c->device].sessions[SESSION_QUICK].conn == c)
        sim_fail(s, "an unattached session gets deliveries");
    if (m.item_count)
        trace_put(s, TRACE_ARRIVE, c->device, m.items[0].seq, m.items[m.item_count - 1].seq);
    for (size_t i = 0; i < m.item_count; i++) {
        struct view bytes = read_view(&body, m.items[i].len);
        if (!target_equal(m.items[i].target, own)) sim_fail(s, "a delivery is for somebody else");
        if (!was_sent(s->watch, &m.items[i], device_of(s, c), bytes))
            sim_fail(s, "what is delivered was never sent");
        s->seen[SEEN_AGAIN] += m.items[i].again;
    }
    if (reader_done(&body) != STATUS_OK)
        sim_fail(s, "DELIVER has other bytes than its lengths say");
}

void watch_client_got(struct sim *s, const struct conn *c, struct view frame)
{
    struct frame f;
    arena_reset(&s->watch->arena);
    enum status status = frame_check(frame, FROM_RELAY, &f);
    trace_put(s, TRACE_TO_CLIENT, c->device, f.header.kind, f.header.correlation);
    if (status != STATUS_OK) {
        sim_fail(s, "the relay says a frame that is %s", status_name(status));
        return;
    }
    if (watch_has_canary(f.meta))
        sim_fail(s, "the canary is in the relay's %s", kind_name(f.header.kind));
    parts_said(s, c, &f);
    if (f.header.kind == KIND_DELIVER)
        deliver_seen(s, c, &f);
    else if (f.header.correlation)
        reply_seen(s, c, &f);
}

/* ---- for the verdict ---- */

size_t watch_accepted_count(const struct sim *s)
{
    size_t count = 0;
    for (size_t i = 0; i < s->watch->sent_count; i++)
        count += s->watch->sent[i].answer != NULL;
    return count;
}

struct message_ref watch_accepted(const struct sim *s, size_t n)
{
    for (size_t i = 0; i < s->watch->sent_count; i++)
        if (s->watch->sent[i].answer && n-- == 0) return s->watch->sent[i].ref;
    return (struct message_ref){0};
}

/* ---- events ---- */

static bool marks_raw_id(const struct sim *s, const struct event *e)
{
    for (size_t i = 0; i < s->device_count; i++) {
        const struct device *d = &s->devices[i];
        if (!d->has_id) continue;
        if (memcmp(e->device.bytes, d->id.bytes, sizeof e->device.bytes) == 0) return true;
        if (memcmp(e->account.bytes, d->account.bytes, sizeof e->account.bytes) == 0) return true;
    }
    return false;
}

/* No damage is injected here, so these would be our own. */
static bool is_our_fault(enum event_kind kind)
{
    return kind == EVENT_STORE_DAMAGED || kind == EVENT_PAYLOAD_DAMAGED ||
           kind == EVENT_DELIVERY_LOST || kind == EVENT_TRANSITION_REFUSED;
}

static void event_count(struct sim *s, const struct event *e)
{
    static const struct {
        enum event_kind kind;
        enum seen seen;
    } table[] = {{EVENT_WORKER_LOST, SEEN_WORKER_LOST},
                 {EVENT_BROKER_LOST, SEEN_BROKER_LOST},
                 {EVENT_STALE_TERM_REFUSED, SEEN_STALE_TERM},
                 {EVENT_CLOCK_JUMPED, SEEN_CLOCK},
                 {EVENT_CLIENT_CLOCK_SKEWED, SEEN_SKEWED},
                 {EVENT_STORE_LOSS, SEEN_LOSS},
                 {EVENT_RESENT_AFTER_LOSS, SEEN_RESENT},
                 {EVENT_DELIVERY_EXPIRED, SEEN_EXPIRED},
                 {EVENT_DELIVERY_FAILED, SEEN_FAILED},
                 {EVENT_STORE_READONLY, SEEN_READONLY},
                 {EVENT_SLOW_CONSUMER, SEEN_SLOW},
                 {EVENT_OVERLOAD, SEEN_OVERLOAD},
                 {EVENT_RATE_LIMITED, SEEN_LIMITED},
                 {EVENT_ADDRESS_LIMITED, SEEN_LIMITED},
                 {EVENT_SESSION_SUPERSEDED, SEEN_SUPERSEDED}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].kind == e->kind) s->seen[table[i].seen]++;
}

void watch_event(struct sim *s, const struct event *e)
{
    s->seen[SEEN_STALE] += e->kind == EVENT_SEND_REFUSED && e->code == STATUS_STALE_DEVICES;
    s->seen[SEEN_REVOKED_MAIL] += e->kind == EVENT_DELIVERIES_REVOKED || e->kind == EVENT_DEVICE_SWEPT ? e->count : 0;
    s->seen[SEEN_SWEPT] += e->kind == EVENT_DEVICE_SWEPT;
    s->seen[SEEN_BEHIND] += e->kind == EVENT_SEND_REFUSED && e->code == STATUS_RELAY_BEHIND;
    char json[1024];
    event_json(e, json, sizeof json);
    trace_put(s, TRACE_EVENT, (uint64_t)e->kind, e->code, e->count);
    if (strstr(json, SIM_CANARY)) sim_fail(s, "the canary is in an event");
    if (marks_raw_id(s, e)) sim_fail(s, "an event has a raw id");
    if (is_our_fault(e->kind))
        sim_fail(s, "event %s, though nothing was damaged", event_name(e->kind));
    if (e->kind == EVENT_STORE_LOSS && !s->cuts) sim_fail(s, "store_loss, though nothing was lost");
    bool branched = e->kind == EVENT_SPLIT_VIEW && s->seen[SEEN_BRANCHES]; /* who is on a branch shows it to the relay */
    if ((e->kind == EVENT_SPLIT_VIEW || e->kind == EVENT_LOG_RESTORED) && !s->cuts && !branched)
        sim_fail(s, "event %s, though no log was ever set back", event_name(e->kind));
    event_count(s, e);
}
