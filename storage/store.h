/* store: the contract that every storage backend fulfils: ordered key-value rows in four named
 * spaces, bulk loads, bounded forward scans, and one atomic write across all spaces.
 *
 * What is not here on purpose: get() of one key (logic loads all keys of a turn at once) and
 * backward scans. One contract suite (tests/contract) runs on every backend; `memory` is the model.
 *
 * A store is used from one thread, except that write() may run in one other thread while the owner
 * neither loads nor scans nor writes. Rows written are visible to the next load. */
#ifndef SEALMQ_STORAGE_STORE_H
#define SEALMQ_STORAGE_STORE_H

#include "broker/wire/arena.h"
#include "broker/wire/bytes.h"
#include "broker/wire/status.h"

enum store_space {
    SPACE_PAYLOAD,  /* ciphertext and what serves it */
    SPACE_ROUTING,  /* claims, runs, outcomes, device rows, wake-ups */
    SPACE_IDENTITY, /* accounts, handles, the store's own terms */
    SPACE_EVENTS,   /* operational records */
    SPACE_COUNT,
    SPACE_PACKS = SPACE_COUNT, /* not the callers': what pack.h keeps in the store below it */
    SPACE_ALL_COUNT
};

#define STORE_KEY_LEN_MAX 160u

/* A key: ordered by memcmp, the shorter first where one is a prefix of the other. */
struct store_key {
    uint8_t len;
    uint8_t bytes[STORE_KEY_LEN_MAX];
};

/* One row to load. value.at is NULL when there is no such row (an empty value has a non-NULL at). */
struct store_read {
    enum store_space space;
    struct view key;
    struct view value; /* out; owned by the arena given to load */
};

struct store_row {
    struct view key;   /* owned by the arena given to scan */
    struct view value; /* never NULL */
};

/* One bounded forward scan: from <= key < to. */
struct store_scan {
    enum store_space space;
    struct view from;
    struct view to;       /* exclusive upper bound; empty = to the end of the space */
    size_t row_max;       /* > 0 */
    size_t byte_max;      /* keys + values; the row that crosses it is still returned */
    bool keys_only;       /* values come back empty */
    bool nearest;         /* with row_max 1: the first row, or none if many deleted ones stand before it; `more` is not told */
    struct store_row *rows; /* out, in key order */
    size_t row_count;     /* out */
    bool more;            /* out: stopped by a limit and there is another row; continue after the last */
    bool damaged;         /* set by the turn (turn.h) where the scan met a damaged block: no rows */
};

enum store_op_kind {
    STORE_PUT,
    STORE_PUT_BRIEF, /* a new row (none is under the key) that is expected to be deleted soon */
    STORE_DELETE
};

/* One change; the value is head followed by body, so that a ciphertext need not be copied. */
struct store_op {
    enum store_op_kind kind;
    enum store_space space;
    struct view key;
    struct view head;
    struct view body;
};

/* A batch borrows all its bytes; later ops on a key win over earlier ones. */
struct store_batch {
    struct store_op *ops;
    size_t op_count;
    size_t op_cap;
};

enum durability {
    DURABILITY_MEMORY, /* visible now, lost with the process or the machine */
    DURABILITY_SYNCED, /* on disk before write() returns */
};

/* What open() found (STORAGE, recovery). */
enum store_recovery {
    RECOVERY_CLEAN,         /* every synced write is there */
    RECOVERY_POINT_IN_TIME, /* the strict open refused: a damaged or torn tail was cut off */
};

struct store_stats {
    uint64_t disk_free_bytes;
    uint64_t disk_total_bytes; /* 0 when the backend has no disk */
    uint64_t live_bytes;       /* estimate */
    uint64_t row_count;        /* estimate, all spaces */
};

struct store;

struct store_ops {
    /* Name for config, answers and `accepted`'s level: "memory", "rocksdb". */
    const char *name;
    /* The strongest durability that write() can give. */
    enum durability durability_max;
    /* Fills every value. OK, DAMAGED (a stored block fails its check), IO. */
    enum status (*load)(struct store *s, struct store_read *reads, size_t count, struct arena *a);
    /* OK, DAMAGED, IO. */
    enum status (*scan)(struct store *s, struct store_scan *scan, struct arena *a);
    /* All or nothing. OK, or IO: outcome unknown, the store refuses every later write with IO. */
    enum status (*write)(struct store *s, const struct store_batch *batch, enum durability d);
    void (*stats)(struct store *s, struct store_stats *out);
    /* Nothing is asked of the store at present: puts its rows in order, for a bounded time; may be NULL.
     * As write. */
    enum status (*rest)(struct store *s);
    /* Closes and frees; a NULL-safe free of what open returned. */
    void (*close)(struct store *s);
};

/* Every backend's struct starts with this. */
struct store {
    const struct store_ops *ops;
    enum store_recovery recovery;
};

/* store_load, store_scan, store_write, store_rest, store_stats, store_close: as the ops say. */
enum status store_load(struct store *s, struct store_read *reads, size_t count,
                       struct arena *a) MUST_USE;
enum status store_scan(struct store *s, struct store_scan *scan, struct arena *a) MUST_USE;
enum status store_write(struct store *s, const struct store_batch *batch,
                        enum durability d) MUST_USE;
enum status store_rest(struct store *s) MUST_USE;
void store_stats(struct store *s, struct store_stats *out);
/* store_close: nulls the caller's pointer. */
void store_close(struct store **s);

/* store_batch_op: appends one change, to be filled in; ops grow on the arena, bytes stay the caller's.
 * store_batch_put / _put_brief / _delete: the same with its parts. */
struct store_op *store_batch_op(struct store_batch *b, struct arena *a);
void store_batch_put(struct store_batch *b, struct arena *a, enum store_space space,
                     struct view key, struct view head, struct view body);
void store_batch_put_brief(struct store_batch *b, struct arena *a, enum store_space space,
                           struct view key, struct view head, struct view body);
void store_batch_delete(struct store_batch *b, struct arena *a, enum store_space space,
                        struct view key);

#endif
