/* init: makes a home with its keys and registers account and handle. Keys come first and are
 * kept, so that calling it again goes on where it stopped, whatever interrupted it.
 * Invariant: a home belongs to one account for ever, and to one handle once the relay has it. */
#include "clients/cli/register.h"

#include <string.h>

/* ---- what was asked ---- */

static int wish_read(const struct command *c, struct sealmq_create_options *out)
{
    char error[SEALMQ_ERROR_MAX];
    *out = (struct sealmq_create_options)SEALMQ_INIT(struct sealmq_create_options);
    out->home = command_option(c, "home");
    out->passphrase_file = command_option(c, "passphrase-file");
    out->endpoints = command_option(c, "relay");
    out->handle = command_option(c, "handle");
    if (sealmq_server_key_load(command_option(c, "server-key"), &out->server, error, sizeof error) == SEALMQ_OK &&
        sealmq_create(out, error, sizeof error) == SEALMQ_OK)
        return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "%s", error);
}

static bool key_differs(const struct sealmq_identity *me, const struct sealmq_create_options *wish)
{
    return memcmp(&me->server, &wish->server, sizeof me->server) != 0;
}

/* ---- a home that was there before ---- */

static int handle_adopt(struct registering *r, const struct sealmq_create_options *wish)
{
    const struct sealmq_identity *me = &r->device.me;
    const struct command *c = r->device.command;
    if (strcmp(me->handle, wish->handle) == 0) return EXIT_OK;
    if (me->handle_ours || !me->handle_refused)
        return command_fail(c, EXIT_FAILED, "this home belongs to %s: use another --home for %s", me->handle,
                            wish->handle);
    enum sealmq_status s = sealmq_handle_claim(r->device.client, wish->handle);
    if (s == SEALMQ_OK) return device_identity(&r->device);
    if (s == SEALMQ_MALFORMED) return command_fail(c, EXIT_FAILED, "%s", sealmq_error(r->device.client));
    return device_fail(&r->device, s);
}

static int relay_adopt(struct registering *r, const struct sealmq_create_options *wish)
{
    const struct sealmq_identity *me = &r->device.me;
    if (me->registered && key_differs(me, wish))
        return command_fail(
            r->device.command, EXIT_FAILED,
            "this home is registered at a relay with another key: check --server-key, "
            "or use another --home");
    if (!key_differs(me, wish) && strcmp(me->endpoints, wish->endpoints) == 0) return EXIT_OK;
    if (sealmq_relay_set(r->device.client, wish->endpoints, &wish->server) == SEALMQ_OK)
        return device_identity(&r->device);
    return command_fail(r->device.command, EXIT_FAILED, "%s", sealmq_error(r->device.client));
}

static int init_home(struct registering *r, const struct sealmq_create_options *wish, long long timeout_s)
{
    int failed = handle_adopt(r, wish);
    if (!failed) failed = relay_adopt(r, wish);
    if (!failed) failed = register_options(r);
    return failed ? failed : register_finish(r, timeout_s);
}

int init_run(struct command *c)
{
    struct registering r = {.refused = SEALMQ_OK};
    struct sealmq_create_options wish;
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = wish_read(c, &wish);
    if (failed) return failed;
    failed = device_open(&r.device, c, false, 0);
    if (!failed) failed = init_home(&r, &wish, timeout_s);
    device_close(&r.device);
    return failed;
}
