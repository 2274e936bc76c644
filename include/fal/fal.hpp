/// @file fal.hpp
/// The C++ interface of libfal: fal.h with objects that free themselves. Header-only, C++17, without exceptions or RTTI
/// unless the program wants them.
///
///     fal::client client;
///     auto made = client.run(fal::request("fal-ai/flux/schnell").set("prompt", "a lighthouse"));
///     if (made)
///         std::puts(made->get<std::string>("/images/0/url").value_or("no picture").c_str());
///     else
///         std::puts(made.error().message().data());
///
/// Conventions
///   Names      fal::client::run() calls fal_client_run(), whose comment in fal.h also holds here. Constants keep
///              their names.
///   Objects    A class owns its C object. Those that C counts (client, op, realtime, websocket, channel, dispatcher)
///              are copied by one more reference, all others can only be moved. An object that was moved from is
///              empty; every function of it is safe, and fails with FAL_E_INVALID_ARGUMENT. capi() lends the C object,
///              release() hands it over, and a constructor takes one over.
///   Errors     A function that can fail returns a fal::result, which the compiler does not let a program ignore. The
///              setters of requests and options return the object instead; the first error stays in it, and the call
///              that it is passed to returns this error.
///   Strings    std::string_view in and out. What comes out is borrowed from the object that it was read from, and its
///              data() ends with a NUL.
///   Times      std::chrono; a fal::time_limit for waits and timeouts. A negative duration counts as zero;
///              fal::no_limit is the only time without an end.
///   Threads    Several threads may use a const object at once, as in C.
///   Callbacks  A callback must not throw: it is called from C, and an exception that leaves it ends the process. Its
///              state is owned, and is destroyed when libfal no longer uses it. Where fal.h does not say that there is
///              one call at a time, several threads may call it at once: those that run a dispatcher, or those that ask
///              for a credential for several clients.

#ifndef FAL_FAL_HPP
#define FAL_FAL_HPP

#include <fal/fal.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__has_include)
#  if __has_include(<version>)
#    include <version>
#  endif
#endif
#if defined(__cpp_lib_expected)
#  include <expected>
#endif
#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
#  include <coroutine>
#endif

// Marks a result that must not outlive the object that it was read from.
#if defined(__has_cpp_attribute)
#  if __has_cpp_attribute(clang::lifetimebound)
#    define FAL_BORROWS [[clang::lifetimebound]]
#  endif
#endif
#ifndef FAL_BORROWS
#  define FAL_BORROWS
#endif

// Whether this translation unit is compiled with exceptions.
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#  define FAL_THROWS true
#else
#  define FAL_THROWS false
#endif

// A setter, which returns the object, so that setters are chained; and the same for a temporary, so that the whole chain can
// be stored: auto request = fal::request("…").set(…).
#define FAL_SETTER(type, name, parameters, ...)                                                                             \
  type &name parameters & { return call(__VA_ARGS__); }                                                                     \
  type &&name parameters && { return std::move(call(__VA_ARGS__)); }

/// The C++ interface of libfal.
namespace fal {

// Objects of another version of this header may have another layout, so they have other names for the linker.
inline namespace v0 {

class client;
class dispatcher;

// ==== Basics =============================================================================================================

/// A borrowed sequence of bytes, made from anything that has data() and size() of elements of one byte.
template <class Byte> class basic_bytes {
public:
    constexpr basic_bytes() noexcept = default;

    /// Refers to `size` bytes at `data`.
    constexpr basic_bytes(Byte *data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// Refers to the content of a container, such as std::vector<std::byte>, std::string or std::span<const unsigned char>.
    template <
        class Container, class Element = std::remove_pointer_t<decltype(std::declval<const Container &>().data())>,
        std::enable_if_t<sizeof(Element) == 1 && std::is_trivially_copyable_v<Element> && std::is_const_v<Byte>, int> = 0>
    basic_bytes(const Container &container FAL_BORROWS) noexcept
        : data_(reinterpret_cast<Byte *>(container.data())), size_(container.size())
    {}

    /// The first byte; may be null if there are none.
    [[nodiscard]] constexpr Byte *data() const noexcept { return data_; }
    /// The number of bytes.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    /// Whether there are none.
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] constexpr Byte *begin() const noexcept { return data_; }
    [[nodiscard]] constexpr Byte *end() const noexcept { return data_ + size_; }

private:
    Byte *data_ = nullptr;
    std::size_t size_ = 0;
};

/// Bytes to read.
using bytes = basic_bytes<const std::byte>;
/// Bytes to write.
using buffer = basic_bytes<std::byte>;

/// A string that the service may not have sent.
using optional_text = std::optional<std::string_view>;

/// JSON text: the value of a field that is set to anything, as in request.set("size", fal::json("[1, 2]")).
class json {
public:
    explicit constexpr json(std::string_view text FAL_BORROWS) noexcept : text_(text) {}
    /// The text.
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

private:
    std::string_view text_;
};

/// The path of a local file: the value of a field that is uploaded.
class file {
public:
    explicit constexpr file(std::string_view path FAL_BORROWS) noexcept : path_(path) {}
    /// The path, in UTF-8.
    [[nodiscard]] constexpr std::string_view path() const noexcept { return path_; }

private:
    std::string_view path_;
};

/// How long to wait at most: any duration of std::chrono that converts to milliseconds without loss, or fal::no_limit. A
/// negative duration, such as the time to a deadline that has passed, is zero.
class time_limit {
public:
    template <
        class Count, class Period,
        std::enable_if_t<std::is_convertible_v<std::chrono::duration<Count, Period>, std::chrono::milliseconds>, int> = 0>
    constexpr time_limit(std::chrono::duration<Count, Period> time) noexcept
        : ms_(time < time.zero() ? 0 : whole(time))
    {}

    /// The time that never ends; see fal::no_limit.
    [[nodiscard]] static constexpr time_limit none() noexcept { return time_limit(); }
    /// The milliseconds as C takes them: -1 for no limit.
    [[nodiscard]] constexpr std::int64_t ms() const noexcept { return ms_; }

private:
    constexpr time_limit() noexcept = default;

    // A time that does not fit is the longest one.
    template <class Count, class Period>
    static constexpr std::int64_t whole(std::chrono::duration<Count, Period> time) noexcept
    {
        using longest = std::chrono::milliseconds;
        return std::chrono::duration<long double, std::milli>(time) < longest::max() ? longest(time).count()
                                                                                      : longest::max().count();
    }

    std::int64_t ms_ = -1;
};

/// Waits without a limit.
inline constexpr time_limit no_limit = time_limit::none();

namespace detail {

// An empty view may have no pointer, which means none in some functions of C. NULL with a size is C's to refuse.
constexpr const char *at(std::string_view text) noexcept { return text.empty() ? "" : text.data(); }

inline const void *at(bytes data) noexcept { return data.empty() ? "" : static_cast<const void *>(data.data()); }

// The count of a duration as C takes it: negative ones are zero, and those that do not fit the longest.
template <class Count, class Period> constexpr std::uint32_t count_of(std::chrono::duration<Count, Period> time) noexcept
{
    const auto most = std::numeric_limits<std::uint32_t>::max();
    if (time.count() < 0)
        return 0;
    return time.count() < most ? static_cast<std::uint32_t>(time.count()) : most;
}

// The string that a function of C returns, with its length in the last parameter; nothing for NULL.
template <class Function, class... Arguments> optional_text text(Function function, Arguments... arguments) noexcept
{
    std::size_t size = 0;
    if (const char *text = function(arguments..., &size))
        return std::string_view(text, size);
    return std::nullopt;
}

// The same, but empty for NULL.
template <class Function, class... Arguments>
std::string_view text_or_empty(Function function, Arguments... arguments) noexcept
{
    return text(function, arguments...).value_or(std::string_view(""));
}

// A number that C writes as -1 if it does not know it.
constexpr std::optional<std::int64_t> known(std::int64_t number) noexcept
{
    return number < 0 ? std::nullopt : std::optional(number);
}

// The bytes that a function of C returns, with their number in the last parameter.
template <class Function, class Raw> bytes body(Function function, const Raw *raw) noexcept
{
    std::size_t size = 0;
    const void *data = function(raw, &size);
    return bytes(static_cast<const std::byte *>(data), size);
}

// How each object of C is freed, or released and retained. The address of a function of a DLL is no template argument.
inline void drop(fal_download *raw) noexcept { fal_download_free(raw); }
inline void drop(fal_event *raw) noexcept { fal_event_free(raw); }
inline void drop(fal_job *raw) noexcept { fal_job_free(raw); }
inline void drop(fal_new_key *raw) noexcept { fal_new_key_free(raw); }
inline void drop(fal_options *raw) noexcept { fal_options_free(raw); }
inline void drop(fal_profiles *raw) noexcept { fal_profiles_free(raw); }
inline void drop(fal_request *raw) noexcept { fal_request_free(raw); }
inline void drop(fal_socket_options *raw) noexcept { fal_socket_options_free(raw); }
inline void drop(fal_upload *raw) noexcept { fal_upload_free(raw); }
inline void drop(fal_webhook *raw) noexcept { fal_webhook_free(raw); }
inline void drop(fal_channel *raw) noexcept { fal_channel_release(raw); }
inline fal_channel *retain(const fal_channel *raw) noexcept { return fal_channel_retain(raw); }
inline void drop(fal_client *raw) noexcept { fal_client_release(raw); }
inline fal_client *retain(const fal_client *raw) noexcept { return fal_client_retain(raw); }
inline void drop(fal_dispatcher *raw) noexcept { fal_dispatcher_release(raw); }
inline fal_dispatcher *retain(const fal_dispatcher *raw) noexcept { return fal_dispatcher_retain(raw); }
inline void drop(fal_op *raw) noexcept { fal_op_release(raw); }
inline fal_op *retain(const fal_op *raw) noexcept { return fal_op_retain(raw); }
inline void drop(fal_realtime *raw) noexcept { fal_realtime_release(raw); }
inline fal_realtime *retain(const fal_realtime *raw) noexcept { return fal_realtime_retain(raw); }
inline void drop(fal_websocket *raw) noexcept { fal_websocket_release(raw); }
inline fal_websocket *retain(const fal_websocket *raw) noexcept { return fal_websocket_retain(raw); }

// Owns an object of C that has one owner.
template <class Raw> class unique {
public:
    using raw_type = Raw;

    unique(unique &&other) noexcept : raw_(other.release()) {}

    unique &operator=(unique &&other) noexcept
    {
        if (this != &other)
            detail::drop(std::exchange(raw_, other.release()));
        return *this;
    }

    ~unique() { detail::drop(raw_); }

    /// Whether there is an object.
    [[nodiscard]] explicit operator bool() const noexcept { return raw_ != nullptr; }
    /// Lends the C object; null if this one is empty.
    [[nodiscard]] Raw *capi() const noexcept FAL_BORROWS { return raw_; }
    /// Hands the C object over to the caller, who frees it. This object is then empty.
    [[nodiscard]] Raw *release() noexcept { return std::exchange(raw_, nullptr); }

protected:
    unique() noexcept = default;
    explicit unique(Raw *raw) noexcept : raw_(raw) {}

    Raw *raw_ = nullptr;
};

// Owns one reference to an object of C that is counted.
template <class Raw> class shared {
public:
    using raw_type = Raw;

    shared(const shared &other) noexcept : raw_(detail::retain(other.raw_)) {}
    shared(shared &&other) noexcept : raw_(other.release()) {}

    shared &operator=(const shared &other) noexcept
    {
        detail::drop(std::exchange(raw_, detail::retain(other.raw_)));
        return *this;
    }

    shared &operator=(shared &&other) noexcept
    {
        if (this != &other)
            detail::drop(std::exchange(raw_, other.release()));
        return *this;
    }

    ~shared() { detail::drop(raw_); }

    /// Whether there is an object.
    [[nodiscard]] explicit operator bool() const noexcept { return raw_ != nullptr; }
    /// Lends the C object; null if this one is empty.
    [[nodiscard]] Raw *capi() const noexcept FAL_BORROWS { return raw_; }
    /// Hands the reference over to the caller, who releases it. This object is then empty.
    [[nodiscard]] Raw *release() noexcept { return std::exchange(raw_, nullptr); }

protected:
    shared() noexcept = default;
    explicit shared(Raw *raw) noexcept : raw_(raw) {}

    Raw *raw_ = nullptr;
};

// The items 0 to count - 1 of an object, for a range-based for.
template <class Raw, class Item> class indexed {
public:
    class iterator {
    public:
        iterator(const Raw *of, std::size_t index) noexcept : of_(of), index_(index) {}
        Item operator*() const noexcept { return Item(of_, index_); }
        iterator &operator++() noexcept
        {
            ++index_;
            return *this;
        }
        bool operator!=(const iterator &other) const noexcept { return index_ != other.index_; }

    private:
        const Raw *of_;
        std::size_t index_;
    };

    indexed(const Raw *of, std::size_t count) noexcept : of_(of), count_(count) {}

    [[nodiscard]] iterator begin() const noexcept { return iterator(of_, 0); }
    [[nodiscard]] iterator end() const noexcept { return iterator(of_, count_); }
    /// The number of items.
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// Whether there are none.
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// The item with an index; all of its members are empty if there is none.
    [[nodiscard]] Item operator[](std::size_t index) const noexcept { return Item(of_, index); }

private:
    const Raw *of_;
    std::size_t count_;
};

} // namespace detail

// ==== Version ============================================================================================================

/// The version of the binary interface of the loaded library.
[[nodiscard]] inline std::uint32_t abi_version() noexcept { return fal_abi_version(); }

/// Whether the loaded library fits the header that this program was compiled with.
[[nodiscard]] inline bool is_compatible() noexcept { return fal_abi_version() == FAL_ABI_VERSION; }

/// The version of the loaded library, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept { return fal_version(); }

/// The name of a status, such as "FAL_E_NO_CREDENTIALS".
[[nodiscard]] inline std::string_view status_name(fal_status status) noexcept { return fal_status_name(status); }

/// The meaning of a status as an English sentence; empty for an unknown status.
[[nodiscard]] inline std::string_view status_meaning(fal_status status) noexcept
{
    const char *meaning = fal_status_meaning(status);
    return meaning ? meaning : "";
}

// ==== Credentials ========================================================================================================

/// One source of a key in a report.
class source {
public:
    source(const fal_credentials *of, std::size_t index) noexcept : of_(of), index_(index) {}

    /// The name of the source.
    [[nodiscard]] std::string_view name() const noexcept
    {
        return detail::text_or_empty(fal_credentials_source_name, of_, index_);
    }
    /// "used", "shadowed", "absent", "malformed", "skipped" or "failed".
    [[nodiscard]] std::string_view state() const noexcept
    {
        return detail::text_or_empty(fal_credentials_source_state, of_, index_);
    }
    /// Where the source is.
    [[nodiscard]] optional_text location() const noexcept
    {
        return detail::text(fal_credentials_source_location, of_, index_);
    }
    /// The public id of its key.
    [[nodiscard]] optional_text key_id() const noexcept { return detail::text(fal_credentials_source_key_id, of_, index_); }
    /// Notes on it, one per line.
    [[nodiscard]] optional_text notes() const noexcept { return detail::text(fal_credentials_source_notes, of_, index_); }

private:
    const fal_credentials *of_;
    std::size_t index_;
};

/// The state of every source of a key, borrowed from the object that has it.
class credentials_view {
public:
    explicit credentials_view(const fal_credentials *raw) noexcept : raw_(raw) {}

    /// FAL_OK if a credential was found, FAL_E_NO_CREDENTIALS or FAL_E_MALFORMED_CREDENTIALS if not.
    [[nodiscard]] fal_status status() const noexcept { return fal_credentials_status(raw_); }
    /// The whole report as JSON.
    [[nodiscard]] std::string_view json() const noexcept { return detail::text_or_empty(fal_credentials_json, raw_); }
    /// The whole report as a table of several lines, to be shown to a user.
    [[nodiscard]] std::string_view table() const noexcept { return detail::text_or_empty(fal_credentials_table, raw_); }
    /// The public id of the key in use.
    [[nodiscard]] optional_text key_id() const noexcept { return detail::text(fal_credentials_key_id, raw_); }
    /// The source in use, such as "FAL_KEY".
    [[nodiscard]] optional_text source() const noexcept { return detail::text(fal_credentials_source, raw_); }
    /// All sources, in the order in which they are tried.
    [[nodiscard]] detail::indexed<fal_credentials, fal::source> sources() const noexcept
    {
        return {raw_, fal_credentials_source_count(raw_)};
    }
    /// Lends the C object.
    [[nodiscard]] const fal_credentials *capi() const noexcept { return raw_; }

protected:
    const fal_credentials *raw_;
};

// ==== Errors =============================================================================================================

/// One rejected field of an input.
class error_field {
public:
    error_field(const fal_error *of, std::size_t index) noexcept : of_(of), index_(index) {}

    /// The path, such as "body.image_size.width".
    [[nodiscard]] std::string_view path() const noexcept { return detail::text_or_empty(fal_error_field_path, of_, index_); }
    /// The path as a JSON array.
    [[nodiscard]] std::string_view location() const noexcept
    {
        return detail::text_or_empty(fal_error_field_location, of_, index_);
    }
    /// What is wrong, as English text.
    [[nodiscard]] std::string_view message() const noexcept
    {
        return detail::text_or_empty(fal_error_field_message, of_, index_);
    }
    /// fal's name of what is wrong.
    [[nodiscard]] optional_text type() const noexcept { return detail::text(fal_error_field_type, of_, index_); }
    /// The URL of the documentation.
    [[nodiscard]] optional_text url() const noexcept { return detail::text(fal_error_field_url, of_, index_); }
    /// The limits that the field violates, as JSON.
    [[nodiscard]] optional_text context() const noexcept { return detail::text(fal_error_field_context, of_, index_); }
    /// The rejected value as JSON, which may be private.
    [[nodiscard]] optional_text input() const noexcept { return detail::text(fal_error_field_input, of_, index_); }

private:
    const fal_error *of_;
    std::size_t index_;
};

/// What went wrong; "no error" if it is empty. Copies share one C object. Several threads may read it at once.
class error {
public:
    /// No error.
    error() noexcept = default;

    /// An error of this header: its message is the meaning of the code.
    explicit error(fal_status code) noexcept : code_(code) {}

    /// Takes over the error of a C function that returned `code`. `raw` may be null.
    error(fal_status code, fal_error *raw) : code_(code)
    {
        if (raw)
            raw_.reset(raw, fal_error_free);
    }

    /// Whether there is an error.
    [[nodiscard]] explicit operator bool() const noexcept { return code_ != FAL_OK; }
    /// The FAL_E_ code; FAL_OK if there is no error.
    [[nodiscard]] fal_status code() const noexcept { return raw_ ? fal_error_code(raw_.get()) : code_; }
    /// What happened, as English text.
    [[nodiscard]] std::string_view message() const noexcept FAL_BORROWS
    {
        return is_own() ? status_meaning(code_) : detail::text_or_empty(fal_error_message, raw_.get());
    }
    /// What to do about it, as English text.
    [[nodiscard]] std::string_view remedy() const noexcept FAL_BORROWS
    {
        return detail::text_or_empty(fal_error_remedy, raw_.get());
    }
    /// The whole error as a block of lines to be printed: message, remedy, request id, rejected fields, sources of the key.
    [[nodiscard]] std::string_view describe() const noexcept FAL_BORROWS
    {
        return is_own() ? message() : detail::text_or_empty(fal_error_describe, raw_.get());
    }
    /// The HTTP status of the response; 0 if there was none.
    [[nodiscard]] int http_status() const noexcept { return fal_error_http_status(raw_.get()); }
    /// fal's name of the error, such as "image_too_large".
    [[nodiscard]] optional_text type() const noexcept FAL_BORROWS { return detail::text(fal_error_type, raw_.get()); }
    /// fal's id of the request.
    [[nodiscard]] optional_text request_id() const noexcept FAL_BORROWS
    {
        return detail::text(fal_error_request_id, raw_.get());
    }
    /// The operating system's code of the failure: errno, or that of GetLastError() on Windows; 0 if it gave none.
    [[nodiscard]] int os_code() const noexcept { return fal_error_os_code(raw_.get()); }
    /// The file or folder that could not be read or written.
    [[nodiscard]] optional_text path() const noexcept FAL_BORROWS { return detail::text(fal_error_path, raw_.get()); }
    /// The value of a header of the response.
    [[nodiscard]] optional_text header(std::string_view name) const noexcept FAL_BORROWS
    {
        return detail::text(fal_error_header, raw_.get(), detail::at(name), name.size());
    }
    /// The body of the response.
    [[nodiscard]] bytes body() const noexcept FAL_BORROWS { return detail::body(fal_error_body, raw_.get()); }
    /// Whether the service may have executed the request although the call failed: sending it again may run it twice.
    [[nodiscard]] bool may_have_executed() const noexcept { return fal_error_may_have_executed(raw_.get()); }
    /// Whether the same request may succeed later.
    [[nodiscard]] bool is_retryable() const noexcept { return fal_error_is_retryable(raw_.get()); }
    /// How long the service asks to wait before the next attempt.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const noexcept
    {
        const std::int64_t ms = fal_error_retry_after_ms(raw_.get());
        return ms < 0 ? std::nullopt : std::optional(std::chrono::milliseconds(ms));
    }
    /// The scope that the rejected operation needs, "API" or "ADMIN".
    [[nodiscard]] optional_text needed_scope() const noexcept FAL_BORROWS
    {
        return detail::text(fal_error_needed_scope, raw_.get());
    }
    /// Why the account is locked.
    [[nodiscard]] optional_text lock_reason() const noexcept FAL_BORROWS
    {
        return detail::text(fal_error_lock_reason, raw_.get());
    }
    /// The fields of the input that the service rejected.
    [[nodiscard]] detail::indexed<fal_error, error_field> fields() const noexcept FAL_BORROWS
    {
        return {raw_.get(), fal_error_field_count(raw_.get())};
    }
    /// The report on the sources of the credential, if the error concerns it.
    [[nodiscard]] std::optional<credentials_view> credentials() const noexcept FAL_BORROWS
    {
        const fal_credentials *report = fal_error_credentials(raw_.get());
        return report ? std::optional(credentials_view(report)) : std::nullopt;
    }
    /// Lends the C object; null if there is no error, or it is one of this header.
    [[nodiscard]] const fal_error *capi() const noexcept FAL_BORROWS { return raw_.get(); }

private:
    [[nodiscard]] bool is_own() const noexcept { return code_ != FAL_OK && !raw_; }

    fal_status code_ = FAL_OK;
    std::shared_ptr<fal_error> raw_;
};

/// An error as an exception: result::value() and result::or_throw() throw it.
class exception : public std::exception {
public:
    explicit exception(fal::error error) noexcept : error_(std::move(error)) {}

    /// The message of the error.
    [[nodiscard]] const char *what() const noexcept override { return error_.message().data(); }
    /// The error.
    [[nodiscard]] const fal::error &error() const noexcept { return error_; }

private:
    fal::error error_;
};

template <class T> class result;

namespace detail {

template <bool throws> [[noreturn]] void raise(const error &error)
{
    static_assert(throws, "value() and or_throw() need exceptions: test the result, and use operator* or value_or()");
#if FAL_THROWS
    throw exception(error);
#else
    (void)error;
    std::terminate();
#endif
}

template <class T> struct is_result : std::false_type {};
template <class T> struct is_result<result<T>> : std::true_type {};

} // namespace detail

/// A value, or the error because of which there is none, in the manner of std::expected. The value of a failed result is an
/// empty T: reading it unchecked is a mistake, but a defined one.
template <class T> class [[nodiscard]] result {
public:
    using value_type = T;
    using error_type = fal::error;

    result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}
    result(fal::error error) noexcept(std::is_nothrow_default_constructible_v<T>) : error_(std::move(error)) {}

    /// Whether there is a value.
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] bool has_value() const noexcept { return !error_; }

    /// The value; an empty one if the call failed.
    [[nodiscard]] T &operator*() &noexcept FAL_BORROWS { return value_; }
    [[nodiscard]] const T &operator*() const &noexcept FAL_BORROWS { return value_; }
    [[nodiscard]] T &&operator*() &&noexcept FAL_BORROWS { return std::move(value_); }
    [[nodiscard]] T *operator->() noexcept FAL_BORROWS { return &value_; }
    [[nodiscard]] const T *operator->() const noexcept FAL_BORROWS { return &value_; }

    /// The error; an empty one if there is a value.
    [[nodiscard]] const fal::error &error() const &noexcept FAL_BORROWS { return error_; }
    [[nodiscard]] fal::error error() &&noexcept { return std::move(error_); }

    /// The value, or a fal::exception is thrown. Does not compile without exceptions.
    template <bool throws = FAL_THROWS> [[nodiscard]] T &value() & FAL_BORROWS { return checked<throws>(), value_; }
    template <bool throws = FAL_THROWS> [[nodiscard]] const T &value() const &FAL_BORROWS
    {
        return checked<throws>(), value_;
    }
    template <bool throws = FAL_THROWS> [[nodiscard]] T value() && { return checked<throws>(), std::move(value_); }

    /// Moves the value out, or throws a fal::exception: for a program that uses exceptions throughout.
    template <bool throws = FAL_THROWS> T or_throw() && { return checked<throws>(), std::move(value_); }

    /// The value, or another one if the call failed.
    template <class Other> [[nodiscard]] T value_or(Other &&other) const &
    {
        return has_value() ? value_ : static_cast<T>(std::forward<Other>(other));
    }
    template <class Other> [[nodiscard]] T value_or(Other &&other) &&
    {
        return has_value() ? std::move(value_) : static_cast<T>(std::forward<Other>(other));
    }

    /// Passes the value to a function that returns a result; an error is passed on.
    template <class Function> auto and_then(Function &&function) &&
    {
        return and_then(std::forward<Function>(function), std::move(*this));
    }
    template <class Function> auto and_then(Function &&function) const &
    {
        return and_then(std::forward<Function>(function), *this);
    }

    /// Passes the value to a function that returns another value; an error is passed on.
    template <class Function> auto transform(Function &&function) &&
    {
        return transform(std::forward<Function>(function), std::move(*this));
    }
    template <class Function> auto transform(Function &&function) const &
    {
        return transform(std::forward<Function>(function), *this);
    }

    /// Passes the error to a function that returns a result of the same type; a value is passed on.
    template <class Function> result or_else(Function &&function) &&
    {
        return has_value() ? std::move(*this) : result(std::forward<Function>(function)(std::move(error_)));
    }
    template <class Function> result or_else(Function &&function) const &
    {
        return has_value() ? *this : result(std::forward<Function>(function)(error_));
    }

#if defined(__cpp_lib_expected)
    /// The same as a std::expected.
    operator std::expected<T, fal::error>() &&
    {
        if (has_value())
            return std::move(value_);
        return std::unexpected(std::move(error_));
    }
#endif

private:
    template <bool throws> void checked() const
    {
        if (!has_value())
            detail::raise<throws>(error_);
    }

    template <class Function, class Self> static auto and_then(Function &&function, Self &&self)
    {
        using Next = std::decay_t<decltype(std::forward<Function>(function)(*std::forward<Self>(self)))>;
        static_assert(detail::is_result<Next>::value, "the function of and_then() returns a fal::result");
        return self ? std::forward<Function>(function)(*std::forward<Self>(self)) : Next(std::forward<Self>(self).error());
    }

    template <class Function, class Self> static auto transform(Function &&function, Self &&self)
    {
        using Next = std::decay_t<decltype(std::forward<Function>(function)(*std::forward<Self>(self)))>;
        if constexpr (std::is_void_v<Next>) {
            if (self)
                std::forward<Function>(function)(*std::forward<Self>(self));
            return result<void>(std::forward<Self>(self).error());
        } else {
            return self ? result<Next>(std::forward<Function>(function)(*std::forward<Self>(self)))
                        : result<Next>(std::forward<Self>(self).error());
        }
    }

    T value_{};
    fal::error error_;
};

/// Success, or an error.
template <> class [[nodiscard]] result<void> {
public:
    using value_type = void;
    using error_type = fal::error;

    result() noexcept = default;
    result(fal::error error) noexcept : error_(std::move(error)) {}

    /// Whether the call succeeded.
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] bool has_value() const noexcept { return !error_; }

    /// The error; an empty one if the call succeeded.
    [[nodiscard]] const fal::error &error() const &noexcept FAL_BORROWS { return error_; }
    [[nodiscard]] fal::error error() &&noexcept { return std::move(error_); }

    /// Throws a fal::exception if the call failed. Does not compile without exceptions.
    template <bool throws = FAL_THROWS> void value() const
    {
        if (!has_value())
            detail::raise<throws>(error_);
    }
    template <bool throws = FAL_THROWS> void or_throw() const { value<throws>(); }

    /// Calls a function that returns a result, if the call succeeded; an error is passed on.
    template <class Function> auto and_then(Function &&function) const
    {
        using Next = std::decay_t<std::invoke_result_t<Function>>;
        static_assert(detail::is_result<Next>::value, "the function of and_then() returns a fal::result");
        return has_value() ? std::forward<Function>(function)() : Next(error_);
    }

    /// Calls a function that returns a value, if the call succeeded; an error is passed on.
    template <class Function> auto transform(Function &&function) const
    {
        using Next = std::decay_t<std::invoke_result_t<Function>>;
        if constexpr (std::is_void_v<Next>) {
            if (has_value())
                std::forward<Function>(function)();
            return result<void>(error_);
        } else {
            return has_value() ? result<Next>(std::forward<Function>(function)()) : result<Next>(error_);
        }
    }

    /// Passes the error to a function that returns a result<void>.
    template <class Function> result or_else(Function &&function) const
    {
        return has_value() ? *this : result(std::forward<Function>(function)(error_));
    }

#if defined(__cpp_lib_expected)
    /// The same as a std::expected.
    operator std::expected<void, fal::error>() &&
    {
        if (has_value())
            return {};
        return std::unexpected(std::move(error_));
    }
#endif

private:
    fal::error error_;
};

namespace detail {

// Calls a function of C that takes the error last.
template <class Function, class... Arguments> result<void> attempt(Function function, Arguments... arguments)
{
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &raw);
    if (status == FAL_OK)
        return {};
    return error(status, raw);
}

// Calls a function of C that creates an object, of which T is the owner.
template <class T, class Function, class... Arguments> result<T> create(Function function, Arguments... arguments)
{
    typename T::raw_type *out = nullptr;
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &out, &raw);
    if (status == FAL_OK)
        return T(out);
    return error(status, raw);
}

// Calls a function of C that writes a value.
template <class T, class Function, class... Arguments> result<T> read(Function function, Arguments... arguments)
{
    T value{};
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &value, &raw);
    if (status == FAL_OK)
        return value;
    return error(status, raw);
}

// Calls a function of C that waits for something. Returns whether it has come.
template <class Function, class... Arguments> result<bool> wait(Function function, Arguments... arguments)
{
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &raw);
    if (status == FAL_OK || status == FAL_PENDING)
        return status == FAL_OK;
    return error(status, raw);
}

// Calls a function of C that writes a string and its length.
template <class Function, class... Arguments> result<std::string_view> read_text(Function function, Arguments... arguments)
{
    const char *text = nullptr;
    std::size_t size = 0;
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &text, &size, &raw);
    if (status == FAL_OK)
        return std::string_view(text, size);
    return error(status, raw);
}

// Calls a function of C that writes the address of bytes and their number.
template <class Function, class... Arguments> result<bytes> read_bytes(Function function, Arguments... arguments)
{
    const void *data = nullptr;
    std::size_t size = 0;
    fal_error *raw = nullptr;
    const fal_status status = function(arguments..., &data, &size, &raw);
    if (status == FAL_OK)
        return bytes(static_cast<const std::byte *>(data), size);
    return error(status, raw);
}

// The first error of the functions that build an object.
class first_error {
public:
    /// Whether the object was created and every setter succeeded.
    [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
    /// The first error of the constructor and the setters.
    [[nodiscard]] const fal::error &error() const &noexcept FAL_BORROWS { return error_; }
    [[nodiscard]] fal::error error() &&noexcept { return std::move(error_); }

protected:
    // Calls a function of C unless an earlier one failed.
    template <class Function, class... Arguments> void step(Function function, Arguments... arguments)
    {
        if (error_)
            return;
        fal_error *raw = nullptr;
        const fal_status status = function(arguments..., &raw);
        if (status != FAL_OK)
            error_ = fal::error(status, raw);
    }

    void fail(const fal::error &error) noexcept
    {
        if (!error_)
            error_ = error;
    }

private:
    fal::error error_;
};

// Owns an object of C that is built by setters. Self derives from it.
template <class Self, class Raw> class built : public unique<Raw>, public first_error {
public:
    using first_error::operator bool;

protected:
    using unique<Raw>::unique;

    // Creates the object.
    template <class Function, class... Arguments> void make(Function function, Arguments... arguments)
    {
        this->step(function, arguments..., &this->raw_);
    }

    // Calls a setter of C.
    template <class Function, class... Arguments> Self &call(Function function, Arguments... arguments)
    {
        this->step(function, this->raw_, arguments...);
        return static_cast<Self &>(*this);
    }
};

// ---- Callables that C calls back ----

// Moves a callable to the heap, to be passed to C as `user`.
template <class Function> Function *lend(Function function) { return new Function(std::move(function)); }

// Destroys it, when libfal no longer uses it.
template <class Function> void destroy(void *user) noexcept { delete static_cast<Function *>(user); }

template <class Function> Function &function_of(void *user) noexcept { return *static_cast<Function *>(user); }

} // namespace detail

// ==== Options ============================================================================================================

/// A request for a credential. The callback of options::set_credential_callback() owns it, and completes it once, at once or
/// later. One that is destroyed uncompleted is refused.
class credential_request {
public:
    using raw_type = fal_credential_request;

    /// Takes over a C object.
    explicit credential_request(fal_credential_request *raw) noexcept : raw_(raw) {}
    credential_request(credential_request &&other) noexcept : raw_(other.release()) {}
    credential_request &operator=(credential_request &&other) noexcept
    {
        if (this != &other) {
            abandon();
            raw_ = other.release();
        }
        return *this;
    }
    ~credential_request() { abandon(); }

    /// Completes the request with a key, "id:secret", that is valid for `time`.
    result<void> give_key(std::string_view key, time_limit time)
    {
        return detail::attempt(fal_credential_request_give_key, release(), detail::at(key), key.size(), time.ms());
    }
    /// Completes the request with a short-lived token that is valid for `time`.
    result<void> give_app_token(std::string_view token, time_limit time)
    {
        return detail::attempt(fal_credential_request_give_app_token, release(), detail::at(token), token.size(), time.ms());
    }
    /// Completes the request without a credential. The reason is in the errors of the waiting calls.
    result<void> refuse(std::string_view reason)
    {
        return detail::attempt(fal_credential_request_refuse, release(), detail::at(reason), reason.size());
    }
    /// Lends the C object; null if the request was completed.
    [[nodiscard]] fal_credential_request *capi() const noexcept FAL_BORROWS { return raw_; }
    /// Hands the C object over to the caller, who completes it.
    [[nodiscard]] fal_credential_request *release() noexcept { return std::exchange(raw_, nullptr); }

private:
    void abandon() noexcept
    {
        const std::string_view reason = "the host completed the request for a credential with none";
        if (raw_)
            (void)fal_credential_request_refuse(release(), reason.data(), reason.size(), nullptr);
    }

    fal_credential_request *raw_;
};

/// Options of a client, or of where keys are looked for and stored.
class options : public detail::built<options, fal_options> {
public:
    /// Options with every default.
    options() : options(fal_options_new()) {}
    /// Takes over a C object.
    explicit options(fal_options *raw) : built(raw)
    {
        if (!raw)
            fail(fal::error(FAL_E_IO));
    }

    /// Sets the key, "id:secret".
    FAL_SETTER(options, set_key, (std::string_view key), fal_options_set_key, detail::at(key), key.size())

    /// Selects the profile whose key is used.
    FAL_SETTER(options, set_profile, (std::string_view profile), fal_options_set_profile, detail::at(profile),
               profile.size())

    /// Sets the path of the configuration file.
    FAL_SETTER(options, set_config_path, (std::string_view path), fal_options_set_config_path, detail::at(path), path.size())

    /// Sets whether requests are sent without a key.
    FAL_SETTER(options, set_anonymous, (bool anonymous), fal_options_set_anonymous, anonymous)

    /// Sets whether the system keyring is read.
    FAL_SETTER(options, set_keyring, (bool keyring), fal_options_set_keyring, keyring)

    /// Sets a short-lived token to be used instead of a key.
    FAL_SETTER(options, set_app_token, (std::string_view token), fal_options_set_app_token, detail::at(token), token.size())

    /// Sets the function that supplies the credential: void(fal::credential_request). It is destroyed when the options, the
    /// clients made with them and their operations are gone, perhaps on a thread of libfal.
    template <class Function> options &set_credential_callback(Function function) &
    {
        if (!*this)
            return *this;
        const fal_credential_callback trampoline = [](fal_credential_request *request, void *user) noexcept {
            static_cast<void>(detail::function_of<Function>(user)(credential_request(request)));
        };
        return call(fal_options_set_credential_callback, trampoline, detail::destroy<Function>,
                    detail::lend(std::move(function)));
    }
    template <class Function> options &&set_credential_callback(Function function) &&
    {
        return std::move(set_credential_callback(std::move(function)));
    }

    /// Sets the URL of a server proxy, which adds the key.
    FAL_SETTER(options, set_server_proxy, (std::string_view url), fal_options_set_server_proxy, detail::at(url), url.size())

    /// Sets the HTTP or SOCKS proxy; an empty text means none.
    FAL_SETTER(options, set_http_proxy, (std::string_view url), fal_options_set_http_proxy, detail::at(url), url.size())

    /// Adds trusted root certificates in PEM.
    FAL_SETTER(options, add_root_certificates, (std::string_view pem), fal_options_add_root_certificates, detail::at(pem),
               pem.size())

    /// Replaces a host, a FAL_HOST_ constant, by "name" or "name:port".
    FAL_SETTER(options, set_host, (fal_host role, std::string_view host), fal_options_set_host, role, detail::at(host),
               host.size())

    /// Sets the timeout of each call.
    FAL_SETTER(options, set_timeout, (time_limit timeout), fal_options_set_timeout_ms, timeout.ms())

    /// Sets how many times a request is sent at most.
    FAL_SETTER(options, set_max_attempts, (std::uint32_t most), fal_options_set_max_attempts, most)

    /// Sets for how long the other side of a transfer may move no byte.
    FAL_SETTER(options, set_stall_timeout, (time_limit timeout), fal_options_set_stall_timeout_ms, timeout.ms())

    /// Sets whether operations that need an ADMIN key fail before they are sent if the key is known to be an API key.
    FAL_SETTER(options, set_strict_scopes, (bool strict), fal_options_set_strict_scopes, strict)

    /// Sets the maximum size of a response body.
    FAL_SETTER(options, set_max_response_bytes, (std::size_t most), fal_options_set_max_response_bytes, most)

    /// Adds the name of the host program to the User-Agent header.
    FAL_SETTER(options, set_user_agent, (std::string_view product), fal_options_set_user_agent, detail::at(product),
               product.size())

    /// Sets the function for log lines of this level and the levels below it: void(fal_log_level, std::string_view target,
    /// std::string_view message). It is destroyed like that of set_credential_callback(), once its lines are delivered.
    template <class Function> options &set_log(fal_log_level level, Function function) &
    {
        if (!*this)
            return *this;
        const fal_log_callback trampoline = [](fal_log_level line, const char *target, const char *message, std::size_t size,
                                               void *user) noexcept {
            static_cast<void>(
                detail::function_of<Function>(user)(line, std::string_view(target), std::string_view(message, size)));
        };
        return call(fal_options_set_log, level, trampoline, detail::destroy<Function>, detail::lend(std::move(function)));
    }
    template <class Function> options &&set_log(fal_log_level level, Function function) &&
    {
        return std::move(set_log(level, std::move(function)));
    }
};

// ==== Credentials and profiles ===========================================================================================

/// The state of every source of a key.
class credentials : public credentials_view {
public:
    using raw_type = fal_credentials;

    /// An empty report.
    credentials() noexcept : credentials_view(nullptr) {}
    /// Takes over a C object.
    explicit credentials(fal_credentials *raw) noexcept : credentials_view(raw), owned_(raw) {}
    credentials(credentials &&other) noexcept : credentials(other.release()) {}
    credentials &operator=(credentials &&other) noexcept
    {
        if (this != &other) {
            fal_credentials_free(release());
            raw_ = owned_ = other.release();
        }
        return *this;
    }
    ~credentials() { fal_credentials_free(owned_); }

    /// Looks for a key as a client with these options would, and reports the state of every source.
    static result<credentials> explain(const options &options) { return look(options, fal_credentials_explain); }
    /// The same with every default.
    static result<credentials> explain() { return detail::create<credentials>(fal_credentials_explain, nullptr); }
    /// Looks for a key, and fails if no usable one is found.
    static result<credentials> resolve(const options &options) { return look(options, fal_credentials_resolve); }
    /// The same with every default.
    static result<credentials> resolve() { return detail::create<credentials>(fal_credentials_resolve, nullptr); }

    /// Whether there is a report.
    [[nodiscard]] explicit operator bool() const noexcept { return raw_ != nullptr; }
    /// Hands the C object over to the caller, who frees it.
    [[nodiscard]] fal_credentials *release() noexcept
    {
        raw_ = nullptr;
        return std::exchange(owned_, nullptr);
    }

private:
    template <class Function> static result<credentials> look(const options &options, Function function)
    {
        if (!options)
            return options.error();
        return detail::create<credentials>(function, options.capi());
    }

    fal_credentials *owned_ = nullptr;
};

/// Whether a stored key becomes the one that programs use by default.
enum class activate : bool { no, yes };

/// Stores a key, "id:secret", in a profile of the configuration file that `options` name.
inline result<void> store_key(const options &options, std::string_view profile, std::string_view key, activate whether)
{
    if (!options)
        return options.error();
    return detail::attempt(fal_profiles_store_key, options.capi(), detail::at(profile), profile.size(), detail::at(key),
                           key.size(), whether == activate::yes);
}

/// Removes the key of a profile.
inline result<void> remove_key(const options &options, std::string_view profile)
{
    if (!options)
        return options.error();
    return detail::attempt(fal_profiles_remove_key, options.capi(), detail::at(profile), profile.size());
}

/// Stores a key, "id:secret", in the system keyring.
inline result<void> store_key_in_keyring(std::string_view account, std::string_view key)
{
    return detail::attempt(fal_keyring_store_key, detail::at(account), account.size(), detail::at(key), key.size());
}

/// Removes the account's key from the system keyring.
inline result<void> remove_key_from_keyring(std::string_view account)
{
    return detail::attempt(fal_keyring_remove_key, detail::at(account), account.size());
}

/// One profile of a list.
class profile {
public:
    profile(const fal_profiles *of, std::size_t index) noexcept : of_(of), index_(index) {}

    /// The name.
    [[nodiscard]] std::string_view name() const noexcept { return detail::text_or_empty(fal_profiles_name, of_, index_); }
    /// The public id of its key.
    [[nodiscard]] optional_text key_id() const noexcept { return detail::text(fal_profiles_key_id, of_, index_); }
    /// Why its key is unusable.
    [[nodiscard]] optional_text problem() const noexcept { return detail::text(fal_profiles_problem, of_, index_); }
    /// The host that it sets for the official CLI.
    [[nodiscard]] optional_text host() const noexcept { return detail::text(fal_profiles_host, of_, index_); }
    /// Whether the file makes it the active one.
    [[nodiscard]] bool is_active() const noexcept { return fal_profiles_is_active(of_, index_); }
    /// The line of its name in the file, counted from 1.
    [[nodiscard]] std::size_t line() const noexcept { return fal_profiles_line(of_, index_); }

private:
    const fal_profiles *of_;
    std::size_t index_;
};

/// The profiles of the configuration file, in its order.
class profiles : public detail::unique<fal_profiles> {
public:
    /// An empty list.
    profiles() noexcept = default;
    /// Takes over a C object.
    explicit profiles(fal_profiles *raw) noexcept : unique(raw) {}

    /// Lists the profiles of the configuration file that `options` name.
    static result<profiles> list(const options &options)
    {
        if (!options)
            return options.error();
        return detail::create<profiles>(fal_profiles_list, options.capi());
    }
    /// Makes a profile the active one.
    static result<void> set_active(const options &options, std::string_view profile)
    {
        return activate_by(options, detail::at(profile), profile.size());
    }
    /// Makes no profile the active one.
    static result<void> set_none_active(const options &options) { return activate_by(options, nullptr, 0); }

    /// The number of profiles.
    [[nodiscard]] std::size_t size() const noexcept { return fal_profiles_count(raw_); }
    /// The profile with an index.
    [[nodiscard]] profile operator[](std::size_t index) const noexcept FAL_BORROWS { return profile(raw_, index); }
    [[nodiscard]] auto begin() const noexcept FAL_BORROWS { return items().begin(); }
    [[nodiscard]] auto end() const noexcept FAL_BORROWS { return items().end(); }

private:
    static result<void> activate_by(const options &options, const char *profile, std::size_t size)
    {
        if (!options)
            return options.error();
        return detail::attempt(fal_profiles_set_active, options.capi(), profile, size);
    }

    detail::indexed<fal_profiles, profile> items() const noexcept { return {raw_, size()}; }
};

// ==== Uploads and downloads ==============================================================================================

/// What is uploaded, and how.
class upload : public detail::built<upload, fal_upload> {
public:
    /// Takes over a C object.
    explicit upload(fal_upload *raw) noexcept : built(raw) {}

    /// The file at a path.
    explicit upload(file content)
    {
        const std::string_view path = content.path();
        make(fal_upload_new_file, detail::at(path), path.size());
    }

    /// Bytes in memory, which are copied.
    static upload copying(bytes data)
    {
        upload made;
        made.make(fal_upload_new_bytes, detail::at(data), data.size(), nullptr, nullptr);
        return made;
    }

    /// The content of a container, such as std::vector<std::byte> or std::string, which is moved and not copied. It is
    /// destroyed when libfal no longer uses it.
    template <class Container> static upload owning(Container content)
    {
        auto *lent = detail::lend(std::move(content));
        const bytes data(*lent);
        upload made;
        made.make(fal_upload_new_bytes, detail::at(data), data.size(), detail::destroy<Container>, lent);
        return made;
    }

    /// The bytes that a function writes into the buffer it is given: std::int64_t(fal::buffer), the number of bytes, 0 at
    /// the end, or a negative number if reading failed. They are `size` bytes.
    template <class Function> static upload reading(Function function, std::uint64_t size)
    {
        const std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        return read_by(std::move(function), static_cast<std::int64_t>(size < most ? size : most));
    }
    /// The same without a size: all bytes up to the end.
    template <class Function> static upload reading(Function function) { return read_by(std::move(function), -1); }

    /// Sets the content type.
    FAL_SETTER(upload, set_content_type, (std::string_view content_type), fal_upload_set_content_type,
               detail::at(content_type), content_type.size())

    /// Sets the file name that is sent to fal.
    FAL_SETTER(upload, set_file_name, (std::string_view name), fal_upload_set_file_name, detail::at(name), name.size())

    /// Sets how long fal keeps the file, such as "1d" or "never".
    FAL_SETTER(upload, set_expires_in, (std::string_view time), fal_upload_set_expires_in, detail::at(time), time.size())

    /// Sets whether users for whom there is no rule may read the file: a FAL_ACCESS_ constant.
    FAL_SETTER(upload, set_access, (fal_access access), fal_upload_set_access, access)

    /// Adds a rule for one user.
    FAL_SETTER(upload, add_rule, (std::string_view name, fal_access access), fal_upload_add_rule, detail::at(name),
               name.size(), access)

    /// Sets how the bytes are sent to fal: a FAL_UPLOAD_ constant.
    FAL_SETTER(upload, set_way, (fal_upload_way way), fal_upload_set_way, way)

    /// Sets the timeout of the whole upload.
    FAL_SETTER(upload, set_timeout, (time_limit timeout), fal_upload_set_timeout_ms, timeout.ms())

private:
    upload() noexcept = default;

    template <class Function> static upload read_by(Function function, std::int64_t size)
    {
        const fal_read_callback read = [](void *data, std::size_t most, void *user) noexcept -> std::int64_t {
            return (*static_cast<Function *>(user))(buffer(static_cast<std::byte *>(data), most));
        };
        upload made;
        made.make(fal_upload_new_reader, size, read, detail::destroy<Function>, detail::lend(std::move(function)));
        return made;
    }
};

class request;

/// What is downloaded, and where to.
class download : public detail::built<download, fal_download> {
public:
    /// Takes over a C object.
    explicit download(fal_download *raw) noexcept : built(raw) {}

    /// A download of an https URL or a "data:" URI.
    explicit download(std::string_view url) { make(fal_download_new, detail::at(url), url.size()); }

    /// A download of the response to a request.
    explicit download(const request &request);

    /// Sets the file to write, or its folder.
    FAL_SETTER(download, set_path, (std::string_view path), fal_download_set_path, detail::at(path), path.size())

    /// Sets whether an existing file is replaced.
    FAL_SETTER(download, set_overwrite, (bool overwrite), fal_download_set_overwrite, overwrite)

    /// Sets the maximum size.
    FAL_SETTER(download, set_max_bytes, (std::uint64_t most), fal_download_set_max_bytes, most)

    /// Sets whether to read a restricted file of this account.
    FAL_SETTER(download, set_file_token, (bool file_token), fal_download_set_file_token, file_token)

    /// Sets the timeout of the whole download.
    FAL_SETTER(download, set_timeout, (time_limit timeout), fal_download_set_timeout_ms, timeout.ms())
};

// ==== Requests ===========================================================================================================

/// What is sent. It can be used again.
class request : public detail::built<request, fal_request> {
public:
    /// Takes over a C object.
    explicit request(fal_request *raw) noexcept : built(raw) {}

    /// A request to an endpoint, given by its id, such as "fal-ai/flux/schnell".
    explicit request(std::string_view endpoint) { make(fal_request_new, detail::at(endpoint), endpoint.size()); }

    /// A request of any HTTP method to one of fal's URLs, or to a path of the Platform API, for client::send().
    static request http(std::string_view method, std::string_view url)
    {
        request made;
        made.make(fal_request_new_http, detail::at(method), method.size(), detail::at(url), url.size());
        return made;
    }

    /// Sets a field of the input. `name` is a top-level member ("prompt") or a JSON Pointer ("/image_size/width").
    ///
    /// The value is a string, a number, a boolean, nullptr, fal::json, fal::bytes for a realtime app, or what is uploaded
    /// first: a fal::file or a fal::upload.
    template <class Value> request &set(std::string_view name, const Value &value) &
    {
        const char *const field = detail::at(name);
        const std::size_t size = name.size();
        if constexpr (std::is_same_v<Value, bool>) {
            return call(fal_request_set_bool, field, size, value);
        } else if constexpr (std::is_integral_v<Value>) {
            static_assert(!std::is_same_v<Value, char>, "a single character is no value: set a string or a number");
            static_assert(sizeof(Value) < 8 || std::is_signed_v<Value>,
                          "convert the number to std::int64_t, or set fal::json");
            return call(fal_request_set_int, field, size, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_floating_point_v<Value>) {
            return call(fal_request_set_double, field, size, static_cast<double>(value));
        } else if constexpr (std::is_null_pointer_v<Value>) {
            return call(fal_request_set_json, field, size, "null", std::size_t{4});
        } else if constexpr (std::is_same_v<Value, json>) {
            return call(fal_request_set_json, field, size, detail::at(value.text()), value.text().size());
        } else if constexpr (std::is_same_v<Value, file>) {
            return call(fal_request_set_file, field, size, detail::at(value.path()), value.path().size());
        } else if constexpr (std::is_same_v<Value, upload>) {
            return call(fal_request_set_upload, field, size, checked(value));
        } else if constexpr (std::is_convertible_v<const Value &, const char *>) {
            return call(fal_request_set_string, field, size, static_cast<const char *>(value), FAL_NUL);
        } else if constexpr (std::is_convertible_v<const Value &, std::string_view>) {
            const std::string_view text = value;
            return call(fal_request_set_string, field, size, detail::at(text), text.size());
        } else {
            const bytes data = value;
            return call(fal_request_set_bytes, field, size, detail::at(data), data.size());
        }
    }
    template <class Value> request &&set(std::string_view name, const Value &value) &&
    {
        return std::move(set(name, value));
    }

    /// Sets a field to a file whose content is bytes in memory, which are copied.
    FAL_SETTER(request, set_file, (std::string_view name, bytes content, std::string_view content_type),
               fal_request_set_file_bytes, detail::at(name), name.size(), detail::at(content), content.size(),
               detail::at(content_type), content_type.size())

    /// Sets the size up to which files of the input become data URIs instead of uploads.
    FAL_SETTER(request, set_inline_files, (std::uint64_t most), fal_request_set_inline_files, most)

    /// Replaces the whole input, or body, by a JSON value.
    FAL_SETTER(request, set_body, (json body), fal_request_set_body_json, detail::at(body.text()), body.text().size())
    /// Replaces the whole body by bytes, which are copied.
    FAL_SETTER(request, set_body, (bytes body, std::string_view content_type), fal_request_set_body, detail::at(body),
               body.size(), detail::at(content_type), content_type.size())
    /// Replaces the whole body by the content of an upload.
    FAL_SETTER(request, set_body, (const upload &body, std::string_view content_type), fal_request_set_body_upload,
               checked(body), detail::at(content_type), content_type.size())

    /// Sets the path of the app to call.
    FAL_SETTER(request, set_path, (std::string_view path), fal_request_set_path, detail::at(path), path.size())

    /// Sets the HTTP method.
    FAL_SETTER(request, set_method, (std::string_view method), fal_request_set_method, detail::at(method), method.size())

    /// Sets a header.
    FAL_SETTER(request, set_header, (std::string_view name, std::string_view value), fal_request_set_header,
               detail::at(name), name.size(), detail::at(value), value.size())

    /// Sets the timeout of the whole call.
    FAL_SETTER(request, set_timeout, (time_limit timeout), fal_request_set_timeout_ms, timeout.ms())

    /// Sets the priority in the queue: a FAL_PRIORITY_ constant.
    FAL_SETTER(request, set_priority, (fal_priority priority), fal_request_set_priority, priority)

    /// Sets within which time the request has to start running.
    FAL_SETTER(request, set_start_timeout, (time_limit timeout), fal_request_set_start_timeout_ms, timeout.ms())

    /// Makes the platform prefer the runner that served an earlier request with this hint.
    FAL_SETTER(request, set_runner_hint, (std::string_view hint), fal_request_set_runner_hint, detail::at(hint), hint.size())

    /// Sets the URL to which fal posts the result.
    FAL_SETTER(request, set_webhook, (std::string_view url), fal_request_set_webhook, detail::at(url), url.size())

    /// Makes the submission fail if more than this many requests wait at the endpoint.
    FAL_SETTER(request, set_max_queue_length, (std::uint32_t most), fal_request_set_max_queue_length, most)

    /// Sets the lifetime and access of the files that the request creates.
    FAL_SETTER(request, set_object_lifecycle, (json lifecycle), fal_request_set_object_lifecycle,
               detail::at(lifecycle.text()), lifecycle.text().size())

    /// Sets whether fal keeps the input and the output.
    FAL_SETTER(request, set_store_io, (bool store), fal_request_set_store_io, store)

    /// Sets whether the platform must not repeat failed attempts.
    FAL_SETTER(request, set_no_retry, (bool no_retry), fal_request_set_no_retry, no_retry)

    /// Sets how many times the platform repeats an attempt, by the cause of its failure; -1 is the platform's default.
    FAL_SETTER(request, set_retries, (std::int32_t server_error, std::int32_t timeout, std::int32_t connection_error),
               fal_request_set_retries, server_error, timeout, connection_error)

    /// Sets whether the platform must not forward the request to an equivalent endpoint.
    FAL_SETTER(request, set_no_fallback, (bool no_fallback), fal_request_set_no_fallback, no_fallback)

    /// Adds a tag, or replaces its value.
    FAL_SETTER(request, set_tag, (std::string_view name, std::string_view value), fal_request_set_tag, detail::at(name),
               name.size(), detail::at(value), value.size())

    /// Sets whether client::subscribe_start() requests the job's log.
    FAL_SETTER(request, set_logs, (bool logs), fal_request_set_logs, logs)

    /// Sets whether the job continues at fal when its operation is cancelled.
    FAL_SETTER(request, set_keep_running, (bool keep), fal_request_set_keep_running, keep)

private:
    request() noexcept = default;

    // The error of an upload is that of the request.
    fal_upload *checked(const upload &value) noexcept
    {
        fail(value.error());
        return value.capi();
    }
};

inline download::download(const request &request)
{
    fail(request.error());
    make(fal_download_new_request, request.capi());
}

// ==== Responses ==========================================================================================================

/// What the service returned, borrowed from the object that has it. Values are read by JSON Pointer, "/images/0/url".
class response_view {
public:
    explicit response_view(const fal_response *raw) noexcept : raw_(raw) {}

    /// Gets the value at a pointer as a std::string, a std::string_view, which is borrowed, a bool, an integer or a floating
    /// point number. FAL_E_WRONG_TYPE if it is missing, of another type, or does not fit.
    template <class T> result<T> get(std::string_view pointer) const
    {
        const char *const path = detail::at(pointer);
        const std::size_t size = pointer.size();
        if constexpr (std::is_same_v<T, bool>) {
            return detail::read<bool>(fal_response_get_bool, raw_, path, size);
        } else if constexpr (std::is_integral_v<T>) {
            return detail::read<std::int64_t>(fal_response_get_int, raw_, path, size).and_then(fitting<T>);
        } else if constexpr (std::is_floating_point_v<T>) {
            return detail::read<double>(fal_response_get_double, raw_, path, size).transform([](double value) {
                return static_cast<T>(value);
            });
        } else if constexpr (std::is_same_v<T, std::string>) {
            return get<std::string_view>(pointer).transform([](std::string_view text) { return std::string(text); });
        } else {
            static_assert(std::is_same_v<T, std::string_view>,
                          "a value is a std::string, a std::string_view, a bool or a number");
            return detail::read_text(fal_response_get_string, raw_, path, size);
        }
    }

    /// Gets any value at a pointer as JSON text, exactly as it was received.
    result<std::string_view> get_json(std::string_view pointer) const
    {
        return detail::read_text(fal_response_get_json, raw_, detail::at(pointer), pointer.size());
    }
    /// Gets the number of elements or members at a pointer.
    result<std::size_t> count(std::string_view pointer) const
    {
        return detail::read<std::size_t>(fal_response_get_count, raw_, detail::at(pointer), pointer.size());
    }
    /// Whether there is a value at a pointer.
    [[nodiscard]] bool has(std::string_view pointer) const noexcept
    {
        return fal_response_has(raw_, detail::at(pointer), pointer.size());
    }
    /// Gets the body as text.
    result<std::string_view> text() const { return detail::read_text(fal_response_get_text, raw_); }
    /// The body, which is not copied.
    [[nodiscard]] bytes body() const noexcept { return detail::body(fal_response_body, raw_); }
    /// The HTTP status, 200 to 299.
    [[nodiscard]] int http_status() const noexcept { return fal_response_http_status(raw_); }
    /// fal's id of the request.
    [[nodiscard]] optional_text request_id() const noexcept { return detail::text(fal_response_request_id, raw_); }
    /// The value of a header.
    [[nodiscard]] optional_text header(std::string_view name) const noexcept
    {
        return detail::text(fal_response_header, raw_, detail::at(name), name.size());
    }
    /// Lends the C object.
    [[nodiscard]] const fal_response *capi() const noexcept { return raw_; }

protected:
    const fal_response *raw_;

private:
    // The number as an integer of another type.
    template <class T> static result<T> fitting(std::int64_t value)
    {
        const T number = static_cast<T>(value);
        if (static_cast<std::int64_t>(number) != value || (number < T{}) != (value < 0))
            return fal::error(FAL_E_WRONG_TYPE);
        return number;
    }
};

/// What the service returned.
class response : public response_view {
public:
    using raw_type = fal_response;

    /// An empty response.
    response() noexcept : response_view(nullptr) {}
    /// Takes over a C object.
    explicit response(fal_response *raw) noexcept : response_view(raw), owned_(raw) {}
    response(response &&other) noexcept : response(other.release()) {}
    response &operator=(response &&other) noexcept
    {
        if (this != &other) {
            fal_response_free(release());
            raw_ = owned_ = other.release();
        }
        return *this;
    }
    ~response() { fal_response_free(owned_); }

    /// Whether there is a response.
    [[nodiscard]] explicit operator bool() const noexcept { return raw_ != nullptr; }
    /// Hands the C object over to the caller, who frees it.
    [[nodiscard]] fal_response *release() noexcept
    {
        raw_ = nullptr;
        return std::exchange(owned_, nullptr);
    }

private:
    fal_response *owned_ = nullptr;
};

// ==== Events =============================================================================================================

/// Something that happened while an operation was running.
class event : public detail::unique<fal_event> {
public:
    /// No event.
    event() noexcept = default;
    /// Takes over a C object.
    explicit event(fal_event *raw) noexcept : unique(raw) {}

    /// The kind: a FAL_EVENT_ constant. Ignore unknown kinds.
    [[nodiscard]] auto kind() const noexcept { return fal_event_kind(raw_); }
    /// The content, to be read by JSON Pointer.
    [[nodiscard]] response_view content() const noexcept FAL_BORROWS { return response_view(fal_event_content(raw_)); }
    /// Gets a value of the content.
    template <class T> result<T> get(std::string_view pointer) const FAL_BORROWS { return content().get<T>(pointer); }
    /// The number of requests ahead of a job that is queued.
    [[nodiscard]] std::optional<std::int64_t> queue_position() const noexcept
    {
        return detail::known(fal_event_queue_position(raw_));
    }
    /// How many bytes of a file were sent or received.
    [[nodiscard]] std::optional<std::int64_t> transferred() const noexcept
    {
        return detail::known(fal_event_transferred(raw_));
    }
    /// The size of that file.
    [[nodiscard]] std::optional<std::int64_t> total() const noexcept { return detail::known(fal_event_total(raw_)); }
    /// A line of the job's log.
    [[nodiscard]] optional_text log_text() const noexcept FAL_BORROWS { return detail::text(fal_event_log_text, raw_); }
    /// The kind of an item of a workflow: a FAL_WORKFLOW_ constant.
    [[nodiscard]] auto workflow() const noexcept { return fal_event_workflow(raw_); }
    /// Whether the content is bytes rather than text or JSON.
    [[nodiscard]] bool is_bytes() const noexcept { return fal_event_is_bytes(raw_); }
    /// Gets the bytes at a pointer.
    result<fal::bytes> bytes(std::string_view pointer) const FAL_BORROWS
    {
        return detail::read_bytes(fal_event_get_bytes, raw_, detail::at(pointer), pointer.size());
    }
};

/// What op::next_event() found: an event, or none.
struct [[nodiscard]] next_event {
    /// The event; empty if there is none.
    fal::event event;
    /// Whether the operation has ended and all events were read.
    bool ended = false;
    /// Why reading failed.
    fal::error error;

    /// Whether there is an event.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(event); }
};

// ==== Operations =========================================================================================================

class events;

/// A running call. Copies refer to the same one. Destroying it neither cancels the call nor waits for it.
class op : public detail::shared<fal_op> {
public:
    /// No operation.
    op() noexcept = default;
    /// Takes over a reference.
    explicit op(fal_op *raw) noexcept : shared(raw) {}
    /// Adds a reference to an operation that another object lends.
    static op borrowed(const fal_op *raw) noexcept { return op(fal_op_retain(raw)); }

    /// Whether the operation has ended. It takes no lock and allocates nothing.
    [[nodiscard]] bool is_done() const noexcept { return fal_op_is_done(raw_); }
    /// FAL_PENDING, FAL_OK once it has ended, or FAL_E_FORKED.
    [[nodiscard]] fal_status poll() const noexcept { return fal_op_poll(raw_); }
    /// Waits until the operation has ended. Returns whether it has.
    result<bool> wait(time_limit limit) const { return detail::wait(fal_op_wait, raw_, limit.ms()); }
    /// fal's id of the request, as soon as it is known.
    [[nodiscard]] optional_text request_id() const noexcept FAL_BORROWS { return detail::text(fal_op_request_id, raw_); }
    /// Requests that the operation ends with FAL_E_CANCELLED, and returns at once.
    void cancel() const noexcept { fal_op_cancel(raw_); }
    /// Takes the outcome, once; nothing while the operation is running.
    [[nodiscard]] std::optional<result<response>> take() const
    {
        fal_response *out = nullptr;
        fal_error *raw = nullptr;
        const fal_status status = fal_op_take(raw_, &out, &raw);
        if (status == FAL_PENDING)
            return std::nullopt;
        if (status == FAL_OK)
            return response(out);
        return error(status, raw);
    }
    /// Waits until the operation has ended, and takes the outcome.
    result<response> get() const
    {
        if (auto waited = wait(no_limit); !waited)
            return std::move(waited).error();
        auto outcome = take();
        return outcome ? *std::move(outcome) : result<response>(error(FAL_E_NOT_READY));
    }

    /// Reads the next event, and waits for it.
    fal::next_event next_event(time_limit limit) const
    {
        fal_event *out = nullptr;
        fal_error *raw = nullptr;
        const fal_status status = fal_op_next_event(raw_, limit.ms(), &out, &raw);
        return {event(out), status == FAL_OK && !out, status < 0 ? error(status, raw) : error()};
    }
    /// All events until the operation ends, for a range-based for that waits for each.
    [[nodiscard]] fal::events events() const;
    /// The events that have not been read, for a range-based for that does not wait.
    [[nodiscard]] fal::events ready_events() const;
    /// Discards all unread events and all future ones.
    void discard_events() const noexcept { fal_op_discard_events(raw_); }
    /// How many events were dropped because they were not read in time.
    [[nodiscard]] std::uint64_t dropped_events() const noexcept { return fal_op_dropped_events(raw_); }

    /// Makes the dispatcher call a function once when the operation has ended: void(fal::op). It is destroyed after the
    /// call, or with the last copy of the dispatcher, perhaps on a thread of libfal.
    template <class Function> result<void> when_done(const dispatcher &dispatcher, Function function) const;
    /// Makes dispatcher::next() return the events and the end of the operation, with `user`, which stays valid until then.
    result<void> watch(const dispatcher &dispatcher, void *user) const;
    /// The same without a pointer.
    result<void> watch(const dispatcher &dispatcher) const;
    /// Makes the dispatcher call a function when there are unread events, once for all of them: void(fal::op). It replaces
    /// the one before, and is destroyed when no call follows, perhaps on a thread of libfal. If it owns the session of the
    /// operation, nothing but close() or the app ends that session.
    template <class Function> result<void> when_event(const dispatcher &dispatcher, Function function) const;
    /// Takes that function back: no call starts after this returns. One that another thread has begun goes on.
    result<void> no_event(const dispatcher &dispatcher) const;
};

/// The events of an operation, for one range-based for.
class events {
public:
    /// Marks the end.
    struct sentinel {};

    /// Reads one event after the other.
    class iterator {
    public:
        explicit iterator(events *from) : from_(from) { ++*this; }
        [[nodiscard]] event &operator*() const noexcept { return from_->current_; }
        [[nodiscard]] event *operator->() const noexcept { return &from_->current_; }
        iterator &operator++()
        {
            from_->read();
            return *this;
        }
        bool operator!=(sentinel) const noexcept { return static_cast<bool>(from_->current_); }

    private:
        events *from_;
    };

    events(fal::op op, time_limit limit) noexcept : op_(std::move(op)), limit_(limit) {}

    [[nodiscard]] iterator begin() { return iterator(this); }
    [[nodiscard]] sentinel end() const noexcept { return {}; }
    /// Why reading failed, such as FAL_E_WOULD_DEADLOCK; empty if all events were read. The outcome of the operation is that
    /// of op::get().
    [[nodiscard]] const fal::error &error() const noexcept FAL_BORROWS { return error_; }

private:
    void read()
    {
        auto next = op_.next_event(limit_);
        current_ = std::move(next.event);
        error_ = std::move(next.error);
    }

    fal::op op_;
    time_limit limit_;
    event current_;
    fal::error error_;
};

inline events op::events() const { return fal::events(*this, no_limit); }

inline events op::ready_events() const { return fal::events(*this, std::chrono::milliseconds(0)); }

/// Waits until one of several operations has ended, and returns its index; nothing if none has in time.
inline result<std::optional<std::size_t>> wait_any(const std::vector<op> &ops, time_limit limit)
{
    std::vector<const fal_op *> raw_ops;
    raw_ops.reserve(ops.size());
    for (const op &one : ops)
        raw_ops.push_back(one.capi());
    std::size_t index = 0;
    return detail::wait(fal_op_wait_any, raw_ops.data(), raw_ops.size(), limit.ms(), &index).transform([&](bool has_ended) {
        return has_ended ? std::optional(index) : std::nullopt;
    });
}

// ==== Dispatcher =========================================================================================================

/// What dispatcher::next() found: an event of a watched operation, its end, or nothing.
struct [[nodiscard]] notice {
    /// The operation; empty if nothing was found.
    fal::op op;
    /// The event; empty if the operation has ended.
    fal::event event;
    /// The pointer that was passed to op::watch().
    void *user = nullptr;
    /// Why reading failed.
    fal::error error;

    /// Whether something was found.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(op); }
    /// Whether the operation has ended, all of its events having been read. Its outcome is that of op::get().
    [[nodiscard]] bool ended() const noexcept { return op && !event; }
};

/// A queue of callbacks, which run() calls on its thread, and of events, which next() reads. Copies refer to the same one.
class dispatcher : public detail::shared<fal_dispatcher> {
public:
    /// An empty dispatcher.
    dispatcher() : dispatcher(fal_dispatcher_new()) {}
    /// Takes over a reference.
    explicit dispatcher(fal_dispatcher *raw) noexcept : shared(raw) {}

    /// Calls every callback that is ready. Returns their number.
    result<std::size_t> run() const { return run_for(SIZE_MAX, -1); }
    /// Calls at most `most` callbacks that are ready, and no further one after `budget`.
    result<std::size_t> run(std::size_t most, std::chrono::microseconds budget) const
    {
        return run_for(most, budget.count() < 0 ? 0 : static_cast<std::int64_t>(budget.count()));
    }
    /// Reads the next event, or the end, of any operation that is watched: see op::watch(). A frame loop reads all of them
    /// by while (auto notice = dispatcher.next(0ms)).
    notice next(time_limit limit) const
    {
        fal_op *op_out = nullptr;
        fal_event *event_out = nullptr;
        void *user = nullptr;
        fal_error *raw = nullptr;
        const fal_status status = fal_dispatcher_next(raw_, limit.ms(), &op_out, &event_out, &user, &raw);
        return {op(op_out), event(event_out), user, status < 0 ? error(status, raw) : error()};
    }
    /// Waits until a callback or an event is ready. Returns whether one is.
    result<bool> wait(time_limit limit) const { return detail::wait(fal_dispatcher_wait, raw_, limit.ms()); }
    /// How many callbacks are registered and not called yet, and how many operations are watched.
    [[nodiscard]] std::size_t outstanding() const noexcept { return fal_dispatcher_outstanding(raw_); }
    /// Sets the function that is called when callbacks become ready: void(). It is destroyed when it was removed or replaced
    /// or the dispatcher is gone, and no call is running, perhaps on a thread of libfal.
    template <class Function> result<void> set_wake(Function function) const
    {
        const fal_wake_callback trampoline = [](void *user) noexcept { static_cast<void>(detail::function_of<Function>(user)()); };
        return detail::attempt(fal_dispatcher_set_wake, raw_, trampoline, detail::destroy<Function>,
                               detail::lend(std::move(function)));
    }
    /// Removes that function.
    result<void> remove_wake() const { return detail::attempt(fal_dispatcher_set_wake, raw_, nullptr, nullptr, nullptr); }

private:
    result<std::size_t> run_for(std::size_t most, std::int64_t budget_us) const
    {
        return detail::read<std::size_t>(fal_dispatcher_run, raw_, most, budget_us);
    }
};

template <class Function> result<void> op::when_done(const dispatcher &dispatcher, Function function) const
{
    const fal_op_callback trampoline = [](fal_op *ended, void *user) noexcept {
        static_cast<void>(detail::function_of<Function>(user)(borrowed(ended)));
    };
    return detail::attempt(fal_op_when_done, raw_, dispatcher.capi(), trampoline, detail::destroy<Function>,
                           detail::lend(std::move(function)));
}

template <class Function> result<void> op::when_event(const dispatcher &dispatcher, Function function) const
{
    const fal_op_callback trampoline = [](fal_op *busy, void *user) noexcept {
        static_cast<void>(detail::function_of<Function>(user)(borrowed(busy)));
    };
    return detail::attempt(fal_op_when_event, raw_, dispatcher.capi(), trampoline, detail::destroy<Function>,
                           detail::lend(std::move(function)));
}

inline result<void> op::no_event(const dispatcher &dispatcher) const
{
    return detail::attempt(fal_op_when_event, raw_, dispatcher.capi(), nullptr, nullptr, nullptr);
}

inline result<void> op::watch(const dispatcher &dispatcher, void *user) const
{
    return detail::attempt(fal_op_watch, raw_, dispatcher.capi(), user);
}

inline result<void> op::watch(const dispatcher &dispatcher) const { return watch(dispatcher, nullptr); }

// ==== Queue ==============================================================================================================

/// The identity of a submitted request.
class job : public detail::built<job, fal_job> {
public:
    /// Takes over a C object.
    explicit job(fal_job *raw) noexcept : built(raw) {}

    /// The job for a request id of an endpoint, no matter which program submitted it.
    job(std::string_view endpoint, std::string_view request_id)
    {
        make(fal_job_new, detail::at(endpoint), endpoint.size(), detail::at(request_id), request_id.size());
    }
    /// The job for a request that was submitted to an endpoint, from the response of client::submit().
    job(std::string_view endpoint, const response_view &submitted)
    {
        make(fal_job_of_response, detail::at(endpoint), endpoint.size(), submitted.capi());
    }

    /// fal's id of the request.
    [[nodiscard]] std::string_view request_id() const noexcept FAL_BORROWS
    {
        return detail::text_or_empty(fal_job_request_id, raw_);
    }
    /// Sets whether the job's log is requested.
    FAL_SETTER(job, set_logs, (bool logs), fal_job_set_logs, logs)

    /// Sets whether the job continues at fal when client::attach_start() is cancelled.
    FAL_SETTER(job, set_keep_running, (bool keep), fal_job_set_keep_running, keep)

    /// Sets the timeout of each operation on the job.
    FAL_SETTER(job, set_timeout, (time_limit timeout), fal_job_set_timeout_ms, timeout.ms())
};

// ==== Realtime sessions, WebSockets and channels =========================================================================

/// Options of a realtime session or a WebSocket.
class socket_options : public detail::built<socket_options, fal_socket_options> {
public:
    /// Options with every default.
    socket_options() : socket_options(fal_socket_options_new()) {}
    /// Takes over a C object.
    explicit socket_options(fal_socket_options *raw) : built(raw)
    {
        if (!raw)
            fail(fal::error(FAL_E_IO));
    }

    /// Sets how many inputs the service keeps while the app is busy.
    FAL_SETTER(socket_options, set_max_buffering, (std::uint32_t most), fal_socket_options_set_max_buffering, most)

    /// Sets whether a connection is authorized by the Authorization header.
    FAL_SETTER(socket_options, set_use_header, (bool use_header), fal_socket_options_set_use_header, use_header)

    /// Sets the lifetime of the short-lived tokens.
    FAL_SETTER(socket_options, set_token_lifetime, (std::chrono::seconds lifetime), fal_socket_options_set_token_seconds,
               detail::count_of(lifetime))

    /// Sets how many inputs may wait to be sent, and what happens to further ones: a FAL_WHEN_FULL_ constant.
    FAL_SETTER(socket_options, set_queue, (std::size_t most, fal_when_full when_full), fal_socket_options_set_queue, most,
               when_full)

    /// Sets the maximum size of a message in both directions.
    FAL_SETTER(socket_options, set_max_message_bytes, (std::size_t most), fal_socket_options_set_max_message_bytes, most)

    /// Sets the interval of pings; zero sends none.
    FAL_SETTER(socket_options, set_ping, (std::chrono::milliseconds interval), fal_socket_options_set_ping_ms,
               detail::count_of(interval))
};

/// A session with a realtime app. Copies refer to the same one; the last of them closes it.
class realtime : public detail::shared<fal_realtime> {
public:
    /// No session.
    realtime() noexcept = default;
    /// Takes over a reference.
    explicit realtime(fal_realtime *raw) noexcept : shared(raw) {}

    /// Queues the input of a request to be sent.
    result<void> send(const request &input) const
    {
        if (!input)
            return input.error();
        return detail::attempt(fal_realtime_send, raw_, input.capi());
    }
    /// Queues an input to be sent.
    result<void> send(json input) const
    {
        return detail::attempt(fal_realtime_send_json, raw_, detail::at(input.text()), input.text().size());
    }
    /// The session's operation, which has its events.
    [[nodiscard]] fal::op op() const noexcept { return fal::op::borrowed(fal_realtime_op(raw_)); }
    /// How many inputs were accepted but not sent.
    [[nodiscard]] std::uint64_t unsent() const noexcept { return fal_realtime_unsent(raw_); }
    /// Closes the session after sending the queued inputs, and returns at once.
    void close() const noexcept { fal_realtime_close(raw_); }
};

/// A connection to an app's own WebSocket. Copies refer to the same one; the last of them closes it.
class websocket : public detail::shared<fal_websocket> {
public:
    /// No connection.
    websocket() noexcept = default;
    /// Takes over a reference.
    explicit websocket(fal_websocket *raw) noexcept : shared(raw) {}

    /// Queues a text message to be sent.
    result<void> send_text(std::string_view text) const
    {
        return detail::attempt(fal_websocket_send_text, raw_, detail::at(text), text.size());
    }
    /// Queues a binary message to be sent.
    result<void> send_bytes(bytes data) const
    {
        return detail::attempt(fal_websocket_send_bytes, raw_, detail::at(data), data.size());
    }
    /// The connection's operation, which has its events.
    [[nodiscard]] fal::op op() const noexcept { return fal::op::borrowed(fal_websocket_op(raw_)); }
    /// How many messages were accepted but not sent.
    [[nodiscard]] std::uint64_t unsent() const noexcept { return fal_websocket_unsent(raw_); }
    /// Closes the connection after sending the queued messages, and returns at once.
    void close() const noexcept { fal_websocket_close(raw_); }
};

/// Sends requests to one endpoint over one connection. Copies refer to the same one.
class channel : public detail::shared<fal_channel> {
public:
    /// No channel.
    channel() noexcept = default;
    /// Takes over a reference.
    explicit channel(fal_channel *raw) noexcept : shared(raw) {}

    /// Sets the interval of pings; zero sends none.
    result<void> set_ping(std::chrono::milliseconds interval) const
    {
        return detail::attempt(fal_channel_set_ping_ms, raw_, detail::count_of(interval));
    }
    /// Starts a run over the channel.
    result<op> run_start(const request &input) const { return call<op>(input, fal_channel_run_start); }
    /// Runs a request over the channel, and waits for the response.
    result<response> run(const request &input) const { return call<response>(input, fal_channel_run); }

private:
    friend class client;

    template <class T, class Function> result<T> call(const request &input, Function function) const
    {
        if (!input)
            return input.error();
        return detail::create<T>(function, raw_, input.capi());
    }
};

// ==== Keys ===============================================================================================================

/// An API key that is being created, or was. Freeing it overwrites the secret.
class new_key : public detail::unique<fal_new_key> {
public:
    /// No key.
    new_key() noexcept = default;
    /// Takes over a C object.
    explicit new_key(fal_new_key *raw) noexcept : unique(raw) {}

    /// The operation that creates the key.
    [[nodiscard]] fal::op op() const noexcept { return fal::op::borrowed(fal_new_key_op(raw_)); }
    /// The public id; nothing until the key exists.
    [[nodiscard]] optional_text id() const noexcept FAL_BORROWS { return detail::text(fal_new_key_id, raw_); }
    /// The whole key, "id:secret"; nothing until the key exists. Do not log it.
    [[nodiscard]] optional_text secret() const noexcept FAL_BORROWS { return detail::text(fal_new_key_secret, raw_); }
    /// Stores the key in a profile of the configuration file that `options` name.
    result<void> store_in_profile(const options &options, std::string_view profile, activate whether) const
    {
        if (!options)
            return options.error();
        return detail::attempt(fal_new_key_store_in_profile, raw_, options.capi(), detail::at(profile), profile.size(),
                               whether == activate::yes);
    }
    /// Stores the key in the system keyring.
    result<void> store_in_keyring(std::string_view account) const
    {
        return detail::attempt(fal_new_key_store_in_keyring, raw_, detail::at(account), account.size());
    }
};

// ==== Webhooks ===========================================================================================================

/// A webhook as it arrived, not verified.
class webhook : public detail::built<webhook, fal_webhook> {
public:
    /// Takes over a C object.
    explicit webhook(fal_webhook *raw) noexcept : built(raw) {}

    /// A webhook with this body, the raw bytes as they arrived, which are copied.
    explicit webhook(bytes body) { make(fal_webhook_new, detail::at(body), body.size()); }

    /// Adds a header of the webhook.
    FAL_SETTER(webhook, set_header, (std::string_view name, std::string_view value), fal_webhook_set_header,
               detail::at(name), name.size(), detail::at(value), value.size())

    /// Verifies it with a key set, at the time of the system's clock. Uses no network.
    result<response> verify(json jwks) const { return verify_at(jwks, -1); }
    /// The same at another time.
    result<response> verify(json jwks, std::chrono::system_clock::time_point now) const
    {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
        // A negative time would be that of the system's clock.
        return verify_at(jwks, seconds < 0 ? 0 : static_cast<std::int64_t>(seconds));
    }
    /// How the job of a verified webhook ended: success, or the error with which it failed.
    static result<void> outcome(const response_view &verified)
    {
        return detail::attempt(fal_webhook_outcome, verified.capi());
    }

private:
    result<response> verify_at(json jwks, std::int64_t now) const
    {
        if (!*this)
            return error();
        return detail::create<response>(fal_webhook_verify, raw_, detail::at(jwks.text()), jwks.text().size(), now);
    }
};

// ==== Client =============================================================================================================

/// A credential, hosts, limits and connections. Copies refer to the same one. Any number of threads may use a client at
/// once.
///
/// Each function that waits for a response has a twin that ends in _start and returns the operation.
class client : public detail::shared<fal_client>, public detail::first_error {
public:
    /// A client with the key of the environment, and every default.
    client() { step(fal_client_new, nullptr, &raw_); }
    /// A client with these options.
    explicit client(const options &options)
    {
        fail(options.error());
        step(fal_client_new, options.capi(), &raw_);
    }
    /// Takes over a reference.
    explicit client(fal_client *raw) noexcept : shared(raw) {}

    /// Whether the client was created.
    using first_error::operator bool;

    /// Looks for the key again and reports every source.
    result<credentials> explain() const { return create<credentials>(fal_client_explain, raw_); }
    /// Replaces the client's credential by the one that options describe.
    result<void> set_credentials(const options &options) const
    {
        if (!options)
            return options.error();
        return attempt(fal_client_set_credentials, raw_, options.capi());
    }
    /// Replaces the client's credential by the one that the environment has.
    result<void> set_credentials_of_environment() const { return attempt(fal_client_set_credentials, raw_, nullptr); }
    /// Checks the credential.
    result<response> check() const { return create<response>(fal_client_check, raw_); }
    result<op> check_start() const { return create<op>(fal_client_check_start, raw_); }
    /// Creates a short-lived token that permits calls of the apps in a list of endpoint ids, separated by commas.
    result<response> mint_token(std::string_view endpoints, std::chrono::seconds lifetime) const
    {
        return create<response>(fal_client_mint_token, raw_, detail::at(endpoints), endpoints.size(),
                                detail::count_of(lifetime));
    }
    result<op> mint_token_start(std::string_view endpoints, std::chrono::seconds lifetime) const
    {
        return create<op>(fal_client_mint_token_start, raw_, detail::at(endpoints), endpoints.size(),
                          detail::count_of(lifetime));
    }

    /// Runs a request directly on a runner, without the queue.
    result<response> run(const request &input) const { return with<response>(input, fal_client_run); }
    result<op> run_start(const request &input) const { return with<op>(input, fal_client_run_start); }
    /// Sends a request that was created by request::http().
    result<response> send(const request &input) const { return with<response>(input, fal_client_send); }
    result<op> send_start(const request &input) const { return with<op>(input, fal_client_send_start); }
    /// Runs a request and discards the items of its stream. The operation of the twin has them as events.
    result<response> stream(const request &input) const { return with<response>(input, fal_client_stream); }
    result<op> stream_start(const request &input) const { return with<op>(input, fal_client_stream_start); }

    /// Submits a job, waits for it and fetches the result.
    result<response> subscribe(const request &input) const { return with<response>(input, fal_client_subscribe); }
    result<op> subscribe_start(const request &input) const { return with<op>(input, fal_client_subscribe_start); }
    /// Submits a job. The response has its id: see fal::job.
    result<response> submit(const request &input) const { return with<response>(input, fal_client_submit); }
    result<op> submit_start(const request &input) const { return with<op>(input, fal_client_submit_start); }
    /// Waits for the result of a job that was submitted before.
    result<response> attach(const job &job) const { return with<response>(job, fal_client_attach); }
    result<op> attach_start(const job &job) const { return with<op>(job, fal_client_attach_start); }
    /// Requests a job's status.
    result<response> status(const job &job) const { return with<response>(job, fal_client_status); }
    result<op> status_start(const job &job) const { return with<op>(job, fal_client_status_start); }
    /// Requests a job's result; FAL_E_NOT_READY if it has not finished.
    result<response> result_of(const job &job) const { return with<response>(job, fal_client_result); }
    result<op> result_of_start(const job &job) const { return with<op>(job, fal_client_result_start); }
    /// Cancels a job.
    result<response> cancel(const job &job) const { return with<response>(job, fal_client_cancel); }
    result<op> cancel_start(const job &job) const { return with<op>(job, fal_client_cancel_start); }

    /// Uploads a file. The response has its /url.
    result<response> upload(const fal::upload &file) const { return with<response>(file, fal_client_upload); }
    result<op> upload_start(const fal::upload &file) const { return with<op>(file, fal_client_upload_start); }
    /// Downloads a file.
    result<response> download(const fal::download &file) const { return with<response>(file, fal_client_download); }
    result<op> download_start(const fal::download &file) const { return with<op>(file, fal_client_download_start); }

    /// Starts a session with a realtime app.
    result<realtime> connect(const request &app, const socket_options &options) const
    {
        return session<realtime>(app, options, fal_client_realtime_start);
    }
    /// The same with every default.
    result<realtime> connect(const request &app) const { return with<realtime>(app, fal_client_realtime_start, nullptr); }
    /// Opens an app's own WebSocket.
    result<websocket> open(const request &app, const socket_options &options) const
    {
        return session<websocket>(app, options, fal_client_websocket_start);
    }
    /// The same with every default.
    result<websocket> open(const request &app) const { return with<websocket>(app, fal_client_websocket_start, nullptr); }
    /// Creates a channel to the endpoint of a request. It sends nothing yet.
    result<channel> channel_to(const request &app) const { return with<channel>(app, fal_channel_new); }

    /// Calls an operation of the Platform API by its name.
    result<response> platform(std::string_view name) const { return platform_of<response>(name, fal_client_platform); }
    result<response> platform(std::string_view name, json params) const
    {
        return platform_of<response>(name, params, fal_client_platform);
    }
    result<op> platform_start(std::string_view name) const { return platform_of<op>(name, fal_client_platform_start); }
    result<op> platform_start(std::string_view name, json params) const
    {
        return platform_of<op>(name, params, fal_client_platform_start);
    }
    /// Starts reading all pages of a list. Each element is an event.
    result<op> platform_list_start(std::string_view name) const
    {
        return platform_of<op>(name, fal_client_platform_list_start);
    }
    result<op> platform_list_start(std::string_view name, json params) const
    {
        return platform_of<op>(name, params, fal_client_platform_list_start);
    }

    /// The scope of the key in use, if it is known.
    [[nodiscard]] optional_text known_scope() const noexcept { return detail::text(fal_client_known_scope, raw_); }
    /// Creates an API key.
    result<new_key> create_key(std::string_view alias) const
    {
        return create<new_key>(fal_client_create_key, raw_, detail::at(alias), alias.size());
    }
    result<new_key> create_key_start(std::string_view alias) const
    {
        return create<new_key>(fal_client_create_key_start, raw_, detail::at(alias), alias.size());
    }
    /// Revokes an API key, but not the client's own.
    result<response> revoke_key(std::string_view id) const { return revoke<response>(id, false, fal_client_revoke_key); }
    result<op> revoke_key_start(std::string_view id) const { return revoke<op>(id, false, fal_client_revoke_key_start); }
    /// Revokes an API key, which may be the client's own.
    result<response> revoke_any_key(std::string_view id) const { return revoke<response>(id, true, fal_client_revoke_key); }
    result<op> revoke_any_key_start(std::string_view id) const { return revoke<op>(id, true, fal_client_revoke_key_start); }

    /// Verifies a webhook with fal's keys.
    result<response> verify(const webhook &webhook) const { return with<response>(webhook, fal_client_verify_webhook); }
    result<op> verify_start(const webhook &webhook) const { return with<op>(webhook, fal_client_verify_webhook_start); }

private:
    template <class... Arguments> result<void> attempt(Arguments... arguments) const
    {
        return *this ? detail::attempt(arguments...) : result<void>(error());
    }

    template <class T, class... Arguments> result<T> create(Arguments... arguments) const
    {
        return *this ? detail::create<T>(arguments...) : result<T>(error());
    }

    template <class T, class Input, class Function, class... More>
    result<T> with(const Input &input, Function function, More... more) const
    {
        if (!input)
            return input.error();
        return create<T>(function, raw_, input.capi(), more...);
    }

    template <class T, class Function>
    result<T> session(const request &app, const socket_options &options, Function function) const
    {
        if (!options)
            return options.error();
        return with<T>(app, function, options.capi());
    }

    template <class T, class Function> result<T> platform_of(std::string_view name, Function function) const
    {
        return create<T>(function, raw_, detail::at(name), name.size(), nullptr, std::size_t{0});
    }

    template <class T, class Function> result<T> platform_of(std::string_view name, json params, Function function) const
    {
        return create<T>(function, raw_, detail::at(name), name.size(), detail::at(params.text()), params.text().size());
    }

    template <class T, class Function> result<T> revoke(std::string_view id, bool allow_own, Function function) const
    {
        return create<T>(function, raw_, detail::at(id), id.size(), allow_own);
    }
};

// ==== Runtime ============================================================================================================

/// The runtime is the library's threads. The first call starts it; there is one per process.
namespace runtime {

/// Sets the number of worker threads. Call it before the first call or after shutdown().
inline result<void> set_worker_threads(std::size_t count) { return detail::attempt(fal_runtime_set_worker_threads, count); }

/// Sets functions that are called on each thread of the runtime, void(), when it starts and before it ends. They are
/// destroyed when they are replaced or removed.
template <class Start, class Stop> result<void> set_thread_hooks(Start on_start, Stop on_stop)
{
    using pair = std::pair<Start, Stop>;
    const fal_thread_callback start = [](void *user) noexcept { static_cast<void>(detail::function_of<pair>(user).first()); };
    const fal_thread_callback stop = [](void *user) noexcept { static_cast<void>(detail::function_of<pair>(user).second()); };
    return detail::attempt(fal_runtime_set_thread_hooks, start, stop, detail::destroy<pair>,
                           detail::lend(pair(std::move(on_start), std::move(on_stop))));
}

/// Removes these functions.
inline result<void> remove_thread_hooks()
{
    return detail::attempt(fal_runtime_set_thread_hooks, nullptr, nullptr, nullptr, nullptr);
}

/// Waits until all log lines have been delivered.
inline result<void> flush_log(time_limit limit) { return detail::attempt(fal_log_flush, limit.ms()); }

} // namespace runtime

/// Stops the runtime: ends every operation with FAL_E_SHUT_DOWN and joins every thread. Use a limit: without one, a callback
/// that never returns makes it wait forever.
inline result<void> shutdown(time_limit limit) { return detail::attempt(fal_shutdown, limit.ms()); }

#if defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)
// ==== Coroutines =========================================================================================================

/// Suspends a coroutine until an operation has ended; see done().
class awaiting {
public:
    awaiting(result<op> started, dispatcher on)
        : op_(std::move(*started)), error_(std::move(started).error()), on_(std::move(on))
    {}

    [[nodiscard]] bool await_ready() const noexcept { return static_cast<bool>(error_); }

    bool await_suspend(std::coroutine_handle<> coroutine)
    {
        suspended_ = std::make_shared<std::coroutine_handle<>>(coroutine);
        auto resume = [suspended = std::weak_ptr<std::coroutine_handle<>>(suspended_)](const op &) {
            if (const auto still = suspended.lock())
                still->resume();
        };
        // From the registration on, the coroutine may run on another thread, so this object may be gone.
        const op op = op_;
        const dispatcher on = on_;
        auto registered = op.when_done(on, std::move(resume));
        if (registered)
            return true;
        error_ = std::move(registered).error();
        return false;
    }

    result<response> await_resume() { return error_ ? result<response>(std::move(error_)) : op_.get(); }

private:
    op op_;
    error error_;
    dispatcher on_;
    // Gone when the coroutine was destroyed while it was suspended.
    std::shared_ptr<std::coroutine_handle<>> suspended_;
};

/// Makes co_await return the outcome of an operation: co_await fal::done(client.run_start(request), dispatcher). The
/// coroutine resumes on the thread that runs the dispatcher, and must be destroyed there if it is destroyed while it is
/// suspended.
[[nodiscard]] inline awaiting done(result<op> started, dispatcher on) { return awaiting(std::move(started), std::move(on)); }
#endif

} // namespace v0
} // namespace fal

#undef FAL_BORROWS
#undef FAL_SETTER
#undef FAL_THROWS

#endif // FAL_FAL_HPP
