/* How many allocations a run costs. This program replaces the functions of glibc that allocate, and counts their calls. */

#include <errno.h>

#include "support.h"

/* The allocations of one run, with everything that fal.h makes a host call for it. A change that needs more must say why; a
 * change that needs fewer lowers the number. */
enum { BUDGET = 39 };

enum { WARM = 200, RUNS = 1000 };

static unsigned long allocations;

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}

static void run_once(const fal_client *client)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    fal_request *request = run_of("emulator/echo");
    CHECK_OK(fal_request_set_body_json(request, "{\"prompt\":\"a lighthouse\",\"num_images\":1}", FAL_NUL, &err));
    fal_op *op = start(client, request);
    CHECK_OK(fal_op_wait(op, -1, &err));
    CHECK_OK(fal_op_take(op, &response, &err));
    fal_response_free(response);
    fal_op_release(op);
}

static void a_run_costs_no_more_allocations_than_it_may(void)
{
    fal_client *client = NULL;
    fal_error *err = NULL;
    /* Without the log of the tests, whose lines would count. */
    CHECK_OK(fal_client_new(NULL, &client, &err));
    for (int i = 0; i < WARM; i++)
        run_once(client);
    unsigned long before = __atomic_load_n(&allocations, __ATOMIC_RELAXED);
    for (int i = 0; i < RUNS; i++)
        run_once(client);
    unsigned long each = (__atomic_load_n(&allocations, __ATOMIC_RELAXED) - before + RUNS / 2) / RUNS;
    fal_client_release(client);
    CHECK_INT(each > BUDGET ? each : BUDGET, BUDGET);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_run_costs_no_more_allocations_than_it_may),
    };
    return RUN_TESTS(tests, control_reset);
}
