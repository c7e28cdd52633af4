/* content: what is inside a sealed message, its padding and its commitment (PROTOCOL 10.1, 10.2). No keys of
 * devices here, no session. */
#ifndef SEALMQ_CLIENTS_SEAL_CONTENT_H
#define SEALMQ_CLIENTS_SEAL_CONTENT_H

#include "broker/wire/ids.h"
#include "broker/wire/limits.h"
#include "broker/wire/states.h"

#define CONTENT_HEAD_LEN   93u /* all that stands before the payload */
#define CONTENT_PADDED_MIN 512u
#define CONTENT_PREFIX_LEN 33u /* before the payload of a content for one's own devices: copy.h */
#define CONTENT_PAYLOAD_MAX (PAYLOAD_LEN_MAX + CONTENT_PREFIX_LEN)

struct franking_key { uint8_t bytes[32]; };

struct content {
    struct franking_key franking;
    uint64_t key_version; /* the sender's account's log, as its device knew it at made_ms, */
    struct hash256 head;  /* and the hash of the entry that made that version */
    uint64_t made_ms;     /* Unix ms */
    uint64_t counter;     /* from 1, per sender device and target */
    struct view payload;  /* <= CONTENT_PAYLOAD_MAX; what copy_check says */
};

/* content_padded_len: Padmé (Nikitin et al., PURBs, 2019), of max(len, CONTENT_PADDED_MIN). */
size_t content_padded_len(size_t len);

/* content_head_write: the CONTENT_HEAD_LEN bytes before the payload, of which the content of the same message can be made
 * again. content_head_read: the reverse; the payload stays empty, its length is given. OK; DAMAGED with *out zero. */
void content_head_write(const struct content *c, uint8_t out[CONTENT_HEAD_LEN]);
enum status content_head_read(struct view head, struct content *out, size_t *payload_len) MUST_USE;

/* content_write: appends the padded content; secret, so the buffer is for the caller to wipe. */
void content_write(const struct content *c, struct buffer *out);

/* content_read: *out borrows the padded bytes. CAUSE_NONE; CAUSE_VERSION (a later one), CAUSE_FORM; *out is zero then. */
enum report_cause content_read(struct view padded, struct content *out) MUST_USE;

/* content_commitment: of a content that was read or is to be written. */
struct hash256 content_commitment(const struct content *c);

#endif
