/* waiting submit|attach URL JOBS SECONDS: waits for many jobs of the queue at once, which it submits or which are there. Prints the
 * resident memory before, after SECONDS, and at most. */

#include <unistd.h>

#include "client.h"

/* A figure of this process in KiB. */
static long memory(const char *name)
{
    char line[256];
    long figure = -1;
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            figure = strtol(line + strlen(name), NULL, 10);
    fclose(status);
    CHECK(figure >= 0);
    return figure;
}

static fal_op *submit(fal_client *client, const char *url)
{
    fal_error *err = NULL;
    fal_op *op = NULL;
    fal_request *request = request_for(url);
    must(fal_request_set_keep_running(request, true, &err), &err);
    must(fal_client_subscribe_start(client, request, &op, &err), &err);
    fal_request_free(request);
    return op;
}

static fal_op *attach(fal_client *client, const char *url, size_t number)
{
    char id[64];
    fal_error *err = NULL;
    fal_op *op = NULL;
    fal_job *job = NULL;
    snprintf(id, sizeof id, "22222222-0000-4000-8000-%012zu", number);
    must(fal_job_new(endpoint_of(url), FAL_NUL, id, FAL_NUL, &job, &err), &err);
    must(fal_job_set_keep_running(job, true, &err), &err);
    must(fal_client_attach_start(client, job, &op, &err), &err);
    fal_job_free(job);
    return op;
}

int main(int argc, char **argv)
{
    CHECK(argc == 5);
    size_t jobs = strtoul(argv[3], NULL, 10);
    fal_client *client = client_for(argv[2], NULL);
    fal_op **ops = calloc(jobs + 1, sizeof *ops);
    CHECK(ops != NULL);
    long before = 0;
    /* The first job makes the threads that any number of jobs needs, and is not counted. */
    for (size_t n = 0; n <= jobs; n++) {
        ops[n] = strcmp(argv[1], "submit") == 0 ? submit(client, argv[2]) : attach(client, argv[2], n);
        fal_op_discard_events(ops[n]);
        if (n == 0) {
            sleep(1);
            before = memory("VmRSS:");
        }
    }
    sleep((unsigned)atoi(argv[4]));
    for (size_t n = 0; n <= jobs; n++)
        CHECK(fal_op_poll(ops[n]) == FAL_PENDING);
    printf("{\"jobs\": %zu, \"before_kib\": %ld, \"after_kib\": %ld, \"peak_kib\": %ld}\n", jobs, before, memory("VmRSS:"), memory("VmHWM:"));
    for (size_t n = 0; n <= jobs; n++) {
        fal_op_cancel(ops[n]);
        fal_op_release(ops[n]);
    }
    free(ops);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
