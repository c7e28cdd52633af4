/* Whose connection it was that has ended already, and whose it was not. */
#include "broker/happening.h"

#include <criterion/criterion.h>
#include <string.h>

static struct happenings h;

static void set_up(void)
{
    happenings_init(&h, 16, 8);
}

static void tear_down(void)
{
    happenings_fini(&h);
    happenings_fini(&h);
}

TestSuite(happening, .init = set_up, .fini = tear_down);

static struct edge_peer peer_n(uint8_t n)
{
    return (struct edge_peer){.host = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = n}}, .port = n};
}

static void accepted(int fd, uint8_t n)
{
    struct edge_peer peer = peer_n(n);
    happenings_accepted(&h, fd, &peer);
}

/* n = 0: nobody. */
static bool is(uint32_t at, enum happening_kind kind, uint32_t value, uint8_t n)
{
    struct edge_peer peer = n ? peer_n(n) : (struct edge_peer){.port = 0};
    return at < h.count && h.all[at].kind == kind && h.all[at].value == value &&
           h.all[at].peer.port == peer.port &&
           memcmp(&h.all[at].peer.host, &peer.host, sizeof peer.host) == 0;
}

Test(happening, one_that_ended_in_the_same_batch_is_nobodys_and_its_successor_has_a_name)
{
    accepted(5, 1); /* read as 1, who has the descriptor by now */
    happenings_ended(&h, 5);
    accepted(5, 1);
    happenings_accept_failed(&h, 24);
    cr_assert_eq(h.count, 4);
    cr_assert(is(0, HAPPENING_ACCEPTED, 5, 0));
    cr_assert(is(1, HAPPENING_ENDED, 5, 0));
    cr_assert(is(2, HAPPENING_ACCEPTED, 5, 1));
    cr_assert(is(3, HAPPENING_ACCEPT_FAILED, 24, 0));
}

Test(happening, the_end_of_one_that_came_earlier_or_of_another_takes_nobodys_name)
{
    happenings_ended(&h, 5);
    accepted(5, 1);
    accepted(6, 2);
    happenings_ended(&h, 7);
    happenings_ended(&h, 0);
    cr_assert(is(1, HAPPENING_ACCEPTED, 5, 1));
    cr_assert(is(2, HAPPENING_ACCEPTED, 6, 2));
}

Test(happening, what_an_earlier_batch_said_of_a_descriptor_is_not_believed)
{
    accepted(5, 1);
    accepted(6, 2);
    h.count = 0;
    accepted(6, 3); /* stands where 5 stood */
    accepted(7, 4);
    happenings_ended(&h, 5);
    cr_assert(is(0, HAPPENING_ACCEPTED, 6, 3));
    cr_assert(is(1, HAPPENING_ACCEPTED, 7, 4));
    h.count = 0;
    happenings_ended(&h, 6);
    cr_assert(is(0, HAPPENING_ENDED, 6, 0));
}

Test(happening, descriptors_beyond_the_bound_are_kept_as_they_were_read)
{
    accepted(8, 1);
    accepted(-1, 2);
    happenings_ended(&h, 8);
    happenings_ended(&h, -1);
    cr_assert(is(0, HAPPENING_ACCEPTED, 8, 1));
    cr_assert(is(1, HAPPENING_ACCEPTED, UINT32_MAX, 2));
    cr_assert_eq(h.count, 4);
}
