/* gateway: a push gateway for wake.sh. Listens on a port of 127.0.0.1 that the system chooses, takes
 * one POST after the other, checks its signature with its own reading of workers/fanout/webhook.h, and
 * answers the statuses it was told, the last one for ever.
 *
 *   gateway KEY-FILE OUT-FILE STATUS...
 *
 * Its first line of output is the port. OUT-FILE gets one line for each request: the status answered,
 * "valid" or "invalid", the whole head with its lines joined by " | ", and the body. It is no HTTP
 * server: it expects Content-Length and closes after each answer. */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define KEY_LEN     32
#define READ_S      5

struct request {
    char text[REQUEST_MAX + 1];
    size_t len;
    char *body; /* within text; NULL until the head is complete */
    size_t body_len;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void key_load(const char *path, unsigned char key[KEY_LEN])
{
    char hex[2 * KEY_LEN + 2] = "";
    size_t len = 0;
    FILE *f = fopen(path, "r");
    if (!f || !fgets(hex, sizeof hex, f)) die(path);
    fclose(f);
    hex[strcspn(hex, "\n")] = '\0';
    if (sodium_hex2bin(key, KEY_LEN, hex, strlen(hex), NULL, &len, NULL) != 0 || len != KEY_LEN) {
        fprintf(stderr, "gateway: %s holds no key\n", path);
        exit(2);
    }
}

static int socket_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 16) != 0) die("listen");
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) die("getsockname");
    printf("%u\n", (unsigned)ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

/* The value of a header line, copied; "" when there is none. */
static void header(const struct request *r, const char *name, char *out, size_t cap)
{
    const char *at = strcasestr(r->text, name);
    out[0] = '\0';
    if (!at || at >= r->body) return;
    at += strlen(name);
    at += strspn(at, " ");
    snprintf(out, cap, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* true: head and body are there. */
static bool request_complete(struct request *r)
{
    char length[16];
    if (!r->body) {
        char *end = strstr(r->text, "\r\n\r\n");
        if (!end) return false;
        r->body = end + 4;
        header(r, "\nContent-Length:", length, sizeof length);
        r->body_len = (size_t)atoi(length);
    }
    return (size_t)(r->text + r->len - r->body) >= r->body_len;
}

static bool request_read(int fd, struct request *r)
{
    memset(r, 0, sizeof *r);
    while (!request_complete(r)) {
        ssize_t got = read(fd, r->text + r->len, REQUEST_MAX - r->len);
        if (got <= 0) return false;
        r->len += (size_t)got;
    }
    r->body[r->body_len] = '\0';
    return true;
}

/* SealMQ-Signature: t=<Unix seconds>,v1=<hex HMAC-SHA256(key, "<t>." body)> */
static bool signature_holds(const struct request *r, const unsigned char key[KEY_LEN])
{
    char value[256], seconds[32];
    unsigned char mac[crypto_auth_hmacsha256_BYTES], said[sizeof mac];
    size_t len = 0;
    crypto_auth_hmacsha256_state state;
    header(r, "\nSealMQ-Signature:", value, sizeof value);
    const char *v1 = strstr(value, ",v1=");
    if (strncmp(value, "t=", 2) != 0 || !v1) return false;
    int digits = snprintf(seconds, sizeof seconds, "%.*s.", (int)(v1 - value - 2), value + 2);
    if (sodium_hex2bin(said, sizeof said, v1 + 4, strlen(v1 + 4), NULL, &len, NULL) != 0)
        return false;
    crypto_auth_hmacsha256_init(&state, key, KEY_LEN);
    crypto_auth_hmacsha256_update(&state, (unsigned char *)seconds, (unsigned long long)digits);
    crypto_auth_hmacsha256_update(&state, (unsigned char *)r->body, r->body_len);
    crypto_auth_hmacsha256_final(&state, mac);
    return len == sizeof mac && sodium_memcmp(mac, said, sizeof mac) == 0;
}

static void request_note(const char *path, struct request *r, const char *status, bool valid)
{
    FILE *f = fopen(path, "a");
    if (!f) die(path);
    fprintf(f, "%s %s ", status, valid ? "valid" : "invalid");
    for (const char *at = r->text; at < r->body - 4; at++) {
        if (*at == '\r') continue;
        if (*at == '\n')
            fputs(" | ", f);
        else
            fputc(*at, f);
    }
    fprintf(f, " | %s\n", r->body);
    fclose(f);
}

static void answer(int fd, const char *status)
{
    char text[128];
    int len =
        snprintf(text, sizeof text,
                 "HTTP/1.1 %s Said\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    if (write(fd, text, (size_t)len) != len) perror("gateway: answer");
}

int main(int argc, char **argv)
{
    static struct request r;
    unsigned char key[KEY_LEN];
    struct timeval patience = {.tv_sec = READ_S};
    if (argc < 4 || sodium_init() < 0) {
        fprintf(stderr, "usage: gateway KEY-FILE OUT-FILE STATUS...\n");
        return 2;
    }
    key_load(argv[1], key);
    int listening = socket_listen();
    for (int next = 3;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) die("accept");
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (request_read(fd, &r)) {
            request_note(argv[2], &r, argv[next], signature_holds(&r, key));
            answer(fd, argv[next]);
            next += next + 1 < argc; /* whoever asks nothing uses up no answer */
        }
        close(fd);
    }
}
