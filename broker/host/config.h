/* config: the one ZPL file that all relay programs read (czmq zconfig), checked in full: unknown,
 * duplicate, missing or impossible entries are named by key and refuse the start. */
#ifndef SEALMQ_HOST_CONFIG_H
#define SEALMQ_HOST_CONFIG_H

#include "broker/wire/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_MAX 512
#define CONFIG_URL_MAX  512

enum config_backend { BACKEND_MEMORY, BACKEND_ROCKSDB };
enum registration_mode { REGISTRATION_OPEN, REGISTRATION_TOKEN };

/* All paths are absolute after loading (relative ones are taken from the file's folder). */
struct config {
    char file[CONFIG_PATH_MAX];
    /* relay */
    char dir[CONFIG_PATH_MAX];      /* relay.dir: everything durable; 0700 */
    char run_dir[CONFIG_PATH_MAX];  /* relay.run: ipc sockets; 0700; default dir/run */
    char keys_dir[CONFIG_PATH_MAX]; /* relay.keys: secret keys; 0700; default dir/keys */
    char log_file[CONFIG_PATH_MAX]; /* relay.log: JSON lines; "-" = standard error; default dir/log */
    uint64_t log_len_max;           /* relay.log_bytes: then the file becomes FILE.1: 67108864 */
    bool allow_swap;                /* relay.allow_swap: start although keys may be swapped: no */
    bool allow_core;                /* relay.allow_core: core files, debuggers of our user: no */
    uint32_t restart_ms;            /* relay.restart_ms: the longest pause before a dead process is
                                     * started again: 5000 */
    bool joined;                    /* relay.joined: broker and storage are in one loop of one process,
                                     * sealmq-relay, and not processes of their own: no */
    /* broker */
    char client_endpoint[CONFIG_URL_MAX];  /* broker.client: tcp://HOST:PORT */
    char backend_endpoint[CONFIG_URL_MAX]; /* broker.backend: default ipc://RUN/backend.ipc */
    char admin_endpoint[CONFIG_URL_MAX];   /* broker.admin: default ipc://RUN/admin.ipc */
    uint32_t connections_max;              /* broker.connections */
    uint32_t address_connections_max;      /* broker.address_connections: of one address: 1024 */
    uint32_t ping_ms;                      /* broker.ping_ms: 10000 */
    uint32_t drain_ms;                     /* broker.drain_ms: 2000 */
    /* More than these is answered rate_limited; ten times as much for seconds ends a device's
     * connection. What was not used for ten seconds may be used at once. */
    uint32_t address_requests_per_s; /* broker.address_requests_per_s: HELLO, REGISTER and
                                      * CLAIM_HANDLE of one address (IPv6: /64): 200 */
    uint32_t device_requests_per_s;  /* broker.device_requests_per_s: of one device, but ACK, PING
                                      * and BYE: 2000 */
    uint64_t device_bytes_per_s;     /* broker.device_bytes_per_s: its frames: 64 MiB */
    bool plain; /* broker.plain: "no", or "bench": an edge without encryption where keys are claimed, not
                 * proved; refused unless broker.client is on loopback */
    /* storage */
    enum config_backend backend;     /* storage.backend: rocksdb | memory */
    char data_dir[CONFIG_PATH_MAX];  /* storage.data: default dir/store */
    uint32_t partition_first, partition_last; /* storage.partitions: "0-4095" */
    uint32_t mailbox_messages;       /* storage.mailbox_messages: 10000 */
    uint64_t mailbox_bytes;          /* storage.mailbox_bytes: 268435456 */
    uint64_t payload_keep_ms;        /* storage.payload_days: 30 */
    uint64_t ledger_keep_ms;         /* storage.ledger_days: 8 */
    uint64_t events_keep_ms;         /* storage.events_days: 30 */
    uint32_t disk_min_percent;       /* storage.disk_min_percent: 10 */
    uint64_t cache_bytes;            /* storage.cache_bytes: blocks, indexes, filters of RocksDB: 8 MiB */
    uint64_t write_buffer_bytes;     /* storage.write_buffer_bytes: rows before a flush: 16 MiB */
    bool accept_damaged;             /* storage.accept_damaged: operator's command, default no */
    uint32_t credit;                 /* storage.credit: requests pending at once: 4096 */
    /* registration: registration.h reads what key names */
    enum registration_mode registration;   /* registration.mode: open | token */
    char registration_key[CONFIG_PATH_MAX]; /* registration.key: the product's public keys, or the path of a file
                                             * of them; "" = none */
    /* fanout */
    char webhook_url[CONFIG_URL_MAX]; /* fanout.webhook: http(s)://...; "" = wake-ups become events */
    uint32_t wake_retry_ms;           /* fanout.retry_ms: first back-off: 1000 */
    uint32_t wake_attempts;           /* fanout.attempts: 8 */
};

/* config_load: reads and checks. OK, or CONFIG / IO with one line in error (names the key and what to
 * do); *out is zero after a failure. Does not create anything. */
enum status config_load(const char *file, struct config *out, char *error,
                        size_t error_cap) MUST_USE;

/* config_make: writes a runnable sealmq.zpl, server.pub and the secret keys into dir (created 0700),
 * listening on tcp://127.0.0.1:port. Leaves what exists as it is, byte for byte: calling it again
 * changes nothing. OK, IO. */
enum status config_make(const char *dir, uint16_t port, char *error, size_t error_cap) MUST_USE;

#endif
