/* link against real ROUTERs over ipc in this process (abstract socket names: no files). Waiting is
 * link_poll's own, until what is waited for happens. */
#include "workers/link.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define TRIES 400 /* of 50 ms: only a broken build waits so long */

struct rig {
    void *context;
    char endpoint[2][64];
    void *router[2];
    struct link *link;
};

static void *router_new(struct rig *r, size_t i, int queue_max)
{
    int zero = 0;
    void *router = zmq_socket(r->context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(router, ZMQ_RCVHWM, &queue_max, sizeof queue_max);
    for (int tries = 0; tries < TRIES; tries++) {
        if (zmq_bind(router, r->endpoint[i]) == 0) return router;
        zmq_poll(NULL, 0, 50); /* the former one is still closing */
    }
    cr_assert_fail("no socket at %s", r->endpoint[i]);
    return NULL;
}

static struct rig rig_new(size_t count, int queue_max)
{
    static int number;
    struct rig r = {.context = zmq_ctx_new()};
    for (size_t i = 0; i < count; i++) {
        snprintf(r.endpoint[i], sizeof r.endpoint[i], "ipc://@sealmq-link-test-%d-%d",
                 (int)getpid(), number++);
        r.router[i] = router_new(&r, i, queue_max);
    }
    const char *endpoints[2] = {r.endpoint[0], r.endpoint[1]};
    cr_assert_eq(link_open(&r.link, endpoints, count), STATUS_OK);
    return r;
}

static void rig_end(struct rig *r)
{
    link_close(&r->link);
    for (size_t i = 0; i < 2; i++)
        if (r->router[i]) zmq_close(r->router[i]);
    zmq_ctx_term(r->context);
}

static void wait_up(struct rig *r, size_t i, bool up)
{
    for (int tries = 0; tries < TRIES && link_up(r->link, i) != up; tries++)
        cr_assert_eq(link_poll(r->link, NULL, 0, 50), STATUS_OK);
    cr_assert_eq(link_up(r->link, i), up);
}

static enum status say(struct rig *r, size_t i, const char *text)
{
    return link_send(r->link, i, view_of(text, strlen(text)));
}

/* The broker receives one slab of this text; its sender's routing id is kept for the answer. */
static void broker_hears(struct rig *r, size_t i, const char *text, zmq_msg_t *id)
{
    char bytes[64] = {0};
    zmq_msg_init(id);
    cr_assert_geq(zmq_msg_recv(id, r->router[i], 0), 0);
    cr_assert_eq(zmq_recv(r->router[i], bytes, sizeof bytes - 1, 0), (int)strlen(text));
    cr_assert_str_eq(bytes, text);
}

static void broker_says(struct rig *r, size_t i, zmq_msg_t *id, const char *text)
{
    zmq_msg_t copy;
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, id);
    cr_assert_geq(zmq_msg_send(&copy, r->router[i], ZMQ_SNDMORE), 0);
    cr_assert_geq(zmq_send(r->router[i], text, strlen(text), 0), 0);
}

static struct view hear(struct rig *r, size_t *broker)
{
    struct view slab = {0};
    for (int tries = 0; tries < TRIES && !link_receive(r->link, broker, &slab); tries++)
        cr_assert_eq(link_poll(r->link, NULL, 0, 50), STATUS_OK);
    return slab;
}

Test(link, slabs_go_to_the_broker_named_and_come_with_its_index)
{
    struct rig r = rig_new(2, 100);
    zmq_msg_t id[2];
    size_t broker;
    static const char *const names[] = {"zero", "one"};
    for (size_t i = 0; i < 2; i++) {
        wait_up(&r, i, true);
        cr_assert_eq(say(&r, i, names[i]), STATUS_OK);
        broker_hears(&r, i, names[i], &id[i]);
    }
    broker_says(&r, 1, &id[1], "from one");
    struct view slab = hear(&r, &broker);
    cr_assert_eq(broker, 1);
    cr_assert(view_equal(slab, view_of("from one", 8)));
    broker_says(&r, 0, &id[0], "from zero");
    struct view second = hear(&r, &broker);
    cr_assert_eq(broker, 0);
    cr_assert(view_equal(second, view_of("from zero", 9)));
    cr_assert(view_equal(slab, view_of("from one", 8))); /* held until released */
    link_release(r.link, link_mark(r.link));
    cr_assert_not(link_receive(r.link, &broker, &slab));
    cr_assert_eq(slab.len, 0);
    zmq_msg_close(&id[0]);
    zmq_msg_close(&id[1]);
    rig_end(&r);
}

struct heard {
    size_t count;
    char last[16];
};

static void on_slab(void *context, struct view slab)
{
    struct heard *h = context;
    h->count++;
    snprintf(h->last, sizeof h->last, "%.*s", (int)slab.len, (const char *)slab.at);
}

/* As sealmq-relay has it. */
Test(link, inside_is_up_while_there_is_a_way)
{
    struct heard heard = {0};
    struct inside_way way = {.context = &heard, .slab = on_slab};
    struct link *l = link_inside();
    cr_assert_eq(link_count(l), 1);
    cr_assert_not(link_up(l, 0));
    cr_assert_eq(link_send(l, 0, view_of("too soon", 8)), STATUS_GONE);
    link_way_set(l, &way);
    cr_assert(link_up(l, 0));
    cr_assert_eq(link_send(l, 0, view_of("hello", 5)), STATUS_OK);
    link_way_set(l, NULL);
    cr_assert_eq(link_send(l, 0, view_of("too late", 8)), STATUS_GONE);
    cr_assert_eq(heard.count, 1);
    cr_assert_str_eq(heard.last, "hello");
    link_close(&l);
}

/* Long enough for memory of its own, which must go with it: the sanitizer watches. */
struct numbered {
    uint32_t number;
    uint8_t rest[1000];
};

static enum status give(struct link *l, uint32_t number)
{
    struct numbered slab = {.number = number};
    memset(slab.rest, (int)(number % 251), sizeof slab.rest);
    enum status status = link_give(l, view_of(&slab, sizeof slab));
    memset(&slab, 0xff, sizeof slab);
    return status;
}

static bool is_number(struct view slab, uint32_t number)
{
    struct numbered read;
    if (slab.len != sizeof read) return false;
    memcpy(&read, slab.at, sizeof read);
    return read.number == number && read.rest[999] == number % 251;
}

Test(link, inside_gives_copies_in_order_and_no_more_than_it_holds)
{
    struct link *l = link_inside();
    struct view slab, first = {0};
    size_t broker;
    uint32_t number = 0, taken = 0;
    cr_assert_not(link_given(l));
    while (give(l, number) == STATUS_OK)
        number++;
    cr_assert_eq(number, LINK_HELD_MAX);
    for (int round = 0; round < 3; round++) {
        cr_assert(link_given(l));
        while (link_receive(l, &broker, &slab)) {
            if (!taken) first = slab;
            cr_assert(is_number(slab, taken), "slab %u", taken);
            taken++;
        }
        cr_assert_eq(taken, number);
        cr_assert_not(link_given(l));
        cr_assert_eq(give(l, number), STATUS_FULL, "what is held has its place");
        if (!round) cr_assert(is_number(first, 0), "and is still there");
        link_release(l, link_mark(l) - LINK_HELD_MAX + 10);
        for (int i = 0; i < 10; i++, number++)
            cr_assert_eq(give(l, number), STATUS_OK);
    }
    link_close(&l); /* with some that nobody took */
}

Test(link, message_of_several_frames_is_dropped_and_the_next_one_is_not)
{
    struct rig r = rig_new(1, 100);
    zmq_msg_t id, copy;
    size_t broker;
    wait_up(&r, 0, true);
    cr_assert_eq(say(&r, 0, "hello"), STATUS_OK);
    broker_hears(&r, 0, "hello", &id);
    zmq_msg_init(&copy);
    zmq_msg_copy(&copy, &id);
    zmq_msg_send(&copy, r.router[0], ZMQ_SNDMORE);
    zmq_send(r.router[0], "a", 1, ZMQ_SNDMORE);
    zmq_send(r.router[0], "b", 1, 0);
    broker_says(&r, 0, &id, "slab");
    cr_assert(view_equal(hear(&r, &broker), view_of("slab", 4)));
    zmq_msg_close(&id);
    rig_end(&r);
}

Test(link, nothing_is_queued_for_a_broker_that_is_not_there)
{
    struct link *l;
    const char *nobody[] = {"ipc://@sealmq-link-test-nobody"};
    cr_assert_eq(link_open(&l, nobody, 1), STATUS_OK);
    cr_assert_eq(link_poll(l, NULL, 0, 0), STATUS_OK);
    cr_assert_eq(link_send(l, 0, view_of("x", 1)), STATUS_GONE);
    cr_assert_not(link_up(l, 0));
    link_close(&l);
    cr_assert_null(l);
    link_close(&l);
}

Test(link, endpoint_that_cannot_be_is_config)
{
    struct link *l;
    const char *bad[] = {"nonsense://x"};
    cr_assert_eq(link_open(&l, bad, 1), STATUS_CONFIG);
    cr_assert_null(l);
    cr_assert_eq(link_open(&l, bad, 0), STATUS_CONFIG);
}

/* The promise of link.h: the next process at the endpoint sees nothing that was meant for this
 * one. */
Test(link, broken_connection_drops_its_queue_and_replays_nothing)
{
    struct rig r = rig_new(1, 1);
    static char big[65536];
    zmq_msg_t id;
    size_t broker;
    int sent = 0;
    wait_up(&r, 0, true);
    while (sent < LINK_QUEUE_MAX / 2 && link_send(r.link, 0, view_of(big, sizeof big)) == STATUS_OK)
        sent++;
    cr_assert_eq(sent, LINK_QUEUE_MAX / 2); /* the broker reads none of them */
    zmq_close(r.router[0]);
    wait_up(&r, 0, false);
    cr_assert_eq(say(&r, 0, "lost"), STATUS_GONE);
    r.router[0] = router_new(&r, 0, 100);
    wait_up(&r, 0, true);
    cr_assert_eq(say(&r, 0, "first"), STATUS_OK);
    broker_hears(&r, 0, "first", &id); /* and nothing before it */
    broker_says(&r, 0, &id, "answer");
    cr_assert(view_equal(hear(&r, &broker), view_of("answer", 6)));
    zmq_msg_close(&id);
    rig_end(&r);
}

Test(link, broker_that_does_not_read_makes_it_full_in_the_end)
{
    struct rig r = rig_new(1, 1);
    static char big[65536];
    enum status s = STATUS_OK;
    int sent = 0;
    wait_up(&r, 0, true);
    for (; s == STATUS_OK && sent < 2 * LINK_QUEUE_MAX; sent++)
        s = link_send(r.link, 0, view_of(big, sizeof big));
    cr_assert_eq(s, STATUS_FULL);
    cr_assert_lt(sent, 2 * LINK_QUEUE_MAX);
    zmq_close(r.router[0]);
    r.router[0] = NULL;
    wait_up(&r, 0, false);
    rig_end(&r);
}

Test(link, other_descriptors_wake_it)
{
    struct rig r = rig_new(1, 100);
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    struct link_wait wait[] = {{.fd = ends[0], .ready = true}};
    wait_up(&r, 0, true);
    cr_assert_eq(link_poll(r.link, wait, 1, 0), STATUS_OK);
    cr_assert_not(wait[0].ready);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_assert_eq(link_poll(r.link, wait, 1, -1), STATUS_OK);
    cr_assert(wait[0].ready);
    close(ends[0]);
    close(ends[1]);
    rig_end(&r);
}
