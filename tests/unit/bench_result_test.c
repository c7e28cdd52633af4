/* result: what was written is read back the same; a line of another shape is refused by name. */
#include "bench/measure/result.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct result *result_some(void)
{
    struct result *r = result_new();
    strcpy(r->system, "sealmq");
    strcpy(r->label, "first \"quoted\" label");
    strcpy(r->scenario, "steady");
    strcpy(r->edge, "curve");
    strcpy(r->durability, "synced");
    strcpy(r->disk_device, "vda");
    r->round = 2;
    r->size = 1024;
    r->window = 256;
    r->messages = 10;
    r->seconds = 0.5;
    r->rate = 20;
    r->refused = 1;
    for (uint64_t us = 100; us < 110; us++)
        histogram_record(&r->accept, us);
    r->process_count = 1;
    strcpy(r->processes[0].name, "broker");
    r->processes[0].cpu_us_per_message = 5.25;
    r->processes[0].write_bytes_per_message = -1;
    r->processes[0].thread_count = 1;
    strcpy(r->processes[0].threads[0].name, "ZMQbg/IO/0");
    r->processes[0].threads[0].cpu_us_per_message = 2.5;
    cr_assert(result_point_add(r, (struct result_point){.t = 1, .rate = 20, .p50_us = 105}));
    result_extra_number(r, "first_delivery_ms", 3.5);
    result_extra_text(r, "note", "none");
    return r;
}

Test(result, a_line_gives_the_same_figures_back)
{
    char error[128] = "";
    struct result *r = result_some(), *back = NULL;
    char *line = result_encode(r), *again;
    cr_assert_eq(result_decode(line, &back, error, sizeof error), STATUS_OK, "%s", error);
    cr_assert_str_eq(back->label, r->label);
    cr_assert_eq(back->window, 256);
    cr_assert_eq(memcmp(&back->accept, &r->accept, sizeof r->accept), 0);
    cr_assert_eq(back->end_to_end.count, 0);
    cr_assert(back->processes[0].write_bytes_per_message < 0);
    cr_assert_eq(back->series_count, 1);
    cr_assert_not(result_clean(back));
    again = result_encode(back);
    cr_assert_str_eq(line, again);
    cr_assert_null(strchr(line, '\n'));
    free(line);
    free(again);
    result_free(&r);
    result_free(&back);
    cr_assert_null(back);
}

/* Replaces the first `from` in the line by `to`, and expects a refusal that names `field`. */
static void refuses(const char *from, const char *to, const char *field)
{
    char error[128] = "", changed[8192];
    struct result *r = result_some(), *back = r;
    char *line = result_encode(r), *at = strstr(line, from);
    cr_assert(at, "%s is not in the line", from);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
    cr_assert_eq(result_decode(changed, &back, error, sizeof error), STATUS_MALFORMED, "%s", to);
    cr_assert_null(back);
    cr_assert(strstr(error, field), "\"%s\" does not name %s", error, field);
    free(line);
    result_free(&r);
}

Test(result, a_line_of_another_shape_is_refused_by_name)
{
    refuses("\"schema\":1", "\"schema\":2", "schema");
    refuses("\"system\":\"sealmq\",", "", "system");
    refuses("\"lost\":0", "\"lost\":-1", "lost");
    refuses("\"lost\":0", "\"lost\":\"0\"", "lost");
    refuses("\"window\":256", "\"window\":256,\"offered_rate\":5.0", "window");
    refuses("us1 10 ", "us1 11 ", "accept_us");
    refuses("\"series\":[", "\"series\":[{},", "t:");
    refuses("\"note\":\"none\"", "\"note\":[]", "extra.note");
    refuses("{\"schema\"", "{{\"schema\"", "not JSON");
}

Test(result, lines_are_appended_to_a_file)
{
    char path[] = "/tmp/sealmq-result-XXXXXX", line[8192];
    int fd = mkstemp(path), lines = 0;
    struct result *r = result_some(), *back;
    cr_assert(fd >= 0);
    close(fd);
    cr_assert_eq(result_append(r, path), STATUS_OK);
    cr_assert_eq(result_append(r, path), STATUS_OK);
    FILE *f = fopen(path, "r");
    for (; fgets(line, sizeof line, f); lines++) {
        cr_assert_eq(result_decode(line, &back, NULL, 0), STATUS_OK);
        result_free(&back);
    }
    cr_assert_eq(lines, 2);
    fclose(f);
    unlink(path);
    result_free(&r);
}

Test(result, a_file_that_cannot_be_written_is_io)
{
    struct result *r = result_some();
    cr_assert_eq(result_append(r, "/no/such/folder/results.jsonl"), STATUS_IO);
    cr_assert_eq(result_append(r, "/dev/full"), STATUS_IO);
    result_free(&r);
}
