// A program of coroutines (C++20): several pictures are made at once, and each is fetched when it is ready. All of it runs on
// the thread of main(), which runs the dispatcher.
//
// usage: coroutine PROMPT...

#include <coroutine>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include <fal/fal.hpp>

namespace {

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

// Parameters are copied into the coroutine, because it outlives the call.
task make(fal::client client, fal::dispatcher dispatcher, std::string prompt, int &failed)
{
    const auto drawn = co_await fal::done(
        client.run_start(fal::request("fal-ai/flux/schnell").set("prompt", prompt)), dispatcher);
    if (!drawn) {
        std::cerr << drawn.error().describe() << '\n';
        failed++;
        co_return;
    }
    const auto url = drawn->get<std::string>("/images/0/url").value_or("");
    const auto saved = co_await fal::done(client.download_start(fal::download(url)), dispatcher);
    if (!saved) {
        std::cerr << saved.error().describe() << '\n';
        failed++;
        co_return;
    }
    std::cout << prompt << ": " << saved->body().size() << " bytes\n";
}

} // namespace

int main(int argc, char **argv)
{
    const fal::client client;
    const fal::dispatcher dispatcher;
    int failed = 0;
    for (int i = 1; i < argc; i++)
        make(client, dispatcher, argv[i], failed);
    while (dispatcher.outstanding() > 0) {
        const auto ran = dispatcher.wait(fal::no_limit).and_then([&](bool) { return dispatcher.run(); });
        if (!ran) {
            std::cerr << ran.error().describe() << '\n';
            return EXIT_FAILURE;
        }
    }
    return fal::shutdown(std::chrono::seconds(5)) && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
