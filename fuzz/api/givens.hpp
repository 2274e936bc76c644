/* An object of each kind for the calls that need one, with short timeouts. */

#ifndef API_GIVENS_HPP
#define API_GIVENS_HPP

#include "world.hpp"

namespace api {

/* Returns a new object that the caller owns, or NULL if none can be made at the moment. */
template <class T> T *give(World &world);

/* Sets short timeouts in options that the fuzzer made. */
void bound(World &world, fal_options *options);
void bound(World &world, fal_request *request);
void bound(World &world, fal_job *job);
void bound(World &world, fal_upload *upload);
void bound(World &world, fal_download *download);
template <class T> void bound(World &, T *) {}

/* Frees the oldest object of each kind that has many. */
void enough(World &world);
/* Frees all objects. */
void let_go(World &world);

}  // namespace api

#endif
