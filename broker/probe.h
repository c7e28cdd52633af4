/* probe: glue: a client of our own edge. It connects as clients do, with a key of its own made at start,
 * and says one thing; who reads the edge knows it by that key. */
#ifndef SEALMQ_BROKER_PROBE_H
#define SEALMQ_BROKER_PROBE_H

#include "broker/wire/ids.h"
#include "broker/wire/status.h"

#include <stdbool.h>

enum probe_kind {
    PROBE_RIGHT,        /* as a client does */
    PROBE_BARE,         /* without any key */
    PROBE_WRONG_SERVER, /* with the key of another server in mind; where there is no encryption: with some */
};

struct probe {
    void *context;
    void *socket; /* NULL = there is none at present */
    bool plain;
    uint8_t server_key[32];
    struct transport_pk key;
    char public_text[41], secret_text[41];
};

/* probe_init: makes the key. OK, IO. */
enum status probe_init(struct probe *p, void *context, bool plain,
                       const uint8_t server_key[32]) MUST_USE;
/* probe_send: a fresh connection, in place of the one before, that tries once; does not block. OK, IO. */
enum status probe_send(struct probe *p, enum probe_kind kind, const char *endpoint) MUST_USE;
void probe_end(struct probe *p);
void probe_fini(struct probe *p);

#endif
