/* init: makes a home with its keys and registers account and handle. Keys come first and are
 * kept, so that calling it again goes on where it stopped, whatever interrupted it.
 * Invariant: a home belongs to one account for ever, and to one handle once the relay has it. */
#include "clients/cli/device.h"
#include "clients/transport.h"

#include <stdio.h>
#include <string.h>

#define REFUSED_SETTING "cli.handle_refused" /* the handle that the relay did not give us */

struct init {
    struct device device;
    bool registered;
    enum status refused; /* OK, or why there is no handle */
};

/* ---- what was asked ---- */

static int wish_read(const struct command *c, struct account_wish *out)
{
    char error[CLIENT_ERROR_MAX];
    const char *relay = command_option(c, "relay");
    const char *handle = command_option(c, "handle");
    if (strlen(relay) > TRANSPORT_LIST_LEN_MAX)
        return command_fail(c, EXIT_FAILED, "--relay is too long: name fewer addresses");
    if (transport_endpoints_check(relay, error, sizeof error) != STATUS_OK ||
        transport_server_key_load(command_option(c, "server-key"), &out->server, error,
                                  sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_FAILED, "%s", error);
    out->endpoints = view_of(relay, strlen(relay));
    out->handle = view_of(handle, strlen(handle));
    return EXIT_OK;
}

static bool key_differs(const struct state_identity *me, const struct account_wish *wish)
{
    return memcmp(&me->server, &wish->server, sizeof me->server) != 0;
}

/* Whether the relay has refused the handle that this home wanted. */
static bool was_refused(struct init *i)
{
    struct state *state = client_state(i->device.client);
    struct view value = {0};
    enum status s = state_begin(state, STATE_READ);
    if (s != STATUS_OK) return false;
    s = state_setting_get(state, REFUSED_SETTING, &i->device.arena, &value);
    state_rollback(state);
    return s == STATUS_OK && view_equal(value, client_identity(i->device.client)->handle);
}

static void refusal_keep(struct init *i)
{
    struct state *state = client_state(i->device.client);
    if (state_begin(state, STATE_WRITE) != STATUS_OK)
        return; /* then the next init asks once more */
    enum status s =
        state_setting_put(state, REFUSED_SETTING, client_identity(i->device.client)->handle);
    if (s == STATUS_OK)
        s = state_commit(state);
    else
        state_rollback(state);
}

/* ---- a home that was there before ---- */

static int handle_adopt(struct init *i, const struct account_wish *wish)
{
    const struct state_identity *me = client_identity(i->device.client);
    const struct command *c = i->device.command;
    if (view_equal(me->handle, wish->handle)) return EXIT_OK;
    if (me->claimed || !was_refused(i))
        return command_fail(c, EXIT_FAILED,
                            "this home belongs to %.*s: use another --home for %.*s",
                            (int)me->handle.len, (const char *)me->handle.at, (int)wish->handle.len,
                            (const char *)wish->handle.at);
    enum status s = engine_register(client_engine(i->device.client), client_now(), wish->handle);
    if (s == STATUS_OK) s = client_identity_load(i->device.client);
    if (s == STATUS_MALFORMED)
        return command_fail(c, EXIT_FAILED,
                            "a handle is 1 to %u bytes of UTF-8 without spaces, "
                            "control characters or '/'",
                            HANDLE_LEN_MAX);
    return s == STATUS_OK ? EXIT_OK : device_state_fail(&i->device, s);
}

static int relay_adopt(struct init *i, const struct account_wish *wish)
{
    const struct state_identity *me = client_identity(i->device.client);
    if (me->registered && key_differs(me, wish))
        return command_fail(
            i->device.command, EXIT_FAILED,
            "this home is registered at a relay with another key: check --server-key, "
            "or use another --home");
    if (!key_differs(me, wish) && view_equal(me->endpoints, wish->endpoints)) return EXIT_OK;
    if (client_relay_set(i->device.client, wish->endpoints, wish->server) == STATUS_OK)
        return EXIT_OK;
    return command_fail(i->device.command, EXIT_FAILED, "%s", client_error(i->device.client));
}

/* ---- registering ---- */

static void on_event(void *self, const struct engine_event *event)
{
    struct init *i = self;
    if (event->kind == ENGINE_REGISTERED) i->registered = true;
    if (event->kind == ENGINE_HANDLE_REFUSED) i->refused = event->status;
}

/* Another process on this home may have registered: the state is the truth. */
static bool is_done(void *self)
{
    struct init *i = self;
    if (i->refused != STATUS_OK) return true;
    if (client_identity_load(i->device.client) != STATUS_OK) return i->registered;
    const struct state_identity *me = client_identity(i->device.client);
    return me->registered && me->claimed;
}

static int queued(struct init *i)
{
    char trouble[CLIENT_ERROR_MAX];
    progress_end(&i->device.progress);
    client_trouble(i->device.client, trouble, sizeof trouble);
    return command_fail(
        i->device.command, EXIT_QUEUED,
        "the keys are made, but not registered yet (%s); then run the same init again", trouble);
}

static int relay_register(struct init *i, long long timeout_s)
{
    const struct client_watch watch = {i, on_event, is_done, device_tick};
    int failed = device_connect(&i->device);
    if (failed) return failed;
    enum client_end end = client_run(i->device.client, &watch, device_deadline(timeout_s));
    if (end == CLIENT_TIMEOUT) return queued(i);
    if (end != CLIENT_DONE) return device_end(&i->device, end);
    client_leave(i->device.client, &watch, 1000);
    progress_end(&i->device.progress);
    if (i->refused == STATUS_OK) return EXIT_OK;
    refusal_keep(i);
    return command_fail(i->device.command, EXIT_FAILED,
                        "the relay refuses this handle (%s: %s): run init with another --handle",
                        status_name(i->refused), status_meaning(i->refused));
}

/* ---- the result ---- */

static int result_json(const struct state_identity *me, const char *account, const char *device)
{
    json_t *object = json_pack("{s:s, s:s, s:s%, s:s, s:s, s:b}", "id", account, "state",
                               "registered", "handle", (const char *)me->handle.at, me->handle.len,
                               "account", account, "device", device, "sealed", 0);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static int result_print(const struct init *i)
{
    const struct state_identity *me = client_identity(i->device.client);
    const char *home = command_option(i->device.command, "home");
    char account[2 * sizeof me->account.bytes + 1], device[2 * sizeof me->device.bytes + 1];
    hex_encode(me->account.bytes, sizeof me->account.bytes, account);
    hex_encode(me->device.bytes, sizeof me->device.bytes, device);
    if (i->device.command->json) return result_json(me, account, device);
    printf("%.*s is registered\n  account  %s\n  device   %s\n", (int)me->handle.len,
           (const char *)me->handle.at, account, device);
    printf("%s.\n", NOT_SEALED);
    printf(
        "%s has the only copy of this device's keys and messages: if it is lost, neither the relay "
        "nor anybody else can restore the account or what was sent to it.\n",
        home);
    return EXIT_OK;
}

static int init_home(struct init *i, const struct account_wish *wish, long long timeout_s)
{
    int failed = handle_adopt(i, wish);
    if (!failed) failed = relay_adopt(i, wish);
    if (failed) return failed;
    const struct state_identity *me = client_identity(i->device.client);
    if (!me->registered || !me->claimed) failed = relay_register(i, timeout_s);
    return failed ? failed : result_print(i);
}

int init_run(struct command *c)
{
    struct init i = {.refused = STATUS_OK};
    struct client_options options = {.passphrase_file = command_option(c, "passphrase-file")};
    struct account_wish wish;
    char error[CLIENT_ERROR_MAX];
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = wish_read(c, &wish);
    if (failed) return failed;
    if (client_create(command_option(c, "home"), &options, &wish, error, sizeof error) != STATUS_OK)
        return command_fail(c, EXIT_FAILED, "%s", error);
    failed = device_open(&i.device, c, &options);
    if (!failed) failed = init_home(&i, &wish, timeout_s);
    device_close(&i.device);
    return failed;
}
