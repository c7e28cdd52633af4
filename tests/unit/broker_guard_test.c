/* Which connections the edge ends: each rule at its limit and one beyond it. */
#include "broker/guard.h"

#include <criterion/criterion.h>
#include <string.h>

#define CONNECTIONS 2000u
#define OF_ADDRESS  100u
#define FILES       2500u
#define FIRST       0xfffffff0u /* ids wrap around soon */

static struct edge_world {
    struct guard *g;
    uint64_t now_ms;
    int cut_fd, cuts;       /* the last one that was cut, and how many were */
    uint32_t gone, goings;  /* the same for routing ids */
    struct event events[64];
    size_t event_count;
} w;

static void on_cut(void *context, int fd, const struct edge_peer *peer)
{
    (void)context;
    (void)peer;
    w.cut_fd = fd;
    w.cuts++;
}

static void on_gone(void *context, uint32_t routing)
{
    (void)context;
    w.gone = routing;
    w.goings++;
}

static void on_event(void *context, const struct event *e)
{
    (void)context;
    cr_assert(w.event_count < sizeof w.events / sizeof w.events[0]);
    w.events[w.event_count++] = *e;
}

static void set_up(void)
{
    struct guard_config config = {
        .connections_max = CONNECTIONS, .address_connections_max = OF_ADDRESS,
        .descriptors_max = FILES, .first_routing = FIRST, .seed = {7},
        .out = {NULL, on_cut, on_gone, on_event}};
    w = (struct edge_world){.now_ms = 100000, .cut_fd = -1};
    w.g = guard_new(&config);
}

static void tear_down(void)
{
    guard_free(&w.g);
    guard_free(&w.g); /* NULL-safe */
}

TestSuite(guard, .init = set_up, .fini = tear_down);

/* 10.0.0.0 + n */
static struct edge_peer peer_n(uint32_t n)
{
    struct edge_peer p = {.host = {{[10] = 0xff, [11] = 0xff, [12] = 10}}, .port = 1000};
    p.host.bytes[13] = (uint8_t)(n >> 16);
    p.host.bytes[14] = (uint8_t)(n >> 8);
    p.host.bytes[15] = (uint8_t)n;
    return p;
}

static void comes(int fd, uint32_t address)
{
    struct edge_peer p = peer_n(address);
    guard_accepted(w.g, w.now_ms, fd, &p);
}

static bool speaks(int fd, uint32_t routing)
{
    return guard_heard(w.g, fd, routing) || guard_speaks(w.g, w.now_ms, fd, routing);
}

static void looks(int fd, uint64_t received, uint64_t acked, bool unacked)
{
    guard_look(w.g, w.now_ms, fd, &(struct edge_traffic){received, acked, unacked, false});
}

static struct edge_counts counts(void)
{
    struct edge_counts c;
    guard_counts(w.g, &c);
    return c;
}

static uint64_t cut_for(enum cut_reason reason)
{
    return counts().cut[reason];
}

static size_t events(enum event_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < w.event_count; i++)
        count += w.events[i].kind == kind;
    return count;
}

/* --- at accept ------------------------------------------------------------------------------- */

Test(guard, address_limit_sheds_the_one_beyond_it)
{
    for (int fd = 0; fd < (int)OF_ADDRESS; fd++)
        comes(fd, 1);
    cr_assert_eq(w.cuts, 0);
    comes(200, 1);
    cr_assert_eq(w.cut_fd, 200);
    cr_assert_eq(cut_for(CUT_ADDRESS_FULL), 1);
    comes(201, 2);
    cr_assert_eq(w.cuts, 1, "another address");
    guard_ended(w.g, w.now_ms, 200);
    comes(200, 1);
    cr_assert_eq(w.cuts, 2, "still full");
    guard_ended(w.g, w.now_ms, 200);
    guard_ended(w.g, w.now_ms, 5);
    comes(200, 1);
    cr_assert_eq(w.cuts, 2, "one has gone");
}

Test(guard, ipv6_addresses_of_one_network_are_one)
{
    struct edge_peer p = {.host = {{0x20, 0x01, [7] = 9}}};
    for (int fd = 0; fd < (int)OF_ADDRESS; fd++) {
        p.host.bytes[15] = (uint8_t)fd;
        guard_accepted(w.g, w.now_ms, fd, &p);
    }
    p.host.bytes[7] = 8;
    guard_accepted(w.g, w.now_ms, 300, &p);
    cr_assert_eq(w.cuts, 0, "another network");
    p.host.bytes[7] = 9;
    guard_accepted(w.g, w.now_ms, 301, &p);
    cr_assert_eq(cut_for(CUT_ADDRESS_FULL), 1);
}

static void set_up_wide(void)
{
    struct guard_config config = {
        .connections_max = CONNECTIONS_MAX, .address_connections_max = CONNECTIONS_MAX,
        .descriptors_max = 100000, .first_routing = 0, .out = {NULL, on_cut, on_gone, on_event}};
    w = (struct edge_world){.now_ms = 100000, .cut_fd = -1};
    w.g = guard_new(&config);
}
TestSuite(guard_wide, .init = set_up_wide, .fini = tear_down);

Test(guard_wide, silent_ones_of_one_address_are_few)
{
    for (int fd = 0; fd < (int)ADDRESS_SILENT_MAX; fd++)
        comes(fd, 1);
    cr_assert_eq(w.cuts, 0);
    comes(1000, 1);
    cr_assert_eq(cut_for(CUT_ADDRESS_SILENT), 1);
    comes(1001, 2);
    cr_assert_eq(w.cuts, 1, "another address");
    cr_assert(speaks(0, 1));
    comes(1002, 1);
    cr_assert_eq(w.cuts, 1, "one of them has spoken");
}

Test(guard_wide, silent_ones_of_all_are_limited)
{
    for (int fd = 0; fd < (int)HALF_OPEN_MAX; fd++)
        comes(fd, (uint32_t)fd);
    cr_assert_eq(w.cuts, 0);
    cr_assert_eq(counts().half_open, HALF_OPEN_MAX);
    comes(5000, 5000);
    cr_assert_eq(cut_for(CUT_HALF_OPEN), 1);
    cr_assert_eq(counts().half_open, HALF_OPEN_MAX, "one that is shed is not counted");
    cr_assert(speaks(7, 3));
    comes(5001, 5001);
    cr_assert_eq(w.cuts, 1);
}

Test(guard_wide, bytes_of_all_unfinished_messages_are_limited_and_the_largest_goes)
{
    const uint64_t each = UNFINISHED_MAX - 1;
    uint64_t total = 0;
    for (int fd = 0; total <= UNFINISHED_ALL_MAX; fd++) {
        cr_assert_eq(w.cuts, 0);
        comes(fd, (uint32_t)fd);
        cr_assert(speaks(fd, (uint32_t)fd));
        looks(fd, 100, 0, false);
        looks(fd, 100 + each + (fd == 3), 0, false);
        total += each + (fd == 3);
    }
    cr_assert_eq(cut_for(CUT_UNFINISHED_ALL), 1);
    cr_assert_eq(w.cut_fd, 3);
    cr_assert_eq(w.goings, 1);
}

Test(guard, connections_beyond_the_setting_are_shed)
{
    for (int fd = 0; fd < (int)CONNECTIONS; fd++) {
        comes(fd % 1990, (uint32_t)fd / 50);
        if (fd < 1990) cr_assert(speaks(fd, FIRST + (uint32_t)fd));
    }
    cr_assert_eq(w.cuts, 0);
    for (int fd = 1990; fd < 1990 + 11; fd++)
        comes(fd, 90);
    cr_assert_eq(cut_for(CUT_CONNECTIONS), 1, "10 descriptors came twice");
    cr_assert_eq(cut_for(CUT_DESCRIPTORS), 0);
}

Test(guard, descriptors_at_four_fifths_are_shed)
{
    comes((int)(FILES * 8 / 10) - 1, 1);
    cr_assert_eq(w.cuts, 0);
    comes((int)(FILES * 8 / 10), 2);
    cr_assert_eq(cut_for(CUT_DESCRIPTORS), 1);
    comes(1 << 20, 3);
    cr_assert_eq(cut_for(CUT_DESCRIPTORS), 2, "one that the table has no place for");
    cr_assert_eq(w.cut_fd, 1 << 20);
    guard_ended(w.g, w.now_ms, 1 << 20);
    guard_ended(w.g, w.now_ms, -1);
    cr_assert_not(speaks(1 << 20, FIRST));
}

Test(guard, address_that_offends_is_banned_for_a_minute)
{
    comes(50, 9);
    cr_assert(speaks(50, FIRST));
    for (uint32_t i = 0; i < OFFENCES_MAX; i++) {
        cr_assert_eq(w.cuts, 0);
        cr_assert_eq(events(EVENT_ADDRESS_BANNED), 0);
        comes(60, 9);
        guard_ended(w.g, w.now_ms, 60); /* without a word */
    }
    cr_assert_eq(counts().failed, OFFENCES_MAX);
    cr_assert_eq(events(EVENT_ADDRESS_BANNED), 1);
    comes(61, 9);
    cr_assert_eq(cut_for(CUT_BANNED), 1);
    cr_assert(speaks(50, FIRST), "who is there stays");
    comes(62, 10);
    cr_assert_eq(w.cuts, 1, "another address");
    guard_ended(w.g, w.now_ms, 61);
    w.now_ms += BAN_MS;
    comes(61, 9);
    cr_assert_eq(w.cuts, 1, "the minute is over");
}

Test(guard, offences_far_apart_ban_nobody)
{
    for (uint32_t i = 0; i < 4 * OFFENCES_MAX; i++) {
        comes(60, 9);
        guard_ended(w.g, w.now_ms, 60);
        w.now_ms += OFFENCES_WINDOW_MS / (OFFENCES_MAX / 2);
    }
    cr_assert_eq(w.cuts, 0);
    cr_assert_eq(events(EVENT_ADDRESS_BANNED), 0);
}

Test(guard, address_of_the_probe_is_neither_banned_nor_full)
{
    comes(50, 9);
    cr_assert(speaks(50, FIRST));
    guard_own(w.g, 50);
    for (uint32_t i = 0; i < 2 * OFFENCES_MAX; i++) {
        comes(60, 9);
        guard_ended(w.g, w.now_ms, 60);
    }
    for (int fd = 100; fd < 100 + 2 * (int)OF_ADDRESS; fd++)
        comes(fd, 9);
    cr_assert_eq(w.cuts, 0);
    cr_assert_eq(events(EVENT_ADDRESS_BANNED), 0);
}

Test(guard, peer_that_cannot_be_told_is_guarded_all_the_same)
{
    struct edge_peer none = {.port = 0};
    guard_accepted(w.g, w.now_ms, 4, &none);
    w.now_ms += FIRST_FRAME_MS;
    guard_look(w.g, w.now_ms, 4, NULL);
    cr_assert_eq(cut_for(CUT_SILENT), 1);
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(counts().half_open, 0);
}

/* --- frames and ids -------------------------------------------------------------------------- */

Test(guard, ids_that_libzmq_gives_may_speak)
{
    for (int fd = 0; fd < 40; fd++) { /* around the end of the numbers */
        comes(fd, (uint32_t)fd);
        cr_assert(speaks(fd, FIRST + 1 + (uint32_t)fd));
        cr_assert(guard_heard(w.g, fd, FIRST + 1 + (uint32_t)fd));
    }
    cr_assert_eq(w.cuts, 0);
    cr_assert_eq(counts().half_open, 0);
}

Test(guard, ids_that_it_cannot_have_given_are_cut)
{
    for (int fd = 0; fd < 10; fd++)
        comes(fd, (uint32_t)fd);
    cr_assert(speaks(0, FIRST + 10), "it may have been the last to be identified");
    cr_assert_not(speaks(1, FIRST + 11));
    cr_assert_eq(w.cut_fd, 1);
    cr_assert_not(speaks(2, FIRST - 1));
    cr_assert_not(speaks(3, 0x64657661));
    cr_assert_eq(cut_for(CUT_ROUTING_ID), 3);
    cr_assert_not(speaks(3, FIRST + 4), "it is cut, whatever it says");
    cr_assert_eq(w.goings, 0, "none of them had a session");
}

Test(guard, probe_narrows_what_ids_can_be)
{
    for (int i = 0; i < 1000; i++) { /* came, got no id, and went */
        comes(7, 1000 + (uint32_t)i);
        guard_ended(w.g, w.now_ms, 7);
    }
    comes(1, 1);
    comes(2, 2);
    comes(3, 3);
    cr_assert(speaks(2, FIRST + 1));
    guard_own(w.g, 2);
    cr_assert_eq(guard_ids_next(w.g), FIRST + 1 + 2 + 1 + 1, "it and the one before, and one since");
    cr_assert_not(speaks(1, FIRST + 5));
    cr_assert(speaks(3, FIRST + 4));
    comes(4, 4);
    comes(5, 5);
    cr_assert(speaks(4, FIRST + 6), "two have come since");
}

Test(guard, one_that_had_its_id_after_the_probe_and_went_is_counted)
{
    comes(1, 1);
    comes(2, 2);
    guard_ended(w.g, w.now_ms, 2); /* it had FIRST + 2 */
    cr_assert(speaks(1, FIRST + 1));
    guard_own(w.g, 1);
    comes(3, 3);
    cr_assert(speaks(3, FIRST + 3));
}

Test(guard, late_frame_of_an_ended_connection_is_dropped_and_harms_nobody)
{
    comes(4, 1);
    cr_assert(speaks(4, FIRST + 1));
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(w.gone, FIRST + 1);
    cr_assert_not(speaks(4, FIRST + 1), "the descriptor is free");
    comes(4, 2);
    cr_assert(speaks(4, FIRST + 2));
    cr_assert_not(speaks(4, FIRST + 1), "the descriptor is another's");
    cr_assert(speaks(4, FIRST + 2));
    cr_assert_eq(w.cuts, 0);
}

Test(guard, first_frame_that_is_late_gives_way_to_the_real_one)
{
    comes(4, 1);
    guard_ended(w.g, w.now_ms, 4); /* its only frame is still in a queue */
    comes(4, 2);
    cr_assert(speaks(4, FIRST + 1));
    cr_assert(speaks(4, FIRST + 2));
    cr_assert_eq(w.gone, FIRST + 1);
    cr_assert_not(speaks(4, FIRST + 1));
    cr_assert_eq(w.cuts, 0);
}

Test(guard, end_of_a_speaker_is_told_and_of_a_silent_one_not)
{
    comes(4, 1);
    comes(5, 1);
    cr_assert(speaks(4, FIRST + 1));
    guard_ended(w.g, w.now_ms, 5);
    cr_assert_eq(w.goings, 0);
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(w.goings, 1);
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(w.goings, 1, "once");
    cr_assert_eq(counts().failed, 1);
}

Test(guard, offence_cuts_once_and_ends_the_session)
{
    comes(4, 1);
    cr_assert(speaks(4, FIRST + 1));
    guard_offence(w.g, w.now_ms, 4, CUT_PARTS);
    guard_offence(w.g, w.now_ms, 4, CUT_PARTS);
    guard_offence(w.g, w.now_ms, 9, CUT_PARTS);
    guard_offence(w.g, w.now_ms, -1, CUT_PARTS);
    cr_assert_eq(w.cuts, 1);
    cr_assert_eq(w.gone, FIRST + 1);
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(w.goings, 1, "told once");
    cr_assert_eq(cut_for(CUT_PARTS), 1);
}

Test(guard, id_of_a_foreign_form_cuts_who_has_not_spoken_and_nobody_else)
{
    comes(4, 1);
    comes(5, 1);
    cr_assert(speaks(5, FIRST + 1));
    guard_offence(w.g, w.now_ms, 5, CUT_ROUTING_ID);
    cr_assert_eq(w.cuts, 0, "the frame is of who had the descriptor before");
    guard_offence(w.g, w.now_ms, 4, CUT_ROUTING_ID);
    cr_assert_eq(w.cut_fd, 4);
}

Test(guard, squatter_of_a_number_to_come_is_among_the_silent)
{
    cr_assert_eq(guard_ids_next(w.g), FIRST + 1);
    for (int fd = 4; fd < 7; fd++)
        comes(fd, 1);
    cr_assert_eq(guard_ids_next(w.g), FIRST + 4);
    cr_assert(speaks(5, FIRST + 3));
    guard_squatted(w.g, w.now_ms);
    cr_assert_eq(w.cuts, 2);
    cr_assert(speaks(5, FIRST + 3), "who has spoken is none");
    cr_assert_eq(cut_for(CUT_ROUTING_ID), 2);
}

Test(guard, core_may_cut_who_it_does_not_want)
{
    comes(4, 1);
    comes(5, 1);
    cr_assert(speaks(4, FIRST + 1));
    cr_assert(speaks(5, FIRST + 2));
    guard_cut(w.g, w.now_ms, FIRST + 9);
    cr_assert_eq(w.cuts, 0);
    guard_cut(w.g, w.now_ms, FIRST + 2);
    cr_assert_eq(w.cut_fd, 5);
    cr_assert_eq(w.goings, 0, "the core knows");
    cr_assert_eq(cut_for(CUT_SESSION), 1);
}

/* --- time and bytes -------------------------------------------------------------------------- */

Test(guard, silence_after_accept_is_cut_and_speech_is_not)
{
    comes(4, 1);
    comes(5, 1);
    w.now_ms += FIRST_FRAME_MS - 1;
    cr_assert(speaks(5, FIRST + 1));
    looks(4, 300, 0, false);
    cr_assert_eq(w.cuts, 0);
    w.now_ms++;
    looks(4, 300, 0, false);
    looks(5, 300, 0, false);
    cr_assert_eq(w.cut_fd, 4);
    cr_assert_eq(w.cuts, 1);
    cr_assert_eq(cut_for(CUT_SILENT), 1);
}

Test(guard, message_without_end_is_cut_and_many_messages_are_not)
{
    uint64_t received = 1000;
    comes(4, 1);
    comes(5, 1);
    cr_assert(speaks(4, FIRST + 1));
    cr_assert(speaks(5, FIRST + 2));
    looks(4, received, 0, false);
    looks(5, received, 0, false);
    for (int i = 0; i < 20; i++) {
        received += UNFINISHED_MAX;
        cr_assert(speaks(5, FIRST + 2));
        looks(5, received, 0, false);
    }
    cr_assert_eq(w.cuts, 0);
    looks(4, 1000 + UNFINISHED_MAX, 0, false);
    cr_assert_eq(w.cuts, 0, "as much may be one frame");
    looks(4, 1001 + UNFINISHED_MAX, 0, false);
    cr_assert_eq(w.cut_fd, 4);
    cr_assert_eq(cut_for(CUT_UNFINISHED), 1);
    looks(5, received + UNFINISHED_MAX + 1, 0, false);
    cr_assert_eq(cut_for(CUT_UNFINISHED), 2, "nothing whole since the last look");
}

Test(guard, handshake_without_end_is_cut_by_bytes_too)
{
    comes(4, 1);
    looks(4, UNFINISHED_MAX, 0, false);
    cr_assert_eq(w.cuts, 0);
    looks(4, UNFINISHED_MAX + 1, 0, false);
    cr_assert_eq(cut_for(CUT_UNFINISHED), 1);
}

Test(guard, who_does_not_read_is_cut_and_who_reads_slowly_is_not)
{
    comes(4, 1);
    comes(5, 1);
    comes(6, 1);
    for (int fd = 4; fd < 7; fd++)
        cr_assert(speaks(fd, FIRST + (uint32_t)fd - 4));
    for (uint32_t i = 0; i <= 10; i++) {
        looks(4, 0, 500, true);
        looks(5, 0, 500 + i, true); /* slowly */
        looks(6, 0, 500, false);    /* there is nothing to read */
        cr_assert_eq(w.cuts, 0);
        w.now_ms += UNREAD_MS / 10 - 1;
    }
    w.now_ms += 100;
    looks(4, 0, 500, true);
    looks(5, 0, 600, true);
    looks(6, 0, 500, true);
    cr_assert_eq(w.cuts, 1);
    cr_assert_eq(w.cut_fd, 4);
    cr_assert_eq(cut_for(CUT_UNREAD), 1);
}

Test(guard, cut_that_does_not_end_is_stuck_until_it_does)
{
    comes(4, 1);
    cr_assert(speaks(4, FIRST));
    guard_offence(w.g, w.now_ms, 4, CUT_PARTS);
    guard_look(w.g, w.now_ms + STUCK_MS - 1, 4, NULL);
    cr_assert(counts().stuck == 0 && w.cuts == 1);
    w.now_ms += STUCK_MS;
    guard_look(w.g, w.now_ms, 4, NULL);
    guard_look(w.g, w.now_ms, 4, NULL);
    cr_assert_eq(counts().stuck, 1);
    cr_assert(w.cuts == 2 && w.cut_fd == 4, "shutting it may have failed: once more");
    cr_assert_eq(cut_for(CUT_PARTS), 1, "counted once");
    cr_assert_eq(events(EVENT_CONNECTIONS_STUCK), 1);
    guard_ended(w.g, w.now_ms, 4);
    cr_assert_eq(counts().stuck, 0);
}

static void stick(int fd, uint64_t bytes)
{
    comes(fd, (uint32_t)fd);
    looks(fd, bytes, 0, false);
    guard_offence(w.g, w.now_ms, fd, CUT_PARTS);
    guard_look(w.g, w.now_ms + STUCK_MS, fd, NULL);
}

Test(guard, too_many_stuck_ones_are_hopeless)
{
    for (int fd = 0; fd < (int)CONNECTIONS / 8; fd++)
        stick(fd, 10);
    cr_assert_not(guard_hopeless(w.g));
    size_t told = events(EVENT_CONNECTIONS_STUCK);
    stick(1000, 10);
    cr_assert(guard_hopeless(w.g));
    cr_assert_eq(events(EVENT_CONNECTIONS_STUCK), told + 1);
    guard_ended(w.g, w.now_ms, 1000);
    cr_assert_not(guard_hopeless(w.g));
}

Test(guard, too_many_stuck_bytes_are_hopeless)
{
    int fd = 0;
    for (uint64_t bytes = 0; bytes + UNFINISHED_MAX <= UNFINISHED_ALL_MAX; bytes += UNFINISHED_MAX)
        stick(fd++, UNFINISHED_MAX);
    cr_assert_not(guard_hopeless(w.g));
    stick(fd, UNFINISHED_MAX);
    cr_assert(guard_hopeless(w.g));
    guard_ended(w.g, w.now_ms, 0);
    cr_assert_not(guard_hopeless(w.g));
}

Test(guard, cuts_are_told_by_reason_and_number_once_a_second)
{
    for (int fd = 0; fd < 5; fd++) {
        comes(fd, 1);
        guard_offence(w.g, w.now_ms, fd, fd < 3 ? CUT_PARTS : CUT_NO_KEY);
    }
    guard_step(w.g, w.now_ms);
    cr_assert_eq(w.event_count, 2);
    cr_assert_eq(w.events[0].code, CUT_PARTS);
    cr_assert_eq(w.events[0].count, 3);
    cr_assert_eq(w.events[1].code, CUT_NO_KEY);
    cr_assert_eq(w.events[1].count, 2);
    comes(6, 1);
    guard_offence(w.g, w.now_ms, 6, CUT_PARTS);
    guard_accept_failed(w.g, 24);
    guard_accept_failed(w.g, 24);
    guard_step(w.g, w.now_ms + 999);
    cr_assert_eq(events(EVENT_CONNECTION_CUT), 2);
    guard_step(w.g, w.now_ms + 1000);
    cr_assert_eq(events(EVENT_CONNECTION_CUT), 3);
    cr_assert_eq(events(EVENT_ACCEPT_FAILED), 1);
    guard_step(w.g, w.now_ms + 3000);
    cr_assert_eq(events(EVENT_CONNECTION_CUT), 3, "nothing new");
}

Test(guard, looks_come_round_in_bounded_steps)
{
    int seen[40] = {0};
    for (int fd = 3; fd < 40; fd += 2)
        comes(fd, (uint32_t)fd);
    guard_step(w.g, w.now_ms);
    for (int fd = guard_look_next(w.g); fd >= 0; fd = guard_look_next(w.g))
        seen[fd]++;
    for (int fd = 0; fd < 40; fd++)
        cr_assert_eq(seen[fd], fd >= 3 && fd % 2, "each once, and no other");
    for (int fd = 3; fd < 40; fd += 2)
        guard_ended(w.g, w.now_ms, fd);
    guard_step(w.g, w.now_ms);
    cr_assert_eq(guard_look_next(w.g), -1);
}
