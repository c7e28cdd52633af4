/* verify: comparing with a contact over a way that is not the relay, and the user's word about it. The relay is asked
 * only for what is not here: who somebody is, and the newer keys that a scanned text tells of; what was held until the two have
 * compared is sent. Shows a number for
 * people and a text for a scanner; --scan takes what the contact's device shows.
 * Invariant: nobody is verified but by a scan that matches or by --yes. */
#include "clients/cli/loop.h"
#include "clients/cli/qr.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCAN_EVERY_MS 500u /* what the text tells of is looked up between two of them */

struct verify {
    struct device device;
    struct sealmq_contact contact;
    const char *name;
    const char *scan; /* NULL: nothing was scanned */
    enum sealmq_verdict verdict;
    enum sealmq_status status; /* of the last scan */
    uint64_t scan_ms;
    long long timeout_s;
    size_t freed, unsent; /* messages to the contact that were held until now; of them, what the relay has not accepted yet */
};

static int contact_fail(struct verify *v, enum sealmq_status s)
{
    if (s == SEALMQ_NOT_FOUND)
        return command_fail(v->device.command, EXIT_FAILED, "there is no account of the name %s: check the name", v->name);
    if (s == SEALMQ_STATE || s == SEALMQ_MALFORMED || s == SEALMQ_UNSUPPORTED)
        return command_fail(v->device.command, EXIT_FAILED, "%s", sealmq_error(v->device.client));
    return device_fail(&v->device, s);
}

/* By its handle, or by its account id as recv shows it. */
static enum sealmq_status contact_read(struct verify *v)
{
    struct sealmq_account account;
    enum sealmq_status s = sealmq_contact_account(v->device.client, v->name, &account);
    if (s == SEALMQ_NOT_FOUND && sealmq_account_parse(v->name, &account) == SEALMQ_OK) s = SEALMQ_OK;
    return s == SEALMQ_OK ? sealmq_contact_get(v->device.client, account, &v->contact) : s;
}

static int connect_once(struct verify *v)
{
    return v->device.connected ? EXIT_OK : device_connect(&v->device);
}

static bool is_known(void *self)
{
    struct verify *v = self;
    v->status = contact_read(v);
    return v->status != SEALMQ_NOT_FOUND;
}

static int unknown(struct verify *v)
{
    struct sealmq_connection connection;
    progress_end(&v->device.progress);
    return command_fail(v->device.command, EXIT_QUEUED, "nothing is held of %s here, and the relay has not told it (%s)",
                        v->name, device_hint(&v->device, &connection));
}

/* One of whom nothing is held yet: the relay is asked, as it would be for a first message. */
static int contact_ask(struct verify *v, long long timeout_s)
{
    const struct loop_watch watch = {v, NULL, is_known};
    struct sealmq_account account;
    uint64_t deadline_ms = loop_deadline_ms(timeout_s);
    uint32_t wait_ms = timeout_s > 0 ? (uint32_t)timeout_s * 1000 : 1;
    int failed = connect_once(v);
    if (failed) return failed;
    v->device.waiting = "asking the relay who that is";
    enum sealmq_status s = loop_lookup(&v->device, &watch, v->name, wait_ms, &account);
    if (s == SEALMQ_NOT_FOUND) return contact_fail(v, s);
    if (s != SEALMQ_OK && s != SEALMQ_TIMEOUT && s != SEALMQ_GONE) return unknown(v);
    enum loop_end end = loop_run(&v->device, &watch, deadline_ms);
    if (end == LOOP_TIMEOUT) return unknown(v);
    if (end != LOOP_DONE) return loop_fail(&v->device, end);
    progress_end(&v->device.progress);
    return v->status == SEALMQ_OK ? EXIT_OK : contact_fail(v, v->status);
}

static int contact_find(struct verify *v, long long timeout_s)
{
    enum sealmq_status s = contact_read(v);
    if (s == SEALMQ_OK) return EXIT_OK;
    return s == SEALMQ_NOT_FOUND ? contact_ask(v, timeout_s) : contact_fail(v, s);
}

static int contact_again(struct verify *v)
{
    enum sealmq_status s = sealmq_contact_get(v->device.client, v->contact.account, &v->contact);
    return s == SEALMQ_OK ? EXIT_OK : contact_fail(v, s);
}

/* ---- the mark, and what waited for it ---- */

/* Messages to the contact: those that are held, or those that are to be accepted. */
static size_t messages_count(struct verify *v, bool held)
{
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message);
    size_t count = 0;
    for (uint64_t after = 0; sealmq_outbox_next(v->device.client, SEALMQ_STAGE_ANY, after, &m) == SEALMQ_OK; after = m.order) {
        bool is = held ? m.state == SEALMQ_MESSAGE_HELD : m.stage == SEALMQ_STAGE_SENDING;
        count += is && memcmp(&m.account, &v->contact.account, sizeof m.account) == 0;
    }
    return count;
}

static bool are_accepted(void *self)
{
    return messages_count(self, false) == 0;
}

static int freed_send(struct verify *v)
{
    const struct loop_watch watch = {v, NULL, are_accepted};
    int failed = connect_once(v);
    if (failed) return failed;
    v->device.waiting = "waiting for the relay to accept what was held";
    enum loop_end end = loop_run(&v->device, &watch, loop_deadline_ms(v->timeout_s));
    progress_end(&v->device.progress);
    v->unsent = messages_count(v, false);
    return end == LOOP_DONE || end == LOOP_TIMEOUT ? EXIT_OK : loop_fail(&v->device, end);
}

static int mark(struct verify *v, bool verified)
{
    size_t held = messages_count(v, true);
    enum sealmq_status s = sealmq_verify_set(v->device.client, v->contact.account, verified);
    if (s != SEALMQ_OK) return contact_fail(v, s);
    size_t left = messages_count(v, true);
    v->freed = held > left ? held - left : 0;
    return v->freed ? freed_send(v) : EXIT_OK;
}

static void freed_print(const struct verify *v)
{
    if (!v->freed || v->unsent) return;
    if (v->freed == 1)
        printf("the message that was held for this is sent\n");
    else
        printf("the %zu messages that were held for this are sent\n", v->freed);
}

static int unsent_tell(struct verify *v)
{
    struct sealmq_connection connection;
    if (!v->unsent) return EXIT_OK;
    return command_fail(v->device.command, EXIT_QUEUED,
                        "what was held for this is kept, not accepted yet (%s); outbox --flush tries again",
                        device_hint(&v->device, &connection));
}

/* ---- what the other side shows ---- */

static void scan_once(struct verify *v)
{
    v->scan_ms = loop_now_ms();
    v->status = sealmq_verify_scan(v->device.client, v->contact.account, v->scan, &v->verdict);
}

static bool is_decided(void *self)
{
    struct verify *v = self;
    if (loop_now_ms() - v->scan_ms >= SCAN_EVERY_MS) scan_once(v);
    return v->status != SEALMQ_OK || v->verdict != SEALMQ_VERDICT_NEWER;
}

/* The text tells of newer keys than are held here: the relay is asked for them. */
static int newer_wait(struct verify *v, long long timeout_s)
{
    const struct loop_watch watch = {v, NULL, is_decided};
    int failed = connect_once(v);
    if (failed) return failed;
    v->device.waiting = "asking the relay for newer keys";
    enum loop_end end = loop_run(&v->device, &watch, loop_deadline_ms(timeout_s));
    progress_end(&v->device.progress);
    return end == LOOP_DONE || end == LOOP_TIMEOUT ? EXIT_OK : loop_fail(&v->device, end);
}

static int scan(struct verify *v, long long timeout_s)
{
    scan_once(v);
    int failed = EXIT_OK;
    if (v->status == SEALMQ_OK && v->verdict == SEALMQ_VERDICT_NEWER) failed = newer_wait(v, timeout_s);
    if (failed) return failed;
    if (v->status != SEALMQ_OK) return contact_fail(v, v->status);
    return v->verdict == SEALMQ_VERDICT_MATCH ? mark(v, true) : EXIT_OK;
}

static int verdict_tell(struct verify *v)
{
    const struct command *c = v->device.command;
    struct sealmq_connection connection;
    switch (v->verdict) {
    case SEALMQ_VERDICT_NONE:
    case SEALMQ_VERDICT_MATCH:
        return EXIT_OK;
    case SEALMQ_VERDICT_OTHER:
        return command_fail(c, EXIT_FAILED,
                            "this is not %s's text about you: look whose screen it is; where it is %s's, the relay has given "
                            "one of you another account: do not trust it", v->name, v->name);
    case SEALMQ_VERDICT_FORK:
        return command_fail(c, EXIT_FAILED,
                            "%s and you were shown different histories of one account's keys: a device is in it that should "
                            "not be there, or the relay lies; compare what log prints", v->name);
    case SEALMQ_VERDICT_NEWER:
        return command_fail(c, EXIT_QUEUED,
                            "the text tells of newer keys than this home holds, and the relay has not shown them (%s): scan "
                            "again later; a relay that never does hides something", device_hint(&v->device, &connection));
    }
    return command_fail(c, EXIT_FAILED, "the text compares in no known way: update sealmq");
}

/* ---- the result ---- */

static int result_json(const struct verify *v, const char *number, const char *text)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], at[OUTPUT_TIME_LEN + 1];
    const struct sealmq_contact *contact = &v->contact;
    sealmq_account_text(contact->account, account);
    json_t *object = json_pack("{s:s, s:s, s:b, s:s, s:s}", "name", v->name, "account", account, "verified",
                               contact->verified, "number", number, "text", text);
    ENSURE(object != NULL);
    output_time(contact->verified ? contact->verified_ms : contact->lost_ms, at);
    if (contact->verified) ENSURE(json_object_set_new(object, "since", json_string(at)) == 0);
    if (contact->loss != SEALMQ_LOSS_NONE) {
        ENSURE(json_object_set_new(object, "lost", json_string(sealmq_loss_name(contact->loss))) == 0);
        ENSURE(json_object_set_new(object, "lost_at", json_string(at)) == 0);
    }
    if (v->freed) ENSURE(json_object_set_new(object, "released", json_integer((json_int_t)v->freed)) == 0);
    if (v->scan != NULL)
        ENSURE(json_object_set_new(object, "verdict", json_string(sealmq_verdict_name(v->verdict))) == 0);
    return output_json(object) ? EXIT_OK : EXIT_FAILED;
}

static void mark_print(const struct verify *v)
{
    char at[OUTPUT_TIME_LEN + 1];
    const struct sealmq_contact *contact = &v->contact;
    output_time(contact->verified ? contact->verified_ms : contact->lost_ms, at);
    if (contact->verified)
        printf("%s is verified, since %s\n", v->name, at);
    else if (contact->loss != SEALMQ_LOSS_NONE)
        printf("%s was verified, and is not any more, since %s (%s)\n", v->name, at, sealmq_loss_name(contact->loss));
    else
        printf("%s is not verified\n", v->name);
}

/* Not more than is wanted now: after a scan, or a word of the user's, the mark alone. */
static int result_print(struct verify *v, bool whole)
{
    char number[SEALMQ_NUMBER_TEXT_LEN + 1], text[SEALMQ_VERIFY_TEXT_LEN + 1];
    enum sealmq_status s = sealmq_verify_number(v->device.client, v->contact.account, number);
    if (s == SEALMQ_OK) s = sealmq_verify_text(v->device.client, v->contact.account, text);
    if (s != SEALMQ_OK) return contact_fail(v, s);
    if (v->device.command->json) return result_json(v, number, text);
    mark_print(v);
    freed_print(v);
    if (!whole) return EXIT_OK;
    printf("  number  %.35s\n          %s\n  text    %s\n", number, number + 36, text);
    if (isatty(STDOUT_FILENO)) qr_print(text);
    printf("Compare the number with what %s's device shows, side by side or in a call, and then: verify %s --yes\n"
           "Or scan what it shows, and then: verify %s --scan TEXT\n", v->name, v->name, v->name);
    return EXIT_OK;
}

static int verify_do(struct verify *v, long long timeout_s)
{
    const struct command *c = v->device.command;
    bool yes = command_option(c, "yes") != NULL, clear = command_option(c, "clear") != NULL;
    int failed = contact_find(v, timeout_s);
    if (!failed && v->scan != NULL) failed = scan(v, timeout_s);
    if (!failed && (yes || clear)) failed = mark(v, yes);
    if (!failed) failed = contact_again(v);
    if (!failed) failed = result_print(v, v->scan == NULL && !yes && !clear);
    if (!failed) failed = verdict_tell(v);
    return failed ? failed : unsent_tell(v);
}

int verify_run(struct command *c)
{
    struct verify v = {.contact = SEALMQ_INIT(struct sealmq_contact), .name = c->arguments[0],
                       .scan = command_option(c, "scan")};
    long long timeout_s;
    if (!command_number(c, "timeout", 0, 3600, 10, &timeout_s)) return EXIT_USAGE;
    if ((v.scan != NULL) + (command_option(c, "yes") != NULL) + (command_option(c, "clear") != NULL) > 1)
        return command_fail(c, EXIT_USAGE, "one of --scan, --yes and --clear at a time");
    if (sealmq_handle_check(v.name, strlen(v.name)) != SEALMQ_OK)
        return command_fail(c, EXIT_USAGE, "a name is 1 to %u bytes of UTF-8 without spaces, control characters or '/'",
                            SEALMQ_HANDLE_MAX);
    v.timeout_s = timeout_s;
    int failed = device_open(&v.device, c, false, 0);
    if (!failed) failed = verify_do(&v, timeout_s);
    loop_leave(&v.device, &(struct loop_watch){.self = NULL}, 1000);
    device_close(&v.device);
    return failed;
}
