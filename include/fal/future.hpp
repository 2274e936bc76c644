/// @file future.hpp
/// Outcomes of operations as std::future. fal.hpp does without, because the header of std::future is large.

#ifndef FAL_FUTURE_HPP
#define FAL_FUTURE_HPP

#include <fal/fal.hpp>

#include <future>

namespace fal {
inline namespace v0 {

/// The outcome of an operation, such as fal::future_of(client.run_start(request), dispatcher). It is ready when the
/// dispatcher was run after the operation has ended. If the last copy of the dispatcher is gone before, the promise is
/// broken.
[[nodiscard]] inline std::future<result<response>> future_of(result<op> started, const dispatcher &dispatcher)
{
    auto promise = std::make_shared<std::promise<result<response>>>();
    auto future = promise->get_future();
    auto registered = std::move(started).and_then([&](const op &op) {
        return op.when_done(dispatcher, [promise](const fal::op &ended) { promise->set_value(ended.get()); });
    });
    if (!registered)
        promise->set_value(registered.error());
    return future;
}

} // namespace v0
} // namespace fal

#endif // FAL_FUTURE_HPP
