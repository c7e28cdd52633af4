/* terms: every opening of a store is a new term; the previous one's end is written down at once, so
 * that clients and brokers can tell what a damaged disk has lost (STORAGE, terms and loss). */
#include "storage/core.h"

#include <string.h>

/* The store's id: read, or written with the first term. */
static enum status read_single(struct storage *s, enum row_kind kind, struct view *value)
{
    struct store_key key = key_single(kind);
    struct store_read read = {.space = SPACE_IDENTITY, .key = key_view(&key)};
    enum status status = store_load(s->store, &read, 1, &s->turn.arena);
    *value = read.value;
    return status;
}

/* The newest TERMS_KEPT_MAX ended terms, ascending. */
static enum status read_terms(struct storage *s)
{
    struct store_key from = key_single(ROW_TERM);
    struct store_key to = key_end(view_of(from.bytes, 1));
    struct store_scan scan = {.space = SPACE_IDENTITY, .from = view_of(from.bytes, 1),
                              .to = key_view(&to), .row_max = 256, .byte_max = 1 << 20};
    do {
        enum status status = store_scan(s->store, &scan, &s->turn.arena);
        if (status != STATUS_OK) return status;
        for (size_t i = 0; i < scan.row_count; i++) {
            struct term_row row;
            struct reader key = reader_of(scan.rows[i].key);
            if (s->term_count == TERMS_KEPT_MAX - 1) { /* one place is for the term that ends now */
                memmove(s->terms, s->terms + 1, (--s->term_count) * sizeof *s->terms);
                s->terms_complete = false;
            }
            read_view(&key, 3);
            read_bytes(&key, s->terms[s->term_count].term.bytes, sizeof(struct term));
            if (reader_done(&key) != STATUS_OK || term_row_read(scan.rows[i].value, &row) != STATUS_OK)
                return STATUS_DAMAGED;
            s->terms[s->term_count++].end = row.end;
        }
        if (scan.row_count) {
            from = key_after(scan.rows[scan.row_count - 1].key);
            scan.from = key_view(&from);
        }
    } while (scan.more);
    return STATUS_OK;
}

static void remember_term(struct storage *s, struct term term, uint64_t end)
{
    for (size_t i = 0; i < s->term_count; i++)
        if (term_equal(s->terms[i].term, term)) return;
    ENSURE(s->term_count < TERMS_KEPT_MAX);
    s->terms[s->term_count++] = (struct term_known){term, end};
}

/* Ends the last term (if there was one) and starts ours, in one synced write. */
static enum status write_start(struct storage *s, const struct commit_row *last, bool had_one,
                               bool had_id)
{
    struct arena *a = &s->turn.arena;
    struct store_batch batch = {0};
    struct store_key id_key = key_single(ROW_STORE), commit_key = key_single(ROW_COMMIT), term_key;
    if (!had_id)
        store_batch_put(&batch, a, SPACE_IDENTITY, key_view(&id_key),
                        bytes_row_write(a, view_of(s->store_id.bytes, 8)), view_of(NULL, 0));
    if (had_one) {
        struct term_row row = {.end = last->commit, .ended_ms = s->store_ms};
        term_key = key_term(last->term);
        store_batch_put(&batch, a, SPACE_IDENTITY, key_view(&term_key), term_row_write(a, &row),
                        view_of(NULL, 0));
        remember_term(s, last->term, last->commit);
    }
    struct commit_row now = {.term = s->term, .at_ms = s->store_ms, .newest = last->newest};
    store_batch_put(&batch, a, SPACE_IDENTITY, key_view(&commit_key), commit_row_write(a, &now),
                    view_of(NULL, 0));
    return store_write(s->store, &batch, s->durability);
}

/* Store time goes on where the last term left it, or at the wall clock. Whether a store was closed for a
 * long time or the clock is wrong cannot be told from here: so operators are told, and nothing ends by
 * time for an hour. */
static void start_time(struct storage *s, uint64_t opened_ms, uint64_t last_ms)
{
    s->store_ms = opened_ms > last_ms ? opened_ms : last_ms;
    if (!last_ms || opened_ms <= last_ms + CLOCK_JUMP_MS) return;
    s->expiry_from_ms = s->mono_ms + CLOCK_JUMP_MS;
    core_event(s, &(struct event){.kind = EVENT_STORE_WAS_AWAY, .count = opened_ms - last_ms});
}

enum status terms_open(struct storage *s, const struct storage_seed *seed, struct now now)
{
    struct view id, commit;
    struct commit_row last = {0};
    s->terms_complete = true;
    enum status status = read_single(s, ROW_STORE, &id);
    if (status == STATUS_OK) status = read_single(s, ROW_COMMIT, &commit);
    if (status == STATUS_OK) status = read_terms(s);
    if (status != STATUS_OK) return status;
    s->store_id = seed->store;
    if (id.at && bytes_row_read(id, s->store_id.bytes, sizeof s->store_id.bytes) != STATUS_OK)
        return STATUS_DAMAGED;
    if (commit.at && commit_row_read(commit, &last) != STATUS_OK) return STATUS_DAMAGED;
    uint64_t opened = now.wall_ms;
    if (commit.at && opened <= term_opened_ms(last.term)) opened = term_opened_ms(last.term) + 1;
    s->term = term_make(opened, seed->term);
    s->newest = newest_new(last.newest, NEWEST_PAIRS, seed->table);
    start_time(s, opened, last.at_ms);
    status = write_start(s, &last, commit.at != NULL, id.at != NULL);
    if (status != STATUS_OK) return status;
    core_event(s, &(struct event){.kind = s->store->recovery == RECOVERY_CLEAN
                                              ? EVENT_STORE_OPENED
                                              : EVENT_STORE_RECOVERED_TAIL,
                                  .code = (uint32_t)s->store->recovery, .count = last.commit,
                                  .value = s->config.recovery_ms, .store = s->store_id});
    return STATUS_OK;
}

void terms_witness(struct storage *s, struct term term, uint64_t commit)
{
    for (size_t i = 0; i < s->term_count; i++) {
        if (!term_equal(s->terms[i].term, term)) continue;
        if (commit > s->terms[i].end)
            core_event(s, &(struct event){.kind = EVENT_STORE_LOSS,
                                          .count = commit - s->terms[i].end,
                                          .value = s->terms[i].end + 1, .store = s->store_id});
        return;
    }
    bool forgotten = s->term_count && !s->terms_complete &&
                     term_compare(term, s->terms[0].term) < 0;
    if (commit && !forgotten && !term_equal(term, s->term)) /* an older image of the disk: the term never was */
        core_event(s, &(struct event){.kind = EVENT_STORE_LOSS, .count = commit, .value = 1,
                                      .store = s->store_id});
}

bool terms_lost(const struct storage *s, const struct msg_receipt *receipt)
{
    if (memcmp(receipt->store.bytes, s->store_id.bytes, sizeof s->store_id.bytes) != 0) return true;
    if (term_equal(receipt->term, s->term)) return false;
    for (size_t i = 0; i < s->term_count; i++)
        if (term_equal(s->terms[i].term, receipt->term))
            return receipt->commit > s->terms[i].end;
    return s->terms_complete;
}

/* ---- TERMS ---- */

enum status terms_plan(struct storage *s, struct request *r)
{
    (void)s;
    (void)r;
    return STATUS_OK;
}

void terms_apply(struct storage *s, struct request *r)
{
    const struct msg_terms *m = r->meta;
    struct msg_terms_are reply = {.store = s->store_id};
    reply.terms = arena_array(&s->turn.arena, TERMS_PER_FRAME, sizeof *reply.terms);
    bool reaches = s->terms_complete;
    _Static_assert(TERMS_KEPT_MAX + 1 <= TERMS_PER_FRAME, "all of them fit one answer");
    for (size_t i = 0; i < s->term_count; i++) {
        if (term_compare(s->terms[i].term, m->since) <= 0) reaches = true;
        if (term_compare(s->terms[i].term, m->since) < 0) continue;
        reply.terms[reply.term_count++] =
            (struct msg_term_end){.term = s->terms[i].term, .end = s->terms[i].end};
    }
    reply.terms[reply.term_count++] =
        (struct msg_term_end){.term = s->term, .end = s->synced, .open = true};
    reply.complete = reaches;
    request_reply(s, r, KIND_TERMS_ARE, &msg_terms_are_desc, &reply);
}
