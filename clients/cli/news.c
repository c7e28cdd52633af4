/* news: a changed device as a line for people. The names in it are others' words: on a terminal they steer nothing.
 * Invariant: standard output has no part in it. */
#include "clients/cli/news.h"

#include <stdio.h>
#include <string.h>

static const char *what_happened(enum sealmq_operation operation)
{
    switch (operation) {
    case SEALMQ_OPERATION_ADD: return "has a new device";
    case SEALMQ_OPERATION_REVOKE: return "has removed the device";
    case SEALMQ_OPERATION_SUSPEND: return "has suspended the device";
    case SEALMQ_OPERATION_RESUME: return "has resumed the device";
    case SEALMQ_OPERATION_REPLACE: return "has new keys on the device";
    case SEALMQ_OPERATION_CREATE:
    case SEALMQ_OPERATION_SET_RECOVERY:
    case SEALMQ_OPERATION_DESCRIBE: break;
    }
    return "has changed the device";
}

static bool is_zero(const struct sealmq_device *device)
{
    static const struct sealmq_device none;
    return memcmp(device, &none, sizeof none) == 0;
}

static void signer_text(const struct sealmq_event *event, char out[SEALMQ_DEVICE_TEXT_LEN + 1])
{
    if (is_zero(&event->signer))
        snprintf(out, SEALMQ_DEVICE_TEXT_LEN + 1, "the recovery key");
    else
        sealmq_device_text(event->signer, out);
}

void news_tell(struct device *d, const struct sealmq_event *event)
{
    char device[SEALMQ_DEVICE_TEXT_LEN + 1], signer[SEALMQ_DEVICE_TEXT_LEN + 1], account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    bool own = memcmp(&event->account, &d->me.account, sizeof event->account) == 0;
    sealmq_device_text(event->device, device);
    sealmq_account_text(event->account, account);
    signer_text(event, signer);
    progress_end(&d->progress);
    fprintf(stderr, "%s %s %s%s%s%s (by %s)\n",
            own ? "this account" : event->handle[0] ? event->handle : account, what_happened(event->operation), device,
            event->device_name[0] ? " (" : "", event->device_name, event->device_name[0] ? ")" : "", signer);
}
