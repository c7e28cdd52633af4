/* slabs: the oracle at the storage worker's end (see watch.c). What leaves is held against the rows
 * that are on the disk at that very moment: the model backend shows nothing before it is written. */
#include "tests/sim/watch.h"

#include "storage/rows.h"

#include <stdlib.h>
#include <string.h>

/* ---- credit ---- */

void credit_fini(struct watch *w)
{
    for (size_t i = 0; i < CREDIT_SESSIONS_MAX; i++)
        free(w->credits[i].offers);
}

static struct credit *credit_find(struct watch *w, struct session_id session)
{
    for (size_t i = 0; i < CREDIT_SESSIONS_MAX; i++)
        if (w->credits[i].messages_max && session_compare(w->credits[i].session, session) == 0)
            return &w->credits[i];
    return NULL;
}

static void credit_granted(struct watch *w, const struct msg_welcome *m, const struct stamp *stamp)
{
    struct credit *c = &w->credits[w->credit_count++ % CREDIT_SESSIONS_MAX];
    free(c->offers);
    *c = (struct credit){.session = m->session,
                         .device = stamp->device,
                         .home = home_of_account(stamp->account),
                         .messages_max = m->credit_messages,
                         .bytes_max = m->credit_bytes};
}

static void credit_drop_from(struct credit *c, struct position at, bool up_to)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        int order = position_compare(c->offers[i].at, at);
        if (up_to ? order > 0 : order < 0) c->offers[kept++] = c->offers[i];
    }
    c->count = kept;
}

static void credit_add(struct credit *c, struct position at, uint32_t len)
{
    for (size_t i = 0; i < c->count; i++)
        if (position_compare(c->offers[i].at, at) == 0) return;
    if (c->count == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 32;
        c->offers = realloc(c->offers, c->cap * sizeof *c->offers);
        ENSURE(c->offers != NULL);
    }
    c->offers[c->count++] = (struct offered){at, len};
}

static bool row_exists(struct store_process *p, enum store_space space, const struct store_key *key)
{
    struct watch *w = p->host->sim->watch;
    struct store_read read = {.space = space, .key = key_view(key)};
    return store_load(p->store, &read, 1, &w->arena) == STATUS_OK && read.value.at;
}

/* Deliveries that ended on their own (expired) leave the credit unseen. */
static void credit_correct(struct store_process *p, struct credit *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct store_key key = key_position(ROW_ENVELOPE, c->home, c->device, c->offers[i].at);
        if (row_exists(p, SPACE_PAYLOAD, &key)) c->offers[kept++] = c->offers[i];
    }
    c->count = kept;
}

static bool credit_exceeded(const struct credit *c)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->count; i++)
        bytes += c->offers[i].len;
    if (c->count > c->messages_max) return true;
    return bytes > c->bytes_max && c->count > 1; /* one always fits, however large */
}

static void credit_check(struct store_process *p, struct credit *c)
{
    if (!credit_exceeded(c)) return;
    credit_correct(p, c);
    if (credit_exceeded(c))
        sim_fail(p->host->sim, "a session has %zu deliveries unacknowledged and a credit of %u",
                 c->count, c->messages_max);
}

void watch_storage_died(struct store_process *p)
{
    struct watch *w = p->host->sim->watch;
    for (size_t i = 0; i < CREDIT_SESSIONS_MAX; i++) {
        struct credit *c = &w->credits[i];
        if (c->home >= p->host->first && c->home <= p->host->last) c->count = 0;
    }
}

/* ---- what storage says ---- */

static bool decode(struct store_process *p, const struct frame *f, const struct codec_desc *desc,
                   void *out)
{
    struct sim *s = p->host->sim;
    if (codec_decode(desc, f->meta, &s->watch->arena, out) == STATUS_OK) return true;
    sim_fail(s, "storage says a %s that does not decode", kind_name(f->header.kind));
    return false;
}

/* The disk's last group, as its own row says. */
static struct commit_row disk_commit(struct store_process *p)
{
    struct store_key key = key_single(ROW_COMMIT);
    struct commit_row row = {.commit = 0};
    struct store_read read = {.space = SPACE_IDENTITY, .key = key_view(&key)};
    if (store_load(p->store, &read, 1, &p->host->sim->watch->arena) == STATUS_OK && read.value.at &&
        commit_row_read(read.value, &row) != STATUS_OK)
        sim_fail(p->host->sim, "the disk's commit row does not decode");
    return row;
}

static void says_sent(struct store_process *p, const struct frame *f)
{
    struct sim *s = p->host->sim;
    struct msg_sent sent;
    struct msg_accepted accepted;
    struct commit_row disk = disk_commit(p);
    if (!decode(p, f, &msg_sent_desc, &sent)) return;
    for (size_t i = 0; i < sent.item_count; i++) {
        if (sent.items[i].status != STATUS_OK) continue;
        if (codec_decode(&msg_accepted_desc, sent.items[i].answer, &s->watch->arena, &accepted) !=
            STATUS_OK)
            sim_fail(s, "storage says an acceptance that does not decode");
        else if (term_equal(accepted.receipt.term, disk.term) &&
                 accepted.receipt.commit > disk.commit)
            sim_fail(s, "an acceptance leaves before its commit");
        else
            truth_accepted(s, &accepted);
    }
}

static void says_deliver(struct store_process *p, const struct frame *f, const struct stamp *stamp)
{
    struct sim *s = p->host->sim;
    struct msg_deliver m;
    if (!decode(p, f, &msg_deliver_desc, &m)) return;
    truth_offered(s, stamp->device);
    struct credit *c = credit_find(s->watch, stamp->session);
    if (m.item_count)
        trace_put(s, TRACE_OFFER, device_number(s, stamp->device), m.items[0].seq,
                  m.items[m.item_count - 1].seq);
    for (size_t i = 0; i < m.item_count; i++) {
        struct position at = {m.items[i].term, m.items[i].seq};
        struct store_key key = key_position(ROW_ENVELOPE, f->header.home, stamp->device, at);
        if (!row_exists(p, SPACE_PAYLOAD, &key))
            sim_fail(s, "a delivery leaves that the disk does not have");
        if (c) credit_add(c, at, m.items[i].len);
    }
    if (c) credit_check(p, c);
}

static void says_acked(struct store_process *p, const struct frame *f, const struct stamp *stamp)
{
    struct sim *s = p->host->sim;
    struct msg_acked m;
    struct store_row row;
    if (!decode(p, f, &msg_acked_desc, &m)) return;
    struct position settled = {m.settled_term, m.settled_seq};
    struct credit *c = credit_find(s->watch, m.session);
    trace_put(s, TRACE_ECHO, device_number(s, stamp->device), m.settled_seq, 0);
    if (!m.settled_seq || !c) return;
    credit_drop_from(c, settled, true);
    struct store_key from = key_mailbox(ROW_ENVELOPE, c->home, c->device);
    struct store_key at = key_position(ROW_ENVELOPE, c->home, c->device, settled);
    struct store_key to = key_after(key_view(&at));
    struct store_scan scan = {.space = SPACE_PAYLOAD,
                              .from = key_view(&from),
                              .to = key_view(&to),
                              .row_max = 1,
                              .byte_max = 1024,
                              .keys_only = true,
                              .rows = &row};
    if (store_scan(p->store, &scan, &s->watch->arena) == STATUS_OK && scan.row_count)
        sim_fail(s, "an echo leaves before its acknowledgement is on the disk");
}

static void says(struct store_process *p, const struct stamp *stamp, struct view bytes)
{
    struct sim *s = p->host->sim;
    struct frame f;
    struct msg_welcome welcome;
    enum status status = frame_check(bytes, (enum frame_from)(FROM_RELAY | FROM_WORKER), &f);
    if (status != STATUS_OK) {
        sim_fail(s, "storage says a frame that is %s", status_name(status));
        return;
    }
    unsigned kind = f.header.kind;
    if (kind != KIND_DELIVER && watch_has_canary(bytes))
        sim_fail(s, "the canary is in storage's %s", kind_name(kind));
    if (p->zombie) { /* it may repeat what it knows to be on the disk, such as an echo */
        if (kind == KIND_SENT || kind == KIND_DELIVER || kind == KIND_WELCOME)
            sim_fail(s, "a zombie says %s", kind_name(kind));
        return;
    }
    if (kind == KIND_SENT) says_sent(p, &f);
    if (kind == KIND_DELIVER) says_deliver(p, &f, stamp);
    if (kind == KIND_ACKED) says_acked(p, &f, stamp);
    if (kind == KIND_WELCOME && decode(p, &f, &msg_welcome_desc, &welcome))
        credit_granted(s->watch, &welcome, stamp);
}

void watch_storage_says(struct store_process *p, size_t broker, struct view slab)
{
    struct sim *s = p->host->sim;
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view frame;
    (void)broker;
    arena_reset(&s->watch->arena);
    if (slab_open(slab, &header, &reader) != STATUS_OK) {
        sim_fail(s, "storage says a slab that does not open");
        return;
    }
    if (!p->zombie && header.commit > disk_commit(p).commit && header.commit)
        sim_fail(s, "a slab names a commit that the disk does not have");
    while (slab_next(&reader, &stamp, &frame))
        says(p, &stamp, frame);
    if (slab_done(&reader) != STATUS_OK) sim_fail(s, "storage says a slab that does not end");
}

/* ---- what storage hears ---- */

void watch_storage_got(struct store_process *p, size_t broker, struct view slab)
{
    struct sim *s = p->host->sim;
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view bytes;
    struct frame f;
    struct msg_undelivered m;
    (void)broker;
    arena_reset(&s->watch->arena);
    if (slab_open(slab, &header, &reader) != STATUS_OK)
        sim_fail(s, "a broker says a slab that does not open");
    else
        while (slab_next(&reader, &stamp, &bytes)) {
            if (frame_check(bytes, (enum frame_from)15, &f) != STATUS_OK) continue;
            if (f.header.kind != KIND_SEND && watch_has_canary(bytes))
                sim_fail(s, "the canary is in a broker's %s", kind_name(f.header.kind));
            struct credit *c = credit_find(s->watch, stamp.session);
            if (f.header.kind != KIND_UNDELIVERED ||
                codec_decode(&msg_undelivered_desc, f.meta, &s->watch->arena, &m) != STATUS_OK)
                continue;
            trace_put(s, TRACE_BOUNCE, device_number(s, stamp.device), m.seq, m.gone);
            s->seen[SEEN_BOUNCED] += !m.gone;
            if (c) credit_drop_from(c, (struct position){m.term, m.seq}, false);
        }
}

/* ---- what a broker hears ---- */

/* Whose sessions are over; the broker has taken it in. */
void watch_broker_got(struct sim *s, size_t broker, struct view slab)
{
    struct slab_header header;
    struct slab_reader reader;
    struct stamp stamp;
    struct view bytes;
    struct frame f;
    struct msg_end_device m;
    if (!s->truth || slab_open(slab, &header, &reader) != STATUS_OK || header.role != ROLE_STORAGE) return;
    arena_reset(&s->watch->arena);
    while (slab_next(&reader, &stamp, &bytes))
        if (frame_check(bytes, FROM_WORKER, &f) == STATUS_OK && f.header.kind == KIND_END_DEVICE &&
            codec_decode(&msg_end_device_desc, f.meta, &s->watch->arena, &m) == STATUS_OK)
            truth_ended(s, broker, &header, m.device);
}
