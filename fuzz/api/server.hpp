/* A server on this machine that responds to any request with bytes of the fuzzer's input, over real sockets. */

#ifndef API_SERVER_HPP
#define API_SERVER_HPP

#include <mutex>
#include <string>
#include <vector>

#include "input.hpp"

namespace api {

class Server {
    std::mutex guard;
    std::vector<std::string> answers;
    size_t next = 0;
    int listener;
    unsigned port;

    std::string answer(const std::string &request);
    void serve(int connection);
    void run();

public:
    /* Listens on a thread that runs until the process ends. */
    Server();

    /* "127.0.0.1:PORT". */
    std::string address() const { return "127.0.0.1:" + std::to_string(port); }

    /* Takes the responses from the input. They are sent in turn, and again from the first. */
    void script(Input &input);
};

/* The only server. The first call also moves HOME into the sandbox. */
Server &server();

}  // namespace api

#endif
