/* batch: the rows of the direct path, as storage writes them, in batches: an envelope row and a claim row
 * per message, and the deletes of the envelopes of an older batch, as acknowledgements come with a later
 * group. Keys and heads have their true shapes; what is in a head does not matter to a store. */
#ifndef SEALMQ_LIMITS_BATCH_H
#define SEALMQ_LIMITS_BATCH_H

#include "storage/rows.h"

#define BATCH_DEVICES 64u
#define BATCH_BEHIND  2048u /* messages that wait between accept and ack, in whole batches */

struct batch_maker;

/* batch_maker_new: free with batch_maker_free (NULL-safe, nulls). */
struct batch_maker *batch_maker_new(unsigned messages);
void batch_maker_free(struct batch_maker **m);
/* batch_next: the next batch's ops; they and their bytes are good until the next call. */
const struct store_batch *batch_next(struct batch_maker *m);

#endif
