// Makes a picture and saves it, or lists the account's keys.
//
// usage: picture [--size WxH] [--out FILE] [PROMPT]
//        picture keys

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <fal/fal.hpp>

namespace {

struct settings {
    std::string prompt = "a lighthouse at dusk";
    std::string out = "picture.png";
    std::int64_t width = 512;
    std::int64_t height = 512;
};

void make_picture(const fal::client &client, const settings &settings)
{
    const auto credentials = client.explain().or_throw();
    if (credentials.status() == FAL_OK)
        std::cout << "key:      " << *credentials.source() << ", id " << *credentials.key_id() << '\n';

    const auto made = client.run(fal::request("fal-ai/flux/schnell")
                                     .set("prompt", settings.prompt)
                                     .set("/image_size/width", settings.width)
                                     .set("/image_size/height", settings.height))
                          .or_throw();
    std::cout << "request:  " << made.request_id().value_or("-") << '\n';

    const auto url = made.get<std::string_view>("/images/0/url").or_throw();
    client.download(fal::download(url).set_path(settings.out).set_overwrite(true)).or_throw();
    std::cout << "picture:  " << settings.out << " (" << made.get<int>("/images/0/width").or_throw() << 'x'
              << made.get<int>("/images/0/height").or_throw() << ")\n";
}

void list_keys(const fal::client &client)
{
    const auto answer = client.platform("keys.list").or_throw();
    const auto count = answer.count("/keys").or_throw();
    for (std::size_t i = 0; i < count; i++) {
        const std::string key = "/keys/" + std::to_string(i);
        std::cout << answer.get<std::string_view>(key + "/key_id").or_throw() << "  "
                  << answer.get<std::string_view>(key + "/alias").or_throw() << '\n';
    }
}

// Throws std::invalid_argument if the arguments are invalid.
settings parse(const std::vector<std::string> &arguments)
{
    settings settings;
    for (std::size_t i = 0; i < arguments.size(); i++) {
        const bool has_next = i + 1 < arguments.size();
        if (arguments[i] == "--size" && has_next) {
            const std::string &size = arguments[++i];
            const std::size_t x = size.find('x');
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
void report(const fal::error &error)
{
    std::cerr << "error: " << error.message() << "\ndo:    " << error.remedy() << '\n';
    if (const auto credentials = error.credentials())
        std::cerr << credentials->table() << '\n';
}

} // namespace

int main(int argc, char **argv)
{
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    try {
        const settings settings = parse(arguments);
        const fal::client client;
        if (arguments == std::vector<std::string>{"keys"})
            list_keys(client);
        else
            make_picture(client, settings);
        fal::shutdown(std::chrono::seconds(5)).or_throw();
        return EXIT_SUCCESS;
    } catch (const fal::exception &failed) {
        report(failed.error());
    } catch (const std::logic_error &) {
        std::cerr << "usage: picture [--size WxH] [--out FILE] [PROMPT]\n       picture keys\n";
        return 2;
    }
    return EXIT_FAILURE;
}
