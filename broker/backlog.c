/* backlog: a first-in first-out list. Taking every entry once and returning those that still do not
 * fit keeps each connection's order, as long as the caller returns all later ones of a connection
 * after the first that did not fit. */
#include "broker/backlog.h"

#include <stdlib.h>
#include <string.h>

void backlog_fini(struct backlog *b)
{
    struct backlog_entry *entry;
    while ((entry = backlog_take(b)))
        free(entry);
}

enum status backlog_add(struct backlog *b, uint64_t conn, struct view frame)
{
    if (b->count == BACKLOG_FRAMES_MAX || frame.len > BACKLOG_BYTES_MAX - b->bytes)
        return STATUS_FULL;
    struct backlog_entry *entry = malloc(sizeof *entry + frame.len);
    ENSURE(entry != NULL);
    entry->conn = conn;
    entry->len = frame.len;
    if (frame.len) memcpy(entry->bytes, frame.at, frame.len);
    backlog_return(b, entry);
    return STATUS_OK;
}

struct backlog_entry *backlog_take(struct backlog *b)
{
    struct backlog_entry *entry = b->first;
    if (!entry) return NULL;
    b->first = entry->next;
    if (!b->first) b->last = NULL;
    b->count--;
    b->bytes -= entry->len;
    return entry;
}

void backlog_return(struct backlog *b, struct backlog_entry *entry)
{
    entry->next = NULL;
    if (b->last)
        b->last->next = entry;
    else
        b->first = entry;
    b->last = entry;
    b->count++;
    b->bytes += entry->len;
}
