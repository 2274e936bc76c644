// A program of two parts, compiled by different standards, one with exceptions and one without. The header comes first, twice,
// after the macros of windows.h.

#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define small char
#define near
#define far
#define interface struct
#define IN
#define OUT
#define ERROR 0
#define NO_ERROR 0
#define DELETE 1
#define OPTIONAL
#define VOID void

#include <fal/fal.hpp>
#include <fal/fal.hpp>

#include <cstdio>

fal::result<fal::response> run(const fal::client &client, const fal::request &request);

int main()
{
    const fal::client client;
    const auto made = run(client, fal::request("emulator/echo").set("a", 1));
    const bool passed = made && made->get<int>("/body/a").value_or(0) == 1 && fal::shutdown(std::chrono::seconds(10));
    std::puts(passed ? "parts of two kinds: passed" : made.error().message().data());
    return passed ? 0 : 1;
}
