/* Gates between a client and the emulator. Each gate forwards connections, and holds one of its requests at one stage. One
 * thread serves all gates. */

#ifndef GATE_H
#define GATE_H

#include <errno.h>
#include <poll.h>

#include "support.h"

/* The stage at which a request is held. */
enum stage {
    CONNECTING, /* the handshake of its connection is not answered */
    SENDING,    /* its connection is accepted, and nothing is read */
    WAITING,    /* the whole request has passed, and no part of its response */
    READING,    /* half of the available response has passed */
    STAGES
};

static const char *const stage_names[STAGES] = {"connecting", "sending", "waiting", "reading"};

enum { FLOW_SIZE = 1 << 16, INSERT_SIZE = 64 };

/* Buffered bytes. Those before `open` may be forwarded. */
struct flow {
    char bytes[FLOW_SIZE];
    size_t start, open, end;
};

struct link {
    struct gate *gate;
    struct link *next;
    int client, emulator; /* emulator is -1 until there are bytes to forward */
    int turn;             /* number of the current request or WebSocket message */
    bool answered;        /* part of its response has arrived */
    bool upgraded;
    bool client_gone, emulator_gone;
    struct flow up, down;
};

struct gate {
    struct gate *next;
    struct link *links;
    struct link *holder;
    int listener, filler;
    int port, peer; /* the gate's own, and the client's port of the held connection */
    int hold;
    enum stage stage;
    int turns;    /* requests that have started */
    int cancels;  /* job cancellations since the cut */
    size_t taken; /* bytes read from the held connection while it is held */
    bool is_cut;
    bool held, released;
};

static pthread_mutex_t gates_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t gates_thread;
static struct gate *gates;
static int gates_wake[2];
static unsigned gates_changes; /* what was polled before one is no longer true */
static bool gates_stop;

static inline void gates_changed(void)
{
    gates_changes++;
    if (write(gates_wake[1], "", 1) < 0 && errno != EAGAIN)
        control_die("the gates cannot be woken");
}

static inline int gate_socket(const char *what)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        control_die(what);
    return fd;
}

/* Fills the backlog of a listener with one connection, so that every further handshake stays unanswered. */
static inline void gate_shut(struct gate *gate)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((unsigned short)gate->port);
    gate->filler = gate_socket("filler");
    if (listen(gate->listener, 0) != 0
        || (connect(gate->filler, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS))
        control_die("a gate cannot be shut");
    gate->held = true;
}

/* ---- The thread that serves the gates -------------------------------------------------------------------------------- */

static inline void link_hold(struct link *link)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    if (getpeername(link->client, (struct sockaddr *)&peer, &size) == 0)
        link->gate->peer = ntohs(peer.sin_port);
    link->gate->holder = link;
    link->gate->held = true;
}

static inline bool link_holds(const struct link *link, int turn, enum stage stage)
{
    const struct gate *gate = link->gate;
    return gate->hold == turn && gate->stage == stage && !gate->released;
}

static inline bool begins(const char *bytes, size_t size, const char *text)
{
    return size >= strlen(text) && memcmp(bytes, text, strlen(text)) == 0;
}

/* Returns the length of half a response, or 0 if more bytes must arrive first. */
static inline size_t half_of(const struct link *link)
{
    const char *bytes = link->down.bytes + link->down.start;
    size_t size = link->down.end - link->down.start;
    if (link->upgraded)
        return size / 2;
    const char *end = (const char *)memmem(bytes, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - bytes);
    bool bare = begins(bytes, head, "HTTP/1.1 101") || begins(bytes, head, "HTTP/1.1 204")
                || memmem(bytes, head, "content-length: 0\r", 18);
    return bare ? head / 2 : size - head < 2 ? 0 : head + (size - head) / 2;
}

/* Adds `Connection: close` to this response, so that the client's next request needs a new connection. */
static inline void say_close(struct flow *down)
{
    static const char header[] = "connection: close\r\n";
    char *line = (char *)memmem(down->bytes, down->end, "\r\n", 2);
    if (!line)
        control_die("an answer's first line is longer than the gate");
    memmove(line + 2 + sizeof header - 1, line + 2, (size_t)(down->bytes + down->end - line - 2));
    memcpy(line + 2, header, sizeof header - 1);
    down->end += sizeof header - 1;
}

/* Decides how many of the bytes that came from the emulator may pass. */
static inline void link_answer(struct link *link)
{
    struct gate *gate = link->gate;
    struct flow *down = &link->down;
    bool first = !link->answered;
    bool handshake = first && begins(down->bytes, down->end, "HTTP/1.1 101");
    link->answered = true;
    if (first && link_holds(link, link->turn + 1, CONNECTING) && !gate->held) {
        gate_shut(gate);
        say_close(down);
    }
    if (link_holds(link, link->turn, WAITING)) {
        link_hold(link);
    } else if (!link_holds(link, link->turn, READING)) {
        down->open = down->end;
    } else if (!gate->held && half_of(link) > 0) {
        down->open = down->start + half_of(link);
        link_hold(link);
    }
    link->upgraded |= handshake;
}

/* Whether bytes of the client may be read. */
static inline bool link_ask(struct link *link)
{
    char beginning[256];
    ssize_t size = recv(link->client, beginning, sizeof beginning - 1, MSG_PEEK);
    if (size <= 0 || !link->answered)
        return true;
    if (link_holds(link, link->gate->turns, SENDING) && !link->gate->held) {
        link_hold(link);
        return false;
    }
    beginning[size] = '\0';
    link->gate->cancels += link->gate->is_cut && strncmp(beginning, "PUT ", 4) == 0 && strstr(beginning, "/cancel ");
    link->turn = link->gate->turns++;
    link->answered = false;
    if (link->emulator < 0 && !link->emulator_gone) {
        link->emulator = control_connect();
        fcntl(link->emulator, F_SETFL, O_NONBLOCK);
        fcntl(link->emulator, F_SETFD, FD_CLOEXEC);
    }
    return true;
}

/* Reads the available bytes. Returns false at the end of the connection. */
static inline bool flow_read(struct flow *flow, int fd)
{
    if (flow->start == flow->end)
        flow->start = flow->open = flow->end = 0;
    ssize_t got = recv(fd, flow->bytes + flow->end, FLOW_SIZE - INSERT_SIZE - flow->end, 0);
    if (got > 0)
        flow->end += (size_t)got;
    return got > 0 || (got < 0 && errno == EAGAIN);
}

static inline bool flow_write(struct flow *flow, int fd)
{
    ssize_t gone = send(fd, flow->bytes + flow->start, flow->open - flow->start, MSG_NOSIGNAL);
    if (gone > 0)
        flow->start += (size_t)gone;
    return gone >= 0 || errno == EAGAIN;
}

static inline bool flow_has_room(const struct flow *flow)
{
    return flow->start == flow->end || flow->end < FLOW_SIZE - INSERT_SIZE;
}

static inline bool link_is_stuck(const struct link *link)
{
    return link->gate->holder == link && !link->gate->released;
}

static inline void link_serve(struct link *link, bool client, bool emulator)
{
    if (client && flow_has_room(&link->up) && link_ask(link)) {
        size_t before = link->up.end - link->up.start;
        link->client_gone = !flow_read(&link->up, link->client);
        link->up.open = link->up.end;
        if (link->gate->holder == link)
            link->gate->taken += link->up.end - link->up.start - before;
    }
    if (emulator && flow_has_room(&link->down)) {
        link->emulator_gone = !flow_read(&link->down, link->emulator);
        if (!link->emulator_gone)
            link_answer(link);
    }
    if (link->emulator >= 0 && link->up.start < link->up.open)
        link->emulator_gone |= !flow_write(&link->up, link->emulator);
    if (link->down.start < link->down.open)
        link->client_gone |= !flow_write(&link->down, link->client);
    if (link->emulator_gone && link->emulator >= 0) {
        close(link->emulator);
        link->emulator = -1;
    }
}

static inline bool link_is_over(const struct link *link)
{
    return link->client_gone || (link->emulator_gone && link->down.start == link->down.open && !link_is_stuck(link));
}

static inline void link_free(struct link *link)
{
    struct link **at = &link->gate->links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    if (link->gate->holder == link)
        link->gate->holder = NULL;
    close(link->client);
    if (link->emulator >= 0)
        close(link->emulator);
    free(link);
}

static inline void gate_accept(struct gate *gate)
{
    int client = accept4(gate->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct link *link = client < 0 ? NULL : (struct link *)calloc(1, sizeof *link);
    if (!link)
        return;
    link->gate = gate;
    link->next = gate->links;
    gate->links = link;
    link->client = client;
    link->emulator = -1;
    link->answered = true;
}

enum { POLLED = 4096 };

static struct pollfd polled[POLLED];
static struct gate *polled_gates[POLLED];
static struct link *polled_links[POLLED];

static inline void poll_for(nfds_t *count, struct gate *gate, struct link *link, int fd, int events)
{
    if (*count == POLLED)
        control_die("too many connections");
    polled[*count].fd = fd;
    polled[*count].events = (short)events;
    polled_gates[*count] = gate;
    polled_links[(*count)++] = link;
}

/* Fills the descriptors to poll: one for each open gate, then two for each link. A shut gate accepts no connection. */
static inline nfds_t gates_polled(void)
{
    nfds_t count = 0;
    poll_for(&count, NULL, NULL, gates_wake[0], POLLIN);
    for (struct gate *gate = gates; gate; gate = gate->next) {
        if (gate->filler < 0)
            poll_for(&count, gate, NULL, gate->listener, POLLIN);
        for (struct link *link = gate->links; link; link = link->next) {
            bool stuck = link_is_stuck(link) && gate->stage == SENDING;
            poll_for(&count, gate, link, link->client,
                     (!stuck && flow_has_room(&link->up) ? POLLIN : 0) | (link->down.start < link->down.open ? POLLOUT : 0));
            poll_for(&count, gate, link, link->emulator,
                     (flow_has_room(&link->down) ? POLLIN : 0) | (link->up.start < link->up.open ? POLLOUT : 0));
        }
    }
    return count;
}

static inline void *gates_serve(void *unused)
{
    pthread_mutex_lock(&gates_lock);
    while (!gates_stop) {
        nfds_t count = gates_polled();
        unsigned changes = gates_changes;
        pthread_mutex_unlock(&gates_lock);
        poll(polled, count, -1);
        pthread_mutex_lock(&gates_lock);
        char bytes[64];
        while (read(gates_wake[0], bytes, sizeof bytes) > 0)
            ;
        for (nfds_t i = 1; i < count && changes == gates_changes; i++) {
            struct link *link = polled_links[i];
            if (!link) {
                if (polled[i].revents)
                    gate_accept(polled_gates[i]);
                continue;
            }
            const short read = POLLIN | POLLHUP | POLLERR;
            link_serve(link, polled[i].revents & read, polled[i + 1].revents & read);
            i++;
            if (link_is_over(link))
                link_free(link);
        }
    }
    pthread_mutex_unlock(&gates_lock);
    return unused;
}

/* ---- Functions for tests --------------------------------------------------------------------------------------------- */

static inline void gates_begin(void)
{
    gates_stop = false;
    if (pipe2(gates_wake, O_NONBLOCK | O_CLOEXEC) != 0 || pthread_create(&gates_thread, NULL, gates_serve, NULL) != 0)
        control_die("the gates cannot be begun");
}

static inline void gates_end(void)
{
    pthread_mutex_lock(&gates_lock);
    gates_stop = true;
    gates_changed();
    pthread_mutex_unlock(&gates_lock);
    pthread_join(gates_thread, NULL);
    close(gates_wake[0]);
    close(gates_wake[1]);
}

/* Makes a gate that holds request number `hold`, counted from 0, at a stage. */
static inline struct gate *gate_new(int hold, enum stage stage)
{
    struct gate *gate = (struct gate *)calloc(1, sizeof *gate);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!gate)
        control_die("out of memory");
    gate->hold = hold;
    gate->stage = stage;
    gate->filler = -1;
    gate->listener = gate_socket("gate");
    /* Without this limit the system may buffer tens of megabytes for a gate that reads nothing. */
    int room = 1 << 16;
    if (setsockopt(gate->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof room) != 0
        || bind(gate->listener, (struct sockaddr *)&address, size) != 0
        || getsockname(gate->listener, (struct sockaddr *)&address, &size) != 0 || listen(gate->listener, 64) != 0)
        control_die("a gate cannot be made");
    gate->port = ntohs(address.sin_port);
    pthread_mutex_lock(&gates_lock);
    if (hold == 0 && stage == CONNECTING)
        gate_shut(gate);
    gate->next = gates;
    gates = gate;
    gates_changed();
    pthread_mutex_unlock(&gates_lock);
    return gate;
}

/* Stops holding: everything passes. */
static inline void gate_release(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    gate->released = true;
    if (gate->holder)
        gate->holder->down.open = gate->holder->down.end;
    if (gate->filler >= 0) {
        close(gate->filler);
        gate->filler = -1;
        listen(gate->listener, 64);
    }
    gates_changed();
    pthread_mutex_unlock(&gates_lock);
}

/* Starts to count the cancelled jobs. */
static inline void gate_cut(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    gate->is_cut = true;
    pthread_mutex_unlock(&gates_lock);
}

static inline size_t gate_taken(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    size_t taken = gate->taken;
    pthread_mutex_unlock(&gates_lock);
    return taken;
}

static inline int gate_cancels(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    int cancels = gate->cancels;
    pthread_mutex_unlock(&gates_lock);
    return cancels;
}

/* Resets the count of requests, to hold one again. */
static inline void gate_again(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    gate->turns = 0;
    gate->held = false;
    pthread_mutex_unlock(&gates_lock);
}

/* Whether the client still has the held connection open. */
static inline bool gate_is_held(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    bool is_held = gate->holder != NULL;
    pthread_mutex_unlock(&gates_lock);
    return is_held;
}

/* Returns the number of connections that the client has not closed. */
static inline int gate_links(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    int count = 0;
    for (struct link *link = gate->links; link; link = link->next)
        count++;
    pthread_mutex_unlock(&gates_lock);
    return count;
}

static inline void gate_free(struct gate *gate)
{
    pthread_mutex_lock(&gates_lock);
    struct gate **at = &gates;
    while (*at != gate)
        at = &(*at)->next;
    *at = gate->next;
    while (gate->links)
        link_free(gate->links);
    close(gate->listener);
    if (gate->filler >= 0)
        close(gate->filler);
    gates_changed();
    pthread_mutex_unlock(&gates_lock);
    free(gate);
}

/* Returns the system's list of connections, for the caller to free. It includes connections whose handshake is incomplete,
 * and closed ones with unread bytes. */
static inline char *connections(void)
{
    FILE *file = fopen("/proc/net/tcp", "r");
    size_t size = 0, capacity = 1 << 20;
    char *text = (char *)malloc(capacity);
    while (file && text && !feof(file)) {
        size += fread(text + size, 1, capacity - size - 1, file);
        if (capacity - size < 2)
            text = (char *)realloc(text, capacity *= 2);
    }
    if (!file || !text)
        control_die("the connections cannot be listed");
    fclose(file);
    text[size] = '\0';
    return text;
}

/* Whether the client still has the held connection, or still attempts to connect. */
static inline bool gate_has_client(struct gate *gate, const char *connections)
{
    enum { ESTABLISHED = 1, SYN_SENT = 2 };
    char mine[32], line[64];
    pthread_mutex_lock(&gates_lock);
    snprintf(mine, sizeof mine, " 0100007F:%04X", (unsigned)gate->port);
    if (gate->stage == CONNECTING)
        snprintf(line, sizeof line, "%s %02X ", mine, SYN_SENT);
    else
        snprintf(line, sizeof line, " 0100007F:%04X%s %02X ", (unsigned)gate->peer, mine, ESTABLISHED);
    bool has = gate->held && strstr(connections, line);
    pthread_mutex_unlock(&gates_lock);
    return has;
}

#endif
