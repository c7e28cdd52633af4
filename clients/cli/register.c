/* register: registers what a home has made: the account, and its handle. Where the relay takes nobody without the product's
 * word, says so, and for which account that is needed. Safe to repeat: what the relay has already it is not asked for again. */
#include "clients/cli/register.h"

#include "clients/sealmq_recovery.h"

#include <stdio.h>
#include <string.h>

/* ---- what was given ---- */

int register_options(struct registering *r)
{
    const struct command *c = r->device.command;
    const char *keys = command_option(c, "product-key"), *token = command_option(c, "token");
    if (keys && strcmp(keys, "none") == 0) keys = "";
    enum sealmq_status s = keys ? sealmq_product_keys_set(r->device.client, keys) : SEALMQ_OK;
    if (s != SEALMQ_OK) return command_fail(c, EXIT_FAILED, "--product-key: %s", sealmq_error(r->device.client));
    s = token ? sealmq_token_set(r->device.client, token) : SEALMQ_OK;
    if (s != SEALMQ_OK) return command_fail(c, EXIT_FAILED, "--token: %s", sealmq_error(r->device.client));
    return token ? device_identity(&r->device) : EXIT_OK;
}

/* ---- registering ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct registering *r = self;
    if (event->kind == SEALMQ_EVENT_REGISTERED) r->registered = true;
    if (event->kind == SEALMQ_EVENT_HANDLE_REFUSED) r->refused = event->status;
    if (event->kind == SEALMQ_EVENT_STOPPED) r->stopped = event->status;
}

/* Another process on this home may have registered: the home is the truth. */
static bool is_done(void *self)
{
    struct registering *r = self;
    if (r->refused != SEALMQ_OK) return true;
    if (sealmq_identity_get(r->device.client, &r->device.me) != SEALMQ_OK) return r->registered;
    return r->device.me.registered && (r->device.me.handle_ours || !r->device.me.handle[0]);
}

static int queued(struct registering *r)
{
    struct sealmq_connection connection;
    progress_end(&r->device.progress);
    return command_fail(r->device.command, EXIT_QUEUED,
                        "the keys are made, but not registered yet (%s); then run the same init again",
                        device_hint(&r->device, &connection));
}

static int token_wanted(struct registering *r)
{
    const struct sealmq_identity *me = &r->device.me;
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    sealmq_account_text(me->account, account);
    progress_end(&r->device.progress);
    return command_fail(r->device.command, EXIT_FAILED,
                        "the relay wants a token of its product for account %s and handle %s (token_refused): get one there, "
                        "then: register --token TEXT", account, me->handle);
}

static int relay_register(struct registering *r, long long timeout_s)
{
    const struct loop_watch watch = {r, on_event, is_done};
    int failed = device_connect(&r->device);
    if (failed) return failed;
    enum loop_end end = loop_run(&r->device, &watch, loop_deadline_ms(timeout_s));
    if (end == LOOP_TIMEOUT) return queued(r);
    if (end == LOOP_STOPPED && r->stopped == SEALMQ_TOKEN_REFUSED) return token_wanted(r);
    if (end != LOOP_DONE) return loop_fail(&r->device, end);
    loop_leave(&r->device, &watch, 1000);
    progress_end(&r->device.progress);
    if (r->refused == SEALMQ_OK) return EXIT_OK;
    if (r->refused == SEALMQ_TOKEN_REFUSED) return token_wanted(r);
    return command_fail(r->device.command, EXIT_FAILED,
                        "the relay refuses this handle (%s: %s): run init with another --handle",
                        sealmq_status_name(r->refused), sealmq_status_meaning(r->refused));
}

/* ---- the result ---- */

static int result_json(const struct sealmq_identity *me, const char *account, const char *device, bool recovery)
{
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b}", "id", account, "state", "registered", "handle",
                               me->handle, "account", account, "device", device, "sealed", 1, "recovery", recovery);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static int result_print(const struct registering *r)
{
    const struct sealmq_identity *me = &r->device.me;
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], device[SEALMQ_DEVICE_TEXT_LEN + 1];
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    struct sealmq_recovery recovery = SEALMQ_INIT(struct sealmq_recovery);
    sealmq_account_text(me->account, account);
    sealmq_device_text(me->device, device);
    bool known = sealmq_recovery_get(r->device.client, &recovery) == SEALMQ_OK;
    bool set = known && recovery.mode != SEALMQ_RECOVERY_NONE;
    if (r->device.command->json) return result_json(me, account, device, set);
    printf("%s is registered\n  account  %s\n  device   %s\n", me->handle, account, device);
    if (!known || set) return EXIT_OK;
    if (sealmq_prompt_get(SEALMQ_PROMPT_NO_RECOVERY, &prompt) == SEALMQ_OK &&
        printf("%s\nTo set one: recovery setup\n", prompt.text) > 0 && fflush(stdout) == 0)
        (void)sealmq_prompt_seen(r->device.client, prompt.id); /* else it is told again, by whoever opens next */
    return EXIT_OK;
}

int register_finish(struct registering *r, long long timeout_s)
{
    int failed = is_done(r) ? EXIT_OK : relay_register(r, timeout_s);
    return failed ? failed : result_print(r);
}

int register_run(struct command *c)
{
    struct registering r = {.refused = SEALMQ_OK};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    int failed = device_open(&r.device, c, false, 0);
    if (!failed) failed = register_options(&r);
    if (!failed) failed = register_finish(&r, timeout_s);
    device_close(&r.device);
    return failed;
}
