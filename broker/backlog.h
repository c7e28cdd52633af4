/* backlog: frames that a client must get (replies, SUPERSEDED, DRAIN) and that its queue had no
 * room for. They wait here, in order, and are tried again every BACKLOG_RETRY_MS. Bounded in number
 * and bytes, as a whole and for each connection; off the hot path, so entries are heap memory of
 * their own. */
#ifndef SEALMQ_BROKER_BACKLOG_H
#define SEALMQ_BROKER_BACKLOG_H

#include "broker/wire/bytes.h"
#include "broker/wire/limits.h"

#define BACKLOG_FRAMES_MAX   1024u
#define BACKLOG_BYTES_MAX    (32u * 1024u * 1024u)
#define BACKLOG_SHARE_FRAMES (PENDING_REQUESTS_MAX + 8u) /* a full window's replies, and our own words */
#define BACKLOG_SHARE_BYTES  (2u * 1024u * 1024u)
#define BACKLOG_RETRY_MS     5u

/* What one connection has waiting. */
struct backlog_share {
    uint32_t frames;
    size_t bytes;
};

struct backlog_entry {
    struct backlog_entry *next;
    uint64_t conn;
    size_t len;
    uint8_t bytes[];
};

/* Zero-initialised = empty; end with backlog_fini. */
struct backlog {
    struct backlog_entry *first, *last;
    uint32_t count;
    size_t bytes;
};

void backlog_fini(struct backlog *b);
/* backlog_add: copies the frame. OK, FULL (nothing taken). The caller keeps the connection's share. */
enum status backlog_add(struct backlog *b, uint64_t conn, struct view frame) MUST_USE;
/* backlog_forget: drops everything of this connection. */
void backlog_forget(struct backlog *b, uint64_t conn);
/* backlog_fits: whether a share may grow by this frame. */
bool backlog_fits(const struct backlog_share *share, struct view frame);
/* backlog_weight: how much of the backlog a share takes up; of two shares, which one to give up. */
uint64_t backlog_weight(const struct backlog_share *share);
/* backlog_take: the oldest entry, now the caller's to free() or to give back; NULL when empty.
 * backlog_return: puts an entry that was taken at the end. */
struct backlog_entry *backlog_take(struct backlog *b);
void backlog_return(struct backlog *b, struct backlog_entry *entry);

#endif
