/* The table of unanswered requests. */
#include "broker/pending.h"

#include <criterion/criterion.h>

static struct pending_key edge(uint64_t conn, uint64_t correlation)
{
    return (struct pending_key){ORIGIN_EDGE, conn, correlation};
}

static enum status add_frame(struct pendings *p, struct pending_key key, struct view frame,
                             struct pending_list *asker, struct pending_list *worker)
{
    return pending_add(p, &key, &(struct frame_header){.kind = KIND_SEND, .home = 3}, frame, 10,
                       asker, worker);
}

static enum status add(struct pendings *p, struct pending_key key, struct pending_list *asker,
                       struct pending_list *worker)
{
    return add_frame(p, key, view_of("x", 1), asker, worker);
}

static struct pending *find(const struct pendings *p, struct pending_key key)
{
    return pending_find(p, &key);
}

Test(pending, is_found_by_its_whole_key_only)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 8);
    cr_assert_eq(add(&p, edge(1, 2), &asker, &worker), STATUS_OK);
    cr_assert_not_null(find(&p, edge(1, 2)));
    cr_assert_eq(find(&p, edge(1, 2))->home, 3);
    cr_assert_null(find(&p, edge(1, 3)));
    cr_assert_null(find(&p, edge(2, 2)));
    cr_assert_null(find(&p, (struct pending_key){ORIGIN_ADMIN, 1, 2}));
    pendings_fini(&p);
}

Test(pending, same_key_twice_is_refused_and_changes_nothing)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 8);
    cr_assert_eq(add(&p, edge(1, 2), &asker, &worker), STATUS_OK);
    cr_assert_eq(add(&p, edge(1, 2), &asker, &worker), STATUS_STATE);
    cr_assert_eq(asker.count, 1);
    cr_assert_eq(worker.count, 1);
    cr_assert_eq(p.count, 1);
    pendings_fini(&p);
}

Test(pending, full_table_refuses_and_room_comes_back)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 2);
    cr_assert_eq(add(&p, edge(1, 1), &asker, &worker), STATUS_OK);
    cr_assert_eq(add(&p, edge(1, 2), &asker, &worker), STATUS_OK);
    cr_assert_eq(add(&p, edge(1, 3), &asker, &worker), STATUS_FULL);
    cr_assert_eq(worker.count, 2);
    pending_remove(&p, find(&p, edge(1, 1)));
    cr_assert_eq(add(&p, edge(1, 3), &asker, &worker), STATUS_OK);
    pendings_fini(&p);
}

Test(pending, lists_keep_the_order_of_arrival_whatever_is_removed)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 8);
    for (uint64_t i = 1; i <= 4; i++)
        cr_assert_eq(add(&p, edge(i % 2, i), &asker, &worker), STATUS_OK);
    pending_remove(&p, find(&p, edge(0, 2)));
    pending_remove(&p, find(&p, edge(0, 4)));
    cr_assert_eq(pending_first(&p, &worker)->key.correlation, 1);
    pending_remove(&p, pending_first(&p, &worker));
    cr_assert_eq(pending_first(&p, &asker)->key.correlation, 3);
    pending_remove(&p, pending_first(&p, &asker));
    cr_assert_null(pending_first(&p, &worker));
    cr_assert_eq(asker.count + worker.count + p.count, 0);
    pendings_fini(&p);
}

Test(pending, orphans_still_count_against_the_worker)
{
    struct pendings p;
    struct pending_list asker = {0}, other = {0}, worker = {0};
    pendings_init(&p, 8);
    cr_assert_eq(add(&p, edge(1, 1), &asker, &worker), STATUS_OK);
    cr_assert_eq(add(&p, edge(2, 1), &other, &worker), STATUS_OK);
    pending_orphan(&p, &asker);
    cr_assert_eq(asker.count, 0);
    cr_assert_eq(worker.count, 2);
    cr_assert_null(find(&p, edge(1, 1))->lists[BY_ASKER]);
    cr_assert_not_null(find(&p, edge(2, 1))->lists[BY_ASKER]);
    pending_remove(&p, find(&p, edge(1, 1)));
    cr_assert_eq(worker.count, 1);
    pendings_fini(&p);
}

Test(pending, many_in_few_buckets_are_all_found_and_removed)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 1000);
    for (uint64_t i = 0; i < 1000; i++)
        cr_assert_eq(add(&p, edge(i / 64, i << 32), &asker, &worker), STATUS_OK);
    for (uint64_t i = 0; i < 1000; i += 3)
        pending_remove(&p, find(&p, edge(i / 64, i << 32)));
    for (uint64_t i = 0; i < 1000; i++)
        cr_assert_eq(find(&p, edge(i / 64, i << 32)) == NULL, i % 3 == 0);
    pendings_fini(&p);
}

Test(pending, bytes_follow_every_way_in_and_out)
{
    struct pendings p;
    struct pending_list asker = {0}, worker = {0};
    pendings_init(&p, 2);
    cr_assert_eq(add_frame(&p, edge(1, 1), view_of("abc", 3), &asker, &worker), STATUS_OK);
    cr_assert_eq(add_frame(&p, edge(1, 1), view_of("abcdef", 6), &asker, &worker), STATUS_STATE);
    cr_assert_eq(add_frame(&p, edge(1, 2), view_of("abcd", 4), &asker, &worker), STATUS_OK);
    cr_assert_eq(add_frame(&p, edge(1, 3), view_of("abcde", 5), &asker, &worker), STATUS_FULL);
    cr_assert_eq(asker.bytes, 7);
    cr_assert_eq(worker.bytes, 7);
    pending_remove(&p, find(&p, edge(1, 1)));
    cr_assert_eq(asker.bytes, 4);
    pending_orphan(&p, &asker);
    cr_assert_eq(asker.bytes, 0);
    cr_assert_eq(worker.bytes, 4, "the worker still has it");
    pending_remove(&p, find(&p, edge(1, 2)));
    cr_assert_eq(worker.bytes, 0);
    pendings_fini(&p);
}
