// The fragments of docs/cpp-api.md. `make test-examples` compiles them.

#include <chrono>
#include <coroutine>
#include <exception>
#include <string>

#include <fal/fal.hpp>
#include <fal/future.hpp>

using namespace std::chrono_literals;

struct picture {};
picture texture;

int report(const fal::error &);
void show(const fal::event &);
void show(void *, std::int64_t);
void use(const fal::response &);
void use(const fal::result<fal::response> &);
void finish(void *, const fal::result<fal::response> &);

int results(const fal::client &client)
{
    auto made = client.run(fal::request("fal-ai/flux/schnell").set("prompt", "a lighthouse"));
    if (!made)
        return report(made.error());                   // message(), remedy(), code(), request_id(), …
    auto url = made->get<std::string>("/images/0/url"); // a result, too
    auto width = made->get<int>("/images/0/width").value_or(0);
    return url ? width : 0;
}

// A coroutine that starts at once, and frees itself when it ends.
struct task {
    struct promise_type {
        task get_return_object() noexcept { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };
};

task waiting(fal::client client, fal::request request, fal::dispatcher dispatcher)
{
    auto op = client.subscribe_start(request);         // returns at once
    for (auto &event : op->ready_events())             // once a frame: the events that there are
        show(event);
    if (auto outcome = op->take())                     // a result<response>, once, when it has ended
        use(*outcome);

    for (auto &event : op->events())                   // or wait for each event until the end
        show(event);
    auto outcome = op->get();                          // and for the outcome

    op->when_done(dispatcher, [](const fal::op &op) { use(op.get()); }).or_throw(); // or be called by dispatcher.run()
    auto made = co_await fal::done(client.run_start(request), dispatcher);           // or, in C++20, resume there
    auto later = fal::future_of(client.run_start(request), dispatcher);              // or as std::future: <fal/future.hpp>
}

void watching(const fal::result<fal::op> &op, const fal::dispatcher &dispatcher)
{
    op->watch(dispatcher, &texture).or_throw();
    while (auto notice = dispatcher.next(0ms))         // once a frame
        if (notice.ended())
            finish(notice.user, notice.op.get());      // a result<response>
        else if (auto ahead = notice.event.queue_position())
            show(notice.user, *ahead);
}
