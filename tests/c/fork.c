/* A process that forks during calls: parent and child both continue. */

#include <sys/wait.h>

#include "support.h"

/* Reports a failure in the child by its exit status, because the child counts its checks in its own memory. */
static int child_of(fal_client *client, fal_op *inherited, fal_dispatcher *dispatcher)
{
    check_failed = 0;
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_INT(fal_op_poll(inherited), FAL_E_FORKED);
    CHECK_FAILS(fal_op_wait(inherited, -1, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_take(inherited, &response, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_dispatcher_run(dispatcher, 1, -1, NULL, &err), FAL_E_FORKED);
    const fal_op *ops[] = {inherited};
    fal_op *op = NULL;
    fal_event *event = NULL;
    size_t index = 0;
    CHECK_FAILS(fal_op_wait_any(ops, 1, -1, &index, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_dispatcher_wait(dispatcher, -1, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_dispatcher_next(dispatcher, -1, &op, &event, NULL, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_watch(inherited, dispatcher, NULL, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_when_event(inherited, dispatcher, NULL, NULL, NULL, &err), FAL_E_FORKED);
    CHECK(fal_op_request_id(inherited, NULL) == NULL);
    fal_op_cancel(inherited);
    CHECK_INT(threads_alive(), 1);

    fal_request *request = run_of("emulator/echo/child");
    CHECK_OK(fal_client_run(client, request, &response, &err));
    CHECK(fal_response_has(response, "/method", FAL_NUL));
    CHECK(threads_alive() > 1);
    fal_response_free(response);
    fal_request_free(request);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    CHECK_INT(outcome_of(client, run_of("emulator/echo/child")), FAL_OK);
    fal_op_release(inherited);
    fal_client_release(client);
    return check_failed == 0 ? 0 : 1;
}

static int wait_for(pid_t child)
{
    int64_t deadline = now_ms() + 30000;
    while (now_ms() < deadline) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        sleep_ms(5);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return -1;
}

static void *slow_call(void *client)
{
    CHECK_INT(outcome_of(client, slow_of(1000)), FAL_OK);
    return NULL;
}

static void while_three_threads_are_in_calls(void)
{
    fal_error *err = NULL;
    fal_client *client = new_client();
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, slow_call, client);
    fal_op *op = start(client, slow_of(1000));
    CHECK_OK(fal_op_watch(op, dispatcher, client, &err));
    CHECK_INT(arrived("path=/emulator/slow&wait_for=4"), 4);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(child_of(client, op, dispatcher));
    CHECK(child > 0);
    CHECK_INT(wait_for(child), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fal_response *response = NULL;
    fal_op *read = NULL;
    fal_event *event = NULL;
    void *user = NULL;
    CHECK_OK(fal_dispatcher_next(dispatcher, 10000, &read, &event, &user, &err));
    CHECK(read == op && user == client && event == NULL);
    fal_op_release(read);
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    CHECK_INT(arrived("path=/emulator/echo/child"), 2);
    CHECK_INT(arrived_with("path=/emulator/slow", "\"outcome\":200", 4), 4);
    CHECK_OK(fal_shutdown(10000, &err));
    CHECK_INT(threads_left(1), 1);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
}

static void a_shutdown_in_the_child_leaves_the_parent_alone(void)
{
    fal_client *client = new_client();
    fal_op *op = start(client, slow_of(500));
    CHECK_INT(arrived("path=/emulator/slow&wait_for=1"), 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit(fal_shutdown(5000, NULL) == FAL_OK ? 0 : 1);
    CHECK_INT(wait_for(child), 0);
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_op_wait(op, 10000, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
    fal_client_release(client);
}

static bool keep_calling;

static void *call_until_told(void *client)
{
    while (__sync_fetch_and_add((char *)&keep_calling, 0))
        CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    return NULL;
}

/* Forks at any moment of a call. A lock that another thread holds at the fork would block the child for ever. */
static void at_any_moment(void)
{
    fal_client *client = new_client();
    keep_calling = true;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, call_until_told, client);
    for (int i = 0; i < 30; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            exit(outcome_of(client, run_of("emulator/echo/child")) == FAL_OK ? 0 : 1);
        if (!CHECK_INT(wait_for(child), 0))
            break;
    }
    (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    fal_client_release(client);
}

static pthread_mutex_t line_mutex = PTHREAD_MUTEX_INITIALIZER;

static void write_a_line(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)message, (void)len, (void)user;
    pthread_mutex_lock(&line_mutex);
    struct timespec time = {0, 300000};
    nanosleep(&time, NULL);
    pthread_mutex_unlock(&line_mutex);
}

/* If the fork happens while a line is logged, the lock of the log function stays locked in the child. */
static void while_lines_are_written(void)
{
    enum { CHILDREN = 200 };
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, write_a_line, NULL, NULL, &err));
    fal_client *client = client_of(options);
    keep_calling = true;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, call_until_told, client);
    int locked = 0;
    for (int i = 0; i < CHILDREN; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            bool held = pthread_mutex_trylock(&line_mutex) != 0;
            if (!held)
                pthread_mutex_unlock(&line_mutex);
            _exit(outcome_of(client, run_of("emulator/echo/child")) == FAL_OK ? held : 9);
        }
        int code = wait_for(child);
        if (!CHECK(code == 0 || code == 1))
            break;
        locked += code;
    }
    CHECK(locked > 0);
    (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_OK(fal_shutdown(20000, &err));
    fal_client_release(client);
}

/* Creates a collection of this name by a request with an idempotency key. For the same key fal returns the same collection. */
static fal_status make_collection(const fal_client *client, const char *name)
{
    char params[64];
    snprintf(params, sizeof params, "{\"name\": \"%s\"}", name);
    fal_response *response = NULL;
    fal_status status = fal_client_platform(client, "assets.collections.create", FAL_NUL, params, FAL_NUL, &response, NULL);
    fal_response_free(response);
    return status;
}

/* Forked workers use different idempotency keys, so each creates its own collection. */
static void each_child_creates_something_of_its_own(void)
{
    enum { CHILDREN = 4 };
    fal_client *client = new_client();
    CHECK_INT(make_collection(client, "before"), FAL_OK);
    for (int i = 0; i < CHILDREN; i++) {
        char name[32];
        snprintf(name, sizeof name, "child %d", i);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            exit(make_collection(client, name) == FAL_OK ? 0 : 1);
        CHECK_INT(wait_for(child), 0);
    }
    CHECK_INT(make_collection(client, "after"), FAL_OK);
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK_OK(fal_client_platform(client, "assets.collections.list", FAL_NUL, NULL, 0, &response, &err));
    const char *text = NULL;
    CHECK_OK(fal_response_get_text(response, &text, NULL, &err));
    CHECK_INT(text ? count_of(text, "\"name\":\"child ") : 0, CHILDREN);
    CHECK(text && strstr(text, "before") && strstr(text, "after"));
    fal_response_free(response);
    fal_client_release(client);
}

static char store_path[64];

static void *store_until_told(void *unused)
{
    fal_options *options = fal_options_new();
    fal_error *err = NULL;
    CHECK_OK(fal_options_set_config_path(options, store_path, FAL_NUL, &err));
    while (__sync_fetch_and_add((char *)&keep_calling, 0))
        if (!CHECK_OK(fal_profiles_store_key(options, "forked", FAL_NUL, "fake-id:fake-secret-of-fork", FAL_NUL, false, &err)))
            break;
    fal_options_free(options);
    return unused;
}

/* Children that are forked while a key is stored, and keep running, do not keep the lock of the file. */
static void while_a_key_is_stored(void)
{
    enum { CHILDREN = 60 };
    char folder[] = "/tmp/fal-fork-XXXXXX", lock[72];
    must(mkdtemp(folder) ? FAL_OK : FAL_E_IO, NULL, "mkdtemp");
    snprintf(store_path, sizeof store_path, "%s/config.toml", folder);
    snprintf(lock, sizeof lock, "%s.lock", store_path);
    pid_t children[CHILDREN];
    pthread_t thread;
    keep_calling = true;
    pthread_create(&thread, NULL, store_until_told, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        sleep_ms(1);
        fflush(NULL);
        children[i] = fork();
        if (children[i] == 0)
            for (;;)
                pause();
    }
    sleep_ms(100);
    (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < CHILDREN; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    CHECK(remove(store_path) == 0 && remove(lock) == 0 && rmdir(folder) == 0);
}

/* Objects that several threads of the host read at once. */
struct shared {
    fal_client *client;
    fal_error *error;
    fal_response *response;
    fal_dispatcher *dispatcher;
};

static void read_shared(const struct shared *shared)
{
    const char *text = NULL;
    fal_error *err = NULL;
    fal_response *response = NULL;
    CHECK(strlen(fal_error_message(shared->error, NULL)) > 0);
    CHECK(strlen(fal_error_remedy(shared->error, NULL)) > 0);
    CHECK_OK(fal_response_get_string(shared->response, "/method", FAL_NUL, &text, NULL, &err));
    (void)fal_client_known_scope(shared->client, NULL);
    /* A new error and a new response, whose texts are built at the first read. */
    CHECK_INT(fal_client_platform(shared->client, "keys.create", FAL_NUL, NULL, 0, &response, &err), FAL_E_INVALID_ARGUMENT);
    CHECK(strlen(fal_error_message(err, NULL)) > 0);
    fal_error_free(err);
}

static void *read_until_told(void *shared)
{
    while (__sync_fetch_and_add((char *)&keep_calling, 0))
        read_shared(shared);
    return NULL;
}

/* Forks while another thread copies a string, parses a response or looks up a scope. */
static void while_objects_are_read(void)
{
    fal_client *client = new_client();
    keep_calling = true;
    for (int i = 0; i < 60; i++) {
        struct shared shared = {client, NULL, NULL, fal_dispatcher_new()};
        fal_request *request = run_of("emulator/echo");
        CHECK_INT(fal_client_run(client, request, &shared.response, NULL), FAL_OK);
        fal_request_free(request);
        CHECK_INT(fal_op_take(NULL, NULL, &shared.error), FAL_E_INVALID_ARGUMENT);
        pthread_t threads[3];
        for (int n = 0; n < 3; n++)
            pthread_create(&threads[n], NULL, read_until_told, &shared);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            check_failed = 0;
            read_shared(&shared);
            fal_error_free(shared.error);
            fal_response_free(shared.response);
            fal_dispatcher_release(shared.dispatcher);
            fal_client_release(client);
            exit(check_failed == 0 ? 0 : 1);
        }
        bool good = CHECK_INT(wait_for(child), 0);
        (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
        for (int n = 0; n < 3; n++)
            pthread_join(threads[n], NULL);
        keep_calling = true;
        fal_error_free(shared.error);
        fal_response_free(shared.response);
        fal_dispatcher_release(shared.dispatcher);
        if (!good)
            break;
    }
    fal_client_release(client);
}

/* Objects that stay open for longer than one call. */
struct open {
    fal_client *client;
    fal_realtime *session;
    fal_websocket *websocket;
    fal_channel *channel;
    fal_op *stream;
};

/* Returns a client that uses fal's own host names, and reaches the emulator through a proxy, over TLS. */
static fal_client *client_in_tls(void)
{
    FILE *file = fopen(control_variable("SSL_CERT_FILE"), "r");
    char pem[8192];
    size_t size = file ? fread(pem, 1, sizeof pem, file) : 0;
    if (file)
        fclose(file);
    fal_options *options = fal_options_new();
    must(fal_options_add_root_certificates(options, pem, size, NULL), NULL, "fal_options_add_root_certificates");
    char *host = strdup(control_variable("FAL_EMULATOR_HOST"));
    unsetenv("FAL_EMULATOR_HOST");
    fal_client *client = client_of(options);
    setenv("FAL_EMULATOR_HOST", host, 1);
    free(host);
    return client;
}

/* Reads events up to one of this kind, which is freed. Returns false if it does not come. */
static bool comes(const fal_op *op, fal_event_type kind)
{
    fal_event *event = NULL;
    while (fal_op_next_event(op, 20000, &event, NULL) == FAL_OK && event) {
        bool found = fal_event_kind(event) == kind;
        fal_event_free(event);
        if (found)
            return true;
    }
    return false;
}

static void exchange(const struct open *open)
{
    fal_error *err = NULL;
    CHECK_OK(fal_realtime_send_json(open->session, "{\"n\": 1}", FAL_NUL, &err));
    CHECK(comes(fal_realtime_op(open->session), FAL_EVENT_MESSAGE));
    CHECK_OK(fal_websocket_send_text(open->websocket, "a", FAL_NUL, &err));
    CHECK(comes(fal_websocket_op(open->websocket), FAL_EVENT_MESSAGE));
    fal_request *request = run_of("emulator/echo");
    fal_response *response = NULL;
    CHECK_OK(fal_channel_run(open->channel, request, &response, &err));
    fal_response_free(response);
    fal_request_free(request);
}

/* Opens new sessions with the inherited client. */
static struct open open_all(fal_client *client, fal_channel *channel)
{
    fal_error *err = NULL;
    struct open open = {client, NULL, NULL, channel, NULL};
    fal_request *request = run_of("emulator/realtime");
    must(fal_client_realtime_start(client, request, NULL, &open.session, &err), err, "fal_client_realtime_start");
    fal_request_free(request);
    request = run_of("emulator/ws");
    must(fal_client_websocket_start(client, request, NULL, &open.websocket, &err), err, "fal_client_websocket_start");
    fal_request_free(request);
    request = run_of("emulator/echo");
    if (!channel)
        must(fal_channel_new(client, request, &open.channel, &err), err, "fal_channel_new");
    fal_request_free(request);
    request = run_of("emulator/stream");
    must(fal_request_set_int(request, "ms", FAL_NUL, 300, &err), err, "ms");
    must(fal_client_stream_start(client, request, &open.stream, &err), err, "fal_client_stream_start");
    fal_request_free(request);
    exchange(&open);
    CHECK(comes(open.stream, FAL_EVENT_ITEM));
    return open;
}

static void let_go(struct open open)
{
    fal_realtime_release(open.session);
    fal_websocket_release(open.websocket);
    fal_op_release(open.stream);
    fal_channel_release(open.channel);
    fal_client_release(open.client);
}

/* Replaces each inherited socket, and each descriptor that wakes the parent's threads, by a socket of a pair. Returns the
 * other socket, from which everything that was written to them can be read. */
static int watch_what_was_inherited(void)
{
    int ours[2] = {-1, -1};
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ours), 0);
    int replaced = 0;
    for (int fd = 3; fd < ours[0]; fd++) {
        char path[32], what[64] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, what, sizeof what - 1) > 0 && (strncmp(what, "socket:", 7) == 0 || strstr(what, "eventfd")))
            replaced += dup2(ours[0], fd) == fd;
    }
    CHECK(replaced > 0);
    return ours[1];
}

/* Inherited operations cannot be used in the child, but can be released. The client and the channel reconnect. */
static int child_with(struct open open, bool busy)
{
    check_failed = 0;
    int watched = watch_what_was_inherited();
    fal_error *err = NULL;
    fal_event *event = NULL;
    CHECK_FAILS(fal_realtime_send_json(open.session, "{}", FAL_NUL, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_websocket_send_text(open.websocket, "x", 1, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_next_event(fal_realtime_op(open.session), -1, &event, &err), FAL_E_FORKED);
    CHECK_FAILS(fal_op_next_event(open.stream, -1, &event, &err), FAL_E_FORKED);
    CHECK_INT((int64_t)fal_realtime_unsent(open.session), 0);
    fal_realtime_close(open.session);
    fal_websocket_close(open.websocket);
    fal_op_cancel(fal_realtime_op(open.session));
    fal_op_cancel(open.stream);
    CHECK_INT(threads_alive(), 1);
    if (busy) {
        struct open own = open_all(open.client, open.channel);
        own.client = NULL;
        own.channel = NULL;
        let_go(own);
        CHECK_OK(fal_shutdown(10000, &err));
    }
    let_go(open);
    CHECK_INT(threads_left(1), 1);
    char written[64];
    CHECK_INT(recv(watched, written, sizeof written, MSG_DONTWAIT), -1);
    return check_failed == 0 ? 0 : 1;
}

/* Bytes that a child sent over its parent's connections would disturb them; in TLS a single byte is enough. */
static void while_sessions_are_open(void)
{
    for (int round = 0; round < 4; round++) {
        bool tls = round & 1, busy = round & 2;
        control_reset();
        struct open open = open_all(tls ? client_in_tls() : new_client(), NULL);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            exit(child_with(open, busy));
        CHECK_INT(wait_for(child), 0);
        exchange(&open);
        CHECK(comes(open.stream, FAL_EVENT_ITEM));
        fal_error *err = NULL;
        CHECK_INT(fal_op_wait(open.stream, 20000, &err), FAL_OK);
        fal_response *response = NULL;
        CHECK_OK(fal_op_take(open.stream, &response, &err));
        fal_response_free(response);
        /* The parent's connections, and those of the child. */
        CHECK_INT(arrived("path=/emulator/realtime/realtime"), busy ? 2 : 1);
        CHECK_INT(arrived("path=/emulator/ws"), busy ? 2 : 1);
        CHECK_INT(arrived("path=/emulator/echo&method=GET"), busy ? 2 : 1);
        fal_realtime_close(open.session);
        CHECK_INT(fal_op_wait(fal_realtime_op(open.session), 20000, &err), FAL_OK);
        CHECK_OK(fal_op_take(fal_realtime_op(open.session), &response, &err));
        int64_t connections = 0;
        CHECK_OK(fal_response_get_int(response, "/connections", FAL_NUL, &connections, &err));
        CHECK_INT(connections, 1);
        fal_response_free(response);
        let_go(open);
    }
}

static void *exchange_until_told(void *open)
{
    while (__sync_fetch_and_add((char *)&keep_calling, 0))
        exchange(open);
    return NULL;
}

/* As above, but at any moment of an exchange. */
static void while_sessions_are_busy(void)
{
    struct open open = open_all(new_client(), NULL);
    keep_calling = true;
    pthread_t thread;
    pthread_create(&thread, NULL, exchange_until_told, &open);
    for (int i = 0; i < 60; i++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            exit(child_with(open, i % 6 == 0));
        if (!CHECK_INT(wait_for(child), 0))
            break;
    }
    (void)__sync_lock_test_and_set((char *)&keep_calling, 0);
    pthread_join(thread, NULL);
    exchange(&open);
    let_go(open);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(while_three_threads_are_in_calls),
        TEST(a_shutdown_in_the_child_leaves_the_parent_alone),
        TEST(at_any_moment),
        TEST(while_lines_are_written),
        TEST(each_child_creates_something_of_its_own),
        TEST(while_a_key_is_stored),
        TEST(while_objects_are_read),
        TEST(while_sessions_are_open),
        TEST(while_sessions_are_busy),
    };
    return RUN_TESTS(tests, control_reset);
}
