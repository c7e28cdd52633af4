/* address: where a connection comes from, as far as it is metered: an IPv4 address, or the first 64
 * bits of an IPv6 address, which is what one household or host is given. */
#ifndef SEALMQ_BROKER_ADDRESS_H
#define SEALMQ_BROKER_ADDRESS_H

#include <stdint.h>

/* IPv4 in its form within IPv6 (::ffff:a.b.c.d); of others the last 8 bytes are zero. All zero =
 * not known. */
struct peer_address { uint8_t bytes[16]; };

/* peer_address_parse: libzmq's "Peer-Address": "127.0.0.1", "::ffff:127.0.0.1", "2001:db8::1",
 * "fe80::1%eth0". NULL or anything else is the address that is not known: all such peers count as
 * one. */
struct peer_address peer_address_parse(const char *text);
/* peer_address_ipv4: of four bytes in network order. */
struct peer_address peer_address_ipv4(const uint8_t ipv4[4]);
/* peer_address_network: of a whole address, in the same form, what is metered of it. */
struct peer_address peer_address_network(struct peer_address address);

#endif
