/* mailbox: the in-memory side of one device's queue (ARCHITECTURE, step 5). Invariants: the window is
 * in mailbox order and within the session's credit; nothing open before the cursor is outside the
 * window; a detached mailbox has an empty window. */
#include "storage/mailbox.h"

#include <stdlib.h>
#include <string.h>

struct mailbox *mailbox_new(struct device_id device, uint16_t home, const struct device_row *row)
{
    struct mailbox *m = calloc(1, sizeof *m);
    ENSURE(m != NULL);
    m->device = device;
    m->home = home;
    m->row = *row;
    m->next_seq = 1;
    m->cursor = row->head;
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

/* What an earlier session was offered says nothing of the next one; a scan planned for it neither. */
static void session_forget(struct mailbox *m)
{
    m->window_len = 0;
    m->window_bytes = 0;
    m->cursor = m->row.head;
    m->drained = m->stalled = false;
    m->scan = NULL;
    m->reoffering = false;
    m->reoffer_after = (struct position){.seq = 0};
    m->reoffer_scan = NULL;
    m->slow_since_ms = m->waiting_since_ms = 0;
    m->gap_told = 0;
}

void mailbox_attach(struct mailbox *m, const struct attachment *session)
{
    session_forget(m);
    m->session = *session;
    m->wake_wanted = false;
}

void mailbox_detach(struct mailbox *m)
{
    session_forget(m);
    m->session = (struct attachment){0};
    m->wake_wanted = m->row.count > 0;
    free(m->window);
    m->window = NULL;
    m->window_cap = 0;
}

bool mailbox_paused(const struct mailbox *m, uint64_t mono_ms)
{
    return mono_ms < m->session.paused_until_ms;
}

size_t mailbox_credit(const struct mailbox *m, uint64_t mono_ms, uint64_t *bytes)
{
    const struct attachment *s = &m->session;
    *bytes = 0;
    if (!mailbox_attached(m) || mailbox_paused(m, mono_ms) || m->stalled) return 0;
    if (m->window_len >= s->credit_messages) return 0;
    if (m->window_len == 0) {
        *bytes = UINT64_MAX;
        return s->credit_messages;
    }
    if (m->window_bytes >= s->credit_bytes) return 0;
    *bytes = s->credit_bytes - m->window_bytes;
    return s->credit_messages - m->window_len;
}

bool mailbox_fits(struct mailbox *m, uint64_t mono_ms, uint64_t len)
{
    uint64_t bytes;
    if (!mailbox_credit(m, mono_ms, &bytes)) return false;
    m->stalled = len > bytes;
    return !m->stalled;
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
    m->drained = m->stalled = false;
}

/* Takes `count` offers out of the window, from index `first`. */
static void window_cut(struct mailbox *m, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++)
        m->window_bytes -= m->window[i].len;
    memmove(m->window + first, m->window + first + count,
            (m->window_len - first - count) * sizeof *m->window);
    m->window_len -= count;
    m->stalled = false;
}

void mailbox_release(struct mailbox *m, size_t count)
{
    if (!count) return;
    m->row.head = m->window[count - 1].at;
    m->row_dirty = true;
    m->slow_since_ms = m->waiting_since_ms = 0;
    window_cut(m, 0, count);
}

/* Binary search: the window is in mailbox order. Its length when there is none. */
static size_t window_find(const struct mailbox *m, struct position at)
{
    size_t low = 0, high = m->window_len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (position_compare(m->window[middle].at, at) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < m->window_len && position_compare(m->window[low].at, at) == 0;
    return found ? low : m->window_len;
}

bool mailbox_offers(const struct mailbox *m, struct position at)
{
    return window_find(m, at) < m->window_len;
}

void mailbox_withdraw(struct mailbox *m, struct position at)
{
    size_t i = window_find(m, at);
    if (i < m->window_len) window_cut(m, i, 1);
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
    m->row_dirty = m->row_promised = true;
}

void mailbox_gap_seen(struct mailbox *m, uint64_t number)
{
    if (!m->gap_told || number < m->gap_told) return;
    for (size_t i = 0; i < GAP_REASONS; i++)
        m->row.gaps[i] -= m->gap_told_counts[i];
    m->gap_told = 0;
    m->row_dirty = m->row_promised = true; /* told again after a crash they would count twice */
}

bool mailbox_gap_pending(const struct mailbox *m)
{
    if (m->gap_told) return false;
    for (size_t i = 0; i < GAP_REASONS; i++)
        if (m->row.gaps[i]) return true;
    return false;
}

/* The same mark again is the same request again. What they say is for the client to judge. */
void mailbox_lineage(struct mailbox *m, struct view mark)
{
    struct device_row *row = &m->row;
    for (size_t i = 0; i < row->lineage_len; i += LINEAGE_MARK_LEN)
        if (view_equal(view_of(row->lineage + i, LINEAGE_MARK_LEN), mark)) return;
    if (!mark.len) return;
    if (row->lineage_len == sizeof row->lineage) {
        row->lineage_len -= LINEAGE_MARK_LEN;
        memmove(row->lineage, row->lineage + LINEAGE_MARK_LEN, row->lineage_len);
    }
    memcpy(row->lineage + row->lineage_len, mark.at, mark.len);
    row->lineage_len += mark.len;
    m->row_dirty = true;
}
