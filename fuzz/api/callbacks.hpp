/* What the host has called: on its own thread by a dispatcher, or on any. */

#ifndef API_CALLBACKS_HPP
#define API_CALLBACKS_HPP

#include "world.hpp"

namespace api {

/* Ends what lend() began. */
void given_back(void *lent);
void signalled(void *user);
/* Goes on with the input, in the midst of a dispatcher. */
void ended(fal_op *op, void *world);
void logged(fal_log_level level, const char *message, size_t len, void *user);
/* Answers at once, or keeps the question. */
void asked(fal_credential_request *question, void *user);
/* The bytes of a Lent: how many come at a time, 0 at the end, 255 for a failure. */
int64_t reads(void *lent, void *buffer, size_t size);

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

/* A question that waits, if there is one: whoever takes it answers it. */
fal_credential_request *take_question();

}  // namespace api

#endif
