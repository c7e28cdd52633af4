/* webhook: posts wake-ups to the push gateway over HTTP(S), several at once, without blocking
 * (libcurl's multi interface over one epoll). Content-free: a request says which device should
 * connect, and nothing about messages or senders. Every byte of it:
 *
 *   POST URL
 *   Content-Type: application/json
 *   SealMQ-Signature: t=<Unix seconds>,v1=<hex HMAC-SHA256(key, "<t>." body)>
 *
 *   {"device":"<hex>","account":"<hex>","reason":"waiting","at":"<RFC 3339>","id":"<hex, random>"}
 *
 * beside Host, Accept and Content-Length. No redirects, cookies, proxies or .netrc; of the answer
 * only the status counts. The gateway must check the signature and should refuse an old t or an id
 * seen before. */
#ifndef SEALMQ_FANOUT_WEBHOOK_H
#define SEALMQ_FANOUT_WEBHOOK_H

#include "broker/wire/ids.h"
#include "broker/wire/now.h"

#define WEBHOOK_POSTS_MAX  16u
#define WEBHOOK_TIMEOUT_MS 5000L
#define WEBHOOK_ANSWER_MAX 16384u /* bytes of an answer's body read before hanging up */
#define WEBHOOK_KEY_LEN    32u

struct webhook;

struct webhook_post {
    uint64_t token; /* the caller's name for it */
    struct device_id device;
    struct account_id account;
    struct message_id id; /* random: what the gateway tells repetitions by */
};

/* http_status 0 = no answer (refused, timeout, TLS, not HTTP). */
struct webhook_answer {
    uint64_t token;
    unsigned http_status;
    uint64_t latency_ms;
};

/* webhook_open: url must be http:// or https://; key (WEBHOOK_KEY_LEN bytes) is borrowed until
 * webhook_close. OK; CONFIG (not such a URL); IO. *out is NULL after a failure. */
enum status webhook_open(struct webhook **out, const char *url, const uint8_t *key) MUST_USE;
/* webhook_close: abandons what is under way; NULL-safe, nulls. */
void webhook_close(struct webhook **w);

/* webhook_fd: readable when webhook_step has something to do. webhook_deadline_ms: mono time by
 * which to call it anyway; UINT64_MAX = no need. */
int webhook_fd(const struct webhook *w);
uint64_t webhook_deadline_ms(const struct webhook *w);

/* webhook_room: whether webhook_send would take one more. webhook_send: starts a post; the
 * caller has asked webhook_room. Each gets one answer within WEBHOOK_TIMEOUT_MS. */
bool webhook_room(const struct webhook *w);
void webhook_send(struct webhook *w, struct now now, const struct webhook_post *post);

/* webhook_step: moves all posts on; never blocks. webhook_answered: the next finished one. */
void webhook_step(struct webhook *w, struct now now);
bool webhook_answered(struct webhook *w, struct now now, struct webhook_answer *out);

#endif
