/* explain: what became of one message, for each device of its recipient, from the closed list of
 * broker/wire/states.h. The question is the reference that a person reads out; the answer has no
 * content. */
#include "clients/ctl/admin.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int reference_fail(const struct command *c, const char *text)
{
    size_t len = 0;
    for (const char *at = text; *at; at++)
        len += isalnum((unsigned char)*at) != 0;
    if (len != REFERENCE_TEXT_LEN)
        return command_fail(
            c, EXIT_FAILED,
            "the reference has %zu letters and digits, not %u: a part is missing or too much", len,
            REFERENCE_TEXT_LEN);
    return command_fail(
        c, EXIT_FAILED,
        "the reference's check-sum is wrong: a character was misread; ask for it again");
}

static int question_read(const struct command *c, struct msg_explain *ask)
{
    struct message_ref ref;
    const char *device = command_option(c, "device");
    if (reference_parse(c->arguments[0], &ref) != STATUS_OK)
        return reference_fail(c, c->arguments[0]);
    *ask = (struct msg_explain){.sender = ref.sender, .target = ref.target, .id = ref.id};
    if (device && hex_decode(device, ask->device.bytes, sizeof ask->device.bytes) != STATUS_OK)
        return command_fail(c, EXIT_USAGE, "--device: give the device id as %zu hexadecimal digits",
                            2 * sizeof ask->device.bytes);
    return EXIT_OK;
}

static json_t *part_json(const struct msg_explained_part *p)
{
    json_t *o = json_object();
    show_put_hex(o, "device", p->device.bytes, sizeof p->device.bytes);
    show_put_text(o, "code", explain_name(p->code));
    show_put_text(o, "meaning", explain_meaning(p->code));
    show_put_text(o, "state", delivery_state_name(p->state));
    show_put_text(o, "outcome", outcome_name(p->outcome));
    if (p->reason) show_put_text(o, "reason", fail_reason_name(p->reason));
    if (p->cause) show_put_text(o, "cause", report_cause_name(p->cause));
    if (p->client_version) show_put_text(o, "client_version", show_version(p->client_version).text);
    if (p->attempt) show_put_number(o, "attempt", p->attempt);
    show_put_time(o, "at", p->at_ms);
    show_put_number(o, "payload_bytes", p->payload_bytes);
    show_put_hex(o, "term", p->term.bytes, sizeof p->term.bytes);
    if (p->seq) show_put_number(o, "seq", p->seq);
    show_put_time(o, "last_seen", p->last_seen_ms);
    show_put_time(o, "copied_at", p->copied_ms);
    return o;
}

static void explained_json(const struct msg_explain *ask, const struct msg_explained *e)
{
    json_t *o = json_object(), *devices = json_array();
    char id[MESSAGE_ID_TEXT_LEN + 1];
    message_id_text(ask->id, id);
    show_put_text(o, "id", id);
    show_put_hex(o, "sender", ask->sender.bytes, sizeof ask->sender.bytes);
    show_put_hex(o, "target", ask->target.bytes, sizeof ask->target.bytes);
    show_put_text(o, "code", explain_name(e->code));
    show_put_text(o, "meaning", explain_meaning(e->code));
    show_put_time(o, "accepted_at", e->accepted_ms);
    if (e->key_version) show_put_number(o, "key_version", e->key_version);
    if (e->key_version_present) show_put_number(o, "key_version_present", e->key_version_present);
    if (e->has_receipt) {
        show_put_hex(o, "store", e->receipt.store.bytes, sizeof e->receipt.store.bytes);
        show_put_hex(o, "term", e->receipt.term.bytes, sizeof e->receipt.term.bytes);
        show_put_number(o, "commit", e->receipt.commit);
    }
    for (size_t i = 0; i < e->part_count; i++)
        json_array_append_new(devices, part_json(&e->parts[i]));
    json_object_set_new(o, "devices", devices);
    show_json(o);
}

static void part_print(const struct msg_explained_part *p)
{
    printf("\ndevice %s: %s\n", show_hex(p->device.bytes, sizeof p->device.bytes).text,
           explain_name(p->code));
    printf("  %s\n", explain_meaning(p->code));
    if (p->outcome != OUTCOME_OPEN)
        printf("  outcome     %s", outcome_name(p->outcome));
    else
        printf("  state       %s", delivery_state_name(p->state));
    if (p->reason) printf(" (%s)", fail_reason_name(p->reason));
    if (p->at_ms) printf(" since %s", show_time(p->at_ms).text);
    if (p->cause) printf("\n  cause       %s: %s", report_cause_name(p->cause), report_cause_meaning(p->cause));
    if (p->client_version) printf("\n  app         %s, when it failed", show_version(p->client_version).text);
    if (p->attempt) printf("\n  attempt     resend %" PRIu32 " of at most %u", p->attempt, RESENDS_MAX);
    printf("\n  held        %s of ciphertext", show_bytes(p->payload_bytes).text);
    if (p->seq) printf(", number %" PRIu64 " of its mailbox", p->seq);
    printf("\n  last seen   %s\n", p->last_seen_ms ? show_time(p->last_seen_ms).text : "never");
    if (p->copied_ms)
        printf("  copied      its home was set back, or is in use in two places: it has said so last %s\n",
               show_time(p->copied_ms).text);
}

static void explained_print(const struct msg_explain *ask, const struct msg_explained *e)
{
    char id[MESSAGE_ID_TEXT_LEN + 1];
    message_id_text(ask->id, id);
    printf("message       %s, made %s\n", id, show_time(message_id_time_ms(ask->id)).text);
    printf("from device   %s\n", show_hex(ask->sender.bytes, sizeof ask->sender.bytes).text);
    printf("to            %s\n", show_hex(ask->target.bytes, sizeof ask->target.bytes).text);
    if (e->accepted_ms) printf("accepted      %s", show_time(e->accepted_ms).text);
    if (e->accepted_ms && e->has_receipt)
        printf(", commit %" PRIu64 " of store %s", e->receipt.commit,
               show_hex(e->receipt.store.bytes, sizeof e->receipt.store.bytes).text);
    if (e->accepted_ms) putchar('\n');
    if (e->key_version)
        printf("for           key version %" PRIu64 " of the recipient's devices; it has %" PRIu64 " now\n", e->key_version,
               e->key_version_present);
    for (size_t i = 0; i < e->part_count; i++)
        part_print(&e->parts[i]);
    if (!e->part_count) printf("\n%s: %s\n", explain_name(e->code), explain_meaning(e->code));
}

int ctl_explain(struct command *c)
{
    struct admin a;
    struct msg_explain ask;
    struct msg_explained explained;
    struct question q = {KIND_EXPLAIN, 0, &msg_explain_desc, &ask, &msg_explained_desc, &explained};
    int failed = question_read(c, &ask);
    if (failed) return failed;
    q.home = home_of_target(ask.target);
    failed = admin_open(&a, c);
    if (failed) return failed;
    enum status s = admin_ask(&a, &q);
    if (s != STATUS_OK) {
        failed = admin_fail(&a, c, s);
    } else {
        if (c->json)
            explained_json(&ask, &explained);
        else
            explained_print(&ask, &explained);
        if (explained.code == EXPLAIN_NEVER_ACCEPTED) failed = EXIT_FAILED;
    }
    admin_close(&a);
    return failed;
}
