//! What a profile may be called.

use std::fmt;

use crate::credentials::config::INTERNAL;
use crate::credentials::printable::looks_like_secret;

/// The longest name, in characters.
const LONGEST: usize = 128;

/// From how many characters on a text with a `:` is taken for a key. fal's are longer by far.
const KEY_LIKE: usize = 17;

/// Why a text is no name for a profile. Holds no part of it: it may be a key in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameProblem {
    /// Nothing.
    Empty,
    /// `__internal__`, where the settings of the official CLI are.
    Reserved,
    /// More than 128 characters.
    TooLong,
    /// A control character.
    ControlCharacter,
    /// It looks like a key, and a name is printed.
    LooksLikeKey,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Reserved => write!(f, "{INTERNAL} holds the settings of the fal CLI"),
            Self::TooLong => write!(f, "more than {LONGEST} characters"),
            Self::ControlCharacter => f.write_str("it has a control character"),
            Self::LooksLikeKey => f.write_str("it looks like a key, and names are printed"),
        }
    }
}

/// Whether a profile may have this name.
pub(super) fn check(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        Err(NameProblem::Empty)
    } else if name == INTERNAL {
        Err(NameProblem::Reserved)
    } else if name.chars().any(char::is_control) {
        Err(NameProblem::ControlCharacter)
    } else if looks_like_key(name) {
        Err(NameProblem::LooksLikeKey)
    } else if name.chars().count() > LONGEST {
        Err(NameProblem::TooLong)
    } else {
        Ok(())
    }
}

/// A whole key, or the secret half of one.
fn looks_like_key(name: &str) -> bool {
    let is_whole = name.contains(':') && name.chars().count() >= KEY_LIKE;
    is_whole || looks_like_secret(name)
}
