//! The tokens that `fal auth login` leaves behind (docs/protocol.md §1.4).
//!
//! The file belongs to the official CLI and is shared with it and with the official Python client:
//! line 1 is the refresh token, an optional line 2 the access token. Nothing here does HTTP. A
//! renewal has two halves around the request that the caller makes:
//!
//! ```text
//! LoginFile::begin ─┬─ Begun::Fresh     another thread or process was faster: no request
//!                   └─ Begun::Refresh ── POST https://auth.fal.ai/oauth/token ─┬─ Refresh::complete
//!                        holds the locks                                       └─ Refresh::failed
//! ```
//!
//! A refresh token works once: whoever sends it must store its successor. Hence nothing is sent
//! before the file was found to be replaceable, and a request that was sent should be waited for,
//! even if nobody needs the token any more. All functions block on files, and those that take a
//! [`Wait`] also on other processes.

mod answer;
mod error;
mod file;
mod lock;
mod refresh;
mod replacement;
mod token;

use std::time::Duration;

pub use error::LoginError;
pub use file::{Login, LoginFile};
pub use lock::Wait;
pub use refresh::{Begun, Refresh, Renewed};
pub use token::AccessToken;

pub use crate::endpoint::AUTH_HOST;

/// The path there; the method is POST, the body [`Refresh::form`], of type
/// `application/x-www-form-urlencoded`.
pub const TOKEN_PATH: &str = "/oauth/token";

/// How long the official clients wait for the answer.
pub const REFRESH_TIMEOUT: Duration = Duration::from_secs(30);
