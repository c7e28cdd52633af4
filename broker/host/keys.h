/* keys: the relay's own secret keys, files of 0600 in keys_dir (0700). Anything looser refuses. */
#ifndef SEALMQ_HOST_KEYS_H
#define SEALMQ_HOST_KEYS_H

#include "broker/host/config.h"
#include "broker/wire/event.h"
#include "broker/wire/ids.h"
#include "broker/wire/receipt.h"
#include "broker/wire/stamp.h"

/* CURVE server pair, raw 32 bytes each; files server.key (Z85 secret) and DIR/server.pub (Z85 public). */
struct curve_server_keys { uint8_t public_key[32]; uint8_t *secret_key; /* sodium_malloc, 32 */ };
/* Receipt MAC key; file receipt.key: one line "<key id> <64 hex>" per key, the first one signs, the
 * others still verify. Stamp key: file stamp.key, the same. */
#define LISTED_KEYS_MAX 8
struct receipt_keys { struct receipt_key *keys; /* sodium_malloc */ size_t count; };
struct stamp_keys { struct stamp_key *keys; /* sodium_malloc */ size_t count; };
/* Webhook HMAC key: file webhook.key, 64 hex. */
struct webhook_key { uint8_t *bytes; /* sodium_malloc, 32 */ };

/* keys_check: of all secret keys that are there: files of this user's or root's, 0600. OK, CONFIG,
 * IO. */
enum status keys_check(const struct config *c, char *error, size_t error_cap) MUST_USE;

enum status curve_server_keys_load(const struct config *c, struct curve_server_keys *out,
                                   char *error, size_t error_cap) MUST_USE;
/* server_public_load: the public half, as server.pub has it. OK, CONFIG, IO. */
enum status server_public_load(const struct config *c, struct transport_pk *out, char *error,
                               size_t error_cap) MUST_USE;
void curve_server_keys_fini(struct curve_server_keys *k);
enum status receipt_keys_load(const struct config *c, struct receipt_keys *out, char *error,
                              size_t error_cap) MUST_USE;
void receipt_keys_fini(struct receipt_keys *k);
enum status stamp_keys_load(const struct config *c, struct stamp_keys *out, char *error,
                            size_t error_cap) MUST_USE;
void stamp_keys_fini(struct stamp_keys *k);
enum status webhook_key_load(const struct config *c, struct webhook_key *out, char *error,
                             size_t error_cap) MUST_USE;
void webhook_key_fini(struct webhook_key *k);
/* file mark.key, 64 hex */
enum status mark_key_load(const struct config *c, struct mark_key *out, char *error,
                          size_t error_cap) MUST_USE;

#endif
