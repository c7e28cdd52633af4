/* turn: one round of the storage core: what it reads, what it has changed so far, what it will say.
 *
 *   want keys and scans -> load everything at once -> get / put / remove -> one batch
 *
 * A get sees the turn's earlier puts. Nothing here is visible outside before the batch is written;
 * the slabs leave after the commit (ARCHITECTURE, step 4). */
#ifndef SEALMQ_STORAGE_TURN_H
#define SEALMQ_STORAGE_TURN_H

#include "storage/rows.h"
#include "storage/store.h"

enum turn_entry_state { ENTRY_WANTED, ENTRY_LOADED, ENTRY_NOTED, ENTRY_PUT, ENTRY_REMOVED };

struct turn_entry {
    enum store_space space;
    enum turn_entry_state state;
    uint64_t hash;
    struct view key;
    struct view value; /* NULL at = no row */
};

/* Open parts are for the files of storage/ only. */
struct turn {
    struct arena arena;
    struct turn_entry *entries;
    size_t entry_count, entry_cap;
    size_t loaded_count; /* entries before it are not WANTED */
    uint32_t *slots; /* entry index + 1 */
    size_t slot_count;
    struct store_scan **scans;
    size_t scan_count, scan_cap;
    struct store_batch batch;
    uint64_t now_ms; /* store time */
    struct term term;
    uint64_t commit; /* the number this turn's group will have */
    bool blind;          /* the store may not be touched: a group is being written */
    size_t damage_count; /* rows and scans that could not be read */
    enum status status; /* the first failed load; the turn as a whole has failed then */
};

/* turn_begin: forgets the last turn. turn_fini: frees everything. */
void turn_begin(struct turn *t, uint64_t now_ms, struct term term, uint64_t commit);
void turn_fini(struct turn *t);

/* turn_want: the row will be loaded; the key is copied. May be wanted many times. */
void turn_want(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_scan: a scan that runs with the loads; result in the returned struct (arena). */
struct store_scan *turn_scan(struct turn *t, enum store_space space, const struct store_key *from,
                             const struct store_key *to, size_t row_max, size_t byte_max);
/* turn_wants: something is to be loaded or scanned. */
bool turn_wants(const struct turn *t);
/* turn_load: loads all that was wanted. One unreadable block must not stop the others: a row in it reads
 * as an empty value, which no decoder of rows.h accepts, a scan over it has `damaged` set and no rows;
 * damage_count tells. OK, IO; calling it again loads what was added. A
 * failure sticks (turn.status): nothing of the turn may be written or answered. */
enum status turn_load(struct turn *t, struct store *s) MUST_USE;

/* turn_get: the row as of this turn's changes; NULL at = none. It must have been wanted or put. */
struct view turn_get(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_changed: this turn has put, noted or removed the row through the overlay, so what a scan (which reads
 * the state before the turn) said of it is no longer true. */
bool turn_changed(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_knows: the row was wanted or changed in this turn, so that turn_get may be asked for it. */
bool turn_knows(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_put: value bytes must live as long as the turn's arena. */
void turn_put(struct turn *t, enum store_space space, const struct store_key *key,
              struct view value);
void turn_remove(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_note: turn_get finds this value; who notes it sees to it that it is written somewhere. */
void turn_note(struct turn *t, enum store_space space, const struct store_key *key,
               struct view value);
/* turn_put_new / _put_brief / turn_remove_blind: for keys that nothing in this turn reads again; brief: a
 * new row that is expected to be deleted soon (store.h). */
void turn_put_new(struct turn *t, enum store_space space, const struct store_key *key,
                  struct view head, struct view body);
void turn_put_brief(struct turn *t, enum store_space space, const struct store_key *key,
                    struct view head, struct view body);
void turn_remove_blind(struct turn *t, enum store_space space, const struct store_key *key);
/* turn_changes: whether anything is to be written. */
bool turn_changes(const struct turn *t);
/* turn_seal: moves all changes into the batch; no put after it. */
void turn_seal(struct turn *t);

#endif
