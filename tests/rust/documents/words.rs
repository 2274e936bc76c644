//! Comments and pages are in plain technical English: words that make a reader guess who does what
//! are not used.

use crate::files;

/// A word or a phrase, and what to write in its place.
const UNCLEAR: [(&str, &str); 13] = [
    ("he", "the user, the host, the caller"),
    ("him", "the user, the host, the caller"),
    ("nobody", "no thread, no caller, nothing"),
    ("anybody", "any thread, any caller"),
    ("somebody", "another thread, the caller"),
    ("everybody", "every user, every caller"),
    ("whoever", "the caller that, the thread that"),
    ("as usual", "by default"),
    ("be had", "be reached"),
    ("goes along", "is sent with it"),
    ("becomes of", "happens to"),
    ("wishes", "options"),
    ("lent", "borrowed"),
];

/// The unclear words of a text.
fn unclear(text: &str) -> impl Iterator<Item = String> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let text = format!(" {} ", words.join(" "));
    UNCLEAR
        .into_iter()
        .filter(move |(word, _)| text.contains(&format!(" {word} ")))
        .map(|(word, better)| format!("{word:?}: write {better}"))
}

/// The comment of a line of Rust or C, if the line is one.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let text = line
        .strip_prefix("//")
        .or_else(|| line.strip_prefix("* "))?;
    Some(text.trim_start_matches(['/', '!', ' ']))
}

#[test]
fn comments_and_pages_use_clear_words() {
    let folders = [
        "src",
        "include",
        "bindings/python/src",
        "docs",
        "tests/rust",
    ]
    .map(files::below);
    let mut found = Vec::new();
    for file in folders
        .concat()
        .into_iter()
        .chain(files::pages_at_the_root())
    {
        let is_page = file.ends_with(".md");
        // It quotes what fal says.
        if file == "docs/protocol.md" {
            continue;
        }
        for (number, line) in files::read(&file).lines().enumerate() {
            let text = if is_page { Some(line) } else { comment(line) };
            let unclear = text.into_iter().flat_map(unclear);
            found.extend(unclear.map(|what| format!("{file}:{}: {what}", number + 1)));
        }
    }
    assert!(
        found.is_empty(),
        "{} places:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn an_unclear_word_is_found_as_a_word_only() {
    assert_eq!(unclear("Here the whole headers are silent.").count(), 0);
    assert_eq!(unclear("He may, as usual; nobody waits.").count(), 3);
    assert_eq!(
        comment("    /// Whoever comes first."),
        Some("Whoever comes first.")
    );
    assert_eq!(comment("let x = 1; // no line of its own"), None);
}
