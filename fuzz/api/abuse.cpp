/* Abuses every function of fal.h: each argument in turn is junk, on the host's thread, after a shutdown, in a forked child, and
 * inside each callback. No call crashes, hangs, or reports a defect, and a text that is none is refused.
 *
 * The arguments follow from the types of the functions, so a new function takes part by itself. */

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>

#include "api.hpp"
#include "callbacks.hpp"
#include "givens.hpp"
#include "words.hpp"

namespace api {

/* The callbacks of the fuzzer make no further calls here. */
void steps(World &, int) {}

enum { PATIENCE_S = 120, WAIT_MS = 60000 };

/* The call that a crash or an alarm interrupts. */
static const char *place = "";
static const char *current = "";

static void tell(int number)
{
    fprintf(stderr, "%s, %s: signal %d\n", place, current, number);
    _exit(1);
}

[[noreturn]] static void wrong(const std::string &what) { broken(current, std::string(place) + ": " + what); }

/* Whether waiting is refused at this place. */
static bool no_waiting;
/* How often a wait and a text were refused. */
static int waits_refused, texts_refused;

struct Text {
    const char *text;
    size_t length;
    bool refused;
};

static const char *const LETTERS = "abc";
/* A length that no object in memory has. */
static constexpr size_t ENDLESS = static_cast<size_t>(PTRDIFF_MAX) + 1;
static const Text TEXTS[] = {
    {"\xff\xfe", 2, true},      {"a\xc3", FAL_NUL, true},     {"\xed\xa0\x80", 3, true}, {LETTERS, ENDLESS, false},
    {LETTERS, FAL_NUL - 1, false}, {nullptr, 5, false},       {nullptr, FAL_NUL, false}, {nullptr, 0, false}, {"", 0, false},
};
static const Text BYTES[] = {{LETTERS, ENDLESS, true}, {LETTERS, FAL_NUL, true}, {nullptr, 5, false}, {nullptr, 0, false}};
static const double NUMBERS[] = {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1e308};
static const int64_t INTEGERS[] = {0, -1, 7777, INT32_MIN, INT64_MAX, INT64_MIN};

/* Whether a negative time would make this function wait for what never comes. */
static bool waits(const std::string &function)
{
    return function.find("_wait") != std::string::npos || function.find("_next") != std::string::npos;
}

/* In which way an argument of this type can be junk; a length belongs to the text before it. */
template <class T> static constexpr size_t ways()
{
    if constexpr (std::is_same_v<T, const char *>)
        return std::size(TEXTS);
    else if constexpr (std::is_same_v<T, const void *>)
        return std::size(BYTES);
    else if constexpr (std::is_same_v<T, double>)
        return std::size(NUMBERS);
    else if constexpr (std::is_pointer_v<T>)
        return 1;
    else if constexpr (std::is_same_v<T, bool>)
        return 0;
    else
        return std::size(INTEGERS);
}

/* The arguments of one call: all are usable but the one at `junk`, which is unusable in the given way. */
class Arguments {
    World &world;
    const std::string function;
    const size_t junk, way;
    size_t at = 0, texts = 0;
    bool has_length = false;
    size_t length = 0;
    std::vector<std::string> kept;
    std::vector<std::function<void(bool failed)>> outputs;

    bool consumes() const
    {
        return function.size() > 8 && (function.rfind("_free") == function.size() - 5 || function.rfind("_release") == function.size() - 8);
    }

    /* A place for an output, which is filled so that a missing reset is noticed. */
    template <class T> T *output()
    {
        auto place = std::make_shared<T>();
        memset(static_cast<void *>(place.get()), 0x5a, sizeof(T));
        outputs.push_back([this, place](bool failed) {
            if (failed && *place != T{})
                wrong("an output is not reset");
            if constexpr (std::is_pointer_v<T>)
                keep(*place);
        });
        return place.get();
    }

    template <class T> T lent(const Text *all, const std::string &usable)
    {
        has_length = true;
        if (at == junk) {
            length = all[way].length;
            refused = all[way].refused;
            return all[way].text;
        }
        kept.push_back(usable);
        length = kept.back().size();
        return kept.back().c_str();
    }

    /* An array of one object; its length follows. */
    template <class T> T *array()
    {
        using Kind = std::remove_const_t<std::remove_pointer_t<T>>;
        auto place = std::make_shared<std::remove_const_t<T>>(object<Kind>());
        outputs.push_back([place](bool) {});
        has_length = true;
        length = 1;
        return place.get();
    }

    template <class T> T *object()
    {
        auto &all = world.of<T>().owned;
        if (all.empty())
            if (T *given = give<T>(world))
                all.push_back(given);
        if (all.empty())
            return nullptr;
        T *chosen = all.back();
        if (consumes())
            all.pop_back();
        return chosen;
    }

    template <class T> T choose()
    {
        const bool is_junk = at == junk;
        if constexpr (std::is_same_v<T, fal_error **>) {
            has_error = !is_junk;
            return is_junk ? nullptr : &error;
        } else if constexpr (std::is_same_v<T, const char *>) {
            return lent<T>(TEXTS, text_for(world, function, texts++));
        } else if constexpr (std::is_same_v<T, const void *>) {
            return lent<T>(BYTES, LETTERS);
        } else if constexpr (std::is_same_v<T, size_t>) {
            if (has_length) {
                has_length = false;
                return length;
            }
            return is_junk ? static_cast<size_t>(INTEGERS[way]) : 1;
        } else if constexpr (std::is_same_v<T, double>) {
            return is_junk ? NUMBERS[way] : 1.5;
        } else if constexpr (std::is_same_v<T, bool>) {
            return true;
        } else if constexpr (std::is_enum_v<T>) {
            return enum_of<T>(is_junk ? INTEGERS[way] : 1);
        } else if constexpr (std::is_integral_v<T>) {
            int64_t number = is_junk ? INTEGERS[way] : 1;
            return static_cast<T>(waits(function) ? std::clamp<int64_t>(number, 0, 20) : number);
        } else if constexpr (std::is_same_v<T, fal_credential_request *>) {
            return is_junk ? nullptr : take_question();
        } else if constexpr (std::is_same_v<T, void *>) {
            return &world;
        } else if constexpr (std::is_function_v<std::remove_pointer_t<T>>) {
            if (is_junk)
                return nullptr;
            if constexpr (std::is_same_v<T, fal_release_callback>)
                return signalled;
            else
                return callback<T>();
        } else {
            using Pointee = std::remove_pointer_t<T>;
            if (is_junk)
                return nullptr;
            if constexpr (std::is_pointer_v<Pointee> && std::is_const_v<Pointee>)
                return array<Pointee>();
            else if constexpr (std::is_pointer_v<Pointee> || std::is_arithmetic_v<Pointee>)
                return output<Pointee>();
            else
                return object<std::remove_const_t<Pointee>>();
        }
    }

public:
    fal_error *error = reinterpret_cast<fal_error *>(this);
    bool has_error = false;
    /* The junk is a text that is none. */
    bool refused = false;

    Arguments(World &world_, const char *name, size_t junk_, size_t way_) : world(world_), function(name), junk(junk_), way(way_)
    {
        kept.reserve(8);
    }

    template <class T> T make()
    {
        T argument = choose<T>();
        at++;
        return argument;
    }

    /* Keeps an object that the call returned. A string and a borrowed object belong to another one. */
    template <class T> void keep(T *returned)
    {
        if constexpr (std::is_class_v<T> && !std::is_const_v<T>)
            if (returned)
                world.of<T>().owned.push_back(returned);
    }

    void check(fal_status status)
    {
        texts_refused += refused;
        if (status == FAL_E_PANIC || !fal_status_meaning(status))
            wrong(std::string("returned ") + fal_status_name(status));
        if (refused && status != FAL_E_INVALID_ARGUMENT)
            wrong("junk way " + std::to_string(way) + " of argument " + std::to_string(junk) + ": " + fal_status_name(status));
        for (auto &look : outputs)
            look(status < 0);
        if (!has_error)
            return;
        if ((status < 0) != (error != nullptr) || fal_error_code(error) != std::min(status, FAL_OK))
            wrong("the error does not agree with the status");
        if (error && (!*fal_error_message(error, nullptr) || !*fal_error_remedy(error, nullptr)))
            wrong("the error says nothing");
        fal_error_free(error);
    }
};

template <class... A> static constexpr bool fallible()
{
    if constexpr (sizeof...(A) == 0)
        return false;
    else
        return std::is_same_v<std::tuple_element_t<sizeof...(A) - 1, std::tuple<A...>>, fal_error **>;
}

/* Whether a function of this type sends something and waits for the response. */
template <class... A> static constexpr bool blocks()
{
    if constexpr (sizeof...(A) < 3) {
        return false;
    } else {
        using All = std::tuple<A...>;
        using First = std::tuple_element_t<0, All>;
        return (std::is_same_v<First, const fal_client *> || std::is_same_v<First, const fal_channel *>) &&
               std::is_same_v<std::tuple_element_t<sizeof...(A) - 2, All>, fal_response **>;
    }
}

template <class R, class... A> static void call(World &world, const char *name, R (*function)(A...), size_t junk, size_t way)
{
    Arguments arguments(world, name, junk, way);
    /* Braces evaluate from left to right. */
    std::tuple<A...> all{arguments.template make<A>()...};
    if constexpr (std::is_void_v<R>) {
        std::apply(function, all);
    } else {
        R returned = std::apply(function, all);
        if constexpr (fallible<A...>()) {
            if (blocks<A...>() && no_waiting) {
                if (returned != FAL_E_WOULD_DEADLOCK && returned != FAL_E_INVALID_ARGUMENT)
                    wrong(std::string("waited where it must not: ") + fal_status_name(returned));
                waits_refused += returned == FAL_E_WOULD_DEADLOCK;
            }
            arguments.check(returned);
        } else if constexpr (std::is_pointer_v<R>) {
            if (arguments.refused && returned)
                wrong("a text that is none has a result");
            arguments.keep(returned);
        }
    }
}

template <class R, class... A> static void abuse(World &world, const char *name, R (*function)(A...))
{
    static constexpr size_t WAYS[] = {ways<A>()..., 0};
    current = name;
    call(world, name, function, sizeof...(A), 0);
    for (size_t junk = 0; junk < sizeof...(A); junk++)
        for (size_t way = 0; way < WAYS[junk]; way++)
            call(world, name, function, junk, way);
}

static const struct {
    const char *name;
    void (*abuse)(World &world);
} FUNCTIONS[] = {
#define ROW(function) {#function, [](World &world) { abuse(world, #function, function); }},
#include "rows.inc"
#undef ROW
};

/* A world with objects of every kind, because some places cannot make any. The bytes decide for the emulator, a key of scope
 * ADMIN, and a stream. */
struct Prepared {
    std::string decisions;
    World world;

    Prepared() : decisions(1 << 16, '\1'), world(reinterpret_cast<const uint8_t *>(decisions.data()), decisions.size(), server())
    {
        std::apply([&](auto &...kinds) { (fill(kinds), ...); }, world.objects);
    }
    ~Prepared()
    {
        let_go(world);
        refuse_questions();
    }

    template <class T> void fill(Objects<T> &objects)
    {
        enum { SPARE = 3 };
        while (objects.owned.size() < SPARE)
            if (T *given = give<T>(world))
                objects.owned.push_back(given);
            else
                break;
    }
};

static void every_function(World &world)
{
    for (const auto &function : FUNCTIONS)
        function.abuse(world);
}

static void shut_down()
{
    fal_error *error = nullptr;
    if (fal_shutdown(WAIT_MS, &error) != FAL_OK)
        wrong(fal_error_message(error, nullptr));
}

/* ---- The places -------------------------------------------------------------------------------------------------------- */

static void on_a_thread_of_the_host()
{
    Prepared prepared;
    every_function(prepared.world);
}

static void after_a_shutdown()
{
    Prepared prepared;
    for (const auto &function : FUNCTIONS) {
        shut_down();
        function.abuse(prepared.world);
    }
}

static void in_a_forked_child()
{
    Prepared prepared;
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        alarm(PATIENCE_S);
        every_function(prepared.world);
        let_go(prepared.world);
        shut_down();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0)
        wrong("the child ended with " + std::to_string(status));
}

/* Work for a callback: what is called first does it, and further calls do nothing. */
struct Work {
    World &world;
    std::atomic<bool> begun{false}, done{false};

    explicit Work(World &world_) : world(world_) {}

    void here()
    {
        if (begun.exchange(true))
            return;
        every_function(world);
        done = true;
    }
    void wait() const
    {
        while (!done)
            usleep(1000);
    }
};

static void work(void *user) { static_cast<Work *>(user)->here(); }
static void work_on_line(fal_log_level, const char *, const char *, size_t, void *user) { work(user); }
static void work_on_end(fal_op *, void *user) { work(user); }
static void work_on_question(fal_credential_request *question, void *user)
{
    work(user);
    (void)fal_credential_request_refuse(question, "no", FAL_NUL, nullptr);
}
static int64_t work_on_read(void *, size_t, void *user)
{
    work(user);
    return 0;
}

static fal_client *client_with(fal_options *options)
{
    fal_client *client = nullptr;
    (void)fal_client_new(options, &client, nullptr);
    fal_options_free(options);
    return client;
}

static fal_op *run_on(const fal_client *client)
{
    fal_request *request = nullptr;
    fal_op *op = nullptr;
    (void)fal_request_new("emulator/echo", FAL_NUL, &request, nullptr);
    (void)fal_client_run_start(client, request, &op, nullptr);
    fal_request_free(request);
    return op;
}

/* Prepares a world, lets `begin` cause the callback, and waits until all functions were called in it. */
template <class Begin> static void inside(Begin begin)
{
    Prepared prepared;
    Work work(prepared.world);
    no_waiting = true;
    begin(work);
    work.wait();
    no_waiting = false;
    shut_down();
}

static void in_a_log_callback()
{
    inside([](Work &work) {
        fal_options *options = fal_options_new();
        (void)fal_options_set_log(options, FAL_LOG_DEBUG, work_on_line, nullptr, &work, nullptr);
        fal_client *client = client_with(options);
        fal_op_release(run_on(client));
        fal_client_release(client);
    });
}

static void in_a_callback_of_a_dispatcher()
{
    inside([](Work &work) {
        fal_client *client = client_with(fal_options_new());
        fal_dispatcher *dispatcher = fal_dispatcher_new();
        fal_op *op = run_on(client);
        (void)fal_op_when_done(op, dispatcher, work_on_end, nullptr, &work, nullptr);
        while (!work.done)
            (void)fal_dispatcher_run(dispatcher, 1, -1, nullptr, nullptr);
        fal_op_release(op);
        fal_dispatcher_release(dispatcher);
        fal_client_release(client);
    });
}

static void in_a_wake_callback()
{
    inside([](Work &w) {
        fal_client *client = client_with(fal_options_new());
        fal_dispatcher *dispatcher = fal_dispatcher_new();
        (void)fal_dispatcher_set_wake(dispatcher, work, nullptr, &w, nullptr);
        fal_op *op = run_on(client);
        (void)fal_op_when_done(op, dispatcher, work_on_end, nullptr, &w, nullptr);
        w.wait();
        fal_op_release(op);
        fal_dispatcher_release(dispatcher);
        fal_client_release(client);
    });
}

static void in_a_read_callback()
{
    inside([](Work &work) {
        fal_client *client = client_with(fal_options_new());
        fal_upload *upload = nullptr;
        fal_op *op = nullptr;
        (void)fal_upload_new_reader(10, work_on_read, nullptr, &work, &upload, nullptr);
        (void)fal_client_upload_start(client, upload, &op, nullptr);
        work.wait();
        fal_op_release(op);
        fal_upload_free(upload);
        fal_client_release(client);
    });
}

static void in_a_release_callback()
{
    inside([](Work &w) {
        fal_upload *upload = nullptr;
        (void)fal_upload_new_bytes(LETTERS, 3, work, &w, &upload, nullptr);
        fal_upload_free(upload);
    });
}

static void in_a_thread_hook(fal_thread_callback on_start, fal_thread_callback on_stop)
{
    Prepared prepared;
    Work work(prepared.world);
    shut_down();
    no_waiting = true;
    (void)fal_runtime_set_thread_hooks(on_start, on_stop, nullptr, &work, nullptr);
    fal_client *client = client_with(fal_options_new());
    fal_op_release(run_on(client));
    if (on_stop)
        shut_down();
    work.wait();
    no_waiting = false;
    shut_down();
    fal_client_release(client);
    (void)fal_runtime_set_thread_hooks(nullptr, nullptr, nullptr, nullptr, nullptr);
}

static void in_a_hook_of_a_new_thread() { in_a_thread_hook(work, nullptr); }
static void in_a_hook_of_an_ending_thread() { in_a_thread_hook(nullptr, work); }

/* This callback may wait for other clients. */
static void in_a_credential_callback()
{
    Prepared prepared;
    Work work(prepared.world);
    fal_options *options = fal_options_new();
    (void)fal_options_set_credential_callback(options, work_on_question, nullptr, &work, nullptr);
    fal_client *client = client_with(options);
    fal_op_release(run_on(client));
    work.wait();
    fal_client_release(client);
    shut_down();
}

static const struct {
    const char *name;
    void (*run)();
} PLACES[] = {
#define PLACE(function) {#function, function}
    PLACE(on_a_thread_of_the_host), PLACE(after_a_shutdown),         PLACE(in_a_forked_child),
    PLACE(in_a_log_callback),       PLACE(in_a_callback_of_a_dispatcher), PLACE(in_a_wake_callback),
    PLACE(in_a_read_callback),      PLACE(in_a_release_callback),    PLACE(in_a_hook_of_a_new_thread),
    PLACE(in_a_hook_of_an_ending_thread), PLACE(in_a_credential_callback),
};

}  // namespace api

int main(int argc, char **argv)
{
    using namespace api;
    signal(SIGALRM, tell);
/* A sanitizer tells more. */
#ifndef __SANITIZE_ADDRESS__
    signal(SIGSEGV, tell);
    signal(SIGABRT, tell);
#endif
    for (const auto &chosen : PLACES) {
        if (argc > 1 && !strstr(chosen.name, argv[1]))
            continue;
        place = chosen.name;
        current = "";
        alarm(PATIENCE_S);
        chosen.run();
    }
    alarm(0);
    printf("%-12s %6zu functions at %zu places; %d texts and %d waits refused\n", "abuse", std::size(FUNCTIONS),
           std::size(PLACES), texts_refused, waits_refused);
    return argc > 1 || (texts_refused > 2000 && waits_refused > 100) ? EXIT_SUCCESS : EXIT_FAILURE;
}
