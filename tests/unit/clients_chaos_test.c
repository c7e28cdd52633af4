/* A seeded relay that loses requests and replies, answers busy and unknown, breaks connections, and a
 * disk that fails at any call; the client's process dies with it and comes back. What must hold: every
 * message is accepted once, under one claim, and settled in the end; every delivery is kept once; nothing
 * is acknowledged that is not kept. */
#include "tests/unit/clients_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES   12u
#define DELIVERIES 20u
#define STEPS      220u
#define SEEDS      150u

struct claim {
    struct message_id id;
    struct hash256 digest;
    struct view answer, body;
};

struct relay {
    struct fixture *f;
    uint64_t seed;
    bool calm, up;
    struct claim claims[4 * MESSAGES];
    size_t claim_count;
    uint64_t offered, settled; /* of DELIVERIES */
};

static uint64_t below(struct relay *r, uint64_t n)
{
    r->seed ^= r->seed << 13;
    r->seed ^= r->seed >> 7;
    r->seed ^= r->seed << 17;
    return r->seed % n;
}

static bool bad_luck(struct relay *r, unsigned percent)
{
    return !r->calm && below(r, 100) < percent;
}

/* ---- the relay's side ---- */

static struct msg_sent_item decide(struct relay *r, const struct sent *s, size_t i,
                                   struct view body)
{
    for (size_t k = 0; k < r->claim_count; k++) {
        struct claim *c = &r->claims[k];
        if (!message_equal(c->id, s->items[i].id)) continue;
        if (memcmp(&c->digest, &s->digests[i], 32) == 0)
            return (struct msg_sent_item){.answer = c->answer};
        return (struct msg_sent_item){.status = STATUS_ID_REUSED, .answer = c->answer,
                                      .digest = view_of(c->digest.bytes, 32)};
    }
    if (bad_luck(r, 10)) return (struct msg_sent_item){.status = STATUS_BUSY};
    cr_assert_lt(r->claim_count, 4 * MESSAGES);
    struct claim *c = &r->claims[r->claim_count++];
    *c = (struct claim){.id = s->items[i].id, .digest = s->digests[i],
                        .answer = accepted(r->f, &s->items[i], r->f->range.term),
                        .body = arena_copy(&r->f->arena, body)};
    if (bad_luck(r, 10)) return (struct msg_sent_item){.status = STATUS_UNKNOWN};
    return (struct msg_sent_item){.answer = c->answer};
}

static void relay_send(struct relay *r)
{
    struct sent s;
    struct msg_sent_item items[SENDS_PER_FRAME];
    said_send(r->f, &s);
    if (bad_luck(r, 10)) return;
    struct msg_sent m = {.items = items, .item_count = s.send.item_count};
    struct reader body = reader_of(s.frame.body);
    for (size_t i = 0; i < m.item_count; i++)
        items[i] = decide(r, &s, i, read_view(&body, s.items[i].parts[0].len));
    if (bad_luck(r, 10)) return;
    answer(r->f, &s.frame, KIND_SENT, &msg_sent_desc, &m);
}

static void relay_status(struct relay *r)
{
    struct msg_status ask;
    struct msg_status_item items[STATUS_PER_FRAME];
    struct msg_part_state part = {.device = r->f->bob.device, .outcome = OUTCOME_SETTLED,
                                  .at_ms = r->f->now.wall_ms};
    struct frame frame = said(r->f, KIND_STATUS, &msg_status_desc, &ask);
    struct msg_status_is m = {.items = items, .item_count = ask.item_count};
    for (size_t i = 0; i < ask.item_count; i++)
        items[i] = (struct msg_status_item){.target = ask.items[i].target, .id = ask.items[i].id,
                                            .parts = &part, .part_count = 1};
    if (!bad_luck(r, 20)) answer(r->f, &frame, KIND_STATUS_IS, &msg_status_is_desc, &m);
}

static void relay_ack(struct relay *r)
{
    struct msg_ack ack;
    struct frame frame = said(r->f, KIND_ACK, &msg_ack_desc, &ack);
    if (bad_luck(r, 15)) return;
    cr_assert_leq(ack.settled_seq, r->offered, "an ack beyond what was offered");
    if (ack.settled_seq > r->settled) r->settled = ack.settled_seq;
    struct msg_acked m = {.session = ack.session, .settled_term = ack.settled_term,
                          .settled_seq = ack.settled_seq,
                          .delivered_term = ack.delivered_term,
                          .delivered_seq = ack.delivered_seq};
    if (!bad_luck(r, 15)) answer(r->f, &frame, KIND_ACKED, &msg_acked_desc, &m);
}

static void relay_deliver(struct relay *r)
{
    struct msg_delivery items[4];
    uint8_t body[8];
    struct msg_deliver m = {.session = {.term = r->f->range.term, .number = r->f->session_number},
                            .items = items};
    while (m.item_count < 4 && r->offered < DELIVERIES) {
        struct msg_delivery *d = &items[m.item_count];
        *d = (struct msg_delivery){.term = r->f->range.term, .seq = ++r->offered,
                                   .sender_account = r->f->bob.account,
                                   .sender_device = r->f->bob.device,
                                   .target = target_of_account(r->f->me.account), .len = 2};
        put_u64(d->id.bytes, d->seq);
        body[2 * m.item_count] = 1;
        body[2 * m.item_count + 1] = (uint8_t)d->seq;
        m.item_count++;
    }
    if (m.item_count)
        push(r->f, KIND_DELIVER, &msg_deliver_desc, &m, view_of(body, 2 * m.item_count));
}

static void relay_register(struct relay *r)
{
    struct frame frame = said(r->f, KIND_REGISTER, NULL, NULL);
    struct msg_registered m = {.account = r->f->me.account, .device = r->f->me.device};
    answer(r->f, &frame, KIND_REGISTERED, &msg_registered_desc, &m);
}

static void relay_claim(struct relay *r)
{
    struct frame frame = said(r->f, KIND_CLAIM_HANDLE, NULL, NULL);
    struct msg_handle_claimed m = {.account = r->f->me.account};
    answer(r->f, &frame, KIND_HANDLE_CLAIMED, &msg_handle_claimed_desc, &m);
}

static void relay_hello(struct relay *r)
{
    greet(r->f);
    r->offered = r->settled; /* everything unacknowledged is offered again */
}

static void relay_ping(struct relay *r)
{
    struct frame frame = said(r->f, KIND_PING, NULL, NULL);
    struct msg_pong m = {.relay_ms = r->f->now.wall_ms, .map = r->f->map};
    answer(r->f, &frame, KIND_PONG, &msg_pong_desc, &m);
}

static void relay_terms(struct relay *r)
{
    struct msg_term_end end = {.term = r->f->range.term, .end = r->f->commit, .open = true};
    struct msg_terms_are m = {.store = fixture_store, .terms = &end, .term_count = 1,
                              .complete = true};
    struct frame frame = said(r->f, KIND_TERMS, NULL, NULL);
    answer(r->f, &frame, KIND_TERMS_ARE, &msg_terms_are_desc, &m);
}

static void relay_lookup(struct relay *r)
{
    answer_lookups(r->f);
}

static void relay_step(struct relay *r)
{
    static const struct {
        enum frame_kind kind;
        void (*act)(struct relay *r);
    } acts[] = {{KIND_REGISTER, relay_register}, {KIND_HELLO, relay_hello},
                {KIND_CLAIM_HANDLE, relay_claim}, {KIND_LOOKUP, relay_lookup},
                {KIND_SEND, relay_send},         {KIND_STATUS, relay_status},
                {KIND_ACK, relay_ack},           {KIND_PING, relay_ping},
                {KIND_TERMS, relay_terms}};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (said_count(r->f, acts[i].kind)) {
            if (bad_luck(r, 5)) {
                (void)said(r->f, acts[i].kind, NULL, NULL); /* lost on its way */
                continue;
            }
            acts[i].act(r);
        }
    if (engine_is_bound(r->f->e)) relay_deliver(r);
}

/* ---- the world ---- */

/* The application, now and then, takes what it has not taken. */
static void app_take(struct relay *r)
{
    struct fixture *f = r->f;
    struct inbox_row rows[4];
    uint64_t orders[4];
    struct inbox_scan scan = {.which = INBOX_UNSHOWN, .rows = rows, .row_max = 4};
    if (bad_luck(r, 30) || state_begin(f->state, STATE_READ) != STATUS_OK) return;
    enum status s = state_inbox_scan(f->state, &scan, &f->arena);
    state_rollback(f->state);
    for (size_t i = 0; i < scan.row_count; i++)
        orders[i] = rows[i].order;
    if (s == STATUS_OK && scan.row_count)
        (void)(engine_ack(f->e, f->now, orders, scan.row_count) == STATUS_OK);
}

static void world_step(struct relay *r)
{
    struct fixture *f = r->f;
    if (bad_luck(r, 5)) memory_state_fail(f->state, 1 + below(r, 12), below(r, 2) == 0);
    if (r->up && bad_luck(r, 4)) {
        lose_connection(f);
        r->up = false;
    } else if (!r->up) {
        engine_up(f->e, f->now);
        turn(f);
        r->up = true;
    }
    relay_step(r);
    app_take(r);
    pass(f, 1 + below(r, 700));
    if (has_happened(f, ENGINE_FAILED)) {
        memory_state_fail(f->state, 0, false);
        while (engine_free(&f->e), engine_new(&f->config, f->state, &f->e) != STATUS_OK)
            ;
        said_forget(f);
        r->up = false;
    }
    events_forget(f);
}

static void write_one(struct relay *r, unsigned n)
{
    char key[32];
    struct outbox_row row;
    snprintf(key, sizeof key, "message %u", n);
    struct engine_message m = {.handle = text("bob"), .payload = text(key), .key = key};
    (void)(engine_send(r->f->e, r->f->now, &m, &row) == STATUS_OK); /* the user taps again */
    turn(r->f);
}

static void check_outbox(struct relay *r)
{
    for (unsigned n = 0; n < MESSAGES; n++) {
        struct message_key key = {""};
        struct outbox_row row;
        size_t claims = 0;
        char body[STATE_KEY_LEN_MAX + 2];
        snprintf(key.text, sizeof key.text, "message %u", n);
        snprintf(body, sizeof body, "\x01%s", key.text);
        cr_assert_eq(state_begin(r->f->state, STATE_READ), STATUS_OK);
        cr_assert_eq(state_outbox_find_key(r->f->state, &key, &row), STATUS_OK);
        cr_assert_eq(state_commit(r->f->state), STATUS_OK);
        cr_assert_eq(row.state, MESSAGE_SETTLED, "%s is %s (%s)", key.text,
                     message_state_name(row.state), status_name(row.reason));
        for (size_t i = 0; i < r->claim_count; i++)
            claims += view_equal(r->claims[i].body, text(body));
        cr_assert_eq(claims, 1u, "%s was accepted %zu times", key.text, claims);
    }
}

static void check_inbox(struct relay *r)
{
    struct inbox_row rows[DELIVERIES + 1];
    struct inbox_scan scan = {.rows = rows, .row_max = DELIVERIES + 1};
    cr_assert_eq(r->settled, DELIVERIES);
    cr_assert_eq(state_begin(r->f->state, STATE_READ), STATUS_OK);
    cr_assert_eq(state_inbox_scan(r->f->state, &scan, &r->f->arena), STATUS_OK);
    cr_assert_eq(state_commit(r->f->state), STATUS_OK);
    cr_assert_eq(scan.row_count, DELIVERIES);
    for (size_t i = 0; i < scan.row_count; i++)
        cr_assert(rows[i].body.len == 1 && rows[i].body.at[0] == i + 1);
}

static void chaos(struct fixture *f, uint64_t seed)
{
    struct relay r = {.f = f, .seed = seed * 0x9e3779b97f4a7c15u + 1};
    for (unsigned step = 0; step < STEPS; step++) {
        if (step % 8 == 0) write_one(&r, step / 8 % MESSAGES);
        world_step(&r);
    }
    r.calm = true;
    memory_state_fail(f->state, 0, false);
    for (unsigned step = 0; step < 400; step++) {
        if (step < MESSAGES) write_one(&r, step);
        world_step(&r);
    }
    check_outbox(&r);
    check_inbox(&r);
}

Test(chaos, everything_arrives_once_whatever_fails)
{
    static struct fixture f;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        f = (struct fixture){0};
        fixture_init(&f);
        chaos(&f, seed);
        fixture_fini(&f);
    }
}
