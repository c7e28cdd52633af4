/* account: see account.h. A handle and its account may have different homes: so two questions. */
#include "clients/ctl/account.h"

#include "broker/wire/identity.h"

#include <string.h>

static enum status ask(struct admin *a, uint16_t home, const struct msg_devices *m, struct msg_devices_are *out)
{
    struct question q = {KIND_DEVICES, home, &msg_devices_desc, m, &msg_devices_are_desc, out};
    return admin_ask(a, &q);
}

int account_resolve(struct admin *a, const struct command *c, const char *text, struct account_id *out)
{
    struct msg_devices m = {.handle = view_of(text, strlen(text))};
    struct msg_devices_are are;
    if (hex_decode(text, out->bytes, sizeof out->bytes) == STATUS_OK) return EXIT_OK;
    if (handle_check(m.handle) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "give the account as 64 hexadecimal digits, or its handle");
    enum status s = ask(a, home_of_handle(m.handle), &m, &are);
    if (s == STATUS_NOT_FOUND) return command_fail(c, EXIT_FAILED, "no account has the handle %s here", text);
    if (s != STATUS_OK) return admin_fail(a, c, s);
    *out = are.account;
    return EXIT_OK;
}

int device_parse(const struct command *c, const char *text, struct device_id *out)
{
    if (hex_decode(text, out->bytes, sizeof out->bytes) == STATUS_OK) return EXIT_OK;
    return command_fail(c, EXIT_USAGE, "give the device as 32 hexadecimal digits: sealmqctl devices lists them");
}

enum status devices_ask(struct admin *a, struct account_id account, struct msg_devices_are *out)
{
    struct msg_devices m = {.account = account};
    return ask(a, home_of_account(account), &m, out);
}
