/* A host that reloads its plug-in while a job of the plug-in runs at fal. The plug-in brings libfal, which goes with it.
 *
 * usage: host PLUGIN [RELOADS]
 */

#define _POSIX_C_SOURCE 200809L

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin.h"

/* Whether a library of this name is in memory (Linux). */
static int is_loaded(const char *name)
{
    char line[1024];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        found |= strstr(line, name) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

static void draw_a_frame(void)
{
    struct timespec frame = {0, 16 * 1000 * 1000};
    nanosleep(&frame, NULL);
}

struct plugin {
    void *library;
    plugin_begin *begin;
    plugin_frame *frame;
    plugin_end *end;
};

static int load(struct plugin *plugin, const char *path)
{
    plugin->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin->library) {
        fprintf(stderr, "error: %s\n", dlerror());
        return 1;
    }
    /* ISO C has no cast from the void pointer of dlsym(); POSIX requires this one. */
    *(void **)(&plugin->begin) = dlsym(plugin->library, "begin");
    *(void **)(&plugin->frame) = dlsym(plugin->library, "frame");
    *(void **)(&plugin->end) = dlsym(plugin->library, "end");
    return plugin->begin && plugin->frame && plugin->end ? 0 : 1;
}

/* Loads the plug-in for at most this many frames. Returns 1 if its job has ended, 0 if not, and -1 on failure. */
static int live(const char *path, struct plugin_state *state, int frames)
{
    struct plugin plugin;
    int ended = 0;
    if (load(&plugin, path) != 0 || plugin.begin(state) != 0)
        return -1;
    while (!ended && frames-- > 0) {
        ended = plugin.frame(state);
        draw_a_frame();
    }
    if (plugin.end(state) != 0 || dlclose(plugin.library) != 0 || is_loaded("libfal"))
        return -1;
    printf("unloaded; the job is %s\n", ended ? "done" : state->job);
    return ended;
}

int main(int argc, char **argv)
{
    enum { FRAMES = 8, MOST_FRAMES = 100000 };
    struct plugin_state state = {""};
    int reloads = argc > 2 ? atoi(argv[2]) : 3;
    int ended = 0;
    if (argc < 2) {
        fputs("usage: host PLUGIN [RELOADS]\n", stderr);
        return 2;
    }
    while (ended == 0 && reloads-- > 0)
        ended = live(argv[1], &state, FRAMES);
    if (ended == 0)
        ended = live(argv[1], &state, MOST_FRAMES);
    return ended == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
