/* link: what two devices say to each other when one of them joins the other's account (PROTOCOL 6.5): the code, the box
 * where they meet, and three messages sealed under the code. Pure: no state, no clock, no randomness of its own. Whoever does
 * not have the code can neither read nor make any of it; there is nothing short to guess. */
#ifndef SEALMQ_CLIENTS_LINK_H
#define SEALMQ_CLIENTS_LINK_H

#include "broker/wire/messages.h"

#define LINK_RANDOM_LEN 13u /* bytes of which a code takes its 100 bits */
#define LINK_NONCE_LEN  24u
#define LINK_TEXT_LEN   24u /* the code in groups of four, with dashes */
#define LINK_QR_LEN     34u /* what a scanner reads */
#define LINK_PARTS_MAX  (LINK_SLOTS - LINK_SLOTS_GUEST)
#define LINK_DATA_MAX   40960u /* of a part, so that the rest of it fits */

enum link_slot { LINK_SLOT_REQUEST = 0, LINK_SLOT_CONSENT = 1, LINK_SLOT_OFFER = 2 /* its first part */ };
enum link_verdict { LINK_APPROVED = 1, LINK_REJECTED = 2 };

/* Secret, as are the keys: in sodium_malloc memory of the caller's, who wipes it. Canonical: 20 digits of Crockford's base32. */
struct link_code { char digits[LINK_CODE_LEN + 1]; };
struct link_keys { uint8_t offer[32], consent[32]; };

void link_code_make(const uint8_t random[LINK_RANDOM_LEN], struct link_code *out);
/* link_code_parse: as typed (letters of either case, I and L for 1, O for 0, dashes and spaces anywhere) or as scanned. OK;
 * UNSUPPORTED: a scanned text of a later version; MALFORMED. *out is zero after a failure. */
enum status link_code_parse(const char *text, struct link_code *out) MUST_USE;
void link_code_text(const struct link_code *code, char out[LINK_TEXT_LEN + 1]);
void link_code_qr(const struct link_code *code, char out[LINK_QR_LEN + 1]);
struct link_box link_box_of(const struct link_code *code);

/* link_request_seal: what stands in the first slot. link_request_open: OK; BAD_ENTRY: it does not open, or what is in it cannot be a
 * device's; *out, which borrows from the arena, is zero then. */
void link_request_seal(const struct link_code *code, const struct msg_link_request *m, const uint8_t nonce[LINK_NONCE_LEN],
                       struct buffer *out);
enum status link_request_open(const struct link_code *code, struct view bytes, struct arena *a,
                              struct msg_link_request *out) MUST_USE;

/* link_agree: the keys of both answers, by the one's secret and the other's public ephemeral key; `request` is the first
 * slot's bytes. OK; BAD_ENTRY: their key is of small order. */
struct link_parties { struct prekey_pk joining, offering; }; /* ephemeral */
enum status link_agree(const struct link_code *code, const struct link_parties *p, const uint8_t own_sk[32], bool joining,
                       struct view request, struct link_keys *out) MUST_USE;

/* link_offer_seal: one part, for its slot. link_offer_key: whose ephemeral key is in it; BAD_ENTRY. link_offer_open, link_consent_open:
 * as link_request_open. */
void link_offer_seal(const struct link_keys *keys, struct link_box box, const struct prekey_pk *offering,
                     const struct msg_link_offer *m, const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out);
enum status link_offer_key(struct view bytes, struct prekey_pk *out) MUST_USE;
enum status link_offer_open(const struct link_keys *keys, struct link_box box, uint32_t slot, struct view bytes,
                            struct arena *a, struct msg_link_offer *out) MUST_USE;
void link_consent_seal(const struct link_keys *keys, struct link_box box, const struct msg_link_consent *m,
                       const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out);
enum status link_consent_open(const struct link_keys *keys, struct link_box box, struct view bytes, struct arena *a,
                              struct msg_link_consent *out) MUST_USE;

/* link_withdrawal_seal: a cancel in the consent's slot, before anything was offered. link_withdrawal_open: OK; BAD_ENTRY. */
void link_withdrawal_seal(const struct link_code *code, const uint8_t nonce[LINK_NONCE_LEN], struct buffer *out);
enum status link_withdrawal_open(const struct link_code *code, struct view bytes, struct arena *a) MUST_USE;

#endif
