/* search: what of the given byte strings is in a process's memory now: in every mapping that can be read, its private
 * pages, files and stacks. For canary.sh.
 *
 *   search PID < lines of LABEL HEX      prints each LABEL that is there, once
 *
 * Exit 0: searched, whatever was found; 1: the process cannot be read; 2: usage. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEEDLES_MAX 1024u
#define NEEDLE_MAX  128u
#define PIECE_LEN   (1u << 20)

struct needle {
    char label[64];
    uint8_t bytes[NEEDLE_MAX];
    size_t len;
    bool found;
};

static struct needle needles[NEEDLES_MAX];
static size_t needle_count;
static bool begins[1u << 16]; /* some needle begins with these two bytes */
static uint8_t piece[PIECE_LEN];

static int usage(const char *why)
{
    fprintf(stderr, "search: %s\n", why);
    return 2;
}

static bool needle_read(struct needle *n)
{
    char hex[2 * NEEDLE_MAX + 1];
    if (scanf("%63s %256s", n->label, hex) != 2) return false;
    for (n->len = 0; hex[2 * n->len] && hex[2 * n->len + 1]; n->len++)
        if (sscanf(hex + 2 * n->len, "%2hhx", &n->bytes[n->len]) != 1) return false;
    return n->len >= 8 && hex[2 * n->len] == '\0'; /* shorter ones are there by chance */
}

static void look(size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (!begins[piece[i] << 8 | piece[i + 1]]) continue;
        for (size_t k = 0; k < needle_count; k++)
            if (needles[k].len <= len - i && memcmp(piece + i, needles[k].bytes, needles[k].len) == 0)
                needles[k].found = true;
    }
}

/* Pieces overlap by the longest needle. How many bytes could be read. */
static uint64_t mapping_search(int mem, uint64_t from, uint64_t to)
{
    uint64_t read_len = 0;
    while (from < to) {
        size_t wanted = to - from < PIECE_LEN ? (size_t)(to - from) : PIECE_LEN;
        ssize_t len = pread(mem, piece, wanted, (off_t)from);
        if (len <= 0) break; /* the kernel's own pages, or gone meanwhile */
        look((size_t)len);
        read_len += (uint64_t)len;
        if ((size_t)len <= NEEDLE_MAX || from + (uint64_t)len >= to) break;
        from += (uint64_t)len - NEEDLE_MAX;
    }
    return read_len;
}

static uint64_t process_search(FILE *maps, int mem)
{
    char line[512];
    uint64_t read_len = 0;
    while (fgets(line, sizeof line, maps)) {
        uint64_t from, to;
        char mode[5];
        bool mapping = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, mode) == 3;
        if (mapping && mode[0] == 'r' && to <= INT64_MAX) read_len += mapping_search(mem, from, to);
    }
    return read_len;
}

int main(int argc, char **argv)
{
    char path[64];
    if (argc != 2) return usage("give one process id");
    while (needle_count < NEEDLES_MAX && needle_read(&needles[needle_count])) {
        const uint8_t *bytes = needles[needle_count++].bytes;
        begins[bytes[0] << 8 | bytes[1]] = true;
    }
    if (!needle_count || !feof(stdin)) return usage("lines of LABEL HEX, 8 to 128 bytes each");
    snprintf(path, sizeof path, "/proc/%s/maps", argv[1]);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "/proc/%s/mem", argv[1]);
    int mem = maps ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (mem < 0) {
        fprintf(stderr, "search: process %s cannot be read: %s\n", argv[1], strerror(errno));
        return 1;
    }
    uint64_t read_len = process_search(maps, mem);
    for (size_t i = 0; i < needle_count; i++)
        if (needles[i].found) printf("%s\n", needles[i].label);
    fclose(maps);
    close(mem);
    return read_len ? 0 : 1;
}
