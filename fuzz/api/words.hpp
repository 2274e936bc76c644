/* Texts that get further than chance, and the ones that are the only ones allowed: no fuzzer names files and hosts. */

#ifndef API_WORDS_HPP
#define API_WORDS_HPP

#include <string>

#include "world.hpp"

namespace api {

/* Where files of the host's lie: made once, removed when the process ends. */
const std::string &sandbox();

/* What no string may contain that comes out, but for fal_new_key_secret(). */
extern const char PLANTED_KEY[], PLANTED_SECRET[];

/* The next text for a function, whose so-and-so-manieth it is. */
std::string text_for(World &world, const std::string &function, size_t index);

}  // namespace api

#endif
