/* hello: binds a session to a device and takes it over for delivery; ends it on BYE. The highest
 * attached session number wins; parked `held` deliveries come back when the client has changed. */
#include "storage/core.h"

#include <string.h>

#define REOFFER_MAX 64u

struct hello_plan {
    struct store_scan *parked;
};

enum status hello_plan(struct storage *s, struct request *r)
{
    const struct msg_hello *m = r->meta;
    struct hello_plan *plan = arena_alloc(&s->turn.arena, sizeof *plan);
    uint16_t home = home_of_account(m->account);
    if (!core_owns(s, home)) return STATUS_WRONG_HOME;
    if (m->protocol_min > PROTOCOL_VERSION_MAX || m->protocol_max < PROTOCOL_VERSION_MIN)
        return STATUS_UNSUPPORTED;
    account_want(s, m->account);
    core_mailbox_want(s, home, m->device);
    if (m->attach) {
        struct store_key from = key_mailbox(ROW_PARKED, home, m->device);
        struct store_key to = key_end(key_view(&from));
        plan->parked = turn_scan(&s->turn, SPACE_PAYLOAD, &from, &to, REOFFER_MAX, REFILL_BYTES_MAX);
    }
    r->plan = plan;
    return STATUS_OK;
}

static enum status authenticate(struct storage *s, const struct request *r)
{
    const struct msg_hello *m = r->meta;
    const struct account *account;
    enum status status = account_find(s, m->account, &account);
    if (status != STATUS_OK) return status;
    const struct account_device *device = account_device(account, m->device);
    if (!device) return STATUS_UNAUTHENTICATED;
    return memcmp(device->transport.bytes, r->stamp.transport.bytes, 32) == 0
               ? STATUS_OK
               : STATUS_UNAUTHENTICATED;
}

static void supersede(struct storage *s, struct mailbox *m, struct session_id by)
{
    struct buffer *out;
    struct msg_superseded meta = {.by = by};
    size_t start = push_begin(s, m, &out);
    frame_write(out, &(struct frame_header){.kind = KIND_SUPERSEDED, .home = m->home},
                &msg_superseded_desc, &meta);
    push_end(out, start);
    core_event(s, &(struct event){.kind = EVENT_SESSION_SUPERSEDED,
                                  .count = m->session.session.number,
                                  .device = mark_device(&s->config.mark_key, m->device)});
}

/* One parked delivery gets a new place; the old place's row names it. */
static void reoffer(struct storage *s, struct mailbox *m, const struct store_row *row)
{
    struct device_id device;
    struct position old;
    struct envelope_row envelope;
    struct view ciphertext;
    if (key_position_read(row->key, &device, &old) != STATUS_OK) return;
    if (envelope_row_read(row->value, &envelope, &ciphertext) != STATUS_OK) return;
    if (envelope.expires_ms <= s->turn.now_ms) return; /* the sweep ends it */
    struct position at = mailbox_take_position(m, s->term, ciphertext.len);
    struct outcome_row moved = {.at_ms = s->turn.now_ms, .moved_to = at};
    struct store_key parked = key_position(ROW_PARKED, m->home, device, old);
    struct store_key outcome = key_position(ROW_OUTCOME, m->home, device, old);
    struct store_key open = key_position(ROW_ENVELOPE, m->home, device, at);
    turn_remove_blind(&s->turn, SPACE_PAYLOAD, &parked);
    turn_put(&s->turn, SPACE_ROUTING, &outcome, outcome_row_write(&s->turn.arena, &moved));
    turn_put_new(&s->turn, SPACE_PAYLOAD, &open, row->value, view_of(NULL, 0));
    m->row.parked -= m->row.parked > 0;
    s->counters.parked -= s->counters.parked > 0;
    s->counters.queued_messages++;
    s->counters.queued_bytes += ciphertext.len;
}

static void attach(struct storage *s, const struct request *r, struct mailbox *m,
                   struct session_id session, struct msg_welcome *welcome)
{
    const struct msg_hello *hello = r->meta;
    const struct hello_plan *plan = r->plan;
    bool same_conn = m->session.broker == r->broker && m->session.conn == r->stamp.conn;
    uint64_t version = version_number(hello->client_version);
    if (mailbox_attached(m) && !same_conn) supersede(s, m, session);
    if (!mailbox_attached(m)) s->counters.attached++;
    if (hello->reoffer_held || version != m->row.client_version)
        for (size_t i = 0; i < plan->parked->row_count; i++)
            reoffer(s, m, &plan->parked->rows[i]);
    struct attachment attachment = {.session = session, .broker = r->broker,
                                    .conn = r->stamp.conn,
                                    .credit_messages = welcome->credit_messages,
                                    .credit_bytes = welcome->credit_bytes};
    mailbox_attach(m, &attachment);
    wake_clear(s, m);
    core_hot(s, m);
    m->row.client_version = version;
}

static uint32_t clamp_u32(uint32_t v, uint32_t max)
{
    return v == 0 || v > max ? max : v;
}

static uint64_t clamp_u64(uint64_t v, uint64_t max)
{
    return v == 0 || v > max ? max : v;
}

void hello_apply(struct storage *s, struct request *r)
{
    const struct msg_hello *hello = r->meta;
    struct mailbox *m;
    enum status status = authenticate(s, r);
    if (status == STATUS_OK) status = core_mailbox(s, home_of_account(hello->account), hello->device, &m);
    if (status != STATUS_OK) {
        core_event(s, &(struct event){.kind = EVENT_AUTH_REFUSED, .code = (uint32_t)status});
        request_fail(s, r, status == STATUS_FULL || status == STATUS_DAMAGED ? STATUS_BUSY : status,
                     1000);
        return;
    }
    struct msg_welcome welcome = {
        .session = {s->term, ++s->session_number}, .relay_ms = s->turn.now_ms,
        .credit_messages = clamp_u32(hello->credit_messages, CREDIT_MESSAGES_MAX),
        .credit_bytes = clamp_u64(hello->credit_bytes, CREDIT_BYTES_MAX),
        .ping_ms = s->config.ping_ms};
    const struct buffer *map = &s->peers[r->broker].map;
    if (map->len && codec_decode(&msg_map_desc, buffer_view(map), &s->turn.arena, &welcome.map) !=
                        STATUS_OK)
        welcome.map = (struct msg_map){0};
    m->row.account = hello->account;
    m->row.last_seen_ms = s->turn.now_ms;
    m->row_dirty = true;
    if (hello->attach) attach(s, r, m, welcome.session, &welcome);
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
    core_mailbox_want(s, home_of_account(r->stamp.account), r->stamp.device);
    return STATUS_OK;
}

void bye_apply(struct storage *s, struct request *r)
{
    struct mailbox *m;
    if (core_mailbox(s, home_of_account(r->stamp.account), r->stamp.device, &m) == STATUS_OK &&
        session_compare(m->session.session, r->stamp.session) == 0) {
        mailbox_detach(m);
        m->row.last_seen_ms = s->turn.now_ms;
        m->row_dirty = true;
        s->counters.attached -= s->counters.attached > 0;
        core_hot(s, m);
    }
    request_reply(s, r, KIND_GOODBYE, &msg_empty_desc, &(struct msg_empty){0});
}
