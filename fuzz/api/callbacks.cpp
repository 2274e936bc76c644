#include "callbacks.hpp"

#include <cstring>

#include "api.hpp"
#include "words.hpp"

namespace api {

void given_back(void *user)
{
    Lent *lent = static_cast<Lent *>(user);
    {
        std::lock_guard<std::mutex> lock(shared().guard);
        if (shared().lent.erase(lent) == 0)
            broken("fal_release_callback", "called twice");
    }
    delete lent;
}

void signalled(void *) {}

void ended(fal_op *op, void *user)
{
    World &world = *static_cast<World *>(user);
    (void)fal_op_poll(op);
    if (world.depth < 2) {
        world.depth++;
        steps(world, 2);
        world.depth--;
    }
}

void logged(fal_log_level level, const char *target, const char *message, size_t len, void *)
{
    if (level < FAL_LOG_ERROR || level > FAL_LOG_DEBUG || message[len] != '\0' || target[0] == '\0')
        broken("fal_log_callback", "a line without a NUL or a target, or with an invalid level");
    if (std::string(message, len).find(PLANTED_SECRET) != std::string::npos)
        broken("fal_log_callback", "contains the secret of the key: " + std::string(message, len));
}

void asked(fal_credential_request *question, void *)
{
    switch (shared().manner++ % 4) {
    case 0: (void)fal_credential_request_give_key(question, PLANTED_KEY, FAL_NUL, -1, nullptr); break;
    case 1: (void)fal_credential_request_refuse(question, "not now", 7, nullptr); break;
    case 2: (void)fal_credential_request_give_app_token(question, "fake.token", FAL_NUL, 1000, nullptr); break;
    default: {
        std::lock_guard<std::mutex> lock(shared().guard);
        shared().questions.push_back(question);
    }
    }
}

int64_t reads(void *buffer, size_t size, void *user)
{
    Lent &lent = *static_cast<Lent *>(user);
    uint8_t wanted = lent.at < lent.bytes.size() ? static_cast<uint8_t>(lent.bytes[lent.at++]) : uint8_t{0};
    if (wanted == 255)
        return -1;
    size_t given = std::min<size_t>(size, wanted * size_t{64});
    memset(buffer, 'x', given);
    return static_cast<int64_t>(given);
}

fal_credential_request *take_question()
{
    std::lock_guard<std::mutex> lock(shared().guard);
    auto &waiting = shared().questions;
    fal_credential_request *question = waiting.empty() ? nullptr : waiting.back();
    if (question)
        waiting.pop_back();
    return question;
}

}  // namespace api
