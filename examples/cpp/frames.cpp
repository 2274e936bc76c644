// A loop of 60 frames a second, as in a game: jobs run while it draws. All events and outcomes come from one queue, once a
// frame. It uses no exceptions.
//
// usage: frames [JOBS]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fal/fal.hpp>

namespace {

using namespace std::chrono_literals;

// What the game knows of a texture that is being made.
struct texture {
    std::string name;
    std::string state = "waiting";
};

void show(const fal::error &error)
{
    const std::string_view lines = error.describe();
    std::fprintf(stderr, "%.*s\n", static_cast<int>(lines.size()), lines.data());
}

class workshop {
public:
    // Starts a job whose events and end are those of a texture, which stays where it is.
    bool order(texture &texture)
    {
        const auto request = fal::request("fal-ai/flux/schnell").set("prompt", texture.name);
        const auto watched = client_.subscribe_start(request).and_then(
            [&](const fal::op &op) { return op.watch(dispatcher_, &texture); });
        if (!watched)
            show(watched.error());
        under_way_ += watched.has_value();
        return watched.has_value();
    }

    // Handles what has happened since the last frame. Returns whether anything is still under way.
    bool update()
    {
        while (const auto notice = dispatcher_.next(0ms)) {
            auto &texture = *static_cast<struct texture *>(notice.user);
            if (notice.ended())
                finish(texture, notice.op);
            else if (const auto ahead = notice.event.queue_position())
                texture.state = std::to_string(*ahead) + " ahead";
            else if (notice.event.kind() == FAL_EVENT_STATUS)
                texture.state = notice.event.get<std::string>("/status").value_or("?");
        }
        return under_way_ > 0;
    }

private:
    void finish(texture &texture, const fal::op &op)
    {
        under_way_--;
        const auto url = op.get().and_then([](const fal::response &made) { return made.get<std::string>("/images/0/url"); });
        texture.state = url.value_or("failed");
        if (!url)
            show(url.error());
    }

    fal::client client_;
    fal::dispatcher dispatcher_;
    int under_way_ = 0;
};

} // namespace

int main(int argc, char **argv)
{
    std::vector<texture> textures(argc > 1 ? static_cast<std::size_t>(std::atoi(argv[1])) : 3);
    workshop workshop;
    for (auto &texture : textures) {
        texture.name = "bricks, variant " + std::to_string(&texture - textures.data());
        if (!workshop.order(texture))
            return EXIT_FAILURE;
    }
    auto longest = 0us;
    bool busy = true;
    while (busy) {
        const auto began = std::chrono::steady_clock::now();
        busy = workshop.update();
        const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - began);
        longest = took > longest ? took : longest;
        std::this_thread::sleep_until(began + 16ms); // the game draws
    }
    for (const auto &texture : textures)
        std::printf("%s: %s\n", texture.name.c_str(), texture.state.c_str());
    std::fprintf(stderr, "libfal took at most %lld us of a frame\n", static_cast<long long>(longest.count()));
    const auto stopped = fal::shutdown(5s);
    if (!stopped)
        show(stopped.error());
    return stopped ? EXIT_SUCCESS : EXIT_FAILURE;
}
