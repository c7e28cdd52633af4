/* sealmq_verify: comparing with a contact, a part of sealmq.h, whose rules hold here. Whether a handle's account is the
 * person's whom one means, only the two people can find out, over a way that is not the relay: they compare a number (read
 * out, or side by side), or one scans the text that the other one's device shows. */
#ifndef SEALMQ_VERIFY_H
#define SEALMQ_VERIFY_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SEALMQ_NUMBER_TEXT_LEN 71u  /* 12 groups of 5 digits */
#define SEALMQ_VERIFY_TEXT_LEN 240u /* "sealmq:verify:1:...": for a QR code, too; its letters may be upper-case ones */

/* Why a contact is not verified any more. */
enum sealmq_loss {
    SEALMQ_LOSS_NONE = 0,     /* it never was, or the user has taken it back */
    SEALMQ_LOSS_RECOVERY = 1, /* the recovery key of its account has brought in a device */
    SEALMQ_LOSS_FORK = 2,     /* another history of its keys was seen */
    SEALMQ_LOSS_ROLLBACK = 3  /* the relay's history of its keys ends before the one that is held here, and stays so */
};
struct sealmq_contact {
    size_t size;
    struct sealmq_account account;
    char handle[SEALMQ_HANDLE_MAX + 1]; /* by which this home knows it; "" = by none */
    bool verified;        /* the user said that it is who it should be, and nothing has happened that ends this */
    uint64_t verified_ms; /* since when; 0 = it is not */
    enum sealmq_loss loss;
    uint64_t lost_ms;     /* when it was lost */
    enum sealmq_loss hold; /* why messages to it wait for the user: sealmq_release, or verifying it, ends that; NONE = they go */
    uint64_t hold_ms;     /* since when; 0 = they go */
    uint64_t stated_ms;   /* when one of its devices last confirmed the keys that are held here; 0 = never */
    bool silent;          /* that is more than two weeks ago: what was removed since may be hidden from us */
};

/* What a scanned text says. */
enum sealmq_verdict {
    SEALMQ_VERDICT_NONE = 0,
    SEALMQ_VERDICT_MATCH = 1, /* both hold each other's account, and one history of each: sealmq_verify_set may follow */
    SEALMQ_VERDICT_NEWER = 2, /* the text tells of entries that are not here yet: they are asked for as soon as there is a
                               * session; scan again after a while. A relay that does not give them hides something */
    SEALMQ_VERDICT_OTHER = 3, /* it is not this contact's about us: another device's screen, or somebody in between */
    SEALMQ_VERDICT_FORK = 4   /* there are two histories of one account's keys: a device that should not be there, or a relay
                               * that lies. The contact is not verified any more */
};

/* sealmq_contact_get: what this home holds of an account. Uses the disk. OK; NOT_FOUND: nothing of its log. */
SEALMQ_API enum sealmq_status sealmq_contact_get(struct sealmq_client *client, struct sealmq_account account,
                                                 struct sealmq_contact *out) SEALMQ_MUST_USE;
/* sealmq_verify_number: the same on both sides, for good. sealmq_verify_text: what this device shows for the contact's
 * scanner; it changes with the two accounts' keys. Each with a NUL; "" after a failure. Both use the disk. OK; NOT_FOUND
 * (as sealmq_contact_get), STATE (the account is our own). */
SEALMQ_API enum sealmq_status sealmq_verify_number(struct sealmq_client *client, struct sealmq_account account,
                                                   char out[SEALMQ_NUMBER_TEXT_LEN + 1]) SEALMQ_MUST_USE;
SEALMQ_API enum sealmq_status sealmq_verify_text(struct sealmq_client *client, struct sealmq_account account,
                                                 char out[SEALMQ_VERIFY_TEXT_LEN + 1]) SEALMQ_MUST_USE;
/* sealmq_verify_scan: the text that the contact's device shows, against what is held here; in either case, with white space
 * anywhere. Uses the disk. OK with *out; MALFORMED (no such text, or not all of it), UNSUPPORTED (a later version's),
 * NOT_FOUND, STATE. */
SEALMQ_API enum sealmq_status sealmq_verify_scan(struct sealmq_client *client, struct sealmq_account account,
                                                 const char *text, enum sealmq_verdict *out) SEALMQ_MUST_USE;
/* sealmq_verify_set: the user's word: the two have compared, or (false) it does not count any more. It stays until what
 * enum sealmq_loss lists; then SEALMQ_PROMPT_CONTACT_UNVERIFIED comes. What waits for the contact goes with true. Uses the disk. OK; NOT_FOUND, STATE. */
SEALMQ_API enum sealmq_status sealmq_verify_set(struct sealmq_client *client, struct sealmq_account account,
                                                bool verified) SEALMQ_MUST_USE;
/* sealmq_loss_name, sealmq_verdict_name: static text, "fork"; "?" outside the list. */
SEALMQ_API const char *sealmq_loss_name(enum sealmq_loss loss);
SEALMQ_API const char *sealmq_verdict_name(enum sealmq_verdict verdict);

#ifdef __cplusplus
}
#endif
#endif
