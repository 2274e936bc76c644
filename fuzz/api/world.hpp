/* What a host of the fuzzer's has at a moment: objects, strings that were borrowed from them, and what callbacks left. */

#ifndef API_WORLD_HPP
#define API_WORLD_HPP

#include <fal/fal.h>

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "input.hpp"
#include "server.hpp"

namespace api {

/* Ends the process with what went wrong. */
[[noreturn]] void broken(const char *function, const std::string &what);

/* Objects of one kind. A shared one is there as often as it is owned. */
template <class T> struct Objects {
    struct Borrowed {
        const T *object;
        const void *owner;
    };
    std::vector<T *> owned;
    std::vector<Borrowed> borrowed;
};

/* What libfal was given to use until it says that it is done. */
struct Lent {
    std::string bytes;
    size_t at = 0;
};

struct World {
    Input input;
    Server &server;
    std::tuple<Objects<fal_error>, Objects<fal_credentials>, Objects<fal_profiles>, Objects<fal_options>, Objects<fal_client>,
               Objects<fal_request>, Objects<fal_response>, Objects<fal_op>, Objects<fal_event>, Objects<fal_job>,
               Objects<fal_socket_options>, Objects<fal_realtime>, Objects<fal_websocket>, Objects<fal_channel>,
               Objects<fal_upload>, Objects<fal_download>, Objects<fal_new_key>, Objects<fal_webhook>, Objects<fal_dispatcher>>
        objects;

    /* A string that came out, which stays as it is for as long as its owner is there. */
    struct Held {
        const char *text;
        std::string copy;
        const void *owner;
        const char *function;
    };
    std::vector<Held> strings;
    /* The objects of the calls under way, which callbacks must not free. */
    std::vector<const void *> in_use;
    int depth = 0;
    bool forked = false;

    World(const uint8_t *data, size_t size, Server &peer) : input(data, size), server(peer) {}

    template <class T> Objects<T> &of() { return std::get<Objects<T>>(objects); }

    /* The object that has to be freed for this one to go: itself, unless it is borrowed. */
    const void *root(const void *object) const;
    /* The strings of an owner (of all: NULL) are what they were. */
    void check_strings(const void *owner) const;
    /* An owner goes, or may. */
    void forget(const void *owner);
    void hold(const char *text, size_t length, const void *owner, const char *function);
};

/* What callbacks share with the host, on any thread. */
struct Shared {
    std::mutex guard;
    std::vector<fal_credential_request *> questions;
    std::set<Lent *> lent;
    /* Without a callback that gives it back. */
    std::vector<Lent *> kept;
    std::atomic<unsigned> manner{0};
};
Shared &shared();

/* Refuses the questions that wait. */
void refuse_questions();

Lent *lend(std::string bytes, bool comes_back);

}  // namespace api

#endif
