// fal.h is C++ too.

#include <cstring>
#include <memory>
#include <string>

#include "support.h"

namespace {

struct release {
    void operator()(fal_client *client) const { fal_client_release(client); }
    void operator()(fal_request *request) const { fal_request_free(request); }
    void operator()(fal_response *response) const { fal_response_free(response); }
};

void a_run()
{
    fal_error *err = nullptr;
    std::unique_ptr<fal_client, release> client(new_client());
    std::unique_ptr<fal_request, release> request(run_of("emulator/echo"));
    const std::string prompt = "a b\0c";
    CHECK_OK(fal_request_set_string(request.get(), "prompt", FAL_NUL, prompt.data(), prompt.size(), &err));
    fal_response *raw = nullptr;
    CHECK_OK(fal_client_run(client.get(), request.get(), &raw, &err));
    std::unique_ptr<fal_response, release> response(raw);
    const char *text = nullptr;
    size_t length = 0;
    CHECK_OK(fal_response_get_string(response.get(), "/body/prompt", FAL_NUL, &text, &length, &err));
    CHECK(text && std::string(text, length) == prompt);
}

void a_lambda_is_a_callback()
{
    fal_error *err = nullptr;
    std::unique_ptr<fal_client, release> client(new_client());
    fal_op *op = start(client.get(), run_of("emulator/echo"));
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    int called = 0;
    CHECK_OK(fal_op_when_done(op, dispatcher, [](fal_op *, void *user) { ++*static_cast<int *>(user); }, &called, &err));
    CHECK_OK(fal_op_wait(op, 10000, &err));
    while (fal_dispatcher_outstanding(dispatcher) > 0)
        must(fal_dispatcher_run(dispatcher, 10, -1, nullptr, &err), err, "fal_dispatcher_run");
    CHECK_INT(called, 1);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
}

} // namespace

int main(int argc, char **argv)
{
    static const struct test tests[] = {TEST(a_run), TEST(a_lambda_is_a_callback)};
    return RUN_TESTS(tests, control_reset);
}
