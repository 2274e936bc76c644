#include "api.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "calls.hpp"

namespace api {

enum { MOST_STEPS = 48, SPECIAL = 0xff00, PATIENCE_MS = 60000 };

struct Row {
    const char *name;
    void (*call)(World &);
    /* The function's number of 16 bits, which does not change when functions are added. */
    uint16_t place;
};

static constexpr uint16_t place_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++)
        hash = (hash ^ static_cast<uint8_t>(*name)) * 16777619u;
    return static_cast<uint16_t>(hash % SPECIAL);
}

static std::vector<Row> &rows()
{
    static auto *all = [] {
        auto *made = new std::vector<Row>{
#define ROW(function) {#function, [](World &world) { call(world, #function, function); }, place_of(#function)},
#include "rows.inc"
#undef ROW
        };
        std::sort(made->begin(), made->end(), [](const Row &a, const Row &b) { return a.place < b.place; });
        return made;
    }();
    return *all;
}

static const Row &row_at(uint16_t place)
{
    auto found = std::lower_bound(rows().begin(), rows().end(), place, [](const Row &row, uint16_t at) { return row.place < at; });
    return found == rows().end() ? rows().front() : *found;
}

static bool verbose()
{
    static const bool told = getenv("API_VERBOSE") != nullptr;
    return told;
}

/* Forks, uses the library in the child, and checks that the child exits normally. */
static void fork_here(World &world)
{
    if (world.forked || world.depth > 0)
        return;
    fflush(nullptr);
    pid_t child = fork();
    if (child < 0)
        return;
    if (child == 0) {
        world.forked = true;
        alarm(PATIENCE_MS / 1000);
        steps(world, 8);
        let_go(world);
        if (fal_shutdown(PATIENCE_MS, nullptr) != FAL_OK)
            broken("fal_shutdown", "a thread did not end in a forked child");
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0)
        broken("fork", "the child ended with " + std::to_string(status));
}

static void special(World &world, uint16_t which)
{
    switch (which % 4) {
    case 0: fork_here(world); break;
    case 1: usleep(5000); break;
    case 2: world.check_strings(nullptr); break;
    default: let_go(world);
    }
}

void steps(World &world, int most)
{
    for (int i = 0; i < most && !world.input.empty(); i++) {
        uint16_t place = world.input.pair();
        if (place >= SPECIAL) {
            special(world, place);
            continue;
        }
        const Row &row = row_at(place);
        if (verbose())
            fprintf(stderr, "%*s%s\n", world.depth * 2, "", row.name);
        row.call(world);
    }
}

/* Checks that no object is left and that libfal has released all memory that it was given. */
static void clean_up(World &world)
{
    world.check_strings(nullptr);
    let_go(world);
    if (fal_shutdown(PATIENCE_MS, nullptr) != FAL_OK)
        broken("fal_shutdown", "a thread did not end");
    refuse_questions();
    if (!shared().lent.empty())
        broken("fal_release_callback", "never called");
    for (Lent *kept : shared().kept)
        delete kept;
    shared().kept.clear();
}

}  // namespace api

void api_run(const uint8_t *data, size_t size)
{
    api::World world(data, size, api::server());
    world.server.script(world.input);
    api::shared().manner = world.input.byte();
    api::steps(world, api::MOST_STEPS);
    api::clean_up(world);
}

void api_run_each(unsigned times)
{
    uint32_t state = 1;
    for (const api::Row &row : api::rows())
        for (unsigned i = 0; i < times; i++) {
            uint8_t noise[512];
            for (uint8_t &byte : noise)
                byte = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
            api::World world(noise, sizeof noise, api::server());
            world.server.script(world.input);
            if (api::verbose())
                fprintf(stderr, "%s\n", row.name);
            row.call(world);
            api::clean_up(world);
        }
    printf("api          %6zu functions, %u calls of each\n", api::rows().size(), times);
}
