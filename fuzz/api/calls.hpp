/* One call of a function of fal.h. The arguments follow from the function's type, so a new function takes part without a change
 * here, and a new type does not compile until it is added here. */

#ifndef API_CALLS_HPP
#define API_CALLS_HPP

#include <cstring>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "callbacks.hpp"
#include "givens.hpp"
#include "words.hpp"
#include "world.hpp"

namespace api {

/* Builds the arguments of one call. */
class Call {
    World &world;
    const char *const name;
    const std::string function;
    /* Texts and bytes, each in a block of its own, so that a sanitizer detects a read beyond its end. Freed after the call. */
    std::vector<std::unique_ptr<char[]>> blocks;
    /* The length that belongs to the previous pointer. */
    bool has_length = false;
    size_t length = 0;
    size_t texts = 0;
    void *user = nullptr;
    /* The owner of returned strings: the first object among the arguments. */
    const void *owner = nullptr;
    size_t used = 0;
    bool lends = false;

    /* The outputs, filled before the call so that a missing write is detected. */
    fal_error *error = nullptr;
    bool has_error = false;
    bool fallible = false;
    size_t out_length = 77;
    bool has_out_length = false;
    std::vector<std::function<void(fal_status)>> after;

    bool consumes() const
    {
        auto ends = [&](const char *end) {
            return function.size() > strlen(end) && function.compare(function.size() - strlen(end), strlen(end), end) == 0;
        };
        return ends("_free") || ends("_release");
    }

    char *block(const std::string &bytes, bool terminated)
    {
        blocks.push_back(std::make_unique<char[]>(bytes.size() + terminated));
        memcpy(blocks.back().get(), bytes.data(), bytes.size());
        if (terminated)
            blocks.back()[bytes.size()] = '\0';
        return blocks.back().get();
    }

    int64_t number()
    {
        switch (world.input.below(8)) {
        case 0: return 0;
        case 1: return -1;
        case 2: return INT64_MAX;
        case 3: return INT64_MIN;
        case 4: return static_cast<int64_t>(world.input.wide());
        default: return world.input.byte();
        }
    }

    /* Times are short, so that every call returns soon. */
    int64_t time()
    {
        if (function == "fal_shutdown")
            return world.input.once_in(4) ? 0 : 20000;
        /* What a dispatcher waits for may never come. */
        if (function.rfind("fal_dispatcher_", 0) == 0 && function != "fal_dispatcher_run")
            return world.input.below(20);
        return function.find("timeout") != std::string::npos && function.find("start_timeout") == std::string::npos
                   ? world.input.byte() - int64_t{1}
                   : number();
    }

    /* C has one type for callbacks that release memory and for those that only signal. */
    fal_release_callback release_or_signal()
    {
        if (function == "fal_upload_new_bytes")
            return lends ? given_back : nullptr;
        if (function == "fal_upload_new_reader") {
            bool comes_back = world.input.once_in(2);
            user = lend(world.input.bytes(world.input.byte()), comes_back);
            return comes_back ? given_back : nullptr;
        }
        user = &world;
        return world.input.once_in(8) ? nullptr : signalled;
    }

    template <class T> void taken(const T *object)
    {
        if (!owner)
            owner = world.root(object);
        world.in_use.push_back(object);
        used++;
    }

    /* Makes a place for an output. */
    template <class T> T *result(T initial)
    {
        if (fallible && world.input.once_in(32))
            return nullptr;
        auto *slot = new T(initial);
        after.push_back([this, slot](fal_status status) {
            accept(*slot, status);
            delete slot;
        });
        return slot;
    }

    template <class T> void accept(T *object, fal_status status)
    {
        if (object && status != FAL_OK)
            broken(name, "a failed call returned an object");
        if (object)
            got(object);
    }
    void accept(void *of_the_host, fal_status status)
    {
        if (of_the_host && status != FAL_OK)
            broken(name, "a failed call returned a pointer of the host");
    }
    void accept(const char *text, fal_status status)
    {
        if (text && status != FAL_OK)
            broken(name, "a failed call returned a string");
        if (text)
            string(text, true);
    }
    void accept(const void *bytes, fal_status status)
    {
        if (bytes && status != FAL_OK)
            broken(name, "a failed call returned bytes");
        if (bytes)
            string(static_cast<const char *>(bytes), false);
    }
    template <class T> std::enable_if_t<std::is_arithmetic_v<T>> accept(T value, fal_status status)
    {
        if (status != FAL_OK && value != T{})
            broken(name, "a failed call returned a number");
    }

    template <class T> void got(T *object)
    {
        bound(world, object);
        world.of<T>().owned.push_back(object);
    }

    /* Checks a returned string or bytes: every byte can be read and does not change later. */
    void string(const char *text, bool terminated)
    {
        if (!terminated && !has_out_length)
            return;
        size_t size = has_out_length ? out_length : strlen(text);
        if (terminated && text[size] != '\0')
            broken(name, "a returned string has no NUL");
        std::string copy(text, size);
        if (terminated && function != "fal_new_key_secret" && copy.find(PLANTED_SECRET) != std::string::npos &&
            (function.rfind("fal_error", 0) == 0 || function.rfind("fal_credentials", 0) == 0))
            broken(name, "contains the secret of the key: " + copy);
        world.hold(text, size, owner ? owner : &shared(), name);
    }

public:
    Call(World &world_, const char *function_, bool fallible_)
        : world(world_), name(function_), function(function_), fallible(fallible_)
    {
    }

    /* Makes the arguments, in the order of the parameters. */
    template <class T> T make()
    {
        if constexpr (std::is_same_v<T, fal_error **>) {
            has_error = !world.input.once_in(16);
            error = reinterpret_cast<fal_error *>(this);
            return has_error ? &error : nullptr;
        } else if constexpr (std::is_same_v<T, const char *>) {
            std::string text = text_for(world, function, texts++);
            uint8_t manner = world.input.byte() % 16;
            has_length = true;
            bool terminated = manner > 7;
            length = terminated ? FAL_NUL : text.size();
            return manner == 0 ? nullptr : block(text, terminated);
        } else if constexpr (std::is_same_v<T, const void *>) {
            std::string bytes = world.input.bytes(world.input.byte());
            has_length = true;
            length = bytes.size();
            if (function == "fal_upload_new_bytes" && world.input.once_in(2)) {
                lends = true;
                Lent *lent = lend(bytes, true);
                user = lent;
                return lent->bytes.data();
            }
            return block(bytes, false);
        } else if constexpr (std::is_same_v<T, size_t>) {
            return std::exchange(has_length, false) ? length : static_cast<size_t>(number());
        } else if constexpr (std::is_same_v<T, void *>) {
            return user;
        } else if constexpr (std::is_same_v<T, size_t *>) {
            bool result_itself = function.rfind("fal_response_get_count", 0) == 0 || function == "fal_dispatcher_run";
            if (result_itself)
                return result<size_t>(99);
            has_out_length = !world.input.once_in(4);
            return has_out_length ? &out_length : nullptr;
        } else if constexpr (std::is_same_v<T, int64_t>) {
            return time();
        } else if constexpr (std::is_same_v<T, double>) {
            uint64_t bits = world.input.wide();
            double value;
            memcpy(&value, &bits, sizeof value);
            return value;
        } else if constexpr (std::is_same_v<T, bool>) {
            return world.input.once_in(2);
        } else if constexpr (std::is_enum_v<T>) {
            return enum_of<T>(number());
        } else if constexpr (std::is_integral_v<T>) {
            return static_cast<T>(number());
        } else if constexpr (std::is_same_v<T, fal_release_callback>) {
            return release_or_signal();
        } else if constexpr (std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>) {
            user = &world;
            return world.input.once_in(16) ? nullptr : callback<T>();
        } else if constexpr (std::is_same_v<T, fal_credential_request *>) {
            return take_question();
        } else {
            static_assert(std::is_pointer_v<T>);
            return object<T>();
        }
    }

    /* An array of one object; its length follows. */
    template <class T> const T *array()
    {
        auto *slot = new T(object<T>());
        after.push_back([slot](fal_status) { delete slot; });
        has_length = true;
        length = 1;
        return slot;
    }

    template <class T> T object()
    {
        using Pointee = std::remove_pointer_t<T>;
        if constexpr (std::is_pointer_v<Pointee> && std::is_const_v<Pointee>) {
            return array<std::remove_const_t<Pointee>>();
        } else if constexpr (std::is_pointer_v<Pointee>) {
            return result<Pointee>(reinterpret_cast<Pointee>(const_cast<char *>(name)));
        } else if constexpr (std::is_arithmetic_v<Pointee>) {
            return result<Pointee>(Pointee{1});
        } else {
            using Kind = std::remove_const_t<Pointee>;
            Objects<Kind> &all = world.of<Kind>();
            uint8_t choice = world.input.byte();
            /* Not the default options, because a client without a timeout would block the fuzzer. */
            if (choice >= 248 && function != "fal_client_new")
                return nullptr;
            if constexpr (std::is_const_v<Pointee>) {
                if (!all.borrowed.empty() && choice >= 192) {
                    const Kind *borrowed = all.borrowed[choice % all.borrowed.size()].object;
                    taken(borrowed);
                    return borrowed;
                }
            }
            if (all.owned.empty() || choice % 32 == 31)
                if (Kind *given = give<Kind>(world))
                    all.owned.push_back(given);
            if (all.owned.empty())
                return nullptr;
            size_t place = choice % all.owned.size();
            Kind *chosen = all.owned[place];
            if (!consumes()) {
                taken(chosen);
                return chosen;
            }
            if (std::find(world.in_use.begin(), world.in_use.end(), chosen) != world.in_use.end())
                return nullptr;
            world.forget(chosen);
            all.owned.erase(all.owned.begin() + static_cast<ptrdiff_t>(place));
            return chosen;
        }
    }

    /* Checks the returned value, by its type. */
    void returned(fal_status status)
    {
        if (!fallible)
            return;
        if (status == FAL_E_PANIC || !fal_status_meaning(status))
            broken(name, std::string("returned ") + fal_status_name(status));
        if (has_error && (status < 0) != (error != nullptr))
            broken(name, "status and error do not agree");
        if (has_error && error) {
            if (fal_error_code(error) != status)
                broken(name, "the error has another code");
            world.of<fal_error>().owned.push_back(error);
        }
    }
    void returned(const char *text)
    {
        if (text)
            string(text, true);
    }
    void returned(const void *bytes)
    {
        if (bytes)
            string(static_cast<const char *>(bytes), false);
    }
    template <class T> std::enable_if_t<std::is_class_v<T>> returned(T *object)
    {
        using Kind = std::remove_const_t<T>;
        if (!object)
            return;
        if constexpr (std::is_const_v<T>)
            world.of<Kind>().borrowed.push_back({object, owner});
        else
            world.of<Kind>().owned.push_back(object);
    }
    template <class T> std::enable_if_t<std::is_arithmetic_v<T> || std::is_enum_v<T>> returned(T) {}

    /* Checks the outputs and frees the arguments. */
    void end(fal_status status)
    {
        for (auto &look : after)
            look(status);
        world.in_use.resize(world.in_use.size() - used);
        enough(world);
    }
};

template <class... A> constexpr bool ends_in_error()
{
    if constexpr (sizeof...(A) == 0)
        return false;
    else
        return std::is_same_v<std::tuple_element_t<sizeof...(A) - 1, std::tuple<A...>>, fal_error **>;
}

template <class R, class... A> void call(World &world, const char *name, R (*function)(A...))
{
    Call call(world, name, ends_in_error<A...>());
    /* Braces evaluate from left to right. */
    std::tuple<A...> arguments{call.template make<A>()...};
    if constexpr (std::is_void_v<R>) {
        std::apply(function, arguments);
        call.end(FAL_OK);
    } else {
        R value = std::apply(function, arguments);
        call.returned(value);
        if constexpr (ends_in_error<A...>())
            call.end(value);
        else
            call.end(FAL_OK);
    }
}

}  // namespace api

#endif
