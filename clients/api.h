/* api: what the files behind sealmq.h share: the client, its ring of events, and how results and structs cross
 * the border. One file per noun: api_home, api_loop, api_event, api_prompt, api_identity, api_message, api_copy, api_inbox, api_history,
 * api_lookup, api_contact, api_policy, api_verify, api_text. Nothing outside of them includes this. */
#ifndef SEALMQ_CLIENTS_API_H
#define SEALMQ_CLIENTS_API_H

#include "broker/wire/frame.h"
#include "clients/engine.h"
#include "clients/sealmq.h"
#include "clients/sealmq_copies.h"
#include "clients/sealmq_verify.h"
#include "clients/transport.h"

#define API_EVENTS_MAX 1024u

struct api_lookup {
    uint64_t correlation; /* 0 = free */
    char handle[HANDLE_LEN_MAX + 1];
    uint64_t deadline_ms; /* mono */
    bool sent;            /* in this session */
};

struct sealmq_client {
    struct state *state;
    struct engine *engine;
    struct transport *transport; /* NULL before sealmq_connect */
    int poll_fd;                 /* epoll: the transport's descriptors */
    bool again;                  /* something may wait that poll_fd does not tell */
    bool stopped;                /* the relay's last word */
    enum entry_operation left;   /* SUSPEND or REVOKE: this device has put itself out; 0 = it has not */
    enum status failure;         /* the home's last word; OK = none */
    uint32_t prompts_told;       /* bits, of those that come once per client */
    uint64_t lookup_count;
    struct api_lookup lookups[SEALMQ_LOOKUPS_MAX];
    struct sealmq_event *events; /* ring of API_EVENTS_MAX */
    size_t event_first, event_count;
    uint64_t events_dropped;
    struct arena arena;          /* of one call */
    struct arena inbox_arena;    /* of the last sealmq_inbox_next */
    struct arena history_arena;  /* of the last sealmq_history_get */
    struct buffer history;       /* of struct history_place: the last sealmq_history_list */
    struct sealmq_part parts[SEALMQ_PARTS_MAX]; /* of the last message given */
    struct sealmq_part copy_parts[SEALMQ_PARTS_MAX]; /* of the last copy given */
    char error[SEALMQ_ERROR_MAX];
};

/* ---- across the border (api_struct.c) ---- */

/* api_take: the caller's struct into one of ours, all of it zero where the caller's is shorter. OK; MALFORMED (no size);
 * UNSUPPORTED (a later version's field is set). api_out: whether an output has a size; clears it but for that: OK, MALFORMED.
 * api_give: as much of ours as the caller's has room for. */
enum status api_take(const void *given, void *out, size_t size) MUST_USE;
enum status api_out(void *given) MUST_USE;
void api_give(void *given, const void *from, size_t size);
/* api_text_copy: at most cap - 1 bytes of it and a NUL. */
void api_text_copy(char *out, size_t cap, struct view text);

/* api_result: keeps one line about a failed call on the home, and gives it as the caller gets it. */
enum sealmq_status api_result(struct sealmq_client *c, enum status s);
/* api_fail: the same with a line of its own. */
enum sealmq_status api_fail(struct sealmq_client *c, enum status s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* api_state_explain: the line for a status of the state. */
void api_state_explain(const struct state *state, enum status s, char *error, size_t cap);
/* api_changed: the engine was told something: sealmq_process has work. */
void api_changed(struct sealmq_client *c);

#define HANDLE_RULE "a handle is 1 to 64 bytes of UTF-8 without spaces, control characters or '/'"

/* api_home_make: the directory, if it is not there. api_home_state_open: its state; `make`: made where there is none. One line in
 * error after a failure. */
enum status api_home_make(const char *home, char *error, size_t cap) MUST_USE;
enum status api_home_state_open(const char *home, const char *passphrase_file, bool make, struct state **out, char *error,
                                size_t cap) MUST_USE;

/* ---- between the parts ---- */

/* event_push: into the ring; `size` is set here; false: it is full. prompt_push: as an event; order 0 = about no message.
 * prompt_push_once: unless this client has told it. events_take: what the engine has to say. */
bool event_push(struct sealmq_client *c, const struct sealmq_event *event);
bool prompt_push(struct sealmq_client *c, enum sealmq_prompt_id id, uint64_t order);
void prompt_push_once(struct sealmq_client *c, enum sealmq_prompt_id id, uint64_t order);
void events_take(struct sealmq_client *c, struct now now);

/* prompts_open: tells those that this home has not seen. */
enum status prompts_open(struct sealmq_client *c) MUST_USE;
/* reason_of_message: a row's reason as its user is told it: rows of earlier versions are held for what the relay says of a log, and
 * `refused` ends those that nobody could be sealed for. */
enum status reason_of_message(enum message_state state, enum status reason);
/* prompt_of_message: what its state has to say to the user. */
enum sealmq_prompt_id prompt_of_message(enum message_state state, enum status reason, bool sealed);

/* contact_event_fill: by which handle and name this home knows what the event is about. */
void contact_event_fill(struct sealmq_client *c, const struct engine_event *e, struct sealmq_event *out);

/* received_give: a row of the inbox, or what is told as one, with its names in the arena; within a transaction. */
enum status received_give(struct sealmq_client *c, const struct inbox_row *row, struct arena *a, struct sealmq_received *out) MUST_USE;

/* parts_copy: a row's, as the application sees them. */
void parts_copy(const struct outbox_row *row, struct sealmq_part out[SEALMQ_PARTS_MAX]);

/* handle_refusal_keep: the relay refuses the handle that the home wants. */
void handle_refusal_keep(struct sealmq_client *c);

/* lookup_answer: true when the frame was one for a lookup. lookups_drive: sends and gives up what is due.
 * lookups_down: the session is gone. lookups_deadline_ms: mono; UINT64_MAX = never. */
bool lookup_answer(struct sealmq_client *c, struct view bytes);
void lookups_drive(struct sealmq_client *c, struct now now);
void lookups_down(struct sealmq_client *c);
uint64_t lookups_deadline_ms(const struct sealmq_client *c);

#endif
