/* init: makes a home with its keys and registers account and handle. Keys come first and are
 * kept, so that calling it again goes on where it stopped, whatever interrupted it.
 * Invariant: a home belongs to one account for ever, and to one handle once the relay has it. */
#include "clients/cli/loop.h"
#include "clients/sealmq_recovery.h"

#include <stdio.h>
#include <string.h>

struct init {
    struct device device;
    bool registered;
    enum sealmq_status refused; /* OK, or why there is no handle */
};

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

static int handle_adopt(struct init *i, const struct sealmq_create_options *wish)
{
    const struct sealmq_identity *me = &i->device.me;
    const struct command *c = i->device.command;
    if (strcmp(me->handle, wish->handle) == 0) return EXIT_OK;
    if (me->handle_ours || !me->handle_refused)
        return command_fail(c, EXIT_FAILED, "this home belongs to %s: use another --home for %s", me->handle,
                            wish->handle);
    enum sealmq_status s = sealmq_handle_claim(i->device.client, wish->handle);
    if (s == SEALMQ_OK) return device_identity(&i->device);
    if (s == SEALMQ_MALFORMED) return command_fail(c, EXIT_FAILED, "%s", sealmq_error(i->device.client));
    return device_fail(&i->device, s);
}

static int relay_adopt(struct init *i, const struct sealmq_create_options *wish)
{
    const struct sealmq_identity *me = &i->device.me;
    if (me->registered && key_differs(me, wish))
        return command_fail(
            i->device.command, EXIT_FAILED,
            "this home is registered at a relay with another key: check --server-key, "
            "or use another --home");
    if (!key_differs(me, wish) && strcmp(me->endpoints, wish->endpoints) == 0) return EXIT_OK;
    if (sealmq_relay_set(i->device.client, wish->endpoints, &wish->server) == SEALMQ_OK)
        return device_identity(&i->device);
    return command_fail(i->device.command, EXIT_FAILED, "%s", sealmq_error(i->device.client));
}

/* ---- registering ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct init *i = self;
    if (event->kind == SEALMQ_EVENT_REGISTERED) i->registered = true;
    if (event->kind == SEALMQ_EVENT_HANDLE_REFUSED) i->refused = event->status;
}

/* Another process on this home may have registered: the home is the truth. */
static bool is_done(void *self)
{
    struct init *i = self;
    if (i->refused != SEALMQ_OK) return true;
    if (sealmq_identity_get(i->device.client, &i->device.me) != SEALMQ_OK) return i->registered;
    return i->device.me.registered && i->device.me.handle_ours;
}

static int queued(struct init *i)
{
    struct sealmq_connection connection;
    progress_end(&i->device.progress);
    return command_fail(i->device.command, EXIT_QUEUED,
                        "the keys are made, but not registered yet (%s); then run the same init again",
                        device_hint(&i->device, &connection));
}

static int relay_register(struct init *i, long long timeout_s)
{
    const struct loop_watch watch = {i, on_event, is_done};
    int failed = device_connect(&i->device);
    if (failed) return failed;
    enum loop_end end = loop_run(&i->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_TIMEOUT) return queued(i);
    if (end != LOOP_DONE) return loop_fail(&i->device, end);
    loop_leave(&i->device, &watch, 1000);
    progress_end(&i->device.progress);
    if (i->refused == SEALMQ_OK) return EXIT_OK;
    return command_fail(i->device.command, EXIT_FAILED,
                        "the relay refuses this handle (%s: %s): run init with another --handle",
                        sealmq_status_name(i->refused), sealmq_status_meaning(i->refused));
}

/* ---- the result ---- */

static int result_json(const struct sealmq_identity *me, const char *account, const char *device)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "id", account, "state", "registered", "handle",
                               me->handle, "account", account, "device", device, "sealed", 1);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static int result_print(const struct init *i)
{
    const struct sealmq_identity *me = &i->device.me;
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], device[SEALMQ_DEVICE_TEXT_LEN + 1];
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    struct sealmq_recovery recovery = SEALMQ_INIT(struct sealmq_recovery);
    sealmq_account_text(me->account, account);
    sealmq_device_text(me->device, device);
    if (i->device.command->json) return result_json(me, account, device);
    printf("%s is registered\n  account  %s\n  device   %s\n", me->handle, account, device);
    if (sealmq_recovery_get(i->device.client, &recovery) != SEALMQ_OK || recovery.mode != SEALMQ_RECOVERY_NONE) return EXIT_OK;
    if (sealmq_prompt_get(SEALMQ_PROMPT_NO_RECOVERY, &prompt) == SEALMQ_OK &&
        printf("%s\nTo set one: recovery setup\n", prompt.text) > 0 && fflush(stdout) == 0)
        (void)sealmq_prompt_seen(i->device.client, prompt.id); /* else it is told again, by whoever opens next */
    return EXIT_OK;
}

static int init_home(struct init *i, const struct sealmq_create_options *wish, long long timeout_s)
{
    int failed = handle_adopt(i, wish);
    if (!failed) failed = relay_adopt(i, wish);
    if (failed) return failed;
    const struct sealmq_identity *me = &i->device.me;
    if (!me->registered || !me->handle_ours) failed = relay_register(i, timeout_s);
    return failed ? failed : result_print(i);
}

int init_run(struct command *c)
{
    struct init i = {.refused = SEALMQ_OK};
    struct sealmq_create_options wish;
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = wish_read(c, &wish);
    if (failed) return failed;
    failed = device_open(&i.device, c, false, 0);
    if (!failed) failed = init_home(&i, &wish, timeout_s);
    device_close(&i.device);
    return failed;
}
