/* What a compiler of C++17 refuses: each of these with -DCASE=1 to 3. Without it there is no fault. */

#include <fal/fal.h>

fal_status tried(fal_socket_options *options, const fal_op *op)
{
#if CASE == 1
    /* An ignored status. */
    fal_op_wait(op, -1, nullptr);
#elif CASE == 2
    /* Arguments in the wrong order. */
    return fal_socket_options_set_queue(options, FAL_WHEN_FULL_KEEP_NEWEST, 1, nullptr);
#elif CASE == 3
    /* A constant of another family. */
    return fal_socket_options_set_queue(options, 1, FAL_LOG_WARN, nullptr);
#endif
    (void)fal_op_wait(op, -1, nullptr);
    return fal_socket_options_set_queue(options, 1, FAL_WHEN_FULL_KEEP_NEWEST, nullptr);
}
