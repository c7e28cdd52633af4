/* boxes: where two devices that share a code leave each other messages (linking, PROTOCOL 6.5): the first message in a
 * slot stays, a box lives 15 minutes. In memory and bounded; a box that is gone is made anew by who needs it. No clock. */
#ifndef SEALMQ_STORAGE_BOXES_H
#define SEALMQ_STORAGE_BOXES_H

#include "broker/wire/ids.h"
#include "broker/wire/limits.h"

struct boxes;

/* boxes_new: seed: 16 random bytes. Free with boxes_free (NULL-safe, nulls). */
struct boxes *boxes_new(const uint8_t seed[16]);
void boxes_free(struct boxes **b);

/* boxes_put: the slot (< LINK_SLOTS) gets these bytes (1..LINK_PART_LEN_MAX; copied); slot 0 makes the box. *slots: those that
 * are filled then. OK, *made where the box is new, also where the slot has these very bytes; REFUSED: it has others;
 * NOT_FOUND: no such box; FULL: no room for it. now_ms: monotonic, never back. */
enum status boxes_put(struct boxes *b, struct link_box box, uint32_t slot, struct view bytes, uint64_t now_ms,
                      uint32_t *slots, bool *made) MUST_USE;
/* boxes_get: what is in the slot (empty: nothing yet), good until the next call on the boxes. OK; NOT_FOUND. */
enum status boxes_get(struct boxes *b, struct link_box box, uint32_t slot, uint64_t now_ms, uint32_t *slots,
                      struct view *out) MUST_USE;
size_t boxes_count(const struct boxes *b);
size_t boxes_bytes(const struct boxes *b);

#endif
