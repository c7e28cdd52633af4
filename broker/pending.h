/* pending: requests that were forwarded to a worker and not yet answered. Each entry stands in a
 * hash by (origin, conn, correlation), in the list of whoever asked, and in the list of the
 * worker that owes the answer; the lists' counts and bytes are the limits' numbers. Fixed memory,
 * no allocation after init. */
#ifndef SEALMQ_BROKER_PENDING_H
#define SEALMQ_BROKER_PENDING_H

#include "broker/wire/frame.h"
#include "broker/wire/slab.h"

/* Entries in order of arrival; zero-initialised = empty. Lives in a connection or a worker, at a
 * fixed address for as long as it has entries. */
struct pending_list {
    uint32_t first, last; /* entry number + 1; 0 = none */
    uint32_t count;
    uint64_t bytes; /* of the requests' frames */
};

struct pending_key {
    enum origin origin;
    uint64_t conn;
    uint64_t correlation;
};

struct pending_link {
    uint32_t before, after; /* entry number + 1; 0 = none */
};

enum pending_side { BY_ASKER, BY_WORKER, PENDING_SIDES };

struct pending {
    struct pending_key key;
    uint64_t sent_ms;
    struct pending_list *lists[PENDING_SIDES]; /* BY_ASKER NULL: the asker is gone */
    struct pending_link links[PENDING_SIDES];
    uint32_t hash_next; /* entry number + 1; also the free list */
    uint32_t frame_len;
    uint16_t home;
    uint8_t kind; /* of the request */
};

struct pendings {
    struct pending *entries;
    uint32_t *buckets;
    uint32_t capacity, bucket_mask, free, count;
};

void pendings_init(struct pendings *p, uint32_t capacity);
void pendings_fini(struct pendings *p);

/* pending_add: registers a request of `asker` that `worker` shall answer; of the frame only its
 * length is kept. OK, FULL (nothing changed), STATE (the same key is pending already; nothing changed). */
enum status pending_add(struct pendings *p, const struct pending_key *key,
                        const struct frame_header *header, struct view frame, uint64_t sent_ms,
                        struct pending_list *asker, struct pending_list *worker) MUST_USE;
/* pending_find: NULL when nothing with this key is pending. */
struct pending *pending_find(const struct pendings *p, const struct pending_key *key);
/* pending_first: the oldest entry of a list, NULL when it is empty. */
struct pending *pending_first(const struct pendings *p, const struct pending_list *list);
/* pending_remove: takes the entry out of everything; the pointer is dead afterwards. */
void pending_remove(struct pendings *p, struct pending *entry);
/* pending_orphan: the asker of this list is gone. Its entries go on counting against the worker's
 * limits until the worker answers; then there is nobody to tell. */
void pending_orphan(struct pendings *p, struct pending_list *asker);

#endif
