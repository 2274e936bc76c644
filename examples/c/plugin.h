/* What a plug-in exports to its host. */

#ifndef PLUGIN_H
#define PLUGIN_H

/* What outlives the plug-in: the host keeps it between two loads. */
struct plugin_state {
    char job[64]; /* fal's id of the job; empty if there is none */
};

/* Starts the job, or goes on waiting for it. Returns 0 on success. */
typedef int plugin_begin(const struct plugin_state *state);
/* Does the work of one frame. Returns 1 when the job has ended. */
typedef int plugin_frame(struct plugin_state *state);
/* Frees everything, so that the plug-in can be unloaded. Returns 0 on success. */
typedef int plugin_end(struct plugin_state *state);

#endif
