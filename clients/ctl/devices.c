/* devices: which devices an account has, as the relay knows them, for support: who is there, since when, with which app,
 * and what waits. No key and no name: names are in the log, for the account's people. */
#include "broker/wire/identity_log.h"
#include "broker/wire/states.h"
#include "clients/ctl/account.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *standing_name(uint32_t standing)
{
    static const char *const names[] = {
        [STANDING_ACTIVE] = "active", [STANDING_SUSPENDED] = "suspended", [STANDING_REVOKED] = "revoked"};
    return standing >= STANDING_ACTIVE && standing <= STANDING_REVOKED ? names[standing] : "?";
}

static json_t *row_json(const struct msg_device_row *d)
{
    json_t *o = json_object();
    show_put_hex(o, "device", d->device.bytes, sizeof d->device.bytes);
    show_put_text(o, "standing", standing_name(d->standing));
    show_put_number(o, "key_version", d->key_version);
    show_put_number(o, "entry", d->added_number);
    show_put_time(o, "added", d->added_ms);
    json_object_set_new(o, "online", json_boolean(d->attached));
    show_put_time(o, "last_seen", d->last_seen_ms);
    if (d->client_version) show_put_text(o, "client_version", show_version(d->client_version).text);
    show_put_number(o, "waiting", d->waiting);
    show_put_number(o, "waiting_bytes", d->waiting_bytes);
    show_put_number(o, "parked", d->parked);
    if (d->hold) show_put_text(o, "hold", hold_reason_name(d->hold));
    show_put_time(o, "held_since", d->held_ms);
    show_put_number(o, "prekeys", d->prekeys);
    json_object_set_new(o, "last_resort", json_boolean(d->last_resort));
    if (d->copied) show_put_number(o, "copied", d->copied);
    show_put_time(o, "copied_at", d->copied_ms);
    show_put_hex(o, "mark", d->mark.bytes, sizeof d->mark.bytes);
    return o;
}

static void devices_json(const struct msg_devices_are *are)
{
    json_t *o = json_object(), *devices = json_array();
    show_put_hex(o, "account", are->account.bytes, sizeof are->account.bytes);
    show_put_number(o, "key_version", are->log.key_version);
    show_put_number(o, "entries", are->log.length);
    json_object_set_new(o, "recovery", json_boolean(are->has_recovery));
    if (are->hold) show_put_text(o, "hold", hold_reason_name(are->hold));
    show_put_time(o, "held_since", are->held_ms);
    show_put_time(o, "split_at", are->split_ms);
    if (are->split_ms) show_put_number(o, "split_entry", are->split_number);
    show_put_time(o, "restored_at", are->restored_ms);
    if (are->restored) show_put_number(o, "restored_entries", are->restored);
    show_put_hex(o, "mark", are->mark.bytes, sizeof are->mark.bytes);
    for (size_t i = 0; i < are->device_count; i++)
        json_array_append_new(devices, row_json(&are->devices[i]));
    json_object_set_new(o, "devices", devices);
    show_json(o);
}

/* Of a device that is out nothing is handed out. */
static void prekeys_print(const struct msg_device_row *d)
{
    if (d->standing != STANDING_ACTIVE) return;
    if (!d->prekeys && !d->last_resort) {
        printf("  prekeys     none: nothing can be sealed for it before it has been online; what is sent meanwhile comes then\n");
        return;
    }
    printf("  prekeys     %" PRIu32 " one-time%s", d->prekeys, d->last_resort ? ", and the last resort" : "");
    printf("%s\n", d->prekeys ? "" : ": until it has been online, new sessions with it begin with less security");
}

static void mark_print(struct mark mark)
{
    static const struct mark none; /* an older relay tells none */
    if (memcmp(&mark, &none, sizeof none) != 0) printf("  mark        %s in events\n", show_hex(mark.bytes, sizeof mark.bytes).text);
}

static void row_print(const struct msg_device_row *d)
{
    printf("\ndevice %s: %s", show_hex(d->device.bytes, sizeof d->device.bytes).text, standing_name(d->standing));
    if (d->hold) printf(", on hold (%s) since %s", hold_reason_name(d->hold), show_time(d->held_ms).text);
    putchar('\n');
    mark_print(d->mark);
    printf("  added       entry %" PRIu64 ", made %s by its signer's clock; last changed with key version %" PRIu64 "\n",
           d->added_number, show_time(d->added_ms).text, d->key_version);
    printf("  last seen   %s", d->attached ? "now" : d->last_seen_ms ? show_time(d->last_seen_ms).text : "never");
    if (d->client_version) printf(", with version %s", show_version(d->client_version).text);
    printf("\n  waiting     %" PRIu64 " messages, %s; %" PRIu64 " parked\n", d->waiting,
           show_bytes(d->waiting_bytes).text, d->parked);
    prekeys_print(d);
    if (d->copied)
        printf("  copied      its home was set back, or is in use in two places: said %" PRIu64 " times, last %s\n", d->copied,
               show_time(d->copied_ms).text);
}

static void history_print(const struct msg_devices_are *are)
{
    if (are->split_ms)
        printf("TWO HISTORIES: a client holds another entry %" PRIu64 " of its log, as well signed as the one here; told %s\n",
               are->split_number, show_time(are->split_ms).text);
    if (are->restored)
        printf("%" PRIu64 " entries of its log were lost here, and came back from clients, last %s\n", are->restored,
               show_time(are->restored_ms).text);
}

static void devices_print(const struct msg_devices_are *are)
{
    printf("account %s: key version %" PRIu64 ", %" PRIu64 " entries, %s recovery key\n",
           show_hex(are->account.bytes, sizeof are->account.bytes).text, are->log.key_version, are->log.length,
           are->has_recovery ? "with a" : "no");
    mark_print(are->mark);
    if (are->hold)
        printf("all of it is on hold (%s) since %s\n", hold_reason_name(are->hold), show_time(are->held_ms).text);
    history_print(are);
    for (size_t i = 0; i < are->device_count; i++)
        row_print(&are->devices[i]);
}

static int show(const struct command *c, struct admin *a)
{
    struct account_id account;
    struct msg_devices_are are;
    int failed = account_resolve(a, c, c->arguments[0], &account);
    if (failed) return failed;
    enum status s = devices_ask(a, account, &are);
    if (s == STATUS_NOT_FOUND) return command_fail(c, EXIT_FAILED, "there is no such account here");
    if (s != STATUS_OK) return admin_fail(a, c, s);
    if (c->json)
        devices_json(&are);
    else
        devices_print(&are);
    return EXIT_OK;
}

int ctl_devices(struct command *c)
{
    struct admin a;
    int failed = admin_open(&a, c);
    if (failed) return failed;
    failed = show(c, &a);
    admin_close(&a);
    return failed;
}
