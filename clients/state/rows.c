/* rows: a skip list over byte keys and a log of what each change replaced. Heights come from the key's
 * own hash, so that a run is the same every time. Invariant: undo, applied backwards, gives the rows as
 * they were at the last rows_keep. */
#include "clients/state/rows.h"

#include <stdlib.h>
#include <string.h>

#define HEIGHT_MAX 20u

struct row {
    uint8_t *value;
    size_t value_len;
    size_t key_len;
    uint8_t key[ROWS_KEY_LEN_MAX];
    unsigned height;
    struct row *next[]; /* height of them */
};

/* What a change replaced: value NULL = there was no row. */
struct change {
    uint8_t *value;
    size_t value_len;
    size_t key_len;
    uint8_t key[ROWS_KEY_LEN_MAX];
};

struct rows {
    struct row *head; /* its key is before all others */
    struct change *changes;
    size_t change_count, change_cap;
};

static void *memory_of(size_t len)
{
    void *at = calloc(1, len ? len : 1);
    if (!at) abort();
    return at;
}

static uint8_t *copy_of(struct view v)
{
    uint8_t *at = memory_of(v.len);
    if (v.len) memcpy(at, v.at, v.len);
    return at;
}

static struct row *row_new(unsigned height)
{
    struct row *row = memory_of(sizeof *row + height * sizeof(struct row *));
    row->height = height;
    return row;
}

struct rows *rows_new(void)
{
    struct rows *r = memory_of(sizeof *r);
    r->head = row_new(HEIGHT_MAX);
    return r;
}

void rows_free(struct rows **r)
{
    if (!*r) return;
    rows_keep(*r);
    for (struct row *row = (*r)->head, *next; row; row = next) {
        next = row->next[0];
        free(row->value);
        free(row);
    }
    free((*r)->changes);
    free(*r);
    *r = NULL;
}

static bool key_before(const struct row *row, struct view key)
{
    size_t len = row->key_len < key.len ? row->key_len : key.len;
    int order = len ? memcmp(row->key, key.at, len) : 0;
    return order < 0 || (order == 0 && row->key_len < key.len);
}

static bool key_is(const struct row *row, struct view key)
{
    return row && view_equal(view_of(row->key, row->key_len), key);
}

/* The last row before the key on each level, in `before`; returns the row after it. */
static struct row *find(const struct rows *r, struct view key, struct row *before[HEIGHT_MAX])
{
    struct row *at = r->head;
    for (unsigned level = HEIGHT_MAX; level-- > 0;) {
        while (at->next[level] && key_before(at->next[level], key))
            at = at->next[level];
        before[level] = at;
    }
    return at->next[0];
}

bool rows_seek(const struct rows *r, struct view from, struct view *key, struct view *value)
{
    struct row *before[HEIGHT_MAX];
    const struct row *row = find(r, from, before);
    *key = row ? view_of(row->key, row->key_len) : view_of(NULL, 0);
    *value = row ? view_of(row->value, row->value_len) : view_of(NULL, 0);
    return row != NULL;
}

bool rows_get(const struct rows *r, struct view key, struct view *value)
{
    struct view found;
    bool is = rows_seek(r, key, &found, value) && view_equal(found, key);
    if (!is) *value = view_of(NULL, 0);
    return is;
}

/* Each level is half as likely as the one below (FNV-1a, its high bits mixed down). */
static unsigned height_of(struct view key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.at[i]) * 1099511628211u;
    hash ^= hash >> 29;
    hash *= 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 32;
    unsigned height = 1;
    while (height < HEIGHT_MAX && hash & 1) {
        hash >>= 1;
        height++;
    }
    return height;
}

/* Takes `value`. */
static void set(struct rows *r, struct view key, uint8_t *value, size_t value_len)
{
    struct row *before[HEIGHT_MAX];
    struct row *row = find(r, key, before);
    if (key_is(row, key)) {
        free(row->value);
    } else {
        row = row_new(height_of(key));
        row->key_len = key.len;
        memcpy(row->key, key.at, key.len);
        for (unsigned level = 0; level < row->height; level++) {
            row->next[level] = before[level]->next[level];
            before[level]->next[level] = row;
        }
    }
    row->value = value;
    row->value_len = value_len;
}

static void unset(struct rows *r, struct view key)
{
    struct row *before[HEIGHT_MAX];
    struct row *row = find(r, key, before);
    if (!key_is(row, key)) return;
    for (unsigned level = 0; level < row->height; level++)
        before[level]->next[level] = row->next[level];
    free(row->value);
    free(row);
}

static void remember(struct rows *r, struct view key)
{
    if (r->change_count == r->change_cap) {
        r->change_cap = r->change_cap ? 2 * r->change_cap : 64;
        r->changes = realloc(r->changes, r->change_cap * sizeof *r->changes);
        if (!r->changes) abort();
    }
    struct change *c = &r->changes[r->change_count++];
    struct view old;
    bool was = rows_get(r, key, &old);
    c->value = was ? copy_of(old) : NULL;
    c->value_len = old.len;
    c->key_len = key.len;
    memcpy(c->key, key.at, key.len);
}

void rows_put(struct rows *r, struct view key, struct view value)
{
    ENSURE(key.len > 0 && key.len <= ROWS_KEY_LEN_MAX);
    remember(r, key);
    set(r, key, copy_of(value), value.len);
}

void rows_delete(struct rows *r, struct view key)
{
    ENSURE(key.len > 0 && key.len <= ROWS_KEY_LEN_MAX);
    remember(r, key);
    unset(r, key);
}

void rows_keep(struct rows *r)
{
    for (size_t i = 0; i < r->change_count; i++)
        free(r->changes[i].value);
    r->change_count = 0;
}

void rows_undo(struct rows *r)
{
    while (r->change_count) {
        struct change *c = &r->changes[--r->change_count];
        if (c->value)
            set(r, view_of(c->key, c->key_len), c->value, c->value_len);
        else
            unset(r, view_of(c->key, c->key_len));
    }
}
