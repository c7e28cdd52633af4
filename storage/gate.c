/* gate: step 3 of an envelope's way: is it made for the devices that its recipient has now? If not, nothing is stored,
 * and the answer says what to repair: who is missing, extra, changed or revoked, and the signed entries that prove it
 * (PROTOCOL 7.2). A sender that knows more of the log than this store is told so, and hands it back. */
#include "storage/core.h"

#include <string.h>

#define STALE_SCANS_MAX 8u /* of one frame: its answer has room for no more. Who needs the others looks them up */
#define STALE_SCAN_LEN  (16u * 1024u)

static struct account_id account_of_target(struct target_id target)
{
    struct account_id id;
    memcpy(id.bytes, target.bytes, sizeof id.bytes);
    return id;
}

static bool is_current(const struct msg_send_item *item, const struct account *a)
{
    return item->key_version == a->log.key_version &&
           memcmp(&item->head, &a->log.version_head, sizeof item->head) == 0;
}

/* The entry that made a key version has at least the number before it: what came since begins with that number. */
struct store_scan *gate_plan(struct storage *s, const struct msg_send_item *item, size_t *scans)
{
    struct account_id id = account_of_target(item->target);
    const struct account *a = table_get(s->accounts, id.bytes);
    account_want(s, id);
    if (*scans >= STALE_SCANS_MAX || (a && (is_current(item, a) || item->key_version > a->log.key_version)))
        return NULL;
    ++*scans;
    return entries_scan(s, id, item->key_version, ENTRIES_PER_FRAME, STALE_SCAN_LEN);
}

/* A resend goes to the devices that failed: nobody is missing in it. */
static bool is_for_all(const struct msg_send_item *item)
{
    return item->attempt == 0;
}

/* Who must be addressed: all active devices of the account, but never the sender's own. */
static bool is_addressed(const struct log_device *d, struct device_id sender)
{
    return d->standing == STANDING_ACTIVE && !device_equal(d->id, sender);
}

static bool has_part(const struct msg_send_item *item, struct device_id id)
{
    for (size_t i = 0; i < item->part_count; i++)
        if (device_equal(item->parts[i].device, id)) return true;
    return false;
}

struct addressed {
    size_t count, missing, reached; /* devices; those without a part; those with one */
};

static struct addressed addressed_of(const struct msg_send_item *item, const struct account *a,
                                     struct device_id sender)
{
    struct addressed n = {0};
    for (size_t i = 0; i < a->device_count; i++) {
        if (!is_addressed(&a->devices[i], sender)) continue;
        n.count++;
        n.missing += !has_part(item, a->devices[i].id);
    }
    n.reached = n.count - n.missing;
    return n;
}

static void name(struct device_id_list *list, size_t *count, struct device_id device)
{
    list[(*count)++].device = device;
}

static void name_parts(const struct msg_send_item *item, const struct account *a, struct device_id sender,
                       struct msg_stale *stale)
{
    for (size_t i = 0; i < item->part_count; i++) {
        struct device_id id = item->parts[i].device;
        const struct log_device *d = account_device(a, id);
        if (d && d->standing == STANDING_REVOKED)
            name(stale->revoked, &stale->revoked_count, id);
        else if (!d || !is_addressed(d, sender))
            name(stale->extra, &stale->extra_count, id);
        else if (d->version > item->key_version)
            name(stale->changed, &stale->changed_count, id);
    }
}

static struct msg_stale *stale_of(struct storage *s, const struct msg_send_item *item, const struct account *a,
                                  struct device_id sender, const struct store_scan *since)
{
    struct arena *arena = &s->turn.arena;
    struct msg_stale *stale = arena_alloc(arena, sizeof *stale);
    stale->log = a->log;
    stale->missing = arena_array(arena, DEVICES_PER_ACCOUNT, sizeof *stale->missing);
    stale->extra = arena_array(arena, item->part_count, sizeof *stale->extra);
    stale->changed = arena_array(arena, item->part_count, sizeof *stale->changed);
    stale->revoked = arena_array(arena, item->part_count, sizeof *stale->revoked);
    name_parts(item, a, sender, stale);
    for (size_t i = 0; is_for_all(item) && i < a->device_count; i++)
        if (is_addressed(&a->devices[i], sender) && !has_part(item, a->devices[i].id))
            name(stale->missing, &stale->missing_count, a->devices[i].id);
    if (since) stale->entry_count = entries_read(s, since, &stale->entries);
    return stale;
}

static struct msg_stale *behind_of(struct storage *s, const struct account *a)
{
    struct msg_stale *stale = arena_alloc(&s->turn.arena, sizeof *stale);
    stale->log = a->log;
    return stale;
}

enum status gate(struct storage *s, struct device_id sender, const struct msg_send_item *item,
                 const struct store_scan *since, struct msg_sent_item *out)
{
    const struct account *a;
    enum status status = account_find(s, account_of_target(item->target), &a);
    if (status > STATUS_WIRE_MAX) return STATUS_BUSY;
    if (status != STATUS_OK) return status;
    struct addressed n = addressed_of(item, a, sender);
    bool whole = item->part_count == n.reached && (n.missing == 0 || !is_for_all(item));
    if (n.count && is_current(item, a) && whole) return STATUS_OK;
    bool behind = item->key_version > a->log.key_version;
    if (!behind && n.count == 0 && is_current(item, a)) return STATUS_REFUSED; /* nobody to send to */
    out->stale = behind ? behind_of(s, a) : stale_of(s, item, a, sender, since);
    out->stale_count = 1;
    return behind ? STATUS_RELAY_BEHIND : STATUS_STALE_DEVICES;
}
