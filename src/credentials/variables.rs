//! The text of a variable, and the file that it names.

use std::path::PathBuf;

use super::environment::{Environment, Platform};
use crate::key::Note;

pub(crate) fn blank(name: &str) -> String {
    format!("{name} is set but empty")
}

pub(crate) fn not_unicode(name: &str) -> String {
    format!("{name} is not valid Unicode")
}

/// A variable that names a file: the path, and what was dropped from around its text.
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) notes: Vec<String>,
}

impl NamedFile {
    /// Expands a leading `~`. The error is the reason why that failed.
    pub(crate) fn from_variable(
        environment: &Environment,
        name: &'static str,
        text: &str,
    ) -> Result<Self, String> {
        let (text, mut notes) = trimmed(name, text);
        let text = match text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
        {
            // No name there has one; `set` of its command line keeps those around the value.
            Some(inner) if environment.platform() == Platform::Windows => {
                notes.push(format!("{name}: {}", Note::Quotes));
                inner
            }
            _ => text,
        };
        match environment.expand(text) {
            Some(path) => Ok(Self { path, notes }),
            None => Err(format!(
                "{name} starts with `~`, and the home directory is unknown"
            )),
        }
    }
}

/// The text without surrounding white space, and a note if there was any.
pub(crate) fn trimmed<'t>(name: &str, text: &'t str) -> (&'t str, Vec<String>) {
    let inner = text.trim();
    let changed = inner.len() < text.len();
    let note = changed.then(|| format!("{name}: {}", Note::WhiteSpace));
    (inner, note.into_iter().collect())
}
