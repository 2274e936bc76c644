#include "words.hpp"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace api {

const char PLANTED_KEY[] = "fake-id:fake-secret-5Qx9Zk2Lw8Vb3Nm7";
const char PLANTED_SECRET[] = "5Qx9Zk2Lw8Vb3Nm7";

const std::string &sandbox()
{
    static const std::string *path = [] {
        char name[] = "/tmp/fal-api-XXXXXX";
        if (!mkdtemp(name))
            abort();
        auto *made = new std::string(name);
        /* Separate folders, so that a download never replaces a configuration file, which may name programs to run. */
        for (const char *folder : {"/config", "/files", "/home"})
            std::filesystem::create_directory(*made + folder);
        std::ofstream(*made + "/files/small.png") << "not a picture";
        std::ofstream(*made + "/files/empty");
        static const pid_t owner = getpid();
        atexit([] {
            std::error_code ignored;
            if (getpid() == owner)
                std::filesystem::remove_all(sandbox(), ignored);
        });
        return made;
    }();
    return *path;
}

using Words = std::vector<std::string>;

static const Words &any_words()
{
    static const Words *words = new Words{
        "emulator/echo", "emulator/echo", "emulator/stream", "emulator/realtime", "emulator/fail", "no/such", "prompt", "/a/b/0",
        "", "{}", "{\"a\":[1,2],\"b\":\"x\"}", "[]", "null", "\"\\u0000\"", std::string("a\0b", 3), "GET", "POST", "HEAD",
        "/v1/models", "models.list", "models.pricing", "keys.list", "serverless.logs.stream", "{\"limit\":1}", "content-type",
        "x-fal-request-id", "Authorization", "application/json", "image/png", "text/plain", "7d", "never", "60", "default", "nulls",
        PLANTED_KEY, "r-1", "/x", "~2", "/\xff", "\xf0\x9f\x92\xa9", "X-Fal-Webhook-Signature", "X-Fal-Webhook-Timestamp", "1700000000",
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
        "{\"expiration_duration_seconds\":60}", "/detail", "/request_id",
    };
    return *words;
}

/* The only texts that this function may get; empty if it may get any. */
static Words only_words(World &world, const std::string &function, size_t index)
{
    auto is = [&](std::initializer_list<const char *> names) {
        return std::find(names.begin(), names.end(), function) != names.end();
    };
    const std::string &base = sandbox();
    if (is({"fal_options_set_config_path"}))
        return {base + "/config/config.toml", base + "/config/none/config.toml", base + "/config", ""};
    if (is({"fal_upload_new_file", "fal_download_set_path"}) || (function == "fal_request_set_file" && index == 1))
        return {base + "/files/small.png", base + "/files/empty", base + "/files", base + "/files/new",
                         base + "/files/none/new", "", std::string("a\0b", 3)};
    if (is({"fal_options_set_host"}))
        return {world.server.address(), "127.0.0.1:1", "fal.run", "example.com:443", "", "a b", "10.0.0.1:80"};
    if (is({"fal_options_set_server_proxy", "fal_options_set_http_proxy"}))
        return {"http://" + world.server.address(), "http://" + world.server.address() + "/api/fal/proxy",
                         "socks5://" + world.server.address(), "http://user:password@127.0.0.1:1", "", "a b", "ftp://127.0.0.1"};
    if (is({"fal_request_set_webhook"}))
        return {"http://" + world.server.address() + "/hook", "https://127.0.0.1:1/hook", "", "hook"};
    if (is({"fal_download_new"}))
        return {"data:,x", "data:text/plain;base64,eHh4", "data:", "https://127.0.0.1:1/x", "https://v3.fal.media/files/x",
                         "http://" + world.server.address() + "/x", "", "x"};
    return {};
}

std::string text_for(World &world, const std::string &function, size_t index)
{
    uint8_t choice = world.input.byte();
    Words only = only_words(world, function, index);
    if (!only.empty())
        return only[choice % only.size()];
    enum { OWN = 96 };
    if (choice < 256 - OWN)
        return any_words()[choice % any_words().size()];
    return world.input.bytes(choice - (256 - OWN));
}

}  // namespace api
