//! What authorizes a request.

use std::fmt;

use zeroize::Zeroizing;

use crate::key::Key;

/// What authorizes a request.
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
    /// None: the endpoint is public, or a proxy holds the key.
    Anonymous,
}

impl Credential {
    /// The text that must show nowhere.
    pub(crate) fn secret(&self) -> Option<&str> {
        match self {
            Credential::Key(key) => Some(key.expose_secret()),
            Credential::Bearer(token) | Credential::AppToken(token) => Some(token.expose_secret()),
            Credential::Anonymous => None,
        }
    }
}

/// A token: a secret without a public half. Zeroized when dropped; `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

/// A token longer than this is none; those of fal have a few kilobytes at the most.
const LONGEST: usize = 16 * 1024;

impl Token {
    /// Reads a token; surrounding white space is dropped.
    ///
    /// # Errors
    ///
    /// The text is empty, too long, or has a character that no token has. The error holds nothing
    /// of it.
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

    /// A text that is sent and must not show, whatever its form.
    pub(crate) fn of_any_form(text: Zeroizing<String>) -> Self {
        Token(text)
    }

    /// The token itself.
    pub fn expose_secret(&self) -> &str {
        &self.0
    }

    /// The value of the `Authorization` header: `Bearer <token>` (docs/protocol.md §2.1).
    pub(crate) fn authorization(&self) -> Zeroizing<String> {
        // Written into a buffer of the final size: growing would leave copies of the secret behind.
        let mut header = Zeroizing::new(String::with_capacity("Bearer ".len() + self.0.len()));
        header.push_str("Bearer ");
        header.push_str(&self.0);
        header
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(****)")
    }
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenProblem {
    /// There is nothing.
    Empty,
    /// More than 16 KiB.
    TooLong,
    /// A character that no token has.
    Character,
}

impl fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TokenProblem::Empty => "the token is empty",
            TokenProblem::TooLong => "the token is too long",
            TokenProblem::Character => "the token has a character that no token has",
        })
    }
}

impl std::error::Error for TokenProblem {}
