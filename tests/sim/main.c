/* sim: runs seeds. Same seed, same world, same end; a seed that fails prints its reason and its last
 * lines, and is replayed with
 *
 *     sim --profile NAME --seed N --trace
 *
 * After a change of the code a seed is another world: what a seed once found also gets a unit test, and
 * stays in regressions.txt as a world that is worth running.
 *
 * What a profile must have met in a run of many seeds stands in profile.c (must_see), so that it
 * cannot quietly stop testing what it is for. Rows of the fault catalogue that live here:
 *
 *     2  ack or answer lost, client retries    faults: SEEN(REPEATED); one claim, one answer: watch.c
 *     3  same id, other bytes                  rogue.c send_conflict; SEEN(REUSED); reused_seen()
 *    14  clock jumps, relay or client          clocks: SEEN(CLOCK); the messages end as without jumps
 *    16  recipient never acks                  rogue.c say_ack; SEEN(EXPIRED), SEEN(FAILED); slabs.c credit_check
 *    22  partition broker-worker, either way   faults: WORKER_STALL, WORKER_BREAK; SEEN(WORKER_LOST, BROKER_LOST)
 *    24  broker dies                           faults: BROKER_CRASH; SEEN(RENEWED)
 *    28  a flood of requests                   metered: SEEN(LIMITED); what was refused arrives
 *    33  queue full to worker or device        backpressure: SEEN(BOUNCED), SEEN(OVERLOAD)
 *    34  drain                                 faults: BROKER_DRAIN, STORE_DRAIN
 *    35  worker dies, by point                 faults: SEEN(KILL_IDLE .. KILL_FINISH, UNCERTAIN)
 *    40  a disk that is older than receipts    loss: SEEN(LOSS), SEEN(RESENT)
 *    43  retention deletes what is alive       retention: SEEN(WINTER); every message still has its end
 *    44  two workers on one store, zombie      store.c wrap (LOCKED), faults: STORE_ZOMBIE; SEEN(STALE_TERM)
 */
#include "tests/sim/sim.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPEAT_EVERY \
    50u /* one seed in so many is run twice, to see that nothing but the seed counts */
#define FAILURES_MAX   5u
#define SEEN_SEEDS_MIN 40u /* in so many seeds a profile meets all that it must */

struct totals {
    uint64_t seeds, failed, messages, lines, settled_max_ms;
    uint64_t seen[SEEN_COUNT];
};

/* ENSURE and the sanitizers end in abort(): say whose world it was. */
static void on_abort(int signal_number)
{
    char text[160];
    const struct sim *s = sim_running();
    (void)signal_number;
    if (!s) return;
    trace_dump(&s->trace);
    int len =
        snprintf(text, sizeof text, "sim: aborted in profile %s, seed %llu, at %llu ms\n",
                 s->profile->name, (unsigned long long)s->seed, (unsigned long long)s->now_ms);
    if (len > 0) (void)!write(STDERR_FILENO, text, (size_t)len);
}

static bool seed_run(const struct profile *p, uint64_t seed, bool trace, bool twice,
                     struct totals *t)
{
    struct sim_result r = sim_run(p, seed, trace);
    t->seeds++;
    t->messages += r.messages;
    t->lines += r.trace_count;
    for (size_t i = 0; i < SEEN_COUNT; i++)
        t->seen[i] += r.seen[i];
    if (r.settled_ms > t->settled_max_ms) t->settled_max_ms = r.settled_ms;
    if (!r.failed && twice) {
        struct sim_result again = sim_run(p, seed, false);
        if (again.trace_hash != r.trace_hash || again.trace_count != r.trace_count) {
            fprintf(stderr, "sim: profile %s, seed %llu is another world the second time\n",
                    p->name, (unsigned long long)seed);
            r.failed = true;
        }
    }
    t->failed += r.failed;
    return !r.failed;
}

static const char *const seen_names[] = {
#define X(NAME, text) [SEEN_##NAME] = text,
    SEEN_LIST(X)
#undef X
};

/* A profile that no longer meets what it is for has stopped testing it. */
static void seen_print(const struct profile *p, struct totals *t)
{
    for (size_t i = 0; i < SEEN_COUNT; i++)
        if (t->seen[i]) printf("  %s %llu;", seen_names[i], (unsigned long long)t->seen[i]);
    printf("\n");
    for (size_t i = 0; i < SEEN_COUNT && t->seeds >= SEEN_SEEDS_MIN; i++) {
        if (t->seen[i] || !(p->must_see >> i & 1)) continue;
        fprintf(stderr, "sim: profile %s has seen no %s\n", p->name, seen_names[i]);
        t->failed++;
    }
}

static void profile_run(const struct profile *p, uint64_t first, uint64_t last, bool trace)
{
    struct totals t = {0};
    for (uint64_t seed = first; seed <= last && t.failed < FAILURES_MAX; seed++)
        (void)seed_run(p, seed, trace, seed % REPEAT_EVERY == 0 || trace, &t);
    printf("%-12s seeds %llu, failed %llu, messages %llu, lines %llu, slowest to settle %llu ms\n",
           p->name, (unsigned long long)t.seeds, (unsigned long long)t.failed,
           (unsigned long long)t.messages, (unsigned long long)t.lines,
           (unsigned long long)t.settled_max_ms);
    seen_print(p, &t);
    if (t.failed) exit(EXIT_FAILURE);
}

/* Lines of "profile seed why"; # begins a comment. */
static int regressions_run(const char *path)
{
    char line[512], name[32];
    unsigned long long seed;
    struct totals t = {0};
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "sim: cannot read %s\n", path);
        return EXIT_FAILURE;
    }
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || line[0] == '\n') continue;
        const struct profile *p =
            sscanf(line, "%31s %llu", name, &seed) == 2 ? profile_find(name) : NULL;
        if (!p) {
            fprintf(stderr, "sim: %s: not a line of profile, seed, reason: %s", path, line);
            t.failed++;
        } else if (!seed_run(p, seed, false, false, &t)) {
            fprintf(stderr, "sim: this was: %s", line);
        }
    }
    fclose(f);
    printf("regressions  seeds %llu, failed %llu\n", (unsigned long long)t.seeds,
           (unsigned long long)t.failed);
    return t.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(void)
{
    fprintf(stderr, "sim [--profile NAME] [--seeds A..B | --seed N] [--trace]\nsim --regressions "
                    "FILE\nprofiles:");
    for (size_t i = 0; profile_at(i); i++)
        fprintf(stderr, " %s", profile_at(i)->name);
    fprintf(stderr, "\n");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned long long first = 1, last = 100;
    const struct profile *only = NULL;
    bool trace = false;
    if (sodium_init() < 0) return EXIT_FAILURE;
    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
            continue;
        }
        if (strcmp(argv[i], "--regressions") == 0) return regressions_run(value);
        if (strcmp(argv[i], "--profile") == 0 && (only = profile_find(value)))
            i++;
        else if (strcmp(argv[i], "--seeds") == 0 && sscanf(value, "%llu..%llu", &first, &last) == 2)
            i++;
        else if (strcmp(argv[i], "--seed") == 0 && sscanf(value, "%llu", &first) == 1)
            last = first, i++;
        else
            return usage();
    }
    for (size_t i = 0; profile_at(i); i++)
        if (!only || only == profile_at(i)) profile_run(profile_at(i), first, last, trace);
    return EXIT_SUCCESS;
}
