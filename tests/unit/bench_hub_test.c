/* What tests of the load have instead of sockets. */
#include "tests/unit/bench_hub.h"

#include <criterion/criterion.h>

struct buffer left_last;
size_t left_count;

uint8_t *hub_frame(struct hub *h, size_t len)
{
    (void)h;
    buffer_clear(&left_last);
    return buffer_extend(&left_last, len);
}

enum status hub_send(struct hub *h, uint32_t peer)
{
    (void)h;
    (void)peer;
    left_count++;
    return STATUS_OK;
}

struct hub *hub_new(const struct hub_config *config)
{
    (void)config;
    return NULL;
}

void hub_free(struct hub **h)
{
    *h = NULL;
}

enum status hub_connect(struct hub *h, uint32_t peer, const struct transport_pk *pk,
                        const uint8_t sk[32])
{
    (void)h;
    (void)peer;
    (void)pk;
    (void)sk;
    return STATUS_OK;
}

struct frame left_frame(void)
{
    struct frame f;
    cr_assert_eq(frame_check(buffer_view(&left_last), FROM_CLIENT, &f), STATUS_OK);
    return f;
}
