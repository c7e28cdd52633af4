/* ids: every fixed-size name of the protocol as a type of its own, so that two arguments swapped do
 * not compile; UUIDv7 message ids (RFC 9562), homes, and references that people read out. */
#ifndef SEALMQ_WIRE_IDS_H
#define SEALMQ_WIRE_IDS_H

#include "broker/wire/bytes.h"

struct account_id { uint8_t bytes[32]; };   /* BLAKE2b-256 of the first identity-log entry */
struct device_id { uint8_t bytes[16]; };    /* see device_id_of in identity.h */
struct target_id { uint8_t bytes[32]; };    /* an account id or a conversation id */
struct message_id { uint8_t bytes[16]; };   /* UUIDv7 in relay time */
struct store_id { uint8_t bytes[8]; };      /* random, made with the store */
struct boot_id { uint8_t bytes[8]; };       /* random, one per start of a process */
struct hash256 { uint8_t bytes[32]; };      /* BLAKE2b-256 (hash_bytes) or SHA-256 (digest.h) */
struct mac256 { uint8_t bytes[32]; };       /* HMAC-SHA-256 */
struct transport_pk { uint8_t bytes[32]; }; /* CURVE (X25519) */
struct signing_pk { uint8_t bytes[32]; };   /* Ed25519 */
struct identity_pk { uint8_t bytes[32]; };  /* X25519 */
struct prekey_pk { uint8_t bytes[32]; };    /* X25519 */
struct relay_id { uint8_t bytes[32]; };     /* of a relay's public key: relay_id_of in token.h */
struct backup_id { uint8_t bytes[16]; };    /* random: tells two backups of one version apart */
struct signature { uint8_t bytes[64]; };    /* Ed25519 */

struct link_box { uint8_t bytes[32]; };     /* where two devices meet: linking, PROTOCOL 6.5 */

/* A store's term: opening time in ms (8 bytes, big-endian) and 8 random bytes; ordered by memcmp. */
struct term { uint8_t bytes[16]; };

/* A place in a mailbox, or (as session number) in the order of a device's sessions. */
struct position {
    struct term term;
    uint64_t seq; /* from 1 in each term; 0 = before everything in the term */
};

struct session_id {
    struct term term;
    uint64_t number; /* 0 = no session */
};

#define MESSAGE_ID_TEXT_LEN 36  /* 8-4-4-4-12 */
#define REFERENCE_LEN       64  /* sender device, target, message id */
#define REFERENCE_TEXT_LEN  109 /* base32 of the 64 bytes and 4 check bytes */

/* What a person reads out when a message did not arrive. */
struct message_ref {
    struct device_id sender;
    struct target_id target;
    struct message_id id;
};

int term_compare(struct term a, struct term b);
int position_compare(struct position a, struct position b);
int session_compare(struct session_id a, struct session_id b);
bool term_equal(struct term a, struct term b);
bool device_equal(struct device_id a, struct device_id b);
bool message_equal(struct message_id a, struct message_id b);
bool target_equal(struct target_id a, struct target_id b);
struct term term_make(uint64_t opened_ms, uint64_t random);
uint64_t term_opened_ms(struct term t);
struct target_id target_of_account(struct account_id a);

/* message_id_make: UUIDv7 from a time in ms and 10 random bytes. */
struct message_id message_id_make(uint64_t time_ms, const uint8_t random[10]);
/* message_id_is_v7: version 7 and RFC variant. */
bool message_id_is_v7(struct message_id id);
uint64_t message_id_time_ms(struct message_id id);
/* message_id_text: out gets MESSAGE_ID_TEXT_LEN characters and a NUL. */
void message_id_text(struct message_id id, char out[MESSAGE_ID_TEXT_LEN + 1]);
/* message_id_parse: OK, or MALFORMED with *out all zero. */
enum status message_id_parse(const char *text, struct message_id *out) MUST_USE;

/* home_of: the partition of an account, conversation or box id: its first 12 bits. */
uint16_t home_of_target(struct target_id t);
uint16_t home_of_account(struct account_id a);
uint16_t home_of_link(struct link_box box);
/* home_of_handle: the first 12 bits of the handle's BLAKE2b-256. */
uint16_t home_of_handle(struct view handle);

/* hex_encode: out gets 2 * len characters and a NUL. hex_decode: exactly len bytes, else MALFORMED. */
void hex_encode(const uint8_t *at, size_t len, char *out);
enum status hex_decode(const char *text, uint8_t *out, size_t len) MUST_USE;

/* base32_encode: Crockford's, the last digit filled up with zeros; out gets (8 * len + 4) / 5 characters and a NUL.
 * base32_decode: exactly len bytes, else MALFORMED with them all zero; case, dashes and spaces are ignored, I and L read
 * as 1, O as 0. */
void base32_encode(const uint8_t *at, size_t len, char *out);
enum status base32_decode(const char *text, uint8_t *out, size_t len) MUST_USE;

/* reference_text / reference_parse: Crockford base32, dashes and case ignored on reading; the check
 * bytes are the first four of BLAKE2b-256("sealmq reference 1", the 64 bytes). */
void reference_text(const struct message_ref *ref, char out[REFERENCE_TEXT_LEN + 1]);
enum status reference_parse(const char *text, struct message_ref *out) MUST_USE;

/* hash_bytes: BLAKE2b-256 of a label (domain separation, with its NUL) and up to three parts. */
struct hash256 hash_bytes(const char *label, struct view a, struct view b, struct view c);

#endif
