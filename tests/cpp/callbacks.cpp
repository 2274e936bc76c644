// Callbacks: when they run, and when what they own is destroyed.

#include <atomic>
#include <future>
#include <thread>

#include "support.hpp"

static fal::request echo() { return fal::request("emulator/echo"); }

TEST_SUITE_BEGIN("callbacks");

TEST_CASE("a dispatcher calls a function once, with the operation, and destroys it")
{
    auto client = new_client_of_tests();
    const fal::dispatcher dispatcher;
    int alive = 0, called = 0;
    {
        auto op = client.run_start(echo());
        REQUIRE_OK(op);
        REQUIRE_OK(op->when_done(dispatcher, [&, state = counted(alive)](const fal::op &ended) {
            called++;
            CHECK(ended.get());
        }));
    }
    CHECK(alive == 1);
    CHECK(*dispatcher.wait(10s));
    CHECK(*dispatcher.run() == 1);
    CHECK(called == 1);
    CHECK(alive == 0);
    CHECK(*dispatcher.run() == 0);
}

TEST_CASE("a function that is never called is destroyed with its dispatcher")
{
    int alive = 0;
    auto op = new_client_of_tests().run_start(slow(60s));
    REQUIRE_OK(op);
    {
        const fal::dispatcher dispatcher;
        const fal::dispatcher copy = dispatcher;
        for (int i = 0; i < 3; i++)
            REQUIRE_OK(op->when_done(copy, [state = counted(alive)](const fal::op &) {}));
        CHECK(alive == 3);
    }
    CHECK(gone(alive));
    op->cancel();
}

TEST_CASE("a function that cannot be registered is destroyed")
{
    int alive = 0;
    const fal::dispatcher dispatcher;
    CHECK_CODE(fal::op().when_done(dispatcher, [state = counted(alive)](const fal::op &) {}), FAL_E_INVALID_ARGUMENT);
    CHECK(alive == 0);
    fal::dispatcher moved;
    const fal::dispatcher other = std::move(moved);
    auto op = new_client_of_tests().run_start(echo());
    CHECK_CODE(op->when_done(moved, [](const fal::op &) {}), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("a callback may start operations, and may destroy the dispatcher")
{
    auto client = new_client_of_tests();
    auto dispatcher = std::make_unique<fal::dispatcher>();
    bool second = false;
    auto op = client.run_start(echo());
    REQUIRE_OK(op);
    REQUIRE_OK(op->when_done(*dispatcher, [&](const fal::op &) {
        auto next = client.run_start(echo());
        CHECK_CODE(next->wait(10s), FAL_E_WOULD_DEADLOCK);
        REQUIRE_OK(next->when_done(*dispatcher, [&](const fal::op &) {
            second = true;
            dispatcher.reset();
        }));
    }));
    while (dispatcher) {
        REQUIRE_OK(dispatcher->wait(10s));
        REQUIRE_OK(dispatcher->run());
    }
    CHECK(second);
}

TEST_CASE("many functions are registered and called on several threads")
{
    auto client = new_client_of_tests();
    const fal::dispatcher dispatcher;
    std::atomic<int> called{0};
    int alive = 0;
    auto start = [&] {
        for (int i = 0; i < 8; i++) {
            auto op = client.run_start(echo());
            if (op)
                (void)op->when_done(dispatcher, [&, state = counted(alive)](const fal::op &) { called++; });
        }
    };
    auto run = [&] {
        while (called < 16) {
            (void)dispatcher.wait(1ms);
            (void)dispatcher.run();
        }
    };
    std::thread first(start), second(start), third(run), fourth(run);
    for (auto *thread : {&first, &second, &third, &fourth})
        thread->join();
    CHECK(called == 16);
    CHECK(alive == 0);
}

TEST_CASE("the events of an operation are announced")
{
    auto op = new_client_of_tests().subscribe_start(short_job());
    REQUIRE_OK(op);
    const fal::dispatcher dispatcher;
    int events = 0;
    int alive = 0;
    REQUIRE_OK(op->when_event(dispatcher, [&, state = counted(alive)](const fal::op &busy) {
        for (auto &event : busy.ready_events())
            events += event.kind() != FAL_EVENT_NONE;
    }));
    CHECK(alive == 1);
    while (!op->is_done() || dispatcher.outstanding() > 0) {
        REQUIRE_OK(dispatcher.wait(10ms));
        REQUIRE_OK(dispatcher.run());
    }
    CHECK(events >= 4);
    REQUIRE_OK(op->no_event(dispatcher));
    CHECK(gone(alive));
    CHECK(op->get());
}

TEST_CASE("the events and ends of many operations come from one queue")
{
    struct task {
        int events = 0;
        bool ended = false;
    };
    auto client = new_client_of_tests();
    const fal::dispatcher dispatcher;
    task tasks[3];
    for (auto &task : tasks) {
        auto op = client.subscribe_start(short_job());
        REQUIRE_OK(op);
        REQUIRE_OK(op->watch(dispatcher, &task));
    }
    CHECK(dispatcher.outstanding() == 3);
    while (auto notice = dispatcher.next(dispatcher.outstanding() > 0 ? 10s : 0s)) {
        auto &task = *static_cast<struct task *>(notice.user);
        CHECK(!task.ended);
        if (notice.ended()) {
            task.ended = true;
            CHECK(*notice.op.get()->get<int>("/x") == 1);
        } else {
            task.events++;
        }
    }
    for (const auto &task : tasks) {
        CHECK(task.ended);
        CHECK(task.events >= 4);
    }
}

TEST_CASE("a queue without anything in it ends a loop, and says why if it fails")
{
    const fal::dispatcher dispatcher;
    auto op = new_client_of_tests().run_start(slow(60s));
    REQUIRE_OK(op);
    REQUIRE_OK(op->watch(dispatcher));
    CHECK_CODE(op->watch(dispatcher), FAL_E_INVALID_ARGUMENT);
    auto none = dispatcher.next(0s);
    CHECK(!none);
    CHECK(!none.ended());
    CHECK(!none.error);
    fal::dispatcher moved;
    const auto other = std::move(moved);
    CHECK(moved.next(0s).error.code() == FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(moved.wait(0s), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(moved.set_wake([] {}), FAL_E_INVALID_ARGUMENT);
    op->cancel();
    auto end = dispatcher.next(10s);
    CHECK(end.ended());
    CHECK_CODE(end.op.get(), FAL_E_CANCELLED);
}

TEST_CASE("a wake-up function is destroyed when it is removed")
{
    int alive = 0;
    std::atomic<int> woken{0};
    {
        const fal::dispatcher dispatcher;
        REQUIRE_OK(dispatcher.set_wake([&, state = counted(alive)] { woken++; }));
        auto op = new_client_of_tests().run_start(echo());
        REQUIRE_OK(op->when_done(dispatcher, [](const fal::op &) {}));
        while (woken == 0)
            std::this_thread::sleep_for(1ms);
        CHECK(alive == 1);
        REQUIRE_OK(dispatcher.remove_wake());
        CHECK(gone(alive));
        REQUIRE_OK(dispatcher.set_wake([state = counted(alive)] {}));
    }
    CHECK(gone(alive));
}

TEST_CASE("a log function lives as long as a client or its threads may call it")
{
    int alive = 0;
    std::atomic<int> lines{0};
    {
        fal::client last = [&] {
            auto options = fal::options().set_log(FAL_LOG_DEBUG, [&, state = counted(alive)](fal_log_level, std::string_view target, std::string_view line) {
                lines += !line.empty() && !target.empty();
            });
            const fal::client client(options);
            return fal::client(client);
        }();
        CHECK(alive == 1);
        CHECK(last.run(echo()));
        REQUIRE_OK(fal::shutdown(10s));
        CHECK(lines > 0);
        CHECK(alive == 1);
        lines = 0;
        CHECK(last.run(echo()));
        REQUIRE_OK(fal::runtime::flush_log(10s));
        CHECK(lines > 0);
    }
    CHECK(gone(alive));
}

TEST_CASE("a channel keeps the functions of its client")
{
    int alive = 0;
    std::atomic<int> lines{0};
    {
        auto channel = fal::client(fal::options().set_log(FAL_LOG_DEBUG, [&, state = counted(alive)](auto, auto, auto) { lines++; }))
                           .channel_to(echo());
        REQUIRE_OK(channel);
        REQUIRE_OK(fal::shutdown(10s));
        CHECK(alive == 1);
        CHECK(channel->set_ping(1s));
        CHECK(channel->run(echo()));
        REQUIRE_OK(fal::shutdown(10s));
        CHECK(lines > 0);
    }
    CHECK(gone(alive));
}

TEST_CASE("a function supplies the credential, at once or later")
{
    int alive = 0;
    std::promise<fal::credential_request> asked;
    const std::string key = control_variable("FAL_KEY");
    {
        const fal::client at_once(logged().set_credential_callback([&, state = counted(alive)](fal::credential_request request) {
            CHECK(request.give_key(key, fal::no_limit));
            CHECK_CODE(request.refuse("twice"), FAL_E_INVALID_ARGUMENT);
        }));
        CHECK(at_once.run(echo()));
        const fal::client later(logged().set_credential_callback(
            [&](fal::credential_request request) { asked.set_value(std::move(request)); }));
        auto op = later.run_start(echo());
        REQUIRE_OK(op);
        auto request = asked.get_future().get();
        CHECK(request.capi() != nullptr);
        REQUIRE_OK(request.give_key(key, 1h));
        CHECK(op->get());
    }
    CHECK(gone(alive));
}

TEST_CASE("a function for options that have failed is destroyed at once")
{
    int alive = 0;
    auto options = fal::options().set_timeout(0s);
    options.set_log(FAL_LOG_DEBUG, [state = counted(alive)](auto, auto, auto) {});
    options.set_credential_callback([state = counted(alive)](const fal::credential_request &) {});
    CHECK(alive == 0);
    CHECK(options.error().code() == FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("a credential that is refused, or forgotten, fails the call")
{
    const fal::client refused(
        logged().set_credential_callback([](fal::credential_request request) { (void)request.refuse("not today"); }));
    auto made = refused.run(echo());
    CHECK_CODE(made, FAL_E_CREDENTIALS_FAILED);
    CHECK(made.error().message().find("not today") != std::string_view::npos);
    const fal::client forgotten(logged().set_credential_callback([](const fal::credential_request &) {}));
    CHECK_CODE(forgotten.run(echo()), FAL_E_CREDENTIALS_FAILED);
}

TEST_CASE("the credential of a client is replaced")
{
    auto client = new_client_of_tests();
    REQUIRE_OK(client.set_credentials(fal::options().set_anonymous(true)));
    CHECK(client.explain());
    REQUIRE_OK(client.set_credentials_of_environment());
    CHECK(client.run(echo()));
    CHECK_CODE(client.set_credentials(fal::options().set_timeout(0s)), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("hooks run on each thread of the runtime, and are destroyed when they are replaced")
{
    REQUIRE_OK(fal::shutdown(10s));
    int alive = 0;
    std::atomic<int> started{0}, stopped{0};
    REQUIRE_OK(fal::runtime::set_worker_threads(2));
    REQUIRE_OK(fal::runtime::set_thread_hooks([&, state = counted(alive)] { started++; }, [&] { stopped++; }));
    CHECK(new_client_of_tests().run(echo()));
    CHECK_CODE(fal::runtime::remove_thread_hooks(), FAL_E_INVALID_ARGUMENT);
    REQUIRE_OK(fal::shutdown(10s));
    CHECK(started >= 2);
    CHECK(started == stopped);
    CHECK(alive == 1);
    REQUIRE_OK(fal::runtime::remove_thread_hooks());
    CHECK(gone(alive));
    REQUIRE_OK(fal::runtime::set_worker_threads(1));
}

TEST_CASE("a shutdown that fails destroys nothing")
{
    int alive = 0;
    std::promise<void> blocked, go_on;
    std::atomic<bool> waiting{false};
    auto released = go_on.get_future().share();
    {
        const fal::client client(fal::options().set_log(FAL_LOG_DEBUG, [&, state = counted(alive)](auto, auto, auto) {
            if (!waiting.exchange(true))
                blocked.set_value();
            released.wait();
        }));
        CHECK(client.run(echo()));
        blocked.get_future().wait();
    }
    CHECK_CODE(fal::shutdown(10ms), FAL_E_DEADLINE);
    CHECK(alive == 1);
    go_on.set_value();
    REQUIRE_OK(fal::shutdown(10s));
    CHECK(gone(alive));
}

TEST_SUITE_END();
