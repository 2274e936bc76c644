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
