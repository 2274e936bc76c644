// Clients, requests, responses, operations, events and jobs.

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "support.hpp"

static fal::request echo() { return fal::request("emulator/echo"); }

TEST_SUITE_BEGIN("calls");

TEST_CASE("a request is built in one expression and run")
{
    auto client = new_client_of_tests();
    const std::string name = "a b\0c";
    const std::string with_nul("x\0y", 3);
    auto made = client.run(echo()
                               .set("prompt", "a lighthouse")
                               .set("name", std::string_view(name))
                               .set("nul", with_nul)
                               .set("/image_size/width", 640)
                               .set("ratio", 1.5f)
                               .set("draft", true)
                               .set("nothing", nullptr)
                               .set("list", fal::json("[1, 2]")));
    REQUIRE_OK(made);
    CHECK(*made->get<std::string_view>("/body/prompt") == "a lighthouse");
    CHECK(*made->get<std::string>("/body/name") == name);
    CHECK(*made->get<std::string>("/body/nul") == with_nul);
    CHECK(*made->get<int>("/body/image_size/width") == 640);
    CHECK(*made->get<double>("/body/ratio") == 1.5);
    CHECK(*made->get<bool>("/body/draft"));
    CHECK(*made->get_json("/body/nothing") == "null");
    CHECK(*made->count("/body/list") == 2);
    CHECK(made->has("/body"));
    CHECK(!made->has("/none"));
    CHECK(made->http_status() == 200);
    CHECK(made->request_id());
    CHECK(made->header("Content-Type") == "application/json");
    CHECK(made->text()->size() == made->body().size());
}

TEST_CASE("a chain of setters can be stored")
{
    auto request = echo().set("a", 1).set_header("X-Fal-Runner-Hint", "h").set_timeout(10s);
    request.set("b", 2);
    CHECK(new_client_of_tests().run(request));
}

TEST_CASE("the first error of a request sticks, and is that of the call")
{
    auto client = new_client_of_tests();
    auto request = echo().set("a", fal::json("{")).set("b", 1.0 / 0.0).set("c", 1);
    CHECK(!request);
    const std::string first(echo().set("a", fal::json("{")).error().message());
    auto made = client.run(request);
    CHECK_CODE(made, FAL_E_INVALID_ARGUMENT);
    CHECK(made.error().message() == first);
    CHECK_CODE(client.run_start(request), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(client.run(fal::request("https://fal.run/fal-ai/flux")), FAL_E_INVALID_ARGUMENT);
    CHECK(arrived("path=/emulator/echo") == 0);
}

TEST_CASE("an empty string is a string")
{
    auto made = new_client_of_tests().run(echo().set("prompt", std::string_view()));
    REQUIRE_OK(made);
    CHECK(made->get<std::string>("/body/prompt")->empty());
    CHECK(made->get<std::string>("/body/prompt").has_value());
}

TEST_CASE("a null pointer is an error, not a crash")
{
    const char *none = nullptr;
    CHECK_CODE(echo().set("prompt", none), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("an object that was moved from is refused")
{
    auto client = new_client_of_tests();
    auto request = echo();
    const auto kept = std::move(request);
    CHECK_CODE(client.run(request), FAL_E_INVALID_ARGUMENT);
    CHECK(client.run(kept));
    const auto other = std::move(client);
    CHECK_CODE(client.run(kept), FAL_E_INVALID_ARGUMENT);
    CHECK(other.run(kept));
    CHECK_CODE(client.set_credentials(logged()), FAL_E_INVALID_ARGUMENT);
    fal::op none;
    CHECK(none.is_done());
    CHECK_CODE(none.get(), FAL_E_INVALID_ARGUMENT);
    CHECK(none.next_event(0s).error.code() == FAL_E_INVALID_ARGUMENT);
    CHECK(fal::event().kind() == 0);
    CHECK(fal::response().body().empty());
    CHECK(fal::credentials().status() == FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("a number that does not fit is of the wrong type")
{
    auto made = new_client_of_tests().run(
        echo().set("big", std::numeric_limits<std::int64_t>::max()).set("minus", -1).set("wide", std::int64_t{1} << 32).set("byte", 255).set("text", "t"));
    REQUIRE_OK(made);
    CHECK(*made->get<std::int64_t>("/body/big") == INT64_MAX);
    CHECK(*made->get<std::uint64_t>("/body/big") == INT64_MAX);
    CHECK_CODE(made->get<int>("/body/big"), FAL_E_WRONG_TYPE);
    CHECK_CODE(made->get<int>("/body/wide"), FAL_E_WRONG_TYPE);
    CHECK_CODE(made->get<unsigned>("/body/minus"), FAL_E_WRONG_TYPE);
    CHECK_CODE(made->get<std::uint64_t>("/body/minus"), FAL_E_WRONG_TYPE);
    CHECK(*made->get<unsigned char>("/body/byte") == 255);
    CHECK_CODE(made->get<signed char>("/body/byte"), FAL_E_WRONG_TYPE);
    CHECK_CODE(made->get<int>("/body/text"), FAL_E_WRONG_TYPE);
    CHECK(made->get<int>("/body/none").value_or(5) == 5);
}

TEST_CASE("every setter of a request reaches C")
{
    auto request = fal::request("emulator/job")
                       .set_path("a")
                       .set_method("PUT")
                       .set_priority(FAL_PRIORITY_LOW)
                       .set_start_timeout(2s)
                       .set_runner_hint("hint")
                       .set_webhook("https://example.com/hook")
                       .set_max_queue_length(5)
                       .set_object_lifecycle(fal::json(R"({"expiration_duration_seconds": 60})"))
                       .set_store_io(false)
                       .set_no_retry(true)
                       .set_retries(1, 2, 3)
                       .set_no_fallback(true)
                       .set_tag("a", "b")
                       .set_logs(false)
                       .set_keep_running(true)
                       .set_inline_files(10)
                       .set_file("file", fal::bytes(std::string_view("abc")), "text/plain")
                       .set("bytes", fal::bytes(std::string_view("abc")))
                       .set_body(fal::json("{}"))
                       .set_body(fal::bytes(std::string_view("abc")), "text/plain");
    CHECK_MESSAGE(static_cast<bool>(request), request.error().message());
}

TEST_CASE("options are built in one expression, and their first error sticks")
{
    auto options = logged()
                       .set_timeout(10s)
                       .set_max_attempts(2)
                       .set_stall_timeout(5s)
                       .set_strict_scopes(true)
                       .set_max_response_bytes(1 << 20)
                       .set_user_agent("Tests/1")
                       .set_keyring(false);
    REQUIRE_OK(options);
    const fal::client client(options);
    CHECK(client.run(echo()));
    auto wrong = fal::options().set_timeout(0s).set_max_attempts(3);
    CHECK_CODE(wrong, FAL_E_INVALID_ARGUMENT);
    const fal::client none(wrong);
    CHECK(!none);
    CHECK_CODE(none.run(echo()), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(none.explain(), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(fal::credentials::explain(wrong), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("copies of a client are the same client")
{
    auto client = new_client_of_tests();
    const fal::client copy = client;
    CHECK(copy.capi() == client.capi());
    client = new_client_of_tests();
    CHECK(copy.run(echo()));
    client = copy;
    CHECK(client.run(echo()));
}

TEST_CASE("an operation is polled")
{
    auto client = new_client_of_tests();
    auto op = client.run_start(slow(100ms));
    REQUIRE_OK(op);
    CHECK(!op->is_done());
    CHECK(op->poll() == FAL_PENDING);
    CHECK(!op->take());
    CHECK(*op->wait(0s) == false);
    CHECK(*op->wait(10s) == true);
    auto outcome = op->take();
    REQUIRE(outcome);
    CHECK(*outcome);
    CHECK_CODE(*op->take(), FAL_E_TAKEN);
}

TEST_CASE("the first of several operations that has ended is found")
{
    auto client = new_client_of_tests();
    const std::vector<fal::op> ops = {*client.run_start(slow(60s)), *client.run_start(slow(1ms))};
    CHECK(*fal::wait_any(ops, 10s) == 1);
    CHECK(*fal::wait_any({ops[0]}, 0s) == std::nullopt);
    CHECK_CODE(fal::wait_any({}, 0s), FAL_E_INVALID_ARGUMENT);
    ops[0].cancel();
}

TEST_CASE("an operation that is cancelled ends with an error")
{
    auto op = new_client_of_tests().run_start(slow(60s));
    REQUIRE_OK(op);
    const fal::op copy = *op;
    copy.cancel();
    CHECK_CODE(op->get(), FAL_E_CANCELLED);
}

TEST_CASE("the events of a job are a range")
{
    auto op = new_client_of_tests().subscribe_start(short_job());
    REQUIRE_OK(op);
    int lines = 0;
    std::string last;
    auto events = op->events();
    for (const auto &event : events) {
        if (event.kind() == FAL_EVENT_LOG)
            lines += event.log_text() == "a" || event.log_text() == "b";
        if (event.kind() == FAL_EVENT_STATUS)
            last = event.get<std::string>("/status").value_or("");
        CHECK(event.queue_position().value_or(0) >= 0);
        CHECK(!event.transferred());
        CHECK(!event.total());
        CHECK(!event.is_bytes());
        CHECK(event.workflow() == 0);
    }
    CHECK(!events.error());
    CHECK(lines == 2);
    CHECK(last == "COMPLETED");
    CHECK(*op->get()->get<int>("/x") == 1);
    CHECK(op->dropped_events() == 0);
}

TEST_CASE("a frame loop reads the events that there are")
{
    auto op = new_client_of_tests().subscribe_start(short_job());
    REQUIRE_OK(op);
    int seen = 0;
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!op->is_done() && std::chrono::steady_clock::now() < deadline) {
        for (auto &event : op->ready_events())
            seen += event.kind() == FAL_EVENT_STATUS || event.kind() == FAL_EVENT_LOG;
        std::this_thread::sleep_for(1ms);
    }
    for (auto &event : op->ready_events())
        seen += event.kind() != 0;
    auto next = op->next_event(0s);
    CHECK(!next);
    CHECK(next.ended);
    CHECK(!next.error);
    CHECK(op->request_id() == op->get()->request_id());
    CHECK(seen >= 4);
}

TEST_CASE("a stream has its items as events, and the last as its response")
{
    auto client = new_client_of_tests();
    auto op = client.stream_start(fal::request("emulator/stream").set("ms", 1));
    REQUIRE_OK(op);
    int items = 0;
    for (const auto &event : op->events())
        items += event.kind() == FAL_EVENT_ITEM;
    CHECK(items == 3);
    CHECK(op->get());
    CHECK(client.stream(fal::request("emulator/stream")));
}

TEST_CASE("a job is come back to by its id")
{
    auto client = new_client_of_tests();
    auto submitted = client.submit(fal::request("emulator/job").set("ms", 60000));
    REQUIRE_OK(submitted);
    const fal::job first("emulator/job", *submitted);
    REQUIRE_OK(first);
    auto job = fal::job("emulator/job", first.request_id()).set_logs(false).set_timeout(10s).set_keep_running(true);
    CHECK(client.status(job)->has("/status"));
    CHECK_CODE(client.result_of(job), FAL_E_NOT_READY);
    CHECK(client.cancel(job));
    CHECK(client.attach(job).error().code() != FAL_OK);
    CHECK_CODE(client.status(fal::job("emulator/job", "")), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(fal::job("emulator/job", fal::response()), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("an object is handed to C and back")
{
    auto client = new_client_of_tests();
    auto request = echo().set("a", 1);
    fal_request *raw = request.release();
    CHECK(request.capi() == nullptr);
    CHECK(fal_request_set_int(raw, "b", FAL_NUL, 2, nullptr) == FAL_OK);
    auto made = client.run(fal::request(raw));
    REQUIRE_OK(made);
    CHECK(*made->get<int>("/body/b") == 2);
    fal::response back(made->release());
    CHECK(!*made);
    CHECK(back.has("/body/a"));
    fal::op op = *client.run_start(echo());
    CHECK(fal_op_wait(op.capi(), -1, nullptr) == FAL_OK);
    const auto same = fal::op::borrowed(op.capi());
    CHECK(same.capi() == op.capi());
    fal_op_release(op.release());
    CHECK(same.get());
}

TEST_SUITE_END();
