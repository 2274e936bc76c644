/* The state of the fuzzer's host: its objects, the strings borrowed from them, and the results of callbacks. */

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

/* Prints what is wrong and ends the process. */
[[noreturn]] void broken(const char *function, const std::string &what);

/* Objects of one kind. A shared object occurs once for each reference. */
template <class T> struct Objects {
    struct Borrowed {
        const T *object;
        const void *owner;
    };
    std::vector<T *> owned;
    std::vector<Borrowed> borrowed;
};

/* Memory that libfal may use until it calls the release callback. */
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

    /* A returned string, which must not change while its owner exists. */
    struct Held {
        const char *text;
        std::string copy;
        const void *owner;
        const char *function;
    };
    std::vector<Held> strings;
    /* The objects in use by the current calls. Callbacks must not free them. */
    std::vector<const void *> in_use;
    int depth = 0;
    bool forked = false;

    World(const uint8_t *data, size_t size, Server &peer) : input(data, size), server(peer) {}

    template <class T> Objects<T> &of() { return std::get<Objects<T>>(objects); }

    /* The object whose release frees this one: itself, unless it is borrowed. */
    const void *root(const void *object) const;
    /* Checks that the strings of an owner (NULL: of all) have not changed. */
    void check_strings(const void *owner) const;
    /* Forgets the strings of an owner that is freed or may be. */
    void forget(const void *owner);
    void hold(const char *text, size_t length, const void *owner, const char *function);
};

/* Shared by callbacks, on any thread, and the host. */
struct Shared {
    std::mutex guard;
    std::vector<fal_credential_request *> questions;
    std::set<Lent *> lent;
    /* Memory without a release callback. */
    std::vector<Lent *> kept;
    std::atomic<unsigned> manner{0};
};
Shared &shared();

/* Refuses the credential requests that are waiting. */
void refuse_questions();

Lent *lend(std::string bytes, bool comes_back);

}  // namespace api

#endif
