/* The functions of fal.h in any order, with any arguments that the header allows, as bytes say. */

#ifndef API_API_HPP
#define API_API_HPP

#include "world.hpp"

namespace api {

/* Goes on with a world's input for at most so many calls. */
void steps(World &world, int most);

}  // namespace api

extern "C" {
/* One input of the fuzzer. Ends the process if something does not hold. */
void api_run(const uint8_t *data, size_t size);
/* Calls every function so many times. */
void api_run_each(unsigned times);
}

#endif
