/* api_guest: carries frames between a guest and its transport. libzmq's descriptors tell an edge: see api_loop.c. */
#include "clients/api_guest.h"

#include "broker/host/host.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TURNS_MAX 8u /* at once: others share the caller's thread */

static void random_fill_host(void *self, void *out, size_t len)
{
    (void)self;
    host_random(out, len);
}

struct random_source api_random(void)
{
    return (struct random_source){.fill = random_fill_host};
}

enum status api_guest_open(struct api_guest *g, struct transport_options *options, char *error, size_t cap)
{
    struct random_source random = api_random();
    *g = (struct api_guest){.poll_fd = epoll_create1(EPOLL_CLOEXEC), .again = true};
    if (g->poll_fd < 0) {
        snprintf(error, cap, "no descriptor to wait on: %s", strerror(errno));
        return STATUS_IO;
    }
    guest_new(&random, &g->guest);
    options->poll_fd = g->poll_fd;
    return transport_open(options, &g->transport, error, cap);
}

void api_guest_close(struct api_guest *g)
{
    if (!g->guest) return;
    transport_close(&g->transport);
    guest_free(&g->guest);
    close(g->poll_fd);
    *g = (struct api_guest){0};
}

static void receive(struct api_guest *g, struct now now)
{
    struct transport_event event;
    while (transport_next(g->transport, &event)) {
        switch (event.kind) {
        case TRANSPORT_UP:
            guest_up(g->guest, now);
            break;
        case TRANSPORT_DOWN:
            guest_down(g->guest);
            break;
        case TRANSPORT_FRAME:
            guest_frame(g->guest, now, event.frame);
            break;
        }
    }
}

static void send_due(struct api_guest *g, struct now now)
{
    struct view frame;
    if (guest_next_frame(g->guest, now, &frame) && transport_send(g->transport, frame) != STATUS_OK)
        guest_keep_frame(g->guest);
}

void api_guest_turn(struct api_guest *g, struct now now)
{
    g->again = true;
    for (unsigned i = 0; i < TURNS_MAX && g->again; i++) {
        receive(g, now);
        guest_tick(g->guest, now);
        if (guest_wants_move(g->guest)) {
            guest_down(g->guest);
            transport_move(g->transport);
        }
        send_due(g, now);
        g->again = transport_ready(g->transport);
    }
}

int api_guest_deadline_ms(const struct api_guest *g, uint64_t until_ms)
{
    if (!g->transport) return -1;
    if (g->again) return 0;
    uint64_t now_ms = host_now().mono_ms, guest_ms = guest_deadline_ms(g->guest);
    uint64_t max_ms = transport_wait_max_ms(g->transport);
    if (guest_ms < until_ms) until_ms = guest_ms;
    if (until_ms == UINT64_MAX && max_ms == UINT64_MAX) return -1;
    uint64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    if (max_ms < wait_ms) wait_ms = max_ms;
    return wait_ms < INT_MAX ? (int)wait_ms : INT_MAX;
}

void api_guest_hint(const struct api_guest *g, char *out, size_t cap)
{
    const char *endpoint = transport_endpoint(g->transport);
    if (transport_is_up(g->transport))
        snprintf(out, cap, "%s has not answered in time: it may be starting, or overloaded", endpoint);
    else if (transport_trouble(g->transport) == TROUBLE_HANDSHAKE)
        snprintf(out, cap, "%s answers, but not as the relay of this key: check the server key", endpoint);
    else
        snprintf(out, cap, "no relay answers at %s: check that it runs and can be reached", endpoint);
}
