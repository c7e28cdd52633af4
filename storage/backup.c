/* backup: one sealed backup of each account, in parts (PROTOCOL 6.7), in the space that no sweep reads. The relay has no
 * key to it and knows nothing of it but its size: so it cannot tell one from anything else that a device puts there, and keeps one from
 * before. Invariants: there are at most two whole backups and one that comes in; what goes for the next one goes in the commit that has
 * its last part; no device pushes out what another one has made with less than two of its own that are a day apart; of two devices at it at
 * once one sees that the other is. */
#include "storage/core.h"

#include <string.h>

static bool id_equal(const struct backup_id *a, const struct backup_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static enum status row_find(struct storage *s, struct account_id account, struct backup_row *row)
{
    struct store_key key = key_backup(account);
    struct view value = turn_get(&s->turn, SPACE_IDENTITY, &key);
    memset(row, 0, sizeof *row);
    return value.at ? backup_row_read(value, row) : STATUS_OK;
}

static void row_want(struct storage *s, struct account_id account)
{
    struct store_key key = key_backup(account);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
}

static void parts_remove(struct storage *s, struct account_id account, uint64_t version, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct store_key key = key_backup_part(account, version, i);
        turn_remove(&s->turn, SPACE_IDENTITY, &key);
    }
}

/* ---- BACKUP_PUT ---- */

#define FIRST_MAX (UINT64_C(1) << 62) /* below this is the first version, */
#define STEP_MAX  (UINT64_C(1) << 32) /* and so far above the one before at most the next: behind each there is room for all to come */

static bool version_good(const struct msg_backup_put *m)
{
    if (m->version <= m->previous) return false;
    return m->previous ? m->version - m->previous <= STEP_MAX : m->version < FIRST_MAX;
}

enum status backup_put_plan(struct storage *s, struct request *r)
{
    const struct msg_backup_put *m = r->meta;
    bool shaped = version_good(m) && m->of && m->of <= BACKUP_PARTS_MAX && m->part < m->of && m->bytes.len;
    if (!core_owns(s, home_of_account(r->stamp.account))) return STATUS_WRONG_HOME;
    if (m->of > BACKUP_PARTS_MAX) return STATUS_TOO_LARGE;
    if (!shaped) return STATUS_MALFORMED;
    account_want(s, r->stamp.account);
    row_want(s, r->stamp.account);
    return STATUS_OK;
}

static enum status may_keep(struct storage *s, const struct request *r)
{
    const struct account *a;
    const struct log_device *device;
    enum status status = account_asker(s, r, &a, &device);
    if (status != STATUS_OK) return status;
    return s->state == STORE_READONLY ? STATUS_STORE_READONLY : STATUS_OK;
}

static bool is_coming(const struct backup_row *row, const struct msg_backup_put *m)
{
    return row->has.coming_version == m->version && id_equal(&row->has.coming_id, &m->id) && row->coming_of == m->of;
}

/* Whether the newest stays beside the one that `by` puts now: else who puts two at once would be rid of what was there before. */
static bool stays(const struct storage *s, const struct backup_row *row, struct device_id by)
{
    const struct msg_backup_has *has = &row->has;
    if (!has->version) return false;
    return !has->older_version || !device_equal(row->by, by) || s->store_ms >= has->stored_ms + BACKUP_STANDS_MS;
}

static void become_whole(struct storage *s, const struct stamp *stamp, struct backup_row *row)
{
    const struct msg_backup_has was = row->has;
    struct account_id account = stamp->account;
    bool kept = stays(s, row, stamp->device);
    if (kept)
        parts_remove(s, account, was.older_version, was.older_parts);
    else
        parts_remove(s, account, was.version, was.parts);
    row->has = (struct msg_backup_has){.version = was.coming_version, .id = was.coming_id,
                                       .parts = row->coming_of, .stored_ms = s->store_ms,
                                       .older_version = kept ? was.version : was.older_version,
                                       .older_id = kept ? was.id : was.older_id,
                                       .older_parts = kept ? was.parts : was.older_parts,
                                       .older_stored_ms = kept ? was.stored_ms : was.older_stored_ms};
    row->coming_of = 0;
    row->by = stamp->device;
    core_event(s, &(struct event){.kind = EVENT_BACKUP_STORED, .count = row->has.version, .value = row->has.parts,
                                  .account = mark_account(&s->config.mark_key, account)});
}

/* A part that is not the next one of what comes in changes nothing: the answer says what there is. */
static void part_take(struct storage *s, const struct request *r, struct backup_row *row)
{
    const struct msg_backup_put *m = r->meta;
    struct account_id account = r->stamp.account;
    bool follows = m->previous == row->has.version && m->version > row->has.version;
    if (m->part == 0 && follows && !is_coming(row, m)) { /* another one that was coming is given up for it */
        parts_remove(s, account, row->has.coming_version, row->has.coming_parts);
        row->has.coming_version = m->version;
        row->has.coming_id = m->id;
        row->has.coming_parts = 0;
        row->coming_of = m->of;
    }
    if (!is_coming(row, m) || m->part != row->has.coming_parts) return;
    struct store_key key = key_backup_part(account, m->version, m->part), head = key_backup(account);
    turn_put(&s->turn, SPACE_IDENTITY, &key, bytes_row_write(&s->turn.arena, m->bytes));
    if (++row->has.coming_parts == m->of) become_whole(s, &r->stamp, row);
    turn_put(&s->turn, SPACE_IDENTITY, &head, backup_row_write(&s->turn.arena, row));
}

void backup_put_apply(struct storage *s, struct request *r)
{
    const struct msg_backup_put *m = r->meta;
    struct backup_row row;
    enum status status = may_keep(s, r);
    if (status == STATUS_OK && row_find(s, r->stamp.account, &row) != STATUS_OK)
        memset(&row, 0, sizeof row); /* what was there cannot be read: it is as good as none */
    if (status != STATUS_OK) {
        if (status == STATUS_REFUSED || status == STATUS_ON_HOLD || status == STATUS_STORE_READONLY)
            core_event(s, &(struct event){.kind = EVENT_BACKUP_REFUSED, .code = (uint32_t)status, .count = m->version,
                                          .value = m->of, .account = mark_account(&s->config.mark_key, r->stamp.account)});
        request_fail(s, r, status, status_client_action(status) == ACTION_RETRY ? 1000 : 0);
        return;
    }
    part_take(s, r, &row);
    request_reply(s, r, KIND_BACKUP_HAS, &msg_backup_has_desc, &row.has);
}

/* ---- BACKUP_GET ---- */

enum status backup_get_plan(struct storage *s, struct request *r)
{
    const struct msg_backup_get *m = r->meta;
    if (!core_owns(s, home_of_account(r->stamp.account))) return STATUS_WRONG_HOME;
    if (m->part >= BACKUP_PARTS_MAX) return STATUS_MALFORMED;
    row_want(s, r->stamp.account);
    if (!m->version) return STATUS_OK;
    struct store_key key = key_backup_part(r->stamp.account, m->version, m->part);
    turn_want(&s->turn, SPACE_IDENTITY, &key);
    return STATUS_OK;
}

void backup_get_apply(struct storage *s, struct request *r)
{
    const struct msg_backup_get *m = r->meta;
    struct msg_backup_is answer = {.bytes = view_of(NULL, 0)};
    struct backup_row row;
    struct store_key key = key_backup_part(r->stamp.account, m->version, m->part);
    if (row_find(s, r->stamp.account, &row) != STATUS_OK) memset(&row, 0, sizeof row); /* as for BACKUP_PUT */
    answer.has = row.has;
    uint32_t parts = m->version == row.has.version ? row.has.parts : m->version == row.has.older_version ? row.has.older_parts : 0;
    bool wanted = m->version && m->part < parts;
    if (wanted && part_row_read(turn_get(&s->turn, SPACE_IDENTITY, &key), &answer.bytes) != STATUS_OK)
        answer.bytes = view_of(NULL, 0); /* damaged: it does not open, so that an older one may be taken */
    if (wanted && m->part == 0)
        core_event(s, &(struct event){.kind = EVENT_BACKUP_READ, .count = m->version, .value = parts,
                                      .account = mark_account(&s->config.mark_key, r->stamp.account)});
    request_reply(s, r, KIND_BACKUP_IS, &msg_backup_is_desc, &answer);
}
