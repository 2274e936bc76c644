/* libfal URL REQUESTS IN_FLIGHT [CA_FILE]: sends requests with libfal, IN_FLIGHT at a time. */

#include <fal/fal.h>

#include "measure.h"

static void must(fal_status status, fal_error **err)
{
    if (status != FAL_OK) {
        fprintf(stderr, "%s\n", fal_error_message(*err, NULL));
        exit(1);
    }
}

static fal_client *client_for(const char *url, const char *ca)
{
    fal_client *client = NULL;
    fal_error *err = NULL;
    fal_options *options = fal_options_new();
    char host[64];
    const char *begin = strstr(url, "://") + 3;
    snprintf(host, sizeof host, "%.*s", (int)strcspn(begin, "/"), begin);
    must(fal_options_set_key(options, KEY, FAL_NUL, &err), &err);
    if (ca != NULL) {
        char pem[4096];
        FILE *file = fopen(ca, "r");
        CHECK(file != NULL);
        size_t size = fread(pem, 1, sizeof pem, file);
        fclose(file);
        must(fal_options_add_root_certificates(options, pem, size, &err), &err);
        must(fal_options_set_host(options, FAL_HOST_RUN, host, FAL_NUL, &err), &err);
    } else {
        must(fal_options_set_host(options, FAL_HOST_EMULATOR, host, FAL_NUL, &err), &err);
    }
    must(fal_client_new(options, &client, &err), &err);
    fal_options_free(options);
    return client;
}

static fal_op *start(fal_client *client, const char *endpoint)
{
    fal_error *err = NULL;
    fal_request *request = NULL;
    fal_op *op = NULL;
    must(fal_request_new(endpoint, FAL_NUL, &request, &err), &err);
    must(fal_request_set_body_json(request, INPUT, FAL_NUL, &err), &err);
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
static void run(fal_client *client, const char *endpoint, size_t requests, size_t in_flight, struct measured *m)
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
            ops[slot] = start(client, endpoint);
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
    const char *endpoint = strchr(strstr(argv[1], "://") + 3, '/') + 1;
    run(client, endpoint, in_flight * 4, in_flight, NULL);
    struct measured m = begin(requests);
    run(client, endpoint, requests, in_flight, &m);
    print(&m);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
