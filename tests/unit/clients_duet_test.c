#include "tests/unit/duet.h"

#include <sodium.h>
#include <string.h>

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
    return relay_delivers(d, p) || some;
}

void duet_settle(struct duet *d)
{
    unsigned turns = 0;
    for (bool some = true; some;) {
        cr_assert_lt(++turns, 10000u, "they do not come to an end");
        some = false;
        for (int i = 0; i < HOMES; i++)
            some = (d->party[i].e && turn(d, &d->party[i])) || some;
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
        for (int i = 0; i < HOMES; i++)
            if (d->party[i].e && engine_deadline_ms(d->party[i].e) < next) next = engine_deadline_ms(d->party[i].e);
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
    static struct arena kept[HOMES]; /* as long as the process */
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

/* Its home, as linking would make it. */
static void phone_fill(struct duet *d, struct party *p, const struct party *alice)
{
    static struct arena kept; /* as long as the process */
    struct device_secrets signer = {.signing_sk = {0}}, sk = {.signing_sk = {0}};
    struct contact own;
    struct buffer entry = {0};
    struct entry_plan plan = {.operation = ENTRY_ADD, .made_ms = d->now.wall_ms, .signer = alice->me.device};
    ok(state_begin(alice->state, STATE_READ));
    ok(state_secrets_get(alice->state, &signer));
    ok(state_contact_get(alice->state, alice->me.account, &own));
    ok(state_commit(alice->state));
    crypto_sign_seed_keypair(plan.record.signing.bytes, sk.signing_sk, (const uint8_t[32]){77});
    memset(sk.identity_sk, 78, sizeof sk.identity_sk);
    memset(sk.transport_sk, 79, sizeof sk.transport_sk);
    crypto_scalarmult_base(plan.record.identity.bytes, sk.identity_sk);
    crypto_scalarmult_base(plan.record.transport.bytes, sk.transport_sk);
    device_prove(alice->me.account, &plan.record, sk.signing_sk, &plan.proof);
    identity_log_make(&own.log, &plan, signer.signing_sk, &entry);
    struct view added = arena_copy(&kept, buffer_view(&entry));
    ok(identity_log_append(&own.log, added, &kept));
    buffer_fini(&entry);
    p->me = alice->me;
    p->me.record = plan.record;
    p->me.device = device_id_of(alice->me.account, &plan.record.signing);
    p->me.handle = view_of(NULL, 0);
    p->me.registered = p->me.claimed = false;
    ok(state_begin(p->state, STATE_WRITE));
    ok(state_identity_put(p->state, &p->me));
    ok(state_secrets_put(p->state, &sk));
    ok(state_contact_put(p->state, &own));
    for (size_t i = 0; i < alice->entry_count; i++)
        ok(state_entry_put(p->state, own.log.account, i, buffer_view(&alice->entries[i])));
    ok(state_entry_put(p->state, own.log.account, alice->entry_count, added));
    ok(state_commit(p->state));
}

void phone_joins(struct duet *d)
{
    struct party *p = &d->party[PHONE];
    p->handle = "";
    p->config = d->party[ALICE].config;
    p->state = memory_state_new();
    phone_fill(d, p, &d->party[ALICE]);
    ok(engine_new(&p->config, p->state, &p->e));
    online(d, PHONE);
    duet_pass(d, 100);
    cr_assert_eq(p->one_time_count, ONE_TIME_PREKEYS_MAX);
}

void phone_leaves(struct duet *d, enum entry_operation operation)
{
    enum change_obstacle why;
    const struct change_wish wish = {.operation = operation, .subject = d->party[PHONE].me.device};
    ok(engine_change(d->party[ALICE].e, d->now, &wish, &why));
    duet_settle(d);
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
    for (int i = 0; i < HOMES; i++)
        party_fini(&d.party[i]);
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

struct outbox_row duet_row(struct duet *d, int who, uint64_t order)
{
    struct outbox_row row;
    ok(state_begin(d->party[who].state, STATE_READ));
    ok(state_outbox_get(d->party[who].state, order, &row));
    ok(state_commit(d->party[who].state));
    return row;
}

enum message_state duet_state(struct duet *d, int who, uint64_t order)
{
    return duet_row(d, who, order).state;
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
