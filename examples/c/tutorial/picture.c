/* The first program of the tutorial in fal.h: prints the URL of a picture. */

/* In fal.h: */
#include <fal/fal.h>
#include <stdio.h>

int main(void)
{
    fal_client *client = NULL;
    fal_request *request = NULL;
    fal_response *result = NULL;
    const char *url = NULL;
    fal_error *err = NULL;

    bool made = fal_client_new(NULL, &client, &err) == FAL_OK
        && fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, &err) == FAL_OK
        && fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, &err) == FAL_OK
        && fal_client_subscribe(client, request, &result, &err) == FAL_OK
        && fal_response_get_string(result, "/images/0/url", FAL_NUL, &url, NULL, &err) == FAL_OK;
    if (made)
        puts(url);
    else
        fprintf(stderr, "%s\n%s\n", fal_error_message(err, NULL), fal_error_remedy(err, NULL));
    fal_error_free(err);
    fal_response_free(result);
    fal_request_free(request);
    fal_client_release(client);
    return made ? 0 : 1;
}
