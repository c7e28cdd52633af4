/* received: names and text of one message. */
#include "clients/cli/received.h"

#include <stdio.h>
#include <string.h>

/* To whom this account sent it. */
static void to_name(const struct sealmq_received *received, char out[SENDER_NAME_MAX])
{
    sealmq_account_text(received->to, out);
    if (received->to_handle[0] != '\0') snprintf(out, SENDER_NAME_MAX, "%s", received->to_handle);
}

static bool is_note(const struct sealmq_received *received)
{
    return memcmp(&received->to, &received->account, sizeof received->to) == 0;
}

static void to_json(json_t *object, const struct sealmq_received *received, const char *from)
{
    char to[SENDER_NAME_MAX], account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    if (!received->own) return;
    to_name(received, to);
    sealmq_account_text(received->to, account);
    ENSURE(json_object_set_new(object, "to", json_string(is_note(received) ? from : to)) == 0);
    ENSURE(json_object_set_new(object, "to_account", json_string(account)) == 0);
}

json_t *received_json(const struct sealmq_received *received, const char *from, struct view text)
{
    char id[SEALMQ_MESSAGE_ID_TEXT_LEN + 1], account[SEALMQ_ACCOUNT_TEXT_LEN + 1];
    char device[SEALMQ_DEVICE_TEXT_LEN + 1], accepted[OUTPUT_TIME_LEN + 1];
    sealmq_message_id_text(received->id, id);
    sealmq_account_text(received->account, account);
    sealmq_device_text(received->device, device);
    output_time(received->accepted_ms, accepted);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:I}", "id", id, "state", "received", "from", from,
                               "account", account, "device", device, "accepted", accepted, "sealed",
                               received->kind == SEALMQ_SEALED, "verified", received->verified, "request",
                               received->request, "missing", (json_int_t)received->missing);
    ENSURE(object != NULL);
    to_json(object, received, from);
    output_text(object, text);
    return object;
}

void received_print(const struct sealmq_received *received, const char *from, struct view text)
{
    char to[SENDER_NAME_MAX];
    to_name(received, to);
    if (!received->own)
        printf("%s: ", from);
    else
        printf("you -> %s: ", is_note(received) ? "you" : to);
    output_print(text);
    printf("\n");
}
