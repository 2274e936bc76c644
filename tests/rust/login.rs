//! The tokens of `fal auth login`. Every token here contains `fake-secret`, and all output is
//! searched for it.

// clippy.toml allows these in test functions, but not in their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "login/files.rs"]
mod files;
#[path = "login/home.rs"]
mod home;
#[path = "login/locks.rs"]
mod locks;
#[path = "login/official.rs"]
mod official;
#[cfg(unix)]
#[path = "login/powerless.rs"]
mod powerless;
#[path = "login/races.rs"]
mod races;
#[path = "login/renewal.rs"]
mod renewal;
#[cfg(target_os = "linux")]
#[path = "system_calls.rs"]
mod system_calls;
