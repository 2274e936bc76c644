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

mod callback;
mod chain;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "no source uses it yet"))]
mod command;
mod config;
mod credential;
mod environment;
mod explicit_callback;
mod explicit_key;
mod explicit_profile;
mod explicit_token;
mod file;
mod key_file;
mod key_pair;
mod key_variable;
pub mod login;
mod options;
mod profile;
mod provider;
mod report;
mod rfc3339;
mod source;
pub mod store;

pub(crate) use callback::Delivered;
pub use callback::{Answer, Callback};
pub use chain::resolve;
pub use credential::{Credential, Token, TokenProblem};
pub(crate) use environment::Variable;
pub use environment::{Environment, Platform};
pub use options::Options;
pub(crate) use provider::Provider;
pub use report::{Problem, Resolution, SourceReport, State};
