// Helpers that several tests share.

#ifndef TESTS_CPP_SUPPORT_HPP
#define TESTS_CPP_SUPPORT_HPP

#include <fal/fal.hpp>

#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

// The C helpers replace fal_options_new(), so they come after fal.hpp, and define CHECK, so they come before the framework.
#include <support.h>
#undef CHECK
#include <doctest/doctest.h>

#define CHECK_CODE(failed, expected) CHECK_MESSAGE((failed).error().code() == (expected), (failed).error().message())
#define REQUIRE_OK(done) REQUIRE_MESSAGE(static_cast<bool>(done), (done).error().message())

using namespace std::chrono_literals;

// Options that log into the folder that `make test` searches for secrets.
inline fal::options logged() { return fal::options(logged_options()); }

inline fal::client new_client_of_tests() { return fal::client(logged()); }

// A run that ends after `time`.
inline fal::request slow(std::chrono::milliseconds time)
{
    return fal::request("emulator/slow").set("ms", time.count());
}

// A job that outputs {"x": 1} after 100 ms, and has two lines of log.
inline fal::request short_job()
{
    return fal::request("emulator/job").set("ms", 100).set("logs", fal::json(R"(["a", "b"])")).set("output", fal::json(R"({"x": 1})"));
}

// Counts objects of this type that are alive.
class counted {
public:
    explicit counted(int &alive) noexcept : alive_(&alive) { __atomic_add_fetch(alive_, 1, __ATOMIC_SEQ_CST); }
    counted(const counted &other) noexcept : counted(*other.alive_) {}
    counted &operator=(const counted &) = delete;
    ~counted() { __atomic_sub_fetch(alive_, 1, __ATOMIC_SEQ_CST); }

private:
    int *alive_;
};

// Whether none is alive soon: libfal may destroy what it owns on a thread of its own.
inline bool gone(int &alive)
{
    for (const auto end = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < end;) {
        if (__atomic_load_n(&alive, __ATOMIC_SEQ_CST) == 0)
            return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

#endif
