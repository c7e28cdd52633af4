/* hello: binds a session to a device and takes it over for delivery; ends it on BYE. Of several attached
 * sessions the highest number wins and the other one is told. Sessions that brokers bring along after a
 * restart are taken over as they are, unless their account is not here any more. */
#include "storage/core.h"

#include <stdlib.h>
#include <string.h>

enum status hello_plan(struct storage *s, struct request *r)
{
    const struct msg_hello *m = r->meta;
    uint16_t home = home_of_account(m->account);
    if (!core_owns(s, home)) return STATUS_WRONG_HOME;
    if (m->protocol_min > PROTOCOL_VERSION_MAX || m->protocol_max < PROTOCOL_VERSION_MIN)
        return STATUS_UNSUPPORTED;
    if (m->lineage.len && m->lineage.len != LINEAGE_MARK_LEN) return STATUS_MALFORMED;
    account_want(s, m->account);
    core_mailbox_want(s, home, m->device);
    prekeys_want(s, home, m->device);
    return STATUS_OK;
}

/* Whether this key is the device's; UNAUTHENTICATED: it is nobody's, REFUSED: the device may not speak, ON_HOLD: not now. */
static enum status device_check(const struct account *a, struct device_id id, const struct transport_pk *key)
{
    const struct log_device *d = account_device(a, id);
    if (!d || memcmp(&d->record.transport, key, sizeof *key) != 0) return STATUS_UNAUTHENTICATED;
    if (d->standing != STANDING_ACTIVE) return STATUS_REFUSED;
    return account_held(a, id) ? STATUS_ON_HOLD : STATUS_OK;
}

static enum status authenticate(struct storage *s, const struct request *r, struct msg_log_state *log)
{
    const struct msg_hello *m = r->meta;
    const struct account *account;
    enum status status = account_find(s, m->account, &account);
    if (status != STATUS_OK) return status;
    *log = account->log;
    return device_check(account, m->device, &r->stamp.transport);
}

void session_supersede(struct storage *s, const struct mailbox *m, const struct attachment *old,
                       struct session_id by)
{
    struct buffer *out;
    struct msg_superseded meta = {.by = by};
    size_t start = push_begin(s, old, m->device, &out);
    frame_write(out, &(struct frame_header){.kind = KIND_SUPERSEDED, .home = m->home},
                &msg_superseded_desc, &meta);
    push_end(out, start);
    core_event(s, &(struct event){.kind = EVENT_SESSION_SUPERSEDED, .count = old->session.number,
                                  .device = mark_device(&s->config.mark_key, m->device)});
}

void session_end(struct storage *s, struct mailbox *m)
{
    core_event(s, &(struct event){.kind = EVENT_SESSION_ENDED, .count = m->session.session.number,
                                  .value = m->window_len,
                                  .device = mark_device(&s->config.mark_key, m->device)});
    mailbox_detach(m);
    m->row.last_seen_ms = s->store_ms;
    m->row_dirty = true;
    s->counters.attached--;
    core_hot(s, m);
}

/* Brokers know the sessions that are not attached. */
void sessions_revoke(struct storage *s, struct device_id device)
{
    struct mailbox *m = core_mailbox_peek(s, device);
    struct msg_end_device meta = {.device = device, .decided_ms = s->mono_ms};
    struct buffer frame = {0};
    if (m && mailbox_attached(m)) session_end(s, m);
    frame_write(&frame, &(struct frame_header){.kind = KIND_END_DEVICE}, &msg_end_device_desc, &meta);
    brokers_tell(s, buffer_view(&frame));
    buffer_fini(&frame);
    core_event(s, &(struct event){.kind = EVENT_DEVICE_ENDED, .device = mark_device(&s->config.mark_key, device)});
}

void adopt_list(struct storage *s, const struct stamp *stamp)
{
    if (s->listed_count == s->listed_cap) {
        s->listed_cap = s->listed_cap ? 2 * s->listed_cap : 64;
        s->listed = realloc(s->listed, s->listed_cap * sizeof *s->listed);
        ENSURE(s->listed);
    }
    s->listed[s->listed_count] = (struct listed){stamp->account, stamp->device, stamp->transport};
    s->listed_count++;
}

void adopt_plan(struct storage *s)
{
    for (size_t i = 0; i < s->listed_count; i++)
        account_want(s, s->listed[i].account);
    for (struct mailbox *m = s->hot; m; m = m->next_hot)
        if (m->row_unknown) core_mailbox_want(s, m->home, m->device);
}

/* Its account may have gone with a part of the disk, or the device have been revoked in the moment before the process
 * ended: it says HELLO again, and hears why if it may not. What cannot be read decides nothing. */
static enum status listed_check(struct storage *s, const struct listed *l)
{
    const struct account *a;
    enum status status = account_find(s, l->account, &a);
    if (status != STATUS_OK) return status == STATUS_NOT_FOUND ? status : STATUS_OK;
    status = device_check(a, l->device, &l->transport);
    return status == STATUS_OK ? STATUS_OK : STATUS_UNAUTHENTICATED;
}

void adopt_apply(struct storage *s)
{
    for (size_t i = 0; i < s->listed_count; i++) {
        const struct listed *l = &s->listed[i];
        enum status status = listed_check(s, l);
        if (status == STATUS_OK) continue;
        core_event(s, &(struct event){.kind = EVENT_AUTH_REFUSED, .code = (uint32_t)status,
                                      .device = mark_device(&s->config.mark_key, l->device)});
        sessions_revoke(s, l->device);
    }
    s->listed_count = 0;
    for (struct mailbox *m = s->hot, *same; m; m = m->next_hot)
        if (m->row_unknown && core_mailbox(s, m->home, m->device, &same) == STATUS_OK) m->drained = false;
}

static bool holds(const struct mailbox *m, const struct request *r)
{
    return mailbox_attached(m) && m->session.broker == r->broker &&
           m->session.conn == r->stamp.conn;
}

static void attach(struct storage *s, const struct request *r, struct mailbox *m,
                   const struct msg_welcome *welcome)
{
    const struct msg_hello *hello = r->meta;
    struct attachment attachment = {.session = welcome->session, .broker = r->broker,
                                    .conn = r->stamp.conn,
                                    .credit_messages = welcome->credit_messages,
                                    .credit_bytes = welcome->credit_bytes,
                                    .client_version = version_number(hello->client_version)};
    if (mailbox_attached(m) && !holds(m, r))
        session_supersede(s, m, &m->session, welcome->session);
    if (!mailbox_attached(m)) s->counters.attached++;
    mailbox_attach(m, &attachment);
    m->reoffering = hello->reoffer_held || attachment.client_version != m->row.client_version;
    wake_clear(s, m);
}

static uint32_t clamp_u32(uint32_t v, uint32_t max)
{
    return v == 0 || v > max ? max : v;
}

static uint64_t clamp_u64(uint64_t v, uint64_t max)
{
    return v == 0 || v > max ? max : v;
}

static void read_map(struct storage *s, const struct request *r, struct msg_map *map)
{
    const struct buffer *bytes = &s->peers[r->broker].map;
    *map = (struct msg_map){0};
    if (bytes->len &&
        codec_decode(&msg_map_desc, buffer_view(bytes), &s->turn.arena, map) != STATUS_OK)
        *map = (struct msg_map){0};
}

static uint64_t distance(int64_t a, int64_t b)
{
    return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* A client makes ids in relay time, and needs its own clock only until it has heard the relay's: so a wrong
 * one is no reason to refuse. But it is one for what its user sees, and support must be able to tell. The
 * event is for what is new: a device that comes back with the same clock is only counted. */
static void note_clock(struct storage *s, struct mailbox *m, uint64_t client_ms)
{
    if (!client_ms || client_ms > INT64_MAX) return;
    int64_t skew_ms = (int64_t)client_ms - (int64_t)s->turn.now_ms;
    if (distance(skew_ms, 0) <= ID_AHEAD_MAX_MS) {
        m->skew_ms = 0;
        return;
    }
    s->counters.skewed++;
    if (distance(skew_ms, m->skew_ms) <= ID_AHEAD_MAX_MS) return;
    m->skew_ms = skew_ms;
    core_event(s, &(struct event){.kind = EVENT_CLIENT_CLOCK_SKEWED,
                                  .code = skew_ms > 0 ? CLOCK_AHEAD : CLOCK_BEHIND,
                                  .value = distance(skew_ms, 0),
                                  .device = mark_device(&s->config.mark_key, m->device)});
}

/* Of a session that does not receive, for support. Where one does, or something is parked, the row says which version has had what is
 * parked (reoffer.c), and nothing else. */
static void note_version(struct mailbox *m, const struct msg_hello *hello)
{
    if (!m->row.parked && !mailbox_attached(m)) m->row.client_version = version_number(hello->client_version);
}

/* Whether the connection may speak for the device, and the device's mailbox. */
static enum status admit(struct storage *s, const struct request *r, struct mailbox **m,
                         struct msg_log_state *log)
{
    const struct msg_hello *hello = r->meta;
    enum status status = authenticate(s, r, log);
    if (status == STATUS_OK)
        status = core_mailbox(s, home_of_account(hello->account), hello->device, m);
    return status;
}

/* Who it was is told where it is proven: else a stranger could name anybody. */
static void refusal_tell(struct storage *s, const struct msg_hello *hello, enum status status)
{
    struct event e = {.kind = EVENT_AUTH_REFUSED, .code = (uint32_t)status};
    if (status == STATUS_ON_HOLD || status == STATUS_REFUSED) e.device = mark_device(&s->config.mark_key, hello->device);
    core_event(s, &e);
}

void hello_apply(struct storage *s, struct request *r)
{
    const struct msg_hello *hello = r->meta;
    struct mailbox *m;
    struct msg_log_state log;
    enum status status = admit(s, r, &m, &log);
    if (status != STATUS_OK) {
        refusal_tell(s, hello, status);
        request_fail(s, r, status, status > STATUS_WIRE_MAX ? 1000 : 0);
        return;
    }
    const struct policy_row *policy = policy_of(s, hello->account);
    struct msg_welcome welcome = {
        .session = {s->term, ++s->session_number}, .relay_ms = s->turn.now_ms,
        .credit_messages = clamp_u32(hello->credit_messages, CREDIT_MESSAGES_MAX),
        .credit_bytes = clamp_u64(hello->credit_bytes, CREDIT_BYTES_MAX),
        .ping_ms = s->config.ping_ms, .log = log,
        .contacts_version = policy ? policy->version : 0, .prekeys = prekeys_state(s, home_of_account(hello->account), hello->device),
        .lineage = arena_copy(&s->turn.arena, view_of(m->row.lineage, m->row.lineage_len))};
    mailbox_lineage(m, hello->lineage);
    read_map(s, r, &welcome.map);
    if (hello->attach)
        attach(s, r, m, &welcome);
    else if (holds(m, r))
        session_end(s, m); /* the connection has a new session, which does not receive */
    note_clock(s, m, hello->client_ms);
    if (!hello->attach) note_version(m, hello);
    m->row.account = hello->account;
    m->row.last_seen_ms = s->turn.now_ms;
    m->row_dirty = true;
    core_hot(s, m);
    r->stamp.session = welcome.session; /* the broker binds what WELCOME's stamp says */
    r->stamp.account = hello->account;
    r->stamp.device = hello->device;
    request_reply(s, r, KIND_WELCOME, &msg_welcome_desc, &welcome);
    core_event(s, &(struct event){.kind = EVENT_SESSION_STARTED, .code = hello->attach,
                                  .count = welcome.session.number,
                                  .value = version_number(hello->client_version),
                                  .device = mark_device(&s->config.mark_key, hello->device)});
}

enum status bye_plan(struct storage *s, struct request *r)
{
    uint16_t home = home_of_account(r->stamp.account);
    if (!core_owns(s, home)) return STATUS_WRONG_HOME;
    core_mailbox_want(s, home, r->stamp.device);
    return STATUS_OK;
}

void bye_apply(struct storage *s, struct request *r)
{
    struct mailbox *m;
    if (core_mailbox(s, home_of_account(r->stamp.account), r->stamp.device, &m) == STATUS_OK &&
        mailbox_attached(m) && session_compare(m->session.session, r->stamp.session) == 0)
        session_end(s, m);
    request_reply(s, r, KIND_GOODBYE, &msg_empty_desc, &(struct msg_empty){0});
}
