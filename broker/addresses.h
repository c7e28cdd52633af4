/* addresses: what the edge knows of each address that has connections or has offended: how many, and
 * whether it is banned. An address is an IPv4 address, or the /64 network of an IPv6 one. Bounded:
 * the oldest without connections falls out for a new one. */
#ifndef SEALMQ_BROKER_ADDRESSES_H
#define SEALMQ_BROKER_ADDRESSES_H

#include "broker/address.h"

#include <stdbool.h>

#define OFFENCES_MAX       128u   /* of an address within a window, then it is banned */
#define OFFENCES_WINDOW_MS 60000u
#define BAN_MS             60000u
#define ADDRESSES_BESIDES  4096u  /* remembered without a connection */

struct address_entry {
    struct peer_address address;
    uint32_t connections; /* open, cut ones included */
    uint32_t silent;      /* of these, without a first frame, not cut */
    uint32_t offences;    /* in the window that began at window_ms */
    uint64_t window_ms, banned_until_ms;
    bool own;             /* our own probe comes from there: never banned, never full */
    uint32_t chain, older, newer; /* index + 1; 0 = none */
};

struct addresses {
    struct address_entry *entries;
    uint32_t *buckets;
    uint32_t capacity, bucket_mask, used;
    uint32_t oldest, newest; /* the list of those without connections */
    uint8_t seed[16];
};

/* addresses_init: for so many connections at once; seed is random, so that nobody can choose
 * addresses that meet. */
void addresses_init(struct addresses *a, uint32_t connections_max, const uint8_t seed[16]);
void addresses_fini(struct addresses *a);

/* address_connect: one more connection from there; never NULL while there are at most connections_max.
 * The entry stays where it is until address_leave has been called for each of its connections. */
struct address_entry *address_connect(struct addresses *a, struct peer_address address);
void address_leave(struct addresses *a, struct address_entry *entry);
/* address_offend: counts an offence; true when the entry is banned by it, from now on for BAN_MS. */
bool address_offend(struct address_entry *entry, uint64_t now_ms);
bool address_banned(const struct address_entry *entry, uint64_t now_ms);

#endif
