/* sim: the seeded simulator's world, shared by its files. Everything real runs in here: broker,
 * storage and fan-out cores and client engines, against a network, clock and disk that one seed moves.
 *
 *   main.c      arguments, seeds, what is printed on failure
 *   world.c     building the world, the loop, the phases: chaos, calm, verdict
 *   profile.c   what a world is like: sizes, delays, which faults how often
 *   net.c       connections as ordered streams that delay, stall and break
 *   relay.c     brokers and the fan-out worker as processes
 *   store.c     storage workers as processes, their disks, and the points at which they die
 *   device.c    devices: one state, up to two engines, and an application that sends and reads
 *   holds.c     its messages that wait for the user
 *   second.c    devices that are the second ones of their accounts
 *   contacts.c  users who block each other, and whether it holds
 *   rogue.c     a device without an engine that does what no honest client does
 *   joiner.c    a device that joins somebody's account, and the person who carries its code to another one
 *   people.c    what people do with the devices of their accounts
 *   liar.c      a relay that lies about identities: other frames than the relay's reach the engines
 *   evil.c      lies about accounts of several devices, each consistent in itself
 *   swaps.c     and two deliveries that have something of each other
 *   forks.c     and histories that are signed by who may, and are not the log
 *   faults.c    the seed's faults
 *   watch.c, slabs.c  the oracle that sees every frame and slab
 *   truth.c     what the relay's disks say of every account's devices, and whether everybody keeps to it
 *   parts.c     what became of every part, as senders are told
 *   verdict.c, ends.c  the oracle's last word, when everything must have come to its end
 *   trace.c     what happened, as a hash and as the last lines before a failure
 *
 * Every actor has a next moment at which it wants to run; the loop moves the clock to the earliest one
 * and runs all that are due, in an order that the seed chooses. Nothing here reads a real clock. */
#ifndef SEALMQ_TESTS_SIM_H
#define SEALMQ_TESTS_SIM_H

#include "broker/broker.h"
#include "broker/wire/identity_log.h"
#include "clients/engine.h"
#include "storage/backends/memory.h"
#include "storage/storage.h"
#include "workers/fanout/fanout.h"

#define SIM_BROKERS_MAX 2u
#define SIM_STORES_MAX  2u
#define SIM_DEVICES_MAX 8u
#define SIM_CONNS_MAX   256u
#define SIM_NEVER       UINT64_MAX
#define SIM_WALL_MS     1760000000000ull /* the wall clock when a world begins */
#define SIM_CANARY      "TELL-NOBODY"    /* stands in every opaque payload, and nowhere else */
#define SIM_SEALED      "SEAL-NOBODY"    /* as long; stands in every payload to be sealed, and in no frame */

struct sim;

/* ---- randomness and trace (trace.c) ---- */

struct rng { uint64_t state; };
uint64_t rng_next(struct rng *r);
/* rng_below: 0..n-1; n > 0. rng_between: low..high. rng_chance: true in per_mille of 1000 cases. */
uint64_t rng_below(struct rng *r, uint64_t n);
uint64_t rng_between(struct rng *r, uint64_t low, uint64_t high);
bool rng_chance(struct rng *r, unsigned per_mille);
void rng_fill(struct rng *r, void *out, size_t len);

#define TRACE_LIST(X)                                                                              \
    X(SEED, "seed") X(CONNECT, "connect broker/number") X(BREAK, "break broker/number")            \
    X(STALL, "stall broker/number/until") X(TO_BROKER, "client>broker device/kind/correlation")    \
    X(TO_CLIENT, "broker>client device/kind/correlation")                                          \
    X(SLAB_UP, "worker>broker broker/number/items") X(SLAB_DOWN, "broker>worker broker/number/items") \
    X(BROKER_UP, "broker up") X(BROKER_DOWN, "broker dies") X(BROKER_DRAIN, "broker drains")       \
    X(STORE_UP, "store up") X(STORE_DOWN, "store dies store/point") X(STORE_COMMIT, "commit store/status") \
    X(STORE_DRAIN, "store drains") X(STORE_CUT, "disk cut store/writes") X(STORE_LOW, "disk full until") \
    X(STORE_WIPE, "disk wiped store")                                                              \
    X(STORE_ZOMBIE, "zombie store") X(FANOUT_UP, "fanout up") X(FANOUT_DOWN, "fanout dies")        \
    X(POST, "post device/status") X(EVENT, "event kind/code/count")                                \
    X(ENGINE_UP, "engine starts device/session") X(ENGINE_DOWN, "engine ends device/session")      \
    X(ENGINE_EVENT, "engine event device/kind/state") X(APP_SEND, "app sends device/message/to, status") \
    X(STATE_FAIL, "client disk will fail device/call") X(OFFLINE, "offline device/until")          \
    X(CLOCK, "relay clock moves by") X(SKEW, "device clock moves device/by")                       \
    X(ROGUE, "rogue does") X(ERROR, "error device/kind/status")                                    \
    X(JOIN, "joiner device/stage/status") X(CHANGE, "change device/operation/of, status")          \
    X(LOG, "log of account/length/version") X(FENCE, "revoked device/commit") X(STRAY, "left by device") \
    X(OFFER, "store offers device/first/last") X(BOUNCE, "broker could not hand over device/seq/gone") \
    X(ARRIVE, "deliveries arrive device/first/last") X(ACK, "ack device/settled/failed")           \
    X(ECHO, "echo device/settled") X(WINTER, "everything sleeps for days")                         \
    X(CALM, "faults stop") X(SETTLED, "all settled")

enum trace_kind {
#define X(NAME, text) TRACE_##NAME,
    TRACE_LIST(X)
#undef X
    TRACE_KINDS
};

#define TRACE_RING 60u
struct trace_line { uint64_t at_ms; enum trace_kind kind; uint64_t a, b, c; };
struct trace {
    struct trace_line ring[TRACE_RING];
    uint64_t count, hash;
    bool print;
};
void trace_put(struct sim *s, enum trace_kind kind, uint64_t a, uint64_t b, uint64_t c);
/* trace_bytes: mixes the first bytes of what travels into the hash. */
void trace_bytes(struct sim *s, struct view bytes);
void trace_dump(const struct trace *t);

/* ---- profiles (profile.c) ---- */

#define FAULT_LIST(X)                                                                              \
    X(CLIENT_BREAK) X(CLIENT_STALL) X(CLIENT_CRASH) X(CLIENT_OFFLINE) X(CLIENT_DISK)               \
    X(BROKER_CRASH) X(BROKER_DRAIN) X(WORKER_BREAK) X(WORKER_STALL)                                \
    X(STORE_KILL) X(STORE_WRITE_FAILS) X(STORE_DRAIN) X(STORE_ZOMBIE) X(STORE_LOW) X(STORE_CUT)    \
    X(FANOUT_CRASH) X(RELAY_CLOCK) X(CLIENT_CLOCK) X(WINTER) X(STORE_WIPE)

enum fault {
#define X(NAME) FAULT_##NAME,
    FAULT_LIST(X)
#undef X
    FAULT_COUNT
};

struct profile {
    const char *name;
    unsigned devices_min, devices_max, brokers_max, stores_max;
    unsigned chaos_ms;      /* how long faults and new messages come */
    unsigned settle_ms;     /* how long everything may take to settle after that */
    unsigned send_every_ms; /* mean, per device */
    unsigned large_pm, ttl_pm, twice_pm, quick_pm, rogue_pm; /* per mille */
    unsigned rotate_every_ms; /* mean, per device: another identity key; 0 = never */
    unsigned siblings_max;    /* further devices that join an account; 0 = each has one, for good */
    unsigned change_every_ms; /* mean, per device: something about its account's devices; 0 = never */
    unsigned contacts_every_ms; /* mean, per device: a word about another one, or another mode; 0 = never */
    unsigned lie_pm;          /* of frames that say something of an identity; while faults last */
    unsigned sealed_pm;       /* of messages, but to the rogue, which has no prekeys */
    bool seconds;             /* each device with an odd number is the second one of the account before it */
    unsigned tamper_pm;       /* of DELIVERs: a sealed ciphertext has another byte; while faults last */
    unsigned latency_ms, commit_ms; /* most */
    unsigned fault_every_ms;        /* mean; 0 = none */
    uint8_t weights[FAULT_COUNT];
    unsigned credit_messages;       /* 0 = the relay's most */
    unsigned credit_bytes;
    unsigned edge_queue, backend_queue;
    unsigned mailbox_messages, storage_credit;
    struct meter_rates rates; /* none = more than anybody asks */
    unsigned slow_read_ms;  /* a client takes one frame in this time while faults last; 0 = at once */
    bool unknown_allowed;   /* a message may end in `unknown`: no way to find out */
    uint64_t must_see;      /* bits of enum seen, in a run of many seeds */
};

const struct profile *profile_find(const char *name);
const struct profile *profile_at(size_t index); /* NULL behind the last */

/* ---- network (net.c) ---- */

enum conn_kind { CONN_EDGE, CONN_BACKEND };
enum end { NEAR, FAR }; /* NEAR connects; FAR is the broker */

struct packet {
    struct packet *next;
    uint64_t ready_ms;
    struct view bytes; /* behind the struct */
};

struct stream {
    struct packet *first, *last;
    size_t count;
    uint64_t last_ready_ms, stalled_until_ms;
};

struct conn {
    bool used;
    bool held;                  /* NEAR has a pointer to it, until its net_close */
    enum conn_kind kind;
    size_t broker;
    uint32_t number;            /* the broker's routing number */
    struct transport_pk key;    /* edge */
    size_t device;              /* edge: whose it is, for the watch */
    size_t hwm;
    bool open[2];               /* what each end believes */
    uint64_t learns_ms[2];      /* when it learns better */
    bool broken;                /* what is sent from now on is lost */
    struct stream streams[2];   /* by sending end */
};

/* device_number: for the trace; SIM_DEVICES_MAX for the rogue, one more for a device that nobody has. */
size_t device_number(const struct sim *s, struct device_id id);

/* net_connect: NULL when nobody listens there or no way leads there now. */
struct conn *net_connect(struct sim *s, enum conn_kind kind, size_t broker);
/* net_send: OK, FULL, GONE. OK says nothing about arrival. */
enum status net_send(struct sim *s, struct conn *c, enum end from, struct view bytes);
/* net_take: the next packet for this end, the caller's to free(); NULL = none now. */
struct packet *net_take(struct sim *s, struct conn *c, enum end at);
/* net_close: this end closes (and forgets the pointer), in order (what is on its way may arrive) or by
 * dying (it may be lost). */
void net_close(struct sim *s, struct conn *c, enum end at, bool orderly);
void net_break(struct sim *s, struct conn *c);
void net_stall(struct sim *s, struct conn *c, enum end from, uint64_t until_ms);
void net_step(struct sim *s);
/* net_due_ms: when something changes for this end. */
uint64_t net_due_ms(const struct conn *c, enum end at);
struct conn *net_find(struct sim *s, enum conn_kind kind, size_t broker, uint32_t number);
void net_calm(struct sim *s);
void net_free(struct sim *s);

/* ---- the relay's processes (relay.c, store.c) ---- */

struct broker_host {
    struct sim *sim;
    size_t index;
    struct broker *core;
    uint64_t restart_ms;
    uint32_t numbers;
    bool draining;
    uint64_t due_ms;
    struct buffer admin_reply; /* the last frame for the admin socket */
};

void broker_host_start(struct broker_host *h);
void broker_host_kill(struct broker_host *h, uint64_t restart_ms);
void broker_host_drain(struct broker_host *h);
/* broker_host_gone: an edge connection has ended, as libzmq's monitor tells it. */
void broker_host_gone(struct broker_host *h, uint32_t routing);
uint64_t broker_host_due_ms(struct broker_host *h);
void broker_host_step(struct broker_host *h);
/* broker_host_ask: an admin frame; the answer arrives in admin_reply. */
void broker_host_ask(struct broker_host *h, struct view frame);

/* A worker's connections, one per broker, made again when they are gone. */
struct worker_links {
    struct conn *conns[SIM_BROKERS_MAX];
    uint64_t retry_ms[SIM_BROKERS_MAX];
};
void links_connect(struct sim *s, struct worker_links *l);
uint64_t links_due_ms(const struct sim *s, const struct worker_links *l);
enum status links_send(struct sim *s, struct worker_links *l, size_t broker, struct view slab);
void links_close(struct sim *s, struct worker_links *l, bool orderly);

#define POSTS_MAX 16u
struct fanout_host {
    struct fanout *core;
    struct worker_links links;
    uint64_t restart_ms, due_ms;
    struct { uint64_t token, answer_ms, sent_ms; unsigned status; } posts[POSTS_MAX];
    size_t post_count;
};
void fanout_host_start(struct sim *s);
void fanout_host_kill(struct sim *s, uint64_t restart_ms);
uint64_t fanout_host_due_ms(const struct sim *s);
void fanout_host_step(struct sim *s);

enum kill_point {
    KILL_NONE,
    KILL_IDLE,          /* between turns */
    KILL_BEFORE_COMMIT, /* applied, nothing written */
    KILL_AFTER_COMMIT,  /* written, nothing said */
    KILL_AFTER_FINISH,  /* said, perhaps not sent */
};

/* One storage process. */
struct store_process {
    struct store_host *host;
    struct store *store; /* the wrapper: store.c */
    struct storage *core;
    bool zombie;         /* its disk belongs to another process */
    bool committing, draining;
    bool begun, applied; /* the turn under way, beside a group that is being written or before its own */
    uint64_t commit_ms, due_ms;
    enum kill_point kill_at;
    struct worker_links links;
    bool lost[SIM_BROKERS_MAX], up[SIM_BROKERS_MAX];
    struct packet *held;    /* slabs that the core borrows */
    struct packet *running; /* those of the turn under way */
    struct packet *written; /* those of the group that is being written */
};

/* A place where a store lives: the disk, and who serves it. */
struct store_host {
    struct sim *sim;
    size_t index;
    uint16_t first, last;
    struct memory_disk *disk;
    struct store_process *process; /* NULL: down until restart_ms */
    struct store_process *zombie;  /* NULL: none; ends at zombie_until_ms */
    uint64_t restart_ms, zombie_until_ms, low_until_ms;
    size_t cut_next; /* writes to cut off before the next start */
    size_t writes;   /* on the disk, at least */
};

void store_host_start(struct store_host *h);
void store_host_kill(struct store_host *h, enum kill_point point, uint64_t restart_ms);
void store_host_drain(struct store_host *h);
/* store_host_wipe: the next process finds an empty disk. While none runs. */
void store_host_wipe(struct store_host *h);
/* store_host_zombify: the process loses its disk to a successor and does not notice. */
void store_host_zombify(struct store_host *h, uint64_t until_ms, uint64_t restart_ms);
uint64_t store_host_due_ms(const struct store_host *h);
void store_host_step(struct store_host *h);
void store_host_fini(struct store_host *h);

/* ---- devices (device.c, rogue.c) ---- */

enum { SESSION_RECEIVER, SESSION_QUICK, SESSION_HOSTS };

struct session_host {
    struct engine *engine;
    struct conn *conn;
    size_t endpoint;
    uint64_t connect_ms, start_ms, due_ms, read_ms;
    bool wanted, leaving, full;
    uint64_t attach_ms; /* when the user takes deliveries again after SUPERSEDED */
};

/* The first device of an account is there from the beginning; the others join it. */
struct joiner;
#define SIM_SPANS_MAX 64u
struct block_span { size_t other; uint64_t from_ms, to_ms; }; /* a device of the world was blocked, and the relay had it */

struct device {
    struct sim *sim;
    size_t index;
    size_t owner;           /* the first device of its account; messages go to that */
    struct joiner *joiner;  /* NULL: it is not joining now */
    uint64_t join_ms;       /* when it begins to (again); SIM_NEVER = it has keys and an account */
    uint64_t patience_ms;   /* until when it waits to be let in, once it has consented */
    uint64_t change_ms;     /* when somebody does something with it about the account's devices */
    size_t told_by;         /* who was given the code of its linking, in that process; 0 = nobody */
    unsigned told_life;
    unsigned lives;         /* of its receiver's processes */
    bool has_id;            /* of an account that it is in, or may be let into */
    struct { uint64_t until_ms, length; } frozen[SIM_DEVICES_MAX]; /* how far it is shown each account's log */
    uint64_t stale_until_ms; /* all that it sends is called stale until then */
    bool raced;             /* another entry was before its change */
    struct state *state;
    struct account_id account;
    struct device_id id;
    struct transport_pk key;
    char handle[16];
    bool registered;
    struct session_host sessions[SESSION_HOSTS];
    uint64_t offline_until_ms, next_send_ms, again_ms, rotate_ms;
    bool held; /* it has messages that wait for the user */
    bool picky; /* it has blocked somebody, or had requests on */
    uint64_t contacts_ms;
    struct block_span spans[SIM_SPANS_MAX];
    size_t span_count;
    struct identity_log log; /* for device_log */
    uint64_t read_ms; /* when the application looks into its inbox */
    int64_t skew_ms;
    unsigned superseded; /* how often another session took over */
};

void device_start(struct sim *s, size_t index);
/* second_make: the home of a second device of the owner's account, whose home knows of it. second_of: the other device of the
 * account; NULL = there is none. */
void second_make(struct device *d, struct device *owner);
const struct device *second_of(const struct sim *s, size_t index);
uint64_t device_due_ms(const struct device *d);
void device_step(struct device *d);
void device_crash(struct device *d, uint64_t restart_ms);
void device_offline(struct device *d, uint64_t until_ms);
void device_calm(struct device *d);
void device_fini(struct device *d);
/* device_prepare: everything but an identity. device_enter: it has one now, and lives. */
void device_prepare(struct sim *s, size_t index, size_t owner);
void device_enter(struct device *d);
/* device_is_in: it has an account, as far as it knows. */
static inline bool device_is_in(const struct device *d) { return d->join_ms == SIM_NEVER; }
/* device_at_work: its receiver, with a session; NULL = it has none. */
struct session_host *device_at_work(struct device *d);
struct random_source device_random(struct sim *s);
/* device_log: its own log, as it holds it. */
void device_log(struct device *d, struct identity_log *out);

/* contacts_step: the user says something, where it is time. contacts_told: ENGINE_CONTACTS. contacts_shown: within a transaction: the
 * application sees the row. contacts_refused: that the message was refused is right. contacts_stuck: it could not be opened, and cannot be made good: it
 * stays so until it expires. contacts_accepted: when it was accepted is right. contacts_settled: the relay has heard all of it. contacts_check: in the end. */
void contacts_step(struct device *d, struct session_host *by);
void contacts_told(struct device *d);
void contacts_shown(struct device *d, const struct inbox_row *row);
struct app_message;
bool contacts_refused(struct sim *s, const struct app_message *m, const struct outbox_row *row);
bool contacts_stuck(const struct sim *s, const struct outbox_row *row);
void contacts_accepted(struct sim *s, const struct app_message *m, const struct outbox_row *row);
bool contacts_settled(struct device *d);
void contacts_check(struct sim *s);

/* holds_told: ENGINE_MESSAGE. holds_release: all that is held shall go; NULL h: it is only noted that it will. */
void holds_told(struct device *d, const struct engine_event *e);
void holds_release(struct device *d, struct session_host *h);

/* liar_pass: what reaches this device instead of the frame: the frame itself, or a lie in *lie (cleared before). */
struct view liar_pass(struct device *d, struct view frame, struct buffer *lie);

struct rogue;
void rogue_start(struct sim *s);
uint64_t rogue_due_ms(const struct sim *s);
void rogue_step(struct sim *s);
void rogue_fini(struct sim *s);
bool rogue_settled(const struct sim *s);
/* rogue_claimed: it has its handle, "rogue": one may write to it. */
bool rogue_claimed(const struct sim *s);
/* rogue_device: its ids, for the watch; false = there is none. */
bool rogue_device(const struct sim *s, struct account_id *account, struct device_id *device);

/* ---- the application's messages (device.c) and the oracle (watch.c, verdict.c) ---- */

struct app_message {
    size_t from, to, len; /* to: the owner of an account */
    uint64_t ttl_ms;
    char key[24];       /* "" = none */
    bool sealed;
    bool kept;          /* engine_send said OK */
    bool maybe;         /* it failed in a way that leaves it open, and there is no key */
    enum message_state told; /* what the application was told last */
    bool released;      /* it was held, and its user said that it shall go, under another id: it may have gone before */
    uint64_t order;     /* of the outbox row, when kept */
    uint64_t again_ms;  /* when the application says it a second time; SIM_NEVER = no */
};

/* app_payload: the bytes of message n, the same at every call. */
void app_payload(const struct sim *s, size_t n, struct buffer *out);

struct watch;
void watch_start(struct sim *s);
void watch_fini(struct sim *s);
/* What the watch sees, at the moment it happens. */
void watch_client_said(struct sim *s, const struct conn *c, struct view frame);
void watch_client_got(struct sim *s, const struct conn *c, struct view frame);
void watch_client_closed(struct sim *s, const struct conn *c);
void watch_storage_says(struct store_process *p, size_t broker, struct view slab);
void watch_storage_got(struct store_process *p, size_t broker, struct view slab);
void watch_storage_died(struct store_process *p);
void watch_event(struct sim *s, const struct event *e);
void watch_broker_got(struct sim *s, size_t broker, struct view slab);
/* watch_accepted_count, watch_accepted: what clients have been told is accepted. */
size_t watch_accepted_count(const struct sim *s);
struct message_ref watch_accepted(const struct sim *s, size_t n);


/* verdict_settled: nothing more has to happen. verdict_check: whether all that happened is right. */
bool verdict_settled(struct sim *s);
void verdict_check(struct sim *s);

/* ---- faults (faults.c) ---- */
uint64_t faults_due_ms(const struct sim *s);
void faults_step(struct sim *s);

/* ---- what a run of many seeds must have seen (main.c) ---- */

#define SEEN_LIST(X)                                                                               \
    X(REPEATED, "claims answered again")       X(REUSED, "ids reused")                             \
    X(BOUNCED, "deliveries bounced")           X(AGAIN, "deliveries offered again")                \
    X(SUPERSEDED, "sessions superseded")       X(WORKER_LOST, "workers lost")                      \
    X(BROKER_LOST, "brokers lost")             X(STALE_TERM, "stale terms refused")                \
    X(CLOCK, "clock jumps noticed")            X(LOSS, "losses named")                             \
    X(RESENT, "messages resent after a loss")  X(EXPIRED, "deliveries expired")                    \
    X(FAILED, "deliveries parked")             X(READONLY, "times read-only")                      \
    X(SLOW, "slow consumers")                  X(OVERLOAD, "times overloaded")                     \
    X(POSTED, "wake-ups posted")               X(RENEWED, "broker deaths")                         \
    X(KILL_IDLE, "store deaths idle")          X(KILL_BEFORE, "store deaths before commit")        \
    X(KILL_AFTER, "store deaths after commit") X(KILL_FINISH, "store deaths after answers")        \
    X(UNCERTAIN, "commits of unknown outcome") X(STATE_FAILED, "client disk failures")             \
    X(WINTER, "winters")                       X(SKEWED, "wrong clocks of clients noticed")        \
    X(ROTATED, "identity keys rotated")        X(STALE, "sends with an old device list")           \
    X(BEHIND, "sends ahead of the relay")      X(LIES, "lies told")                                \
    X(FORKED, "lies noticed")                  X(HELD, "messages held")                   \
    X(LIMITED, "floods told of")               X(SEALED, "sealed messages opened")                 \
    X(TAMPERED, "ciphertexts altered")         X(ANEW, "messages sealed anew")                     \
    X(COPIED, "copies opened")                 X(NOTED, "notes to oneself opened")                 \
    X(BLOCKED, "blocks told")                  X(NOT_ACCEPTED, "messages not accepted")            \
    X(LINKED, "devices linked")                X(UNLINKED, "linkings begun anew")                  \
    X(REJECTED, "linkings rejected")                                                               \
    X(CHANGED, "changes of devices")           X(RACED, "changes behind another one")              \
    X(REBUILT, "changes made anew")            X(POINTLESS, "changes without a point any more")    \
    X(SUSPENDED, "devices suspended")          X(RESUMED, "devices resumed")                       \
    X(REVOKED, "devices revoked")              X(OUT, "devices turned away")                       \
    X(REVOKED_MAIL, "messages revoked")        X(SWEPT, "revoked devices swept")                   \
    X(MANY, "sends to several devices")        X(GIVEN_UP, "sends given up as stale")              \
    X(OLD_LISTS, "old lists shown")            X(GHOSTS, "ghosts shown")                           \
    X(STALE_LIES, "acceptances called stale")  X(SWAPPED, "acceptances swapped")                   \
    X(LINK_LIES, "boxes swapped")              X(FOREVER, "acceptances called stale for ever")     \
    X(EXCHANGED, "deliveries exchanged")       X(BRANCHES, "branches shown")                       \
    X(BRANCHED, "branches found out by people")

enum seen {
#define X(NAME, text) SEEN_##NAME,
    SEEN_LIST(X)
#undef X
    SEEN_COUNT
};
_Static_assert(SEEN_COUNT <= 64, "must_see");

/* ---- the world (world.c) ---- */

#define SIM_STALE_MAX 256u
struct stale_pair { /* what this device sends to this account is called stale, to the end; SIM_NEVER = nobody's */
    size_t from, to;
    struct { struct message_id id; unsigned count; } told[SIM_STALE_MAX]; /* how often, of each */
    size_t told_count;
};

struct sim {
    uint64_t seed;
    const struct profile *profile;
    struct rng rng;
    uint64_t now_ms;
    int64_t relay_shift_ms; /* what the relay machine's wall clock is off */
    bool calm;
    struct trace trace;
    bool failed;
    char why[256];

    struct conn conns[SIM_CONNS_MAX];
    size_t conn_count; /* slots ever used; the lowest free one is taken first */
    struct broker_host brokers[SIM_BROKERS_MAX];
    size_t broker_count;
    struct store_host stores[SIM_STORES_MAX];
    size_t store_count;
    struct fanout_host fanout;
    struct device devices[SIM_DEVICES_MAX];
    size_t device_count;  /* those that are still to join, too */
    size_t account_count; /* the first so many devices are the first ones of their accounts */
    struct buffer link_bytes; /* of the last box that the liar has seen */
    struct truth *truth;  /* NULL: every account has one device */
    struct swaps *swaps;  /* NULL: nothing is exchanged */
    struct forks *forks;  /* NULL: nobody is shown a branch */
    struct stale_pair stale;
    struct rogue *rogue;
    struct watch *watch;
    uint64_t fault_ms;

    struct app_message *messages;
    size_t message_count, message_cap;
    size_t cuts;  /* how often a disk was cut */
    uint64_t slept_days;
    size_t leaps; /* how often a store started under a clock that was off by days */
    uint64_t settled_ms;    /* virtual, after faults stopped */
    uint64_t seen[SEEN_COUNT];
    struct mark_key marks;
    struct receipt_key receipt_key;
    struct stamp_key stamp_key;
};

struct sim_result {
    bool failed;
    uint64_t seen[SEEN_COUNT];
    uint64_t trace_hash, trace_count, settled_ms, messages, end_ms;
};

/* sim_run: one world from birth to verdict; on failure it has printed what there is to say. */
struct sim_result sim_run(const struct profile *p, uint64_t seed, bool trace);
/* sim_running: the seed under way, for the handler of a crash. NULL = none. */
const struct sim *sim_running(void);

/* sim_run_for: lets the calm world go on for a while. */
void sim_run_for(struct sim *s, uint64_t ms);
/* sim_fail: the world is wrong; the first reason counts. */
void sim_fail(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct now sim_relay_now(const struct sim *s);
struct now sim_device_now(const struct device *d);
static inline uint64_t sim_min(uint64_t a, uint64_t b) { return a < b ? a : b; }

#endif
