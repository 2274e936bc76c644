/* An object of each kind for calls that need one, with limits of time that a fuzzer can wait for. */

#ifndef API_GIVENS_HPP
#define API_GIVENS_HPP

#include "world.hpp"

namespace api {

/* A new one that belongs to the caller; NULL where none can be had at the moment. */
template <class T> T *give(World &world);

/* Limits what the fuzzer made itself. */
void bound(World &world, fal_options *options);
void bound(World &world, fal_request *request);
void bound(World &world, fal_job *job);
void bound(World &world, fal_upload *upload);
void bound(World &world, fal_download *download);
template <class T> void bound(World &, T *) {}

/* Frees the oldest where there are many of a kind. */
void enough(World &world);
/* Frees all of them. */
void let_go(World &world);

}  // namespace api

#endif
