/* The steps of a host before it needs a key, one for each run: untouched LIBRARY load|client|explain|call */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fal/fal.h>

#define FUNCTIONS(F) \
    F(fal_options_new) F(fal_options_free) F(fal_options_set_timeout_ms) F(fal_client_new) F(fal_client_release) \
    F(fal_credentials_explain) F(fal_credentials_free) F(fal_request_new) F(fal_client_run) F(fal_shutdown)

static struct {
    fal_options *(*fal_options_new)(void);
    void (*fal_options_free)(fal_options *);
    fal_status (*fal_options_set_timeout_ms)(fal_options *, int64_t, fal_error **);
    fal_status (*fal_client_new)(const fal_options *, fal_client **, fal_error **);
    void (*fal_client_release)(fal_client *);
    fal_status (*fal_credentials_explain)(const fal_options *, fal_credentials **, fal_error **);
    void (*fal_credentials_free)(fal_credentials *);
    fal_status (*fal_request_new)(const char *, size_t, fal_request **, fal_error **);
    fal_status (*fal_client_run)(const fal_client *, const fal_request *, fal_response **, fal_error **);
    fal_status (*fal_shutdown)(int64_t, fal_error **);
} library;

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "untouched: %s\n", what);
    exit(1);
}

static void look_up(void *handle)
{
#define LOOK_UP(name) \
    *(void **)(&library.name) = dlsym(handle, #name); \
    must(library.name != NULL, #name);
    FUNCTIONS(LOOK_UP)
}

/* This call fails, because no server listens on the emulator's address. */
static void call(const fal_client *client)
{
    fal_request *request = NULL;
    fal_response *response = NULL;
    must(library.fal_request_new("emulator/echo", FAL_NUL, &request, NULL) == FAL_OK, "fal_request_new");
    must(library.fal_client_run(client, request, &response, NULL) != FAL_OK, "somebody answered");
    must(library.fal_shutdown(10000, NULL) == FAL_OK, "fal_shutdown");
}

int main(int argc, char **argv)
{
    must(argc == 3, "untouched LIBRARY load|client|explain|call");
    void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    must(handle != NULL, "dlopen");
    look_up(handle);
    if (strcmp(argv[2], "load") == 0)
        return 0;
    fal_options *options = library.fal_options_new();
    fal_client *client = NULL;
    must(library.fal_options_set_timeout_ms(options, 300, NULL) == FAL_OK, "fal_options_set_timeout_ms");
    must(library.fal_client_new(options, &client, NULL) == FAL_OK, "fal_client_new");
    if (strcmp(argv[2], "explain") == 0) {
        fal_credentials *credentials = NULL;
        must(library.fal_credentials_explain(options, &credentials, NULL) == FAL_OK, "fal_credentials_explain");
        library.fal_credentials_free(credentials);
    }
    if (strcmp(argv[2], "call") == 0)
        call(client);
    library.fal_client_release(client);
    library.fal_options_free(options);
    return 0;
}
