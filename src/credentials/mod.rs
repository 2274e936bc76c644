//! Where a key comes from: the sources, and the chain that reads them in order.
//!
//! Only [`resolve`] reads sources. It uses no network, and starts no program and no thread. The
//! sources, in order:
//!
//! | Source | What it is |
//! |---|---|
//! | `explicit key` | the key the caller passed |
//! | `explicit token` | the short-lived token the caller passed |
//! | `explicit profile` | the profile the caller named |
//! | `explicit callback` | the caller's function that returns a key or a token |
//! | `FAL_KEY` | the variable |
//! | `FAL_KEY_ID + FAL_KEY_SECRET` | the two variables |
//! | `FAL_KEY_FILE` | the file that the variable names |
//! | `FAL_KEY_COMMAND` | a program that prints the key |
//! | `profile` | the profile that `FAL_PROFILE` or the configuration file selects: its `key`, else its `key_command` |
//! | `keyring` | the system keyring, if the caller or `FAL_KEYRING=1` enables it |
//! | `Colab` | the secret `FAL_KEY` of a Google Colab notebook, from Python only |
//! | `login` | the tokens of `fal auth login` |
//!
//! The report also names places that users may take for a source: a `.env` in the working directory
//! that sets `FAL_KEY`, and variables with names that other clients use for `FAL_KEY`.
//!
//! `FAL_FORCE_AUTH_BY_USER=1` skips the sources from `FAL_KEY` to `Colab`. [`Resolution`] reports
//! the state of each source.

mod callback;
mod chain;
mod command;
mod config;
mod credential;
mod description;
mod dotenv;
mod environment;
mod file;
#[cfg(all(
    feature = "keyring",
    not(any(target_os = "ios", target_os = "android"))
))]
pub(crate) mod keyring;
pub mod login;
mod options;
mod printable;
#[cfg(all(test, unix))]
mod process_tests;
mod provider;
mod report;
mod secret_json;
mod sources;
pub mod store;
mod variables;

pub use callback::{Answer, Callback};
pub(crate) use callback::{Delivered, Undelivered};
pub(crate) use chain::Deciding;
pub use chain::resolve;
pub(crate) use command::{DEFAULT_TIMEOUT as COMMAND_TIMEOUT, KeyCommand};
pub use credential::{Credential, Token, TokenProblem};
pub(crate) use environment::Variable;
pub use environment::{Environment, Platform};
pub use options::Options;
pub(crate) use provider::Provider;
pub use report::{Problem, Resolution, SourceReport, State};
pub use sources::system_keyring::{remove_from_keyring, store_in_keyring};
