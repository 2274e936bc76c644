//! A `.env` in the working directory. It is no source: what it sets reaches a program only if
//! something loads it, and many who wrote their key into one expect that something does. So the
//! report names it, if it holds a key that is not in use.

use super::file::{self, SecretFile};
use super::{Environment, SourceReport, State};
use crate::key::Key;

pub(super) const NAME: &str = ".env";

/// The line of a dotenv file that sets `FAL_KEY`: its number from 0, and the right side. The last
/// one counts, as where such files are loaded.
pub(super) fn assigned(text: &str) -> Option<(usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some((index, value(line)?)))
        .last()
}

/// The right side of `FAL_KEY=…` or `export FAL_KEY=…`.
fn value(line: &str) -> Option<&str> {
    let line = line.trim();
    let assignment = line.strip_prefix("export ").map_or(line, str::trim_start);
    assignment
        .strip_prefix("FAL_KEY")?
        .trim_start()
        .strip_prefix('=')
}

/// What is said of the file, unless there is none, or it holds no other key than the one in use, or
/// it is a source under another name.
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
    Some(SourceReport {
        source: NAME,
        state: State::Skipped,
        location: Some(format!("{shown}:{}", line + 1)),
        key_id: key.map(|key| key.printable_id()),
        notes: notes(&file, &shown),
    })
}

/// How to use it.
fn notes(file: &SecretFile, shown: &str) -> Vec<String> {
    let note = format!(
        "holds FAL_KEY, and is not read: set FAL_KEY_FILE={shown}, or load it before the program needs the key"
    );
    std::iter::once(note).chain(file.exposed.clone()).collect()
}
