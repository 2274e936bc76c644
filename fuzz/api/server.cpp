#include "server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "words.hpp"

namespace api {

namespace {

/* Faults in the place of a response. */
const char SILENCE[] = "silence", RESET[] = "reset", ECHO[] = "echo";
enum { PATIENCE_MS = 20, MOST_REQUEST = 1 << 16 };

std::string head(const char *status, const char *type, size_t length, const std::string &more = "")
{
    return std::string("HTTP/1.1 ") + status + "\r\nx-fal-request-id: r-1\r\ncontent-type: " + type + "\r\n" + more +
           "content-length: " + std::to_string(length) + "\r\n\r\n";
}

std::string whole(const char *status, const char *type, const std::string &body, const std::string &more = "")
{
    return head(status, type, body.size(), more) + body;
}

/* Replaces the characters that a header must not contain. */
std::string line(std::string text)
{
    for (char &letter : text)
        if (letter == '\r' || letter == '\n' || letter == '\0')
            letter = ' ';
    return text;
}

std::string one_of(Input &input)
{
    static const char *const statuses[] = {"200 OK",          "400 Bad Request", "401 Unauthorized", "403 Forbidden",
                                           "404 Not Found",   "409 Conflict",    "422 Unprocessable", "429 Too Many Requests",
                                           "500 Oh",          "502 Bad Gateway", "503 Unavailable",  "504 Gateway Timeout",
                                           "202 Accepted",    "204 No Content",  "410 Gone",         "499 Closed"};
    size_t kind = input.below(14);
    const char *status = statuses[input.below(sizeof statuses / sizeof *statuses)];
    std::string body = input.bytes(input.byte());
    switch (kind) {
    case 0: return whole("200 OK", "application/json", body);
    case 1: return whole("200 OK", "text/event-stream", body);
    case 2: return whole(status, "application/json", body);
    case 3: return body;
    case 4: return RESET;
    case 5: return head("200 OK", "application/json", body.size() + 1000) + body;
    case 6: return "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + body;
    case 7: return whole("200 OK", "application/json", body, "content-encoding: gzip\r\n");
    case 8: return SILENCE;
    case 9: return whole(status, "text/html", "<html>" + body);
    case 10: return whole("200 OK", "application/json", "{\"request_id\":\"r-1\",\"status\":\"COMPLETED\",\"x\":\"" + line(body) + "\"}");
    case 11: return whole("307 Elsewhere", "text/plain", "", "location: " + line(body) + "\r\n");
    case 12: return whole(status, "application/json", body, "x-fal-error-type: " + line(body) + "\r\nretry-after: 0\r\n");
    default: return ECHO;
    }
}

}  // namespace

Server::Server() : listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
{
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (listener < 0 || bind(listener, generic, size) != 0 || listen(listener, 128) != 0 ||
        getsockname(listener, generic, &size) != 0)
        abort();
    port = ntohs(address.sin_port);
    std::thread([this] { run(); }).detach();
}

void Server::script(Input &input)
{
    std::vector<std::string> wanted;
    for (size_t count = input.below(4) + 1; count > 0; count--)
        wanted.push_back(one_of(input));
    std::lock_guard<std::mutex> lock(guard);
    answers = wanted;
    next = 0;
}

std::string Server::answer(const std::string &request)
{
    std::lock_guard<std::mutex> lock(guard);
    std::string answer = answers.empty() ? SILENCE : answers[next++ % answers.size()];
    if (answer != ECHO)
        return answer;
    return whole("422 Unprocessable", "application/json", "{\"detail\":\"" + line(request) + "\"}",
                 "x-echo: " + line(request) + "\r\n");
}

void Server::serve(int connection)
{
    std::string request;
    char buffer[4096];
    pollfd readable = {connection, POLLIN, 0};
    while (request.find("\r\n\r\n") == std::string::npos && request.size() < MOST_REQUEST &&
           poll(&readable, 1, PATIENCE_MS) > 0) {
        ssize_t got = recv(connection, buffer, sizeof buffer, 0);
        if (got <= 0)
            break;
        request.append(buffer, static_cast<size_t>(got));
    }
    std::string wanted = answer(request);
    if (wanted == RESET) {
        linger now = {1, 0};
        setsockopt(connection, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    } else if (wanted == SILENCE) {
        poll(&readable, 0, PATIENCE_MS);
    } else {
        (void)!send(connection, wanted.data(), wanted.size(), MSG_NOSIGNAL);
        shutdown(connection, SHUT_WR);
        /* Unread data would turn the end of the connection into a reset. */
        while (poll(&readable, 1, PATIENCE_MS) > 0 && recv(connection, buffer, sizeof buffer, 0) > 0) {
        }
    }
    close(connection);
}

void Server::run()
{
    for (;;) {
        int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection >= 0)
            serve(connection);
    }
}

Server &server()
{
    static Server *only = [] {
        if (!getenv("FAL_EMULATOR_HOST")) {
            fprintf(stderr, "run this with: fal-emulator exec -- PROGRAM\n");
            exit(99);
        }
        setenv("HOME", (sandbox() + "/home").c_str(), 1);
        return new Server;
    }();
    return *only;
}

}  // namespace api
