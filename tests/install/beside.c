/* A program that contains libfal, a second static Rust library with its own copy of ring, and OpenSSL. */

#include <fal/fal.h>
#include <openssl/evp.h>
#include <stdio.h>

/* tests/install/neighbour.rs */
int neighbour_digest(unsigned char byte);

/* The first byte of the SHA-256 of one byte. */
static int of_openssl(unsigned char byte)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    return EVP_Digest(&byte, 1, digest, &size, EVP_sha256(), NULL) == 1 && size == 32 ? digest[0] : -2;
}

static fal_status run(fal_error **err)
{
    fal_client *client = NULL;
    fal_request *request = NULL;
    fal_response *made = NULL;
    const char *url = NULL;
    fal_status status = fal_client_new(NULL, &client, err);
    if (status == FAL_OK)
        status = fal_request_new("fal-ai/flux/schnell", FAL_NUL, &request, err);
    if (status == FAL_OK)
        status = fal_request_set_string(request, "prompt", FAL_NUL, "a lighthouse", FAL_NUL, err);
    if (status == FAL_OK)
        status = fal_client_run(client, request, &made, err);
    if (status == FAL_OK)
        status = fal_response_get_string(made, "/images/0/url", FAL_NUL, &url, NULL, err);
    if (status == FAL_OK)
        puts(url);
    fal_response_free(made);
    fal_request_free(request);
    fal_client_release(client);
    return status;
}

int main(void)
{
    fal_error *err = NULL;
    int expected = of_openssl(1);
    if (neighbour_digest(1) != expected || neighbour_digest(0) != -1) {
        fprintf(stderr, "beside: the neighbour does not work\n");
        return 1;
    }
    if (run(&err) != FAL_OK) {
        fprintf(stderr, "beside: %s\n", fal_error_message(err, NULL));
        return 1;
    }
    return fal_shutdown(10000, NULL) != FAL_OK;
}
