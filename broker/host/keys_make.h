/* keys_make: makes the relay's secret keys that are not there yet. Private to broker/host. */
#ifndef SEALMQ_HOST_KEYS_MAKE_H
#define SEALMQ_HOST_KEYS_MAKE_H

#include "broker/host/config.h"

#define SERVER_KEY_FILE  "server.key"
#define SERVER_PUB_FILE  "server.pub"
#define RECEIPT_KEY_FILE "receipt.key"
#define STAMP_KEY_FILE   "stamp.key"
#define WEBHOOK_KEY_FILE "webhook.key"
#define MARK_KEY_FILE    "mark.key"
#define Z85_KEY_LEN      40 /* of 32 bytes */

/* keys_make: in c->keys_dir, and server.pub in c->dir, derived from server.key. OK, CONFIG, IO. */
enum status keys_make(const struct config *c, char *error, size_t error_cap) MUST_USE;

#endif
