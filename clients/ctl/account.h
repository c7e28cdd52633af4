/* account: an account that an operator names, by its id or by a handle. */
#ifndef SEALMQ_CTL_ACCOUNT_H
#define SEALMQ_CTL_ACCOUNT_H

#include "clients/ctl/admin.h"

/* account_resolve: 64 hexadecimal digits are an id, all else is a handle, for which the relay is asked. EXIT_OK, or the exit
 * status after one line. device_parse: 32 hexadecimal digits; the same. */
int account_resolve(struct admin *a, const struct command *c, const char *text, struct account_id *out);
int device_parse(const struct command *c, const char *text, struct device_id *out);

/* devices_ask: what the relay says of the account. */
enum status devices_ask(struct admin *a, struct account_id account, struct msg_devices_are *out) MUST_USE;

#endif
