/* net: the broker's sockets around its core: clients (tcp and CURVE), workers and operators (ipc).
 * Everything about libzmq is here, in zap.c, edge.c and probe.c; facts that shape it stand in
 * docs/ARCHITECTURE.md. */
#ifndef SEALMQ_BROKER_NET_H
#define SEALMQ_BROKER_NET_H

#include "broker/broker.h"
#include "broker/host/config.h"
#include "broker/host/journal.h"
#include "broker/host/keys.h"
#include "broker/serve.h"

struct net;

/* net_open: binds all sockets; the access check is bound and tried before anything that needs it.
 * config, place and journal are borrowed until net_close, keys only during the call.
 * OK; IO with one line in error. */
enum status net_open(const struct config *config, const struct broker_place *place, const struct curve_server_keys *keys,
                     struct journal *journal, struct net **out, char *error,
                     size_t error_cap) MUST_USE;
/* net_close: sends what is queued for at most a second, then lets go. NULL-safe, nulls. */
void net_close(struct net **n);
/* net_out: the core's way out; good as long as the net. */
struct broker_out net_out(struct net *n);
/* net_run: the loop, until a signal and the drain after it (a second signal: at once). */
void net_run(struct net *n, struct broker *b, int signal_fd);

#endif
