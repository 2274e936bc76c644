//! Reads the variables that name a file or a folder, and describes variables that cannot be used.

use std::path::PathBuf;

use super::environment::{Environment, Platform, Variable};
use crate::key::Note;

pub(crate) fn blank(name: &str) -> String {
    format!("{name} is set but empty")
}

pub(crate) fn not_unicode(name: &str) -> String {
    format!("{name} is not valid Unicode")
}

/// The path that a variable names, and remarks about the text of the variable.
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) notes: Vec<String>,
}

impl NamedFile {
    /// Reads a path from the text of the variable `name`. Expands a leading `~`, and returns the
    /// reason if that fails.
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
            // A Windows file name contains no quotes, and `set` of cmd.exe keeps the quotes that
            // surround a value.
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

/// Where the user keeps a file or a folder.
pub(crate) enum Place {
    /// In the place that the variable names.
    Named(NamedFile),
    /// In `.fal` in the home directory, because the variable is unset or blank.
    Default(NamedFile),
    /// The variable is unset or blank, and the home directory is unknown. Holds remarks.
    Unknown(Vec<String>),
}

impl Place {
    /// Reads the variable `name`. Returns the reason if the variable is malformed.
    pub(crate) fn of(environment: &Environment, name: &'static str) -> Result<Self, String> {
        let notes = match environment.variable(name) {
            Variable::NotUnicode => return Err(not_unicode(name)),
            Variable::Set(text) => {
                return NamedFile::from_variable(environment, name, &text).map(Self::Named);
            }
            Variable::Blank => vec![blank(name)],
            Variable::Unset => Vec::new(),
        };
        Ok(match environment.home() {
            Some(home) => Self::Default(NamedFile {
                path: home.join(".fal"),
                notes,
            }),
            None => Self::Unknown(notes),
        })
    }
}

/// Removes white space around the text of the variable `name`. Adds a remark if there was any.
pub(crate) fn trimmed<'t>(name: &str, text: &'t str) -> (&'t str, Vec<String>) {
    let inner = text.trim();
    let changed = inner.len() < text.len();
    let note = changed.then(|| format!("{name}: {}", Note::WhiteSpace));
    (inner, note.into_iter().collect())
}
