/* hint: what live senders are told of their messages: collected over a turn, one frame per sender
 * device and broker, after the commit. A hint may be lost; STATUS is the truth. */
#include "storage/core.h"

#define HINTS_PER_LIST 64u
_Static_assert(HINTS_PER_LIST <= HINTS_PER_FRAME, "one list is one frame");

struct hint_list {
    struct hint_list *next;
    struct device_id sender;
    struct msg_hint_item items[HINTS_PER_LIST];
    size_t count;
};

void hint_add(struct storage *s, struct device_id sender, struct target_id target,
              struct message_id id, const struct msg_part_state *part)
{
    struct hint_list *list = s->hints;
    while (list && !(device_equal(list->sender, sender) && list->count < HINTS_PER_LIST))
        list = list->next;
    if (!list) {
        list = arena_alloc_raw(&s->turn.arena, sizeof *list);
        list->next = s->hints;
        list->sender = sender;
        list->count = 0;
        s->hints = list;
    }
    list->items[list->count++] = (struct msg_hint_item){.target = target, .id = id, .part = *part};
}

void hint_apply(struct storage *s)
{
    struct buffer encoded = {0}, frame = {0};
    for (const struct hint_list *list = s->hints; list; list = list->next) {
        struct msg_hint hint = {.items = (struct msg_hint_item *)(uintptr_t)list->items,
                                .item_count = list->count};
        buffer_clear(&encoded);
        buffer_clear(&frame);
        codec_encode(&msg_hint_desc, &hint, &encoded);
        struct msg_hint_device meta = {.device = list->sender, .hint = buffer_view(&encoded)};
        frame_write(&frame, &(struct frame_header){.kind = KIND_HINT_DEVICE},
                    &msg_hint_device_desc, &meta);
        for (size_t i = 0; i < s->config.broker_count; i++)
            if (s->peers[i].known)
                slab_item(&s->peers[i].after, &(struct stamp){.origin = ORIGIN_PEER},
                          buffer_view(&frame));
    }
    buffer_fini(&encoded);
    buffer_fini(&frame);
    s->hints = NULL;
}
