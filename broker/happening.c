/* happening: a list, and by descriptor where its last accept stands in it. What accepted_at says is believed
 * only where the list agrees, so that it needs no clearing between batches. */
#include "broker/happening.h"

#include <stdlib.h>
#include <string.h>

void happenings_init(struct happenings *h, uint32_t count_max, uint32_t fd_max)
{
    *h = (struct happenings){.count_max = count_max, .fd_max = fd_max};
    h->all = calloc(count_max, sizeof *h->all);
    h->accepted_at = calloc(fd_max, sizeof *h->accepted_at);
    ENSURE(h->all && h->accepted_at);
}

void happenings_fini(struct happenings *h)
{
    free(h->all);
    free(h->accepted_at);
    *h = (struct happenings){0};
}

static void add(struct happenings *h, struct happening one)
{
    ENSURE(h->count < h->count_max);
    h->all[h->count++] = one;
}

void happenings_accepted(struct happenings *h, int fd, const struct edge_peer *peer)
{
    if (fd >= 0 && (uint32_t)fd < h->fd_max) h->accepted_at[fd] = h->count;
    add(h, (struct happening){HAPPENING_ACCEPTED, (uint32_t)fd, *peer});
}

void happenings_ended(struct happenings *h, int fd)
{
    uint32_t at = fd >= 0 && (uint32_t)fd < h->fd_max ? h->accepted_at[fd] : h->count;
    if (at < h->count && h->all[at].kind == HAPPENING_ACCEPTED && h->all[at].value == (uint32_t)fd)
        memset(&h->all[at].peer, 0, sizeof h->all[at].peer);
    add(h, (struct happening){.kind = HAPPENING_ENDED, .value = (uint32_t)fd});
}

void happenings_accept_failed(struct happenings *h, uint32_t error)
{
    add(h, (struct happening){.kind = HAPPENING_ACCEPT_FAILED, .value = error});
}
