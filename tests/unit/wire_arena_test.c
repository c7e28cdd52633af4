/* arena: aligned, zeroed, reused after a reset, and never keeping more than it promises. */
#include "broker/wire/arena.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define MIB (1024u * 1024u)

Test(arena, gives_aligned_zeroed_memory)
{
    struct arena a = {0};
    for (size_t len = 0; len < 200; len++) {
        uint8_t *at = arena_alloc(&a, len);
        cr_assert_eq((uintptr_t)at % 16, 0u);
        for (size_t i = 0; i < len; i++)
            cr_assert_eq(at[i], 0);
        memset(at, 0xff, len);
    }
    arena_fini(&a);
}

Test(arena, is_zeroed_again_after_a_reset)
{
    struct arena a = {0};
    memset(arena_alloc(&a, 1000), 0xff, 1000);
    arena_reset(&a);
    cr_assert_eq(a.used, 0u);
    uint8_t *at = arena_alloc(&a, 1000);
    for (size_t i = 0; i < 1000; i++)
        cr_assert_eq(at[i], 0);
    arena_fini(&a);
}

Test(arena, pieces_do_not_overlap)
{
    struct arena a = {0};
    uint8_t *pieces[64];
    for (size_t i = 0; i < 64; i++) {
        size_t len = (i % 7 + 1) * 30000;
        pieces[i] = arena_alloc_raw(&a, len);
        memset(pieces[i], (int)i, len);
    }
    for (size_t i = 0; i < 64; i++)
        for (size_t k = 0; k < (i % 7 + 1) * 30000; k += 997)
            cr_assert_eq(pieces[i][k], i);
    arena_fini(&a);
}

Test(arena, a_steady_turn_gets_the_same_memory)
{
    struct arena a = {0};
    void *first = arena_alloc(&a, 100), *large = arena_alloc(&a, MIB);
    for (int turn = 0; turn < 10; turn++) {
        arena_reset(&a);
        cr_assert_eq(arena_alloc(&a, 100), first);
        cr_assert_eq(arena_alloc(&a, MIB), large);
    }
    arena_fini(&a);
}

Test(arena, keeps_no_more_than_eight_mib)
{
    struct arena a = {0};
    for (size_t i = 0; i < 20; i++)
        arena_alloc_raw(&a, MIB);
    arena_reset(&a);
    cr_assert_not_null(a.first);
    cr_assert_eq(a.now, a.first);
    size_t chunks = 0;
    for (void *at = a.first; at; memcpy(&at, at, sizeof at)) /* next is the first member */
        chunks++;
    cr_assert_eq(chunks, 8u);
    arena_fini(&a);
}

Test(arena, keeps_what_fits)
{
    struct arena a = {0};
    void *served[4];
    for (size_t i = 0; i < 4; i++)
        served[i] = arena_alloc_raw(&a, MIB);
    arena_reset(&a);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(arena_alloc_raw(&a, MIB), served[i]);
    arena_fini(&a);
}

Test(arena, does_not_keep_one_huge_first_piece)
{
    struct arena a = {0};
    arena_alloc_raw(&a, 9 * MIB);
    arena_reset(&a);
    cr_assert_null(a.first, "nine MiB kept for ever");
    cr_assert_not_null(arena_alloc(&a, 10));
    arena_fini(&a);
}

Test(arena, a_huge_piece_does_not_cost_the_small_ones_behind_it)
{
    struct arena a = {0};
    void *small = arena_alloc_raw(&a, 100);
    arena_alloc_raw(&a, 9 * MIB);
    void *behind = arena_alloc_raw(&a, MIB);
    arena_reset(&a);
    cr_assert_eq(arena_alloc_raw(&a, 100), small);
    cr_assert_eq(arena_alloc_raw(&a, MIB), behind);
    arena_fini(&a);
}

Test(arena, an_array_that_would_overflow_is_our_bug, .signal = SIGABRT)
{
    struct arena a = {0};
    arena_array(&a, SIZE_MAX / 8, 16);
}

Test(arena, copies_are_its_own)
{
    struct arena a = {0};
    char text[] = "content";
    struct view v = arena_copy(&a, view_of(text, 7));
    text[0] = 'x';
    cr_assert(view_equal(v, view_of("content", 7)));
    cr_assert_null(arena_copy(&a, view_of(NULL, 0)).at);
    arena_fini(&a);
}

Test(arena, fini_twice_is_harmless)
{
    struct arena a = {0};
    arena_alloc(&a, 1);
    arena_fini(&a);
    arena_fini(&a);
    cr_assert_null(a.first);
}
