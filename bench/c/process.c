/* process COMMAND...: runs a command and prints what it took. It is small itself, because the kernel counts the memory of a process
 * from before its exec, which is that of its parent. */

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include "measure.h"

int main(int argc, char **argv)
{
    CHECK(argc > 1);
    extern char **environ;
    pid_t pid = 0;
    int status = 0;
    struct rusage usage;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    double begun = now();
    CHECK(posix_spawnp(&pid, argv[1], &quiet, NULL, argv + 1, environ) == 0);
    CHECK(wait4(pid, &status, 0, &usage) == pid);
    double seconds = now() - begun;
    CHECK(status == 0);
    printf("{\"seconds\": %.6f, \"cpu_seconds\": %.6f, \"mib\": %.3f}\n", seconds, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
           (double)usage.ru_maxrss / 1024);
    posix_spawn_file_actions_destroy(&quiet);
    return 0;
}
