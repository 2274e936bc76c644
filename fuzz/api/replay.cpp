/* Calls every function, and replays the named files: replay FILE... With API_VERBOSE=1 the last printed file is the one that
 * fails, and the last printed function is the one in which it fails. */

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "api.hpp"

int main(int argc, char **argv)
{
    api_run_each(4);
    for (int i = 1; i < argc; i++) {
        std::ifstream file(argv[i], std::ios::binary);
        std::string data{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
        if (getenv("API_VERBOSE"))
            fprintf(stderr, "%s\n", argv[i]);
        api_run(reinterpret_cast<const uint8_t *>(data.data()), data.size());
    }
    return 0;
}
