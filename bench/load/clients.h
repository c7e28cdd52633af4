/* clients: full clients instead of the generator's own devices: all of them in this thread, each with a home in a
 * scratch folder that is gone afterwards. */
#ifndef SEALMQ_LOAD_CLIENTS_H
#define SEALMQ_LOAD_CLIENTS_H

#include "bench/load/load.h"

struct clients;

/* What phases.c drives; its connect also lets each pair say hello, so that the run begins with what lasts. */
extern const struct carrier clients_carrier;

/* clients_new: the scratch folder; nobody is in it yet. NULL with errno. clients_free: NULL-safe, nulls; closes all,
 * and removes the folder. */
struct clients *clients_new(struct load *l);
void clients_free(struct clients **clients);

/* clients_extra: figures that only they have, into the result. */
void clients_extra(struct load *l);
/* clients_trouble: one line about what is wrong, to say after l->trouble, or when they do not come to connect. */
const char *clients_trouble(struct load *l);

#endif
