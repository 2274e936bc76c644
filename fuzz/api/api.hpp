/* Calls the functions of fal.h in any order, with any arguments that the header allows, as the input's bytes say. */

#ifndef API_API_HPP
#define API_API_HPP

#include "world.hpp"

namespace api {

/* Makes at most `most` further calls from the world's input. */
void steps(World &world, int most);

}  // namespace api

extern "C" {
/* Runs one input of the fuzzer. Ends the process if a check fails. */
void api_run(const uint8_t *data, size_t size);
/* Calls every function `times` times. */
void api_run_each(unsigned times);
}

#endif
