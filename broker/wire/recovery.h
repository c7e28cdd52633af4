/* recovery: that somebody without a session has an account's recovery key (PROTOCOL 6.6). The relay asks for it before it
 * shows the account's log to a stranger; what the key may do, the log says (identity_log.h). */
#ifndef SEALMQ_WIRE_RECOVERY_H
#define SEALMQ_WIRE_RECOVERY_H

#include "broker/wire/messages.h"

/* recovery_prove: of a connection with this CURVE key; made_ms: relay time; recovery_sk: libsodium's 64 bytes. */
void recovery_prove(struct account_id account, const struct transport_pk *transport, uint64_t made_ms,
                    const uint8_t recovery_sk[64], struct msg_recovery_proof *out);
/* recovery_proven: by this key, of this account and connection. How old it is its reader judges. */
bool recovery_proven(struct account_id account, const struct transport_pk *transport,
                     const struct msg_recovery_proof *proof, const struct signing_pk *recovery);

#endif
