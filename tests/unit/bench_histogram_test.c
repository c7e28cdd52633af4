/* histogram: what percentiles say of known values, how far off they may be, and which texts are
 * refused. */
#include "bench/measure/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct histogram h, other;

Test(histogram, an_empty_one_says_zero)
{
    cr_assert_eq(histogram_percentile(&h, 50), 0);
    cr_assert_eq(histogram_percentile(&h, 100), 0);
    cr_assert_eq((int)histogram_mean(&h), 0);
}

Test(histogram, percentiles_of_one_to_a_hundred_are_exact)
{
    for (uint64_t us = 100; us; us--)
        histogram_record(&h, us);
    cr_assert_eq(histogram_percentile(&h, 0), 1);
    cr_assert_eq(histogram_percentile(&h, 50), 50);
    cr_assert_eq(histogram_percentile(&h, 99), 99);
    cr_assert_eq(histogram_percentile(&h, 99.9), 100);
    cr_assert_eq(histogram_percentile(&h, 100), 100);
    cr_assert_eq(h.min_us, 1);
    cr_assert_eq(h.max_us, 100);
    cr_assert_eq((int)(histogram_mean(&h) * 10), 505);
}

Test(histogram, every_value_is_known_to_a_128th_of_itself)
{
    for (uint64_t us = 1; us <= HISTOGRAM_LIMIT_US; us += us / 3 + 1) {
        histogram_reset(&h);
        histogram_record(&h, us);
        histogram_record(&h, HISTOGRAM_LIMIT_US);
        uint64_t said = histogram_percentile(&h, 50);
        cr_assert(said >= us && said - us <= us / 128, "%llu read as %llu", (unsigned long long)us,
                  (unsigned long long)said);
    }
}

Test(histogram, what_is_longer_than_the_limit_counts_as_the_limit)
{
    histogram_record(&h, UINT64_MAX);
    histogram_record(&h, HISTOGRAM_LIMIT_US + 1);
    cr_assert_eq(h.max_us, HISTOGRAM_LIMIT_US);
    cr_assert_eq(histogram_percentile(&h, 50), HISTOGRAM_LIMIT_US);
}

Test(histogram, merging_is_the_same_as_recording_both)
{
    static struct histogram both;
    for (uint64_t i = 0; i < 1000; i++) {
        histogram_record(i % 3 ? &h : &other, i * i + 5);
        histogram_record(&both, i * i + 5);
    }
    histogram_merge(&h, &other);
    cr_assert_eq(memcmp(&h, &both, sizeof h), 0);
}

Test(histogram, merging_an_empty_one_changes_nothing)
{
    histogram_record(&h, 7);
    histogram_merge(&h, &other);
    cr_assert_eq(h.min_us, 7);
    histogram_merge(&other, &h);
    cr_assert_eq(memcmp(&h, &other, sizeof h), 0);
}

Test(histogram, the_text_gives_the_same_histogram_back)
{
    struct buffer text = {0};
    for (uint64_t i = 0; i < 5000; i++)
        histogram_record(&h, i * i * i % 777777);
    histogram_record(&h, UINT64_MAX);
    histogram_encode(&h, &text);
    cr_assert_eq(histogram_decode(buffer_view(&text), &other), STATUS_OK);
    cr_assert_eq(memcmp(&h, &other, sizeof h), 0);
    text.len = 0;
    histogram_reset(&h);
    histogram_encode(&h, &text);
    cr_assert_eq(histogram_decode(buffer_view(&text), &other), STATUS_OK);
    cr_assert_eq(other.count, 0);
    buffer_fini(&text);
}

Test(histogram, a_text_that_does_not_add_up_is_refused)
{
    static const char *const right = "us1 3 30 5 20 5:2 15:1";
    static const char *const wrong[] = {
        "", "us1", "us2 3 30 5 20 5:2 15:1", "us1 4 30 5 20 5:2 15:1", "us1 2 30 5 20 5:2 15:1",
        "us1 3 30 4 20 5:2 15:1", "us1 3 30 5 21 5:2 15:1", "us1 3 30 5 20 5:2 15:1 ",
        "us1 3 30 5 20 5:2 0:1", "us1 3 30 5 20 5:2 15:0 1:1", "us1 3 30 5 20 5:2 3328:1",
        "us1 3 30 5 20 5:2 15", "us1 3 30 5 20 5:2 -15:1", "us1 0 1 0 0",
        "us1 3 30 5 20 5:2 15:99999999999999999999", "us1 1 1 0 3600000001 3286:1"};
    cr_assert_eq(histogram_decode(view_of(right, strlen(right)), &h), STATUS_OK);
    cr_assert_eq(histogram_percentile(&h, 99), 20);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct view text = view_of(wrong[i], strlen(wrong[i]));
        cr_assert_eq(histogram_decode(text, &h), STATUS_MALFORMED, "%s", wrong[i]);
        cr_assert_eq(h.count, 0);
    }
}

Test(histogram, hgrm_is_in_milliseconds_and_ends_at_the_maximum)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    for (uint64_t us = 1; us <= 10000; us++)
        histogram_record(&h, us);
    cr_assert_eq(histogram_write_hgrm(&h, out), STATUS_OK);
    fclose(out);
    cr_assert(strstr(text, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
    cr_assert(strstr(text, " 0.500000000000 "));
    cr_assert(strstr(text, "      10.000 1.000000000000      10000\n#[Mean    ="));
    cr_assert(strstr(text, "#[Max     =       10.000, Total count    =        10000]\n"));
    free(text);
}
