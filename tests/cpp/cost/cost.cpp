// The same work through fal.h and through fal.hpp, without a network, for callgrind to count: a request is built, a webhook is
// verified, and its response is read. The argument is the number of rounds.

#include <fal/fal.hpp>

#include <webhook.h>

static const char KEYS[] = WEBHOOK_KEYS;
static const char *const HEADERS[][2] = {
    {"X-Fal-Webhook-Request-Id", "11111111-2222-4333-8444-555555555555"},
    {"X-Fal-Webhook-User-Id", "acct|42"},
    {"X-Fal-Webhook-Timestamp", "1700000000"},
    {"X-Fal-Webhook-Signature", WEBHOOK_SIGNATURE},
};

extern "C" {
__attribute__((noinline)) bool build_by_c();
__attribute__((noinline)) bool build_by_cpp();
__attribute__((noinline)) bool read_by_c(const fal_response *response);
__attribute__((noinline)) bool read_by_cpp(const fal::response &response);
__attribute__((noinline)) bool verify_by_c(const fal_webhook *webhook);
__attribute__((noinline)) bool verify_by_cpp(const fal::webhook &webhook);
}

bool build_by_c()
{
    fal_request *request = nullptr;
    fal_error *err = nullptr;
    const bool built = fal_request_new("fal-ai/flux/schnell", 19, &request, &err) == FAL_OK
                       && fal_request_set_string(request, "prompt", 6, "a lighthouse", FAL_NUL, &err) == FAL_OK
                       && fal_request_set_int(request, "/image_size/width", 17, 640, &err) == FAL_OK
                       && fal_request_set_bool(request, "sync_mode", 9, true, &err) == FAL_OK
                       && fal_request_set_timeout_ms(request, 5000, &err) == FAL_OK;
    fal_request_free(request);
    fal_error_free(err);
    return built;
}

bool build_by_cpp()
{
    return static_cast<bool>(fal::request("fal-ai/flux/schnell")
                                 .set("prompt", "a lighthouse")
                                 .set("/image_size/width", 640)
                                 .set("sync_mode", true)
                                 .set_timeout(std::chrono::seconds(5)));
}

bool read_by_c(const fal_response *response)
{
    fal_error *err = nullptr;
    const char *status = nullptr;
    size_t size = 0;
    bool ok = false;
    const bool read = fal_response_get_string(response, "/status", 7, &status, &size, &err) == FAL_OK
                      && fal_response_get_bool(response, "/payload/ok", 11, &ok, &err) == FAL_OK && ok && size == 2;
    fal_error_free(err);
    return read;
}

bool read_by_cpp(const fal::response &response)
{
    const auto status = response.get<std::string_view>("/status");
    return status && response.get<bool>("/payload/ok").value_or(false) && status->size() == 2;
}

bool verify_by_c(const fal_webhook *webhook)
{
    fal_response *response = nullptr;
    fal_error *err = nullptr;
    const bool verified = fal_webhook_verify(webhook, KEYS, sizeof KEYS - 1, WEBHOOK_TIME, &response, &err) == FAL_OK;
    fal_response_free(response);
    fal_error_free(err);
    return verified;
}

bool verify_by_cpp(const fal::webhook &webhook)
{
    return webhook.verify(fal::json({KEYS, sizeof KEYS - 1}), std::chrono::system_clock::from_time_t(WEBHOOK_TIME)).has_value();
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
    fal::webhook webhook(fal::bytes(std::string_view(WEBHOOK_BODY)));
    for (const auto &[name, value] : HEADERS)
        webhook.set_header(name, value);
    const auto response = webhook.verify(fal::json(KEYS), std::chrono::system_clock::from_time_t(WEBHOOK_TIME));
    bool done = response.has_value();
    for (int round = 0; done && round < rounds; round++)
        done = build_by_c() && build_by_cpp() && read_by_c(response->capi()) && read_by_cpp(*response)
               && verify_by_c(webhook.capi()) && verify_by_cpp(webhook);
    return done ? 0 : 1;
}
