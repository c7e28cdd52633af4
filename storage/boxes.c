/* boxes: a bounded table of boxes, which all live equally long, so the oldest is always the next one to go. Invariant:
 * `bytes` is what all their slots hold. */
#include "storage/boxes.h"

#include "storage/table.h"

#include <stdlib.h>
#include <string.h>

struct box {
    struct link_box id;
    struct box *younger;
    uint64_t end_ms;
    uint32_t slots;
    struct buffer messages[LINK_SLOTS];
};

struct boxes {
    struct table *table; /* id -> struct box */
    struct box *oldest, *youngest;
    size_t bytes;
};

struct boxes *boxes_new(const uint8_t seed[16])
{
    struct boxes *b = calloc(1, sizeof *b);
    ENSURE(b);
    b->table = table_new(sizeof(struct link_box), LINK_BOXES_MAX, seed);
    return b;
}

static void oldest_drop(struct boxes *b)
{
    struct box *gone = b->oldest;
    b->oldest = gone->younger;
    if (!b->oldest) b->youngest = NULL;
    (void)table_remove(b->table, gone->id.bytes);
    for (size_t i = 0; i < LINK_SLOTS; i++) {
        b->bytes -= gone->messages[i].len;
        buffer_fini(&gone->messages[i]);
    }
    free(gone);
}

void boxes_free(struct boxes **at)
{
    struct boxes *b = *at;
    if (!b) return;
    while (b->oldest)
        oldest_drop(b);
    table_free(&b->table);
    free(b);
    *at = NULL;
}

static struct box *box_find(struct boxes *b, struct link_box id, uint64_t now_ms)
{
    while (b->oldest && b->oldest->end_ms <= now_ms)
        oldest_drop(b);
    return table_get(b->table, id.bytes);
}

static struct box *box_make(struct boxes *b, struct link_box id, uint64_t now_ms)
{
    struct box *box = calloc(1, sizeof *box);
    ENSURE(box);
    box->id = id;
    box->end_ms = now_ms + LINK_LIFE_MS;
    if (table_put(b->table, id.bytes, box) != STATUS_OK) {
        free(box);
        return NULL;
    }
    if (b->youngest)
        b->youngest->younger = box;
    else
        b->oldest = box;
    b->youngest = box;
    return box;
}

enum status boxes_put(struct boxes *b, struct link_box id, uint32_t slot, struct view bytes, uint64_t now_ms,
                      uint32_t *slots, bool *made)
{
    struct box *box = box_find(b, id, now_ms);
    ENSURE(slot < LINK_SLOTS && bytes.len > 0 && bytes.len <= LINK_PART_LEN_MAX);
    *slots = 0;
    *made = false;
    if (!box && slot > 0) return STATUS_NOT_FOUND;
    if (box && box->slots & 1u << slot) {
        *slots = box->slots;
        return view_equal(buffer_view(&box->messages[slot]), bytes) ? STATUS_OK : STATUS_REFUSED;
    }
    if (b->bytes + bytes.len > LINK_BYTES_MAX) return STATUS_FULL;
    *made = !box;
    if (!box) box = box_make(b, id, now_ms);
    if (!box) return STATUS_FULL;
    write_view(&box->messages[slot], bytes);
    b->bytes += bytes.len;
    box->slots |= 1u << slot;
    *slots = box->slots;
    return STATUS_OK;
}

enum status boxes_get(struct boxes *b, struct link_box id, uint32_t slot, uint64_t now_ms, uint32_t *slots,
                      struct view *out)
{
    struct box *box = box_find(b, id, now_ms);
    ENSURE(slot < LINK_SLOTS);
    *slots = box ? box->slots : 0;
    *out = box ? buffer_view(&box->messages[slot]) : view_of(NULL, 0);
    return box ? STATUS_OK : STATUS_NOT_FOUND;
}

size_t boxes_count(const struct boxes *b)
{
    return table_count(b->table);
}

size_t boxes_bytes(const struct boxes *b)
{
    return b->bytes;
}
