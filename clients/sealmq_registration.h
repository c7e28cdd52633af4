/* sealmq_registration: registration by a product's word, a part of sealmq.h, whose rules hold here. A relay may be one that
 * takes only accounts for which the product's backend has signed a token: it names handle, account and relay. And a home
 * that has the product's keys believes no relay which account a handle is without such a token. */
#ifndef SEALMQ_REGISTRATION_H
#define SEALMQ_REGISTRATION_H

#include "sealmq.h"

#ifdef __cplusplus
extern "C" {
#endif

/* sealmq_token_set: the token ("sealmq:token:1:...") with which this home's account is registered; its handle is wanted from
 * now on, where this home has none yet at its relay. Kept, and used when a client of the home connects next, or at once where
 * it has a session. Uses the disk. OK; MALFORMED, UNSUPPORTED (a later version's), TOO_LARGE (it is none);
 * TOKEN_REFUSED (it is for another account, relay or handle: with one line in sealmq_error). */
SEALMQ_API enum sealmq_status sealmq_token_set(struct sealmq_client *client, const char *text) SEALMQ_MUST_USE;

/* sealmq_product_keys_set: whose tokens this home asks for with each handle that it looks up: one to four public keys of 64
 * hexadecimal digits, with commas between; "" = none any more. Handles that it knows already stay as they are. A look-up, or
 * a message, to a handle without a good token ends TOKEN_REFUSED. Uses the disk. OK; MALFORMED, FULL (more than four). */
SEALMQ_API enum sealmq_status sealmq_product_keys_set(struct sealmq_client *client, const char *text) SEALMQ_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
