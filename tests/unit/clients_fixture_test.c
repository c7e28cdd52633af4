#include "tests/unit/clients_fixture.h"

#include "broker/wire/digest.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

const struct store_id fixture_store = {{5, 5, 5}};

struct term fixture_term(uint8_t n)
{
    return term_make(1000u + n, n);
}

struct view text(const char *s)
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

static void ok(enum status s)
{
    cr_assert_eq(s, STATUS_OK, "%s", status_name(s));
}

struct msg_device_record record_of(uint8_t n, uint8_t sk[64])
{
    struct msg_device_record record;
    uint8_t seed[32] = {7, n}, scalar[32] = {8, n};
    cr_assert_eq(crypto_sign_seed_keypair(record.signing.bytes, sk, seed), 0);
    cr_assert_eq(crypto_scalarmult_base(record.identity.bytes, scalar), 0);
    scalar[2] = 1;
    cr_assert_eq(crypto_scalarmult_base(record.transport.bytes, scalar), 0);
    return record;
}

static void bob_make(struct fixture *f)
{
    uint8_t salt[16] = {8};
    struct msg_device_record record = record_of(0, f->bob_sk);
    founding_make(&record, f->bob_sk, 1, salt, &f->bob_entries[0]);
    ok(founding_check(buffer_view(&f->bob_entries[0]), &f->arena, &f->bob));
    ok(identity_log_open(buffer_view(&f->bob_entries[0]), &f->arena, &f->bob_log));
}

void bob_does(struct fixture *f, struct entry_plan plan)
{
    static const struct device_id none;
    struct buffer *entry = &f->bob_entries[f->bob_log.length];
    cr_assert_lt(f->bob_log.length, BOB_ENTRIES_MAX);
    buffer_clear(entry);
    if (device_equal(plan.signer, none)) plan.signer = f->bob.device;
    identity_log_make(&f->bob_log, &plan, f->bob_sk, entry);
    ok(identity_log_append(&f->bob_log, buffer_view(entry), &f->arena));
}

struct device_id bob_adds(struct fixture *f, uint8_t n)
{
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = record_of(n, sk)};
    device_prove(f->bob.account, &plan.record, sk, &plan.proof);
    bob_does(f, plan);
    return device_id_of(f->bob.account, &plan.record.signing);
}

void bob_rotates(struct fixture *f, uint8_t n)
{
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_REPLACE, .subject = f->bob.device,
                              .record = f->bob_log.devices[0].record};
    plan.record.identity = record_of(n, sk).identity;
    bob_does(f, plan);
}

void bob_forgets(struct fixture *f, uint64_t length)
{
    ok(identity_log_open(buffer_view(&f->bob_entries[0]), &f->arena, &f->bob_log));
    while (f->bob_log.length < length)
        ok(identity_log_append(&f->bob_log, buffer_view(&f->bob_entries[f->bob_log.length]), &f->arena));
}

static size_t bob_views(struct fixture *f, uint64_t first, struct view **out)
{
    size_t count = 0;
    *out = arena_array(&f->arena, ENTRIES_PER_FRAME, sizeof **out);
    for (uint64_t i = first; i < f->bob_log.length && count < ENTRIES_PER_FRAME; i++)
        (*out)[count++] = buffer_view(&f->bob_entries[i]);
    return count;
}

struct msg_found bob_found(struct fixture *f, uint64_t first)
{
    struct msg_found found = {.account = f->bob.account, .log = identity_log_state(&f->bob_log)};
    found.entry_count = bob_views(f, first, &found.entries);
    return found;
}

struct msg_stale stale_since(struct fixture *f, uint64_t first)
{
    struct msg_stale stale = {.log = identity_log_state(&f->bob_log)};
    stale.entry_count = bob_views(f, first, &stale.entries);
    return stale;
}

static void identity_read(struct fixture *f)
{
    struct contact own;
    ok(state_begin(f->state, STATE_READ));
    ok(state_identity_get(f->state, &f->arena, &f->me));
    ok(state_contact_get(f->state, f->me.account, &own));
    ok(state_commit(f->state));
    f->my_log = identity_log_state(&own.log);
}

void fixture_init(struct fixture *f)
{
    struct account_wish wish = {.handle = text("me"), .endpoints = text("tcp://relay:1")};
    cr_assert_geq(sodium_init(), 0);
    f->seed = 1;
    f->now = (struct now){.wall_ms = 1700000000000u, .mono_ms = 5000};
    f->config = (struct engine_config){.random = {fill, &f->seed}, .client_version = "0.1.0",
                                       .attach = true};
    f->state = memory_state_new();
    ok(account_create(f->state, &f->config.random, f->now, &wish));
    ok(engine_new(&f->config, f->state, &f->e));
    f->range = (struct msg_range){.first = 0, .last = PARTITION_COUNT - 1,
                                  .store = fixture_store, .term = fixture_term(1)};
    f->map = (struct msg_map){.version = 1, .ranges = &f->range, .range_count = 1};
    identity_read(f);
    bob_make(f);
}

void said_forget(struct fixture *f)
{
    for (size_t i = 0; i < f->said_count; i++)
        buffer_fini(&f->said[i]);
    f->said_count = 0;
}

void fixture_fini(struct fixture *f)
{
    engine_free(&f->e);
    state_close(&f->state);
    said_forget(f);
    for (size_t i = 0; i < BOB_ENTRIES_MAX; i++)
        buffer_fini(&f->bob_entries[i]);
    arena_fini(&f->arena);
}

void fixture_run(void (*body)(struct fixture *f))
{
    static struct fixture f;
    f = (struct fixture){0};
    fixture_init(&f);
    body(&f);
    fixture_fini(&f);
}

void restart(struct fixture *f)
{
    engine_free(&f->e);
    memory_state_crash(f->state);
    ok(engine_new(&f->config, f->state, &f->e));
    said_forget(f);
    events_forget(f);
}

/* ---- turns ---- */

void turn(struct fixture *f)
{
    struct view bytes;
    struct engine_event event;
    engine_tick(f->e, f->now);
    while (engine_next_frame(f->e, &bytes)) {
        cr_assert_lt(f->said_count, SAID_MAX);
        struct buffer *b = &f->said[f->said_count++];
        *b = (struct buffer){0};
        write_view(b, bytes);
    }
    while (engine_next_event(f->e, &event))
        if (f->event_count < EVENTS_KEPT) f->events[f->event_count++] = event;
}

void pass(struct fixture *f, uint64_t ms)
{
    uint64_t until = f->now.mono_ms + ms;
    for (unsigned turns = 0; f->now.mono_ms < until; turns++) {
        uint64_t next = engine_deadline_ms(f->e);
        cr_assert_lt(turns, 100000u, "the engine's deadline does not move");
        if (next <= f->now.mono_ms) next = f->now.mono_ms + 1;
        if (next > until) next = until;
        f->now.wall_ms += next - f->now.mono_ms;
        f->now.mono_ms = next;
        turn(f);
    }
}

/* ---- what the engine said ---- */

static enum frame_kind kind_of(const struct buffer *b)
{
    return (enum frame_kind)b->at[3];
}

struct frame said(struct fixture *f, enum frame_kind kind, const struct codec_desc *desc,
                  void *message)
{
    struct frame frame;
    size_t i = 0;
    while (i < f->said_count && kind_of(&f->said[i]) != kind)
        i++;
    cr_assert_lt(i, f->said_count, "nothing of kind %s was said", kind_name(kind));
    struct view bytes = arena_copy(&f->arena, buffer_view(&f->said[i]));
    buffer_fini(&f->said[i]);
    memmove(&f->said[i], &f->said[i + 1], (f->said_count - i - 1) * sizeof f->said[0]);
    f->said_count--;
    ok(frame_check(bytes, FROM_CLIENT, &frame));
    cr_assert_neq(frame.header.correlation, 0u);
    if (desc) ok(codec_decode(desc, frame.meta, &f->arena, message));
    return frame;
}

size_t said_count(const struct fixture *f, enum frame_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < f->said_count; i++)
        count += kind_of(&f->said[i]) == kind;
    return count;
}

bool has_happened(const struct fixture *f, enum engine_event_kind kind)
{
    for (size_t i = 0; i < f->event_count; i++)
        if (f->events[i].kind == kind) return true;
    return false;
}

struct engine_event happened(struct fixture *f, enum engine_event_kind kind)
{
    size_t i = 0;
    while (i < f->event_count && f->events[i].kind != kind)
        i++;
    cr_assert_lt(i, f->event_count, "no event %s", engine_event_name(kind));
    struct engine_event event = f->events[i];
    f->event_count -= i + 1;
    memmove(f->events, f->events + i + 1, f->event_count * sizeof f->events[0]);
    return event;
}

void events_forget(struct fixture *f)
{
    f->event_count = 0;
}

/* ---- what the relay says ---- */

static void give(struct fixture *f, const struct frame_header *header,
                 const struct codec_desc *desc, const void *message, struct view body)
{
    struct buffer b = {0};
    frame_write(&b, header, desc, message);
    write_view(&b, body);
    engine_frame(f->e, f->now, buffer_view(&b));
    buffer_fini(&b);
    turn(f);
}

void answer(struct fixture *f, const struct frame *to, enum frame_kind kind,
            const struct codec_desc *desc, const void *message)
{
    struct frame_header header = {.kind = (uint8_t)kind, .correlation = to->header.correlation};
    give(f, &header, desc, message, view_of(NULL, 0));
}

void refuse(struct fixture *f, const struct frame *to, enum status s, uint32_t retry_after_ms)
{
    struct msg_error error = {.status = (uint32_t)s, .retry_after_ms = retry_after_ms};
    answer(f, to, KIND_ERROR, &msg_error_desc, &error);
}

void push(struct fixture *f, enum frame_kind kind, const struct codec_desc *desc,
          const void *message, struct view body)
{
    give(f, &(struct frame_header){.kind = (uint8_t)kind}, desc, message, body);
}

void greet(struct fixture *f)
{
    struct msg_hello hello;
    struct frame frame = said(f, KIND_HELLO, &msg_hello_desc, &hello);
    struct msg_welcome welcome = {
        .session = {.term = f->range.term, .number = ++f->session_number},
        .relay_ms = f->now.wall_ms + 1234,
        .credit_messages = hello.credit_messages,
        .credit_bytes = hello.credit_bytes,
        .ping_ms = 10000,
        .map = f->map,
        .log = f->my_log,
        .prekeys = f->prekeys,
    };
    answer(f, &frame, KIND_WELCOME, &msg_welcome_desc, &welcome);
}

void bind_session(struct fixture *f)
{
    engine_up(f->e, f->now);
    turn(f);
    if (said_count(f, KIND_REGISTER)) {
        struct frame frame = said(f, KIND_REGISTER, NULL, NULL);
        struct msg_registered m = {.account = f->me.account, .device = f->me.device,
                                   .log = f->my_log};
        answer(f, &frame, KIND_REGISTERED, &msg_registered_desc, &m);
    }
    greet(f);
    if (said_count(f, KIND_CLAIM_HANDLE)) {
        struct frame frame = said(f, KIND_CLAIM_HANDLE, NULL, NULL);
        struct msg_handle_claimed m = {.account = f->me.account};
        answer(f, &frame, KIND_HANDLE_CLAIMED, &msg_handle_claimed_desc, &m);
    }
}

void lose_connection(struct fixture *f)
{
    engine_down(f->e, f->now);
    turn(f);
    said_forget(f);
}

/* ---- bob ---- */

void know_bob(struct fixture *f)
{
    struct contact c = {.log = f->bob_log};
    ok(state_begin(f->state, STATE_WRITE));
    ok(state_handle_put(f->state, text("bob"), f->bob.account));
    for (uint64_t i = 0; i < f->bob_log.length; i++)
        ok(state_entry_put(f->state, f->bob.account, i, buffer_view(&f->bob_entries[i])));
    ok(state_contact_put(f->state, &c));
    ok(state_commit(f->state));
}

void answer_lookups(struct fixture *f)
{
    while (said_count(f, KIND_LOOKUP)) {
        struct msg_lookup ask;
        struct frame frame = said(f, KIND_LOOKUP, &msg_lookup_desc, &ask);
        struct msg_handle_proof proof = {.entry = buffer_view(&f->bob_entries[0])};
        struct msg_found found = {.account = f->bob.account, .proof = &proof, .proof_count = 1};
        if (ask.handle.len) {
            cr_assert_eq(frame.header.home, home_of_handle(ask.handle));
            handle_sign(f->bob.account, ask.handle, f->bob_sk, &proof.signature);
        } else {
            cr_assert_eq(frame.header.home, home_of_account(ask.account));
            found = bob_found(f, ask.first);
        }
        answer(f, &frame, KIND_FOUND, &msg_found_desc, &found);
    }
}

/* ---- messages ---- */

struct outbox_row write_to(struct fixture *f, const char *handle, const char *payload,
                           const char *key)
{
    struct engine_message m = {.handle = text(handle), .payload = text(payload), .key = key};
    struct outbox_row row;
    ok(engine_send(f->e, f->now, &m, &row));
    turn(f);
    return row;
}

struct outbox_row row_at(struct fixture *f, uint64_t order)
{
    struct outbox_row row;
    ok(state_begin(f->state, STATE_READ));
    ok(state_outbox_get(f->state, order, &row));
    ok(state_commit(f->state));
    return row;
}

/* PROTOCOL 7.1, from the frame alone. */
static struct hash256 digest_of(struct view item, const struct msg_send_item *m,
                                struct reader *body)
{
    struct hash256 hashes[DEVICES_PER_ACCOUNT];
    for (size_t i = 0; i < m->part_count; i++)
        hashes[i] = digest_ciphertext(read_view(body, m->parts[i].len));
    return digest_claim(item, hashes, m->part_count);
}

void said_send(struct fixture *f, struct sent *out)
{
    out->frame = said(f, KIND_SEND, &msg_send_desc, &out->send);
    struct reader body = reader_of(out->frame.body);
    for (size_t i = 0; i < out->send.item_count; i++) {
        ok(codec_decode(&msg_send_item_desc, out->send.items[i], &f->arena, &out->items[i]));
        out->digests[i] = digest_of(out->send.items[i], &out->items[i], &body);
    }
    ok(reader_done(&body));
}

struct view accepted(struct fixture *f, const struct msg_send_item *item, struct term term)
{
    struct msg_accepted_part parts[DEVICES_PER_ACCOUNT];
    struct msg_accepted m = {
        .id = item->id,
        .level = LEVEL_SYNCED,
        .receipt = {.store = fixture_store, .term = term, .commit = ++f->commit,
                    .accepted_ms = f->now.wall_ms},
        .expires_ms = f->now.wall_ms + 3600 * 1000,
        .parts = parts,
        .part_count = item->part_count,
    };
    for (size_t i = 0; i < item->part_count; i++)
        parts[i] = (struct msg_accepted_part){.device = item->parts[i].device, .term = term,
                                              .seq = f->commit};
    struct buffer b = {0};
    codec_encode(&msg_accepted_desc, &m, &b);
    struct view kept = arena_copy(&f->arena, buffer_view(&b));
    buffer_fini(&b);
    return kept;
}

void accept_all(struct fixture *f, const struct sent *s)
{
    struct msg_sent_item items[SENDS_PER_FRAME];
    struct msg_sent m = {.items = items, .item_count = s->send.item_count};
    for (size_t i = 0; i < m.item_count; i++)
        items[i] = (struct msg_sent_item){.answer = accepted(f, &s->items[i], f->range.term)};
    answer(f, &s->frame, KIND_SENT, &msg_sent_desc, &m);
}

void answer_one(struct fixture *f, const struct sent *s, const struct msg_sent_item *item)
{
    struct msg_sent_item items[SENDS_PER_FRAME];
    struct msg_sent m = {.items = items, .item_count = s->send.item_count};
    for (size_t i = 0; i < m.item_count; i++)
        items[i] = *item;
    answer(f, &s->frame, KIND_SENT, &msg_sent_desc, &m);
}

void answer_stale(struct fixture *f, const struct sent *s, struct msg_stale *stale)
{
    answer_one(f, s, &(struct msg_sent_item){.status = STATUS_STALE_DEVICES, .stale = stale, .stale_count = 1});
}

void bob_and_session(struct fixture *f)
{
    know_bob(f);
    bind_session(f);
    said_forget(f);
    events_forget(f);
}

struct msg_part_state part_of(struct fixture *f, uint32_t state, uint32_t outcome,
                                     uint64_t at_ms)
{
    return (struct msg_part_state){.device = f->bob.device, .state = state, .outcome = outcome,
                                   .at_ms = f->now.wall_ms + at_ms};
}

void hint(struct fixture *f, struct message_id id, struct msg_part_state part)
{
    struct msg_hint_item item = {.target = target_of_account(f->bob.account), .id = id,
                                 .part = part};
    struct msg_hint m = {.items = &item, .item_count = 1};
    push(f, KIND_HINT, &msg_hint_desc, &m, view_of(NULL, 0));
}

enum message_state state_of(struct fixture *f, uint64_t order)
{
    return row_at(f, order).state;
}

bool has_no_bytes(struct fixture *f, uint64_t order, bool payload_too)
{
    struct outbox_body body;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_body_get(f->state, order, &f->arena, &body), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
    return !body.item.len && !body.ciphertext.len && (!payload_too || !body.payload.len);
}

/* ---- deliveries ---- */

struct incoming deliveries(struct fixture *f, uint64_t seq, size_t count)
{
    struct incoming in = {.count = count};
    for (size_t i = 0; i < count; i++) {
        struct msg_delivery *d = &in.items[i];
        *d = (struct msg_delivery){.term = f->range.term, .seq = seq + i,
                                   .sender_account = f->bob.account,
                                   .sender_device = f->bob.device,
                                   .target = target_of_account(f->me.account), .len = 2};
        put_u64(d->id.bytes, seq + i);
        write_bytes(&in.body, "\x01m", 2);
    }
    return in;
}

void deliver_only(struct fixture *f, struct incoming *in)
{
    struct msg_deliver m = {.session = {.term = f->range.term, .number = f->session_number},
                            .items = in->items, .item_count = in->count};
    push(f, KIND_DELIVER, &msg_deliver_desc, &m, buffer_view(&in->body));
    buffer_fini(&in->body);
}

void take_all(struct fixture *f)
{
    struct inbox_row rows[DELIVERIES_PER_FRAME];
    uint64_t orders[DELIVERIES_PER_FRAME];
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = DELIVERIES_PER_FRAME};
    if (state_begin(f->state, STATE_READ) != STATUS_OK) return; /* it failed on purpose */
    cr_assert_eq(state_inbox_scan(f->state, &scan, &f->arena), STATUS_OK);
    state_rollback(f->state);
    for (size_t i = 0; i < scan.row_count; i++)
        orders[i] = rows[i].order;
    if (scan.row_count)
        cr_assert_eq(engine_ack(f->e, f->now, orders, scan.row_count), STATUS_OK);
    turn(f);
}

void deliver(struct fixture *f, struct incoming *in)
{
    deliver_only(f, in);
    take_all(f);
}

void deliver_some(struct fixture *f, uint64_t seq, size_t count)
{
    struct incoming in = deliveries(f, seq, count);
    deliver(f, &in);
}

size_t inbox_count(struct fixture *f)
{
    static struct inbox_row rows[256];
    struct inbox_scan scan = {.rows = rows, .row_max = 256};
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_inbox_scan(f->state, &scan, &f->arena), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
    return scan.row_count;
}

size_t pending_count(struct fixture *f)
{
    struct pending_ack acks[256];
    size_t count;
    cr_assert_eq(state_begin(f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_ack_scan(f->state, acks, 256, &count), STATUS_OK);
    cr_assert_eq(state_commit(f->state), STATUS_OK);
    return count;
}

struct frame said_both(struct fixture *f, struct msg_ack *ack, uint64_t settled,
                       uint64_t delivered)
{
    struct frame frame = said(f, KIND_ACK, &msg_ack_desc, ack);
    cr_assert_eq(ack->settled_seq, settled);
    cr_assert_eq(ack->delivered_seq, delivered);
    cr_assert(!settled || term_equal(ack->settled_term, f->range.term));
    cr_assert(term_equal(ack->delivered_term, f->range.term));
    cr_assert_eq(ack->session.number, f->session_number);
    return frame;
}

struct frame said_ack(struct fixture *f, struct msg_ack *ack, uint64_t seq)
{
    return said_both(f, ack, seq, seq);
}

void echo(struct fixture *f, const struct frame *frame, const struct msg_ack *ack)
{
    struct msg_acked m = {.session = ack->session, .settled_term = ack->settled_term,
                          .settled_seq = ack->settled_seq,
                          .delivered_term = ack->delivered_term,
                          .delivered_seq = ack->delivered_seq};
    answer(f, frame, KIND_ACKED, &msg_acked_desc, &m);
}

void session_only(struct fixture *f)
{
    bind_session(f);
    said_forget(f);
    events_forget(f);
}
