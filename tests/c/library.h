/* The shared library as a host of plug-ins uses it: opened by its path, its functions found by name. The including file defines
 * FUNCTIONS(F), which names the functions in use. */

#ifndef LIBRARY_H
#define LIBRARY_H

#include <dlfcn.h>

#include "support.h"

#define DECLARE(name) __typeof__(name) *name;
static struct {
    void *handle;
    FUNCTIONS(DECLARE)
} library;

static bool library_open(const char *path)
{
    library.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!check_record(library.handle != NULL, __FILE__, __LINE__, "dlopen", library.handle ? "" : dlerror()))
        return false;
    bool whole = true;
/* ISO C has no cast from the void pointer of dlsym(); POSIX requires this one. */
#define LOOK_UP(name) *(void **)(&library.name) = dlsym(library.handle, #name);
    FUNCTIONS(LOOK_UP)
#define IS_THERE(name) whole &= CHECK(library.name != NULL);
    FUNCTIONS(IS_THERE)
    return whole;
}

/* Returns a request whose input may say how long it takes. */
static fal_request *library_request(const char *endpoint, int64_t ms)
{
    fal_request *request = NULL;
    CHECK_INT(library.fal_request_new(endpoint, FAL_NUL, &request, NULL), FAL_OK);
    CHECK_INT(library.fal_request_set_int(request, "ms", FAL_NUL, ms, NULL), FAL_OK);
    return request;
}

/* Starts an operation by fal_client_run_start() or one of its kind. Frees the request. */
static fal_op *library_start(__typeof__(fal_client_run_start) *verb, const fal_client *client, fal_request *request)
{
    fal_op *op = NULL;
    CHECK_INT(verb(client, request, &op, NULL), FAL_OK);
    library.fal_request_free(request);
    return op;
}

/* Whether a file whose path contains this text is mapped into the process. */
static bool is_mapped(const char *path)
{
    char line[1024];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        found |= strstr(line, path) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

#endif
