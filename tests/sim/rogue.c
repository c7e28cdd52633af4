/* rogue: a registered device without an engine. It says the same id with other bytes, repeats itself,
 * names wrong times and device lists, says what is no frame at all, takes deliveries and acknowledges
 * them late, partly, as failed, or never. The watch holds the relay's answers against the protocol;
 * here stands only what the rogue must be told. When the world becomes calm it goes and stays away. */
#include "tests/sim/watch.h"

#include "broker/wire/identity.h"
#include "clients/wrap.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS       (24ull * 3600 * 1000)
#define KEPT_MAX     8u
#define EXPECTED_MAX 32u
#define ROGUE_CREDIT 5u
#define VERSION_KNOWN UINT64_MAX /* the one that the recipient itself holds */

enum stage { STAGE_AWAY, STAGE_REGISTER, STAGE_CLAIM, STAGE_HELLO, STAGE_BOUND };

/* One SEND frame, to be said again. */
struct kept_send {
    struct buffer item, body;
    uint16_t home;
};

struct expected {
    uint64_t correlation;
    enum status status;
};

struct rogue {
    struct account_id account;
    struct device_id device;
    struct msg_device_record record;
    uint8_t signing_sk[64];
    struct buffer entry;
    struct conn *conn;
    enum stage stage;
    uint64_t act_ms, correlation;
    struct session_id session;
    struct position offered; /* the highest of this session */
    struct kept_send kept[KEPT_MAX];
    size_t kept_count;
    struct expected expected[EXPECTED_MAX];
    bool claimed;
    struct arena arena;
};

bool rogue_device(const struct sim *s, struct account_id *account, struct device_id *device)
{
    if (!s->rogue) return false;
    *account = s->rogue->account;
    *device = s->rogue->device;
    return true;
}

bool rogue_claimed(const struct sim *s)
{
    return s->rogue && s->rogue->claimed;
}

void rogue_start(struct sim *s)
{
    struct rogue *r = calloc(1, sizeof *r);
    uint8_t seed[32], salt[16];
    struct founding founding;
    ENSURE(r != NULL);
    rng_fill(&s->rng, seed, sizeof seed);
    rng_fill(&s->rng, salt, sizeof salt);
    uint8_t scalars[2][32];
    rng_fill(&s->rng, scalars, sizeof scalars);
    ENSURE(crypto_scalarmult_base(r->record.identity.bytes, scalars[0]) == 0);
    ENSURE(crypto_scalarmult_base(r->record.transport.bytes, scalars[1]) == 0);
    crypto_sign_seed_keypair(r->record.signing.bytes, r->signing_sk, seed);
    founding_make(&r->record, r->signing_sk, SIM_WALL_MS, salt, &r->entry);
    ENSURE(founding_check(buffer_view(&r->entry), &r->arena, &founding) == STATUS_OK);
    r->account = founding.account;
    r->device = founding.device;
    r->act_ms = 500;
    s->rogue = r;
}

void rogue_fini(struct sim *s)
{
    struct rogue *r = s->rogue;
    if (!r) return;
    if (r->conn) net_close(s, r->conn, NEAR, false);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        buffer_fini(&r->kept[i].item);
        buffer_fini(&r->kept[i].body);
    }
    buffer_fini(&r->entry);
    arena_fini(&r->arena);
    free(r);
    s->rogue = NULL;
}

/* ---- saying ---- */

static bool say(struct sim *s, struct view frame)
{
    struct rogue *r = s->rogue;
    if (!r->conn || net_send(s, r->conn, NEAR, frame) != STATUS_OK) return false;
    watch_client_said(s, r->conn, frame);
    return true;
}

static struct frame_header header_of(struct rogue *r, enum frame_kind kind, uint16_t home)
{
    return (struct frame_header){
        .kind = (uint8_t)kind, .correlation = ++r->correlation, .home = home};
}

static void say_message(struct sim *s, enum frame_kind kind, uint16_t home,
                        const struct codec_desc *desc, const void *message)
{
    struct buffer b = {0};
    struct frame_header header = header_of(s->rogue, kind, home);
    frame_write(&b, &header, desc, message);
    (void)say(s, buffer_view(&b));
    buffer_fini(&b);
}

static void say_stage(struct sim *s)
{
    static const char name[] = "rogue";
    struct rogue *r = s->rogue;
    uint16_t own = home_of_account(r->account);
    struct view handle = view_of(name, sizeof name - 1);
    if (r->stage == STAGE_REGISTER) {
        struct msg_register m = {.entry = buffer_view(&r->entry)};
        say_message(s, KIND_REGISTER, own, &msg_register_desc, &m);
    } else if (r->stage == STAGE_CLAIM) {
        struct msg_claim_handle m = {.handle = handle, .entry = buffer_view(&r->entry)};
        handle_sign(r->account, handle, r->signing_sk, &m.signature);
        say_message(s, KIND_CLAIM_HANDLE, home_of_handle(handle), &msg_claim_handle_desc, &m);
    } else if (r->stage == STAGE_HELLO) {
        struct msg_hello m = {.device = r->device,
                              .account = r->account,
                              .attach = true,
                              .client_version = view_of("9.9", 3),
                              .protocol_min = 1,
                              .protocol_max = 1,
                              .credit_messages = ROGUE_CREDIT,
                              .credit_bytes = 3000,
                              .reoffer_held = rng_chance(&s->rng, 300)};
        say_message(s, KIND_HELLO, own, &msg_hello_desc, &m);
    }
}

/* ---- sending ---- */

static void expect(struct rogue *r, enum status status)
{
    r->expected[r->correlation % EXPECTED_MAX] = (struct expected){r->correlation, status};
}

static void say_send(struct sim *s, const struct kept_send *k)
{
    struct rogue *r = s->rogue;
    struct view item = buffer_view(&k->item);
    struct msg_send m = {.items = &item, .item_count = 1};
    struct buffer b = {0};
    struct frame_header header = header_of(r, KIND_SEND, k->home);
    size_t start = frame_begin(&b, &header);
    codec_encode(&msg_send_desc, &m, &b);
    frame_meta_end(&b, start);
    write_view(&b, buffer_view(&k->body));
    (void)say(s, buffer_view(&b));
    buffer_fini(&b);
}

/* A message to an honest device; its first byte may be of a kind that nobody can open yet. */
static void send_make(struct sim *s, struct kept_send *k, struct message_id id, uint64_t key_version)
{
    struct device *to = &s->devices[rng_below(&s->rng, s->device_count)];
    struct identity_log log;
    uint8_t filler[120];
    device_log(to, &log);
    buffer_clear(&k->item);
    buffer_clear(&k->body);
    rng_fill(&s->rng, filler, sizeof filler);
    write_u8(&k->body, rng_chance(&s->rng, 750) ? WRAP_OPAQUE : 0x77);
    write_bytes(&k->body, SIM_CANARY, strlen(SIM_CANARY));
    write_bytes(&k->body, filler, rng_between(&s->rng, 1, sizeof filler));
    struct msg_part part = {.device = to->id, .len = (uint32_t)k->body.len};
    struct msg_send_item item = {.id = id,
                                 .target = target_of_account(to->account),
                                 .key_version = key_version == VERSION_KNOWN ? log.key_version : key_version,
                                 .head = log.version_head,
                                 .ttl_ms = rng_between(&s->rng, 3000, 9000),
                                 .parts = &part,
                                 .part_count = 1};
    k->home = home_of_account(to->account);
    codec_encode(&msg_send_item_desc, &item, &k->item);
}

static struct message_id id_at(struct sim *s, uint64_t wall_ms)
{
    uint8_t random[10];
    rng_fill(&s->rng, random, sizeof random);
    return message_id_make(wall_ms, random);
}

static void send_fresh(struct sim *s)
{
    struct rogue *r = s->rogue;
    struct kept_send *k = &r->kept[r->kept_count++ % KEPT_MAX];
    send_make(s, k, id_at(s, sim_relay_now(s).wall_ms), VERSION_KNOWN);
    say_send(s, k);
}

static struct kept_send *any_kept(struct sim *s)
{
    struct rogue *r = s->rogue;
    size_t count = r->kept_count < KEPT_MAX ? r->kept_count : KEPT_MAX;
    return count ? &r->kept[rng_below(&s->rng, count)] : NULL;
}

/* The same id to the same target with one byte changed (row 3 of the catalogue). */
static void send_conflict(struct sim *s)
{
    struct kept_send *k = any_kept(s), other = {0};
    if (!k) return;
    other.home = k->home;
    write_view(&other.item, buffer_view(&k->item));
    write_view(&other.body, buffer_view(&k->body));
    other.body.at[other.body.len - 1] ^= 1;
    say_send(s, &other);
    buffer_fini(&other.item);
    buffer_fini(&other.body);
}

static void send_wrong(struct sim *s)
{
    struct kept_send k = {0};
    uint64_t now = sim_relay_now(s).wall_ms;
    enum status status = STATUS_ID_TIME;
    switch (rng_below(&s->rng, 5)) {
    case 0:
        send_make(s, &k, id_at(s, now - 800 * DAY_MS), VERSION_KNOWN);
        break;
    case 1:
        send_make(s, &k, id_at(s, now + 800 * DAY_MS), VERSION_KNOWN);
        break;
    case 2:
        send_make(s, &k, id_at(s, now), 0);
        status = STATUS_STALE_DEVICES;
        break;
    case 3:
        send_make(s, &k, id_at(s, now), 1000);
        status = STATUS_RELAY_BEHIND;
        break;
    default:
        send_make(s, &k, (struct message_id){{1, 2, 3}}, VERSION_KNOWN);
        status = STATUS_MALFORMED;
        break;
    }
    /* Where the clocks jump the relay's store has its own idea of now. */
    bool sure = !s->profile->weights[FAULT_RELAY_CLOCK] || status == STATUS_MALFORMED;
    say_send(s, &k);
    if (sure) expect(s->rogue, status);
    buffer_fini(&k.item);
    buffer_fini(&k.body);
}

/* ---- receiving ---- */

static void say_ack(struct sim *s)
{
    struct rogue *r = s->rogue;
    struct msg_failure failure = {.term = r->offered.term,
                                  .seq = r->offered.seq,
                                  .reason = rng_chance(&s->rng, 500) ? FAIL_HELD : FAIL_BROKEN};
    struct msg_ack m = {
        .session = r->session, .delivered_term = r->offered.term, .delivered_seq = r->offered.seq};
    if (!r->offered.seq) return;
    uint64_t how = rng_below(&s->rng, 4);
    if (how) { /* else: delivered only */
        m.settled_term = r->offered.term;
        m.settled_seq = how == 3 ? r->offered.seq + 1000 /* never offered: must be ignored */
                                 : rng_between(&s->rng, 1, r->offered.seq);
    }
    if (how == 2) {
        m.settled_seq = r->offered.seq;
        m.failed = &failure;
        m.failed_count = 1;
    }
    say_message(s, KIND_ACK, home_of_account(r->account), &msg_ack_desc, &m);
}

static void got_deliver(struct rogue *r, const struct frame *f)
{
    struct msg_deliver m;
    if (codec_decode(&msg_deliver_desc, f->meta, &r->arena, &m) != STATUS_OK) return;
    for (size_t i = 0; i < m.item_count; i++) {
        struct position at = {m.items[i].term, m.items[i].seq};
        if (position_compare(at, r->offered) > 0) r->offered = at;
    }
}

static bool may_instead(enum status s)
{
    return status_client_action(s) == ACTION_RETRY || s == STATUS_NO_SESSION ||
           s == STATUS_NOT_FOUND;
}

static void got_sent(struct sim *s, const struct frame *f)
{
    struct rogue *r = s->rogue;
    struct msg_sent m;
    const struct expected *e = &r->expected[f->header.correlation % EXPECTED_MAX];
    if (codec_decode(&msg_sent_desc, f->meta, &r->arena, &m) != STATUS_OK || m.item_count != 1)
        return;
    if (e->correlation != f->header.correlation) return;
    enum status status = status_from_wire(m.items[0].status);
    if (status != e->status && !may_instead(status))
        sim_fail(s, "the rogue is told %s instead of %s", status_name(status),
                 status_name(e->status));
}

static void got(struct sim *s, struct view bytes)
{
    struct rogue *r = s->rogue;
    struct frame f;
    struct msg_welcome welcome;
    arena_reset(&r->arena);
    if (frame_check(bytes, FROM_RELAY, &f) != STATUS_OK) return;
    switch ((int)f.header.kind) {
    case KIND_REGISTERED:
        r->stage = STAGE_CLAIM;
        break;
    case KIND_HANDLE_CLAIMED:
        r->stage = STAGE_HELLO;
        r->claimed = true;
        break;
    case KIND_WELCOME:
        if (codec_decode(&msg_welcome_desc, f.meta, &r->arena, &welcome) != STATUS_OK) break;
        r->session = welcome.session;
        r->offered = (struct position){.seq = 0};
        r->stage = STAGE_BOUND;
        break;
    case KIND_DELIVER:
        got_deliver(r, &f);
        break;
    case KIND_SENT:
        got_sent(s, &f);
        break;
    case KIND_SUPERSEDED:
        r->stage = STAGE_HELLO;
        break;
    default:
        break;
    }
}

/* ---- what it does ---- */

static void say_noise(struct sim *s)
{
    uint8_t noise[64];
    struct msg_empty empty = {0};
    struct rogue *r = s->rogue;
    uint64_t how = rng_below(&s->rng, 4);
    if (how == 0) {
        rng_fill(&s->rng, noise, sizeof noise);
        (void)say(s, view_of(noise, rng_below(&s->rng, sizeof noise)));
    } else if (how == 1) {
        say_message(s, KIND_PING, 0, &msg_empty_desc, &empty);
    } else if (how == 2) {
        r->stage = STAGE_HELLO;
        say_stage(s);
    } else {
        say_message(s, KIND_ACK, (uint16_t)rng_below(&s->rng, PARTITION_COUNT), &msg_empty_desc,
                    &empty);
    }
}

static void act(struct sim *s)
{
    struct rogue *r = s->rogue;
    uint64_t what = rng_below(&s->rng, 10);
    struct kept_send *k;
    trace_put(s, TRACE_ROGUE, what, r->stage, r->correlation);
    r->act_ms = s->now_ms + rng_between(&s->rng, 20, 900);
    if (r->stage != STAGE_BOUND)
        say_stage(s);
    else if (what < 2)
        send_fresh(s);
    else if (what < 4 && (k = any_kept(s)))
        say_send(s, k);
    else if (what == 4)
        send_conflict(s);
    else if (what == 5)
        send_wrong(s);
    else if (what < 8)
        say_ack(s);
    else if (what == 8)
        say_noise(s);
}

static void leave(struct sim *s)
{
    struct rogue *r = s->rogue;
    if (r->conn) net_close(s, r->conn, NEAR, true);
    r->conn = NULL;
    r->stage = STAGE_AWAY;
    r->act_ms = SIM_NEVER;
}

uint64_t rogue_due_ms(const struct sim *s)
{
    if (!s->rogue) return SIM_NEVER;
    if (s->calm) return s->rogue->stage == STAGE_AWAY && !s->rogue->conn ? SIM_NEVER : 0;
    return s->rogue->conn ? sim_min(s->rogue->act_ms, net_due_ms(s->rogue->conn, NEAR))
                          : s->rogue->act_ms;
}

void rogue_step(struct sim *s)
{
    struct rogue *r = s->rogue;
    struct packet *p;
    if (s->calm) {
        leave(s);
        return;
    }
    if (r->conn && (!r->conn->open[NEAR] || rng_chance(&s->rng, 5))) {
        leave(s);
        r->act_ms = s->now_ms + rng_between(&s->rng, 100, 3000);
        return;
    }
    if (!r->conn && r->act_ms <= s->now_ms) {
        r->conn = net_connect(s, CONN_EDGE, rng_below(&s->rng, s->broker_count));
        r->act_ms = s->now_ms + 100;
        if (!r->conn) return;
        r->conn->key = r->record.transport;
        r->conn->device = SIM_DEVICES_MAX;
        r->stage = r->claimed ? STAGE_HELLO : STAGE_REGISTER;
    }
    while (r->conn && (p = net_take(s, r->conn, NEAR))) {
        watch_client_got(s, r->conn, p->bytes);
        got(s, p->bytes);
        free(p);
    }
    if (r->conn && r->act_ms <= s->now_ms) act(s);
}

bool rogue_settled(const struct sim *s)
{
    return !s->rogue || !s->rogue->conn;
}
