/* Turns a fuzzer's bytes into decisions. Missing bytes count as zero. */

#ifndef API_INPUT_HPP
#define API_INPUT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

namespace api {

/* The value of an enum with this number. In C++ an enum has no values but those of its bits; the C programs pass others. */
template <class T> T enum_of(int64_t number)
{
    constexpr bool is_signed = std::is_signed_v<std::underlying_type_t<T>>;
    return static_cast<T>(is_signed ? static_cast<int32_t>(number) : number & INT32_MAX);
}

class Input {
    const uint8_t *at, *end;

public:
    Input(const uint8_t *data, size_t size) : at(data), end(data + size) {}

    bool empty() const { return at == end; }

    uint8_t byte() { return at == end ? uint8_t{0} : *at++; }

    /* Returns a number below `count`. */
    size_t below(size_t count) { return byte() % count; }

    /* Returns true for one byte in `count`. */
    bool once_in(size_t count) { return byte() % count == count - 1; }

    uint16_t pair()
    {
        unsigned high = byte();
        return static_cast<uint16_t>(high << 8 | byte());
    }

    uint64_t wide()
    {
        uint64_t value = 0;
        for (int i = 0; i < 4; i++)
            value = value << 16 | pair();
        return value;
    }

    /* Returns at most `most` bytes, without a terminator. */
    std::string bytes(size_t most)
    {
        size_t size = std::min(most, static_cast<size_t>(end - at));
        std::string text(reinterpret_cast<const char *>(at), size);
        at += size;
        return text;
    }
};

}  // namespace api

#endif
