/* Valid texts for functions, which random bytes would rarely form. Functions that take a file or a host get no other texts. */

#ifndef API_WORDS_HPP
#define API_WORDS_HPP

#include <string>

#include "world.hpp"

namespace api {

/* The folder for the host's files, created once and removed when the process ends. */
const std::string &sandbox();

/* No returned string may contain these, except that of fal_new_key_secret(). */
extern const char PLANTED_KEY[], PLANTED_SECRET[];

/* Returns the text for a function's parameter; `index` counts the function's texts. */
std::string text_for(World &world, const std::string &function, size_t index);

}  // namespace api

#endif
