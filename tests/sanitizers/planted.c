/* Commits faults that a sanitizer must report, in C and, by breaking the rules of fal.h, in libfal: planted FAULT. Exits with 0
 * only without a sanitizer. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fal/fal.h>

/* Hides the fault from the compiler. */
static volatile int one = 1;

/* An operation inside another memory block, as if an object had no reference count of its own. Retaining it changes its neighbour,
 * and then memory that is already freed. */
static void interior(void)
{
    char *block = calloc(64, 8);
    fal_op *op = fal_op_retain((const fal_op *)(void *)(block + 64));
    free(block);
    fal_op_retain(op);
}

static void freed(void)
{
    fal_request *request = NULL;
    if (fal_request_new("emulator/echo", FAL_NUL, &request, NULL) == FAL_OK) {
        fal_request_free(request);
        (void)fal_request_set_logs(request, true, NULL);
    }
}

/* Passes a text that is shorter than its length. */
static void overflow(void)
{
    char *text = malloc(8);
    memset(text, 'a', 8);
    fal_request *request = NULL;
    (void)fal_request_new(text, 8 + (size_t)one, &request, NULL);
    fal_request_free(request);
    free(text);
}

static void lost(void)
{
    fal_request *request = NULL;
    (void)fal_request_new("emulator/echo", FAL_NUL, &request, NULL);
    request = NULL;
}

static void shift(void)
{
    printf("%d\n", one << (31 + one));
}

static int counter;

static void *count(void *user)
{
    (void)user;
    counter += one;
    return NULL;
}

/* Two threads use one request, which is not thread-safe. */
static void *change(void *request)
{
    (void)fal_request_set_logs(request, one == 1, NULL);
    return NULL;
}

static void on_two_threads(void *(*work)(void *), void *user)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, work, user);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

static void race(void)
{
    on_two_threads(count, NULL);
}

static void shared(void)
{
    fal_request *request = NULL;
    if (fal_request_new("emulator/echo", FAL_NUL, &request, NULL) == FAL_OK)
        on_two_threads(change, request);
    fal_request_free(request);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*commit)(void);
    } faults[] = {{"interior", interior}, {"freed", freed}, {"overflow", overflow}, {"lost", lost},
                  {"shift", shift}, {"race", race}, {"shared", shared}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (argc == 2 && strcmp(argv[1], faults[i].name) == 0) {
            faults[i].commit();
            return EXIT_SUCCESS;
        }
    fprintf(stderr, "planted FAULT\n");
    return 99;
}
