/* mailbox: what storage knows in memory of one device: where its queue stands, what its attached
 * session was offered, what it must still be told. The rows are the truth; this is rebuilt from the
 * device row and the first scan after a start. No I/O here: pure state. */
#ifndef SEALMQ_STORAGE_MAILBOX_H
#define SEALMQ_STORAGE_MAILBOX_H

#include "storage/rows.h"
#include "storage/store.h"

/* One delivery that the attached session has and has not acknowledged. */
struct offer {
    struct position at;
    struct device_id sender;
    struct target_id target;
    struct message_id id;
    uint32_t len; /* of the ciphertext */
    uint32_t attempt;
    uint64_t expires_ms;
};

/* One delivery accepted in this turn, for mailboxes that are read to the end. */
struct fresh {
    struct fresh *next;
    struct position at;
    struct envelope_row row;
    struct view ciphertext;
};

/* Consecutive settled deliveries of one term, as their row says; last.seq 0 = none. */
struct run {
    uint64_t first;
    struct position last;
    uint64_t at_ms;
};

/* The attached session of a device; number 0 = nobody is attached. */
struct attachment {
    struct session_id session;
    size_t broker;
    uint64_t conn;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    uint64_t client_version;
    uint64_t paused_until_ms; /* mono: the broker could not hand over */
    uint64_t round;           /* of deliveries, by the broker's count */
    uint64_t listed;          /* the last of the broker's lists that named it */
};

struct mailbox {
    struct device_id device;
    uint16_t home;
    struct device_row row;     /* as it will be written; count and bytes are hints */
    bool row_dirty;
    bool row_promised;         /* a reply or push of this turn rests on it: in this very group */
    bool row_listed;           /* in the core's list of rows to rewrite */
    bool row_unknown;          /* adopted from a broker before its device row was read */
    uint64_t next_seq;         /* of the present term */
    struct attachment session;
    struct offer *window;      /* offered and unacknowledged, in order */
    size_t window_len, window_cap;
    uint64_t window_bytes;
    struct position cursor;      /* everything open up to here is in the window */
    struct position offered_max; /* the highest position ever offered by this process */
    bool drained;                /* nothing open after the cursor but what is fresh */
    bool stalled;                /* the next one is larger than the credit left in bytes */
    bool hot;                    /* in the core's list of mailboxes to serve */
    const struct store_scan *scan; /* of this turn, planned at scan_cursor; NULL = none (any more) */
    struct position scan_cursor;
    bool reoffering;             /* parked `held` deliveries go back, a piece per turn */
    struct position reoffer_after;
    const struct store_scan *reoffer_scan; /* of this turn */
    struct fresh *fresh, *fresh_last;
    struct run run;              /* the last one written: the next may continue it */
    uint64_t gap_told;           /* gap number last sent to this session, 0 = none */
    uint64_t gap_told_counts[GAP_REASONS];
    bool wake_known, wake_set;   /* whether there is a wake row, once known */
    uint64_t wake_sent_ms;
    bool wake_wanted;            /* went offline with something open */
    uint64_t slow_since_ms;      /* mono: out of credit with more waiting since; 0 = not */
    uint64_t waiting_since_ms;   /* mono: something offered and no progress since; 0 = not */
    int64_t skew_ms;             /* of the client's clock, as the last event told it; 0 = right */
    struct mailbox *next_hot, *next_dirty;
};

/* mailbox_new: an empty mailbox as read from `row` (all zero for a device never seen). Heap. */
struct mailbox *mailbox_new(struct device_id device, uint16_t home, const struct device_row *row);
void mailbox_free(struct mailbox **m);

bool mailbox_attached(const struct mailbox *m);
/* mailbox_attach: the session takes over; everything unacknowledged is to be offered again. */
void mailbox_attach(struct mailbox *m, const struct attachment *session);
/* mailbox_detach: nobody is attached; marks wake_wanted when something is open. */
void mailbox_detach(struct mailbox *m);
/* mailbox_credit: how many more messages and bytes the session may be offered; 0 while paused or
 * stalled. With nothing unacknowledged one message fits, however large. */
size_t mailbox_credit(const struct mailbox *m, uint64_t mono_ms, uint64_t *bytes);
/* mailbox_paused: the broker asked for a moment. */
bool mailbox_paused(const struct mailbox *m, uint64_t mono_ms);
/* mailbox_fits: whether a ciphertext of `len` bytes may be offered now; marks the mailbox stalled when
 * only the bytes are missing. */
bool mailbox_fits(struct mailbox *m, uint64_t mono_ms, uint64_t len);
/* mailbox_take_position: the next place in the mailbox. */
struct position mailbox_take_position(struct mailbox *m, struct term term, uint64_t len);
/* mailbox_offered: the delivery went to the session; moves the cursor. */
void mailbox_offered(struct mailbox *m, const struct offer *offer);
/* mailbox_unoffer: everything from `at` on was not handed over; it will be offered again. */
void mailbox_unoffer(struct mailbox *m, struct position at);
/* mailbox_release: the first `count` of the window are settled or parked; the head moves on. */
void mailbox_release(struct mailbox *m, size_t count);
/* mailbox_withdraw: the delivery leaves the window, where it stands there. */
void mailbox_withdraw(struct mailbox *m, struct position at);
/* mailbox_offers: whether the delivery is in the window. */
bool mailbox_offers(const struct mailbox *m, struct position at);
/* mailbox_closed: a delivery of `len` bytes has left the queue (settled, expired, parked, damaged). */
void mailbox_closed(struct mailbox *m, uint64_t len);
/* mailbox_gap: count deliveries will not come; told with the next frame. */
void mailbox_gap(struct mailbox *m, enum gap_reason reason, uint64_t count);
/* mailbox_gap_seen: the session has recorded the gaps up to this number. */
void mailbox_gap_seen(struct mailbox *m, uint64_t number);
bool mailbox_gap_pending(const struct mailbox *m);
/* mailbox_lineage: the device tells a mark of its home (PROTOCOL 4.1), or none; the oldest goes. */
void mailbox_lineage(struct mailbox *m, struct view mark);

#endif
