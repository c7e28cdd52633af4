/* pack: a store over another one, for rows that soon go again. A batch's brief rows (store.h), and
 * later changes to them, are written below as one row, a *pack*, and served from memory. By the time a pack must make room
 * most of its rows are deleted; what is left is *unfolded* into rows of its own, in the same write that
 * deletes the pack. So a message that is accepted, delivered and settled within the window costs the
 * store below a share of one row and not a put and a delete of its own (ARCHITECTURE, Packs).
 *
 * It keeps the contract of store.h; each write is one write below, so that durability, order and what
 * recovery finds are those of the store below. Packs are in SPACE_PACKS there. */
#ifndef SEALMQ_STORAGE_PACK_H
#define SEALMQ_STORAGE_PACK_H

#include "storage/store.h"

#define PACK_COUNT_MAX 256u /* packs that are not unfolded yet */
#define PACK_BYTES_MAX (16u << 20)
#define PACK_KEPT      12u /* so many may be held beyond that, up to PACK_LARGE times as much: large messages */
#define PACK_LARGE     3u

struct pack_config {
    size_t count_max; /* 1..PACK_COUNT_MAX; 0 = PACK_COUNT_MAX */
    size_t byte_max;  /* of all packs before a write, so one batch more at most, but see PACK_KEPT; 0 = PACK_BYTES_MAX */
    uint8_t seed[16]; /* random: for hash tables */
};

/* pack_open: reads the packs that are below and takes the store over; both are closed by store_close of
 * the result. OK; DAMAGED: a pack does not read; IO. After a failure the store below is still the
 * caller's and unchanged. */
enum status pack_open(struct store *below, const struct pack_config *config,
                      struct store **out) MUST_USE;

#endif
