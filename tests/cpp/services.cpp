// Sessions, uploads, downloads, the Platform API, keys and webhooks.

#include <cstdio>
#include <vector>

#include "support.hpp"

#include <webhook.h>

// A folder that is removed with what is in it.
class folder {
public:
    folder() { REQUIRE(mkdtemp(path_)); }
    folder(const folder &) = delete;
    folder &operator=(const folder &) = delete;
    ~folder() { CHECK(std::system(("rm -r " + std::string(path_)).c_str()) == 0); }

    std::string operator/(const char *name) const { return std::string(path_) + '/' + name; }

private:
    char path_[32] = "/tmp/fal-cpp-XXXXXX";
};

static std::string text_of(fal::bytes bytes)
{
    return std::string(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

// The content of an uploaded file.
static std::string content_of(const fal::client &client, const fal::result<fal::response> &uploaded)
{
    REQUIRE_OK(uploaded);
    auto got = client.download(fal::download(*uploaded->get<std::string_view>("/url")));
    REQUIRE_OK(got);
    return text_of(got->body());
}

TEST_SUITE_BEGIN("services");

TEST_CASE("bytes are uploaded by copy, by move, and from a function")
{
    int alive = 0;
    auto client = new_client_of_tests();
    const std::string text = "content";
    CHECK(content_of(client, client.upload(fal::upload::copying(fal::bytes(text)).set_file_name("a.txt"))) == text);
    CHECK(content_of(client, client.upload(fal::upload::owning(std::string(text)))) == text);
    auto read = [&, state = counted(alive), at = std::size_t{0}](fal::buffer buffer) mutable -> std::int64_t {
        const std::size_t size = text.size() - at < 3 ? text.size() - at : 3;
        REQUIRE(buffer.size() >= size);
        std::memcpy(buffer.data(), text.data() + at, size);
        at += size;
        return static_cast<std::int64_t>(size);
    };
    CHECK(content_of(client, client.upload(fal::upload::reading(read))) == text);
    CHECK(content_of(client, client.upload(fal::upload::reading(std::move(read), text.size()))) == text);
    CHECK_CODE(client.upload(fal::upload::reading([](fal::buffer) { return -1; })), FAL_E_IO);
    REQUIRE_OK(fal::shutdown(10s));
    CHECK(alive == 1);
}

TEST_CASE("what an upload owns is destroyed when nothing uses it any more")
{
    struct content : std::string {
        explicit content(int &alive) : std::string("content"), state(alive) {}

        counted state;
    };
    int alive = 0;
    {
        auto upload = fal::upload::owning(content(alive));
        CHECK(alive == 1);
        auto request = fal::request("emulator/echo").set("file", upload);
        REQUIRE_OK(request);
        CHECK(new_client_of_tests().run(request));
    }
    REQUIRE_OK(fal::shutdown(10s));
    CHECK(alive == 0);
}

TEST_CASE("a file is uploaded, used in an input, and downloaded")
{
    auto client = new_client_of_tests();
    const folder folder;
    const std::string path = folder / "in.txt", out = folder / "out.txt";
    std::FILE *file = std::fopen(path.c_str(), "w");
    REQUIRE(file);
    std::fputs("abc", file);
    std::fclose(file);
    auto upload = fal::upload(fal::file(path))
                      .set_content_type("text/plain")
                      .set_file_name("b.txt")
                      .set_expires_in("1h")
                      .set_access(FAL_ACCESS_ALLOW)
                      .add_rule("friend", FAL_ACCESS_ALLOW)
                      .set_way(FAL_UPLOAD_SIGNED)
                      .set_timeout(10s);
    auto uploaded = client.upload(upload);
    REQUIRE_OK(uploaded);
    CHECK(*uploaded->get<std::string>("/file_name") == "b.txt");
    auto used = client.run(fal::request("emulator/echo").set("a", fal::file(path)).set("b", upload));
    REQUIRE_OK(used);
    CHECK(used->has("/body/a"));
    CHECK(used->has("/body/b"));
    auto saved = client.download_start(fal::download(*uploaded->get<std::string_view>("/url"))
                                           .set_path(out)
                                           .set_overwrite(true)
                                           .set_max_bytes(100)
                                           .set_file_token(false)
                                           .set_timeout(10s));
    REQUIRE_OK(saved);
    std::int64_t got = 0;
    for (const auto &event : saved->events()) {
        CHECK(event.kind() == FAL_EVENT_PROGRESS);
        CHECK(event.total().value_or(3) == 3);
        got = event.transferred().value_or(-1);
    }
    CHECK(got == 3);
    CHECK(*saved->get()->get<int>("/size") == 3);
    CHECK_CODE(client.download(fal::download("ftp://example.com")), FAL_E_FOREIGN_ORIGIN);
    CHECK_CODE(client.upload(fal::upload(fal::file("/no/such/file"))), FAL_E_IO);
    CHECK(client.download(fal::download(fal::request("emulator/echo"))));
    CHECK_CODE(fal::download(fal::request("no endpoint")), FAL_E_INVALID_ARGUMENT);
    CHECK(fal::request("emulator/echo").set_body(upload, "text/plain"));
}

TEST_CASE("a request is sent to one of fal's URLs")
{
    auto client = new_client_of_tests();
    CHECK(client.send(fal::request::http("GET", "/v1/models")));
    CHECK((*client.send_start(fal::request::http("GET", "/v1/models"))).get());
    CHECK_CODE(client.send(fal::request::http("GET", "https://example.com")), FAL_E_FOREIGN_ORIGIN);
}

TEST_CASE("a realtime session sends inputs and has the results as events")
{
    auto options = fal::socket_options()
                       .set_max_buffering(5)
                       .set_use_header(false)
                       .set_token_lifetime(60s)
                       .set_queue(8, FAL_WHEN_FULL_REFUSE)
                       .set_max_message_bytes(1 << 20)
                       .set_ping(10s);
    REQUIRE_OK(options);
    auto session = new_client_of_tests().connect(fal::request("emulator/realtime"), options);
    REQUIRE_OK(session);
    REQUIRE_OK(session->send(fal::request("emulator/realtime").set("data", fal::bytes(std::string_view("\0\1", 2)))));
    REQUIRE_OK(session->send(fal::json(R"({"n": 1})")));
    CHECK_CODE(session->send(fal::json("{")), FAL_E_INVALID_ARGUMENT);
    CHECK_CODE(session->send(fal::request("no endpoint")), FAL_E_INVALID_ARGUMENT);
    int results = 0;
    const fal::op op = session->op();
    for (const auto &event : op.events()) {
        if (event.kind() != FAL_EVENT_MESSAGE)
            continue;
        if (++results == 1)
            CHECK(event.bytes("/data").value_or(fal::bytes()).size() == 2);
        else
            session->close();
    }
    CHECK(results == 2);
    CHECK(*op.get()->get<std::string>("/ended") == "closed");
    CHECK(session->unsent() == 0);
    CHECK_CODE(session->send(fal::json("{}")), FAL_E_CLOSED);
}

TEST_CASE("the last copy of a session closes it")
{
    fal::op op;
    {
        auto client = new_client_of_tests();
        auto session = client.connect(fal::request("emulator/realtime"));
        REQUIRE_OK(session);
        const fal::realtime copy = *session;
        op = copy.op();
    }
    CHECK(op.get());
}

TEST_CASE("a WebSocket sends text and bytes")
{
    auto client = new_client_of_tests();
    auto socket = client.open(fal::request("emulator/ws"), fal::socket_options());
    REQUIRE_OK(socket);
    REQUIRE_OK(socket->send_text("hello"));
    REQUIRE_OK(socket->send_bytes(fal::bytes(std::string_view("\1\2", 2))));
    std::vector<bool> messages;
    const fal::op op = socket->op();
    for (const auto &event : op.events()) {
        if (event.kind() == FAL_EVENT_MESSAGE)
            messages.push_back(event.is_bytes());
        if (messages.size() == 2)
            socket->close();
    }
    CHECK(messages == std::vector<bool>{false, true});
    CHECK(op.get());
    CHECK(socket->unsent() == 0);
    CHECK(client.open(fal::request("emulator/ws")));
}

TEST_CASE("a channel runs requests over one connection")
{
    auto channel = new_client_of_tests().channel_to(fal::request("emulator/echo"));
    REQUIRE_OK(channel);
    CHECK(channel->run(fal::request("emulator/echo")));
    CHECK(channel->run_start(fal::request("emulator/echo"))->get());
    CHECK_CODE(channel->run(fal::request("no endpoint")), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("the Platform API is called by name")
{
    auto client = new_client_of_tests();
    auto models = client.platform("models.list", fal::json(R"({"limit": 2})"));
    REQUIRE_OK(models);
    CHECK(models->has("/models"));
    CHECK(client.platform_start("models.list")->get());
    CHECK(client.platform("models.list"));
    CHECK(client.platform_start("models.list", fal::json("{}"))->get());
    auto list = client.platform_list_start("models.list", fal::json(R"({"limit": 50})"));
    REQUIRE_OK(list);
    int elements = 0;
    for (const auto &event : list->events())
        elements += event.kind() == FAL_EVENT_ITEM;
    CHECK(elements > 2);
    auto other = client.platform_list_start("models.list");
    REQUIRE_OK(other);
    other->discard_events();
    other->cancel();
    CHECK_CODE(client.platform("no.such"), FAL_E_INVALID_ARGUMENT);
}

TEST_CASE("a key is created, stored and revoked")
{
    const folder folder;
    const auto there = logged().set_config_path(folder / "config.toml");
    const fal::client admin(logged().set_key(control_variable("FAL_EMULATOR_ADMIN_KEY")));
    auto key = admin.create_key("of the C++ tests");
    REQUIRE_OK(key);
    REQUIRE(key->id());
    CHECK(key->secret());
    CHECK(key->op().is_done());
    REQUIRE_OK(key->store_in_profile(there, "new", fal::activate::no));
    REQUIRE_OK(fal::store_key(there, "other", "fake-id:fake-secret-of-a-profile", fal::activate::yes));
    CHECK(key->store_in_keyring("default").error().code() != FAL_OK);
    auto profiles = fal::profiles::list(there);
    REQUIRE_OK(profiles);
    CHECK(profiles->size() == 2);
    CHECK((*profiles)[0].name() == "new");
    CHECK((*profiles)[0].key_id() == key->id());
    CHECK(!(*profiles)[0].is_active());
    CHECK((*profiles)[1].is_active());
    CHECK(!(*profiles)[9].is_active());
    for (const auto profile : *profiles) {
        CHECK(profile.line() > 0);
        CHECK(!profile.problem());
        CHECK(!profile.host());
    }
    REQUIRE_OK(fal::profiles::set_active(there, "new"));
    REQUIRE_OK(fal::profiles::set_none_active(there));
    REQUIRE_OK(fal::remove_key(there, "other"));
    CHECK(admin.revoke_key(*key->id()));
    auto second = admin.create_key_start("another");
    REQUIRE_OK(second);
    REQUIRE_OK(second->op().get());
    CHECK(admin.revoke_any_key_start(*second->id())->get());
    CHECK(admin.revoke_any_key(*second->id()));
    CHECK(admin.revoke_key_start(*second->id())->get());
    CHECK(fal::store_key_in_keyring("default", "fake-id:fake-secret-of-a-keyring").error().code() != FAL_OK);
    CHECK(fal::remove_key_from_keyring("default").error().code() != FAL_OK);
}

TEST_CASE("the sources of a key are reported")
{
    auto report = fal::credentials::explain();
    REQUIRE_OK(report);
    CHECK(report->status() == FAL_OK);
    CHECK(report->source() == "FAL_KEY");
    CHECK(report->key_id());
    CHECK(report->json().front() == '{');
    CHECK(report->table().find("FAL_KEY") != std::string_view::npos);
    REQUIRE(report->sources().size() > 1);
    for (const auto source : report->sources()) {
        CHECK(!source.name().empty());
        CHECK(!source.state().empty());
        (void)source.location();
        (void)source.key_id();
        (void)source.notes();
    }
    const fal::credentials moved = std::move(*report);
    CHECK(moved.status() == FAL_OK);
    CHECK(!*report);
    CHECK(fal::credentials::resolve());
    auto none = fal::credentials::resolve(fal::options().set_profile("no such profile"));
    REQUIRE(!none);
    REQUIRE(none.error().credentials());
    CHECK(none.error().credentials()->status() != FAL_OK);
}

TEST_CASE("a client checks its key and makes a token")
{
    auto client = new_client_of_tests();
    CHECK(*client.check()->get<bool>("/accepted"));
    CHECK(client.known_scope());
    CHECK(client.check_start()->get());
    auto token = client.mint_token("emulator/echo", 60s);
    REQUIRE_OK(token);
    const fal::client guest(logged().set_app_token(*token->get<std::string_view>("/token")));
    CHECK(guest.run(fal::request("emulator/echo")));
    CHECK(client.mint_token_start("emulator/echo", 60s)->get());
}

TEST_CASE("a webhook is verified")
{
    const auto webhook = fal::webhook(fal::bytes(std::string_view(WEBHOOK_BODY)))
                             .set_header("X-Fal-Webhook-Request-Id", "11111111-2222-4333-8444-555555555555")
                             .set_header("X-Fal-Webhook-User-Id", "acct|42")
                             .set_header("X-Fal-Webhook-Timestamp", "1700000000")
                             .set_header("X-Fal-Webhook-Signature", WEBHOOK_SIGNATURE);
    const fal::json keys(WEBHOOK_KEYS);
    auto verified = webhook.verify(keys, std::chrono::system_clock::time_point(std::chrono::seconds(WEBHOOK_TIME)));
    REQUIRE_OK(verified);
    CHECK(fal::webhook::outcome(*verified));
    CHECK_CODE(webhook.verify(keys), FAL_E_WEBHOOK_INVALID);
    auto client = new_client_of_tests();
    CHECK_CODE(client.verify(webhook), FAL_E_WEBHOOK_INVALID);
    CHECK_CODE(client.verify_start(webhook)->get(), FAL_E_WEBHOOK_INVALID);
    CHECK_CODE(fal::webhook::outcome(fal::response()), FAL_E_INVALID_ARGUMENT);
}

TEST_SUITE_END();
