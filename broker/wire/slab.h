/* slab: what broker and workers send each other: many frames in one message, each with a stamp that
 * says whose it is (PROTOCOL, appendix "inside the relay"; not part of the edge protocol).
 *
 * Slab header, 48 bytes: u16 magic "SL", u8 version, u8 role, u32 item count, 8 bytes boot or store
 * id, 16 bytes term, u64 commit, u64 relay_ms. Then the items: stamp (136 bytes) and frame. */
#ifndef SEALMQ_WIRE_SLAB_H
#define SEALMQ_WIRE_SLAB_H

#include "broker/wire/bytes.h"
#include "broker/wire/ids.h"

#define SLAB_HEADER_LEN 48u
#define SLAB_STAMP_LEN  136u
#define SLAB_LEN_MAX    (64u * 1024u * 1024u)

enum slab_role {
    ROLE_BROKER = 1, ROLE_STORAGE = 2, ROLE_FANOUT = 3, ROLE_OPS = 4,
    ROLE_RELAY = 5, /* broker and storage in one process: in events, never in a slab */
};

/* Where a frame entered the relay, and so where its reply goes. */
enum origin {
    ORIGIN_PEER = 0,   /* between broker and worker themselves; no reply address */
    ORIGIN_EDGE = 1,   /* conn is a client connection */
    ORIGIN_WORKER = 2, /* conn is another worker */
    ORIGIN_ADMIN = 3,  /* conn is a caller on the admin socket */
};

/* Set by the broker on the way in; a worker's reply repeats origin and conn. On an ORIGIN_EDGE frame
 * session, account and device are those that the broker has bound to the connection (all zero before
 * HELLO), and transport is the connection's CURVE key. */
struct stamp {
    enum origin origin;
    uint64_t conn;
    struct session_id session;
    struct account_id account;
    struct device_id device;
    struct transport_pk transport;
    uint64_t round; /* of the session's deliveries, as the sender knows it (PROTOCOL A.4) */
};

/* What a slab's sender says of itself; commit is the highest synced one (storage). */
struct slab_header {
    enum slab_role role;
    struct boot_id boot;   /* of the sending process */
    struct term term;      /* storage: the store's term */
    uint64_t commit;
    uint64_t relay_ms;         /* storage: the store's clock, by which ids are judged; else 0 */
};

/* slab_begin: starts a slab in an empty buffer. */
void slab_begin(struct buffer *b);
/* slab_item_begin: appends a stamp; write one frame after it, then slab_item_end. */
size_t slab_item_begin(struct buffer *b, const struct stamp *stamp);
void slab_item_end(struct buffer *b, size_t start);
/* slab_item: stamp and a whole frame. */
void slab_item(struct buffer *b, const struct stamp *stamp, struct view frame);
/* slab_finish: fills in the header, when the slab leaves. */
void slab_finish(struct buffer *b, const struct slab_header *header);
uint32_t slab_count(const struct buffer *b);

/* Reading: slab_open (OK, MALFORMED, TOO_LARGE, UNSUPPORTED), then slab_next until it gives false
 * (and zeros); slab_done tells whether all was well: MALFORMED for wrong counts or leftovers. */
struct slab_reader {
    struct reader r;
    uint32_t left;
};
enum status slab_open(struct view bytes, struct slab_header *header,
                      struct slab_reader *out) MUST_USE;
bool slab_next(struct slab_reader *s, struct stamp *stamp, struct view *frame);
enum status slab_done(const struct slab_reader *s) MUST_USE;

#endif
