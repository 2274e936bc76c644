/* A host that reloads a plug-in for hours: each round opens a copy of the library at a new path, and unloads it while a job, a
 * run and an upload are under way. Nothing of a copy stays, neither a mapping nor memory. ROUNDS=1000 in the environment sets the
 * number of rounds of each test; by default, they are as many as fit into a few seconds. */

#include <malloc.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define FUNCTIONS(F) \
    F(fal_client_new) F(fal_client_release) F(fal_request_new) F(fal_request_set_int) F(fal_request_free) F(fal_client_run_start) \
    F(fal_client_subscribe_start) F(fal_upload_new_bytes) F(fal_upload_free) F(fal_client_upload_start) F(fal_op_poll) \
    F(fal_op_release) F(fal_shutdown)
#include "library.h"

enum { HOUR_MS = 3600000, WARM_UP = 20, SECONDS = 4, UPLOADED = 1 << 20 };
/* A copy leaves some hundred bytes behind (decision 6). */
enum { KEPT_KIB = 1, NOISE_KIB = 512 };

static char folder[] = "/tmp/fal-reloads-XXXXXX";

/* The C library's registration of destructors of threads, for every library of the process. A registration by a copy would keep
 * the copy loaded until the thread ends. */
static int registered;

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *handle);

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *handle)
{
    int (*real)(void (*)(void *), void *, void *);
    Dl_info info;
    if (dladdr(handle, &info) && strstr(info.dli_fname, folder))
        (void)__sync_fetch_and_add(&registered, 1);
    *(void **)(&real) = dlsym(RTLD_NEXT, "__cxa_thread_atexit_impl");
    return real(run, object, handle);
}

/* Writes a copy of the library to a new path. */
static void copy_to(const char *path)
{
    int from = open(LIBRARY, O_RDONLY | O_CLOEXEC), to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    struct stat file;
    off_t at = 0;
    if (from < 0 || to < 0 || fstat(from, &file) != 0)
        control_die(path);
    while (at < file.st_size)
        if (sendfile(to, from, &at, (size_t)(file.st_size - at)) <= 0)
            control_die(path);
    close(from);
    close(to);
}

static fal_op *upload_on(const fal_client *client)
{
    fal_op *op = NULL;
    fal_upload *upload = NULL;
    char *bytes = calloc(1, UPLOADED);
    CHECK_INT(library.fal_upload_new_bytes(bytes, UPLOADED, NULL, NULL, &upload, NULL), FAL_OK);
    CHECK_INT(library.fal_client_upload_start(client, upload, &op, NULL), FAL_OK);
    library.fal_upload_free(upload);
    free(bytes);
    return op;
}

/* Uses the library until it is shut down while fal works for it. */
static void *live(void *unused)
{
    fal_client *client = NULL;
    CHECK_INT(library.fal_client_new(NULL, &client, NULL), FAL_OK);
    fal_op *ops[] = {
        library_start(library.fal_client_subscribe_start, client, library_request("emulator/job", HOUR_MS)),
        library_start(library.fal_client_run_start, client, library_request("emulator/slow", HOUR_MS)),
        upload_on(client),
    };
    CHECK_INT(arrived("path=/emulator/job/requests/*/status*&wait_for=1"), 1);
    CHECK_INT(arrived("path=/emulator/slow&wait_for=1"), 1);
    CHECK_INT(arrived("method=PUT&wait_for=1"), 1);
    CHECK_INT(library.fal_shutdown(10000, NULL), FAL_OK);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(library.fal_op_poll(ops[i]), FAL_OK);
        library.fal_op_release(ops[i]);
    }
    library.fal_client_release(client);
    CHECK_INT(arrived("method=PUT&path=*/cancel"), 1);
    return unused;
}

static void before_each(void)
{
    control_reset();
    /* The bytes of the upload stay under way. */
    fault("{\"method\": \"PUT\", \"host\": \"v3*\", \"times\": null, \"action\": {\"type\": \"hang\"}}");
}

static long resident_kib(void)
{
    long pages = 0;
    malloc_trim(0);
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        control_die("statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void one_round(long round, bool on_a_thread)
{
    char path[64];
    snprintf(path, sizeof path, "%s/copy-%ld.so", folder, round);
    before_each();
    copy_to(path);
    if (library_open(path)) {
        pthread_t thread;
        if (on_a_thread) {
            pthread_create(&thread, NULL, live, NULL);
            pthread_join(thread, NULL);
        } else {
            live(NULL);
        }
        CHECK_INT(dlclose(library.handle), 0);
    }
    CHECK(!is_mapped(folder));
    CHECK_INT(threads_left(1), 1);
    unlink(path);
}

static void reload(bool on_a_thread)
{
    const char *rounds = getenv("ROUNDS");
    long wanted = rounds ? atol(rounds) : 0, round = 0, warm = 0;
    int failed_before = check_failed;
    if (!mkdtemp(folder))
        control_die(folder);
    registered = 0;
    for (int64_t end = now_ms() + SECONDS * 1000; check_failed == failed_before && (wanted ? round < wanted : now_ms() < end);) {
        one_round(round++, on_a_thread);
        if (round == WARM_UP)
            warm = resident_kib();
    }
    CHECK_INT(registered, 0);
    long grown = warm ? resident_kib() - warm : 0;
    if (rounds)
        printf("%ld rounds %s: %ld KiB at round %d, %ld KiB more at the end\n", round,
               on_a_thread ? "on a thread" : "on the main thread", warm, WARM_UP, grown);
    CHECK(grown <= NOISE_KIB + round * KEPT_KIB);
    rmdir(folder);
    memcpy(folder + sizeof folder - sizeof "XXXXXX", "XXXXXX", sizeof "XXXXXX");
}

static void on_the_main_thread(void)
{
    reload(false);
}

static void on_a_thread_of_its_own(void)
{
    reload(true);
}

/* Otherwise a count of zero would prove nothing. */
static void the_count_sees_registrations(void)
{
    void *found = dlsym(RTLD_DEFAULT, "__cxa_thread_atexit_impl");
    int (*own)(void (*)(void *), void *, void *) = __cxa_thread_atexit_impl;
    CHECK(memcmp(&found, &own, sizeof found) == 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(the_count_sees_registrations),
        TEST(on_the_main_thread),
        TEST(on_a_thread_of_its_own),
    };
    /* With several arenas, memory grows by chance: each thread may take another one. */
    mallopt(M_ARENA_MAX, 1);
    return RUN_TESTS(tests, NULL);
}
