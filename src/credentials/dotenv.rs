//! A `.env` in the working directory. It is not a source, but many users expect that it is read. So
//! the report mentions it if it sets a key that is not in use.

use super::environment::Environment;
use super::file;
use super::report::{SourceReport, State};
use crate::key::Key;

pub(super) const NAME: &str = ".env";

/// Returns the last line of a dotenv file that sets `FAL_KEY`: its index from 0, and the value.
/// Loaders of such files use the last line, too.
pub(super) fn assigned(text: &str) -> Option<(usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some((index, value(line)?)))
        .last()
}

/// Returns the value in a line `FAL_KEY=…` or `export FAL_KEY=…`.
fn value(line: &str) -> Option<&str> {
    let line = line.trim();
    let assignment = line.strip_prefix("export ").map_or(line, str::trim_start);
    assignment
        .strip_prefix("FAL_KEY")?
        .trim_start()
        .strip_prefix('=')
}

/// Returns the report of the file. Returns `None` if the file does not set `FAL_KEY`, sets the key
/// in use, or is the file of one of `sources`.
pub(super) fn report(
    environment: &Environment,
    sources: &[SourceReport],
    in_use: Option<&Key>,
) -> Option<SourceReport> {
    let path = environment.working_directory()?.join(NAME);
    let file = file::read(&path).ok()?;
    let (line, value) = assigned(&file.text)?;
    let key = Key::parse(value).ok().map(|(key, _)| key);
    if key.is_some() && key.as_ref() == in_use {
        return None;
    }
    let shown = file::shown(&path);
    let is_it = |location: &String| location.starts_with(&shown);
    if sources
        .iter()
        .any(|source| source.location.as_ref().is_some_and(is_it))
    {
        return None;
    }
    let note = format!(
        "holds FAL_KEY, and is not read: set FAL_KEY_FILE={shown}, or load it before the program needs the key"
    );
    Some(SourceReport {
        source: NAME,
        state: State::Skipped,
        location: Some(format!("{shown}:{}", line + 1)),
        key_id: key.map(|key| key.printable_id()),
        notes: std::iter::once(note).chain(file.exposed).collect(),
    })
}
