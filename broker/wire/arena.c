/* arena: a list of chunks; the first ones are kept over resets so that a steady turn allocates
 * nothing from the heap. */
#include "broker/wire/arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN_MIN (256u * 1024u)
#define KEEP_LEN_MAX  (8u * 1024u * 1024u)

struct arena_chunk {
    struct arena_chunk *next;
    size_t cap;
    size_t len;
    _Alignas(16) uint8_t bytes[];
};

static struct arena_chunk *chunk_new(size_t len)
{
    size_t cap = len > CHUNK_LEN_MIN ? len : CHUNK_LEN_MIN;
    struct arena_chunk *chunk = malloc(sizeof *chunk + cap);
    ENSURE(chunk != NULL);
    chunk->next = NULL;
    chunk->cap = cap;
    chunk->len = 0;
    return chunk;
}

void arena_fini(struct arena *a)
{
    struct arena_chunk *chunk = a->first;
    while (chunk) {
        struct arena_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *a = (struct arena){0};
}

void arena_reset(struct arena *a)
{
    size_t kept = 0;
    struct arena_chunk **link = &a->first;
    while (*link) {
        struct arena_chunk *chunk = *link;
        if (chunk->cap > KEEP_LEN_MAX - kept) {
            *link = chunk->next;
            free(chunk);
            continue;
        }
        kept += chunk->cap;
        chunk->len = 0;
        link = &chunk->next;
    }
    a->now = a->first;
    a->used = 0;
}

void *arena_alloc_raw(struct arena *a, size_t len)
{
    ENSURE(len <= SIZE_MAX / 2);
    len = (len + 15) & ~(size_t)15;
    while (a->now && a->now->cap - a->now->len < len && a->now->next)
        a->now = a->now->next;
    if (!a->now || a->now->cap - a->now->len < len) {
        struct arena_chunk *chunk = chunk_new(len);
        if (a->now)
            a->now->next = chunk;
        else
            a->first = chunk;
        a->now = chunk;
    }
    void *at = a->now->bytes + a->now->len;
    a->now->len += len;
    a->used += len;
    return at;
}

void *arena_alloc(struct arena *a, size_t len)
{
    void *at = arena_alloc_raw(a, len);
    if (len) memset(at, 0, len);
    return at;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    ENSURE(size == 0 || count <= SIZE_MAX / 4 / size);
    return arena_alloc(a, count * size);
}

struct view arena_copy(struct arena *a, struct view v)
{
    if (!v.len) return view_of(NULL, 0);
    void *at = arena_alloc_raw(a, v.len);
    memcpy(at, v.at, v.len);
    return view_of(at, v.len);
}
