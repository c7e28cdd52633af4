/* parts: what senders hear of each part of their messages, in HINT and STATUS_IS: an outcome is set once, and is the same
 * whenever it is told (PROTOCOL 7.5). An older word may come late. */
#include "tests/sim/watch.h"

#include <stdlib.h>
#include <string.h>

static bool same(const struct part_end *a, const struct part_end *b)
{
    return message_equal(a->ref.id, b->ref.id) && device_equal(a->ref.sender, b->ref.sender) &&
           target_equal(a->ref.target, b->ref.target) && device_equal(a->device, b->device) && a->attempt == b->attempt;
}

static struct part_end *find(const struct watch *w, const struct part_end *wanted)
{
    for (size_t i = 0; i < w->end_count; i++)
        if (same(&w->ends[i], wanted)) return &w->ends[i];
    return NULL;
}

const struct part_end *parts_find(const struct sim *s, const struct message_ref *ref, struct device_id device, uint32_t attempt)
{
    return find(s->watch, &(struct part_end){.ref = *ref, .device = device, .attempt = attempt});
}

static void part_said(struct sim *s, const struct part_end *said)
{
    struct watch *w = s->watch;
    if (said->outcome == OUTCOME_OPEN) return;
    const struct part_end *before = find(w, said);
    if (before && before->outcome != said->outcome)
        sim_fail(s, "the outcome of a part for device %zu was %s, and is %s", device_number(s, said->device),
                 outcome_name(before->outcome), outcome_name(said->outcome));
    if (said->outcome == OUTCOME_REVOKED && truth_revoked_ms(s, said->device) == SIM_NEVER)
        sim_fail(s, "a part is revoked, and its device (%zu) is not", device_number(s, said->device));
    if (before) return;
    if (w->end_count == w->end_cap) {
        w->end_cap = w->end_cap ? 2 * w->end_cap : 128;
        w->ends = realloc(w->ends, w->end_cap * sizeof *w->ends);
        ENSURE(w->ends != NULL);
    }
    w->ends[w->end_count++] = *said;
}

static void status_said(struct sim *s, struct device_id sender, const struct frame *f)
{
    struct msg_status_is m;
    if (codec_decode(&msg_status_is_desc, f->meta, &s->watch->arena, &m) != STATUS_OK) return;
    for (size_t i = 0; i < m.item_count; i++)
        for (size_t k = 0; k < m.items[i].part_count; k++) {
            const struct msg_part_state *part = &m.items[i].parts[k];
            part_said(s, &(struct part_end){{sender, m.items[i].target, m.items[i].id}, part->device, part->attempt,
                                            part->outcome});
        }
}

static void hint_said(struct sim *s, struct device_id sender, const struct frame *f)
{
    struct msg_hint m;
    if (codec_decode(&msg_hint_desc, f->meta, &s->watch->arena, &m) != STATUS_OK) return;
    for (size_t i = 0; i < m.item_count; i++)
        part_said(s, &(struct part_end){{sender, m.items[i].target, m.items[i].id}, m.items[i].part.device,
                                        m.items[i].part.attempt, m.items[i].part.outcome});
}

void parts_said(struct sim *s, const struct conn *c, const struct frame *f)
{
    if (!s->truth || c->device >= s->device_count) return;
    if (f->header.kind == KIND_STATUS_IS) status_said(s, s->devices[c->device].id, f);
    if (f->header.kind == KIND_HINT) hint_said(s, s->devices[c->device].id, f);
}
