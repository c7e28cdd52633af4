/* contacts: CONTACTS_SET and CONTACTS_GET: an account's devices say whom it lets write to it, and read what they have said
 * (PROTOCOL 7.6). What it means is policy.c. All of a request is taken or none; said again it changes nothing, and the
 * version stays. */
#include "storage/core.h"

#include <string.h>

static bool is_good(const struct request *r, const struct msg_contact *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].verdict >= CONTACT_VERDICTS) return false;
        if (memcmp(&items[i].account, &r->stamp.account, sizeof r->stamp.account) == 0) return false;
        for (size_t k = 0; k < i; k++)
            if (memcmp(&items[i].account, &items[k].account, sizeof items[i].account) == 0) return false;
    }
    return true;
}

enum status contacts_set_plan(struct storage *s, struct request *r)
{
    const struct msg_contacts_set *m = r->meta;
    if (!core_owns(s, home_of_account(r->stamp.account))) return STATUS_WRONG_HOME;
    if (m->mode >= CONTACT_MODES || !is_good(r, m->items, m->item_count)) return STATUS_MALFORMED;
    account_want(s, r->stamp.account);
    for (size_t i = 0; i < m->item_count; i++)
        policy_want(s, &(struct contact_pair){.account = r->stamp.account, .other = m->items[i].account});
    return STATUS_OK;
}

/* What a request comes to. */
struct setting {
    enum contact_verdict was[CONTACTS_PER_SET];
    size_t allowed, blocked, gone; /* accounts of which something else is said now */
    size_t count;                  /* rows afterwards */
    bool mode;                     /* it is another one */
};

/* What cannot be read is said anew. */
static enum contact_verdict verdict_was(struct storage *s, const struct contact_pair *pair, enum contact_verdict now)
{
    enum contact_verdict was;
    if (policy_verdict(s, pair, &was) == STATUS_OK) return was;
    return now == CONTACT_BLOCKED ? CONTACT_ALLOWED : CONTACT_BLOCKED;
}

static struct setting setting_of(struct storage *s, const struct request *r, const struct policy_row *policy)
{
    const struct msg_contacts_set *m = r->meta;
    struct setting set = {.count = policy ? policy->count : 0};
    uint32_t mode = policy ? policy->mode : CONTACT_MODE_OPEN;
    set.mode = m->mode != CONTACT_MODE_UNCHANGED && m->mode != mode;
    for (size_t i = 0; i < m->item_count; i++) {
        struct contact_pair pair = {.account = r->stamp.account, .other = m->items[i].account};
        enum contact_verdict now = (enum contact_verdict)m->items[i].verdict;
        set.was[i] = verdict_was(s, &pair, now);
        if (set.was[i] == now) continue;
        set.allowed += now == CONTACT_ALLOWED;
        set.blocked += now == CONTACT_BLOCKED;
        set.gone += now == CONTACT_NONE;
        set.count += set.was[i] == CONTACT_NONE;
        set.count -= now == CONTACT_NONE && set.count;
    }
    return set;
}

static void setting_store(struct storage *s, const struct request *r, const struct setting *set)
{
    const struct msg_contacts_set *m = r->meta;
    struct policy_row *policy = policy_begin(s, r->stamp.account);
    for (size_t i = 0; i < m->item_count; i++) {
        struct contact_pair pair = {.account = r->stamp.account, .other = m->items[i].account};
        if (m->items[i].verdict != CONTACT_NONE) policy_decided(policy, pair.other);
        if (set->was[i] != (enum contact_verdict)m->items[i].verdict)
            policy_say(s, &pair, (enum contact_verdict)m->items[i].verdict);
    }
    if (set->mode) policy->mode = m->mode;
    if (policy->mode == CONTACT_MODE_OPEN) policy->ask_count = 0;
    policy->count = (uint32_t)set->count;
    /* In time, so that what a store has lost is not numbered as what came after it. */
    policy->version = policy->version < s->turn.now_ms ? s->turn.now_ms : policy->version + 1;
    policy_put(s, r->stamp.account);
}

static void tell(struct storage *s, const struct request *r, enum event_kind kind, size_t count, size_t kept)
{
    if (count)
        core_event(s, &(struct event){.kind = kind, .count = count, .value = kept,
                                      .account = mark_account(&s->config.mark_key, r->stamp.account)});
}

/* The account's other devices that are here; the others hear it in WELCOME. */
static void push_changed(struct storage *s, const struct request *r, const struct account *a, uint64_t version)
{
    struct msg_contacts_changed meta = {.version = version};
    struct buffer *out;
    for (size_t i = 0; i < a->device_count; i++) {
        const struct mailbox *m = core_mailbox_peek(s, a->devices[i].id);
        if (!m || !mailbox_attached(m) || device_equal(m->device, r->stamp.device)) continue;
        size_t start = push_begin(s, &m->session, m->device, &out);
        frame_write(out, &(struct frame_header){.kind = KIND_CONTACTS_CHANGED, .home = m->home},
                    &msg_contacts_changed_desc, &meta);
        push_end(out, start);
    }
}

static enum status contacts_set(struct storage *s, const struct request *r, struct msg_contacts_kept *answer)
{
    const struct account *a;
    const struct log_device *d;
    enum status status = account_asker(s, r, &a, &d);
    *answer = (struct msg_contacts_kept){0};
    if (status != STATUS_OK) return status;
    const struct policy_row *policy = a->policy;
    struct setting set = setting_of(s, r, policy);
    answer->before = answer->version = policy ? policy->version : 0;
    if (set.count > CONTACTS_MAX) {
        tell(s, r, EVENT_POLICY_FULL, CONTACTS_MAX, 0);
        return STATUS_TOO_LARGE;
    }
    if (!set.mode && !set.allowed && !set.blocked && !set.gone && answer->version) return STATUS_OK;
    if (s->state == STORE_READONLY) return STATUS_STORE_READONLY;
    setting_store(s, r, &set);
    answer->version = a->policy->version;
    tell(s, r, EVENT_CONTACT_BLOCKED, set.blocked, set.count);
    tell(s, r, EVENT_CONTACT_ALLOWED, set.allowed, set.count);
    push_changed(s, r, a, answer->version);
    return STATUS_OK;
}

void contacts_set_apply(struct storage *s, struct request *r)
{
    struct msg_contacts_kept answer;
    enum status status = contacts_set(s, r, &answer);
    if (status == STATUS_OK)
        request_reply(s, r, KIND_CONTACTS_KEPT, &msg_contacts_kept_desc, &answer);
    else
        request_fail(s, r, status, status_client_action(status) == ACTION_RETRY ? 1000 : 0);
}

/* ---- CONTACTS_GET ---- */

enum status contacts_get_plan(struct storage *s, struct request *r)
{
    const struct msg_contacts_get *m = r->meta;
    struct account_id account = r->stamp.account;
    if (!core_owns(s, home_of_account(account))) return STATUS_WRONG_HOME;
    struct store_key last = key_contact(account, m->after), from = key_after(key_view(&last));
    struct store_key to = key_end(view_of(last.bytes, 3 + sizeof account.bytes));
    account_want(s, account);
    r->plan = turn_scan(&s->turn, SPACE_IDENTITY, &from, &to, CONTACTS_PER_PAGE, CONTACTS_PER_PAGE * 256);
    return STATUS_OK;
}

static bool page_read(struct storage *s, const struct store_scan *scan, struct msg_contacts_are *out)
{
    out->items = arena_array(&s->turn.arena, scan->row_count, sizeof *out->items);
    for (size_t i = 0; i < scan->row_count; i++) {
        struct account_id account;
        struct contact_row row;
        if (key_contact_read(scan->rows[i].key, &account, &out->items[i].account) != STATUS_OK ||
            contact_row_read(scan->rows[i].value, &row) != STATUS_OK)
            return false;
        out->items[i].verdict = row.verdict;
    }
    out->item_count = scan->row_count;
    out->more = scan->more;
    return !scan->damaged;
}

void contacts_get_apply(struct storage *s, struct request *r)
{
    const struct account *a;
    struct msg_contacts_are answer = {.mode = CONTACT_MODE_OPEN};
    enum status status = account_find(s, r->stamp.account, &a);
    if (status == STATUS_OK && !page_read(s, r->plan, &answer)) status = STATUS_BUSY;
    if (status != STATUS_OK) {
        request_fail(s, r, status > STATUS_WIRE_MAX ? STATUS_BUSY : status, 1000);
        return;
    }
    if (a->policy) answer.mode = a->policy->mode;
    if (a->policy) answer.version = a->policy->version;
    request_reply(s, r, KIND_CONTACTS_ARE, &msg_contacts_are_desc, &answer);
}
