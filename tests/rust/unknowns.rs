//! docs/unknowns.md names tests for open questions in fal's sources (docs/protocol.md §16). These
//! tests exist.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const NONE: &str = "No code depends on it:";

/// Collects the names of all test functions below a folder.
fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
            continue;
        }
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs" | "py") => fs::read_to_string(&path).unwrap(),
            _ => continue,
        };
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let name = |rest: &str| rest.split('(').next().unwrap_or_default().to_owned();
            let marked = lines[..at]
                .iter()
                .rev()
                .take_while(|before| before.starts_with("#["))
                .any(|m| *m == "#[test]");
            match (line.strip_prefix("fn "), line.strip_prefix("def test_")) {
                (Some(rest), _) if marked => _ = names.insert(name(rest)),
                (_, Some(rest)) => _ = names.insert(format!("test_{}", name(rest))),
                _ => {}
            }
        }
    }
}

#[test]
fn every_unknown_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    ["src", "tests"]
        .iter()
        .for_each(|folder| collect(&root.join(folder), &mut names));
    let text = fs::read_to_string(root.join("docs/unknowns.md")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let numbers: Vec<usize> = rows.iter().map(|row| row[0].parse().unwrap()).collect();
    let protocol = fs::read_to_string(root.join("docs/protocol.md")).unwrap();
    let listed = protocol.split("\n## 16. ").nth(1).unwrap();
    let listed: Vec<usize> = listed
        .lines()
        .filter_map(|line| line.split_once(". "))
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    assert!(listed.len() > 50, "{listed:?}");
    assert_eq!(numbers, listed, "each has one row");
    for row in rows {
        let [number, versions, does, tests] = row[..] else {
            panic!("four cells: {row:?}")
        };
        assert!(!versions.is_empty() && !does.is_empty(), "{number}");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert_eq!(
            named.is_empty(),
            does.starts_with(NONE),
            "{number} has tests or says why it has none"
        );
        let missing: Vec<_> = named
            .iter()
            .filter(|name| !names.contains(**name))
            .collect();
        assert!(
            missing.is_empty(),
            "{number} names tests that do not exist: {missing:?}"
        );
    }
}
