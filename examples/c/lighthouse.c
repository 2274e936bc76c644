/* Prints the URL of a picture. */

#include <fal/fal.h>
#include <stdio.h>

int main(void)
{
    fal_client *client = NULL;
    fal_request *request = NULL;
    fal_response *made = NULL;
    fal_error *err = NULL;
    const char *url = NULL;

    if (fal_client_new(NULL, &client, &err) == FAL_OK
        && fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, &err) == FAL_OK
        && fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, &err) == FAL_OK
        && fal_client_run(client, request, &made, &err) == FAL_OK
        && fal_response_get_string(made, "/images/0/url", FAL_NUL, &url, NULL, &err) == FAL_OK)
        puts(url);
    else
        fprintf(stderr, "%s\n%s\n", fal_error_message(err, NULL), fal_error_remedy(err, NULL));
    return err != NULL;
}
