/* What surrounds the functions of the tutorial in fal.h: the program's frames and what it does with a picture. */

#ifndef TUTORIAL_PROGRAM_H
#define TUTORIAL_PROGRAM_H

#include <fal/fal.h>
#include <stdio.h>
#include <time.h>

static void draw(void)
{
    struct timespec frame = {0, 16 * 1000 * 1000};
    nanosleep(&frame, NULL);
}

/* Prints the URL of the picture, or the error. One of the two is NULL. */
static void show(fal_response *result, fal_error *err)
{
    const char *url = NULL;
    if (result && fal_response_get_string(result, "/images/0/url", FAL_NUL, &url, NULL, &err) == FAL_OK)
        puts(url);
    else
        fprintf(stderr, "%s\n%s\n", fal_error_message(err, NULL), fal_error_remedy(err, NULL));
    fal_error_free(err);
    fal_response_free(result);
}

/* Starts the job of a picture. Returns NULL, and shows the error, if that fails. */
static fal_op *start(void)
{
    fal_client *client = NULL;
    fal_request *request = NULL;
    fal_op *job = NULL;
    fal_error *err = NULL;
    if (fal_client_new(NULL, &client, &err) != FAL_OK
        || fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, &err) != FAL_OK
        || fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, &err) != FAL_OK
        || fal_client_subscribe_start(client, request, &job, &err) != FAL_OK)
        show(NULL, err);
    fal_request_free(request);
    fal_client_release(client);
    return job;
}

#endif
