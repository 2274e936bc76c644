/* libfal URL REQUESTS IN_FLIGHT [CA_FILE]: sends requests with libfal, IN_FLIGHT at a time. */

#include "client.h"

static fal_op *start(fal_client *client, const char *url)
{
    fal_error *err = NULL;
    fal_request *request = request_for(url);
    fal_op *op = NULL;
    must(fal_client_run_start(client, request, &op, &err), &err);
    fal_request_free(request);
    return op;
}

static void finish(fal_op *op)
{
    fal_error *err = NULL;
    fal_response *response = NULL;
    size_t size = 0;
    must(fal_op_wait(op, -1, &err), &err);
    must(fal_op_take(op, &response, &err), &err);
    CHECK(fal_response_body(response, &size) != NULL && size > 100);
    fal_response_free(response);
    fal_op_release(op);
}

/* Starts the next request whenever the oldest has ended. */
static void run(fal_client *client, const char *url, size_t requests, size_t in_flight, struct measured *m)
{
    fal_op **ops = calloc(in_flight, sizeof *ops);
    double *begun = calloc(in_flight, sizeof *begun);
    CHECK(ops != NULL && begun != NULL);
    for (size_t n = 0; n < requests + in_flight; n++) {
        size_t slot = n % in_flight;
        if (ops[slot] != NULL) {
            finish(ops[slot]);
            if (m != NULL)
                m->took[m->count++] = now() - begun[slot];
            ops[slot] = NULL;
        }
        if (n < requests) {
            begun[slot] = now();
            ops[slot] = start(client, url);
        }
    }
    free(ops);
    free(begun);
}

int main(int argc, char **argv)
{
    CHECK(argc >= 4);
    size_t requests = strtoul(argv[2], NULL, 10), in_flight = strtoul(argv[3], NULL, 10);
    fal_client *client = client_for(argv[1], argc > 4 ? argv[4] : NULL);
    run(client, argv[1], warm_up(requests, in_flight), in_flight, NULL);
    struct measured m = begin(requests);
    run(client, argv[1], requests, in_flight, &m);
    print(&m);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
