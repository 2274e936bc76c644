//! The apps that are code. Each file describes its input.

pub(super) mod bytes;
pub(super) mod echo;
pub(super) mod fail;
pub(super) mod flux;
pub(in crate::apps) mod job;
pub(super) mod slow;
pub(super) mod stream;
