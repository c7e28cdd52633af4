/* peer: the brokers as storage sees them: READY until heard, collecting their sessions after a start,
 * heartbeats, and what they tell of sessions that ended or could not take a push. */
#include "storage/core.h"

#include <string.h>

#define READY_EVERY_MS     250u
#define HEARTBEAT_EVERY_MS 250u
#define SILENCE_MS         600u  /* say READY again */
#define LOST_MS            2000u /* its sessions are gone */
#define COLLECT_MS         2000u
#define PAUSE_MS           200u

static void say(struct storage *s, size_t broker, enum frame_kind kind,
                const struct codec_desc *desc, const void *meta)
{
    struct buffer *out = &s->peers[broker].at_once;
    struct stamp stamp = {.origin = ORIGIN_PEER};
    if (kind == KIND_READY) stamp.session = (struct session_id){s->term, s->session_number};
    if (!out->len) slab_begin(out);
    size_t start = slab_item_begin(out, &stamp);
    frame_write(out, &(struct frame_header){.kind = (uint8_t)kind,
                                            .home = s->config.partition_first}, desc, meta);
    slab_item_end(out, start);
}

static void say_ready(struct storage *s, size_t broker)
{
    struct msg_ready ready = {.role = ROLE_STORAGE, .boot = s->boot, .store = s->store_id,
                              .term = s->term, .commit = s->synced,
                              .first = s->config.partition_first,
                              .last = s->config.partition_last, .credit = s->config.credit};
    say(s, broker, KIND_READY, &msg_ready_desc, &ready);
}

static void say_heartbeat(struct storage *s, size_t broker)
{
    struct msg_heartbeat beat = {
        .row = {.role = ROLE_STORAGE, .boot = s->boot, .store = s->store_id, .term = s->term,
                .commit = s->synced, .sessions = s->counters.attached,
                .mailboxes = table_count(s->mailboxes),
                .queued_messages = s->counters.queued_messages,
                .queued_bytes = s->counters.queued_bytes, .parked = s->counters.parked,
                .wakes = s->wake_count, .commit_lag_us = s->commit_lag_us,
                .turns = s->counters.turns, .items = s->counters.items,
                .state = (uint32_t)s->state, .disk_free_percent = s->disk_free_percent,
                .accepted = s->counters.accepted, .settled = s->counters.settled,
                .repeated = s->counters.repeated, .skewed = s->counters.skewed,
                .registration = s->config.token_wanted ? RULE_TOKEN : RULE_OPEN}};
    say(s, broker, KIND_HEARTBEAT, &msg_heartbeat_desc, &beat);
}

/* All sessions of a broker end: it restarted or is gone. Returns how many. */
static uint64_t drop_sessions(struct storage *s, size_t broker)
{
    size_t slot = 0;
    uint64_t dropped = 0;
    for (struct mailbox *m; (m = table_next(s->mailboxes, &slot));) {
        if (!mailbox_attached(m) || m->session.broker != broker) continue;
        mailbox_detach(m);
        s->counters.attached--;
        core_hot(s, m);
        dropped++;
    }
    return dropped;
}

static void set_map(struct peer *p, const struct msg_map *map)
{
    buffer_clear(&p->map);
    codec_encode(&msg_map_desc, map, &p->map);
}

static void on_peer(struct storage *s, size_t broker, const struct stamp *stamp, const void *meta)
{
    const struct msg_peer *m = meta;
    (void)stamp;
    struct peer *p = &s->peers[broker];
    bool same = p->known && memcmp(p->boot.bytes, m->boot.bytes, sizeof m->boot.bytes) == 0;
    set_map(p, &m->map);
    p->list++;
    if (same) return;
    if (p->known) drop_sessions(s, broker);
    p->known = true;
    p->collected = false;
    p->boot = m->boot;
    terms_witness(s, m->witness_term, m->witness_commit);
}

/* A mailbox that only a session list has named: its row is read by the first turn that touches it. */
static struct mailbox *adopt(struct storage *s, const struct stamp *stamp, uint16_t home)
{
    struct device_row row = {.account = stamp->account};
    struct mailbox *m = core_mailbox_peek(s, stamp->device);
    if (m) return m;
    m = mailbox_new(stamp->device, home, &row);
    m->row_unknown = true;
    if (table_put(s->mailboxes, stamp->device.bytes, m) != STATUS_OK) mailbox_free(&m);
    return m;
}

/* A session that the broker had bound before this process started, or since it lost us. Of two brokers'
 * sessions of one device the higher number is kept, in whichever order they are told. */
static void on_session(struct storage *s, size_t broker, const struct stamp *stamp,
                       const void *meta)
{
    const struct msg_session *m = meta;
    uint16_t home = home_of_account(stamp->account);
    if (!stamp->session.number || !core_owns(s, home)) return;
    adopt_list(s, stamp);
    if (!m->attached) return;
    struct mailbox *box = adopt(s, stamp, home);
    if (!box || box->home != home) return;
    struct attachment a = {.session = stamp->session, .broker = broker, .conn = stamp->conn,
                           .credit_messages = m->credit_messages, .credit_bytes = m->credit_bytes,
                           .client_version = version_number(m->client_version),
                           .round = stamp->round,
                           .listed = s->peers[broker].list};
    if (a.credit_messages > CREDIT_MESSAGES_MAX) a.credit_messages = CREDIT_MESSAGES_MAX;
    if (a.credit_bytes > CREDIT_BYTES_MAX) a.credit_bytes = CREDIT_BYTES_MAX;
    int order = session_compare(a.session, box->session.session);
    if (order < 0) {
        session_supersede(s, box, &a, box->session.session);
        return;
    }
    if (!mailbox_attached(box))
        s->counters.attached++;
    else if (order > 0)
        session_supersede(s, box, &box->session, a.session);
    mailbox_attach(box, &a);
    box->row.account = stamp->account;
    if (!box->row_unknown) box->reoffering = a.client_version != box->row.client_version;
    core_hot(s, box);
}

static bool is_current(const struct mailbox *m, size_t broker, const struct stamp *stamp)
{
    return m && mailbox_attached(m) && m->session.broker == broker &&
           m->session.conn == stamp->conn &&
           session_compare(m->session.session, stamp->session) == 0;
}

static void on_closed(struct storage *s, size_t broker, const struct stamp *stamp, const void *meta)
{
    (void)meta;
    struct mailbox *m = core_mailbox_peek(s, stamp->device);
    if (is_current(m, broker, stamp)) session_end(s, m);
}

static void on_undelivered(struct storage *s, size_t broker, const struct stamp *stamp,
                           const void *meta)
{
    const struct msg_undelivered *u = meta;
    struct mailbox *m = core_mailbox_peek(s, stamp->device);
    if (!is_current(m, broker, stamp)) return;
    if (u->gone) {
        on_closed(s, broker, stamp, NULL);
        return;
    }
    struct position at = {u->term, u->seq};
    if (at.seq) mailbox_unoffer(m, at); /* else a frame of gaps alone */
    m->gap_told = 0;
    m->session.round = stamp->round;
    m->session.paused_until_ms = s->mono_ms + PAUSE_MS;
    core_hot(s, m);
}

static void on_heartbeat(struct storage *s, size_t broker, const struct stamp *stamp,
                         const void *meta)
{
    (void)stamp;
    set_map(&s->peers[broker], &((const struct msg_heartbeat *)meta)->map);
}

static void collected(struct storage *s, size_t broker)
{
    if (s->peers[broker].collected) return;
    s->peers[broker].collected = true;
    core_event(s, &(struct event){.kind = EVENT_SESSIONS_COLLECTED, .count = s->counters.attached});
}

/* Sessions that began before the READY which this list answers, and are not in it, ended without our
 * hearing of it: their WELCOME or CLOSED was lost with a connection. */
static void drop_unlisted(struct storage *s, size_t broker, struct session_id before)
{
    size_t slot = 0;
    for (struct mailbox *m; (m = table_next(s->mailboxes, &slot));) {
        const struct attachment *a = &m->session;
        if (mailbox_attached(m) && a->broker == broker && a->listed != s->peers[broker].list &&
            session_compare(a->session, before) <= 0)
            session_end(s, m);
    }
}

static void on_sessions_end(struct storage *s, size_t broker, const struct stamp *stamp,
                            const void *meta)
{
    (void)meta;
    drop_unlisted(s, broker, stamp->session);
    collected(s, broker);
}

static const struct peer_rule {
    enum frame_kind kind;
    const struct codec_desc *desc;
    void (*on)(struct storage *s, size_t broker, const struct stamp *stamp, const void *meta);
} peer_rules[] = {
    {KIND_PEER, &msg_peer_desc, on_peer},
    {KIND_HEARTBEAT, &msg_heartbeat_desc, on_heartbeat},
    {KIND_SESSION, &msg_session_desc, on_session},
    {KIND_SESSIONS_END, &msg_empty_desc, on_sessions_end},
    {KIND_CLOSED, &msg_closed_desc, on_closed},
    {KIND_UNDELIVERED, &msg_undelivered_desc, on_undelivered},
};

bool peer_item(struct storage *s, size_t broker, const struct stamp *stamp,
               const struct frame *frame)
{
    for (size_t i = 0; i < sizeof peer_rules / sizeof peer_rules[0]; i++) {
        const struct peer_rule *rule = &peer_rules[i];
        if (rule->kind != (enum frame_kind)frame->header.kind) continue;
        void *meta = arena_alloc(&s->input, rule->desc->size);
        if (codec_decode(rule->desc, frame->meta, &s->input, meta) == STATUS_OK)
            rule->on(s, broker, stamp, meta);
        return true;
    }
    return false;
}

/* What the broker knew of us is gone or in doubt: READY again until it answers PEER. */
static uint64_t forget(struct storage *s, size_t broker)
{
    s->peers[broker].known = false;
    s->peers[broker].said_ms = 0;
    return drop_sessions(s, broker);
}

void peer_heard(struct storage *s, size_t broker, const struct slab_header *header)
{
    struct peer *p = &s->peers[broker];
    bool other = p->known && memcmp(p->boot.bytes, header->boot.bytes, sizeof p->boot.bytes) != 0;
    p->heard_ms = s->mono_ms;
    if (other) forget(s, broker);
}

void peer_lost(struct storage *s, size_t broker)
{
    const struct peer *p = &s->peers[broker];
    if (!p->known) return;
    uint64_t silence_ms = s->mono_ms - p->heard_ms, sessions = forget(s, broker);
    core_event(s, &(struct event){.kind = EVENT_BROKER_LOST, .count = sessions,
                                  .value = silence_ms});
}

static void tick_one(struct storage *s, size_t broker)
{
    struct peer *p = &s->peers[broker];
    uint64_t silence = s->mono_ms - p->heard_ms;
    if (!p->ready_first_ms) p->ready_first_ms = s->mono_ms;
    if (silence > LOST_MS) peer_lost(s, broker);
    if (!p->collected && s->mono_ms - p->ready_first_ms > COLLECT_MS) collected(s, broker);
    if (s->state == STORE_DRAINING && !p->known) return;
    if (p->said_ms && s->mono_ms - p->said_ms < HEARTBEAT_EVERY_MS && !p->reached) return;
    p->said_ms = s->mono_ms ? s->mono_ms : 1;
    if ((!p->known || silence > SILENCE_MS || p->reached) && s->state != STORE_DRAINING)
        say_ready(s, broker);
    else
        say_heartbeat(s, broker);
    p->reached = false;
}

static void tell_wakes(struct storage *s)
{
    if (!s->wakes_created || s->mono_ms - s->wakes_told_ms <= 50) return;
    for (size_t i = 0; i < s->config.broker_count; i++)
        if (s->peers[i].known)
            say(s, i, KIND_WAKES_WAITING, &msg_empty_desc, &(struct msg_empty){0});
    s->wakes_created = false;
    s->wakes_told_ms = s->mono_ms;
}

void peer_tick(struct storage *s)
{
    bool all = true;
    for (size_t i = 0; i < s->config.broker_count; i++) {
        tick_one(s, i);
        all = all && s->peers[i].collected;
    }
    if (all && s->state == STORE_COLLECTING) {
        state_step(s, STORE_COLLECTED);
        s->stats_next_ms = 0; /* the disk's state counts from the first answer on */
    }
    tell_wakes(s);
    for (size_t i = 0; i < s->config.broker_count; i++)
        peer_flush(s, i);
}

void peer_leaving(struct storage *s)
{
    for (size_t i = 0; i < s->config.broker_count; i++) {
        if (s->peers[i].known) say(s, i, KIND_LEAVING, &msg_empty_desc, &(struct msg_empty){0});
        peer_flush(s, i);
    }
}

static void flush(struct storage *s, size_t broker, struct buffer *out)
{
    struct slab_header header = {.role = ROLE_STORAGE, .boot = s->boot, .term = s->term,
                                 .relay_ms = s->store_ms,
                                 .commit = s->synced};
    if (out->len && slab_count(out)) {
        slab_finish(out, &header);
        s->out.slab(s->out.context, broker, buffer_view(out));
    }
    buffer_clear(out);
}

/* What rests on nothing unsynced; a turn's own slab leaves in storage_finish through the same, and what was
 * refused meanwhile behind it. */
void peer_flush(struct storage *s, size_t broker)
{
    flush(s, broker, &s->peers[broker].at_once);
    if (s->writing) return;
    flush(s, broker, &s->peers[broker].written);
    if (!s->in_turn) flush(s, broker, &s->peers[broker].after);
}
