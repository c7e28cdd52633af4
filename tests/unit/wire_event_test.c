/* event: the ring forgets the oldest and says so; records forget what there is too much of; marks tell ids
 * apart and keys too. */
#include "broker/wire/event.h"
#include "broker/wire/messages.h"

#include <criterion/criterion.h>
#include <string.h>

static struct event_ring ring;

static void put(uint64_t first, uint64_t count)
{
    for (uint64_t i = first; i < first + count; i++)
        event_ring_put(&ring, &(struct event){.kind = EVENT_SESSION_STARTED, .at_ms = i});
}

Test(event, an_empty_ring_gives_nothing)
{
    struct event e;
    cr_assert_not(event_ring_take(&ring, &e));
}

Test(event, come_out_in_order)
{
    struct event e;
    put(1, EVENT_RING_LEN);
    for (uint64_t i = 1; i <= EVENT_RING_LEN; i++) {
        cr_assert(event_ring_take(&ring, &e));
        cr_assert_eq(e.kind, EVENT_SESSION_STARTED);
        cr_assert_eq(e.at_ms, i);
    }
    cr_assert_not(event_ring_take(&ring, &e));
    cr_assert_eq(ring.dropped, 0u);
}

Test(event, the_oldest_fall_out_and_are_counted_once)
{
    struct event e;
    put(1, EVENT_RING_LEN + 7);
    cr_assert(event_ring_take(&ring, &e));
    cr_assert_eq(e.kind, EVENT_EVENTS_DROPPED);
    cr_assert_eq(e.count, 7u);
    cr_assert_eq(e.at_ms, 8u, "the time of the first that is left");
    for (uint64_t i = 8; i <= EVENT_RING_LEN + 7; i++) {
        cr_assert(event_ring_take(&ring, &e));
        cr_assert_eq(e.at_ms, i);
    }
    cr_assert_not(event_ring_take(&ring, &e));
}

Test(event, drops_between_takes_are_told_again)
{
    struct event e;
    put(1, EVENT_RING_LEN + 1);
    cr_assert(event_ring_take(&ring, &e));
    cr_assert_eq(e.count, 1u);
    put(EVENT_RING_LEN + 2, 2);
    cr_assert(event_ring_take(&ring, &e));
    cr_assert_eq(e.kind, EVENT_EVENTS_DROPPED);
    cr_assert_eq(e.count, 2u);
    cr_assert(event_ring_take(&ring, &e));
    cr_assert_eq(e.at_ms, 4u);
    cr_assert_eq(ring.written, ring.taken + EVENT_RING_LEN - 1);
}

/* ---- records ---- */

static struct event_records records;

static void record(enum event_kind kind, uint64_t mono_ms, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        event_records_step(&records, mono_ms, mono_ms);
        event_records_put(&records, &(struct event){.kind = kind, .count = 1, .at_ms = mono_ms});
    }
}

/* Takes all; how many are of this kind, and for EVENTS_DROPPED the number that they tell of `code`. */
static uint64_t recorded(enum event_kind kind, uint32_t code)
{
    uint64_t count = 0;
    for (struct event e; event_records_take(&records, &e);)
        if (e.kind == kind && (!code || e.code == code)) count += e.count;
    return count;
}

Test(records, a_kind_has_its_share_of_a_second_and_the_rest_is_a_number)
{
    record(EVENT_LOG_REFUSED, 5000, RECORDS_OF_A_KIND);
    cr_assert_eq(recorded(EVENT_LOG_REFUSED, 0), RECORDS_OF_A_KIND);
    record(EVENT_LOG_REFUSED, 5999, 5);
    cr_assert_eq(recorded(EVENT_LOG_REFUSED, 0), 0, "the second is the same");
    record(EVENT_LOG_REFUSED, 6000, 1);
    cr_assert_eq(records.ring.written - records.ring.taken, 2);
    cr_assert_eq(recorded(EVENT_EVENTS_DROPPED, EVENT_LOG_REFUSED), 5);
    event_records_step(&records, 7000, 7000);
    cr_assert_eq(recorded(EVENT_EVENTS_DROPPED, 0), 0, "told once");
}

/* Nobody takes any for a while, as when the disk is full. */
Test(records, all_kinds_together_push_nothing_out_and_every_event_is_counted)
{
    uint64_t put = 0, told = 0, seconds = 300;
    record(EVENT_STORE_DAMAGED, 1000, 1);
    for (uint64_t second = 2; second < seconds; second++)
        for (uint32_t kind = 1; kind < EVENT_KINDS_MAX; kind++) {
            if (event_name(kind)[0] == '?' || kind == EVENT_STORE_DAMAGED ||
                kind == EVENT_EVENTS_DROPPED)
                continue;
            record((enum event_kind)kind, second * 1000, 12);
            put += 12;
        }
    bool damage = false;
    for (uint64_t second = seconds; second < seconds + 3; second++) {
        event_records_step(&records, second * 1000, second * 1000);
        for (struct event e; event_records_take(&records, &e); told += e.count) {
            cr_assert_neq(e.code, EVENT_EVENTS_DROPPED);
            damage = damage || e.kind == EVENT_STORE_DAMAGED;
        }
    }
    cr_assert(damage);
    cr_assert_eq(told, put + 1);
    cr_assert_eq(records.ring.dropped, 0);
}

Test(records, a_kind_of_a_newer_peer_is_bounded_too)
{
    record((enum event_kind)4711, 5000, 40);
    event_records_step(&records, 6000, 6000);
    uint64_t written = records.ring.written;
    cr_assert_eq(written, RECORDS_OF_A_KIND + 1);
    cr_assert_eq(recorded(EVENT_EVENTS_DROPPED, 0), 32);
    record((enum event_kind)4711, 6000, 1);
    cr_assert_eq(recorded((enum event_kind)4711, 0), 1);
}

static uint64_t version(const char *text)
{
    return version_number(view_of(text, strlen(text)));
}

Test(event, versions_are_numbers)
{
    cr_assert_eq(version("2.4.1"), 2ull << 32 | 4ull << 16 | 1);
    cr_assert_eq(version("7"), 7ull << 32);
    cr_assert_eq(version("1.65535"), 1ull << 32 | 65535ull << 16);
    cr_assert_gt(version("1.10.0"), version("1.9.65535"));
}

Test(event, what_is_no_version_is_zero)
{
    static const char *const wrong[] = {"", ".", "1.", ".1", "1..2", "1.2.3.4", "1.2.3.", "65536",
        "1.65536.0", "0.0.65536", "100000", "1.2a", "v1", "-1", "1 ", " 1", "1,2", "secret text"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(version(wrong[i]), 0u, "%s", wrong[i]);
}

Test(event, kinds_have_unique_codes_and_names)
{
    size_t count = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        if (strcmp(event_name(i), "?") == 0) continue;
        count++;
        for (uint64_t k = 0; k < i; k++)
            cr_assert_str_neq(event_name(i), event_name(k));
        cr_assert_not_null(event_words(i).code);
        cr_assert_leq(event_level(i), LEVEL_ALARM);
    }
#define X(NAME, code, text, level, c, n, v) count--;
    EVENT_LIST(X)
#undef X
    cr_assert_eq(count, 0u, "two events share a code");
    cr_assert_str_eq(event_name(9999), "?");
    cr_assert_str_eq(event_words(9999).count, "");
}

Test(event, marks_depend_on_key_kind_and_id)
{
    struct mark_key key = {{1}}, other = {{2}};
    struct device_id device = {{5}}, device2 = {{6}};
    struct message_id message = {{5}};
    struct mark m = mark_device(&key, device), n = mark_device(&key, device);
    cr_assert_eq(memcmp(&m, &n, sizeof m), 0);
    n = mark_device(&other, device);
    cr_assert_neq(memcmp(&m, &n, sizeof m), 0);
    n = mark_device(&key, device2);
    cr_assert_neq(memcmp(&m, &n, sizeof m), 0);
    n = mark_message(&key, message);
    cr_assert_neq(memcmp(&m, &n, sizeof m), 0, "same bytes, another kind of id");
}

Test(event, survives_the_wire)
{
    struct event e = {.at_ms = 1, .kind = EVENT_SEND_REFUSED, .code = STATUS_ID_TIME, .count = 2,
                      .value = 3, .account = {{4}}, .device = {{5}}, .message = {{6}},
                      .store = {{7}}};
    struct msg_event m = msg_event_of(&e), read;
    struct buffer b = {0};
    struct arena a = {0};
    codec_encode(&msg_event_desc, &m, &b);
    cr_assert_eq(codec_decode(&msg_event_desc, buffer_view(&b), &a, &read), STATUS_OK);
    struct event back = event_of_msg(&read);
    cr_assert_eq(back.kind, e.kind);
    cr_assert_eq(back.code, e.code);
    cr_assert(back.at_ms == 1 && back.count == 2 && back.value == 3);
    cr_assert_eq(memcmp(&back.account, &e.account, 8), 0);
    cr_assert_eq(memcmp(&back.device, &e.device, 8), 0);
    cr_assert_eq(memcmp(&back.message, &e.message, 8), 0);
    cr_assert_eq(memcmp(&back.store, &e.store, 8), 0);
    buffer_fini(&b);
    arena_fini(&a);
}
