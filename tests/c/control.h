/* The emulator's control API, over a plain socket: libfal refuses hosts that are not fal's. */

#ifndef CONTROL_H
#define CONTROL_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void control_die(const char *what)
{
    fprintf(stderr, "control: %s\n", what);
    exit(99);
}

static inline const char *control_variable(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        control_die("run this with: fal-emulator exec -- PROGRAM");
    return value;
}

static inline int control_connect(void)
{
    const char *host = control_variable("FAL_EMULATOR_HOST");
    const char *port = strrchr(host, ':');
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)(port ? atoi(port + 1) : 0));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        control_die("the emulator does not answer");
    return fd;
}

/* Sends one request on a new connection. Returns the body, for the caller to free. Exits if the status is not 2xx. */
static inline char *control(const char *method, const char *path, const char *body)
{
    char head[1024];
    size_t body_length = body ? strlen(body) : 0;
    int length = snprintf(head, sizeof head,
                          "%s /_emulator/%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                          method, path, control_variable("FAL_EMULATOR_HOST"), body_length);
    if (length < 0 || (size_t)length >= sizeof head)
        control_die("the path is too long");
    int fd = control_connect();
    if (send(fd, head, (size_t)length, MSG_NOSIGNAL) != length
        || (body_length && send(fd, body, body_length, MSG_NOSIGNAL) != (ssize_t)body_length))
        control_die("sending failed");
    size_t size = 0, capacity = 1 << 16;
    char *answer = (char *)malloc(capacity);
    for (;;) {
        if (!answer)
            control_die("out of memory");
        ssize_t got = recv(fd, answer + size, capacity - size - 1, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
        if (capacity - size < 2)
            answer = (char *)realloc(answer, capacity *= 2);
    }
    close(fd);
    answer[size] = '\0';
    char *end = strstr(answer, "\r\n\r\n");
    if (!end || strncmp(answer, "HTTP/1.1 2", 10) != 0) {
        fprintf(stderr, "%s %s: %s\n", method, path, answer);
        control_die("the emulator refused");
    }
    memmove(answer, end + 4, strlen(end + 4) + 1);
    return answer;
}

/* Adds a fault, given as JSON. */
static inline void fault(const char *json)
{
    free(control("POST", "faults", json));
}

/* Removes all faults and all recorded requests. */
static inline void control_reset(void)
{
    free(control("DELETE", "faults", NULL));
    free(control("DELETE", "requests", NULL));
}

/* Returns the requests that match a query such as "method=POST&path=/emulator/echo", as JSON, for the caller to free. */
static inline char *arrivals(const char *query)
{
    char path[512];
    snprintf(path, sizeof path, "requests?%s", query);
    return control("GET", path, NULL);
}

/* Returns the number of requests that match a query. With wait_for=N it first waits until N have arrived. */
static inline long arrived(const char *query)
{
    char *json = arrivals(query);
    const char *count = strstr(json, "\"count\":");
    long number = count ? strtol(count + strlen("\"count\":"), NULL, 10) : -1;
    free(json);
    return number;
}

static inline int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

/* Waits up to ten seconds until the requests that match a query contain a text, such as "\"outcome\":\"client_closed\"", at
 * least `wanted` times; with 0, until none contains it. Returns the number. */
static inline int arrived_with(const char *query, const char *part, int wanted)
{
    int count = 0;
    for (int tries = 0; tries < 1000; tries++) {
        char *json = arrivals(query);
        count = count_of(json, part);
        free(json);
        if (wanted ? count >= wanted : count == 0)
            break;
        usleep(10000);
    }
    return count;
}

/* Returns the number of executions of an endpoint. */
static inline long executions(const char *endpoint)
{
    char name[128];
    snprintf(name, sizeof name, "\"%s\":", endpoint);
    char *json = control("GET", "stats", NULL);
    const char *count = strstr(json, name);
    long number = count ? strtol(count + strlen(name), NULL, 10) : 0;
    free(json);
    return number;
}

/* The stopped emulator, and the process that continues it in any case. */
struct stopped {
    pid_t emulator, guard;
};

/* Stops the emulator, which is the parent of this process. After 20 s it continues, even if this program has ended. */
static inline struct stopped stop_the_emulator(void)
{
    struct stopped stopped = {getppid(), fork()};
    if (stopped.guard == 0) {
        sleep(20);
        kill(stopped.emulator, SIGCONT);
        _exit(0);
    }
    if (stopped.guard < 0 || kill(stopped.emulator, SIGSTOP) != 0)
        control_die("the emulator cannot be stopped");
    return stopped;
}

static inline void go_on(struct stopped stopped)
{
    kill(stopped.emulator, SIGCONT);
    kill(stopped.guard, SIGKILL);
    waitpid(stopped.guard, NULL, 0);
}

#endif
