/* crash: kills the broker and the storage worker of a real relay (joined: both at once) with SIGKILL, again and again,
 * under load, and holds an oracle of every acknowledged message against what arrived: 0 lost, 0 shown twice,
 * 0 changed. The clients are the real engine and transport on the memory state; the servers are the
 * Release programs. Also run with terminations in between (SIGTERM: planned restarts).
 *
 *     crash --bin DIR [--kills N] [--seed N] [--port N] [--joined yes] [--keep]
 *
 * Faults 24, 34 and 35 of the catalogue. Bounded: it gives up, and fails, when the relay does not settle
 * everything within two minutes after the last kill. */
#include "broker/host/host.h"
#include "clients/engine.h"
#include "clients/state/memory.h"
#include "clients/transport.h"
#include "tests/crash/relay.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS       6u
#define OPEN_MAX      16u    /* messages of one client that are not accepted yet */
#define MESSAGES_MAX  200000u
#define BODY_MIN      64u
#define BODY_MAX      90000u
#define BODY_USUAL    3000u
#define LARGE_EVERY   16u /* so that there are packs that lie in files of their own */
#define SETTLE_MS     120000u

struct message {
    uint8_t from, to;
    bool accepted, settled;
    unsigned received; /* times that the engine said "received" */
    bool wrong;
};

struct peer {
    struct state *state;
    struct engine *engine;
    struct transport *transport;
    char handle[16];
    bool registered;
    unsigned open, unsettled;
};

struct test {
    struct relay relay;
    struct peer peers[CLIENTS];
    struct message *messages;
    uint32_t count;
    uint64_t random;
    unsigned kills, terms, kills_wanted;
    uint64_t accepted, settled, received, duplicates, refused, unexpected;
};

static uint64_t next_random(struct test *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

static void fill_random(void *self, void *out, size_t len)
{
    (void)self;
    host_random(out, len);
}

/* Body number n: its number, then bytes that follow from it. */
static size_t body_of(uint32_t n, uint8_t out[BODY_MAX])
{
    size_t max = n % LARGE_EVERY ? BODY_USUAL : BODY_MAX, len = BODY_MIN + (n * 2654435761u >> 8) % (max - BODY_MIN);
    uint32_t x = n * 2246822519u + 1;
    put_u32(out, n);
    for (size_t i = 4; i < len; i++) {
        x = x * 1664525u + 1013904223u;
        out[i] = (uint8_t)(x >> 24);
    }
    return len;
}

/* ---- clients ---- */

static void peer_connect(struct test *t, struct peer *p)
{
    char endpoint[64], path[RELAY_DIR_MAX + 16], error[256];
    struct state_identity identity;
    struct device_secrets secrets;
    struct arena arena = {0};
    struct transport_options options = {.endpoints = endpoint, .poll_fd = -1};
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", t->relay.port);
    snprintf(path, sizeof path, "%s/server.pub", t->relay.dir);
    if (transport_server_key_load(path, &options.server, error, sizeof error) != STATUS_OK ||
        state_begin(p->state, STATE_READ) != STATUS_OK ||
        state_identity_get(p->state, &arena, &identity) != STATUS_OK ||
        state_secrets_get(p->state, &secrets) != STATUS_OK) {
        fprintf(stderr, "crash: cannot set up a client: %s\n", error);
        exit(2);
    }
    state_rollback(p->state);
    options.device = identity.record.transport;
    options.device_sk = secrets.transport_sk;
    if (transport_open(&options, &p->transport, error, sizeof error) != STATUS_OK) {
        fprintf(stderr, "crash: %s\n", error);
        exit(2);
    }
    arena_fini(&arena);
}

static void peer_start(struct test *t, unsigned n)
{
    struct peer *p = &t->peers[n];
    struct random_source random = {.fill = fill_random};
    struct engine_config config = {.random = random, .client_version = "0.1.0", .attach = true,
                                   .request_timeout_ms = 3000, .status_every_ms = 2000};
    snprintf(p->handle, sizeof p->handle, "peer%u", n);
    struct account_wish wish = {.handle = view_of(p->handle, strlen(p->handle))};
    p->state = memory_state_new();
    if (account_create(p->state, &random, host_now(), &wish) != STATUS_OK ||
        engine_new(&config, p->state, &p->engine) != STATUS_OK) {
        fprintf(stderr, "crash: cannot make client %u\n", n);
        exit(2);
    }
    peer_connect(t, p);
}

static void check_received(struct test *t, struct peer *p, uint64_t order)
{
    struct inbox_row row;
    struct arena arena = {0};
    struct inbox_scan scan = {.after = order - 1, .rows = &row, .row_max = 1};
    uint8_t expected[BODY_MAX];
    if (state_begin(p->state, STATE_READ) != STATUS_OK) exit(2);
    if (state_inbox_scan(p->state, &scan, &arena) != STATUS_OK || scan.row_count != 1 ||
        row.body.len < 4 || get_u32(row.body.at) >= t->count) {
        t->unexpected++;
    } else {
        uint32_t n = get_u32(row.body.at);
        struct message *m = &t->messages[n];
        size_t len = body_of(n, expected);
        m->received++;
        t->received++;
        if (m->received > 1) t->duplicates++;
        if (!view_equal(row.body, view_of(expected, len)) || &t->peers[m->to] != p) m->wrong = true;
    }
    if (state_commit(p->state) != STATUS_OK) exit(2);
    if (engine_ack(p->engine, host_now(), &order, 1) != STATUS_OK) t->unexpected++;
    arena_fini(&arena);
}

static void on_message(struct test *t, struct peer *p, const struct engine_event *e)
{
    uint32_t n = (uint32_t)strtoul(e->key.text, NULL, 10);
    struct message *m = &t->messages[n];
    bool accepted = e->state == MESSAGE_ACCEPTED || e->state == MESSAGE_SETTLED;
    if (accepted && !m->accepted) {
        m->accepted = true;
        t->accepted++;
        p->open--;
        p->unsettled++;
    }
    if (e->state == MESSAGE_SETTLED && !m->settled) {
        m->settled = true;
        t->settled++;
        p->unsettled--;
    }
    if (e->state == MESSAGE_REFUSED || e->state == MESSAGE_UNKNOWN) {
        fprintf(stderr, "crash: message %u is %s: %s\n", n,
                e->state == MESSAGE_REFUSED ? "refused" : "unknown", status_name(e->status));
        t->refused++;
    }
}

static void peer_events(struct test *t, struct peer *p)
{
    struct engine_event e;
    while (engine_next_event(p->engine, &e)) {
        if (e.kind == ENGINE_REGISTERED) p->registered = true;
        if (e.kind == ENGINE_RECEIVED) check_received(t, p, e.order);
        if (e.kind == ENGINE_MESSAGE) on_message(t, p, &e);
        if (e.kind == ENGINE_MOVE) transport_move(p->transport);
        if (e.kind == ENGINE_STOPPED || e.kind == ENGINE_FAILED || e.kind == ENGINE_GAP ||
            e.kind == ENGINE_SUPERSEDED || e.kind == ENGINE_OVERFLOW) {
            fprintf(stderr, "crash: %s: %s (%s)\n", p->handle, engine_event_name(e.kind),
                    status_name(e.status));
            t->unexpected++;
        }
    }
}

static void peer_turn(struct test *t, struct peer *p)
{
    struct transport_event event;
    struct view frame;
    struct now now = host_now();
    while (transport_next(p->transport, &event)) {
        if (event.kind == TRANSPORT_UP) engine_up(p->engine, now);
        if (event.kind == TRANSPORT_DOWN) engine_down(p->engine, now);
        if (event.kind == TRANSPORT_FRAME) engine_frame(p->engine, now, event.frame);
    }
    engine_tick(p->engine, now);
    while (engine_next_frame(p->engine, &frame)) {
        enum status s = transport_send(p->transport, frame);
        if (s == STATUS_FULL) {
            engine_keep_frame(p->engine);
            break;
        }
    }
    peer_events(t, p);
}

static void peer_send(struct test *t, unsigned from)
{
    struct peer *p = &t->peers[from];
    uint8_t body[BODY_MAX];
    char key[16];
    struct outbox_row row;
    unsigned to = (from + 1 + (unsigned)(next_random(t) % (CLIENTS - 1))) % CLIENTS;
    uint32_t n = t->count;
    if (n == MESSAGES_MAX || p->open >= OPEN_MAX || p->unsettled >= 256) return;
    size_t len = body_of(n, body);
    snprintf(key, sizeof key, "%u", n);
    struct engine_message m = {.handle = view_of(t->peers[to].handle, strlen(t->peers[to].handle)),
                               .payload = view_of(body, len), .key = key};
    t->messages[n] = (struct message){.from = (uint8_t)from, .to = (uint8_t)to};
    t->count++;
    p->open++;
    if (engine_send(p->engine, host_now(), &m, &row) != STATUS_OK) t->unexpected++;
}

/* ---- the run ---- */

static bool all_registered(const struct test *t)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        if (!t->peers[i].registered) return false;
    return true;
}

static void turn(struct test *t, bool load)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (load && next_random(t) % 3 == 0) peer_send(t, i);
        peer_turn(t, &t->peers[i]);
    }
    transport_wait(t->peers[next_random(t) % CLIENTS].transport, 2, -1);
}

static bool run_until_registered(struct test *t)
{
    uint64_t end = host_now().mono_ms + 30000;
    while (!all_registered(t) && host_now().mono_ms < end)
        turn(t, false);
    return all_registered(t);
}

/* One victim; now and then a planned restart instead. */
static void strike(struct test *t)
{
    const char *name = t->relay.joined ? "sealmq-relay" : next_random(t) % 3 ? "sealmq-storage" : "sealmq-broker";
    pid_t pid = relay_child(&t->relay, name);
    bool planned = next_random(t) % 10 == 0;
    if (!pid) return;
    if (kill(pid, planned ? SIGTERM : SIGKILL) != 0) return;
    if (planned)
        t->terms++;
    else
        t->kills++;
}

static void run_kills(struct test *t)
{
    uint64_t end = host_now().mono_ms + 600000, next = 0, accepted = 0, told = 0;
    while (t->kills < t->kills_wanted && host_now().mono_ms < end) {
        uint64_t now = host_now().mono_ms;
        turn(t, true);
        if (now < next || t->accepted == accepted) continue; /* each kill meets a working relay */
        strike(t);
        accepted = t->accepted;
        next = now + 20 + next_random(t) % 300;
        if (t->kills / 20 > told) {
            told = t->kills / 20;
            printf("crash: %u kills, %u planned restarts, %u sent, %llu accepted, %llu settled\n",
                   t->kills, t->terms, t->count, (unsigned long long)t->accepted,
                   (unsigned long long)t->settled);
            fflush(stdout);
        }
    }
}

static void run_until_settled(struct test *t)
{
    uint64_t end = host_now().mono_ms + SETTLE_MS;
    while ((t->settled < t->count || t->received < t->count) && host_now().mono_ms < end)
        turn(t, false);
}

static unsigned verdict(struct test *t, bool stopped)
{
    unsigned lost = 0, twice = 0, wrong = 0, open = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct message *m = &t->messages[i];
        if (m->accepted && !m->received) lost++;
        if (m->received > 1) twice++;
        if (m->wrong) wrong++;
        if (!m->settled) open++;
    }
    printf("crash: %u kills, %u planned restarts, %u sent, %llu accepted, %llu settled, %llu received\n"
           "crash: lost %u, shown twice %u, changed %u, not settled %u, refused %llu, unexpected %llu, "
           "orderly end %s\n",
           t->kills, t->terms, t->count, (unsigned long long)t->accepted,
           (unsigned long long)t->settled, (unsigned long long)t->received, lost, twice, wrong,
           open, (unsigned long long)t->refused, (unsigned long long)t->unexpected,
           stopped ? "yes" : "NO");
    bool enough = t->kills >= t->kills_wanted && t->count > t->kills;
    return lost + twice + wrong + open + (unsigned)t->refused + (unsigned)t->unexpected +
           !enough + !stopped;
}

static const char *option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return fallback;
}

int main(int argc, char **argv)
{
    struct test t = {0};
    const char *bin = option(argc, argv, "--bin", NULL);
    bool keep = argc > 1 && strcmp(argv[argc - 1], "--keep") == 0;
    t.relay.joined = strcmp(option(argc, argv, "--joined", "no"), "yes") == 0;
    t.kills_wanted = (unsigned)strtoul(option(argc, argv, "--kills", "200"), NULL, 10);
    t.random = strtoull(option(argc, argv, "--seed", "1"), NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
    if (!bin || host_start() != STATUS_OK) {
        fprintf(stderr, "usage: crash --bin DIR [--kills N] [--seed N] [--port N] [--joined yes] [--keep]\n");
        return 2;
    }
    t.messages = calloc(MESSAGES_MAX, sizeof *t.messages);
    if (!t.messages) return 2;
    relay_start(&t.relay, bin, (uint16_t)strtoul(option(argc, argv, "--port", "17411"), NULL, 10));
    for (unsigned i = 0; i < CLIENTS; i++)
        peer_start(&t, i);
    bool ready = run_until_registered(&t);
    if (!ready) fprintf(stderr, "crash: the clients could not register\n");
    if (ready) run_kills(&t);
    if (ready) run_until_settled(&t);
    bool stopped = relay_stop(&t.relay, keep);
    unsigned faults = verdict(&t, stopped) + !ready;
    if (keep) printf("crash: kept %s\n", t.relay.dir);
    for (unsigned i = 0; i < CLIENTS; i++) {
        engine_free(&t.peers[i].engine);
        transport_close(&t.peers[i].transport);
        state_close(&t.peers[i].state);
    }
    free(t.messages);
    return faults ? 1 : 0;
}
