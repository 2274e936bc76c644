//! The records of a process: each is one write of one line to a file that the process shares with
//! its children. There is no lock, because a fork could leave it locked.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

static FILE: OnceLock<std::fs::File> = OnceLock::new();

/// Opens the file for the records.
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

/// Records how an operation ended.
pub(crate) fn ended(entry: &Value) {
    write("ended", &entry.to_string());
}

/// Records a text that the library gave to the host, to be searched for secrets.
pub(crate) fn said(text: &str) {
    write("said", text);
}

/// Records a fault of the library.
pub(crate) fn wrong(text: &str) {
    write("wrong", text);
}

/// Records a count for the summary.
pub(crate) fn counted(text: &str) {
    write("count", text);
}

/// Returns the kind and text of each line of such a file.
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
