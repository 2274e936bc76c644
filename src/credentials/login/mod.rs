//! The tokens that `fal auth login` stores (docs/protocol.md §1.4).
//!
//! The official CLI owns the file and shares it with the official Python client and with this
//! library. Line 1 is the refresh token, and line 2, which is optional, is the access token. This
//! module sends no HTTP request. The caller sends the request between the two halves of a renewal:
//!
//! ```text
//! LoginFile::begin ─┬─ Begun::Fresh     another thread or process has renewed the login
//!                   └─ Begun::Refresh ── POST https://auth.fal.ai/oauth/token ─┬─ Refresh::complete
//!                        holds the locks                                       └─ Refresh::failed
//! ```
//!
//! A refresh token works once, and the response to it holds its only successor, which has to be
//! stored. So [`LoginFile::begin`] first checks that the file can be replaced, and a caller that
//! has sent the request should wait for the response, even if the access token is no longer needed.
//! All functions block on files. A function that takes a [`Wait`] also blocks on other processes.

mod error;
mod file;
mod lock;
mod refresh;
mod replacement;
mod response;
mod token;

use std::time::Duration;

pub use error::LoginError;
pub use file::{Login, LoginFile};
pub use lock::Wait;
pub use refresh::{Begun, Refresh, Renewed};
pub use token::AccessToken;

pub use crate::endpoint::AUTH_HOST;

/// The path of the token endpoint on [`AUTH_HOST`]. A renewal is a POST with the body
/// [`Refresh::form`], of type `application/x-www-form-urlencoded`.
pub const TOKEN_PATH: &str = "/oauth/token";

/// How long the official clients wait for the response.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);
