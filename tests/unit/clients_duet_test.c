#include "tests/unit/duet.h"

#include "broker/wire/identity.h"
#include "broker/wire/prekey.h"

#include <sodium.h>
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

/* splitmix64: the same run for the same seed. */
static void fill(void *self, void *out, size_t len)
{
    uint64_t *seed = self;
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = (*seed += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        at[i] = (uint8_t)(z >> 56);
    }
}

/* ---- the relay ---- */

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
    for (int i = 0; i < PARTIES; i++)
        if (memcmp(&d->party[i].me.account, &account, sizeof account) == 0) return &d->party[i];
    return NULL;
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
    if (!p->entry_count) entry_take(d, p, m.entry);
    struct msg_registered r = {.account = p->me.account, .device = p->me.device, .log = identity_log_state(&p->log)};
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
                            .log = identity_log_state(&p->log), .prekeys = p->prekeys,
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

static void do_claim_prekeys(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_claim_prekeys m;
    struct msg_one_time_prekey one;
    ok(codec_decode(&msg_claim_prekeys_desc, f->meta, &d->arena, &m));
    struct party *whose = party_by_account(d, m.account);
    cr_assert(whose && m.device_count == 1 && device_equal(m.devices[0].device, whose->me.device));
    struct msg_prekey_bundle bundle = {.device = whose->me.device, .status = STATUS_NOT_FOUND, .one_time = &one};
    d->claims++;
    if (whose->current.len) {
        bundle.status = STATUS_OK;
        bundle.current = buffer_view(&whose->current);
        if (whose->one_time_count) {
            one = whose->one_time[0];
            bundle.one_time_count = 1;
            memmove(whose->one_time, whose->one_time + 1, --whose->one_time_count * sizeof one);
            whose->prekeys.one_time_count--;
        } else {
            bundle.last_resort = buffer_view(&whose->last_resort);
        }
    }
    if (d->bundle) d->bundle(d, &bundle);
    struct msg_prekey_bundle *bundles = arena_array(&d->arena, 1 + d->bundle_again, sizeof *bundles);
    for (size_t i = 0; i <= d->bundle_again; i++)
        bundles[i] = bundle;
    struct msg_prekeys r = {.log = identity_log_state(&whose->log), .bundles = bundles,
                            .bundle_count = bundle.status == STATUS_GONE ? 0 : 1 + d->bundle_again};
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

/* The gate is not played: there is one device, and its keys are the log's. */
static void do_send(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_send m;
    struct msg_sent_item answers[SENDS_PER_FRAME] = {{0}};
    struct buffer bytes[SENDS_PER_FRAME] = {{0}};
    struct reader body = reader_of(f->body);
    ok(codec_decode(&msg_send_desc, f->meta, &d->arena, &m));
    for (size_t i = 0; i < m.item_count; i++) {
        struct msg_send_item item;
        ok(codec_decode(&msg_send_item_desc, m.items[i], &d->arena, &item));
        struct party *to = p == &d->party[ALICE] ? &d->party[BOB] : &d->party[ALICE];
        cr_assert(item.part_count == 1 && device_equal(item.parts[0].device, to->me.device));
        parcel_add(d, p, to, &item, read_view(&body, item.parts[0].len));
        struct msg_accepted_part part = {.device = to->me.device, .term = term_of_relay(), .seq = to->mail_count};
        struct msg_accepted accepted = {.id = item.id, .level = LEVEL_SYNCED, .parts = &part, .part_count = 1,
                                        .expires_ms = d->now.wall_ms + 30ull * 24 * 3600 * 1000,
                                        .receipt = {store, term_of_relay(), ++d->commit, 1, d->now.wall_ms, {{1}}}};
        codec_encode(&msg_accepted_desc, &accepted, &bytes[i]);
        answers[i] = (struct msg_sent_item){.status = STATUS_OK, .answer = buffer_view(&bytes[i])};
        d->sends++;
    }
    struct msg_sent r = {.items = answers, .item_count = m.item_count};
    give(d, p, KIND_SENT, f->header.correlation, &msg_sent_desc, &r, view_of(NULL, 0));
    for (size_t i = 0; i < m.item_count; i++)
        buffer_fini(&bytes[i]);
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
    struct party *from = party_by_account(d, parcel->item.sender_account);
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

static void do_status(struct duet *d, struct party *p, const struct frame *f)
{
    struct msg_status m;
    struct msg_status_item items[STATUS_PER_FRAME];
    struct msg_part_state parts[STATUS_PER_FRAME];
    ok(codec_decode(&msg_status_desc, f->meta, &d->arena, &m));
    for (size_t i = 0; i < m.item_count; i++) {
        struct party *to = p == &d->party[ALICE] ? &d->party[BOB] : &d->party[ALICE];
        items[i] = (struct msg_status_item){.target = m.items[i].target, .id = m.items[i].id, .parts = &parts[i]};
        for (size_t k = 0; k < to->mail_count; k++)
            if (message_equal(to->mailbox[k].item.id, m.items[i].id)) {
                parts[i] = part_of(d, to, &to->mailbox[k]);
                items[i].part_count = 1;
            }
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

static void relay_does(struct duet *d, struct party *p, struct view bytes)
{
    struct frame f;
    ok(frame_check(bytes, FROM_CLIENT, &f));
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].kind == (enum frame_kind)f.header.kind) kinds[i].does(d, p, &f);
}

/* All that waits, one DELIVER for each; in mailbox order. */
static bool deliver(struct duet *d, struct party *p)
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

/* ---- turns ---- */

static bool turn(struct duet *d, struct party *p)
{
    struct view bytes;
    struct engine_event event;
    bool some = false;
    engine_tick(p->e, d->now);
    while (engine_next_frame(p->e, &bytes)) {
        struct view copy = arena_copy(&d->arena, bytes);
        if (p->online) relay_does(d, p, copy);
        some = true;
    }
    while (engine_next_event(p->e, &event))
        if (p->event_count < DUET_EVENTS_MAX) p->events[p->event_count++] = event;
    return deliver(d, p) || some;
}

void duet_settle(struct duet *d)
{
    unsigned turns = 0;
    for (bool some = true; some;) {
        cr_assert_lt(++turns, 10000u, "they do not come to an end");
        some = turn(d, &d->party[ALICE]);
        some = turn(d, &d->party[BOB]) || some;
    }
    arena_reset(&d->arena);
}

void duet_pass(struct duet *d, uint64_t ms)
{
    uint64_t until = d->now.mono_ms + ms;
    duet_settle(d);
    for (unsigned turns = 0; d->now.mono_ms < until; turns++) {
        cr_assert_lt(turns, 100000u);
        uint64_t next = until;
        for (int i = 0; i < PARTIES; i++)
            if (engine_deadline_ms(d->party[i].e) < next) next = engine_deadline_ms(d->party[i].e);
        if (next <= d->now.mono_ms) next = d->now.mono_ms + 1;
        d->now.wall_ms += next - d->now.mono_ms;
        d->now.mono_ms = next;
        duet_settle(d);
    }
}

void offline(struct duet *d, int who)
{
    d->party[who].online = d->party[who].greeted = false;
    engine_down(d->party[who].e, d->now);
    duet_settle(d);
}

void online(struct duet *d, int who)
{
    d->party[who].online = true;
    engine_up(d->party[who].e, d->now);
    duet_settle(d);
}

void duet_restart(struct duet *d, int who)
{
    duet_swap(d, who, d->party[who].state);
}

void duet_swap(struct duet *d, int who, struct state *home)
{
    struct party *p = &d->party[who];
    engine_free(&p->e);
    memory_state_crash(p->state);
    p->state = home;
    ok(engine_new(&p->config, p->state, &p->e));
    p->greeted = false;
    p->event_count = 0;
    if (p->online) online(d, who);
}

/* ---- life ---- */

static void party_init(struct duet *d, struct party *p, const char *handle)
{
    struct account_wish wish = {.handle = text(handle), .endpoints = text("tcp://relay:1")};
    p->handle = handle;
    p->config = (struct engine_config){.random = {fill, &d->seed}, .client_version = "0.1.0", .attach = true,
                                       .prekeys = true};
    p->state = memory_state_new();
    ok(account_create(p->state, &p->config.random, d->now, &wish));
    ok(engine_new(&p->config, p->state, &p->e));
    ok(state_begin(p->state, STATE_READ));
    static struct arena kept[PARTIES]; /* as long as the process */
    ok(state_identity_get(p->state, &kept[p - d->party], &p->me));
    ok(state_commit(p->state));
}

static void party_fini(struct party *p)
{
    engine_free(&p->e);
    state_close(&p->state);
    for (size_t i = 0; i < 16; i++)
        buffer_fini(&p->entries[i]);
    for (size_t i = 0; i < p->mail_count; i++) {
        buffer_fini(&p->mailbox[i].bytes);
        buffer_fini(&p->mailbox[i].report);
    }
    buffer_fini(&p->proof_entry);
    buffer_fini(&p->current);
    buffer_fini(&p->last_resort);
}

void duet_run(void (*body)(struct duet *d))
{
    static struct duet d;
    cr_assert_geq(sodium_init(), 0);
    d = (struct duet){.now = {.wall_ms = 1700000000000u, .mono_ms = 5000}, .seed = 1};
    party_init(&d, &d.party[ALICE], "alice");
    party_init(&d, &d.party[BOB], "bob");
    online(&d, ALICE);
    online(&d, BOB);
    duet_pass(&d, 100);
    cr_assert(d.party[BOB].one_time_count == ONE_TIME_PREKEYS_MAX && d.party[BOB].proof.entry.len);
    body(&d);
    party_fini(&d.party[ALICE]);
    party_fini(&d.party[BOB]);
    arena_fini(&d.arena);
}

/* ---- the application ---- */

uint64_t say(struct duet *d, int from, const char *words)
{
    struct engine_message m = {.handle = text(d->party[!from].handle), .payload = text(words), .sealed = true};
    struct outbox_row row;
    ok(engine_send(d->party[from].e, d->now, &m, &row));
    duet_settle(d);
    return row.order;
}

enum message_state duet_state(struct duet *d, int who, uint64_t order)
{
    struct outbox_row row;
    ok(state_begin(d->party[who].state, STATE_READ));
    ok(state_outbox_get(d->party[who].state, order, &row));
    ok(state_commit(d->party[who].state));
    return row.state;
}

const char *read_all(struct duet *d, int who)
{
    static char words[4096];
    struct party *p = &d->party[who];
    struct arena arena = {0};
    struct inbox_row rows[64];
    uint64_t orders[64];
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = 64};
    size_t len = 0;
    ok(state_begin(p->state, STATE_READ));
    ok(state_inbox_scan(p->state, &scan, &arena));
    ok(state_commit(p->state));
    for (size_t i = 0; i < scan.row_count; i++) {
        int n = snprintf(words + len, sizeof words - len, "%s%.*s", len ? "|" : "", (int)rows[i].body.len,
                         (const char *)rows[i].body.at);
        len += (size_t)n;
        orders[i] = rows[i].order;
    }
    words[len] = '\0';
    arena_fini(&arena);
    if (scan.row_count) ok(engine_ack(p->e, d->now, orders, scan.row_count));
    duet_settle(d);
    return words;
}

struct parcel *parcel_last(struct duet *d, int to)
{
    cr_assert_gt(d->party[to].mail_count, 0);
    return &d->party[to].mailbox[d->party[to].mail_count - 1];
}

bool duet_happened(const struct duet *d, int who, enum engine_event_kind kind)
{
    for (size_t i = 0; i < d->party[who].event_count; i++)
        if (d->party[who].events[i].kind == kind) return true;
    return false;
}
