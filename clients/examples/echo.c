/* echo: a small bot: answers each message with its own words, until SIGINT or SIGTERM.
 *     echo HOME HANDLE ENDPOINTS SERVER-KEY-FILE        (cc echo.c $(pkg-config --cflags --libs sealmq))
 * A product's event loop does what loop() does here: wait for a descriptor or a time, process, take events.
 * The answer's key is made of the id of what it answers, so that a bot which dies between answering and acknowledging
 * answers once all the same: the second sealmq_send is the same message. */
#define _POSIX_C_SOURCE 200809L
#include <sealmq.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "echo: %s: %s\n", what, why);
    return 1;
}

/* Keeps the answer on disk, then takes the message. false = not now: it is still in the inbox. */
static bool answer(struct sealmq_client *client, const struct sealmq_received *received)
{
    char key[SEALMQ_MESSAGE_ID_TEXT_LEN + 1];
    struct sealmq_send_options reply = SEALMQ_INIT(struct sealmq_send_options);
    if (received->own) return sealmq_ack(client, &received->order, 1) == SEALMQ_OK; /* our other device's: no answer */
    sealmq_message_id_text(received->id, key);
    reply.account = received->account;
    reply.payload = received->payload;
    reply.payload_len = received->payload_len;
    reply.key = key;
    reply.kind = received->kind; /* sealed where it came sealed */
    enum sealmq_status s = sealmq_send(client, &reply, NULL);
    if (s != SEALMQ_OK && s != SEALMQ_ID_REUSED) return false;
    return sealmq_ack(client, &received->order, 1) == SEALMQ_OK;
}

/* All that waits, the oldest first. */
static void inbox_answer(struct sealmq_client *client)
{
    struct sealmq_received received = SEALMQ_INIT(struct sealmq_received);
    while (sealmq_inbox_next(client, 0, &received) == SEALMQ_OK)
        if (!answer(client, &received)) break;
}

/* false = the loop ends. */
static bool event_take(struct sealmq_client *client, const struct sealmq_event *event)
{
    switch (event->kind) {
    case SEALMQ_EVENT_PROMPT: /* a bot's user reads its log */
        fprintf(stderr, "echo: %s\n", event->text);
        (void)sealmq_prompt_seen(client, event->prompt);
        return true;
    case SEALMQ_EVENT_SUPERSEDED:
        return fail("stopped", "another client of this device takes its messages") == 0;
    case SEALMQ_EVENT_LEFT:
        return false;
    default:
        fprintf(stderr, "echo: %s\n", sealmq_event_name(event->kind));
        return true;
    }
}

static int loop(struct sealmq_client *client, int signal_fd)
{
    bool leaving = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = sealmq_fd(client), .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
        struct sealmq_event event = SEALMQ_INIT(struct sealmq_event);
        if (sealmq_process(client) != SEALMQ_OK) return fail("stopped", sealmq_error(client));
        while (sealmq_next_event(client, &event))
            if (!event_take(client, &event)) return leaving ? 0 : 1;
        if (!leaving) inbox_answer(client);
        if (poll(fds, leaving ? 1 : 2, sealmq_deadline_ms(client)) <= 0 || leaving || !fds[1].revents) continue;
        leaving = true;
        sealmq_leave(client); /* SEALMQ_EVENT_LEFT follows */
    }
}

int main(int argc, char **argv)
{
    char error[SEALMQ_ERROR_MAX] = "";
    struct sealmq_client *client;
    struct sealmq_create_options create = SEALMQ_INIT(struct sealmq_create_options);
    struct sealmq_open_options open = SEALMQ_INIT(struct sealmq_open_options);
    if (argc != 5) return fail("usage", "echo HOME HANDLE ENDPOINTS SERVER-KEY-FILE");
    create.home = open.home = argv[1];
    create.handle = argv[2];
    create.endpoints = argv[3];
    open.receive = true;
    if (sealmq_server_key_load(argv[4], &create.server, error, sizeof error) != SEALMQ_OK ||
        sealmq_create(&create, error, sizeof error) != SEALMQ_OK || /* a home that is there stays as it is */
        sealmq_open(&open, &client, error, sizeof error) != SEALMQ_OK)
        return fail(argv[1], error);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before sealmq_connect: libzmq's threads take the mask over */
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    int status = sealmq_connect(client) == SEALMQ_OK ? loop(client, signal_fd) : fail(argv[3], sealmq_error(client));
    sealmq_close(&client);
    return status;
}
