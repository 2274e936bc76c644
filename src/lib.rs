//! See the repository's README.
