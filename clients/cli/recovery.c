/* recovery: what is left when all devices are lost: saying it, setting the key that does it, and, in restore.c, using it. A
 * key is shown once, before anything of it is kept, so that nobody ever has an account whose key nobody has seen; it
 * counts when the relay has it. Invariant: the key is in no file of ours, and in no line but the one that shows it. */
#include "clients/cli/backup.h"
#include "clients/cli/loop.h"
#include "clients/cli/restore.h"
#include "clients/cli/secret.h"
#include "clients/sealmq_recovery.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TYPED_MAX 3 /* times that a key may be typed wrongly */

struct recovery_call {
    struct device device;
    struct sealmq_recovery now;
    bool setting, ended;   /* the change is under way, and over, so: */
    enum sealmq_status status;
    enum sealmq_obstacle obstacle;
    struct secret made, old;
};

/* ---- asking the relay ---- */

static void on_event(void *self, const struct sealmq_event *event)
{
    struct recovery_call *r = self;
    if (event->kind != SEALMQ_EVENT_IDENTITY || !r->setting) return;
    if (event->operation && event->operation != SEALMQ_OPERATION_SET_RECOVERY) return;
    r->ended = true;
    r->status = event->status;
    r->obstacle = event->obstacle;
}

static bool is_fresh(void *self)
{
    return loop_is_fresh(&((struct recovery_call *)self)->device);
}

static bool has_ended(void *self)
{
    return ((struct recovery_call *)self)->ended;
}

static int facts_read(struct recovery_call *r)
{
    enum sealmq_status s = sealmq_recovery_get(r->device.client, &r->now);
    return s == SEALMQ_OK ? EXIT_OK : device_fail(&r->device, s);
}

/* Another device may have set a key. */
static int refresh(struct recovery_call *r, uint64_t deadline_ms)
{
    const struct loop_watch watch = {r, on_event, is_fresh};
    int failed = device_connect(&r->device);
    if (failed) return failed;
    r->device.waiting = "asking the relay";
    enum loop_end end = loop_run(&r->device, &watch, deadline_ms);
    progress_end(&r->device.progress);
    if (end == LOOP_FAILED || end == LOOP_SIGNAL) return loop_fail(&r->device, end);
    return facts_read(r);
}

/* ---- saying what is so ---- */

static const char *mode_name(const struct sealmq_recovery *now)
{
    static const char *const names[] = {"none", "account-only", "backup"};
    return (size_t)now->mode < sizeof names / sizeof names[0] ? names[now->mode] : "?";
}

static int status_json(const struct recovery_call *r, const char *state)
{
    char set[OUTPUT_TIME_LEN + 1], used[OUTPUT_TIME_LEN + 1];
    output_time(r->now.set_ms, set);
    output_time(r->now.used_ms, used);
    json_t *object = json_pack("{s:s, s:b, s:b, s:I, s:b}", "mode", mode_name(&r->now), "ours", r->now.ours, "confirmed",
                               r->now.confirmed, "uses", (json_int_t)r->now.uses, "fresh", r->device.fresh);
    ENSURE(object != NULL);
    if (state) ENSURE(json_object_set_new(object, "state", json_string(state)) == 0);
    if (r->now.set_ms) ENSURE(json_object_set_new(object, "set", json_string(set)) == 0);
    if (r->now.used_ms) ENSURE(json_object_set_new(object, "used", json_string(used)) == 0);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static void status_print(const struct recovery_call *r)
{
    char at[OUTPUT_TIME_LEN + 1];
    printf("recovery: %s\n", mode_name(&r->now));
    if (r->now.mode == SEALMQ_RECOVERY_NONE) {
        printf("If all devices are lost the account is lost: nobody can restore it, nor any message.\n"
               "To change that: recovery setup\n");
        return;
    }
    output_time(r->now.set_ms, at);
    printf("  key set %s%s\n", at, r->now.confirmed ? "" : r->now.ours ? ", not confirmed: recovery confirm"
                                                                       : ", on another device");
    if (r->now.used_ms) {
        output_time(r->now.used_ms, at);
        if (r->now.uses == 1)
            printf("  used once, %s\n", at);
        else
            printf("  used %llu times, last %s\n", (unsigned long long)r->now.uses, at);
    }
    printf("With the key and nothing else a new device comes into the account: recovery restore\n"
           "It brings back the account and its name%s. It does not bring back %s, and contacts\n"
           "who have verified you must compare again. Whoever has the key can do it. Without it no other key can be set.\n",
           r->now.backup_history                         ? ", and the contacts and messages that are in its backup"
           : r->now.mode == SEALMQ_RECOVERY_BACKUP ? ", and the contacts that are in its backup" : "",
           r->now.backup_history                         ? "other messages"
           : r->now.mode == SEALMQ_RECOVERY_BACKUP ? "messages" : "messages or the list of contacts");
}

static int status_tell(struct recovery_call *r)
{
    struct sealmq_connection connection;
    if (r->device.command->json) return status_json(r, NULL);
    status_print(r);
    if (!r->device.fresh) fprintf(stderr, "as last known here: %s\n", device_hint(&r->device, &connection));
    return EXIT_OK;
}

/* ---- setting a key ---- */

static int unreached(struct recovery_call *r)
{
    struct sealmq_connection connection;
    return command_fail(r->device.command, EXIT_FAILED, "nothing was set: the relay must be reached for it (%s)",
                        device_hint(&r->device, &connection));
}

/* Where there is a key only that sets another. */
static int old_read(struct recovery_call *r)
{
    const struct command *c = r->device.command;
    const char *file = command_option(c, "key-file");
    if (r->now.mode == SEALMQ_RECOVERY_NONE) return EXIT_OK;
    if (!file && c->json)
        return command_fail(c, EXIT_USAGE, "this account has a recovery key: --key-file must name a file that has it");
    int failed = secret_read(c, file, "This account has a recovery key, which sets the new one. Type it: ", &r->old);
    if (failed) return failed;
    return secret_is_key(&r->old) ? EXIT_OK : command_fail(c, EXIT_FAILED, "nothing was set");
}

static int key_show(struct recovery_call *r)
{
    if (sealmq_recovery_key_make(r->made.text) != SEALMQ_OK)
        return command_fail(r->device.command, EXIT_FAILED, "the operating system gives no random numbers: cannot work");
    if (r->device.command->json) /* not by a library that would keep a copy */
        printf("{\"recovery_key\":\"%s\",\"state\":\"made\"}\n", r->made.text);
    else
        printf("The recovery key of this account:\n\n    %s\n\n"
               "Write it down, on paper, and keep it where others do not look. It is shown this once, and kept nowhere else.\n",
               r->made.text);
    return fflush(stdout) == 0 ? EXIT_OK : command_fail(r->device.command, EXIT_FAILED, "nothing was set: the key cannot be shown");
}

/* *typed: its user has shown to have it. */
static int key_ask(struct recovery_call *r, bool *typed)
{
    struct secret answer;
    const struct command *c = r->device.command;
    int failed = EXIT_OK;
    *typed = false;
    for (int i = 0; i < TYPED_MAX && !*typed && !failed && !command_option(c, "yes"); i++) {
        failed = secret_read(c, NULL, "Type it, from the paper: ", &answer);
        if (failed || !secret_is_key(&answer)) continue;
        *typed = secret_same_key(answer.text, r->made.text);
        if (!*typed) fprintf(stderr, "This is another key.\n");
    }
    secret_wipe(&answer, sizeof answer);
    if (failed || *typed || command_option(c, "yes")) return failed;
    return command_fail(c, EXIT_FAILED, "nothing was set: the key shown above is worth nothing");
}

static int set_begin(struct recovery_call *r)
{
    struct sealmq_recovery_options options = SEALMQ_INIT(struct sealmq_recovery_options);
    options.key = r->made.text;
    options.backup = command_option(r->device.command, "backup") != NULL;
    options.old_key = r->now.mode == SEALMQ_RECOVERY_NONE ? NULL : r->old.text;
    enum sealmq_status s = sealmq_recovery_set(r->device.client, &options, &r->obstacle);
    r->setting = true;
    if (s == SEALMQ_OK) return EXIT_OK;
    if (s == SEALMQ_LOCKED || s == SEALMQ_IO || s == SEALMQ_DAMAGED) return device_fail(&r->device, s);
    return command_fail(r->device.command, EXIT_FAILED, "nothing was set, and the key shown above is worth nothing: %s",
                        sealmq_error(r->device.client));
}

static int set_publish(struct recovery_call *r, uint64_t deadline_ms)
{
    struct sealmq_connection connection;
    const struct command *c = r->device.command;
    const struct loop_watch watch = {r, on_event, has_ended};
    r->device.waiting = "waiting for the relay to take the key";
    enum loop_end end = loop_run(&r->device, &watch, deadline_ms);
    progress_end(&r->device.progress);
    if (end == LOOP_TIMEOUT)
        return command_fail(c, EXIT_QUEUED, "the key is not in force yet (%s); any later command goes on with it: keep it, "
                            "and look with recovery", device_hint(&r->device, &connection));
    if (end != LOOP_DONE) return loop_fail(&r->device, end);
    r->device.unmade.kind = SEALMQ_EVENT_NONE; /* it is this one */
    if (r->status == SEALMQ_OK) return EXIT_OK;
    return command_fail(c, EXIT_FAILED, "nothing was set, and the key shown above is worth nothing (%s: %s): try again",
                        sealmq_status_name(r->status),
                        r->obstacle != SEALMQ_OBSTACLE_NONE ? sealmq_obstacle_meaning(r->obstacle)
                                                            : sealmq_status_meaning(r->status));
}

/* The key is set whatever becomes of this. */
static void backup_first(struct recovery_call *r)
{
    struct sealmq_backup backup = SEALMQ_INIT(struct sealmq_backup);
    if (sealmq_backup_begin(r->device.client, SEALMQ_BACKUP_MAKE, NULL) != SEALMQ_OK) return;
    if (backup_wait(&r->device, loop_deadline_ms(10), &backup) == EXIT_OK && backup.stage != SEALMQ_BACKUP_DONE)
        fprintf(stderr, "warning: no backup was made: %s\n", backup_why(&backup));
}

static int setup_do(struct recovery_call *r, uint64_t deadline_ms)
{
    const struct loop_watch watch = {r, on_event, has_ended};
    bool typed = false;
    int failed = r->device.fresh ? old_read(r) : unreached(r);
    if (!failed) failed = key_show(r);
    if (!failed) failed = key_ask(r, &typed);
    if (!failed) failed = set_begin(r);
    if (!failed && typed && sealmq_recovery_confirm(r->device.client, r->made.text) != SEALMQ_OK)
        fprintf(stderr, "warning: that you have the key was not noted: recovery confirm does it later\n");
    if (!failed) failed = set_publish(r, typed ? loop_deadline_ms(10) : deadline_ms);
    if (!failed && command_option(r->device.command, "backup")) backup_first(r);
    if (!failed) failed = facts_read(r);
    if (failed) return failed;
    loop_leave(&r->device, &watch, 1000);
    if (r->device.command->json) return status_json(r, "set");
    printf("The key is set.%s\n", typed ? "" : " Show that you have it, while it is at hand: recovery confirm");
    status_print(r);
    return EXIT_OK;
}

/* ---- showing to have it ---- */

static int confirm_do(struct recovery_call *r)
{
    const struct command *c = r->device.command;
    struct secret key;
    int failed = secret_read(c, command_option(c, "key-file"), "Type the recovery key, from the paper: ", &key);
    if (failed) return failed;
    enum sealmq_status s = secret_is_key(&key) ? sealmq_recovery_confirm(r->device.client, key.text) : SEALMQ_MALFORMED;
    secret_wipe(&key, sizeof key);
    if (s == SEALMQ_MALFORMED) return command_fail(c, EXIT_FAILED, "nothing was confirmed");
    if (s == SEALMQ_NOT_FOUND) return command_fail(c, EXIT_FAILED, "%s", sealmq_error(r->device.client));
    if (s != SEALMQ_OK) return device_fail(&r->device, s);
    failed = facts_read(r);
    if (failed) return failed;
    if (c->json) return status_json(r, "confirmed");
    printf("This is the recovery key of this account.\n");
    return EXIT_OK;
}

/* ---- the command ---- */

static const struct action {
    const char *word;
    long long timeout_s;
    bool asks; /* the relay, first */
} ACTIONS[] = {{"show", 2, true}, {"setup", 10, true}, {"confirm", 0, false}, {"restore", 30, false}};
enum { SHOW, SETUP, CONFIRM, RESTORE, ACTION_COUNT };

static int action_of(const struct command *c)
{
    int i = 0;
    while (c->argument_count && i < ACTION_COUNT && strcmp(ACTIONS[i].word, c->arguments[0]) != 0)
        i++;
    return i;
}

static int call_check(const struct command *c, int action)
{
    static const char *const of_restore[] = {"relay", "server-key", "handle", "account", "revoke-others"};
    if (action == ACTION_COUNT) return command_fail(c, EXIT_USAGE, "unknown action %.64s: see --help", c->arguments[0]);
    if (action != SETUP && command_option(c, "backup")) return command_fail(c, EXIT_USAGE, "--backup is for recovery setup");
    for (size_t i = 0; i < sizeof of_restore / sizeof of_restore[0]; i++)
        if (action != RESTORE && command_option(c, of_restore[i]))
            return command_fail(c, EXIT_USAGE, "--%s is for recovery restore", of_restore[i]);
    if (action == SETUP && !command_option(c, "yes") && (c->json || !isatty(STDIN_FILENO)))
        return command_fail(c, EXIT_USAGE, "nobody is here to type the key again: add --yes");
    return EXIT_OK;
}

int recovery_run(struct command *c)
{
    struct recovery_call r = {.now = SEALMQ_INIT(struct sealmq_recovery)};
    int action = action_of(c), failed = call_check(c, action);
    long long timeout_s;
    if (failed || !command_number(c, "timeout", 0, 3600, ACTIONS[action].timeout_s, &timeout_s))
        return failed ? failed : EXIT_USAGE;
    if (action == RESTORE) return restore_run(c, timeout_s);
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    failed = device_open(&r.device, c, false, 0);
    if (!failed && ACTIONS[action].asks) failed = refresh(&r, deadline_ms);
    if (!failed && action == SHOW) failed = status_tell(&r);
    if (!failed && action == SETUP) failed = setup_do(&r, deadline_ms);
    if (!failed && action == CONFIRM) failed = confirm_do(&r);
    secret_wipe(&r.made, sizeof r.made);
    secret_wipe(&r.old, sizeof r.old);
    device_close(&r.device);
    return failed;
}
