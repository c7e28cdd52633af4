/* proxy: forwards one TCP connection after the other on loopback, as a network between client and relay does; stopped
 * (SIGSTOP) it is a connection that is open at both ends and carries nothing. After SIGUSR1 it carries nothing more from
 * client to relay, and all that goes the other way.
 *
 *     proxy LISTEN-PORT TO-PORT */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIRS_MAX 32

static struct { int fd[2]; } pairs[PAIRS_MAX];
static size_t pair_count;
static volatile sig_atomic_t one_way;

static void on_signal(int number)
{
    (void)number;
    one_way = 1;
}

static struct sockaddr_in loopback(const char *port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = loopback(port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0) {
        fprintf(stderr, "proxy: cannot listen: %s\n", strerror(errno));
        exit(1);
    }
    return fd;
}

static void take(int listener, const char *to)
{
    struct sockaddr_in at = loopback(to);
    int in = accept(listener, NULL, NULL), out = socket(AF_INET, SOCK_STREAM, 0);
    if (in >= 0 && out >= 0 && pair_count < PAIRS_MAX && connect(out, (struct sockaddr *)&at, sizeof at) == 0) {
        pairs[pair_count].fd[0] = in;
        pairs[pair_count++].fd[1] = out;
        return;
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
}

/* false: one end has closed. */
static bool carry(int from, int to)
{
    char bytes[65536];
    ssize_t len = read(from, bytes, sizeof bytes);
    for (ssize_t done = 0, n; done < len; done += n) {
        n = write(to, bytes + done, (size_t)(len - done));
        if (n <= 0) return false;
    }
    return len > 0;
}

static void pair_close(size_t i)
{
    close(pairs[i].fd[0]);
    close(pairs[i].fd[1]);
    pairs[i] = pairs[--pair_count];
}

int main(int argc, char **argv)
{
    if (argc != 3) return 1;
    int listener = listen_on(argv[1]);
    signal(SIGUSR1, on_signal);
    for (;;) {
        struct pollfd fds[1 + 2 * PAIRS_MAX] = {{.fd = listener, .events = POLLIN}};
        size_t count = pair_count;
        for (size_t i = 0; i < 2 * count; i++)
            fds[1 + i] = (struct pollfd){.fd = one_way && i % 2 == 0 ? -1 : pairs[i / 2].fd[i % 2], .events = POLLIN};
        if (poll(fds, 1 + 2 * count, -1) < 0) continue;
        for (size_t i = count; i-- > 0;) {
            bool open = true;
            for (size_t e = 0; e < 2 && open; e++)
                if (fds[1 + 2 * i + e].revents) open = carry(pairs[i].fd[e], pairs[i].fd[1 - e]);
            if (!open) pair_close(i);
        }
        if (fds[0].revents) take(listener, argv[2]);
    }
}
