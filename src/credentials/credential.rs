//! The credential of a request.

use std::fmt;

use zeroize::Zeroizing;

use crate::key::Key;

/// A credential, which authorizes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Credential {
    /// A key: `Authorization: Key id:secret`.
    Key(Key),
    /// A token of `fal auth login`: `Authorization: Bearer …` (docs/protocol.md §2.1).
    Bearer(Token),
    /// A short-lived token for some apps: the query parameter `fal_jwt_token`, on the run host only
    /// (docs/protocol.md §1.1, §7.1).
    AppToken(Token),
    /// No credential: the endpoint is public, or a proxy holds the key.
    Anonymous,
}

impl Credential {
    /// Returns the secret part, which must not appear in logs and errors.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Credential::Key(key) => Some(key.expose_secret()),
            Credential::Bearer(token) | Credential::AppToken(token) => Some(token.expose_secret()),
            Credential::Anonymous => None,
        }
    }
}

/// A token: a secret without a public half. Zeroized on drop. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// The maximum length of a token, in bytes. Tokens of fal have a few kilobytes at most.
const LONGEST: usize = 16 * 1024;

impl Token {
    /// Parses a token. Ignores white space around it.
    ///
    /// # Errors
    ///
    /// A [`TokenProblem`], which contains no part of the text.
    pub fn parse(text: &str) -> Result<Self, TokenProblem> {
        let text = text.trim();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        match text.len() {
            0 => Err(TokenProblem::Empty),
            length if length > LONGEST => Err(TokenProblem::TooLong),
            _ if !text.bytes().all(plain) => Err(TokenProblem::Character),
            _ => Ok(Token(Zeroizing::new(text.to_owned()))),
        }
    }

    /// Wraps a secret text without checking its form.
    pub(crate) fn of_any_form(text: Zeroizing<String>) -> Self {
        Token(text)
    }

    /// Returns the token itself.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// Returns the value of the `Authorization` header: `Bearer <token>` (docs/protocol.md §2.1).
    pub(crate) fn authorization(&self) -> Zeroizing<String> {
        bearer(&self.0)
    }
}

/// Returns the value of the `Authorization` header for a bearer token.
pub(super) fn bearer(token: &str) -> Zeroizing<String> {
    // A buffer of the final size: a string that grows leaves copies of the secret in memory.
    let mut header = Zeroizing::new(String::with_capacity("Bearer ".len() + token.len()));
    header.push_str("Bearer ");
    header.push_str(token);
    header
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(****)")
    }
}

/// Why a text is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenProblem {
    /// The text is empty or white space.
    Empty,
    /// The text is longer than 16 KiB.
    TooLong,
    /// The text contains a character other than ASCII letters, digits and `-._~+/=`.
    Character,
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenProblem::Empty => "the token is empty",
            TokenProblem::TooLong => "the token is too long",
            TokenProblem::Character => "the token contains a character that is not allowed",
        })
    }
}

impl std::error::Error for TokenProblem {}
