/* webhook: see webhook.h. The only file that includes curl.h. It decides nothing about wake-ups
 * (fanout.c does); it signs, posts and reports the status.
 *
 * Invariants: a post is busy from webhook_send until webhook_answered gave it out; curl's sockets
 * are in the epoll set exactly as its socket callback last said; curl's one timer is deadline_ms.
 */
#include "workers/fanout/webhook.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BODY_MAX    320u
#define HEADER_MAX  160u
#define STEP_EVENTS 64

struct post {
    bool busy;
    bool finished;
    CURL *easy;
    struct curl_slist *headers;
    char body[BODY_MAX];
    uint64_t token;
    uint64_t started_ms;
    size_t answer_len;
};

struct webhook {
    char *url;
    const uint8_t *key;
    CURLM *multi;
    int epoll;
    uint64_t now_ms; /* of the call under way; curl's timer is relative to it */
    uint64_t deadline_ms;
    struct post posts[WEBHOOK_POSTS_MAX];
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    (void)easy;
    struct webhook *w = context;
    struct epoll_event e = {.data.fd = fd};
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) e.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) e.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(w->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    if (epoll_ctl(w->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0) return -1;
    curl_multi_assign(w->multi, fd, w);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct webhook *w = context;
    w->deadline_ms = timeout_ms < 0 ? UINT64_MAX : w->now_ms + (uint64_t)timeout_ms;
    return 0;
}

/* Reads the answer to the end so that the connection can be used again, but not any length of it.
 */
static size_t on_answer(char *at, size_t size, size_t count, void *context)
{
    (void)at;
    struct post *p = context;
    p->answer_len += size * count;
    return p->answer_len <= WEBHOOK_ANSWER_MAX ? size * count : 0;
}

static bool url_is_http(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

enum status webhook_open(struct webhook **out, const char *url, const uint8_t *key)
{
    *out = NULL;
    if (!url_is_http(url)) return STATUS_CONFIG;
    struct webhook *w = calloc(1, sizeof *w);
    ENSURE(w != NULL);
    w->key = key;
    w->deadline_ms = UINT64_MAX;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->url = strdup(url);
    bool ok = w->epoll >= 0 && w->url && curl_global_init(CURL_GLOBAL_DEFAULT) == 0 &&
              (w->multi = curl_multi_init()) != NULL &&
              !curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
              !curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w) &&
              !curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
              !curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w) &&
              !curl_multi_setopt(w->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)WEBHOOK_POSTS_MAX);
    if (!ok) {
        webhook_close(&w);
        return STATUS_IO;
    }
    *out = w;
    return STATUS_OK;
}

static void post_end(struct webhook *w, struct post *p)
{
    if (p->easy) {
        curl_multi_remove_handle(w->multi, p->easy);
        curl_easy_cleanup(p->easy);
    }
    curl_slist_free_all(p->headers);
    *p = (struct post){0};
}

void webhook_close(struct webhook **w)
{
    if (!*w) return;
    for (size_t i = 0; i < WEBHOOK_POSTS_MAX; i++)
        post_end(*w, &(*w)->posts[i]);
    if ((*w)->multi) curl_multi_cleanup((*w)->multi);
    if ((*w)->epoll >= 0) close((*w)->epoll);
    free((*w)->url);
    free(*w);
    *w = NULL;
}

int webhook_fd(const struct webhook *w)
{
    return w->epoll;
}

uint64_t webhook_deadline_ms(const struct webhook *w)
{
    return w->deadline_ms;
}

static struct post *post_free(struct webhook *w)
{
    for (size_t i = 0; i < WEBHOOK_POSTS_MAX; i++)
        if (!w->posts[i].busy) return &w->posts[i];
    return NULL;
}

bool webhook_room(const struct webhook *w)
{
    for (size_t i = 0; i < WEBHOOK_POSTS_MAX; i++)
        if (!w->posts[i].busy) return true;
    return false;
}

static void body_write(char body[BODY_MAX], const struct webhook_post *post, uint64_t wall_ms)
{
    char device[2 * sizeof post->device + 1], account[2 * sizeof post->account + 1];
    char id[2 * sizeof post->id + 1], at[32];
    struct tm tm;
    time_t seconds = (time_t)(wall_ms / 1000);
    hex_encode(post->device.bytes, sizeof post->device.bytes, device);
    hex_encode(post->account.bytes, sizeof post->account.bytes, account);
    hex_encode(post->id.bytes, sizeof post->id.bytes, id);
    gmtime_r(&seconds, &tm);
    strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    int len = snprintf(body, BODY_MAX,
                       "{\"device\":\"%s\",\"account\":\"%s\",\"reason\":\"waiting\","
                       "\"at\":\"%s\",\"id\":\"%s\"}",
                       device, account, at, id);
    ENSURE(len > 0 && (size_t)len < BODY_MAX);
}

static void signature_write(char header[HEADER_MAX], const uint8_t *key, const char *body,
                            uint64_t wall_ms)
{
    char time_text[32], hex[2 * crypto_auth_hmacsha256_BYTES + 1];
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    int len = snprintf(time_text, sizeof time_text, "%" PRIu64 ".", wall_ms / 1000);
    crypto_auth_hmacsha256_init(&state, key, WEBHOOK_KEY_LEN);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)time_text, (unsigned long long)len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)body, strlen(body));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
    hex_encode(mac, sizeof mac, hex);
    len =
        snprintf(header, HEADER_MAX, "SealMQ-Signature: t=%" PRIu64 ",v1=%s", wall_ms / 1000, hex);
    ENSURE(len > 0 && (size_t)len < HEADER_MAX);
}

static bool post_prepare(struct webhook *w, struct post *p, const char *signature)
{
    p->easy = curl_easy_init();
    struct curl_slist *first = curl_slist_append(NULL, "Content-Type: application/json");
    p->headers = curl_slist_append(first, signature);
    if (!p->headers) curl_slist_free_all(first);
    CURL *c = p->easy;
    return c && p->headers && !curl_easy_setopt(c, CURLOPT_URL, w->url) &&
           !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") &&
           !curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) &&
           !curl_easy_setopt(c, CURLOPT_PROXY, "") && !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
           !curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, WEBHOOK_TIMEOUT_MS) &&
           !curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers) &&
           !curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->body) &&
           !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer) &&
           !curl_easy_setopt(c, CURLOPT_WRITEDATA, p) && !curl_easy_setopt(c, CURLOPT_PRIVATE, p) &&
           !curl_multi_add_handle(w->multi, c);
}

void webhook_send(struct webhook *w, struct now now, const struct webhook_post *post)
{
    char signature[HEADER_MAX];
    struct post *p = post_free(w);
    ENSURE(p != NULL);
    *p = (struct post){.busy = true, .token = post->token, .started_ms = now.mono_ms};
    body_write(p->body, post, now.wall_ms);
    signature_write(signature, w->key, p->body, now.wall_ms);
    w->now_ms = now.mono_ms;
    if (post_prepare(w, p, signature)) return;
    p->finished = true; /* answered as "no answer" */
}

void webhook_step(struct webhook *w, struct now now)
{
    struct epoll_event events[STEP_EVENTS];
    int running = 0;
    w->now_ms = now.mono_ms;
    int count = epoll_wait(w->epoll, events, STEP_EVENTS, 0);
    for (int i = 0; i < count; i++) {
        int mask = 0;
        if (events[i].events & EPOLLIN) mask |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP)) mask |= CURL_CSELECT_ERR;
        curl_multi_socket_action(w->multi, events[i].data.fd, mask, &running);
    }
    if (now.mono_ms < w->deadline_ms) return;
    w->deadline_ms = UINT64_MAX;
    curl_multi_socket_action(w->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void messages_take(struct webhook *w)
{
    int left = 0;
    for (CURLMsg *m = curl_multi_info_read(w->multi, &left); m;
         m = curl_multi_info_read(w->multi, &left)) {
        char *context = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &context);
        ((struct post *)(void *)context)->finished = true;
    }
}

bool webhook_answered(struct webhook *w, struct now now, struct webhook_answer *out)
{
    *out = (struct webhook_answer){0};
    messages_take(w);
    for (size_t i = 0; i < WEBHOOK_POSTS_MAX; i++) {
        struct post *p = &w->posts[i];
        long code = 0;
        if (!p->finished) continue;
        if (p->easy) curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &code);
        *out = (struct webhook_answer){.token = p->token,
                                       .http_status = (unsigned)code,
                                       .latency_ms = now.mono_ms - p->started_ms};
        w->now_ms = now.mono_ms;
        post_end(w, p);
        return true;
    }
    return false;
}
