//! What a process writes down: one line at a time into a file that it shares with its children,
//! without a lock, which a fork could leave locked.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

static FILE: OnceLock<std::fs::File> = OnceLock::new();

/// Begins to write to this file.
pub(crate) fn open(path: &Path) {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap();
    FILE.set(file).ok().unwrap();
}

fn write(kind: &str, text: &str) {
    let line = format!(
        "{kind} {}\n",
        text.replace('\\', "\\\\").replace('\n', "\\n")
    );
    if let Some(mut file) = FILE.get() {
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// How an operation ended.
pub(crate) fn ended(entry: &Value) {
    write("ended", &entry.to_string());
}

/// What the library let the host see: searched for secrets.
pub(crate) fn said(text: &str) {
    write("said", text);
}

/// Something is not as it should be.
pub(crate) fn wrong(text: &str) {
    write("wrong", text);
}

/// For the summary.
pub(crate) fn counted(text: &str) {
    write("count", text);
}

/// Every line of such a file: its kind, and its text.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.lines().filter_map(|line| {
        let (kind, text) = line.split_once(' ')?;
        Some((kind, unescaped(text)))
    })
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => plain.push(if letters.next() == Some('n') {
                '\n'
            } else {
                '\\'
            }),
            _ => plain.push(letter),
        }
    }
    plain
}
