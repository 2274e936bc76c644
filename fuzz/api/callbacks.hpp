/* The host's callbacks, called on its own thread by a dispatcher or on any thread. */

#ifndef API_CALLBACKS_HPP
#define API_CALLBACKS_HPP

#include "world.hpp"

namespace api {

/* Releases the memory of lend(). */
void given_back(void *lent);
void signalled(void *user);
/* Makes further calls from the input, within a dispatcher's callback. */
void ended(fal_op *op, void *world);
void logged(fal_log_level level, const char *target, const char *message, size_t len, void *user);
/* Answers a credential request at once, or keeps it. */
void asked(fal_credential_request *question, void *user);
/* Reads a Lent. Its bytes say how many to return at a time, 0 for the end and 255 for a failure. */
int64_t reads(void *buffer, size_t size, void *lent);

template <class T> T callback()
{
    if constexpr (std::is_same_v<T, fal_op_callback>)
        return ended;
    else if constexpr (std::is_same_v<T, fal_log_callback>)
        return logged;
    else if constexpr (std::is_same_v<T, fal_credential_callback>)
        return asked;
    else {
        static_assert(std::is_same_v<T, fal_read_callback>, "a callback that is not known here");
        return reads;
    }
}

/* Takes a waiting credential request, or returns NULL. The caller has to answer it. */
fal_credential_request *take_question();

}  // namespace api

#endif
