/* registration: who may make an account here, and by whose word (PROTOCOL 6.8), from registration.mode and
 * registration.key. */
#ifndef SEALMQ_HOST_REGISTRATION_H
#define SEALMQ_HOST_REGISTRATION_H

#include "broker/host/config.h"
#include "broker/wire/token.h"

struct registration {
    enum registration_mode mode;
    struct product_keys keys; /* none where nobody's word is known: only in mode open */
    struct relay_id relay;    /* all zero where there are no keys */
};

/* registration_load: reads what registration.key names, and with keys server.pub. OK; CONFIG, IO with one line in error,
 * and *out zero. */
enum status registration_load(const struct config *c, struct registration *out, char *error, size_t error_cap) MUST_USE;

#endif
