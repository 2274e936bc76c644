//! The credentials that `CONNECT` requires, if any.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{HeaderMap, PROXY_AUTHORIZATION};
use serde::{Deserialize, Serialize};

/// The user and password of the emulator as a proxy.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProxyCredentials(String);

impl ProxyCredentials {
    /// Returns credentials of a user and a password. The password may contain colons.
    pub fn new(user: &str, password: &str) -> Self {
        Self(format!("{user}:{password}"))
    }

    /// Whether a request has the credentials, as `Proxy-Authorization: Basic …`.
    pub(super) fn come_with(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers
            .get(PROXY_AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
        else {
            return false;
        };
        let (scheme, given) = value.trim().split_once(' ').unwrap_or_default();
        scheme.eq_ignore_ascii_case("basic")
            && STANDARD
                .decode(given.trim())
                .is_ok_and(|given| given == self.0.as_bytes())
    }
}

impl fmt::Debug for ProxyCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProxyCredentials(****)")
    }
}
