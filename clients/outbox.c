/* outbox: the messages of ours: keeping what the application gives, making its bytes, changing its
 * state (ARCHITECTURE, step 1). Handing bytes to the network is submit.c, what answers do answer.c.
 * Invariants: one function, outbox_step_in, assigns the state; the bytes of a row only change through
 * `drafted`; bytes that may have reached the relay are remembered by their digest. */
#include "clients/drift.h"

#include "broker/wire/digest.h"
#include "broker/wire/identity.h"
#include "clients/wrap.h"

#include <sodium.h>
#include <string.h>

#define ID_MARGIN_MS 60000u /* a new id is taken this long before the relay would refuse the old */

/* ---- rows ---- */

void outbox_tell(struct engine *e, const struct outbox_row *row)
{
    if (row->copy_of) return; /* its message is there for the user */
    event_put(e, &(struct engine_event){.kind = ENGINE_MESSAGE, .status = row->reason,
                                        .order = row->order, .key = row->key, .id = row->id,
                                        .state = row->state, .attempt = row->attempt});
}

/* Once ended a message's bytes go; its words stay for the user until the row is pruned, unless it has arrived and was to live for a time
 * only; and of one that is held the head of its content: it was counted. */
static enum status bytes_drop_in(struct engine *e, const struct outbox_row *row)
{
    struct arena one = {0}; /* there may be thousands */
    struct outbox_body body = {0}, rest = {0};
    enum status s = STATUS_OK;
    bool is_over = row->state == MESSAGE_SETTLED && row->ttl_ms;
    if (!is_over && !row->copy_of) s = state_body_get(e->state, row->order, &one, &body);
    rest.payload = body.payload;
    if (row->state == MESSAGE_HELD) rest.head = body.head;
    if (s == STATUS_OK) s = state_body_put(e->state, row->order, &rest);
    arena_fini(&one);
    return s;
}

enum status outbox_step_in(struct engine *e, struct now now, struct outbox_row *row,
                           enum message_event event, enum status reason)
{
    enum message_state to, from = row->state;
    enum status was = row->reason;
    enum status s = message_step(from, copy_event(row, event), &to);
    if (s != STATUS_OK) return s;
    row->state = to;
    row->reason = reason;
    bool ended = message_class_of(to) == CLASS_ENDED;
    row->ended_ms = ended ? now.wall_ms : 0;
    s = state_outbox_put(e->state, row);
    if (s == STATUS_OK && ended) s = bytes_drop_in(e, row);
    if (s == STATUS_OK && (to != from || was != reason)) outbox_tell(e, row);
    return s;
}

enum status outbox_refuse_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    if (!row->attempt) return outbox_step_in(e, now, row, MESSAGE_EVENT_REFUSE, reason);
    resend_undo(row);
    return outbox_step_in(e, now, row, MESSAGE_EVENT_KEEP, reason);
}

enum status outbox_later_in(struct engine *e, struct now now, struct outbox_row *row,
                            enum status reason, uint64_t delay_ms)
{
    enum status was = row->reason;
    row->reason = reason;
    row->due_ms = now.wall_ms + delay_ms;
    submit_wake(e, now, delay_ms);
    enum status s = state_outbox_put(e->state, row);
    if (s == STATUS_OK && was != reason) outbox_tell(e, row);
    return s;
}

static bool is_zero(const void *at, size_t len)
{
    const uint8_t *bytes = at;
    for (size_t i = 0; i < len; i++)
        if (bytes[i]) return false;
    return true;
}

void outbox_new_id(struct engine *e, struct now now, struct outbox_row *row)
{
    uint8_t random[10];
    random_fill(e, random, sizeof random);
    row->id = message_id_make(engine_relay_ms(e, now), random);
    row->attempt_count = 0;
    row->digest = (struct hash256){0};
    row->submitted = row->doubtful = row->lost = false;
    row->attempt = 0;
}

/* The digest of bytes that may have reached the relay is remembered under their id. */
void outbox_remember(struct outbox_row *row)
{
    if (is_zero(&row->digest, sizeof row->digest)) return;
    if (row->attempt_count == STATE_ATTEMPTS_MAX) {
        memmove(row->attempts, row->attempts + 1,
                (STATE_ATTEMPTS_MAX - 1) * sizeof row->attempts[0]);
        row->attempt_count--;
    }
    row->attempts[row->attempt_count++] = row->digest;
    row->digest = (struct hash256){0};
}

enum status outbox_reseal_in(struct engine *e, struct now now, struct outbox_row *row,
                             enum status reason)
{
    outbox_remember(row);
    row->due_ms = now.wall_ms;
    row->submitted = false;
    submit_wake(e, now, 0);
    return outbox_step_in(e, now, row, MESSAGE_EVENT_RESEAL, reason);
}

#define ROWS_AT_ONCE 32u

static enum status unseal_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    struct arena one = {0}; /* there may be thousands */
    struct outbox_body body;
    if (!row->sealed || row->state != MESSAGE_ENCRYPTED) return STATUS_OK;
    enum status s = state_body_get(e->state, row->order, &one, &body);
    body.item = body.ciphertext = view_of(NULL, 0);
    if (s == STATUS_OK) s = state_body_put(e->state, row->order, &body);
    arena_fini(&one);
    row->digest = (struct hash256){0};
    return s == STATUS_OK ? outbox_reseal_in(e, now, row, reason) : s;
}

typedef enum status waiting_fn(struct engine *e, struct now now, struct outbox_row *row, enum status reason);

/* Whose rows, and what is done with each. */
struct walk {
    waiting_fn *each;
    enum status reason;
    const struct account_id *to; /* NULL = everybody's */
    bool held;                   /* those that are held; else those that are still to be sent */
};

static enum status waiting_in(struct engine *e, struct now now, const struct walk *w)
{
    struct outbox_row *rows = arena_array(&e->arena, ROWS_AT_ONCE, sizeof *rows);
    struct outbox_scan scan = {.class = w->held ? 0 : CLASS_WORK, .held = w->held, .rows = rows, .row_max = ROWS_AT_ONCE};
    enum status s;
    do {
        s = state_outbox_scan(e->state, &scan);
        for (size_t i = 0; i < scan.row_count && s == STATUS_OK; i++) {
            scan.after = rows[i].order;
            if (!w->to || memcmp(w->to, &rows[i].target, sizeof *w->to) == 0) s = w->each(e, now, &rows[i], w->reason);
        }
    } while (s == STATUS_OK && scan.row_count == ROWS_AT_ONCE);
    return s;
}

enum status outbox_unseal_in(struct engine *e, struct now now)
{
    return waiting_in(e, now, &(struct walk){.each = unseal_in});
}

/* What is on its way, or may have come, is not touched: the relay has those bytes, and its answer says what they are. */
static enum status row_hold_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    if (row->attempt || row->submitted || row->doubtful || row->lost) return STATUS_OK;
    return outbox_step_in(e, now, row, MESSAGE_EVENT_HOLD, reason);
}

enum status outbox_hold_in(struct engine *e, struct now now, struct account_id account, enum status reason)
{
    return waiting_in(e, now, &(struct walk){.each = row_hold_in, .reason = reason, .to = &account});
}

/* Only what is said of it changes: should the relay have this device again, it goes. */
static enum status stopped_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    (void)now;
    if (row->reason == reason) return STATUS_OK;
    row->reason = reason;
    enum status s = state_outbox_put(e->state, row);
    if (s == STATUS_OK) outbox_tell(e, row);
    return s;
}

static enum status unready_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    return row->state == MESSAGE_DRAFTED ? stopped_in(e, now, row, reason) : STATUS_OK;
}

enum status outbox_unready_in(struct engine *e, struct account_id account)
{
    return waiting_in(e, (struct now){0}, &(struct walk){.each = unready_in, .reason = STATUS_NO_PREKEYS, .to = &account});
}

/* Where another process keeps the state locked they say it at the next stop. */
void outbox_stopped(struct engine *e, enum status reason)
{
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, waiting_in(e, (struct now){0}, &(struct walk){.each = stopped_in, .reason = reason}));
    (void)engine_fault(e, s);
}

/* ---- sealing: step 1 ---- */

/* The bytes that were made for this device before, and still are right: same message, same keys. */
static struct view part_before(const struct outbox_row *row, const struct msg_send_item *before, struct view ciphertext,
                               const struct log_device *d)
{
    struct reader r = reader_of(ciphertext);
    if (!resend_keeps(row, d->id)) return view_of(NULL, 0);
    for (size_t i = 0; i < before->part_count; i++) {
        struct view part = read_view(&r, before->parts[i].len);
        if (!r.failed && device_equal(before->parts[i].device, d->id) && d->version <= before->key_version) return part;
    }
    return view_of(NULL, 0);
}

/* What a row that comes back for repair was made of; nothing for a new one, or under another id. */
static struct msg_send_item item_before(struct engine *e, const struct outbox_row *row, const struct outbox_body *body)
{
    struct msg_send_item item = {0};
    if (!body->item.len || codec_decode(&msg_send_item_desc, body->item, &e->arena, &item) != STATUS_OK ||
        !message_equal(item.id, row->id))
        return (struct msg_send_item){0};
    return item;
}

/* A message under way to being bytes; `hashes` are those of the parts' ciphertexts (PROTOCOL 7.1). */
struct sealing {
    struct msg_send_item before;
    struct msg_part parts[DEVICES_PER_ACCOUNT];
    struct hash256 hashes[DEVICES_PER_ACCOUNT];
    size_t count;
    struct buffer ciphertext;
    struct hash256 commitment; /* of a sealed message, */
    struct buffer padded;      /* whose content is the same for each device */
};

static bool is_recipient(const struct engine *e, const struct outbox_row *row, const struct log_device *d)
{
    return d->standing == STANDING_ACTIVE && !device_equal(d->id, e->identity.device) && resend_has(row, d->id);
}

/* Who needs new bytes needs a session, but for who has left no prekeys yet, where there is anybody else, and it is not what it has asked
 * to have again. */
static enum status sessions_ready_in(struct engine *e, struct now now, const struct outbox_row *row, const struct contact *contact,
                                     const struct sealing *x, const struct outbox_body *body, bool *ready)
{
    enum status s = STATUS_OK;
    size_t sealed = 0, blank = 0;
    *ready = true;
    for (size_t i = 0; i < contact->log.device_count && s == STATUS_OK && *ready; i++) {
        const struct peer p = {contact->log.account, &contact->log.devices[i]};
        bool is_new = is_recipient(e, row, p.device) && !part_before(row, &x->before, body->ciphertext, p.device).len;
        if (is_new) s = pair_ready_in(e, &p, ready);
        bool is_blank = !*ready && !row->attempt && absent_is(&e->absent, now, p.device->id, ABSENT_BLANK_MS);
        *ready = *ready || is_blank;
        blank += is_blank;
        sealed += is_recipient(e, row, p.device) && !is_blank;
    }
    *ready = *ready && (sealed || !blank);
    return s;
}

/* The content of a message is made once, whatever becomes of it. */
static enum status content_make_in(struct engine *e, struct now now, const struct outbox_row *row,
                                   const struct outbox_body *body, struct content *out)
{
    struct contact own;
    struct view key = view_of(row->target.bytes, sizeof row->target.bytes), payload;
    size_t len;
    enum status s = copy_payload_in(e, row, body->payload, &payload);
    if (s != STATUS_OK) return s;
    if (body->head.len) {
        s = content_head_read(body->head, out, &len);
        out->payload = payload;
        return s == STATUS_OK && len == payload.len ? STATUS_OK : STATUS_DAMAGED;
    }
    *out = (struct content){.made_ms = engine_relay_ms(e, now), .payload = payload};
    random_fill(e, out->franking.bytes, sizeof out->franking.bytes);
    s = state_contact_get(e->state, e->identity.account, &own);
    if (s == STATUS_OK) s = state_counter_get(e->state, COUNTER_SEALED, key, &out->counter);
    out->counter++;
    out->key_version = own.log.key_version;
    out->head = own.log.version_head;
    return s == STATUS_OK ? state_counter_put(e->state, COUNTER_SEALED, key, out->counter) : s;
}

static enum status content_in(struct engine *e, struct now now, const struct outbox_row *row, struct outbox_body *body,
                              struct sealing *x)
{
    struct content content;
    uint8_t head[CONTENT_HEAD_LEN];
    enum status s = content_make_in(e, now, row, body, &content);
    if (s == STATUS_OK) {
        content_head_write(&content, head);
        body->head = arena_copy(&e->arena, view_of(head, sizeof head));
        content_write(&content, &x->padded);
        x->commitment = content_commitment(&content);
    }
    sodium_memzero(head, sizeof head);
    sodium_memzero(&content, sizeof content);
    return s;
}

static struct sealed_context context_of(const struct engine *e, const struct outbox_row *row, const struct sealing *x,
                                        const struct log_device *d)
{
    return (struct sealed_context){.id = row->id, .target = target_of_account(row->target),
                                   .sender_account = e->identity.account, .sender_device = e->identity.device,
                                   .recipient_account = row->target, .recipient_device = d->id,
                                   .commitment = x->commitment};
}

static enum status seal_part_in(struct engine *e, const struct outbox_row *row, struct sealing *x,
                                const struct outbox_body *body, const struct log_device *d)
{
    size_t start = x->ciphertext.len;
    struct view kept = part_before(row, &x->before, body->ciphertext, d);
    const struct peer peer = {row->target, d};
    const struct sealed_context context = context_of(e, row, x, d);
    enum status s = STATUS_OK;
    if (kept.len)
        write_view(&x->ciphertext, kept);
    else if (row->sealed)
        s = pair_seal_in(e, &peer, &context, buffer_view(&x->padded), &x->ciphertext);
    else
        wrap_opaque(&x->ciphertext, body->payload);
    if (s == STATUS_NOT_FOUND) s = pair_blank_in(e, &peer, &context, x->padded.len, &x->ciphertext);
    size_t len = x->ciphertext.len - start;
    x->hashes[x->count] = digest_ciphertext(view_of(x->ciphertext.at + start, len));
    x->parts[x->count++] = (struct msg_part){.device = d->id, .len = (uint32_t)len};
    return s;
}

static enum status parts_in(struct engine *e, struct now now, struct outbox_row *row, const struct contact *contact,
                            struct outbox_body *body, struct sealing *x)
{
    enum status s = row->sealed ? content_in(e, now, row, body, x) : STATUS_OK;
    for (size_t i = 0; i < contact->log.device_count && s == STATUS_OK; i++)
        if (is_recipient(e, row, &contact->log.devices[i]))
            s = seal_part_in(e, row, x, body, &contact->log.devices[i]);
    pair_forget(e);
    return s;
}

/* The item's bytes, and what the row says of them. */
static void item_make(struct engine *e, struct outbox_row *row, const struct identity_log *log, struct outbox_body *body,
                      struct sealing *x)
{
    struct buffer item = {0};
    struct msg_send_item m = {.id = row->id, .target = target_of_account(log->account),
                              .key_version = log->key_version, .head = log->version_head,
                              .ttl_ms = row->ttl_ms, .attempt = row->attempt, .sealed = row->sealed, .parts = x->parts,
                              .part_count = x->count, .commitment = x->commitment};
    codec_encode(&msg_send_item_desc, &m, &item);
    row->digest = digest_claim(buffer_view(&item), x->hashes, x->count);
    for (size_t i = 0; !row->attempt && i < x->count; i++)
        row->parts[i] = (struct msg_part_state){.device = x->parts[i].device};
    if (!row->attempt) row->part_count = x->count;
    body->item = arena_copy(&e->arena, buffer_view(&item));
    body->ciphertext = arena_copy(&e->arena, buffer_view(&x->ciphertext));
    body->answer = view_of(NULL, 0);
    buffer_fini(&item);
}

static void sealing_fini(struct sealing *x)
{
    if (x->padded.cap) sodium_memzero(x->padded.at, x->padded.cap);
    buffer_fini(&x->padded);
    buffer_fini(&x->ciphertext);
}

enum status outbox_seal_in(struct engine *e, struct now now, struct outbox_row *row,
                           const struct contact *contact, struct outbox_body *body, bool *ready)
{
    struct sealing x = {.before = item_before(e, row, body)};
    enum status s = STATUS_OK;
    *ready = true;
    if (row->sealed) s = sessions_ready_in(e, now, row, contact, &x, body, ready);
    if (s == STATUS_OK && *ready) s = parts_in(e, now, row, contact, body, &x);
    if (s == STATUS_OK && *ready) item_make(e, row, &contact->log, body, &x);
    sealing_fini(&x);
    if (s != STATUS_OK || !*ready) return s;
    s = state_body_put(e->state, row->order, body);
    if (s == STATUS_OK && row->sealed) s = statement_age_in(e, now, contact);
    return s == STATUS_OK ? outbox_step_in(e, now, row, MESSAGE_EVENT_SEAL, STATUS_OK) : s;
}

/* ---- engine_send ---- */

/* What "the same message" means for one key. */
static struct hash256 content_of(const struct engine_message *m)
{
    uint8_t head[9];
    struct view to = m->account ? view_of(m->account->bytes, sizeof m->account->bytes) : m->handle;
    head[0] = m->account ? 0xff : (uint8_t)m->handle.len; /* no handle is so long */
    put_u64(head + 1, m->ttl_ms);
    return hash_bytes(m->sealed ? "sealmq content 2" : "sealmq content 1", view_of(head, sizeof head), to, m->payload);
}

static enum status message_check(const struct engine_message *m)
{
    if (m->account ? m->handle.len > 0 : handle_check(m->handle) != STATUS_OK) return STATUS_MALFORMED;
    if (m->payload.len > PAYLOAD_LEN_MAX) return STATUS_TOO_LARGE;
    if (!m->key) return STATUS_OK;
    size_t len = strnlen(m->key, STATE_KEY_LEN_MAX + 1);
    if (len == 0 || len > STATE_KEY_LEN_MAX) return STATUS_MALFORMED;
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)m->key[i] < 0x20 || m->key[i] == 0x7f) return STATUS_MALFORMED;
    return STATUS_OK;
}

/* With a margin on both sides. */
bool id_is_timely(const struct engine *e, struct now now, struct message_id id)
{
    uint64_t made = message_id_time_ms(id), relay = engine_relay_ms(e, now);
    return made + ID_AGE_MAX_MS > relay + ID_MARGIN_MS &&
           made + ID_MARGIN_MS < relay + ID_AHEAD_MAX_MS;
}

/* Key and message id: the caller's UUIDv7 serves as both; another key gets an id of our own; without a
 * key the id's text is the key. */
static enum status row_name(struct engine *e, struct now now, const char *key,
                            struct outbox_row *row)
{
    struct message_id id;
    struct outbox_row other;
    outbox_new_id(e, now, row);
    if (!key) {
        message_id_text(row->id, row->key.text);
        return STATUS_OK;
    }
    memcpy(row->key.text, key, strlen(key));
    if (message_id_parse(key, &id) != STATUS_OK) return STATUS_OK;
    message_id_text(id, row->key.text); /* one spelling of one UUID */
    if (!message_id_is_v7(id) || !id_is_timely(e, now, id)) return STATUS_OK;
    enum status s = state_outbox_find_id(e->state, id, &other);
    if (s == STATUS_NOT_FOUND) row->id = id;
    return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status draft_in(struct engine *e, struct now now, const struct engine_message *m,
                            struct outbox_row *row)
{
    struct outbox_body body = {.payload = m->payload};
    struct contact contact;
    bool known, ready = false;
    enum status s = state_outbox_put(e->state, row);
    if (s == STATUS_OK) s = contact_find_in(e, row, &contact, &known);
    bool waits = s == STATUS_OK && known && contact.hold != LOSS_NONE;
    if (s == STATUS_OK && known && !waits && !row->fresh) s = outbox_seal_in(e, now, row, &contact, &body, &ready);
    if (s != STATUS_OK || ready) return s;
    s = state_body_put(e->state, row->order, &body);
    if (s == STATUS_OK && waits) return outbox_step_in(e, now, row, MESSAGE_EVENT_HOLD, hold_reason(contact.hold));
    if (s == STATUS_OK) outbox_tell(e, row);
    return s;
}

static enum status send_in(struct engine *e, struct now now, const struct engine_message *m,
                           struct outbox_row *row)
{
    struct outbox_row same;
    row->content = content_of(m);
    enum status s = row_name(e, now, m->key, row);
    if (s == STATUS_OK) s = state_outbox_find_key(e->state, &row->key, &same);
    if (s == STATUS_NOT_FOUND) return draft_in(e, now, m, row);
    if (s != STATUS_OK) return s;
    bool equal = memcmp(&same.content, &row->content, sizeof same.content) == 0;
    *row = same;
    return equal ? STATUS_OK : STATUS_ID_REUSED;
}

enum status engine_send(struct engine *e, struct now now, const struct engine_message *message,
                        struct outbox_row *out)
{
    struct outbox_row row = {.state = MESSAGE_DRAFTED, .handle_len = message->handle.len, .sealed = message->sealed,
                             .fresh = message->fresh, .ttl_ms = message->ttl_ms, .created_ms = now.wall_ms,
                             .due_ms = now.wall_ms};
    *out = (struct outbox_row){0};
    arena_reset(&e->arena);
    enum status s = message_check(message);
    if (s != STATUS_OK) return s;
    if (message->account) row.target = *message->account;
    if (message->handle.len) memcpy(row.handle, message->handle.at, message->handle.len);
    s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, send_in(e, now, message, &row));
    (void)engine_fault(e, s);
    if (s == STATUS_OK || s == STATUS_ID_REUSED) *out = row;
    if (s == STATUS_OK) earlier(&e->outbox_ms, now.mono_ms);
    return s;
}

static enum status row_release_in(struct engine *e, struct now now, struct outbox_row *row, enum status reason)
{
    row->rounds = row->tries = 0;
    row->due_ms = now.wall_ms;
    outbox_new_id(e, now, row);
    submit_wake(e, now, 0);
    return outbox_step_in(e, now, row, MESSAGE_EVENT_RELEASE, reason);
}

enum status outbox_free_in(struct engine *e, struct now now, struct account_id account)
{
    return waiting_in(e, now, &(struct walk){.each = row_release_in, .to = &account, .held = true});
}

static enum status release_in(struct engine *e, struct now now, const struct message_key *key)
{
    struct outbox_row row;
    enum status s = state_outbox_find_key(e->state, key, &row);
    bool held = s == STATUS_OK && row.state == MESSAGE_HELD;
    if (s == STATUS_OK) s = row_release_in(e, now, &row, STATUS_OK);
    return s == STATUS_OK && held ? hold_lift_in(e, now, row.target) : s;
}

enum status engine_release(struct engine *e, struct now now, const struct message_key *key)
{
    arena_reset(&e->arena);
    enum status s = tx_begin(e, STATE_WRITE);
    if (s == STATUS_OK) s = tx_end(e, release_in(e, now, key));
    (void)engine_fault(e, s);
    return s;
}
