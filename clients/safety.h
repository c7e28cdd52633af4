/* safety: what two people compare to know that each holds the other's account, and that both were shown the same
 * histories of them (PROTOCOL 10.8): digits for the eye and ear, a text for a scanner, and how a scanned text compares with
 * what is held. Values in, values out: no state, no clock, nothing secret. */
#ifndef SEALMQ_CLIENTS_SAFETY_H
#define SEALMQ_CLIENTS_SAFETY_H

#include "broker/wire/identity_log.h"

#define SAFETY_NUMBER_LEN 71u  /* 12 groups of 5 digits, spaces between them */
#define SAFETY_TEXT_LEN   240u /* "sealmq:verify:1:" and base32 of 140 bytes */

/* safety_number: the same for (a, b) and (b, a). out gets SAFETY_NUMBER_LEN characters and a NUL. */
void safety_number(struct account_id a, struct account_id b, char out[SAFETY_NUMBER_LEN + 1]);

/* How far an account's log has come. */
struct safety_side {
    struct account_id account;
    uint64_t length;     /* 1..LOG_LENGTH_MAX */
    struct hash256 head; /* of the entry before that length */
};

/* What one of the two shows, or holds. */
struct safety_pair {
    struct safety_side own, contact;
};

/* safety_text: out gets SAFETY_TEXT_LEN characters and a NUL. safety_parse: OK; UNSUPPORTED (a later version's);
 * MALFORMED; *out all zero then. Either case, and any white space. */
void safety_text(const struct safety_pair *pair, char out[SAFETY_TEXT_LEN + 1]);
enum status safety_parse(const char *text, struct safety_pair *out) MUST_USE;

enum safety_verdict {
    SAFETY_MATCH = 1,
    SAFETY_NEWER, /* a log of the text goes on beyond ours: to be compared again when we have the rest */
    SAFETY_OTHER, /* of two other accounts */
    SAFETY_FORK,  /* of one of the two logs there are two histories */
};

/* What a comparison says; the flags say of which log. */
struct safety_result {
    enum safety_verdict verdict;
    bool own, contact; /* FORK, NEWER */
};

/* safety_compare: a text that the contact shows with what we hold of our own account and of the contact's. In *held the
 * lengths are ours, and each head is ours at the length that the text names for that log, where we have come so far. */
struct safety_result safety_compare(const struct safety_pair *held, const struct safety_pair *shown);

/* safety_ends: whether this entry, taken into the log of a verified contact, ends the verification: the recovery key
 * brings in a device, and nobody who was verified vouches for it. */
bool safety_ends(const struct msg_entry_body *body);

#endif
