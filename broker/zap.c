/* zap: glue; one REP socket. A request is read whole into fixed memory before it is judged; what
 * does not fit is malformed (500), what is not of our domain and mechanism is refused (400), the rest
 * is 200 with the key's text. No I/O, no allocation, no way to wait. */
#include "broker/zap.h"

#include "broker/wire/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define ENDPOINT     "inproc://zeromq.zap.01"
#define PART_LEN_MAX 255u
#define KEY_LEN      32u
#define KEY_TEXT_LEN 40u

enum part { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, PASSWORD, PARTS };
#define CURVE_PARTS PASSWORD /* one credential; PLAIN has two */

struct zap {
    void *socket;
    bool plain;
};

struct zap_request {
    size_t count; /* parts that came; more than PARTS is malformed */
    bool too_long;
    size_t lens[PARTS];
    uint8_t parts[PARTS][PART_LEN_MAX];
};

struct zap_answer {
    const char *code;
    const char *text;
    char user[KEY_TEXT_LEN + 1];
};

/* false = nothing is waiting. */
static bool request_read(void *socket, struct zap_request *r)
{
    int more = 1;
    size_t more_len = sizeof more;
    memset(r, 0, sizeof *r);
    while (more) {
        uint8_t part[PART_LEN_MAX + 1];
        int len = zmq_recv(socket, part, sizeof part, ZMQ_DONTWAIT);
        if (len < 0) return false;
        if ((size_t)len > PART_LEN_MAX) {
            r->too_long = true;
        } else if (r->count < PARTS) {
            memcpy(r->parts[r->count], part, (size_t)len);
            r->lens[r->count] = (size_t)len;
        }
        r->count++;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_len) != 0) return false;
    }
    return true;
}

static bool part_is(const struct zap_request *r, enum part part, const char *text)
{
    return r->lens[part] == strlen(text) && memcmp(r->parts[part], text, r->lens[part]) == 0;
}

/* Benchmarks only: the user name is the key's text, and nothing proves it. */
static bool plain_key(const struct zap_request *r, struct zap_answer *admitted)
{
    uint8_t key[KEY_LEN];
    if (r->count != PARTS || r->lens[CREDENTIALS] != KEY_TEXT_LEN) return false;
    memcpy(admitted->user, r->parts[CREDENTIALS], KEY_TEXT_LEN);
    return zmq_z85_decode(key, admitted->user) != NULL;
}

static struct zap_answer judge(const struct zap_request *r, bool plain)
{
    struct zap_answer malformed = {"500", "malformed request", ""};
    struct zap_answer refused = {"400", "not admitted", ""};
    struct zap_answer admitted = {"200", "OK", ""};
    if (r->too_long || r->count < CREDENTIALS || !part_is(r, VERSION, "1.0")) return malformed;
    if (!part_is(r, DOMAIN, ZAP_DOMAIN)) return refused;
    if (plain && part_is(r, MECHANISM, "PLAIN"))
        return plain_key(r, &admitted) ? admitted : malformed;
    if (!part_is(r, MECHANISM, "CURVE")) return refused;
    if (r->count != CURVE_PARTS || r->lens[CREDENTIALS] != KEY_LEN) return malformed;
    return zmq_z85_encode(admitted.user, r->parts[CREDENTIALS], KEY_LEN) ? admitted : malformed;
}

static void answer_write(void *socket, const struct zap_request *r, const struct zap_answer *a)
{
    struct view parts[] = {view_of("1.0", 3), view_of(r->parts[REQUEST_ID], r->lens[REQUEST_ID]),
                           view_of(a->code, strlen(a->code)), view_of(a->text, strlen(a->text)),
                           view_of(a->user, strlen(a->user)), view_of("", 0)};
    size_t last = sizeof parts / sizeof parts[0] - 1;
    for (size_t i = 0; i <= last; i++) {
        int flags = i < last ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT;
        if (zmq_send(socket, parts[i].at, parts[i].len, flags) < 0)
            return; /* whoever asked is gone; the handshake fails without an answer */
    }
}

void zap_serve(struct zap *z)
{
    struct zap_request request;
    while (request_read(z->socket, &request)) {
        struct zap_answer answer = judge(&request, z->plain);
        answer_write(z->socket, &request, &answer);
    }
}

/* What libzmq would ask, in this domain; true when the answer has this code. */
static bool asks(struct zap *z, void *socket, const char *domain, const char *code)
{
    static const uint8_t key[KEY_LEN] = {1};
    struct view parts[] = {view_of("1.0", 3), view_of("1", 1), view_of(domain, strlen(domain)),
                           view_of("", 0), view_of("", 0), view_of("CURVE", 5),
                           view_of(key, sizeof key)};
    struct zap_request answer;
    for (size_t i = 0; i < CURVE_PARTS; i++)
        if (zmq_send(socket, parts[i].at, parts[i].len, i + 1 < CURVE_PARTS ? ZMQ_SNDMORE : 0) < 0)
            return false;
    zap_serve(z); /* inproc: the request is there as soon as it is sent */
    return request_read(socket, &answer) && answer.count == 6 && part_is(&answer, DOMAIN, code);
}

static bool self_test(struct zap *z, void *context)
{
    void *socket = zmq_socket(context, ZMQ_REQ);
    int linger = 0;
    bool ok = socket && zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger) == 0 &&
              zmq_connect(socket, ENDPOINT) == 0 && asks(z, socket, ZAP_DOMAIN, "200") &&
              asks(z, socket, "another", "400");
    if (socket) zmq_close(socket);
    return ok;
}

enum status zap_open(void *context, bool plain, struct zap **out)
{
    int linger = 0;
    *out = NULL;
    struct zap *z = calloc(1, sizeof *z);
    ENSURE(z != NULL);
    z->plain = plain;
    z->socket = zmq_socket(context, ZMQ_REP);
    if (!z->socket || zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(z->socket, ENDPOINT) != 0 || !self_test(z, context)) {
        zap_close(&z);
        return STATUS_IO;
    }
    *out = z;
    return STATUS_OK;
}

void zap_close(struct zap **z)
{
    if (!*z) return;
    if ((*z)->socket) zmq_close((*z)->socket);
    free(*z);
    *z = NULL;
}

void *zap_socket(struct zap *z)
{
    return z->socket;
}
