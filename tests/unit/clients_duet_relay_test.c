/* The relay of the duet: what it keeps of each account and device, and its answer to each request. */
#include "tests/unit/duet.h"

#include "broker/wire/identity.h"
#include "broker/wire/prekey.h"

#include <string.h>

static const struct store_id store = {{5, 5, 5}};

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

static struct view text(const char *s)
{
    return view_of(s, strlen(s));
}

static struct term term_of_relay(void)
{
    return term_make(1000, 1);
}

static void give(struct duet *d, struct party *p, enum frame_kind kind, uint64_t correlation,
                 const struct codec_desc *desc, const void *message, struct view body)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = (uint8_t)kind, .correlation = correlation}, desc, message);
    write_view(&b, body);
    engine_frame(p->e, d->now, buffer_view(&b));
    buffer_fini(&b);
}

static struct party *party_by_account(struct duet *d, struct account_id account)
{
    for (int i = 0; i < HOMES; i++)
        if (memcmp(&d->party[i].me.account, &account, sizeof account) == 0) return &d->party[i];
    return NULL;
}

static struct party *party_by_device(struct duet *d, struct device_id device)
{
    for (int i = 0; i < HOMES; i++)
        if (d->party[i].e && device_equal(d->party[i].me.device, device)) return &d->party[i];
    return NULL;
}

/* Who has what the relay keeps of the account. */
static struct party *root_of(struct duet *d, const struct party *p)
{
    return party_by_account(d, p->me.account);
}

static void entry_take(struct duet *d, struct party *p, struct view entry)
{
    struct buffer *b = &p->entries[p->entry_count];
    if (p->entry_count == 0)
        ok(identity_log_open(entry, &d->arena, &p->log));
    else if (identity_log_append(&p->log, entry, &d->arena) != STATUS_OK)
        return;
    buffer_clear(b);
    write_view(b, entry);
    p->entry_count++;
}

static void do_register(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_register m;
    ok(codec_decode(&msg_register_desc, f->meta, &d->arena, &m));
    struct party *root = root_of(d, p);
    if (!root->entry_count) entry_take(d, root, m.entry);
    for (size_t i = 0; i < m.entry_count; i++)
        entry_take(d, root, m.entries[i]);
    struct msg_registered r = {.account = p->me.account, .device = p->me.device, .log = identity_log_state(&root->log)};
    give(d, p, KIND_REGISTERED, f->header.correlation, &msg_registered_desc, &r, view_of(NULL, 0));
}

static void do_append(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_append m;
    ok(codec_decode(&msg_append_desc, f->meta, &d->arena, &m));
    struct party *whose = party_by_account(d, m.account);
    for (size_t i = 0; i < m.entry_count; i++)
        entry_take(d, whose, m.entries[i]);
    struct msg_appended r = {.log = identity_log_state(&whose->log)};
    give(d, p, KIND_APPENDED, f->header.correlation, &msg_appended_desc, &r, view_of(NULL, 0));
}

static void lineage_take(struct party *p, struct view mark)
{
    if (p->lineage_len == sizeof p->lineage && mark.len) {
        p->lineage_len -= LINEAGE_MARK_LEN;
        memmove(p->lineage, p->lineage + LINEAGE_MARK_LEN, p->lineage_len);
    }
    if (mark.len) memcpy(p->lineage + p->lineage_len, mark.at, mark.len);
    p->lineage_len += mark.len;
}

static void do_hello(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_hello m;
    struct msg_range range = {.last = PARTITION_COUNT - 1, .store = store, .term = term_of_relay()};
    ok(codec_decode(&msg_hello_desc, f->meta, &d->arena, &m));
    p->session = (struct session_id){term_of_relay(), ++d->sessions};
    p->attached = m.attach;
    p->greeted = true;
    for (size_t i = 0; i < p->mail_count; i++)
        p->mailbox[i].offered = false;
    struct msg_welcome w = {.session = p->session, .relay_ms = d->now.wall_ms, .credit_messages = m.credit_messages,
                            .credit_bytes = m.credit_bytes, .ping_ms = 10000,
                            .map = {.version = 1, .ranges = &range, .range_count = 1},
                            .log = identity_log_state(&root_of(d, p)->log), .prekeys = p->prekeys,
                            .lineage = arena_copy(&d->arena, view_of(p->lineage, p->lineage_len))};
    cr_assert_eq(m.lineage.len, LINEAGE_MARK_LEN);
    lineage_take(p, m.lineage);
    if (d->lineage) d->lineage(d, &w.lineage);
    give(d, p, KIND_WELCOME, f->header.correlation, &msg_welcome_desc, &w, view_of(NULL, 0));
}

static void do_claim_handle(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_claim_handle m;
    ok(codec_decode(&msg_claim_handle_desc, f->meta, &d->arena, &m));
    buffer_clear(&p->proof_entry);
    write_view(&p->proof_entry, m.entry);
    p->proof = (struct msg_handle_proof){.entry = buffer_view(&p->proof_entry), .signature = m.signature};
    struct msg_handle_claimed r = {.account = p->me.account};
    give(d, p, KIND_HANDLE_CLAIMED, f->header.correlation, &msg_handle_claimed_desc, &r, view_of(NULL, 0));
}

static void do_lookup(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_lookup m;
    struct party *whose = NULL;
    struct view entries[16];
    ok(codec_decode(&msg_lookup_desc, f->meta, &d->arena, &m));
    d->lookups++;
    for (int i = 0; i < PARTIES; i++)
        if (m.handle.len ? view_equal(m.handle, text(d->party[i].handle))
                         : memcmp(&m.account, &d->party[i].me.account, sizeof m.account) == 0)
            whose = &d->party[i];
    if (!whose) {
        struct msg_error error = {.status = STATUS_NOT_FOUND};
        give(d, p, KIND_ERROR, f->header.correlation, &msg_error_desc, &error, view_of(NULL, 0));
        return;
    }
    struct msg_found r = {.account = whose->me.account, .entries = entries};
    if (m.handle.len) {
        r.proof = &whose->proof;
        r.proof_count = 1;
    } else {
        r.log = identity_log_state(&whose->log);
        for (size_t i = (size_t)m.first; i < whose->entry_count; i++)
            entries[r.entry_count++] = buffer_view(&whose->entries[i]);
    }
    give(d, p, KIND_FOUND, f->header.correlation, &msg_found_desc, &r, view_of(NULL, 0));
}

static void prekey_take(struct duet *d, struct buffer *b, struct view prekey, uint64_t *id)
{
    struct msg_signed_prekey p;
    struct msg_prekey_body body;
    if (!prekey.len) return;
    ok(prekey_open(prekey, &d->arena, &p, &body));
    buffer_clear(b);
    write_view(b, prekey);
    *id = body.id;
}

static void do_publish(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_publish m;
    ok(codec_decode(&msg_publish_desc, f->meta, &d->arena, &m));
    d->publishes++;
    prekey_take(d, &p->current, m.current, &p->prekeys.signed_id);
    prekey_take(d, &p->last_resort, m.last_resort, &p->prekeys.last_resort_id);
    while (p->one_time_count && p->one_time[0].id < m.keep_from)
        memmove(p->one_time, p->one_time + 1, --p->one_time_count * sizeof p->one_time[0]);
    for (size_t i = 0; i < m.one_time_count && p->one_time_count < ONE_TIME_PREKEYS_MAX; i++) {
        if (m.one_time[i].id <= p->prekeys.one_time_highest) continue;
        p->one_time[p->one_time_count++] = m.one_time[i];
        p->prekeys.one_time_highest = m.one_time[i].id;
    }
    p->prekeys.one_time_count = (uint32_t)p->one_time_count;
    struct msg_published r = {.prekeys = p->prekeys};
    give(d, p, KIND_PUBLISHED, f->header.correlation, &msg_published_desc, &r, view_of(NULL, 0));
}

static struct msg_prekey_bundle bundle_of(struct duet *d, struct party *whose)
{
    struct msg_one_time_prekey *one = arena_alloc(&d->arena, sizeof *one);
    struct msg_prekey_bundle bundle = {.device = whose->me.device, .status = STATUS_NOT_FOUND, .one_time = one};
    if (whose->current.len) {
        bundle.status = STATUS_OK;
        bundle.current = buffer_view(&whose->current);
        if (whose->one_time_count) {
            *one = whose->one_time[0];
            bundle.one_time_count = 1;
            memmove(whose->one_time, whose->one_time + 1, --whose->one_time_count * sizeof *one);
            whose->prekeys.one_time_count--;
        } else {
            bundle.last_resort = buffer_view(&whose->last_resort);
        }
    }
    if (d->bundle) d->bundle(d, &bundle);
    return bundle;
}

static void do_claim_prekeys(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_claim_prekeys m;
    ok(codec_decode(&msg_claim_prekeys_desc, f->meta, &d->arena, &m));
    size_t each = 1 + d->bundle_again;
    struct msg_prekey_bundle *bundles = arena_array(&d->arena, m.device_count * each, sizeof *bundles);
    struct msg_prekeys r = {.bundles = bundles};
    d->claims++;
    for (size_t i = 0; i < m.device_count; i++) {
        struct party *whose = party_by_device(d, m.devices[i].device);
        cr_assert(whose && memcmp(&whose->me.account, &m.account, sizeof m.account) == 0);
        struct msg_prekey_bundle bundle = bundle_of(d, whose);
        for (size_t k = 0; k < each && bundle.status != STATUS_GONE; k++)
            bundles[r.bundle_count++] = bundle;
    }
    r.log = identity_log_state(&party_by_account(d, m.account)->log);
    r.log.length += d->claims_ahead;
    give(d, p, KIND_PREKEYS, f->header.correlation, &msg_prekeys_desc, &r, view_of(NULL, 0));
}

static void parcel_add(struct duet *d, struct party *from, struct party *to, const struct msg_send_item *item,
                       struct view bytes)
{
    cr_assert_lt(to->mail_count, DUET_MAILBOX_MAX);
    struct parcel *parcel = &to->mailbox[to->mail_count++];
    *parcel = (struct parcel){.item = {.term = term_of_relay(), .seq = to->mail_count,
                                       .sender_account = from->me.account, .sender_device = from->me.device,
                                       .target = item->target, .id = item->id, .accepted_ms = d->now.wall_ms,
                                       .attempt = item->attempt, .len = (uint32_t)bytes.len, .sealed = item->sealed,
                                       .commitment = item->commitment}};
    write_view(&parcel->bytes, bytes);
}

/* The gate is not played where there is one device, whose keys are the log's. OK, STALE_DEVICES or REFUSED. */
static enum status gate(struct duet *d, const struct party *from, const struct party *to, const struct msg_send_item *item,
                        struct msg_sent_item *out)
{
    size_t active = 0, named = 0;
    if (to->log.device_count == 1) return STATUS_OK;
    for (size_t i = 0; i < to->log.device_count; i++) {
        const struct log_device *device = &to->log.devices[i];
        bool is = device->standing == STANDING_ACTIVE && !device_equal(device->id, from->me.device);
        active += is;
        for (size_t k = 0; k < item->part_count; k++)
            named += is && device_equal(item->parts[k].device, device->id);
    }
    bool whole = named == item->part_count && (named == active || item->attempt);
    if (item->key_version == to->log.key_version && active && whole) return STATUS_OK;
    if (!active && item->key_version == to->log.key_version) return STATUS_REFUSED;
    out->stale = arena_alloc(&d->arena, sizeof *out->stale);
    out->stale_count = 1;
    out->stale->log = identity_log_state(&to->log);
    out->stale->entries = arena_array(&d->arena, 16, sizeof *out->stale->entries);
    for (size_t i = (size_t)item->key_version; i < to->entry_count; i++)
        out->stale->entries[out->stale->entry_count++] = buffer_view(&to->entries[i]);
    return STATUS_STALE_DEVICES;
}

static struct view parts_keep(struct duet *d, struct party *from, const struct msg_send_item *item, struct reader *body)
{
    struct msg_accepted_part parts[DEVICES_PER_ACCOUNT];
    struct buffer answer = {0};
    for (size_t i = 0; i < item->part_count; i++) {
        struct party *to = party_by_device(d, item->parts[i].device);
        cr_assert_not_null(to);
        parcel_add(d, from, to, item, read_view(body, item->parts[i].len));
        parts[i] = (struct msg_accepted_part){.device = to->me.device, .term = term_of_relay(), .seq = to->mail_count};
    }
    struct msg_accepted accepted = {.id = item->id, .level = LEVEL_SYNCED, .parts = parts, .part_count = item->part_count,
                                    .expires_ms = d->now.wall_ms + 30ull * 24 * 3600 * 1000,
                                    .receipt = {store, term_of_relay(), ++d->commit, 1, d->now.wall_ms, {{1}}}};
    codec_encode(&msg_accepted_desc, &accepted, &answer);
    struct view kept = arena_copy(&d->arena, buffer_view(&answer));
    buffer_fini(&answer);
    return kept;
}

static void do_send(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_send m;
    struct msg_sent_item answers[SENDS_PER_FRAME] = {{0}};
    struct reader body = reader_of(f->body);
    ok(codec_decode(&msg_send_desc, f->meta, &d->arena, &m));
    for (size_t i = 0; i < m.item_count; i++) {
        struct msg_send_item item;
        struct account_id target;
        ok(codec_decode(&msg_send_item_desc, m.items[i], &d->arena, &item));
        memcpy(target.bytes, item.target.bytes, sizeof target.bytes);
        struct party *to = party_by_account(d, target);
        cr_assert_not_null(to);
        answers[i].status = gate(d, p, to, &item, &answers[i]);
        if (answers[i].status == STATUS_OK)
            answers[i].answer = parts_keep(d, p, &item, &body);
        for (size_t k = 0; answers[i].status != STATUS_OK && k < item.part_count; k++)
            (void)read_view(&body, item.parts[k].len);
        d->sends++;
    }
    struct msg_sent r = {.items = answers, .item_count = m.item_count};
    give(d, p, KIND_SENT, f->header.correlation, &msg_sent_desc, &r, view_of(NULL, 0));
}

static struct msg_part_state part_of(struct duet *d, const struct party *to, const struct parcel *parcel)
{
    struct msg_part_state part = {.device = to->me.device, .at_ms = d->now.wall_ms,
                                  .attempt = parcel->item.attempt, .report = buffer_view(&parcel->report)};
    if (parcel->reason != FAIL_NONE) {
        part.state = DELIVERY_FAILED;
        part.reason = (uint32_t)parcel->reason;
    } else if (parcel->gone) {
        part.outcome = OUTCOME_SETTLED;
    } else {
        part.state = DELIVERY_QUEUED;
    }
    if (d->news) d->news(d, &part);
    return part;
}

static void hint(struct duet *d, const struct party *to, const struct parcel *parcel)
{
    struct party *from = party_by_device(d, parcel->item.sender_device);
    struct msg_hint_item item = {parcel->item.target, parcel->item.id, part_of(d, to, parcel)};
    struct msg_hint m = {.items = &item, .item_count = 1};
    if (from->online && from->greeted) give(d, from, KIND_HINT, 0, &msg_hint_desc, &m, view_of(NULL, 0));
}

static void do_ack(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_ack m;
    ok(codec_decode(&msg_ack_desc, f->meta, &d->arena, &m));
    lineage_take(p, m.lineage);
    for (size_t i = 0; i < p->mail_count; i++) {
        struct parcel *parcel = &p->mailbox[i];
        if (parcel->gone || !parcel->offered || parcel->item.seq > m.settled_seq) continue;
        parcel->gone = true;
        for (size_t k = 0; k < m.failed_count; k++)
            if (m.failed[k].seq == parcel->item.seq) {
                parcel->reason = (enum fail_reason)m.failed[k].reason;
                write_view(&parcel->report, m.failed[k].report);
            }
        hint(d, p, parcel);
    }
    struct msg_acked r = {m.session, m.settled_term, m.settled_seq, m.delivered_term, m.delivered_seq};
    give(d, p, KIND_ACKED, f->header.correlation, &msg_acked_desc, &r, view_of(NULL, 0));
}

/* The newest of each device. */
static size_t parts_now(struct duet *d, const struct party *from, const struct msg_status_ask *ask,
                        struct msg_part_state *parts)
{
    size_t count = 0;
    for (int who = 0; who < HOMES; who++) {
        const struct party *to = &d->party[who];
        const struct parcel *newest = NULL;
        for (size_t k = 0; k < to->mail_count; k++)
            if (message_equal(to->mailbox[k].item.id, ask->id) && target_equal(to->mailbox[k].item.target, ask->target) &&
                device_equal(to->mailbox[k].item.sender_device, from->me.device))
                newest = &to->mailbox[k];
        if (newest) parts[count++] = part_of(d, to, newest);
    }
    return count;
}

static void do_status(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_status m;
    struct msg_status_item items[STATUS_PER_FRAME];
    ok(codec_decode(&msg_status_desc, f->meta, &d->arena, &m));
    for (size_t i = 0; i < m.item_count; i++) {
        struct msg_part_state *parts = arena_array(&d->arena, HOMES, sizeof *parts);
        items[i] = (struct msg_status_item){.target = m.items[i].target, .id = m.items[i].id, .parts = parts};
        items[i].part_count = parts_now(d, p, &m.items[i], parts);
    }
    struct msg_status_is r = {.items = items, .item_count = m.item_count};
    give(d, p, KIND_STATUS_IS, f->header.correlation, &msg_status_is_desc, &r, view_of(NULL, 0));
}

static void do_small(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_range range = {.last = PARTITION_COUNT - 1, .store = store, .term = term_of_relay()};
    struct msg_pong pong = {.relay_ms = d->now.wall_ms, .map = {.version = 1, .ranges = &range, .range_count = 1}};
    struct msg_term_end end = {.term = term_of_relay(), .end = d->commit, .open = true};
    struct msg_terms_are terms = {.store = store, .terms = &end, .term_count = 1, .complete = true};
    struct msg_empty empty = {0};
    enum frame_kind kind = (enum frame_kind)f->header.kind;
    if (kind == KIND_PING) give(d, p, KIND_PONG, f->header.correlation, &msg_pong_desc, &pong, view_of(NULL, 0));
    if (kind == KIND_TERMS)
        give(d, p, KIND_TERMS_ARE, f->header.correlation, &msg_terms_are_desc, &terms, view_of(NULL, 0));
    if (kind == KIND_BYE) {
        p->greeted = false;
        give(d, p, KIND_GOODBYE, f->header.correlation, &msg_empty_desc, &empty, view_of(NULL, 0));
    }
}

static const struct {
    enum frame_kind kind;
    void (*does)(struct duet *d, struct party *p, const struct frame *f);
} kinds[] = {
    {KIND_REGISTER, do_register}, {KIND_APPEND, do_append}, {KIND_HELLO, do_hello},
    {KIND_CLAIM_HANDLE, do_claim_handle}, {KIND_LOOKUP, do_lookup}, {KIND_PUBLISH, do_publish},
    {KIND_CLAIM_PREKEYS, do_claim_prekeys}, {KIND_SEND, do_send}, {KIND_ACK, do_ack}, {KIND_STATUS, do_status},
    {KIND_PING, do_small}, {KIND_TERMS, do_small}, {KIND_BYE, do_small},
};

void relay_does(struct duet *d, struct party *p, struct view bytes)
{
    struct frame f;
    ok(frame_check(bytes, FROM_CLIENT, &f));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == (enum frame_kind)f.header.kind) kinds[i].does(d, p, &f);
}

bool relay_delivers(struct duet *d, struct party *p)
{
    bool some = false;
    if (!p->online || !p->greeted || !p->attached) return false;
    for (size_t i = 0; i < p->mail_count; i++) {
        struct parcel *parcel = &p->mailbox[i];
        if (parcel->gone || parcel->offered) continue;
        if (d->tamper && !d->tamper(d, parcel)) continue;
        parcel->offered = true;
        parcel->item.len = (uint32_t)parcel->bytes.len;
        struct msg_deliver m = {.session = p->session, .items = &parcel->item, .item_count = 1};
        give(d, p, KIND_DELIVER, 0, &msg_deliver_desc, &m, buffer_view(&parcel->bytes));
        some = true;
    }
    return some;
}
