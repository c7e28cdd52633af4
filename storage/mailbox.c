/* mailbox: the in-memory side of one device's queue (ARCHITECTURE, step 5). Invariants: the window is
 * in mailbox order and within the session's credit; nothing open before the cursor is outside the
 * window; a detached mailbox has an empty window. */
#include "storage/mailbox.h"

#include <stdlib.h>
#include <string.h>

struct mailbox *mailbox_new(struct device_id device, uint16_t home, const struct device_row *row,
                            struct term term)
{
    struct mailbox *m = calloc(1, sizeof *m);
    ENSURE(m != NULL);
    m->device = device;
    m->home = home;
    m->row = *row;
    m->next_seq = 1;
    m->cursor = row->head;
    (void)term;
    return m;
}

void mailbox_free(struct mailbox **m)
{
    if (!*m) return;
    free((*m)->window);
    free(*m);
    *m = NULL;
}

bool mailbox_attached(const struct mailbox *m)
{
    return m->session.session.number != 0;
}

static void window_clear(struct mailbox *m)
{
    m->window_len = 0;
    m->window_bytes = 0;
    m->cursor = m->row.head;
    m->drained = false;
    m->slow_since_ms = 0;
}

void mailbox_attach(struct mailbox *m, const struct attachment *session)
{
    m->session = *session;
    m->wake_wanted = false;
    m->gap_told = 0;
    window_clear(m);
}

void mailbox_detach(struct mailbox *m)
{
    m->session = (struct attachment){0};
    m->wake_wanted = m->row.count > 0;
    m->gap_told = 0;
    window_clear(m);
    free(m->window);
    m->window = NULL;
    m->window_cap = 0;
}

size_t mailbox_credit(const struct mailbox *m, uint64_t mono_ms, uint64_t *bytes)
{
    const struct attachment *s = &m->session;
    *bytes = 0;
    if (!mailbox_attached(m) || mono_ms < s->paused_until_ms) return 0;
    if (m->window_len >= s->credit_messages) return 0;
    if (m->window_len == 0) {
        *bytes = UINT64_MAX; /* one message always fits, however large */
        return s->credit_messages;
    }
    if (m->window_bytes >= s->credit_bytes) return 0;
    *bytes = s->credit_bytes - m->window_bytes;
    return s->credit_messages - m->window_len;
}

struct position mailbox_take_position(struct mailbox *m, struct term term, uint64_t len)
{
    m->row.count++;
    m->row.bytes += len;
    m->row_dirty = true;
    return (struct position){.term = term, .seq = m->next_seq++};
}

static void window_push(struct mailbox *m, const struct offer *offer)
{
    if (m->window_len == m->window_cap) {
        size_t cap = m->window_cap ? m->window_cap * 2 : 16;
        struct offer *window = realloc(m->window, cap * sizeof *window);
        ENSURE(window != NULL);
        m->window = window;
        m->window_cap = cap;
    }
    m->window[m->window_len++] = *offer;
    m->window_bytes += offer->len;
}

void mailbox_offered(struct mailbox *m, const struct offer *offer)
{
    ENSURE(position_compare(offer->at, m->cursor) > 0);
    window_push(m, offer);
    m->cursor = offer->at;
    if (position_compare(m->offered_max, offer->at) < 0) m->offered_max = offer->at;
}

void mailbox_unoffer(struct mailbox *m, struct position at)
{
    while (m->window_len && position_compare(m->window[m->window_len - 1].at, at) >= 0)
        m->window_bytes -= m->window[--m->window_len].len;
    m->cursor = m->window_len ? m->window[m->window_len - 1].at : m->row.head;
    m->drained = false;
}

void mailbox_closed(struct mailbox *m, uint64_t len)
{
    if (m->row.count) m->row.count--;
    m->row.bytes -= m->row.bytes < len ? m->row.bytes : len;
    m->row_dirty = true;
}

void mailbox_gap(struct mailbox *m, enum gap_reason reason, uint64_t count)
{
    m->row.gaps[reason] += count;
    m->row.gap_number++;
    m->row_dirty = true;
    m->row_written_ms = 0; /* must be in this very group */
}

void mailbox_gap_seen(struct mailbox *m, uint64_t number)
{
    if (!m->gap_told || number < m->gap_told) return;
    for (size_t i = 0; i < GAP_REASONS; i++)
        m->row.gaps[i] -= m->gap_told_counts[i];
    m->gap_told = 0;
    m->row_dirty = true;
}

bool mailbox_gap_pending(const struct mailbox *m)
{
    if (m->gap_told) return false;
    for (size_t i = 0; i < GAP_REASONS; i++)
        if (m->row.gaps[i]) return true;
    return false;
}
