/* hint: what live senders are told of their messages: collected over a turn by sender device, told to
 * every broker after the commit. A hint may be lost; STATUS is the truth. */
#include "storage/core.h"

#define BUCKETS        1024u
#define HINTS_PER_TELL 64u
_Static_assert(HINTS_PER_TELL <= HINTS_PER_FRAME, "one telling is one frame");

struct hint {
    struct hint *next;
    struct msg_hint_item item;
};

/* All hints of one sender device, in order. */
struct hint_list {
    struct hint_list *next;
    struct device_id sender;
    struct hint *first, *last;
};

static struct hint_list *list_of(struct storage *s, struct device_id sender)
{
    if (!s->hints) s->hints = arena_array(&s->turn.arena, BUCKETS, sizeof(struct hint_list *));
    struct hint_list **bucket = &s->hints[get_u16(sender.bytes) % BUCKETS];
    struct hint_list *list = *bucket;
    while (list && !device_equal(list->sender, sender))
        list = list->next;
    if (list) return list;
    list = arena_alloc(&s->turn.arena, sizeof *list);
    list->sender = sender;
    list->next = *bucket;
    *bucket = list;
    return list;
}

void hint_add(struct storage *s, struct device_id sender, struct target_id target,
              struct message_id id, const struct msg_part_state *part)
{
    struct hint_list *list = list_of(s, sender);
    struct hint *hint = arena_alloc_raw(&s->turn.arena, sizeof *hint);
    hint->next = NULL;
    hint->item = (struct msg_hint_item){.target = target, .id = id, .part = *part};
    if (list->last)
        list->last->next = hint;
    else
        list->first = hint;
    list->last = hint;
}

/* One HINT_DEVICE to every broker; `frame` and `encoded` are scratch. */
static void tell(struct storage *s, struct device_id sender, const struct msg_hint *hint,
                 struct buffer *encoded, struct buffer *frame)
{
    buffer_clear(encoded);
    buffer_clear(frame);
    codec_encode(&msg_hint_desc, hint, encoded);
    struct msg_hint_device meta = {.device = sender, .hint = buffer_view(encoded)};
    frame_write(frame, &(struct frame_header){.kind = KIND_HINT_DEVICE}, &msg_hint_device_desc,
                &meta);
    brokers_tell(s, buffer_view(frame));
}

void hint_apply(struct storage *s)
{
    struct buffer encoded = {0}, frame = {0};
    struct msg_hint_item items[HINTS_PER_TELL];
    for (size_t b = 0; s->hints && b < BUCKETS; b++)
        for (const struct hint_list *list = s->hints[b]; list; list = list->next)
            for (const struct hint *h = list->first; h;) {
                struct msg_hint hint = {.items = items};
                for (; h && hint.item_count < HINTS_PER_TELL; h = h->next)
                    items[hint.item_count++] = h->item;
                tell(s, list->sender, &hint, &encoded, &frame);
            }
    buffer_fini(&encoded);
    buffer_fini(&frame);
    s->hints = NULL;
}
