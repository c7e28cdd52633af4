/* recovery_key: the recovery code, which its owner keeps on paper and no device keeps: its text, and the keys that follow
 * from it (PROTOCOL 6.6). Pure: no state, no clock, no randomness. Whoever calls keeps codes, texts and keys in
 * memory of sodium_malloc, and wipes them. */
#ifndef SEALMQ_CLIENTS_RECOVERY_KEY_H
#define SEALMQ_CLIENTS_RECOVERY_KEY_H

#include "broker/wire/bytes.h"
#include "broker/wire/ids.h"

#define RECOVERY_GROUPS   9u
#define RECOVERY_TEXT_LEN (5u * RECOVERY_GROUPS - 1u) /* groups of 4, a dash between two */

struct recovery_code { uint8_t bytes[16]; }; /* secret: random */

/* Secret but for `signing`. Of one account: the same code gives others in another. */
struct recovery_keys {
    uint8_t signing_sk[64]; /* Ed25519, libsodium's form */
    struct signing_pk signing;
    uint8_t backup[32];
};

/* What is wrong with a text that is no code. */
enum recovery_fault {
    RECOVERY_FAULT_NONE,
    RECOVERY_FAULT_SYMBOL, /* group: has a character that none of these have */
    RECOVERY_FAULT_LENGTH, /* too long or too short; group: how many whole ones there are */
    RECOVERY_FAULT_GROUP,  /* group: its last character does not fit the three before it, or its place */
    RECOVERY_FAULT_WHOLE,  /* each group fits, all of them together do not: at least two are wrong */
};

/* recovery_code_text: with the NUL. */
void recovery_code_text(const struct recovery_code *code, char out[RECOVERY_TEXT_LEN + 1]);
/* recovery_code_parse: case, dashes and white space do not matter; O is 0, I and L are 1. OK; MALFORMED with *out zero,
 * *fault, and *group from 1 on: the first that is wrong. Any one wrong character, and any two characters of a group
 * that have changed places, are noticed in their group; of anything else one in 4096 is not. */
enum status recovery_code_parse(struct view text, struct recovery_code *out, enum recovery_fault *fault,
                                unsigned *group) MUST_USE;

/* recovery_keys_of: the keys of this code in this account. */
void recovery_keys_of(const struct recovery_code *code, struct account_id account, struct recovery_keys *out);

#endif
