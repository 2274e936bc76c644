/* subscribe URL JOBS: submits jobs to the queue and waits for them, one after another. Prints how many requests each took, and how
 * long after its end the result was there. */

#include "client.h"

static double now_since_1970(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    size_t jobs = strtoul(argv[2], NULL, 10);
    fal_error *err = NULL;
    fal_client *client = client_for(argv[1], NULL);
    fal_request *request = request_for(argv[1]);
    printf("[");
    for (size_t n = 0; n < jobs; n++) {
        fal_response *response = NULL;
        double ended = 0;
        int64_t requests = 0;
        must(fal_client_subscribe(client, request, &response, &err), &err);
        double there = now_since_1970();
        must(fal_response_get_double(response, "/ended", FAL_NUL, &ended, &err), &err);
        must(fal_response_get_int(response, "/requests", FAL_NUL, &requests, &err), &err);
        printf("%s{\"requests\": %d, \"late_ms\": %.3f}", n == 0 ? "" : ", ", (int)requests, (there - ended) * 1e3);
        fal_response_free(response);
    }
    printf("]\n");
    fal_request_free(request);
    fal_client_release(client);
    return fal_shutdown(-1, NULL) != FAL_OK;
}
