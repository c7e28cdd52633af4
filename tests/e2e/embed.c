/* embed: a product that embeds the library: sends to a bot that answers, and waits for the answer in its own poll()
 * loop; on the way each promise of sealmq.h that can be tried from outside, with its rejecting twin. Built by embed.sh
 * against an installed tree: it sees what a product sees.
 *     embed HOME ENDPOINTS SERVER-KEY-FILE BOT */
#include <sealmq.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_TURNS 2000 /* of at most 10 ms each */

#define CHECK(condition) ((condition) ? (void)0 : lost(#condition, __LINE__))
static void lost(const char *condition, int line)
{
    fprintf(stderr, "embed: line %d: %s\n", line, condition);
    exit(1);
}

struct seen {
    bool registered, prompted, left;
    unsigned connected;
    enum sealmq_status looked_up; /* of "nobody-of-that-name" */
    struct sealmq_account bot;
};

static void note(struct seen *seen, const struct sealmq_event *e)
{
    if (e->kind == SEALMQ_EVENT_REGISTERED) seen->registered = true;
    if (e->kind == SEALMQ_EVENT_CONNECTED) seen->connected++;
    if (e->kind == SEALMQ_EVENT_LEFT) seen->left = true;
    if (e->kind == SEALMQ_EVENT_PROMPT && e->prompt == SEALMQ_PROMPT_NO_RECOVERY)
        seen->prompted = e->severity == SEALMQ_SEVERITY_WARNING && e->text != NULL;
    if (e->kind != SEALMQ_EVENT_LOOKUP) return;
    if (strcmp(e->handle, "nobody-of-that-name") == 0)
        seen->looked_up = e->status;
    else if (e->status == SEALMQ_OK)
        seen->bot = e->account;
}

static void turn(struct sealmq_client *c, struct seen *seen)
{
    struct sealmq_event e = SEALMQ_INIT(struct sealmq_event);
    CHECK(sealmq_process(c) == SEALMQ_OK);
    while (sealmq_next_event(c, &e))
        note(seen, &e);
    CHECK(e.kind == SEALMQ_EVENT_NONE && e.size == sizeof e);
    struct pollfd fd = {.fd = sealmq_fd(c), .events = POLLIN};
    int wait_ms = sealmq_deadline_ms(c);
    CHECK(poll(&fd, 1, wait_ms < 0 || wait_ms > 10 ? 10 : wait_ms) >= 0);
}

/* One device, which is this one: what cannot be done with it, and why. */
static void devices(struct sealmq_client *c)
{
    struct sealmq_device_row row = SEALMQ_INIT(struct sealmq_device_row);
    struct sealmq_change_options o = SEALMQ_INIT(struct sealmq_change_options);
    enum sealmq_obstacle why = SEALMQ_OBSTACLE_DONE;
    CHECK(sealmq_device_get(c, NULL, 1, &row) == SEALMQ_NOT_FOUND && sealmq_device_get(c, "nobody", 0, &row) == SEALMQ_NOT_FOUND);
    CHECK(sealmq_device_get(c, NULL, 0, &row) == SEALMQ_OK && row.own && row.standing == SEALMQ_STANDING_ACTIVE);
    CHECK(row.name[0] == '\0' && row.added_ms > 0 && row.key_version == 1);
    CHECK(sealmq_change(c, &o, &why) == SEALMQ_MALFORMED && why == SEALMQ_OBSTACLE_NONE);
    o.operation = SEALMQ_OPERATION_REVOKE;
    CHECK(sealmq_change(c, &o, &why) == SEALMQ_NOT_FOUND && why == SEALMQ_OBSTACLE_NO_DEVICE);
    o.device = row.device;
    CHECK(sealmq_change(c, &o, &why) == SEALMQ_REFUSED && why == SEALMQ_OBSTACLE_LAST);
    CHECK(strcmp(sealmq_error(c), sealmq_obstacle_meaning(why)) == 0 && strcmp(sealmq_obstacle_name(why), "last") == 0);
    o.operation = SEALMQ_OPERATION_DESCRIBE;
    o.name = "two  spaces";
    CHECK(sealmq_change(c, &o, NULL) == SEALMQ_MALFORMED && sealmq_device_name_check(o.name, 3) == SEALMQ_OK);
    o.operation = SEALMQ_OPERATION_RESUME;
    o.name = NULL;
    CHECK(sealmq_change(c, &o, &why) == SEALMQ_STATE && why == SEALMQ_OBSTACLE_DONE);
}

/* The twins: what a caller can get wrong, and what it hears. */
static void refusals(struct sealmq_client *c)
{
    struct { struct sealmq_send_options known; uint64_t later; } grown = {.known = {.size = sizeof grown}};
    struct sealmq_send_options none = {.handle = "bot"}, o = SEALMQ_INIT(struct sealmq_send_options);
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message);
    struct sealmq_prompt prompt = SEALMQ_INIT(struct sealmq_prompt);
    static char large[SEALMQ_PAYLOAD_MAX + 1];
    uint64_t order = 4711;
    grown.known.handle = "a b"; /* as a later header would have it: its new field at zero is fine, the handle is not */
    CHECK(sealmq_send(c, &grown.known, &m) == SEALMQ_MALFORMED);
    grown.known.handle = "bot";
    grown.later = 1;
    CHECK(sealmq_send(c, &grown.known, &m) == SEALMQ_UNSUPPORTED);
    CHECK(sealmq_send(c, &none, &m) == SEALMQ_MALFORMED);
    o.handle = "bot";
    o.payload = large;
    o.payload_len = sizeof large;
    CHECK(sealmq_send(c, &o, &m) == SEALMQ_TOO_LARGE && m.order == 0 && m.size == sizeof m);
    CHECK(strstr(sealmq_error(c), "262144") != NULL);
    CHECK(sealmq_outbox_next(c, SEALMQ_STAGE_ANY, 0, &m) == SEALMQ_NOT_FOUND); /* nothing of all that was kept */
    CHECK(sealmq_message_get(c, order, &m) == SEALMQ_NOT_FOUND && sealmq_release(c, order) == SEALMQ_NOT_FOUND);
    CHECK(sealmq_ack(c, &order, 1) == SEALMQ_NOT_FOUND);
    CHECK(sealmq_lookup(c, "a/b", 0) == SEALMQ_MALFORMED);
    CHECK(sealmq_prompt_get((enum sealmq_prompt_id)99, &prompt) == SEALMQ_NOT_FOUND);
    devices(c);
    CHECK(sealmq_relay_set(c, "http://x", &(struct sealmq_public_key){{0}}) == SEALMQ_CONFIG);
}

static void names(const struct sealmq_identity *me)
{
    char account[SEALMQ_ACCOUNT_TEXT_LEN + 1], reference[SEALMQ_REFERENCE_TEXT_LEN + 1];
    struct sealmq_account again;
    struct sealmq_reference r = {.sender = me->device, .target = me->account, .id = {{1}}}, back;
    sealmq_account_text(me->account, account);
    CHECK(sealmq_account_parse(account, &again) == SEALMQ_OK && memcmp(&again, &me->account, sizeof again) == 0);
    account[0] = 'x';
    CHECK(sealmq_account_parse(account, &again) == SEALMQ_MALFORMED && again.bytes[1] == 0);
    sealmq_reference_text(&r, reference);
    CHECK(sealmq_reference_parse(reference, &back) == SEALMQ_OK && memcmp(&r, &back, sizeof r) == 0);
    reference[5] = reference[5] == 'A' ? 'B' : 'A';
    CHECK(sealmq_reference_parse(reference, &back) == SEALMQ_MALFORMED);
}

/* Sends it twice, as who does not know whether it was kept; it is settled in the end, and the bot's answer is here. */
static void talk(struct sealmq_client *c, struct seen *seen, const char *bot, enum sealmq_payload_kind kind)
{
    struct sealmq_send_options o = SEALMQ_INIT(struct sealmq_send_options);
    struct sealmq_message m = SEALMQ_INIT(struct sealmq_message), twice = SEALMQ_INIT(struct sealmq_message);
    struct sealmq_received r = SEALMQ_INIT(struct sealmq_received);
    char text[2] = {(char)('0' + (int)kind), '\0'}, key[] = "key 0";
    key[4] = text[0];
    o.handle = bot;
    o.payload = text;
    o.payload_len = 1;
    o.key = key;
    o.kind = kind;
    CHECK(sealmq_send(c, &o, &m) == SEALMQ_OK && m.kind == kind && strcmp(m.key, key) == 0);
    CHECK(sealmq_send(c, &o, &twice) == SEALMQ_OK && twice.order == m.order);
    o.payload = "other";
    CHECK(sealmq_send(c, &o, &twice) == SEALMQ_ID_REUSED && twice.order == m.order);
    for (unsigned i = 0; i < WAIT_TURNS && sealmq_inbox_next(c, 0, &r) != SEALMQ_OK; i++)
        turn(c, seen);
    CHECK(r.kind == kind && r.payload_len == 1 && ((const char *)r.payload)[0] == text[0]);
    CHECK(r.prompt == (kind == SEALMQ_OPAQUE ? SEALMQ_PROMPT_NOT_SEALED : SEALMQ_PROMPT_NONE) && r.missing == 0);
    CHECK(memcmp(&r.account, &seen->bot, sizeof r.account) == 0 && strcmp(r.handle, bot) == 0);
    CHECK(sealmq_ack(c, &r.order, 1) == SEALMQ_OK && sealmq_ack(c, &r.order, 1) == SEALMQ_OK);
    CHECK(sealmq_inbox_next(c, 0, &r) == SEALMQ_NOT_FOUND && r.payload == NULL);
    for (unsigned i = 0; i < WAIT_TURNS && m.state != SEALMQ_MESSAGE_SETTLED; i++) {
        turn(c, seen);
        CHECK(sealmq_message_find(c, key, &m) == SEALMQ_OK);
    }
    CHECK(m.stage == SEALMQ_STAGE_ENDED && m.accepted && m.receipt.synced == 1);
    CHECK(m.part_count == 1 && m.parts[0].outcome == SEALMQ_OUTCOME_SETTLED);
}

int main(int argc, char **argv)
{
    char error[SEALMQ_ERROR_MAX] = "";
    struct sealmq_client *c = NULL;
    struct seen seen = {.looked_up = SEALMQ_OK};
    struct sealmq_create_options create = SEALMQ_INIT(struct sealmq_create_options);
    struct sealmq_open_options open = SEALMQ_INIT(struct sealmq_open_options);
    struct sealmq_identity me = SEALMQ_INIT(struct sealmq_identity);
    struct sealmq_connection connection = SEALMQ_INIT(struct sealmq_connection);
    CHECK(argc == 5);
    create.home = open.home = argv[1];
    create.endpoints = argv[2];
    open.receive = true;
    CHECK(sealmq_open(&open, &c, error, sizeof error) == SEALMQ_NOT_FOUND && c == NULL && error[0] != '\0');
    create.handle = "two words";
    CHECK(sealmq_create(&create, error, sizeof error) == SEALMQ_MALFORMED);
    create.handle = "embed";
    CHECK(sealmq_server_key_load(argv[3], &create.server, error, sizeof error) == SEALMQ_OK);
    CHECK(sealmq_create(&create, error, sizeof error) == SEALMQ_OK && sealmq_open(&open, &c, error, sizeof error) == SEALMQ_OK);
    CHECK(sealmq_identity_get(c, &me) == SEALMQ_OK && !me.registered && strcmp(me.handle, "embed") == 0);
    refusals(c);
    names(&me);
    CHECK(sealmq_deadline_ms(c) == 0); /* the prompt of a new home waits to be taken */
    CHECK(sealmq_connect(c) == SEALMQ_OK && sealmq_connect(c) == SEALMQ_STATE);
    CHECK(sealmq_lookup(c, argv[4], 10000) == SEALMQ_OK && sealmq_lookup(c, "nobody-of-that-name", 10000) == SEALMQ_OK);
    for (unsigned i = 0; i < WAIT_TURNS && !(seen.registered && seen.connected && seen.looked_up != SEALMQ_OK); i++)
        turn(c, &seen);
    CHECK(seen.registered && seen.prompted && seen.looked_up == SEALMQ_NOT_FOUND);
    talk(c, &seen, argv[4], SEALMQ_OPAQUE);
    talk(c, &seen, argv[4], SEALMQ_SEALED);
    CHECK(sealmq_prompt_seen(c, SEALMQ_PROMPT_NO_RECOVERY) == SEALMQ_OK);
    sealmq_leave(c);
    for (unsigned i = 0; i < WAIT_TURNS && !seen.left; i++)
        turn(c, &seen);
    CHECK(seen.left && sealmq_connection_get(c, &connection) == SEALMQ_OK && !connection.session);
    sealmq_close(&c);
    sealmq_close(&c);
    CHECK(c == NULL && sealmq_open(&open, &c, error, sizeof error) == SEALMQ_OK);
    CHECK(sealmq_deadline_ms(c) == -1); /* seen once, it does not come again */
    sealmq_close(&c);
    return 0;
}
