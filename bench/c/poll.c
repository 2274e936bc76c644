/* poll URL POLLS: asks an operation that has ended POLLS times whether it has, and calls an empty function as often. A getppid()
 * before and after the polls marks them for strace. */

#include <unistd.h>

#include "client.h"

static fal_status nothing(const fal_op *op)
{
    return op == NULL ? FAL_PENDING : FAL_OK;
}

static double seconds(fal_status (*volatile function)(const fal_op *), const fal_op *op, size_t times)
{
    double begun = now();
    for (size_t n = 0; n < times; n++)
        CHECK(function(op) == FAL_OK);
    return now() - begun;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    size_t polls = strtoul(argv[2], NULL, 10);
    fal_error *err = NULL;
    fal_client *client = client_for(argv[1], NULL);
    fal_request *request = request_for(argv[1]);
    fal_op *op = NULL;
    must(fal_client_run_start(client, request, &op, &err), &err);
    must(fal_op_wait(op, -1, &err), &err);
    (void)getppid();
    double polling = seconds(fal_op_poll, op, polls);
    (void)getppid();
    double empty = seconds(nothing, op, polls);
    printf("{\"poll_ns\": %.3f, \"empty_ns\": %.3f}\n", polling / (double)polls * 1e9, empty / (double)polls * 1e9);
    fal_op_release(op);
    fal_request_free(request);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
