/* device: what the entries of a log say of its devices beside keys and standing (PROTOCOL 6.2, describe): when they joined,
 * and what they are called. Every entry was verified when it came; of what they describe only what follows the encoding
 * is read. Nothing here decides anything: a name is for people. */
#include "broker/wire/identity.h"
#include "clients/engine.h"

#include <string.h>

/* The newest one counts, as a whole: without a name the device has none any more. */
static void described(const struct msg_entry_body *body, struct arena *a, struct device_facts *facts)
{
    struct msg_description d;
    if (codec_decode(&msg_description_desc, body->data, a, &d) != STATUS_OK) return;
    if (d.name.len && device_name_check(d.name) != STATUS_OK) return;
    facts->name_len = d.name.len;
    if (d.name.len) memcpy(facts->name, d.name.at, d.name.len);
}

/* Devices stand in a log in the order in which they joined. */
static enum status entry_note(const struct identity_log *log, struct view entry, struct arena *a, size_t *joined,
                              struct device_facts *out)
{
    struct msg_entry signed_entry;
    struct msg_entry_body body;
    if (entry_open(entry, a, &signed_entry, &body) != STATUS_OK) return STATUS_DAMAGED;
    const struct log_device *subject = identity_log_device(log, body.subject);
    if (body.operation == ENTRY_CREATE || body.operation == ENTRY_ADD) {
        if (*joined == log->device_count) return STATUS_DAMAGED;
        out[(*joined)++].added_ms = body.made_ms;
    } else if (body.operation == ENTRY_DESCRIBE && subject) {
        described(&body, a, &out[subject - log->devices]);
    }
    return STATUS_OK;
}

enum status state_device_facts(struct state *state, struct arena *a, const struct identity_log *log,
                               struct device_facts out[DEVICES_EVER_MAX])
{
    struct entry_scan scan = {.account = log->account, .max = ENTRIES_PER_FRAME};
    enum status s = STATUS_OK;
    size_t joined = 0;
    memset(out, 0, DEVICES_EVER_MAX * sizeof *out);
    while (s == STATUS_OK && scan.first < log->length) {
        s = state_entry_scan(state, a, &scan);
        if (s == STATUS_OK && !scan.count) s = STATUS_DAMAGED;
        for (size_t i = 0; i < scan.count && s == STATUS_OK; i++)
            s = entry_note(log, scan.entries[i], a, &joined, out);
        scan.first += scan.count;
    }
    if (s != STATUS_OK) memset(out, 0, DEVICES_EVER_MAX * sizeof *out);
    return s;
}
