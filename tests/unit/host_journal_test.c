/* journal: the words of a line, and a sink that fails. */
#include "broker/wire/states.h"
#include "broker/host/journal.h"
#include "tests/unit/host_fixture.h"

#include <fcntl.h>
#include <signal.h>

TestSuite(journal, .init = fixture_start, .fini = fixture_end);

#define LEN_MAX (1u << 20)

static const struct event refused = {.at_ms = 1700000000123, .kind = EVENT_SEND_REFUSED,
                                     .code = STATUS_ID_TIME, .count = 2,
                                     .value = 2ull << 32 | 4 << 16 | 1};

#define REFUSED_REST                                                                               \
    "\"event\":\"send_refused\",\"level\":\"info\",\"status\":\"id_time\",\"attempt\":2,"           \
    "\"client_version\":\"2.4.1\"}"
#define AT "{\"at\":\"2023-11-14T22:13:20.123Z\","

Test(journal, an_event_has_its_own_words)
{
    char line[1024];
    event_json(&refused, line, sizeof line);
    cr_assert_str_eq(line, AT REFUSED_REST);
}

Test(journal, a_change_of_devices_is_told_by_its_own_name_with_who_signed_it)
{
    char line[1024];
    struct event e = {.kind = EVENT_IDENTITY_CHANGED, .code = CHANGED_ENROLLED, .value = 9, .account = {{1}},
                      .device = {{2}}, .actor = {{3}}};
    event_json(&e, line, sizeof line);
    cr_assert_str_eq(line, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"device_enrolled\",\"level\":\"info\","
                           "\"key_version\":9,\"account\":\"0100000000000000\",\"device\":\"0200000000000000\","
                           "\"approved_by\":\"0300000000000000\",\"risk_level\":\"low\"}");
    e = (struct event){.kind = EVENT_TAKEOVER_SUSPECTED, .value = 9, .device = {{2}},
                       .count = 1u << RISK_BESIDE_AN_END | 1u << RISK_SIGNER_NEW};
    event_json(&e, line, sizeof line);
    cr_assert_str_eq(line, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"takeover_suspected\",\"level\":\"warn\","
                           "\"key_version\":9,\"device\":\"0200000000000000\",\"by\":\"recovery_key\","
                           "\"risk_level\":\"high\",\"risks\":[\"signer_is_new\",\"another_was_ended\"]}");
}

Test(journal, a_failed_decryption_says_its_cause_and_the_versions)
{
    char line[1024];
    struct event e = {.kind = EVENT_DECRYPT_FAILED, .code = 6, .count = 3, .value = 2ull << 32 | 4 << 16 | 1};
    event_json(&e, line, sizeof line);
    cr_assert_str_eq(line, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"decrypt_failed\","
                           "\"level\":\"warn\",\"cause\":\"prekey\",\"key_version\":3,"
                           "\"client_version\":\"2.4.1\"}");
    e = (struct event){.kind = EVENT_RESENT, .count = 2, .value = 1};
    event_json(&e, line, sizeof line);
    cr_assert_str_eq(line, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"resent\","
                           "\"level\":\"info\",\"attempt\":2,\"parts\":1}");
}

Test(journal, marks_and_store_are_hex_and_only_when_set)
{
    char line[1024];
    struct event e = {.kind = EVENT_STORE_OPENED, .code = 1, .count = 9, .value = 12};
    e.store.bytes[7] = 0xab;
    e.message.bytes[0] = 0x01;
    event_json(&e, line, sizeof line);
    cr_assert_str_eq(line, "{\"at\":\"1970-01-01T00:00:00.000Z\",\"event\":\"store_opened\","
                           "\"level\":\"info\",\"recovery\":\"point_in_time\",\"commit\":9,"
                           "\"recovery_ms\":12,\"message\":\"0100000000000000\","
                           "\"store\":\"00000000000000ab\"}");
}

Test(journal, a_wrong_clock_has_a_direction_and_a_size)
{
    char line[1024];
    struct event e = {.kind = EVENT_CLIENT_CLOCK_SKEWED, .code = CLOCK_AHEAD, .value = 90000000};
    event_json(&e, line, sizeof line);
    cr_assert(strstr(line, "\"level\":\"warn\",\"clock\":\"ahead\",\"skew_ms\":90000000}"), "%s", line);
    e.code = CLOCK_BEHIND;
    event_json(&e, line, sizeof line);
    cr_assert(strstr(line, "\"clock\":\"behind\""), "%s", line);
    e.code = 2;
    event_json(&e, line, sizeof line);
    cr_assert(strstr(line, "\"clock\":\"?\""), "%s", line);
}

Test(journal, numbers_outside_their_list_do_not_become_anything_else)
{
    char line[1024];
    struct event e = {.kind = EVENT_PROCESS_DIED, .code = 4000000000u, .value = 137};
    event_json(&e, line, sizeof line);
    cr_assert(strstr(line, "\"role\":\"?\",\"restarts\":0,\"signal_or_exit_code\":137}"), "%s", line);
    e.kind = (enum event_kind)9999;
    event_json(&e, line, sizeof line);
    cr_assert(strstr(line, "\"event\":\"?\",\"level\":\"info\"}"), "%s", line);
}

Test(journal, a_line_that_does_not_fit_is_left_out_whole)
{
    char line[64];
    event_json(&refused, line, sizeof line);
    cr_assert_str_eq(line, "");
}

Test(journal, lines_are_appended_with_their_process)
{
    char text[1024];
    for (int i = 0; i < 2; i++) {
        struct journal *j = journal_open(fixture_path("log"), LEN_MAX, i ? "storage" : "broker");
        journal_write(j, &refused);
        journal_close(&j);
        cr_assert_null(j);
        journal_close(&j);
    }
    fixture_read("log", text, sizeof text);
    cr_assert_str_eq(text, AT "\"process\":\"broker\"," REFUSED_REST "\n" AT
                              "\"process\":\"storage\"," REFUSED_REST "\n");
}

Test(journal, what_is_dropped_is_told_when_the_sink_is_back)
{
    char text[1024];
    struct journal *j = journal_open(fixture_path("later/log"), LEN_MAX, "broker");
    for (int i = 0; i < 3; i++)
        journal_write(j, &refused);
    cr_assert_eq(mkdir(fixture_path("later"), 0700), 0);
    journal_write(j, &refused);
    journal_close(&j);
    fixture_read("later/log", text, sizeof text);
    cr_assert_str_eq(text, AT "\"process\":\"broker\",\"event\":\"events_dropped\","
                              "\"level\":\"warn\",\"count\":3}\n" AT
                              "\"process\":\"broker\"," REFUSED_REST "\n");
}

/* A reader that does not read fills the pipe; nothing waits, nothing is cut. */
Test(journal, a_full_pipe_drops_and_never_blocks)
{
    char text[4096], *last = NULL;
    const char *path = fixture_path("pipe");
    size_t lines = 0;
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    cr_assert(reader >= 0);
    struct journal *j = journal_open(path, LEN_MAX, "broker");
    for (uint64_t i = 0; i < 2000; i++)
        journal_write(j, &(struct event){.at_ms = 1000 * i, .kind = EVENT_SEND_REFUSED});
    for (ssize_t got; (got = read(reader, text, sizeof text - 1)) > 0;)
        for (ssize_t k = 0; k < got; k++)
            lines += text[k] == '\n';
    cr_assert(lines > 0 && lines < 2000);
    journal_write(j, &refused);
    ssize_t got = read(reader, text, sizeof text - 1);
    cr_assert(got > 0);
    text[got] = '\0';
    last = strstr(text, "\"events_dropped\",\"level\":\"warn\",\"count\":");
    cr_assert(last != NULL, "%s", text);
    cr_assert_eq(strtoul(strrchr(strtok(last, "}"), ':') + 1, NULL, 10), 2000 - lines);
    journal_close(&j);
    close(reader);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        count++;
    return count;
}

static void write_many(struct journal *j, enum event_kind kind, uint64_t at_ms, size_t count)
{
    for (size_t i = 0; i < count; i++)
        journal_write(j, &(struct event){.at_ms = at_ms, .kind = kind});
}

#define REFUSED_LINE "\"event\":\"auth_refused\""
#define SURPLUS(kind, count)                                                                       \
    "\"events_dropped\",\"level\":\"warn\",\"dropped\":\"" kind "\",\"count\":" count "}"

Test(journal, a_kind_may_have_its_share_of_every_second)
{
    static char text[65536];
    struct journal *j = journal_open(fixture_path("log"), LEN_MAX, "broker");
    for (uint64_t second = 1; second <= 10; second++) {
        write_many(j, EVENT_AUTH_REFUSED, 1000 * second, 2);
        write_many(j, EVENT_AUTH_REFUSED, 1000 * second + 999, 3);
    }
    write_many(j, EVENT_STORE_LOSS, 10000, JOURNAL_LINES_MAX);
    journal_close(&j);
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 50u);
    cr_assert_eq(count_of(text, "\"event\":\"store_loss\""), 50u);
    cr_assert_eq(count_of(text, "events_dropped"), 0u);
}

Test(journal, more_than_its_share_is_counted_and_told_when_the_second_is_over)
{
    static char text[65536];
    struct journal *j = journal_open(fixture_path("log"), LEN_MAX, "broker");
    write_many(j, EVENT_AUTH_REFUSED, 5000, 100000);
    write_many(j, EVENT_STORE_LOSS, 5500, JOURNAL_LINES_MAX + 2);
    write_many(j, EVENT_WORKER_READY, 5999, 1); /* another kind has its own share */
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 5u);
    cr_assert_eq(count_of(text, "\"event\":\"store_loss\""), 50u);
    cr_assert_eq(count_of(text, "\"event\":\"worker_ready\""), 1u);
    cr_assert_eq(count_of(text, "events_dropped"), 0u, "not over yet");
    write_many(j, EVENT_WORKER_READY, 6000, 1);
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, SURPLUS("auth_refused", "99995")), 1u, "%s", text);
    cr_assert_eq(count_of(text, SURPLUS("store_loss", "2")), 1u);
    cr_assert_eq(count_of(text, "events_dropped"), 2u);
    write_many(j, EVENT_AUTH_REFUSED, 6000, 1);
    write_many(j, EVENT_AUTH_REFUSED, 7000, 1);
    journal_close(&j);
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 7u);
    cr_assert_eq(count_of(text, "events_dropped"), 2u, "told once");
}

Test(journal, surplus_is_told_at_the_close)
{
    char text[4096];
    struct journal *j = journal_open(fixture_path("log"), LEN_MAX, "broker");
    write_many(j, EVENT_AUTH_REFUSED, 5000, 8);
    journal_close(&j);
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 5u);
    cr_assert_eq(count_of(text, SURPLUS("auth_refused", "3")), 1u, "%s", text);
}

/* A clock read a little earlier does not open the share again; one that was set back does. */
Test(journal, time_that_goes_back_neither_floods_nor_silences)
{
    static char text[65536];
    struct journal *j = journal_open(fixture_path("log"), LEN_MAX, "broker");
    for (int i = 0; i < 50; i++) {
        write_many(j, EVENT_AUTH_REFUSED, 8000, 1);
        write_many(j, EVENT_AUTH_REFUSED, 7999, 1);
    }
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 5u);
    write_many(j, EVENT_AUTH_REFUSED, 3000, 1);
    fixture_read("log", text, sizeof text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 6u);
    cr_assert_eq(count_of(text, SURPLUS("auth_refused", "95")), 1u);
    journal_close(&j);
}

/* With the sink gone the surplus is a part of what is told when it is back. */
Test(journal, surplus_that_cannot_be_told_is_not_forgotten)
{
    char text[4096];
    struct journal *j = journal_open(fixture_path("later/log"), LEN_MAX, "broker");
    write_many(j, EVENT_AUTH_REFUSED, 5000, 20);
    write_many(j, EVENT_AUTH_REFUSED, 6000, 1);
    cr_assert_eq(mkdir(fixture_path("later"), 0700), 0);
    write_many(j, EVENT_AUTH_REFUSED, 7000, 1);
    journal_close(&j);
    fixture_read("later/log", text, sizeof text);
    const char *lost = "\"event\":\"events_dropped\",\"level\":\"warn\",\"count\":21}";
    cr_assert_eq(count_of(text, lost), 1u, "%s", text);
    cr_assert_eq(count_of(text, REFUSED_LINE), 1u);
}

Test(journal, a_full_disk_drops_and_counts)
{
    struct journal *j = journal_open("/dev/full", LEN_MAX, "broker");
    for (int i = 0; i < 10; i++)
        journal_write(j, &refused);
    journal_close(&j);
}

/* --- a file that has reached its length --------------------------------------------------------- */

#define SHORT    (4 * (uint64_t)JOURNAL_LINE_MAX)
#define LINE_LEN strlen(AT "\"process\":\"broker\"," REFUSED_REST "\n")
#define NUMBERED "\"attempt\":%zu,"

/* One line each, numbered by `attempt`, in seconds of their own. */
static void write_numbers(struct journal *j, size_t first, size_t last)
{
    for (size_t i = first; i <= last; i++) {
        struct event e = refused;
        e.at_ms += 1000 * i;
        e.count = i;
        journal_write(j, &e);
    }
}

static bool has_number(const char *text, size_t number)
{
    char word[32];
    snprintf(word, sizeof word, NUMBERED, number);
    return strstr(text, word) != NULL;
}

Test(journal, a_file_that_is_full_is_put_aside_and_begun_anew)
{
    static char now[8192], old[8192];
    struct journal *j = journal_open(fixture_path("log"), SHORT, "broker");
    write_numbers(j, 1, 100);
    journal_close(&j);
    fixture_read("log", now, sizeof now);
    fixture_read("log.1", old, sizeof old);
    cr_assert_leq(strlen(now), SHORT);
    cr_assert_leq(strlen(old), SHORT);
    cr_assert_gt(strlen(old) + LINE_LEN + JOURNAL_LINE_MAX, SHORT, "put aside too early");
    size_t kept = count_of(now, "\n") + count_of(old, "\n");
    for (size_t i = 100 - kept + 1; i <= 100; i++)
        cr_assert(has_number(old, i) || has_number(now, i), "%zu is missing", i);
    cr_assert(has_number(old, 100 - kept + 1) && has_number(now, 100));
    cr_assert_eq(count_of(now, "dropped") + count_of(old, "dropped"), 0u);
}

Test(journal, a_file_that_has_room_is_not_put_aside)
{
    struct journal *j = journal_open(fixture_path("log"), SHORT, "broker");
    write_numbers(j, 1, 3);
    journal_close(&j);
    cr_assert_neq(access(fixture_path("log.1"), F_OK), 0);
}

/* Each line is in one of the two files, whoever put the first aside. */
Test(journal, processes_that_share_a_file_put_it_aside_once)
{
    static char now[8192], old[8192];
    struct journal *a = journal_open(fixture_path("log"), SHORT, "broker");
    struct journal *b = journal_open(fixture_path("log"), SHORT, "storage");
    size_t last = 0;
    while (access(fixture_path("log.1"), F_OK) != 0 && ++last < 100)
        write_numbers(last % 2 ? a : b, last, last);
    for (size_t i = last + 1; i <= last + 4; i++)
        write_numbers(i % 2 ? a : b, i, i);
    journal_close(&a);
    journal_close(&b);
    fixture_read("log", now, sizeof now);
    fixture_read("log.1", old, sizeof old);
    for (size_t i = 1; i <= last + 4; i++)
        cr_assert(has_number(i < last ? old : now, i), "%zu", i);
}

Test(journal, a_file_that_was_moved_away_is_left)
{
    char text[4096];
    struct journal *j = journal_open(fixture_path("log"), SHORT, "broker");
    write_numbers(j, 1, 1);
    char moved[512];
    snprintf(moved, sizeof moved, "%s", fixture_path("moved"));
    cr_assert_eq(rename(fixture_path("log"), moved), 0);
    write_numbers(j, 2, 2);
    journal_close(&j);
    fixture_read("log", text, sizeof text);
    cr_assert(has_number(text, 2) && !has_number(text, 1));
    fixture_read("moved", text, sizeof text);
    cr_assert(has_number(text, 1) && !has_number(text, 2));
}

/* FILE.1 is a folder: nothing is written beyond the length, and what is dropped is told later. */
Test(journal, a_file_that_cannot_be_put_aside_is_a_full_sink)
{
    static char text[8192];
    struct journal *j = journal_open(fixture_path("log"), SHORT, "broker");
    cr_assert_eq(mkdir(fixture_path("log.1"), 0700), 0);
    write_numbers(j, 1, 100);
    fixture_read("log", text, sizeof text);
    cr_assert_leq(strlen(text), SHORT);
    size_t kept = count_of(text, "\n");
    cr_assert_eq(rmdir(fixture_path("log.1")), 0);
    write_numbers(j, 101, 101);
    journal_close(&j);
    fixture_read("log", text, sizeof text);
    char lost[64];
    snprintf(lost, sizeof lost, "\"level\":\"warn\",\"count\":%zu}", 100 - kept);
    cr_assert(strstr(text, lost) && has_number(text, 101), "%s", text);
}
