/* postgres: a table as queue. A sender's statement inserts up to 64 rows: ids into a table of claims ON
 * CONFLICT DO NOTHING (it outlives the messages, as dedup must), and the messages whose id was new. Each
 * statement is a transaction, pipelined; what comes while one is under way waits for the next, so that
 * an open loop makes batches too. One consumer deletes in an open transaction, gets the rows by
 * RETURNING, and commits after it has looked at them: that is its acknowledgement; without it they are
 * there again. It asks again at once, or a millisecond after it found nothing.
 *
 * Rows are numbered by their sender, whose transactions become visible in their order: so a cursor for
 * each sender misses nothing and steps over no dead rows. The consumer's commits are not waited for
 * (synchronous_commit off): a lost acknowledgement delivers again, it loses nothing. */
#include "bench/peers/peer.h"

#include "broker/host/host.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX      64u   /* in a statement */
#define READ_MAX      "256" /* rows of each sender in one fetch */
#define ASK_AGAIN_US  1000u
#define CALLS_MAX     (1u << 15) /* statements of one sender under way */
#define STATEMENT_LEN 4096

enum { OID_INT2 = 21, OID_INT8 = 20, OID_UUID = 2950, OID_BYTEA = 17 };
/* One-dimensional arrays as libpq's binary format has them: 5 words, then length and bytes of each. */
enum { ARRAY_HEAD_LEN = 20 };

static const char *const schema[] = {
    "DROP TABLE IF EXISTS claim, message", "CREATE TABLE claim (id uuid PRIMARY KEY)",
    "CREATE TABLE message (sender int2, seq int8, queue int2 NOT NULL, body bytea NOT NULL, "
    "PRIMARY KEY (sender, seq)) WITH (autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0)",
    "ALTER TABLE message ALTER body SET STORAGE EXTERNAL", /* ciphertext does not compress */
};

/* DISTINCT: ON CONFLICT says nothing about an id that comes twice within the statement. */
static const char insert_statement[] =
    "WITH m AS (SELECT DISTINCT ON (id) * FROM unnest($2::uuid[], $3::int8[], $4::int2[], "
    "$5::bytea[]) "
    "AS m (id, seq, queue, body)), "
    "c AS (INSERT INTO claim SELECT id FROM m ON CONFLICT DO NOTHING RETURNING id) "
    "INSERT INTO message SELECT $1::int2, m.seq, m.queue, m.body FROM m JOIN c USING (id) "
    "RETURNING seq";

struct array {
    struct buffer bytes; /* room for the head, then the elements */
    uint32_t oid;
};

/* A statement under way: which numbers it has; they rise, and are all of one sender. */
struct call {
    uint64_t numbers[ROWS_MAX];
    unsigned count;
};

struct sender {
    PGconn *c;
    uint16_t number;
    struct array ids, seqs, queues, bodies;
    struct call next;     /* being filled */
    struct call *calls;   /* ring of CALLS_MAX */
    uint64_t first, last; /* under way */
    bool writing;         /* libpq has bytes that the socket did not take */
};

struct postgres {
    struct peer base;
    struct peer_config config;
    struct sender senders[PEER_SENDERS_MAX];
    PGconn *control, *consumer;
    uint64_t cursor[PEER_SENDERS_MAX];
    bool asking, consumer_writing;
    bool waits; /* for the next time it asks */
    uint64_t ask_us, found;
    char error[256];
};

static struct postgres *postgres_of(struct peer *p)
{
    return (struct postgres *)p;
}

static enum status fail(struct postgres *p, const char *what, const char *why)
{
    snprintf(p->error, sizeof p->error, "%s: %s", what, why && *why ? why : "no reason given");
    for (char *c = p->error; *c; c++)
        if (*c == '\n') *c = ' ';
    return STATUS_GONE;
}

/* ---- arrays ---- */

static void array_clear(struct array *a)
{
    buffer_clear(&a->bytes);
    memset(buffer_extend(&a->bytes, ARRAY_HEAD_LEN), 0, ARRAY_HEAD_LEN);
}

static void array_add(struct array *a, const void *at, size_t len)
{
    write_u32(&a->bytes, (uint32_t)len);
    write_bytes(&a->bytes, at, len);
}

static const char *array_end(struct array *a, unsigned count)
{
    uint8_t *head = a->bytes.at;
    put_u32(head, 1);     /* dimension */
    put_u32(head + 4, 0); /* no NULLs */
    put_u32(head + 8, a->oid);
    put_u32(head + 12, count);
    put_u32(head + 16, 1); /* the first index */
    return (const char *)head;
}

/* ---- senders ---- */

static void call_begin(struct sender *s)
{
    s->next.count = 0;
    array_clear(&s->ids);
    array_clear(&s->seqs);
    array_clear(&s->queues);
    array_clear(&s->bodies);
}

static enum status flush(struct postgres *p, PGconn *c, bool *writing)
{
    int left = PQflush(c);
    *writing = left > 0;
    return left < 0 ? fail(p, "send", PQerrorMessage(c)) : STATUS_OK;
}

static enum status call_send(struct postgres *p, struct sender *s)
{
    uint8_t number[2];
    put_u16(number, s->number);
    const char *values[5] = {
        (const char *)number, array_end(&s->ids, s->next.count), array_end(&s->seqs, s->next.count),
        array_end(&s->queues, s->next.count), array_end(&s->bodies, s->next.count)};
    const int lens[5] = {2, (int)s->ids.bytes.len, (int)s->seqs.bytes.len, (int)s->queues.bytes.len,
                         (int)s->bodies.bytes.len};
    static const int binary[5] = {1, 1, 1, 1, 1};
    ENSURE(s->last - s->first < CALLS_MAX);
    s->calls[s->last++ % CALLS_MAX] = s->next;
    if (!PQsendQueryPrepared(s->c, "send", 5, values, lens, binary, 1) || !PQpipelineSync(s->c))
        return fail(p, "send", PQerrorMessage(s->c));
    call_begin(s);
    return flush(p, s->c, &s->writing);
}

static enum status postgres_submit(struct peer *peer, unsigned sender,
                                   const struct flow_message *messages, size_t count)
{
    struct postgres *p = postgres_of(peer);
    struct sender *s = &p->senders[sender];
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct flow_message *m = &messages[i];
        uint8_t seq[8], queue[2];
        put_u64(seq, m->number + 1); /* above the cursor's 0 */
        put_u16(queue, (uint16_t)m->queue);
        array_add(&s->ids, m->id, FLOW_ID_LEN);
        array_add(&s->seqs, seq, sizeof seq);
        array_add(&s->queues, queue, sizeof queue);
        array_add(&s->bodies, m->body.at, m->body.len);
        s->next.numbers[s->next.count++] = m->number;
        if (s->next.count == ROWS_MAX) status = call_send(p, s);
    }
    if (status == STATUS_OK && s->next.count && s->first == s->last) status = call_send(p, s);
    return status;
}

/* The numbers that came back are accepted; the others of the statement were known before. */
static void on_sent(struct postgres *p, struct sender *s, const PGresult *r)
{
    const struct call *call = &s->calls[s->first % CALLS_MAX];
    bool taken[ROWS_MAX] = {false};
    for (int row = 0; row < PQntuples(r); row++) {
        uint64_t number = get_u64((const uint8_t *)PQgetvalue(r, row, 0)) - 1;
        for (unsigned i = 0; i < call->count; i++) { /* as a rule at its own row */
            unsigned at = ((unsigned)row + i) % call->count;
            if (call->numbers[at] != number) continue;
            taken[at] = true;
            break;
        }
    }
    for (unsigned i = 0; i < call->count; i++) {
        if (taken[i])
            flow_accepted(p->config.flow, call->numbers[i]);
        else
            flow_refused(p->config.flow, call->numbers[i]);
    }
}

static enum status sender_turn(struct postgres *p, struct sender *s)
{
    enum status status = STATUS_OK;
    if (!PQconsumeInput(s->c)) return fail(p, "receive", PQerrorMessage(s->c));
    while (status == STATUS_OK && s->first < s->last && !PQisBusy(s->c)) {
        PGresult *r = PQgetResult(s->c);
        if (!r) continue; /* between a statement's result and its end */
        ExecStatusType kind = PQresultStatus(r);
        if (kind == PGRES_TUPLES_OK)
            on_sent(p, s, r);
        else if (kind == PGRES_PIPELINE_SYNC)
            s->first++;
        else
            status = fail(p, "insert", PQresultErrorMessage(r));
        PQclear(r);
    }
    if (status == STATUS_OK && s->next.count && s->first == s->last) status = call_send(p, s);
    return status;
}

/* ---- the consumer ---- */

static bool simple(PGconn *c, const char *statement)
{
    return PQsendQueryParams(c, statement, 0, NULL, NULL, NULL, NULL, 1);
}

/* Ends the transaction that is open, which acknowledges what it deleted, and takes the next rows. */
static enum status ask(struct postgres *p, bool open)
{
    uint8_t cursor[PEER_SENDERS_MAX][8];
    const char *values[PEER_SENDERS_MAX];
    int lens[PEER_SENDERS_MAX], binary[PEER_SENDERS_MAX];
    for (unsigned i = 0; i < p->config.senders; i++) {
        put_u64(cursor[i], p->cursor[i]);
        values[i] = (const char *)cursor[i];
        lens[i] = 8;
        binary[i] = 1;
    }
    if ((open && !simple(p->consumer, "COMMIT")) || !simple(p->consumer, "BEGIN") ||
        !PQsendQueryPrepared(p->consumer, "take", (int)p->config.senders, values, lens, binary,
                             1) ||
        !PQpipelineSync(p->consumer))
        return fail(p, "ask", PQerrorMessage(p->consumer));
    p->asking = true;
    p->waits = false;
    return flush(p, p->consumer, &p->consumer_writing);
}

static void on_taken(struct postgres *p, const PGresult *r)
{
    for (int row = 0; row < PQntuples(r); row++) {
        unsigned sender = get_u16((const uint8_t *)PQgetvalue(r, row, 0));
        uint64_t seq = get_u64((const uint8_t *)PQgetvalue(r, row, 1));
        unsigned queue = get_u16((const uint8_t *)PQgetvalue(r, row, 2));
        flow_delivered(p->config.flow, queue,
                       view_of(PQgetvalue(r, row, 3), (size_t)PQgetlength(r, row, 3)));
        if (sender < p->config.senders && seq > p->cursor[sender]) p->cursor[sender] = seq;
    }
    p->found = (uint64_t)PQntuples(r);
}

static enum status consumer_turn(struct postgres *p)
{
    enum status status = STATUS_OK;
    if (!PQconsumeInput(p->consumer)) return fail(p, "receive", PQerrorMessage(p->consumer));
    while (status == STATUS_OK && p->asking && !PQisBusy(p->consumer)) {
        PGresult *r = PQgetResult(p->consumer);
        if (!r) continue;
        ExecStatusType kind = PQresultStatus(r);
        if (kind == PGRES_TUPLES_OK)
            on_taken(p, r);
        else if (kind == PGRES_PIPELINE_SYNC)
            p->asking = false;
        else if (kind != PGRES_COMMAND_OK)
            status = fail(p, "take", PQresultErrorMessage(r));
        PQclear(r);
    }
    if (status != STATUS_OK || p->asking) return status;
    if (p->found) return ask(p, true);
    if (!p->waits) {
        p->waits = true;
        p->ask_us = host_mono_us() + ASK_AGAIN_US;
    }
    return host_mono_us() >= p->ask_us ? ask(p, true) : STATUS_OK;
}

/* ---- the loop's side ---- */

static size_t postgres_polls(struct peer *peer, struct pollfd *out, uint64_t *timeout_us)
{
    struct postgres *p = postgres_of(peer);
    unsigned count = p->config.senders;
    for (unsigned i = 0; i <= count; i++) {
        PGconn *c = i < count ? p->senders[i].c : p->consumer;
        bool writing = i < count ? p->senders[i].writing : p->consumer_writing;
        out[i] =
            (struct pollfd){.fd = PQsocket(c), .events = (short)(POLLIN | (writing ? POLLOUT : 0))};
    }
    if (p->waits) {
        uint64_t now = host_mono_us(), left = p->ask_us > now ? p->ask_us - now : 0;
        if (left < *timeout_us) *timeout_us = left;
    }
    return count + 1;
}

static enum status postgres_turn(struct peer *peer, const struct pollfd *polls, size_t count)
{
    struct postgres *p = postgres_of(peer);
    enum status s = STATUS_OK;
    for (size_t i = 0; i + 1 < count && s == STATUS_OK; i++) {
        struct sender *sender = &p->senders[i];
        if (polls[i].revents & POLLOUT) s = flush(p, sender->c, &sender->writing);
        if (s == STATUS_OK && polls[i].revents & ~POLLOUT) s = sender_turn(p, sender);
    }
    if (s == STATUS_OK && polls[count - 1].revents & POLLOUT)
        s = flush(p, p->consumer, &p->consumer_writing);
    if (s == STATUS_OK && (p->waits || polls[count - 1].revents & ~POLLOUT)) s = consumer_turn(p);
    return s;
}

/* ---- open and close ---- */

static enum status execute(struct postgres *p, PGconn *c, const char *statement)
{
    PGresult *r = PQexec(c, statement);
    ExecStatusType kind = PQresultStatus(r);
    bool done = kind == PGRES_COMMAND_OK || kind == PGRES_TUPLES_OK;
    PQclear(r);
    return done ? STATUS_OK : fail(p, statement, PQerrorMessage(c));
}

static enum status dial(struct postgres *p, PGconn **out)
{
    char how[256];
    snprintf(how, sizeof how,
             "host=%s port=%u dbname=postgres user=bench connect_timeout=10 sslmode=disable "
             "gssencmode=disable",
             p->config.host, p->config.port);
    *out = PQconnectdb(how);
    if (PQstatus(*out) != CONNECTION_OK) return fail(p, "cannot connect", PQerrorMessage(*out));
    return execute(p, *out, "SET client_min_messages = warning");
}

static enum status prepare(struct postgres *p, PGconn *c, const char *name, const char *statement)
{
    PGresult *r = PQprepare(c, name, statement, 0, NULL);
    bool done = PQresultStatus(r) == PGRES_COMMAND_OK;
    PQclear(r);
    if (!done) return fail(p, name, PQerrorMessage(c));
    if (PQsetnonblocking(c, 1) == 0 && PQenterPipelineMode(c)) return STATUS_OK;
    return fail(p, name, "no pipeline");
}

static enum status sender_open(struct postgres *p, unsigned number)
{
    struct sender *s = &p->senders[number];
    s->number = (uint16_t)number;
    s->ids.oid = OID_UUID;
    s->seqs.oid = OID_INT8;
    s->queues.oid = OID_INT2;
    s->bodies.oid = OID_BYTEA;
    s->calls = malloc(CALLS_MAX * sizeof *s->calls);
    ENSURE(s->calls != NULL);
    call_begin(s);
    enum status status = dial(p, &s->c);
    return status == STATUS_OK ? prepare(p, s->c, "send", insert_statement) : status;
}

static enum status consumer_open(struct postgres *p)
{
    char statement[STATEMENT_LEN];
    size_t len = (size_t)snprintf(statement, sizeof statement,
                                  "DELETE FROM message WHERE ctid = ANY (ARRAY(");
    for (unsigned i = 0; i < p->config.senders; i++)
        len += (size_t)snprintf(statement + len, sizeof statement - len,
                                "%s(SELECT ctid FROM message WHERE sender = %u AND seq > $%u::int8 "
                                "ORDER BY seq LIMIT " READ_MAX ")",
                                i ? " UNION ALL " : "", i, i + 1);
    snprintf(statement + len, sizeof statement - len, ")) RETURNING sender, seq, queue, body");
    enum status s = dial(p, &p->consumer);
    if (s == STATUS_OK) s = execute(p, p->consumer, "SET synchronous_commit = off");
    if (s == STATUS_OK) s = execute(p, p->consumer, "SET enable_seqscan = off");
    if (s == STATUS_OK) s = execute(p, p->consumer, "SET plan_cache_mode = force_generic_plan");
    if (s == STATUS_OK) s = prepare(p, p->consumer, "take", statement);
    return s == STATUS_OK ? ask(p, false) : s;
}

static void postgres_close(struct peer *peer)
{
    if (!peer) return;
    struct postgres *p = postgres_of(peer);
    PQfinish(p->consumer);
    PQfinish(p->control);
    for (unsigned i = 0; i < p->config.senders; i++) {
        struct sender *s = &p->senders[i];
        PQfinish(s->c);
        buffer_fini(&s->ids.bytes);
        buffer_fini(&s->seqs.bytes);
        buffer_fini(&s->queues.bytes);
        buffer_fini(&s->bodies.bytes);
        free(s->calls);
    }
    free(p);
}

static enum status postgres_open(const struct peer_ops *ops, const struct peer_config *config,
                                 struct peer **out, char *error, size_t error_cap)
{
    struct postgres *p = calloc(1, sizeof *p);
    *out = NULL;
    ENSURE(p != NULL);
    p->base.ops = ops;
    p->config = *config;
    enum status s = dial(p, &p->control);
    for (size_t i = 0; i < sizeof schema / sizeof *schema && s == STATUS_OK; i++)
        s = execute(p, p->control, schema[i]);
    for (unsigned i = 0; i < config->senders && s == STATUS_OK; i++)
        s = sender_open(p, i);
    if (s == STATUS_OK) s = consumer_open(p);
    if (s == STATUS_OK) {
        *out = &p->base;
        return STATUS_OK;
    }
    snprintf(error, error_cap, "%s", p->error);
    postgres_close(&p->base);
    return s;
}

static enum status postgres_left(struct peer *peer, uint64_t *count)
{
    struct postgres *p = postgres_of(peer);
    PGresult *r = PQexec(p->control, "SELECT count(*) FROM message");
    bool told = PQresultStatus(r) == PGRES_TUPLES_OK;
    *count = told ? strtoull(PQgetvalue(r, 0, 0), NULL, 10) : 0;
    PQclear(r);
    return told ? STATUS_OK : fail(p, "count", PQerrorMessage(p->control));
}

static const char *postgres_error(const struct peer *p)
{
    return ((const struct postgres *)p)->error;
}

const struct peer_ops peer_postgres[] = {
    {.system = "postgres",
     .durability = "synced",
     .how = "a table; up to 64 rows a statement, ids ON CONFLICT DO NOTHING, pipelined; DELETE "
            "RETURNING, COMMIT by one consumer",
     .open = postgres_open,
     .submit = postgres_submit,
     .polls = postgres_polls,
     .turn = postgres_turn,
     .left = postgres_left,
     .error = postgres_error,
     .close = postgres_close},
    {.system = NULL},
};
