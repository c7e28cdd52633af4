/* hold: an account or a device is denied the relay, or given it back, and which are held at present (PROTOCOL 6.9). Deny only: nothing
 * here adds, reads or changes anything of an account. */
#include "broker/wire/states.h"
#include "clients/ctl/account.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define IS_WHOLE(device) (sodium_is_zero((device).bytes, sizeof (device).bytes) == 1)

/* Those that an operator may give. */
static bool reason_parse(const char *text, uint32_t *out)
{
    for (*out = HOLD_OTHER; *out < HOLD_UNREADABLE; ++*out)
        if (strcmp(text, hold_reason_name(*out)) == 0) return true;
    return false;
}

static json_t *row_json(const struct msg_hold_row *row)
{
    json_t *o = json_object();
    show_put_hex(o, "account", row->account.bytes, sizeof row->account.bytes);
    show_put_hex(o, "device", row->device.bytes, sizeof row->device.bytes);
    show_put_text(o, "reason", hold_reason_name(row->reason));
    show_put_time(o, "since", row->since_ms);
    return o;
}

static void rows_print(const struct command *c, const struct msg_holds_are *are)
{
    for (size_t i = 0; i < are->hold_count; i++) {
        const struct msg_hold_row *row = &are->holds[i];
        if (c->json) {
            show_json(row_json(row));
            continue;
        }
        printf("%s %s %s since %s\n", show_hex(row->account.bytes, sizeof row->account.bytes).text,
               IS_WHOLE(row->device) ? "all devices" : show_hex(row->device.bytes, sizeof row->device.bytes).text,
               hold_reason_name(row->reason), show_time(row->since_ms).text);
    }
}

static enum status ask(struct admin *a, uint16_t home, const struct msg_hold *m, struct msg_holds_are *out)
{
    struct question q = {KIND_HOLD, home, &msg_hold_desc, m, &msg_holds_are_desc, out};
    return admin_ask(a, &q);
}

/* ---- one ---- */

static void changed_print(const struct command *c, const struct msg_hold *m, const struct msg_holds_are *are)
{
    bool place = m->action == HOLD_PLACE;
    const char *what = IS_WHOLE(m->device) ? "the account" : "the device";
    if (c->json) {
        json_t *o = json_object(), *holds = json_array();
        show_put_text(o, "state", place ? "held" : "released");
        json_object_set_new(o, "changed", json_boolean(are->changed));
        show_put_hex(o, "account", m->account.bytes, sizeof m->account.bytes);
        show_put_hex(o, "device", m->device.bytes, sizeof m->device.bytes);
        for (size_t i = 0; i < are->hold_count; i++)
            json_array_append_new(holds, row_json(&are->holds[i]));
        json_object_set_new(o, "holds", holds);
        show_json(o);
    } else if (place) {
        printf("%s is on hold (%s): it has no session, and signs no change of its account; messages to it are taken, and wait\n",
               what, hold_reason_name(m->reason));
    } else {
        printf("%s %s\n", what, are->changed ? "is released: what waits for it comes with its next session" : "was not on hold");
        if (are->hold_count) printf("still on hold:\n");
        rows_print(c, are);
    }
}

static int change(const struct command *c, struct admin *a, struct msg_hold *m)
{
    struct msg_holds_are are;
    int failed = account_resolve(a, c, c->arguments[0], &m->account);
    if (!failed && c->argument_count > 1) failed = device_parse(c, c->arguments[1], &m->device);
    if (failed) return failed;
    enum status s = ask(a, home_of_account(m->account), m, &are);
    if (s == STATUS_NOT_FOUND)
        return command_fail(c, EXIT_FAILED, IS_WHOLE(m->device) ? "there is no such account here"
                                                                : "there is no such account here, or it never had this device");
    if (s != STATUS_OK) return admin_fail(a, c, s);
    changed_print(c, m, &are);
    return EXIT_OK;
}

static int change_once(const struct command *c, struct msg_hold *m)
{
    struct admin a;
    int failed = admin_open(&a, c);
    if (failed) return failed;
    failed = change(c, &a, m);
    admin_close(&a);
    return failed;
}

int ctl_hold(struct command *c)
{
    const char *reason = command_option(c, "reason");
    struct msg_hold m = {.action = HOLD_PLACE, .reason = HOLD_OTHER};
    if (reason && !reason_parse(reason, &m.reason))
        return command_fail(c, EXIT_USAGE, "--reason: give takeover, abuse, legal or other");
    return change_once(c, &m);
}

int ctl_release(struct command *c)
{
    struct msg_hold m = {.action = HOLD_RELEASE};
    return change_once(c, &m);
}

/* ---- all ---- */

static enum status list(struct admin *a, const struct command *c, size_t *count)
{
    uint8_t cursor[HOLD_CURSOR_LEN_MAX];
    struct msg_hold m = {.action = HOLD_LIST};
    struct msg_holds_are are;
    enum status s;
    do {
        s = ask(a, (uint16_t)a->config.partition_first, &m, &are);
        if (s != STATUS_OK) return s;
        rows_print(c, &are);
        *count += are.hold_count;
        if (are.cursor.len > sizeof cursor) return STATUS_MALFORMED;
        if (are.cursor.len) memcpy(cursor, are.cursor.at, are.cursor.len);
        m.cursor = view_of(cursor, are.cursor.len);
    } while (are.more && are.cursor.len);
    return STATUS_OK;
}

int ctl_holds(struct command *c)
{
    struct admin a;
    size_t count = 0;
    int failed = admin_open(&a, c);
    if (failed) return failed;
    enum status s = list(&a, c, &count);
    if (s != STATUS_OK) failed = admin_fail(&a, c, s);
    else if (!count && !c->json) fprintf(stderr, "nobody is on hold\n");
    admin_close(&a);
    return failed;
}
