/* store: dispatch to the backend and the batch's growth. Nothing else: rules live in the backends
 * and are proved by the contract suite. */
#include "storage/store.h"

#include <stdlib.h>
#include <string.h>

enum status store_load(struct store *s, struct store_read *reads, size_t count, struct arena *a)
{
    return count ? s->ops->load(s, reads, count, a) : STATUS_OK;
}

enum status store_scan(struct store *s, struct store_scan *scan, struct arena *a)
{
    ENSURE(scan->row_max > 0);
    scan->rows = NULL;
    scan->row_count = 0;
    scan->more = false;
    return s->ops->scan(s, scan, a);
}

enum status store_write(struct store *s, const struct store_batch *batch, enum durability d)
{
    ENSURE(d <= s->ops->durability_max);
    return s->ops->write(s, batch, d);
}

void store_stats(struct store *s, struct store_stats *out)
{
    memset(out, 0, sizeof *out);
    s->ops->stats(s, out);
}

void store_close(struct store **s)
{
    if (*s) (*s)->ops->close(*s);
    *s = NULL;
}

static struct store_op *next_op(struct store_batch *b, struct arena *a)
{
    if (b->op_count == b->op_cap) {
        size_t cap = b->op_cap ? b->op_cap * 2 : 64;
        struct store_op *ops = arena_array(a, cap, sizeof *ops);
        if (b->op_count) memcpy(ops, b->ops, b->op_count * sizeof *ops);
        b->ops = ops;
        b->op_cap = cap;
    }
    return &b->ops[b->op_count++];
}

void store_batch_put(struct store_batch *b, struct arena *a, enum store_space space,
                     struct view key, struct view head, struct view body)
{
    ENSURE(key.len > 0 && key.len <= STORE_KEY_LEN_MAX);
    *next_op(b, a) = (struct store_op){
        .kind = STORE_PUT, .space = space, .key = key, .head = head, .body = body};
    b->byte_count += key.len + head.len + body.len;
}

void store_batch_delete(struct store_batch *b, struct arena *a, enum store_space space,
                        struct view key)
{
    ENSURE(key.len > 0 && key.len <= STORE_KEY_LEN_MAX);
    *next_op(b, a) = (struct store_op){.kind = STORE_DELETE, .space = space, .key = key};
    b->byte_count += key.len;
}

static int op_compare(const void *left, const void *right)
{
    const struct store_op *a = *(const struct store_op *const *)left;
    const struct store_op *b = *(const struct store_op *const *)right;
    if (a->space != b->space) return a->space < b->space ? -1 : 1;
    size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = memcmp(a->key.at, b->key.at, len);
    if (order) return order;
    if (a->key.len != b->key.len) return a->key.len < b->key.len ? -1 : 1;
    return a < b ? -1 : a > b; /* both are in the batch's one array */
}

void store_batch_order(const struct store_batch *b, const struct store_op **out)
{
    for (size_t i = 0; i < b->op_count; i++)
        out[i] = &b->ops[i];
    if (b->op_count) qsort(out, b->op_count, sizeof(const struct store_op *), op_compare);
}
