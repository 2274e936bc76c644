//! Storing keys in the configuration file. Every secret here contains `fake-secret`, and every
//! message is searched for it.

// clippy.toml allows these in test functions, but not in their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "store/failures.rs"]
mod failures;
#[path = "store/files.rs"]
mod files;
#[path = "store/names.rs"]
mod names;
#[path = "store/place.rs"]
mod place;
#[cfg(target_os = "linux")]
#[path = "system_calls.rs"]
mod system_calls;
#[path = "store/texts.rs"]
mod texts;
#[path = "store/together.rs"]
mod together;
