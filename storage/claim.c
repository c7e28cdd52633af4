/* claim: step 4, the part that makes a send repeatable. Claims of a turn are collected, and written
 * as pages by sender. Invariants: the pages of a sender do not overlap, the later one's ids are all above
 * the earlier one's (newest knows the highest under the sender and no target); claims that share an id
 * share their page or have rows of their own. A resend's id was accepted before, so it never comes into a page. */
#include "storage/claim.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_CLAIMS 64u /* then another page begins, with the next id */

struct claim_made {
    struct message_ref ref;
    const struct store_key *own;
    struct view row;
};

static const struct target_id any_target; /* under which newest keeps a sender's highest id of all */

void claim_want(struct storage *s, const struct message_ref *ref, uint32_t attempt,
                struct claim_look *look)
{
    struct store_key from = key_page(ref->sender, ref->id);
    struct store_key to = key_end(view_of(from.bytes, from.len - sizeof ref->id.bytes));
    look->own = key_claim(ref->sender, ref->target, ref->id, attempt);
    look->wanted = true;
    if (!attempt) {
        struct store_scan *scan = turn_scan(&s->turn, SPACE_ROUTING, &from, &to, 1, 1);
        scan->nearest = true; /* a deleted page that stood first was the only one that could have it */
        look->page = scan;
    }
    turn_want(&s->turn, SPACE_ROUTING, &look->own);
}

/* What is no claim_row to any reader: "there is something, and it cannot be read". */
static struct view unreadable(void)
{
    static const uint8_t nothing = 0;
    return view_of(&nothing, 0);
}

struct view claim_get(struct storage *s, const struct message_ref *ref, const struct claim_look *look)
{
    struct view own = view_of(NULL, 0);
    if (look->wanted || turn_changed(&s->turn, SPACE_ROUTING, &look->own))
        own = turn_get(&s->turn, SPACE_ROUTING, &look->own);
    if (own.at || !look->page) return own;
    if (look->page->damaged) return unreadable();
    if (!look->page->row_count) return own;
    enum status status = page_row_find(look->page->rows[0].value, ref->target, ref->id, &own);
    return status == STATUS_DAMAGED ? unreadable() : own;
}

static void grow(struct storage *s)
{
    struct claim_made *made = s->claims;
    s->claim_cap = s->claim_cap ? 2 * s->claim_cap : TURN_ITEMS_MAX;
    s->claims = arena_alloc_raw(&s->turn.arena, s->claim_cap * sizeof *made);
    if (s->claim_count) memcpy(s->claims, made, s->claim_count * sizeof *made);
}

void claim_put(struct storage *s, const struct message_ref *ref, const struct claim_look *look,
               struct view row)
{
    if (s->claim_count == s->claim_cap) grow(s);
    turn_note(&s->turn, SPACE_ROUTING, &look->own, row);
    s->claims[s->claim_count++] = (struct claim_made){*ref, &look->own, row};
}

static int by_sender_and_id(const void *left, const void *right)
{
    const struct claim_made *a = left, *b = right;
    int order = memcmp(a->ref.sender.bytes, b->ref.sender.bytes, sizeof a->ref.sender.bytes);
    return order ? order : memcmp(a->ref.id.bytes, b->ref.id.bytes, sizeof a->ref.id.bytes);
}

static void write_page(struct storage *s, const struct claim_made *made, size_t count)
{
    struct page_claim *list = arena_array(&s->turn.arena, count, sizeof *list);
    struct store_key key = key_page(made->ref.sender, made[count - 1].ref.id);
    for (size_t i = 0; i < count; i++)
        list[i] = (struct page_claim){made[i].ref.target, made[i].ref.id, made[i].row};
    turn_put_new(&s->turn, SPACE_ROUTING, &key, page_row_write(&s->turn.arena, list, count),
                 view_of(NULL, 0));
}

/* How many of these make a page: up to one whose id the next one does not share, if that comes in time. */
static size_t page_count(const struct claim_made *made, size_t left)
{
    size_t n = left < PAGE_CLAIMS ? left : PAGE_CLAIMS;
    while (n < left && n < PAGE_CLAIMS_MAX && message_equal(made[n - 1].ref.id, made[n].ref.id))
        n++;
    return n;
}

static void write_own(struct storage *s, const struct claim_made *made)
{
    turn_put_new(&s->turn, SPACE_ROUTING, made->own, made->row, view_of(NULL, 0));
}

/* All claims of one sender: first those whose ids do not grow. One id to more targets than a page holds is
 * nothing that a client needs. */
static void write_sender(struct storage *s, const struct claim_made *made, size_t count)
{
    struct device_id sender = made->ref.sender;
    size_t i = 0;
    for (; i < count && !newest_knows_new(s->newest, sender, any_target, made[i].ref.id); i++)
        write_own(s, &made[i]);
    if (i == count) return;
    newest_note(s->newest, sender, any_target, made[count - 1].ref.id);
    while (i < count) {
        size_t n = page_count(made + i, count - i);
        write_page(s, made + i, n);
        for (i += n; i < count && message_equal(made[i - 1].ref.id, made[i].ref.id); i++)
            write_own(s, &made[i]);
    }
}

void claim_write(struct storage *s)
{
    if (s->claim_count)
        qsort(s->claims, s->claim_count, sizeof *s->claims, by_sender_and_id);
    for (size_t i = 0, n; i < s->claim_count; i += n) {
        for (n = 1; i + n < s->claim_count; n++)
            if (!device_equal(s->claims[i].ref.sender, s->claims[i + n].ref.sender)) break;
        write_sender(s, s->claims + i, n);
    }
    s->claims = NULL;
    s->claim_count = s->claim_cap = 0;
}
