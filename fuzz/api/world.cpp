#include "world.hpp"

#include <cstdio>
#include <cstdlib>

namespace api {

void broken(const char *function, const std::string &what)
{
    fprintf(stderr, "%s: %s\n", function, what.c_str());
    abort();
}

Shared &shared()
{
    static Shared *everything = new Shared;
    return *everything;
}

void refuse_questions()
{
    std::vector<fal_credential_request *> waiting;
    {
        std::lock_guard<std::mutex> lock(shared().guard);
        waiting.swap(shared().questions);
    }
    for (fal_credential_request *question : waiting)
        (void)fal_credential_request_refuse(question, "nobody is there", FAL_NUL, nullptr);
}

Lent *lend(std::string bytes, bool comes_back)
{
    std::lock_guard<std::mutex> lock(shared().guard);
    Lent *lent = new Lent;
    lent->bytes = std::move(bytes);
    if (comes_back)
        shared().lent.insert(lent);
    else
        shared().kept.push_back(lent);
    return lent;
}

template <class T> static const void *owner_of(const Objects<T> &objects, const void *object)
{
    for (const auto &borrowed : objects.borrowed)
        if (borrowed.object == object)
            return borrowed.owner;
    return nullptr;
}

const void *World::root(const void *object) const
{
    for (;;) {
        const void *owner = nullptr;
        std::apply([&](const auto &...kinds) { ((owner = owner ? owner : owner_of(kinds, object)), ...); }, objects);
        if (!owner || owner == object)
            return object;
        object = owner;
    }
}

void World::check_strings(const void *owner) const
{
    for (const Held &held : strings)
        if ((!owner || held.owner == owner) && std::string(held.text, held.copy.size()) != held.copy)
            broken(held.function, "a borrowed string has changed");
}

void World::hold(const char *text, size_t length, const void *owner, const char *function)
{
    enum { MOST = 64 };
    if (strings.size() >= MOST)
        strings.erase(strings.begin());
    strings.push_back({text, std::string(text, length), owner, function});
}

void World::forget(const void *owner)
{
    check_strings(owner);
    strings.erase(std::remove_if(strings.begin(), strings.end(), [&](const Held &held) { return held.owner == owner; }),
                  strings.end());
    auto drop = [&](auto &kind) {
        auto &all = kind.borrowed;
        all.erase(std::remove_if(all.begin(), all.end(), [&](const auto &one) { return one.owner == owner; }), all.end());
    };
    std::apply([&](auto &...kinds) { (drop(kinds), ...); }, objects);
}

}  // namespace api
