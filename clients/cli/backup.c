/* backup: contacts, and messages where their user wants that, sealed under the recovery key's own key, at the relay. Saying what there is,
 * making one, taking one. */
#include "clients/cli/backup.h"
#include "clients/cli/secret.h"

#include <stdio.h>
#include <string.h>

struct backup_call {
    struct device device;
    struct sealmq_recovery now;
    struct sealmq_backup backup;
    struct secret key;
};

/* ---- waiting for it ---- */

struct waiting {
    struct device *device;
    struct sealmq_backup *out;
};

static bool is_over(void *self)
{
    struct waiting *w = self;
    *w->out = (struct sealmq_backup)SEALMQ_INIT(struct sealmq_backup);
    return sealmq_backup_get(w->device->client, w->out) != SEALMQ_OK || w->out->stage != SEALMQ_BACKUP_UNDER_WAY;
}

int backup_wait(struct device *d, uint64_t deadline_ms, struct sealmq_backup *out)
{
    struct waiting w = {d, out};
    struct sealmq_connection connection;
    const struct loop_watch watch = {&w, NULL, is_over};
    enum loop_end end = loop_run(d, &watch, deadline_ms);
    progress_end(&d->progress);
    if (end == LOOP_DONE) return EXIT_OK;
    if (end != LOOP_TIMEOUT) return loop_fail(d, end);
    return command_fail(d->command, EXIT_FAILED, "the backup is not done (%s): try again", device_hint(d, &connection));
}

void backup_fallback_tell(const struct sealmq_backup *b)
{
    if (b->fallback)
        fprintf(stderr, "warning: the newest backup does not open: another device of this account has put something else there, or the "
                        "relay has changed it; this is number %llu, from before\n", (unsigned long long)b->version);
}

const char *backup_why(const struct sealmq_backup *b)
{
    switch ((unsigned)b->status) {
    case SEALMQ_NOT_FOUND: return "the relay has no backup of this account";
    case SEALMQ_BAD_ENTRY:
    case SEALMQ_MALFORMED: return "the relay's backup does not open under this key: it was made under another one, or was changed";
    case SEALMQ_RELAY_BEHIND:
        return "the backup knows a longer history of this account's keys than the relay has shown, or another: do not trust the relay";
    case SEALMQ_TOO_LARGE: return "the relay has no room for a backup of this length";
    case SEALMQ_STATE: return "another device of this account is making a backup: try again later";
    case SEALMQ_STORE_READONLY: return "the relay's disk is nearly full: try again later";
    default: return sealmq_status_meaning(b->status);
    }
}

/* ---- the commands ---- */

static int facts_read(struct backup_call *b)
{
    enum sealmq_status s = sealmq_recovery_get(b->device.client, &b->now);
    return s == SEALMQ_OK ? EXIT_OK : device_fail(&b->device, s);
}

static int show(struct backup_call *b)
{
    char at[OUTPUT_TIME_LEN + 1];
    bool has_key = b->now.mode == SEALMQ_RECOVERY_BACKUP;
    output_time(b->now.backup_ms, at);
    if (b->device.command->json) {
        json_t *object = json_pack("{s:b, s:b}", "key", has_key, "history", b->now.backup_history);
        if (b->now.backup_ms) ENSURE(json_object_set_new(object, "made", json_string(at)) == 0);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    if (b->now.mode == SEALMQ_RECOVERY_NONE)
        printf("backup: none. This account has no recovery key, under which one would be sealed: recovery setup --backup\n");
    else if (b->now.backup_ms)
        printf("backup: the last one of this device was made %s\n", at);
    else
        printf("backup: none made by this device\n");
    if (b->now.mode != SEALMQ_RECOVERY_NONE)
        printf("%s\nA backup has the contacts: names, histories of their keys, who is verified. %s\n"
               "The relay keeps it and cannot open it.\n",
               has_key ? "This device keeps the key for backups: backup create" : "backup create --key-file FILE: with the recovery key",
               b->now.backup_history
                   ? "This device's have the messages of the last\n30 days, too, but for those that were sent with a time to live; others cannot be restored."
                   : "It has no message: those cannot be\nrestored. With --history backups have the messages of the last 30 days from then on.");
    return EXIT_OK;
}

static enum sealmq_backup_action action_of(const struct command *c, bool take)
{
    if (take) return SEALMQ_BACKUP_TAKE;
    if (command_option(c, "history")) return SEALMQ_BACKUP_MAKE_WITH_HISTORY;
    return command_option(c, "no-history") ? SEALMQ_BACKUP_MAKE_WITHOUT_HISTORY : SEALMQ_BACKUP_MAKE;
}

/* The key that is kept does, unless one is given. */
static int begin(struct backup_call *b, bool take)
{
    const struct command *c = b->device.command;
    const char *file = command_option(c, "key-file");
    bool ask = file || (take && b->now.mode != SEALMQ_RECOVERY_BACKUP);
    int failed = ask ? secret_read(c, file, "Type the recovery key: ", &b->key) : EXIT_OK;
    if (failed) return failed;
    if (ask && !secret_is_key(&b->key)) return command_fail(c, EXIT_FAILED, "nothing was done");
    enum sealmq_status s = sealmq_backup_begin(b->device.client, action_of(c, take), ask ? b->key.text : NULL);
    secret_wipe(&b->key, sizeof b->key);
    if (s == SEALMQ_OK) return EXIT_OK;
    if (s == SEALMQ_LOCKED || s == SEALMQ_IO || s == SEALMQ_DAMAGED) return device_fail(&b->device, s);
    return command_fail(c, EXIT_FAILED, "%s", sealmq_error(b->device.client));
}

static int result_print(const struct backup_call *b, bool take)
{
    char at[OUTPUT_TIME_LEN + 1];
    const struct sealmq_backup *backup = &b->backup;
    output_time(backup->made_ms, at);
    if (backup->older)
        fprintf(stderr, "warning: the relay has an older backup than this device has seen: it has lost one, or hides it\n");
    backup_fallback_tell(backup);
    if (b->device.command->json) {
        json_t *object = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:I}", "state", take ? "restored" : "made", "version",
                                   (json_int_t)backup->version, "made", at, "contacts", (json_int_t)backup->contacts, "named",
                                   (json_int_t)backup->named, "known", (json_int_t)backup->known, "left", (json_int_t)backup->left,
                                   "older", backup->older, "messages", (json_int_t)backup->messages, "messages_known",
                                   (json_int_t)backup->messages_known, "messages_left", (json_int_t)backup->messages_left);
        if (backup->fallback) ENSURE(json_object_set_new(object, "fallback", json_true()) == 0);
        return output_json(object) ? EXIT_OK : EXIT_FAILED;
    }
    printf("%s backup number %llu%s%s: %u contacts", take ? "Taken:" : "Made:", (unsigned long long)backup->version,
           take ? ", made " : "", take ? at : "", backup->contacts);
    if (take && backup->known) printf(", %u of them here already", backup->known);
    if (backup->named) printf(", %u of them by name only", backup->named);
    if (backup->messages) printf("; %u messages", backup->messages);
    if (take && backup->messages_known) printf(", %u of them here already", backup->messages_known);
    printf("\n");
    if (backup->left) printf("%u more have no room in it: a backup has 4 MiB\n", backup->left);
    if (backup->messages_left) printf("%u messages have no room in it, the oldest: a backup has 4 MiB\n", backup->messages_left);
    if (take) printf("A relay may give an older backup than the last one: look at its date.%s\n",
                     backup->messages ? " The messages are in history." : " It has no message: those cannot be restored.");
    return EXIT_OK;
}

static int run(struct backup_call *b, bool take, uint64_t deadline_ms)
{
    const struct loop_watch watch = {.self = NULL};
    int failed = begin(b, take);
    if (!failed) failed = device_connect(&b->device);
    b->device.waiting = take ? "taking the backup" : "making the backup";
    if (!failed) failed = backup_wait(&b->device, deadline_ms, &b->backup);
    if (failed) return failed;
    if (b->backup.stage != SEALMQ_BACKUP_DONE)
        return command_fail(b->device.command, EXIT_FAILED, "%s", backup_why(&b->backup));
    loop_leave(&b->device, &watch, 1000);
    return result_print(b, take);
}

int backup_run(struct command *c)
{
    static const char *const words[] = {"show", "create", "restore"};
    struct backup_call b = {.now = SEALMQ_INIT(struct sealmq_recovery), .backup = SEALMQ_INIT(struct sealmq_backup)};
    size_t action = 0;
    long long timeout_s;
    while (c->argument_count && action < 3 && strcmp(words[action], c->arguments[0]) != 0)
        action++;
    if (action == 3) return command_fail(c, EXIT_USAGE, "unknown action %.64s: see --help", c->arguments[0]);
    if (!command_number(c, "timeout", 0, 3600, 30, &timeout_s)) return EXIT_USAGE;
    if ((command_option(c, "history") || command_option(c, "no-history")) && action != 1)
        return command_fail(c, EXIT_USAGE, "--history and --no-history belong to backup create");
    if (command_option(c, "history") && command_option(c, "no-history"))
        return command_fail(c, EXIT_USAGE, "with messages, or without: not both");
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    int failed = device_open(&b.device, c, false, 0);
    if (!failed) failed = facts_read(&b);
    if (!failed) failed = action == 0 ? show(&b) : run(&b, action == 2, deadline_ms);
    device_close(&b.device);
    return failed;
}
