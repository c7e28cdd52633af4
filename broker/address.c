/* address: text to the bytes that are metered; no look-up, no socket. */
#include "broker/address.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

struct peer_address peer_address_ipv4(const uint8_t ipv4[4])
{
    struct peer_address address;
    memcpy(address.bytes, mapped, sizeof mapped);
    memcpy(address.bytes + sizeof mapped, ipv4, 4);
    return address;
}

struct peer_address peer_address_network(struct peer_address address)
{
    if (memcmp(address.bytes, mapped, sizeof mapped) != 0) memset(address.bytes + 8, 0, 8);
    return address;
}

struct peer_address peer_address_parse(const char *text)
{
    struct peer_address address = {{0}}, none = {{0}};
    char plain[INET6_ADDRSTRLEN];
    uint8_t ipv4[4];
    size_t len = text ? strcspn(text, "%") : 0; /* behind it: the interface */
    if (len == 0 || len >= sizeof plain) return none;
    memcpy(plain, text, len);
    plain[len] = '\0';
    if (inet_pton(AF_INET, plain, ipv4) == 1) return peer_address_ipv4(ipv4);
    return inet_pton(AF_INET6, plain, address.bytes) == 1 ? peer_address_network(address) : none;
}
