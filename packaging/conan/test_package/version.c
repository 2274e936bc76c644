#include <fal/fal.h>
#include <stdio.h>

int main(void)
{
    printf("libfal %s\n", fal_version());
    return fal_abi_version() != FAL_ABI_VERSION;
}
