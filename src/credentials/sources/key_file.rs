//! `FAL_KEY_FILE`: a file that contains only a key, or a dotenv file that sets `FAL_KEY`.

use super::{Context, Finding, Source, variable};
use crate::credentials::dotenv;
use crate::credentials::file::{self, SecretFile};
use crate::credentials::variables::NamedFile;
use crate::key::Key;

const NAME: &str = "FAL_KEY_FILE";

pub(crate) const SOURCE: Source = Source {
    name: NAME,
    skippable: true,
    read,
};

fn read(context: &Context<'_>) -> Finding {
    let text = match variable(context.environment, NAME) {
        Ok(text) => text,
        Err(finding) => return finding,
    };
    let NamedFile { path, notes } = match NamedFile::from_variable(context.environment, NAME, &text)
    {
        Ok(named) => named,
        Err(reason) => return Finding::malformed(reason).at(NAME),
    };
    let shown = file::shown(&path);
    match file::read(&path) {
        Ok(file) => key_in(&file, &shown).notes(notes),
        Err(problem) => Finding::malformed(problem.to_string())
            .at(shown)
            .notes(notes),
    }
}

fn key_in(file: &SecretFile, path: &str) -> Finding {
    let mut lines = file
        .text
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let finding = match (dotenv::assigned(&file.text), lines.next(), lines.next()) {
        (Some((line, key)), ..) => Finding::key(Key::parse(key)).at(at_line(path, line)),
        (None, None, _) => Finding::malformed("the file contains no key").at(path),
        (None, Some(_), Some((second, _))) => {
            Finding::malformed("the file has more than one line, and no line sets FAL_KEY")
                .at(at_line(path, second))
        }
        (None, Some((first, line)), None) => {
            Finding::key(Key::parse(line)).at(at_line(path, first))
        }
    };
    finding.notes(file.exposed.clone())
}

fn at_line(path: &str, index: usize) -> String {
    format!("{path}:{}", index + 1)
}
