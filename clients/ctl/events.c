/* events: the operational records that the store keeps, newest last; with --follow the ones to
 * come. The store's cursor says where to go on, so that nothing is shown twice or left out, also
 * over a restart. */
#include "broker/host/host.h"
#include "broker/host/journal.h"
#include "clients/ctl/admin.h"
#include "clients/ctl/ctl.h"
#include "clients/ctl/show.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS      500
#define EVENTS_DEFAULT 20
#define CURSOR_LEN_MAX 32u
#define LINE_LEN       1024u

struct tail {
    uint8_t cursor[CURSOR_LEN_MAX];
    size_t cursor_len;
    uint32_t limit;
    bool silent; /* the last question failed; said once */
};

/* "2026-…Z warn  wake_failed http_status=503 attempt=2 …": the JSON line's own fields in its
 * order. */
static void event_print(const char *line)
{
    const char *key;
    json_t *value, *o = json_loads(line, 0, NULL);
    if (!o) return;
    printf("%s %-5s %s", json_string_value(json_object_get(o, "at")),
           json_string_value(json_object_get(o, "level")),
           json_string_value(json_object_get(o, "event")));
    json_object_foreach(o, key, value) {
        if (!strcmp(key, "at") || !strcmp(key, "level") || !strcmp(key, "event")) continue;
        char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        printf(" %s=%s", key, text ? text : json_string_value(value));
        free(text);
    }
    putchar('\n');
    json_decref(o);
}

static void events_print(const struct command *c, const struct msg_events_are *are)
{
    char line[LINE_LEN];
    for (size_t i = 0; i < are->event_count; i++) {
        struct event e = event_of_msg(&are->events[i]);
        event_json(&e, line, sizeof line);
        if (c->json)
            puts(line);
        else
            event_print(line);
    }
    fflush(stdout);
}

/* One question; shows what came and moves the cursor. *more: ask again at once. */
static enum status events_fetch(struct admin *a, const struct command *c, struct tail *t,
                                bool *more)
{
    struct msg_events_are are;
    struct msg_events ask = {.cursor = view_of(t->cursor, t->cursor_len), .limit = t->limit};
    struct question q = {.kind = KIND_EVENTS,
                         .home = (uint16_t)a->config.partition_first,
                         .desc = &msg_events_desc,
                         .message = &ask,
                         .answer_desc = &msg_events_are_desc,
                         .answer = &are};
    *more = false;
    enum status s = admin_ask(a, &q);
    if (s != STATUS_OK) return s;
    events_print(c, &are);
    *more = t->cursor_len && are.event_count == t->limit;
    if (are.cursor.len && are.cursor.len <= sizeof t->cursor) {
        memcpy(t->cursor, are.cursor.at, are.cursor.len);
        t->cursor_len = are.cursor.len;
        t->limit = EVENTS_PER_FRAME;
    }
    return STATUS_OK;
}

/* Until SIGINT, or until nobody reads. A relay that restarts meanwhile is waited for. */
static int events_follow(struct admin *a, const struct command *c, struct tail *t)
{
    struct pollfd wait = {.fd = host_signal_fd(), .events = POLLIN};
    if (wait.fd < 0) return command_fail(c, EXIT_FAILED, "signals cannot be waited for");
    bool more = false;
    while (poll(&wait, 1, more ? 0 : FOLLOW_MS) == 0 && !ferror(stdout)) {
        enum status s = events_fetch(a, c, t, &more);
        if (s != STATUS_OK && !t->silent)
            fprintf(stderr, "sealmqctl: no answer (%s): waiting for the relay\n", status_name(s));
        t->silent = s != STATUS_OK;
    }
    close(wait.fd);
    return EXIT_OK;
}

int ctl_events(struct command *c)
{
    struct admin a;
    struct tail t = {.silent = false};
    long long limit;
    bool more;
    if (!command_number(c, "limit", 1, EVENTS_PER_FRAME, EVENTS_DEFAULT, &limit)) return EXIT_USAGE;
    t.limit = (uint32_t)limit;
    int failed = admin_open(&a, c);
    if (failed) return failed;
    enum status s = events_fetch(&a, c, &t, &more);
    if (s != STATUS_OK)
        failed = admin_fail(&a, c, s);
    else if (command_option(c, "follow"))
        failed = events_follow(&a, c, &t);
    admin_close(&a);
    return failed;
}
