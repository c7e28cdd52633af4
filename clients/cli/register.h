/* register: what init and register share: a home that is to be registered, by a token where the relay wants one. */
#ifndef SEALMQ_CLI_REGISTER_H
#define SEALMQ_CLI_REGISTER_H

#include "clients/cli/loop.h"

struct registering {
    struct device device;
    bool registered;
    enum sealmq_status refused; /* OK, or why there is no handle */
    enum sealmq_status stopped; /* OK, or why the relay will not have the account */
};

/* register_options: --product-key and --token, as far as they are given, into the home. register_finish: tries until the relay has account
 * and handle, at most timeout_s seconds, and prints the result. Each: EXIT_OK, or the exit status after one line. */
int register_options(struct registering *r);
int register_finish(struct registering *r, long long timeout_s);

#endif
