/* backlog: a first-in first-out list. Taking every entry once and returning those that still do not
 * fit keeps each connection's order, as long as the caller returns all later ones of a connection
 * after the first that did not fit. */
#include "broker/backlog.h"

#include "broker/wire/frame.h"

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

void backlog_forget(struct backlog *b, uint64_t conn)
{
    for (uint32_t left = b->count; left; left--) {
        struct backlog_entry *entry = backlog_take(b);
        if (entry->conn == conn)
            free(entry);
        else
            backlog_return(b, entry);
    }
}

_Static_assert(BACKLOG_SHARE_BYTES >= FRAME_HEADER_LEN + FRAME_META_LEN_MAX,
               "a reply always fits when nothing else of its connection waits");

bool backlog_fits(const struct backlog_share *share, struct view frame)
{
    return share->frames < BACKLOG_SHARE_FRAMES &&
           share->bytes + frame.len <= BACKLOG_SHARE_BYTES;
}

/* A frame weighs its bytes, and as much again as its place is worth. */
uint64_t backlog_weight(const struct backlog_share *share)
{
    return share->bytes + (uint64_t)share->frames * (BACKLOG_BYTES_MAX / BACKLOG_FRAMES_MAX);
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
