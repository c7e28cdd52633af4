/* frame: the fixed header of every message, and the one table of message kinds (PROTOCOL 3).
 *
 *   0  u16 magic 0x5351 "SQ"     8  u64 correlation id (0 on pushes)
 *   2  u8  protocol version      16 u16 home: a partition, 0..4095
 *   3  u8  kind                  18 u16 reserved, 0
 *   4  u16 flags, 0              20 u32 length of meta
 *   6  u16 item count            24 meta, then raw bytes (ciphertexts) to the end
 */
#ifndef SEALMQ_WIRE_FRAME_H
#define SEALMQ_WIRE_FRAME_H

#include "broker/wire/bytes.h"
#include "broker/wire/limits.h"

#define FRAME_HEADER_LEN 24u
#define FRAME_MAGIC      0x5351u

enum frame_from { FROM_CLIENT = 1, FROM_RELAY = 2, FROM_ADMIN = 4, FROM_WORKER = 8 };

/* X(NAME, code, "name", from, needs session, request: its reply's kind or NONE, meta max) */
#define KIND_LIST(X)                                                                               \
    X(HELLO, 1, "hello", FROM_CLIENT, false, WELCOME, 1024)                                        \
    X(WELCOME, 2, "welcome", FROM_RELAY, false, NONE, 16384)                                       \
    X(REGISTER, 3, "register", FROM_CLIENT, false, REGISTERED, 73728)                              \
    X(REGISTERED, 4, "registered", FROM_RELAY, false, NONE, 1024)                                  \
    X(CLAIM_HANDLE, 5, "claim_handle", FROM_CLIENT, false, HANDLE_CLAIMED, 2048)                   \
    X(HANDLE_CLAIMED, 6, "handle_claimed", FROM_RELAY, false, NONE, 1024)                          \
    X(LOOKUP, 7, "lookup", FROM_CLIENT, false, FOUND, 1024)                                         \
    X(FOUND, 8, "found", FROM_RELAY, false, NONE, 131072)                                          \
    X(SEND, 9, "send", FROM_CLIENT, true, SENT, FRAME_META_LEN_MAX)                                \
    X(SENT, 10, "sent", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                               \
    X(ACK, 11, "ack", FROM_CLIENT, true, ACKED, 32768)                                             \
    X(ACKED, 12, "acked", FROM_RELAY, false, NONE, 1024)                                           \
    X(STATUS, 13, "status", FROM_CLIENT, true, STATUS_IS, 16384)                                   \
    X(STATUS_IS, 14, "status_is", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                     \
    X(TERMS, 15, "terms", FROM_CLIENT, true, TERMS_ARE, 1024)                                      \
    X(TERMS_ARE, 16, "terms_are", FROM_RELAY, false, NONE, 16384)                                  \
    X(PING, 17, "ping", FROM_CLIENT, false, PONG, 64)                                              \
    X(PONG, 18, "pong", FROM_RELAY, false, NONE, 32768)                                            \
    X(BYE, 19, "bye", FROM_CLIENT, true, GOODBYE, 64)                                              \
    X(GOODBYE, 20, "goodbye", FROM_RELAY, false, NONE, 64)                                         \
    X(DELIVER, 21, "deliver", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                         \
    X(HINT, 22, "hint", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                               \
    X(SUPERSEDED, 23, "superseded", FROM_RELAY, false, NONE, 256)                                  \
    X(DRAIN, 24, "drain", FROM_RELAY, false, NONE, 256)                                            \
    X(ERROR, 25, "error", FROM_RELAY, false, NONE, 1024)                                           \
    X(APPEND, 27, "append", FROM_CLIENT, true, APPENDED, 73728)                                    \
    X(APPENDED, 28, "appended", FROM_RELAY, false, NONE, 1024)                                     \
    X(PUBLISH, 29, "publish", FROM_CLIENT, true, PUBLISHED, 8192)                                  \
    X(PUBLISHED, 30, "published", FROM_RELAY, false, NONE, 1024)                                   \
    X(CLAIM_PREKEYS, 31, "claim_prekeys", FROM_CLIENT, true, PREKEYS, 1024)                        \
    X(PREKEYS, 32, "prekeys", FROM_RELAY, false, NONE, 32768)                                      \
    X(PREKEYS_LOW, 33, "prekeys_low", FROM_RELAY, false, NONE, 256)                                \
    X(LINK_PUT, 34, "link_put", FROM_CLIENT, false, LINK_HAS, 65536)                               \
    X(LINK_HAS, 35, "link_has", FROM_RELAY, false, NONE, 64)                                       \
    X(LINK_GET, 36, "link_get", FROM_CLIENT, false, LINK_IS, 256)                                  \
    X(LINK_IS, 37, "link_is", FROM_RELAY, false, NONE, 65536)                                      \
    X(LOG_GREW, 38, "log_grew", FROM_RELAY, false, NONE, 256)                                      \
    X(BACKUP_PUT, 58, "backup_put", FROM_CLIENT, true, BACKUP_HAS, 65536)                          \
    X(BACKUP_HAS, 59, "backup_has", FROM_RELAY, false, NONE, 256)                                  \
    X(BACKUP_GET, 60, "backup_get", FROM_CLIENT, true, BACKUP_IS, 64)                              \
    X(BACKUP_IS, 61, "backup_is", FROM_RELAY, false, NONE, 65536)                                  \
    X(OVERVIEW, 40, "overview", FROM_ADMIN, false, OVERVIEW_IS, 64)                                \
    X(OVERVIEW_IS, 41, "overview_is", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                 \
    X(EVENTS, 42, "events", FROM_ADMIN, false, EVENTS_ARE, 256)                                    \
    X(EVENTS_ARE, 43, "events_are", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                   \
    X(EXPLAIN, 44, "explain", FROM_ADMIN, false, EXPLAINED, 256)                                   \
    X(EXPLAINED, 45, "explained", FROM_RELAY, false, NONE, 16384)                                  \
    X(CONTACTS_SET, 46, "contacts_set", FROM_CLIENT, true, CONTACTS_KEPT, 4096)                    \
    X(CONTACTS_KEPT, 47, "contacts_kept", FROM_RELAY, false, NONE, 256)                            \
    X(CONTACTS_GET, 48, "contacts_get", FROM_CLIENT, true, CONTACTS_ARE, 256)                      \
    X(CONTACTS_ARE, 49, "contacts_are", FROM_RELAY, false, NONE, 16384)                            \
    X(CONTACTS_CHANGED, 52, "contacts_changed", FROM_RELAY, false, NONE, 64)                       \
    X(HOLD, 54, "hold", FROM_ADMIN, false, HOLDS_ARE, 256)                                         \
    X(HOLDS_ARE, 55, "holds_are", FROM_RELAY, false, NONE, FRAME_META_LEN_MAX)                     \
    X(DEVICES, 56, "devices", FROM_ADMIN, false, DEVICES_ARE, 256)                                 \
    X(DEVICES_ARE, 57, "devices_are", FROM_RELAY, false, NONE, 16384)                              \
    X(READY, 64, "ready", FROM_WORKER, false, NONE, 1024)                                          \
    X(PEER, 65, "peer", FROM_RELAY, false, NONE, 32768)                                            \
    X(HEARTBEAT, 66, "heartbeat", FROM_WORKER | FROM_RELAY, false, NONE, 32768)                    \
    X(SESSION, 67, "session", FROM_RELAY, false, NONE, 1024)                                       \
    X(SESSIONS_END, 68, "sessions_end", FROM_RELAY, false, NONE, 64)                               \
    X(CLOSED, 69, "closed", FROM_RELAY, false, NONE, 256)                                          \
    X(UNDELIVERED, 70, "undelivered", FROM_RELAY, false, NONE, 256)                                \
    X(HINT_DEVICE, 71, "hint_device", FROM_WORKER, false, NONE, FRAME_META_LEN_MAX)                \
    X(WAKES_WAITING, 72, "wakes_waiting", FROM_WORKER | FROM_RELAY, false, NONE, 64)               \
    X(LEASE, 73, "lease", FROM_WORKER, false, LEASED, 256)                                         \
    X(LEASED, 74, "leased", FROM_RELAY, false, NONE, 32768)                                        \
    X(WOKEN, 75, "woken", FROM_WORKER, false, WOKEN_OK, 32768)                                     \
    X(WOKEN_OK, 76, "woken_ok", FROM_RELAY, false, NONE, 64)                                       \
    X(RECORD, 77, "record", FROM_WORKER | FROM_RELAY, false, NONE, 32768)                          \
    X(LEAVING, 78, "leaving", FROM_WORKER, false, NONE, 64)                                        \
    X(END_DEVICE, 79, "end_device", FROM_WORKER, false, NONE, 64)                                  \
    X(DRIFT, 80, "drift", FROM_ADMIN, false, DRIFT_IS, 64)                                         \
    X(DRIFT_IS, 81, "drift_is", FROM_RELAY, false, NONE, 16384)

enum frame_kind {
    KIND_NONE = 0,
#define X(NAME, code, text, from, session, reply, max) KIND_##NAME = code,
    KIND_LIST(X)
#undef X
};

struct kind_rule {
    enum frame_kind kind;
    const char *name;
    unsigned from; /* enum frame_from bits */
    bool needs_session;
    enum frame_kind reply;
    size_t meta_len_max;
};

/* kind_rule_of: NULL for a kind outside the list. */
const struct kind_rule *kind_rule_of(unsigned kind);
/* kind_name: static text, "?" outside the list. */
const char *kind_name(unsigned kind);

struct frame_header {
    uint8_t kind;
    uint16_t item_count;
    uint64_t correlation;
    uint16_t home;
};

/* A frame taken apart; views borrow the frame. */
struct frame {
    struct frame_header header;
    struct view meta;
    struct view body;
};

/* frame_check: parses the header and holds it against the kind table. `from` says who is speaking.
 * OK; UNSUPPORTED (another version or a kind that `from` may not send); TOO_LARGE (meta or frame);
 * MALFORMED (also: a body behind a kind that has none). After a failure *out is zero but for
 * header.correlation, set wherever magic and header length allow, so that it can be answered. The
 * item count is what the sender says: whoever reads meta compares. */
enum status frame_check(struct view bytes, enum frame_from from, struct frame *out) MUST_USE;

/* frame_begin: appends a header and returns where the frame starts; then append meta, then call
 * frame_meta_end, then append the body. */
size_t frame_begin(struct buffer *b, const struct frame_header *header);
void frame_meta_end(struct buffer *b, size_t start);

#endif
