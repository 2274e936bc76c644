//! Where a key comes from: one file per source, and the chain that tries them.
//!
//! Nothing is read before [`resolve`] is called; it uses no network and starts nothing. The sources, in order:
//!
//! | Source | What it is |
//! |---|---|
//! | `explicit key` | the key the caller passed |
//! | `explicit profile` | the profile the caller named |
//! | `FAL_KEY` | the variable |
//! | `FAL_KEY_ID + FAL_KEY_SECRET` | the two variables |
//! | `FAL_KEY_FILE` | the file the variable names |
//! | `profile` | the profile that `FAL_PROFILE` or the configuration file chooses |
//!
//! `FAL_FORCE_AUTH_BY_USER=1` skips the last four. [`Resolution`] tells what became of each.

#[cfg(all(test, unix))]
mod alone;
mod chain;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "no source uses it yet"))]
mod command;
mod config;
mod environment;
mod explicit_key;
mod explicit_profile;
mod file;
mod key_file;
mod key_pair;
mod key_variable;
#[cfg(all(feature = "keyring", not(any(target_os = "ios", target_os = "android"))))]
#[cfg_attr(not(test), expect(dead_code, reason = "no source uses it yet"))]
mod keyring;
mod options;
mod profile;
mod report;
mod rfc3339;
mod source;

pub use chain::resolve;
pub(crate) use environment::Variable;
pub use environment::{Environment, Platform};
pub use options::Options;
pub use report::{Problem, Resolution, SourceReport, State};

use crate::key::Key;

/// What authorizes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A key.
    Key(Key),
    /// None: the endpoint is public, or a proxy holds the key.
    Anonymous,
}
