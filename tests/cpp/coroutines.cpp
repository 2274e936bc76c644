// co_await and futures.

#include <fal/future.hpp>

#include <memory>
#include <thread>

#include "support.hpp"

static fal::request echo() { return fal::request("emulator/echo"); }

TEST_SUITE_BEGIN("coroutines");

TEST_CASE("a future has the outcome of an operation")
{
    auto client = new_client_of_tests();
    const fal::dispatcher dispatcher;
    auto made = fal::future_of(client.run_start(echo().set("a", 1)), dispatcher);
    auto failed = fal::future_of(client.run_start(fal::request("no endpoint")), dispatcher);
    CHECK_CODE(failed.get(), FAL_E_INVALID_ARGUMENT);
    while (made.wait_for(0s) != std::future_status::ready) {
        REQUIRE_OK(dispatcher.wait(10s));
        REQUIRE_OK(dispatcher.run());
    }
    auto response = made.get();
    REQUIRE_OK(response);
    CHECK(*response->get<int>("/body/a") == 1);
}

TEST_CASE("a future whose dispatcher is gone is broken")
{
    auto dispatcher = std::make_unique<fal::dispatcher>();
    auto op = new_client_of_tests().run_start(slow(60s));
    REQUIRE_OK(op);
    auto made = fal::future_of(*op, *dispatcher);
    dispatcher.reset();
    CHECK_THROWS_AS((void)made.get(), std::future_error);
    op->cancel();
}

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)

// A coroutine that starts at once. It is destroyed when it ends, or with its handle.
struct task {
    struct promise_type {
        task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() noexcept {}
        void unhandled_exception() noexcept { std::terminate(); }
    };

    std::coroutine_handle<promise_type> handle;
};

static task two_runs(const fal::client &client, const fal::dispatcher &dispatcher, std::thread::id &on, int &sum)
{
    auto first = co_await fal::done(client.run_start(echo().set("a", 1)), dispatcher);
    on = std::this_thread::get_id();
    REQUIRE_OK(first);
    auto second = co_await fal::done(client.run_start(echo().set("a", *first->get<int>("/body/a") + 1)), dispatcher);
    REQUIRE_OK(second);
    sum = *second->get<int>("/body/a");
}

TEST_CASE("a coroutine resumes on the thread that runs the dispatcher")
{
    auto client = new_client_of_tests();
    const fal::dispatcher dispatcher;
    std::thread::id on;
    int sum = 0;
    two_runs(client, dispatcher, on, sum);
    CHECK(sum == 0);
    std::thread([&] {
        while (sum == 0) {
            (void)dispatcher.wait(10s);
            (void)dispatcher.run();
        }
        CHECK(on == std::this_thread::get_id());
    }).join();
    CHECK(sum == 2);
}

static task one_run(fal::result<fal::op> started, fal::dispatcher dispatcher, fal::error &error, counted)
{
    error = (co_await fal::done(std::move(started), dispatcher)).error();
}

TEST_CASE("a call that cannot start does not suspend")
{
    int alive = 0;
    fal::error error;
    one_run(new_client_of_tests().run_start(fal::request("no endpoint")), fal::dispatcher(), error, counted(alive));
    CHECK(error.code() == FAL_E_INVALID_ARGUMENT);
    fal::dispatcher moved;
    const auto other = std::move(moved);
    one_run(new_client_of_tests().run_start(echo()), moved, error, counted(alive));
    CHECK(error.code() == FAL_E_INVALID_ARGUMENT);
    CHECK(alive == 0);
}

TEST_CASE("a coroutine that is destroyed while it is suspended is not resumed")
{
    int alive = 0;
    fal::error error;
    const fal::dispatcher dispatcher;
    auto op = new_client_of_tests().run_start(slow(10ms));
    const auto task = one_run(op, dispatcher, error, counted(alive));
    CHECK(alive == 1);
    task.handle.destroy();
    CHECK(alive == 0);
    CHECK(*dispatcher.wait(10s));
    REQUIRE_OK(dispatcher.run());
    CHECK(op->get());
}

TEST_CASE("a coroutine whose dispatcher is gone stays suspended")
{
    int alive = 0;
    fal::error error;
    auto op = new_client_of_tests().run_start(slow(60s));
    // The coroutine itself holds the dispatcher.
    const auto task = one_run(op, fal::dispatcher(), error, counted(alive));
    CHECK(alive == 1);
    op->cancel();
    task.handle.destroy();
    CHECK(alive == 0);
}

#endif

TEST_SUITE_END();
