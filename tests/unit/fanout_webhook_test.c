/* webhook against a small HTTP server on loopback in this process: what bytes leave, their
 * signature, and what each kind of answer becomes. One thread: the test turns webhook and server
 * in the same loop. */
#include "workers/fanout/webhook.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURNS 4000 /* of 5 ms: only a broken build waits so long */

static const uint8_t key[WEBHOOK_KEY_LEN] = {1, 2, 3};

struct server {
    int listener;
    int peer; /* -1 = nobody */
    char url[64];
    char request[4096];
    size_t request_len;
    const char *answer; /* to say; NULL = never answers */
    bool keeps_open;
    size_t requests;
    size_t connections;
};

struct rig {
    struct server server;
    struct webhook *w;
    uint64_t mono_ms;
};

static struct server server_new(const char *answer)
{
    struct server s = {.peer = -1, .answer = answer};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    s.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(s.listener, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(s.listener, 64), 0);
    cr_assert_eq(getsockname(s.listener, (struct sockaddr *)&at, &len), 0);
    snprintf(s.url, sizeof s.url, "http://127.0.0.1:%d/wake", ntohs(at.sin_port));
    return s;
}

static bool request_whole(const struct server *s)
{
    const char *end = strstr(s->request, "\r\n\r\n");
    const char *length = strstr(s->request, "Content-Length: ");
    if (!end || !length) return false;
    return s->request_len >= (size_t)(end + 4 - s->request) + strtoul(length + 16, NULL, 10);
}

/* Serves one connection at a time, closing it after the answer unless it keeps_open. */
static void server_turn(struct server *s)
{
    if (s->peer < 0) {
        s->peer = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK);
        if (s->peer < 0) return;
        s->connections++;
        s->request_len = 0;
    }
    ssize_t got =
        recv(s->peer, s->request + s->request_len, sizeof s->request - 1 - s->request_len, 0);
    if (got > 0) s->request_len += (size_t)got;
    s->request[s->request_len] = '\0';
    if (!request_whole(s) || !s->answer || (s->keeps_open && s->requests)) return;
    s->requests++;
    cr_assert_gt(send(s->peer, s->answer, strlen(s->answer), MSG_NOSIGNAL), 0);
    if (s->keeps_open) return;
    close(s->peer);
    s->peer = -1;
}

static struct rig rig_new(const char *answer)
{
    struct rig r = {.server = server_new(answer), .mono_ms = 1};
    cr_assert_geq(sodium_init(), 0);
    cr_assert_eq(webhook_open(&r.w, r.server.url, key), STATUS_OK);
    return r;
}

static void rig_end(struct rig *r)
{
    webhook_close(&r->w);
    if (r->server.peer >= 0) close(r->server.peer);
    close(r->server.listener);
}

static struct now rig_now(const struct rig *r)
{
    return (struct now){.wall_ms = 1700000000123, .mono_ms = r->mono_ms};
}

static void post(struct rig *r, uint64_t token)
{
    struct webhook_post p = {
        .token = token, .device = {{0xde, 0x01}}, .account = {{0xac, 0x02}}, .id = {{0x1d, 0x03}}};
    webhook_send(r->w, rig_now(r), &p);
}

static struct webhook_answer answer(struct rig *r)
{
    struct webhook_answer a;
    for (int turn = 0; turn < TURNS; turn++) {
        struct pollfd wait[2] = {{.fd = webhook_fd(r->w), .events = POLLIN},
                                 {.fd = r->server.listener, .events = POLLIN}};
        poll(wait, 2, 5);
        r->mono_ms += 5;
        server_turn(&r->server);
        webhook_step(r->w, rig_now(r));
        if (webhook_answered(r->w, rig_now(r), &a)) return a;
    }
    cr_assert_fail("no answer");
    return (struct webhook_answer){0};
}

static unsigned status_for(const char *reply)
{
    struct rig r = rig_new(reply);
    post(&r, 1);
    unsigned status = answer(&r).http_status;
    cr_assert_eq(r.server.requests, 1);
    rig_end(&r);
    return status;
}

#define OK_ANSWER "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

#define BODY                                                                            \
    "{\"device\":\"de010000000000000000000000000000\","                                 \
    "\"account\":\"ac02000000000000000000000000000000000000000000000000000000000000\"," \
    "\"reason\":\"waiting\",\"at\":\"2023-11-14T22:13:20Z\","                           \
    "\"id\":\"1d030000000000000000000000000000\"}"

Test(webhook, these_bytes_leave_and_no_others)
{
    struct rig r = rig_new(OK_ANSWER);
    char expected[2048], signature[2 * crypto_auth_hmacsha256_BYTES + 1];
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    static const char signed_text[] = "1700000000." BODY;
    crypto_auth_hmacsha256(mac, (const uint8_t *)signed_text, strlen(signed_text), key);
    hex_encode(mac, sizeof mac, signature);
    post(&r, 77);
    struct webhook_answer a = answer(&r);
    cr_assert_eq(a.token, 77);
    cr_assert_eq(a.http_status, 204);
    snprintf(expected, sizeof expected,
             "POST /wake HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nContent-Type: application/json\r\n"
             "SealMQ-Signature: t=1700000000,v1=%s\r\nContent-Length: %zu\r\n\r\n%s",
             strtok(r.server.url + strlen("http://"), "/"), signature, strlen(BODY), BODY);
    cr_assert_str_eq(r.server.request, expected);
    rig_end(&r);
}

Test(webhook, another_key_gives_another_signature)
{
    struct rig r = rig_new(OK_ANSWER);
    static const uint8_t other[WEBHOOK_KEY_LEN] = {9};
    char first[4096];
    post(&r, 1);
    answer(&r);
    memcpy(first, r.server.request, sizeof first);
    webhook_close(&r.w);
    cr_assert_eq(webhook_open(&r.w, r.server.url, other), STATUS_OK);
    post(&r, 2);
    answer(&r);
    cr_assert_str_neq(strstr(first, "v1="), strstr(r.server.request, "v1="));
    rig_end(&r);
}

Test(webhook, status_of_the_answer_is_reported)
{
    cr_assert_eq(status_for("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
                 200);
    cr_assert_eq(status_for("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                 410);
    cr_assert_eq(status_for("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
                 503);
}

Test(webhook, redirect_is_not_followed)
{
    struct rig r = rig_new("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n"
                           "Connection: close\r\n\r\n");
    post(&r, 1);
    cr_assert_eq(answer(&r).http_status, 302);
    cr_assert_eq(r.server.connections, 1);
    rig_end(&r);
}

/* The server goes on for ever: only hanging up ends this before the time-out. */
Test(webhook, endless_answer_is_cut_and_its_status_kept)
{
    static char big[WEBHOOK_ANSWER_MAX * 2] = "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n";
    size_t head = strlen(big);
    memset(big + head, 'x', sizeof big - head - 1);
    struct rig r = rig_new(big);
    r.server.keeps_open = true;
    post(&r, 1);
    struct webhook_answer a = answer(&r);
    cr_assert_eq(a.http_status, 200);
    cr_assert_lt(a.latency_ms, (uint64_t)WEBHOOK_TIMEOUT_MS / 2);
    rig_end(&r);
}

Test(webhook, answer_that_is_not_http_is_no_answer)
{
    cr_assert_eq(status_for("220 mail.example ESMTP\r\n"), 0);
}

Test(webhook, nobody_there_is_no_answer)
{
    struct rig r = rig_new(OK_ANSWER);
    close(r.server.listener);
    r.server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    post(&r, 5);
    struct webhook_answer a = answer(&r);
    cr_assert_eq(a.token, 5);
    cr_assert_eq(a.http_status, 0);
    rig_end(&r);
}

Test(webhook, posts_are_bounded_and_all_answered)
{
    struct rig r = rig_new(OK_ANSWER);
    uint64_t seen = 0;
    for (uint64_t i = 0; i < WEBHOOK_POSTS_MAX; i++) {
        cr_assert(webhook_room(r.w));
        post(&r, i);
    }
    cr_assert_not(webhook_room(r.w));
    for (uint64_t i = 0; i < WEBHOOK_POSTS_MAX; i++) {
        struct webhook_answer a = answer(&r);
        cr_assert_eq(a.http_status, 204);
        seen |= 1ull << a.token;
    }
    cr_assert_eq(seen, (1ull << WEBHOOK_POSTS_MAX) - 1);
    cr_assert(webhook_room(r.w));
    rig_end(&r);
}

Test(webhook, closing_abandons_a_post_under_way)
{
    struct rig r = rig_new(NULL);
    post(&r, 1);
    for (int turn = 0; turn < TURNS && !request_whole(&r.server); turn++) {
        struct pollfd wait = {.fd = webhook_fd(r.w), .events = POLLIN};
        poll(&wait, 1, 5);
        webhook_step(r.w, rig_now(&r));
        server_turn(&r.server);
    }
    cr_assert(request_whole(&r.server));
    rig_end(&r);
    cr_assert_null(r.w);
}

Test(webhook, url_of_another_scheme_is_refused)
{
    struct webhook *w;
    cr_assert_eq(webhook_open(&w, "file:///etc/hostname", key), STATUS_CONFIG);
    cr_assert_eq(webhook_open(&w, "ftp://127.0.0.1/", key), STATUS_CONFIG);
    cr_assert_null(w);
    cr_assert_eq(webhook_open(&w, "https://127.0.0.1/", key), STATUS_OK);
    webhook_close(&w);
}
