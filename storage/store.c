/* store: dispatch to the backend and the batch's growth. Nothing else: rules live in the backends
 * and are proved by the contract suite. */
#include "storage/store.h"

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

enum status store_rest(struct store *s)
{
    return s->ops->rest ? s->ops->rest(s) : STATUS_OK;
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

struct store_op *store_batch_op(struct store_batch *b, struct arena *a)
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

static void add(struct store_batch *b, struct arena *a, const struct store_op *op)
{
    ENSURE(op->key.len > 0 && op->key.len <= STORE_KEY_LEN_MAX);
    *store_batch_op(b, a) = *op;
}

void store_batch_put(struct store_batch *b, struct arena *a, enum store_space space,
                     struct view key, struct view head, struct view body)
{
    add(b, a, &(struct store_op){STORE_PUT, space, key, head, body});
}

void store_batch_put_brief(struct store_batch *b, struct arena *a, enum store_space space,
                           struct view key, struct view head, struct view body)
{
    add(b, a, &(struct store_op){STORE_PUT_BRIEF, space, key, head, body});
}

void store_batch_delete(struct store_batch *b, struct arena *a, enum store_space space,
                        struct view key)
{
    add(b, a, &(struct store_op){.kind = STORE_DELETE, .space = space, .key = key});
}
