/* sealmq-load: a closed-loop load generator on the real client protocol over real sockets (CURVE, or PLAIN on a
 * relay with broker.plain = bench):
 * P senders, M mailboxes, a window of W messages that are neither accepted nor delivered. It checks every
 * body, counts lost, duplicated and corrupted, and prints throughput and server CPU per message by
 * process. First figures only: the bench suite proper will grow from here.
 *
 *     sealmq-load --endpoint tcp://HOST:PORT --server-key FILE --count N [--size B] [--window W]
 *                 [--mailboxes M] [--senders P] [--pids BROKER,STORAGE] [--plain yes]
 *
 * It speaks frames directly (no engine, no client disk), so that the generator's share stays small. */
#include "broker/host/host.h"
#include "broker/wire/identity.h"
#include "broker/wire/messages.h"

#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define MAILBOXES_MAX 1024u
#define SENDERS_MAX   16u
#define ID_SLOTS      65536u

struct device {
    void *socket;
    struct msg_device_record record;
    uint8_t signing_sk[64], transport_sk[32];
    struct buffer entry;
    struct founding founding;
    struct session_id session;
    bool ready;
    /* senders: items waiting to be framed */
    struct msg_send batch;
    uint64_t correlation;
};

struct load {
    void *context;
    struct device *senders, *mailboxes;
    size_t sender_count, mailbox_count;
    const char *endpoint;
    char server_key[64];
    bool plain;
    uint64_t count, sent, accepted, received, duplicated, corrupted, refused, frames;
    size_t size, window;
    uint64_t *seen; /* a bit per message */
    struct arena arena;
    struct buffer out, item;
    uint64_t relay_ahead_ms; /* relay clock minus ours, as two's complement */
    pid_t pids[8];
    size_t pid_count;
};

static void die(const char *what)
{
    fprintf(stderr, "sealmq-load: %s\n", what);
    exit(2);
}

/* ---- one device ---- */

static bool mechanism_set(const struct load *l, void *socket, const char *pk, const char *sk)
{
    if (l->plain)
        return zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, pk, 40) == 0 &&
               zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, "-", 1) == 0;
    return zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, l->server_key, 41) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, pk, 41) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, sk, 41) == 0;
}

static void device_open(struct load *l, struct device *d)
{
    char pk[41], sk[41];
    int zero = 0, hwm = 100000;
    uint8_t salt[16];
    crypto_sign_keypair(d->record.signing.bytes, d->signing_sk);
    host_random(d->record.identity.bytes, 32);
    crypto_box_keypair(d->record.transport.bytes, d->transport_sk);
    host_random(salt, sizeof salt);
    founding_make(&d->record, d->signing_sk, host_now().wall_ms, salt, &d->entry);
    if (founding_check(buffer_view(&d->entry), &l->arena, &d->founding) != STATUS_OK) die("entry");
    zmq_z85_encode(pk, d->record.transport.bytes, 32);
    zmq_z85_encode(sk, d->transport_sk, 32);
    d->socket = zmq_socket(l->context, ZMQ_DEALER);
    if (!d->socket || !mechanism_set(l, d->socket, pk, sk) ||
        zmq_setsockopt(d->socket, ZMQ_LINGER, &zero, sizeof zero) != 0 ||
        zmq_setsockopt(d->socket, ZMQ_SNDHWM, &hwm, sizeof hwm) != 0 ||
        zmq_setsockopt(d->socket, ZMQ_RCVHWM, &hwm, sizeof hwm) != 0 ||
        zmq_connect(d->socket, l->endpoint) != 0)
        die("cannot open a socket");
}

static void device_send(struct device *d, const struct buffer *frame)
{
    if (zmq_send(d->socket, frame->at, frame->len, 0) < 0) die("send failed");
}

static void request(struct load *l, struct device *d, enum frame_kind kind,
                    const struct codec_desc *desc, const void *meta)
{
    buffer_clear(&l->out);
    frame_write(&l->out, &(struct frame_header){.kind = (uint8_t)kind,
                                                .correlation = ++d->correlation,
                                                .home = home_of_account(d->founding.account)},
                desc, meta);
    device_send(d, &l->out);
}

static void say_hello(struct load *l, struct device *d, bool attach)
{
    static const char version[] = "0.1.0";
    struct msg_hello hello = {.device = d->founding.device, .account = d->founding.account,
                              .client_version = view_of(version, sizeof version - 1),
                              .protocol_min = 1, .protocol_max = 1, .attach = attach,
                              .credit_messages = CREDIT_MESSAGES_MAX,
                              .credit_bytes = CREDIT_BYTES_MAX};
    request(l, d, KIND_HELLO, &msg_hello_desc, &hello);
}

/* ---- what comes back ---- */

static void on_deliver(struct load *l, struct device *d, const struct frame *f)
{
    struct msg_deliver m;
    if (codec_decode(&msg_deliver_desc, f->meta, &l->arena, &m) != STATUS_OK) die("bad DELIVER");
    struct reader body = reader_of(f->body);
    struct msg_ack ack = {.session = m.session};
    for (size_t i = 0; i < m.item_count; i++) {
        struct view v = read_view(&body, m.items[i].len);
        uint64_t n = v.len >= 16 ? get_u64(v.at) : UINT64_MAX;
        if (n >= l->count || v.len != l->size || get_u64(v.at + 8) != (n ^ 0x5ea15ea15ea15ea1u)) {
            l->corrupted++;
        } else if (l->seen[n / 64] >> (n % 64) & 1) {
            l->duplicated++;
        } else {
            l->seen[n / 64] |= 1ull << (n % 64);
            l->received++;
        }
        ack.settled_term = m.items[i].term;
        ack.settled_seq = m.items[i].seq;
    }
    request(l, d, KIND_ACK, &msg_ack_desc, &ack);
}

static void on_sent(struct load *l, const struct frame *f)
{
    struct msg_sent m;
    if (codec_decode(&msg_sent_desc, f->meta, &l->arena, &m) != STATUS_OK) die("bad SENT");
    for (size_t i = 0; i < m.item_count; i++) {
        if (m.items[i].status == STATUS_OK) {
            l->accepted++;
        } else {
            if (!l->refused++)
                fprintf(stderr, "sealmq-load: %s\n", status_name((enum status)m.items[i].status));
        }
    }
}

static void on_frame(struct load *l, struct device *d, struct view bytes)
{
    struct frame f;
    l->frames++;
    if (frame_check(bytes, FROM_RELAY, &f) != STATUS_OK) die("bad frame");
    if (f.header.kind == KIND_DELIVER) {
        on_deliver(l, d, &f);
    } else if (f.header.kind == KIND_SENT) {
        on_sent(l, &f);
    } else if (f.header.kind == KIND_REGISTERED) {
        say_hello(l, d, d >= l->mailboxes && d < l->mailboxes + l->mailbox_count);
    } else if (f.header.kind == KIND_WELCOME) {
        struct msg_welcome w;
        if (codec_decode(&msg_welcome_desc, f.meta, &l->arena, &w) != STATUS_OK) die("bad WELCOME");
        d->session = w.session;
        d->ready = true;
        l->relay_ahead_ms = w.relay_ms - host_now().wall_ms;
    } else if (f.header.kind == KIND_ERROR) {
        struct msg_error e;
        if (codec_decode(&msg_error_desc, f.meta, &l->arena, &e) == STATUS_OK)
            fprintf(stderr, "sealmq-load: refused: %s\n", status_name((enum status)e.status));
        exit(1);
    }
}

static bool drain(struct load *l, struct device *d)
{
    bool any = false;
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    for (int i = 0; i < 64 && zmq_msg_recv(&msg, d->socket, ZMQ_DONTWAIT) >= 0; i++) {
        arena_reset(&l->arena);
        on_frame(l, d, view_of(zmq_msg_data(&msg), zmq_msg_size(&msg)));
        any = true;
    }
    zmq_msg_close(&msg);
    return any;
}

/* ---- sending ---- */

/* One frame of up to 64 sends from one sender to rotating mailboxes. */
static void send_some(struct load *l, struct device *d, size_t max)
{
    static struct buffer items[SENDS_PER_FRAME];
    static uint8_t body[SENDS_PER_FRAME][16];
    struct view views[SENDS_PER_FRAME];
    struct msg_send send = {.items = views};
    uint64_t first = l->sent, now = host_now().wall_ms + l->relay_ahead_ms;
    if (max > SENDS_PER_FRAME) max = SENDS_PER_FRAME;
    while (send.item_count < max && l->sent < l->count) {
        uint64_t n = l->sent++;
        const struct device *to = &l->mailboxes[n % l->mailbox_count];
        uint8_t random[10];
        struct msg_part part = {.device = to->founding.device, .len = (uint32_t)l->size};
        struct msg_send_item item = {.target = target_of_account(to->founding.account),
                                     .key_version = to->founding.key_version,
                                     .head = to->founding.head, .parts = &part, .part_count = 1};
        put_u64(random, n);
        put_u16(random + 8, (uint16_t)n);
        item.id = message_id_make(now, random);
        struct buffer *b = &items[send.item_count];
        buffer_clear(b);
        codec_encode(&msg_send_item_desc, &item, b);
        views[send.item_count] = buffer_view(b);
        put_u64(body[send.item_count], n);
        put_u64(body[send.item_count++] + 8, n ^ 0x5ea15ea15ea15ea1u);
    }
    if (l->sent == first) return;
    buffer_clear(&l->out);
    frame_write(&l->out, &(struct frame_header){.kind = KIND_SEND, .correlation = ++d->correlation,
                                                .item_count = (uint16_t)send.item_count,
                                                .home = home_of_account(d->founding.account)},
                &msg_send_desc, &send);
    for (size_t i = 0; i < send.item_count; i++) {
        uint8_t *at = buffer_extend(&l->out, l->size);
        memcpy(at, body[i], 16);
        memset(at + 16, (int)(i + first), l->size - 16);
    }
    device_send(d, &l->out);
}

static void fill_window(struct load *l)
{
    for (size_t i = 0; l->sent < l->count; i = (i + 1) % l->sender_count) {
        uint64_t done = l->accepted < l->received ? l->accepted : l->received;
        size_t open = (size_t)(l->sent - done);
        size_t room = open < l->window ? l->window - open : 0;
        size_t batch = l->window / (2 * l->sender_count);
        if (batch > SENDS_PER_FRAME) batch = SENDS_PER_FRAME;
        if (batch < 1) batch = 1;
        if (room < batch) return;
        send_some(l, &l->senders[i], batch);
    }
}

/* ---- the run ---- */

static struct device *device_at(struct load *l, size_t i)
{
    return i < l->sender_count ? &l->senders[i] : &l->mailboxes[i - l->sender_count];
}

static void pump(struct load *l, zmq_pollitem_t *items, size_t count)
{
    if (zmq_poll(items, (int)count, 1000) < 0) die("poll");
    for (size_t i = 0; i < count; i++)
        if (items[i].revents & ZMQ_POLLIN) drain(l, device_at(l, i));
}

static uint64_t cpu_us(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        user = system = 0;
    fclose(f);
    return (uint64_t)(user + system) * 1000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static const char *option(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return fallback;
}

static size_t number(int argc, char **argv, const char *name, const char *fallback, size_t min,
                     size_t max)
{
    size_t v = strtoull(option(argc, argv, name, fallback), NULL, 10);
    if (v < min || v > max) {
        fprintf(stderr, "sealmq-load: %s must be from %zu to %zu\n", name, min, max);
        exit(2);
    }
    return v;
}

static void set_up(struct load *l, int argc, char **argv)
{
    const char *key = option(argc, argv, "--server-key", NULL);
    l->endpoint = option(argc, argv, "--endpoint", NULL);
    if (!l->endpoint || !key) die("needs --endpoint and --server-key");
    FILE *f = fopen(key, "r");
    if (!f || fscanf(f, "%40s", l->server_key) != 1) die("cannot read the server key");
    fclose(f);
    l->plain = strcmp(option(argc, argv, "--plain", "no"), "yes") == 0;
    l->count = number(argc, argv, "--count", "100000", 1, 100000000);
    l->size = number(argc, argv, "--size", "1024", 16, PAYLOAD_LEN_MAX);
    l->window = number(argc, argv, "--window", "1024", 1, 65536);
    l->mailbox_count = number(argc, argv, "--mailboxes", "64", 1, MAILBOXES_MAX);
    l->sender_count = number(argc, argv, "--senders", "4", 1, SENDERS_MAX);
    char *list = strdup(option(argc, argv, "--pids", ""));
    for (char *p = strtok(list, ","); p && l->pid_count < 8; p = strtok(NULL, ","))
        l->pids[l->pid_count++] = (pid_t)strtol(p, NULL, 10);
    free(list);
    l->seen = calloc((size_t)l->count / 64 + 1, sizeof *l->seen);
    l->senders = calloc(l->sender_count + l->mailbox_count, sizeof *l->senders);
    l->mailboxes = l->senders + l->sender_count;
    l->context = zmq_ctx_new();
}

int main(int argc, char **argv)
{
    struct load l = {0};
    uint64_t cpu[8], end;
    if (host_start() != STATUS_OK) die("cannot start");
    set_up(&l, argc, argv);
    size_t devices = l.sender_count + l.mailbox_count, ready = 0;
    zmq_pollitem_t *items = calloc(devices, sizeof *items);
    for (size_t i = 0; i < devices; i++) {
        struct device *d = device_at(&l, i);
        device_open(&l, d);
        items[i] = (zmq_pollitem_t){.socket = d->socket, .events = ZMQ_POLLIN};
        struct msg_register m = {.entry = buffer_view(&d->entry)};
        request(&l, d, KIND_REGISTER, &msg_register_desc, &m);
    }
    for (end = host_now().mono_ms + 30000; ready < devices && host_now().mono_ms < end;) {
        pump(&l, items, devices);
        for (ready = 0; ready < devices && device_at(&l, ready)->ready;)
            ready++;
    }
    if (ready < devices) die("the devices could not register");
    for (size_t i = 0; i < l.pid_count; i++)
        cpu[i] = cpu_us(l.pids[i]);
    uint64_t own = cpu_us(getpid()), start = host_mono_us();
    for (end = host_now().mono_ms + 300000;
         (l.received < l.count || l.accepted < l.count) && host_now().mono_ms < end && !l.refused;) {
        fill_window(&l);
        pump(&l, items, devices);
    }
    double seconds = (double)(host_mono_us() - start) / 1e6, n = (double)l.received;
    printf("%llu messages of %zu bytes, window %zu, %zu mailboxes, synced: %.2f s, %.0f msg/s\n",
           (unsigned long long)l.received, l.size, l.window, l.mailbox_count, seconds, n / seconds);
    printf("lost %llu, duplicated %llu, corrupted %llu, refused %llu\n",
           (unsigned long long)(l.count - l.received), (unsigned long long)l.duplicated,
           (unsigned long long)l.corrupted, (unsigned long long)l.refused);
    for (size_t i = 0; i < l.pid_count; i++)
        printf("process %d: %.2f us/msg\n", (int)l.pids[i], (double)(cpu_us(l.pids[i]) - cpu[i]) / n);
    printf("generator: %.2f us/msg\n", (double)(cpu_us(getpid()) - own) / n);
    return l.received == l.count && !l.duplicated && !l.corrupted ? 0 : 1;
}
