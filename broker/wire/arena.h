/* arena: memory that lives for one loop turn and is given back at once. Never freed piece by piece;
 * out of memory ends the process (see buffer in bytes.h). */
#ifndef SEALMQ_WIRE_ARENA_H
#define SEALMQ_WIRE_ARENA_H

#include "broker/wire/bytes.h"

struct arena_chunk;

/* Zero-initialise; end with arena_fini. */
struct arena {
    struct arena_chunk *first;
    struct arena_chunk *now;
    size_t used; /* bytes handed out since the last reset */
};

void arena_fini(struct arena *a);
/* arena_reset: everything handed out becomes invalid; the memory (up to 8 MiB) is kept for reuse. */
void arena_reset(struct arena *a);
/* arena_alloc: len bytes, 16-aligned, zeroed. arena_alloc_raw: the same, not zeroed. */
void *arena_alloc(struct arena *a, size_t len);
void *arena_alloc_raw(struct arena *a, size_t len);
/* arena_array: count zeroed elements of size bytes each; checked against overflow. */
void *arena_array(struct arena *a, size_t count, size_t size);
/* arena_copy: the bytes of v, owned by the arena. */
struct view arena_copy(struct arena *a, struct view v);

#endif
