//! The documents agree with the repository: cited sections and named files exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod citations;
mod dependencies;
mod files;
mod paths;
mod programs;
mod words;
