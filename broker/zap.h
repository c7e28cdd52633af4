/* zap: who may connect at all (ZeroMQ's ZAP, RFC 27). Admits every CURVE key and tells its name
 * with each frame (User-Id = the key's Z85 text); HELLO makes it a device. Answers from memory
 * alone, in the broker's own loop. Anything but CURVE in our domain is refused; with `plain` (loopback
 * benchmarks, broker.plain = bench) PLAIN too, where the user name is the key's text, unproved. */
#ifndef SEALMQ_BROKER_ZAP_H
#define SEALMQ_BROKER_ZAP_H

#include "broker/wire/status.h"

#include <stdbool.h>

#define ZAP_DOMAIN "sealmq"

struct zap;

/* zap_open: binds ZAP's inproc endpoint in this ZeroMQ context and asks itself one good and one bad
 * question. OK; IO with errno when it cannot serve: then nothing may be bound that relies on it. */
enum status zap_open(void *context, bool plain, struct zap **out) MUST_USE;
void zap_close(struct zap **z);
/* zap_socket: to be polled for input. zap_serve: answers all that is waiting; does not block. */
void *zap_socket(struct zap *z);
void zap_serve(struct zap *z);

#endif
