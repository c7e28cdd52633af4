/* pair: which session with a device is used, and what is kept of it (PROTOCOL 10.5, Sesame's rules; ARCHITECTURE, steps
 * 1 and 6). The ratchet itself is in clients/seal. Invariants: a session changes in the transaction that keeps what it
 * made or opened, and only if that is good; secrets are in e->work, and wiped when pair_forget returns. */
#include "broker/wire/prekey.h"
#include "clients/drift.h"
#include "clients/core.h"
#include "clients/seal/copy.h"

#include <sodium.h>
#include <string.h>

static struct seal_work *work_of(struct engine *e)
{
    if (e->work) return e->work;
    e->work = sodium_malloc(sizeof *e->work);
    ENSURE(e->work != NULL);
    sodium_memzero(e->work, sizeof *e->work);
    return e->work;
}

void pair_forget(struct engine *e)
{
    if (e->work) sodium_memzero(e->work, sizeof *e->work);
    if (e->plain.cap) sodium_memzero(e->plain.at, e->plain.cap);
    buffer_clear(&e->plain);
}

/* As the state has it: another process of this home may have changed the key. */
static enum status own_side_in(struct engine *e, struct x3dh_side *out)
{
    struct state_identity identity;
    enum status s = state_identity_get(e->state, &e->arena, &identity);
    *out = (struct x3dh_side){identity.account, identity.device, identity.record.identity};
    return s;
}

static struct x3dh_side peer_side(const struct peer *p)
{
    return (struct x3dh_side){p->account, p->device->id, p->device->record.identity};
}

static bool key_equal(const struct identity_pk *a, const struct identity_pk *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static enum status sessions_in(struct engine *e, struct device_id peer, struct session_scan *scan)
{
    *scan = (struct session_scan){.peer = peer, .rows = work_of(e)->rows};
    return state_session_scan(e->state, scan);
}

/* The one in which we send; NULL = none. */
static struct state_session *sending(const struct x3dh_side *own, const struct peer *p, const struct session_scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        struct state_session *row = &scan->rows[i];
        if (!row->retired && row->session.ratchet.sends && row->session.ratchet.sent < UINT32_MAX &&
            key_equal(&row->session.own.identity, &own->identity) &&
            key_equal(&row->session.theirs.identity, &p->device->record.identity))
            return row;
    }
    return NULL;
}

enum status pair_ready_in(struct engine *e, const struct peer *p, bool *ready)
{
    struct session_scan scan;
    struct x3dh_side own;
    enum status s = own_side_in(e, &own);
    if (s == STATUS_OK) s = sessions_in(e, p->device->id, &scan);
    *ready = s == STATUS_OK && sending(&own, p, &scan) != NULL;
    return s;
}

/* ---- beginning one ---- */

/* One more, the newest; the sixth oldest goes. */
static enum status session_add_in(struct engine *e, struct now now, struct session_scan *scan, struct state_session *row)
{
    row->number = 0;
    row->peer = scan->peer;
    row->rank = scan->count ? scan->rows[0].rank + 1 : 1;
    row->made_ms = now.wall_ms;
    enum status s = STATUS_OK;
    if (scan->count == STATE_SESSIONS_MAX) s = state_session_drop(e->state, scan->rows[scan->count - 1].number);
    return s == STATUS_OK ? state_session_put(e->state, row) : s;
}

/* A signed prekey of this device, in its right place. */
static bool signed_prekey_read(struct engine *e, const struct peer *p, struct view bytes, bool last_resort,
                               struct msg_prekey_body *out)
{
    struct msg_signed_prekey prekey;
    return prekey_open(bytes, &e->arena, &prekey, out) == STATUS_OK && device_equal(out->device, p->device->id) &&
           out->last_resort == last_resort &&
           prekey_signed_by(p->account, &prekey, &p->device->record.signing);
}

static bool bundle_read(struct engine *e, const struct peer *p, const struct msg_prekey_bundle *m,
                        struct session_bundle *out, struct statement *said)
{
    struct msg_prekey_body body;
    *out = (struct session_bundle){.extra_kind = EXTRA_NONE};
    if (!signed_prekey_read(e, p, m->current, false, &body)) return false;
    *said = (struct statement){body.key_version, body.head, body.made_ms};
    out->prekey_id = body.id;
    out->prekey = body.key;
    if (m->one_time_count) {
        out->extra_kind = EXTRA_ONE_TIME;
        out->extra_id = m->one_time[0].id;
        out->extra = m->one_time[0].key;
        return out->extra_id && exchange_key_good(out->extra.bytes);
    }
    if (!m->last_resort.len) return true;
    if (!signed_prekey_read(e, p, m->last_resort, true, &body)) return false;
    out->extra_kind = EXTRA_LAST_RESORT;
    out->extra_id = body.id;
    out->extra = body.key;
    return true;
}

static enum status begun_in(struct engine *e, struct now now, const struct peer *p, enum extra_kind extra,
                            const struct statement *said)
{
    struct contact c;
    if (extra != EXTRA_ONE_TIME)
        event_put(e, &(struct engine_event){.kind = ENGINE_WEAK, .sender_account = p->account,
                                            .sender_device = p->device->id});
    enum status s = state_contact_get(e->state, p->account, &c);
    return s == STATUS_OK ? statement_in(e, now, &c, said) : s;
}

enum status pair_begin_in(struct engine *e, struct now now, const struct peer *p, const struct msg_prekey_bundle *m)
{
    struct seal_work *w = work_of(e);
    struct session_bundle bundle;
    struct session_scan scan;
    struct x3dh_side own, theirs = peer_side(p);
    struct statement said;
    if (!bundle_read(e, p, m, &bundle, &said)) return STATUS_BAD_ENTRY;
    enum status s = own_side_in(e, &own);
    if (s == STATUS_OK) s = state_secrets_get(e->state, &w->secrets);
    if (s == STATUS_OK) s = sessions_in(e, p->device->id, &scan);
    if (s != STATUS_OK) return s;
    w->next = (struct state_session){.number = 0};
    if (!session_begin(&w->next.session, &own, w->secrets.identity_sk, &theirs, &bundle, &e->config.random))
        return STATUS_BAD_ENTRY;
    s = session_add_in(e, now, &scan, &w->next);
    return s == STATUS_OK ? begun_in(e, now, p, bundle.extra_kind, &said) : s;
}

enum status pair_retire_in(struct engine *e, struct device_id device)
{
    struct session_scan scan;
    enum status s = sessions_in(e, device, &scan);
    for (size_t i = 0; i < scan.count && s == STATUS_OK; i++) {
        scan.rows[i].retired = true;
        s = state_session_put(e->state, &scan.rows[i]);
    }
    return s;
}

/* ---- sealing: step 1 ---- */

enum status pair_seal_in(struct engine *e, const struct peer *p, const struct sealed_context *context,
                         struct view padded, struct buffer *out)
{
    struct session_scan scan;
    struct x3dh_side own;
    enum status s = own_side_in(e, &own);
    if (s == STATUS_OK) s = sessions_in(e, p->device->id, &scan);
    struct state_session *row = s == STATUS_OK ? sending(&own, p, &scan) : NULL;
    if (s == STATUS_OK && !row) return STATUS_NOT_FOUND;
    if (s == STATUS_OK) s = session_seal(&row->session, context, padded, &e->config.random, out);
    return s == STATUS_OK ? state_session_put(e->state, row) : s;
}

/* The start of a session with a prekey that nobody has. */
enum status pair_blank_in(struct engine *e, const struct peer *p, const struct sealed_context *context, size_t padded_len,
                          struct buffer *out)
{
    struct seal_work *w = work_of(e);
    struct session_bundle bundle = {.prekey_id = PREKEY_ID_NOBODYS, .extra_kind = EXTRA_NONE};
    struct x3dh_side own, theirs = peer_side(p);
    uint8_t *zeros = arena_alloc(&e->arena, padded_len), sk[32];
    enum status s = own_side_in(e, &own);
    if (s == STATUS_OK) s = state_secrets_get(e->state, &w->secrets);
    if (s != STATUS_OK) return s;
    random_fill(e, sk, sizeof sk);
    bool good = crypto_scalarmult_base(bundle.prekey.bytes, sk) == 0;
    sodium_memzero(sk, sizeof sk);
    w->next = (struct state_session){.number = 0};
    good = good && session_begin(&w->next.session, &own, w->secrets.identity_sk, &theirs, &bundle, &e->config.random);
    memset(zeros, 0, padded_len);
    return good ? session_seal(&w->next.session, context, view_of(zeros, padded_len), &e->config.random, out) : STATUS_BAD_ENTRY;
}

/* ---- opening: step 6 ---- */

/* A message under way to being opened. */
struct opening {
    struct engine *e;
    struct now now;
    const struct peer *peer;
    const struct sealed_context *context;
    struct view ciphertext;
    struct sealed_header header;
    struct session_scan scan;
    struct content content;
    enum report_cause cause; /* of the session it belongs to, as far as can be told */
};

/* In this session: CAUSE_NONE with the content, whose commitment and payload fit; e->work->next has moved on then. */
static enum report_cause try_session(struct opening *o, const struct message_sk *kept)
{
    struct seal_work *w = o->e->work;
    buffer_clear(&o->e->plain);
    buffer_reserve(&o->e->plain, o->ciphertext.len); /* it shall not move and leave a copy */
    enum report_cause cause = session_open(&w->next.session, &o->header, o->context, o->ciphertext, kept,
                                           &o->e->config.random, &w->fresh, &o->e->plain);
    if (cause == CAUSE_NONE) cause = content_read(buffer_view(&o->e->plain), &o->content);
    if (cause != CAUSE_NONE) return cause;
    struct hash256 commitment = content_commitment(&o->content);
    if (sodium_memcmp(&commitment, &o->context->commitment, sizeof commitment)) return CAUSE_COMMITMENT;
    return copy_check(o->context, &o->content);
}

static enum status fresh_keep_in(struct engine *e, uint64_t session)
{
    const struct skipped_list *fresh = &e->work->fresh;
    enum status s = STATUS_OK;
    for (size_t i = 0; i < fresh->count && s == STATUS_OK; i++)
        s = state_skipped_put(e->state, session, &fresh->at[i]);
    return s == STATUS_OK && fresh->count ? state_skipped_trim(e->state, session, SKIPPED_PER_SESSION_MAX) : s;
}

/* One of the sessions that there are; o->cause is CAUSE_NONE where it opened. */
static enum status open_in_row(struct opening *o, const struct state_session *row)
{
    struct engine *e = o->e;
    struct seal_work *w = e->work;
    enum status s = state_skipped_get(e->state, row->number, &o->header.place, &w->kept);
    bool kept = s == STATUS_OK;
    if (s != STATUS_OK && s != STATUS_NOT_FOUND) return s;
    w->next = *row;
    enum report_cause cause = try_session(o, kept ? &w->kept : NULL);
    bool belongs = kept || o->header.starts ||
                   memcmp(&row->session.ratchet.theirs, &o->header.place.key, sizeof o->header.place.key) == 0;
    if (cause != CAUSE_NONE) {
        if (belongs || cause == CAUSE_COMMITMENT || cause == CAUSE_VERSION) o->cause = cause;
        return STATUS_OK;
    }
    o->cause = CAUSE_NONE;
    if (row->number != o->scan.rows[0].number) w->next.rank = o->scan.rows[0].rank + 1;
    s = state_session_put(e->state, &w->next);
    if (s == STATUS_OK && kept) s = state_skipped_drop(e->state, row->number, &o->header.place);
    return s == STATUS_OK ? fresh_keep_in(e, row->number) : s;
}

static bool starts_row(const struct opening *o, const struct state_session *row)
{
    return !row->session.initiator && memcmp(&row->session.start.ephemeral, &o->header.start.ephemeral,
                                             sizeof o->header.start.ephemeral) == 0;
}

static enum status prekey_in(struct opening *o, enum prekey_kind kind, uint64_t id, struct state_prekey *out)
{
    enum status s = state_prekey_get(o->e->state, kind, id, out);
    if (s != STATUS_NOT_FOUND) return s;
    o->cause = CAUSE_PREKEY;
    return STATUS_OK;
}

/* Our prekeys that the start names: o->cause is CAUSE_NONE where they are all there. */
static enum status prekeys_in(struct opening *o, struct session_bundle *out)
{
    const struct sealed_start *start = &o->header.start;
    struct seal_work *w = o->e->work;
    o->cause = CAUSE_NONE;
    enum status s = prekey_in(o, PREKEY_SIGNED, start->prekey_id, &w->prekey);
    if (s == STATUS_OK && start->extra_kind != EXTRA_NONE)
        s = prekey_in(o, start->extra_kind == EXTRA_ONE_TIME ? PREKEY_ONE_TIME : PREKEY_LAST_RESORT, start->extra_id,
                      &w->extra);
    *out = (struct session_bundle){.prekey_id = start->prekey_id, .prekey = w->prekey.pk,
                                   .extra_kind = start->extra_kind, .extra_id = start->extra_id,
                                   .extra = w->extra.pk};
    return s == STATUS_OK ? state_secrets_get(o->e->state, &w->secrets) : s;
}

static enum status open_new(struct opening *o)
{
    struct engine *e = o->e;
    struct seal_work *w = e->work;
    const struct sealed_start *start = &o->header.start;
    struct x3dh_side own, theirs = peer_side(o->peer);
    struct session_bundle bundle;
    bool known;
    enum status s = own_side_in(e, &own);
    if (s == STATUS_OK) s = state_start_known(e->state, &start->ephemeral, &known);
    if (s == STATUS_OK) s = prekeys_in(o, &bundle);
    if (s != STATUS_OK) return s;
    if (known) o->cause = CAUSE_REPLAY;
    if (o->cause != CAUSE_NONE) return s;
    w->next = (struct state_session){.number = 0};
    o->cause = session_accept(&w->next.session, &own, w->secrets.identity_sk, &theirs, start, &bundle, w->prekey.sk,
                              w->extra.sk);
    if (o->cause == CAUSE_NONE) o->cause = try_session(o, NULL);
    if (o->cause != CAUSE_NONE) return STATUS_OK;
    s = session_add_in(e, o->now, &o->scan, &w->next);
    if (s == STATUS_OK) s = fresh_keep_in(e, w->next.number);
    if (s == STATUS_OK) s = state_start_put(e->state, &start->ephemeral, o->now.wall_ms);
    if (s == STATUS_OK && start->extra_kind == EXTRA_ONE_TIME)
        s = state_prekey_drop(e->state, PREKEY_ONE_TIME, start->extra_id);
    return s;
}

enum status pair_open_in(struct engine *e, struct now now, const struct peer *p, const struct sealed_context *context,
                         struct view ciphertext, struct content *content, enum report_cause *cause)
{
    struct opening o = {.e = e, .now = now, .peer = p, .context = context, .ciphertext = ciphertext};
    struct view body;
    bool belongs = false;
    *content = (struct content){.counter = 0};
    *cause = sealed_header_read(ciphertext, &o.header, &body);
    if (*cause != CAUSE_NONE) return STATUS_OK;
    enum status s = sessions_in(e, p->device->id, &o.scan);
    o.cause = CAUSE_SESSION;
    for (size_t i = 0; i < o.scan.count && s == STATUS_OK && o.cause != CAUSE_NONE; i++) {
        if (o.header.starts && !starts_row(&o, &o.scan.rows[i])) continue;
        belongs = o.header.starts;
        s = open_in_row(&o, &o.scan.rows[i]);
    }
    if (s == STATUS_OK && o.header.starts && !belongs) s = open_new(&o);
    *cause = o.cause;
    if (s == STATUS_OK && o.cause == CAUSE_NONE) *content = o.content;
    sodium_memzero(&o.content, sizeof o.content);
    return s;
}
