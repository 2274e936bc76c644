// Makes a picture and saves it, or lists the account's keys.
//
// usage: picture [--size WxH] [--out FILE] [PROMPT]
//        picture keys

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fal/fal.h>

namespace {

// Owns an object of any kind: the destructor calls the C function that releases it.
struct deleter {
    void operator()(fal_error *error) const { fal_error_free(error); }
    void operator()(fal_credentials *credentials) const { fal_credentials_free(credentials); }
    void operator()(fal_client *client) const { fal_client_release(client); }
    void operator()(fal_request *request) const { fal_request_free(request); }
    void operator()(fal_response *response) const { fal_response_free(response); }
};

template <typename T> using owned = std::unique_ptr<T, deleter>;

// Wraps a fal_error in an exception.
class failure : public std::runtime_error {
public:
    explicit failure(fal_error *error) : std::runtime_error(fal_error_message(error, nullptr)), error_(error, deleter()) {}

    const fal_error *get() const { return error_.get(); }

private:
    std::shared_ptr<fal_error> error_;
};

// Calls a function whose last parameter is the error. Throws on failure.
template <typename Function, typename... Arguments> void call(Function function, Arguments... arguments)
{
    fal_error *error = nullptr;
    if (function(arguments..., &error) != FAL_OK)
        throw failure(error);
}

// Calls a function that makes an object in its second to last parameter. Throws on failure.
template <typename T, typename Function, typename... Arguments> owned<T> make(Function function, Arguments... arguments)
{
    T *object = nullptr;
    call(function, arguments..., &object);
    return owned<T>(object);
}

struct settings {
    std::string prompt = "a lighthouse at dusk";
    std::string out = "picture.png";
    std::int64_t width = 512;
    std::int64_t height = 512;
};

std::string string_at(const fal_response *response, const std::string &pointer)
{
    const char *text = nullptr;
    size_t length = 0;
    call(fal_response_get_string, response, pointer.data(), pointer.size(), &text, &length);
    return std::string(text, length);
}

std::int64_t int_at(const fal_response *response, std::string_view pointer)
{
    std::int64_t value = 0;
    call(fal_response_get_int, response, pointer.data(), pointer.size(), &value);
    return value;
}

owned<fal_response> get(const fal_client *client, const std::string &url)
{
    auto request = make<fal_request>(fal_request_new_http, "GET", FAL_NUL, url.data(), url.size());
    return make<fal_response>(fal_client_send, client, request.get());
}

owned<fal_response> run(const fal_client *client, const settings &settings)
{
    auto request = make<fal_request>(fal_request_new, "fal-ai/flux/schnell", FAL_NUL);
    call(fal_request_set_string, request.get(), "prompt", FAL_NUL, settings.prompt.data(), settings.prompt.size());
    call(fal_request_set_int, request.get(), "/image_size/width", FAL_NUL, settings.width);
    call(fal_request_set_int, request.get(), "/image_size/height", FAL_NUL, settings.height);
    return make<fal_response>(fal_client_run, client, request.get());
}

void save(const fal_response *picture, const std::string &path)
{
    size_t length = 0;
    const void *bytes = fal_response_body(picture, &length);
    std::ofstream file(path, std::ios::binary);
    file.write(static_cast<const char *>(bytes), static_cast<std::streamsize>(length));
    if (!file.flush())
        throw std::runtime_error(path + " cannot be written");
}

void make_picture(const fal_client *client, const settings &settings)
{
    auto credentials = make<fal_credentials>(fal_client_explain, client);
    if (fal_credentials_status(credentials.get()) == FAL_OK)
        std::cout << "key:      " << fal_credentials_source(credentials.get(), nullptr) << ", id "
                  << fal_credentials_key_id(credentials.get(), nullptr) << '\n';

    auto made = run(client, settings);
    const char *id = fal_response_request_id(made.get(), nullptr);
    std::cout << "request:  " << (id ? id : "-") << '\n';

    auto picture = get(client, string_at(made.get(), "/images/0/url"));
    save(picture.get(), settings.out);
    std::cout << "picture:  " << settings.out << " (" << int_at(made.get(), "/images/0/width") << 'x'
              << int_at(made.get(), "/images/0/height") << ")\n";
}

void list_keys(const fal_client *client)
{
    auto answer = get(client, "/v1/keys");
    size_t count = 0;
    call(fal_response_get_count, answer.get(), "/keys", FAL_NUL, &count);
    for (size_t i = 0; i < count; i++) {
        const std::string key = "/keys/" + std::to_string(i);
        std::cout << string_at(answer.get(), key + "/key_id") << "  " << string_at(answer.get(), key + "/alias") << '\n';
    }
}

// Throws std::invalid_argument if the arguments are invalid.
settings parse(const std::vector<std::string> &arguments)
{
    settings settings;
    for (size_t i = 0; i < arguments.size(); i++) {
        const bool has_next = i + 1 < arguments.size();
        if (arguments[i] == "--size" && has_next) {
            const std::string &size = arguments[++i];
            const size_t x = size.find('x');
            settings.width = std::stoll(size.substr(0, x));
            settings.height = x == std::string::npos ? settings.width : std::stoll(size.substr(x + 1));
        } else if (arguments[i] == "--out" && has_next) {
            settings.out = arguments[++i];
        } else if (arguments[i].rfind('-', 0) == 0) {
            throw std::invalid_argument(arguments[i]);
        } else {
            settings.prompt = arguments[i];
        }
    }
    return settings;
}

// Prints the error, its remedy and, if it concerns a key, where the library looked for the key.
void report(const failure &failure)
{
    std::cerr << "error: " << failure.what() << '\n';
    std::cerr << "do:    " << fal_error_remedy(failure.get(), nullptr) << '\n';
    if (const fal_credentials *credentials = fal_error_credentials(failure.get()))
        std::cerr << fal_credentials_table(credentials, nullptr) << '\n';
}

} // namespace

int main(int argc, char **argv)
{
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        const settings settings = parse(arguments);
        auto client = make<fal_client>(fal_client_new, nullptr);
        if (arguments == std::vector<std::string>{"keys"})
            list_keys(client.get());
        else
            make_picture(client.get(), settings);
        client.reset();
        call(fal_shutdown, 5000);
        return EXIT_SUCCESS;
    } catch (const failure &failure) {
        report(failure);
    } catch (const std::logic_error &) {
        std::cerr << "usage: picture [--size WxH] [--out FILE] [PROMPT]\n       picture keys\n";
        return 2;
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << '\n';
    }
    return EXIT_FAILURE;
}
