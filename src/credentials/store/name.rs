//! Checks the names of profiles.

use std::fmt;

use crate::credentials::config::INTERNAL;
use crate::credentials::printable::looks_like_secret;

/// The maximum length of a name, in characters.
const LONGEST: usize = 128;

/// The minimum length, in characters, at which a name with a `:` counts as a key. fal's keys are
/// much longer.
const KEY_LIKE: usize = 17;

/// Why a name is not valid for a profile. Holds no part of the name, which may be a key in the
/// wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameProblem {
    /// The name is empty.
    Empty,
    /// The name is `__internal__`, the table with the settings of the official CLI.
    Reserved,
    /// The name has more than 128 characters.
    TooLong,
    /// The name has a control character.
    ControlCharacter,
    /// The name looks like a key, and names are printed.
    LooksLikeKey,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Reserved => write!(
                f,
                "{INTERNAL} is the table with the settings of the fal CLI"
            ),
            Self::TooLong => write!(f, "it has more than {LONGEST} characters"),
            Self::ControlCharacter => f.write_str("it has a control character"),
            Self::LooksLikeKey => f.write_str("it looks like a key, and names are printed"),
        }
    }
}

/// Checks that a profile may have this name.
pub(super) fn check(name: &str) -> Result<(), NameProblem> {
    let length = name.chars().count();
    if name.is_empty() {
        Err(NameProblem::Empty)
    } else if name == INTERNAL {
        Err(NameProblem::Reserved)
    } else if name.chars().any(char::is_control) {
        Err(NameProblem::ControlCharacter)
    } else if looks_like_secret(name) || (name.contains(':') && length >= KEY_LIKE) {
        Err(NameProblem::LooksLikeKey)
    } else if length > LONGEST {
        Err(NameProblem::TooLong)
    } else {
        Ok(())
    }
}
