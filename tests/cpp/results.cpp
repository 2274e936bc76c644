// fal::result, fal::error and the small types.

#include <cerrno>
#include <memory>
#include <vector>

#include "support.hpp"

using fal::result;

static_assert(!std::is_constructible_v<fal::upload, std::string>, "a path and a content are told apart");
static_assert(!std::is_convertible_v<std::chrono::microseconds, fal::time_limit>, "no part of a time is dropped");
static_assert(std::is_convertible_v<std::chrono::hours, fal::time_limit>);
static_assert(std::is_copy_constructible_v<fal::client> && std::is_copy_constructible_v<fal::op>);
static_assert(std::is_copy_constructible_v<fal::realtime> && std::is_copy_constructible_v<fal::websocket>);
static_assert(std::is_copy_constructible_v<fal::channel> && std::is_copy_constructible_v<fal::dispatcher>);
static_assert(std::is_copy_constructible_v<fal::error>);
static_assert(!std::is_copy_constructible_v<fal::request> && std::is_nothrow_move_constructible_v<fal::request>);
static_assert(!std::is_copy_constructible_v<fal::response> && std::is_nothrow_move_constructible_v<fal::response>);
static_assert(!std::is_copy_constructible_v<fal::options> && !std::is_copy_constructible_v<fal::upload>);
static_assert(!std::is_copy_constructible_v<fal::credential_request>);
static_assert(!std::is_constructible_v<fal::bytes, std::vector<int>>);
static_assert(sizeof(fal::event) == sizeof(void *) && sizeof(fal::op) == sizeof(void *));

static result<int> seven() { return 7; }
static result<int> failed() { return fal::error(FAL_E_TOO_LARGE); }

TEST_SUITE_BEGIN("results");

TEST_CASE("a result has a value or an error")
{
    CHECK(seven());
    CHECK(*seven() == 7);
    CHECK(!seven().error());
    CHECK(!failed());
    CHECK(failed().error().code() == FAL_E_TOO_LARGE);
    CHECK(failed().value_or(3) == 3);
    CHECK(seven().value_or(3) == 7);
}

TEST_CASE("the value of a failed result is empty, not undefined")
{
    CHECK(*failed() == 0);
    const result<std::string_view> none{fal::error(FAL_E_WRONG_TYPE)};
    CHECK(none->empty());
    fal::client client = new_client_of_tests();
    result<fal::response> nothing{fal::error(FAL_E_WRONG_TYPE)};
    CHECK(nothing->http_status() == 0);
    CHECK_CODE(nothing->get<int>("/x"), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("a chain stops at the first error")
{
    const auto half = [](int number) -> result<int> {
        if (number % 2)
            return fal::error(FAL_E_INVALID_INPUT);
        return number / 2;
    };
    const auto twice = [](int number) { return number * 2; };
    CHECK(*seven().transform(twice).and_then(half) == 7);
    CHECK_CODE(seven().and_then(half).transform(twice), FAL_E_INVALID_INPUT);
    CHECK_CODE(failed().transform(twice).and_then(half), FAL_E_TOO_LARGE);
    CHECK(*failed().or_else([](const fal::error &) { return seven(); }) == 7);
    int calls = 0;
    CHECK(seven().transform([&](int) { calls++; }));
    CHECK(!failed().transform([&](int) { calls++; }));
    CHECK(calls == 1);
    CHECK(*result<void>().and_then(seven) == 7);
    CHECK(*result<void>().transform([] { return std::string("done"); }) == "done");
    CHECK_CODE(result<void>(fal::error(FAL_E_CLOSED)).and_then(seven), FAL_E_CLOSED);
    CHECK(result<void>(fal::error(FAL_E_CLOSED)).or_else([](const fal::error &) { return result<void>(); }));
}

TEST_CASE("a chain leaves a result that has a name as it was")
{
    const auto kept = seven();
    const result<std::unique_ptr<int>> four(std::make_unique<int>(4));
    const auto twice = [](int number) { return number * 2; };
    CHECK(*kept.transform(twice) == 14);
    CHECK(*kept.and_then([](int number) { return result<int>(number + 1); }) == 8);
    CHECK(*four.transform([](const std::unique_ptr<int> &number) { return *number; }) == 4);
    CHECK(*kept == 7);
    const auto none = failed();
    CHECK_CODE(none.transform(twice), FAL_E_TOO_LARGE);
    CHECK(*none.or_else([](const fal::error &) { return seven(); }) == 7);
    CHECK_CODE(none, FAL_E_TOO_LARGE);
}

TEST_CASE("a move-only value is moved through")
{
    auto made = result<std::unique_ptr<int>>(std::make_unique<int>(4)).transform([](std::unique_ptr<int> four) {
        ++*four;
        return four;
    });
    CHECK(**made == 5);
    CHECK(*std::move(made).value_or(nullptr) == 5);
}

TEST_CASE("exceptions are thrown where the program asks for them")
{
    CHECK(seven().or_throw() == 7);
    CHECK(seven().value() == 7);
    result<void>().or_throw();
    CHECK_THROWS_AS(failed().or_throw(), fal::exception);
    CHECK_THROWS_AS(result<void>(fal::error(FAL_E_CLOSED)).value(), fal::exception);
    try {
        new_client_of_tests().run(fal::request("no endpoint")).or_throw();
        FAIL("nothing was thrown");
    } catch (const std::exception &caught) {
        const auto &error = dynamic_cast<const fal::exception &>(caught).error();
        CHECK(error.code() == FAL_E_INVALID_ARGUMENT);
        CHECK(error.message() == caught.what());
    }
}

#if defined(__cpp_lib_expected)
TEST_CASE("a result is a std::expected where there is one")
{
    std::expected<int, fal::error> expected = seven();
    CHECK(expected.value() == 7);
    expected = failed();
    CHECK(expected.error().code() == FAL_E_TOO_LARGE);
    const std::expected<void, fal::error> nothing = result<void>();
    CHECK(nothing.has_value());
}
#endif

TEST_CASE("an empty error says so")
{
    const fal::error none;
    CHECK(!none);
    CHECK(none.code() == FAL_OK);
    CHECK(none.message() == "no error");
    CHECK(none.remedy() == "nothing");
    CHECK(none.describe() == "no error");
    CHECK(none.fields().empty());
    CHECK(none.body().empty());
    CHECK(!none.type());
    CHECK(!none.credentials());
    CHECK(none.capi() == nullptr);
}

TEST_CASE("an error of this header has the meaning of its code")
{
    CHECK(failed().error().message() == fal::status_meaning(FAL_E_TOO_LARGE));
    CHECK(failed().error().describe() == fal::status_meaning(FAL_E_TOO_LARGE));
    CHECK(fal::status_name(FAL_E_TOO_LARGE) == "FAL_E_TOO_LARGE");
}

TEST_CASE("an error says what the system refused")
{
    auto client = new_client_of_tests();
    auto request = fal::request("emulator/echo").set("image", fal::file("/nowhere/a picture.png"));
    auto made = client.run(request);
    REQUIRE(!made);
    const fal::error error = made.error();
    CHECK(error.code() == FAL_E_IO);
    CHECK(error.os_code() == ENOENT);
    CHECK(error.path() == "/nowhere/a picture.png");
    CHECK(error.http_status() == 0);
}

TEST_CASE("an error says everything that fal said")
{
    auto client = new_client_of_tests();
    auto job = fal::request("emulator/job").set("fail", fal::json(R"({"type": "image_too_large"})"));
    auto made = client.subscribe(job);
    REQUIRE(!made);
    const fal::error error = made.error();
    CHECK(error.code() == FAL_E_INVALID_INPUT);
    CHECK(error.http_status() == 422);
    CHECK(error.type() == "image_too_large");
    CHECK(error.request_id());
    CHECK(error.os_code() == 0);
    CHECK(!error.path());
    CHECK(!error.body().empty());
    CHECK(error.header("content-type"));
    CHECK(!error.header("x-none"));
    CHECK(!error.remedy().empty());
    for (const auto part : {error.message(), error.remedy(), *error.request_id()})
        CHECK(error.describe().find(part) != std::string_view::npos);
    CHECK(!error.may_have_executed());
    CHECK(!error.is_retryable());
    CHECK(!error.retry_after());
    CHECK(!error.needed_scope());
    CHECK(!error.lock_reason());
    CHECK(error.credentials()->status() == FAL_OK);
    REQUIRE(error.fields().size() == 1);
    for (const auto &field : error.fields()) {
        CHECK(!field.path().empty());
        CHECK(field.location().front() == '[');
        CHECK(!field.message().empty());
        CHECK(field.type() == "image_too_large");
        CHECK(field.context());
        (void)field.url();
        (void)field.input();
    }
    CHECK(error.fields()[7].path().empty());
}

TEST_CASE("copies of an error share it")
{
    auto made = fal::client(logged()).run(fal::request("no endpoint"));
    const fal::error copy = made.error();
    made = fal::error(FAL_E_CLOSED);
    CHECK(copy.code() == FAL_E_INVALID_ARGUMENT);
    CHECK(!copy.message().empty());
}

TEST_CASE("a deadline that has passed is no endless wait")
{
    CHECK(fal::time_limit(-5s).ms() == 0);
    CHECK(fal::time_limit(2min).ms() == 120000);
    CHECK(fal::no_limit.ms() == -1);
}

TEST_CASE("bytes come from any container of bytes")
{
    const std::vector<std::byte> bytes(3);
    const std::string text = "abcd";
    CHECK(fal::bytes(bytes).size() == 3);
    CHECK(fal::bytes(text).data() == reinterpret_cast<const std::byte *>(text.data()));
    CHECK(fal::bytes(std::string_view("ab")).size() == 2);
    CHECK(fal::bytes().empty());
}

TEST_CASE("the library fits the header")
{
    CHECK(fal::is_compatible());
    CHECK(fal::abi_version() == FAL_ABI_VERSION);
    CHECK(fal::version() == EXPECTED_VERSION);
}

TEST_SUITE_END();
