/* Hosts without manners: they free in any order, exit in the middle of calls, fork where one does not, and close every
 * descriptor. */

#include <sys/stat.h>

#include "support.h"

/* ---- Objects are freed in any order, by any thread ------------------------------------------------------------------- */

/* Objects that refer to one another. */
struct things {
    fal_client *client;
    fal_request *request;
    fal_op *op;
    fal_realtime *session;
    fal_channel *channel;
    fal_dispatcher *dispatcher;
};

enum { THINGS = 6 };

static void never(fal_op *op, void *user)
{
    (void)op, (void)user;
}

static struct things make_things(fal_client *client)
{
    fal_error *err = NULL;
    struct things made = {fal_client_retain(client), run_of("emulator/realtime"), NULL, NULL, NULL, fal_dispatcher_new()};
    CHECK_OK(fal_client_realtime_start(made.client, made.request, NULL, &made.session, &err));
    CHECK_OK(fal_channel_new(made.client, made.request, &made.channel, &err));
    CHECK_OK(fal_client_run_start(made.client, made.request, &made.op, &err));
    CHECK_OK(fal_op_when_done(made.op, made.dispatcher, never, NULL, NULL, &err));
    CHECK_OK(fal_op_when_event(fal_realtime_op(made.session), made.dispatcher, never, NULL, NULL, &err));
    return made;
}

static void free_thing(const struct things *things, int which)
{
    switch (which) {
    case 0: fal_client_release(things->client); break;
    case 1: fal_request_free(things->request); break;
    case 2: fal_op_release(things->op); break;
    case 3: fal_realtime_release(things->session); break;
    case 4: fal_channel_release(things->channel); break;
    default: fal_dispatcher_release(things->dispatcher);
    }
}

/* Frees the things in the order of a number: its digits choose among those that are left. */
static void free_in_order(const struct things *things, int number)
{
    int left[THINGS] = {0, 1, 2, 3, 4, 5};
    for (int count = THINGS; count > 0; count--) {
        int digit = number % count;
        number /= count;
        free_thing(things, left[digit]);
        left[digit] = left[count - 1];
    }
}

static void objects_are_freed_in_any_order(void)
{
    enum { ORDERS = 720, STEP = 7 };
    fal_client *client = new_client();
    for (int order = 0; order < ORDERS; order += STEP) {
        struct things things = make_things(client);
        free_in_order(&things, order);
    }
    fal_client_release(client);
    CHECK_INT(fal_shutdown(20000, NULL), FAL_OK);
    CHECK_INT(threads_left(1), 1);
}

enum { RELEASERS = 8, REFERENCES = 200 };

static void *release_often(void *user)
{
    const struct things *things = user;
    for (int i = 0; i < REFERENCES; i++) {
        fal_op_release(things->op);
        fal_client_release(things->client);
        fal_realtime_release(things->session);
        fal_dispatcher_release(things->dispatcher);
    }
    return NULL;
}

static void references_are_released_by_many_threads(void)
{
    fal_client *client = new_client();
    struct things things = make_things(client);
    for (int i = 0; i < RELEASERS * REFERENCES; i++) {
        CHECK(fal_op_retain(things.op) == things.op);
        CHECK(fal_client_retain(things.client) == things.client);
        CHECK(fal_realtime_retain(things.session) == things.session);
        CHECK(fal_dispatcher_retain(things.dispatcher) == things.dispatcher);
    }
    /* The last references go with those of the threads. */
    free_in_order(&things, 0);
    fal_client_release(client);
    pthread_t threads[RELEASERS];
    for (int i = 0; i < RELEASERS; i++)
        pthread_create(&threads[i], NULL, release_often, &things);
    for (int i = 0; i < RELEASERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(fal_shutdown(20000, NULL), FAL_OK);
}

/* ---- The process ends in the middle of calls ------------------------------------------------------------------------- */

static void *call_on(void *client)
{
    for (;;)
        (void)outcome_of(client, run_of("emulator/echo"));
    return NULL;
}

static bool is_destructor_due;

/* Shuts the library down in a destructor of the program. The one of a static library may have run before. */
__attribute__((destructor)) static void shut_down_at_the_end(void)
{
    if (!is_destructor_due)
        return;
    fal_status status = fal_shutdown(10000, NULL);
    _exit(status == FAL_OK && threads_alive() == 1 ? 7 : 8);
}

/* Exits after some microseconds, while other threads are in calls and operations are running. */
static int exit_soon(unsigned us)
{
    fal_client *client = new_client();
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
        start(client, slow_of(60000));
        pthread_create(&thread, NULL, call_on, client);
    }
    usleep(us);
    exit(0);
}

/* Exits while an operation runs, and leaves the shutdown to a destructor. */
static int exit_into_a_destructor(void)
{
    start(new_client(), slow_of(60000));
    is_destructor_due = true;
    return 0;
}

/* Returns the status of this program, run with an argument. */
static int status_of(const char *argument, const char *value)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        execl("/proc/self/exe", "rude", argument, value, (char *)NULL);
        _exit(97);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void the_process_exits_while_calls_run(void)
{
    for (unsigned us = 0; us < 40; us++) {
        char value[16];
        snprintf(value, sizeof value, "%u", us * us * 20);
        if (!CHECK_INT(status_of("--exit", value), 0))
            break;
    }
}

static void a_destructor_shuts_the_library_down(void)
{
    CHECK_INT(status_of("--destructor", ""), 7);
}

/* ---- Forks and descriptors ------------------------------------------------------------------------------------------- */

static int failures_of(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A callback that forks. The child's only thread is still in the callback, so it may start operations and may not wait. */
struct forker {
    fal_client *client;
    int status;
};

static void fork_here(struct forker *forker)
{
    if (forker->status >= 0)
        return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        fal_error *err = NULL;
        fal_response *response = NULL;
        fal_op *op = NULL;
        fal_request *request = run_of("emulator/echo/child");
        check_failed = 0;
        CHECK_OK(fal_client_run_start(forker->client, request, &op, &err));
        CHECK_FAILS(fal_client_run(forker->client, request, &response, &err), FAL_E_WOULD_DEADLOCK);
        for (int64_t end = now_ms() + 20000; fal_op_poll(op) == FAL_PENDING && now_ms() < end;)
            sleep_ms(1);
        CHECK_OK(fal_op_take(op, &response, &err));
        CHECK_FAILS(fal_shutdown(1000, &err), FAL_E_WOULD_DEADLOCK);
        fal_response_free(response);
        fal_op_release(op);
        fal_request_free(request);
        _exit(check_failed);
    }
    forker->status = failures_of(child);
}

static void fork_at_the_end(fal_op *op, void *user)
{
    (void)op;
    fork_here(user);
}

static void fork_at_a_line(fal_log_level level, const char *target, const char *message, size_t len, void *user)
{
    (void)level, (void)target, (void)message, (void)len;
    fork_here(user);
}

static void a_callback_forks(void)
{
    fal_error *err = NULL;
    struct forker at_the_end = {new_client(), -1}, at_a_line = {new_client(), -1};
    fal_dispatcher *dispatcher = fal_dispatcher_new();
    fal_op *op = start(at_the_end.client, run_of("emulator/echo"));
    CHECK_OK(fal_op_when_done(op, dispatcher, fork_at_the_end, NULL, &at_the_end, &err));
    for (; fal_dispatcher_outstanding(dispatcher) > 0; sleep_ms(1))
        CHECK_OK(fal_dispatcher_run(dispatcher, 1, -1, NULL, &err));
    CHECK_INT(at_the_end.status, 0);
    fal_options *options = fal_options_new();
    CHECK_OK(fal_options_set_log(options, FAL_LOG_DEBUG, fork_at_a_line, NULL, &at_a_line, &err));
    fal_client *client = client_of(options);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_OK(fal_log_flush(60000, &err));
    CHECK_INT(at_a_line.status, 0);
    fal_op_release(op);
    fal_dispatcher_release(dispatcher);
    fal_client_release(client);
    fal_client_release(at_the_end.client);
    fal_client_release(at_a_line.client);
}

/* A child that closes all descriptors, as daemons do, and opens its own, which get the numbers of libfal's. */
static int daemon_of(fal_client *client, fal_op *op, const struct things *things)
{
    enum { OWN = 64 };
    int own[OWN];
    fal_error *err = NULL;
    check_failed = 0;
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    for (int i = 0; i < OWN; i++)
        own[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_INT(outcome_of(client, run_of("emulator/echo")), FAL_OK);
    CHECK_INT(fal_op_poll(op), FAL_E_FORKED);
    fal_op_release(op);
    free_in_order(things, 0);
    fal_client_release(client);
    CHECK_OK(fal_shutdown(10000, &err));
    for (int i = 0; i < OWN; i++) {
        struct stat file;
        CHECK(fstat(own[i], &file) == 0 && S_ISCHR(file.st_mode));
    }
    return check_failed;
}

static void a_daemon_closes_what_it_inherits(void)
{
    fal_client *client = new_client();
    struct things things = make_things(client);
    fal_op *op = start(client, slow_of(300));
    CHECK_INT(arrived("path=/emulator/slow&wait_for=1"), 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(daemon_of(client, op, &things));
    }
    CHECK_INT(failures_of(child), 0);
    CHECK_INT(fal_op_wait(op, 10000, NULL), FAL_OK);
    fal_op_release(op);
    free_in_order(&things, 0);
    fal_client_release(client);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(objects_are_freed_in_any_order),
        TEST(references_are_released_by_many_threads),
        TEST(the_process_exits_while_calls_run),
        TEST(a_destructor_shuts_the_library_down),
        TEST(a_callback_forks),
        TEST(a_daemon_closes_what_it_inherits),
    };
    if (argc == 3 && strcmp(argv[1], "--exit") == 0)
        return exit_soon((unsigned)atoi(argv[2]));
    if (argc == 3 && strcmp(argv[1], "--destructor") == 0)
        return exit_into_a_destructor();
    return RUN_TESTS(tests, control_reset);
}
