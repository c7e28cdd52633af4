/* api_restore: restoring an account across the border: a connection of its own for restore.h, and one line for whatever has
 * stopped it. */
#include "clients/api.h"
#include "clients/api_guest.h"
#include "clients/restore.h"
#include "clients/sealmq_recovery.h"

#include "broker/host/host.h"
#include "broker/wire/identity.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sealmq_restore {
    struct api_guest guest;
    struct restore *restore;
    struct state *state;
    enum status end; /* BUSY: it goes on */
    char endpoints[STATE_ENDPOINTS_LEN_MAX + 1];
    char hint[SEALMQ_ERROR_MAX], error[SEALMQ_ERROR_MAX];
};

static enum status fail(char *error, size_t cap, enum status s, const char *text)
{
    snprintf(error, cap, "%s", text);
    return s;
}

static enum status options_check(const struct sealmq_restore_options *o, char *error, size_t cap)
{
    ENSURE(o->home != NULL && o->endpoints != NULL && o->key != NULL);
    if (o->handle && handle_check(view_of(o->handle, strlen(o->handle))) != STATUS_OK)
        return fail(error, cap, STATUS_MALFORMED, HANDLE_RULE);
    if (sealmq_recovery_key_check(o->key, NULL, NULL) != SEALMQ_OK)
        return fail(error, cap, STATUS_MALFORMED, "this is no recovery key: look at it again, group by group");
    if (strlen(o->endpoints) > STATE_ENDPOINTS_LEN_MAX)
        return fail(error, cap, STATUS_CONFIG, "the list of relay addresses is too long: name fewer");
    return transport_endpoints_check(o->endpoints, error, cap);
}

static enum status core_open(struct sealmq_restore *r, const struct sealmq_restore_options *o, char *error, size_t cap)
{
    struct random_source random = api_random();
    enum recovery_fault fault;
    unsigned group;
    struct recovery_code *code = sodium_malloc(sizeof *code);
    ENSURE(code != NULL);
    struct restore_wish wish = {.code = code, .endpoints = view_of(o->endpoints, strlen(o->endpoints)),
                                .revoke_others = o->revoke_others};
    if (o->handle) wish.handle = view_of(o->handle, strlen(o->handle));
    memcpy(wish.account.bytes, o->account.bytes, sizeof wish.account.bytes);
    memcpy(wish.server.bytes, o->server.bytes, sizeof wish.server.bytes);
    enum status s = recovery_code_parse(view_of(o->key, strlen(o->key)), code, &fault, &group);
    if (s == STATUS_OK) s = restore_new(&wish, &random, r->state, &r->restore);
    sodium_free(code);
    if (s == STATUS_STATE) return fail(error, cap, s, "there is an account in this home: choose another home");
    if (s != STATUS_OK) api_state_explain(r->state, s, error, cap);
    return s;
}

static enum status connect(struct sealmq_restore *r, const struct sealmq_restore_options *o, char *error, size_t cap)
{
    const uint8_t *sk;
    struct transport_pk device = restore_transport(r->restore, &sk);
    struct transport_options options = {.endpoints = r->endpoints, .device = device, .device_sk = sk};
    memcpy(options.server.bytes, o->server.bytes, sizeof options.server.bytes);
    return api_guest_open(&r->guest, &options, error, cap);
}

static enum status restore_fill(struct sealmq_restore *r, const struct sealmq_restore_options *o, char *error, size_t cap)
{
    api_text_copy(r->endpoints, sizeof r->endpoints, view_of(o->endpoints, strlen(o->endpoints)));
    enum status s = api_home_make(o->home, error, cap);
    if (s == STATUS_OK) s = api_home_state_open(o->home, o->passphrase_file, true, &r->state, error, cap);
    if (s == STATUS_OK) s = core_open(r, o, error, cap);
    return s == STATUS_OK ? connect(r, o, error, cap) : s;
}

enum sealmq_status sealmq_restore_start(const struct sealmq_restore_options *options, struct sealmq_restore **out, char *error,
                                        size_t error_cap)
{
    struct sealmq_restore_options o;
    *out = NULL;
    if (sodium_init() < 0) return SEALMQ_IO;
    enum status s = api_take(options, &o, sizeof o);
    if (s != STATUS_OK)
        return (enum sealmq_status)fail(error, error_cap, s, "the options are not those of this version of the library: "
                                                             "make them with SEALMQ_INIT");
    s = options_check(&o, error, error_cap);
    if (s != STATUS_OK) return (enum sealmq_status)s;
    struct sealmq_restore *r = calloc(1, sizeof *r);
    ENSURE(r != NULL);
    r->end = STATUS_BUSY;
    s = restore_fill(r, &o, error, error_cap);
    if (s == STATUS_OK)
        *out = r;
    else
        sealmq_restore_close(&r);
    return (enum sealmq_status)s;
}

void sealmq_restore_close(struct sealmq_restore **at)
{
    struct sealmq_restore *r = *at;
    if (!r) return;
    api_guest_close(&r->guest);
    restore_free(&r->restore);
    state_close(&r->state);
    free(r);
    *at = NULL;
}

int sealmq_restore_fd(const struct sealmq_restore *r)
{
    return r->guest.poll_fd;
}

int sealmq_restore_deadline_ms(const struct sealmq_restore *r)
{
    return r->end == STATUS_BUSY ? api_guest_deadline_ms(&r->guest, UINT64_MAX) : -1;
}

static const char *meaning(enum restore_obstacle why)
{
    switch (why) {
    case RESTORE_NONE: break;
    case RESTORE_NO_ACCOUNT: return "nobody has this handle: check the name";
    case RESTORE_KEY: return "the relay knows no account with this recovery key here: it is another account's, or was replaced "
                             "by a newer one, or none was ever set";
    case RESTORE_RELAY: return "what the relay shows of the account does not verify: do not trust it, and ask its operator";
    case RESTORE_DEVICES: return "the account has as many devices as it may: those that are lost must be revoked";
    case RESTORE_LOG_FULL: return "the history of the account's keys is full: no device can be added to it any more";
    case RESTORE_REFUSED: return "the relay refuses to show the account";
    case RESTORE_HOME: return "the home cannot keep the account";
    }
    return "it cannot be restored";
}

static void explain(struct sealmq_restore *r, enum restore_obstacle why)
{
    if (why == RESTORE_REFUSED)
        snprintf(r->error, sizeof r->error, "%s (%s: %s)", meaning(why), status_name(r->end), status_meaning(r->end));
    else if (why == RESTORE_HOME && r->end == STATUS_STATE)
        snprintf(r->error, sizeof r->error, "another account was being restored in this home: choose another home");
    else if (why == RESTORE_HOME)
        api_state_explain(r->state, r->end, r->error, sizeof r->error);
    else
        snprintf(r->error, sizeof r->error, "%s", meaning(why));
}

enum sealmq_status sealmq_restore_process(struct sealmq_restore *r)
{
    enum restore_obstacle why;
    for (unsigned i = 0; i < 4 && r->end == STATUS_BUSY; i++) { /* an answer may be followed by the next question at once */
        api_guest_turn(&r->guest, host_now());
        r->end = restore_drive(r->restore, host_now(), r->guest.guest, &why);
        if (r->end != STATUS_BUSY && r->end != STATUS_OK) explain(r, why);
    }
    return (enum sealmq_status)r->end;
}

const char *sealmq_restore_hint(struct sealmq_restore *r)
{
    api_guest_hint(&r->guest, r->hint, sizeof r->hint);
    return r->hint;
}

const char *sealmq_restore_error(const struct sealmq_restore *r)
{
    return r->error;
}
