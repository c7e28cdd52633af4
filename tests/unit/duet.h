/* duet: two devices, Alice's and Bob's, as real engines on memory states, and a relay of the test's own between them: in
 * memory, at once, and with hooks to lie, lose and tamper. For what happens between two clients; how one client speaks
 * the protocol is clients_fixture's matter. */
#ifndef SEALMQ_TESTS_DUET_H
#define SEALMQ_TESTS_DUET_H

#include "broker/wire/identity_log.h"
#include "clients/engine.h"
#include "clients/state/memory.h"

#include <criterion/criterion.h>

#define DUET_MAILBOX_MAX 2048u
#define DUET_EVENTS_MAX  256u
enum { ALICE, BOB, PARTIES, PHONE = PARTIES, HOMES }; /* PHONE: another device of Alice's, once phone_joins has made it */

/* A delivery as the relay keeps it. */
struct parcel {
    struct msg_delivery item;
    struct buffer bytes;
    bool offered; /* in this session */
    bool gone;    /* settled, or parked */
    enum fail_reason reason;
    struct buffer report;
};

struct party {
    const char *handle;
    struct engine_config config;
    struct state *state;
    struct engine *e;
    struct state_identity me;
    bool online, attached, greeted;
    struct session_id session;
    /* at the relay; entries, log and handle are those of the account, and ALICE's for her phone: */
    struct buffer entries[16];
    size_t entry_count;
    struct identity_log log;
    struct msg_handle_proof proof;
    struct buffer proof_entry, current, last_resort;
    struct msg_one_time_prekey one_time[ONE_TIME_PREKEYS_MAX];
    size_t one_time_count;
    struct msg_prekey_state prekeys;
    struct parcel mailbox[DUET_MAILBOX_MAX];
    size_t mail_count;
    uint8_t lineage[LINEAGE_LEN_MAX];
    size_t lineage_len;
    /* what the application saw: */
    struct engine_event events[DUET_EVENTS_MAX];
    size_t event_count;
};

struct duet {
    struct now now;
    uint64_t seed, commit, sessions;
    struct arena arena;
    struct party party[HOMES];
    size_t sends, claims, lookups, publishes;
    size_t bundle_again;   /* so many times more PREKEYS has each bundle */
    uint64_t claims_ahead; /* so many more entries PREKEYS says that the log has */
    /* hooks; NULL = the relay is honest */
    bool (*tamper)(struct duet *d, struct parcel *parcel); /* false: it is not offered */
    void (*bundle)(struct duet *d, struct msg_prekey_bundle *bundle); /* status GONE: there is none in the answer */
    void (*lineage)(struct duet *d, struct view *said);   /* of WELCOME */
    void (*news)(struct duet *d, struct msg_part_state *part); /* of HINT and STATUS */
};

/* duet_run: both registered, online, with prekeys at the relay; then the body. */
void duet_run(void (*body)(struct duet *d));
#define DUET_TEST(suite, name)                                                                     \
    static void name(struct duet *d);                                                              \
    Test(suite, name)                                                                              \
    {                                                                                              \
        duet_run(name);                                                                            \
    }                                                                                              \
    static void name(struct duet *d)

/* duet_settle: turns until nobody says anything. duet_pass: moves the clock, in steps. */
void duet_settle(struct duet *d);
void duet_pass(struct duet *d, uint64_t ms);
/* online, offline: the connection. duet_restart: the process dies and another one starts on the same state. */
void online(struct duet *d, int who);
void offline(struct duet *d, int who);
void duet_restart(struct duet *d, int who);
/* duet_swap: the same with another home, one copied from the present one; the caller closes that. */
void duet_swap(struct duet *d, int who, struct state *home);

/* phone_joins: Alice's device adds another one, which is online from then on; hers hears of it with its next session.
 * phone_leaves: an entry of hers puts it out (ENTRY_SUSPEND, ENTRY_REVOKE), or lets it in again (ENTRY_RESUME). */
void phone_joins(struct duet *d);
void phone_leaves(struct duet *d, enum entry_operation operation);

/* say: a sealed message to the other one; its order number. duet_row: what its sender holds of it; duet_state: how far it has come. */
uint64_t say(struct duet *d, int from, const char *words);
struct outbox_row duet_row(struct duet *d, int who, uint64_t order);
enum message_state duet_state(struct duet *d, int who, uint64_t order);
/* read_all: the inbox's unshown messages, oldest first, joined by '|', and shown. */
const char *read_all(struct duet *d, int who);
/* the newest parcel for somebody. */
struct parcel *parcel_last(struct duet *d, int to);
bool duet_happened(const struct duet *d, int who, enum engine_event_kind kind);

/* Between the two files of it: the relay takes a frame of the party's; what waits goes out, one DELIVER for each. */
void relay_does(struct duet *d, struct party *p, struct view bytes);
bool relay_delivers(struct duet *d, struct party *p);

#endif
