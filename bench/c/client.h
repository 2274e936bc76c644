/* A client of libfal for the server of the benchmark, configured as the README tells users to. */

#ifndef CLIENT_H
#define CLIENT_H

#include <fal/fal.h>

#include "measure.h"

static inline void must(fal_status status, fal_error **err)
{
    if (status != FAL_OK) {
        fprintf(stderr, "%s\n", fal_error_message(*err, NULL));
        exit(1);
    }
}

/* The client of a URL's host. With a certificate it speaks TLS to that host as to fal's. */
static inline fal_client *client_for(const char *url, const char *ca)
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

/* The endpoint that a URL names. */
static inline const char *endpoint_of(const char *url)
{
    return strchr(strstr(url, "://") + 3, '/') + 1;
}

static inline fal_request *request_for(const char *url)
{
    fal_error *err = NULL;
    fal_request *request = NULL;
    must(fal_request_new(endpoint_of(url), FAL_NUL, &request, &err), &err);
    must(fal_request_set_body_json(request, INPUT, FAL_NUL, &err), &err);
    return request;
}

#endif
