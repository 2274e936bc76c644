//! Code and documents cite a fact of fal's protocol as `docs/protocol.md §n`. Each cited section
//! exists.

use std::collections::BTreeSet;

use crate::files::{below, pages_at_the_root, read};

const PAGE: &str = "docs/protocol.md";
const FOLDERS: [&str; 7] = [
    "src", "bindings", "tests", "include", "docs", "fuzz", "examples",
];
const TEXTS: [&str; 14] = [
    "rs", "py", "pyi", "c", "h", "inc", "cpp", "hpp", "md", "txt", "toml", "mk", "js", "mjs",
];

fn texts() -> Vec<(String, String)> {
    let mut paths: Vec<String> = FOLDERS.iter().flat_map(|folder| below(folder)).collect();
    paths.extend(pages_at_the_root());
    paths.retain(|path| {
        path.rsplit_once('.')
            .is_some_and(|(_, extension)| TEXTS.contains(&extension))
    });
    paths
        .into_iter()
        .map(|path| (path.clone(), read(&path)))
        .collect()
}

/// The numbers that can be cited: those of headings, and the entries of section 16.
fn sections() -> BTreeSet<String> {
    let page = read(PAGE);
    let mut found = BTreeSet::new();
    for line in page.lines() {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() {
            let number = heading
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_end_matches('.');
            found.insert(number.to_owned());
        }
    }
    let unknowns = page.split("\n## 16. ").nth(1).unwrap();
    let entries = unknowns
        .lines()
        .filter_map(|line| line.split_once(". "))
        .map(|(number, _)| number);
    found.extend(
        entries
            .filter(|number| number.parse::<u32>().is_ok())
            .map(|number| format!("16.{number}")),
    );
    found
}

/// The text in one line and without the comment markers, because a citation may be wrapped.
fn joined(text: &str) -> String {
    let inner = |line: &str| {
        line.trim()
            .trim_start_matches(['/', '!', '*', '#'])
            .trim()
            .to_owned()
    };
    text.lines().map(inner).collect::<Vec<_>>().join(" ")
}

/// The numbers after `§` in a line, without those of an RFC: `RFC 9113 §6.8, §8.7`.
fn cited(line: &str) -> Vec<&str> {
    let mut numbers = Vec::new();
    let mut before = "";
    let mut of_an_rfc = false;
    for part in line.split('§') {
        // The text before the first sign has no number.
        if part.as_ptr() != line.as_ptr() {
            let joined = matches!(
                before.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.'),
                ", " | " and "
            );
            let rfc = before
                .trim_end()
                .rsplit_once("RFC ")
                .is_some_and(|(_, n)| n.parse::<u32>().is_ok());
            of_an_rfc = rfc || (of_an_rfc && joined);
            let part = part.trim_start();
            let end = part
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(part.len());
            let number = part[..end].trim_end_matches('.');
            if !of_an_rfc && !number.is_empty() {
                numbers.push(number);
            }
        }
        before = part;
    }
    numbers
}

#[test]
fn numbers_of_an_rfc_are_no_citations() {
    assert_eq!(
        cited("(docs/protocol.md §12.2, §16.1-12), §4."),
        ["12.2", "16.1", "4"]
    );
    assert_eq!(
        cited("(RFC 9113 §6.8, §8.7) and docs/protocol.md §5"),
        ["5"]
    );
    assert_eq!(cited(&joined("    // (RFC 9112\n    // §6.3)")), [""; 0]);
    assert_eq!(cited("no sign, and § alone"), Vec::<&str>::new());
}

#[test]
fn every_cited_section_exists() {
    let sections = sections();
    let mut count = 0;
    let mut missing = Vec::new();
    for (path, text) in texts() {
        // This file contains samples.
        if path.ends_with("documents/citations.rs") {
            continue;
        }
        for section in cited(&joined(&text)) {
            count += 1;
            if !sections.contains(section) {
                missing.push(format!("{path}: §{section}"));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "{PAGE} has no such section:\n{}",
        missing.join("\n")
    );
    assert!(count > 400, "only {count} citations were found");
}

#[test]
fn the_page_is_cited_by_its_name() {
    let old = concat!("fal-", "protocol.md");
    let left: Vec<_> = texts()
        .into_iter()
        .filter(|(_, text)| text.contains(old))
        .map(|(path, _)| path)
        .collect();
    assert!(left.is_empty(), "{old} is {PAGE} now: {left:?}");
}
