/* takeover: raw clients over tcp and CURVE against a real relay, where one chooses the routing id of
 * another (libzmq 4.3.4 lets it). Mallory knows everything of Alice but her key: her routing id, her
 * session, her ids. What must hold: nothing of Mallory is handled as Alice's, nothing for Alice is sent
 * to Mallory.
 *
 *     takeover ENDPOINT SERVER-KEY-FILE FIRST-ID COUNT-COMMAND speaking | silent
 *
 * Routing ids begin at FIRST-ID, and COUNT-COMMAND prints how many connections the broker has accepted, each of
 * which got the next one: so Alice's is found among few. speaking: Mallory says something under it, while Alice
 * is connected and after she vanished. silent: Mallory only waits there. Exit 0: all held; 1: something did not,
 * named on standard error. */
#include "tests/e2e/party.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    uint32_t first_id;
    const char *count_command;
} test;

/* As libzmq makes them: a zero byte and four more. */
static uint8_t taken[5];
static const struct view taken_id = {taken, sizeof taken};

/* --- the cases ------------------------------------------------------------------------------- */

/* Ids that libzmq would never make, and one that it would not yet: nothing that comes under them is heard. */
static void foreign_forms(struct party *mallory)
{
    static const struct view ids[] = {{(const uint8_t *)"dev-a", 5}, {(const uint8_t *)"\0dev", 4},
                                      {(const uint8_t *)"\0dev-a", 6},
                                      {(const uint8_t *)"\0deva", 5}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        party_connect(mallory, ids[i]);
        party_says_bare(mallory, KIND_PING, mallory->founding.account);
        party_hears_nothing(mallory, "a chosen routing id of a foreign form is answered");
    }
    party_connect(mallory, view_of(NULL, 0));
    party_says_bare(mallory, KIND_PING, mallory->founding.account);
    party_is_answered(mallory, KIND_PONG, "PING is not answered");
}

static uint32_t connections_so_far(void)
{
    unsigned count;
    FILE *f = popen(test.count_command, "r");
    CHECK(f && fscanf(f, "%u", &count) == 1, "the broker's connections cannot be counted");
    pclose(f);
    return count;
}

/* Alice's is one of those that were given between the counts: the one under which another is not heard. */
static void find_id(struct party *mallory, uint32_t before, uint32_t after)
{
    struct frame frame;
    for (uint32_t n = before; n <= after; n++) {
        put_u32(taken + 1, test.first_id + n);
        party_connect(mallory, taken_id);
        party_says_bare(mallory, KIND_PING, mallory->founding.account);
        if (!party_hears(mallory, SILENCE_MS, &frame)) return;
    }
    party_fail("the first client's routing id is not found");
}

static void while_connected(struct party *alice, struct party *mallory, struct party *carol)
{
    party_connect(mallory, taken_id);
    party_says_ack(mallory, alice);
    party_says_send(mallory, carol, "in whose name");
    party_sends(carol, alice, "one");
    party_is_delivered(alice, "one");
    party_hears_nothing(mallory, "a second connection under a connected client's routing id is heard");
    party_says_bare(alice, KIND_STATUS, alice->founding.account);
    party_is_answered(alice, KIND_STATUS_IS, "the first connection lost its session to the second");
    party_says_ack(alice, alice);
    party_is_answered(alice, KIND_ACKED, "its ack is not echoed");
    party_leave(mallory);
}

/* The broker has not heard that Alice is gone: the first frame under her routing id is Mallory's. libzmq
 * ignores whoever comes before it has seen Alice go, so she comes again. */
static void takes_over(struct party *alice, struct party *mallory)
{
    party_leave(alice);
    for (int tries = 0; tries < ANSWER_MS / RETRY_MS; tries++) {
        party_connect(mallory, taken_id);
        party_says_ack(mallory, alice);
        zmq_pollitem_t item = {.socket = mallory->socket, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, RETRY_MS) != 1) continue;
        party_is_refused(mallory, STATUS_NO_SESSION, "an ack under a taken routing id is not refused");
        return;
    }
    party_fail("the routing id cannot be taken: nothing was tried");
}

static void after_vanished(struct party *alice, struct party *mallory, struct party *carol)
{
    static const enum frame_kind bare[] = {KIND_STATUS, KIND_TERMS, KIND_BYE};
    takes_over(alice, mallory);
    party_sends(carol, alice, "two");
    party_hears_nothing(mallory, "something for another is sent to a taken routing id");
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++) {
        party_says_bare(mallory, bare[i], alice->founding.account);
        party_is_refused(mallory, STATUS_NO_SESSION, "a request is handled in another's name");
    }
    party_says_send(mallory, carol, "in whose name");
    party_is_refused(mallory, STATUS_NO_SESSION, "a send is handled in another's name");
    party_says_ack(mallory, alice);
    party_is_refused(mallory, STATUS_NO_SESSION, "an ack is handled in another's name");
    party_says_hello(mallory, alice);
    party_is_refused(mallory, STATUS_UNAUTHENTICATED, "HELLO of another's device is not refused");
    party_says_register(mallory, alice);
    party_is_refused(mallory, STATUS_UNAUTHENTICATED, "REGISTER of another's entry is not refused");
    party_connect(alice, view_of(NULL, 0));
    party_attaches(alice);
    party_is_delivered(alice, "two");
    party_hears_nothing(mallory, "something for another is sent to a taken routing id");
    party_hears_nothing(carol, "something was sent in another's name");
}

/* true: what was for Alice did not come to Mallory, who only waits under her routing id. */
static bool silent_hears_nothing(struct party *alice, struct party *mallory, struct party *carol)
{
    bool nothing = true;
    struct frame frame;
    party_leave(alice);
    for (int tries = 0; nothing && tries < 5; tries++) {
        party_connect(mallory, taken_id);
        nothing = !party_hears(mallory, SILENCE_MS, &frame);
        party_sends(carol, alice, "three");
        nothing = nothing && !party_hears(mallory, SILENCE_MS, &frame);
    }
    party_connect(alice, view_of(NULL, 0));
    party_attaches(alice);
    CHECK(party_awaits(alice, ANSWER_MS, &frame) && frame.header.kind == KIND_DELIVER,
          "what another had been sent is not delivered any more");
    return nothing;
}

static void set_up(char **argv)
{
    relay_begin("takeover", argv[1], argv[2]);
    test.first_id = (uint32_t)strtoul(argv[3], NULL, 10);
    test.count_command = argv[4];
}

int main(int argc, char **argv)
{
    struct party parties[3], *alice = &parties[0], *mallory = &parties[1], *carol = &parties[2];
    CHECK(argc == 6, "needs ENDPOINT SERVER-KEY-FILE FIRST-ID COUNT-COMMAND speaking | silent");
    set_up(argv);
    bool held = true;
    uint32_t before = connections_so_far(), after = before;
    for (int i = 0; i < 3; i++) {
        party_make(&parties[i]);
        party_connect(&parties[i], view_of(NULL, 0));
        party_registers(&parties[i]);
        if (&parties[i] == alice) after = connections_so_far();
    }
    party_attaches(alice);
    party_attaches(carol);
    find_id(mallory, before, after);
    foreign_forms(mallory);
    if (strcmp(argv[5], "speaking") == 0) {
        while_connected(alice, mallory, carol);
        after_vanished(alice, mallory, carol);
    } else {
        held = silent_hears_nothing(alice, mallory, carol);
    }
    for (int i = 0; i < 3; i++)
        party_end(&parties[i]);
    relay_end();
    return held ? 0 : 1;
}
