/* restore: an account comes into an empty home with its recovery key. Two parts, each of which goes on where it was broken
 * off: the home is made with the account in it, and then its device is made known to the relay, as init does it. */
#include "clients/cli/restore.h"

#include "broker/host/host.h"
#include "clients/cli/backup.h"
#include "clients/cli/loop.h"
#include "clients/cli/secret.h"
#include "clients/sealmq_recovery.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TURN_MAX_MS 500

struct restore_call {
    const struct command *command;
    struct sealmq_restore_options options;
    struct secret key;
    uint64_t deadline_ms;
    struct device device;
    bool registered;
    enum sealmq_status stopped; /* OK, or the relay's word */
    struct sealmq_backup backup;
};

/* ---- what was asked ---- */

static int options_read(struct restore_call *r)
{
    const struct command *c = r->command;
    struct sealmq_restore_options *o = &r->options;
    char error[SEALMQ_ERROR_MAX];
    const char *account = command_option(c, "account");
    *o = (struct sealmq_restore_options)SEALMQ_INIT(struct sealmq_restore_options);
    o->home = command_option(c, "home");
    o->passphrase_file = command_option(c, "passphrase-file");
    o->endpoints = command_option(c, "relay");
    o->handle = command_option(c, "handle");
    o->revoke_others = command_option(c, "revoke-others") != NULL;
    if (!o->endpoints || !command_option(c, "server-key"))
        return command_fail(c, EXIT_USAGE, "--relay and --server-key say where the account is");
    if ((o->handle != NULL) == (account != NULL))
        return command_fail(c, EXIT_USAGE, "name the account by --handle or by --account");
    if (account && sealmq_account_parse(account, &o->account) != SEALMQ_OK)
        return command_fail(c, EXIT_USAGE, "--account is not an account's id");
    if (sealmq_server_key_load(command_option(c, "server-key"), &o->server, error, sizeof error) != SEALMQ_OK)
        return command_fail(c, EXIT_FAILED, "%s", error);
    return EXIT_OK;
}

static int key_read(struct restore_call *r)
{
    const struct command *c = r->command;
    int failed = secret_read(c, command_option(c, "key-file"), "Type the recovery key: ", &r->key);
    if (failed) return failed;
    r->options.key = r->key.text;
    return secret_is_key(&r->key) ? EXIT_OK : command_fail(c, EXIT_FAILED, "nothing was restored");
}

/* ---- the home ---- */

/* false: a signal has come. */
static bool wait(struct sealmq_restore *restore, int signal_fd, uint64_t deadline_ms)
{
    struct pollfd fds[] = {{.fd = sealmq_restore_fd(restore), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
    uint64_t now_ms = loop_now_ms(), left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    int wait_ms = sealmq_restore_deadline_ms(restore);
    if (wait_ms < 0 || wait_ms > TURN_MAX_MS) wait_ms = TURN_MAX_MS;
    if (left_ms < (uint64_t)wait_ms) wait_ms = (int)left_ms;
    return !(poll(fds, 2, wait_ms) > 0 && fds[1].revents != 0 && host_signal_take(signal_fd) != 0);
}

static int home_end(const struct restore_call *r, struct sealmq_restore *restore, enum sealmq_status s, bool signalled)
{
    const struct command *c = r->command;
    if (s == SEALMQ_OK) return EXIT_OK;
    if (signalled) return command_fail(c, EXIT_FAILED, "stopped by a signal: nothing was restored");
    if (s == SEALMQ_BUSY)
        return command_fail(c, EXIT_FAILED, "nothing was restored yet (%s, or too many wrong keys were tried for this account: "
                            "wait a minute); then run the same again", sealmq_restore_hint(restore));
    return command_fail(c, EXIT_FAILED, "%s%s", sealmq_restore_error(restore),
                        s == SEALMQ_TOO_LARGE ? " (--revoke-others revokes them)" : "");
}

static int home_make(struct restore_call *r)
{
    char error[SEALMQ_ERROR_MAX] = "";
    struct sealmq_restore *restore;
    enum sealmq_status s = sealmq_restore_start(&r->options, &restore, error, sizeof error);
    if (s != SEALMQ_OK) return command_fail(r->command, EXIT_FAILED, "%s", error);
    int signal_fd = host_signal_fd();
    struct progress progress = {0};
    bool goes_on = true;
    while ((s = sealmq_restore_process(restore)) == SEALMQ_BUSY && goes_on && loop_now_ms() < r->deadline_ms) {
        if (!r->command->json) progress_tell(&progress, loop_now_ms(), "asking the relay for the account");
        goes_on = wait(restore, signal_fd, r->deadline_ms);
    }
    progress_end(&progress);
    int failed = home_end(r, restore, s, !goes_on);
    sealmq_restore_close(&restore);
    if (signal_fd >= 0) close(signal_fd);
    return failed;
}

/* ---- its device ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct restore_call *r = self;
    if (event->kind == SEALMQ_EVENT_CONNECTED) r->registered = true;
    if (event->kind == SEALMQ_EVENT_STOPPED) r->stopped = event->status;
}

static bool is_done(void *self)
{
    struct restore_call *r = self;
    return r->registered || r->stopped != SEALMQ_OK;
}

/* The account is back whatever becomes of this. */
static void backup_take(struct restore_call *r)
{
    r->backup = (struct sealmq_backup)SEALMQ_INIT(struct sealmq_backup);
    if (sealmq_backup_begin(r->device.client, SEALMQ_BACKUP_TAKE, r->key.text) != SEALMQ_OK) return;
    if (backup_wait(&r->device, r->deadline_ms, &r->backup) != EXIT_OK) return;
    if (r->backup.stage == SEALMQ_BACKUP_DONE) backup_fallback_tell(&r->backup);
    if (r->backup.stage == SEALMQ_BACKUP_DONE) return;
    if (r->backup.status != SEALMQ_NOT_FOUND)
        fprintf(stderr, "warning: no contacts were restored: %s\n", backup_why(&r->backup));
}

static int device_register(struct restore_call *r)
{
    const struct loop_watch watch = {r, on_event, is_done};
    struct sealmq_connection connection;
    int failed = device_connect(&r->device);
    if (failed) return failed;
    r->device.waiting = "waiting for the relay to take the new device";
    enum loop_end end = loop_run(&r->device, &watch, r->deadline_ms);
    progress_end(&r->device.progress);
    if (end == LOOP_TIMEOUT)
        return command_fail(r->command, EXIT_QUEUED, "the account is in this home, and its new device is not known to the "
                            "relay yet (%s): any later command goes on with it", device_hint(&r->device, &connection));
    if (r->stopped == SEALMQ_STALE_HEAD)
        return command_fail(r->command, EXIT_FAILED, "the account has changed meanwhile: run the same again");
    if (end != LOOP_DONE) return loop_fail(&r->device, end);
    if (r->stopped != SEALMQ_OK) return command_fail(r->command, EXIT_FAILED, "%s", sealmq_error(r->device.client));
    backup_take(r);
    loop_leave(&r->device, &watch, 1000);
    return device_identity(&r->device);
}

/* ---- the result ---- */

static size_t others_count(const struct restore_call *r)
{
    size_t n = 0;
    for (size_t i = 0; i < SEALMQ_DEVICES_MAX; i++) {
        struct sealmq_device_row row = SEALMQ_INIT(struct sealmq_device_row);
        if (sealmq_device_get(r->device.client, NULL, i, &row) != SEALMQ_OK) break;
        n += !row.own && row.standing != SEALMQ_STANDING_REVOKED;
    }
    return n;
}

static int result_print(const struct restore_call *r)
{
    const struct sealmq_identity *me = &r->device.me;
    char made[OUTPUT_TIME_LEN + 1], account[SEALMQ_ACCOUNT_TEXT_LEN + 1], device[SEALMQ_DEVICE_TEXT_LEN + 1];
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    size_t others = others_count(r);
    sealmq_account_text(me->account, account);
    sealmq_device_text(me->device, device);
    if (r->command->json) {
        json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:I, s:I}", "state", "restored", "handle", me->handle, "account",
                                   account, "device", device, "other_devices", (json_int_t)others, "backup",
                                   r->backup.stage == SEALMQ_BACKUP_DONE, "contacts", (json_int_t)r->backup.contacts, "messages",
                                   (json_int_t)r->backup.messages);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("The account is back\n");
    if (me->handle[0]) printf("  handle   %s\n", me->handle);
    printf("  account  %s\n  device   %s (this one)\n", account, device);
    output_time(r->backup.made_ms, made);
    if (r->backup.stage == SEALMQ_BACKUP_DONE)
        printf("Its contacts are those of the backup of %s: %u. A relay may give an older one than the last: look at its date.\n",
               made, r->backup.contacts);
    if (r->backup.messages) printf("%u messages came with it: history\n", r->backup.messages);
    if (r->backup.stage != SEALMQ_BACKUP_DONE)
        printf("There is no backup of it: its contacts are not here.\n");
    if (others)
        printf("It has %zu other device%s, which can still read what is sent to it: devices lists them, and devices revoke\n"
               "ends one that is lost. What was lost to somebody else is to be revoked now.\n", others, others > 1 ? "s" : "");
    if (sealmq_prompt_get(SEALMQ_PROMPT_OLD_MESSAGES, &prompt) == SEALMQ_OK && printf("%s\n", prompt.text) > 0 &&
        fflush(stdout) == 0)
        (void)sealmq_prompt_seen(r->device.client, prompt.id);
    return EXIT_OK;
}

int restore_run(struct command *c, long long timeout_s)
{
    struct restore_call r = {.command = c, .deadline_ms = loop_deadline_ms(timeout_s)};
    int failed = options_read(&r);
    if (!failed) failed = key_read(&r);
    if (!failed) failed = home_make(&r);
    if (failed) secret_wipe(&r.key, sizeof r.key);
    if (failed) return failed;
    failed = device_open(&r.device, c, false, 0);
    if (!failed) failed = device_register(&r);
    secret_wipe(&r.key, sizeof r.key);
    if (!failed) failed = result_print(&r);
    device_close(&r.device);
    return failed;
}
