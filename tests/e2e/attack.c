/* attack: strangers at the edge of a real relay, from an address of their own. Each kind does its harm until
 * the relay has ended what it must end.
 *
 *     attack KIND SOURCE-ADDRESS RELAY-ADDRESS PORT SERVER-KEY-FILE COUNT
 *
 * Exit 0: all of the kind's connections have ended, and none has got anything but an end or a refusal; 1: not
 * so, named on standard error. (`unread` goes on until it is killed.) Waits have deadlines and nothing is measured. */
#include "broker/host/host.h"
#include "broker/wire/messages.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define END_MS    40000 /* by then a connection has ended */
#define PART_LEN  (1u << 20)
#define PART_COUNT 300 /* more than the relay may have to hold */
#define QUEUE     100
#define ANSWERS   200000
#define PASSED    200
#define GREETING  64u   /* of ZMTP 3 */
#define COUNT_MAX 8192

static struct {
    void *context;
    const char *source, *relay;
    uint16_t port;
    char server_key[64];
    int count;
    int fds[COUNT_MAX];
} attack;

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "attack: %s\n", what);
    exit(1);
}

static void check(bool held, const char *what)
{
    if (!held) fail(what);
}

static uint64_t now_ms(void)
{
    return host_mono_us() / 1000;
}

/* --- raw connections -------------------------------------------------------------------------- */

static struct sockaddr_in address_of(const char *host, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    check(inet_pton(AF_INET, host, &a.sin_addr) == 1, "not an IPv4 address");
    return a;
}

/* -1 = there was no connection: turned away too. */
static int raw_connect(void)
{
    struct sockaddr_in from = address_of(attack.source, 0), to = address_of(attack.relay, attack.port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0, "this program is out of descriptors");
    check(bind(fd, (struct sockaddr *)&from, sizeof from) == 0, "the source cannot be bound");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    return -1;
}

static void raw_say(int fd, const void *bytes, size_t len)
{
    (void)!send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT); /* may have ended */
}

/* Reads what comes, which is libzmq's greeting at most, until the end. */
static void raw_ends(int fd)
{
    uint8_t bytes[512];
    uint64_t until = now_ms() + END_MS;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0) return;
    while (now_ms() < until) {
        if (poll(&p, 1, 100) != 1) continue;
        ssize_t len = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (len > 0 || (len < 0 && errno == EAGAIN)) continue;
        close(fd);
        return;
    }
    fail("a raw connection is not ended");
}

static void raw_all_end(void)
{
    for (int i = 0; i < attack.count; i++)
        raw_ends(attack.fds[i]);
}

static void greeting_make(uint8_t out[GREETING], const char *mechanism)
{
    memset(out, 0, GREETING);
    out[0] = 0xff;
    out[9] = 0x7f;
    out[10] = 3;
    memcpy(out + 12, mechanism, strlen(mechanism));
}

/* A greeting as it should be and a CURVE hello that no key fits. */
static void hello_say(int fd)
{
    uint8_t greeting[GREETING], hello[202] = {4, 200, 5, 'H', 'E', 'L', 'L', 'O', 1, 0};
    greeting_make(greeting, "CURVE");
    host_random(hello + 80, sizeof hello - 80);
    raw_say(fd, greeting, sizeof greeting);
    raw_say(fd, hello, sizeof hello);
}

static void garbage(void)
{
    uint8_t noise[4096], greeting[GREETING];
    for (int i = 0; i < attack.count; i++) {
        int fd = attack.fds[i] = raw_connect();
        host_random(noise, sizeof noise);
        greeting_make(greeting, "CURVE");
        switch (i % 6) {
        case 0: raw_say(fd, "GET / HTTP/1.1\r\n\r\n", 18); break;
        case 1: raw_say(fd, noise, sizeof noise); break;
        case 2: noise[0] = 0xff; noise[9] = 0x7f; raw_say(fd, noise, sizeof noise); break;
        case 3: raw_say(fd, greeting, sizeof greeting); raw_say(fd, noise, sizeof noise); break;
        case 4: memset(noise, 0xff, sizeof noise); raw_say(fd, noise, sizeof noise); break;
        default: raw_say(fd, greeting, sizeof greeting); hello_say(fd); break;
        }
    }
    raw_all_end();
}

/* Some say nothing, some half of a greeting. */
static void half_open(void)
{
    uint8_t greeting[GREETING];
    greeting_make(greeting, "CURVE");
    for (int i = 0; i < attack.count; i++) {
        attack.fds[i] = raw_connect();
        if (i % 2) raw_say(attack.fds[i], greeting, (size_t)i % GREETING);
    }
    raw_all_end();
}

static void handshakes(void)
{
    for (int i = 0; i < attack.count; i++) {
        int fd = raw_connect();
        hello_say(fd);
        raw_ends(fd);
    }
}

/* --- connections of libzmq ---------------------------------------------------------------------- */

struct stranger {
    void *socket, *monitor;
};

enum keys { KEYS_RIGHT, KEYS_WRONG_SERVER, KEYS_NONE };

static bool number_set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool keys_set(void *socket, enum keys keys)
{
    char public_key[41], secret_key[41], server_key[41], unused[41];
    if (keys == KEYS_NONE) return true;
    memcpy(server_key, attack.server_key, sizeof server_key);
    if (keys == KEYS_WRONG_SERVER && zmq_curve_keypair(server_key, unused) != 0) return false;
    return zmq_curve_keypair(public_key, secret_key) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, 41) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, public_key, 41) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 41) == 0;
}

/* id empty = libzmq's own choice. Connects once. */
static struct stranger stranger_make(enum keys keys, struct view id)
{
    char endpoint[128], monitor[64];
    struct stranger s = {zmq_socket(attack.context, ZMQ_DEALER),
                         zmq_socket(attack.context, ZMQ_PAIR)};
    snprintf(endpoint, sizeof endpoint, "tcp://%s:0;%s:%u", attack.source, attack.relay, attack.port);
    snprintf(monitor, sizeof monitor, "inproc://monitor-%p", s.socket);
    check(s.socket && s.monitor && number_set(s.socket, ZMQ_LINGER, 0) &&
              number_set(s.socket, ZMQ_SNDHWM, QUEUE) &&
              number_set(s.socket, ZMQ_RCVHWM, 1) && number_set(s.socket, ZMQ_RECONNECT_IVL, -1) &&
              number_set(s.monitor, ZMQ_LINGER, 0) && keys_set(s.socket, keys) &&
              (!id.len || zmq_setsockopt(s.socket, ZMQ_ROUTING_ID, id.at, id.len) == 0) &&
              zmq_socket_monitor(s.socket, monitor, ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0 &&
              zmq_connect(s.monitor, monitor) == 0 && zmq_connect(s.socket, endpoint) == 0,
          "a socket cannot be opened");
    return s;
}

static bool stranger_sees(struct stranger *s, uint16_t event, uint64_t wait_ms)
{
    uint8_t head[6], address[128];
    uint16_t seen;
    uint64_t until = now_ms() + wait_ms;
    zmq_pollitem_t item = {.socket = s->monitor, .events = ZMQ_POLLIN};
    do {
        if (zmq_recv(s->monitor, head, sizeof head, ZMQ_DONTWAIT) == (int)sizeof head) {
            (void)zmq_recv(s->monitor, address, sizeof address, 0);
            memcpy(&seen, head, sizeof seen);
            if (seen == event) return true;
            continue;
        }
        (void)zmq_poll(&item, 1, wait_ms ? 50 : 0);
    } while (now_ms() < until);
    return false;
}

static bool stranger_says(struct stranger *s, const void *bytes, size_t len, int flags)
{
    return zmq_send(s->socket, bytes, len, flags | ZMQ_DONTWAIT) >= 0;
}

static void stranger_pings(struct stranger *s)
{
    struct buffer b = {0};
    frame_write(&b, &(struct frame_header){.kind = KIND_PING, .correlation = 1}, &msg_empty_desc,
                &(struct msg_empty){0});
    (void)stranger_says(s, b.at, b.len, 0);
    buffer_fini(&b);
}

static void stranger_leaves(struct stranger *s)
{
    zmq_socket_monitor(s->socket, NULL, 0);
    zmq_close(s->monitor);
    zmq_close(s->socket);
}

/* It has ended, and nothing was ever answered. */
static void stranger_ends(struct stranger *s)
{
    uint8_t byte;
    check(stranger_sees(s, ZMQ_EVENT_DISCONNECTED, END_MS), "a connection is not ended");
    check(zmq_recv(s->socket, &byte, 1, ZMQ_DONTWAIT) < 0, "a stranger was answered");
    stranger_leaves(s);
}

static void strangers(enum keys keys)
{
    for (int i = 0; i < attack.count; i++) {
        struct stranger s = stranger_make(keys, view_of(NULL, 0));
        stranger_pings(&s);
        stranger_ends(&s);
    }
}

static void bare(void)
{
    strangers(KEYS_NONE);
}

static void wrong_server(void)
{
    strangers(KEYS_WRONG_SERVER);
}

/* libzmq sends a message only when its last part is there, so "endless" is a number of parts here. */
static void big_send(size_t part_len, int part_count)
{
    uint8_t *bytes = calloc(1, part_len);
    check(bytes != NULL, "out of memory");
    struct stranger s = stranger_make(KEYS_RIGHT, view_of(NULL, 0));
    check(stranger_sees(&s, ZMQ_EVENT_HANDSHAKE_SUCCEEDED, END_MS), "there is no handshake");
    for (int i = 1; i <= part_count; i++)
        check(stranger_says(&s, bytes, part_len, i < part_count ? ZMQ_SNDMORE : 0), "not sent");
    stranger_ends(&s);
    free(bytes);
}

static void oversized(void)
{
    for (int i = 0; i < attack.count; i++)
        big_send(FRAME_LEN_MAX + 1, 1);
}

static void endless(void)
{
    for (int i = 0; i < attack.count; i++)
        big_send(PART_LEN, PART_COUNT);
}

static void parts(void)
{
    for (int i = 0; i < attack.count; i++) {
        struct stranger s = stranger_make(KEYS_RIGHT, view_of(NULL, 0));
        check(stranger_says(&s, "one", 3, ZMQ_SNDMORE) && stranger_says(&s, "two", 3, 0), "not sent");
        stranger_ends(&s);
    }
}

static void chosen_ids(void)
{
    static const struct view ids[] = {{(const uint8_t *)"dev-a", 5}, {(const uint8_t *)"\0dev", 4},
                                      {(const uint8_t *)"\0dev-a", 6}, {(const uint8_t *)"\0deva", 5},
                                      {(const uint8_t *)"a", 1}};
    uint8_t random[5] = {0};
    for (int i = 0; i < attack.count; i++) {
        host_random(random + 1, 4);
        struct view id = i % 6 < 5 ? ids[i % 6] : view_of(random, sizeof random);
        struct stranger s = stranger_make(KEYS_RIGHT, id);
        stranger_pings(&s);
        stranger_ends(&s);
    }
}

/* Right, and then without a word; but for the first, with so many. */
static void all_silent(struct view id, int words)
{
    struct stranger all[64];
    int count = attack.count < 64 ? attack.count : 64;
    for (int i = 0; i < count; i++) {
        all[i] = stranger_make(KEYS_RIGHT, id);
        check(stranger_sees(&all[i], ZMQ_EVENT_HANDSHAKE_SUCCEEDED, END_MS), "there is no handshake");
        for (int said = 0; i > 0 && said < words; said++)
            stranger_pings(&all[i]);
    }
    for (int i = 0; i < count; i++)
        stranger_ends(&all[i]);
}

/* All but the first under an id are never identified, so that what they say is not heard. */
static void duplicates(void)
{
    all_silent(view_of("twice", 5), 1);
}

/* And more than libzmq queues for one connection: it does not close these by itself any more. */
static void stuck(void)
{
    all_silent(view_of("twice", 5), QUEUE);
}

static void silent(void)
{
    all_silent(view_of(NULL, 0), 0);
}

/* Waits under the number COUNT, which libzmq is about to give; then so many connect that it is passed. */
static void squat(void)
{
    uint8_t id[5] = {0};
    put_u32(id + 1, (uint32_t)attack.count);
    struct stranger s = stranger_make(KEYS_RIGHT, view_of(id, sizeof id));
    check(stranger_sees(&s, ZMQ_EVENT_DISCONNECTED, END_MS), "a squatter is not ended");
    stranger_leaves(&s);
    for (int i = 0; i < PASSED; i++) {
        uint8_t answer[512];
        zmq_pollitem_t item = {.events = ZMQ_POLLIN};
        s = stranger_make(KEYS_RIGHT, view_of(NULL, 0));
        item.socket = s.socket;
        stranger_pings(&s);
        check(zmq_poll(&item, 1, END_MS) == 1 && zmq_recv(s.socket, answer, sizeof answer, 0) > 0,
              "PING is not answered");
        stranger_leaves(&s);
    }
}

/* All as clients do, and they stay; but there are too many of one address: some must end. */
static void flood(void)
{
    static struct stranger all[512];
    int count = attack.count < 512 ? attack.count : 512, ended = 0;
    uint64_t until = now_ms() + END_MS;
    for (int i = 0; i < count; i++) {
        all[i] = stranger_make(KEYS_RIGHT, view_of(NULL, 0));
        stranger_pings(&all[i]);
    }
    for (int i = 0; !ended && now_ms() < until; i = (i + 1) % count)
        ended += stranger_sees(&all[i], ZMQ_EVENT_DISCONNECTED, 0);
    check(ended > 0, "one address has as many connections as it likes");
    for (int i = 0; i < count; i++)
        stranger_leaves(&all[i]);
}

/* Asks and never reads, with more answers than two systems' buffers hold; then says a word now and then, until it is
 * killed: libzmq does not see the end of a connection that it does not read. */
static void unread(void)
{
    struct stranger s = stranger_make(KEYS_RIGHT, view_of(NULL, 0));
    uint64_t until = now_ms() + 4 * END_MS;
    for (int i = 0; now_ms() < until; i++) {
        stranger_pings(&s);
        if (i > ANSWERS) (void)usleep(100000);
        else if (i % QUEUE == 0) (void)usleep(1000);
    }
    fail("nobody ended this program");
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"garbage", garbage},     {"half_open", half_open}, {"handshakes", handshakes},
    {"bare", bare},           {"wrong_server", wrong_server}, {"oversized", oversized},
    {"endless", endless},     {"parts", parts},         {"chosen_ids", chosen_ids},
    {"duplicates", duplicates}, {"silent", silent}, {"stuck", stuck}, {"unread", unread},
    {"flood", flood},         {"squat", squat},
};

static void set_up(char **argv)
{
    struct rlimit files;
    FILE *f = fopen(argv[5], "r");
    check(f && fscanf(f, "%40s", attack.server_key) == 1, "the server key cannot be read");
    fclose(f);
    attack.source = argv[2];
    attack.relay = argv[3];
    attack.port = (uint16_t)strtoul(argv[4], NULL, 10);
    attack.count = (int)strtol(argv[6], NULL, 10);
    check(attack.count > 0 && attack.count <= COUNT_MAX, "COUNT is from 1 to 8192");
    attack.context = zmq_ctx_new();
    check(attack.context && host_start() == STATUS_OK, "the host cannot be used");
    check(getrlimit(RLIMIT_NOFILE, &files) == 0, "the limits cannot be read");
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    if (argc != 7) fail("needs KIND SOURCE RELAY PORT SERVER-KEY-FILE COUNT");
    set_up(argv);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) {
            kinds[i].run();
            zmq_ctx_term(attack.context);
            return 0;
        }
    fail("no such kind");
}
