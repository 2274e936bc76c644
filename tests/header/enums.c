/* The header, included twice and first. Each enum has 32 bits, whatever the compiler's own choice is. C and C++. */

#include <fal/fal.h>
#include <fal/fal.h>

#define HAS_32_BITS(type) typedef char type##_has_32_bits[sizeof(type) == 4 ? 1 : -1]

HAS_32_BITS(fal_status);
HAS_32_BITS(fal_host);
HAS_32_BITS(fal_log_level);
HAS_32_BITS(fal_priority);
HAS_32_BITS(fal_event_type);
HAS_32_BITS(fal_workflow_type);
HAS_32_BITS(fal_when_full);
HAS_32_BITS(fal_upload_way);
HAS_32_BITS(fal_access);
