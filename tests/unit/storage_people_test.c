/* The people of the storage fixture: accounts, sessions, sends, deliveries and acknowledgements in a test's words. */
#include "tests/unit/storage_fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct msg_device_record keys_make(unsigned number, uint8_t sk[64])
{
    uint8_t seed[32] = {0, (uint8_t)number, (uint8_t)(number >> 8), 77}; /* the first one's low bits are clamped */
    struct msg_device_record record;
    crypto_sign_seed_keypair(record.signing.bytes, sk, seed);
    cr_assert_eq(crypto_scalarmult_base(record.transport.bytes, seed), 0);
    seed[3]++;
    cr_assert_eq(crypto_scalarmult_base(record.identity.bytes, seed), 0);
    return record;
}

struct buffer entry_of(const struct person *p, struct entry_plan plan)
{
    static const struct device_id none;
    struct buffer entry = {0};
    if (device_equal(plan.signer, none)) plan.signer = p->device;
    identity_log_make(&p->log, &plan, p->signing_sk, &entry);
    return entry;
}

struct buffer entry_added(const struct person *p, unsigned keys)
{
    uint8_t sk[64];
    struct entry_plan plan = {.operation = ENTRY_ADD, .record = keys_make(keys, sk)};
    device_prove(p->account, &plan.record, sk, &plan.proof);
    return entry_of(p, plan);
}

uint64_t append(struct world *w, const struct person *by, struct account_id account, const struct view *entries,
                size_t count)
{
    struct stamp stamp = person_stamp(by);
    struct msg_append m = {.account = account, .entries = (struct view *)(uintptr_t)entries, .entry_count = count};
    uint64_t c = world_ask(w, by->broker, &stamp, KIND_APPEND, &msg_append_desc, &m, view_of(NULL, 0));
    world_run(w);
    return c;
}

void person_append(struct world *w, struct person *p, struct buffer entry)
{
    struct view view = buffer_view(&entry);
    struct msg_appended done;
    uint64_t c = append(w, p, p->account, &view, 1);
    cr_assert_eq(identity_log_append(&p->log, view, &w->arena), STATUS_OK);
    cr_assert_eq(world_status(w, c), STATUS_OK, "%s", status_name(world_status(w, c)));
    world_decode(w, c, KIND_APPENDED, &msg_appended_desc, &done);
    struct msg_log_state state = identity_log_state(&p->log);
    cr_assert_eq(memcmp(&done.log, &state, sizeof state), 0);
    buffer_fini(&entry);
}

struct person *person_new(struct world *w, unsigned number)
{
    struct person *p = calloc(1, sizeof *p);
    p->record = keys_make(number, p->signing_sk);
    founding_make(&p->record, p->signing_sk, WORLD_START_MS, p->record.identity.bytes, &p->entry);
    cr_assert_eq(identity_log_open(buffer_view(&p->entry), &w->arena, &p->log), STATUS_OK);
    p->account = p->log.account;
    p->device = p->log.devices[0].id;
    p->head = p->log.head;
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = 1000000 + number,
                          .transport = p->record.transport};
    struct msg_register m = {.entry = buffer_view(&p->entry)};
    uint64_t c = world_ask(w, 0, &stamp, KIND_REGISTER, &msg_register_desc, &m, view_of(NULL, 0));
    world_run(w);
    cr_assert_eq(world_status(w, c), STATUS_OK);
    return p;
}

void person_free(struct person *p)
{
    buffer_fini(&p->entry);
    free(p);
}

struct stamp person_stamp(const struct person *p)
{
    return (struct stamp){.origin = ORIGIN_EDGE, .conn = p->conn, .session = p->session,
                          .account = p->account, .device = p->device,
                          .transport = p->record.transport};
}

enum status person_hello(struct world *w, struct person *p, size_t broker)
{
    const char *version = p->version ? p->version : "1.0.0";
    struct msg_hello hello = {.device = p->device, .account = p->account,
                              .client_version = view_of(version, strlen(version)),
                              .protocol_min = 1, .protocol_max = 1, .attach = !p->unattached,
                              .credit_messages = p->credit_messages,
                              .credit_bytes = p->credit_bytes, .reoffer_held = p->reoffer_held,
                              .client_ms = p->client_ms};
    struct stamp stamp = {.origin = ORIGIN_EDGE, .conn = ++w->id_count + 500,
                          .transport = p->record.transport};
    p->read_outs = w->out_count;
    uint64_t c = world_ask(w, broker, &stamp, KIND_HELLO, &msg_hello_desc, &hello, view_of(NULL, 0));
    world_run(w);
    enum status status = world_status(w, c);
    if (status != STATUS_OK) return status;
    struct msg_welcome welcome;
    world_decode(w, c, KIND_WELCOME, &msg_welcome_desc, &welcome);
    p->broker = broker;
    p->conn = stamp.conn;
    p->session = welcome.session;
    p->open_count = p->open_bytes = 0;
    p->got_count = 0;
    p->settled = (struct position){.seq = 0};
    person_read(w, p);
    return STATUS_OK;
}

struct message_id world_id(struct world *w)
{
    uint8_t random[10] = {0};
    put_u64(random + 2, ++w->id_count);
    return message_id_make(w->now.wall_ms, random);
}

struct view world_text(struct world *w, struct message_id id, size_t len)
{
    uint8_t *at = arena_alloc(&w->arena, len + 1);
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(id.bytes[15] + i);
    return view_of(at, len);
}

struct sending person_send_begin(struct world *w, const struct person *from,
                                 const struct person *to, struct message_id id, struct view text,
                                 uint64_t ttl_ms, const struct msg_receipt *lost)
{
    struct msg_part part = {.device = to->device, .len = (uint32_t)text.len};
    struct msg_send_item item = {.id = id, .target = target_of_account(to->account),
                                 .key_version = 1, .head = to->head, .ttl_ms = ttl_ms,
                                 .parts = &part, .part_count = 1};
    struct buffer encoded = {0};
    codec_encode(&msg_send_item_desc, &item, &encoded);
    struct view raw = arena_copy(&w->arena, buffer_view(&encoded));
    buffer_fini(&encoded);
    struct msg_lost_item lost_item = {.index = 0};
    struct msg_send send = {.items = &raw, .item_count = 1, .lost = &lost_item};
    if (lost) {
        lost_item.receipt = *lost;
        send.lost_count = 1;
    }
    struct stamp stamp = person_stamp(from);
    return (struct sending){
        .id = id, .correlation = world_ask(w, from->broker, &stamp, KIND_SEND, &msg_send_desc,
                                           &send, text)};
}

void person_send_end(struct world *w, struct sending *sending)
{
    struct msg_sent sent;
    sending->status = world_status(w, sending->correlation);
    if (sending->status != STATUS_OK) return;
    world_decode(w, sending->correlation, KIND_SENT, &msg_sent_desc, &sent);
    cr_assert_eq(sent.item_count, 1);
    sending->item = sent.items[0];
    sending->status = (enum status)sent.items[0].status;
    sending->answer = sent.items[0].answer;
    if (sending->answer.len)
        cr_assert_eq(codec_decode(&msg_accepted_desc, sending->answer, &w->arena,
                                  &sending->accepted), STATUS_OK);
}

struct sending person_send(struct world *w, const struct person *from, const struct person *to,
                           size_t len)
{
    struct message_id id = world_id(w);
    struct sending s = person_send_begin(w, from, to, id, world_text(w, id, len), 0, NULL);
    world_run(w);
    person_send_end(w, &s);
    return s;
}

struct sending person_send_id(struct world *w, const struct person *from, const struct person *to,
                              struct message_id id, const char *text)
{
    struct sending s = person_send_begin(w, from, to, id, view_of(text, strlen(text)), 0, NULL);
    world_run(w);
    person_send_end(w, &s);
    return s;
}

static void read_deliver(struct world *w, struct person *p, const struct out *o)
{
    struct msg_deliver deliver;
    struct reader body = reader_of(o->frame.body);
    cr_assert_eq(codec_decode(&msg_deliver_desc, o->frame.meta, &w->arena, &deliver), STATUS_OK);
    cr_assert_eq(session_compare(deliver.session, p->session), 0);
    cr_assert_leq(deliver.item_count, DELIVERIES_PER_FRAME);
    cr_assert(deliver.item_count || deliver.gap_count);
    for (size_t i = 0; i < deliver.item_count; i++) {
        const struct msg_delivery *d = &deliver.items[i];
        struct position at = {d->term, d->seq};
        cr_assert_lt(p->got_count, 4096u);
        if (p->got_count)
            cr_assert_gt(position_compare(at, person_at(p, p->got_count - 1)), 0, "mailbox order");
        p->got[p->got_count++] = (struct got){*d, read_view(&body, d->len)};
        p->open_count++;
        p->open_bytes += d->len;
        if (p->credit_messages) cr_assert_leq(p->open_count, p->credit_messages, "credit");
        if (p->credit_bytes && p->open_count > 1)
            cr_assert_leq(p->open_bytes, p->credit_bytes, "credit in bytes");
    }
    cr_assert_eq(reader_done(&body), STATUS_OK);
    for (size_t i = 0; i < deliver.gap_count; i++)
        p->gaps[p->gap_count++ % 64] = deliver.gaps[i];
    if (deliver.gap_count) p->gap_number = deliver.gap_number;
}

void person_read(struct world *w, struct person *p)
{
    for (; p->read_outs < w->out_count; p->read_outs++) {
        const struct out *o = &w->outs[p->read_outs];
        if (o->broker != p->broker || o->stamp.conn != p->conn) continue;
        if (session_compare(o->stamp.session, p->session) != 0) continue;
        if (o->frame.header.kind == KIND_DELIVER) read_deliver(w, p, o);
        if (o->frame.header.kind == KIND_SUPERSEDED) p->superseded++;
    }
}

struct position person_at(const struct person *p, size_t i)
{
    cr_assert_lt(i, p->got_count);
    return (struct position){p->got[i].item.term, p->got[i].item.seq};
}

uint64_t person_ack_begin(struct world *w, struct person *p, struct position settled,
                          struct position delivered, const struct msg_failure *failed,
                          size_t failed_count)
{
    struct msg_failure copies[FAILURES_PER_ACK];
    if (failed_count) memcpy(copies, failed, failed_count * sizeof *failed);
    struct msg_ack ack = {.session = p->session, .settled_term = settled.term,
                          .settled_seq = settled.seq, .delivered_term = delivered.term,
                          .delivered_seq = delivered.seq, .failed = copies,
                          .failed_count = failed_count, .gap_seen = p->gap_number};
    struct stamp stamp = person_stamp(p);
    for (size_t i = 0; i < p->got_count; i++) {
        struct position at = person_at(p, i);
        if (position_compare(at, p->settled) <= 0 || position_compare(at, settled) > 0) continue;
        p->open_count--;
        p->open_bytes -= p->got[i].item.len;
    }
    if (position_compare(p->settled, settled) < 0) p->settled = settled;
    return world_ask(w, p->broker, &stamp, KIND_ACK, &msg_ack_desc, &ack, view_of(NULL, 0));
}

void person_ack(struct world *w, struct person *p, size_t n)
{
    struct position at = person_at(p, n - 1);
    struct msg_acked acked;
    uint64_t c = person_ack_begin(w, p, at, at, NULL, 0);
    world_run(w);
    world_decode(w, c, KIND_ACKED, &msg_acked_desc, &acked);
    cr_assert_eq(position_compare((struct position){acked.settled_term, acked.settled_seq}, at), 0);
    person_read(w, p);
}

struct msg_part_state person_state(struct world *w, const struct person *from,
                                   const struct person *to, struct message_id id)
{
    struct msg_status_ask ask = {target_of_account(to->account), id};
    struct msg_status m = {.items = &ask, .item_count = 1};
    struct msg_status_is is;
    struct stamp stamp = person_stamp(from);
    uint64_t c = world_ask(w, from->broker, &stamp, KIND_STATUS, &msg_status_desc, &m,
                           view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_STATUS_IS, &msg_status_is_desc, &is);
    cr_assert_eq(is.item_count, 1);
    cr_assert_eq(is.items[0].status, STATUS_OK);
    cr_assert_eq(is.items[0].part_count, 1);
    return is.items[0].parts[0];
}

struct msg_explained world_explained(struct world *w, const struct person *from, const struct person *to,
                                     struct message_id id)
{
    struct msg_explain m = {.sender = from->device, .target = target_of_account(to->account),
                            .id = id};
    struct msg_explained e;
    uint64_t c = world_ask(w, 0, &(struct stamp){.origin = ORIGIN_ADMIN, .conn = 3}, KIND_EXPLAIN,
                           &msg_explain_desc, &m, view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_EXPLAINED, &msg_explained_desc, &e);
    return e;
}

uint32_t world_explain(struct world *w, const struct person *from, const struct person *to,
                       struct message_id id)
{
    struct msg_explained e = world_explained(w, from, to, id);
    return e.part_count ? e.parts[0].code : e.code;
}

struct msg_devices_are world_devices(struct world *w, struct account_id account)
{
    struct msg_devices m = {.account = account};
    struct msg_devices_are are;
    uint64_t c = world_ask(w, 0, &(struct stamp){.origin = ORIGIN_ADMIN}, KIND_DEVICES, &msg_devices_desc, &m,
                           view_of(NULL, 0));
    world_run(w);
    world_decode(w, c, KIND_DEVICES_ARE, &msg_devices_are_desc, &are);
    return are;
}

struct scene scene_new(bool bob_too)
{
    struct scene scene = {.w = world_new(1)};
    scene.ann = person_new(scene.w, 1);
    scene.bob = person_new(scene.w, 2);
    cr_assert_eq(person_hello(scene.w, scene.ann, 0), STATUS_OK);
    if (bob_too) cr_assert_eq(person_hello(scene.w, scene.bob, 0), STATUS_OK);
    return scene;
}

void scene_free(struct scene *scene)
{
    person_free(scene->ann);
    person_free(scene->bob);
    world_free(scene->w);
}

/* ---- and that it works ---- */

struct sending send_item(struct scene *e, const struct msg_send_item *item, struct view body)
{
    struct buffer encoded = {0};
    struct stamp stamp = person_stamp(e->ann);
    codec_encode(&msg_send_item_desc, item, &encoded);
    struct view raw = arena_copy(&e->w->arena, buffer_view(&encoded));
    buffer_fini(&encoded);
    struct msg_send send = {.items = &raw, .item_count = 1};
    struct sending s = {.correlation = world_ask(e->w, 0, &stamp, KIND_SEND, &msg_send_desc, &send,
                                                 body)};
    world_run(e->w);
    person_send_end(e->w, &s);
    return s;
}
