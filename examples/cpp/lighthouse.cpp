// Prints the URL of a picture.

#include <fal/fal.hpp>
#include <iostream>

int main()
{
    const fal::client client;
    const auto url = client.run(fal::request("fal-ai/flux/schnell").set("prompt", "a lighthouse"))
                         .and_then([](const fal::response &made) { return made.get<std::string>("/images/0/url"); });
    if (url)
        std::cout << *url << '\n';
    else
        std::cerr << url.error().message() << '\n' << url.error().remedy() << '\n';
    return !url;
}
