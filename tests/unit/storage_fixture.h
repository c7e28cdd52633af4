/* The brokers, devices and clock of a test of the storage core: builds the slabs that a broker would
 * send, runs the core's round and keeps all that comes out. Every helper asserts what must hold always:
 * slabs are well-formed, nothing leaves between turn and finish, credit is never exceeded. */
#ifndef SEALMQ_TESTS_STORAGE_FIXTURE_H
#define SEALMQ_TESTS_STORAGE_FIXTURE_H

#include "broker/wire/identity_log.h"
#include "broker/wire/messages.h"
#include "storage/backends/memory.h"
#include "storage/core.h"
#include "storage/storage.h"

#include <criterion/criterion.h>

#define WORLD_BROKERS  2u
#define WORLD_START_MS 1790000000000ull
#define HOUR_MS        (3600ull * 1000)
#define DAY_MS         (24ull * HOUR_MS)

/* One frame that came out of the core. */
struct out {
    size_t broker;
    struct stamp stamp;
    struct frame frame; /* borrows bytes */
    uint8_t *bytes;
};

struct world {
    struct storage_config config;
    struct receipt_key key;
    struct stamp_key stamp_key;
    struct memory_disk *disk;
    struct store *store;
    struct storage *core;
    struct now now;
    struct boot_id boots[WORLD_BROKERS];
    struct buffer slab[WORLD_BROKERS]; /* of the next world_give */
    struct out *outs;
    size_t out_count, out_cap;
    size_t slab_count; /* ever */
    bool no_output;    /* an output now is a failure */
    struct event events[4096]; /* a ring */
    size_t event_count;
    struct arena arena; /* of everything decoded */
    uint64_t correlation;
    uint64_t opened; /* how often */
    uint64_t id_count;
};

/* A delivery as its device got it. */
struct got {
    struct msg_delivery item;
    struct view body;
};

/* An account with one device, and what its client knows. */
struct person {
    struct account_id account;
    struct device_id device;
    struct msg_device_record record;
    uint8_t signing_sk[64];
    struct buffer entry;
    struct hash256 head;     /* of the first entry */
    struct identity_log log; /* as person_append has made it */
    size_t broker;
    uint64_t conn;
    struct session_id session;
    uint32_t credit_messages; /* asked for; 0 = the most */
    uint64_t credit_bytes;
    bool unattached, reoffer_held;
    uint64_t client_ms; /* its wall clock; 0 = does not tell */
    const char *version; /* NULL = "1.0.0" */
    struct got got[4096];
    size_t got_count;
    size_t read_outs; /* how many of world.outs were looked at */
    uint64_t open_count, open_bytes; /* got and not settled in this session */
    struct position settled;
    struct msg_gap gaps[64];
    size_t gap_count;
    uint64_t gap_number;
    size_t superseded;
};

/* world_new: a store on a fresh disk, `brokers` configured, opened and serving. */
struct world *world_new(size_t brokers);
void world_free(struct world *w);
void world_open(struct world *w);  /* not serving yet */
void world_close(struct world *w);
void world_serve(struct world *w); /* PEER and SESSIONS_END of every broker */
void world_crash(struct world *w); /* unsynced writes are gone; opened, not serving */
void world_restart(struct world *w); /* crash, open, serve; sessions are forgotten */
/* world_alter: closed, other rows on the disk, opened and serving. world_damage: so that what is under this key cannot be read. */
void world_alter(struct world *w, const struct store_batch *batch);
void world_damage(struct world *w, enum store_space space, struct store_key key);

/* world_item: appends a frame to the next slab of a broker. */
void world_item(struct world *w, size_t broker, const struct stamp *stamp, enum frame_kind kind,
                uint64_t correlation, const struct codec_desc *desc, const void *meta,
                struct view body);
/* world_ask: the same with a fresh correlation id, which it returns. */
uint64_t world_ask(struct world *w, size_t broker, const struct stamp *stamp, enum frame_kind kind,
                   const struct codec_desc *desc, const void *meta, struct view body);
void world_give(struct world *w); /* all slabs go to the core */
void world_turn(struct world *w); /* one round */
void world_run(struct world *w);  /* give, then rounds while the core wants them */
void world_pass(struct world *w, uint64_t ms); /* time goes by, in steps, with ticks and turns */
void world_skip(struct world *w, uint64_t ms); /* in one step */

const struct out *world_reply(const struct world *w, uint64_t correlation); /* NULL = none */
/* world_status: of the ERROR that answered; OK when the answer is another kind; dies without one. */
enum status world_status(struct world *w, uint64_t correlation);
/* world_decode: the meta of a reply (which must be of that kind). */
void world_decode(struct world *w, uint64_t correlation, enum frame_kind kind,
                  const struct codec_desc *desc, void *meta);
size_t world_events(const struct world *w, enum event_kind kind);
const struct event *world_event(const struct world *w, enum event_kind kind); /* the last one */
size_t world_outs(const struct world *w, enum frame_kind kind);
size_t world_rows(struct world *w, enum store_space space, enum row_kind kind);
size_t world_claims(struct world *w); /* in pages or not */

/* person_new: an account, registered. */
struct person *person_new(struct world *w, unsigned number);
void person_free(struct person *p);
/* keys_make: a device's keys that follow from the number; sk: libsodium's 64 bytes. */
struct msg_device_record keys_make(unsigned number, uint8_t sk[64]);
/* entry_of: the entry behind what the person's log is here; signed by the first device. entry_added: one that adds the
 * device of these keys. Freed with buffer_fini. */
struct buffer entry_of(const struct person *p, struct entry_plan plan);
struct buffer entry_added(const struct person *p, unsigned keys);
/* append: APPEND of these entries by somebody with a session; runs; the reply's correlation id. */
uint64_t append(struct world *w, const struct person *by, struct account_id account, const struct view *entries,
                size_t count);
/* person_append: takes and frees the entry; asserts that it is taken here and by the relay. */
void person_append(struct world *w, struct person *p, struct buffer entry);
struct stamp person_stamp(const struct person *p);
/* person_hello: on a new connection of the broker; runs; OK or the refusal. */
enum status person_hello(struct world *w, struct person *p, size_t broker);
struct message_id world_id(struct world *w); /* a new id of now */

/* A send of one part to one person, with what was answered. */
struct sending {
    uint64_t correlation;
    struct message_id id;
    enum status status;
    struct view answer;
    struct msg_accepted accepted;
    struct msg_sent_item item;
};
/* person_send_begin: puts a send into the next slab; person_send_end: reads its answer. */
struct sending person_send_begin(struct world *w, const struct person *from,
                                 const struct person *to, struct message_id id, struct view text,
                                 uint64_t ttl_ms, const struct msg_receipt *lost);
void person_send_end(struct world *w, struct sending *sending);
/* person_send: both, run; the text is `len` bytes that follow from the id. */
struct sending person_send(struct world *w, const struct person *from, const struct person *to,
                           size_t len);
struct sending person_send_id(struct world *w, const struct person *from, const struct person *to,
                              struct message_id id, const char *text);
struct view world_text(struct world *w, struct message_id id, size_t len);

/* person_read: takes the DELIVER and SUPERSEDED frames that came for this session; asserts order,
 * credit and bytes. */
void person_read(struct world *w, struct person *p);
/* person_ack: settles everything up to and including got[n - 1]; returns the correlation id. */
uint64_t person_ack_begin(struct world *w, struct person *p, struct position settled,
                          struct position delivered, const struct msg_failure *failed,
                          size_t failed_count);
void person_ack(struct world *w, struct person *p, size_t n);
struct position person_at(const struct person *p, size_t i);

/* person_state: STATUS of one message's only part. */
struct msg_part_state person_state(struct world *w, const struct person *from,
                                   const struct person *to, struct message_id id);
/* world_devices: what support sees of an account that is there. */
struct msg_devices_are world_devices(struct world *w, struct account_id account);
/* world_explained: the whole answer. world_explain: the code of the only part, or of the whole. */
struct msg_explained world_explained(struct world *w, const struct person *from, const struct person *to,
                                     struct message_id id);
uint32_t world_explain(struct world *w, const struct person *from, const struct person *to,
                       struct message_id id);

/* Two people; Ann is in a session, Bob when asked for. */
struct scene {
    struct world *w;
    struct person *ann, *bob;
};
struct scene scene_new(bool bob_too);
void scene_free(struct scene *scene);

/* send_item: one item by ann, run; `body` has its parts' ciphertexts. */
struct sending send_item(struct scene *e, const struct msg_send_item *item, struct view body);

#endif
