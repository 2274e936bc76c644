/* raw URL REQUESTS IN_FLIGHT: the floor. Writes the bytes of a request to IN_FLIGHT sockets and reads as many as an answer has. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "measure.h"

struct connection {
    size_t left;
    double begun;
};

static char request[512];
static size_t request_size;

static int connected(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_request(int fd)
{
    CHECK(write(fd, request, request_size) == (ssize_t)request_size);
}

/* The size of an answer, head and body: what comes until the server is silent. */
static size_t size_of_answer(int fd)
{
    char buffer[65536];
    size_t size = 0;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    send_request(fd);
    while (poll(&poll_fd, 1, 300) == 1) {
        ssize_t got = read(fd, buffer, sizeof buffer);
        CHECK(got > 0);
        size += (size_t)got;
    }
    return size;
}

static void run(struct pollfd *fds, struct connection *connections, size_t in_flight, size_t size, size_t requests, struct measured *m)
{
    static char buffer[65536];
    size_t started = 0, ended = 0;
    for (; started < in_flight && started < requests; started++) {
        connections[started] = (struct connection){size, now()};
        send_request(fds[started].fd);
    }
    while (ended < requests) {
        CHECK(poll(fds, in_flight, 1000) > 0);
        for (size_t n = 0; n < in_flight; n++) {
            if (!fds[n].revents)
                continue;
            ssize_t got = read(fds[n].fd, buffer, sizeof buffer);
            CHECK(got > 0 && (size_t)got <= connections[n].left);
            connections[n].left -= (size_t)got;
            if (connections[n].left > 0)
                continue;
            ended++;
            if (m != NULL)
                m->took[m->count++] = now() - connections[n].begun;
            if (started < requests) {
                started++;
                connections[n] = (struct connection){size, now()};
                send_request(fds[n].fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    CHECK(argc >= 4);
    size_t requests = strtoul(argv[2], NULL, 10), in_flight = strtoul(argv[3], NULL, 10);
    const char *port = strrchr(argv[1], ':') + 1, *path = strchr(port, '/');
    request_size = (size_t)snprintf(request, sizeof request,
                                    "POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Key " KEY
                                    "\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n" INPUT,
                                    path, strlen(INPUT));
    struct pollfd *fds = calloc(in_flight, sizeof *fds);
    struct connection *connections = calloc(in_flight, sizeof *connections);
    CHECK(fds != NULL && connections != NULL);
    for (size_t n = 0; n < in_flight; n++)
        fds[n] = (struct pollfd){.fd = connected(port), .events = POLLIN};
    size_t size = size_of_answer(fds[0].fd);
    run(fds, connections, in_flight, size, warm_up(requests, in_flight), NULL);
    struct measured m = begin(requests);
    run(fds, connections, in_flight, size, requests, &m);
    print(&m);
    return 0;
}
