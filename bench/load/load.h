/* load: one run: all its devices, what they exchange, and how far it is. Open inside bench/load:
 *   session.c  what the relay says to a device, and the devices' connections
 *   loop.c     the turns: take, acknowledge, send, wait
 *   phases.c   connect, run, catch up
 *   meter.c    samples, points in time, the result
 *   clients.c  full clients instead of devices and loop.c */
#ifndef SEALMQ_LOAD_LOAD_H
#define SEALMQ_LOAD_LOAD_H

#include "bench/load/sender.h"
#include "bench/measure/result.h"

#define DUE_SLOTS 32u

struct meter {
    uint64_t connect_us, start_us;
    uint64_t done_us; /* when the last message was done */
    struct process_sample before[PIDS_MAX], after[PIDS_MAX];
    struct thread_sample threads[PIDS_MAX][THREADS_MAX]; /* before */
    size_t thread_count[PIDS_MAX];
    struct process_sample own_before, own_after;
    struct disk_sample disk_before, disk_after;
    uint64_t point_us, point_every_us, point_done; /* the last point of the series */
    uint64_t caught_from; /* in the catch-up: what had been delivered before it, + 1; 0 = not in it */
    uint64_t shown_us, shown_done;                 /* the last progress line */
    bool shows;
    struct result *result;
};

/* What sends and receives: the generator's own devices, or full clients. */
struct load;
struct carrier {
    bool (*connect)(struct load *l); /* as phase_connect */
    bool (*turn)(struct load *l, uint64_t wake_us); /* as loop_turn */
    bool (*send)(struct load *l, uint64_t now_us);  /* as loop_send */
    bool (*sent)(const struct load *l); /* beyond the ledger, nothing is on its way to the relay */
    bool (*settled)(struct load *l); /* the relay knows all that it has to know; asked again until then */
};
struct clients;

struct load {
    const struct options *options;
    const struct carrier *carrier;
    struct clients *clients; /* NULL = the generator's own devices */
    struct hub_config hub_config;
    struct hub **hubs; /* 0: all; 1: those that are away; with --reconnects then one per device */
    size_t hub_count;
    struct pollfd *waits;
    struct device *devices; /* senders, then mailboxes, then idle ones */
    size_t device_count, ready_count, pending_count; /* pending: asked, and not answered yet */
    struct sender *senders;
    size_t next_sender;
    struct traffic traffic;
    struct pace pace;
    struct arena arena;
    struct device *due[DUE_SLOTS]; /* to be acknowledged, by the millisecond */
    uint64_t due_ms; /* the slot of this one is next */
    size_t due_count;
    struct meter meter;
    int signal_fd;
    bool interrupted;
    enum status trouble; /* not OK: the relay refuses a device, or does not follow the protocol */
    uint64_t housekept_us, scanned_us, greeted_us; /* when last */
    uint64_t lost_us; /* when a connection was lost last, and nobody has said hello since; 0 = none */
    uint64_t dropped, next_drop_us, next_victim;   /* --reconnects */
    uint64_t gaps;
    bool stores_known; /* which store has which device's home */
    uint64_t first_delivery_us; /* since it was last set to 0 */
};

/* session.c */
/* session_frame: one frame from the relay to a device. */
void session_frame(struct load *l, struct device *d, struct view bytes, uint64_t now_us);
/* session_open: connects a device, and registers it or says hello. IO: no more sockets. */
enum status session_open(struct load *l, struct device *d, uint64_t now_us) MUST_USE;
/* session_drop: its connection breaks, with everything on it, and is made again (--reconnects). */
enum status session_drop(struct load *l, struct device *d, uint64_t now_us) MUST_USE;
/* session_scan: asks again what got no answer, and says something where nothing was said for long. */
void session_scan(struct load *l, uint64_t now_us);
/* session_greet_all: the relay has forgotten us: everybody says hello again. False: they have only just done
 * so. */
bool session_greet_all(struct load *l, uint64_t now_us);

/* loop.c */
/* loop_turn: takes what has come, acknowledges, keeps house; waits first, until wake_us at most, when
 * nothing has come. True = something came. */
bool loop_turn(struct load *l, uint64_t wake_us);
/* loop_send: sends what is due. True = something was. */
bool loop_send(struct load *l, uint64_t now_us);

/* phases.c */
/* Whether to go on: something must have changed (the mark) within the time that --timeout gives. Begin with {0}. */
struct watch {
    uint64_t mark, changed_us;
};
bool phase_goes_on(const struct load *l, struct watch *w, uint64_t mark);
extern const struct carrier devices_carrier;
/* Each returns true when it is through; else l->interrupted, l->trouble, or time ran out. */
bool phase_connect(struct load *l);
bool phase_run(struct load *l);
bool phase_catch_up(struct load *l);

/* meter.c */
/* meter_connect: before the first connection; then meter_start: before the first message. */
void meter_connect(struct load *l, uint64_t now_us);
void meter_start(struct load *l, uint64_t now_us);
void meter_tick(struct load *l, uint64_t now_us);
/* meter_stop: takes the samples and fills l->meter.result; interrupted runs count nothing as lost. */
void meter_stop(struct load *l);
/* meter_catch_up_start: the series goes on, with the rate of what is delivered now. meter_catch_up: adds what the
 * catch-up phase took to the result. */
void meter_catch_up_start(struct load *l, uint64_t now_us);
void meter_catch_up(struct load *l, uint64_t start_us, uint64_t before);
/* meter_judge: what was lost, now that everything that could come has come. */
void meter_judge(struct load *l);
void meter_print(const struct load *l);

#endif
